"""Workers killed at random moments: nothing acknowledged is lost, and nothing is done twice.

A ledger outside the database says what was acknowledged. The workers are forks of one process that
has everything imported and nothing opened, so that a cycle takes a fifth of a second; each sends
some trees of jobs, and is killed while it sends and runs.
"""

import json
import random
import signal
import subprocess
import sys
import time

import pytest

from quaero.db import SqliteDatabase
from quaero.db.sqlite.upkeep import damage
from quaero.jobs.check import faults

from ..soak import campaigns  # noqa: TID252
from .worker_program import JOBS_OF_A_TREE
from .workers import PROGRAM, Workers

TREES_A_CYCLE = 8


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "q.db"
    with SqliteDatabase.open(path) as db:
        db.write_sync(lambda tx: tx.execute("create table effect(job_id integer, step integer)"))
    return path


@pytest.mark.parametrize("seed", campaigns())
def test_kills_lose_nothing_acknowledged_and_repeat_nothing(path, seed):
    rng = random.Random(seed)
    workers = Workers(path)
    for cycle in range(50):
        isolate = cycle % 10 == 9  # the child for suspects is an interpreter of its own
        tags = [f"{cycle}-{n}" for n in range(TREES_A_CYCLE)]
        moment = rng.uniform(0.5, 1.2) if isolate else rng.uniform(0.01, 0.25)
        assert workers.run(kill_after=moment, send=tags, isolate=isolate) == -signal.SIGKILL
    assert workers.run(drain=True, isolate=True) == 0
    workers.close()
    assert len(workers.acknowledged) > 50
    assert max(workers.starts) < 3
    with SqliteDatabase.open(path) as db:
        assert db.exclusively(damage) == []
        assert db.read_sync(faults) == []
        db.read_sync(each_effect_is_there_once)
        db.read_sync(trees_are_whole, workers.acknowledged)


def each_effect_is_there_once(tx):
    twice = "select job_id, step from effect group by 1, 2 having count(*) > 1"
    assert tx.execute(twice) == []
    wrong = tx.execute(
        """
        select id, type, status from job
         where status <> 2 or attempt <> 1
            or (select count(*) from effect where job_id = job.id)
               <> case type when 'steps' then 3 else 1 end
        """
    )
    assert wrong == []
    assert tx.execute("select 1 from effect where job_id not in (select id from job)") == []


def trees_are_whole(tx, acknowledged):
    roots = dict(tx.execute("select name, n_completed from job where parent_id is null"))
    assert acknowledged <= roots.keys()
    assert set(roots.values()) == {JOBS_OF_A_TREE - 1}
    assert tx.execute("select count(*) from job") == [(len(roots) * JOBS_OF_A_TREE,)]
    assert tx.execute("select count(*) from message") == [(0,)]


def test_a_worker_is_ready_within_three_seconds_of_its_start(path):
    """A whole interpreter, on a database that a killed worker left behind."""
    workers = Workers(path)
    tags = [f"0-{n}" for n in range(TREES_A_CYCLE)]
    workers.run(kill_after=0.2, send=tags)
    workers.close()
    assert any(_is_ready_in_time(path) for _ in range(3)), "on a machine that does other things too"


def _is_ready_in_time(path):
    program = [sys.executable, PROGRAM, path]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as fresh:
        try:
            began = time.monotonic()
            fresh.stdin.write(json.dumps({"path": str(path)}).encode() + b"\n")
            fresh.stdin.flush()
            said = [fresh.stdout.readline().split()[0] for _ in range(4)]
            assert said == [b"forks", b"pid", b"faults", b"ready"]
            return time.monotonic() - began < 3
        finally:
            fresh.kill()
