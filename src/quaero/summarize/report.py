"""What came of a job that summarised, over all its batches."""

from __future__ import annotations

from dataclasses import dataclass

from quaero.db.contract import ReadTx
from quaero.jobs.model import Status

_SAID = 10


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many documents were done, skipped, and left out as they have no sentence.

    `errors` are what batches that failed said, the first ten.
    """

    done: int
    skipped: int
    left_out: int
    failed: int
    errors: tuple[str, ...]


def outcome(tx: ReadTx, job_id: int) -> Outcome:
    """The sums over a job and its batches; one that failed has done what its state says."""
    ((done, skipped, left_out),) = tx.execute(
        """
        select coalesce(sum(came ->> 'done'), 0), coalesce(sum(came ->> 'skipped'), 0),
               coalesce(sum(came ->> 'left_out'), 0)
          from (select coalesce(result, state) as came from job where id = $1 or parent_id = $1)
        """,
        (job_id,),
    )
    rows = tx.execute(
        "select error from job where parent_id = $1 and status = $2 order by id",
        (job_id, Status.FAILED),
    )
    errors = tuple(str(row[0]) for row in rows[:_SAID])
    return Outcome(int(done), int(skipped), int(left_out), len(rows), errors)
