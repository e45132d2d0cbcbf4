# SPDX-License-Identifier: GPL-2.0-only
"""make mutants: its table is sound, and a mutant changes the lines it names or stops the run."""
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
            self.assertLessEqual(set(mutant.cases), set(kernel.report_runs()), mutant.name)

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
            with self.assertRaisesRegex(SystemExit, "the second call is forgotten.*a.c"):
                self.mutate(text)

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
