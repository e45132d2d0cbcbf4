# SPDX-License-Identifier: GPL-2.0-only
"""Judge the raw log of a kernel that ran KUnit tests at boot.

The kernel's kunit.py is not enough: it is content with a kernel that warned, with tests that were skipped, with suites
that are not there. So everything that is not known to be good is a problem here.
"""
import dataclasses
import re

PREFIX = re.compile(r"^(\[ *\d+\.\d+\](\[ *[TC]\d+\])? )?")
VERSION = re.compile(r"^( *)KTAP version 1$")
PLAN = re.compile(r"^( *)1\.\.(\d+)$")
SUBTEST = re.compile(r"^( *)# Subtest: (\S+)$")
RESULT = re.compile(r"^( *)(ok|not ok) (\d+) (?:- )?(.*?)\s*(# SKIP.*)?$")
TOTALS = re.compile(r"^# Totals: pass:(\d+) fail:(\d+) skip:(\d+) total:(\d+)$")
# What a case says; since 6.6 a suite says its attributes in the same way.
DIAGNOSTIC = re.compile(r"^    # (?!module: |speed: |is_init: )(\w+): (?!pass:\d+ fail:)(.*)$")
END = re.compile(r"^reboot: ")

# The first line, or the telling one, of what a kernel says when something is wrong.
HEADLINE = re.compile("|".join((
    r"WARNING:", r"\bBUG[: ]", r"\bOops\b", r"Kernel panic", r"Kernel mode (fault|signal)", r"Internal error:",
    r"Unable to handle kernel", r"general protection fault", r"\bSError\b", r"K[A-Z]*SAN:", r"UBSAN:", r"KFENCE:",
    r"possible (circular|recursive) locking", r"possible irq lock inversion", r"inconsistent lock state",
    r"irq-(safe|unsafe) -> ", r"Invalid wait context", r"bad (unlock|contended lock)", r"held lock freed",
    r"locks? still held", r"DEBUG_LOCKS_WARN_ON", r"suspicious RCU usage", r"INFO: (task|rcu|lockdep|trying)",
    r"[Ss]leeping function called", r"rcu.*\bstall", r"soft lockup", r"nobody cared", r"refcount_t:", r"ODEBUG:",
    r"list_(add|del).*corruption", r"pagealloc:", r"page dumped because", r"Bad page", r"unreferenced object",
    r"kmemleak: (\d+ new suspected|.*disabled|.*empty|Cannot)", r"messages dropped", r"locking correctness validator",
    r"DMA-API: (?!preallocated|debugging enabled)")))
# Lines that only a report has; with no headline they are a report of an unknown kind.
SIGN = re.compile(r" cut here |Call trace:|Call Trace:|stack backtrace:|end trace")
# kunit.py's own UML configuration of 6.1 and 6.12 enables PCI without a device: the one report that is always there
# (7.3's does not). A kernel with lockdep does not know the name of an init function.
KNOWN = re.compile(r"^WARNING: CPU: \d+ PID: 1 at arch/um/drivers/virt-pci\.c:\d+ (um_pci_init\+\S+|0x[0-9a-f]+)$", re.M)
KNOWN_TEXT = "No virtio device ID configured for PCI - no PCI support"


# What is wrong when the kernel came to its tests and had none.
NOTHING = "there are no tests to run"


@dataclasses.dataclass
class Group:
    """The results between a KTAP header and the result line that sums them up."""
    name: str = ""
    plan: int = -1
    results: int = 0
    failed: int = 0


@dataclasses.dataclass
class Log:
    """What a log holds: per suite the number of leaf cases, and what was wrong."""
    passed: dict = dataclasses.field(default_factory=dict)
    failed: list = dataclasses.field(default_factory=list)
    totals: dict = dataclasses.field(default_factory=dict)
    facts: list = dataclasses.field(default_factory=list)
    problems: list = dataclasses.field(default_factory=list)
    reports: list = dataclasses.field(default_factory=list)


class Parser:
    """KTAP as the kernel prints it: suites, their cases, and the parameters of a case, 4 columns deeper each."""

    def __init__(self):
        self.log, self.groups, self.ended, self.done = Log(), [], False, False

    def line(self, text):
        for pattern, action in ((VERSION, self.version), (PLAN, self.plan), (SUBTEST, self.subtest), (RESULT, self.result)):
            match = pattern.match(text)
            if match:
                if self.done:
                    self.problem(f"'{text.strip()}' after the end")
                action(len(match[1]) // 4, match)
                return
        self.other(text)

    def problem(self, text):
        self.log.problems.append(f"malformed log: {text}")

    def version(self, depth, match):
        if depth != len(self.groups):
            self.problem(f"'{match[0].strip()}' out of place")
        del self.groups[depth:]
        self.groups.extend(Group() for _ in range(depth + 1 - len(self.groups)))

    def innermost(self, depth, match):
        """The open group at depth, if that is where the match may stand."""
        if depth != len(self.groups) - 1:
            self.problem(f"'{match[0].strip()}' out of place")
            return Group()
        return self.groups[depth]

    def plan(self, depth, match):
        group = self.innermost(depth, match)
        if group.plan >= 0 or group.results:
            self.problem(f"second plan '{match[0].strip()}'")
        group.plan = int(match[2])

    def subtest(self, depth, match):
        group = self.innermost(depth, match)
        if group.name:
            self.problem(f"'{match[2]}' inside '{group.name}'")
        group.name = match[2]

    def result(self, depth, match):
        name, ok = match[4], match[2] == "ok" and not match[5]
        child = self.groups.pop() if len(self.groups) == depth + 2 else None
        group = self.innermost(depth, match)
        group.results += 1
        group.failed += not ok
        if int(match[3]) != group.results:
            self.problem(f"result {match[3]} of '{name}' is number {group.results}")
        if child:
            self.close(child, name, ok, plan_needed=depth == 0)
        elif depth == 0:
            self.problem(f"suite '{name}' has no cases")
        else:
            self.leaf(name, ok, match[0].strip())
        if depth == 0:
            self.ended = group.results == group.plan

    def leaf(self, name, ok, text):
        suite = self.groups[1].name if len(self.groups) > 1 else ""
        self.log.passed.setdefault(suite, 0)
        if ok:
            self.log.passed[suite] += 1
        else:
            self.log.failed.append(".".join(g.name for g in self.groups[1:] if g.name) + f": {text}")

    def close(self, child, name, ok, plan_needed):
        """A suite or a case with parameters: its result must agree with those inside."""
        if child.name != name:
            self.problem(f"result of '{name}' after the cases of '{child.name}'")
        if child.plan != child.results and (plan_needed or child.plan >= 0):
            self.problem(f"'{name}' has {child.results} of {child.plan} results")
        if child.results == 0:
            self.problem(f"'{name}' ran no cases")
        if ok != (child.failed == 0):
            self.log.problems.append(f"'{name}' failed by itself" if not ok else f"'{name}' is ok with failed cases")

    def other(self, text):
        match = TOTALS.match(text)
        if match and len(self.groups) == 2:
            self.log.totals[self.groups[1].name] = tuple(map(int, match.groups()))
        match = DIAGNOSTIC.match(text)
        if match and len(self.groups) > 1:
            self.log.facts.append((self.groups[1].name, match[1], match[2]))
        if END.match(text) and self.ended:
            self.done = True

    def end(self):
        if not self.groups:
            self.log.problems.append("no tests ran")
        elif self.groups[0].plan == 0:
            self.log.problems.append(NOTHING)
        elif not self.done:
            self.log.problems.append("the log is cut off: not all planned suites ended, or the kernel did not shut down")
        for suite, passed in self.log.passed.items():
            self.check_totals(suite, passed)
        return self.log

    def check_totals(self, suite, passed):
        """KUnit's own sums see what its result lines hide: a skipped parameter is printed as ok."""
        failed = sum(text.startswith((suite + ".", suite + ":")) for text in self.log.failed)
        if suite not in self.log.totals:
            self.problem(f"no totals for suite '{suite}'")
        elif not failed and self.log.totals[suite] != (passed, 0, 0, passed):
            self.log.problems.append("suite '%s': KUnit counted pass:%d fail:%d skip:%d total:%d" % (suite, *self.log.totals[suite]))


def find_reports(lines):
    """Kernel reports, each as its text: from the first line that shows one to its end or the next KTAP line."""
    reports, block, headed = [], None, False
    for line in lines:
        headline = bool(HEADLINE.search(line))
        if RESULT.match(line) or VERSION.match(line):
            block = None
        if (headline or SIGN.search(line)) and (block is None or headline and headed):
            block, headed = [], False
            reports.append(block)
        headed |= headline
        if block is not None:
            block.append(line)
            if "---[ end trace" in line:
                block = None
    return ["\n".join(block) for block in reports]


def drop_known(reports, arch):
    for report in reports:
        if arch == "um" and KNOWN.search(report) and KNOWN_TEXT in report:
            reports.remove(report)
            break
    return reports


def parse(text, arch):
    lines = [PREFIX.sub("", line.rstrip("\r"), count=1) for line in text.split("\n")]
    parser = Parser()
    for line in lines:
        parser.line(line)
    log = parser.end()
    log.reports = drop_known(find_reports(lines), arch)
    return log


def headline(report):
    lines = report.split("\n")
    return next((line for line in lines if HEADLINE.search(line)), lines[0])


def judge(text, arch, expected, report=None):
    """The log with everything that is wrong in its problems; report: the pattern of the one that must be there."""
    log = parse(text, arch)
    for suite, least in expected.items():
        if log.passed.get(suite, 0) < least:
            absent = "" if suite in log.passed else " (the suite is absent)"
            log.problems.append(f"suite '{suite}': {log.passed.get(suite, 0)} cases passed, at least {least} expected{absent}")
    if report and len(log.reports) == 1 and re.search(report, log.reports[0]):
        log.reports = []
    elif report:
        log.problems.append(f"exactly one kernel report matching '{report}' expected, {len(log.reports)} reports seen")
    log.problems += [f"kernel report: {headline(report)}" for report in log.reports]
    return log
