"""Deadlines: a job that has not ended by a time of the lease clock fails, with all below it.

So a step of the wall clock neither ends what has its time yet nor lets anything go on for ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter

import msgspec

from quaero.db.contract import ReadTx, Tx
from quaero.jobs import logs
from quaero.jobs.logs import Level
from quaero.jobs.messages import without_place
from quaero.jobs.model import JobRow, Stopping
from quaero.jobs.rows import load_one, stopping
from quaero.jobs.transition import stop

AT_ONCE = 100
TOPIC = "deadlines"
MISSED = "not done by its deadline"


def limit_time(tx: Tx, job_id: int, limit: int) -> None:
    """Let a job fail if it is open still `limit` microseconds from now.

    When what ended of it is opened again, it has that time once more.
    """
    tx.execute(
        "update job set time_limit = $2, deadline = $3 where id = $1",
        (job_id, limit, tx.lease_now + limit),
    )
    tx.signal(TOPIC)


def renew(tx: Tx, jobs: Sequence[JobRow]) -> None:
    """Give jobs that were opened again, and whose own run is not repeated, their time anew."""
    renewed = tx.execute(
        """
        update job set deadline = $2 + time_limit
         where id in ints($1) and time_limit is not null returning id
        """,
        (msgspec.json.encode([job.id for job in jobs]).decode(), tx.lease_now),
    )
    if renewed:
        tx.signal(TOPIC)


def next_deadline(tx: ReadTx) -> int | None:
    """When, on the lease clock, the earliest deadline of an open job passes."""
    rows = tx.execute(
        """
        select deadline from job where deadline is not null and status < 2 and stopping = 0
         order by deadline limit 1
        """
    )
    return rows[0][0] if rows else None


def expire(tx: Tx) -> int:
    """End the jobs whose deadline has passed, up to a hundred; returns how many were due.

    What is below them ends in this transaction or soon after, as with a cancel. What is being
    stopped already ends as it would have.
    """
    rows = tx.execute(
        """
        select id, depth from job
         where deadline is not null and status < 2 and stopping = 0 and deadline <= $1
         order by deadline limit $2
        """,
        (tx.lease_now, AT_ONCE),
    )
    for id_, _ in sorted(rows, key=itemgetter(1)):
        tx.execute("update job set deadline = null where id = $1", (id_,))
        job = load_one(tx, id_)  # the one before may have ended it
        if not job.status.open or stopping(tx, [id_]):
            continue
        if without_place(tx, [id_]):
            renew(tx, [job])  # its time begins with its place
        else:
            tx.execute("update job set error = $2 where id = $1", (id_, MISSED))
            logs.say(tx, job, Level.ERROR, f"failed: {MISSED}")
            stop(tx, job, Stopping.FAILING)
    return len(rows)
