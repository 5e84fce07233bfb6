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
    if not unique and all(row[1:7] == rows[0][1:7] for row in rows):
        return _insert_alike(tx, queue_id, rows)
    args = (msgspec.json.encode(rows).decode(), queue_id, tx.now)
    if not unique:
        tx.execute(sql, args)
        return rows
    inserted = {id_ for (id_,) in tx.execute(sql + " on conflict do nothing returning id", args)}
    return [row for row in rows if row[0] in inserted]


def _insert_alike(tx: Tx, queue_id: int, rows: list[Row]) -> list[Row]:
    """Insert rows with successive ids that differ in their payloads only: a fifth of the cost."""
    first, lane_id, priority, state, due, job_id, type_, *_ = rows[0]
    tx.execute(
        """
        insert into message(id, queue_id, lane_id, priority, state, due, job_id, type, payload,
                            created_at)
        select $3 + key, $2, $4, $5, $6, $7, $8, $9, value, $10 from each($1)
        """,
        (
            msgspec.json.encode([row[7] for row in rows]).decode(), queue_id, first, lane_id,
            priority, state, due, job_id, type_, tx.now,
        ),
    )  # fmt: skip
    return rows


def _holder_of(tx: Tx, queue_id: int, dedup: str | None) -> int:
    ((id_,),) = tx.execute(
        "select id from message where queue_id = $1 and dedup = $2", (queue_id, dedup)
    )
    return int(id_)
