"""The messages of jobs: what the queue is told of a job that may run."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from quaero.db.contract import Tx
from quaero.jobs.model import JobRow
from quaero.queue.message import Lane, NewMessage
from quaero.queue.send import send

_Lane = tuple[str, int, int]


def send_messages(tx: Tx, jobs: Sequence[JobRow]) -> None:
    """Give jobs of one queue their messages; the caller stores the rows."""
    by_queue: dict[int, list[JobRow]] = {}
    for job in jobs:
        by_queue.setdefault(job.queue_id, []).append(job)
    for queue_id, of_queue in by_queue.items():
        ids = send(tx, queue_id, [message_of(job) for job in of_queue])
        for job, id_ in zip(of_queue, ids, strict=True):
            job.message_id = id_


def send_again(tx: Tx, job: JobRow) -> None:
    """Give a job another message in the same round; the caller stores the row.

    Attempts that ended badly under the one before count on, and are not taken for later ones.
    """
    send_messages(tx, [job])
    charged = max(0, job.attempt - 1)  # the last attempt gave its message up and was not charged
    tx.execute(
        """
        update message set receives = $4, lease_no = max($4, coalesce(
            (select max(lease_no) from job_attempt where job_id = $2 and round = $3), 0))
         where id = $1
        """,
        (job.message_id, job.id, job.round, charged),
    )


def message_of(job: JobRow) -> NewMessage:
    """The message of a job, as its record has it."""
    lane = None if job.lane is None else msgspec.json.decode(job.lane, type=_Lane)
    return NewMessage(
        job.type, job_id=job.id, priority=job.priority, at=job.run_at,
        lane=None if lane is None else Lane(*lane),
    )  # fmt: skip
