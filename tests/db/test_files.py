"""What opening does with files: new, old, newer, foreign, damaged, or far down in the folders."""

import asyncio
import contextlib
import hashlib
import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from quaero.db import SqliteDatabase, migrations
from quaero.db.sqlite.connection import open_writer, tune_writer
from quaero.db.sqlite.upkeep import backup_to, damage
from quaero.db.sqlite.wal import WAL_FILL
from quaero.errors import BadInput, CorruptDatabase, DiskFull, NewerDatabase, StorageError
from quaero.jobs.check import faults
from quaero.queue import Queue


@pytest.fixture
def path(tmp_path: Path):
    return tmp_path / "q.db"


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def schema(connection):
    return sorted(
        connection.execute("select type, name, tbl_name, sql from sqlite_schema").fetchall(),
        key=str,
    )


def made(path):
    SqliteDatabase.open(path).close()
    return path


# -- new files


def test_a_new_database_is_made_with_its_folders_for_this_user_only(tmp_path):
    path = tmp_path / "deep" / "er" / "q.db"
    with SqliteDatabase.open(path) as db:
        assert db.read_sync(faults) == []
        assert db.exclusively(damage) == []
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_new_database_in_an_open_folder_is_its_owners_alone(tmp_path):
    tmp_path.chmod(0o755)
    with SqliteDatabase.open(tmp_path / "q.db") as db:
        db.read_sync(faults)
        modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in tmp_path.glob("q.db*")}
    assert {name for name, mode in modes.items() if mode & 0o077} == set()
    assert {"q.db", "q.db-wal", "q.db-shm"} <= modes.keys()


def test_commits_are_fully_synced_and_the_log_has_its_size(path):
    with SqliteDatabase.open(path) as db:
        pragma = db.exclusively(lambda c: [c.pragma("journal_mode"), c.pragma("synchronous")])
        assert pragma == ["wal", 2]
        assert path.with_name("q.db-wal").stat().st_size >= WAL_FILL


# -- migrations


@pytest.mark.parametrize("start", range(migrations.newest()))
def test_a_database_of_every_earlier_version_becomes_what_a_new_one_is(tmp_path, start):
    old, new = tmp_path / "old.db", tmp_path / "new.db"
    connection = open_writer(old)
    tune_writer(connection)
    if start:
        assert migrations.migrate(connection, to=start) == start
    connection.close()
    with SqliteDatabase.open(old) as migrated, SqliteDatabase.open(new) as fresh:
        assert migrated.exclusively(schema) == fresh.exclusively(schema)
        assert migrated.exclusively(migrations.version) == migrations.newest()
        rows = "select name, last from sequence order by name"
        assert migrated.read_sync(lambda tx: tx.execute(rows)) == fresh.read_sync(
            lambda tx: tx.execute(rows)
        )
        assert migrated.exclusively(damage) == []


def test_a_migration_that_breaks_off_leaves_the_old_schema(path, monkeypatch):
    connection = open_writer(path)
    tune_writer(connection)
    migrations.migrate(connection, to=1)
    before = schema(connection)
    broken = (*migrations.scripts()[:1], (2, "create table half(x); create table bro ken;"))
    monkeypatch.setattr(migrations, "scripts", lambda: broken)
    with pytest.raises(apsw.SQLError):
        migrations.migrate(connection)
    assert schema(connection) == before
    assert migrations.version(connection) == 1
    connection.close()


def test_an_old_database_is_left_alone_where_no_upgrade_is_wanted(path):
    connection = open_writer(path)
    tune_writer(connection)
    migrations.migrate(connection, to=1)
    connection.close()
    with pytest.raises(StorageError, match="quaero db migrate"):
        SqliteDatabase.open(path, upgrade=False)
    SqliteDatabase.open(path).close()
    SqliteDatabase.open(path, upgrade=False).close()


SCRIPTS = {
    1: "6b44f9dee9bba30d", 2: "871a9c605505c023", 3: "1cea5e4acd22c6be", 4: "9451cabda1f441f7",
    5: "178c99f205ef8976", 6: "bb26d093593cb5c6", 7: "dea2bb7855377aab", 8: "6ab7732662f25bbf",
    9: "3f6416cb279093b0", 10: "44869037c4cdb6ec", 11: "59c6e6e83cca35a4", 12: "ed0abb405d2f7655",
    13: "d4a80e116b448121", 14: "3dd4ccb4a11a2d1b", 15: "362cb46ecac3196d", 16: "a40d7a0f835e156a",
    17: "5606d1c2ce45f85b", 18: "d5784091e787b511", 19: "a596995a100f9153", 20: "fa6fe24bb5670a3c",
    21: "ec85c02467cc7b87", 22: "ad9f3d88f6c8804d",
}  # fmt: skip
"""The beginnings of the SHA-256 of the migrations; a new one is added, none is ever exchanged."""


def test_a_migration_is_never_changed_once_databases_were_made_with_it():
    found = {n: hashlib.sha256(sql.encode()).hexdigest()[:16] for n, sql in migrations.scripts()}
    assert found == SCRIPTS


def test_what_the_first_databases_lack_is_made_up(path):
    connection = open_writer(path)
    tune_writer(connection)
    migrations.migrate(connection, to=4)
    connection.execute(
        """
        drop index message_delayed; drop index message_scheduled; drop index message_laned;
        drop index idempotency_job; drop index idempotency_age;
        create index message_due on message(queue_id, state, due) where state in (1, 4)
        """
    )
    connection.close()
    with SqliteDatabase.open(path) as db, SqliteDatabase.open(path.with_name("new.db")) as fresh:
        assert db.exclusively(schema) == fresh.exclusively(schema)


@pytest.mark.parametrize(
    "change",
    [
        "drop table credential",
        "alter table crawl add column another text",
        "alter table document rename column title to headline",
    ],
)
def test_a_database_of_a_program_between_two_versions_is_refused_and_not_changed(path, change):
    connection = open_writer(path)
    tune_writer(connection)
    migrations.migrate(connection, to=8)
    connection.execute(change)
    before = schema(connection)
    with pytest.raises(StorageError, match=r"schema 8, but its table .* Nothing was changed"):
        SqliteDatabase.open(path)
    assert schema(connection) == before
    assert migrations.version(connection) == 8
    connection.close()


def test_tables_of_others_do_not_keep_a_database_from_being_upgraded(path):
    connection = open_writer(path)
    tune_writer(connection)
    migrations.migrate(connection, to=8)
    connection.execute("create table done(job_id integer, pid integer)")
    connection.close()
    with SqliteDatabase.open(path) as db:
        assert db.exclusively(migrations.version) == migrations.newest()


def test_a_newer_database_is_refused_and_not_changed(path):
    made(path)
    connection = apsw.Connection(str(path))
    connection.pragma("user_version", migrations.newest() + 1)
    connection.pragma("journal_mode", "delete")
    connection.close()
    before = digest(path)
    with pytest.raises(NewerDatabase, match=f"schema {migrations.newest() + 1}.*Upgrade"):
        SqliteDatabase.open(path)
    assert digest(path) == before


# -- files that are not ours, or no more what they were


def foreign_sqlite(path):
    connection = sqlite3.connect(path)
    connection.execute("create table theirs(x)")
    connection.commit()
    connection.close()


def foreign_with_id(path):
    foreign_sqlite(path)
    connection = sqlite3.connect(path)
    connection.execute("pragma application_id = 77")
    connection.close()


def text(path):
    path.write_text("These are my notes, and no database.\n" * 300)


def short_text(path):
    path.write_text("hello")


def damaged_head(path):
    made(path)
    with path.open("r+b") as file:
        file.write(b"\0" * 64)


@pytest.mark.parametrize("make", [foreign_sqlite, foreign_with_id, text, short_text, damaged_head])
def test_what_is_not_ours_is_refused_and_left_as_it_is(path, make):
    make(path)
    before = digest(path)
    with pytest.raises(CorruptDatabase, match=str(path)):
        SqliteDatabase.open(path)
    assert digest(path) == before


@pytest.mark.parametrize("left", ["gone", "empty"])
def test_a_log_without_its_database_is_never_taken_for_a_new_one(path, tmp_path, left):
    wal = path.with_name("q.db-wal")
    with SqliteDatabase.open(tmp_path / "other.db"):
        wal.write_bytes((tmp_path / "other.db-wal").read_bytes())
    before = digest(wal)
    if left == "empty":
        path.touch()
    with pytest.raises(CorruptDatabase, match="gone or empty"):
        SqliteDatabase.open(path)
    assert digest(wal) == before


def test_a_file_that_was_emptied_is_never_taken_for_a_new_one(path):
    made(path)
    path.write_bytes(b"")
    with pytest.raises(CorruptDatabase, match=r"is empty, but .*-reserve says that it was not"):
        SqliteDatabase.open(path)
    assert path.stat().st_size == 0
    path.unlink()
    with SqliteDatabase.open(path) as db:  # removed to begin anew
        assert db.read_sync(faults) == []


def crashed(path, copy):
    """A copy of a database whose log is not in the file yet, as after a kill."""
    with SqliteDatabase.open(made(path)) as db:
        db.write_sync(lambda tx: tx.execute("create table later(x)"))
        for ending in ("", "-wal"):
            copy.with_name(copy.name + ending).write_bytes(
                path.with_name(path.name + ending).read_bytes()
            )
    return [copy, copy.with_name(copy.name + "-wal")]


def test_a_newer_database_that_was_killed_keeps_its_log(path, tmp_path, monkeypatch):
    files = crashed(path, tmp_path / "copy.db")
    before = [digest(each) for each in files]
    monkeypatch.setattr(migrations, "newest", lambda: 1)
    with pytest.raises(NewerDatabase):
        SqliteDatabase.open(files[0])
    assert [digest(each) for each in files] == before
    monkeypatch.undo()
    with SqliteDatabase.open(files[0]) as db:
        assert db.read_sync(lambda tx: tx.execute("select count(*) from later")) == [(0,)]


def test_a_damaged_database_that_was_killed_keeps_its_log(path, tmp_path):
    files = crashed(path, tmp_path / "copy.db")
    os.truncate(files[0], 5_000)
    before = [digest(each) for each in files]
    with pytest.raises(CorruptDatabase, match="nothing was changed"):
        SqliteDatabase.open(files[0])
    assert [digest(each) for each in files] == before


def test_damage_inside_is_found_and_named(path):
    made(path)
    size = path.stat().st_size
    with path.open("r+b") as file:
        for page in range(1, size // 4096, 2):
            file.seek(page * 4096)
            file.write(os.urandom(4096))
    with contextlib.closing(apsw.Connection(str(path))) as connection:
        assert damage(connection) != []
    with pytest.raises(CorruptDatabase, match=str(path)), SqliteDatabase.open(path) as db:
        db.read_sync(faults)


async def test_a_text_that_is_none_any_more_is_damage(path):
    with SqliteDatabase.open(path) as db:
        await db.write(lambda tx: tx.execute("create table note(text text)"))
        await db.write(lambda tx: tx.execute("insert into note values(cast(x'61ff62' as text))"))

        def look(tx):
            return tx.execute("select text from note")

        for reading in (db.read(look), asyncio.to_thread(db.read_sync, look),
                        asyncio.to_thread(db.read_long, look)):  # fmt: skip
            with pytest.raises(CorruptDatabase, match=r"q\.db is damaged \(a text is not UTF-8"):
                await reading


def test_a_file_cut_short_is_found_and_named(path):
    made(path)
    with path.open("r+b") as file:
        file.truncate(3 * 4096)
    with pytest.raises(CorruptDatabase, match=str(path)):
        SqliteDatabase.open(path)


def test_a_folder_in_place_of_the_file_is_an_error_in_words(path):
    path.mkdir()
    with pytest.raises(StorageError, match=str(path)):
        SqliteDatabase.open(path)


@pytest.mark.parametrize("name", ["q.db-turn", "q.db-hold"])
def test_a_file_beside_it_that_cannot_be_opened_is_an_error_in_words(path, name):
    path.with_name(name).mkdir()
    with pytest.raises(StorageError, match=f"{path} cannot be opened: .*{name}: .*may write to"):
        SqliteDatabase.open(path)


def test_a_folder_that_cannot_be_made_is_an_error_in_words(path):
    path.touch()
    with pytest.raises(StorageError, match=r"cannot be opened: .*may write to"):
        SqliteDatabase.open(path / "below" / "q.db")


def test_a_second_opening_in_one_process_takes_no_locks_away(path):
    """Closing any descriptor of a file drops all locks that the process holds on it."""
    script = (
        "import sys; from pathlib import Path; from quaero.db import SqliteDatabase;"
        "SqliteDatabase.open(Path(sys.argv[1])).close()"
    )
    with SqliteDatabase.open(path) as first:
        first.write_sync(lambda tx: tx.execute("create table item(n)"))
        SqliteDatabase.open(path).close()
        shared = path.with_name("q.db-shm").stat().st_ino
        subprocess.run([sys.executable, "-c", script, str(path)], check=True)
        assert path.with_name("q.db-shm").stat().st_ino == shared
        first.write_sync(lambda tx: tx.execute("insert into item values(1)"))
        with SqliteDatabase.open(path) as other:
            assert other.read_sync(lambda tx: tx.execute("select n from item")) == [(1,)]


# -- copies


def test_a_backup_belongs_to_one_moment_and_is_sound(path, tmp_path):
    with SqliteDatabase.open(path) as db:
        db.write_sync(lambda tx: tx.execute("create table item(n)"))
        db.write_sync(lambda tx: tx.execute("insert into item values(1)"))
        target = tmp_path / "copy.db"
        assert backup_to(path, target) == target.stat().st_size
        db.write_sync(lambda tx: tx.execute("insert into item values(2)"))
    with SqliteDatabase.open(target) as copy:
        assert copy.read_sync(lambda tx: tx.execute("select n from item")) == [(1,)]
        assert copy.exclusively(damage) == []


def test_a_backup_overwrites_nothing(path, tmp_path):
    made(path)
    target = tmp_path / "mine.txt"
    target.write_text("mine")
    with pytest.raises(BadInput, match="exists already"):
        backup_to(path, target)
    assert target.read_text() == "mine"
    with pytest.raises(BadInput, match="does not exist"):
        backup_to(path, tmp_path / "nowhere" / "copy.db")
    with pytest.raises(BadInput, match=r"cannot be made: .*name another place"):
        backup_to(path, tmp_path / f"{'x' * 250}.db")


def test_a_full_disk_has_its_own_error(path):
    with SqliteDatabase.open(path) as db:
        db.write_sync(lambda tx: tx.execute("create table item(n)"))
        db.exclusively(lambda c: c.pragma("max_page_count", c.pragma("page_count")))
        with pytest.raises(DiskFull, match="free some space"):
            db.write_sync(lambda tx: tx.execute("insert into item values(zeroblob(100000))"))
        assert db.read_sync(lambda tx: tx.execute("select count(*) from item")) == [(0,)]


def test_nothing_is_acknowledged_once_the_file_is_gone_and_all_goes_on_when_it_is_back(tmp_path):
    path, aside = tmp_path / "q.db", tmp_path / "aside.db"
    with SqliteDatabase.open(path) as db:
        db.write_sync(lambda tx: tx.execute("create table kept(n)"))
        path.rename(aside)
        with pytest.raises(StorageError, match="moved, replaced or deleted"):
            db.write_sync(lambda tx: tx.execute("insert into kept values(1)"))
        aside.rename(path)
        db.write_sync(lambda tx: tx.execute("insert into kept values(2)"))
        assert db.read_sync(lambda tx: tx.execute("select n from kept")) == [(2,)]


def test_a_file_of_one_name_is_one_database_whatever_leads_to_it(tmp_path, monkeypatch):
    (tmp_path / "link.db").symlink_to("real.db")
    monkeypatch.chdir(tmp_path)
    with SqliteDatabase.open("link.db") as linked, SqliteDatabase.open("real.db") as real:
        queue = Queue.open(linked, "mail")
        monkeypatch.chdir("/")
        linked.write_sync(queue.send)
        assert real.read_sync(queue.stats).ready == linked.read_sync(queue.stats).ready == 1
        assert linked.path == real.path == tmp_path / "real.db"
    assert not list(tmp_path.glob("link.db-*"))


@pytest.mark.parametrize(
    "path", ["", ":memory:", "file:q.db?mode=ro", "a\0b", "\ud800.db", b"q.db", None, 5]
)
def test_what_names_no_file_is_no_database(path):
    with pytest.raises(BadInput):
        SqliteDatabase.open(path)
