# SPDX-License-Identifier: GPL-2.0-only
"""make soak: steps are added up over boots, each with another seed, a red boot ends it, and processes follow."""
import contextlib
import io
import pathlib
import subprocess
import sys
import unittest
from unittest import mock

SCRIPTS = pathlib.Path(__file__).resolve().parent.parent / "scripts"
sys.path.insert(0, str(SCRIPTS))
import kernel
import ktap
import soak

GUEST = ktap.Log(passed={"io_pgtable_pool_guest": 12}, facts=[("io_pgtable_pool_guest", "jobs", "9 done")])
GOOD = ktap.Log(passed={"io_pgtable_model": 88}, facts=[("io_pgtable_model", "case", "seed 7: 300 steps, 5 tables given, 1 refused")] * 2)
BAD = ktap.Log(passed={"io_pgtable_model": 87}, failed=["io_pgtable_model.case: not ok 1"])


class Soak(unittest.TestCase):
    def soak(self, logs, minutes, guest=GUEST):
        """Boots that end with these logs, each after 40 s, and the build after 600; what main says and returns, and the seeds."""
        runs, clock, self.guests = [], [0], []

        def build(_name, _run):
            clock[0] += 600
            return []

        def boot(_name, run):
            clock[0] += 40
            runs.append(run)

        def run_one(_name, run):
            self.guests.append(run)
            return guest
        with mock.patch.multiple(kernel, build=build, boot=boot, run_one=run_one, judge=mock.Mock(side_effect=logs)), \
                mock.patch.object(soak.time, "monotonic", lambda: clock[0]), contextlib.redirect_stdout(io.StringIO()) as out:
            failed = soak.main(minutes)
        return failed, out.getvalue(), [run.args[0] for run in runs]

    def test_one_boot_at_least(self):
        failed, out, _ = self.soak([GOOD], 0)
        self.assertFalse(failed)
        self.assertTrue(out.endswith("600 steps\nguest: jobs: 9 done\n100 passed, 0 failed\n"), out)

    def test_red_boot_ends_it(self):
        failed, out, seeds = self.soak([GOOD, BAD], 60)
        self.assertTrue(failed)
        self.assertIn("600 so far", out)
        self.assertRegex(out, "\n88 passed, 1 failed: .*soak.log\n$")
        self.assertEqual(self.guests, [])
        self.assertEqual(len(set(seeds)), 2)

    def test_the_build_is_not_in_its_minutes(self):
        self.assertEqual(len(self.soak([GOOD] * 3, 1)[2]), 2)

    def test_processes_run_as_long(self):
        bad = ktap.Log(passed={"io_pgtable_pool_guest": 11}, failed=["io_pgtable_pool_guest: not ok 1"])
        failed, out, _ = self.soak([GOOD], 0.5, guest=bad)
        self.assertTrue(failed)
        self.assertRegex(out, "\n99 passed, 1 failed: .*guest.log\n$")
        self.assertEqual([run.args[-1] for run in self.guests], ["guest=30"])
        self.assertGreater(self.guests[0].limit, kernel.RUNS["guest"].limit)

    def test_minutes(self):
        result = subprocess.run([SCRIPTS / "soak.py", "some"], capture_output=True, text=True, check=False)
        self.assertEqual((result.returncode, result.stderr), (1, "error: MINUTES=some is not a number of minutes\n"))


if __name__ == "__main__":
    unittest.main()
