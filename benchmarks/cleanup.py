"""How long a new job waits while a million finished ones are cleaned up, beside doing nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from quaero.db import SqliteDatabase
from quaero.testing.jobs import Bench, working
from quaero.upkeep.cleanup import Kept, cleanup_type
from quaero.work.registry import JobType

FINISHED, OF_A_TREE = 1_000_000, 100
EVERY = 0.02
QUIET = 10.0


class Probe(BaseModel):
    sent_at: float = 0.0


def _fill(db: SqliteDatabase, many: int) -> None:
    """Trees of a hundred jobs that ended long ago, with a log entry each."""

    def work(connection):
        connection.pragma("synchronous", "off")
        connection.execute("begin")
        connection.execute(
            """
            with recursive n(i) as (values(1) union all select i + 1 from n where i < ?1)
            insert into job(id, parent_id, root_id, depth, type, phase, name, status, priority,
                            payload, created_at, started_at, completed_at, queue_id, own_run,
                            n_completed, core_total)
            select i, case when top <> i then top end, top, top <> i, 'page', 1,
                   'https://docs.example.org/' || i, 2, 0, '{}', i * 1000, i * 1000 + 500,
                   i * 1000 + 900, 1, 1, case when top = i then ?2 - 1 else 0 end,
                   case when top = i then ?2 - 1 else 0 end
              from (select i, i - (i - 1) % ?2 as top from n)
            """,
            (many, OF_A_TREE),
        )
        connection.execute(
            """
            insert into job_log(job_id, root_id, attempt, at, level, message)
            select id, root_id, 1, completed_at, 1, 'completed in 0.000 s' from job
            """
        )
        connection.execute(
            """
            insert into job_log_count(root_id, level, n)
            select root_id, level, count(*) from job_log group by 1, 2
            """
        )
        connection.execute(
            """
            insert into job_count(top, type, status, n)
            select parent_id is null, type, status, count(*) from job group by 1, 2, 3
            """
        )
        connection.execute("update sequence set last = ? where name = 'job'", (many,))
        connection.execute("commit")
        connection.wal_checkpoint("main", 1)
        connection.pragma("synchronous", "full")

    db.exclusively(work)


def _told(waits: Iterable[float]) -> str:
    sorted_ = sorted(waits)
    picks = (len(sorted_) // 2, int(len(sorted_) * 0.99), -1)
    return " | ".join(f"{sorted_[place] * 1e3:.1f}" for place in picks)


async def _main(folder: Path, many: int) -> list[str]:
    waits: list[float] = []

    async def probe(job: Any, payload: Probe) -> None:
        waits.append(time.perf_counter() - payload.sent_at)

    with SqliteDatabase.open(folder / "cleanup.db") as db:
        kept = Kept(logs=1e4, minutes=1e4, dead_letters=1e4, versions=10, model_calls=1e4)
        types = [JobType("probe", Probe, probe), cleanup_type(db, kept)]
        async with working(db, types) as bench:
            _fill(db, many)
            await _probe_until(bench, asyncio.create_task(asyncio.sleep(QUIET)))
            quiet, waits[:] = list(waits), []
            began = time.perf_counter()
            await _probe_until(bench, asyncio.create_task(bench.run("cleanup")))
            took = time.perf_counter() - began
            ((left,),) = await db.read(
                lambda tx: tx.execute(
                    "select coalesce(sum(n), 0) from job_count where type = 'page'"
                )
            )
            assert left == 0, left
    return [
        "### From sending a job to its start while finished ones are cleaned up", "",
        "| meanwhile | p50 ms | p99 ms | most ms |", "|---|---:|---:|---:|",
        f"| nothing | {_told(quiet)} |",
        f"| {many:,} finished jobs go, in {took:.0f} s | {_told(waits)} |", "",
    ]  # fmt: skip


async def _probe_until(bench: Bench, task: asyncio.Task[Any]) -> None:
    while not task.done():
        await bench.create("probe", Probe(sent_at=time.perf_counter()))
        await asyncio.sleep(EVERY)
    await task


def run(folder: Path, scale: float) -> list[str]:
    """The table; `scale` shrinks the database."""
    return asyncio.run(_main(folder, int(FINISHED * scale)))
