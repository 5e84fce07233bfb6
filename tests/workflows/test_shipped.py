"""The definitions that come with the program can be run by it, and are never forced on people."""

from pathlib import Path

import pytest

from quaero.app import registry_without_worker
from quaero.queue.queue import open_queue
from quaero.settings import Settings
from quaero.workflows import definitions, runs, schedules, shipped
from quaero.workflows.template import fill
from quaero.workflows.text import check

from ..opening import Opened  # noqa: TID252


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
