"""Exact counts of a queue's messages by state, changed with the messages."""

from __future__ import annotations

import functools
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


def unwritten(tx: Tx, queue_id: int, state: State) -> int:
    """What the kept count of a state lacks of what this function has done so far."""
    delta: Counter[tuple[int, State]] = tx.scratch.get(_KEY, Counter())
    return delta[queue_id, state]


def _apply(tx: Tx) -> None:
    delta: Counter[tuple[int, State]] = tx.scratch.pop(_KEY)
    by_queue: dict[int, list[tuple[State, int]]] = {}
    for (queue_id, state), gained in sorted(delta.items()):
        if gained:
            by_queue.setdefault(queue_id, []).append((state, gained))
    for queue_id, gains in by_queue.items():
        sql = _update(tuple(state for state, _ in gains))
        tx.execute(sql, (queue_id, *(gained for _, gained in gains)))


@functools.cache
def _update(states: tuple[State, ...]) -> str:
    """The statement that changes these counts of a queue."""
    names = [state.name.lower() for state in states]
    sets = ", ".join(f"{name} = {name} + ${n}" for n, name in enumerate(names, 2))
    return f"update queue set {sets} where id = $1"
