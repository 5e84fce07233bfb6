"""Ending a delivery: complete, release, dead-letter; and what is done to dead letters after.

Every verb begins with tokens and `held`: only the present lease's holder can settle, and a stale
token finds nothing. All verbs take many deliveries at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from quaero.db.contract import ReadTx, Row, Tx
from quaero.queue import counts, lanes
from quaero.queue.message import Held, Lane, State, Token


def held(tx: ReadTx, tokens: Iterable[Token]) -> dict[int, Held]:
    """The deliveries among `tokens` whose lease still stands, by message id.

    Where an older lease of the same message may be among the tokens, ask `stands` of each.
    """
    rows = tx.execute(
        """
        select m.id, m.lease_no, m.queue_id, m.lane_id, m.priority, m.receives, m.job_id
          from each($1) as e join message m on m.id = e.value ->> 0
         where m.state = 2 and m.lease_no = e.value ->> 1
        """,
        (msgspec.json.encode(list(tokens)).decode(),),
    )
    return {row[0]: Held(*row) for row in rows}


def stands(good: Mapping[int, Held], token: Token) -> bool:
    """Whether a token is the one that `held` found good for its message."""
    found = good.get(token.id)
    return found is not None and found.lease_no == token.lease_no


def complete(tx: Tx, deliveries: Sequence[Held]) -> None:
    """The work is done: the messages leave the queue."""
    if not deliveries:
        return
    tx.execute(
        "delete from message where id in ints($1)",
        (msgspec.json.encode([each.id for each in deliveries]).decode(),),
    )
    _ended(tx, deliveries, None)
    _forget_errors(tx, [each.id for each in deliveries if each.lease_no > 1])


def complete_held(tx: Tx, queue_id: int, tokens: Sequence[tuple[int, int]]) -> None:
    """Complete what `tokens` still hold of a queue; a token that is void is passed over."""
    rows = tx.execute(
        """
        delete from message
         where id in (select m.id from each($1) as e join message m on m.id = e.value ->> 0
                       where m.state = 2 and m.lease_no = e.value ->> 1 and +m.queue_id = $2)
        returning id, lease_no, lane_id
        """,
        (msgspec.json.encode(tokens).decode(), queue_id),
    )
    _left(tx, queue_id, [row[2] for row in rows if row[2]], len(rows), None)
    _forget_errors(tx, [row[0] for row in rows if row[1] > 1])


def _ended(tx: Tx, deliveries: Sequence[Held], target: State | None) -> None:
    by_queue: dict[int, list[int]] = {}
    for each in deliveries:
        by_queue.setdefault(each.queue_id, []).append(each.lane_id)
    for queue_id, of_lanes in by_queue.items():
        _left(tx, queue_id, [each for each in of_lanes if each], len(of_lanes), target)


def _left(tx: Tx, queue_id: int, lane_ids: Sequence[int], count: int, target: State | None) -> None:
    """Count deliveries that are over; `lane_ids` are the lanes of those that have one."""
    counts.moved(tx, queue_id, State.LEASED, target, count)
    if lane_ids:
        lanes.change(tx, lanes.tally(((each, 0) for each in lane_ids), ready=0, running=-1))
        tx.signal(f"queue:{queue_id}")


@dataclass(frozen=True, slots=True)
class Release:
    """How a delivery goes back.

    After `delay` microseconds; charged to `receives` or not; kept to be run `alone`; moved to
    another `lane`; with `hold`, the whole lane starts nothing for that time either.
    """

    held: Held
    delay: int = 0
    error: str | None = None
    charge: bool = True
    alone: bool = False
    lane: Lane | None = None
    hold: bool = False


def release(tx: Tx, releases: Sequence[Release]) -> None:
    """Give deliveries back to be received again."""
    if not releases:
        return
    deliveries = [each.held for each in releases]
    _note_errors(tx, ((each.held, each.error) for each in releases if each.error is not None))
    rows = [(*_target(tx, each), each) for each in releases]
    tx.execute(
        """
        update message
           set state = d.state, due = d.due, lane_id = d.lane, receives = receives - d.refund,
               holder = 0
          from (select value ->> 0 as id, value ->> 1 as state, value ->> 2 as due,
                       value ->> 3 as lane, value ->> 4 as refund from each($1)) as d
         where message.id = d.id
        """,
        (
            msgspec.json.encode(
                [
                    (each.held.id, state, due, lane_id, 0 if each.charge else 1)
                    for state, due, lane_id, each in rows
                ]
            ).decode(),
        ),
    )
    for state, _, _, each in rows:
        counts.moved(tx, each.held.queue_id, State.LEASED, state, 1)
    lanes.change(tx, lanes.tally(((each.lane_id, 0) for each in deliveries), ready=0, running=-1))
    ready = ((lane, each.held.priority) for state, _, lane, each in rows if state == State.READY)
    lanes.change(tx, lanes.tally(ready, ready=1, running=0))
    for each in releases:
        if each.hold and each.held.lane_id:
            lanes.hold(tx, each.held.lane_id, tx.lease_now + each.delay)
        tx.signal(f"queue:{each.held.queue_id}")


def _target(tx: Tx, release: Release) -> tuple[State, int, int]:
    """State, due time and lane that a released message gets."""
    lane_id = release.held.lane_id
    if release.lane is not None:
        queue_id = release.held.queue_id
        lane_id = lanes.lane_ids(tx, queue_id, [release.lane])[release.lane.key]
    if release.delay > 0:
        return State.DELAYED, tx.lease_now + release.delay, lane_id
    return (State.SUSPECT if release.alone else State.READY), tx.lease_now, lane_id


def bury(tx: Tx, deliveries: Sequence[tuple[Held, str]]) -> None:
    """Give deliveries up: they become dead letters, kept with all their errors."""
    if not deliveries:
        return
    _note_errors(tx, deliveries)
    tx.execute(
        "update message set state = 3, holder = 0, dedup = null where id in ints($1)",
        (msgspec.json.encode([each.id for each, _ in deliveries]).decode(),),
    )
    _ended(tx, [each for each, _ in deliveries], State.DEAD)


def extend(tx: Tx, tokens: Iterable[Token], lease: int) -> set[Token]:
    """Renew leases for `lease` microseconds from now; returns the tokens that were good."""
    rows = tx.execute(
        """
        update message set lease_until = $2
         where id in (select e.value ->> 0 from each($1) as e
                        join message m on m.id = e.value ->> 0
                       where m.state = 2 and m.lease_no = e.value ->> 1)
        returning id, lease_no
        """,
        (msgspec.json.encode(list(tokens)).decode(), tx.lease_now + lease),
    )
    return {Token(*row) for row in rows}


def expired(tx: Tx, queue_id: int, limit: int = 500) -> list[Held]:
    """Deliveries whose lease has run out, to be released or buried by the caller."""
    rows = tx.execute(
        """
        select id, lease_no, queue_id, lane_id, priority, receives, job_id from message
         where queue_id = $1 and state = 2 and lease_until <= $2 order by lease_until limit $3
        """,
        (queue_id, tx.lease_now, limit),
    )
    return [Held(*row) for row in rows]


# -- messages that nobody holds


def requeue(tx: Tx, ids: Sequence[int]) -> list[Row]:
    """Make dead letters ready again with a clean count of receives; returns (id, job id) each."""
    rows = tx.execute(
        """
        update message set state = 0, due = $2, receives = 0
         where id in ints($1) and state = 3 returning id, job_id, queue_id, lane_id, priority
        """,
        (msgspec.json.encode(ids).decode(), tx.lease_now),
    )
    for row in rows:
        counts.moved(tx, row[2], State.DEAD, State.READY, 1)
        tx.signal(f"queue:{row[2]}")
    lanes.change(tx, lanes.tally(((row[3], row[4]) for row in rows), ready=1, running=0))
    return [row[:2] for row in rows]


def discard(tx: Tx, ids: Sequence[int]) -> list[Row]:
    """Remove messages in whatever state, fencing those that are leased; returns (id, job id)."""
    rows = tx.execute(
        """
        delete from message where id in ints($1)
        returning id, job_id, queue_id, lane_id, state
        """,
        (msgspec.json.encode(ids).decode(),),
    )
    for row in rows:
        counts.moved(tx, row[2], State(row[4]), None, 1)
    ready = [(row[3], 0) for row in rows if row[4] == State.READY]
    lanes.change(tx, lanes.tally(ready, ready=-1, running=0))
    lanes.correct_heads(tx, {lane_id for lane_id, _ in ready})
    leased = [(row[3], 0) for row in rows if row[4] == State.LEASED]
    lanes.change(tx, lanes.tally(leased, ready=0, running=-1))
    if leased:
        for queue_id in {row[2] for row in rows}:
            tx.signal(f"queue:{queue_id}")
    _forget_errors(tx, [row[0] for row in rows])
    return [row[:2] for row in rows]


def reprioritise(tx: Tx, ids: Sequence[int], priority: int) -> None:
    """Give messages another priority; it counts from their next delivery on."""
    rows = tx.execute(
        "update message set priority = $2 where id in ints($1) returning state, lane_id",
        (msgspec.json.encode(ids).decode(), priority),
    )
    lanes.correct_heads(tx, {lane_id for state, lane_id in rows if state == State.READY})


def trail(tx: ReadTx, message_id: int) -> list[Row]:
    """The errors of a message's deliveries: (lease number, wall time, error)."""
    return tx.execute(
        "select lease_no, at, error from delivery_error where message_id = $1 order by lease_no",
        (message_id,),
    )


def _note_errors(tx: Tx, errors: Iterable[tuple[Held, str | None]]) -> None:
    rows = [(each.id, each.lease_no, error) for each, error in errors]
    if rows:
        tx.execute(
            """
            insert into delivery_error(message_id, lease_no, at, error)
            select value ->> 0, value ->> 1, $2, value ->> 2 from each($1) where true
                on conflict(message_id, lease_no) do update set error = excluded.error
            """,
            (msgspec.json.encode(rows).decode(), tx.now),
        )


def _forget_errors(tx: Tx, ids: Sequence[int]) -> None:
    if ids:
        tx.execute(
            "delete from delivery_error where message_id in ints($1)",
            (msgspec.json.encode(ids).decode(),),
        )
