"""Workers that are started and killed on order, and what they said until their end."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

PROGRAM = Path(__file__).with_name("worker_program.py")


class Workers:
    """The process that makes workers, and what they said."""

    def __init__(self, path):
        self.path = path
        self.acknowledged = set()
        self.starts = []
        self._process = subprocess.Popen(
            [sys.executable, PROGRAM, "forks"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        assert self._process.stdout.readline() == "forks\n"

    def run(self, *, kill_after=None, by=signal.SIGKILL, **order):
        """Start a worker, kill it some time later, and read all that it said until its end."""
        self._process.stdin.write(json.dumps({"path": str(self.path), **order}) + "\n")
        self._process.stdin.flush()
        word, pid = self._process.stdout.readline().split()
        assert word == "pid"
        killing = None
        if kill_after is not None:
            killing = threading.Timer(kill_after, signal_all_of, [int(pid), by])
            killing.start()
        for line in self._process.stdout:
            word, _, rest = line.strip().partition(" ")
            if word == "ack":
                self.acknowledged.add(rest)
            elif word == "faults":
                assert json.loads(rest) == []
            elif word == "ready":
                self.starts.append(float(rest))
            elif word == "ended":
                break
            else:
                assert word == "done", line
        if killing is not None:
            killing.join()
        return int(rest)

    def close(self):
        self._process.stdin.close()
        assert self._process.wait(30) == 0
        self._process.stdout.close()


def signal_all_of(session, number):
    try:
        os.killpg(session, number)
    except ProcessLookupError:  # so young that it has no session yet, or gone already
        with contextlib.suppress(ProcessLookupError):
            os.kill(session, number)
