#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Boot an arm64 kernel with the series on a machine with an SMMUv3, and print what its tests saw a device do."""
import sys

import kernel
import step

SUITE = "arm_smmu_v3_pgtable"


def main():
    tree, log = kernel.path("tree"), kernel.run_one("demo", kernel.RUNS["demo"])
    passed, failed = kernel.counts(log)
    print(f"\n{kernel.git(tree, 'log', '-1', '--format=%s', kernel.BASE)} for arm64 + "
          f"{kernel.git(tree, 'rev-list', '--count', kernel.BASE + '..HEAD')} patches, "
          "QEMU virt machine: SMMUv3, a PCI device (edu) doing DMA through it")
    for suite, _, text in log.facts:
        if suite == SUITE:
            print(f"  {text}")
    print(f"{'all of it held' if not failed else 'NOT all of it held'}: {passed} passed, {failed} failed "
          f"(kernel log: {kernel.shown(kernel.path('log', 'demo.log'))})")
    return failed > 0


if __name__ == "__main__":
    step.end_well()
    sys.exit(main())
