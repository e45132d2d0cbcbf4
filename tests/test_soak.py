# SPDX-License-Identifier: GPL-2.0-only
"""make soak: steps are added up over boots, each with another seed, and a red boot ends it."""
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

GOOD = ktap.Log(passed={"io_pgtable_model": 88}, facts=[("io_pgtable_model", "case", "seed 7: 300 steps, 5 tables given, 1 refused")] * 2)
BAD = ktap.Log(passed={"io_pgtable_model": 87}, failed=["io_pgtable_model.case: not ok 1"])


class Soak(unittest.TestCase):
    def soak(self, logs, minutes):
        """Boots that end with these logs, each after 40 s, and the build after 600; what main says and returns, and the seeds."""
        runs, clock = [], [0]

        def build(_name, _run):
            clock[0] += 600
            return []

        def boot(_name, run):
            clock[0] += 40
            runs.append(run)
        with mock.patch.multiple(kernel, build=build, boot=boot, judge=mock.Mock(side_effect=logs)), \
                mock.patch.object(soak.time, "monotonic", lambda: clock[0]), contextlib.redirect_stdout(io.StringIO()) as out:
            failed = soak.main(minutes)
        return failed, out.getvalue(), [run.args[0] for run in runs]

    def test_one_boot_at_least(self):
        failed, out, _ = self.soak([GOOD], 0)
        self.assertFalse(failed)
        self.assertTrue(out.endswith("600 steps\n88 passed, 0 failed\n"), out)

    def test_red_boot_ends_it(self):
        failed, out, seeds = self.soak([GOOD, BAD], 60)
        self.assertTrue(failed)
        self.assertIn("600 so far", out)
        self.assertRegex(out, "\n88 passed, 1 failed: .*soak.log\n$")
        self.assertEqual(len(set(seeds)), 2)

    def test_the_build_is_not_in_its_minutes(self):
        self.assertEqual(len(self.soak([GOOD] * 3, 1)[2]), 2)

    def test_minutes(self):
        result = subprocess.run([SCRIPTS / "soak.py", "some"], capture_output=True, text=True, check=False)
        self.assertEqual((result.returncode, result.stderr), (1, "error: MINUTES=some is not a number of minutes\n"))


if __name__ == "__main__":
    unittest.main()
