# SPDX-License-Identifier: GPL-2.0-only
"""make bench: figures are read from good logs only, two counts must agree, and a dearer default path is said."""
import contextlib
import io
import pathlib
import sys
import tempfile
import unittest

SCRIPTS = pathlib.Path(__file__).resolve().parent.parent / "scripts"
sys.path.insert(0, str(SCRIPTS))
import bench

LOG = """\
KTAP version 1
1..1
    KTAP version 1
    # Subtest: io_pgtable_bench
    1..1
    # reserve_return: reserve_return_warm 514 kmem_cache 130891
    # reserve_return: reserve_return_warm 514 pool 237
    # reserve_return: pass:1 fail:0 skip:0 total:1
    ok 1 reserve_return
# io_pgtable_bench: pass:1 fail:0 skip:0 total:1
# Totals: pass:1 fail:0 skip:0 total:1
ok 1 io_pgtable_bench
reboot: Restarting system
"""
WARM = {("reserve_return_warm", 514, "kmem_cache"): 130891, ("reserve_return_warm", 514, "pool"): 237}


class Bench(unittest.TestCase):
    def read(self, text):
        with tempfile.NamedTemporaryFile("w", suffix=".log") as log:
            log.write(text)
            log.flush()
            return bench.read(log.name, "arm64")

    def test_figures_of_a_good_log(self):
        self.assertEqual(self.read(LOG), WARM)

    def test_no_figures_of_a_bad_log(self):
        for wrong in (LOG.replace("    ok 1 res", "    not ok 1 res"), LOG[:-30], LOG.replace("reboot", "WARNING: CPU: 0\nreboot"), ""):
            with self.assertRaisesRegex(SystemExit, "error: "):
                self.read(wrong)

    def test_two_counts_must_agree(self):
        self.assertEqual(bench.same_twice(lambda label: dict(WARM)), WARM)
        for runs in ([WARM, {**WARM, ("reserve_return_warm", 514, "pool"): 238}], [WARM, {}], [{}, {}]):
            with self.assertRaisesRegex(SystemExit, "counted different"):
                bench.same_twice(lambda label, left=list(runs): left.pop(0))

    def test_median_and_spread(self):
        key = ("two_cpus", 2, "pool")
        self.assertEqual(bench.median([{key: ns} for ns in (1000, 90, 100, 130, 1)]), ({key: 100}, {key: 40}))

    def test_entries(self):
        self.assertEqual(bench.measures(WARM, "instructions"), [
            {"name": "reserve_return_warm", "unit": "instructions", "tables": 514,
             "values": {"default": None, "kmem_cache": 130891, "pool": 237}}])
        for name, kind, unit in (("map_dense", "bytes", "ns"), ("two_cpus", "cpus", "ns"), ("reservation_bytes", "tables", "bytes")):
            entry, = bench.measures({(name, 2, "pool"): 1}, "ns")
            self.assertEqual((entry[kind], entry["unit"]), (2, unit))

    def test_dearer_default_path(self):
        paths = [("map_default_path", 1 << 30, "unpatched"), ("map_default_path", 1 << 30, "patched")]
        for cost, dearer in ((99_000, []), (100_500, []), (100_501, ["map_default_path"])):
            self.assertEqual(bench.dearer(bench.measures(dict(zip(paths, (100_000, cost))), "instructions", bench.PATCHED)), dearer)

    def test_table(self):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            bench.show_all(bench.measures({**WARM, ("map_dense", 1 << 30, "pool"): 5}, "instructions") +
                           bench.measures({("two_cpus", 1, "pool"): 7}, "ns", spread={("two_cpus", 1, "pool"): 10}))
        self.assertRegex(out.getvalue(), r"reserve_return_warm +514 tables +130891 +237 +552\.28\n")
        self.assertRegex(out.getvalue(), r"map_dense +1 GiB +5 *\n")
        self.assertRegex(out.getvalue(), r"two_cpus +1 cpus +7 +spread 10 %\n")


if __name__ == "__main__":
    unittest.main()
