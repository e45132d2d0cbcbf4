# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What the shell scripts share: where things are, one way to fail, the lock, the state of the tree.

set -euo pipefail
shopt -s nullglob
cd "$(dirname "${BASH_SOURCE[0]}")/.."
ROOT=$PWD
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_COMMON_DIR GIT_OBJECT_DIRECTORY GIT_PREFIX GIT_CONFIG GIT_CONFIG_PARAMETERS
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES ARCH CROSS_COMPILE KBUILD_OUTPUT KCFLAGS
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 GIT_ATTR_NOSYSTEM=1 GIT_CONFIG_COUNT=2
export GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*'
export GIT_CONFIG_KEY_1=core.attributesFile GIT_CONFIG_VALUE_1=/dev/null
export GIT_COMMITTER_NAME=series GIT_COMMITTER_EMAIL=series@localhost GIT_COMMITTER_DATE='2000-01-01T00:00:00Z'
export GIT_CEILING_DIRECTORIES=$ROOT	# a broken tree in .work is not to be taken for this project's repository
export LC_ALL=C PYTHONDONTWRITEBYTECODE=1

PATCHES=patches/linux-6.1.y W=.work KDIR=${KDIR:-}

# One line says why a script ended: die's, or what the command that failed said, which is kept in STDERR.
exec 4>&2
die() { printf 'error: %s%s\n' "$(full_disk)" "$*" >&4; exit 9; }
finish() {
	case $? in 0 | 9 | 129 | 130 | 143) return 0 ;; esac	# 9: die was here; a signal is make's to report
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

kernel_var() { sed -n "s/^$2 = *//p" "$1/Makefile" 2>/dev/null | head -n 1; }

check_kdir() {
	[ -d "$KDIR" ] || die "KDIR=$KDIR is not a directory"
	[ -n "$(kernel_var "$KDIR" VERSION)" ] || die "KDIR=$KDIR is not a kernel tree: no VERSION in its Makefile"
	[ "$(kernel_var "$KDIR" VERSION).$(kernel_var "$KDIR" PATCHLEVEL)" = 6.1 ] ||
		die "KDIR=$KDIR is Linux $(kernel_var "$KDIR" VERSION).$(kernel_var "$KDIR" PATCHLEVEL), the series is for 6.1"
}

if [ -n "$KDIR" ]; then
	check_kdir
	KDIR=$(realpath "$KDIR")
	W=.work/kdir-$(printf %s "$KDIR" | sha256sum | cut -c 1-12)
fi
export KDIR WORK=$W
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

step() { setpriv --pdeathsig TERM python3 "$ROOT/scripts/step.py" "$@"; }

# $W/state: which base (its source and its commit), HEAD of the tree and patches belong together.
state() { sed -n "s/^$1 //p" "$W/state" 2>/dev/null; }
patch_sums() { # [DIR]
	[ ! -d "${1:-$PATCHES}" ] || (cd "${1:-$PATCHES}" && find . -name '*.patch' -printf '%f\0' | sort -z | xargs -0 -r sha256sum) | sed 's/^/patch /'
}
write_state() { # FILE BASE COMMIT HEAD SUMS
	printf 'base %s\ncommit %s\nhead %s\n%s\n' "${@:2}" >"$1.new"
	mv "$1.new" "$1"
}
patches_changed() { [ "$(patch_sums)" != "$(sed -n '/^patch /p' "$W/state")" ]; }

# True when patches/ holds old and new files of an interrupted export, and nothing else.
half_exported() {
	[ -e "$W/state.export" ] && ! patch_sums | grep -qvxFf <(cat "$W/state" "$W/state.export")
}

# A killed git leaves its locks; only for the commands of a run of ours that was interrupted.
remove_git_locks() { find "$TREE/.git" -maxdepth 3 -name '*.lock' -delete; }

# What in the tree is not exported, in words; nothing when all of it is.
unexported() {
	local git ref
	git=$(git -C "$TREE" rev-parse --absolute-git-dir)
	for ref in rebase-merge rebase-apply CHERRY_PICK_HEAD MERGE_HEAD; do
		[ ! -e "$git/$ref" ] || { say "an unfinished rebase, am, cherry-pick or merge"; return; }
	done
	[ -z "$(GIT_OPTIONAL_LOCKS=0 git -C "$TREE" status --porcelain)" ] || { say "uncommitted edits"; return; }
	for ref in HEAD series; do
		[ "$(git -C "$TREE" rev-parse -q --verify $ref)" = "$(state head)" ] || { count_commits $ref; return; }
	done
}

count_commits() {
	local n; n=$(git -C "$TREE" rev-list --count "$(state head)..$1")
	case $n in 0) say "dropped commits" ;; 1) say "1 unexported commit" ;; *) say "$n unexported commits" ;; esac
}

# apply DIR REPOSITORY BASE: the patches in DIR as commits on BASE, in a sparse worktree; sets APPLIED.
apply() {
	local patch patches=("$1"/*.patch) work=$PWD/$W/apply
	APPLIED=$(git -C "$2" rev-parse "$3")
	[ ${#patches[@]} -gt 0 ] || return 0
	remove_worktree "$2" "$work"
	add_worktree "$2" "$work" "$3"
	sed -n 's,^diff --git a/\([^ ]*\) b/.*,/\1,p' "${patches[@]}" | sort -u |
		git -C "$work" sparse-checkout set --no-cone --stdin
	git -C "$work" checkout -q
	for patch in "${patches[@]}"; do
		git -C "$work" am -q --keep-non-patch --no-3way --no-gpg-sign "$PWD/$patch" >"$W/log/am.log" 2>&1 || does_not_apply "$patch"
	done
	# shellcheck disable=SC2034	# for the caller
	APPLIED=$(git -C "$work" rev-parse HEAD)
	remove_worktree "$2" "$work"
}

does_not_apply() {
	local files last=${patches[-1]}
	! git -C "$work" apply --cached --reverse --check "$PWD/$last" 2>/dev/null ||
		die "$(basename "$1") does not apply, as ${KDIR:-the base} holds the series already: $(basename "$last") is in it"
	files=$(sed -n -E 's/^error: (patch failed: )?([^ :]+\/[^ :]+|[^ :]+)(:[0-9]+|: .*)$/\2/p' "$W/log/am.log" | sort -u | paste -sd' ')
	die "$(basename "$1") does not apply: ${files:-$(grep -m1 . "$W/log/am.log")} (log in $W/log/am.log)"
}

# Twice -f: a killed "worktree add" leaves a lock.
add_worktree() { git -C "$1" worktree add -q -f -f --no-checkout --detach "$2" "$3"; }
# Where a killed "apply" was; its git may have left the references locked.
clean_apply() {
	[ ! -e "$W/apply" ] || rm -rf "$TREE/.git/packed-refs.lock" "$W/apply"
	[ ! -d "$TREE" ] || git -C "$TREE" worktree prune
}
remove_worktree() { rm -rf "$2"; git -C "$1" worktree prune; }
