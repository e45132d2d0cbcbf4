# SPDX-License-Identifier: GPL-2.0-only
"""make quick: boots what T names on the kernel that has it, and a T that names nothing is an error."""
import contextlib
import dataclasses
import io
import pathlib
import sys
import unittest
from unittest import mock

from project import Project

SCRIPTS = pathlib.Path(__file__).resolve().parent.parent / "scripts"
sys.path.insert(0, str(SCRIPTS))
import kernel
import ktap
import quick

GOOD = ktap.Log(passed={"first": 2})
BAD = ktap.Log(passed={"first": 1}, failed=["first.case: not ok 2"])
REPORTS = {case: kernel.Run(build, [], [], 9, glob=case, report="x")
           for case, build in (("first_warn.one", "uml-reports"), ("first_warn.two", "arm64-reports"), ("second_warn.one", "uml-reports"))}


class Quick(unittest.TestCase):
    def quick(self, glob, log=GOOD, problems=()):
        """What is booted when each boot ends with this log, whether it failed, and what is printed; which kernels are built."""
        boot, build = mock.Mock(), mock.Mock(return_value=problems)
        with mock.patch.multiple(kernel, build=build, boot=boot, judge=lambda name, run, status: log, report_runs=lambda: REPORTS), \
                contextlib.redirect_stdout(io.StringIO()) as out:
            failed = quick.main(glob)
        self.built = [call.args[0] for call in build.call_args_list]
        return [call.args for call in boot.call_args_list], failed, out.getvalue()

    def test_all_suites_and_some_of_them(self):
        for glob in ("", "first", "first.case", "first*"):
            ((name, run),), failed, out = self.quick(glob)
            self.assertEqual((name, run.build, run.glob, failed, out), ("quick", "uml", glob, False, "2 passed, 0 failed\n"))

    def test_report_boots_its_kernel(self):
        self.assertEqual(self.quick("first_warn.two")[0], [("report-first_warn.two", REPORTS["first_warn.two"])])

    def test_suite_of_reports_is_a_boot_for_each(self):
        booted, _, out = self.quick("first_warn")
        self.assertEqual([name for name, _ in booted], ["report-first_warn.one", "report-first_warn.two"])
        self.assertEqual(out, "4 passed, 0 failed\n")

    def test_each_kernel_is_built_once(self):
        more = {"first_warn.three": dataclasses.replace(REPORTS["first_warn.one"], glob="first_warn.three")}
        with mock.patch.dict(REPORTS, more):
            self.quick("first_warn")
        self.assertEqual(self.built, ["uml-reports", "arm64-reports"])

    def test_failed_build_is_one_error(self):
        with self.assertRaisesRegex(SystemExit, "^error: no kernel: a.c:1: error: x$"):
            self.quick("first", problems=["no kernel: a.c:1: error: x"])

    def test_red(self):
        _, failed, out = self.quick("first", BAD)
        self.assertTrue(failed)
        self.assertRegex(out, r"^    quick: first.case: not ok 2\n    quick: logs are .*/log/quick\.\*\n1 passed, 1 failed\n$")

    def test_kernel_without_any_test_is_red(self):
        self.assertTrue(self.quick("", ktap.Log(problems=[ktap.NOTHING]))[1])


KUNIT = """\
import os, sys
linux = next(a.split("=", 1)[1] for a in sys.argv if a.startswith("--build_dir=")) + "/linux"
with open(linux, "w") as out:
    out.write('''#!/bin/sh
case "$*" in
*filter_glob=first.case*) printf 'KTAP version 1\\n1..1\\n    KTAP version 1\\n    # Subtest: first\\n    1..1\\n    ok 1 case\\n' ;;
*) printf 'KTAP version 1\\n1..0\\nreboot: System halted\\n'; exit ;;
esac
printf '# Totals: pass:1 fail:0 skip:0 total:1\\nok 1 first\\nreboot: System halted\\n'
''')
os.chmod(linux, 0o755)
"""


class MakeQuick(Project):
    """From make to the verdict, with a stand-in for UML that has one case."""

    def make_kernel(self):
        tool = self.kdir / "tools/testing/kunit/kunit.py"
        tool.parent.mkdir(parents=True)
        tool.write_text(KUNIT.replace("\\n", "\\\\n"))
        (self.root / "tests").mkdir()
        (self.root / "tests/expected").write_text("first 1 *\n")
        (self.root / "tests/reports").write_text("")
        super().make_kernel()

    def test_case(self):
        self.assertTrue(self.make("quick", "T=first.case").endswith("1 passed, 0 failed\n"))

    def test_what_matches_nothing(self):
        self.fails("T=first.nonsense matches no suite or case of the kernel uml$", "quick", "T=first.nonsense")

    def test_what_is_no_suite_or_case(self):
        for part in ("a b", "a.b.c", ".", "a.", "-x;y"):
            self.fails(f"T={part} is not a suite or suite.case$", "quick", f"T={part}")


if __name__ == "__main__":
    unittest.main()
