"""Pages that were read at about the same time go on together, so that one commit completes them.

A commit costs about as much as reading a page, however many pages it completes. So a page that was
read waits for the one that is being read meanwhile; never for one that is still to be fetched, for
no more than `MOST` in all, and no longer than `PATIENCE`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

R = TypeVar("R")
MOST = 3
PATIENCE = 0.02
"""Seconds; a page takes some two milliseconds to read."""


class Convoy:
    """The pages of one event loop that are being read, and those that wait for them."""

    def __init__(self, most: int = MOST, patience: float = PATIENCE) -> None:
        self._most = most
        self._patience = patience
        self._reading = 0
        self._waiting: list[asyncio.Future[None]] = []
        self._timer: asyncio.TimerHandle | None = None

    async def along(self, reading: Awaitable[R]) -> R:
        """Await the reading of a page, and then for a little while those under way beside it."""
        self._reading += 1
        try:
            result = await reading
        finally:
            self._reading -= 1
            complete = not self._reading or len(self._waiting) + 1 >= self._most
            if complete:
                self._go()
        if not complete:
            await self._wait()
        return result

    async def _wait(self) -> None:
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        self._waiting.append(turn)
        if self._timer is None:
            self._timer = loop.call_later(self._patience, self._go)
        await turn

    def _go(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        waiting, self._waiting = self._waiting, []
        for turn in waiting:
            if not turn.done():
                turn.set_result(None)
