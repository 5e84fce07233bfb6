"""Numbers about a queue, from counts that are kept: they cost the same at any length."""

from __future__ import annotations

from dataclasses import dataclass

from quaero.clock import MINUTE
from quaero.db.contract import ReadTx, Row, Tx
from quaero.queue.message import LaneState


@dataclass(frozen=True, slots=True)
class QueueStats:
    """The state of one queue; `lanes` is how many have work.

    `oldest_ready` is an age in microseconds, None when none is ready.
    """

    name: str
    paused: bool
    ready: int
    delayed: int
    in_flight: int
    dead: int
    scheduled: int
    parked: int
    suspect: int
    lanes: int
    oldest_ready: int | None

    @property
    def length(self) -> int:
        """Messages that are not settled."""
        return (
            self.ready + self.delayed + self.in_flight + self.scheduled + self.parked + self.suspect
        )


def stats(tx: ReadTx, queue_id: int) -> QueueStats:
    """Read a queue's counts and the age of its oldest ready message."""
    (row,) = tx.execute(
        """
        select name, paused, ready, delayed, leased, dead, scheduled, parked, suspect, lanes,
               (select min(due) from message where queue_id = $1 and state = 0)
          from queue where id = $1
        """,
        (queue_id,),
    )
    name, paused, ready, delayed, leased, dead, scheduled, parked, suspect, lanes, oldest = row
    age = None if oldest is None else max(0, tx.lease_now - oldest)
    return QueueStats(
        name, bool(paused), ready, delayed, leased, dead, scheduled, parked, suspect, lanes, age
    )


def sample_depth(tx: Tx, queue_id: int) -> None:
    """Keep how many unsettled messages there are; the greatest number of each minute stays."""
    tx.execute(
        """
        insert into queue_minute(minute, queue_id, depth)
        select $2, id, ready + delayed + leased + scheduled + parked + suspect
          from queue where id = $1
            on conflict(minute, queue_id) do update set depth = max(depth, excluded.depth)
        """,
        (queue_id, tx.now // MINUTE),
    )


@dataclass(frozen=True, slots=True)
class LaneStats:
    """One lane; times in microseconds, `next_start` counted from now."""

    key: str
    state: str
    ready: int
    running: int
    max_running: int
    min_interval: int
    next_start: int


def lane_stats(tx: ReadTx, queue_id: int, limit: int = 100) -> list[LaneStats]:
    """The `limit` lanes that have most work, fullest first."""
    rows = tx.execute(
        """
        select key, state, ready, running, max_running, max(min_interval, pace), next_start
          from lane where queue_id = $1 and (ready > 0 or running > 0)
         order by ready + running desc, key limit $2
        """,
        (queue_id, limit),
    )
    return [_lane(row, tx.lease_now) for row in rows]


def _lane(row: Row, now: int) -> LaneStats:
    key, state, ready, running, max_running, interval, next_start = row
    return LaneStats(
        key, LaneState(state).name.lower(), ready, running, max_running, interval,
        max(0, next_start - now),
    )  # fmt: skip
