# SPDX-License-Identifier: GPL-2.0-only
"""The judge: a good log is green, and everything that can be wrong with one is red."""
import contextlib
import dataclasses
import fnmatch
import io
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest
from unittest import mock

SCRIPTS = pathlib.Path(__file__).resolve().parent.parent / "scripts"
sys.path.insert(0, str(SCRIPTS))
import kernel
import ktap
import step
import test as make_test

EXPECTED = {"first": 3, "second": 1}
KTAP = """\
KTAP version 1
1..2
    KTAP version 1
    # Subtest: first
    1..2
    # plain: pass:1 fail:0 skip:0 total:1
    ok 1 plain
        KTAP version 1
        # Subtest: several
        ok 1 4K granule, coherent
        ok 2 64K granule
    # several: pass:2 fail:0 skip:0 total:2
    ok 2 several
# first: pass:2 fail:0 skip:0 total:2
# Totals: pass:3 fail:0 skip:0 total:3
ok 1 first
    KTAP version 1
    # Subtest: second
    1..1
    # device_reads: read 4095 bytes, 5 tables from the pool
    # device_reads: pass:1 fail:0 skip:0 total:1
    ok 1 device_reads
# second: pass:1 fail:0 skip:0 total:1
# Totals: pass:1 fail:0 skip:0 total:1
ok 2 second
reboot: Restarting system
"""
BOOT = """\
Booting Linux on physical CPU 0x0000000000 [0x411fd070]
Linux version 6.1.192 (gcc (Debian 12.2.0-14) 12.2.0, GNU ld (GNU Binutils for Debian) 2.40) #1 SMP
DMA-API: preallocated 65536 debug entries
DMA-API: debugging enabled by kernel config
Lock dependency validator: Copyright (c) 2006 Red Hat, Inc., Ingo Molnar
kasan: KernelAddressSanitizer initialized (generic)
arm-smmu-v3 arm-smmu-v3.0.auto: event 0x10 received:
"""
WARN = """\
------------[ cut here ]------------
io-pgtable: allocator returned an unaligned table
WARNING: CPU: 1 PID: 27 at drivers/iommu/io-pgtable-arm.c:310 __arm_lpae_alloc_pages+0x1c0/0x240
Call trace:
 __arm_lpae_alloc_pages+0x1c0/0x240
---[ end trace 0000000000000000 ]---
"""
UML_WARN = """\
------------[ cut here ]------------
WARNING: CPU: 0 PID: 1 at arch/um/drivers/virt-pci.c:886 um_pci_init+0x99/0xa2
No virtio device ID configured for PCI - no PCI support
Call Trace:
 [<6002b600>] ? um_set_signals+0x0/0x50
---[ end trace 0000000000000000 ]---
"""
REPORTS = """\
BUG: KASAN: use-after-free in arm_lpae_map_pages+0x30/0x60
BUG: KCSAN: data-race in a / b
UBSAN: shift-out-of-bounds in drivers/iommu/io-pgtable-arm.c:1:2
BUG: sleeping function called from invalid context at mm/page_alloc.c:5500
BUG: scheduling while atomic: kunit_try_catch/30/0x00000002
BUG: spinlock bad magic on CPU#0, swapper/1
BUG kmalloc-64 (Tainted: G): Redzone overwritten
BUG: unable to handle page fault for address: 0000000000000000
BUG: MAX_LOCKDEP_ENTRIES too low!
WARNING: possible circular locking dependency detected
WARNING: possible recursive locking detected
WARNING: possible irq lock inversion dependency detected
WARNING: SOFTIRQ-safe -> SOFTIRQ-unsafe lock order detected
WARNING: inconsistent lock state
WARNING: bad unlock balance detected!
WARNING: held lock freed!
WARNING: suspicious RCU usage
[ BUG: Invalid wait context ]
DEBUG_LOCKS_WARN_ON(lock->magic != lock)
INFO: task kunit_try_catch:30 blocked for more than 120 seconds.
INFO: trying to register non-static key.
INFO: lockdep is turned off.
rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:
watchdog: BUG: soft lockup - CPU#0 stuck for 22s!
DMA-API: pci 0000:00:01.0: device driver frees DMA memory with different size
DMA-API: exceeded 7 overlapping mappings of cacheline 0x1
kmemleak: 2 new suspected memory leaks (see /sys/kernel/debug/kmemleak)
kmemleak: Kernel memory leak detector disabled
unreferenced object 0xffff0000 (size 64):
pagealloc: memory corruption
page dumped because: nonzero _refcount
BUG: Bad page state in process swapper  pfn:40000
refcount_t: underflow; use-after-free.
list_add corruption. prev->next should be next
ODEBUG: free active (active state 0) object type: timer_list
Unable to handle kernel NULL pointer dereference at virtual address 0000000000000008
Internal error: Oops: 0000000096000005 [#1] PREEMPT SMP
kernel BUG at mm/slub.c:400!
general protection fault, probably for non-canonical address 0xdead
Kernel panic - not syncing: Oops: Fatal exception
Kernel mode fault at addr 0x0, ip 0x6001
irq 5: nobody cared
8<--- cut here ---
** 12 printk messages dropped **
Call trace:
Call Trace:
stack backtrace:
""".splitlines()


def stamped(text):
    """As a kernel with timestamps on a serial line prints it."""
    return "".join(f"[    0.{number:06d}] {line}\r\n" for number, line in enumerate(text.splitlines()))


def judge(text, arch="arm64", expected=None, report=None):
    return ktap.judge(text, arch, EXPECTED if expected is None else expected, report)


class Judge(unittest.TestCase):
    def assert_green(self, log):
        self.assertEqual((log.problems, log.failed, log.passed), ([], [], {"first": 3, "second": 1}))

    def assert_red(self, log, reason):
        self.assertTrue(log.problems or log.failed, "green")
        self.assertRegex("\n".join(log.problems + log.failed), reason)
        self.assertGreater(kernel.counts(log)[1], 0)

    def assert_red_without(self, piece, reason, instead=""):
        self.assertIn(piece, KTAP)
        self.assert_red(judge(BOOT + KTAP.replace(piece, instead, 1)), reason)

    def test_good_log(self):
        self.assert_green(judge(BOOT + KTAP))
        self.assert_green(judge(stamped(BOOT + KTAP)))
        self.assertEqual(judge(stamped(BOOT + KTAP)).facts, [("second", "device_reads", "read 4095 bytes, 5 tables from the pool")])

    def test_every_kind_of_report(self):
        for report in REPORTS:
            inside = KTAP.replace("    ok 1 device", f"{report}\n    ok 1 device")
            for text in (BOOT + report + "\n" + KTAP, BOOT + inside, BOOT + KTAP + report + "\n"):
                with self.subTest(report):
                    self.assert_red(judge(stamped(text)), "kernel report: ")
                    self.assert_red(judge(text), "kernel report: ")

    def test_a_warning_is_named(self):
        self.assert_red(judge(WARN + KTAP), "kernel report: WARNING: CPU: 1 PID: 27 at drivers/iommu/io-pgtable-arm.c:310")

    def test_a_lockdep_report_is_one(self):
        text = "\n".join(("=" * 30, "WARNING: possible circular locking dependency detected", "6.1.192 #1 Tainted: G",
                          "kunit_try_catch/16 is trying to acquire lock:", "but task is already holding lock:",
                          " *** DEADLOCK ***", "1 lock held by kunit_try_catch/16:", "stack backtrace:", "Call Trace:", ""))
        self.assert_green(judge(KTAP.replace("    ok 1 plain", text + "    ok 1 plain"), report="possible circular locking"))

    def test_known_uml_warning(self):
        self.assert_green(judge(UML_WARN + KTAP, "um"))
        self.assert_green(judge(UML_WARN.replace("um_pci_init+0x99/0xa2", "0x600043a7") + KTAP, "um"))
        self.assert_red(judge(UML_WARN + UML_WARN + KTAP, "um"), "virt-pci")
        self.assert_red(judge(UML_WARN + KTAP, "arm64"), "virt-pci")
        self.assert_red(judge(UML_WARN + WARN + KTAP, "um"), "io-pgtable-arm.c")
        self.assert_red(judge(UML_WARN.replace("No virtio device", "Other") + KTAP, "um"), "virt-pci")
        self.assert_red(judge(UML_WARN.replace("um_pci_init", "um_pci_probe") + KTAP, "um"), "virt-pci")

    def test_warning_of_7_3(self):
        """It names the place first; cf. kernel/panic.c."""
        warning = WARN.replace("CPU: 1 PID: 27 at drivers/iommu/io-pgtable-arm.c:310 __arm_lpae_alloc_pages+0x1c0/0x240",
                               "drivers/iommu/io-pgtable-arm.c:310 at __arm_lpae_alloc_pages+0x1c0/0x240, CPU#1: kunit_try_catch/27")
        inside = KTAP.replace("    ok 1 device", warning + "    ok 1 device")
        self.assert_red(judge(inside), "kernel report: WARNING: drivers/iommu/io-pgtable-arm.c:310 at __arm")
        self.assert_green(judge(inside, report="WARNING: .*io-pgtable-arm.c"))
        self.assert_red(judge(UML_WARN.replace("CPU: 0 PID: 1 at arch", "arch") + KTAP, "um"), "virt-pci")

    def test_attributes_of_suites_and_cases(self):
        """6.6 and later print them: lib/kunit/attributes.c."""
        text = KTAP.replace("    1..2\n", "    # module: first_test\n    # speed: slow\n    1..2\n").replace(
            "    # plain: pass", "    # plain.speed: slow\n    # plain: pass")
        self.assert_green(judge(text))
        self.assertEqual(judge(text).facts, [("second", "device_reads", "read 4095 bytes, 5 tables from the pool")])

    def test_plan_of_parameters(self):
        """7.3 says how many there are, if it knows: kunit_run_param_test()."""
        text = KTAP.replace("        # Subtest: several\n", "        # Subtest: several\n        1..2\n")
        self.assert_green(judge(text))
        self.assert_red(judge(text.replace("        1..2", "        1..3")), "'several' has 2 of 3")
        self.assert_red(judge(text + "1..2\n"), "malformed")

    def test_failed_case(self):
        self.assert_red_without("    ok 1 plain", "first: not ok 1 plain", "    not ok 1 plain")
        self.assert_red_without("        ok 2 64K", "first.several: not ok 2 64K", "        not ok 2 64K")
        self.assert_red_without("ok 2 second", "'second' failed by itself", "not ok 2 second")
        self.assert_red_without("    ok 2 several", "'several' failed by itself", "    not ok 2 several")

    def test_skipped(self):
        self.assert_red_without("    ok 1 plain", "SKIP", "    ok 1 plain # SKIP no device")
        self.assert_red_without("    ok 1 plain", "SKIP", "    ok 1 plain  # SKIP no device")
        self.assert_red_without("        ok 2 64K granule", "SKIP", "        ok 2 64K granule # SKIP")
        self.assert_red_without("ok 2 second", "failed by itself", "ok 2 second # SKIP")

    def test_skipped_parameter_that_looks_passed(self):
        self.assert_red_without("# Totals: pass:3 fail:0 skip:0", "skip:1", "# Totals: pass:2 fail:0 skip:1")

    def test_no_tests(self):
        self.assert_red(judge(BOOT + "reboot: Restarting system\n"), "no tests ran")
        self.assert_red(judge("", expected={}), "no tests ran")
        self.assert_red(judge("KTAP version 1\n1..0\nreboot: Restarting system\n", expected={}), "there are no tests to run")

    def test_too_few_and_absent(self):
        self.assert_red(judge(KTAP, expected={"first": 4}), "3 cases passed, at least 4 expected")
        self.assert_red(judge(KTAP, expected={"third": 1}), "suite is absent")

    def test_cut_off_anywhere(self):
        lines = KTAP.splitlines(keepends=True)
        for end in range(len(lines)):
            self.assert_red(judge("".join(lines[:end]), expected={}), "cut off|no tests ran")

    def test_every_structural_line_is_needed(self):
        for number, line in enumerate(KTAP.splitlines(keepends=True)):
            if "pass:" not in line and "device_reads:" not in line:
                with self.subTest(line):
                    lines = KTAP.splitlines(keepends=True)
                    del lines[number]
                    self.assert_red(judge("".join(lines), expected={}), "malformed|cut off|no tests|KUnit counted")

    def test_missing_totals(self):
        self.assert_red_without("# Totals: pass:3 fail:0 skip:0 total:3\n", "no totals")

    def test_malformed(self):
        self.assert_red_without("    ok 2 several", "after the cases of 'several'", "    ok 2 other")
        self.assert_red_without("        ok 2 64K", "is number 2", "        ok 3 64K")
        self.assert_red_without("    1..2", "has 2 of 3", "    1..3")
        self.assert_red_without("    ok 2 several", "after the end|out of place|cut off", "ok 2 several")
        self.assert_red(judge(KTAP + KTAP), "out of place")
        self.assert_red(judge(KTAP + "ok 3 third\n"), "after the end")
        self.assert_red_without("        ok 1 4K granule, coherent\n        ok 2 64K granule\n", "ran no cases")

    def test_suite_that_could_not_start(self):
        self.assert_red(judge(KTAP.replace("1..2", "1..3", 1).replace("reboot", "not ok 3 third\nreboot")), "third.* no cases")

    def test_crash(self):
        oops = "Internal error: Oops: 0000000096000005\nKernel panic - not syncing: Oops: Fatal exception\n"
        text = KTAP[:KTAP.index("    ok 1 device")] + oops
        self.assert_red(judge(text), "cut off")
        self.assert_red(judge(text, expected={}), "kernel report: Internal error")

    def test_expected_report(self):
        wanted = "WARNING.*io-pgtable-arm.c"
        inside = KTAP.replace("    ok 1 device", WARN + "    ok 1 device")
        self.assert_green(judge(inside, report=wanted))
        self.assert_green(judge(UML_WARN + inside, "um", report="unaligned table"))
        self.assert_red(judge(KTAP, report=wanted), "0 reports seen")
        self.assert_red(judge(UML_WARN + KTAP, "um", report="WARNING"), "0 reports seen")
        self.assert_red(judge(inside, report="something else"), "exactly one")
        self.assert_red(judge(WARN + inside, report=wanted), "2 reports seen")
        twice = inside.replace("    ok 1 device", "BUG: sleeping function called\n    ok 1 device")
        self.assert_red(judge(twice, report=wanted), "2 reports")
        self.assert_red(judge(inside.replace("ok 1 device", "not ok 1 device"), report=wanted), "not ok 1")


FAKE_KUNIT = """\
import os, sys
directory = next(a.split("=", 1)[1] for a in sys.argv if a.startswith("--build_dir="))
if sys.argv[1] == "build":
    sys.exit(int(os.environ["BUILD_STATUS"]))
if os.environ.get("KTAP"):
    open(directory + "/test.log", "w").write(os.environ["KTAP"])
sys.exit(int(os.environ["EXEC_STATUS"]))
"""


class Boot(unittest.TestCase):
    """kernel.py's way from build to verdict, with a stand-in for the kernel's kunit.py."""

    def setUp(self):
        top = tempfile.TemporaryDirectory(prefix="harness-")
        self.addCleanup(top.cleanup)
        self.work = pathlib.Path(top.name)
        (self.work / "log").mkdir()
        (self.work / "kunit.py").write_text(FAKE_KUNIT)
        for name, value in (("WORK", str(self.work)), ("KUNIT", str(self.work / "kunit.py")), ("expected_suites", lambda build: EXPECTED)):
            patch = mock.patch.object(kernel, name, value)
            patch.start()
            self.addCleanup(patch.stop)

    def run_one(self, text=KTAP, build_status=0, exec_status=0, name="arm64"):
        environ = {"KTAP": text, "BUILD_STATUS": str(build_status), "EXEC_STATUS": str(exec_status)}
        with mock.patch.dict(os.environ, environ), open(os.devnull, "w", encoding="utf-8") as null, mock.patch.object(sys, "stdout", null):
            return kernel.counts(kernel.run_one(name, kernel.RUNS[name]))

    def test_good(self):
        self.assertEqual(self.run_one(), (4, 0))
        self.assertEqual((self.work / "log/arm64.log").read_text(), KTAP)

    def test_good_uml(self):
        linux = self.work / "build/uml/linux"
        linux.parent.mkdir(parents=True)
        linux.write_text('#!/bin/sh\ncase "$*" in *stats_enabled=2*) printf %s "$KTAP" ;; esac; exit $EXEC_STATUS\n')
        linux.chmod(0o755)
        self.assertEqual(self.run_one(name="uml"), (4, 0))
        self.assertEqual(self.run_one(name="uml"), (4, 0))
        self.assertEqual(self.run_one(name="uml", exec_status=1), (4, 1))
        self.assertEqual(self.run_one(name="uml", text=KTAP[:-20]), (4, 1))

    def test_fewer_cases_than_expected(self):
        with mock.patch.object(kernel, "expected_suites", lambda build: {**EXPECTED, "first": 4}):
            self.assertEqual(self.run_one(), (4, 1))

    def test_no_build(self):
        self.run_one()
        self.assertEqual(self.run_one(build_status=1), (0, 1))

    def test_log_of_the_run_before_is_not_judged(self):
        self.run_one()
        self.assertEqual(self.run_one(text=""), (0, 1))

    def test_kunit_py_is_not_content(self):
        self.assertEqual(self.run_one(exec_status=1), (4, 1))

    def test_leaks_are_looked_for(self):
        with mock.patch.object(kernel, "make_init", lambda directory: None):
            self.assertEqual(self.run_one(name="arm64-debug"), (4, 1))
            self.assertEqual(self.run_one(name="arm64-debug", text=KTAP.replace("reboot", "leak-scan: done\nreboot")), (4, 0))

    def test_symbols_are_added(self):
        (self.work / "kunit.py").write_text(FAKE_KUNIT.replace("import os, sys", "import os, sys; print(*sys.argv)"))
        self.run_one(name="arm64-64k")
        for log in ("arm64-64k.build.log", "arm64-64k.boot.log"):
            self.assertIn(" --kconfig_add=CONFIG_ARM64_4K_PAGES=n --kconfig_add=CONFIG_ARM64_64K_PAGES=y",
                          (self.work / "log" / log).read_text())

    def test_time_limit(self):
        end = 'sys.exit(int(os.environ["EXEC'
        (self.work / "kunit.py").write_text(FAKE_KUNIT.replace(end, "print('Command timed out after 1 seconds'); " + end))
        self.assertEqual(self.run_one(), (4, 1))

    def test_killed_build_starts_anew(self):
        self.run_one()
        half = self.work / "build/arm64/half.o"
        half.write_text("")
        self.run_one()
        self.assertTrue(half.exists())
        (self.work / "build/arm64.unfinished").write_text("")
        self.run_one()
        self.assertFalse(half.exists())


class Tables(unittest.TestCase):
    """tests/expected and tests/reports themselves."""

    def test_every_run_expects_something(self):
        with mock.patch.object(kernel, "K", "7.3"):     # which has all of them
            for name, run in kernel.RUNS.items():
                self.assertTrue(kernel.expected(run), name)
                self.assertGreater(min(kernel.expected(run).values()), 0, name)

    def test_every_kernel_in_the_table_is_one(self):
        builds = {run.suites or run.build for run in kernel.RUNS.values()}
        for suite, least, pattern, *others in kernel.read_table("expected"):
            self.assertTrue(fnmatch.filter(builds, pattern), suite)
            for build, _, other in (text.partition("=") for text in others):
                version, _, alone = build.rpartition(":") if build[0].isalpha() or ":" in build else (build, "", "")
                self.assertTrue(not alone or alone in fnmatch.filter(builds, pattern), suite)
                self.assertTrue(not version or os.path.isdir(f"{kernel.ROOT}/patches/linux-{version}.y"), suite)
                self.assertNotEqual(int(other), int(least), suite)

    def test_numbers_of_a_kernel(self):
        rows = [["first", "30", "*", "arm=22", "x86_64=21", "7.3=40", "7.3:arm=32"], ["hardware", "4", "arm64*", "arm64-64k=3", "6.1=0"]]
        with mock.patch.object(kernel, "read_table", lambda name: rows):
            for version, build, suites in (("6.12", "uml", {"first": 30}), ("6.12", "arm", {"first": 22}), ("6.1", "arm64", {"first": 30}),
                                           ("6.12", "arm64", {"first": 30, "hardware": 4}), ("7.3", "arm", {"first": 32}),
                                           ("7.3", "x86_64", {"first": 40}), ("6.12", "arm64-64k", {"first": 30, "hardware": 3})):
                with mock.patch.object(kernel, "K", version):
                    self.assertEqual(kernel.expected_suites(build), suites)

    def test_numbers_of_a_part(self):
        with mock.patch.object(kernel, "expected_suites", lambda build: {"first": 30, "second": 4}):
            for part, suites in (("", {"first": 30, "second": 4}), ("second", {"second": 4}), ("f*", {"first": 30}),
                                 ("first.case", {"first": 1}), ("new.case", {"new": 1}), ("f*.case", {})):
                self.assertEqual(kernel.expected(dataclasses.replace(kernel.RUNS["uml"], glob=part)), suites)

    def test_reports_name_a_case_and_a_pattern(self):
        for case, run in kernel.report_runs().items():
            self.assertRegex(case, r"^\w+\.\w+$")
            self.assertTrue(run.report)
        for case, builds, _ in kernel.read_table("reports", 3):
            self.assertIn(builds.partition("@")[0], kernel.REPORTS, case)
            for version in filter(None, builds.partition("@")[2].split(",")):
                self.assertTrue(os.path.isdir(f"{kernel.ROOT}/patches/linux-{version}.y"), case)

    def test_reports_of_a_version(self):
        rows = [["a.all", "uml", "x"], ["a.split", "uml@6.1,6.12", "old"], ["a.split", "uml@7.3", "new"], ["a.last", "arm64@7.3", "z"]]
        with mock.patch.object(kernel, "read_table", lambda name, columns: rows):
            for version, reports in (("6.1", {"a.all": "x", "a.split": "old"}), ("7.3", {"a.all": "x", "a.split": "new", "a.last": "z"})):
                with mock.patch.object(kernel, "K", version):
                    self.assertEqual({case: run.report for case, run in kernel.report_runs().items()}, reports)

    def test_a_line_is_all_that_a_report_needs(self):
        with mock.patch.object(kernel, "read_table", lambda name, columns: [["suite.case", "arm64", "a pattern of words"]]):
            self.assertEqual(make_test.reports(), {"report-suite.case": dataclasses.replace(
                kernel.REPORTS["arm64"], glob="suite.case", report="a pattern of words")})


class Test(unittest.TestCase):
    """make test, make matrix, and what they boot."""

    def test_unknown_run(self):
        result = subprocess.run([sys.executable, kernel.__file__, "nonsense"], capture_output=True, text=True, check=False)
        self.assertEqual(result.returncode, 1)
        self.assertIn("error: no run 'nonsense'", result.stderr)

    def test_progress_keeps_to_one_line_of_the_terminal(self):
        with mock.patch.dict(os.environ, COLUMNS="40"), contextlib.redirect_stdout(io.StringIO()) as out:
            out.isatty = lambda: True
            step.Progress("x" * 100).tick()
        self.assertEqual(out.getvalue(), 2 * ("\r" + "x" * 39))

    def test_no_job_without_its_guard(self):
        real, started = subprocess.Popen, []

        def popen(command, **options):
            if "guard" in command:
                time.sleep(0.5)
                raise OSError("no guard")
            started.append(real(command, **options))
            return started[0]
        with tempfile.TemporaryFile() as log, mock.patch.object(subprocess, "Popen", popen), self.assertRaisesRegex(OSError, "no guard"):
            step.start(["sh", "-c", "echo started"], log)
        started[0].stdin.close()
        self.assertNotEqual(started[0].wait(timeout=10), 0)

    def test_every_run_is_booted(self):
        parts = make_test.parts()
        self.assertEqual({*parts["test"], *parts["matrix"]}, {*kernel.RUNS, *make_test.reports()} - {"demo", "demo-panthor", "soak"})
        self.assertEqual(set(parts["test"]) & set(parts["matrix"]), set())
        self.assertLess(set(parts["short"]), set(parts["test"]))

    def test_harness_results(self):
        ran = "Ran 9 tests in 1.0s\n"
        for text, status, result in ((ran + "\nOK\n", 0, (9, 0)), ("FAIL: test_a\nERROR: test_b\n" + ran, 1, (7, 2)), (ran, 124, (9, 1)),
                                     ("ImportError\n", 1, (0, 1)), ("Ran 0 tests in 0.0s\n", 0, (0, 1))):
            def run(_label, log, _limit, _command):
                pathlib.Path(log).write_text(text)
                return status
            with tempfile.TemporaryDirectory() as work, mock.patch.object(kernel, "path", lambda *names: os.path.join(work, names[-1])), \
                    mock.patch.object(step, "run", run), contextlib.redirect_stdout(io.StringIO()) as out:
                self.assertEqual(make_test.harness(), result, text)
            self.assertEqual(out.getvalue().count("    harness: "), text.count(": test_"))

    def test_each_run_has_a_line(self):
        bad = ktap.Log(passed={"first": 2}, failed=["first: not ok 3 last"])
        with mock.patch.object(kernel, "K", "6.12"), \
                mock.patch.object(kernel, "run_one", lambda name, run: bad if name == "arm" else ktap.Log(passed={"first": 3})), \
                contextlib.redirect_stdout(io.StringIO()) as out:
            self.assertEqual(list(make_test.series(["arm64-64k", "arm"])), [(3, 0), (2, 1)])
        self.assertEqual(out.getvalue(), "Linux 6.12, arm64-64k: 3 passed, 0 failed\nLinux 6.12, arm: 2 passed, 1 failed\n")

    def test_what_cannot_be_written(self):
        result = subprocess.run([sys.executable, kernel.__file__, "uml"], env={**os.environ, "WORK": "/nowhere"},
                                capture_output=True, text=True, check=False)
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, "^error: .*/nowhere/log/uml.build.log'\n$")


class Explanation(unittest.TestCase):
    """A tool that fails is named, with the first error it printed."""

    def explained(self, stderr):
        with contextlib.redirect_stderr(io.StringIO()) as said:
            step.explain(subprocess.CalledProcessError, subprocess.CalledProcessError(1, ["cc", "a.c"], stderr=stderr), None)
        return said.getvalue()

    def test_first_error(self):
        said = "In file\na.h:5:1: fatal error: no b.h\n 5 | #include\ncompilation terminated.\n"
        self.assertEqual(self.explained(said), "error: cc a.c: a.h:5:1: fatal error: no b.h\n")

    def test_last_line_without_one(self):
        self.assertEqual(self.explained("one\ntwo\n"), "error: cc a.c: two\n")


if __name__ == "__main__":
    unittest.main()
