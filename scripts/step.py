#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""step.py LABEL LOG SECONDS COMMAND...: run one long step, its output in LOG, at most SECONDS long.

Says what runs and how long it took. Nothing that COMMAND started outlives it, however this ends.
"""
import os
import shutil
import signal
import subprocess
import sys
import time

EVERY = 60      # seconds between "so far" lines where there is no terminal
GRACE = 5       # seconds that a stopped job has to remove what it has half written


# What the guard does: process group $1 has $2 tenths of a second to end; whom nobody waits for has ended, too
KILL = """read x; kill -TERM -$1; n=$2
while [ $n -gt 0 ] && grep -qs ") [^ZX] [0-9]* $1 " /proc/[0-9]*/stat; do sleep 0.1; n=$((n - 1)); done
kill -KILL -$1"""


class Progress:
    """One line per step: updated in place on a terminal, plain lines elsewhere."""

    def __init__(self, label):
        self.label, self.start, self.said = label, time.monotonic(), 0.0
        self.tty = sys.stdout.isatty()
        self.tick()

    def seconds(self):
        return time.monotonic() - self.start

    def tick(self):
        if self.tty:
            line = f"{self.label} ... {self.seconds():.0f} s"
            print("\r" + line[:shutil.get_terminal_size().columns - 1], end="", flush=True)
        elif self.seconds() >= self.said + EVERY:
            self.said = self.seconds()
            print(f"{self.label} ... {self.said:.0f} s so far", flush=True)

    def done(self, text):
        print("\r\033[K" * self.tty + f"{self.label}: {text}, {self.seconds():.0f} s", flush=True)


def lock():
    """The lock of this run (lib.sh), which must not be released before the last of its processes is gone."""
    return [9] if os.path.realpath("/proc/self/fd/9").endswith("/lock") else []


def start(command, log):
    """Start command in a process group of its own, with a guard that kills the group when we are gone.

    The command waits until its guard is there: without us it is never started."""
    job = subprocess.Popen(["sh", "-c", 'read go && exec "$@" </dev/null', "job", *command], stdin=subprocess.PIPE, stdout=log,
                           stderr=subprocess.STDOUT, start_new_session=True)
    guard = subprocess.Popen(["sh", "-c", KILL, "guard", str(job.pid), str(10 * GRACE)], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL, start_new_session=True, pass_fds=lock())
    job.stdin.write(b"\n")
    job.stdin.close()
    return job, guard


def stop(job, guard):
    """Kill what is left of the job, by the guard, which sees that we are gone."""
    guard.stdin.close()
    guard.wait()
    job.poll()


def wait(job, seconds, progress):
    """The job's exit status, or None when it took longer than it may."""
    while progress.seconds() < seconds:
        try:
            return job.wait(timeout=1)
        except subprocess.TimeoutExpired:
            progress.tick()
    return None


def run(label, log_name, seconds, command):
    """Run command; its exit status, 124 when it was stopped at the time limit."""
    progress = Progress(label)
    with open(log_name, "ab") as log:
        job, guard = start(command, log)
        try:
            status = wait(job, seconds, progress)
        finally:
            stop(job, guard)
    if status is None:
        progress.done(f"stopped at its time limit, log in {log_name}")
        return 124
    progress.done("done" if status == 0 else f"failed, log in {log_name}")
    return status


def full_disk(directory="."):
    return "the disk is full, make room and run it again; " if shutil.disk_usage(directory).free < 32 << 20 else ""


def explain(kind, error, trace):
    """One line for what is not a mistake in these scripts."""
    if issubclass(kind, subprocess.CalledProcessError):
        said = (error.stderr or "").strip().split("\n")
        why = next((line for line in said if "error: " in line), said[-1])
        print(f"error: {full_disk()}{' '.join(error.cmd)}: {why}", file=sys.stderr)
    elif issubclass(kind, OSError):
        print(f"error: {full_disk()}{error}", file=sys.stderr)
    elif kind is not KeyboardInterrupt:
        sys.__excepthook__(kind, error, trace)


def end_well():
    """Let SIGTERM and SIGHUP unwind like ^C does, so that jobs are stopped, and say in a line what went wrong."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda n, _: sys.exit(128 + n))
    sys.excepthook = explain


if __name__ == "__main__":
    end_well()
    sys.exit(run(sys.argv[1], sys.argv[2], float(sys.argv[3]), sys.argv[4:]))
