# SPDX-License-Identifier: GPL-2.0-only
"""make tree and make export: they give what they say, refuse what they must, and lose nothing."""
import os
import shutil
import subprocess

from project import LINES, Project, snapshot

ONE, TWO = "0001-kernel-One.patch", "0002-kernel-Two.patch"


class Tree(Project):
    def test_applies_the_series_as_commits(self):
        self.series()
        shutil.rmtree(self.root / ".work")
        self.assertIn("Linux 6.1.7, 2 patches", self.make("tree"))
        self.assertEqual(self.git(self.tree, "log", "--format=%an %s", "--reverse", f"{self.base}..HEAD").splitlines(),
                         ["Ann Author kernel: One", "Ann Author kernel: Two"])
        self.assertEqual(self.git(self.tree, "status", "--porcelain"), "")

    def test_series_without_patches(self):
        self.assertIn("0 patches", self.make("tree"))
        before = snapshot(self.patches)
        self.make("export")
        self.assertEqual(snapshot(self.patches), before)

    def test_same_patches_give_the_same_commits(self):
        self.series()
        shutil.rmtree(self.root / ".work")
        self.make("tree")
        first = self.git(self.tree, "rev-parse", "HEAD")
        shutil.rmtree(self.root / ".work")
        self.make("tree", GIT_COMMITTER_DATE="2030-01-01T00:00:00Z")
        self.assertEqual(self.git(self.tree, "rev-parse", "HEAD"), first)

    def test_user_configuration_changes_nothing(self):
        self.series()
        before = snapshot(self.patches)
        home = self.top / "home"
        (home / ".config/git").mkdir(parents=True)
        (home / ".gitconfig").write_text("[format]\n signOff = true\n numbered = true\n suffix = .txt\n"
                                         "[diff]\n noprefix = true\n context = 9\n"
                                         "[core]\n autocrlf = true\n[commit]\n gpgSign = true\n[am]\n threeWay = true\n")
        (home / ".config/git/attributes").write_text("*.c -diff\n")
        self.env.pop("GIT_CONFIG_GLOBAL")
        shutil.rmtree(self.root / ".work")
        self.make("tree", HOME=str(home))
        self.make("export", HOME=str(home))
        self.assertEqual(snapshot(self.patches), before)

    def test_kdir_is_not_written(self):
        (self.kdir / "kernel/a.c").write_text(LINES + "edited\n")
        before = snapshot(self.kdir)
        self.series()
        self.make("tree")
        self.assertEqual(snapshot(self.kdir), before)

    def test_kdir_as_it_stands(self):
        (self.kdir / "kernel/a.c").write_text(LINES + "edited\n")
        (self.kdir / "kernel/b.c").unlink()
        (self.kdir / "kernel/junk.o").write_text("no")
        self.make("tree")
        self.assertIn("edited", (self.tree / "kernel/a.c").read_text())
        self.assertEqual(sorted(os.listdir(self.tree / "kernel")), ["a.c"])

    def test_plain_directory(self):
        shutil.rmtree(self.kdir / ".git")
        before = snapshot(self.kdir)
        self.series()
        self.assertEqual(snapshot(self.kdir), before)

    def test_refuses_a_plain_directory_with_a_build(self):
        shutil.rmtree(self.kdir / ".git")
        (self.kdir / ".config").write_text("")
        self.fails("mrproper", "tree")

    def test_refuses_what_is_no_6_1_kernel(self):
        self.fails("not a directory", "tree", KDIR=str(self.top / "nowhere"))
        self.fails("not a kernel tree", "tree", KDIR=str(self.root / "scripts"))
        makefile = self.kdir / "Makefile"
        makefile.write_text(makefile.read_text().replace("PATCHLEVEL = 1", "PATCHLEVEL = 6"))
        self.fails("Linux 6.6", "tree")
        self.assertFalse((self.root / ".work").exists())

    def test_changed_kdir_renews_the_base(self):
        self.series()
        (self.kdir / "kernel/a.c").write_text("new first line\n" + LINES)
        self.make("tree")
        text = (self.tree / "kernel/a.c").read_text()
        self.assertIn("new first line", text)
        self.assertIn("line five", text)
        self.assertEqual(self.git(self.tree, "rev-list", "--count", f"{self.base}..HEAD"), "2")

    def test_bases_do_not_mix(self):
        self.series()
        other = self.top / "other"
        shutil.copytree(self.kdir, other)
        (other / "kernel/a.c").write_text(LINES + "other\n")
        self.make("tree", KDIR=str(other))
        self.assertNotIn("other", next((self.root / ".work").glob("kdir-*/tree/.git")).parent.joinpath("kernel/b.c").read_text())
        self.assertEqual(len(list((self.root / ".work").glob("kdir-*"))), 2)

    def test_kdir_that_holds_the_series(self):
        self.series()
        subprocess.run(["git", "-C", self.kdir, "am", "-q", self.patches / ONE, self.patches / TWO], env=self.env, check=True)
        self.fails(f"{ONE} does not apply, as {self.kdir.resolve()} holds the series already: {TWO} is in it", "tree")

    def test_patch_that_does_not_apply(self):
        self.series()
        head = self.git(self.tree, "rev-parse", "HEAD")
        patch = self.patches / TWO
        patch.write_text(patch.read_text().replace(" line 8\n", " line eight\n"))
        for _ in range(2):
            self.fails(f"{TWO} does not apply: kernel/b.c", "tree")
            self.assertEqual(self.git(self.tree, "rev-parse", "HEAD"), head)
            self.assertEqual(self.git(self.tree, "status", "--porcelain"), "")
        shutil.rmtree(self.root / ".work")
        self.fails(f"{TWO} does not apply: kernel/b.c", "tree")
        self.assertFalse(self.tree.exists())

    def test_no_fuzz(self):
        self.series()
        (self.kdir / "kernel/a.c").write_text(LINES.replace("line 2\n", "line two\n"))
        self.fails(f"{ONE} does not apply: kernel/a.c", "tree")

    def test_only_changed_files_are_written(self):
        self.series()
        before = {name: stamp for name, (_, stamp) in snapshot(self.tree / "kernel").items()}
        patch = self.patches / TWO
        patch.write_text(patch.read_text().replace("+line nine", "+line NINE"))
        self.make("tree")
        after = {name: stamp for name, (_, stamp) in snapshot(self.tree / "kernel").items()}
        self.assertEqual(after["a.c"], before["a.c"])
        self.assertNotEqual(after["b.c"], before["b.c"])

    def test_unexported_work_is_left_alone(self):
        self.series()
        self.commit("kernel/a.c", "line 20\n", "line twenty\n", "kernel: Three")
        self.assertIn("1 unexported commit", self.make("tree"))
        self.edit("kernel/a.c", "line 30\n", "line thirty\n")
        self.assertIn("uncommitted edits", self.make("tree"))
        (self.kdir / "kernel/a.c").write_text("changed base\n" + LINES)
        self.make("tree")
        self.assertIn("line thirty", (self.tree / "kernel/a.c").read_text())

    def test_conflict_touches_nothing(self):
        self.series()
        self.commit("kernel/a.c", "line 20\n", "line twenty\n", "kernel: Three")
        (self.patches / TWO).unlink()
        tree, patches = snapshot(self.tree / "kernel"), snapshot(self.patches)
        self.fails("1 unexported commit and .* changed too", "tree")
        self.fails("1 unexported commit and .* changed too", "export")
        self.assertEqual((snapshot(self.tree / "kernel"), snapshot(self.patches)), (tree, patches))

    def test_clean_keeps_unexported_work(self):
        self.series()
        self.commit("kernel/a.c", "line 20\n", "line twenty\n", "kernel: Three")
        self.fails("1 unexported commit", "clean")
        self.assertTrue(self.tree.exists())
        self.make("export")
        self.make("clean")
        self.assertFalse(self.tree.exists())


class Export(Project):
    def test_unchanged_tree_changes_nothing(self):
        self.series()
        before = snapshot(self.patches)
        shutil.rmtree(self.root / ".work")
        for command in ("tree", "export", "export"):
            self.make(command)
            self.assertEqual(snapshot(self.patches), before)

    def test_rewrites_what_changed_and_removes_what_is_gone(self):
        self.series()
        before = snapshot(self.patches)
        self.git(self.tree, "reset", "-q", "--hard", "HEAD~1")
        self.commit("kernel/b.c", "line 9\n", "line nine\n", "kernel: Second")
        self.make("export")
        self.assertEqual(self.names(), [ONE, "0002-kernel-Second.patch", "COVER"])
        for name in (ONE, "COVER"):
            self.assertEqual(snapshot(self.patches)[name], before[name])
        self.assertNotIn("unexported", self.make("tree"))

    def refused(self, message):
        before = snapshot(self.patches)
        self.fails(message, "export")
        self.assertEqual(snapshot(self.patches), before)

    def test_refuses_before_there_is_a_tree(self):
        self.refused("make tree")

    def test_refuses_uncommitted_edits(self):
        self.series()
        self.edit("kernel/a.c", "line 20\n", "x\n")
        self.refused("uncommitted edits")

    def test_refuses_a_new_file_that_was_not_added(self):
        self.series()
        (self.tree / "kernel/new.c").write_text("x\n")
        self.refused("uncommitted edits")

    def test_refuses_fixups(self):
        self.series()
        self.commit("kernel/a.c", "line 20\n", "x\n", "fixup! kernel: One")
        self.refused("autosquash")

    def test_refuses_an_unfinished_rebase(self):
        self.series()
        subprocess.run(["git", "-C", self.tree, "rebase", "-q", "-x", "false", self.base], env=self.env, capture_output=True, check=False)
        self.refused("unfinished rebase")

    def test_refuses_another_base(self):
        self.series()
        self.git(self.tree, "checkout", "-q", "--orphan", "other")
        self.git(self.tree, "commit", "-q", "-m", "root")
        self.refused("does not build on")

    def test_refuses_merges(self):
        self.series()
        self.git(self.tree, "checkout", "-q", "-b", "side", self.base)
        self.commit("kernel/a.c", "line 40\n", "x\n", "side")
        self.git(self.tree, "checkout", "-q", self.work.name)
        self.git(self.tree, "merge", "-q", "-m", "merge", "side")
        self.refused("merge")

    def test_refuses_more_than_50_patches(self):
        self.make("tree")
        for number in range(51):
            self.commit("kernel/a.c", "line 1", "line 11", f"kernel: Step {number}")
        self.refused("more than 50")
        self.git(self.tree, "reset", "-q", "--hard", "HEAD~1")
        self.make("export")

    def test_refuses_empty_commits(self):
        self.series()
        self.git(self.tree, "commit", "-q", "--allow-empty", "-m", "nothing")
        self.refused("without changes")

    def test_refuses_messages_that_git_am_cuts(self):
        self.series()
        self.commit("kernel/a.c", "line 20\n", "x\n", "kernel: Three\n\nText.\n---\nThis would be lost.")
        self.refused("0003-kernel-Three.patch")

    def test_refuses_when_only_the_patches_changed(self):
        self.series()
        (self.patches / TWO).unlink()
        self.refused("run 'make tree' first")

    def test_warns_of_tags(self):
        self.series()
        self.commit("kernel/a.c", "line 20\n", "x\n", "kernel: Three\n\nSigned-off-by: A B <a@b.c>")
        result = self.run_make("export")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertRegex(result.stderr, "^warning: .*0003-kernel-Three.patch")
