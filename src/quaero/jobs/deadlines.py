"""Deadlines: a job that has not ended by a wall time fails, with everything below it."""

from __future__ import annotations

from operator import itemgetter

from quaero.db.contract import ReadTx, Tx
from quaero.jobs.rows import load_one
from quaero.jobs.steer import fail

AT_ONCE = 100
TOPIC = "deadlines"


def limit_time(tx: Tx, job_id: int, limit: int) -> None:
    """Let a job fail if it is open still `limit` microseconds from now.

    When what ended of it is opened again, it has that time once more.
    """
    tx.execute(
        "update job set time_limit = $2, deadline = $3 where id = $1",
        (job_id, limit, tx.now + limit),
    )
    tx.signal(TOPIC)


def next_deadline(tx: ReadTx) -> int | None:
    """When the earliest deadline of an open job passes."""
    rows = tx.execute(
        """
        select deadline from job where deadline is not null and status < 2 and stopping = 0
         order by deadline limit 1
        """
    )
    return rows[0][0] if rows else None


def expire(tx: Tx) -> int:
    """End the jobs whose deadline has passed, up to a hundred; returns how many were due.

    What is below them ends in this transaction or soon after, as with a cancel.
    """
    rows = tx.execute(
        """
        select id, depth from job
         where deadline is not null and status < 2 and stopping = 0 and deadline <= $1
         order by deadline limit $2
        """,
        (tx.now, AT_ONCE),
    )
    for id_, _ in sorted(rows, key=itemgetter(1)):
        job = load_one(tx, id_)
        if job.status.open and not job.stopping:  # else it ends with one above
            fail(tx, id_, "not done by its deadline")
    return len(rows)
