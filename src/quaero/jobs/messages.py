"""The messages of jobs: what the queue is told of a job that may run."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from quaero.db.contract import ReadTx, Tx
from quaero.jobs.model import Hold, JobRow
from quaero.queue.message import Lane, NewMessage
from quaero.queue.send import send

_Lane = tuple[str, int, int]


def send_messages(tx: Tx, jobs: Sequence[JobRow]) -> None:
    """Give jobs their messages; the caller stores the rows.

    What lies below a job that waits for a place is held in place of that.
    """
    waiting = without_place(tx, {job.parent_id for job in jobs if job.parent_id and job.depth > 1})
    by_queue: dict[int, list[JobRow]] = {}
    for job in jobs:
        if job.parent_id in waiting:
            job.held = Hold.WITH_ANCESTOR
        else:
            by_queue.setdefault(job.queue_id, []).append(job)
    for queue_id, of_queue in by_queue.items():
        ids = send(tx, queue_id, [message_of(job) for job in of_queue])
        for job, id_ in zip(of_queue, ids, strict=True):
            job.message_id = id_


def send_for_try(tx: Tx, job: JobRow, wait: int) -> None:
    """Give a job the message of its next try, after a wait; the caller stores the row.

    One that waits for a place, or lies below one that does, gets it with the place.
    """
    job.message_id = None
    if job.parent_id is not None and without_place(tx, [job.parent_id]):
        job.held = Hold.WITH_ANCESTOR
    elif job.held != Hold.FOR_PLACE:
        message = msgspec.structs.replace(message_of(job), delay=wait, at=None)
        (job.message_id,) = send(tx, job.queue_id, [message])


def without_place(tx: ReadTx, ids: Collection[int]) -> set[int]:
    """The jobs among these that wait for a place, or lie below one that does."""
    if not ids:
        return set()
    rows = tx.execute(
        """
        with recursive up(start, parent_id, held) as (
            select id, parent_id, held from job where id in ints($1)
            union all
            select up.start, j.parent_id, j.held from up join job j on j.id = up.parent_id
             where up.held <> 3)
        select start from up where held = 3
        """,
        (msgspec.json.encode(sorted(ids)).decode(),),
    )
    return {id_ for (id_,) in rows}


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
