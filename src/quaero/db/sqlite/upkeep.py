"""Checking and copying a SQLite database."""

from __future__ import annotations

from pathlib import Path

import apsw

from quaero.db.sqlite.connection import storage_errors
from quaero.errors import BadInput, CorruptDatabase

PAGES_AT_ONCE = 1_000


def damage(connection: apsw.Connection) -> list[str]:
    """What SQLite's own check finds wrong with the file; empty when it is sound."""
    try:
        rows = connection.execute("pragma integrity_check(20)").fetchall()
    except apsw.CorruptError as error:  # too damaged to be checked
        return [str(error)]
    return [str(row[0]) for row in rows if row[0] != "ok"]


def backup_to(source: Path, target: Path) -> int:
    """Copy a database that is in use to a new file, and check the copy; returns its bytes.

    The copy belongs to one moment. It gets its name only when it is complete and sound. Raises
    `BadInput` where the target exists or cannot be made.
    """
    if target.exists():
        raise BadInput(f"{target} exists already; name another file")
    if not target.parent.is_dir():
        raise BadInput(f"the folder {target.parent} does not exist")
    partial = target.with_name(f".{target.name}.partial")
    partial.unlink(missing_ok=True)
    with storage_errors(target):
        try:
            _copy(source, partial)
            partial.rename(target)
        finally:
            partial.unlink(missing_ok=True)
    return target.stat().st_size


def _copy(source: Path, target: Path) -> None:
    reading = apsw.Connection(str(source), flags=apsw.SQLITE_OPEN_READONLY)
    writing = apsw.Connection(str(target))
    try:
        reading.execute("begin")  # one snapshot, however long the copy takes
        reading.execute("select count(*) from sqlite_schema").fetchall()
        with writing.backup("main", reading, "main") as copying:
            while not copying.done:
                copying.step(PAGES_AT_ONCE)
        writing.pragma("journal_mode", "delete")
        if found := damage(writing):
            raise CorruptDatabase(f"the copy of {source} is damaged: {found[0]}")
    finally:
        writing.close()
        reading.close()
