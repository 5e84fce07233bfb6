"""Sending messages."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from quaero.db.contract import Row, Tx
from quaero.queue import counts, lanes
from quaero.queue.message import NewMessage, State


def send(tx: Tx, queue_id: int, messages: Sequence[NewMessage]) -> list[int]:
    """Send messages in order; returns their ids.

    Where a deduplication key is taken, the id is that of the message that has it.
    """
    if not messages:
        return []
    first = messages[0]
    if first.dedup is None and all(each is first or _is_like(each, first) for each in messages):
        return list(send_alike(tx, queue_id, first, [each.payload for each in messages]))
    lane_of = lanes.lane_ids(tx, queue_id, (m.lane for m in messages if m.lane is not None))
    ids = tx.ids("message", len(messages))
    rows: list[Row] = [
        (id_, lane_of[m.lane.key] if m.lane else 0, m.priority, *_when(tx, m), m.job_id, m.type,
         m.payload, m.dedup)
        for id_, m in zip(ids, messages, strict=True)
    ]  # fmt: skip
    sent = _insert(tx, queue_id, rows, unique=any(m.dedup is not None for m in messages))
    for state in (State.READY, State.DELAYED, State.SCHEDULED):
        counts.moved(tx, queue_id, None, state, sum(1 for row in sent if row[3] == state))
    ready = [row for row in sent if row[3] == State.READY]
    lanes.change(tx, lanes.tally(((row[1], row[2]) for row in ready), ready=1, running=0))
    tx.signal(f"queue:{queue_id}")
    if len(sent) == len(messages):
        return list(ids)
    fresh = {row[0] for row in sent}
    return [
        id_ if id_ in fresh else _holder_of(tx, queue_id, message.dedup)
        for id_, message in zip(ids, messages, strict=True)
    ]


def send_alike(tx: Tx, queue_id: int, model: NewMessage, payloads: Sequence[str | None]) -> range:
    """Send messages that differ in their payloads only, a fifth of the cost; returns their ids.

    `model` is any of them; it has no deduplication key.
    """
    count, lane_id = len(payloads), 0
    if model.lane is not None:
        lane_id = lanes.lane_ids(tx, queue_id, [model.lane])[model.lane.key]
    ids = tx.ids("message", count)
    state, due = _when(tx, model)
    tx.execute(
        """
        insert into message(id, queue_id, lane_id, priority, state, due, job_id, type, payload,
                            created_at)
        select $3 + key, $2, $4, $5, $6, $7, $8, $9, value, $10 from each($1)
        """,
        (
            msgspec.json.encode(payloads).decode(), queue_id, ids[0], lane_id, model.priority,
            state, due, model.job_id, model.type, tx.now,
        ),
    )  # fmt: skip
    counts.moved(tx, queue_id, None, state, count)
    if lane_id and state is State.READY:
        lanes.change(tx, {lane_id: lanes.LaneChange(ready=count, head=model.priority)})
    tx.signal(f"queue:{queue_id}")
    return ids


def _is_like(one: NewMessage, other: NewMessage) -> bool:
    """Whether two messages differ in nothing but their payloads."""
    return (
        one.type == other.type
        and one.job_id == other.job_id
        and one.priority == other.priority
        and one.lane == other.lane
        and one.delay == other.delay
        and one.at == other.at
        and one.dedup == other.dedup
    )


def _when(tx: Tx, message: NewMessage) -> tuple[State, int]:
    """The first state of a message and its due time."""
    if message.at is not None and message.at > tx.now:
        return State.SCHEDULED, message.at
    if message.delay > 0:
        return State.DELAYED, tx.lease_now + message.delay
    return State.READY, tx.lease_now


def _insert(tx: Tx, queue_id: int, rows: list[Row], *, unique: bool) -> list[Row]:
    """Insert rows; returns those that no deduplication key kept out."""
    sql = """
        insert into message(id, queue_id, lane_id, priority, state, due, job_id, type, payload,
                            dedup, created_at)
        select value ->> 0, $2, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5,
               value ->> 6, value ->> 7, value ->> 8, $3 from each($1) where true
        """
    args = (msgspec.json.encode(rows).decode(), queue_id, tx.now)
    if not unique:
        tx.execute(sql, args)
        return rows
    inserted = {id_ for (id_,) in tx.execute(sql + " on conflict do nothing returning id", args)}
    return [row for row in rows if row[0] in inserted]


def _holder_of(tx: Tx, queue_id: int, dedup: str | None) -> int:
    ((id_,),) = tx.execute(
        "select id from message where queue_id = $1 and dedup = $2", (queue_id, dedup)
    )
    return int(id_)
