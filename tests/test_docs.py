# SPDX-License-Identifier: GPL-2.0-only
"""make docs: a warning about our chapter or an error fails it, each time; a warning about another one does not."""
import subprocess

from project import Project

MAKEFILE = """VERSION = 6
PATCHLEVEL = 1
SUBLEVEL = 7
OUT = $(O)/Documentation/output
htmldocs:
	@mkdir -p $(OUT)/.doctrees/driver-api $(OUT)/driver-api
	@cd Documentation/driver-api; for name in *.rst; do tree=$(OUT)/.doctrees/driver-api/$${name%rst}doctree; \\
	if [ ! -e $$tree ]; then sed "s,^,$$PWD/$$name:1: ," $$name; touch $$tree; fi; done
	@touch $(OUT)/driver-api/io-pgtable.html
	@if grep -rh '^Sphinx error' Documentation; then exit 2; fi
"""


class Docs(Project):
    def make_kernel(self):
        self.chapters = self.kdir / "Documentation/driver-api"
        self.chapters.mkdir(parents=True)
        for name in ("io-pgtable", "other"):
            (self.chapters / f"{name}.rst").write_text("fine\n")
        super().make_kernel()
        (self.kdir / "Makefile").write_text(MAKEFILE)

    def write(self, name, text):
        (self.chapters / name).write_text(text)
        self.make("tree")

    def docs(self):
        return subprocess.run(["scripts/docs"], cwd=self.root, env=self.env, capture_output=True, text=True, timeout=60, check=False)

    def assert_red(self, message):
        result = self.docs()
        self.assertNotEqual(result.returncode, 0)
        self.assertNotIn("passed", result.stdout)
        self.assert_one_error(result.stderr, message)
        return result.stdout

    def assert_green(self):
        result = self.docs()
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertTrue(result.stdout.endswith("driver-api/io-pgtable.html\n1 passed, 0 failed\n"), result.stdout)

    def test_warning_about_the_chapter_stays_red_until_it_is_gone(self):
        self.write("io-pgtable.rst", "WARNING: Title underline too short.\n")
        for _ in range(2):
            self.assertRegex(self.assert_red("the documentation has warnings"), "\n    .*io-pgtable.rst:1: WARNING: Title")
        self.write("io-pgtable.rst", "fine\n")
        self.assert_green()

    def test_warning_about_another_chapter(self):
        self.write("other.rst", "WARNING: Title underline too short.\n")
        self.assert_green()

    def test_error(self):
        self.write("other.rst", "Sphinx error: no such theme\n")
        self.assert_red("the documentation was not built: .*Sphinx error: no such theme")

    def test_chapter_that_is_not_built(self):
        makefile = self.kdir / "Makefile"
        makefile.write_text(makefile.read_text().replace("@touch $(OUT)/driver-api/io-pgtable.html", ""))
        self.make("tree")
        self.assert_red("io-pgtable.html was not built")
