"""The low-water mark and the reserve: what is refused and what goes on when room runs out."""

import itertools
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from quaero.db import SqliteDatabase
from quaero.db.sqlite import room as rooms
from quaero.db.sqlite import wal as logs
from quaero.db.sqlite.connection import open_writer, tune_writer
from quaero.db.sqlite.room import LOW_WATER, RESERVE, Room
from quaero.db.sqlite.upkeep import damage
from quaero.db.sqlite.wal import PASSIVE_PAGES, SHARE, WAL_FILL, Wal
from quaero.errors import DiskFull
from quaero.jobs import JobSpec, steer
from quaero.jobs.create import create
from quaero.queue.message import UPKEEP
from quaero.queue.queue import open_queue


class Disk:
    """A file system with as much room as a test says, and a clock to look at it by."""

    def __init__(self, path, monkeypatch):
        self.free = 10 * LOW_WATER
        self.looks = 0
        self.now = 1_000.0
        monkeypatch.setattr(rooms.time, "monotonic", lambda: self.now)
        self.room = Room(path, free=self.look)

    def look(self, folder):
        self.looks += 1
        return self.free

    def enough(self, inside=0):
        return self.room.enough(lambda: inside)


@pytest.fixture
def path(tmp_path: Path):
    return tmp_path / "q.db"


@pytest.fixture
def disk(path, monkeypatch):
    return Disk(path, monkeypatch)


def test_room_is_looked_at_once_a_second_at_most(disk):
    assert disk.enough()
    before = disk.looks
    disk.free = 0
    for _ in range(100):
        disk.now += 0.009
        assert disk.enough()
    assert disk.looks == before
    disk.now += 0.2
    assert not disk.enough()


@pytest.mark.parametrize(
    ("free", "inside", "enough"),
    [
        (LOW_WATER, 0, True),
        (LOW_WATER - 1, 0, False),
        (0, LOW_WATER, True),
        (LOW_WATER // 2, LOW_WATER // 2 - 1, False),
        (10 * LOW_WATER, 0, True),
    ],
)
def test_enough_is_what_the_file_system_and_the_file_itself_have_free(disk, free, inside, enough):
    disk.free = free
    disk.now += 5
    assert disk.enough(inside) is enough


def test_the_reserve_takes_up_room_and_is_given_back_once(disk, path):
    reserve = path.with_name("q.db-reserve")
    assert reserve.stat().st_blocks * 512 >= RESERVE
    assert disk.room.exhausted()
    assert reserve.stat().st_size == 0
    assert not disk.room.exhausted()


def test_after_a_refused_write_nothing_new_begins_for_a_while(disk):
    disk.room.exhausted()
    assert not disk.enough()
    disk.now += 1.1
    assert not disk.enough()
    disk.now += 1.1
    assert disk.enough()


def test_the_reserve_is_made_again_when_there_is_room_for_it(disk, path):
    reserve = path.with_name("q.db-reserve")
    disk.room.exhausted()
    disk.free = LOW_WATER + RESERVE - 1
    disk.now += 5
    disk.enough()
    assert reserve.stat().st_size == 0
    disk.free = LOW_WATER + RESERVE
    disk.now += 5
    disk.enough()
    assert reserve.stat().st_size == RESERVE


def test_below_the_mark_only_work_that_makes_room_is_taken_on(disk, path):
    with SqliteDatabase.open(path, room=disk.room) as db:
        queue_id = db.write_sync(open_queue, "jobs")
        (parent,) = db.write_sync(create, queue_id, [JobSpec("t")])
        disk.free = 0
        disk.now += 5
        with pytest.raises(DiskFull, match="quaero cleanup"):
            db.write_sync(create, queue_id, [JobSpec("t")])
        db.write_sync(create, queue_id, [JobSpec("t")], parent)
        db.write_sync(create, queue_id, [JobSpec("cleanup", lane=UPKEEP)])
        disk.free = 2 * LOW_WATER
        disk.now += 5
        db.write_sync(create, queue_id, [JobSpec("t")])


@pytest.mark.parametrize("again", [steer.rerun, steer.copy])
def test_below_the_mark_no_work_is_begun_again(disk, path, again):
    with SqliteDatabase.open(path, room=disk.room) as db:
        queue_id = db.write_sync(open_queue, "jobs")
        (work,) = db.write_sync(create, queue_id, [JobSpec("t")])
        (child,) = db.write_sync(create, queue_id, [JobSpec("t")], work)
        (cleanup,) = db.write_sync(create, queue_id, [JobSpec("cleanup", lane=UPKEEP)])
        disk.free = 0
        disk.now += 5
        with pytest.raises(DiskFull, match="quaero cleanup"):
            db.write_sync(again, work)
        db.write_sync(again, cleanup)
        db.write_sync(steer.rerun, child)
        disk.free = 2 * LOW_WATER
        disk.now += 5
        db.write_sync(again, work)


def test_pages_that_a_cleanup_freed_count_as_room(disk, path):
    with SqliteDatabase.open(path, room=disk.room) as db:
        db.write_sync(lambda tx: tx.execute("create table big(x)"))
        size = LOW_WATER // 8
        for _ in range(9):
            db.write_sync(lambda tx: tx.execute("insert into big values(zeroblob($1))", (size,)))
        disk.free = 0
        disk.now += 5
        assert not db.write_sync(lambda tx: tx.roomy)
        db.write_sync(lambda tx: tx.execute("delete from big"))
        disk.now += 5
        assert db.write_sync(lambda tx: tx.roomy)


def lengthen_log(db, path):
    """Commit while a reader keeps the log from being rewound; returns how long it became."""
    db.write_sync(lambda tx: tx.execute("create table item(x)"))
    reader = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    reader.execute("begin")
    reader.execute("select count(*) from item").fetchall()
    for _ in range(24):
        db.write_sync(lambda tx: tx.execute("insert into item values(zeroblob(1000000))"))
    reader.close()
    return path.with_name("q.db-wal").stat().st_size


def test_a_log_that_has_grown_is_given_back_when_room_is_short(disk, path):
    log = path.with_name("q.db-wal")
    with SqliteDatabase.open(path, room=disk.room) as db:
        long = lengthen_log(db, path)
        assert long > 2 * WAL_FILL
        disk.now += 5
        assert db.write_sync(lambda tx: tx.roomy)
        db.exclusively(lambda _: None)
        assert log.stat().st_size == long
        disk.free = 0
        disk.now += 5
        assert not db.write_sync(lambda tx: tx.roomy)
        db.exclusively(lambda _: None)
        assert log.stat().st_size == WAL_FILL
        db.write_sync(lambda tx: tx.execute("insert into item values(1)"))
        count = "select count(*) from item"
        assert db.read_sync(lambda tx: tx.execute(count)) == [(25,)]
        assert db.exclusively(damage) == []


def test_a_log_that_others_read_is_given_back_once_they_have_ended(disk, path):
    log = path.with_name("q.db-wal")
    with SqliteDatabase.open(path, room=disk.room) as db:
        long = lengthen_log(db, path)
        disk.free = 0
        reader = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        reader.execute("begin")
        reader.execute("select count(*) from item").fetchall()
        for _ in range(2):
            disk.now += 5
            db.write_sync(lambda tx: (tx.roomy, tx.execute("insert into item values(1)")))
        db.exclusively(lambda _: None)
        assert log.stat().st_size >= long
        reader.close()
        disk.now += 5
        db.write_sync(lambda tx: tx.roomy)
        db.exclusively(lambda _: None)
        assert log.stat().st_size == WAL_FILL


def test_a_checkpoint_that_a_long_reader_makes_vain_is_not_tried_at_each_commit(path, monkeypatch):
    """It costs by the length of the log, and waits where that is very long."""
    monkeypatch.setattr(logs.time, "monotonic", itertools.count(1_000).__next__)
    connection = open_writer(path)
    tune_writer(connection)
    wal = Wal(connection, Room(path))
    connection.execute("create table item(x)")
    reader = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    reader.execute("begin; select count(*) from item").fetchall()
    connection.execute("insert into item values(zeroblob(5000000))")
    assert wal.pages > PASSIVE_PAGES
    assert wal.wants_checkpoint()
    wal.checkpoint()
    assert wal.pages > PASSIVE_PAGES
    asked = [wal.wants_checkpoint() for _ in range(SHARE + 1)]
    assert asked == [False] * (SHARE - 1) + [True] * 2
    reader.close()
    wal.checkpoint()
    assert wal.pages == 0
    connection.close()


def test_a_write_that_finds_no_room_fails_alone_and_the_next_one_finds_the_room_made(tmp_path):
    """A limit on the size of files stands for the full disk."""
    program = """if 1:
        import resource, signal, sys
        from pathlib import Path
        from quaero.db import SqliteDatabase
        from quaero.errors import DiskFull
        db = SqliteDatabase.open(Path(sys.argv[1]))
        db.write_sync(lambda tx: tx.execute("create table item(n, x)"))
        put = lambda tx: tx.execute("insert into item values(1, zeroblob(100000))")
        resource.setrlimit(resource.RLIMIT_FSIZE, (9 << 20, 64 << 20))
        try:
            for n in range(1, 1000):
                db.write_sync(put)
        except DiskFull as error:
            print("full", n, error)
        resource.setrlimit(resource.RLIMIT_FSIZE, (64 << 20, 64 << 20))
        db.write_sync(put)
        ((count,),) = db.read_sync(lambda tx: tx.execute("select count(*) from item"))
        assert count == n, (count, n)
        db.close()
        print("recovered")
    """
    path = str(tmp_path / "q.db")
    done = subprocess.run(
        [sys.executable, "-c", program, path],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.startswith("full"), done.stderr
    assert done.stdout.endswith("recovered\n"), done.stderr
