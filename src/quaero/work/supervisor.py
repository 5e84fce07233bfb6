"""A small parent that keeps processes of this program running.

A worker may be ended by what it runs, however that does it, or end itself when its loop hangs; the
parent starts it again, after a pause that grows while it keeps dying. A first SIGTERM or SIGINT is
passed on and the end of all awaited, with patience but not for ever; a second one ends all at
once. A child holds a pipe to its parent, and stops when that breaks.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence

log = logging.getLogger(__name__)

FIRST_PAUSE = 0.2
LONGEST_PAUSE = 30.0
STABLE_SECONDS = 60.0
END_SECONDS = 4.5  # what a worker needs beyond its grace to give back, write and close
LIFELINE = "_QUAERO_LIFELINE"


class Supervisor:
    """Runs commands for as long as they should run.

    `patience` is how many seconds they may take to end when they are told to; then they are
    killed. A command that refuses to start, with an exit code from 2 to 63, ends the others too.
    `passed` are the open files that each command inherits.
    """

    def __init__(
        self,
        commands: Sequence[Sequence[str]],
        patience: float,
        passed: Sequence[Sequence[int]] = (),
    ) -> None:
        self._stopping = threading.Event()
        files = list(passed) or [()] * len(commands)
        self._kept = [
            _Kept(command, self._stopping, kept_open)
            for command, kept_open in zip(commands, files, strict=True)
        ]
        self._patience = patience
        self._signals = 0

    def run(self) -> int:
        """Keep all running until told to stop; returns the exit code to end with."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._pass_on)
        threads = [threading.Thread(target=self._keep, args=[kept]) for kept in self._kept]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        codes = [kept.code for kept in self._kept]
        if self._signals > 1:
            return max(map(abs, codes))
        return max(0, *codes)

    def _keep(self, kept: _Kept) -> None:
        kept.keep()
        if not self._stopping.is_set():  # it refused to start
            self._stop(signal.SIGTERM)

    def _pass_on(self, number: int, _: object) -> None:
        self._signals += 1
        self._stop(signal.SIGKILL if self._signals > 1 else number)

    def _stop(self, number: int) -> None:
        first = not self._stopping.is_set()
        self._stopping.set()
        if first:
            ending = threading.Timer(self._patience, self._send, [signal.SIGKILL])
            ending.daemon = True
            ending.start()
        self._send(number)

    def _send(self, number: int) -> None:
        for kept in self._kept:
            kept.send(number)


class _Kept:
    """One command, kept running by a thread of its own."""

    def __init__(
        self, command: Sequence[str], stopping: threading.Event, passed: Sequence[int]
    ) -> None:
        self._command = list(command)
        self._passed = tuple(passed)
        self._stopping = stopping
        self._child: subprocess.Popen[bytes] | None = None
        self.code = 0

    def keep(self) -> None:
        """Run it again and again, until all stop or it refuses to start; leaves its exit code."""
        pause = FIRST_PAUSE
        for n in itertools.count():
            began = time.monotonic()
            self.code = self._once()
            if self._stopping.is_set():
                return
            if 1 < self.code < 64 and n == 0:
                return  # a refusal to start: starting again would not help
            log.warning("%s ended with %d and is started again", self._command[3:4], self.code)
            if time.monotonic() - began > STABLE_SECONDS:
                pause = FIRST_PAUSE
            self.code = 0
            if self._stopping.wait(pause):
                return
            pause = min(pause * 2, LONGEST_PAUSE)

    def _once(self) -> int:
        reading, writing = os.pipe()
        try:
            environ = os.environ | {LIFELINE: str(reading)}
            self._child = subprocess.Popen(
                self._command, pass_fds=[reading, *self._passed], env=environ
            )
            os.close(reading)
            reading = -1
            if self._stopping.is_set():  # the signal came before there was anybody to pass it to
                self._child.terminate()
            return self._child.wait()
        finally:
            self._child = None
            os.close(writing)
            if reading >= 0:
                os.close(reading)

    def send(self, number: int) -> None:
        """Send the present child a signal."""
        child = self._child
        if child is not None:
            with contextlib.suppress(ProcessLookupError):
                child.send_signal(number)


def watch_lifeline() -> None:
    """End this process gracefully when its parent has gone; does nothing without a parent."""
    end = os.environ.pop(LIFELINE, None)
    if end is None:
        return

    def watch() -> None:
        with contextlib.suppress(OSError):
            os.read(int(end), 1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="quaero-lifeline", daemon=True).start()


def own_command(*arguments: str) -> list[str]:
    """The command that runs this program again with these arguments."""
    return [sys.executable, "-m", "quaero", *arguments]
