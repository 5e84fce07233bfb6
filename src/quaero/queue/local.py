"""The row of work that a consumer has claimed and not begun, and the slots that wait for it."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from time import perf_counter
from typing import Generic, TypeVar

W = TypeVar("W")


class LocalRow(Generic[W]):
    """First in, first out; everything but `spare` belongs to the event loop's thread."""

    def __init__(self) -> None:
        self._row: deque[tuple[W, float]] = deque()
        self._waiting: deque[asyncio.Future[None]] = deque()

    def __len__(self) -> int:
        return len(self._row)

    def __iter__(self) -> Iterator[W]:
        return (work for work, _ in self._row)

    def put(self, works: Iterable[W]) -> None:
        """Add work, and wake as many waiting slots as there is work for."""
        now = perf_counter()
        self._row.extend((work, now) for work in works)
        for _ in range(min(len(self._row), len(self._waiting))):
            self._wake_one()

    def next(self) -> W | None:
        """The next piece of work, None where there is none now."""
        return self._row.popleft()[0] if self._row else None

    async def some(self) -> None:
        """Wait until there may be work."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            with contextlib.suppress(ValueError):
                self._waiting.remove(waiter)
            raise

    def clear(self) -> list[W]:
        """Take everything out."""
        row, self._row = self._row, deque()
        return [work for work, _ in row]

    def drop(self, unwanted: Callable[[W], bool]) -> list[W]:
        """Take out the work that a condition holds for."""
        row, self._row = self._row, deque()
        self._row.extend(entry for entry in row if not unwanted(entry[0]))
        return [work for work, _ in row if unwanted(work)]

    def waited(self) -> float:
        """For how many seconds the first piece of work has been waiting."""
        return perf_counter() - self._row[0][1] if self._row else 0.0

    def spare(self) -> int:
        """How many slots wait in vain; may be asked from any thread."""
        return len(self._waiting) - len(self._row)

    def _wake_one(self) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
