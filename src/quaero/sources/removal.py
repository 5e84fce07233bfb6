"""`source_removal`: takes away what a deleted source leaves, in slices.

The links that its pages had go always, its documents only where that was asked for.
"""

from __future__ import annotations

from dataclasses import replace

from quaero.db.contract import Database, Tx
from quaero.documents import store
from quaero.documents.model import Filter
from quaero.sources.payloads import REMOVAL, Removal
from quaero.work.context import JobContext
from quaero.work.registry import JobType, Result

LINKS_AT_ONCE = 1_000


def removal_type(db: Database) -> JobType[Removal]:
    """The job type."""

    async def run(job: JobContext, wanted: Removal) -> Result:
        total = 0
        while count := await db.write(store.delete_some, Filter(source_id=wanted.source)):
            total += count
            job.progress(total, None, "deleting documents")
        return Result({"documents": total})

    return replace(REMOVAL, run=run)


async def forget_links(db: Database, source_id: int) -> None:
    """Remove the links that were kept of a source's pages."""
    while await db.write(_forget_links, source_id):
        pass


def _forget_links(tx: Tx, source_id: int) -> int:
    rows = tx.execute(
        """
        delete from page_links where source_id = $1 and hash in
            (select hash from page_links where source_id = $1 limit $2) returning 1
        """,
        (source_id, LINKS_AT_ONCE),
    )
    return len(rows)
