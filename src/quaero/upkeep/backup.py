"""`backup`: writes a checked copy of the database to a folder, and keeps the newest of them.

A run that is cancelled leaves nothing. What one left whose process was killed goes with the next
that begins when no run can be at it any more.
"""

from __future__ import annotations

import asyncio
import math
import re
import threading
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from quaero.clock import SECOND, Clock
from quaero.db.sqlite.database import SqliteDatabase
from quaero.db.sqlite.upkeep import backup_to
from quaero.errors import BadInput, Permanent, StorageError
from quaero.work.context import JobContext
from quaero.work.registry import JobType, Result

LONGEST = 6 * 3_600.0
_NAME = re.compile(r"quaero-\d{8}T\d{6}Z(-\d+)?\.db")


class Backup(BaseModel):
    """How many backups of the folder to keep, this one included; 0 keeps them all."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    keep: Annotated[int, Field(ge=0, le=10_000)] = 7


def backup_type(db: SqliteDatabase, folder: Path, clock: Clock) -> JobType[Backup]:
    """The job type; copies lie in `folder`, which is made where it is missing."""

    async def run(job: JobContext, wanted: Backup) -> Result:
        job.progress(text="copying the database")
        try:
            target = await asyncio.to_thread(_free_name, folder, clock.wall())
            await asyncio.to_thread(_drop_partial, folder, clock.wall() / SECOND - LONGEST)
            size = await _copied(job, db.path, target)
        except (BadInput, OSError, StorageError) as error:  # to wait for room would fill it again
            raise Permanent(f"no backup can be written to {folder}: {error}") from error
        gone = 0
        try:
            gone = await asyncio.to_thread(_drop_old, folder, wanted.keep, clock.wall() / SECOND)
        except OSError as error:  # to try again would copy the database again
            job.log.warn(f"older backups stay: {error}")
        job.log.info(f"wrote {target.name}, {size / 1e6:.1f} MB, checked", dropped=gone)
        return Result({"path": str(target), "bytes": size, "dropped": gone})

    return JobType("backup", Backup, run, timeout=LONGEST)


async def _copied(job: JobContext, source: Path, target: Path) -> int:
    """Copy in a thread, which ends at its next page where the job is ended; returns the bytes."""
    ended = threading.Event()

    def told(done: int, total: int) -> None:
        if ended.is_set():
            raise Permanent("the job was ended")
        job.progress(done, total, "checking the copy" if done == total else "copying the database")

    try:
        return await asyncio.to_thread(backup_to, source, target, told)
    finally:
        ended.set()


def backups(folder: Path, now: float = math.inf) -> list[Path]:
    """The backups of a folder, the oldest first; other files are none.

    One of a time after `now`, in seconds, was written while the clock was ahead, so it is older
    than those of the past.
    """
    if not folder.is_dir():
        return []
    times = {
        each: each.stat().st_mtime
        for each in folder.iterdir()
        if _NAME.fullmatch(each.name) and each.is_file()
    }
    return sorted(times, key=lambda path: (times[path] <= now, times[path], path.name))


def _free_name(folder: Path, now: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    stem = f"quaero-{datetime.fromtimestamp(now // SECOND, UTC):%Y%m%dT%H%M%SZ}"
    target, number = folder / f"{stem}.db", 1
    while target.exists():
        number += 1
        target = folder / f"{stem}-{number}.db"
    return target


def _drop_partial(folder: Path, before: float) -> None:
    """Delete what killed runs left, not written since a time in seconds."""
    for path in folder.glob(".quaero-*.db.partial*"):
        with suppress(FileNotFoundError):
            if path.stat().st_mtime < before:
                path.unlink()


def _drop_old(folder: Path, keep: int, now: float) -> int:
    old = backups(folder, now)[:-keep] if keep else []
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)
