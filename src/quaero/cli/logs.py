"""The program's own log on standard error."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quaero.settings import Settings

_LEVELS = {"debug": "DEBUG", "info": "INFO", "warn": "WARNING", "error": "ERROR"}
MOST_WAITING = 10_000
PATIENCE = 1.0


class _Lines(logging.Formatter):
    """A record as a line, without control characters."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        from quaero.cli.output import safe

        return safe(super().format(record), lines=True)


class Unhurried(logging.Handler):
    """Writes to an open file in a thread of its own.

    So a terminal that was stopped, or a reader of a pipe that does not read, holds up no work.
    What finds no room meanwhile is counted and told in one line. An error is written before the
    program goes on, which may be about to end, if that takes no longer than `PATIENCE`.
    """

    def __init__(self, file: int) -> None:
        super().__init__()
        self._file = file
        self.setFormatter(_Lines())
        self._begin()
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        self._waiting: queue.Queue[str] = queue.Queue(MOST_WAITING)
        self._left_out = 0
        self._is_held_up = False
        threading.Thread(
            target=self._write, args=(self._waiting,), name="quaero-log", daemon=True
        ).start()

    def emit(self, record: logging.LogRecord) -> None:
        """Let a record be written."""
        try:
            self._waiting.put_nowait(self.format(record))
        except queue.Full:
            self._left_out += 1
        if record.levelno >= logging.ERROR and not self._is_held_up:
            self.flush()

    def flush(self) -> None:
        """Wait until all is written, though not for ever."""
        waiting = self._waiting
        with waiting.all_tasks_done:
            written = waiting.all_tasks_done.wait_for(
                lambda: not waiting.unfinished_tasks, PATIENCE
            )
        self._is_held_up = not written

    def _write(self, waiting: queue.Queue[str]) -> None:
        while True:
            text = waiting.get()
            left_out, self._left_out = self._left_out, 0
            if left_out:
                text += f"\n({left_out} lines are left out here: nobody read them in time)"
            data = f"{text}\n".encode(errors="backslashreplace")
            with contextlib.suppress(OSError):  # nobody reads any more
                while data:
                    data = data[os.write(self._file, data) :]
            self._is_held_up = False
            waiting.task_done()


def log_to_stderr(settings: Settings, unless_set: str | None = None) -> None:
    """Write log records from `logs.level` up, a line each, beside what the program says itself.

    Where `logs.level` was set nowhere, the level `unless_set` is taken in place of its default.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines())
    _log(handler, settings, unless_set)


def log_unhurried(settings: Settings, unless_set: str | None = None) -> None:
    """`log_to_stderr` for a process that runs on, whether or not somebody reads its log."""
    sys.stderr.flush()
    _log(Unhurried(sys.stderr.fileno()), settings, unless_set)


def _log(handler: logging.Handler, settings: Settings, unless_set: str | None) -> None:
    from quaero.settings import Source, origins

    level: str = settings.logs.level
    if unless_set is not None and origins(settings)["logs.level"].source is Source.DEFAULT:
        level = unless_set
    logging.basicConfig(level=_LEVELS[level], handlers=[handler], force=True)
