"""What happened to a job, in its own words and the system's.

What the system does to a job is logged in the transaction that does it. Entries of one function
are written together at its end; the counts by level are kept with them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple

import msgspec

from quaero.db.contract import ReadTx, Row, Tx

_KEY = "jobs.logs"
TOPIC = "logs"
PAGE = 1_000
LARGEST_PAGE = 10_000
LONGEST_MESSAGE = 1_000_000


class Level(IntEnum):
    """How grave an entry is."""

    DEBUG = 0
    INFO = 1
    WARN = 2
    ERROR = 3


class Entry(NamedTuple):
    """An entry to write; `fields` is JSON text or None, `at` a wall time in microseconds."""

    job_id: int
    root_id: int
    attempt: int
    at: int
    level: int
    message: str
    fields: str | None = None


def write(tx: Tx, entries: Iterable[Entry]) -> None:
    """Write entries with this transaction."""
    pending: list[Entry] | None = tx.scratch.get(_KEY)
    if pending is None:
        pending = tx.scratch[_KEY] = []
        tx.at_end(_KEY, _flush, rank=3)
    pending.extend(entries)


def write_late(tx: Tx, entries: Sequence[Entry]) -> None:
    """Write entries of runs that somebody may have ended, and deleted, meanwhile."""
    rows = tx.execute(
        "select id from job where id in ints($1)",
        (msgspec.json.encode(list({entry.job_id for entry in entries})).decode(),),
    )
    kept = {row[0] for row in rows}
    write(tx, [entry for entry in entries if entry.job_id in kept])


def say(tx: Tx, job: Any, level: Level, message: str, fields: dict[str, Any] | None = None) -> None:
    """Log what the system does to a job (a `JobRow` or anything with its id, root and attempt)."""
    text = None if fields is None else msgspec.json.encode(fields).decode()
    write(tx, [Entry(job.id, job.root_id, job.attempt, tx.now, level, message, text)])


def _flush(tx: Tx) -> None:
    entries: list[Entry] = tx.scratch.pop(_KEY)
    tx.execute(
        """
        insert into job_log(job_id, root_id, attempt, at, level, message, fields)
        select value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5,
               value ->> 6 from each($1)
        """,
        (msgspec.json.encode(entries).decode(),),
    )
    _count(tx, Counter((entry.root_id, entry.level) for entry in entries))
    tx.signal(TOPIC)


def _count(tx: Tx, counts: Counter[tuple[int, int]]) -> None:
    tx.execute(
        """
        insert into job_log_count(root_id, level, n)
        select value ->> 0, value ->> 1, value ->> 2 from each($1) where true
            on conflict(root_id, level) do update set n = n + excluded.n
        """,
        (msgspec.json.encode([(*key, n) for key, n in sorted(counts.items())]).decode(),),
    )


# -- reading


@dataclass(frozen=True, slots=True)
class Query:
    """Which entries to read.

    Of one job, or of its whole tree; from level `at_least` up, or exactly `levels`; that contain
    `text`, in any case. Newest first unless `ascending`; `after` is the id of the last entry seen,
    `until` that of the last one to look at.
    """

    job_id: int
    tree: bool = False
    at_least: Level = Level.DEBUG
    levels: frozenset[Level] | None = None
    text: str = ""
    ascending: bool = False
    after: int | None = None
    until: int | None = None
    limit: int = PAGE


@dataclass(frozen=True, slots=True)
class LogLine:
    """One entry as read; of a tree it names its job, type and name (a page's address)."""

    id: int
    job_id: int
    attempt: int
    at: int
    level: Level
    message: str
    fields: str | None
    type: str
    name: str


def read(tx: ReadTx, query: Query) -> list[LogLine]:
    """The entries that a query asks for, at most 10,000."""
    column = "root_id" if query.tree else "job_id"
    conditions = [f"l.{column} = $1"]
    args: list[Any] = [query.job_id]

    def also(condition: str, value: Any) -> None:
        args.append(value)
        conditions.append(condition.replace("?", f"${len(args)}"))

    if query.after is not None:
        also("l.id > ?" if query.ascending else "l.id < ?", query.after)
    if query.until is not None:
        also("l.id <= ?" if query.ascending else "l.id >= ?", query.until)
    if query.levels is not None:
        also("l.level in ints(?)", msgspec.json.encode(sorted(query.levels)).decode())
        if min(query.levels, default=Level.DEBUG) >= Level.WARN:  # grave ones have their own index
            conditions.append(f"l.level >= {int(Level.WARN)}")
    elif query.at_least > Level.DEBUG:
        conditions.append(f"l.level >= {int(query.at_least)}")
    if query.text:
        also("instr(lower(l.message), lower(?)) > 0", query.text)
    args.append(min(max(query.limit, 1), LARGEST_PAGE))
    rows = tx.execute(
        f"""
        select l.id, l.job_id, l.attempt, l.at, l.level, l.message, l.fields,
               coalesce(j.type, ''), coalesce(j.name, '')
          from job_log l left join job j on j.id = l.job_id
         where {" and ".join(conditions)}
         order by l.id {"asc" if query.ascending else "desc"} limit ${len(args)}
        """,
        args,
    )
    return [_line(row) for row in rows]


def _line(row: Row) -> LogLine:
    id_, job_id, attempt, at, level, message, fields, type_, name = row
    return LogLine(id_, job_id, attempt, at, Level(level), message, fields, type_, name)


def counts(tx: ReadTx, job_id: int, *, tree: bool) -> dict[Level, int]:
    """How many entries of each level a job or a tree has."""
    if tree:
        sql = "select level, n from job_log_count where root_id = $1"
    else:
        sql = "select level, count(*) from job_log where job_id = $1 group by level"
    return dict.fromkeys(Level, 0) | {Level(level): n for level, n in tx.execute(sql, (job_id,))}


# -- deleting


def delete(tx: Tx, job_ids: Sequence[int]) -> int:
    """Remove the entries of jobs; returns how many."""
    return _removed(
        tx.execute(
            "delete from job_log where job_id in ints($1) returning root_id, level",
            (msgspec.json.encode(job_ids).decode(),),
        ),
        tx,
    )


def newest(tx: ReadTx) -> int:
    """The id of the newest entry of any log; 0 when there was none."""
    rows = tx.execute("select seq from sqlite_sequence where name = 'job_log'")
    return int(rows[0][0]) if rows else 0


def delete_some(tx: Tx, job_id: int, up_to: int, *, tree: bool, limit: int = 1_000) -> int:
    """Remove up to `limit` of the oldest entries of a job, or of its tree; returns how many.

    Those after the id `up_to` stay.
    """
    column = "root_id" if tree else "job_id"
    return _removed(
        tx.execute(
            f"""
            delete from job_log where id in
                (select id from job_log where {column} = $1 and id <= $2 order by id limit $3)
            returning root_id, level
            """,
            (job_id, up_to, limit),
        ),
        tx,
    )


def delete_older(tx: Tx, before: int, limit: int = 1_000) -> int:
    """Remove up to `limit` of the oldest entries, if older than a wall time; returns how many."""
    return _removed(
        tx.execute(
            """
            delete from job_log where id in (select id from job_log order by id limit $2)
               and at < $1 returning root_id, level
            """,
            (before, limit),
        ),
        tx,
    )


def _removed(rows: list[Row], tx: Tx) -> int:
    gone: Counter[tuple[int, int]] = Counter()
    for root_id, level in rows:
        gone[root_id, level] -= 1
    if gone:
        _count(tx, gone)
        tx.execute(
            "delete from job_log_count where n = 0 and root_id in ints($1)",
            (msgspec.json.encode(sorted({root_id for root_id, _ in gone})).decode(),),
        )
        tx.signal(TOPIC)
    return len(rows)
