"""Exact counts of a queue's messages by state, changed with the messages."""

from __future__ import annotations

from collections import Counter

from quaero.db.contract import Tx
from quaero.queue.message import State

_KEY = "queue.counts"


def moved(tx: Tx, queue_id: int, source: State | None, target: State | None, count: int) -> None:
    """Note that `count` messages went from one state to another; None is outside the queue."""
    if not count or source is target:
        return
    delta: Counter[tuple[int, State]] = tx.scratch.setdefault(_KEY, Counter())
    if source is not None:
        delta[queue_id, source] -= count
    if target is not None:
        delta[queue_id, target] += count
    tx.at_end(_KEY, _apply, rank=5)


def _apply(tx: Tx) -> None:
    delta: Counter[tuple[int, State]] = tx.scratch.pop(_KEY)
    for queue_id in sorted({queue_id for queue_id, _ in delta}):
        tx.execute(
            """
            update queue set ready = ready + $2, delayed = delayed + $3, leased = leased + $4,
                   dead = dead + $5, scheduled = scheduled + $6, parked = parked + $7,
                   suspect = suspect + $8
             where id = $1
            """,
            (queue_id, *(delta[queue_id, state] for state in State)),
        )
