"""What the database engine promises its callers, in one process."""

import asyncio
import logging
import threading
import time
from pathlib import Path

import apsw
import pytest

from quaero.clock import SECOND
from quaero.db import SqliteDatabase
from quaero.db.contract import last
from quaero.db.sqlite import wal, writer
from quaero.db.sqlite.calls import Call
from quaero.db.sqlite.sql import for_sqlite
from quaero.db.sqlite.turnstile import Turnstile
from quaero.errors import BadInput, StorageError
from quaero.testing.clock import FakeClock


@pytest.fixture
def db(tmp_path: Path):
    made = SqliteDatabase.open(tmp_path / "q.db")
    made.write_sync(lambda tx: tx.execute("create table item(n integer)"))
    yield made
    made.close()


def put(tx, n):
    tx.execute("insert into item values($1)", (n,))
    return n


def items(tx):
    return [n for (n,) in tx.execute("select n from item order by rowid")]


class Oops(Exception):
    """A caller's own failure."""


def put_and_fail(tx, n):
    put(tx, n)
    raise Oops(n)


# -- writing


async def test_concurrent_writes_share_few_commits_and_keep_their_order(db):
    before = db.commits
    results = await asyncio.gather(*(db.write(put, n) for n in range(500)))
    assert results == list(range(500))
    assert await db.read(items) == list(range(500))
    assert db.commits - before < 50


async def test_a_result_is_handed_over_only_after_its_commit(db):
    other = apsw.Connection(str(db.path), flags=apsw.SQLITE_OPEN_READONLY)

    async def write_and_look(n):
        await db.write(put, n)
        return other.execute("select count(*) from item where n = ?", (n,)).get

    assert await asyncio.gather(*(write_and_look(n) for n in range(50))) == [1] * 50
    other.close()


async def test_one_callers_failure_undoes_nothing_of_the_others(db):
    calls = [db.write(put_and_fail if n % 3 == 0 else put, n) for n in range(60)]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(each) for each in outcomes[:4]] == [Oops, int, int, Oops]
    assert await db.read(items) == [n for n in range(60) if n % 3]


async def test_a_failure_that_no_future_can_hold_still_reaches_its_caller(db):
    def empty(tx):
        return next(iter(()))

    calls = [db.write(put, 1), db.write(empty), db.write(put, 2)]
    first, broken, last = await asyncio.gather(*calls, return_exceptions=True)
    assert (first, last) == (1, 2)
    assert "StopIteration" in str(broken)


def test_an_idle_writer_runs_a_synchronous_call_on_the_callers_thread(db):
    assert db.write_sync(lambda tx: threading.get_ident()) == threading.get_ident()


def test_synchronous_calls_of_many_threads_all_commit(db):
    def work(start):
        for n in range(start, start + 50):
            assert db.write_sync(put, n) == n

    threads = [threading.Thread(target=work, args=(k * 100,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(db.read_sync(items)) == sorted(k * 100 + n for k in range(8) for n in range(50))


async def test_a_synchronous_write_inside_an_event_loop_is_refused(db):
    with pytest.raises(RuntimeError, match="await write"):
        db.write_sync(put, 1)


def test_a_write_inside_a_write_is_an_error_and_no_deadlock(db):
    def nested(tx):
        put(tx, 1)
        db.write_sync(put, 2)

    with pytest.raises(RuntimeError, match="use its tx"):
        db.write_sync(nested)
    with pytest.raises(RuntimeError, match="use its tx"):
        db.write_sync(lambda tx: db.exclusively(lambda connection: None))
    assert db.read_sync(items) == []
    assert db.write_sync(put, 3) == 3


async def test_a_write_inside_a_write_is_an_error_on_the_writers_thread_too(db):
    with pytest.raises(RuntimeError, match="use its tx"):
        await db.write(lambda tx: db.write_sync(put, 2))
    with pytest.raises(RuntimeError, match="use its tx"):
        await db.write(lambda tx: asyncio.run(db.write(put, 2)))
    assert await db.write(put, 3) == 3


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_interrupted_write_leaves_nothing_behind_on_whatever_thread(db, error):
    def interrupted(tx):
        put(tx, 1)
        raise error

    with pytest.raises(error):
        db.write_sync(interrupted)
    with db._writer._lock:  # so that the writer's own thread has to do it
        caught = []

        def call():
            try:
                db.write_sync(interrupted)
            except BaseException as found:
                caught.append(type(found))

        thread = threading.Thread(target=call)
        thread.start()
        while not db._writer._inbox:
            time.sleep(0.001)
    thread.join(10)
    assert caught == [error]
    assert db.write_sync(put, 2) == 2
    assert db.read_sync(items) == [2]


def test_who_is_interrupted_while_waiting_for_its_turn_can_still_write(db, monkeypatch):
    def interrupted(_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Turnstile, "enter", interrupted)
        with pytest.raises(KeyboardInterrupt):
            db.write_sync(put, 1)
    db.write_sync(put, 2)
    assert db.read_sync(items) == [2]


async def test_a_call_whose_caller_has_gone_is_committed_all_the_same(db):
    task = asyncio.create_task(db.write(put, 1))
    await asyncio.sleep(0)
    task.cancel()
    await db.write(put, 2)
    assert await db.read(items) == [1, 2]


async def test_a_transaction_that_is_lost_is_run_again_one_by_one(db):
    """A function that ends the transaction takes it away from all; each of them then runs alone."""
    runs = []

    def guilty(tx):
        runs.append("guilty")
        db._writer._connection.execute("rollback")
        raise apsw.IOError("the disk is gone")

    calls = [db.write(put, 1), db.write(guilty), db.write(put, 2)]
    first, broken, last = await asyncio.gather(*calls, return_exceptions=True)
    assert (first, last) == (1, 2)
    assert isinstance(broken, StorageError)
    assert await db.read(items) == [1, 2]


def test_a_slow_function_is_logged_by_name(db, caplog):
    caplog.set_level(logging.INFO, "quaero.db")

    def sluggish(tx):
        time.sleep(0.06)

    db.write_sync(sluggish)
    assert "sluggish took" in caplog.text


# -- the transaction object


def test_parameters_are_numbered_whatever_their_order(db):
    assert db.read_sync(lambda tx: tx.execute("select $2, $1, $2", (3, 4))) == [(4, 3, 4)]


def test_lists_come_in_as_json(db):
    pairs = '[[1,"a"],[2,"b"]]'
    rows = db.read_sync(
        lambda tx: tx.execute("select value ->> 1, value ->> 0 from each($1)", (pairs,))
    )
    assert rows == [("a", 1), ("b", 2)]
    for n in range(4):
        db.write_sync(put, n)
    found = db.read_sync(
        lambda tx: tx.execute("select n from item where n in ints($1) order by n", ("[3,1,9]",))
    )
    assert found == [(1,), (3,)]


def test_ids_go_up_and_are_never_given_twice_even_after_a_failure(db):
    first = db.write_sync(lambda tx: list(tx.ids("job", 3)))

    def failing(tx):
        tx.ids("job", 5)
        raise Oops

    with pytest.raises(Oops):
        db.write_sync(failing)
    second = db.write_sync(lambda tx: list(tx.ids("job", 2)))
    assert first == [1, 2, 3]
    assert second == [4, 5]


def test_finishers_run_once_by_rank_and_may_ask_for_more(db):
    ran = []

    def work(tx):
        tx.at_end("late", lambda tx: ran.append("late"), rank=9)
        tx.at_end("first", lambda tx: ran.append("first"))
        tx.at_end("first", lambda tx: ran.append("never"))
        tx.at_end("more", lambda tx: tx.at_end("extra", lambda tx: ran.append("extra"), rank=3), 2)
        ran.append("body")

    db.write_sync(work)
    assert ran == ["body", "first", "extra", "late"]


def test_a_finisher_that_fails_undoes_its_function(db):
    def work(tx):
        put(tx, 1)
        tx.at_end("bad", lambda tx: put_and_fail(tx, 2))

    with pytest.raises(Oops):
        db.write_sync(work)
    assert db.read_sync(items) == []


def test_each_function_has_a_scratch_of_its_own(db):
    db.write_sync(lambda tx: tx.scratch.update(left=1))
    assert db.write_sync(lambda tx: dict(tx.scratch)) == {}


# -- reading


def test_a_read_sees_one_moment_while_others_write(db):
    db.write_sync(put, 1)

    def look(tx):
        before = items(tx)
        thread = threading.Thread(target=db.write_sync, args=(put, 2))
        thread.start()
        thread.join()
        return before, items(tx)

    assert db.read_sync(look) == ([1], [1])
    assert db.read_sync(items) == [1, 2]


def test_a_reader_cannot_write_and_says_what_can(db):
    for write in (put, lambda tx, _: tx.ids("message", 1), lambda tx, _: tx.signal("x")):
        with pytest.raises(BadInput, match="run it with write or write_sync"):
            db.read_sync(write, 1)


async def _late(tx):
    put(tx, 1)


def _in_pieces(tx):
    yield put(tx, 1)


@pytest.mark.parametrize("fn", [_late, _in_pieces])
def test_a_function_that_would_run_after_its_transaction_is_refused(db, fn):
    for run in (db.write_sync, db.read_sync):
        with pytest.raises(BadInput, match=f"{fn.__name__} did nothing.*without async"):
            run(fn)
    assert db.read_sync(items) == []


def test_what_is_no_function_is_refused(db):
    with pytest.raises(BadInput, match="'insert' is no function of the database"):
        db.write_sync("insert")


def test_a_transaction_that_was_kept_does_nothing_any_more(db):
    kept = []
    db.write_sync(kept.append)
    db.read_sync(kept.append)
    for tx in kept:
        with pytest.raises(BadInput, match="this transaction has ended"):
            put(tx, 1)
    for asked in (lambda: kept[0].signal("t"), lambda: kept[0].at_end("t", items)):
        with pytest.raises(BadInput, match="this transaction has ended"):
            asked()
    assert db.read_sync(items) == []


def test_statements_that_are_written_anew_each_time_are_not_kept_for_ever(db):
    before = for_sqlite.cache_info()
    db.read_sync(lambda tx: [tx.execute(f"select {n}") for n in range(5_000)])
    after = for_sqlite.cache_info()
    assert after.misses - before.misses >= 5_000
    assert after.currsize < 5_000


def test_a_write_that_interrupts_one_of_its_own_thread_is_refused_and_does_not_hang(
    db, monkeypatch
):
    refused = []

    def interrupted(_):  # at a moment at which a signal's handler may come
        if threading.current_thread() is threading.main_thread():
            with pytest.raises(RuntimeError, match="from a signal handler"):
                db.write_sync(put, 2)
            refused.append(True)

    monkeypatch.setattr(wal, "PASSIVE_PAGES", 0)
    monkeypatch.setattr(wal.Wal, "checkpoint", interrupted)
    db.write_sync(put, 1)
    assert refused == [True]
    assert db.read_sync(items) == [1]


def test_a_read_inside_a_read_is_an_error(db):
    with pytest.raises(RuntimeError, match="tx of the outer one"):
        db.read_sync(lambda tx: db.read_sync(items))
    assert db.read_sync(items) == []


def test_a_query_without_end_is_stopped(db, monkeypatch):
    monkeypatch.setattr("quaero.db.sqlite.readers.READ_SECONDS", 0.1)
    endless = "with recursive n(i) as (select 1 union all select i + 1 from n) select sum(i) from n"
    with pytest.raises(StorageError, match="narrow it"):
        db.read_sync(lambda tx: tx.execute(endless))
    assert db.read_sync(items) == []


def test_the_connections_of_ended_threads_are_closed(db):
    for _ in range(20):
        thread = threading.Thread(target=db.read_sync, args=(items,))
        thread.start()
        thread.join()
    assert len(list(db._readers._open)) <= 1


# -- signals and timers


def test_only_commits_that_write_are_timed(db):
    for n in range(5):
        db.write_sync(put, n)
    timed = db.commit_seconds()
    for _ in range(300):
        db.write_sync(items)
    assert db.commit_seconds() == timed


async def test_subscribers_hear_of_commits_and_of_nothing_else(db):
    heard = asyncio.Queue()
    loop = asyncio.get_running_loop()
    end = db.subscribe("work", lambda: loop.call_soon_threadsafe(heard.put_nowait, "work"))

    def failing(tx):
        tx.signal("work")
        raise Oops

    with pytest.raises(Oops):
        await db.write(failing)
    await db.write(lambda tx: tx.signal("other"))
    assert heard.empty()
    await db.write(lambda tx: tx.signal("work"))
    assert await asyncio.wait_for(heard.get(), 5) == "work"
    end()
    await db.write(lambda tx: tx.signal("work"))
    assert heard.empty()


async def test_a_subscriber_that_fails_harms_nobody(db, caplog):
    def broken():
        raise Oops

    db.subscribe("work", broken)
    await db.write(lambda tx: tx.signal("work"))
    assert await db.write(put, 1) == 1
    assert "a subscriber of work failed" in caplog.text


async def test_timers_run_while_the_event_loop_is_blocked(db):
    ran = threading.Semaphore(0)
    end = db.every(0.01, lambda tx: ran.release())
    assert all(ran.acquire(timeout=5) for _ in range(3))  # blocks the loop
    end()


async def test_timers_do_not_wait_for_the_end_of_what_is_queued(db, monkeypatch):
    monkeypatch.setattr(writer, "BATCH_SECONDS", 0)
    ran = []
    end = db.every(0.01, ran.append)

    def slow(tx):
        time.sleep(0.02)
        return len(ran)

    before, after = await asyncio.gather(db.write(slow), db.write(lambda tx: len(ran)))
    assert after > before
    end()


async def test_a_timer_that_fails_is_logged_and_goes_on(db, caplog):
    ran = threading.Semaphore(0)

    def broken(tx):
        put(tx, 1)
        ran.release()
        raise Oops

    end = db.every(0.01, broken)
    assert all(ran.acquire(timeout=5) for _ in range(2))
    end()
    assert await db.write(put, 2) == 2
    assert await db.read(items) == [2]
    assert "the writer's own work failed" in caplog.text


async def test_what_rides_along_commits_with_the_signal_it_waited_for(db):
    from quaero.db.contract import Ride

    done = asyncio.Queue()
    ride = Ride(lambda tx: put(tx, 2), done.put_nowait, asyncio.get_running_loop())
    end = db.ride("work", lambda seen_by: ride)

    def ready(tx):
        put(tx, 1)
        tx.signal("work")

    before = db.commits
    await db.write(ready)
    assert await asyncio.wait_for(done.get(), 5) == 2
    assert await db.read(items) == [1, 2]
    assert db.commits == before + 1
    end()
    await db.write(ready)
    assert await db.read(items) == [1, 2, 1]


async def test_a_commit_that_fails_is_tried_once_more_and_told_whatever_would_ride_along(db):
    from quaero.db.contract import Ride

    ride = Ride(lambda tx: put(tx, 2), lambda _: None, asyncio.get_running_loop())
    offers = []

    def offer(seen_by):
        offers.append(seen_by)
        return ride

    db.ride("work", offer)
    await asyncio.to_thread(db.exclusively, lambda c: c.set_commit_hook(lambda: True))

    def ready(tx):
        put(tx, 1)
        tx.signal("work")

    with pytest.raises(apsw.ConstraintError):
        await db.write(ready)
    assert len(offers) <= 2
    await asyncio.to_thread(db.exclusively, lambda c: c.set_commit_hook(None))
    await db.write(ready)
    assert await db.read(items) == [1, 2]


@pytest.mark.parametrize("again", [False, True])
async def test_what_runs_last_sees_the_others_of_its_commit_and_riders_know(db, monkeypatch, again):
    monkeypatch.setattr(writer, "BATCH_SECONDS", 60)
    offers = []
    db.ride("work", offers.append)

    def ready(tx, value):
        put(tx, value)
        tx.signal("work")

    @last
    def look(tx):
        if again:
            tx.signal("work")
        return items(tx)

    before = db.commits
    go_on = threading.Event()
    calls = [(lambda tx: go_on.wait(30),), (look,), (ready, 1), (ready, 2)]
    writes = [asyncio.ensure_future(db.write(*call)) for call in calls]
    await asyncio.sleep(0)  # all are queued while the first holds the writer up
    go_on.set()
    _, found, *_ = await asyncio.gather(*writes)
    assert (found, db.commits - before) == ([1, 2], 1)
    assert [list(seen_by) for seen_by in offers] == [[] if again else [look]]


async def test_what_wants_the_bare_connection_gets_it_though_others_write_without_pause(db):
    stop = threading.Event()

    async def keep_writing():
        while not stop.is_set():
            await db.write(put, 1)

    writers = [asyncio.create_task(keep_writing()) for _ in range(50)]
    async with asyncio.timeout(20):
        for _ in range(20):
            look = asyncio.to_thread(db.exclusively, lambda c: c.in_transaction)
            assert await look is False, "between two transactions"
        with pytest.raises(Oops):
            await asyncio.to_thread(db.exclusively, lambda c: put_and_fail(c, 2))
    stop.set()
    await asyncio.gather(*writers)
    with pytest.raises(RuntimeError, match="would wait for itself"):
        db.exclusively(lambda c: db._writer.run(Call(put, (3,))))


# -- closing


def test_a_database_that_is_closed_by_a_function_of_its_own_refuses_and_stays_open(db):
    def close(tx):
        put(tx, 1)
        db.close()

    with pytest.raises(RuntimeError, match="would wait for itself"):
        db.write_sync(close)
    assert db.read_sync(items) == []
    db.write_sync(put, 2)
    assert db.read_sync(items) == [2]


async def test_a_closed_database_says_so(tmp_path):
    db = SqliteDatabase.open(tmp_path / "q.db")
    await db.read(lambda tx: tx.now)
    db.close()
    db.close()
    with pytest.raises(StorageError, match="closed"):
        await db.write(put, 1)
    with pytest.raises(StorageError, match="closed"):
        await db.read(items)
    with pytest.raises(StorageError, match="closed"):
        await asyncio.to_thread(db.write_sync, put, 1)
    with pytest.raises(StorageError, match="closed"):
        db.read_sync(items)
    with pytest.raises(StorageError, match="closed"):
        db.exclusively(lambda connection: None)


def test_what_was_submitted_before_a_close_is_written_or_refused_never_forgotten(tmp_path):
    db = SqliteDatabase.open(tmp_path / "q.db")
    db.write_sync(lambda tx: tx.execute("create table item(n integer)"))
    kept, refused = [], threading.Event()

    def work(start):
        n = start
        while True:
            try:
                kept.append(db.write_sync(put, n))
            except StorageError:
                refused.set()
                return
            n += 1

    threads = [threading.Thread(target=work, args=(k * 1_000_000,)) for k in range(4)]
    for thread in threads:
        thread.start()
    while len(kept) < 20:
        time.sleep(0.001)
    db.close()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    with SqliteDatabase.open(tmp_path / "q.db") as again:
        assert sorted(again.read_sync(items)) == sorted(kept)


# -- the lease clock


@pytest.fixture
def clock():
    return FakeClock()


def opened(tmp_path, clock):
    return SqliteDatabase.open(tmp_path / "q.db", clock=clock)


def test_the_lease_clock_does_not_notice_steps_of_the_wall_clock(tmp_path, clock):
    with opened(tmp_path, clock) as db:
        before = db.lease_now()
        clock.step_wall(3600)
        assert db.lease_now() == before
        clock.step_wall(-7200)
        clock.pass_time(1)
        assert db.lease_now() == before + SECOND


def test_processes_of_one_boot_agree_whatever_the_wall_clock_was_at_their_start(tmp_path, clock):
    with opened(tmp_path, clock) as first:
        clock.step_wall(-3600)
        with opened(tmp_path, clock) as second:
            assert first.lease_now() == second.lease_now()


@pytest.mark.parametrize("step", [0, 3600, -3600, -400 * 86_400])
def test_the_lease_clock_never_goes_back_over_a_restart_of_the_machine(tmp_path, clock, step):
    with opened(tmp_path, clock) as db:
        clock.pass_time(120)
        noted = db.lease_now()
        db.write_sync(db._lease_clock.note)
    clock.step_wall(step)
    clock.reboot()
    with opened(tmp_path, clock) as db:
        assert db.lease_now() >= noted


def test_leases_of_an_earlier_boot_are_over(tmp_path, clock):
    with opened(tmp_path, clock) as db:
        db.write_sync(
            lambda tx: tx.execute(
                "insert into message(id, queue_id, state, due, lease_until, created_at, type)"
                " values(1, 1, 2, 0, $1, 0, 't')",
                (tx.lease_now + 10 * SECOND,),
            )
        )
    clock.reboot()
    with opened(tmp_path, clock) as db:
        ((until,),) = db.read_sync(lambda tx: tx.execute("select lease_until from message"))
        assert until <= db.lease_now()
