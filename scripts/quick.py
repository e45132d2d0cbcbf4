#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""quick.py [GLOB]: KUnit on UML, all of it or what GLOB names (suite or suite.case); cases of tests/reports on their kernel."""
import dataclasses
import re
import sys

import kernel
import ktap
import step

STEPS = 1000    # at random, for each geometry: a fifth of those of make test


def boots(glob):
    """The runs to boot, by name."""
    reports = {f"report-{case}": run for case, run in kernel.report_runs().items() if glob in (case, case.split(".")[0])}
    return reports or {"quick": dataclasses.replace(kernel.RUNS["uml"], glob=glob, args=(f"{kernel.STEPS}{STEPS}",))}


def build(runs):
    """Each kernel once."""
    for run in {run.build: run for run in runs}.values():
        problems = kernel.build(run.build, run)
        if problems:
            sys.exit(f"error: {problems[0]}")


def one_boot(name, run):
    """How many cases passed and failed."""
    log = kernel.judge(name, run, kernel.boot(name, run))
    if run.glob and ktap.NOTHING in log.problems:
        sys.exit(f"error: T={run.glob} matches no suite or case of the kernel {run.build}")
    kernel.show(name, log)
    passed, failed = kernel.counts(log)
    if failed:
        print(f"    {name}: logs are {kernel.shown(kernel.path('log', name))}.*")
    return passed, failed


def main(glob):
    runs = boots(glob)
    build(runs.values())
    passed, failed = map(sum, zip(*(one_boot(name, run) for name, run in runs.items())))
    print(f"{passed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    step.end_well()
    if not re.fullmatch(r"([\w*?-]+(\.[\w*?-]+)?)?", sys.argv[1]):
        sys.exit(f"error: T={sys.argv[1]} is not a suite or suite.case")
    sys.exit(main(sys.argv[1]))
