"""Whole jobs without lanes: record, parent's counts, log, feed; and what each of these costs."""

from __future__ import annotations

import asyncio
from pathlib import Path

from pydantic import BaseModel

from harness import Contest, Figures, contest, timed
from quaero.db import SqliteDatabase
from quaero.jobs import JobSpec
from quaero.jobs.create import create
from quaero.jobs.read import get
from quaero.queue.queue import open_queue
from quaero.work.pool import Pool, PoolOptions
from quaero.work.registry import JobType, Registry, Result

BLOCK = 1_000


class Leaf(BaseModel):
    n: int = 0


async def _plain(job, payload) -> None:
    return None


async def _with_result(job, payload) -> Result:
    return Result({"n": payload.n})


async def _with_log(job, payload) -> None:
    job.log.info("did it", n=payload.n)


def drained(folder: Path, run, n: int = 30_000) -> Figures:
    """`n` children of one parent, created first and then drained with 5 workers."""

    async def main() -> Figures:
        db = SqliteDatabase.open(folder / "q.db")
        queue_id = await db.write(open_queue, "quaero_jobs")
        registry = Registry([JobType("leaf", Leaf, run), JobType("root", Leaf, _plain)])
        (root,) = await db.write(create, queue_id, [JobSpec("root")])
        for start in range(0, n, BLOCK):
            specs = [JobSpec("leaf", f'{{"n": {k}}}') for k in range(start, start + BLOCK)]
            await db.write(create, queue_id, specs, root)
        pool = Pool(db, queue_id, registry, PoolOptions(concurrency=5))
        before = db.commits
        with timed() as took:
            working = asyncio.create_task(pool.run())
            while (await db.read(get, root)).summary.status.open:
                await asyncio.sleep(0.02)
            seconds, cpu = took()
        commits = db.commits - before
        pool.stop()
        await working
        db.close()
        return Figures(n, seconds, cpu, commits)

    return asyncio.run(main())


def run(rounds: int) -> list[Contest]:
    """The contest of jobs; the first is what others are compared with."""
    kinds = {
        "quaero": _plain,
        "with a result": _with_result,
        "with an own log entry": _with_log,
    }
    contestants = {
        name: (lambda folder, kind=kind: drained(folder, kind)) for name, kind in kinds.items()
    }
    return [contest("whole jobs, children of one parent, 5 workers", contestants, rounds)]
