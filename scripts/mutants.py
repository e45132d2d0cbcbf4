#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Break the series in many small ways (tests/mutants), build it on UML, and see that a test notices each."""
import dataclasses
import os
import re
import sys

import ktap
import kernel
import step

TREE = kernel.path("mutants-tree")
SUITES = kernel.expected_suites("uml")


@dataclasses.dataclass
class Mutant:
    """Lines of a file and what stands there instead; cases: boots that must all go red; if none, a suite must."""
    name: str
    file: str
    cases: list
    old: str = ""
    new: str = ""


def read_mutants(text):
    """Blocks of "@@ FILE: NAME [CASE...]" and lines as in a diff."""
    mutants = []
    for line in text.split("\n"):
        if line.startswith("@@ "):
            file, _, name = line[3:].partition(": ")
            name, _, cases = name.partition(" [")
            mutants.append(Mutant(name, file, cases.rstrip("]").split()))
        elif line[:1] in (" ", "-", "+") and line:
            mutants[-1].old += line[1:] + "\n" if line[0] != "+" else ""
            mutants[-1].new += line[1:] + "\n" if line[0] != "-" else ""
    return mutants


def mutate(mutant):
    """Change the file; what it was."""
    name = os.path.join(TREE, mutant.file)
    with open(name, encoding="utf-8") as source:
        text = source.read()
    changed, count = re.subn("^" + re.escape(mutant.old), lambda _: mutant.new, text, flags=re.M)
    if count != 1:
        sys.exit(f"error: tests/mutants: '{mutant.name}' does not fit {mutant.file}: its lines are there {count} times")
    write(name, changed)
    return text


def write(name, text):
    with open(name, "w", encoding="utf-8") as source:
        source.write(text)


BOOT = dataclasses.replace(kernel.REPORTS["uml"], build="mutants", limit=60)


def verdict(glob, report=""):
    """What is wrong with a boot of one suite or report case, or nothing."""
    status = kernel.boot("mutants", dataclasses.replace(BOOT, glob=glob))
    with open(kernel.path("log", "mutants.log"), encoding="utf-8", errors="replace", newline="\n") as log:
        judged = ktap.judge(log.read(), "um", {glob.split(".")[0]: SUITES.get(glob, 1)}, report)
    wrong = judged.failed + judged.problems
    return wrong[0] if wrong else "the boot failed" if status else ""


def red_suite():
    """What the first suite that is red says, or nothing."""
    return next(filter(None, map(verdict, SUITES)), "")


def killed(mutant):
    """Why the tests are red with this mutant, or nothing."""
    text = mutate(mutant)
    try:
        if kernel.build("mutants", BOOT):
            print(f"    it does not build: {kernel.last_error(kernel.path('log', 'mutants.build.log'))}")
            return ""
        if not mutant.cases:
            return red_suite()
        reports = kernel.report_runs()
        reasons = [verdict(case, reports[case].report) for case in mutant.cases]
        return reasons[0] if all(reasons) else ""
    finally:
        write(os.path.join(TREE, mutant.file), text)


def main():
    with open(os.path.join(kernel.ROOT, "tests/mutants"), encoding="utf-8") as text:
        mutants = [mutant for mutant in read_mutants(text.read()) if not sys.argv[1:] or any(word in mutant.name for word in sys.argv[1:])]
    kernel.checkout(TREE, "HEAD")
    kernel.KUNIT = os.path.join(TREE, "tools/testing/kunit/kunit.py")
    problem = "; ".join(kernel.build("mutants", BOOT)) or red_suite()
    if problem:
        sys.exit(f"error: red without a mutant: {problem}")
    survived = 0
    for number, mutant in enumerate(mutants, 1):
        reason = killed(mutant)
        survived += not reason
        end = f"killed: {mutant.name} ({reason})" if reason else f"SURVIVED: {mutant.name}"
        print(f"{number}/{len(mutants)} {end}", flush=True)
    print(f"{len(mutants) - survived} killed, {survived} survived")
    return survived > 0


if __name__ == "__main__":
    step.end_well()
    sys.exit(main())
