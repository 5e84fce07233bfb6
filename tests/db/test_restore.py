"""Restoring a backup: whole or not at all, never under somebody's feet, never without a way back."""

import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from quaero.db import SqliteDatabase, migrations
from quaero.db.sqlite.upkeep import backup_to, restore_from
from quaero.errors import BadInput, Conflict, CorruptDatabase, NewerDatabase, StorageError
from quaero.jobs.check import faults
from quaero.queue.queue import open_queue


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """A database with one queue, its backup, and then another queue."""
    path = tmp_path / "q.db"
    with SqliteDatabase.open(path) as db:
        db.write_sync(open_queue, "before")
        backup_to(path, tmp_path / "b.db")
        db.write_sync(open_queue, "after")
    return path


def names(path: Path) -> list[str]:
    with SqliteDatabase.open(path) as db:
        rows = db.read_sync(lambda tx: tx.execute("select name from queue order by name"))
    return [str(name) for (name,) in rows]


def test_a_restored_database_is_that_of_the_backup_and_the_old_one_is_kept(
    there: Path, tmp_path: Path
) -> None:
    restore_from(tmp_path / "b.db", there, tmp_path / "old.db")
    assert names(there) == ["before"]
    assert names(tmp_path / "old.db") == ["after", "before"]


WITHOUT_ROOM = """
import resource, sys
from pathlib import Path
from quaero.db.sqlite.upkeep import restore_from
from quaero.errors import StorageError
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    restore_from(*map(Path, sys.argv[1:]))
except StorageError as error:
    print(error)
"""


def test_without_room_nothing_is_restored_and_no_half_copy_is_left(
    there: Path, tmp_path: Path
) -> None:
    files = [tmp_path / "b.db", there, tmp_path / "old.db"]
    command = [sys.executable, "-c", WITHOUT_ROOM, *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "q.db could not be read or written" in done.stdout
    assert not list(tmp_path.glob("old.db*"))
    assert names(there) == ["after", "before"]


def test_nothing_is_left_of_a_backup_that_ended_early(there: Path, tmp_path: Path) -> None:
    """A disk that is full keeps SQLite from deleting the journal of the copy."""
    before = set(tmp_path.iterdir())
    journal = tmp_path / ".c.db.partial-journal"

    def told(*_: int) -> None:
        journal.write_bytes(bytes(1024))
        raise StorageError("the disk is full")

    with pytest.raises(StorageError, match="full"):
        backup_to(there, tmp_path / "c.db", told)
    assert {each.name for each in set(tmp_path.iterdir()) - before} <= {"q.db-shm", "q.db-wal"}


def test_a_backup_can_be_restored_where_there_is_nothing(tmp_path: Path, there: Path) -> None:
    restore_from(tmp_path / "b.db", tmp_path / "new.db", tmp_path / "old.db")
    assert (tmp_path / "new.db").stat().st_mode & 0o777 == 0o600
    assert names(tmp_path / "new.db") == ["before"]
    assert not (tmp_path / "old.db").exists()


def test_a_backup_of_an_earlier_version_is_restored_and_brought_up_to_date(
    there: Path, tmp_path: Path
) -> None:
    earlier = apsw.Connection(str(tmp_path / "earlier.db"))
    migrations.migrate(earlier, to=migrations.newest() - 3)
    earlier.execute("insert into queue(name) values('of long ago')")
    earlier.close()
    restore_from(tmp_path / "earlier.db", there, tmp_path / "old.db")
    assert names(there) == ["of long ago"]
    with SqliteDatabase.open(there) as db:
        assert db.exclusively(migrations.version) == migrations.newest()
        assert db.read_sync(faults) == []


def test_a_database_is_not_restored_from_itself(there: Path, tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(there)
    for source in (there, tmp_path / "link.db"):
        with pytest.raises(BadInput, match="is the database itself"):
            restore_from(source, there, tmp_path / "old.db")
    assert not (tmp_path / "old.db").exists()


def test_a_database_that_is_in_use_is_not_touched(there: Path, tmp_path: Path) -> None:
    with SqliteDatabase.open(there), pytest.raises(Conflict, match="is in use"):
        restore_from(tmp_path / "b.db", there, tmp_path / "old.db")
    assert names(there) == ["after", "before"]


def test_nor_one_that_another_process_uses(there: Path, tmp_path: Path) -> None:
    program = (
        "import sys, pathlib\nfrom quaero.db import SqliteDatabase\n"
        "with SqliteDatabase.open(pathlib.Path(sys.argv[1])) as db:\n"
        "    print('open', flush=True)\n    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(there)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as other:  # fmt: skip
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == "open\n"
        with pytest.raises(Conflict, match="is in use"):
            restore_from(tmp_path / "b.db", there, tmp_path / "old.db")
        other.stdin.close()
        other.wait()
    restore_from(tmp_path / "b.db", there, tmp_path / "old.db")
    assert names(there) == ["before"]


def test_a_damaged_database_is_moved_aside_as_it_is(there: Path, tmp_path: Path) -> None:
    there.write_bytes(b"nothing of a database" * 1_000)
    restore_from(tmp_path / "b.db", there, tmp_path / "old.db")
    assert names(there) == ["before"]
    assert (tmp_path / "old.db").read_bytes().startswith(b"nothing of")


@pytest.mark.parametrize("damaged", [False, True])
def test_a_file_that_stands_where_the_old_one_would_be_kept_is_never_lost(
    there: Path, tmp_path: Path, damaged: bool
) -> None:
    (tmp_path / "old.db").write_text("mine")
    if damaged:
        there.write_bytes(b"nothing of a database" * 1_000)
    before = there.read_bytes()
    with pytest.raises(BadInput, match="exists already"):
        restore_from(tmp_path / "b.db", there, tmp_path / "old.db")
    assert (tmp_path / "old.db").read_text() == "mine"
    assert there.read_bytes() == before


def test_what_is_no_sound_backup_of_ours_changes_nothing(there: Path, tmp_path: Path) -> None:
    strange, newer, broken = (tmp_path / name for name in ("s.db", "n.db", "x.db"))
    with apsw.Connection(str(strange)) as other:
        other.execute("create table t(a)")
    with apsw.Connection(str(newer)) as other:
        backup = (tmp_path / "b.db").read_bytes()
        newer.write_bytes(backup)
        other.pragma("user_version", 9_999)
    broken.write_bytes(backup[:8_192] + b"\xff" * (len(backup) - 8_192))
    cases = [
        (tmp_path / "none.db", BadInput), (strange, CorruptDatabase), (newer, NewerDatabase),
        (broken, CorruptDatabase),
    ]  # fmt: skip
    for source, error in cases:
        with pytest.raises(error):
            restore_from(source, there, tmp_path / "old.db")
    assert names(there) == ["after", "before"]
    assert not (tmp_path / "old.db").exists()


def test_the_feed_goes_on_with_numbers_nobody_saw(there: Path, tmp_path: Path) -> None:
    with SqliteDatabase.open(there) as db:
        db.write_sync(
            lambda tx: tx.execute(
                "insert into event(seq, at, root_id, kind, data) values(5000, 0, 1, 'job', '[]')"
            )
        )
    restore_from(tmp_path / "b.db", there, tmp_path / "old.db")
    with SqliteDatabase.open(there) as db:
        rows = db.write_sync(
            lambda tx: tx.execute(
                "insert into event(at, root_id, kind, data) values(0, 1, 'job', '[]') returning seq"
            )
        )
    assert rows[0][0] > 5_000
