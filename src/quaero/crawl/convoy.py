"""Pages that were read at about the same time go on together, so that one commit completes them.

A commit costs about as much as reading a page, however many pages it completes. So a page that was
read waits for those that are being read meanwhile, and while sites answer at once also for those
whose fetching has just begun; for no more than `MOST` in all, and no longer than `PATIENCE`. A slow
site holds up nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import TypeVar

R = TypeVar("R")
MOST = 4
PATIENCE = 0.02
"""Seconds; a page takes some two milliseconds to read."""
AT_ONCE = 0.005
"""Seconds; a page that takes longer to fetch is not worth waiting for."""
WEIGHT = 0.2  # of the newest fetch in the mean


class Convoy:
    """The pages of one event loop that are under way, and those that wait for them."""

    def __init__(
        self,
        most: int = MOST,
        patience: float = PATIENCE,
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        self._most = most
        self._patience = patience
        self._clock = clock
        self._fetching: dict[object, float] = {}  # when each fetch has begun
        self._reading = 0
        self._fetch_seconds = patience  # the mean, no fetch counted as longer than this
        self._waiting: list[asyncio.Future[None]] = []
        self._timer: asyncio.TimerHandle | None = None

    async def fetch(self, fetching: Awaitable[R]) -> R:
        """Await the fetching of a page."""
        this, began = object(), self._clock()
        self._fetching[this] = began
        try:
            return await fetching
        finally:
            del self._fetching[this]
            took = min(self._clock() - began, self._patience)
            self._fetch_seconds += WEIGHT * (took - self._fetch_seconds)
            asyncio.get_running_loop().call_soon(self._look)  # when it may be being read already

    async def along(self, reading: Awaitable[R]) -> R:
        """Await the reading of a page, and then for a little while those under way beside it."""
        self._reading += 1
        try:
            result = await reading
        finally:
            self._reading -= 1
            complete = self._is_last or len(self._waiting) + 1 >= self._most
            if complete:
                self._go()
        if not complete:
            await self._wait()
        return result

    @property
    def _is_last(self) -> bool:
        """Whether no page comes that is worth waiting for."""
        if self._reading:
            return False
        since = self._clock() - AT_ONCE
        answers_at_once = self._fetch_seconds <= AT_ONCE
        return not (answers_at_once and any(began > since for began in self._fetching.values()))

    def _look(self) -> None:
        if self._waiting and self._is_last:
            self._go()

    async def _wait(self) -> None:
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        self._waiting.append(turn)
        if self._timer is None:
            self._timer = loop.call_later(self._patience, self._go)
        if not self._reading:  # then by fetches alone, which are soon not worth it any more
            loop.call_later(AT_ONCE, self._look)
        await turn

    def _go(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        waiting, self._waiting = self._waiting, []
        for turn in waiting:
            if not turn.done():
                turn.set_result(None)
