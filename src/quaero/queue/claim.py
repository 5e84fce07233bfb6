"""Claiming messages: the one hot path that every worker of every process takes.

Messages without a lane are claimed from one index, messages with one from the lanes that are open.
Priority decides between the two; equals are taken in turns. Nothing here looks at what is delayed,
leased or dead beyond what is due.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from operator import itemgetter

import msgspec

from quaero.db.contract import ReadTx, Row, Tx
from quaero.queue import counts, lanes
from quaero.queue.message import COMMANDS, Delivery, State

PROMOTE_AT_ONCE = 1_000
_PRIORITY = itemgetter(5)


@dataclass(frozen=True, slots=True)
class Claim:
    """Who claims how much.

    `lease` is the visibility timeout in microseconds, `holder` the claiming process. With `alone`
    only suspects are claimed, to be run in isolation. `types` are the types this holder knows:
    parked messages of these are claimed too. With `lanes` only messages of the lanes with these
    keys are claimed.
    """

    limit: int
    lease: int
    holder: int = 0
    alone: bool = False
    types: tuple[str, ...] = ()
    lanes: tuple[str, ...] = ()

    def while_paused(self) -> Claim:
        """What is left of this claim while the queue is paused: the lane of commands."""
        asked = not self.lanes or COMMANDS.key in self.lanes
        return replace(self, lanes=(COMMANDS.key,), limit=self.limit if asked else 0)


def claim(tx: Tx, queue_id: int, want: Claim) -> list[Delivery]:
    """Lease up to `want.limit` messages, best priority first, oldest first among equals.

    Of a paused queue only what lies in the lane of commands is given out.
    """
    if want.limit <= 0:
        return []
    ((paused, delayed, scheduled, parked, ready, laned),) = tx.execute(
        """
        select paused, delayed, scheduled, parked, ready,
               exists(select 1 from lane where queue_id = $1 and state = 1)
               or exists(select 1 from lane where queue_id = $1 and state = 3)
          from queue where id = $1
        """,
        (queue_id,),
    )
    if paused:
        want = want.while_paused()
    if want.limit <= 0:
        return []
    ready += counts.unwritten(tx, queue_id, State.READY)
    delayed += counts.unwritten(tx, queue_id, State.DELAYED)
    if want.alone:
        return _lease(tx, queue_id, want, _suspects(tx, queue_id, want), State.SUSPECT)
    if delayed:
        promote(tx, queue_id, State.DELAYED, tx.lease_now)
    if scheduled:
        promote(tx, queue_id, State.SCHEDULED, tx.now)
    if parked and want.types:
        unpark(tx, queue_id, want.types)
    if delayed or scheduled or parked or laned:
        lanes.open_cooled(tx, queue_id)
    if want.lanes:
        picks = [pick for key in want.lanes for pick in _from_lane(tx, queue_id, want.limit, key)]
        return _lease(tx, queue_id, want, picks[: want.limit], State.READY)
    if delayed or scheduled or parked or laned:
        return _lease(tx, queue_id, want, _pick(tx, queue_id, want.limit), State.READY)
    return _lease_first(tx, queue_id, want) if ready else []


def _lease_first(tx: Tx, queue_id: int, want: Claim) -> list[Delivery]:
    """Lease the best messages where no lane has any to offer: one statement."""
    rows = tx.execute(
        """
        update message
           set state = 2, lease_no = lease_no + 1, receives = receives + 1, lease_until = $3,
               holder = $4
         where id in (select id from message where queue_id = $1 and lane_id = 0 and state = 0
                       order by priority desc, id limit $2)
        returning id, lease_no, type, payload, job_id, priority, receives, lane_id, due
        """,
        (queue_id, want.limit, tx.lease_now + want.lease, want.holder),
    )
    counts.moved(tx, queue_id, State.READY, State.LEASED, len(rows))
    rows.sort()  # by id; a sort keeps the order of equals
    rows.sort(key=_PRIORITY, reverse=True)
    return [Delivery(*row) for row in rows]


def _pick(tx: Tx, queue_id: int, limit: int) -> list[Row]:
    """The messages to take, as (id, priority, lane id, paced)."""
    free = tx.execute(
        """
        select id, priority, 0, 0 from message
         where queue_id = $1 and lane_id = 0 and state = 0 order by priority desc, id limit $2
        """,
        (queue_id, limit),
    )
    laned = _from_lanes(tx, queue_id, limit)
    if not laned or not free:
        return (free or laned)[:limit]
    return _by_turns(free, laned)[:limit]


def _by_turns(left: list[Row], right: list[Row]) -> list[Row]:
    """Merge two rows of picks: higher priority first, one from each in turn among equals.

    The side that has the oldest message begins, so that claims of one starve neither.
    """
    by_priority: dict[int, tuple[list[Row], list[Row]]] = {}
    for side, rows in enumerate((left, right)):
        for row in rows:
            by_priority.setdefault(row[1], ([], []))[side].append(row)
    merged: list[Row] = []
    for _, lots in sorted(by_priority.items(), reverse=True):
        turns = sorted(lots, key=lambda lot: min((row[0] for row in lot), default=0))
        merged += [row for pair in zip_longest(*turns) for row in pair if row is not None]
    return merged


def _from_lane(tx: Tx, queue_id: int, limit: int, key: str) -> list[Row]:
    """The messages to take from a lane that is asked for."""
    return tx.execute(
        """
        select m.id, m.priority, m.lane_id, l.min_interval > 0 or l.pace > 0
          from lane l join message m on m.queue_id = l.queue_id and m.lane_id = l.id
         where l.queue_id = $1 and l.key = $2 and l.state = 1 and m.state = 0
         order by m.priority desc, m.id
         limit coalesce((select min($3, case when min_interval > 0 or pace > 0 then 1
                                             else max_running - running end)
                           from lane where queue_id = $1 and key = $2), 0)
        """,
        (queue_id, key, limit),
    )


def _from_lanes(tx: Tx, queue_id: int, limit: int) -> list[Row]:
    open_lanes = tx.execute(
        """
        select id, case when min_interval > 0 or pace > 0 then 1 else max_running - running end,
               min_interval > 0 or pace > 0
          from lane where queue_id = $1 and state = 1 order by head desc, turn limit $2
        """,
        (queue_id, limit),
    )
    picks: list[Row] = []
    for lane_id, room, paced in open_lanes:
        picks += tx.execute(
            """
            select id, priority, lane_id, $4 from message
             where queue_id = $1 and lane_id = $2 and state = 0
             order by priority desc, id limit $3
            """,
            (queue_id, lane_id, min(room, limit), paced),
        )
    picks.sort(key=lambda row: -row[1])
    return picks


def _suspects(tx: Tx, queue_id: int, want: Claim) -> list[Row]:
    """The suspects to take; their lanes' limits hold for them too."""
    return tx.execute(
        """
        with suspect as (
            select m.id, m.priority, m.lane_id, l.min_interval > 0 or l.pace > 0 as paced,
                   l.max_running - l.running as room,
                   row_number() over (partition by m.lane_id order by m.priority desc, m.id) as nth
              from message m left join lane l on l.id = m.lane_id
             where m.queue_id = $1 and m.state = 6 and (l.id is null or l.next_start <= $3)
               and (json_array_length($4) = 0 or l.key in (select value from each($4))))
        select id, priority, lane_id, coalesce(paced, 0) from suspect
         where lane_id = 0 or (nth <= room and (nth = 1 or not paced))
         order by priority desc, id limit $2
        """,
        (queue_id, want.limit, tx.lease_now, msgspec.json.encode(want.lanes).decode()),
    )


def suspects(tx: ReadTx, queue_id: int) -> int:
    """How many messages wait to be run alone; of a paused queue those in the lane of commands."""
    ((count, paused),) = tx.execute("select suspect, paused from queue where id = $1", (queue_id,))
    if not count or not paused:
        return int(count)
    ((commands,),) = tx.execute(
        """
        select count(*) from message m join lane l on l.id = m.lane_id
         where m.queue_id = $1 and m.state = 6 and l.key = $2
        """,
        (queue_id, COMMANDS.key),
    )
    return int(commands)


def _lease(
    tx: Tx, queue_id: int, want: Claim, picks: Sequence[Row], source: State
) -> list[Delivery]:
    if not picks:
        return []
    rows = tx.execute(
        """
        update message
           set state = 2, lease_no = lease_no + 1, receives = receives + 1, lease_until = $2,
               holder = $3
         where id in ints($1)
        returning id, lease_no, type, payload, job_id, priority, receives, lane_id, due
        """,
        (
            msgspec.json.encode([row[0] for row in picks]).decode(),
            tx.lease_now + want.lease,
            want.holder,
        ),
    )
    counts.moved(tx, queue_id, source, State.LEASED, len(rows))
    taken = Counter(row[2] for row in picks if row[2])
    if taken:
        lanes.claimed(tx, queue_id, taken, ready=taken if source is State.READY else {})
    leased = {row[0]: row for row in rows}
    return [Delivery(*(*leased[pick[0]], bool(pick[3]))) for pick in picks]


def promote(tx: Tx, queue_id: int, state: State, now: int) -> int:
    """Make delayed or scheduled messages ready whose time has come; returns how many."""
    rows = tx.execute(  # the state is written out: it decides which partial index serves
        f"""
        update message set state = 0, due = $2
         where id in (select id from message where queue_id = $1 and state = {state:d} and due <= $3
                       order by due limit $4)
        returning lane_id, priority
        """,
        (queue_id, tx.lease_now, now, PROMOTE_AT_ONCE),
    )
    counts.moved(tx, queue_id, state, State.READY, len(rows))
    lanes.change(tx, lanes.tally(rows, ready=1, running=0))
    return len(rows)


def park(tx: Tx, queue_id: int, ids: Sequence[int]) -> None:
    """Set leased messages of unknown types aside, uncharged, until a worker knows the type."""
    rows = tx.execute(
        """
        update message set state = 5, receives = receives - 1, holder = 0
         where id in ints($1) and state = 2 returning lane_id, priority
        """,
        (msgspec.json.encode(ids).decode(),),
    )
    counts.moved(tx, queue_id, State.LEASED, State.PARKED, len(rows))
    lanes.change(tx, lanes.tally(rows, ready=0, running=-1))
    tx.signal(f"queue:{queue_id}")


def unpark(tx: Tx, queue_id: int, types: Sequence[str]) -> None:
    """Make parked messages of these types ready again."""
    for type_ in types:
        rows = tx.execute(
            """
            update message set state = 0, due = $3
             where id in (select id from message
                           where queue_id = $1 and state = 5 and type = $2 order by id limit $4)
            returning lane_id, priority
            """,
            (queue_id, type_, tx.lease_now, PROMOTE_AT_ONCE),
        )
        counts.moved(tx, queue_id, State.PARKED, State.READY, len(rows))
        lanes.change(tx, lanes.tally(rows, ready=1, running=0))


def next_due(tx: Tx, queue_id: int) -> int | None:
    """When, on the lease clock, something becomes claimable by itself; None if nothing will."""
    rows = tx.execute(
        """
        select min(due) from message where queue_id = $1 and state = 1 union all
        select min(due) - $2 from message where queue_id = $1 and state = 4 union all
        select min(next_start) from lane where queue_id = $1 and state = 3 union all
        select min(lease_until) from message where queue_id = $1 and state = 2
        """,
        (queue_id, tx.now - tx.lease_now),
    )
    return min((row[0] for row in rows if row[0] is not None), default=None)
