"""How a parent ends, judged by its own run and what became of its children."""

from __future__ import annotations

from quaero.db.contract import ReadTx, Tx
from quaero.jobs.model import JobRow, OwnRun, Status, Stopping
from quaero.jobs.rows import store

_ONLY = "the only core job failed"


def verdict(tx: ReadTx, parent: JobRow) -> tuple[Status, str | None]:
    """How a parent ends whose own run and descendants all have ended."""
    if parent.stopping in (Stopping.CANCELLED, Stopping.WITH_ANCESTOR):
        return Status.CANCELLED, None
    if parent.stopping == Stopping.FAILING or parent.own_run == OwnRun.FAILED:
        return Status.FAILED, None
    if parent.core_total and parent.core_failed == parent.core_total:
        return Status.FAILED, _all_failed(tx, parent)
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


def _all_failed(tx: ReadTx, parent: JobRow) -> str:
    """That no core job ended well, and the error of the first that has one."""
    rows = tx.execute(
        """
        select error from job where parent_id = $1 and parent_id is not null and phase = 1
           and status = 3 and error is not null order by id limit 1
        """,
        (parent.id,),
    )
    error = rows[0][0] if rows else None
    if parent.core_total > 1:
        return f"all {parent.core_total} core jobs failed{_after_colon(error)}"
    if error is not None and error.startswith(_ONLY):
        return str(error)  # of a child for which the same holds
    return f"{_ONLY}{_after_colon(error)}"


def _after_colon(error: str | None) -> str:
    return f": {error}" if error else ""


def forget_warnings(tx: Tx, parent: JobRow) -> None:
    """Have a parent warn of those only that have failed now; others were deleted or retried."""
    if parent.warnings > parent.n_failed:
        parent.warnings = parent.n_failed
        store(tx, [parent])
