"""What a consumer runs: the protocol between `queue.consumer` and the kinds of work.

The queue's own backend is in `quaero.queue.handler`, that of jobs in `quaero.work.pool`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

import msgspec

from quaero.db.contract import ReadTx, Tx
from quaero.queue.claim import Claim
from quaero.queue.message import Delivery

W = TypeVar("W")
O = TypeVar("O")  # noqa: E741 - an outcome


class Backend(Protocol[W, O]):
    """What a consumer runs, and how it is claimed and settled."""

    queue_id: int

    def delivery(self, work: W) -> Delivery:
        """The delivery behind a piece of work."""

    def claim(self, tx: Tx, want: Claim) -> list[W]:
        """Lease up to `want.limit` pieces of work."""

    def started(self, tx: Tx, starts: Sequence[tuple[W, int]]) -> None:
        """Note work that has begun, each with its wall time."""

    def settle(self, tx: Tx, outcomes: Sequence[O]) -> None:
        """Commit how work ended."""

    def sweep(self, tx: Tx) -> None:
        """Clear up what ended leases and dead processes left."""

    def lost(self, tx: ReadTx, works: Sequence[W]) -> list[W]:
        """The work among these that may no longer be committed."""

    async def handle(self, work: W, started_at: int) -> O:
        """Run one piece of work to its outcome; only cancellation is raised."""

    def give_back(self, work: W, reason: str) -> O:
        """The outcome of work that was not done."""

    def failed(self, outcome: O, error: BaseException) -> O:
        """The outcome in place of one that could not be committed."""

    def renew_until(self, work: W) -> float:
        """For how many seconds from its start a lease is renewed."""


class Running(msgspec.Struct, Generic[W]):
    """What a slot is doing, since a wall time in microseconds.

    `began` is the same moment in seconds of `perf_counter`.
    """

    work: W
    started_at: int
    began: float
    task: asyncio.Task[None]
    shown: bool = False
