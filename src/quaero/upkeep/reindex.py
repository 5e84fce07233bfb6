"""`reindex`: builds the full-text index anew, document by document, while searches go on.

Each document leaves the index and enters it again in one transaction, so a search finds it all the
time. With `from_scratch` the index is emptied first, which mends one that is damaged; until the
job has ended, searches find only what it has come to.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from quaero.db.contract import Database, Tx
from quaero.documents import counts, fulltext
from quaero.errors import DiskFull
from quaero.jobs.model import JobRow
from quaero.work.context import JobContext
from quaero.work.registry import JobType, Result

AT_ONCE = 50


class Reindex(BaseModel):
    """Whether to empty the index before it is built."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    from_scratch: bool = False


def reindex_type(db: Database) -> JobType[Reindex]:
    """The job type."""

    async def run(job: JobContext, wanted: Reindex) -> Result:
        total = (await db.read(counts.of_all)).documents
        state = job.state or {"after": 0, "done": 0}
        if wanted.from_scratch and job.state is None:
            await job.checkpoint(state, [_clear])
        after: int | None = state["after"]
        done: int = state["done"]
        while after is not None:
            after, some = await db.write(fulltext.rebuild_some, after, AT_ONCE)
            done += some
            job.progress(done, max(done, total), "indexing documents")
            if after is not None:
                await job.checkpoint({"after": after, "done": done})
        await merge(db, job)
        job.log.info(f"indexed {done} documents")
        return Result({"documents": done})

    return JobType("reindex", Reindex, run, timeout=6 * 3_600.0)


def _clear(tx: Tx, job: JobRow) -> None:
    """Empty the index under the job's lease: a run that lost it would empty that of the next."""
    del job
    fulltext.clear(tx)


async def merge(db: Database, job: JobContext) -> None:
    """Merge the whole index, in steps of about 10 ms; another time where there is no room."""
    job.progress(text="merging the full-text index")
    try:
        while await db.write(fulltext.merge_some):
            pass
    except DiskFull as error:
        job.log.warn(f"the full-text index is merged another time: {error}")
