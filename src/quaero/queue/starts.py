"""When the beginning of work is written down.

A start costs a transaction of its own unless one is under way anyhow, so work that ends soon is
never shown as running. Only in a lane that keeps an interval it is written down at once, because
the interval counts from the real start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from time import perf_counter
from typing import Generic

from quaero.queue.alarm import Alarm
from quaero.queue.backend import Running, W

SHOWN_AFTER = 0.05
"""Seconds."""


class Starts(Generic[W]):
    """Which of the work in the slots is shown as running; belongs to the event loop's thread.

    `stir` is called when some `are_due`.
    """

    def __init__(self, running: Mapping[int, Running[W]], stir: Callable[[], None]) -> None:
        self._running = running
        self._stir = stir
        self._alarm = Alarm(self._look)
        self.are_due = False

    def begun(self, *, paced: bool) -> None:
        """Work has begun."""
        if paced:
            self._ring()
        else:
            self._alarm.set(SHOWN_AFTER)

    def take(self) -> list[Running[W]]:
        """What is not shown yet, and from now on counts as shown."""
        self.are_due = False
        fresh = [each for each in self._running.values() if not each.shown]
        for each in fresh:
            each.shown = True
        return fresh

    def put_back(self, fresh: Iterable[Running[W]]) -> None:
        """These could not be written down."""
        for each in fresh:
            each.shown = False
            self.are_due = True

    def close(self) -> None:
        """Ask for nothing more."""
        self._alarm.cancel()

    def _look(self) -> None:
        begins = [each.began for each in self._running.values() if not each.shown]
        if not begins:
            return
        left = min(begins) + SHOWN_AFTER - perf_counter()
        if left > 0:
            self._alarm.set(left)
        else:
            self._ring()

    def _ring(self) -> None:
        self.are_due = True
        self._stir()
