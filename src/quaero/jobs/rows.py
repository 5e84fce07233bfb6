"""Loading and storing what `transition` works on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from quaero.db.contract import ReadTx, Tx
from quaero.errors import NotFound
from quaero.jobs.model import COLUMNS, JobRow, row


def load(tx: ReadTx, ids: Iterable[int]) -> dict[int, JobRow]:
    """The jobs with these ids; those that do not exist are left out."""
    wanted = msgspec.json.encode(list(ids)).decode()
    found = tx.execute(f"select {COLUMNS} from job where id in ints($1)", (wanted,))
    return {values[0]: row(values) for values in found}


def load_one(tx: ReadTx, job_id: int) -> JobRow:
    """One job. Raises `NotFound`."""
    found = load(tx, [job_id])
    if job_id not in found:
        raise NotFound(f"there is no job {job_id}")
    return found[job_id]


def select(tx: ReadTx, where: str, args: Sequence[object]) -> list[JobRow]:
    """The jobs that a condition (our own SQL, with parameters) names."""
    return [row(values) for values in tx.execute(f"select {COLUMNS} from job where {where}", args)]


def stopping(tx: ReadTx, job_ids: Iterable[int]) -> set[int]:
    """The jobs among these that are stopping themselves or lie below one that is."""
    if not tx.execute("select 1 from job where stopping > 0 and status < 2 limit 1"):
        return set()
    rows = tx.execute(
        """
        with recursive up(start, id, parent_id, stopping) as (
            select id, id, parent_id, stopping from job where id in ints($1)
            union all
            select up.start, j.id, j.parent_id, j.stopping
              from up join job j on j.id = up.parent_id where up.stopping = 0)
        select distinct start from up where stopping > 0
        """,
        (msgspec.json.encode(list(job_ids)).decode(),),
    )
    return {row[0] for row in rows}


def deepest_first(jobs: Iterable[JobRow]) -> list[JobRow]:
    """Jobs in the order in which many are stopped: each before those above it."""
    return sorted(jobs, key=lambda job: (-job.depth, job.id))


def store(tx: Tx, rows: Sequence[JobRow]) -> None:
    """Write back what the rows say of status, attempts, times, message and own run."""
    if not rows:
        return
    values = [
        (
            r.id, r.status, r.attempt, r.round, r.held, r.started_at, r.completed_at,
            r.message_id, r.own_run, r.stopping, r.warnings,
        )
        for r in rows
    ]  # fmt: skip
    tx.execute(
        """
        update job
           set status = d.value ->> 1, attempt = d.value ->> 2, round = d.value ->> 3,
               held = d.value ->> 4, started_at = d.value ->> 5, completed_at = d.value ->> 6,
               message_id = d.value ->> 7, own_run = d.value ->> 8, stopping = d.value ->> 9,
               warnings = d.value ->> 10, rev = rev + 1
          from each($1) as d
         where job.id = d.value ->> 0
        """,
        (msgspec.json.encode(values).decode(),),
    )
