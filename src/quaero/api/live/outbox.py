"""What waits to be sent to one client: bounded, and of each thing only the last state.

A message replaces an earlier one with the same key that was not sent yet. When more waits than
fits, all of it is dropped and the client is told to load anew, so one that reads slowly costs
neither memory nor the others' time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Iterable

from quaero.api.live import messages

MOST_MESSAGES = 2_000
MOST_BYTES = 2_000_000
FRAME_BYTES = 256_000
_RESET = "reset"
FEED = "feed"
_TOO_SLOW = messages.message("reset", reason="more happened than this connection could take")


class Outbox:
    """The messages of one client; `put` never waits, `frame` does."""

    def __init__(self) -> None:
        self._waiting: dict[Hashable, bytes] = {}
        self._bytes = 0
        self._stirred = asyncio.Event()
        self._closed = False
        self.resets = 0

    def put(self, items: Iterable[tuple[Hashable, bytes]]) -> None:
        """Add messages, each in place of an unsent one with its key."""
        waiting = self._waiting
        for key, message in items:
            old = waiting.pop(key, None)
            if old is not None:
                self._bytes -= len(old)
            waiting[key] = message
            self._bytes += len(message)
        if len(waiting) > MOST_MESSAGES or self._bytes > MOST_BYTES:
            self._overflow()
        self._stirred.set()

    def _overflow(self) -> None:
        feed = self._waiting.get(FEED)
        self._waiting = {_RESET: _TOO_SLOW}
        if feed is not None:
            self._waiting[FEED] = feed
        self._bytes = sum(map(len, self._waiting.values()))
        self.resets += 1

    def close(self) -> None:
        """Send what waits, then nothing more."""
        self._closed = True
        self._stirred.set()

    async def frame(self) -> bytes | None:
        """The next frame, once there is one; None when all is sent and nothing more comes.

        The cursor of a feed stays behind everything that it stands for.
        """
        while not self._waiting:
            if self._closed:
                return None
            self._stirred.clear()
            await self._stirred.wait()
        if self._bytes <= FRAME_BYTES:
            taken, self._waiting, self._bytes = list(self._waiting.values()), {}, 0
            return messages.frame(taken)
        return messages.frame(self._some())

    def _some(self) -> list[bytes]:
        taken: list[bytes] = []
        size = 0
        for key in list(self._waiting):
            if size > FRAME_BYTES:
                break
            taken.append(self._waiting.pop(key))
            size += len(taken[-1])
        self._bytes -= size
        return taken
