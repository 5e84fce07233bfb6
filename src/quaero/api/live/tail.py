"""The live end of job logs: the new lines of each log that is watched, read once for all readers.

A reader is told at most `MOST_LINES` lines of a log at a time, the newest; where there were more,
it is told of the gap. Long lines are cut: the whole text is in the log itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from quaero.api.live.topics import Topic
from quaero.db.contract import ReadTx
from quaero.jobs.logs import Level, LogLine

MOST_LINES = 500
LONGEST = 4_000


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines of a log, oldest first; with `gap` some before them were left out.

    `cut` are the ids of those that are longer than what is told of them.
    """

    lines: list[LogLine]
    gap: bool
    cut: frozenset[int] = frozenset()


def newest(tx: ReadTx) -> int:
    """The number of the newest line of any log; 0 when there was none."""
    rows = tx.execute("select seq from sqlite_sequence where name = 'job_log'")
    return int(rows[0][0]) if rows else 0


def tails(
    tx: ReadTx, wanted: Iterable[tuple[Topic, int]], until: int | None = None
) -> tuple[int, list[Lines]]:
    """The lines of each topic after a number, up to `until` or all; and the number reached."""
    end = newest(tx) if until is None else until
    return end, [_lines(tx, topic, after, end) for topic, after in wanted]


def _lines(tx: ReadTx, topic: Topic, after: int, until: int) -> Lines:
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
    return Lines(found[-MOST_LINES:], len(found) > MOST_LINES, cut)
