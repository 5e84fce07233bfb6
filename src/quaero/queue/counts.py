"""Exact counts of a queue's messages by state, changed with the messages."""

from __future__ import annotations

import functools

from quaero.db.contract import Tx
from quaero.queue.message import State

_KEY = "queue.counts"
_NAMES = tuple(state.name.lower() for state in State)


def moved(tx: Tx, queue_id: int, source: State | None, target: State | None, count: int) -> None:
    """Note that `count` messages went from one state to another; None is outside the queue."""
    if not count or source is target:
        return
    gains = _gains(tx, queue_id)
    if source is not None:
        gains[source] -= count
    if target is not None:
        gains[target] += count


def unwritten(tx: Tx, queue_id: int, state: State) -> int:
    """What the kept count of a state lacks of what this function has done so far."""
    by_queue: dict[int, list[int]] | None = tx.scratch.get(_KEY)
    return by_queue[queue_id][state] if by_queue and queue_id in by_queue else 0


def _gains(tx: Tx, queue_id: int) -> list[int]:
    """What each state of a queue has gained in this function, by number of the state."""
    by_queue: dict[int, list[int]] | None = tx.scratch.get(_KEY)
    if by_queue is None:
        by_queue = tx.scratch[_KEY] = {}
        tx.at_end(_KEY, _apply, rank=5)
    if queue_id not in by_queue:
        by_queue[queue_id] = [0] * len(_NAMES)
    return by_queue[queue_id]


def _apply(tx: Tx) -> None:
    by_queue: dict[int, list[int]] = tx.scratch.pop(_KEY)
    for queue_id, gains in sorted(by_queue.items()):
        changed = tuple(state for state, gained in enumerate(gains) if gained)
        if changed:
            tx.execute(_update(changed), (queue_id, *(gains[state] for state in changed)))


@functools.cache
def _update(states: tuple[int, ...]) -> str:
    """The statement that changes these counts of a queue."""
    sets = ", ".join(
        f"{_NAMES[state]} = {_NAMES[state]} + ${n}" for n, state in enumerate(states, 2)
    )
    return f"update queue set {sets} where id = $1"
