#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""soak.py MINUTES: random steps against the model (io_pgtable_model) under KASAN on UML, boot after boot with new seeds."""
import dataclasses
import re
import sys
import time

import kernel
import step

STEPS = 10000   # for each geometry in a boot
RUN = kernel.RUNS["soak"]
DID = re.compile(r"seed -?\d+: (\d+) steps")


def one_boot(seed):
    """The judged log of one boot, and how many steps it took."""
    run = dataclasses.replace(RUN, args=(f"io_pgtable_model_test.seed={seed}", f"{kernel.STEPS}{STEPS}"))
    log = kernel.judge("soak", run, kernel.boot("soak", run))
    kernel.show("soak", log)
    return log, sum(int(match[1]) for match in (DID.match(text) for _, _, text in log.facts) if match)


def main(minutes):
    problems = kernel.build("soak", RUN)
    if problems:
        sys.exit(f"error: {problems[0]}")
    end = time.monotonic() + 60 * minutes
    seed, total, passed = int(time.time()) % 10 ** 6, 0, 0
    while True:
        log, steps = one_boot(seed)
        total += steps
        print(f"soak: seed {seed}, {steps} steps, {total} so far", flush=True)
        if log.failed or log.problems:
            print(f"{passed} passed, {kernel.counts(log)[1]} failed: {kernel.shown(kernel.path('log', 'soak.log'))}")
            return True
        passed += kernel.counts(log)[0]
        if time.monotonic() >= end:
            print(f"{total} steps\n{passed} passed, 0 failed")
            return False
        seed += 1


if __name__ == "__main__":
    step.end_well()
    if not re.fullmatch(r"\d+(\.\d+)?", sys.argv[1]):
        sys.exit(f"error: MINUTES={sys.argv[1]} is not a number of minutes")
    sys.exit(main(float(sys.argv[1])))
