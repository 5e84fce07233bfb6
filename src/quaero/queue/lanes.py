"""Lanes: which keys may start a message now is an index, not a test on each message.

A lane's row says how many of its messages run, how many are ready and when the next may start; its
state follows from these and is written with every change. Claims read open lanes only.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec

from quaero.db.contract import Tx
from quaero.errors import BadInput
from quaero.queue.message import Lane

OPEN_AT_ONCE = 500


@dataclass(slots=True)
class LaneChange:
    """What a transaction's verb adds to one lane; `head` is the best priority among the added."""

    ready: int = 0
    running: int = 0
    head: int | None = None


def _usable(lane: Lane) -> bool:
    whole = isinstance(lane.max_running, int) and isinstance(lane.min_interval, int)
    return whole and lane.max_running >= 1 and lane.min_interval >= 0


def lane_ids(tx: Tx, queue_id: int, lanes: Iterable[Lane]) -> dict[str, int]:
    """The ids of lanes by key, created or brought to the given limits where needed.

    Raises `BadInput` for limits under which nothing could ever start.
    """
    ids = {}
    for lane in sorted(set(lanes)):
        if not _usable(lane):
            raise BadInput(
                f"lane {lane.key!r} cannot have max_running {lane.max_running} and min_interval "
                f"{lane.min_interval}; use whole numbers: at least 1, and 0 or more microseconds"
            )
        tx.execute(
            """
            insert into lane(queue_id, key, max_running, min_interval) values($1, $2, $3, $4)
                on conflict(queue_id, key)
                do update set max_running = excluded.max_running,
                              min_interval = excluded.min_interval,
                              state = case when lane.ready = 0 then 0
                                           when lane.running >= excluded.max_running then 2
                                           when lane.next_start > $5 then 3 else 1 end
                    where lane.max_running <> excluded.max_running
                       or lane.min_interval <> excluded.min_interval
            """,
            (queue_id, lane.key, lane.max_running, lane.min_interval, tx.lease_now),
        )
        ((ids[lane.key],),) = tx.execute(
            "select id from lane where queue_id = $1 and key = $2", (queue_id, lane.key)
        )
    return ids


def change(tx: Tx, changes: Mapping[int, LaneChange]) -> None:
    """Apply changes of counts and bring the lanes' states up to date."""
    rows = [
        (lane_id, each.ready, each.running, each.head)
        for lane_id, each in sorted(changes.items())
        if lane_id
    ]
    if not rows:
        return
    tx.execute(
        """
        update lane
           set ready = lane.ready + d.ready, running = lane.running + d.running,
               head = case when d.head is null then lane.head
                           when lane.ready = 0 or d.head > lane.head then d.head
                           else lane.head end,
               state = case when lane.ready + d.ready = 0 then 0
                            when lane.running + d.running >= max_running then 2
                            when next_start > $2 then 3 else 1 end
          from (select value ->> 0 as id, value ->> 1 as ready, value ->> 2 as running,
                       value ->> 3 as head from each($1)) as d
         where lane.id = d.id
        """,
        (msgspec.json.encode(rows).decode(), tx.lease_now),
    )


def tally(entries: Iterable[tuple[int, int]], *, ready: int, running: int) -> dict[int, LaneChange]:
    """Changes for messages given as (lane id, priority), each adding the same."""
    changes: dict[int, LaneChange] = defaultdict(LaneChange)
    for lane_id, priority in entries:
        if lane_id:
            each = changes[lane_id]
            each.ready += ready
            each.running += running
            if ready > 0:
                each.head = priority if each.head is None else max(each.head, priority)
    return changes


def correct_heads(tx: Tx, lane_ids: Iterable[int]) -> None:
    """Bring the best priority of lanes up to date after ready messages went or changed."""
    tx.execute(
        """
        update lane set head = coalesce((select priority from message
                                          where queue_id = lane.queue_id and lane_id = lane.id
                                            and state = 0
                                          order by priority desc, id limit 1), 0)
         where id in ints($1)
        """,
        (msgspec.json.encode(sorted(lane_ids)).decode(),),
    )


def claimed(tx: Tx, queue_id: int, taken: Mapping[int, int], *, ready: Mapping[int, int]) -> None:
    """Count `taken` messages of each lane as running, and turn the lane to the back of the row.

    `ready` says how many of them were ready before: suspects are not.
    """
    tx.execute(
        """
        update lane
           set ready = ready - d.gone, running = running + d.n, turn = $2,
               next_start = $2 + max(min_interval, pace),
               head = coalesce((select priority from message
                                 where queue_id = $3 and lane_id = lane.id and state = 0
                                 order by priority desc, id limit 1), 0),
               state = case when ready - d.gone = 0 then 0
                            when running + d.n >= max_running then 2
                            when max(min_interval, pace) > 0 then 3 else 1 end
          from (select value ->> 0 as id, value ->> 1 as n, value ->> 2 as gone
                  from each($1)) as d
         where lane.id = d.id
        """,
        (
            msgspec.json.encode(
                [(lane_id, n, ready.get(lane_id, 0)) for lane_id, n in sorted(taken.items())]
            ).decode(),
            tx.lease_now,
            queue_id,
        ),
    )


Paced = list[tuple[int, int]]
"""Starts in lanes that keep an interval, as (lane id, lease time)."""


def started(tx: Tx, starts: Paced) -> None:
    """Count intervals from the real starts."""
    for lane_id, at in sorted(starts):
        tx.execute(
            """
            update lane set next_start = max(next_start, $2 + max(min_interval, pace)),
                   state = case when state = 1 then 3 else state end
             where id = $1 and max(min_interval, pace) > 0
            """,
            (lane_id, at),
        )


def open_cooled(tx: Tx, queue_id: int) -> None:
    """Open the lanes whose interval has passed."""
    tx.execute(
        """
        update lane set state = case when running >= max_running then 2 else 1 end
         where id in (select id from lane where queue_id = $1 and state = 3 and next_start <= $2
                       order by next_start limit $3)
        """,
        (queue_id, tx.lease_now, OPEN_AT_ONCE),
    )


def hold(tx: Tx, lane_id: int, until: int) -> None:
    """Start nothing of the lane before `until` on the lease clock."""
    tx.execute(
        """
        update lane set next_start = max(next_start, $2),
               state = case when ready = 0 then 0 when running >= max_running then 2
                            when max(next_start, $2) > $3 then 3 else 1 end
         where id = $1
        """,
        (lane_id, until, tx.lease_now),
    )


def set_pace(tx: Tx, queue_id: int, key: str, pace: int) -> None:
    """Keep at least `pace` microseconds between starts in the lane, besides its own interval.

    A new pace counts from now: what asked for it was a start itself.
    """
    tx.execute(
        """
        update lane set pace = $3, next_start = max(next_start, $4 + $3),
               state = case when state = 1 and $3 > 0 then 3 else state end
         where queue_id = $1 and key = $2 and pace <> $3
        """,
        (queue_id, key, pace, tx.lease_now),
    )
