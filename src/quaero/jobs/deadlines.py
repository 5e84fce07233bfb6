"""Deadlines: a job that has not ended by a wall time fails, with everything below it."""

from __future__ import annotations

from quaero.db.contract import ReadTx, Tx
from quaero.jobs.steer import fail

AT_ONCE = 100
TOPIC = "deadlines"


def set_deadline(tx: Tx, job_id: int, at: int | None) -> None:
    """Let a job fail at `at`, in microseconds, if it is open still; None takes that back."""
    tx.execute("update job set deadline = $2 where id = $1", (job_id, at))
    if at is not None:
        tx.signal(TOPIC)


def next_deadline(tx: ReadTx) -> int | None:
    """When the earliest deadline of an open job passes."""
    rows = tx.execute(
        """
        select deadline from job where deadline is not null and status < 2
         order by deadline limit 1
        """
    )
    return rows[0][0] if rows else None


def expire(tx: Tx) -> int:
    """End the jobs whose deadline has passed, up to a hundred; returns how many.

    What is below them ends in this transaction or soon after, as with a cancel.
    """
    rows = tx.execute(
        """
        select id from job where deadline is not null and status < 2 and deadline <= $1
         order by deadline limit $2
        """,
        (tx.now, AT_ONCE),
    )
    for (id_,) in rows:
        set_deadline(tx, id_, None)
        fail(tx, id_, "not done by its deadline")
    return len(rows)
