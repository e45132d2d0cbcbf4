#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Break the series in many small ways (tests/mutants), build it, and see that a test notices each."""
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


class Misfit(Exception):
    """A mutant that is not for the code of this kernel."""


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
    try:
        with open(name, encoding="utf-8") as source:
            text = source.read()
    except FileNotFoundError as error:
        raise Misfit(f"{mutant.file} is not there") from error
    changed, count = re.subn("^" + re.escape(mutant.old), lambda _: mutant.new, text, flags=re.M)
    if count != 1:
        raise Misfit(f"its lines are in {mutant.file} {count} times")
    write(name, changed)
    return text


def write(name, text):
    with open(name, "w", encoding="utf-8") as source:
        source.write(text)


def broken(run):
    """The run of a kernel that is built from TREE."""
    return dataclasses.replace(run, build="mutants-" + run.build, limit=60)


UML = broken(dataclasses.replace(kernel.RUNS["uml"], args=()))


def verdict(run):
    """What is wrong with a boot of one suite or report case, or nothing."""
    status = kernel.boot("mutants", run)
    with open(kernel.path("log", "mutants.log"), encoding="utf-8", errors="replace", newline="\n") as log:
        judged = ktap.judge(log.read(), "um" if run.arch is kernel.UML else "arm64",
                            {run.glob.split(".")[0]: SUITES.get(run.glob, 1)}, run.report)
    wrong = judged.failed + judged.problems
    return wrong[0] if wrong else "the boot failed" if status else ""


def red_suite():
    """What the first suite that is red says, or nothing."""
    return next(filter(None, (verdict(dataclasses.replace(UML, glob=suite)) for suite in SUITES)), "")


def killed(mutant):
    """Why the tests are red with this mutant, or nothing."""
    reports = kernel.report_runs()
    if not set(mutant.cases) <= set(reports):
        raise Misfit("its report cases are not there")
    runs = [broken(reports[case]) for case in mutant.cases]
    text = mutate(mutant)
    try:
        if any(kernel.build("mutants", run) for run in {run.build: run for run in runs or [UML]}.values()):
            print(f"    it does not build: {kernel.last_error(kernel.path('log', 'mutants.build.log'))}")
            return ""
        if not runs:
            return red_suite()
        reasons = [verdict(run) for run in runs]
        return reasons[0] if all(reasons) else ""
    finally:
        write(os.path.join(TREE, mutant.file), text)


def main():
    with open(os.path.join(kernel.ROOT, "tests/mutants"), encoding="utf-8") as text:
        mutants = [mutant for mutant in read_mutants(text.read()) if not sys.argv[1:] or any(word in mutant.name for word in sys.argv[1:])]
    kernel.checkout(TREE, "HEAD")
    kernel.KUNIT = os.path.join(TREE, "tools/testing/kunit/kunit.py")
    problem = "; ".join(kernel.build("mutants", UML)) or red_suite()
    if problem:
        sys.exit(f"error: red without a mutant: {problem}")
    survived, misfits = 0, 0
    for number, mutant in enumerate(mutants, 1):
        try:
            reason = killed(mutant)
            survived += not reason
            end = f"killed: {mutant.name} ({reason})" if reason else f"SURVIVED: {mutant.name}"
        except Misfit as error:
            misfits += 1
            end = f"DOES NOT FIT {kernel.K}: {mutant.name} ({error})"
        print(f"{number}/{len(mutants)} {end}", flush=True)
    print(f"{len(mutants) - survived - misfits} killed, {survived} survived, {misfits} do not fit Linux {kernel.K}")
    return survived > 0


if __name__ == "__main__":
    step.end_well()
    sys.exit(main())
