"""A small parent that keeps a worker process running.

The worker may be ended by what it runs, however that does it, or end itself when its loop hangs;
the parent starts it again, after a pause that grows while it keeps dying. A first SIGTERM or SIGINT
is passed on and the worker's end awaited, with patience but not for ever; a second one ends both at
once. The child holds a pipe to its parent, and stops when that breaks.
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
    """Runs one command for as long as it should run.

    `patience` is how many seconds it may take to end when it is told to; then it is killed.
    """

    def __init__(self, command: Sequence[str], patience: float) -> None:
        self._command = list(command)
        self._patience = patience
        self._child: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self._signals = 0

    def run(self) -> int:
        """Keep the worker running; returns the exit code to end with."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._pass_on)
        pause = FIRST_PAUSE
        for n in itertools.count():
            began = time.monotonic()
            code = self._once()
            if self._stopping.is_set():
                return abs(code) if self._signals > 1 or code > 0 else 0
            if 1 < code < 64 and n == 0:
                return code  # a refusal to start: starting again would not help
            log.warning("the worker ended with %d and is started again", code)
            if time.monotonic() - began > STABLE_SECONDS:
                pause = FIRST_PAUSE
            self._stopping.wait(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
            if self._stopping.is_set():
                break
        return 0

    def _once(self) -> int:
        reading, writing = os.pipe()
        try:
            environ = os.environ | {LIFELINE: str(reading)}
            self._child = subprocess.Popen(self._command, pass_fds=[reading], env=environ)
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

    def _pass_on(self, number: int, _: object) -> None:
        self._signals += 1
        self._stopping.set()
        if self._signals == 1:
            ending = threading.Timer(self._patience, self._send, [signal.SIGKILL])
            ending.daemon = True
            ending.start()
        self._send(signal.SIGKILL if self._signals > 1 else number)

    def _send(self, number: int) -> None:
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


def worker_command(*arguments: str) -> list[str]:
    """The command that runs this program again with these arguments."""
    return [sys.executable, "-m", "quaero", *arguments]
