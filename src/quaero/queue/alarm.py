"""A wake-up call that is set far more often than it rings.

Setting one that will ring early enough costs a comparison, so it is left to ring once in a while
for nothing; making and cancelling a timer each time costs more than all else of a short wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Alarm:
    """Calls `ring` in the event loop once set; belongs to that loop's thread."""

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._seconds = 0.0

    def set(self, seconds: float) -> None:
        """Ring after so many seconds, or earlier where it is set so already."""
        if self._timer is not None and self._seconds <= seconds:
            return
        loop = asyncio.get_running_loop()
        due = loop.time() + seconds
        if self._timer is not None:
            if self._due <= due:
                return
            self._timer.cancel()
        self._due, self._seconds = due, seconds
        self._timer = loop.call_later(seconds, self._rings)

    def cancel(self) -> None:
        """Do not ring."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _rings(self) -> None:
        self._timer = None
        self._ring()
