"""`database_maintenance`: looks whether the file is sound, gives room back, keeps the log short.

Everything is done in steps between which others write. What asks whether the file is sound reads
one table at a time, on a connection of its own.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from pydantic import BaseModel, ConfigDict

from quaero.db.sqlite import upkeep
from quaero.db.sqlite.database import SqliteDatabase
from quaero.db.sqlite.longread import long_read
from quaero.errors import Permanent
from quaero.jobs.check import checks
from quaero.work.context import JobContext
from quaero.work.registry import JobType, Result

R = TypeVar("R")
PAUSE = 0.005


class DatabaseMaintenance(BaseModel):
    """What to do, all of it unless said otherwise.

    `integrity`: check the file, table by table, and every kept count. `vacuum`: give the pages back
    to the file system that hold nothing. `analyze`: count what the documents' indexes hold, so
    that searches with several conditions begin with the rarest. `checkpoint`: bring the log into
    the file.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    integrity: bool = True
    vacuum: bool = True
    analyze: bool = True
    checkpoint: bool = True


def maintenance_type(db: SqliteDatabase) -> JobType[DatabaseMaintenance]:
    """The job type."""

    async def run(job: JobContext, wanted: DatabaseMaintenance) -> Result:
        done: dict[str, int] = {}
        if wanted.integrity:
            done["tables_checked"] = await _check(db, job)
        if wanted.analyze:
            job.progress(text="counting what indexes hold")
            for statement in upkeep.ANALYZE:
                await asyncio.to_thread(db.exclusively, lambda c, s=statement: c.execute(s))
        if wanted.vacuum:
            done["bytes_given_back"] = await _vacuum(db, job)
        if wanted.checkpoint:
            job.progress(text="bringing the log into the file")
            done["pages_written"] = await asyncio.to_thread(db.exclusively, upkeep.checkpoint)
        job.log.info("done", **done)
        return Result(done)

    return JobType("database_maintenance", DatabaseMaintenance, run, timeout=6 * 3_600.0)


async def _check(db: SqliteDatabase, job: JobContext) -> int:
    """Check each table, then each count. Raises `Permanent`."""
    tables = await _in_thread(partial(long_read, db.path, upkeep.tables))
    counts = checks()
    total = len(tables) + len(counts)
    for number, table in enumerate(tables):
        job.progress(number, total, f"checking {table}")
        look = partial(upkeep.damage_of, table)
        if found := await _in_thread(partial(long_read, db.path, look)):
            raise Permanent(f"{db.path}, table {table}: {'; '.join(found)}")
    for number, check in enumerate(counts, len(tables)):
        job.progress(number, total, "counting anew")
        if wrong := await _in_thread(partial(db.read_long, check)):
            raise Permanent(f"{db.path}: {'; '.join(wrong)}")
    job.progress(total, total)
    return len(tables)


async def _in_thread(look: Callable[[Callable[[], bool]], R]) -> R:
    """Run `look`, which asks whether to go on, in a thread; it ends with the task that waits."""
    ended = threading.Event()
    try:
        return await asyncio.to_thread(look, ended.is_set)
    finally:
        ended.set()


async def _vacuum(db: SqliteDatabase, job: JobContext) -> int:
    """Give free pages back in small steps; returns how many bytes that was."""
    before = await asyncio.to_thread(db.exclusively, upkeep.room)
    if not before.can_shrink:
        job.log.info("the file was made by an earlier program and keeps its size: its free room is "
                     "used again; a backup that is restored is as small as can be")  # fmt: skip
        return 0
    left = before.free_pages
    while left:
        job.progress(before.free_pages - left, before.free_pages, "giving room back")
        now = await asyncio.to_thread(db.exclusively, upkeep.shrink)
        if now >= left:
            break
        left = now
        await asyncio.sleep(PAUSE)
    return (before.free_pages - left) * before.page_size
