"""`collect`: a run of a source as part of a larger tree, a step of a workflow say.

The job makes the run its child, with the source's settings as they are at that moment, and ends
with it. A source is collected once at a time: while another run is under way the job waits for its
turn. The turn is taken in the transaction that makes the run, so of any number only one has it.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from quaero.crawl.payloads import Crawl
from quaero.db.contract import Database, ReadTx, Tx
from quaero.errors import Conflict, NotFound, Permanent
from quaero.jobs.create import insert
from quaero.jobs.model import JobRow, JobSpec
from quaero.sources import records, runs
from quaero.sources.names import names
from quaero.work.context import JobContext
from quaero.work.registry import JobType, Later, Result

LOOK_AGAIN = 5.0


class Collect(BaseModel):
    """Which source, by its name or id, and what this run has besides its settings.

    `settings` narrow those of the source: `include`, `exclude`, `max_depth`, `max_pages`
    (`max_files` for a folder) and `refresh`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: (
        Annotated[int, Field(ge=1, le=2**63 - 1)]
        | Annotated[str, Field(min_length=1, max_length=200)]
    )
    settings: dict[str, Any] = {}


COLLECT = JobType("collect", Collect)


def collect_type(db: Database) -> JobType[Collect]:
    """The job type."""

    async def run(job: JobContext, wanted: Collect) -> Result | Later:
        if job.state is not None:
            return Result(job.state)
        source, active = await db.read(_look, wanted.source)
        if not source.enabled:
            raise Permanent(f"source {source.name} is disabled; enable it, then collect")
        if active is not None:
            job.progress(text=f"waiting for job {active}, which collects {source.name}")
            return Later(LOOK_AGAIN)
        payload = runs.payload_of(source, wanted.settings)
        kind = "crawler" if isinstance(payload, Crawl) else "folder"
        spec = JobSpec(kind, payload.model_dump_json(), name=f"collect {source.name}")
        begun = {"source": source.id, "name": source.name}
        try:
            await job.checkpoint(begun, [partial(_begin, source_id=source.id, spec=spec)])
        except Conflict as error:
            job.progress(text=f"waiting: {error}")
            return Later(LOOK_AGAIN)
        except NotFound as error:
            raise Permanent(str(error)) from error
        return Result(begun)

    return JobType(COLLECT.name, Collect, run)


def _begin(tx: Tx, job: JobRow, *, source_id: int, spec: JobSpec) -> None:
    """Make the run, and the source's turn its own. Raises `Conflict` where another has it."""
    (run_id,) = insert(tx, job.queue_id, [spec], job)
    runs.take_turn(tx, source_id, run_id)


def _look(tx: ReadTx, wanted: int | str) -> tuple[records.Source, int | None]:
    """The source, and the job that collects it at the moment. Raises `Permanent`."""
    if isinstance(wanted, str):
        known = names(tx)
        if wanted not in known:
            told = ", ".join(known) or "none"
            raise Permanent(f"there is no source {wanted!r}; there are {told}")
        wanted = known[wanted]
    try:
        source = records.get(tx, wanted)
    except NotFound as error:
        raise Permanent(str(error)) from error
    return source, runs.active_run(tx, source)
