# SPDX-License-Identifier: GPL-2.0-only
"""A throwaway copy of this project with a tiny kernel tree to work on."""
import hashlib
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
MADE = {}       # the patches of series(), by name
LINES = "".join(f"line {n}\n" for n in range(1, 41))
IDENTITY = {"GIT_AUTHOR_NAME": "Ann Author", "GIT_AUTHOR_EMAIL": "ann@example.org", "GIT_AUTHOR_DATE": "2024-01-02T03:04:05+0100",
            "GIT_COMMITTER_NAME": "C", "GIT_COMMITTER_EMAIL": "c@example.org", "GIT_CONFIG_GLOBAL": "/dev/null"}


def snapshot(directory):
    """Every file below directory with its content and its time."""
    return {str(path.relative_to(directory)): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
            for path in sorted(pathlib.Path(directory).rglob("*")) if path.is_file()}


class Project(unittest.TestCase):
    """scripts/ in a directory of their own, KDIR a git tree of three files, a series of two patches."""

    def setUp(self):
        self.top = pathlib.Path(tempfile.mkdtemp(prefix="harness-"))
        self.addCleanup(shutil.rmtree, self.top, ignore_errors=True)
        self.root, self.kdir = self.top / "project", self.top / "linux"
        shutil.copytree(ROOT / "scripts", self.root / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "Makefile", self.root)
        self.patches = self.root / "patches/linux-6.1.y"
        self.patches.mkdir(parents=True)
        (self.patches / "COVER").write_text("what it is about\n")
        self.env = {key: value for key, value in os.environ.items()
                    if not key.startswith(("WORK", "KDIR", "BASE", "GIT_", "MAKE")) and key != "K"}
        self.env.update(IDENTITY, KDIR=str(self.kdir))
        self.make_kernel()

    def make_kernel(self):
        (self.kdir / "kernel").mkdir(parents=True)
        (self.kdir / "Makefile").write_text("# SPDX\nVERSION = 6\nPATCHLEVEL = 1\nSUBLEVEL = 7\n")
        (self.kdir / ".gitignore").write_text("*.o\n")
        for name in ("a.c", "b.c"):
            (self.kdir / "kernel" / name).write_text(LINES)
        self.git(self.kdir, "init", "-q", "-b", "main")
        self.git(self.kdir, "add", "-A")
        self.git(self.kdir, "commit", "-q", "-m", "kernel")

    def git(self, directory, *args):
        return subprocess.run(["git", "-C", directory, *args], env=self.env, check=True, capture_output=True, text=True).stdout.strip()

    def run_make(self, *args, **env):
        return subprocess.run(["make", *args], cwd=self.root, env={**self.env, **env},
                              capture_output=True, text=True, timeout=60, check=False)

    def make(self, *args, **env):
        result = self.run_make(*args, **env)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertNotIn(": failed", result.stdout)     # no step fails unnoticed
        return result.stdout

    def fails(self, message, *args, **env):
        """make fails with exactly one error line, which says so."""
        result = self.run_make(*args, **env)
        self.assertNotEqual(result.returncode, 0, result.stdout)
        self.assert_one_error(result.stderr, message)

    def assert_one_error(self, stderr, message):
        errors = [line for line in stderr.splitlines() if not line.startswith("make: ***")]
        self.assertEqual(len(errors), 1, stderr)
        self.assertRegex(errors[0], "^error: .*" + message)

    @property
    def work(self):
        found = [path for path in (self.root / ".work").glob("kdir-*")]
        self.assertEqual(len(found), 1)
        return found[0]

    @property
    def base(self):
        return "base/" + self.work.name

    @property
    def tree(self):
        return self.work / "tree"

    def edit(self, name, old, new):
        path = self.tree / name
        path.write_text(path.read_text().replace(old, new))

    def commit(self, name, old, new, message):
        self.edit(name, old, new)
        self.git(self.tree, "add", "-A")
        self.git(self.tree, "commit", "-q", "-m", message)

    def series(self):
        """A tree with two patches; they are made the way one makes patches here, and kept for the next test."""
        if not MADE:
            self.make("tree")
            self.commit("kernel/a.c", "line 5\n", "line five\n", "kernel: One\n\nBecause.")
            self.commit("kernel/b.c", "line 9\n", "line nine\n", "kernel: Two\n\nBecause.")
            self.make("export")
            MADE.update((path.name, path.read_bytes()) for path in self.patches.glob("*.patch"))
            shutil.rmtree(self.root / ".work")
        for name, content in MADE.items():
            (self.patches / name).write_bytes(content)
        self.make("tree")

    def fake(self, name, text):
        """A stand-in for a program; the environment that finds it."""
        path = self.top / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("#!/bin/sh\n" + text)
        path.chmod(0o755)
        return {"PATH": f"{path.parent}:{self.env['PATH']}"}

    def names(self):
        return sorted(path.name for path in self.patches.iterdir())
