"""Checking, copying, restoring and shrinking a SQLite database."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import apsw

from quaero.db import migrations
from quaero.db.sqlite.connection import keep_private, storage_errors
from quaero.errors import BadInput, Conflict, CorruptDatabase

Told = Callable[[int, int], None]
PAGES_AT_ONCE = 1_000
SHRINK_AT_ONCE = 200
_STEPS_BETWEEN_LOOKS = 100_000
_INCREMENTAL = 2

# Only what searches and lists of documents join: the plans of the queue and of jobs are the same
# however much there is, and statistics would change them.
ANALYZE = ("pragma analysis_limit = 1000", "analyze document", "analyze document_tag")


def damage(connection: apsw.Connection, what: str = "20") -> list[str]:
    """What SQLite's own check finds wrong with the file, or with one table; empty when sound."""
    try:
        rows = connection.execute(f"pragma integrity_check({what})").fetchall()
    except apsw.CorruptError as error:  # too damaged to be checked
        return [str(error)]
    return [str(row[0]) for row in rows if row[0] != "ok"]


def backup_to(source: Path, target: Path, told: Told = lambda _done, _total: None) -> int:
    """Copy a database that is in use to a new file, and check the copy; returns its bytes.

    The copy belongs to one moment. It gets its name only when it is complete and sound, and can be
    read by its owner alone. `told` hears how many pages of how many are copied, and goes on hearing
    while the copy is checked; what it raises ends the copy, and nothing is left of it. Raises
    `BadInput` where the target exists or cannot be made.
    """
    if target.exists():
        raise BadInput(f"{target} exists already; name another file")
    if not target.parent.is_dir():
        raise BadInput(f"the folder {target.parent} does not exist")
    partial = target.with_name(f".{target.name}.partial")
    _make(partial, target)
    with storage_errors(target):
        try:
            _copy(source, partial, told)
            partial.rename(target)
        finally:
            _drop(partial)
    return target.stat().st_size


def _make(partial: Path, target: Path) -> None:
    """An empty file for the copy, in place of what a copy that was killed left there."""
    try:
        _drop(partial)
        partial.touch(mode=0o600)
    except OSError as error:
        raise BadInput(
            f"{target} cannot be made: {error.strerror or error}; name another place"
        ) from error


def _drop(copy: Path) -> None:
    """Delete a copy that is not complete, with its journal."""
    for path in (copy, copy.with_name(f"{copy.name}-journal")):
        path.unlink(missing_ok=True)


def _copy(source: Path, target: Path, told: Told) -> None:
    reading = apsw.Connection(str(source), flags=apsw.SQLITE_OPEN_READONLY)
    writing = apsw.Connection(str(target))

    def still_checking() -> bool:
        told(total, total)
        return False

    try:
        reading.execute("begin")  # one snapshot, however long the copy takes
        reading.execute("select count(*) from sqlite_schema").fetchall()
        with writing.backup("main", reading, "main") as copying:
            while not copying.done:
                copying.step(PAGES_AT_ONCE)
                total = copying.page_count
                told(total - copying.remaining, total)
        writing.pragma("journal_mode", "delete")
        writing.set_progress_handler(still_checking, _STEPS_BETWEEN_LOOKS)
        if found := damage(writing):
            raise CorruptDatabase(f"the copy of {source} is damaged: {found[0]}")
        told(total, total)
    finally:
        writing.close()
        reading.close()


class Room(NamedTuple):
    """How much of a file holds nothing, and whether it can be given back without a new file."""

    page_size: int
    free_pages: int
    can_shrink: bool


def room(connection: apsw.Connection) -> Room:
    """What could be given back."""
    return Room(
        int(connection.pragma("page_size")),
        int(connection.pragma("freelist_count")),
        connection.pragma("auto_vacuum") == _INCREMENTAL,
    )


def shrink(connection: apsw.Connection) -> int:
    """Give a few free pages back to the file system; returns how many are left."""
    connection.execute(f"pragma incremental_vacuum({SHRINK_AT_ONCE})").fetchall()
    return int(connection.pragma("freelist_count"))


def checkpoint(connection: apsw.Connection) -> int:
    """Bring what the log holds into the file, as far as readers allow; returns the pages."""
    return connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)[1]


def tables(connection: apsw.Connection) -> list[str]:
    """The tables of a database, by name."""
    rows = connection.execute(
        """
        select name from sqlite_schema where type = 'table' and rootpage > 0
           and sql not like 'create virtual%' order by name
        """
    )
    return [str(row[0]) for row in rows]


def damage_of(table: str, connection: apsw.Connection) -> list[str]:
    """What is wrong with one table and its indexes."""
    quoted = table.replace('"', '""')
    return damage(connection, f'"{quoted}"')


def restore_from(source: Path, target: Path, aside: Path) -> int:
    """Put a backup in the place of a database that nobody uses; returns its bytes.

    What was there is copied to `aside` first. The change is one transaction: after a crash the
    file holds the one or the other, whole. Raises `BadInput` for what is no database of ours or is
    damaged, `Conflict` while a process has the target open.
    """
    if aside.exists():
        raise BadInput(f"{aside} exists already; move it away")
    _refuse_as_backup(source)
    if target.exists() and source.samefile(target):
        raise BadInput(f"{source} is the database itself; name a backup of it")
    with storage_errors(target):
        writing, last = _ready_for_restore(target, aside)
        try:
            reading = _reading(source)
            try:
                with writing.backup("main", reading, "main") as copying:
                    copying.step(-1)
            finally:
                reading.close()
            _never_again(writing, last)
            writing.execute("pragma wal_checkpoint(truncate)").fetchall()
        finally:
            writing.close()
    return target.stat().st_size


def _ready_for_restore(target: Path, aside: Path) -> tuple[apsw.Connection, int]:
    """The target, open for this process alone and kept aside, and the last number of its feed.

    One that is too damaged to be copied is moved aside as it is, with its log.
    """
    there = target.exists() and target.stat().st_size > 0
    writing = _writing(target)
    try:
        last = _alone(writing, target)
        if there:
            _copy_whole(writing, aside)
        return writing, last
    except (apsw.NotADBError, apsw.CorruptError):
        writing.close()
        aside.unlink(missing_ok=True)
        for ending in ("", "-wal", "-shm"):
            damaged = target.with_name(target.name + ending)
            if damaged.exists():
                damaged.rename(aside.with_name(aside.name + ending))
        return _writing(target), 0
    except BaseException:
        writing.close()
        raise


def _refuse_as_backup(source: Path) -> None:
    if not source.is_file():
        raise BadInput(f"{source} is no file")
    with storage_errors(source):
        reading = _reading(source)
        try:
            migrations.refuse_strangers(reading, migrations.newest())
            if not migrations.version(reading):
                raise BadInput(f"{source} is no database of Quaero")
            migrations.refuse_other_tables(reading)
            if found := damage(reading):
                raise CorruptDatabase(f"{source} is damaged and was not restored: {found[0]}")
        finally:
            reading.close()


def _alone(connection: apsw.Connection, path: Path) -> int:
    """Take the file for this process alone; returns the last number of its feed."""
    try:
        connection.pragma("locking_mode", "exclusive")
        connection.execute("begin immediate; commit")
        rows = connection.execute(
            "select 1 from sqlite_schema where name = 'sqlite_sequence'"
        ).fetchall()
        if not rows:
            return 0
        found = connection.execute("select seq from sqlite_sequence where name = 'event'")
        return max((int(seq) for (seq,) in found), default=0)
    except apsw.BusyError as error:
        raise Conflict(
            f"{path} is in use; stop `quaero serve` and `quaero work`, then restore"
        ) from error


def _never_again(connection: apsw.Connection, last: int) -> None:
    """Let the feed go on with numbers that nobody saw, so that no client takes old for new."""
    connection.execute(
        """
        insert into sqlite_sequence(name, seq) select 'event', 0
         where not exists (select 1 from sqlite_sequence where name = 'event');
        update sqlite_sequence set seq = max(seq, ?) where name = 'event'
        """,
        (last + 1_000,),
    )


def _copy_whole(source: apsw.Connection, target: Path) -> None:
    if target.exists():
        raise BadInput(f"{target} exists already; move it away")
    target.touch(mode=0o600)
    writing = apsw.Connection(str(target))
    try:
        with writing.backup("main", source, "main") as copying:
            copying.step(-1)
        writing.pragma("journal_mode", "delete")
    except BaseException:  # no room for it, say: half of a database is of use to nobody
        writing.close()
        _drop(target)
        raise
    writing.close()


def _writing(path: Path) -> apsw.Connection:
    keep_private(path)
    return apsw.Connection(str(path))


def _reading(path: Path) -> apsw.Connection:
    return apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
