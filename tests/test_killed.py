# SPDX-License-Identifier: GPL-2.0-only
"""Runs that are killed, and two runs at once: nothing is lost, nothing is left behind, and the next run works."""
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

from project import ROOT, Project

ONE, TWO = "0001-kernel-One.patch", "0002-kernel-Two.patch"
KUNIT = """\
import os, sys
directory = next(a.split("=", 1)[1] for a in sys.argv if a.startswith("--build_dir="))
if sys.argv[1] == "build":
    if os.path.exists(directory + "/a.o") and open(directory + "/a.o").read() != "whole":
        sys.exit("error: half a file")
    for half in "half", "whole":
        with open(directory + "/a.o", "w") as out:
            out.write(half)
else:
    with open(directory + "/test.log", "w") as log:
        log.write('''%s''')
"""
KTAP = """\
KTAP version 1
1..1
    KTAP version 1
    # Subtest: arm_smmu_v3_dma
    1..1
    ok 1 case
# Totals: pass:1 fail:0 skip:0 total:1
ok 1 arm_smmu_v3_dma
reboot: Restarting system
"""


class Kernel(Project):
    """A kernel that make demo can build and boot."""

    def make_kernel(self):
        tool = self.kdir / "tools/testing/kunit/kunit.py"
        tool.parent.mkdir(parents=True)
        tool.write_text(KUNIT % KTAP)
        (self.root / "tests").mkdir()
        (self.root / "tests/expected").write_text("arm_smmu_v3_dma 1 *\n")
        super().make_kernel()


class KilledAnywhere(Kernel):
    """Killed before any change to a file, the next run does not stumble over what is there, and the last one succeeds."""

    @classmethod
    def setUpClass(cls):
        directory = tempfile.mkdtemp(prefix="harness-")
        cls.addClassCleanup(shutil.rmtree, directory)
        cls.library = directory + "/kill.so"
        subprocess.run(["gcc", "-shared", "-fPIC", "-o", cls.library, ROOT / "tests/kill.c"], check=True)

    def run_killed(self, at, command):
        """Run the command and kill it before its change number AT; its status, and what it said."""
        count = self.top / "count"
        count.unlink(missing_ok=True)
        result = subprocess.run(["sh", "-c", 'export KILL_GROUP=$$ LD_PRELOAD=$0; exec "$@"', self.library, *command],
                                cwd=self.root, env={**self.env, "KILL_COUNT": str(count), "KILL_AT": str(at)}, start_new_session=True,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False)
        return result.returncode, result.stdout

    def everywhere(self, step, change, check, *command):
        """Change something; run, and kill each run a little later than the one before, until one succeeds.
        Again, until nothing is left to kill."""
        at = 1
        while True:
            change(at)
            first = at
            status = -signal.SIGKILL
            while status == -signal.SIGKILL:
                status, output = self.run_killed(at, command)
                at += step
            self.assertEqual(status, 0, f"at {at - step}: {output}")
            check(at)
            if at == first + step:
                return

    def change_patch(self, number):
        text = (self.patches / TWO).read_text().splitlines(keepends=True)
        (self.patches / TWO).write_text("".join(f"+line {number}{number}\n" if line.startswith("+line") else line for line in text))

    def assert_whole(self):
        self.assertEqual(self.git(self.tree, "rev-list", "--count", f"{self.base}..HEAD"), "2")
        self.assertEqual(self.git(self.tree, "status", "--porcelain"), "")
        self.assertEqual([name for name in os.listdir(self.work) if name not in ("lock", "log", "tree", "build")], [])
        self.assertEqual([*(self.root / ".work/git").rglob("*.lock")], [])
        self.assertEqual(self.git(self.tree, "for-each-ref", "refs/moving", "refs/exporting"), "")

    def test_first_tree(self):
        self.series()
        self.everywhere(67, lambda at: shutil.rmtree(self.root / ".work"), lambda at: self.assert_whole(), "make", "tree")

    def test_renewed_tree(self):
        self.series()
        last = []

        def change(at):
            last[:] = [f"line {at}{at}\n"]
            self.change_patch(at)
            (self.kdir / "kernel/a.c").write_text((self.kdir / "kernel/a.c").read_text() + f"{at}\n")

        def check(at):
            self.assert_whole()
            self.assertIn(last[0], (self.tree / "kernel/b.c").read_text())
        self.everywhere(31, change, check, "make", "tree")

    def test_export(self):
        self.series()

        def change(at):
            self.git(self.tree, "reset", "-q", "--hard", self.base)
            self.commit("kernel/a.c", "line 5\n", f"{at}\n", "kernel: One")
            self.commit("kernel/b.c", "line 5\n", f"{at}\n", f"kernel: Two {at}")

        def check(at):
            self.assertEqual(len(self.names()), 3)
            self.assertNotIn("unexported", self.make("tree"))
            self.assert_whole()
        self.everywhere(13, change, check, "make", "export")

    def test_clean(self):
        self.series()
        keep = self.top / "keep"
        shutil.copytree(self.root / ".work", keep, symlinks=True)
        work = self.work

        def change(at):
            shutil.rmtree(self.root / ".work")
            shutil.copytree(keep, self.root / ".work", symlinks=True)

        def check(at):
            self.assertEqual((os.listdir(work), sorted(os.listdir(self.root / ".work"))), (["lock"], ["git.lock", work.name]))
        self.everywhere(23, change, check, "make", "clean")
        for at in range(5, 70, 12):
            change(at)
            self.run_killed(at, ["make", "clean"])
            self.make("tree")
            self.assert_whole()

    def test_demo(self):
        self.series()
        build = self.work / "build"
        self.everywhere(7, lambda at: shutil.rmtree(build, ignore_errors=True), lambda at: self.assert_whole(), "make", "demo")

    def test_work_tree(self):
        """Those of make bench and make mutants."""
        self.series()
        where = self.top / "work"
        code = f"import kernel; kernel.checkout('{where}', kernel.BASE); kernel.checkout('{where}', 'HEAD')"
        command = ["python3", "-c", "import sys; sys.path[0] = 'scripts'; " + code]
        self.env.update(WORK=str(self.work), BASE=self.base)

        def check(at):
            self.assertEqual(self.git(where, "status", "--porcelain"), "")
            self.assertIn("line nine", (where / "kernel/b.c").read_text())
        self.everywhere(17, lambda at: shutil.rmtree(where, ignore_errors=True), check, *command)


class Interrupted(Project):
    """Killed at any moment, a rerun gets there and nothing is lost."""

    def kill_at(self, stop, *args):
        """Run make and kill all of it as soon as the command named by stop is called."""
        fake = self.top / "bin"
        fake.mkdir(exist_ok=True)
        name, words = stop
        real, group = shutil.which(name), self.top / "group"
        group.unlink(missing_ok=True)
        (fake / name).write_text(f'#!/bin/bash\ncase "$*" in *"{words}"*)'
                                 f' until [ -s {group} ]; do :; done; kill -KILL -- -$(<{group}); sleep 9 ;; esac\n'
                                 f'exec {real} "$@"\n')
        (fake / name).chmod(0o755)
        process = subprocess.Popen(["make", *args], cwd=self.root, env={**self.env, "PATH": f"{fake}:{self.env['PATH']}"},
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        group.write_text(str(process.pid))
        self.assertEqual(process.wait(timeout=30), -signal.SIGKILL, f"not killed at {stop}")
        shutil.rmtree(fake)

    def test_first_tree(self):
        self.series()
        for stop in (("tar", "-cf"), ("git", "add -f"), ("git", "commit-tree"), ("git", "am -q"), ("git", "update-ref"),
                     ("git", "worktree add"), ("git", "checkout -q -f"), ("mv", "tree.new")):
            shutil.rmtree(self.root / ".work")
            self.kill_at(stop, "tree")
            self.make("tree")
            self.assertEqual(self.git(self.tree, "rev-list", "--count", f"{self.base}..HEAD"), "2", stop)
            self.assertEqual([name for name in os.listdir(self.work) if name not in ("lock", "log", "tree")], [], stop)

    def test_moving_the_tree(self):
        self.series()
        text = (self.patches / TWO).read_text()
        for number, stop in enumerate((("git", "am -q"), ("git", "update-ref"), ("git", "checkout -q -f -B"))):
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
        for number, stop in enumerate((("git", "format-patch"), ("git", "update-ref"), ("mv", "0001"), ("mv", "0002"), ("rm", "0003"))):
            self.git(self.tree, "reset", "-q", "--hard", self.base)
            for name in "abc":
                self.commit("kernel/a.c", "line " + str(ord(name) - 80), name, "kernel: Old " + name)
            self.make("export")
            self.git(self.tree, "reset", "-q", "--hard", self.base)
            self.commit("kernel/a.c", "line 5\n", f"{number}\n", "kernel: One")
            self.commit("kernel/b.c", "line 5\n", f"{number}\n", "kernel: Two")
            self.kill_at(stop, "export")
            self.assertIn("unexported", self.make("tree"))
            self.make("export")
            self.assertEqual(self.names(), [ONE, TWO, "COVER"], stop)
            self.assertNotIn("unexported", self.make("tree"))


class Processes(Project):
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
        result = subprocess.run(["python3", "scripts/step.py", "job", "log", "1", "sleep", "60"], cwd=self.root,
                                capture_output=True, text=True, timeout=20, check=False)
        self.assertEqual(result.returncode, 124)
        self.assertIn("time limit", result.stdout)


class TwoRuns(Kernel):
    """The second one waits, says so, and works."""

    def start(self, command, **env):
        return subprocess.Popen(["make", command], cwd=self.root, env={**self.env, **env}, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, start_new_session=True,
                                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))

    def hold(self, program, command):
        """Start a run that comes to a standstill in a program, until self.top/go is there."""
        real, here = shutil.which(program), self.top / "here"
        env = self.fake(program, f'touch {here}; until [ -e {self.top}/go ]; do sleep 0.02; done; exec {real} "$@"\n')
        run = self.start(command, **env)
        while not here.exists():
            self.assertIsNone(run.poll())
            time.sleep(0.02)
        return run

    def second(self, command):
        run = self.start(command)
        self.assertIn("waiting for another run", run.stdout.readline())
        self.assertIsNone(run.poll())
        return run

    def end(self, run):
        output = run.communicate(timeout=30)[0]
        self.assertEqual(run.returncode, 0, output)
        return output

    def test_any_two(self):
        self.series()
        for program, one, two in (("tar", "tree", "tree"), ("tar", "tree", "export"), ("tar", "tree", "clean"),
                                  ("diff", "export", "tree"), ("diff", "export", "export"),
                                  ("tar", "demo", "demo"), ("tar", "demo", "clean")):
            with self.subTest(f"{one} and {two}"):
                if program == "tar":
                    shutil.rmtree(self.root / ".work")
                    (self.root / ".work").mkdir()
                else:
                    self.make("tree")
                first = self.hold(program, one)
                self.assertTrue((self.work / "lock").exists())
                second = self.second(two)
                (self.top / "go").touch()
                self.end(first)
                self.end(second)
                for name in ("go", "here"):
                    (self.top / name).unlink()
                if two != "clean":
                    self.assertEqual(self.git(self.tree, "rev-list", "--count", f"{self.base}..HEAD"), "2")

    def test_killed_holder(self):
        self.series()
        for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
            shutil.rmtree(self.root / ".work")
            first = self.hold("tar", "tree")
            second = self.second("tree")
            (self.top / "here").unlink()
            os.killpg(first.pid, number)
            self.assertNotEqual(first.wait(timeout=20), 0)
            first.stdout.close()
            self.assertIn("2 patches", self.end(second))

    def test_lock_is_held_until_the_last_process_of_a_killed_run_is_gone(self):
        """What a killed run started gets a moment to end; the next run must not meet it."""
        self.series()
        shutil.rmtree(self.root / ".work")
        self.fake("tar", f'trap "sleep 1; touch {self.top}/gone; exit" TERM; touch {self.top}/here; while :; do sleep 0.1; done\n')
        first = self.start("tree", PATH=f"{self.top}/bin:{self.env['PATH']}")
        while not (self.top / "here").exists():
            time.sleep(0.02)
        os.killpg(first.pid, signal.SIGKILL)
        first.communicate(timeout=20)
        self.make("tree")
        self.assertTrue((self.top / "gone").exists())
