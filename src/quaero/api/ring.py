"""The newest lines of the program's own log, kept in memory for people to look at."""

from __future__ import annotations

import itertools
import logging
import threading
from collections import deque
from dataclasses import dataclass

KEPT = 5_000
LONGEST = 10_000


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the program's log; `at` is a wall time in microseconds."""

    id: int
    at: int
    level: str
    logger: str
    message: str


class LogRing(logging.Handler):
    """A handler that keeps the last `KEPT` lines; put on the root logger while the server runs.

    Lines are numbered on from the milliseconds of `begun_at`, a wall time in microseconds, so that
    no line of a server that is started again is taken for one that a page has from before.
    """

    def __init__(self, begun_at: int = 0) -> None:
        super().__init__()
        self._lines: deque[Line] = deque(maxlen=KEPT)
        self._numbers = itertools.count(begun_at // 1_000 + 1)
        self._words = logging.Formatter()
        self._guard = threading.Lock()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one line, with its traceback."""
        try:
            text = self._words.format(record)[:LONGEST]
        except Exception:  # noqa: BLE001 - logging's own way with a message that cannot be shown
            self.handleError(record)
            return
        with self._guard:
            self._lines.append(
                Line(
                    next(self._numbers), int(record.created * 1_000_000),
                    _LEVELS.get(record.levelname, "error"), record.name, text,
                )
            )  # fmt: skip

    def lines(self, at_least: str, text: str, before: int | None, limit: int) -> list[Line]:
        """The newest lines from a level up that contain a text, newest first, below an id."""
        least, wanted = _ORDER.index(at_least), text.lower()
        with self._guard:
            kept = list(self._lines)
        found = (
            line
            for line in reversed(kept)
            if (before is None or line.id < before)
            and _ORDER.index(line.level) >= least
            and wanted in line.message.lower()
        )
        return list(itertools.islice(found, limit))


_ORDER = ("debug", "info", "warn", "error")
_LEVELS = {"DEBUG": "debug", "INFO": "info", "WARNING": "warn", "ERROR": "error"}
