"""What the pool promises of leases: kept while work lives, never mixed up, given back in time."""

import asyncio
from pathlib import Path

import pytest
from pydantic import BaseModel

from quaero.clock import SECOND
from quaero.db import SqliteDatabase
from quaero.jobs import JobSpec, Status, run
from quaero.jobs.check import faults
from quaero.jobs.create import create
from quaero.queue import settle, waking
from quaero.queue.claim import Claim
from quaero.queue.consumer import Consumer
from quaero.queue.queue import open_queue
from quaero.testing.clock import FakeClock
from quaero.testing.jobs import working
from quaero.work.pool import PoolOptions
from quaero.work.registry import Result, executor

QUICK = PoolOptions(poll_interval=0.05, grace=0.1, visibility_timeout=30.0, max_receive=3)


class Nothing(BaseModel):
    """No payload."""


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
async def db(tmp_path: Path, clock):
    made = SqliteDatabase.open(tmp_path / "q.db", clock=clock)
    yield made
    found = await made.read(faults)
    made.close()
    assert found == []


def renewed(tx):
    return tx.execute("select 1 from message where state = 2 and lease_until > $1", (tx.lease_now,))


async def attempts(db):
    return await db.read(lambda tx: tx.execute("select attempt, outcome from job_attempt"))


async def test_a_machine_that_slept_takes_no_running_job_for_lost(db, clock):
    """The lease clock goes on while a machine sleeps, and nothing could be renewed."""
    awake = asyncio.Event()
    running = asyncio.Event()

    @executor("long", Nothing)
    async def long(job, payload):
        running.set()
        await awake.wait()
        return Result({"attempt": job.attempt})

    async with working(db, [long], QUICK) as bench:
        id_ = await bench.create("long")
        await running.wait()
        before = db.commits
        clock.pass_time(8 * 3_600)
        while not await db.read(renewed):
            await asyncio.sleep(0.01)
        assert db.commits - before < 100, "it waits for the sweep, and does not spin"
        assert not bench.pool.overdue(), "the watchdog would end this process"
        awake.set()
        job = await bench.ended(id_)
    assert (job.summary.status, job.result) == (Status.COMPLETED, {"attempt": 1})
    assert await attempts(db) == []


async def _claimed_elsewhere(db):
    """The token of a job that another process has claimed."""
    queue_id = await db.write(open_queue, "quaero_jobs")
    await db.write(create, queue_id, [JobSpec("long")])
    (work,) = await db.write(run.claim, queue_id, Claim(1, int(QUICK.visibility_timeout * SECOND)))
    return work.delivery.token


@executor("long", Nothing)
async def long(job, payload):
    return None


@pytest.fixture
def looks(monkeypatch):
    """How often a consumer has looked after leases: a mark for each time."""
    marks, look_after = [], Consumer._look_after

    def look(consumer, tx, **how):
        look_after(consumer, tx, **how)
        marks.append(how)

    monkeypatch.setattr(Consumer, "_look_after", look)
    return marks


async def more(looks, count):
    before = len(looks)
    while len(looks) < before + count:
        await asyncio.sleep(0.01)


async def test_a_machine_that_slept_leaves_the_jobs_of_other_processes_to_them(db, clock, looks):
    token = await _claimed_elsewhere(db)
    async with working(db, [long], QUICK), asyncio.timeout(20):
        await more(looks, 1)
        clock.pass_time(8 * 3_600)
        await more(looks, 2)
        assert await db.write(settle.extend, [token], SECOND) == {token}
    assert await attempts(db) == []


async def test_a_lease_that_nobody_renews_after_the_machine_woke_is_lost(
    db, clock, looks, monkeypatch
):
    monkeypatch.setattr(waking, "WAKING_SECONDS", 0.1)
    token = await _claimed_elsewhere(db)
    async with working(db, [long], QUICK) as bench, asyncio.timeout(20):
        await more(looks, 1)
        clock.pass_time(8 * 3_600)
        while not await attempts(db):
            await asyncio.sleep(0.01)
        assert await db.write(settle.extend, [token], SECOND) == set()
        clock.pass_time(60)
        assert (await bench.ended(1)).summary.status is Status.COMPLETED
    assert await attempts(db) == [(1, "lost")]


async def test_a_job_taken_over_by_its_own_worker_is_not_mixed_up_with_its_first_run(db):
    """The first run takes its time to end when its lease is lost; the second is another one."""
    runs, first_may_end, second_runs = [], asyncio.Event(), asyncio.Event()

    @executor("lost", Nothing)
    async def lost(job, payload):
        runs.append(job.attempt)
        if len(runs) > 1:
            second_runs.set()
            await first_may_end.wait()
            return Result({"run": 2})
        try:
            await asyncio.Event().wait()
        finally:
            await first_may_end.wait()

    def take_away(tx):
        tx.execute(
            "update message set state = 0, lease_no = lease_no + 1, receives = 0 where state = 2"
        )
        tx.execute("update queue set ready = ready + 1, leased = leased - 1")
        tx.signal("cancel")
        tx.signal("queue:1")

    async with working(db, [lost], QUICK) as bench:
        id_ = await bench.create("lost")
        while not runs:
            await asyncio.sleep(0.01)
        await db.write(take_away)
        await second_runs.wait()
        first_may_end.set()
        job = await bench.ended(id_)
        assert (job.summary.status, job.result) == (Status.COMPLETED, {"run": 2})
        again = await bench.run("lost")
        assert again.summary.status is Status.COMPLETED
    assert len(runs) == 3


async def test_a_run_that_takes_no_notice_of_the_stop_is_given_back_all_the_same(db, monkeypatch):
    monkeypatch.setattr("quaero.queue.consumer.UNDO_SECONDS", 0.2)
    stubborn, running = asyncio.Event(), asyncio.Event()

    @executor("deaf", Nothing)
    async def deaf(job, payload):
        running.set()
        while not stubborn.is_set():
            try:
                await stubborn.wait()
            except asyncio.CancelledError:
                continue

    async with working(db, [deaf], QUICK) as bench:
        await bench.create("deaf")
        await running.wait()
        bench.pool.stop()
    rows = await db.read(lambda tx: tx.execute("select status, attempt, receives, m.state"
                         " from job join message m on m.job_id = job.id"))  # fmt: skip
    assert rows == [(Status.PENDING, 0, 0, 0)]
    stubborn.set()


async def test_jobs_sent_at_the_moment_of_the_stop_are_left_ready(db):
    """A claim that rode along with their commit is given back."""

    @executor("quick", Nothing)
    async def quick(job, payload):
        return None

    for _ in range(20):
        async with working(db, [quick], QUICK) as bench:
            await bench.run("quick")
            sends = [
                asyncio.create_task(db.write(create, bench.queue_id, [JobSpec("quick")]))
                for _ in range(5)
            ]
            await asyncio.sleep(0)
            bench.pool.stop()
        await asyncio.gather(*sends)
        held = await db.read(lambda tx: tx.execute("select count(*) from message where state = 2"))
        assert held == [(0,)]
    assert await attempts(db) == []
