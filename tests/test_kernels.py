# SPDX-License-Identifier: GPL-2.0-only
"""Three kernels: which one a command is for, their trees in one repository, and make carry from one to the others."""
import os
import shutil
import subprocess
import tempfile

from project import LINES, Project

KERNELS = ("6.1", "6.12", "7.3")
# Linux 7.3 has other lines around line 30
OTHER = LINES.replace("line 28\n", "line 28 of 7.3\n").replace("line 31\n", "line 31 of 7.3\n")


class Kernels(Project):
    """Linux 6.1, 6.12 and 7.3, each a package of Debian's that is installed."""
    made = None     # a project with the series(), to be copied

    def setUp(self):
        super().setUp()
        self.env.pop("KDIR")
        for kernel in KERNELS:
            self.pack(kernel)
        for kernel in KERNELS:
            self.folder(kernel).mkdir(exist_ok=True)
            (self.folder(kernel) / "COVER").write_text("what it is about\n")
        self.env.update(self.fake("dpkg-query", 'for p; do case $p in'
                                  ' linux-source-*) k=${p#linux-source-} ;; esac; done\n'
                                  f'case "$*" in *-L*) echo {self.top}/linux-$k.tar.xz ;;\n'
                                  '*Status*) for p; do echo "$p install ok installed"; done ;;\n'
                                  '*) echo "linux-source-$k $k.7-1" ;; esac\n'))
        sources = self.root / "scripts/lib.sh"
        sources.write_text(sources.read_text().replace("has_package() { ", "has_package() { return 0; "))

    def folder(self, kernel):
        return self.root / f"patches/linux-{kernel}.y"

    def tree_of(self, kernel):
        return self.root / ".work" / kernel / "tree"

    def pack(self, kernel):
        version, patchlevel = kernel.split(".")
        (self.kdir / "Makefile").write_text(f"VERSION = {version}\nPATCHLEVEL = {patchlevel}\nSUBLEVEL = 7\n")
        (self.kdir / "kernel/a.c").write_text(OTHER if kernel == "7.3" else LINES)
        subprocess.run(["tar", "-cJf", self.top / f"linux-{kernel}.tar.xz", "--exclude=.git", "-C", self.top, "linux"], check=True)

    def change(self, kernel, old, new, message, name="kernel/a.c"):
        path = self.tree_of(kernel) / name
        path.write_text(path.read_text().replace(old, new) if path.exists() else new)
        self.git(self.tree_of(kernel), "add", "-A")
        self.git(self.tree_of(kernel), "commit", "-q", "-m", message)

    def series(self):
        """The same two patches on each kernel, as trees and as files."""
        if Kernels.made is None:
            self.make("tree")
            for kernel in KERNELS:
                for subject, line in (("kernel: One", "line 5\n"), ("kernel: Two", "line 9\n")):
                    self.change(kernel, line, line.upper(), subject)
            self.make("export")
            Kernels.made = tempfile.TemporaryDirectory(prefix="harness-")
            shutil.copytree(self.root, Kernels.made.name, symlinks=True, dirs_exist_ok=True)
        shutil.rmtree(self.root)
        shutil.copytree(Kernels.made.name, self.root, symlinks=True)
        for kernel in KERNELS:
            subprocess.run(["bash", "-c", '. scripts/lib.sh; connect "$TREE"'], cwd=self.root, env={**self.env, "K": kernel}, check=True)

    def subjects(self, kernel):
        return self.git(self.tree_of(kernel), "log", "--format=%s", "--reverse", f"base/{kernel}..{kernel}").splitlines()

    def text(self, kernel, name="kernel/a.c"):
        return (self.tree_of(kernel) / name).read_text()

    def patches_of(self, kernel):
        return {path.name: path.read_bytes() for path in self.folder(kernel).glob("*.patch")}


class Choice(Kernels):
    def test_default_and_each(self):
        self.assertIn("Linux 6.12.7, 0 patches", self.make("tree", K="6.12"))
        self.assertEqual([path.name for path in (self.root / ".work").glob("[0-9]*")], ["6.12"])
        out = self.make("tree")
        for kernel in KERNELS:
            self.assertIn(f".work/{kernel}/tree: Linux {kernel}.7, 0 patches", out)

    def test_without_sense(self):
        for kernel in ("5.10", "6.1 6.12", "../x", "6.1.y"):
            self.fails(f"K={kernel} is none of the kernels 6.1 6.12 7.3$", "quick", f"K={kernel}")

    def test_kdir_picks_the_folder(self):
        self.pack("7.3")
        self.env["KDIR"] = str(self.kdir)
        self.assertIn("Linux 7.3.7, 0 patches", self.make("tree"))
        self.fails("K=6.1, but KDIR=.* is Linux 7.3$", "tree", "K=6.1")
        shutil.rmtree(self.folder("7.3"))
        self.fails("is Linux 7.3, the series is for 6.1 6.12$", "tree")

    def test_other_commands_know_them(self):
        self.make("tree", "K=7.3")
        self.make("export", "K=7.3")
        self.fails("there is no .work/6.1/tree: run 'make tree' first", "export", "K=6.1")
        self.make("clean", "K=7.3")
        self.assertFalse(self.tree_of("7.3").exists())


class Trees(Kernels):
    def test_one_repository(self):
        self.series()
        for kernel in KERNELS:
            self.assertEqual(self.git(self.tree_of("6.1"), "log", "-1", "--format=%s", kernel), "kernel: Two")
            self.assertEqual(self.git(self.tree_of(kernel), "rev-parse", "--git-common-dir"), str(self.root / ".work/git"))

    def test_export_writes_the_folders_that_changed(self):
        self.series()
        before = {kernel: self.patches_of(kernel) for kernel in KERNELS}
        self.change("6.12", "line 20\n", "more\n", "kernel: Three")
        self.make("export")
        self.assertEqual(sorted(self.patches_of("6.12")), [*sorted(before["6.12"]), "0003-kernel-Three.patch"])
        for kernel in ("6.1", "7.3"):
            self.assertEqual(self.patches_of(kernel), before[kernel])

    def test_clean_of_all_keeps_all_that_has_work(self):
        self.series()
        self.change("7.3", "line 20\n", "precious\n", "kernel: Three")
        self.fails(".work/7.3/tree has 1 unexported commit", "clean")
        self.assertIn("precious", self.text("7.3"))
        self.make("export")
        self.make("clean")
        self.assertEqual([path.name for path in (self.root / ".work").iterdir() if path.name[0] == "g"], ["git.lock"])

    def test_stray_branch_and_stash(self):
        self.series()
        self.git(self.tree_of("6.1"), "branch", "mine", self.git(self.tree_of("6.1"), "commit-tree", "-m", "x", "-p", "6.1", "6.1^{tree}"))
        self.fails("commits that no patches have, in: mine", "clean", "K=6.1")
        self.git(self.tree_of("6.1"), "branch", "-D", "mine")
        self.make("clean", "K=6.1")

    def test_tree_that_was_removed_comes_back_with_its_commits(self):
        self.series()
        self.change("7.3", "line 20\n", "precious\n", "kernel: Three")
        shutil.rmtree(self.tree_of("7.3"))
        self.fails("1 unexported commit", "clean", "K=7.3")
        self.assertIn("1 unexported commit", self.make("tree", "K=7.3"))
        self.assertIn("precious", self.text("7.3"))

    def test_project_that_moves(self):
        self.series()
        self.root = self.root.rename(self.top / "moved")
        self.make("tree")
        self.change("6.1", "line 20\n", "more\n", "kernel: Three")
        self.make("export")
        self.assertIn("0003-kernel-Three.patch", self.patches_of("6.1"))


class Carry(Kernels):
    def setUp(self):
        super().setUp()
        self.series()

    def carried(self, *kernels, lines=("LINE five\n",)):
        for kernel in kernels or KERNELS:
            self.assertEqual(self.subjects(kernel), ["kernel: One", "kernel: Two"], kernel)
            for line in lines:
                self.assertIn(line, self.text(kernel), kernel)
            self.assertEqual(self.git(self.tree_of(kernel), "status", "--porcelain"), "")
        self.assertEqual(self.git(self.tree_of("6.1"), "for-each-ref", "refs/carry"), "")

    def test_fixup_reaches_its_patch_on_each_kernel(self):
        self.change("6.12", "LINE 5\n", "LINE five\n", "fixup! kernel: One")
        self.make("carry")
        self.carried()
        self.make("export")
        for kernel in KERNELS:
            self.assertIn(b"+LINE five\n", self.patches_of(kernel)["0001-kernel-One.patch"])
        self.assertNotIn("patches, ", self.make("carry"))

    def test_from_several_kernels_at_once(self):
        self.change("6.1", "LINE 5\n", "LINE five\n", "fixup! kernel: One")
        self.change("7.3", "LINE 9\n", "LINE nine\n", "fixup! kernel: Two")
        self.make("carry")
        self.carried(lines=("LINE five\n", "LINE nine\n"))

    def test_new_patch_and_another_before_they_are_exported(self):
        self.change("6.1", "", "new\n", "kernel: Three", name="kernel/new.c")
        self.make("carry")
        self.change("6.12", "new\n", "new file\n", "fixup! kernel: Three", name="kernel/new.c")
        self.make("carry")
        for kernel in KERNELS:
            self.assertEqual(self.subjects(kernel), ["kernel: One", "kernel: Two", "kernel: Three"])
            self.assertEqual(self.text(kernel, "kernel/new.c"), "new file\n")
        self.make("export")

    def test_nothing_to_carry(self):
        heads = [self.git(self.tree_of(kernel), "rev-parse", "HEAD") for kernel in KERNELS]
        self.make("carry")
        self.assertEqual([self.git(self.tree_of(kernel), "rev-parse", "HEAD") for kernel in KERNELS], heads)

    def test_only_changed_files_are_written(self):
        self.git(self.tree_of("7.3"), "status")     # the tree is a copy, with other times than its index says
        before = os.stat(self.tree_of("7.3") / "kernel/b.c").st_mtime_ns
        self.change("6.12", "LINE 5\n", "LINE five\n", "fixup! kernel: One")
        self.make("carry")
        self.assertEqual(os.stat(self.tree_of("7.3") / "kernel/b.c").st_mtime_ns, before)

    def test_patch_that_one_kernel_has_not(self):
        self.change("6.12", "", "new\n", "kernel: Three", name="kernel/new.c")
        self.make("export")
        self.change("6.12", "new\n", "newer\n", "fixup! kernel: Three", name="kernel/new.c")
        out = self.make("carry")
        for kernel in ("6.1", "7.3"):
            self.assertIn(f'{kernel} has no patch "kernel: Three": left out there', out)
            self.assertEqual(self.subjects(kernel), ["kernel: One", "kernel: Two"])
        self.assertEqual(self.text("6.12", "kernel/new.c"), "newer\n")

    def test_change_that_is_there_already(self):
        for kernel in ("6.12", "7.3"):
            self.change(kernel, "LINE 5\n", "LINE five\n", "fixup! kernel: One")
        self.assertIn('has "fixup! kernel: One" already', self.make("carry"))
        self.carried()

    def conflict(self):
        """One that only 7.3 has."""
        self.change("6.12", "line 30\n", "line thirty\n", "fixup! kernel: Two")
        self.change("6.12", "LINE 5\n", "LINE five\n", "fixup! kernel: One")
        self.fails('"fixup! kernel: Two" conflicts on 7.3 in kernel/a.c: resolve it in .work/7.3/carry, '
                   "'git add' it there, then 'make carry' again", "carry")
        self.carried_on_7_3 = self.root / ".work/7.3/carry"

    def resolve(self):
        path = self.carried_on_7_3 / "kernel/a.c"
        text = path.read_text()
        start, end = text.index("<<<<<<<"), text.index(">>>>>>>")
        text = text[:start] + "line 28 of 7.3\nline 29\nline thirty\nline 31 of 7.3\n" + text[text.index("\n", end) + 1:]
        path.write_text(text)
        self.git(self.carried_on_7_3, "add", "-A")

    def resolve_and_continue(self):
        self.resolve()
        self.git(self.carried_on_7_3, "-c", "core.editor=true", "cherry-pick", "--continue")

    def test_conflict_stops_and_goes_on(self):
        self.conflict()
        self.assertIn("line 30\n", self.text("7.3"))
        self.fails("conflicts on 7.3 in kernel/a.c", "carry")
        self.resolve()
        self.make("carry")
        self.carried(lines=("LINE five\n", "line thirty\n"))

    def test_conflict_that_was_continued_by_hand(self):
        self.conflict()
        self.resolve_and_continue()
        self.make("carry")
        self.carried(lines=("LINE five\n", "line thirty\n"))

    def test_a_resolution_is_remembered(self):
        self.conflict()
        self.resolve_and_continue()
        shutil.rmtree(self.carried_on_7_3)
        self.make("carry")
        self.carried(lines=("LINE five\n", "line thirty\n"))

    def test_conflict_that_is_given_up(self):
        self.conflict()
        self.make("carry", "FORGET=1")
        self.assertEqual(self.git(self.tree_of("6.1"), "for-each-ref", "refs/carry"), "")
        self.assertFalse(self.carried_on_7_3.exists())

    def test_what_it_refuses(self):
        self.fails("for all kernels", "carry", "K=6.1")
        (self.tree_of("6.1") / "kernel/a.c").write_text("x\n")
        self.fails("uncommitted edits: commit first", "carry")
        self.git(self.tree_of("6.1"), "checkout", "-q", "--detach", "-f", "HEAD~1")
        self.fails("HEAD is not on the branch '6.1'", "carry")
        self.git(self.tree_of("6.1"), "checkout", "-q", "6.1")
        self.git(self.tree_of("6.1"), "commit", "-q", "--amend", "-m", "kernel: Too")
        self.fails("rewritten by hand since it was exported", "carry")

    def test_tree_that_changed_meanwhile(self):
        self.conflict()
        self.change("7.3", "line 20\n", "more\n", "fixup! kernel: One")
        self.fails("7.3/tree changed while 'make carry' was under way: 'git reset --hard", "carry")


class Differs(Kernels):
    """A file that the series adds is the same on all kernels, but for what tests/differs allows."""

    def differs(self):
        result = subprocess.run(["scripts/check", "differs"], cwd=self.root, env=self.env, capture_output=True, text=True, check=False)
        return result.returncode, result.stdout

    def test_file_that_the_series_adds(self):
        self.series()
        (self.root / "tests").mkdir()
        (self.root / "tests/differs").write_text("# file, lines, why\n")
        for kernel in KERNELS:
            self.change(kernel, "", "one\ntwo\n" + f"{kernel}\n" * (kernel == "7.3"), "kernel: Three", name="kernel/new.c")
        self.make("export")
        status, out = self.differs()
        self.assertEqual((status, out), (1, "kernel/new.c differs in 1 lines between 6.12 and 7.3, tests/differs allows 0\n"))
        (self.root / "tests/differs").write_text("kernel/new.c 1 because\n")
        self.assertEqual(self.differs(), (0, ""))
