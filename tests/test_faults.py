# SPDX-License-Identifier: GPL-2.0-only
"""Packages that cannot be had, a broken tarball, a full disk, work in the tree: a line says it, nothing is lost."""
import os
import resource
import shutil
import signal
import subprocess

from project import Project


class Packages(Project):
    def packages_but(self, *missing):
        """All packages are installed, but for these."""
        self.fake("dpkg-query", 'for p; do'
                  f' case "$p" in -*|{"|".join(missing)}) ;; *) echo "$p install ok installed" ;; esac;'
                  ' done\n')

    def test_without_root_the_command_is_printed(self):
        self.packages_but("bison", "xz-utils")
        env = self.fake("id", "echo 1000\n")
        self.env.pop("KDIR")
        self.env["K"] = "6.1"
        self.fails("as root: apt-get install --no-install-recommends xz-utils; or, for all commands: xz-utils bison$", "tree", **env)
        self.fails("as root: apt-get install --no-install-recommends xz-utils bison; or,", "test", **env)
        self.assertFalse((self.root / ".work").exists())

    def test_root_gets_them_installed(self):
        self.packages_but("git")
        self.fake("id", "echo 0\n")
        self.fake("dpkg", f'echo dpkg "$@" >> {self.top}/calls; exit 1\n')
        env = self.fake("apt-get", f'echo "$@" >> {self.top}/calls; case "$*" in *install*) echo exit >{self.top}/bin/dpkg-query ;; esac\n')
        self.make("tree", **env)
        self.assertRegex((self.top / "calls").read_text(), "^-q update\ndpkg --configure -a\n.*install.* git\n$")

    def test_without_a_network(self):
        self.packages_but("git", "bison")
        self.fake("id", "echo 0\n")
        self.fake("dpkg", "")
        for step in ("update", "install"):
            env = self.fake("apt-get", f'case "$*" in *{step}*) echo "E: Temporary failure resolving deb.debian.org"; exit 100 ;; esac\n')
            self.fails("Temporary failure resolving deb.debian.org; .* apt-get install --no-install-recommends git bison$", "demo", **env)
        self.make("tree")


class Tarball(Project):
    """Debian's linux-source-6.1 as the base."""

    def setUp(self):
        super().setUp()
        self.env.pop("KDIR")
        self.env["K"] = "6.1"
        library = self.root / "scripts/lib.sh"
        library.write_text(library.read_text().replace("has_package() { ", "has_package() { return 0; "))   # whichever Debian this is
        (self.kdir / ".gitignore").write_text("/*\n")

    def pack(self, version):
        makefile = self.kdir / "Makefile"
        makefile.write_text(f"VERSION = 6\nPATCHLEVEL = 1\nSUBLEVEL = {version}\n")
        subprocess.run(["tar", "-cJf", self.top / "linux.tar.xz", "--exclude=.git", "-C", self.top, "linux"], check=True)
        return self.fake("dpkg-query", f'case "$*" in *-L*) echo {self.top}/linux.tar.xz ;; *Status*) for p; do'
                         ' echo "$p install ok installed"; done ;;'
                         f' *) echo linux-source-6.1 6.1.{version}-1 ;; esac\n')

    def test_newer_package_renews_the_base(self):
        for version in (1, 2):
            env = self.pack(version)
            self.assertIn(f"Linux 6.1.{version}, 0 patches", self.make("tree", **env))
        tree = self.root / ".work/6.1/tree"
        (tree / "new.c").write_text("")
        self.assertIn("new.c", self.git(tree, "status", "--porcelain"))

    def test_broken_tarball(self):
        env = self.pack(1)
        tarball = self.top / "linux.tar.xz"
        good = tarball.read_bytes()
        middle = len(good) // 2
        for broken in (good[:middle], good[:-4], good[:middle] + bytes([good[middle] ^ 1]) + good[middle + 1:], b"", None):
            tarball.unlink() if broken is None else tarball.write_bytes(broken)
            self.fails(f"cannot unpack {tarball}: .*apt-get install --reinstall linux-source-6.1", "tree", **env)
            self.assertEqual(sorted(os.listdir(self.root / ".work/6.1")), ["lock", "log"])
        tarball.write_bytes(good)
        self.assertIn("Linux 6.1.1, 0 patches", self.make("tree", **env))

    def test_broken_newer_tarball(self):
        self.make("tree", **self.pack(1))
        env = self.pack(2)
        (self.top / "linux.tar.xz").write_bytes((self.top / "linux.tar.xz").read_bytes()[:-100])
        self.fails("cannot unpack", "tree", **env)
        self.assertIn("Linux 6.1.1, 0 patches", self.make("tree", **self.pack(1)))
        self.assertIn("Linux 6.1.2, 0 patches", self.make("tree", **self.pack(2)))


NO_ROOM = """
mount -t tmpfs -o size=9m none .work && cp -a ../keep/. .work || exit 1
head -c $((($(df --output=avail -k .work | tail -n 1) - $1) * 1024)) /dev/zero >.work/filler
make $2 2>../err && exit 2
rm .work/filler
exec make $2
"""


class Disk(Project):
    """A disk that gets full at any step."""

    def setUp(self):
        super().setUp()
        self.series()
        self.keep = self.top / "keep"
        self.before = self.content()

    def content(self):
        return {path.name: path.read_bytes() for path in self.patches.iterdir()}

    def can_mount(self):
        command = ["unshare", "-rm", "mount", "-t", "tmpfs", "none", self.root / ".work"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def full(self, kilobytes, command):
        """Run with so much room, then again with enough."""
        if self.can_mount():
            result = subprocess.run(["unshare", "-rm", "bash", "-c", NO_ROOM, "-", str(kilobytes), command], cwd=self.root, env=self.env,
                                    capture_output=True, text=True, timeout=60, check=False)
            self.assertEqual((result.returncode, result.stderr), (0, ""), kilobytes)
            return (self.top / "err").read_text()
        return self.limited(kilobytes * 2, command, **self.fake("df", "echo Avail; echo 0\n"))

    def limited(self, size, command, **env):
        """The same where nothing can be mounted: no file gets larger than size."""
        shutil.rmtree(self.root / ".work")
        shutil.copytree(self.keep, self.root / ".work", symlinks=True)

        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        result = subprocess.run(["make", command], cwd=self.root, env={**self.env, **env}, capture_output=True, text=True,
                                preexec_fn=limit, timeout=60, check=False)
        self.assertNotEqual(result.returncode, 0)
        self.make(command)
        return result.stderr

    def test_first_tree(self):
        shutil.rmtree(self.root / ".work")
        (self.root / ".work").mkdir()
        self.keep.mkdir()
        for kilobytes in (0, 12, 24, 44, 64, 72, 100, 130):
            self.assert_one_error(self.full(kilobytes, "tree"), "the disk is full, make room")
            self.assertEqual(self.content(), self.before)

    def test_export(self):
        self.commit("kernel/a.c", "line 20\n", "line twenty\n", "kernel: Three")
        shutil.copytree(self.root / ".work", self.keep, symlinks=True)
        for kilobytes in (0, 16, 32, 48):
            self.assert_one_error(self.full(kilobytes, "export"), "the disk is full, make room")
            self.assertEqual(self.names(), [*sorted(self.before)[:2], "0003-kernel-Three.patch", "COVER"])
            (self.patches / "0003-kernel-Three.patch").unlink()
            self.assertEqual(self.content(), self.before)

    def test_files_that_cannot_be_written(self):
        shutil.rmtree(self.root / ".work")
        (self.root / ".work").mkdir()
        self.keep.mkdir()
        for size in (0, 150, 250, 350):
            self.assert_one_error(self.limited(size, "tree"), "")
            self.assertEqual(self.content(), self.before)


class LocalWork(Project):
    """What was done in the tree, in whatever state it is, survives make tree, make export and make clean."""

    def edit_line(self):
        self.edit("kernel/a.c", "line 20\n", "precious\n")

    def in_git(self, *commands):
        for command in commands:
            subprocess.run(["git", "-C", self.tree, *command.split()], env=self.env, capture_output=True, check=False)

    def survives(self, make, exported=False):
        """What make does to the tree stays there; make clean refuses, and make export, too, unless it can write it to patches/."""
        self.series()
        make()
        for command, works in (("tree", True), ("clean", False), ("export", exported)):
            result = self.run_make(command)
            self.assertEqual(result.returncode == 0, works, command + result.stdout + result.stderr)
            if not works:
                self.assert_one_error(result.stderr, "")
            texts = [path.read_text() for path in [self.tree / "kernel/a.c", *self.tree.glob("*.c")]]
            kept = [*texts, self.git(self.tree, "diff", "--cached"), self.git(self.tree, "log", "-p", "-m", "--all", "HEAD")]
            self.assertIn("precious", "".join(kept), command)

    def test_edit(self):
        self.survives(self.edit_line)

    def test_staged_edit(self):
        def make():
            self.edit_line()
            self.in_git("add -A")
            self.edit("kernel/a.c", "precious\n", "line 20\n")
        self.survives(make)

    def test_untracked_file(self):
        self.survives(lambda: (self.tree / "new.c").write_text("precious\n"))

    def test_commit_on_a_detached_head(self):
        def make():
            self.in_git("checkout -q --detach")
            self.commit("kernel/a.c", "line 20\n", "precious\n", "kernel: Three")
        self.survives(make, exported=True)

    def test_commit_beside_a_detached_head(self):
        def make():
            self.commit("kernel/a.c", "line 20\n", "precious\n", "kernel: Three")
            self.in_git("checkout -q --detach HEAD~1")
        self.survives(make)

    def test_other_branch(self):
        def make():
            self.commit("kernel/a.c", "line 20\n", "precious\n", "kernel: Three")
            self.in_git("branch mine", "reset -q --hard HEAD~1")
        self.survives(make, exported=True)

    def test_stash(self):
        def make():
            self.edit_line()
            self.in_git("stash")
        self.survives(make, exported=True)

    def test_unfinished_rebase(self):
        def make():
            self.commit("kernel/a.c", "line 20\n", "precious\n", "kernel: Three")
            self.in_git("rebase -q -x false " + self.base)
        self.survives(make)
        self.fails("has an unfinished rebase", "export")

    def test_unfinished_cherry_pick(self):
        def make():
            self.commit("kernel/a.c", "line 20\n", "precious\n", "kernel: Three")
            self.in_git("reset -q --hard HEAD~1", "cherry-pick --no-commit ORIG_HEAD")
        self.survives(make)
