"""Jobs that look after the database: reindex, database_maintenance, backup."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import apsw
import pytest

from quaero.clock import SystemClock
from quaero.db import SqliteDatabase
from quaero.db.sqlite import readers, upkeep
from quaero.documents import search, store
from quaero.documents.model import NewDocument, content_hash
from quaero.errors import BadPayload, StaleLease, StorageError
from quaero.jobs import actions
from quaero.jobs.model import Status
from quaero.testing.clock import FakeClock
from quaero.testing.jobs import Bench, working
from quaero.upkeep import backup
from quaero.upkeep.backup import backup_type, backups
from quaero.upkeep.bulk import bulk_type
from quaero.upkeep.maintenance import maintenance_type
from quaero.upkeep.reindex import Reindex, reindex_type
from quaero.work.context import JobContext


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    with SqliteDatabase.open(tmp_path / "q.db", clock=FakeClock()) as db:
        types = [
            reindex_type(db),
            maintenance_type(db),
            backup_type(db, tmp_path / "backups", SystemClock()),
        ]
        async with working(db, types) as made:
            yield made


def page(number: int, words: str) -> NewDocument:
    title, text = f"Page {number}", f"{words} number{number}"
    return NewDocument(
        url=f"http://h.test/{number}", title=title, text=text,
        content_hash=content_hash(title, text),
    )  # fmt: skip


async def save(bench: Bench, count: int, words: str = "some words") -> None:
    for start in range(0, count, 50):
        pages = [page(n, words) for n in range(start, min(start + 50, count))]
        await bench.db.write(store.save, pages)


async def found(bench: Bench, text: str) -> int:
    return (await bench.db.read(search.search, text)).total


async def test_a_reindex_that_lost_its_lease_empties_nothing(bench: Bench) -> None:
    await save(bench, 3)

    async def lost(*_: Any) -> None:
        raise StaleLease("lost")

    gone: Any = SimpleNamespace(state=None)
    unwritten: Any = None
    run = reindex_type(bench.db).run
    assert run is not None
    with pytest.raises(StaleLease):
        await run(JobContext(gone, unwritten, lost), Reindex(from_scratch=True))
    assert await found(bench, "words") == 3


async def test_an_index_that_lost_documents_is_complete_after_a_reindex(bench: Bench) -> None:
    await save(bench, 120)
    await bench.db.write(lambda tx: tx.execute("delete from document_fts where rowid % 2 = 0"))
    assert await found(bench, "words") == 60
    job = await bench.run("reindex")
    assert job.result == {"documents": 120}
    assert await found(bench, "words") == 120
    assert await found(bench, "number77") == 1


async def test_an_index_is_built_from_nothing(bench: Bench) -> None:
    await save(bench, 60)
    job = await bench.run("reindex", {"from_scratch": True})
    assert (job.summary.status, job.result) == (Status.COMPLETED, {"documents": 60})
    assert await found(bench, "words") == 60


async def test_maintenance_checks_everything_and_gives_room_back(bench: Bench) -> None:
    await save(bench, 300, "word " * 2_000)
    await bench.db.write(lambda tx: tx.execute("delete from document_text"))
    job = await bench.run("database_maintenance")
    assert job.summary.status is Status.COMPLETED, job.summary.error
    assert job.result["tables_checked"] > 20
    assert job.result["bytes_given_back"] > 1_000_000
    assert bench.db.exclusively(upkeep.room).free_pages == 0


async def test_maintenance_does_only_what_it_is_told(bench: Bench) -> None:
    job = await bench.run("database_maintenance", {"integrity": False, "vacuum": False})
    assert set(job.result) == {"pages_written"}


async def test_a_wrong_count_is_an_error_that_names_it(bench: Bench) -> None:
    await bench.run("backup")
    await bench.db.write(lambda tx: tx.execute("update job_count set n = n + 7"))
    job = await bench.run("database_maintenance")
    assert job.summary.status is Status.FAILED
    assert "counts of jobs" in str(job.summary.error)


async def test_the_plans_of_the_queue_are_not_changed_by_statistics(bench: Bench) -> None:
    await bench.run("database_maintenance")
    rows = await bench.db.read(lambda tx: tx.execute("select distinct tbl from sqlite_stat1"))
    assert {table for (table,) in rows} <= {"document", "document_tag"}


async def test_backups_are_sound_and_the_newest_are_kept(bench: Bench, tmp_path: Path) -> None:
    await save(bench, 10)
    folder = tmp_path / "backups"
    paths = []
    for _ in range(4):
        job = await bench.run("backup", {"keep": 2})
        paths.append(Path(job.result["path"]))
    (folder / "mine.db").write_text("not a backup")
    assert backups(folder) == paths[-2:]
    assert (await bench.run("backup", {"keep": 1})).result["dropped"] == 2
    (last,) = backups(folder)
    with apsw.Connection(str(last)) as copy:
        assert copy.execute("select count(*) from document").fetchall() == [(10,)]
    assert (folder / "mine.db").exists()


async def test_a_backup_is_kept_beside_those_that_a_clock_dated_that_was_ahead(
    bench: Bench, tmp_path: Path
) -> None:
    ahead = [Path((await bench.run("backup")).result["path"]) for _ in range(2)]
    for path in ahead:
        os.utime(path, (4e9, 4e9))
    paths = [Path((await bench.run("backup", {"keep": 2})).result["path"]) for _ in range(3)]
    assert backups(tmp_path / "backups") == paths[-2:]


async def test_a_backup_that_cannot_be_written_says_so(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "backups").write_text("a file is in the way")
    job = await bench.run("backup")
    assert job.summary.status is Status.FAILED
    assert "no backup can be written" in str(job.summary.error)


async def test_a_backup_that_is_written_is_not_written_again_as_older_ones_cannot_go(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any) -> int:
        raise PermissionError(1, "Operation not permitted", "old.db")

    monkeypatch.setattr(backup, "_drop_old", refused)
    async with asyncio.timeout(5):
        job = await bench.run("backup")
    assert (job.summary.status, job.summary.attempt) == (Status.COMPLETED, 1)
    assert len(backups(tmp_path / "backups")) == 1


async def test_a_backup_that_finds_no_room_fails_and_is_not_copied_again_and_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> list[str]:
        raise apsw.FullError("database or disk is full")

    monkeypatch.setattr(upkeep, "damage", full)
    async with asyncio.timeout(20):
        job = await bench.run("backup")
    assert job.summary.status is Status.FAILED
    assert "no room left" in str(job.summary.error)


def without_end(connection: Any, began: Callable[[], None]) -> list[str]:
    """A statement that runs until something ends it."""
    began()
    endless = "with recursive n(i) as (select 1 union all select i + 1 from n) select max(i) from n"
    return [str(next(iter(connection.execute(endless))))]


@pytest.mark.parametrize("type_", ["backup", "database_maintenance"])
async def test_what_takes_long_ends_with_its_job_and_leaves_nothing(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, type_: str
) -> None:
    looking, ended = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def look(connection: apsw.Connection, *_: Any) -> list[str]:
        try:
            return without_end(connection, lambda: loop.call_soon_threadsafe(looking.set))
        finally:
            ended.set()

    monkeypatch.setattr(upkeep, "damage", look)
    id_ = await bench.create(type_)
    await looking.wait()
    await actions.cancel(bench.db, id_)
    assert (await bench.ended(id_)).summary.status is Status.CANCELLED
    assert await asyncio.to_thread(ended.wait, 20), "its thread ends too"
    async with asyncio.timeout(20):
        while [each for each in tmp_path.glob("backups/*") if each.exists()]:
            await asyncio.sleep(0.001)


async def test_what_is_counted_anew_takes_as_long_as_it_takes(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers, "READ_SECONDS", 0.0)
    await save(bench, 200)
    with pytest.raises(StorageError, match="longer than"):
        await bench.db.read(without_end, lambda: None)
    assert (await bench.run("database_maintenance")).summary.status is Status.COMPLETED
    looks = iter([False, False, True])
    with pytest.raises(StorageError, match="was ended"):
        bench.db.read_long(lambda tx: without_end(tx, lambda: None), lambda: next(looks))


async def test_a_backup_tells_how_far_it_is_and_is_its_owners_alone(bench: Bench) -> None:
    job = await bench.run("backup")
    assert job.summary.progress_text == "checking the copy"
    assert job.summary.progress_current == job.summary.progress_total
    assert job.summary.progress_total
    assert Path(job.result["path"]).stat().st_mode & 0o777 == 0o600


async def test_what_a_killed_backup_left_goes_once_none_can_be_at_it(
    bench: Bench, tmp_path: Path
) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    left = folder / ".quaero-20200101T000000Z.db.partial"
    other = folder / ".quaero-20200101T000000Z-2.db.partial"
    for path, written in ((left, 0), (other, 4_000_000_000)):
        path.write_text("half of it")
        os.utime(path, (written, written))
    job = await bench.run("backup")
    assert sorted(folder.iterdir()) == sorted([other, Path(job.result["path"])])


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"action": "delete_log", "up_to": 9}, "ids are needed to delete logs"),
        ({"action": "purge", "ids": [1], "up_to": 9}, "do not go with a purge"),
        ({"action": "purge", "filter": {"text": "a"}, "up_to": 9}, "filter does not go with purge"),
        ({"action": "priority", "up_to": 9}, "priority goes with the action priority"),
    ],
)
def test_a_bulk_action_takes_no_words_that_would_have_no_effect(
    bench: Bench, given: dict[str, Any], says: str
) -> None:
    with pytest.raises(BadPayload, match=says):
        bulk_type(bench.db).encode(given)
