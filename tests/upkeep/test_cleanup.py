"""What a cleanup takes, and what it leaves."""

from __future__ import annotations

import hashlib
import zlib
from random import Random
from typing import Any

import pytest

from quaero.clock import DAY, SECOND
from quaero.db.contract import Tx
from quaero.documents import bodies, store
from quaero.documents.model import Body, NewDocument
from quaero.errors import Conflict
from quaero.jobs import actions, check, run, steer
from quaero.jobs.create import create
from quaero.jobs.model import JobSpec
from quaero.jobs.run import Completed, Failed
from quaero.queue.claim import Claim
from quaero.queue.queue import open_queue
from quaero.testing.jobs import working
from quaero.upkeep import cleanup, preview
from quaero.upkeep.cleanup import Kept, cleanup_type

from ..opening import Opened  # noqa: TID252

A_DAY = DAY / SECOND


def kept(dead_letters: float, body_days: float = 30) -> Kept:
    return Kept(
        logs=30, minutes=30, dead_letters=dead_letters, versions=1, model_calls=30,
        bodies=body_days,
    )  # fmt: skip


async def give_up(opened: Opened, many: int) -> list[int]:
    """The ids of jobs that have failed for good, each with its dead letter."""

    def fail(tx: Tx, ids: range) -> None:
        works = run.claim(tx, 1, Claim(10_000, 60 * SECOND))
        assert [work.job_id for work in works] == list(ids)
        failed = [Failed(work, tx.now, error="no such host", permanent=True) for work in works]
        run.settle_all(tx, failed, 3, Random(1))

    ids = await opened.db.write(create, 1, [JobSpec("page", "{}")] * many)
    await opened.db.write(fail, ids)
    return list(ids)


def letters(opened: Opened) -> list[int]:
    """The jobs that have a dead letter."""
    return [row[0] for row in opened.sql("select job_id from message where state = 3 order by id")]


@pytest.mark.parametrize(
    ("days", "left"), [(1, []), (3, ["new"]), (5, ["middle", "new"]), (9, None)]
)
async def test_dead_letters_go_when_they_were_given_up_long_ago_and_their_jobs_stay(
    opened: Opened, monkeypatch: pytest.MonkeyPatch, days: float, left: list[str] | None
) -> None:
    monkeypatch.setattr(cleanup, "SLICE", 3)
    await opened.db.write(open_queue, "quaero_jobs")
    ids = {}
    for name in ("old", "middle", "new"):
        ids[name] = await give_up(opened, 4)
        opened.clock.pass_time(2 * A_DAY)
    everything = [id_ for each in ids.values() for id_ in each]
    assert letters(opened) == everything
    kinds = cleanup_type(opened.db, kept(days))
    async with working(opened.db, [kinds]) as bench:
        done = await bench.run("cleanup", {"age_threshold_days": 30})
    expected = everything if left is None else [id_ for name in left for id_ in ids[name]]
    assert letters(opened) == expected
    assert done.result["dead_letters"] == len(everything) - len(expected)
    failed = opened.sql("select id from job where status = 3 order by id")
    assert [row[0] for row in failed] == everything
    assert await opened.db.read(check.faults) == []


async def test_a_dry_run_takes_no_dead_letter(opened: Opened) -> None:
    await opened.db.write(open_queue, "quaero_jobs")
    ids = await give_up(opened, 2)
    opened.clock.pass_time(100 * A_DAY)
    async with working(opened.db, [cleanup_type(opened.db, kept(1))]) as bench:
        await bench.run("cleanup", {"age_threshold_days": 1_000, "dry_run": True})
    assert letters(opened) == ids


async def test_a_dry_run_tells_the_rows_and_bytes_that_a_cleanup_then_deletes(
    opened: Opened,
) -> None:
    await opened.db.write(open_queue, "quaero_jobs")
    await give_up(opened, 3)
    opened.clock.pass_time(40 * A_DAY)
    await give_up(opened, 2)
    opened.clock.pass_time(20 * A_DAY)
    sql = "select count(*), sum(octet_length(payload) + octet_length(name) + octet_length(error)) \
        from job where completed_at < $1"
    before = opened.wall - 30 * DAY
    ((jobs, size),) = opened.read(lambda tx: tx.execute(sql, (before,)))
    async with working(opened.db, [cleanup_type(opened.db, kept(10))]) as bench:
        told = (await bench.run("cleanup", {"dry_run": True})).result
        assert opened.sql("select count(*) from job where type = 'page'") == [(5,)]
        done = (await bench.run("cleanup", {})).result
    assert (told["trees"], told["jobs"], told["bytes"]["jobs"]) == (3, jobs, size)
    assert done["log_entries"] == told["log_entries"] > 0, "those of the trees are counted too"
    for what in ("trees", "jobs", "log_entries", "events", "dead_letters", "versions",
                 "model_calls"):  # fmt: skip
        assert told[what] >= done[what], what
    assert told["dead_letters"] == done["dead_letters"] == 2, "those of the trees go with these"
    assert told["bytes"]["all"] == sum(n for what, n in told["bytes"].items() if what != "all")
    assert told["bytes"]["log_entries"] > 0


async def test_a_tree_that_is_opened_again_meanwhile_stays(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    await opened.db.write(open_queue, "quaero_jobs")
    first, second = await give_up(opened, 2)
    opened.clock.pass_time(40 * A_DAY)
    found = cleanup._trees

    async def found_and_then_retried(*args: Any) -> list[int]:
        ended = await found(*args)
        assert ended == [first, second]
        assert await actions.retry(opened.db, second) == 1
        return ended

    monkeypatch.setattr(cleanup, "_trees", found_and_then_retried)
    async with working(opened.db, [cleanup_type(opened.db, kept(90))]) as bench:
        done = (await bench.run("cleanup", {})).result
    assert (done["trees"], done["jobs"]) == (1, 1)
    assert opened.sql("select id, status from job where type = 'page'") == [(second, 0)]


async def test_what_is_above_a_crawl_that_loses_its_pages_is_not_opened_again(
    opened: Opened,
) -> None:
    await opened.db.write(open_queue, "quaero_jobs")
    (top,) = await opened.db.write(create, 1, [JobSpec("flow", "{}")])
    (crawl,) = await opened.db.write(create, 1, [JobSpec("crawler", "{}")], top)
    (page,) = await opened.db.write(create, 1, [JobSpec("crawler_url", "{}")], crawl)

    def end(tx: Tx) -> None:
        by_id = {work.job_id: work for work in run.claim(tx, 1, Claim(9, 60 * SECOND))}
        failed = Failed(by_id.pop(page), tx.now, error="no such host", permanent=True)
        others = [Completed(work, tx.now) for work in by_id.values()]
        run.settle_all(tx, [failed, *others], 3, Random(1))

    await opened.db.write(end)
    assert await opened.db.write(cleanup._of_ended, top, steer.delete_below, crawl) == 1
    with pytest.raises(Conflict, match=f"job {top} is being deleted"):
        await opened.db.write(steer.rerun, crawl)
    assert await cleanup.delete_tree(opened.db, top) == 2
    assert opened.sql("select id from job") == []


async def test_a_preview_counts_the_old_entries_of_the_feed(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preview, "ROWS", 2)

    def write(tx: Tx) -> None:
        for at in (1, 2, 3, 9):
            tx.execute("insert into event values (null, $1, 1, 'jobs', '[1]')", (at,))

    await opened.db.write(write)
    assert [await preview.old_events(opened.db, before) for before in (1, 3, 4, 10)] == [
        (0, 0), (2, 6), (3, 9), (4, 12),
    ]  # fmt: skip


def read_from(number: int, body: str | None) -> NewDocument:
    """A document that was read from a body."""
    made = None
    if body is not None:
        digest = hashlib.blake2b(body.encode(), digest_size=16).digest()
        packed = zlib.compress(body.encode())
        made = Body(hash=digest, packed=packed, content_type="text/html")
    return NewDocument(
        url=f"https://x.org/{number}", title="t", text="x", content_hash=f"{body}", body=made
    )


def bodies_left(opened: Opened) -> list[str]:
    """The bodies that are stored, and how many documents refer to each."""
    rows = opened.sql(
        """
        select b.bytes, (select count(*) from document_body d where d.hash = b.hash) from body b
        """
    )
    return sorted(f"{zlib.decompress(packed).decode()} {documents}" for packed, documents in rows)


@pytest.mark.parametrize(
    ("days", "after"),
    [(9, ["new 1", "old 1", "shared 2"]), (5, ["new 1", "shared 1"]), (1, []), (0, [])],
)
async def test_bodies_go_when_their_time_is_over_and_with_their_documents(
    opened: Opened, monkeypatch: pytest.MonkeyPatch, days: float, after: list[str]
) -> None:
    """Read eight days ago: `old`, `shared`; four days ago: `shared` by another, `new`."""
    monkeypatch.setattr(bodies, "LOOKED_AT", 1)
    monkeypatch.setattr(bodies, "MOST_AT_ONCE", 1)
    await opened.db.write(open_queue, "quaero_jobs")
    await opened.db.write(
        store.save, [read_from(1, "old"), read_from(2, "shared"), read_from(3, None)]
    )
    opened.clock.pass_time(4 * A_DAY)
    later = [read_from(4, "shared"), read_from(5, "new"), read_from(6, "deleted")]
    (*_, last) = await opened.db.write(store.save, later)
    opened.clock.pass_time(4 * A_DAY)
    await opened.db.write(store.delete, [last.id])
    before = ["deleted 0", "new 1", "old 1", "shared 2"]
    assert bodies_left(opened) == before
    ((total,),) = opened.sql("select sum(octet_length(bytes)) from body")
    no_jobs = {"age_threshold_days": 1_000}
    async with working(opened.db, [cleanup_type(opened.db, kept(30, days))]) as bench:
        told = (await bench.run("cleanup", {**no_jobs, "dry_run": True})).result
        assert bodies_left(opened) == before
        done = (await bench.run("cleanup", no_jobs)).result
        again = (await bench.run("cleanup", no_jobs)).result
    assert bodies_left(opened) == after
    ((left,),) = opened.sql("select coalesce(sum(octet_length(bytes)), 0) from body")
    assert told["bodies"] == done["bodies"] == len(before) - len(after)
    assert told["bytes"]["bodies"] == total - left
    assert again["bodies"] == 0
    assert opened.sql("select count(*) from document") == [(5,)]


async def test_a_body_that_is_wanted_again_while_a_cleanup_looks_stays(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    await opened.db.write(open_queue, "quaero_jobs")
    (saved,) = await opened.db.write(store.save, [read_from(1, "wanted")])
    await opened.db.write(store.delete, [saved.id])
    drop = bodies.drop

    def crawled_and_dropped(tx: Tx, wanted: Any) -> int:
        if wanted:
            store.save(tx, [read_from(2, "wanted")])
        return drop(tx, wanted)

    monkeypatch.setattr(bodies, "drop", crawled_and_dropped)
    async with working(opened.db, [cleanup_type(opened.db, kept(30))]) as bench:
        assert (await bench.run("cleanup", {})).result["bodies"] == 0
    assert bodies_left(opened) == ["wanted 1"]
