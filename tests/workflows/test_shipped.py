"""The definitions that come with the program can be run by it, and are never forced on people."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from quaero.app import registry_without_worker
from quaero.clock import SystemClock
from quaero.db import SqliteDatabase
from quaero.db.sqlite.room import MB, Room
from quaero.jobs.model import Status
from quaero.queue.queue import open_queue
from quaero.settings import Settings
from quaero.testing.jobs import working
from quaero.upkeep.backup import backup_type
from quaero.upkeep.cleanup import Kept, cleanup_type
from quaero.upkeep.maintenance import maintenance_type
from quaero.work.pool import PoolOptions
from quaero.work.registry import JobType, Registry
from quaero.workflows import definitions, runs, schedules, shipped
from quaero.workflows.executors import WorkflowExecutors
from quaero.workflows.template import fill
from quaero.workflows.text import check

from ..opening import Opened  # noqa: TID252

KEPT = Kept(logs=30, minutes=30, dead_letters=30, versions=1, model_calls=30, bodies=30)


@pytest.mark.parametrize("name", sorted(shipped.texts()))
def test_each_can_be_run_by_the_real_job_types(opened: Opened, name: str) -> None:
    settings = Settings(data_dir=Path(opened.folder))
    registry = registry_without_worker(settings, opened.db)
    text = shipped.texts()[name]
    checked = check(text, "toml", registry.known())
    assert checked.faults == []
    assert checked.definition is not None
    assert f"{checked.definition.id}.toml" == name
    opened.write(shipped.store, registry.known())
    queue_id = opened.write(open_queue, "q")
    needed = {name: "docs" for name, each in checked.definition.parameters.items() if each.required}
    known = registry.known()
    opened.write(runs.begin, queue_id, checked.definition.id, known, parameters=needed)


def test_they_are_stored_once_and_paused(opened: Opened) -> None:
    known = registry_without_worker(Settings(data_dir=Path(opened.folder)), opened.db).known()
    stored = opened.write(shipped.store, known)
    assert stored == ["collect-and-summarise", "nightly-upkeep", "weekly-refresh"]
    assert opened.read(schedules.get, "nightly-upkeep").paused
    assert opened.write(shipped.store, known) == []
    opened.write(schedules.resume, "nightly-upkeep")
    assert opened.write(shipped.store, known) == []
    assert not opened.read(schedules.get, "nightly-upkeep").paused


def test_one_that_somebody_changed_stays_theirs(opened: Opened) -> None:
    known = registry_without_worker(Settings(data_dir=Path(opened.folder)), opened.db).known()
    opened.write(shipped.store, known)
    text = shipped.texts()["nightly-upkeep.toml"].replace("30 3 * * *", "45 3 * * *")
    definition = check(text, "toml", known).definition
    assert definition is not None
    opened.write(definitions.save, definition, text, "toml")
    assert opened.write(shipped.store, known) == []
    stored = opened.read(definitions.get, "nightly-upkeep")
    assert (stored.text, stored.origin) == (text, "own")


def test_one_that_nobody_changed_follows_the_program(opened: Opened) -> None:
    known = registry_without_worker(Settings(data_dir=Path(opened.folder)), opened.db).known()
    text = shipped.texts()["nightly-upkeep.toml"].replace("4h", "3h")
    definition = check(text, "toml", known).definition
    assert definition is not None
    opened.write(definitions.save, definition, text, "toml", "ready")
    assert "nightly-upkeep" in opened.write(shipped.store, known)
    assert opened.read(schedules.get, "nightly-upkeep").paused


def test_the_configuration_of_each_step_fits_its_job_type(opened: Opened) -> None:
    registry = registry_without_worker(Settings(data_dir=Path(opened.folder)), opened.db)
    for text in shipped.texts().values():
        definition = check(text, "toml", registry.known()).definition
        assert definition is not None
        scope = {
            "parameters": {"source": "docs", "age_threshold_days": 30},
            "item": {"id": 1},
        }
        for step in definition.steps:
            registry.get(step.action).encode(fill(step.config, scope))


async def test_the_nightly_upkeep_makes_room_when_there_is_room_for_nothing_else(
    tmp_path: Path,
) -> None:
    """Its first step does not wait for the room that it is to make; the others do."""
    path, left = tmp_path / "q.db", [1_000 * MB]
    with SqliteDatabase.open(path, room=Room(path, free=lambda _: left[0])) as db:
        types: list[JobType[Any]] = [cleanup_type(db, KEPT), maintenance_type(db)]
        types.append(backup_type(db, tmp_path / "backups", SystemClock()))
        registry = Registry(types)
        workflows = WorkflowExecutors(db, registry, lambda *_: ([], None)).job_types()
        for each in workflows:
            registry.add(each)
        await db.write(shipped.store, registry.known())
        left[0] = MB
        while await db.write(lambda tx: tx.roomy):
            await asyncio.sleep(0.05)
        async with working(db, [*types, *workflows], PoolOptions(poll_interval=0.05)) as bench:
            id_ = await db.write(runs.begin, bench.queue_id, "nightly-upkeep", registry.known())
            cleaned = "select 1 from job where type = 'cleanup' and status = 2"
            while not await db.read(lambda tx: tx.execute(cleaned)):
                await asyncio.sleep(0.01)
            assert not await db.write(lambda tx: tx.roomy)
            begun = "select type from job where started_at is not null and parent_id is not null"
            names = {name for (name,) in await db.read(lambda tx: tx.execute(begun))}
            assert names == {"workflow_step", "cleanup"}
            left[0] = 1_000 * MB
            assert (await bench.ended(id_)).summary.status is Status.COMPLETED
