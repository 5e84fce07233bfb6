"""Numbered SQL files that bring a database to this program's schema.

`sqlite/0001_queue.sql` and so on; the number of the last one applied is kept in `user_version`.
All that are missing are applied in one transaction under the write lock, so that a crash leaves
the old schema or the new one. A database of a later program is refused, never changed, and so is
one whose tables are not those of its number: a program between two versions has made it.
"""

from __future__ import annotations

import functools
from importlib import resources
from typing import Any

import apsw

from quaero.errors import CorruptDatabase, NewerDatabase, StorageError

APPLICATION_ID = 0x51756165  # "Quae"


@functools.cache
def scripts() -> tuple[tuple[int, str], ...]:
    """The migrations in order: number and SQL."""
    folder = resources.files(__name__) / "sqlite"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return tuple((int(name[:4]), (folder / name).read_text("utf-8")) for name in names)


def newest() -> int:
    """The schema number this program works with."""
    return scripts()[-1][0]


def version(connection: apsw.Connection) -> int:
    """The schema number of an open database; 0 for a new file."""
    found: Any = connection.pragma("user_version")
    return int(found)


def migrate(connection: apsw.Connection, *, upgrade: bool = True, to: int | None = None) -> int:
    """Apply what is missing, up to number `to`; returns how many were applied.

    Raises `NewerDatabase` for a later schema, `CorruptDatabase` for another program's file, and
    `StorageError` where `upgrade` is false and the schema is older, or not the one of its number.
    """
    goal = newest() if to is None else to
    refuse_strangers(connection, goal)
    if version(connection) >= goal:
        return 0
    if not upgrade and version(connection):
        raise StorageError(
            f"the database has schema {version(connection)}, this program needs {goal}; "
            "run `quaero db migrate`"
        )
    connection.execute("begin immediate")
    try:
        has = version(connection)
        refuse_other_tables(connection)
        missing = [(n, sql) for n, sql in scripts() if has < n <= goal]
        for number, sql in missing:
            connection.execute(sql)
            connection.pragma("user_version", number)
        connection.pragma("application_id", APPLICATION_ID)
        connection.execute("commit")
    except BaseException:
        if connection.in_transaction:
            connection.execute("rollback")
        raise
    return len(missing)


def refuse_strangers(connection: apsw.Connection, goal: int) -> None:
    """Raise `NewerDatabase` or `CorruptDatabase` for a file that is not ours to change."""
    has: int = version(connection)
    owner: Any = connection.pragma("application_id")
    if owner not in (0, APPLICATION_ID) or (owner == 0 and has == 0 and _tables(connection)):
        raise CorruptDatabase(
            f"{connection.filename} belongs to another program; name another file"
        )
    if has > goal:
        raise NewerDatabase(
            f"{connection.filename} has schema {has}, this program knows {goal}: it was written by "
            "a later Quaero. Upgrade the program; the file was not changed."
        )


def refuse_other_tables(connection: apsw.Connection) -> None:
    """Raise `StorageError` where a table of the schema is missing or has other columns."""
    has = version(connection)
    model = apsw.Connection(":memory:")
    try:
        for number, sql in scripts():
            if number <= has:
                model.execute(sql)
        found, wanted = _columns(connection), _columns(model)
    finally:
        model.close()
    other = sorted(name for name in wanted if found.get(name) != wanted[name])
    if other:
        raise StorageError(
            f"{connection.filename} says that it has schema {has}, but its table {other[0]} is not "
            "the one of that schema: a program between two versions has made it. Nothing was "
            "changed; use it with that program, or restore a backup of another one."
        )


def _columns(connection: apsw.Connection) -> dict[str, set[str]]:
    """The names of the columns of each table."""
    found: dict[str, set[str]] = {}
    for table, column in connection.execute(
        """
        select t.name, c.name from sqlite_schema t, pragma_table_info(t.name) c
         where t.type = 'table' and t.rootpage > 0
        """
    ):
        found.setdefault(str(table), set()).add(str(column))
    return found


def _tables(connection: apsw.Connection) -> int:
    count: Any = connection.execute("select count(*) from sqlite_schema").get
    return int(count)
