"""How a parent ends, judged by its own run and what became of its children."""

from __future__ import annotations

from quaero.db.contract import ReadTx
from quaero.jobs.model import JobRow, OwnRun, Status, Stopping


def verdict(tx: ReadTx, parent: JobRow) -> tuple[Status, str | None]:
    """How a parent ends whose own run and descendants all have ended."""
    if parent.stopping in (Stopping.CANCELLED, Stopping.WITH_ANCESTOR):
        return Status.CANCELLED, None
    if parent.stopping == Stopping.FAILING or parent.own_run == OwnRun.FAILED:
        return Status.FAILED, None
    if parent.core_total and parent.core_failed == parent.core_total:
        return Status.FAILED, f"all {parent.core_total} core jobs failed"
    if parent.n_failed or parent.n_cancelled:
        flawed = tx.execute(
            """
            select name, status from job where parent_id = $1 and vital = 1 and status > 2
             order by status, id limit 1
            """,
            (parent.id,),
        )
        for name, status in flawed:
            return Status.FAILED, f"{name} {Status(status).word}"
    return Status.COMPLETED, None
