"""What a deleted source leaves, taken away: little at once, much by the job `source_removal`.

The links that its pages had go always, its documents only where that was asked for.
"""

from __future__ import annotations

from dataclasses import replace

from quaero.db.contract import Database, Tx
from quaero.documents import store
from quaero.documents.model import Filter
from quaero.jobs.create import create
from quaero.jobs.model import JobSpec
from quaero.sources import runs
from quaero.sources.payloads import REMOVAL, Removal
from quaero.work.context import JobContext
from quaero.work.registry import JobType, Result

AT_ONCE = store.SLICE
LINKS_AT_ONCE = 1_000


def remove(
    tx: Tx, queue_id: int, source_id: int, *, cancel: bool, documents: bool
) -> int | None:  # fmt: skip
    """Remove a source; returns the job that takes away what it leaves, where that is much.

    Raises `NotFound`, or `Conflict` while it is being collected, unless that is to be cancelled.
    """
    runs.remove(tx, source_id, cancel=cancel)
    rest = forget_links(tx, source_id) == LINKS_AT_ONCE
    if documents:
        rest = store.delete_some(tx, Filter(source_id=source_id), AT_ONCE) == AT_ONCE or rest
    if not rest:
        return None
    text = Removal(source=source_id, documents=documents).model_dump_json()
    name = f"delete what source {source_id} left"
    (job_id,) = create(tx, queue_id, [JobSpec(REMOVAL.name, text, name=name, lane=REMOVAL.lane)])
    return job_id


def removal_type(db: Database) -> JobType[Removal]:
    """The job type."""

    async def run(job: JobContext, wanted: Removal) -> Result:
        total = links = 0
        while wanted.documents and (
            count := await db.write(store.delete_some, Filter(source_id=wanted.source))
        ):
            total += count
            job.progress(total, None, "deleting documents")
        while count := await db.write(forget_links, wanted.source):
            links += count
        return Result({"documents": total, "links": links})

    return replace(REMOVAL, run=run)


def forget_links(tx: Tx, source_id: int) -> int:
    """Remove up to `LINKS_AT_ONCE` of the links that were kept of a source's pages."""
    rows = tx.execute(
        """
        delete from page_links where source_id = $1 and hash in
            (select hash from page_links where source_id = $1 limit $2) returning 1
        """,
        (source_id, LINKS_AT_ONCE),
    )
    return len(rows)
