"""Ends a process that hangs beyond the deadline of what it runs.

A thread looks at the loop's pulse. When there was none for half a minute, all stacks are written
to standard error once; when a running job is past its timeout and grace as well, the process ends
at once, so that its work is taken over. It also ends where the loop moves and the job stays: one
that takes no notice of its end would keep its slot for ever. The job is then run alone, and charged
there.
"""

from __future__ import annotations

import asyncio
import faulthandler
import os
import sys
import threading
import time
from collections.abc import Callable

from quaero.program_log import program_log

log = program_log(__name__)

BEAT_SECONDS = 0.25
SILENT_SECONDS = 30.0
STAYS_SECONDS = 3.0  # what a run may take to end beyond timeout and grace
HUNG = 70  # the exit code; sysexits' EX_SOFTWARE


class Watchdog:
    """Watches the running loop from its own thread.

    `overdue` says whether something running is past its deadline; it is called from the thread.
    """

    def __init__(
        self, overdue: Callable[[], bool], end: Callable[[int], None] = os._exit,
        silent: float = SILENT_SECONDS, stays: float = STAYS_SECONDS,
    ) -> None:  # fmt: skip
        self._overdue = overdue
        self._end = end
        self._silent = silent
        self._stays = stays
        self._overdue_since: float | None = None
        self._beat = time.monotonic()
        self._stopped = threading.Event()
        self._handle: asyncio.TimerHandle | None = None
        self._told = False

    def start(self) -> None:
        """Begin, in the running loop."""
        self._pulse(asyncio.get_running_loop())
        threading.Thread(target=self._watch, name="quaero-watchdog", daemon=True).start()

    def stop(self) -> None:
        """Stop watching."""
        self._stopped.set()
        if self._handle is not None:
            self._handle.cancel()

    def _pulse(self, loop: asyncio.AbstractEventLoop) -> None:
        self._beat = time.monotonic()
        self._told = False
        self._handle = loop.call_later(BEAT_SECONDS, self._pulse, loop)

    def _watch(self) -> None:
        while not self._stopped.wait(BEAT_SECONDS):
            silent = time.monotonic() - self._beat
            if silent > self._silent and not self._told:
                self._told = True
                log.error("the event loop has not moved for %.0f s; stacks follow", silent)
                faulthandler.dump_traceback(sys.stderr)
            late = self._late_for()
            if late is not None and (silent > 4 * BEAT_SECONDS or late > self._stays):
                what = "the event loop hangs" if silent > 4 * BEAT_SECONDS else "a job goes on"
                log.error("%s beyond a job's deadline; this process ends", what)
                self._end(HUNG)
                return

    def _late_for(self) -> float | None:
        """For how many seconds something has been past its deadline; None where nothing is."""
        if not self._overdue():
            self._overdue_since = None
            return None
        now = time.monotonic()
        self._overdue_since = self._overdue_since or now
        return now - self._overdue_since
