#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Boot an arm64 kernel with the series on a machine with an SMMUv3, and print what its tests saw a device do; then panthor's own
VM_BIND jobs on a GPU in memory, where the kernel has them."""
import sys

import kernel
import step


def facts(log, suite, start=""):
    """What the cases of a suite said of themselves."""
    for name, _, text in log.facts:
        if name == suite and text.startswith(start):
            print(f"  {text}")


def smmu():
    tree, log = kernel.path("tree"), kernel.run_one("demo", kernel.RUNS["demo"])
    print(f"\n{kernel.git(tree, 'log', '-1', '--format=%s', kernel.BASE)} for arm64 + "
          f"{kernel.git(tree, 'rev-list', '--count', kernel.BASE + '..HEAD')} patches, "
          "QEMU virt machine: SMMUv3, a PCI device (edu) doing DMA through it")
    facts(log, "arm_smmu_v3_pgtable")
    return kernel.counts(log)


def panthor():
    if not any(directory.endswith("/panthor") for directory in kernel.drivers(kernel.RUNS["demo-panthor"])):
        return 0, 0
    log = kernel.run_one("demo-panthor", kernel.RUNS["demo-panthor"])
    print("\ndrm/panthor on a GPU that the tests have in memory, its VM_BIND jobs through drm_sched")
    facts(log, "panthor_vm_bind", "bind of ")
    return kernel.counts(log)


def main():
    passed, failed = (sum(column) for column in zip(smmu(), panthor()))
    print(f"{'all of it held' if not failed else 'NOT all of it held'}: {passed} passed, {failed} failed "
          f"(kernel log: {kernel.shown(kernel.path('log', 'demo.log'))})")
    return failed > 0


if __name__ == "__main__":
    step.end_well()
    sys.exit(main())
