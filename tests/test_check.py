# SPDX-License-Identifier: GPL-2.0-only
"""make check: what a patch brings is red, each by its own check; what the base has is not. The linters find bad scripts."""
import pathlib
import shutil
import subprocess
import unittest

from project import ROOT, Project

MAKEFILE = r"""VERSION = 6
PATCHLEVEL = 1
SUBLEVEL = 7
GOALS := $(filter-out olddefconfig coccicheck,$(MAKECMDGOALS))
SHOW = grep -Hn $(1) $$f | sed -E 's/^([^:]+:[0-9]+):.*/\1:5: warning: $(1)/'
.PHONY: $(MAKECMDGOALS)
olddefconfig:
	@! grep -q UNSET drivers/iommu/*.c || sed -i /COMPILE_TEST/d $(O)/.config
coccicheck:
	@grep -rn COCCI $(M) | sed -E 's/^([^:]+:[0-9]+):.*/\1:5-9: WARNING opportunity/'
$(firstword $(GOALS)):
ifeq ($(C),2)
	@echo '  CHECK x'; for f in drivers/iommu/*.c; do $(call SHOW,SPARSE); done
else
	@mkdir -p $(O)/drivers/iommu; for f in drivers/iommu/*.c; do o=$(O)/$${f%c}o; \
	[ ! $$o -nt $$f ] || continue; \
	case $$f in *unbuilt*) ;; *) touch $$o ;; esac; \
	$(call SHOW,WARN); $(call SHOW,$(ARCH)ONLY); ! grep -q BROKEN $$f || exit 1; done
endif
"""
TOOLS = {
    "checkpatch.pl": r'open F, $ARGV[-1]; while (<F>) { $bad = 1, print "WARNING: x\n" if /^\+.*STYLE/ } exit $bad',
    "get_maintainer.pl": r'print $ARGV[-1] =~ /orphan/ ? "L <l@k> (open list)\nT <t@k> (maintainer:THE REST)\n" : '
                         r'"M <m@k> (maintainer:IOMMU)\n"',
    "kernel-doc": r'open F, $ARGV[-1]; while (<F>) { print STDERR "$ARGV[-1]:$.: warning: undocumented\n" if /DOC/ }',
}
SOURCE = "one\nWARN\nSPARSE\nCOCCI\nDOC\nSTYLE\narmONLY\nx86_64ONLY\nlast\n"


class Check(Project):
    def setUp(self):
        super().setUp()
        for linter in ("shellcheck", "flake8"):
            self.env.update(self.fake(linter, ""))

    def make_kernel(self):
        shutil.copytree(ROOT / "configs", self.root / "configs")
        (self.root / "tests").mkdir()
        for name in ("differs", "pool-alone.c"):
            shutil.copy(ROOT / "tests" / name, self.root / "tests")
        for name in ("drivers/iommu", "scripts"):
            (self.kdir / name).mkdir(parents=True)
        (self.kdir / "Makefile").write_text(MAKEFILE)
        (self.kdir / "drivers/iommu/a.c").write_text(SOURCE)
        for name, text in TOOLS.items():
            (self.kdir / "scripts" / name).write_text(text + ";\n")
        self.git(self.kdir, "init", "-q", "-b", "main")
        self.git(self.kdir, "add", "-A")
        self.git(self.kdir, "commit", "-q", "-m", "kernel")

    def check(self):
        result = subprocess.run(["scripts/check"], cwd=self.root, env=self.env, capture_output=True, text=True, timeout=60, check=False)
        lines = result.stdout.splitlines()
        failed = [line.split(":")[0] for line in lines if ": failed, log" in line]
        green = (result.returncode == 0, lines[-1].endswith(" passed, 0 failed"))
        self.assertEqual(green, (not failed, not failed), result.stdout + result.stderr)
        return failed, result.stdout

    def add(self, text, name="a.c"):
        path = self.tree / "drivers/iommu" / name
        path.write_text((path.read_text() if path.exists() else "") + text + "\n")
        self.git(self.tree, "add", "-A")
        self.git(self.tree, "commit", "-q", "-m", "iommu: Patch")
        self.make("export")

    def test_good_series(self):
        self.make("tree")
        self.assertEqual(self.check()[0], [])
        self.add("good")
        failed, output = self.check()
        self.assertEqual(failed, [], output)
        self.assertIn("patch 1 builds on arm64", output)

    def test_what_each_tool_finds(self):
        self.make("tree")
        self.add("STYLE\nDOC\nSPARSE\nCOCCI\narmONLY\nx86_64ONLY")
        failed, output = self.check()
        self.assertEqual(failed, ["checkpatch", "kernel-doc", "series builds on 32-bit arm", "series builds on x86_64",
                                  "sparse", "coccicheck"], output)

    def test_linters_are_among_the_checks(self):
        for linter in ("shellcheck", "flake8"):
            self.fake(linter, "echo scripts/a:1: bad; exit 1\n")
        self.make("tree")
        failed, output = self.check()
        self.assertEqual(failed, ["shellcheck", "flake8"], output)
        self.assertIn("    scripts/a:1: bad\n", output)

    def test_a_patch_that_only_a_later_one_mends(self):
        self.make("tree")
        self.add("arm64ONLY")
        (self.tree / "drivers/iommu/a.c").write_text(SOURCE)
        self.add("mended")
        failed, output = self.check()
        self.assertEqual(failed, ["patch 1 builds on arm64"])
        self.assertIn("drivers/iommu/a.c:10:5: warning: arm64ONLY", output)

    def test_red_stays_red_when_nothing_is_rebuilt(self):
        self.make("tree")
        self.add("arm64ONLY\narmONLY")
        self.add("good", name="b.c")
        for _ in range(2):
            self.assertEqual(self.check()[0], ["patch 1 builds on arm64", "series builds on 32-bit arm"])

    def test_a_broken_patch(self):
        self.make("tree")
        self.add("BROKEN")
        failed, output = self.check()
        self.assertIn("patch 1 builds on arm64", failed)
        self.assertIn("***", output)

    def test_files_nobody_maintains_or_builds(self):
        self.make("tree")
        self.add("x", name="orphan.c")
        self.add("x", name="unbuilt.c")
        failed, output = self.check()
        self.assertEqual(failed, ["get_maintainer", "every touched file is built"])
        self.assertIn("nobody maintains drivers/iommu/orphan.c", output)
        self.assertIn("drivers/iommu/unbuilt.c is not built", output)

    def test_configuration_that_does_not_take(self):
        self.make("tree")
        self.add("UNSET")
        self.assertIn("patch 1 builds on arm64", self.check()[0])

    def test_coccicheck_that_does_not_run(self):
        makefile = self.kdir / "Makefile"
        makefile.write_text(makefile.read_text().replace(
            "coccicheck:\n", "coccicheck:\n\t@echo 'no libpython'; echo 'coccicheck failed'; false\n"))
        self.make("tree")
        failed, output = self.check()
        self.assertEqual(failed[0], "baseline")
        self.assertIn("error: coccicheck does not run: no libpython\n", output)

    def test_what_a_killed_run_leaves(self):
        self.make("tree")
        self.check()
        git = self.root / ".work/git/worktrees/check-tree"
        (git / "index.lock").touch()
        self.assertEqual(self.check()[0], [])
        (git / "HEAD").unlink()
        (git / "locked").write_text("initializing")
        self.assertEqual(self.check()[0], [])

    def test_unexported_commits(self):
        self.make("tree")
        (self.tree / "drivers/iommu/a.c").write_text(SOURCE + "more\n")
        self.git(self.tree, "commit", "-q", "-a", "-m", "iommu: Patch")
        self.assertEqual(self.check()[0], ["patches apply", "export changes nothing"])


class Linters(Project):
    """The linters themselves: one bad file of the harness is red."""

    def lint(self, linter):
        result = subprocess.run(["scripts/check", linter], cwd=self.root, env=self.env,
                                capture_output=True, text=True, timeout=60, check=False)
        return result.returncode, result.stdout

    def add(self, name, text):
        path = self.root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    def test_shellcheck(self):
        self.assertEqual(self.lint("shellcheck"), (0, ""))
        for name in ("scripts/bad", ".ci/run"):
            self.add(name, '#!/usr/bin/env bash\n. "$(dirname "$0")/../scripts/lib.sh"\nrm $W\n')
            status, output = self.lint("shellcheck")
            self.assertNotEqual(status, 0)
            self.assertRegex(output, f"^{name}:3:4: note: Double quote .*\n$")
            (self.root / name).unlink()

    def test_shellcheck_of_what_they_share(self):
        library = self.root / "scripts/lib.sh"
        library.write_text(library.read_text() + "bad() { rm $1; }\n")
        status, output = self.lint("shellcheck")
        self.assertNotEqual(status, 0)
        self.assertRegex(output, "scripts/lib.sh:.*: note: Double quote ")

    def test_flake8(self):
        self.add("tests/good.py", "")
        self.assertEqual(self.lint("flake8"), (0, ""))
        for name in ("scripts/bad.py", "tests/bad.py"):
            for text, what in (("import os\n", "'os' imported but unused"), ("nothing()\n", "undefined name"),
                               ("x" * 141 + "\n", "too long")):
                self.add(name, text)
                status, output = self.lint("flake8")
                self.assertNotEqual(status, 0)
                self.assertRegex(output, f"{name}:1:.*{what}")
            (self.root / name).unlink()


class Licence(unittest.TestCase):
    def test_each_file_of_the_harness_says_its_licence(self):
        for pattern in ("Makefile", ".ci/*", "scripts/*", "tests/*", "configs/*"):
            for path in filter(pathlib.Path.is_file, ROOT.glob(pattern)):
                self.assertIn("SPDX-License-Identifier: GPL-2.0-only", "".join(path.read_text().splitlines()[:2]), path)
