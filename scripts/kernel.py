#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""kernel.py RUN: build one KUnit kernel, boot it, judge its log. RUN is one of RUNS."""
import contextlib
import dataclasses
import fnmatch
import glob
import os
import shutil
import subprocess
import sys

import ktap
import step

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
K = os.environ.get("K") or "6.12"       # which kernel: lib.sh
WORK = os.path.join(ROOT, os.environ.get("WORK") or ".work/" + K)
BASE = os.environ.get("BASE") or "base/" + K
KUNIT = os.path.join(WORK, "tree/tools/testing/kunit/kunit.py")
BUILD_LIMIT = 3600      # seconds

IOMMU, SMMU = "drivers/iommu", "drivers/iommu/arm/arm-smmu-v3"
# Drivers with KUnit tests of their own, where the series has these for kernel K
DRIVERS = [f"drivers/gpu/drm/{name}" for name in ("panthor", "msm")]
UML = ["--arch=um"]
ARM64 = ["--arch=arm64", "--cross_compile=aarch64-linux-gnu-",
         "--qemu_args=-machine virt,iommu=smmuv3 -smp 2 -device edu,dma_mask=0xffffffffffff"]
ARM = ["--arch=arm", "--cross_compile=arm-linux-gnueabihf-"]
X86_64 = ["--arch=x86_64"]
# At random, for each geometry of the suite io_pgtable_model
STEPS = "io_pgtable_model_test.steps="
FEW = (STEPS + "300",)      # QEMU emulates
GUEST = ("kunit.enable=0", "printk.devkmsg=on")     # processes instead (scripts/guest.c)


@dataclasses.dataclass
class Run:
    """One boot: which kernel, with what configuration, which tests, how many seconds it may take."""
    build: str
    arch: list
    configs: list
    limit: int
    glob: str = ""
    args: tuple = ()
    add: tuple = ()         # symbols on top of configs
    report: str = ""
    leaks: bool = False     # let kmemleak scan after the tests
    drivers: bool = False   # with DRIVERS
    suites: str = ""        # whose suites in tests/expected, if not the build's


def page_size(size):
    return "CONFIG_ARM64_4K_PAGES=n", f"CONFIG_ARM64_{size}_PAGES=y"


RUNS = {
    "demo": Run("arm64", ARM64, [IOMMU, SMMU], 120, glob="arm_smmu_v3*", drivers=True),
    "demo-panthor": Run("arm64", ARM64, [IOMMU, SMMU], 300, glob="panthor*", drivers=True),
    "soak": Run("uml-kasan", UML, [IOMMU, "configs/uml-kasan.config"], 900, glob="io_pgtable_model"),
    "uml": Run("uml", UML, [IOMMU], 300, args=(STEPS + "5000",)),
    "arm64": Run("arm64", ARM64, [IOMMU, SMMU], 400, args=FEW, drivers=True),
    "arm64-debug": Run("arm64-debug", ARM64, [IOMMU, SMMU, "configs/debug.config"], 900, args=("page_poison=1", STEPS + "20"), leaks=True,
                       drivers=True),
    # Short of memory, without KUnit: processes, with SECONDS of memory pressure
    "guest": Run("arm64-debug", [*ARM64, "--qemu_args=-m 352"], [IOMMU, SMMU, "configs/debug.config"], 900, glob="io_pgtable_pool_guest",
                 args=(*GUEST, "page_poison=1", "guest=60"), leaks=True, drivers=True, suites="guest"),
    "arm64-kcsan": Run("arm64-kcsan", ARM64, [IOMMU, SMMU, "configs/kcsan.config"], 600, args=(STEPS + "20",)),
    # Not all CPUs have 16K pages; with 64K pages a block is 512 MiB.
    "arm64-16k": Run("arm64-16k", [*ARM64, "--qemu_args=-cpu neoverse-n1"], [IOMMU, SMMU], 400, args=FEW, add=page_size("16K")),
    "arm64-64k": Run("arm64-64k", [*ARM64, "--qemu_args=-m 2048"], [IOMMU, SMMU], 400, args=FEW, add=page_size("64K")),
    "arm": Run("arm", ARM, [IOMMU], 400, args=FEW),
    "arm-lpae": Run("arm-lpae", ARM, [IOMMU], 400, args=FEW, add=("CONFIG_ARM_LPAE=y",)),
    "x86_64": Run("x86_64", X86_64, [IOMMU], 400, args=FEW),
}


REPORTS = {
    # What is refused always must be so without the debug checks
    "uml": Run("uml-reports", UML, [IOMMU, "configs/reports.config"], 120, add=("CONFIG_IOMMU_IO_PGTABLE_LPAE_DEBUG=n",)),
    "guest": dataclasses.replace(RUNS["guest"], limit=300, args=(*GUEST, "guest=1", "only=exhausted_reservation_is_traced")),
    "arm64": Run("arm64-reports", ARM64, [IOMMU, SMMU, "configs/reports.config"], 120, add=("CONFIG_DEBUG_ATOMIC_SLEEP=y",)),
}


def read_table(name, columns=0):
    """The lines of a file in tests/, without comments, split into columns."""
    with open(os.path.join(ROOT, "tests", name), encoding="utf-8") as table:
        return [line.split(None, columns - 1) for line in map(str.strip, table) if line and not line.startswith("#")]


def expected_suites(build):
    """The suites in this build of kernel K, and how many cases of each must pass at least."""
    suites = {}
    for suite, least, builds, *others in read_table("expected"):
        others = dict(other.split("=") for other in others)
        if fnmatch.fnmatchcase(build, builds):
            suites[suite] = int(next((others[key] for key in (f"{K}:{build}", K, build) if key in others), least))
    return {suite: least for suite, least in suites.items() if least}


def expected(run):
    """The same for a run: of the suites that its glob names, or of one case, itself."""
    suite, _, case = run.glob.partition(".")
    if case:
        return {suite: 1} if suite.isidentifier() else {}
    return {name: least for name, least in expected_suites(run.suites or run.build).items() if fnmatch.fnmatchcase(name, suite or "*")}


def report_runs():
    """A boot of its own for each case that must provoke a kernel report on kernel K."""
    runs = {}
    for case, builds, report in read_table("reports", 3):
        build, _, kernels = builds.partition("@")
        if not kernels or K in kernels.split(","):
            runs[case] = dataclasses.replace(REPORTS[build], glob=case, report=report)
    return runs


def path(*names):
    return os.path.join(WORK, *names)


def shown(name):
    """A file's name as the user would type it."""
    return os.path.relpath(name)


def git(directory, *args):
    return subprocess.run(["git", "-C", directory, *args], check=True, capture_output=True, text=True).stdout.strip()


def is_worktree(directory):
    return subprocess.run(["git", "-C", directory, "rev-parse", "-q", "--verify", "HEAD"], capture_output=True, check=False).returncode == 0


def checkout(directory, commit):
    """A work tree of its own at a commit, whatever a killed run left there. Only files that differ are written."""
    commit = git(path("tree"), "rev-parse", commit)
    if not is_worktree(directory):
        shutil.rmtree(directory, ignore_errors=True)
        git(path("tree"), "worktree", "prune")
        git(path("tree"), "worktree", "add", "-f", "-f", "--no-checkout", "--detach", directory, commit)
    for lock in glob.glob(git(directory, "rev-parse", "--absolute-git-dir") + "/*.lock"):
        os.remove(lock)
    git(directory, "checkout", "--force", "--detach", commit)


def config_path(config):
    return os.path.join(ROOT, config) if config.startswith("configs/") else config


def drivers(run):
    """Those whose tests the tree has."""
    return [directory for directory in DRIVERS if run.drivers and os.path.exists(path("tree", directory, ".kunitconfig"))]


def kunit(run, action):
    add = [*run.add, *[f'CONFIG_INITRAMFS_SOURCE="{path("build", run.build, "init.list")}"'] * run.leaks]
    return [sys.executable, KUNIT, action, "--build_dir=" + path("build", run.build), *run.arch,
            *("--kunitconfig=" + config_path(config) for config in run.configs + drivers(run)),
            *("--kconfig_add=" + symbol for symbol in add)]


def make_init(directory):
    """The init that runs processes and lets kmemleak scan, and the list that builds it into the kernel."""
    source, init = os.path.join(ROOT, "scripts/guest.c"), os.path.join(directory, "guest")
    if os.path.exists(init) and os.path.getmtime(init) > max(map(os.path.getmtime, (source, source[:-1] + "h"))):
        return
    with open(os.path.join(directory, "init.list"), "w", encoding="utf-8") as files:
        files.write("".join(f"dir /{name} 0755 0 0\n" for name in ("cgroup", "debug", "dev", "proc", "tracing")))
        files.write(f"nod /dev/console 0600 0 0 c 5 1\nnod /dev/kmsg 0600 0 0 c 1 11\nfile /init {init} 0755 0 0\n")
    subprocess.run(["aarch64-linux-gnu-gcc", "-Os", "-static", "-nostdlib", "-include", path("tree/tools/include/nolibc/nolibc.h"),
                    "-o", init, source, "-lgcc"], check=True, capture_output=True, text=True)


def copy_uml(directory):
    """The kernel for the reports differs from the UML one by few symbols: start from that build."""
    if not os.path.isdir(directory) and os.path.isdir(path("build", "uml")):
        shutil.rmtree(directory + ".new", ignore_errors=True)
        shutil.copytree(path("build", "uml"), directory + ".new", symlinks=True)
        os.rename(directory + ".new", directory)


@contextlib.contextmanager
def building(directory):
    """While a build runs in directory it is marked. One that was killed may hold half-written files: it starts anew."""
    mark = directory + ".unfinished"
    if os.path.exists(mark):
        shutil.rmtree(directory, ignore_errors=True)
    os.makedirs(os.path.dirname(directory), exist_ok=True)
    open(mark, "w", encoding="utf-8").close()
    try:
        yield
    finally:
        os.remove(mark)


def prepare(run):
    directory = path("build", run.build)
    if run.build == "uml-reports":
        copy_uml(directory)
    os.makedirs(directory, exist_ok=True)
    if run.leaks:
        make_init(directory)


def build(name, run):
    """Build the kernel; what is wrong, or nothing."""
    log = path("log", name + ".build.log")
    open(log, "w", encoding="utf-8").close()
    with building(path("build", run.build)):
        prepare(run)
        status = step.run(f"build {run.build}", shown(log), BUILD_LIMIT, kunit(run, "build"))
    if status:
        return [f"no kernel: {step.full_disk(WORK)}{last_error(log)} ({shown(log)})"]
    return []


def last_error(log):
    lines = tail(log, 200)
    return next((line for line in lines if " error: " in line), lines[-1] if lines else "no output")


def tail(name, count):
    with open(name, encoding="utf-8", errors="replace") as log:
        return [line.rstrip() for line in log.readlines() if line.strip()][-count:]


def start_over(name):
    """Put an old log aside: it must not be taken for that of a kernel which said nothing."""
    if os.path.exists(name):
        os.replace(name, name + ".old")


def boot(name, run):
    """Boot the kernel, with its raw log in log/NAME.log; its exit status."""
    log = path("log", name + ".log")
    start_over(log)
    args = ["panic=-1", "oops=panic", "kunit.stats_enabled=2", *run.args]
    return (boot_uml if run.arch is UML else boot_qemu)(name, run, args, log)


def boot_uml(name, run, args, log):
    """Not by kunit.py: UML drops lines when they are not taken from a pipe fast enough, a file takes them all."""
    command = [path("build", run.build, "linux"), "mem=1G", "console=tty", "kunit_shutdown=halt", "kunit.enable=1", *args]
    return step.run(f"boot {name}", shown(log), run.limit, command + [f"kunit.filter_glob={run.glob}"] * bool(run.glob))


def kernel_args(run, args):
    """kunit.py always lets the tests end in a reboot; before a scan for leaks they must not."""
    if run.leaks:
        return [f"--qemu_args=-append 'kunit.enable=1 {' '.join(args)} console=ttyAMA0'"]
    return [f"--kernel_args={arg}" for arg in args]


def boot_qemu(name, run, args, log):
    raw, boot_log = path("build", run.build, "test.log"), path("log", name + ".boot.log")
    start_over(raw)
    start_over(boot_log)
    status = step.run(f"boot {name}", shown(boot_log), run.limit + 60, kunit(run, "exec") + [
        f"--timeout={run.limit}", *kernel_args(run, args)] + [run.glob] * bool(run.glob))
    if os.path.exists(raw):
        shutil.copyfile(raw, log)
    return 124 if any("timed out after" in line for line in tail(boot_log, 50)) else status


def judge(name, run, status):
    raw = path("log", name + ".log")
    if not os.path.exists(raw):
        return ktap.Log(problems=[f"the kernel did not start ({shown(path('log', name + '.boot.log'))})"])
    with open(raw, encoding="utf-8", errors="replace", newline="\n") as log:
        text = log.read()
    log = ktap.judge(text, "um" if run.arch is UML else "arm64", expected(run), run.report)
    if run.leaks and "leak-scan: done" not in text:
        log.problems.append("kmemleak did not scan")
    if status == 124:
        log.problems.append(f"stopped at its time limit of {run.limit} s")
    elif status and not log.failed and not log.problems:
        log.problems.append(f"the tests look good, but the boot ended with status {status}")
    return log


def show(name, log):
    """What is wrong, and where a kernel stopped that did not come to its end."""
    for text in (log.failed + log.problems)[:20]:
        print(f"    {name}: {text}")
    raw = path("log", name + ".log")
    if any("cut off" in text or "no tests ran" in text for text in log.problems):
        print(f"    {name}: the last lines of {shown(raw)}:")
        print("".join(f"        {line}\n" for line in tail(raw, 12)), end="")


def run_one(name, run):
    """Build, boot, judge, and say what is wrong; the judged log."""
    problems = build(name, run)
    log = ktap.Log(problems=problems) if problems else judge(name, run, boot(name, run))
    show(name, log)
    return log


def counts(log):
    """Passed and failed cases; a boot that is wrong for another reason counts as one more failed."""
    return sum(log.passed.values()), len(log.failed) + bool(log.problems)


if __name__ == "__main__":
    step.end_well()
    if sys.argv[1:] and sys.argv[1] not in RUNS:
        sys.exit(f"error: no run '{sys.argv[1]}', there are: {' '.join(RUNS)}")
    PASSED, FAILED = counts(run_one(sys.argv[1], RUNS[sys.argv[1]]))
    print(f"{PASSED} passed, {FAILED} failed")
    sys.exit(FAILED > 0)
