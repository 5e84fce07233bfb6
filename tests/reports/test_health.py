"""Health: what the processes tell of themselves, and what is wrong said in a sentence."""

import asyncio
import os
import re
import shutil
import subprocess
import sys

import pytest

from quaero.clock import SECOND
from quaero.db import LOW_WATER
from quaero.db.processes import SILENT_SECONDS, Reporter, resident_bytes, states
from quaero.errors import StorageError
from quaero.loops import Loop
from quaero.queue.holders import Holders
from quaero.queue.queue import open_queue
from quaero.reports.health import health
from quaero.reports.workers import standing
from quaero.testing.jobs import working
from quaero.work.pool import PoolOptions


def reporter(opened, role="worker", *loops, **more):
    return Reporter(opened.db, role, lambda: loops, lambda: more)


def told(opened):
    return opened.read(health, opened.db.path)


def test_without_a_worker_it_says_so_and_what_to_do(opened) -> None:
    seen = told(opened)
    assert seen.status == "degraded"
    assert seen.problems == ["no worker is alive; start one with `quaero work` or `quaero serve`"]


def test_a_living_worker_with_turning_loops_is_well(opened) -> None:
    loop = Loop("pump", 1.0)
    loop.turn()
    opened.write(reporter(opened, "worker", loop, slots=5).write)
    seen = told(opened)
    assert (seen.status, seen.problems) == ("ok", [])
    (process,) = seen.processes
    assert process.state.report.more == {"slots": 5}
    assert process.state.report.rss > 1_000_000
    pump = next(each for each in process.loops if each.name == "pump")
    assert pump.last_at is not None
    assert not pump.late


def test_a_loop_that_stands_is_late_and_one_that_failed_says_why(opened) -> None:
    standing, failing = Loop("pump", 1.0), Loop("hub", 1.0)
    standing.turn()
    standing.last -= 60.0
    failing.failed(ValueError("no"))
    opened.write(reporter(opened, "worker", standing, failing).write)
    problems = told(opened).problems
    assert any("the loop pump" in each and "is late" in each for each in problems)
    assert any("the loop hub" in each and "ValueError: no" in each for each in problems)


def test_processes_keep_apart_though_the_first_word_of_one_was_lost(opened) -> None:
    worker, web = reporter(opened, "worker"), reporter(opened, "web")

    def lost(tx) -> None:
        worker.write(tx)
        raise LookupError("the commit is lost")

    with pytest.raises(LookupError):
        opened.write(lost)
    for each in (web, worker, web):
        opened.write(each.write)
    assert [each.role for each in opened.read(states)] == ["web", "worker"]
    opened.write(worker.forget)
    assert [each.role for each in opened.read(states)] == ["web"]


@pytest.mark.parametrize(
    ("free", "says"),
    [
        (LOW_WATER - 1, "nothing new begins before 67,108,864 bytes are free.*now 67,108,863 are"),
        (LOW_WATER, "only 67,108,864 bytes are free"),
        (100 * LOW_WATER, ""),
    ],
)
def test_too_little_room_is_told_and_what_it_means(opened, monkeypatch, free, says) -> None:
    usage = shutil.disk_usage(opened.db.path.parent)
    left = usage._replace(total=1_000 * LOW_WATER, free=free)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: left)
    opened.write(reporter(opened).write)
    found = "\n".join(told(opened).problems)
    assert re.search(says, found) if says else not found


def test_a_folder_that_is_gone_is_told(opened) -> None:
    told(opened)
    aside = opened.folder.rename(opened.folder.with_name(opened.folder.name + "-aside"))
    try:
        with pytest.raises(StorageError, match="moved or deleted while it was in use"):
            told(opened)
    finally:
        aside.rename(opened.folder)


def test_a_process_that_fell_silent_is_named(opened) -> None:
    opened.write(reporter(opened).write)
    opened.clock.pass_time(46)
    problems = told(opened).problems
    assert any("has not been heard of" in each for each in problems)


def test_a_process_that_ends_in_order_is_forgotten(opened) -> None:
    one = reporter(opened)
    opened.write(one.write)
    assert len(opened.read(states)) == 1
    opened.write(one.forget)
    assert opened.read(states) == []


def test_a_row_is_renewed_and_not_added(opened) -> None:
    one = reporter(opened)
    opened.write(one.write)
    opened.clock.pass_time(15)
    opened.write(one.write)
    (state,) = opened.read(states)
    assert state.at - state.started_at == 15_000_000


def test_the_silent_are_forgotten_after_a_day(opened) -> None:
    opened.write(reporter(opened).write)
    opened.clock.pass_time(86_401)
    opened.write(reporter(opened).write)
    assert len(opened.read(states)) == 1


def test_the_lag_of_the_feed_is_that_of_the_slowest_reader(opened) -> None:
    opened.write(reporter(opened, "web", feed_behind=7_000).write)
    opened.write(reporter(opened).write)
    seen = told(opened)
    assert seen.feed_lag == 7_000
    assert any("7,000 changes" in each for each in seen.problems)


def test_commits_are_timed_and_the_disk_is_measured(opened) -> None:
    opened.write(open_queue, "q")
    opened.write(reporter(opened).write)
    seen = told(opened)
    assert seen.commit_seconds == pytest.approx(opened.db.commit_seconds(), abs=1.0)
    assert 0 < seen.disk.database < seen.disk.total
    assert resident_bytes() > 0


async def test_a_pool_tells_of_its_loops_and_leaves_no_row(opened, monkeypatch) -> None:
    monkeypatch.setattr("quaero.db.processes.EVERY_SECONDS", 0.05)
    async with working(opened.db, [], PoolOptions(concurrency=2)):
        async with asyncio.timeout(10):
            while not (seen := await opened.db.read(states)):
                await asyncio.sleep(0.01)
        names = {loop.name for loop in seen[0].report.loops}
        assert {"sweeper", "journal"} <= names
        assert seen[0].report.more["slots"] == 2
    assert await opened.db.read(states) == []


async def test_a_worker_stands_for_its_own_queue_only(opened) -> None:
    holders = Holders(opened.db.path, opened.clock)
    other = await opened.db.write(open_queue, "another")
    async with working(opened.db, []) as bench:
        async with asyncio.timeout(10):
            while not await opened.db.read(standing, holders, bench.queue_id):
                await asyncio.sleep(0.01)
        assert not await opened.db.read(standing, holders, other)
    assert not await opened.db.read(standing, holders, bench.queue_id)


def dead_pid() -> int:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return ended.pid


def _is_of(tx, role: str, pid: int) -> None:
    tx.execute("update process set pid = $2 where role = $1", (role, pid))


def test_a_killed_process_is_forgotten_by_the_next_that_tells_of_itself(opened) -> None:
    for role, pid in (("worker", dead_pid()), ("hanging", os.getppid())):
        opened.write(reporter(opened, role).write)
        opened.write(_is_of, role, pid)
    opened.clock.pass_time(SILENT_SECONDS + 1)
    opened.write(reporter(opened, "web").write)
    assert [each.role for each in opened.read(states)] == ["hanging", "web"]


def test_a_killed_process_is_forgotten_though_the_next_one_has_its_id(opened) -> None:
    opened.write(reporter(opened).write)
    opened.clock.pass_time(SILENT_SECONDS + 1)
    opened.write(reporter(opened).write)
    assert [each.alive for each in opened.read(states)] == [True]
    assert told(opened).problems == []


def test_a_clock_that_is_set_back_leaves_no_dead_process_alive(opened) -> None:
    opened.write(reporter(opened).write)
    opened.write(lambda tx: tx.execute("update process set at = at + $1", (3_600 * SECOND,)))
    assert [each.alive for each in opened.read(states)] == [False]
