"""The live end of job logs: the new lines of each log that is watched, read once for all readers.

A reader is told at most `MOST_LINES` lines of a log at a time, the newest; where there were more,
it is told of the gap. Long lines are cut: the whole text is in the log itself. Where lines were
deleted, readers are told to load the log anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from quaero.api.live.topics import Topic
from quaero.db.contract import ReadTx
from quaero.jobs.logs import Level, LogLine, newest

MOST_LINES = 500
LONGEST = 4_000


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines of a log, oldest first; with `gap` some before them were left out.

    `cut` are the ids of those that are longer than what is told of them. With `deleted` lines that
    were there before them went.
    """

    lines: list[LogLine]
    gap: bool
    cut: frozenset[int] = frozenset()
    deleted: bool = False


class Mark(NamedTuple):
    """How far a log was read for all its readers: the newest line of any log, and its extent.

    The extent tells when lines were deleted. Of a tree it is how many lines there are. Of a job it
    is the id of the oldest, 0 where there is none: the oldest are deleted first.
    """

    line: int
    extent: int


def follow(tx: ReadTx, marks: Iterable[tuple[Topic, Mark]]) -> list[tuple[Mark, Lines]]:
    """What came of each log after its mark, and its next mark."""
    end, found = newest(tx), []
    for topic, mark in marks:
        now = Mark(end, _extent(tx, topic))
        gone = _shrunk(tx, topic, mark, now)
        found.append((now, _lines(tx, topic, mark.line, end, deleted=gone)))
    return found


def join(
    tx: ReadTx, topic: Topic, after: int | None, mark: Mark | None
) -> tuple[Mark, Lines | None]:
    """The mark of a log, at its end if it had none, and what its new reader lacks up to there.

    The line `after` is the last that the reader saw; without one it lacks nothing.
    """
    mark = mark or Mark(newest(tx), _extent(tx, topic))
    if after is None:
        return mark, None
    gone = after > 0 and not _has(tx, topic, after) and _is_there(tx, topic)
    return mark, _lines(tx, topic, after, mark.line, deleted=gone)


def _extent(tx: ReadTx, topic: Topic) -> int:
    if topic.tree:
        sql = "select coalesce(sum(n), 0) from job_log_count where root_id = $1"
    else:
        sql = "select coalesce(min(id), 0) from job_log where job_id = $1"
    ((found,),) = tx.execute(sql, (topic.job_id,))
    return int(found)


def _shrunk(tx: ReadTx, topic: Topic, before: Mark, now: Mark) -> bool:
    """Whether lines went. Of a job that is gone itself they are not told of: that it is gone is."""
    if not topic.tree:
        return 0 != before.extent != now.extent and _is_there(tx, topic)
    ((came,),) = tx.execute(
        "select count(*) from job_log where root_id = $1 and id > $2", (topic.job_id, before.line)
    )
    return now.extent < before.extent + int(came) and _is_there(tx, topic)


def _has(tx: ReadTx, topic: Topic, line: int) -> bool:
    column = "root_id" if topic.tree else "job_id"
    sql = f"select 1 from job_log where id = $1 and {column} = $2"
    return bool(tx.execute(sql, (line, topic.job_id)))


def _is_there(tx: ReadTx, topic: Topic) -> bool:
    return bool(tx.execute("select 1 from job where id = $1", (topic.job_id,)))


def _lines(tx: ReadTx, topic: Topic, after: int, until: int, *, deleted: bool) -> Lines:
    column = "root_id" if topic.tree else "job_id"
    rows = tx.execute(
        f"""
        select l.id, l.job_id, l.attempt, l.at, l.level, substr(l.message, 1, {LONGEST}),
               case when length(l.fields) <= {LONGEST} then l.fields end,
               coalesce(j.type, ''), coalesce(j.name, ''),
               length(l.message) > {LONGEST} or coalesce(length(l.fields) > {LONGEST}, 0)
          from job_log l left join job j on j.id = l.job_id
         where l.{column} = $1 and l.id > $2 and l.id <= $3 order by l.id desc limit $4
        """,
        (topic.job_id, after, until, MOST_LINES + 1),
    )
    found = [
        LogLine(id_, job_id, attempt, at, Level(level), message, fields, type_, name)
        for id_, job_id, attempt, at, level, message, fields, type_, name, _ in reversed(rows)
    ]
    cut = frozenset(row[0] for row in rows if row[-1])
    return Lines(found[-MOST_LINES:], len(found) > MOST_LINES, cut, deleted)
