"""The full disk: nothing is lost, no attempt is charged, and work goes on by itself afterwards."""

import asyncio

import pytest
from pydantic import BaseModel

from quaero.clock import SECOND, SystemClock
from quaero.db import SqliteDatabase
from quaero.db.sqlite.room import MB, Room
from quaero.db.sqlite.upkeep import damage
from quaero.errors import DiskFull
from quaero.jobs import JobSpec, Status
from quaero.jobs.check import faults
from quaero.jobs.create import create
from quaero.queue.message import UPKEEP
from quaero.queue.queue import open_queue
from quaero.testing.jobs import working
from quaero.upkeep.cleanup import Cleanup, Kept, cleanup_type
from quaero.work.pool import PoolOptions
from quaero.work.registry import Result, executor

from .small_disk import SmallDisk
from .waiting import until

PROMPT = PoolOptions(poll_interval=0.05, grace=0.1, max_receive=1)


class Nothing(BaseModel):
    """No payload."""


def bring(size):
    def effect(tx, job):
        tx.execute("insert into brought values($1, zeroblob($2))", (job.id, size))

    return effect


@executor("bring", Nothing)
async def bringing(job, payload):
    return Result(None, [bring(20_000)])


@executor("saving", Nothing)
async def saving(job, payload):
    """Writes by itself in the middle of its run."""
    await asyncio.sleep(0)
    await job.checkpoint(1, [bring(20_000)])


TYPES = [bringing, saving]


def prepare(tx):
    tx.execute("create table brought(job_id integer, what blob)")
    tx.execute("create table large(what blob)")


def ended(count):
    sql = "select count(*) from job where status = 2"
    return lambda tx: tx.execute(sql)[0][0] >= count


def unfair(tx):
    """What a full disk must not have done to jobs."""
    return tx.execute("select id, status, attempt from job where status <> 2 or attempt <> 1")


def twice_or_never(tx):
    return tx.execute(
        """
        select id from job
         where (select count(*) from brought where job_id = job.id) <> 1
        """
    )


async def all_end(db, count):
    """Wait until so many jobs have completed; says where the others are if they do not."""
    try:
        await until(lambda: db.read(ended(count)))
    except AssertionError:
        files = {file.name: file.stat().st_size for file in db.path.parent.iterdir()}
        where = await db.read(unfair)
        pytest.fail(f"{where} have not completed beside {files}")


async def check_that_all_went_well(db):
    assert await db.read(unfair) == []
    assert await db.read(twice_or_never) == []
    assert await db.read(faults) == []
    assert db.exclusively(damage) == []


async def test_a_database_that_may_not_grow_makes_work_wait_and_costs_nothing(tmp_path):
    with SqliteDatabase.open(tmp_path / "q.db") as db:
        await db.write(prepare)
        async with working(db, TYPES, PROMPT) as bench:
            specs = [JobSpec("bring" if n % 2 else "saving") for n in range(200)]
            await db.write(create, bench.queue_id, specs)
            await until(lambda: db.read(ended(20)))
            db.exclusively(lambda c: c.pragma("max_page_count", c.pragma("page_count") + 100))
            await until(lambda: refuses(db))
            before = (await db.read(lambda tx: tx.execute("select count(*) from brought")))[0][0]
            assert 0 < before < 200
            db.exclusively(lambda c: c.pragma("max_page_count", 1_000_000))
            await all_end(db, 200)
        await check_that_all_went_well(db)


async def refuses(db):
    """Whether a larger write is refused."""
    try:
        await db.write(lambda tx: tx.execute("insert into large values(zeroblob(2000000))"))
    except DiskFull:
        return True
    return False


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 24 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    disk = SmallDisk("small-disk", folder, 24 * MB)
    yield disk
    disk.unregister()


async def test_a_disk_that_fills_up_and_is_freed_again(small_disk):
    path = small_disk.folder / "q.db"
    room = Room(path, low_water=4 * MB, reserve=MB, free=small_disk.free)
    ballast, reserve = small_disk.folder / "ballast", small_disk.folder / "q.db-reserve"
    with SqliteDatabase.open(path, room=room, vfs=small_disk.name) as db:
        await db.write(prepare)
        async with working(db, TYPES, PROMPT) as bench:
            specs = [JobSpec("bring" if n % 2 else "saving") for n in range(200)]
            await db.write(create, bench.queue_id, specs)
            await until(lambda: db.read(ended(20)))
            small_disk.fill(ballast)
            await until(lambda: refuses(db))
            with pytest.raises(DiskFull, match="quaero cleanup"):
                await bench.create("bring")
            assert small_disk.refusals
            assert reserve.stat().st_size == 0
            assert not await db.read(ended(200))
            ballast.unlink()
            await db.write(lambda tx: tx.execute("delete from large"))
            await all_end(db, 200)
            await until(lambda: db.write(lambda tx: tx.roomy))
            await bench.run("bring")
        await check_that_all_went_well(db)
        assert reserve.stat().st_size == MB


async def test_a_worker_can_be_stopped_while_the_disk_is_full(tmp_path):
    """What it could not write is repeated by the next one, and nothing is charged."""
    with SqliteDatabase.open(tmp_path / "q.db") as db:
        await db.write(prepare)
        async with working(db, TYPES, PROMPT) as bench:
            db.exclusively(lambda c: c.pragma("max_page_count", c.pragma("page_count") + 20))
            await db.write(create, bench.queue_id, [JobSpec("bring")] * 8)
            await until(lambda: refuses(db))
            await until(lambda: bench.pool.consumer._outcomes)
            bench.pool.stop()
        db.exclusively(lambda c: c.pragma("max_page_count", 1_000_000))
        async with working(db, TYPES, PROMPT):
            await all_end(db, 8)
        await check_that_all_went_well(db)


async def test_below_the_low_water_mark_what_runs_ends_and_nothing_else_begins(tmp_path):
    path = tmp_path / "q.db"
    free = [1_000 * MB]
    room = Room(path, free=lambda _: free[0])
    release = asyncio.Event()

    @executor("waits", Nothing)
    async def waits(job, payload):
        await release.wait()
        job.spawn(JobSpec("bring"))
        return Result(None, [bring(1)])

    @executor("cleanup", Nothing)
    async def cleanup(job, payload):
        return Result(None, [bring(1)])

    with SqliteDatabase.open(path, room=room) as db:
        await db.write(prepare)
        async with working(db, [*TYPES, waits, cleanup], PROMPT) as bench:
            running = await bench.create("waits")
            await until(lambda: (pump := bench.pool.consumer) and len(pump.running()) == 1)
            free[0] = 10 * MB
            await until(lambda: db.write(lambda tx: not tx.roomy))
            with pytest.raises(DiskFull):
                await bench.create("bring")
            cleaned = await bench.run("cleanup", lane=UPKEEP)
            assert cleaned.summary.status is Status.COMPLETED
            release.set()
            parent = "select own_run, n_pending from job where id = $1"
            await until(lambda: db.read(lambda tx: tx.execute(parent, (running,)) == [(1, 1)]))
            free[0] = 1_000 * MB
            assert (await bench.ended(running)).summary.status is Status.COMPLETED
            await bench.run("bring")
        await check_that_all_went_well(db)


async def test_a_delayed_cleanup_runs_to_its_end_below_the_mark_and_other_work_waits_uncharged(
    tmp_path,
):
    path = tmp_path / "q.db"
    free = [1_000 * MB]
    waiting = "select count(*) from message where state <> 2 and receives = 0"
    with SqliteDatabase.open(path, room=Room(path, free=lambda _: free[0])) as db:
        await db.write(prepare)
        types = [
            *TYPES,
            cleanup_type(
                db,
                Kept(logs=30, minutes=30, dead_letters=30, versions=1, model_calls=30, bodies=30),
            ),
        ]
        async with working(db, types, PROMPT) as bench:
            old = await bench.create("bring")
            await bench.ended(old)
        soon = SystemClock().wall() + SECOND // 2
        specs = [JobSpec("bring"), JobSpec("bring", run_at=soon)] * 3
        queue_id = await db.write(open_queue, "quaero_jobs")
        others = await db.write(create, queue_id, specs)
        payload = Cleanup(age_threshold_days=0).model_dump_json()
        wanted = JobSpec("cleanup", payload, run_at=soon, lane=UPKEEP)
        (cleaner,) = await db.write(create, queue_id, [wanted])
        free[0] = 10 * MB
        await until(lambda: db.write(lambda tx: not tx.roomy))
        async with working(db, types, PROMPT) as bench:
            cleaned = await bench.ended(cleaner)
            assert cleaned.summary.status is Status.COMPLETED
            assert cleaned.result["trees"] == 1
            assert not await db.write(lambda tx: tx.roomy)
            assert await db.read(lambda tx: tx.execute(waiting)) == [(len(specs),)]
            free[0] = 1_000 * MB
            for id_ in others:
                assert (await bench.ended(id_)).summary.attempt == 1
