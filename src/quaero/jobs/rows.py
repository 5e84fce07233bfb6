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
