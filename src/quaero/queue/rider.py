"""Claims that ride along with the commits of others.

A commit that makes work ready asks the consumers of its process first: one with free slots claims
in that same transaction, and the work is at hand as soon as it is durable. Where such a claim took
all there was, the announcement that follows needs no second look.
"""

from __future__ import annotations

import contextlib
import threading
from asyncio import AbstractEventLoop
from collections.abc import Callable, Collection
from functools import partial
from typing import Any, Generic

from quaero.db.contract import Ride, Tx
from quaero.queue.backend import W


class Rider(Generic[W]):
    """One consumer's claims of this kind.

    `free(seen_by)` says how much may be claimed, in any thread, None where that will be done or has
    just been done without a ride; `claim(tx, want)` claims, `due(tx)` says
    when to look again where that was all; `alight` gets both, and `look` is called, in `loop`.
    """

    def __init__(
        self,
        loop: AbstractEventLoop,
        free: Callable[[Collection[Callable[..., Any]]], int | None],
        claim: Callable[[Tx, int], list[W]],
        due: Callable[[Tx], int | None],
        alight: Callable[[list[W], int | None], None],
        look: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._free = free
        self._claim = claim
        self._due = due
        self._alight = alight
        self._look = look
        self._sated_in = 0  # the thread in which a ride has just claimed all there was

    def offer(self, seen_by: Collection[Callable[..., Any]]) -> Ride | None:
        """Asked on the writer's thread before a commit that makes work ready."""
        want = self._free(seen_by)
        self._sated_in = threading.get_ident() if want is None else 0
        if not want or want < 0:
            return None
        return Ride(partial(self._ride, want=want), self._arrive, self._loop)

    def announced(self) -> None:
        """Called in any thread once something became ready."""
        if self._sated_in == threading.get_ident():
            self._sated_in = 0
            return
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._look)

    def _ride(self, tx: Tx, want: int) -> tuple[list[W], int | None]:
        works = self._claim(tx, want)
        if len(works) == want:
            return works, None
        due = self._due(tx)
        self._sated_in = threading.get_ident()
        return works, due

    def _arrive(self, claimed: tuple[list[W], int | None]) -> None:
        self._alight(*claimed)
