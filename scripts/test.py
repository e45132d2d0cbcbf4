#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""test.py test: the series on one kernel in full: KUnit on UML, on arm64, under sanitizers, processes, and its reports.
test.py short: UML and arm64; test.py arm64: that. test.py matrix: the builds that "test" has not.
test.py harness: the tests of these scripts."""
import re
import sys

import kernel
import step

LIMIT = 1800    # seconds for the harness tests
# A process for each file of tests, the large ones first, each with a log of its own until it ends
TWO_AT_ONCE = """ls -S tests/test_*.py | xargs -n 1 -P 2 sh -c 'one="$0.${2##*/}"
"$1" -m unittest discover -v -s tests -p "${2##*/}" >"$one" 2>&1; status=$?; cat "$one"; rm "$one"; exit $status' "$0" "$1\""""
SHORT = ["uml", "arm64"]
FULL = [*SHORT, "arm64-debug", "guest"]
MATRIX = ["arm64-kcsan", "arm64-64k", "arm64-16k", "arm", "arm-lpae", "x86_64"]


def reports():
    return {"report-" + case: run for case, run in kernel.report_runs().items()}


def parts():
    return {"test": [*FULL, *reports()], "short": SHORT, "arm64": ["arm64"], "matrix": MATRIX}


def harness():
    """Run the tests of the harness; how many passed and failed."""
    log = kernel.path("log", "harness.log")
    open(log, "w", encoding="utf-8").close()
    status = step.run("harness tests", kernel.shown(log), LIMIT, ["sh", "-c", TWO_AT_ONCE, log, sys.executable])
    lines = kernel.tail(log, 100000)
    ran = sum(int(match[1]) for match in (re.match(r"Ran (\d+) test", line) for line in lines) if match)
    bad = [line for line in lines if re.match(r"(FAIL|ERROR): ", line)]
    print("".join(f"    harness: {line}\n" for line in bad), end="")
    return max(ran - len(bad), 0), max(len(bad), int(status != 0 or ran == 0))


def series(names):
    """Boot the kernels of these runs; how many cases passed and failed."""
    runs = {**kernel.RUNS, **reports()}
    for name in names:
        passed, failed = kernel.counts(kernel.run_one(name, runs[name]))
        print(f"Linux {kernel.K}, {name}: {passed} passed, {failed} failed", flush=True)
        yield passed, failed


if __name__ == "__main__":
    step.end_well()
    results = [harness()] if sys.argv[1] == "harness" else list(series(parts()[sys.argv[1]]))
    PASSED, FAILED = (sum(column) for column in zip(*results))
    print(f"{PASSED} passed, {FAILED} failed")
    sys.exit(FAILED > 0)
