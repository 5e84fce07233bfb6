"""A run of two hundred steps, killed at random: it ends as one that nobody disturbed.

Each action notes in a file outside the database that it runs. Whatever is killed may run again, but
nothing does once a step that depends on it has begun; and its effect is in the database once.
"""

import random
import signal
from pathlib import Path

import pytest

from quaero.db import SqliteDatabase
from quaero.jobs import JobSpec
from quaero.jobs.check import faults
from quaero.jobs.create import create
from quaero.queue.queue import open_queue
from quaero.workflows.executors import Workflow

from ..soak import campaigns  # noqa: TID252
from .workers import Workers

STEPS, KILLS = 200, 3


def graph(rng):
    """The steps: each depends on a few of the dozen before it, and reads what came of them."""
    steps = []
    for number in range(STEPS):
        before = [step["name"] for step in steps[-12:]]
        needs = rng.sample(before, min(len(before), rng.choice([0, 1, 2, 3])))
        seen = [
            f"{{{{ steps.{name}.{part} }}}}" for name in needs for part in ("status", "results")
        ]
        step = {"name": f"s{number}", "action": "act", "depends_on": needs, "on_error": "continue"}
        step["config"] = {"step": step["name"], "seen": seen, "fails": rng.random() < 0.1}
        if rng.random() < 0.2:
            step["for_each"] = [1, 2, 3]
            step["config"]["item"] = "{{ item }}"
        if needs and rng.random() < 0.2:
            step["condition"] = f"steps.{needs[0]}.failed == 0"
        steps.append(step)
    return steps


def begun(path, steps):
    """A database with a run that nobody has worked on."""
    path.parent.mkdir()
    with SqliteDatabase.open(path) as db:
        db.write_sync(lambda tx: tx.execute("create table effect(job_id integer, step integer)"))
        queue_id = db.write_sync(open_queue, "jobs")
        wanted = Workflow.model_validate({"definition": {"id": "flow", "steps": steps}})
        spec = JobSpec("workflow", wanted.model_dump_json(exclude_defaults=True))
        db.write_sync(create, queue_id, [spec])
    return path


def drained(workers):
    assert workers.run(drain=True, isolate=True) == 0
    workers.close()
    with SqliteDatabase.open(workers.path) as db:
        assert db.read_sync(faults) == []
        return db.read_sync(state_of)


def state_of(tx):
    """What every job came to, whichever id it has; effects once, where it ended well."""
    odd = tx.execute(
        """
        select id from job where type = 'act'
           and (select count(*) from effect where job_id = job.id) <> (status = 2)
        """
    )
    assert odd == []
    return tx.execute(
        """
        select j.name, p.name, j.type, j.phase, j.status, j.warnings, j.payload, j.result, j.error
          from job j left join job p on p.id = j.parent_id order by 1, 2, 3, 7
        """
    )


def runs_of(path: Path) -> dict[str, list[int]]:
    """When each step's actions ran, as places in the ledger."""
    found: dict[str, list[int]] = {}
    for place, name in enumerate(path.with_name("ledger").read_text().split()):
        found.setdefault(name, []).append(place)
    return found


@pytest.mark.parametrize("seed", campaigns())
def test_a_killed_run_ends_as_an_undisturbed_one(tmp_path, seed):
    rng = random.Random(seed)
    steps = graph(rng)
    calm = drained(Workers(begun(tmp_path / "calm" / "q.db", steps)))
    path = begun(tmp_path / "killed" / "q.db", steps)
    workers = Workers(path)
    for _ in range(KILLS):
        assert workers.run(kill_after=rng.uniform(0.1, 0.4)) == -signal.SIGKILL
    assert drained(workers) == calm
    runs = runs_of(path)
    assert len(runs) > STEPS / 2
    for step in steps:
        for needed in step["depends_on"]:
            if step["name"] in runs and needed in runs:
                assert max(runs[needed]) < min(runs[step["name"]]), (needed, step["name"])
