"""A small parent that keeps processes of this program running.

A worker may be ended by what it runs, however that does it, or end itself when its loop hangs; the
parent starts it again, after a pause that grows while it keeps dying. What ends by itself at its
first start, before it was ready, would do so again: then all end, with its exit code. A first
SIGTERM or SIGINT is passed on and the end of all awaited, with patience but not for ever; a second
one ends all at once. The children end with their parent (`work.lifeline`).

Signals and the ends of children arrive as bytes at a socket, on which the thread that called `run`
waits; so there is no moment at which one of them could be missed.
"""

from __future__ import annotations

import contextlib
import os
import queue
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from quaero.program_log import program_log
from quaero.work.lifeline import said_ready, start_tied, watch_lifeline

log = program_log(__name__)

FIRST_PAUSE = 0.2
LONGEST_PAUSE = 30.0
STABLE_SECONDS = 60.0
END_SECONDS = 4.5  # what a worker needs beyond its grace to give back, write and close
ENDED = 0  # among the numbers of signals
LAST_SECONDS = 1.0  # what a supervisor needs beyond the patience it has with its children


class Supervisor:
    """Runs commands for as long as they should run.

    `patience` is how many seconds they may take to end when they are told to; then they are
    killed, with what they started. `passed` are the open files that each command inherits;
    `stopping` is called once, when nothing will be started any more.
    """

    def __init__(
        self,
        commands: Sequence[Sequence[str]],
        patience: float,
        passed: Sequence[Sequence[int]] = (),
        stopping: Callable[[], None] = lambda: None,
    ) -> None:
        files = list(passed) or [()] * len(commands)
        self._kept = [_Kept(*each) for each in zip(commands, files, strict=True)]
        self._patience = patience
        self._stopping = stopping
        self._ends: queue.SimpleQueue[_End] = queue.SimpleQueue()
        self._told = 0
        self._stop_by: float | None = None
        self._code = 0

    def run(self) -> int:
        """Keep all running until told to stop; returns the exit code to end with."""
        hears, tells = socket.socketpair()
        for each in (hears, tells):
            each.setblocking(False)
        signal.set_wakeup_fd(tells.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        watch_lifeline(self._patience + LAST_SECONDS)
        while self._stop_by is None or any(kept.child for kept in self._kept):
            if self._stop_by is None:
                self._start_due(tells)
            elif time.monotonic() > self._stop_by:
                self._kill("did not end in time")
            select.select([hears], [], [], self._wait())
            with contextlib.suppress(BlockingIOError):
                for byte in hears.recv(256):
                    self._happened(byte)
        return self._code

    def _happened(self, byte: int) -> None:
        if byte == ENDED:
            self._ended(self._ends.get_nowait())
        else:
            self._signalled(byte)

    def _wait(self) -> float | None:
        """How long nothing is to be done."""
        if self._stop_by is not None:
            due = [self._stop_by]
        else:
            due = [kept.due for kept in self._kept if not kept.child]
        return max(0.0, min(due) - time.monotonic()) + 0.001 if due else None

    def _start_due(self, tells: socket.socket) -> None:
        for kept in self._kept:
            if not kept.child and kept.due <= time.monotonic() and kept.start():
                threading.Thread(target=self._await, args=(kept, tells), daemon=True).start()

    def _await(self, kept: _Kept, tells: socket.socket) -> None:
        assert kept.child is not None
        self._ends.put(_End(kept, kept.child.wait()))
        tells.send(bytes([ENDED]))

    def _ended(self, end: _End) -> None:
        refused = end.kept.ended(end.code)
        if self._stop_by is not None:
            if self._code == 0:
                self._code = max(0, end.code)
        elif refused:
            self._code = end.code or 1
            log.error("%s could not start (exit code %d)", end.kept.name, end.code)
            self._stop()
        else:
            log.warning("%s ended with %d and is started again", end.kept.name, end.code)

    def _signalled(self, number: int) -> None:
        self._told += 1
        if self._told == 1:
            self._stop()
        else:
            self._code = 128 + number
            self._kill("was told to end at once")

    def _stop(self) -> None:
        if self._stop_by is None:
            self._stop_by = time.monotonic() + self._patience
            self._stopping()
        for kept in self._kept:
            kept.tell()

    def _kill(self, why: str) -> None:
        self._stop_by = time.monotonic() + self._patience
        self._code = self._code or 1
        for kept in self._kept:
            kept.kill(why)


class _Kept:
    """One command and the process that runs it now; `due` is when it is to be started next."""

    def __init__(self, command: Sequence[str], passed: Sequence[int]) -> None:
        self._command = list(command)
        self._passed = tuple(passed)
        self._began = 0.0
        self._pause = FIRST_PAUSE
        self._lifeline: socket.socket | None = None
        self._starts = 0
        self.child: subprocess.Popen[bytes] | None = None
        self.due = 0.0
        self.name = " ".join(["quaero", *(w for w in command[3:] if w in {"serve", "work"})][:2])

    def start(self) -> bool:
        """Start it, in a group of its own: Ctrl-C at a terminal is the parent's to pass on."""
        self._began = time.monotonic()
        self._starts += 1
        try:
            self.child, self._lifeline = start_tied(
                self._command, passed=self._passed, process_group=0
            )
        except OSError as error:
            log.warning("%s cannot be started now: %s", self.name, error)
            self._put_off()
            return False
        return True

    def ended(self, code: int) -> bool:
        """Its process has ended; returns whether it refused to start, and ever will."""
        assert self._lifeline is not None
        ready = said_ready(self._lifeline)
        self._lifeline.close()
        self.child = self._lifeline = None
        if time.monotonic() - self._began > STABLE_SECONDS:
            self._pause = FIRST_PAUSE
        self._put_off()
        return self._starts == 1 and code >= 0 and not ready

    def _put_off(self) -> None:
        self.due = time.monotonic() + self._pause
        self._pause = min(self._pause * 2, LONGEST_PAUSE)

    def tell(self) -> None:
        """Ask the process to end."""
        if self.child is not None:
            self.child.terminate()

    def kill(self, why: str) -> None:
        """End the process and what it started."""
        if self.child is not None:
            log.warning("%s %s and is killed", self.name, why)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.child.pid, signal.SIGKILL)


class _End(NamedTuple):
    """A process has ended with an exit code, negative for a signal."""

    kept: _Kept
    code: int


def own_command(*arguments: str) -> list[str]:
    """The command that runs this program again with these arguments."""
    return [sys.executable, "-m", "quaero", *arguments]
