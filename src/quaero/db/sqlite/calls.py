"""What the writer is asked to do: calls that somebody waits for, and work at its own time."""

from __future__ import annotations

import time
from asyncio import AbstractEventLoop
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from quaero.db.sqlite.tx import SqliteTx
from quaero.db.unrun import name_of
from quaero.loops import Loop

TOGETHER = 500
_NO_KEYWORDS: Mapping[str, Any] = {}


class Call(msgspec.Struct, eq=False):
    """One function to run in the writer, and who waits for its outcome.

    `waiter` is a future of `loop`, or a `threading.Event` where there is no loop, or nobody.
    """

    fn: Callable[..., Any]
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = _NO_KEYWORDS
    loop: AbstractEventLoop | None = None
    waiter: Any = None
    result: Any = None
    error: BaseException | None = None


class Timer:
    """Work that the writer does by itself from time to time."""

    __slots__ = ("due", "loop", "period", "work")

    def __init__(self, period: float, work: Callable[[SqliteTx], None]) -> None:
        self.period = period
        self.work = work
        self.loop = Loop(name_of(work), period)
        self.due = time.monotonic() + period

    def turned(self, error: BaseException | None) -> None:
        """Note how its work went."""
        if isinstance(error, Exception):
            self.loop.failed(error)
        else:
            self.loop.turn()

    def set(self) -> None:
        """It waits for the outcome of its own work; nobody else does."""


def alike(queue: deque[Call]) -> list[Call]:
    """Take the head of the queue, and with it what follows and can be done together with it."""
    calls = [queue.popleft()]
    fn = calls[0].fn
    if getattr(fn, "together", None) is not None:
        while queue and queue[0].fn == fn and len(calls) < TOGETHER:
            calls.append(queue.popleft())
    return calls
