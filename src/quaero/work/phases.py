"""Work that comes before a job's own run: its pre children, made by the job itself.

The first start of such a job only creates them and gives its message up. The transaction that ends
the last of them well sends it again; where one fails, the job fails with its error. So nothing of
the own run is done before, whoever created the job and however often processes are killed.
"""

from __future__ import annotations

from collections.abc import Sequence

from quaero.db.contract import Database, ReadTx, Tx
from quaero.jobs.create import insert
from quaero.jobs.model import JobRow, JobSpec
from quaero.work.context import JobContext
from quaero.work.registry import Later


async def after_pre(db: Database, job: JobContext, specs: Sequence[JobSpec]) -> Later | None:
    """What a run returns to let these pre jobs go first; None when it has had them already."""
    if await db.read(_has_pre, job.id):
        return None

    def create(tx: Tx, row: JobRow) -> None:
        insert(tx, row.queue_id, specs, row)

    return Later(effects=[create], after_pre=True)


def _has_pre(tx: ReadTx, job_id: int) -> bool:
    return bool(
        tx.execute(
            """
            select 1 from job where parent_id = $1 and parent_id is not null and phase = 0 limit 1
            """,
            (job_id,),
        )
    )
