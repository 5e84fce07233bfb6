"""The leases a consumer holds, and which of them are to be renewed.

A lease is held from the claim until what became of the work is settled; while the work runs, only
for as long as its backend says.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import starmap
from typing import Any

from quaero.db.contract import Tx
from quaero.queue import settle
from quaero.queue.backend import Backend, Running, W
from quaero.queue.message import Delivery, Token


class Leases:
    """Changed by the event loop's thread, renewed by the writer's; `length` is in µs."""

    def __init__(self, length: int) -> None:
        self._length = length
        self._held: set[tuple[int, int]] = set()  # tokens; the class of its own costs double

    def hold(self, deliveries: Iterable[Delivery]) -> None:
        """Renew these leases until they are dropped."""
        self._held.update([(each.id, each.lease_no) for each in deliveries])

    def drop(self, deliveries: Iterable[Delivery | Token]) -> None:
        """These are settled or lost."""
        self._held.difference_update([(each.id, each.lease_no) for each in deliveries])

    def renew(self, tx: Tx, but: Collection[Token]) -> set[Token]:
        """Renew what is held `but` these; returns the leases that turned out to be lost."""
        tokens = set(starmap(Token, self._held.copy().difference(but)))
        return tokens - settle.extend(tx, tokens, self._length) if tokens else set()


def too_long(running: Iterable[Running[W]], backend: Backend[W, Any], now: float) -> list[Token]:
    """What has run for longer than its lease is to be renewed; `now` is of `perf_counter`."""
    return [
        backend.delivery(each.work).token
        for each in running
        if now > each.began + backend.renew_until(each.work)
    ]
