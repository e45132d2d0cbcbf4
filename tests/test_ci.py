# SPDX-License-Identifier: GPL-2.0-only
""".ci/run and make test: every part runs, whatever the one before said, the last line is red when one is, and says what was not run."""
import shutil
import subprocess

from project import ROOT, Project

GREEN = {"test SHORT=1": "echo 20 passed, 0 failed", "check SHORT=1": "echo 5 passed, 0 failed", "docs": "echo 1 passed, 0 failed"}


class Ci(Project):
    def run_ci(self, **targets):
        """What .ci/run prints with stand-ins for make and for the script that installs packages."""
        shutil.copytree(ROOT / ".ci", self.root / ".ci", dirs_exist_ok=True)
        (self.root / "scripts/deps").write_text(f'#!/bin/sh\necho "$@" >>{self.top}/deps\n')
        env = self.fake("make", 'case "$*" in ' + " ".join(f'"{name}") {text} ;;' for name, text in {**GREEN, **targets}.items()) +
                        " *) echo 1 passed, 0 failed ;; esac\n")
        return self.sum([self.root / ".ci/run"], env)

    def sum(self, command, env):
        result = subprocess.run(command, cwd=self.root, env={**self.env, **env},
                                capture_output=True, text=True, timeout=60, check=False)
        lines = result.stdout.splitlines()
        self.assertEqual(result.returncode == 0, " 0 failed" in lines[-1])
        return lines

    def test_green(self):
        self.assertEqual(self.run_ci()[-1], "26 passed, 0 failed")
        self.assertEqual((self.top / "deps").read_text(), "test\ncheck\ndocs\n")

    def test_one_red_target(self):
        for name in GREEN:
            lines = self.run_ci(**{name: "echo '    what is wrong'; echo 3 passed, 2 failed; exit 1"})
            self.assertEqual(lines[-3:-1], ["what was wrong, again:", "    what is wrong"])
            self.assertTrue(lines[-1].endswith(" passed, 2 failed"), name)

    def test_target_that_ends_without_a_verdict(self):
        for name in GREEN:
            for end in ("exit 0", "exit 1"):
                lines = self.run_ci(**{name: f"echo 'error: no kernel' >&2; {end}"})
                self.assertEqual(lines[-3:-1], ["what was wrong, again:", "error: no kernel"])
                self.assertTrue(lines[-1].endswith(" passed, 1 failed"), name)

    def test_exit_status_against_the_verdict(self):
        self.assertEqual(self.run_ci(**{"check SHORT=1": "echo 5 passed, 0 failed; exit 1"})[-1], "26 passed, 1 failed")

    def test_kernel_that_cannot_be_had(self):
        for kernel in ("6.12", "7.3"):
            (self.root / f"patches/linux-{kernel}.y").mkdir(exist_ok=True)
        (self.root / "scripts/deps").write_text("#!/bin/sh\n")
        (self.root / "scripts/with-tree").write_text("#!/bin/sh\n[ $K != 7.3 ] || { echo 'NOT RUN: Linux 7.3: gone' >&2; exit 10; }\n"
                                                     "echo $K $2; echo 2 passed, 0 failed\n")
        self.env.pop("KDIR")
        run = self.sum(["make", "test"], {})
        self.assertEqual(run[:-1:2], ["6.12 harness", "6.1 short", "6.12 test", "NOT RUN: Linux 7.3: gone", "NOT RUN: Linux 7.3: gone"])
        self.assertEqual(run[-1], "6 passed, 0 failed, 1 NOT RUN")
        self.assertEqual(self.sum(["make", "test", "K=6.1"], {}), ["6.1 test", "2 passed, 0 failed"])
        self.assertEqual(self.sum(["make", "matrix"], {})[::2][:2], ["6.1 matrix", "6.12 matrix"])
        self.assertEqual(self.sum(["make", "test", "SHORT=1"], {})[:-1:2][:3], ["6.12 harness", "6.1 arm64", "6.12 short"])
        nested = self.sum(["scripts/sum", "echo '3 passed, 0 failed, 2 NOT RUN'", "false"], {})
        self.assertEqual(nested[-1], "3 passed, 1 failed, 2 NOT RUN")
