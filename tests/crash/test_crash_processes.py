"""Several workers on one file: exact counts, never locked, a cancel felt everywhere at once."""

import asyncio
import contextlib
import random
import signal
import time

import pytest

from quaero.db import SqliteDatabase
from quaero.jobs import JobSpec, Status
from quaero.jobs.check import faults
from quaero.jobs.create import create
from quaero.jobs.logs import Query, read
from quaero.jobs.read import get
from quaero.jobs.steer import cancel
from quaero.queue.queue import open_queue
from quaero.testing.jobs import working
from quaero.work.pool import PoolOptions
from quaero.work.registry import executor

from ..soak import campaigns  # noqa: TID252
from .plain_jobs import Plan
from .programs import configure, worker
from .test_crash_kill import TREES_A_CYCLE, Workers, each_effect_is_there_once, trees_are_whole
from .waiting import until

PROCESSES = 4
SLOTS = 25
JOBS = 500


@pytest.fixture
def path(tmp_path):
    return configure(tmp_path, "plain_jobs", concurrency=SLOTS, grace="500ms")


@pytest.fixture
def db(path):
    with SqliteDatabase.open(path) as db:
        db.write_sync(lambda tx: tx.execute("create table done(job_id integer, pid integer)"))
        db.write_sync(lambda tx: tx.execute("create table effect(job_id integer, step integer)"))
        yield db


async def family(db, **plan):
    queue_id = await db.write(open_queue, "quaero_jobs")
    payload = Plan(**plan).model_dump_json()
    (id_,) = await db.write(create, queue_id, [JobSpec("family", payload)])
    return id_


async def test_four_workers_of_a_hundred_slots_share_work_exactly(db, tmp_path):
    with contextlib.ExitStack() as stack:
        workers = [stack.enter_context(worker(tmp_path)) for _ in range(PROCESSES)]
        holders = "select count(*) from holder"
        await until(lambda: db.read(lambda tx: tx.execute(holders) == [(PROCESSES,)]), 60)

        root = await family(db, children=JOBS)
        await until(lambda: db.read(lambda tx: not get(tx, root).summary.status.open), 60)
        job = await db.read(get, root)
        assert job.summary.status is Status.COMPLETED
        assert job.summary.counts.completed == JOBS
        each_once = "select count(*), count(distinct job_id) from done"
        assert await db.read(lambda tx: tx.execute(each_once)) == [(JOBS + 1, JOBS + 1)]
        sharers = await db.read(lambda tx: tx.execute("select count(distinct pid) from done"))
        assert sharers == [(PROCESSES,)]
        assert await db.read(faults) == []

        told = tmp_path / "told"
        root = await family(db, children=2_000, type="endless", told=str(told))
        running = "select count(*) from message where state = 2 and type = 'endless'"
        await until(lambda: db.read(lambda tx: tx.execute(running) == [(PROCESSES * SLOTS,)]), 60)
        asked = time.monotonic()
        await db.write(cancel, root)
        await until(lambda: told.exists() and told.read_text().count("\n") == PROCESSES * SLOTS)
        assert time.monotonic() - asked < 1
        assert len(set(told.read_text().split())) == PROCESSES
        await until(lambda: db.read(lambda tx: not get(tx, root).summary.status.open))
        job = await db.read(get, root)
        assert job.summary.status is Status.CANCELLED
        assert job.summary.counts.cancelled == 2_000
        assert await db.read(faults) == []

        for each in workers:
            each.send_signal(signal.SIGTERM)
        began = time.monotonic()
        assert [await asyncio.to_thread(each.wait, 15) for each in workers] == [0] * PROCESSES
        assert time.monotonic() - began < 15
    assert await db.read(lambda tx: tx.execute(holders)) == [(0,)]
    assert "locked" not in (tmp_path / "worker.log").read_text()


async def test_a_worker_whose_loop_hangs_is_ended_when_it_is_told_to_stop(db, tmp_path):
    """Its supervisor's patience is the grace time and a little; nothing is charged."""
    told = tmp_path / "told"
    queue_id = await db.write(open_queue, "quaero_jobs")
    plan = Plan(told=str(told)).model_dump_json()
    with worker(tmp_path, "--concurrency", "1") as process:
        (id_,) = await db.write(create, queue_id, [JobSpec("hangs", plan)])
        await until(told.exists)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 15) == 1  # ended by force
    async with working(db, []):
        waiting = "select count(*) from message where state = 6 and receives = 0"
        await until(lambda: db.read(lambda tx: tx.execute(waiting) == [(1,)]))
    assert (await db.read(get, id_)).summary.status is Status.PENDING


@pytest.mark.parametrize("seed", campaigns())
def test_a_stop_at_any_moment_loses_nothing_and_charges_nothing(db, path, seed):
    rng = random.Random(seed)
    workers = Workers(path)
    one_try = {"max_receive": 1}
    for cycle in range(20):
        tags = [f"{cycle}-{n}" for n in range(TREES_A_CYCLE)]
        moment = rng.uniform(0.03, 0.23)
        code = workers.run(kill_after=moment, by=signal.SIGTERM, send=tags, options=one_try)
        assert code in (0, -signal.SIGTERM)
    assert workers.run(drain=True, options=one_try) == 0
    workers.close()
    assert len(workers.starts) > 10, "most were told to stop while they worked"
    assert db.read_sync(faults) == []
    db.read_sync(each_effect_is_there_once)
    db.read_sync(trees_are_whole, workers.acknowledged)
    assert db.read_sync(lambda tx: tx.execute("select count(*) from job_attempt")) == [(0,)]


async def test_a_thousand_log_entries_cost_at_most_twenty_commits_and_a_stop_writes_all(db):
    @executor("talks", Plan)
    async def talks(job, payload):
        for n in range(1_000):
            job.log.info(f"line {n}")
            await asyncio.sleep(0)
        talked.set()
        await asyncio.sleep(3_600)

    talked = asyncio.Event()
    async with working(db, [talks], PoolOptions(grace=0.05)) as bench:
        id_ = await bench.create("talks")
        before = db.commits
        await talked.wait()
        bench.pool.stop()
    assert db.commits - before <= 20
    newest = await db.read(read, Query(id_, limit=2_000, ascending=True))
    said = [line.message for line in newest if line.message.startswith("line ")]
    assert said == [f"line {n}" for n in range(1_000)]
