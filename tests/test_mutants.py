# SPDX-License-Identifier: GPL-2.0-only
"""make mutants: its table is sound, and a mutant changes the lines it names or stops the run."""
import contextlib
import io
import pathlib
import sys
import tempfile
import unittest
from unittest import mock

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
import kernel
import mutants

ONE = "@@ a.c: the second call is forgotten [suite_warn.case]\n \tone();\n-\ttwo();\n"


class Mutants(unittest.TestCase):
    def test_table(self):
        table = mutants.read_mutants((ROOT / "tests/mutants").read_text())
        self.assertGreaterEqual(len(table), 60)
        self.assertEqual(len({(mutant.file, mutant.old, mutant.new) for mutant in table}), len(table))
        for mutant in table:
            self.assertNotEqual(mutant.old, mutant.new, mutant.name)
            self.assertLessEqual(set(mutant.cases), {case for case, *_ in kernel.read_table("reports", 3)}, mutant.name)

    def test_block(self):
        mutant, = mutants.read_mutants("# comment\n\n" + ONE)
        self.assertEqual(mutant, mutants.Mutant("the second call is forgotten", "a.c", ["suite_warn.case"],
                                                "\tone();\n\ttwo();\n", "\tone();\n"))

    def mutate(self, text):
        with tempfile.TemporaryDirectory() as tree, mock.patch.object(mutants, "TREE", tree):
            source = pathlib.Path(tree, "a.c")
            source.write_text(text)
            self.assertEqual(mutants.mutate(mutants.read_mutants(ONE)[0]), text)
            return source.read_text()

    def test_lines_are_changed(self):
        self.assertEqual(self.mutate("\tone();\n\ttwo();\n\tthree();\n"), "\tone();\n\tthree();\n")

    def test_lines_must_be_there_once(self):
        for text in ("\tone();\n", "\tone();\n\ttwo();\n" * 2):
            with self.assertRaisesRegex(mutants.Misfit, "its lines are in a.c [02] times"):
                self.mutate(text)

    def test_file_or_report_that_a_kernel_has_not(self):
        mutant = mutants.read_mutants(ONE)[0]
        with mock.patch.object(mutants, "TREE", "/nowhere"), self.assertRaisesRegex(mutants.Misfit, "a.c is not there"):
            mutants.mutate(mutant)
        with mock.patch.object(kernel, "report_runs", lambda: {}), self.assertRaisesRegex(mutants.Misfit, "cases are not there"):
            mutants.killed(mutant)

    def test_misfits_are_named_and_counted(self):
        with mock.patch.object(mutants, "read_mutants", lambda text: [mutants.Mutant(name, "a.c", []) for name in ("one", "two")]), \
                mock.patch.object(mutants, "killed", mock.Mock(side_effect=["red", mutants.Misfit("why")])), \
                mock.patch.object(mutants, "red_suite", lambda: ""), mock.patch.object(sys, "argv", ["mutants.py"]), \
                mock.patch.multiple(kernel, checkout=mock.DEFAULT, build=lambda name, run: [], K="7.3"), \
                contextlib.redirect_stdout(io.StringIO()) as out:
            self.assertFalse(mutants.main())
        self.assertIn("2/2 DOES NOT FIT 7.3: two (why)\n1 killed, 0 survived, 1 do not fit Linux 7.3\n", out.getvalue())

    def test_red_is_killed(self):
        for reasons, killed in ((["", "red"], ""), (["red", "red"], "red"), (["", ""], "")):
            mutant = mutants.read_mutants(ONE)[0]
            mutant.cases *= 2
            verdict = mock.Mock(side_effect=reasons)
            with mock.patch.multiple(mutants, mutate=lambda mutant: "", write=lambda name, text: None, verdict=verdict), \
                    mock.patch.multiple(kernel, build=lambda name, run: [], report_runs=lambda: {"suite_warn.case": mutants.UML}):
                self.assertEqual(mutants.killed(mutant), killed)


if __name__ == "__main__":
    unittest.main()
