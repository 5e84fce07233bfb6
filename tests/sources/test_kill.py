"""A run that is killed between its check and its pages goes on, and nothing is done twice."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from quaero.db.sqlite.database import SqliteDatabase
from quaero.jobs import feed
from quaero.jobs.check import faults
from quaero.jobs.model import Status
from quaero.jobs.read import get
from quaero.queue.queue import open_queue
from quaero.sources import records, runs
from quaero.testing.site import Page, SiteServer

from ..crawl.crawler import LONGEST, links  # noqa: TID252
from ..processes import Program  # noqa: TID252


async def until(db: SqliteDatabase, reached: Callable[[], bool]) -> None:
    """Wait for a state of the database, which every commit tells of."""
    changed = asyncio.Event()
    loop = asyncio.get_running_loop()
    end = db.subscribe(feed.TOPIC, lambda: loop.call_soon_threadsafe(changed.set))
    try:
        async with asyncio.timeout(LONGEST):
            while not reached():
                changed.clear()
                await asyncio.wait({asyncio.create_task(changed.wait())}, timeout=1)
    finally:
        end()


@pytest.mark.parametrize("place", ["while it is checked", "when the check has ended"])
async def test_a_run_that_is_killed_goes_on_and_fetches_nothing_unchecked(
    tmp_path: Path, place: str
) -> None:
    slow = Page(body=links("/a"), delay=0.3)
    async with SiteServer({"/": slow, "/a": "a"}) as site:
        with SqliteDatabase.open(tmp_path / "quaero.db") as db:
            queue_id = await db.write(open_queue, "quaero_jobs")
            given = {"name": "docs", "base_url": site.url}
            source = await db.write(records.create, given)
            run = (await db.write(runs.collect, queue_id, source, {})).job_id

            def statuses() -> list[int]:
                rows: Any = db.read_sync(
                    lambda tx: tx.execute("select status from job order by id", ())
                )
                return [row[0] for row in rows]

            def reached() -> bool:
                found = statuses()
                if place == "while it is checked":
                    return len(found) > 1 and found[1] == Status.RUNNING
                return len(found) > 1 and found[1] == Status.COMPLETED

            worker = Program("--data-dir", tmp_path, "work")
            try:
                await until(db, reached)
            finally:
                worker.signal(signal.SIGKILL)
                worker.close()
            assert await db.read(faults) == []
            worker = Program("--data-dir", tmp_path, "work")
            try:
                await until(db, lambda: statuses()[0] > Status.RUNNING)
            finally:
                worker.signal(signal.SIGTERM)
                worker.wait()
                worker.close()
            assert await db.read(faults) == []
            job = await db.read(get, run)
            saved = await db.read(
                lambda tx: tx.execute("select url, version from document order by url")
            )
    assert job.summary.status is Status.COMPLETED
    assert job.summary.counts.total == 3
    assert saved == [(f"{site.url}/", 1), (f"{site.url}/a", 1)]
