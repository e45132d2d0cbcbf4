"""make tree and make export: they give what they say, refuse what they must, and lose nothing."""
import fcntl
import os
import pathlib
import shutil
import signal
import subprocess
import time

from project import LINES, Project, snapshot

ONE, TWO = "0001-kernel-One.patch", "0002-kernel-Two.patch"


class Tree(Project):
    def test_applies_the_series_as_commits(self):
        self.series()
        shutil.rmtree(self.root / ".work")
        self.assertIn("Linux 6.1.7, 2 patches", self.make("tree"))
        self.assertEqual(self.git(self.tree, "log", "--format=%an %s", "--reverse", "base..series").splitlines(),
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
        (home / ".gitconfig").write_text("[format]\n signOff = true\n numbered = true\n suffix = .txt\n[diff]\n noprefix = true\n context = 9\n"
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
        self.assertEqual(self.git(self.tree, "rev-list", "--count", "base..HEAD"), "2")

    def test_bases_do_not_mix(self):
        self.series()
        other = self.top / "other"
        shutil.copytree(self.kdir, other)
        (other / "kernel/a.c").write_text(LINES + "other\n")
        self.make("tree", KDIR=str(other))
        self.assertNotIn("other", next((self.root / ".work").glob("kdir-*/tree/.git")).parent.joinpath("kernel/b.c").read_text())
        self.assertEqual(len(list((self.root / ".work").glob("kdir-*"))), 2)

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
        subprocess.run(["git", "-C", self.tree, "rebase", "-q", "-x", "false", "base"], env=self.env, capture_output=True, check=False)
        self.refused("unfinished rebase")

    def test_refuses_another_base(self):
        self.series()
        self.git(self.tree, "checkout", "-q", "--orphan", "other")
        self.git(self.tree, "commit", "-q", "-m", "root")
        self.refused("does not build on")

    def test_refuses_merges(self):
        self.series()
        self.git(self.tree, "checkout", "-q", "-b", "side", "base")
        self.commit("kernel/a.c", "line 40\n", "x\n", "side")
        self.git(self.tree, "checkout", "-q", "series")
        self.git(self.tree, "merge", "-q", "-m", "merge", "side")
        self.refused("merge")

    def test_refuses_more_than_15_patches(self):
        self.make("tree")
        for number in range(16):
            self.commit("kernel/a.c", f"line {number + 10}\n", f"number {number}\n", f"kernel: Step {number}")
        self.refused("more than 15")

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


class Interrupted(Project):
    """Killed at any moment, a rerun gets there and nothing is lost."""

    def kill_at(self, stop, *args):
        """Run make and kill all of it as soon as the command named by stop is called."""
        fake = self.top / "bin"
        fake.mkdir(exist_ok=True)
        name, words = stop
        real, group = shutil.which(name), self.top / "group"
        group.unlink(missing_ok=True)
        (fake / name).write_text(f'#!/bin/bash\ncase "$*" in *"{words}"*) until [ -s {group} ]; do :; done; kill -KILL -- -$(<{group}); sleep 9 ;; esac\n'
                                 f'exec {real} "$@"\n')
        (fake / name).chmod(0o755)
        process = subprocess.Popen(["make", *args], cwd=self.root, env={**self.env, "PATH": f"{fake}:{self.env['PATH']}"},
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        group.write_text(str(process.pid))
        self.assertEqual(process.wait(timeout=30), -signal.SIGKILL, f"not killed at {stop}")
        shutil.rmtree(fake)

    def test_first_tree(self):
        self.series()
        for stop in (("tar", "-cf"), ("git", "add -f"), ("git", "commit-tree"), ("git", "am -q"), ("git", "reset -q --hard"), ("mv", "state"), ("mv", "tree.new")):
            shutil.rmtree(self.root / ".work")
            self.kill_at(stop, "tree")
            self.make("tree")
            self.assertEqual(self.git(self.tree, "rev-list", "--count", "base..HEAD"), "2", stop)
            self.assertEqual([name for name in os.listdir(self.work) if name not in ("lock", "log", "state", "tree")], [], stop)

    def test_moving_the_tree(self):
        self.series()
        text = (self.patches / TWO).read_text()
        for number, stop in enumerate((("git", "am -q"), ("mv", "state.tree.new"), ("git", "tag -f"), ("git", "checkout -q -f -B"), ("mv", "state.tree "))):
            (self.patches / TWO).write_text(text.replace("+line nine", f"+line {number}{number}"))
            self.kill_at(stop, "tree")
            self.assertNotIn("unexported", self.make("tree"))
            self.assertIn(f"line {number}{number}\n", (self.tree / "kernel/b.c").read_text(), stop)

    def test_edits_after_an_interrupted_move_are_kept(self):
        self.series()
        (self.patches / TWO).unlink()
        self.kill_at(("git", "checkout -q -f -B"), "tree")
        self.edit("kernel/a.c", "line 20\n", "precious\n")
        self.make("tree")
        self.assertIn("precious", self.git(self.tree, "stash", "show", "-p"))

    def test_export(self):
        self.series()
        for number, stop in enumerate((("git", "format-patch"), ("mv", "0001"), ("mv", "0002"), ("rm", "0003"), ("mv", "state.new"))):
            self.git(self.tree, "reset", "-q", "--hard", "base")
            for name in "abc":
                self.commit("kernel/a.c", "line " + str(ord(name) - 80), name, "kernel: Old " + name)
            self.make("export")
            self.git(self.tree, "reset", "-q", "--hard", "base")
            self.commit("kernel/a.c", "line 5\n", f"{number}\n", "kernel: One")
            self.commit("kernel/b.c", "line 5\n", f"{number}\n", "kernel: Two")
            self.kill_at(stop, "export")
            self.assertIn("unexported", self.make("tree"))
            self.make("export")
            self.assertEqual(self.names(), [ONE, TWO, "COVER"], stop)
            self.assertNotIn("unexported", self.make("tree"))


class Processes(Project):
    def test_second_run_waits_and_says_so(self):
        self.series()
        with open(self.work / "lock", "w", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            process = subprocess.Popen(["make", "tree"], cwd=self.root, env=self.env, stdout=subprocess.PIPE, text=True)
            self.assertIn("waiting for another run", process.stdout.readline())
            self.assertIsNone(process.poll())
        self.assertIn("2 patches", process.communicate(timeout=20)[0])
        self.assertEqual(process.returncode, 0)

    def long_step(self):
        """A step that would take long, as a child of a shell; its process and that of its job."""
        note = self.top / "pid"
        note.unlink(missing_ok=True)
        command = f"setpriv --pdeathsig TERM python3 scripts/step.py job log 99 sh -c 'echo $$ > {note}; sleep 98; :'; :"
        # In the background, where ^C is ignored, these tests are run, too
        shell = subprocess.Popen(["bash", "-c", command], cwd=self.root, stdout=subprocess.DEVNULL, start_new_session=True,
                                 preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        while not (note.exists() and note.read_text().strip()):
            time.sleep(0.02)
        step = int(pathlib.Path(f"/proc/{shell.pid}/task/{shell.pid}/children").read_text())
        return shell, step, int(note.read_text())

    def assert_ends(self, pid):
        for _ in range(500):
            if not pathlib.Path(f"/proc/{pid}").exists() or "State:\tZ" in pathlib.Path(f"/proc/{pid}/status").read_text():
                return
            time.sleep(0.02)
        os.kill(pid, signal.SIGKILL)
        self.fail("a process outlives its run")

    def test_nothing_outlives_a_killed_run(self):
        for kill in (lambda shell, step: os.killpg(shell, signal.SIGKILL), lambda shell, step: os.kill(shell, signal.SIGKILL),
                     lambda shell, step: os.kill(step, signal.SIGTERM), lambda shell, step: os.kill(step, signal.SIGINT)):
            shell, step, job = self.long_step()
            kill(shell.pid, step)
            shell.wait(timeout=10)
            self.assert_ends(job)

    def test_time_limit(self):
        result = subprocess.run(["python3", "scripts/step.py", "job", "log", "1", "sleep", "60"], cwd=self.root, capture_output=True, text=True, timeout=20, check=False)
        self.assertEqual(result.returncode, 124)
        self.assertIn("time limit", result.stdout)


class Packages(Project):
    def fake(self, name, text):
        path = self.top / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("#!/bin/sh\n" + text)
        path.chmod(0o755)
        return {"PATH": f"{path.parent}:{self.env['PATH']}"}

    def test_without_root_the_command_is_printed(self):
        self.fake("dpkg-query", 'case "$*" in *bison*|*xz-utils*) exit 1 ;; esac; echo "install ok installed"\n')
        env = self.fake("id", "echo 1000\n")
        self.env.pop("KDIR")
        self.fails("sudo apt-get install --no-install-recommends xz-utils$", "tree", **env)
        self.fails("sudo apt-get install --no-install-recommends xz-utils bison$", "test", **env)
        self.assertFalse((self.root / ".work").exists())

    def test_root_gets_them_installed(self):
        self.fake("dpkg-query", f'case "$*" in *git*) [ -e {self.top}/done ] || exit 1 ;; esac; echo "install ok installed"\n')
        self.fake("id", "echo 0\n")
        env = self.fake("apt-get", f'echo "$@" >> {self.top}/done\n')
        self.make("tree", **env)
        self.assertRegex((self.top / "done").read_text(), "update\n.*install.* git\n")

    def test_newer_kernel_package_renews_the_base(self):
        self.env.pop("KDIR")
        for version in ("6.1.1-1", "6.1.2-1"):
            makefile = self.kdir / "Makefile"
            makefile.write_text(f"VERSION = 6\nPATCHLEVEL = 1\nSUBLEVEL = {version[4]}\n")
            (self.kdir / ".gitignore").write_text("/*\n")
            subprocess.run(["tar", "-cJf", self.top / "linux.tar.xz", "--exclude=.git", "-C", self.top, "linux"], check=True)
            env = self.fake("dpkg-query", f'case "$*" in *-L*) echo {self.top}/linux.tar.xz ;; *Status*) echo "install ok installed" ;; *) echo linux-source-6.1 {version} ;; esac\n')
            self.assertIn(f"Linux 6.1.{version[4]}, 0 patches", self.make("tree", **env))
        tree = self.root / ".work/tree"
        (tree / "new.c").write_text("")
        self.assertIn("new.c", self.git(tree, "status", "--porcelain"))
