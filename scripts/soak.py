#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""soak.py MINUTES: random steps against the model (io_pgtable_model) under KASAN on UML, boot after boot with new seeds; then
processes on the pool, short of memory (the run guest), for as long."""
import dataclasses
import re
import sys
import time

import kernel
import step

STEPS = 10000   # for each geometry in a boot
RUN = kernel.RUNS["soak"]
GUEST = kernel.RUNS["guest"]
DID = re.compile(r"seed -?\d+: (\d+) steps")


def one_boot(seed):
    """The judged log of one boot, and how many steps it took."""
    run = dataclasses.replace(RUN, args=(f"io_pgtable_model_test.seed={seed}", f"{kernel.STEPS}{STEPS}"))
    log = kernel.judge("soak", run, kernel.boot("soak", run))
    kernel.show("soak", log)
    return log, sum(int(match[1]) for match in (DID.match(text) for _, _, text in log.facts) if match)


def model(minutes):
    """How many cases passed and failed."""
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
            return passed, kernel.counts(log)[1]
        passed += kernel.counts(log)[0]
        if time.monotonic() >= end:
            print(f"{total} steps", flush=True)
            return passed, 0
        seed += 1


def processes(minutes):
    """The same of the guest; failing allocations take half as long again."""
    seconds = round(60 * minutes)
    log = kernel.run_one("guest", dataclasses.replace(GUEST, args=(*GUEST.args, f"guest={seconds}"), limit=GUEST.limit + 2 * seconds))
    for _, case, fact in log.facts:
        print(f"guest: {case}: {fact}")
    return kernel.counts(log)


def main(minutes):
    """Whether something failed; what is red ends it."""
    total = 0
    for name, part in (("soak", model), ("guest", processes)):
        passed, failed = part(minutes)
        total += passed
        if failed:
            print(f"{total} passed, {failed} failed: {kernel.shown(kernel.path('log', name + '.log'))}")
            return True
    print(f"{total} passed, 0 failed")
    return False


if __name__ == "__main__":
    step.end_well()
    if not re.fullmatch(r"\d+(\.\d+)?", sys.argv[1]):
        sys.exit(f"error: MINUTES={sys.argv[1]} is not a number of minutes")
    sys.exit(main(float(sys.argv[1])))
