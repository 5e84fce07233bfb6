"""Lists of jobs: filtered, in any offered order, a page at a time, counted as far as is cheap.

A page is found by walking an index (see `walks`) from where the last one ended, so its cost does
not depend on the size of the table, nor on how far in it lies. Where a filter matches few of the
rows on the way, a page ends after `SCANNED` rows with what was found; it says so, and where to go
on. Rows of lists carry neither payload nor result.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from quaero.db.contract import ReadTx, Row
from quaero.errors import NotFound
from quaero.jobs import logs
from quaero.jobs.logs import Level
from quaero.jobs.model import FailureAction
from quaero.jobs.needs import Needed, needs_of
from quaero.jobs.read import SUMMARY, Attempt, Summary, attempts, summary
from quaero.reports.walks import Walk, timeless, walks
from quaero.reports.wanted import JobFilter, OrderWord

SCANNED = 5_000
COUNTED = 10_000
COUNT_SCANNED = 10_000

Place = tuple[int, int]
"""Where a page ended: the key of the order, and the id."""


@dataclass(frozen=True, slots=True)
class Page:
    """Jobs in order; `next` is where the next page begins, None at the end.

    With `searched` the search was stopped after `SCANNED` rows: there may be more, from `next` on.
    """

    items: list[Summary]
    next: Place | None
    searched: bool = False


@dataclass(frozen=True, slots=True)
class Total:
    """How many jobs match; with `capped` at least so many."""

    count: int
    capped: bool


@dataclass(frozen=True, slots=True)
class _Found:
    rows: list[Row]
    stop: Place | None
    """Where the walk was stopped before its end; None where it went to the end or has enough."""


def page(
    tx: ReadTx,
    wanted: JobFilter,
    order: OrderWord = "-created",
    after: Place | None = None,
    limit: int = 50,
) -> Page:
    """A page of jobs. Raises `BadInput` for an order that is not offered for these jobs."""
    rows, following, searched = _page(tx, SUMMARY, wanted, order, after, limit)
    return Page([summary(row) for row in rows], following, searched)


def ids(
    tx: ReadTx, wanted: JobFilter, after: Place | None, limit: int
) -> tuple[list[int], Place | None]:
    """The ids of the next jobs that match, oldest first, and where to go on; for bulk work.

    There may be none and yet a place to go on from.
    """
    rows, following, _ = _page(tx, "id", wanted, "created", after, limit)
    return [row[0] for row in rows], following


def _page(
    tx: ReadTx,
    columns: str,
    wanted: JobFilter,
    order: OrderWord,
    after: Place | None,
    limit: int,
) -> tuple[list[Row], Place | None, bool]:
    down = order.startswith("-")
    rows, stop = _merged(tx, walks(tx, wanted, order), columns, after, limit + 1, down=down)
    if stop is None and len(rows) <= limit and (others := timeless(wanted, order)):
        more, stop = _merged(tx, others, columns, after, limit + 1, down=down)
        rows += more
    if len(rows) > limit:
        return [row[2:] for row in rows[:limit]], _place(rows[limit - 1]), False
    return [row[2:] for row in rows], stop, stop is not None


def _merged(
    tx: ReadTx, ways: Sequence[Walk], columns: str, after: Place | None, limit: int, *, down: bool
) -> tuple[list[Row], Place | None]:
    """The next rows of walks together, and where they were stopped before they had enough."""
    scanned = max(limit - 1, SCANNED // len(ways))
    found = [_go(tx, way, columns, after, limit, scanned, down=down) for way in ways]
    rows = sorted((row for each in found for row in each.rows), key=_place, reverse=down)
    stops = [each.stop for each in found if each.stop is not None]
    stop = (max(stops) if down else min(stops)) if stops else None
    if stop is not None:
        rows = [row for row in rows if not _beyond(_place(row), stop, down=down)]
    return rows, stop


def _place(row: Row) -> Place:
    return row[0], row[1]


def _beyond(place: Place, stop: Place, *, down: bool) -> bool:
    return place < stop if down else place > stop


def _go(
    tx: ReadTx,
    way: Walk,
    columns: str,
    after: Place | None,
    limit: int,
    scanned: int,
    *,
    down: bool,
) -> _Found:
    """The next rows of a walk, and where it was stopped if not all could be looked at."""
    args, condition = list(way.args), way.condition
    if after is not None:
        condition += f" and {_after(way, args, after, '<' if down else '>')}"
    stop = None
    if way.looked_at:
        stop = _place_ahead(tx, way, condition, args, scanned, down=down)
        if stop is not None:
            condition += f" and {_until(way, args, stop, '>' if down else '<')}"
        condition += f" and {way.looked_at}"
    args.append(limit)
    rows = tx.execute(
        f"""
        select {way.key}, id, {columns} from {way.table} where {condition}
         order by {_order(way, down=down)} limit ${len(args)}
        """,
        args,
    )
    return _Found(rows, None if len(rows) == limit else stop)


def _after(way: Walk, args: list[Any], place: Place, sign: str) -> str:
    """The condition for what lies behind a place, in a form that bounds the walk of the index."""
    if isinstance(way.key, int):
        if way.key and way.key != place[0]:
            return "1 = 1"  # the place lies among those with a time, before all of these
        args.append(place[1])
        return f"id {sign} ${len(args)}"
    args += place
    key, id_ = f"${len(args) - 1}", f"${len(args)}"
    return f"{way.key} {sign}= {key} and ({way.key} {sign} {key} or id {sign} {id_})"


def _until(way: Walk, args: list[Any], place: Place, sign: str) -> str:
    """The condition for what lies before a place or there, which ends the walk of the index."""
    if isinstance(way.key, int):
        args.append(place[1])
        return f"id {sign}= ${len(args)}"
    args += place
    key, id_ = f"${len(args) - 1}", f"${len(args)}"
    return f"{way.key} {sign}= {key} and ({way.key} {sign} {key} or id {sign}= {id_})"


def _place_ahead(
    tx: ReadTx, way: Walk, condition: str, args: Sequence[Any], rows: int, *, down: bool
) -> Place | None:
    """The place of the last of so many rows ahead, read from the index alone; None if fewer."""
    found = tx.execute(
        f"""
        select {way.key}, id from {way.table} where {condition}
         order by {_order(way, down=down)} limit 2 offset {rows - 1}
        """,
        args[: _highest(condition)],
    )
    return _place(found[0]) if len(found) == 2 else None


def _highest(condition: str) -> int:
    """The number of the last argument that a condition names."""
    return max((int(number) for number in re.findall(r"\$(\d+)", condition)), default=0)


def _order(way: Walk, *, down: bool) -> str:
    direction = "desc" if down else "asc"
    by_id = isinstance(way.key, int)
    return f"id {direction}" if by_id else f"{way.key} {direction}, id {direction}"


# -- counting


def total(tx: ReadTx, wanted: JobFilter) -> Total:
    """How many jobs match: exactly up to `COUNTED`, or as far as `COUNT_SCANNED` rows tell."""
    if (kept := _kept(tx, wanted)) is not None:
        return Total(kept, capped=False)
    count, capped = 0, False
    ways = walks(tx, wanted, "created")
    for way in ways:
        more, stopped = _count(tx, way, COUNT_SCANNED // len(ways))
        count, capped = count + more, capped or stopped
    return Total(min(count, COUNTED), capped or count > COUNTED)


def _kept(tx: ReadTx, wanted: JobFilter) -> int | None:
    """The number where it is kept: of all jobs, or top-level ones, by status and type."""
    plain = JobFilter(status=wanted.status, type=wanted.type, parent=wanted.parent)
    if wanted != plain or wanted.parent_id is not None:
        return None
    ((count,),) = tx.execute(
        """
        select coalesce(sum(n), 0) from job_count
         where top >= $1 and ($2 is null or type = $2)
           and (json_array_length($3) = 0 or status in ints($3))
        """,
        (
            int(wanted.parent == "root"),
            wanted.type,
            msgspec.json.encode(wanted.statuses).decode(),
        ),
    )
    return int(count)


def _count(tx: ReadTx, way: Walk, scanned: int) -> tuple[int, bool]:
    """How many rows of a walk match, and whether there are rows that were not looked at."""
    args, condition, stop = list(way.args), way.condition, None
    if way.looked_at:
        stop = _place_ahead(tx, way, condition, args, scanned, down=False)
        if stop is not None:
            condition += f" and {_until(way, args, stop, '<')}"
        condition += f" and {way.looked_at}"
    rows = tx.execute(
        f"""
        select count(*) from (select 1 from {way.table} where {condition} limit {COUNTED + 1})
        """,
        args,
    )
    return int(rows[0][0]), stop is not None


# -- one


@dataclass(frozen=True, slots=True)
class Detail:
    """All that is known of one job; `payload` and `result` are JSON text as stored."""

    summary: Summary
    description: str | None
    payload: str
    result: str | None
    attempts: list[Attempt]
    max_child_failures: int
    failure_action: FailureAction
    needs: list[Needed]
    logs: dict[Level, int]
    logs_capped: bool
    documents: int
    documents_capped: bool


def detail(tx: ReadTx, job_id: int) -> Detail:
    """One job, its log entries and documents counted up to `COUNTED`. Raises `NotFound`."""
    rows = tx.execute(
        f"""
        select {SUMMARY}, description, payload, result, max_child_failures, failure_action
          from job where id = $1
        """,
        (job_id,),
    )
    if not rows:
        raise NotFound(f"there is no job {job_id}")
    *head, description, payload, result, limit, action = rows[0]
    job = summary(tuple(head))
    levels, logs_capped = log_counts(tx, job_id, tree=job.parent_id is None)
    documents = _documents(tx, job)
    return Detail(
        job, description, payload, result, attempts(tx, job_id), limit, FailureAction(action),
        needs_of(tx, [job_id]), levels, logs_capped, min(documents, COUNTED), documents > COUNTED,
    )  # fmt: skip


def place_of(tx: ReadTx, job_id: int) -> tuple[bool, bool]:
    """Whether a job is a root, and whether nothing lies below it. Raises `NotFound`."""
    rows = tx.execute(
        """
        select parent_id is null,
               n_pending + n_running + n_completed + n_failed + n_cancelled = 0
          from job where id = $1
        """,
        (job_id,),
    )
    if not rows:
        raise NotFound(f"there is no job {job_id}")
    return bool(rows[0][0]), bool(rows[0][1])


def log_counts(tx: ReadTx, job_id: int, *, tree: bool) -> tuple[dict[Level, int], bool]:
    """How many entries of each level there are: of a tree exactly, of a job up to `COUNTED`.

    Also whether there are more than were counted.
    """
    if tree:
        return logs.counts(tx, job_id, tree=True), False
    rows = tx.execute(
        f"""
        select level, count(*) from
            (select level from job_log where job_id = $1 order by id desc limit {COUNTED + 1})
         group by level
        """,
        (job_id,),
    )
    found = {Level(level): n for level, n in rows}
    return found, sum(found.values()) > COUNTED


def _documents(tx: ReadTx, job: Summary) -> int:
    column = "root_id" if job.parent_id is None else "job_id"
    ((count,),) = tx.execute(
        f"""
        select count(*) from
            (select 1 from document where {column} = $1 and {column} is not null
              limit {COUNTED + 1})
        """,
        (job.id,),
    )
    return int(count)


# -- editing


def version_of(tx: ReadTx, job_id: int) -> str:
    """What stands for the part of a job that can be edited; another one after every edit.

    It does not change while the job merely goes on, so a running job can be edited. Raises
    `NotFound`.
    """
    rows = tx.execute("select name, description, priority from job where id = $1", (job_id,))
    if not rows:
        raise NotFound(f"there is no job {job_id}")
    return hashlib.blake2b(msgspec.json.encode([job_id, *rows[0]]), digest_size=9).hexdigest()
