#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""What a page table costs: with the default allocator, a private kmem_cache, the pool, and without the series."""
import json
import os
import re
import shutil
import statistics
import subprocess
import sys

import ktap
import kernel
import step

TREE = kernel.path("bench-tree")     # the kernel without the series, and with it, plus tests/cost.c
OUT = kernel.path("bench")
ICOUNT = "--qemu_args=-icount shift=0,sleep=off -smp 1"
ARM64 = ["--arch=arm64", "--cross_compile=aarch64-linux-gnu-"]
BENCH = ["--kconfig_add=CONFIG_IOMMU_IO_PGTABLE_BENCH=y"]
UML = ["--arch=um", "--kconfig_add=CONFIG_PCI=y", "--kconfig_add=CONFIG_COMPILE_TEST=y"]
ALLOCATORS = ("default", "kmem_cache", "pool")
PATCHED = ("unpatched", "patched")
BOOTS = 11      # of each kernel whose figures are times
LIMIT = 600     # seconds for a boot
MOST = 5        # per mille that an operation of the default path may cost more with the series
# What the number beside a name counts
COUNTS = {"map": "bytes", "unmap": "bytes", "split": "bytes", "free": "bytes", "teardown": "bytes", "worst": "bytes", "two": "cpus"}
UNITS = {"reservation_bytes": "bytes", "reservation_tables": "tables", "worst_case": "tables"}
LINE = re.compile(r"(\w+) (\d+) (\w+) (\d+)$")


def checkout(commit):
    """A work tree of its own at a commit, with the code that measures."""
    kernel.checkout(TREE, commit)
    shutil.copyfile(kernel.ROOT + "/tests/cost.c", TREE + "/drivers/iommu/io-pgtable-cost.c")
    with open(TREE + "/drivers/iommu/Makefile", "a", encoding="utf-8") as makefile:
        makefile.write("obj-y += io-pgtable-cost.o\n")


def tidy():
    """Take the code that measures out again: a tree with edits looks like work that was forgotten."""
    kernel.git(TREE, "checkout", "--force", "HEAD")
    os.remove(TREE + "/drivers/iommu/io-pgtable-cost.c")


def run(tree, name, action, *args, label=""):
    log = kernel.path("log", f"bench-{name}.{action}.log")
    open(log, "w", encoding="utf-8").close()
    command = [sys.executable, tree + "/tools/testing/kunit/kunit.py", action, "--build_dir=" + kernel.path("build", "bench-" + name)]
    if step.run(f"{action} {name}{label}", kernel.shown(log), kernel.BUILD_LIMIT, command + list(args)):
        sys.exit(f"error: {step.full_disk(kernel.WORK)}{kernel.last_error(log)} ({kernel.shown(log)})")


def build(tree, name, *args):
    with kernel.building(kernel.path("build", "bench-" + name)):
        run(tree, name, "build", "--kunitconfig=" + kernel.config_path("configs/bench.config"), *args)


def read(log, arch):
    """The measurements in a log, by name, count and allocator."""
    with open(log, encoding="utf-8", errors="replace", newline="\n") as text:
        judged = ktap.judge(text.read(), arch, {})
    if judged.failed or judged.problems:
        sys.exit(f"error: {(judged.failed + judged.problems)[0]} ({kernel.shown(log)})")
    lines = filter(None, (LINE.match(text) for _, _, text in judged.facts))
    return {(match[1], int(match[2]), match[3]): int(match[4]) for match in lines}


def boot_arm64(tree, name, *args, label=""):
    run(tree, name, "exec", *ARM64, f"--timeout={LIMIT}", "--kernel_args=kunit.stats_enabled=2", *args, label=label)
    return read(kernel.path("build", "bench-" + name, "test.log"), "arm64")


def boot_uml(number):
    log = kernel.path("log", "bench-uml.log")
    kernel.start_over(log)
    command = [kernel.path("build", "bench-uml", "linux"), "mem=1G", "console=tty", "kunit_shutdown=halt", "kunit.enable=1",
               "kunit.stats_enabled=2", "kunit.filter_glob=io_pgtable_bench"]
    if step.run(f"boot uml, {number} of {BOOTS}", kernel.shown(log), LIMIT, command):
        sys.exit(f"error: UML failed ({kernel.shown(log)})")
    return read(log, "um")


def same_twice(boot):
    """Instructions do not vary; if they do, nothing that was counted is worth anything."""
    first, second = boot(", 1 of 2"), boot(", 2 of 2")
    differ = sorted(key for key in first if first[key] != second.get(key))
    if not first or differ:
        sys.exit(f"error: two runs counted different instructions: {differ[:5]}")
    return first


def median(boots):
    """The median of every figure, and how far apart the middle half of the boots was, in per cent of it."""
    middle, spread = {}, {}
    for key in boots[0]:
        low, middle[key], high = map(int, statistics.quantiles((boot[key] for boot in boots), method="inclusive"))
        spread[key] = round(100 * (high - low) / max(middle[key], 1))
    return middle, spread


def measures(figures, unit, allocators=ALLOCATORS, spread=None):
    """One entry per name and count, as bench.json has them."""
    entries = {}
    for (name, count, allocator), value in figures.items():
        kind = "tables" if name.endswith("reserved") else COUNTS.get(name.split("_")[0], "tables")
        entry = entries.setdefault((name, count), {
            "name": name, "unit": UNITS.get(name, unit), kind: count, "values": dict.fromkeys(allocators)})
        entry["values"][allocator] = value
        if spread:
            entry.setdefault("spread_percent", {})[allocator] = spread[name, count, allocator]
    return list(entries.values())


def default_path():
    """The path without an allocator, counted without and with the series."""
    figures = {}
    for name, commit in zip(PATCHED, (kernel.BASE, "HEAD")):
        checkout(commit)
        try:
            build(TREE, name, *ARM64)
        finally:
            tidy()
        for (what, size, _), value in boot_arm64(TREE, name, ICOUNT).items():
            figures[what, size, name] = value
    return measures(figures, "instructions", PATCHED)


def series():
    tree = kernel.path("tree")
    build(tree, "arm64", *ARM64, *BENCH)
    counted = same_twice(lambda label: boot_arm64(tree, "arm64", ICOUNT, "io_pgtable_bench", label=label))
    counted = {key: value for key, value in counted.items() if key[0] != "two_cpus"}
    cpus, spread = median([boot_arm64(tree, "arm64", "--qemu_args=-smp 2", "io_pgtable_bench.two_cpus", label=f", {i} of {BOOTS}")
                           for i in range(1, BOOTS + 1)])
    build(tree, "uml", *UML, *BENCH)
    times, uml_spread = median([boot_uml(i) for i in range(1, BOOTS + 1)])
    times = {key: value for key, value in times.items() if key[0] not in (*UNITS, "two_cpus")}
    return measures(counted, "instructions") + measures(cpus, "ns", spread=spread) + measures(times, "ns", spread=uml_spread)


def charged():
    """What it costs a process to charge a memory cgroup, in a kernel that has them."""
    symbols = "BLK_DEV_INITRD CGROUPS MEMCG PROC_FS DEBUG_FS FTRACE ENABLE_DEFAULT_TRACERS IOMMU_IO_PGTABLE_POOL_TESTDEV".split()
    run = kernel.Run("bench-guest", [*ARM64, ICOUNT], ["configs/bench.config"], LIMIT, leaks=True,
                     add=tuple(f"CONFIG_{name}=y" for name in symbols),
                     args=(*kernel.GUEST, "guest=1", "only=charge_costs_so_much", "noscan=1"))
    problems = kernel.build("bench-guest", run)
    if problems:
        sys.exit(f"error: {problems[0]}")

    def boot(_label):
        kernel.boot("bench-guest", run)
        return read(kernel.path("log", "bench-guest.log"), "arm64")
    return measures(same_twice(boot), "instructions")


def size(count):
    for unit, shift in (("G", 30), ("M", 20), ("K", 10)):
        if count >= 1 << shift:
            return f"{count >> shift} {unit}iB"
    return str(count)


def show(entry):
    values = entry["values"]
    what = size(entry["bytes"]) if "bytes" in entry else next(f"{entry[key]} {key}" for key in ("tables", "cpus") if key in entry)
    reference, ours = list(values.values())[-2:]
    ratio = f"{reference / ours:10.2f}" if reference and ours else " " * 10
    columns = [f"{'' if value is None else value:>12}" for value in values.values()]
    spread = entry.get("spread_percent")
    print(f"{entry['name']:42}{what:>14} {' '.join(columns)}{ratio}" + (f"   spread {max(spread.values())} %" if spread else ""))


def show_all(entries):
    titles = {"instructions": "instructions, arm64 under QEMU's -icount, two runs alike",
              "ns": f"nanoseconds, median of {BOOTS} boots, and spread of their middle half: UML, and two_cpus in QEMU (not -icount)"}
    for unit in ("instructions", "ns"):
        head = " ".join(f"{name:>12}" for name in (*ALLOCATORS, "kmem/pool"))
        print(f"\n{titles[unit]}\n{'':56} {head}")
        for entry in entries:
            if entry["unit"] == unit or unit == "instructions" and entry["unit"] in UNITS.values():
                if set(entry["values"]) == set(ALLOCATORS):
                    show(entry)
    print(f"\nthe default path, instructions\n{'':56} {' '.join(f'{name:>12}' for name in (*PATCHED, 'ratio'))}")
    for entry in entries:
        if set(entry["values"]) == set(PATCHED):
            show(entry)


def plot(entries):
    """The cost of a reservation over what it is for, and that of a job in its parts."""
    counted = [entry for entry in entries if entry["unit"] == "instructions"]
    tables = {entry["bytes"]: entry["values"]["pool"] for entry in entries if entry["name"] == "worst_case"}
    warm = {entry["tables"]: entry["values"] for entry in counted if entry["name"] == "reserve_return_warm"}
    cold = {entry["tables"]: entry["values"] for entry in counted if entry["name"] == "reserve_return_cold"}
    with open(OUT + "/reserve.dat", "w", encoding="utf-8") as data:
        for mapped, nr in sorted(tables.items()):
            data.write(f"{mapped} {warm[nr]['kmem_cache']} {warm[nr]['pool']} {cold[nr]['kmem_cache']} {cold[nr]['pool']}\n")
    parts = {entry["name"]: entry["values"] for entry in counted if entry["name"].startswith("job_")}
    with open(OUT + "/job.dat", "w", encoding="utf-8") as data:
        data.write("allocator " + " ".join(name[4:] for name in parts) + "\n")
        for allocator in ALLOCATORS:
            data.write(f'"{allocator}" ' + " ".join(str(values[allocator]) for values in parts.values()) + "\n")
    log = kernel.path("log", "bench-plot.log")
    command = ["gnuplot", kernel.ROOT + "/scripts/bench.gnuplot"]
    if subprocess.run(command, cwd=OUT, stderr=open(log, "w", encoding="utf-8"), check=False).returncode:
        sys.exit(f"error: {kernel.last_error(log)} ({kernel.shown(log)})")


def dearer(entries):
    """Operations of the default path that the series made dearer than it may."""
    return [entry["name"] for entry in entries if entry["name"].endswith("default_path")
            and entry["values"]["patched"] * 1000 > entry["values"]["unpatched"] * (1000 + MOST)]


def main():
    os.makedirs(OUT, exist_ok=True)
    entries = series() + charged() + default_path()
    with open(OUT + "/bench.json", "w", encoding="utf-8") as out:
        json.dump({"measures": entries}, out, indent=1)
    show_all(entries)
    plot(entries)
    print(f"\n{kernel.shown(OUT)}: bench.json, reserve.svg, job.svg")
    if dearer(entries):
        print("the series makes the default path dearer: " + " ".join(dearer(entries)))
    return bool(dearer(entries))


if __name__ == "__main__":
    step.end_well()
    sys.exit(main())
