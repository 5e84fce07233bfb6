"""Sources of sites and folders of this machine, collected as the program does it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quaero.app import Worker, worker
from quaero.crawl.login import Login
from quaero.documents.model import Document, Filter
from quaero.documents.read import documents, ids_after
from quaero.jobs import feed
from quaero.jobs.check import faults
from quaero.jobs.create import create
from quaero.jobs.read import Job, get
from quaero.sources import health, records, runs
from quaero.sources.health import State

from ..crawl.crawler import LONGEST, settings  # noqa: TID252


@dataclass(frozen=True)
class Program:
    """A worker over a data directory, and what a person does with its sources."""

    made: Worker

    async def add(self, name: str, base_url: str, kind: str = "web", **more: Any) -> int:
        given = {"name": name, "kind": kind, "base_url": base_url, **more}
        return await self.made.db.write(records.create, given)

    async def begin(self, source_id: int, **wish: Any) -> int:
        begun = await self.made.db.write(runs.collect, self.made.queue_id, source_id, wish)
        return begun.job_id

    async def collect(self, source_id: int, **wish: Any) -> Job:
        """Collect to the end; what is kept of jobs agrees with itself afterwards."""
        return await self.run(await self.begin(source_id, **wish))

    async def run(self, job_id: int) -> Job:
        changed = asyncio.Event()
        loop = asyncio.get_running_loop()
        end = self.made.db.subscribe(feed.TOPIC, lambda: loop.call_soon_threadsafe(changed.set))
        try:
            async with asyncio.timeout(LONGEST):
                while (await self.job(job_id)).summary.status.open:
                    await changed.wait()
                    changed.clear()
        finally:
            end()
        assert await self.made.db.read(faults) == []
        return await self.job(job_id)

    async def validate(self, source_id: int) -> Job:
        source = await self.made.db.read(records.get, source_id)
        spec = runs.validation_of(source)
        (job_id,) = await self.made.db.write(create, self.made.queue_id, [spec])
        return await self.run(job_id)

    async def job(self, job_id: int) -> Job:
        return await self.made.db.read(get, job_id)

    async def pre(self, job_id: int) -> Job:
        """The check before a run."""
        rows = await self.made.db.read(
            lambda tx: tx.execute(
                "select id from job where parent_id = $1 and phase = 0", (job_id,)
            )
        )
        ((id_,),) = rows
        return await self.job(id_)

    async def state(self, source_id: int) -> State:
        def of(tx: Any) -> State:
            (found,) = health.states(tx, [records.get(tx, source_id)])
            return found

        return await self.made.db.read(of)

    async def documents(self, source_id: int) -> list[Document]:
        def of(tx: Any) -> list[Document]:
            return documents(tx, ids_after(tx, Filter(source_id=source_id), 0, 1_000))

        return await self.made.db.read(of)

    async def present(self, source_id: int) -> set[str]:
        """The last parts of the addresses of documents that are not gone."""
        return {
            each.summary.url.rpartition("/")[2]
            for each in await self.documents(source_id)
            if each.summary.gone_at is None
        }


@asynccontextmanager
async def program(
    folder: Path, login: Login | None = None, **config: Any
) -> AsyncIterator[Program]:
    """A worker that runs as long as the block does."""
    async with worker(settings(folder, **config), login=login) as made:
        running = asyncio.create_task(made.pool.run())
        try:
            yield Program(made)
        finally:
            made.pool.stop()
            await running


def checks(job: Job) -> dict[str, bool | None]:
    """What a check found, by name."""
    return {each["name"]: each["ok"] for each in job.result["checks"]}
