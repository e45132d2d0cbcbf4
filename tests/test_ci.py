# SPDX-License-Identifier: GPL-2.0-only
""".ci/run: runs every target, whatever the one before said, and is red when one of them is."""
import shutil
import subprocess

from project import ROOT, Project

GREEN = {"test": "echo 20 passed, 0 failed", "check": "echo 5 passed, 0 failed", "docs": "echo 1 passed, 0 failed"}


class Ci(Project):
    def run_ci(self, **targets):
        """What .ci/run prints with stand-ins for make and for the script that installs packages."""
        shutil.copytree(ROOT / ".ci", self.root / ".ci", dirs_exist_ok=True)
        (self.root / "scripts/deps").write_text(f'#!/bin/sh\necho "$@" >>{self.top}/deps\n')
        env = self.fake("make", 'case $1 in ' + " ".join(f"{name}) {text} ;;" for name, text in {**GREEN, **targets}.items()) + " esac\n")
        result = subprocess.run([self.root / ".ci/run"], cwd=self.top, env={**self.env, **env},
                                capture_output=True, text=True, timeout=60, check=False)
        lines = result.stdout.splitlines()
        self.assertEqual(result.returncode == 0, lines[-1].endswith(" 0 failed"))
        return lines

    def test_green(self):
        self.assertEqual(self.run_ci(), ["20 passed, 0 failed", "5 passed, 0 failed", "1 passed, 0 failed", "26 passed, 0 failed"])
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
        self.assertEqual(self.run_ci(check="echo 5 passed, 0 failed; exit 1")[-1], "26 passed, 1 failed")
