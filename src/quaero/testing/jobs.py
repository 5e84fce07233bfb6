"""Running jobs in tests: a pool over a database, and waiting for jobs to end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from quaero.db.sqlite.database import SqliteDatabase
from quaero.jobs import feed
from quaero.jobs.create import create
from quaero.jobs.model import JobSpec
from quaero.jobs.read import Job, get
from quaero.queue.queue import open_queue
from quaero.work.pool import Pool, PoolOptions
from quaero.work.registry import JobType, Registry

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Bench:
    """A running pool, and what is needed to give it work."""

    db: SqliteDatabase
    queue_id: int
    registry: Registry
    pool: Pool

    async def create(self, type_: str, payload: Any = None, **options: Any) -> int:
        """Create a top-level job; returns its id."""
        text = self.registry.get(type_).encode(payload or {})
        (id_,) = await self.db.write(create, self.queue_id, [JobSpec(type_, text, **options)])
        return id_

    async def ended(self, job_id: int) -> Job:
        """Wait until a job has ended; returns it."""
        return await ended(self.db, job_id)

    async def run(self, type_: str, payload: Any = None, **options: Any) -> Job:
        """Create a job and wait until it has ended."""
        return await self.ended(await self.create(type_, payload, **options))


async def ended(db: SqliteDatabase, job_id: int) -> Job:
    """Wait until a job has ended; returns it."""

    async def end() -> Job | None:
        job = await db.read(get, job_id)
        return None if job.summary.status.open else job

    return await until(db, feed.TOPIC, end)


async def until(db: SqliteDatabase, topic: str, look: Callable[[], Awaitable[T | None]]) -> T:
    """Wait until `look` finds something, looking after each commit that signals `topic`."""
    changed, loop = asyncio.Event(), asyncio.get_running_loop()
    stop = db.subscribe(topic, lambda: loop.call_soon_threadsafe(changed.set))
    try:
        while True:
            changed.clear()
            found = await look()
            if found is not None:
                return found
            await changed.wait()
    finally:
        stop()


@asynccontextmanager
async def working(
    db: SqliteDatabase, types: Iterable[JobType[Any]], options: PoolOptions | None = None
) -> AsyncIterator[Bench]:
    """A pool that runs these job types while the block runs, then stops gracefully."""
    queue_id = await db.write(open_queue, "quaero_jobs")
    registry = Registry(types)
    pool = Pool(db, queue_id, registry, options)
    running = asyncio.create_task(pool.run())
    try:
        yield Bench(db, queue_id, registry, pool)
    finally:
        pool.stop()
        await running
