"""The leases a consumer holds, and which of them are to be renewed.

A lease is held from the claim until what became of the work is settled; while the work runs, only
for as long as its backend says.
"""

from __future__ import annotations

from collections.abc import Iterable
from time import perf_counter

from quaero.db.contract import Tx
from quaero.queue import settle
from quaero.queue.message import Token


class Leases:
    """Changed by the event loop's thread, renewed by the writer's; `length` is in µs."""

    def __init__(self, length: int) -> None:
        self._length = length
        self._until: dict[Token, float | None] = {}

    def hold(self, token: Token) -> None:
        """Renew this lease until it is dropped."""
        self._until[token] = None

    def hold_for(self, token: Token, seconds: float) -> None:
        """Renew this lease for so long and no longer."""
        self._until[token] = perf_counter() + seconds

    def drop(self, tokens: Iterable[Token]) -> None:
        """These are settled or lost."""
        for token in tokens:
            self._until.pop(token, None)

    def renew(self, tx: Tx) -> set[Token]:
        """Renew what is held; returns the leases that turned out to be lost."""
        now = perf_counter()
        held = self._until.copy()
        tokens = [token for token, until in held.items() if until is None or now < until]
        return set(tokens) - settle.extend(tx, tokens, self._length) if tokens else set()
