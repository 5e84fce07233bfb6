"""`backup`: writes a checked copy of the database to a folder, and keeps the newest of them."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from quaero.clock import SECOND, Clock
from quaero.db.sqlite.database import SqliteDatabase
from quaero.db.sqlite.upkeep import backup_to
from quaero.errors import BadInput, Permanent
from quaero.work.context import JobContext
from quaero.work.registry import JobType, Result

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
            size = await asyncio.to_thread(backup_to, db.path, target)
        except (BadInput, OSError) as error:
            raise Permanent(f"no backup can be written to {folder}: {error}") from error
        gone = await asyncio.to_thread(_drop_old, folder, wanted.keep)
        job.log.info(f"wrote {target.name}, {size / 1e6:.1f} MB, checked", dropped=gone)
        return Result({"path": str(target), "bytes": size, "dropped": gone})

    return JobType("backup", Backup, run, timeout=6 * 3_600.0)


def backups(folder: Path) -> list[Path]:
    """The backups of a folder, the oldest first; other files are none."""
    if not folder.is_dir():
        return []
    return sorted(
        (each for each in folder.iterdir() if _NAME.fullmatch(each.name) and each.is_file()),
        key=lambda path: (path.stat().st_mtime_ns, path.name),
    )


def _free_name(folder: Path, now: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    stem = f"quaero-{datetime.fromtimestamp(now // SECOND, UTC):%Y%m%dT%H%M%SZ}"
    target, number = folder / f"{stem}.db", 1
    while target.exists():
        number += 1
        target = folder / f"{stem}-{number}.db"
    return target


def _drop_old(folder: Path, keep: int) -> int:
    old = backups(folder)[:-keep] if keep else []
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)
