# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What the shell scripts share: where things are, one way to fail, the lock, the state of the tree.

set -euo pipefail
shopt -s nullglob
cd "${BASH_SOURCE[0]%/*}/.."
ROOT=$PWD
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_COMMON_DIR GIT_OBJECT_DIRECTORY GIT_PREFIX GIT_CONFIG GIT_CONFIG_PARAMETERS
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES SHORT FORGET MINUTES T ARCH CROSS_COMPILE KBUILD_OUTPUT KCFLAGS
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 GIT_ATTR_NOSYSTEM=1 GIT_CONFIG_COUNT=2
export GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*'
export GIT_CONFIG_KEY_1=core.attributesFile GIT_CONFIG_VALUE_1=/dev/null
export GIT_COMMITTER_NAME=series GIT_COMMITTER_EMAIL=series@localhost GIT_COMMITTER_DATE='2000-01-01T00:00:00Z'
export GIT_CEILING_DIRECTORIES=$ROOT	# a broken tree in .work is not to be taken for this project's repository
export LC_ALL=C PYTHONDONTWRITEBYTECODE=1

DEFAULT=6.12 REPO=$ROOT/.work/git W=.work KDIR=${KDIR:-}
KERNELS=(patches/linux-*.y) KERNELS=("${KERNELS[@]#*/linux-}") KERNELS=("${KERNELS[@]%.y}")

# One line says why a script ended: die's, or what the command that failed said, which is kept in STDERR.
exec 4>&2
die() { printf 'error: %s%s\n' "$(full_disk)" "$*" >&4; exit 9; }
finish() {
	case $? in 0 | 9 | 10 | 129 | 130 | 143) return 0 ;; esac	# 9, 10: somebody has said it; a signal is make's to report
	printf 'error: %s%s failed: %s\n' "$(full_disk)" "$0" "$(said "$STDERR")" >&4
}
said() { grep -m1 -E '^(fatal|error): ' "$1" || tail -n 1 "$1"; }
trap finish EXIT
STDERR=/dev/null
keep_stderr() { STDERR=$W/log/${0##*/}.err; : 2>/dev/null >"$STDERR" || die "cannot write $STDERR"; exec 2>"$STDERR"; }
full_disk() {
	local free; free=$(df --output=avail -k "$W" . 2>/dev/null | sed 1d | sort -n | head -n 1) || true
	[ "${free:-99999}" -ge 32768 ] || printf 'the disk is full, make room and run it again; '
}
say() { printf '%s\n' "$*"; }

# The version of the tree in DIR: 6.1.7
kernel_version() { sed -n -E 's/^(VERSION|PATCHLEVEL|SUBLEVEL) = *//p; 9q' "$1/Makefile" 2>/dev/null | paste -sd.; }

kdir_kernel() {
	local version
	[ -d "$KDIR" ] || die "KDIR=$KDIR is not a directory"
	version=$(kernel_version "$KDIR") || true
	[[ $version =~ ^([0-9]+\.[0-9]+)\.[0-9]+$ ]] || die "KDIR=$KDIR is not a kernel tree: no VERSION in its Makefile"
	say "${BASH_REMATCH[1]}"
}

# Which kernel: K, or that of KDIR. A command for all kernels is for one alone when either is given.
# shellcheck disable=SC2034
ONE=${K:-}$KDIR
if [ -n "$KDIR" ]; then
	VERSION=$(kdir_kernel)
	[ "${K:-$VERSION}" = "$VERSION" ] || die "K=$K, but KDIR=$KDIR is Linux $VERSION"
	[ -d "patches/linux-$VERSION.y" ] || die "KDIR=$KDIR is Linux $VERSION, the series is for ${KERNELS[*]}"
	K=$VERSION KDIR=$(realpath "$KDIR")
	NAME=$(sha256sum <<<"$KDIR")
	NAME=kdir-${NAME::12}
else
	K=${K:-$DEFAULT} NAME=${K:-$DEFAULT}
	[[ $K =~ ^[0-9.]+$ && -d patches/linux-$K.y ]] || die "K=$K is none of the kernels ${KERNELS[*]}"
fi
PATCHES=patches/linux-$K.y W=.work/$NAME BASE=base/$NAME
export KDIR K BASE WORK=$W
TREE=$W/tree

# One run at a time. Children inherit fd 9 and with it the lock; whoever is killed releases it.
lock() {
	[ "${WORK_LOCKED:-}" != "$W" ] || return 0
	mkdir -p "$W/log" 2>/dev/null && { exec 9>"$W/lock"; } 2>/dev/null ||
		die "cannot write to $W: $({ mkdir -p "$W/log" && touch "$W/lock"; } 2>&1)"
	if ! flock -n 9; then
		say "waiting for another run in $W to end"
		flock 9
	fi
	export WORK_LOCKED=$W
}

# for_each_kernel [ARGUMENT...]: this script for every kernel instead; one that cannot be had is said and no error
for_each_kernel() {
	local status
	for kernel in "${KERNELS[@]}"; do
		status=0; K=$kernel "$0" "$@" || status=$?
		[ $status = 0 ] || [ $status = $UNAVAILABLE ] || exit 9
	done
	exit 0
}

# The kernel's source: Debian's package in the releases that have it, or nothing in the archive.
# shellcheck disable=SC2034
PACKAGE=linux-source-$K UNAVAILABLE=10
# shellcheck disable=SC2034
case $K in 6.1) RELEASE=bookworm ;; 6.12) RELEASE=trixie ;; *) RELEASE=trixie-backports ;; esac
host_release() { (. /etc/os-release; say "$VERSION_CODENAME"); }
has_package() { case $(host_release)/$K in bookworm/6.1 | bookworm/6.12 | trixie/6.12) ;; *) return 1 ;; esac; }
unavailable() {
	[ "$K" != $DEFAULT ] || die "$*"
	printf 'NOT RUN: Linux %s: %s; KDIR=/path/to/linux takes a tree of yours\n' "$K" "$*" >&4
	exit $UNAVAILABLE
}

step() { setpriv --pdeathsig TERM python3 "$ROOT/scripts/step.py" "$@"; }

# All trees are work trees of one repository. What it knows of a tree (NAME):
#   heads/NAME     its branch
#   base/NAME      the kernel without the series
#   state/NAME     what was exported last: a commit, with the patch files as its files, on the head that gave them
#   carried/NAME   the end of what "make carry" took to the other kernels
#   moving/NAME    the state that "make tree" is about to reach; exporting/NAME the one of "make export"
git_repo() { git --git-dir="$REPO" "$@"; }
ref() { git_repo rev-parse -q --verify "refs/$1/$NAME${2:-}" 2>/dev/null || true; }
refs() { git_repo update-ref --stdin; }
state() { { git_repo log -1 --format=%B "refs/${2:-state}/$NAME" 2>/dev/null || true; } | sed -n "s/^$1 //p"; }
new_state() { # PATCHES SOURCE BASE HEAD [BRANCH CARRIED]: the patch files as a tree object, where the kernel is from, three commits
	GIT_AUTHOR_NAME=series GIT_AUTHOR_EMAIL=series@localhost git_repo commit-tree -p "$4" -m "source $2"$'\n'"base $3"$'\n'"head $4"$'\n'"branch ${5:-$4}"$'\n'"carried ${6:-}" "$1"
}
patch_tree() { # [DIR]: its patches, as a tree object
	local files=("${1:-$PATCHES}"/*.patch)
	[ ${#files[@]} = 0 ] || paste -d '\t' <(printf '%s\n' "${files[@]}" | git_repo hash-object -w --no-filters --stdin-paths) \
		<(printf '%s\n' "${files[@]##*/}") | sed 's/^/100644 blob /' | git_repo mktree
	[ ${#files[@]} -gt 0 ] || git_repo mktree </dev/null
}
patches_changed() { [ "$(patch_tree)" != "$(ref state '^{tree}')" ]; }

# True when patches/ holds old and new files of an interrupted export, and nothing else.
half_exported() {
	[ "$(ref exporting)" ] &&
		! git_repo ls-tree "$(patch_tree)" | grep -qvxFf <(git_repo ls-tree "$(ref state)"; git_repo ls-tree "$(ref exporting)")
}

# Whoever is killed while git works in the repository leaves a mark: the next one who is alone there removes git's locks.
enter_repository() {
	rm -rf "$REPO.old"
	[ -d "$REPO" ] || make_repository
	exec 8>.work/git.lock
	if flock -n 8 && [ -n "$(find .work -maxdepth 2 -name busy)" ]; then
		find "$REPO" -name '*.lock' -delete
		rm -f .work/*/busy
	fi
	flock -s 8
	: >"$W/busy"
	[ ! -e "$TREE/.git" ] || connect "$TREE"
}

leave_repository() { rm -f "$W/busy"; }

make_repository() {
	rm -rf "$REPO.new"
	git init -q --bare --template= "$REPO.new"
	git --git-dir="$REPO.new" config --unset core.bare
	printf '[gc]\n\tauto = 0\n[extensions]\n\tworktreeConfig = true\n[rerere]\n\tenabled = true\n\tautoUpdate = true\n' >>"$REPO.new/config"
	mkdir -p "$REPO.new/info"; say '__pycache__/' >"$REPO.new/info/exclude"
	mv "$REPO.new" "$REPO"
}

# connect DIR: the repository and a work tree find each other, wherever they were moved to.
connect() {
	local id; id=$(sed 's,.*/,,' "$1/.git")
	say "gitdir: $REPO/worktrees/$id" | cmp -s - "$1/.git" || say "gitdir: $REPO/worktrees/$id" >"$1/.git"
	say "$PWD/$1/.git" | cmp -s - "$REPO/worktrees/$id/gitdir" || say "$PWD/$1/.git" >"$REPO/worktrees/$id/gitdir"
}

# Put the tree where the state COMMIT says. Only files that differ are written, so builds stay incremental.
move() { # COMMIT
	refs <<<"update refs/moving/$NAME $1"
	land
}
land() {
	local branch; branch=$(state branch moving)
	refs <<<"update refs/base/$NAME $(state base moving)"
	if [ -d "$TREE" ]; then git -C "$TREE" checkout -q -f -B "$NAME" "$branch"; else refs <<<"update refs/heads/$NAME $branch"; fi
	refs <<<"update refs/state/$NAME $(ref moving)"$'\n'"delete refs/moving/$NAME"
}

# place: a tree on its branch where there is none; the files of its base may be at hand, with an index of them.
place() {
	local new=$PWD/$TREE.new
	add_worktree "$new" "$BASE"
	if [ -d "$W/base.new" ]; then
		mv "$new/.git" "$W/base.new/.git"
		rmdir "$new"; mv "$W/base.new" "$new"
		mv "$W/index" "$(git -C "$new" rev-parse --git-path index)"
	fi
	git -C "$new" checkout -q -f "$NAME"
	mv "$new" "$TREE"
	connect "$TREE"
}

# A run that was killed while it moved the tree: what stands there now is kept in git's stash.
finish_interrupted_move() {
	[ "$(ref moving)" ] || return 0
	[ ! -d "$TREE" ] || GIT_AUTHOR_NAME=series GIT_AUTHOR_EMAIL=series@localhost git -C "$TREE" stash push -q -m "interrupted make tree" || true
	land
}

# What in the tree is not exported, in words; nothing when all of it is.
unexported() {
	local git ref head
	if [ -d "$TREE" ]; then
		git=$(git -C "$TREE" rev-parse --absolute-git-dir)
		for ref in rebase-merge rebase-apply CHERRY_PICK_HEAD MERGE_HEAD; do
			[ ! -e "$git/$ref" ] || { say "an unfinished rebase, am, cherry-pick or merge"; return; }
		done
		[ -z "$(GIT_OPTIONAL_LOCKS=0 git -C "$TREE" status --porcelain)" ] || { say "uncommitted edits"; return; }
		ref=$(git -C "$TREE" rev-parse HEAD)
	fi
	head=$(state head)
	for ref in ${ref:-} $(ref heads); do
		[ "$ref" = "$head" ] || { count_commits "$ref"; return; }
	done
}

count_commits() {
	local n; n=$(git_repo rev-list --count "$(state head)..$1")
	case $n in 0) say "dropped commits" ;; 1) say "1 unexported commit" ;; *) say "$n unexported commits" ;; esac
}

# Where a killed "apply" was
clean_apply() { rm -f "$W"/apply.index*; [ ! -e "$W/apply" ] || remove_worktree "$W/apply"; }

# apply DIR BASE: the patches in DIR as commits on BASE; sets APPLIED. git am works on the files that they touch alone, then the commits
# move to BASE.
apply() {
	local patch patches=("$1"/*.patch) work=$PWD/$W/apply small
	APPLIED=$(git_repo rev-parse "$2")
	[ ${#patches[@]} -gt 0 ] || return 0
	small=$(sed -n 's,^diff --git a/\([^ ]*\) b/.*,\1,p' "${patches[@]}" | sort -u | commit_of_files "$APPLIED")
	add_worktree "$work" "$small"
	git -C "$work" checkout -q
	for patch in "${patches[@]}"; do
		git -C "$work" am -q --keep-non-patch --no-3way --no-gpg-sign "$PWD/$patch" >"$W/log/am.log" 2>&1 || does_not_apply "$patch"
	done
	rebase_on "$APPLIED" "$small" "$(git -C "$work" rev-parse HEAD)"
	remove_worktree "$work"
}

# A commit with only the files of COMMIT that stdin names
commit_of_files() (
	export GIT_INDEX_FILE=$PWD/$W/apply.index GIT_AUTHOR_NAME=series GIT_AUTHOR_EMAIL=series@localhost
	xargs -r git --literal-pathspecs --git-dir="$REPO" ls-tree "$1" -- | git_repo update-index --index-info
	git_repo commit-tree -m "$1" "$(git_repo write-tree)"
	rm -f "$GIT_INDEX_FILE"
)

# rebase_on BASE SMALL HEAD: the commits SMALL..HEAD on BASE, change by change; sets APPLIED.
rebase_on() {
	refs <<<"update refs/applied/$NAME $3"
	{
		echo 'feature done'
		git_repo fast-export --no-data --reference-excluded-parents "$2..refs/applied/$NAME" | sed "s/^from $2\$/from $1/"
		echo 'done'
	} | git_repo fast-import --quiet --force
	# shellcheck disable=SC2034	# for the caller
	APPLIED=$(ref applied)
	refs <<<"delete refs/applied/$NAME"
}

does_not_apply() {
	local files last=${patches[-1]}
	! git -C "$work" apply --cached --reverse --check "$PWD/$last" 2>/dev/null ||
		die "$(basename "$1") does not apply, as ${KDIR:-the base} holds the series already: $(basename "$last") is in it"
	files=$(sed -n -E 's/^error: (patch failed: )?([^ :]+\/[^ :]+|[^ :]+)(:[0-9]+|: .*)$/\2/p' "$W/log/am.log" | sort -u | paste -sd' ')
	die "$(basename "$1") does not apply: ${files:-$(grep -m1 . "$W/log/am.log")} (log in $W/log/am.log)"
}

# Twice -f: a killed "worktree add" leaves a lock.
add_worktree() { remove_worktree "$1"; git_repo worktree add -q -f -f --no-checkout --detach "$1" "$2"; }
remove_worktree() { rm -rf "$1"; git_repo worktree prune; }
