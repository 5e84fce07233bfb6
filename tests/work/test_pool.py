"""What the pool promises of a run: outcomes, retries, effects, logs, timeouts, stopping."""

import asyncio
import contextlib
import errno
import logging
from itertools import pairwise
from pathlib import Path
from random import Random
from threading import Event

import pytest
from pydantic import BaseModel

from quaero.clock import SECOND, SystemClock
from quaero.db import SqliteDatabase
from quaero.db.sqlite import writer
from quaero.errors import (
    BadInput,
    BadPayload,
    CorruptDatabase,
    NotFound,
    Permanent,
    RetryLater,
    StorageError,
)
from quaero.jobs import JobSpec, Phase, Status, actions, logs, read, run
from quaero.jobs.check import faults
from quaero.jobs.create import create
from quaero.queue.claim import Claim
from quaero.queue.holders import Holders
from quaero.queue.message import COMMANDS
from quaero.queue.queue import Queue, open_queue
from quaero.testing.clock import FakeClock
from quaero.testing.jobs import until, working
from quaero.upkeep.bulk import bulk_type
from quaero.work.context import JobContext, JobLog
from quaero.work.journal import Journal
from quaero.work.middleware import retry
from quaero.work.middleware.metrics import Metrics
from quaero.work.pool import FEED_KEPT, JobBackend, Pool, PoolOptions
from quaero.work.registry import Later, Registry, Result, executor


class N(BaseModel):
    n: int = 0


@pytest.fixture
async def db(tmp_path: Path):
    made = SqliteDatabase.open(tmp_path / "q.db")
    await made.write(_own_table)
    yield made
    found = await made.read(faults)
    made.close()
    assert found == []


def _own_table(tx):
    tx.execute("create table done(n integer)")


def _note(n):
    def effect(tx, job):
        tx.execute("insert into done values($1)", (n,))

    return effect


async def done(db):
    return sorted(row[0] for row in await db.read(lambda tx: tx.execute("select n from done")))


async def messages(db, job_id):
    newest = await db.read(logs.read, logs.Query(job_id, limit=10_000))
    return [line.message for line in reversed(newest)]


@executor("note", N)
async def note(job, payload):
    return Result({"n": payload.n}, [_note(payload.n)])


async def test_a_result_and_its_effects_commit_with_the_completion(db):
    async with working(db, [note]) as bench:
        job = await bench.run("note", {"n": 7})
    assert job.summary.status is Status.COMPLETED
    assert job.result == {"n": 7}
    assert await done(db) == [7]


async def test_an_effect_that_fails_fails_its_job_and_no_neighbour(db):
    def broken(tx, job):
        tx.execute("insert into done values(99)")
        raise Permanent("the effect is broken")

    @executor("broken", N)
    async def bad(job, payload):
        return Result(None, [broken])

    async with working(db, [note, bad]) as bench:
        ids = [await bench.create("note", {"n": n}) for n in range(5)]
        wrong = await bench.create("broken")
        ended = [await bench.ended(id_) for id_ in [*ids, wrong]]
    assert [job.summary.status for job in ended[:5]] == [Status.COMPLETED] * 5
    assert ended[5].summary.status is Status.FAILED
    assert ended[5].summary.error == "the effect is broken"
    assert await done(db) == [0, 1, 2, 3, 4]


async def test_an_effect_that_meets_damage_fails_its_job_and_no_neighbour(db):
    def damaged(tx, job):
        raise CorruptDatabase("a page is no page")

    @executor("damaged", N)
    async def bad(job, payload):
        return Result(None, [damaged])

    async with working(db, [note, bad]) as bench:
        ids = [await bench.create("note", {"n": n}) for n in range(5)]
        wrong = await bench.create("damaged")
        ended = [await bench.ended(id_) for id_ in [*ids, wrong]]
    assert [job.summary.status for job in ended[:5]] == [Status.COMPLETED] * 5
    assert (ended[5].summary.status, ended[5].summary.error) == (Status.FAILED, "a page is no page")


@pytest.mark.parametrize("place", ["settle_all", "claim"])
async def test_a_pool_ends_where_damage_lets_nothing_be_written(db, monkeypatch, place):
    def damaged(*_):
        raise CorruptDatabase("the queue is damaged")

    queue_id = await db.write(open_queue, "quaero_jobs")
    await db.write(create, queue_id, [JobSpec("note")])
    with monkeypatch.context() as patched:
        patched.setattr(run, place, damaged)
        with pytest.raises(CorruptDatabase, match="the queue is damaged"):
            async with asyncio.timeout(20):
                await Pool(db, queue_id, Registry([note])).run()


async def test_errors_are_retried_with_what_they_ask_for_until_the_attempts_are_used(db):
    @executor("flaky", N)
    async def flaky(job, payload):
        raise RetryLater(f"attempt {job.attempt} failed", 0.01)

    async with working(db, [flaky]) as bench:
        job = await bench.run("flaky")
    assert job.summary.status is Status.FAILED
    assert job.summary.attempt == 3
    assert [each.error for each in job.attempts] == [f"attempt {n} failed" for n in (1, 2, 3)]
    queue = Queue(bench.queue_id, "quaero_jobs")
    (letter,) = await db.read(queue.dead)
    assert [error for _, _, error in letter.errors] == [each.error for each in job.attempts]


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (Permanent("no such page"), "no such page"),
        (BadPayload("that makes no sense"), "that makes no sense"),
        (CorruptDatabase("q.db is damaged"), "q.db is damaged"),
    ],
)
async def test_a_permanent_failure_is_not_retried(db, error, text):
    @executor("never", N)
    async def never(job, payload):
        raise error

    async with working(db, [never]) as bench:
        job = await bench.run("never")
    assert (job.summary.status, job.summary.attempt, job.summary.error) == (Status.FAILED, 1, text)


async def test_a_database_that_cannot_be_used_now_costs_a_wait_and_no_attempt(db, monkeypatch):
    monkeypatch.setattr(retry, "STORAGE_WAIT", 300_000)
    begun = []

    @executor("unlucky", N)
    async def unlucky(job, payload):
        begun.append(db.lease_now())
        if len(begun) < 3:
            raise StorageError("q.db could not be read")

    async with working(db, [unlucky], PoolOptions(max_receive=1)) as bench:
        job = await bench.run("unlucky")
    assert (job.summary.status, job.summary.attempt) == (Status.COMPLETED, 1)
    assert min(later - before for before, later in pairwise(begun)) >= 300_000
    said = await messages(db, job.summary.id)
    assert said.count("given back: q.db could not be read") == 2


async def test_an_unforeseen_error_is_named_and_its_traceback_logged(db):
    @executor("odd", N)
    async def odd(job, payload):
        return {}["missing"]

    async with working(db, [odd], PoolOptions(max_receive=1)) as bench:
        job = await bench.run("odd")
    assert job.summary.error == "KeyError: 'missing'"
    lines = await db.read(logs.read, logs.Query(job.summary.id, at_least=logs.Level.ERROR))
    assert any("Traceback" in (line.fields or "") for line in lines)


async def test_a_stored_payload_that_no_longer_fits_fails_for_good(db):
    async with working(db, [note]) as bench:
        (id_,) = await db.write(create, bench.queue_id, [JobSpec("note", '{"n": "many"}')])
        job = await bench.ended(id_)
    assert job.summary.status is Status.FAILED
    assert job.summary.attempt == 1
    assert "n:" in job.summary.error
    assert "many" in job.summary.error


async def test_a_run_over_its_timeout_counts_as_a_failed_attempt(db):
    @executor("slow", N, timeout=0.05)
    async def slow(job, payload):
        await asyncio.Event().wait()

    async with working(db, [slow], PoolOptions(max_receive=1)) as bench:
        job = await bench.run("slow")
    assert job.summary.status is Status.FAILED
    assert job.summary.error == "timed out after 0.05 s"


async def test_a_run_that_takes_no_notice_of_its_timeout_counts_as_a_failed_attempt(db):
    @executor("slow", N, timeout=0.05)
    async def slow(job, payload):
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return Result("all is well")

    async with working(db, [slow], PoolOptions(max_receive=1)) as bench:
        job = await bench.run("slow")
    assert job.summary.status is Status.FAILED
    assert (job.result, job.summary.error) == (None, "timed out after 0.05 s")


async def test_children_of_a_run_that_goes_on_later_are_created_with_it(db):
    @executor("parent", N)
    async def parent(job, payload):
        count = (job.state or 0) + 1
        job.spawn(JobSpec("note", name=str(count)))
        return Result(count) if count == 3 else Later(0.01, state=count)

    async with working(db, [parent, note]) as bench:
        job = await bench.run("parent")
    assert (job.result, job.summary.counts.completed) == (3, 3)


async def test_a_job_may_have_a_timeout_of_its_own(db):
    @executor("slow", N, timeout=3600)
    async def slow(job, payload):
        await asyncio.Event().wait()

    async with working(db, [slow], PoolOptions(max_receive=1)) as bench:
        job = await bench.run("slow", timeout=30_000)
    assert job.summary.error == "timed out after 0.03 s"


async def test_a_job_that_goes_on_later_keeps_its_state_and_pays_no_attempt(db):
    @executor("steps", N)
    async def steps(job, payload):
        count = (job.state or {"count": 0})["count"] + 1
        if count < 5:
            return Later(0.01, state={"count": count}, effects=[_note(count)])
        return Result({"count": count, "attempt": job.attempt})

    async with working(db, [steps]) as bench:
        job = await bench.run("steps")
    assert job.result == {"count": 5, "attempt": 1}
    assert await done(db) == [1, 2, 3, 4]


@pytest.mark.parametrize("delay", [-1, float("nan"), float("inf"), 1e9])
def test_going_on_later_is_refused_for_what_is_no_time_to_wait(delay):
    with pytest.raises(BadInput, match=r"delay .* must be a number of seconds: 0 or more"):
        Later(delay)


async def test_a_checkpoint_is_there_after_a_failed_attempt(db):
    @executor("long", N)
    async def long(job, payload):
        if job.attempt == 1:
            await job.checkpoint({"half": True}, [_note(1)])
            raise RetryLater("power went", 0.01)
        return Result({"state": job.state}, [_note(2)])

    async with working(db, [long]) as bench:
        job = await bench.run("long")
    assert job.result == {"state": {"half": True}}
    assert await done(db) == [1, 2]


@pytest.mark.parametrize("error", [Permanent("not this"), ValueError("not this")])
async def test_what_was_said_before_a_checkpoint_that_is_refused_is_kept(db, error):
    def refuse(tx, job):
        raise error

    @executor("long", N)
    async def long(job, payload):
        job.log.info("before")
        await job.checkpoint({}, [refuse])

    async with working(db, [long], PoolOptions(max_receive=1)) as bench:
        job = await bench.run("long")
    assert "not this" in str(job.summary.error)
    assert (await messages(db, job.summary.id)).count("before") == 1


async def test_what_was_said_before_a_checkpoint_that_came_too_late_is_kept(db):
    @executor("long", N)
    async def long(job, payload):
        job.log.info("before")
        await db.write(lambda tx: tx.execute("update message set lease_no = lease_no + 1"))
        await job.checkpoint({})

    async with working(db, [long]) as bench:
        id_ = await bench.create("long")

        async def said() -> bool | None:
            return "before" in await messages(db, id_) or None

        async with asyncio.timeout(5):
            assert await until(db, logs.TOPIC, said)


async def test_what_was_said_before_a_checkpoint_under_which_the_run_is_ended_is_kept(db):
    @executor("long", N)
    async def long(job, payload):
        gate, task, loop = Event(), asyncio.current_task(), asyncio.get_running_loop()

        def lose(tx) -> None:
            gate.wait(5)
            tx.execute("update message set lease_no = lease_no + 1")

        losing = asyncio.ensure_future(db.write(lose))
        await asyncio.sleep(0)
        job.log.info("before")
        loop.call_soon(task.cancel)
        loop.call_soon(gate.set)
        try:
            await job.checkpoint({})
        finally:
            await losing

    async with working(db, [long]) as bench:
        id_ = await bench.create("long")

        async def said() -> bool | None:
            return "before" in await messages(db, id_) or None

        async with asyncio.timeout(5):
            assert await until(db, logs.TOPIC, said)


async def test_children_are_created_with_the_completion_and_end_their_parent(db):
    @executor("family", N)
    async def family(job, payload):
        job.spawn(JobSpec("note", '{"n": 1}', Phase.PRE))
        job.spawn(*(JobSpec("note", f'{{"n": {n}}}') for n in (2, 3)))
        job.spawn(JobSpec("note", '{"n": 4}', Phase.POST))

    async with working(db, [family, note]) as bench:
        job = await bench.run("family")
    assert job.summary.status is Status.COMPLETED
    assert job.summary.counts.completed == 4
    assert await done(db) == [1, 2, 3, 4]


async def test_children_of_a_commit_that_nobody_waited_for_are_created_once(db):
    @executor("hasty", N)
    async def hasty(job, payload):
        job.spawn(JobSpec("note", '{"n": 1}'))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0):
                await job.commit()
        job.spawn(JobSpec("note", '{"n": 2}'))

    async with working(db, [note, hasty]) as bench:
        parent = await bench.run("hasty")
    assert parent.summary.counts.completed == 2
    assert await done(db) == [1, 2]


async def test_children_of_a_commit_that_failed_are_created_with_the_next(db):
    def broken(tx, job):
        raise Permanent("the effect is broken")

    @executor("stubborn", N)
    async def stubborn(job, payload):
        job.spawn(JobSpec("note", '{"n": 1}'))
        with contextlib.suppress(Permanent):
            await job.commit(broken)
        job.spawn(JobSpec("note", '{"n": 2}'))

    async with working(db, [note, stubborn]) as bench:
        parent = await bench.run("stubborn")
    assert parent.summary.counts.completed == 2
    assert await done(db) == [1, 2]


async def test_a_thousand_log_entries_cost_few_commits_and_come_in_order(db):
    @executor("talk", N)
    async def talk(job, payload):
        for n in range(1_000):
            job.log.info(f"line {n}", n=n)
            if n % 10 == 0:
                await asyncio.sleep(0)

    async with working(db, [talk]) as bench:
        before = db.commits
        job = await bench.run("talk")
        spent = db.commits - before
    assert spent <= 20
    lines = [m for m in await messages(db, job.summary.id) if m.startswith("line")]
    assert lines == [f"line {n}" for n in range(1_000)]


async def test_fields_that_cannot_be_shown_fail_nothing(db):
    class Unshown:
        def __repr__(self):
            raise LookupError

    @executor("tells", N)
    async def tells(job, payload):
        job.log.info("one", seen=Unshown(), n=1)
        job.log.info("two", seen={Unshown(): 1}, n=2)
        job.log.info("three", seen=10**5_000, n=3)

    async with working(db, [tells]) as bench:
        job = await bench.run("tells")
    assert job.summary.status is Status.COMPLETED
    lines = await db.read(logs.read, logs.Query(job.summary.id, ascending=True))
    assert [line.fields for line in lines if line.message in ("one", "two", "three")] == [
        '{"seen":"<Unshown that cannot be shown: LookupError>","n":1}',
        '{"seen":{"<Unshown that cannot be shown: LookupError>":1},"n":2}',
        '{"fields":"<dict that cannot be shown: ValueError>"}',
    ]


@pytest.fixture
def raising_handler(capfd):
    """The application's own handler, which fails; `capfd` has what is told of it."""

    class Raising(logging.Handler):
        def emit(self, record):
            raise LookupError(f"no place for {record.funcName}: {record.getMessage()}")

    program, handler = logging.getLogger("quaero"), Raising()
    program.addHandler(handler)
    program.setLevel(logging.DEBUG)
    yield capfd
    program.setLevel(logging.NOTSET)
    program.removeHandler(handler)


async def test_handlers_of_the_program_log_that_raise_stop_neither_slots_nor_the_pool(
    db, raising_handler
):
    async with working(db, [note], PoolOptions(concurrency=1)) as bench:
        ended = [(await bench.run("note", {"n": n})).summary.status for n in range(3)]
    assert ended == [Status.COMPLETED] * 3
    told = raising_handler.readouterr().err
    assert "LookupError: no place for log: note 3 completed" in told
    assert "LookupError: no place for run: ran note: 3 completed" in told


async def test_handlers_of_the_program_log_that_raise_undo_no_write(
    db, raising_handler, monkeypatch
):
    monkeypatch.setattr(writer, "SLOW_SECONDS", 0)
    await db.write(lambda tx: tx.execute("insert into done values(1)"))
    assert await done(db) == [1]
    assert "LookupError: no place for _run_one: slow write" in raising_handler.readouterr().err


async def test_a_field_of_an_entry_may_have_any_name(db):
    @executor("mails", N)
    async def mails(job, payload):
        for say in (job.log.debug, job.log.info, job.log.warn, job.log.error):
            say("sent", message="Hello", self=1)

    async with working(db, [mails]) as bench:
        job = await bench.run("mails")
    assert job.summary.status is Status.COMPLETED
    lines = await db.read(logs.read, logs.Query(job.summary.id))
    assert [each.fields for each in lines if each.message == "sent"] == [
        '{"message":"Hello","self":1}'
    ] * 4


async def test_times_of_a_run_are_those_of_the_clock_of_its_database(tmp_path):
    clock = FakeClock()

    @executor("slow", N)
    async def slow(job, payload):
        clock.pass_time(5)
        job.log.info("five seconds later")
        clock.pass_time(5)

    with SqliteDatabase.open(tmp_path / "fake.db", clock=clock) as fake:
        began = clock.wall()
        async with working(fake, [slow]) as bench:
            job = await bench.run("slow")
        (line,) = fake.read_sync(logs.read, logs.Query(job.summary.id, text="five seconds"))
    assert job.summary.started_at == began
    assert line.at == began + 5 * SECOND
    assert job.summary.completed_at == began + 10 * SECOND


async def test_what_a_log_cannot_hold_is_counted_and_nothing_fails(db):
    @executor("flood", N)
    async def flood(job, payload):
        for n in range(10_050):
            job.log.debug("x" if n != 9_990 else "bad \ud800 \x00", odd=object())

    async with working(db, [flood]) as bench:
        job = await bench.run("flood")
    assert job.summary.status is Status.COMPLETED
    lines = await messages(db, job.summary.id)
    assert any(line.startswith("50 entries dropped") for line in lines)
    assert r"bad \ud800 \x00" in lines


async def test_progress_is_shown_while_running_and_at_the_end(db):
    seen, go_on = asyncio.Event(), asyncio.Event()

    @executor("count", N)
    async def count(job, payload):
        job.progress(1, 3, "first")
        seen.set()
        await go_on.wait()
        job.progress(3, 3, "done")

    async with working(db, [count]) as bench:
        id_ = await bench.create("count")
        await seen.wait()
        while (job := await db.read(read.get, id_)).summary.progress_current is None:
            await asyncio.sleep(0.01)
        assert (job.summary.progress_current, job.summary.progress_text) == (1, "first")
        assert job.summary.status is Status.RUNNING
        go_on.set()
        job = await bench.ended(id_)
    assert (job.summary.progress_current, job.summary.progress_total) == (3, 3)


async def test_a_pool_goes_on_where_the_register_cannot_be_looked_at_just_now(db, monkeypatch):
    failures = iter([OSError(errno.EMFILE, "Too many open files")] * 2)
    looked, dead = asyncio.Event(), Holders.dead

    def no_files_left(register, tx):
        for error in failures:
            raise error
        looked.set()
        return dead(register, tx)

    monkeypatch.setattr(Holders, "dead", no_files_left)
    async with working(db, [note], PoolOptions(poll_interval=0.05)) as bench:
        async with asyncio.timeout(20):
            await looked.wait()
            job = await bench.run("note", {"n": 3})
    assert job.summary.status is Status.COMPLETED


async def test_the_feed_loses_all_that_is_old_however_much_comes_to_it_in_a_minute(db):
    queue_id = await db.write(open_queue, "quaero_jobs")
    clock = SystemClock()
    backend = JobBackend(
        db, queue_id, Registry(), Journal(db), Holders(db.path), PoolOptions(), clock, Metrics()
    )
    await db.write(_fill_feed, 3_500, clock.wall() - 2 * FEED_KEPT)
    await db.write(_fill_feed, 5, clock.wall())
    for _ in range(5):  # all within a minute
        await db.write(backend.sweep)
    assert await db.read(lambda tx: tx.execute("select count(*) from event")) == [(5,)]


def _fill_feed(tx, count, at):
    for _ in range(count):
        tx.execute("insert into event(at, root_id, kind, data) values($1, 1, 'jobs', '[]')", (at,))


async def test_the_progress_of_a_later_attempt_is_written_though_it_is_that_of_the_one_before(db):
    journal, clock = Journal(db), SystemClock()
    queue_id = await db.write(open_queue, "quaero_jobs")
    (id_,) = await db.write(create, queue_id, [JobSpec("t")])
    for _ in range(2):
        (work,) = await db.write(run.claim, queue_id, Claim(1, 60 * SECOND))
        context = JobContext(work, JobLog(work, clock, journal.noted), None)
        journal.open(work, context)
        context.progress(1, 3)
        flushing = asyncio.create_task(journal.flush())
        await asyncio.sleep(0)  # it is being written when the run ends
        journal.close(work)
        await flushing
        assert (await db.read(read.get, id_)).summary.progress_current == 1
        await db.write(lambda tx: tx.execute("update job set progress_current = null"))
        back = run.GivenBack(work, clock.wall())
        await db.write(run.settle_all, [back], 3, Random(1))


async def test_a_pool_that_is_cancelled_leaves_after_its_last_transaction(db):
    begun, end = asyncio.Event(), asyncio.Event()

    @executor("held", N)
    async def held(job, payload):
        begun.set()
        await end.wait()

    pool = Pool(db, await db.write(open_queue, "quaero_jobs"), Registry([held]))
    running = asyncio.create_task(pool.run())
    (id_,) = await db.write(create, 1, [JobSpec("held", "{}")])
    await begun.wait()
    while not all(each.shown for each in pool.consumer.running()):
        await asyncio.sleep(0.001)
    await db.write(lambda tx: None)
    go_on = Event()
    holding = asyncio.ensure_future(db.write(lambda tx: go_on.wait(30)))
    end.set()
    while not pool.consumer.idle:
        await asyncio.sleep(0)  # what has ended waits to be written
    running.cancel()
    while "_leave" not in {each.fn.__name__ for each in db._writer._inbox}:
        await asyncio.sleep(0.001)
    go_on.set()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    await holding
    assert (await db.read(read.get, id_)).summary.status is Status.COMPLETED


async def test_cancelling_ends_a_running_executor_and_commits_nothing_of_it(db):
    began, ended = asyncio.Event(), asyncio.Event()

    @executor("endless", N)
    async def endless(job, payload):
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            assert job.cancelled
            ended.set()

    async with working(db, [endless]) as bench:
        id_ = await bench.create("endless")
        await began.wait()
        assert (await actions.cancel(db, id_)).open
        async with asyncio.timeout(1):
            await ended.wait()
        job = await bench.ended(id_)
    assert job.summary.status is Status.CANCELLED


async def test_a_stop_gives_back_what_runs_without_an_attempt(db):
    began = asyncio.Event()

    @executor("endless", N)
    async def endless(job, payload):
        began.set()
        await asyncio.Event().wait()

    async with working(db, [endless], PoolOptions(grace=0.05)) as bench:
        id_ = await bench.create("endless")
        await began.wait()
    job = await db.read(read.get, id_)
    assert (job.summary.status, job.summary.attempt) == (Status.PENDING, 0)
    rows = await db.read(lambda tx: tx.execute("select state, receives from message"))
    assert rows == [(0, 0)]


async def test_running_out_of_memory_is_not_charged_and_repeated_alone(db):
    @executor("fat", N)
    async def fat(job, payload):
        raise MemoryError

    async with working(db, [fat]) as bench:
        id_ = await bench.create("fat")
        while not (await db.read(Queue(bench.queue_id, "q").stats)).suspect:
            await asyncio.sleep(0.01)
    async with working(db, [fat], PoolOptions(alone=True, max_receive=1)) as bench:
        job = await bench.ended(id_)
    assert job.summary.status is Status.FAILED
    assert job.summary.attempt == 1
    assert job.summary.error == "MemoryError"


async def test_an_unknown_type_waits_visibly_until_a_worker_knows_it(db):
    queue_id = await db.write(open_queue, "quaero_jobs")
    (id_,) = await db.write(create, queue_id, [JobSpec("note", '{"n": 1}')])

    @executor("other", N)
    async def other(job, payload):
        return None

    async with working(db, [other]) as bench:
        while not (await db.read(Queue(bench.queue_id, "q").stats)).parked:
            await asyncio.sleep(0.01)
    assert "parked: no worker knows the job type 'note'" in await messages(db, id_)
    async with working(db, [note]) as bench:
        job = await bench.ended(id_)
    assert job.summary.status is Status.COMPLETED
    assert job.summary.attempt == 1


async def test_many_jobs_of_one_tree_are_counted_exactly(db, caplog):
    caplog.set_level("INFO", "quaero.work.pool")

    @executor("many", N)
    async def many(job, payload):
        job.spawn(*(JobSpec("some", f'{{"n": {n}}}') for n in range(payload.n)))

    @executor("some", N)
    async def some(job, payload):
        if payload.n % 5 == 0:
            raise Permanent("every fifth")

    async with working(db, [many, some]) as bench:
        job = await bench.run("many", {"n": 500})
    counts = job.summary.counts
    assert (counts.completed, counts.failed, job.summary.warnings) == (400, 100, 100)
    many_line, some_line = caplog.messages  # a worker that stops says what it did
    assert many_line.startswith("ran many: 1 completed; ")
    assert some_line.startswith("ran some: 400 completed, 100 failed; ")


def test_payloads_are_checked_with_the_place_of_each_fault():
    with pytest.raises(BadPayload, match=r"payload of 'note': n: .*\(got 'x'\)"):
        note.encode({"n": "x"})
    with pytest.raises(BadPayload, match="Invalid JSON"):
        note.encode("{")


def test_an_unknown_type_is_refused_naming_those_there_are():
    with pytest.raises(NotFound, match="known are note"):
        Registry([note]).get("nonsense")


def test_a_name_is_taken_once():
    registry = Registry([note])
    with pytest.raises(ValueError, match="two job types"):
        registry.add(note)


async def test_commands_run_though_every_slot_is_taken_by_work_that_does_not_end(db):
    began = asyncio.Semaphore(0)

    @executor("endless", N)
    async def endless(job, payload):
        began.release()
        await asyncio.Event().wait()

    async with working(db, [endless, bulk_type(db)], PoolOptions(concurrency=2)) as bench:
        stuck = [await bench.create("endless") for _ in range(3)]
        for _ in range(2):
            await began.acquire()
        wish = {"action": "cancel", "ids": stuck, "up_to": stuck[-1]}
        command = await bench.create("bulk_action", wish, lane=COMMANDS)
        done = await bench.ended(command)
        ends = [(await bench.ended(id_)).summary.status for id_ in stuck]
    assert done.summary.status is Status.COMPLETED
    assert done.result["done"] == 3
    assert ends == [Status.CANCELLED] * 3


async def test_no_command_is_begun_once_the_pool_is_to_stop(db, monkeypatch):
    monkeypatch.setattr("quaero.work.reserve.LOOK_SECONDS", 0.01)
    began, commanded = asyncio.Event(), []

    @executor("endless", N)
    async def endless(job, payload):
        began.set()
        await asyncio.Event().wait()

    @executor("command", N)
    async def command(job, payload):
        commanded.append(job.id)

    async with working(db, [endless, command], PoolOptions(concurrency=1, grace=0.3)) as bench:
        await bench.create("endless")
        await began.wait()
        bench.pool.stop()
        id_ = await bench.create("command", lane=COMMANDS)
    assert commanded == []
    assert (await db.read(read.get, id_)).summary.status is Status.PENDING


ONE_TRY = PoolOptions(concurrency=1, max_receive=1)


class Panic(BaseException):
    """As native code raises that is wrapped for Python."""


@executor("panics", N)
async def panics(job, payload):
    raise Panic("native code gave up")


@executor("cancels_itself", N)
async def cancels_itself(job, payload):
    asyncio.current_task().cancel()
    await asyncio.Event().wait()


@executor("unsayable", N)
async def unsayable(job, payload):
    class Unsayable(Exception):
        def __str__(self):
            raise Panic

    raise Unsayable


@executor("closes", N)
async def closes(job, payload):
    raise GeneratorExit


@pytest.mark.parametrize(
    ("type_", "error"),
    [
        (panics, "Panic: native code gave up"),
        (cancels_itself, "CancelledError"),
        (unsayable, "Unsayable: <Unsayable that cannot be shown: Panic>"),
        (closes, "GeneratorExit"),
    ],
)
async def test_a_run_that_ends_in_no_usual_way_failed_and_its_slot_goes_on(db, type_, error):
    async with asyncio.timeout(20), working(db, [note, type_], ONE_TRY) as bench:
        failed = await bench.run(type_.name)
        assert (await bench.run("note", {"n": 1})).summary.status is Status.COMPLETED
    assert failed.summary.status is Status.FAILED
    assert failed.summary.error == error


async def test_what_a_run_did_to_its_task_is_nothing_to_the_next(db):
    @executor("leaves_a_cancel", N)
    async def leaves(job, payload):
        asyncio.current_task().cancel()

    @executor("looks", N)
    async def looks(job, payload):
        cancelled = job.cancelled
        await asyncio.sleep(0)
        return Result(cancelled)

    async with asyncio.timeout(20), working(db, [leaves, looks], ONE_TRY) as bench:
        specs = [JobSpec("leaves_a_cancel"), JobSpec("looks")]
        ids = await bench.db.write(create, bench.queue_id, specs)
        ended = [await bench.ended(id_) for id_ in ids]
    assert [(each.summary.attempt, each.result) for each in ended] == [(1, None), (1, False)]


@pytest.mark.parametrize(
    "error", [Panic("deep down"), asyncio.CancelledError(), KeyboardInterrupt()]
)
async def test_an_effect_that_ends_in_no_usual_way_fails_its_job_and_no_neighbour(db, error):
    def broken(tx, job):
        tx.execute("insert into done values(99)")
        raise error

    @executor("broken", N)
    async def bad(job, payload):
        return Result(None, [broken])

    async with asyncio.timeout(20), working(db, [note, bad], PoolOptions(max_receive=1)) as bench:
        specs = [JobSpec("note", '{"n": 1}'), JobSpec("broken"), JobSpec("note", '{"n": 2}')]
        ids = await db.write(create, bench.queue_id, specs)
        ended = [(await bench.ended(id_)).summary for id_ in ids]
    assert [each.status for each in ended] == [Status.COMPLETED, Status.FAILED, Status.COMPLETED]
    assert type(error).__name__ in ended[1].error
    assert await done(db) == [1, 2]


ENDING = [
    "commit", " ROLLBACK", "savepoint mine", "end;", ";commit", "-- done; so\n/* ; */ commit",
    "\ufeffend", "select ';'; commit",
    "create temp trigger t after insert on job begin select 1; select 2; end; commit",
]  # fmt: skip


@pytest.mark.parametrize("statement", ENDING)
async def test_an_effect_cannot_end_the_transaction_of_its_neighbours(db, statement):
    def ends(tx, job):
        tx.execute(statement)

    @executor("ends", N)
    async def ending(job, payload):
        return Result(None, [ends])

    async with asyncio.timeout(20), working(db, [note, ending]) as bench:
        specs = [JobSpec("note", '{"n": 1}'), JobSpec("ends"), JobSpec("note", '{"n": 2}')]
        ids = await db.write(create, bench.queue_id, specs)
        ended = [(await bench.ended(id_)).summary for id_ in ids]
    assert [each.status for each in ended] == [Status.COMPLETED, Status.FAILED, Status.COMPLETED]
    assert [each.attempt for each in ended] == [1, 1, 1]
    assert await done(db) == [1, 2]
