#!/usr/bin/env python3
"""step.py LABEL LOG SECONDS COMMAND...: run one long step, its output in LOG, at most SECONDS long.

Says what runs and how long it took. Nothing that COMMAND started outlives it, however this ends.
"""
import os
import signal
import subprocess
import sys
import time

EVERY = 60      # seconds between "so far" lines where there is no terminal
GRACE = 5       # seconds that a stopped job has to remove what it has half written


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
            print(f"\r{self.label} ... {self.seconds():.0f} s", end="", flush=True)
        elif self.seconds() >= self.said + EVERY:
            self.said = self.seconds()
            print(f"{self.label} ... {self.said:.0f} s so far", flush=True)

    def done(self, text):
        print("\r\033[K" * self.tty + f"{self.label}: {text}, {self.seconds():.0f} s", flush=True)


def start(command, log):
    """Start command in a process group of its own, with a guard that kills the group when we are gone."""
    job = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                           start_new_session=True)
    guard = subprocess.Popen(["sh", "-c", f"read x; kill -TERM -{job.pid}; sleep {GRACE}; kill -KILL -{job.pid}"], stdin=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, start_new_session=True)
    return job, guard


def stop(job, guard):
    """Kill what is left of the job."""
    guard.kill()
    guard.wait()
    guard.stdin.close()
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(job.pid, number)
            job.wait(timeout=GRACE)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            pass


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


def exit_on_term():
    """Let SIGTERM and SIGHUP unwind like ^C does, so that jobs are stopped."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda n, _: sys.exit(128 + n))


if __name__ == "__main__":
    exit_on_term()
    try:
        sys.exit(run(sys.argv[1], sys.argv[2], float(sys.argv[3]), sys.argv[4:]))
    except KeyboardInterrupt:
        sys.exit(130)
