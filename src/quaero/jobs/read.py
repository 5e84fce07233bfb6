"""Reading jobs: one, lists by key, children, a tree's outline, counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from quaero.db.contract import ReadTx, Row
from quaero.errors import NotFound
from quaero.jobs.model import FailureAction, Hold, OwnRun, Phase, Status

SUMMARY = """
    id, parent_id, root_id, depth, type, phase, name, status, priority, attempt, round, rerun_of,
    held, created_at, run_at, started_at, completed_at, progress_current, progress_total,
    progress_text, own_run, stopping, n_pending, n_running, n_completed, n_failed, n_cancelled,
    warnings, error
"""


@dataclass(frozen=True, slots=True)
class Counts:
    """Descendants of a job by status."""

    pending: int
    running: int
    completed: int
    failed: int
    cancelled: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.pending + self.running + self.completed + self.failed + self.cancelled

    @property
    def done(self) -> int:
        """Those that have ended."""
        return self.completed + self.failed + self.cancelled


@dataclass(frozen=True, slots=True)
class Summary:
    """A job as lists show it; times are wall times in microseconds."""

    id: int
    parent_id: int | None
    root_id: int
    depth: int
    type: str
    phase: Phase
    name: str
    status: Status
    priority: int
    attempt: int
    round: int
    rerun_of: int | None
    held: bool
    created_at: int
    run_at: int | None
    started_at: int | None
    completed_at: int | None
    progress_current: int | None
    progress_total: int | None
    progress_text: str | None
    waiting: bool
    stopping: bool
    counts: Counts
    warnings: int
    error: str | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt that did not end well."""

    attempt: int
    round: int
    started_at: int | None
    ended_at: int
    outcome: str
    error: str | None


@dataclass(frozen=True, slots=True)
class Job:
    """A job with all that is known of it."""

    summary: Summary
    description: str | None
    payload: Any
    result: Any
    attempts: list[Attempt]
    max_child_failures: int
    failure_action: FailureAction


def summary(row: Row) -> Summary:
    """A `Summary` from the values of `SUMMARY`."""
    counts = Counts(*row[22:27])
    status, own_run = Status(row[7]), row[20]
    waits_for_pre = row[12] == Hold.FOR_PRE
    waiting = status is Status.RUNNING and (own_run != OwnRun.OPEN or waits_for_pre)
    return Summary(
        id=row[0], parent_id=row[1], root_id=row[2], depth=row[3], type=row[4],
        phase=Phase(row[5]), name=row[6], status=status, priority=row[8], attempt=row[9],
        round=row[10], rerun_of=row[11], held=row[12] == Hold.BY_HAND, created_at=row[13],
        run_at=row[14],
        started_at=row[15], completed_at=row[16], progress_current=row[17],
        progress_total=row[18], progress_text=row[19], waiting=waiting,
        stopping=bool(row[21]) and status.open, counts=counts, warnings=row[27], error=row[28],
    )  # fmt: skip


def get(tx: ReadTx, job_id: int) -> Job:
    """One job. Raises `NotFound`."""
    rows = tx.execute(
        f"""
        select {SUMMARY}, description, payload, result, max_child_failures, failure_action
          from job where id = $1
        """,
        (job_id,),
    )
    if not rows:
        raise NotFound(f"there is no job {job_id}")
    description, payload, result, limit, action = rows[0][29:]
    return Job(
        summary(rows[0][:29]),
        description,
        msgspec.json.decode(payload),
        None if result is None else msgspec.json.decode(result),
        attempts(tx, job_id),
        limit,
        FailureAction(action),
    )


def summaries(tx: ReadTx, ids: Sequence[int]) -> list[Summary]:
    """The jobs with these ids, in order of id; those that do not exist are left out."""
    rows = tx.execute(
        f"select {SUMMARY} from job where id in ints($1) order by id",
        (msgspec.json.encode(ids).decode(),),
    )
    return [summary(row) for row in rows]


def attempts(tx: ReadTx, job_id: int) -> list[Attempt]:
    """The attempts that did not end well, oldest first."""
    rows = tx.execute(
        """
        select attempt, round, started_at, ended_at, outcome, error from job_attempt
         where job_id = $1 order by round, lease_no
        """,
        (job_id,),
    )
    return [Attempt(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class Filter:
    """Which jobs to list, newest first.

    Top-level ones, or with `parent_id` the children of a job. `before` is the id of the last job
    seen.
    """

    parent_id: int | None = None
    statuses: frozenset[Status] = field(default_factory=frozenset)
    type: str | None = None
    before: int | None = None
    limit: int = 50


def listing(tx: ReadTx, wanted: Filter) -> list[Summary]:
    """A page of jobs, newest first; the children of a job oldest first."""
    conditions, args = ["parent_id is null"], list[Any]()
    order = "desc"
    if wanted.parent_id is not None:
        conditions, args = ["parent_id is not null", "parent_id = $1"], [wanted.parent_id]
        order = "asc"
    if wanted.before is not None:
        args.append(wanted.before)
        conditions.append(f"id {'>' if wanted.parent_id is not None else '<'} ${len(args)}")
    if wanted.statuses:
        conditions.append(f"status in ({', '.join(str(int(s)) for s in sorted(wanted.statuses))})")
    if wanted.type is not None:
        args.append(wanted.type)
        conditions.append(f"type = ${len(args)}")
    args.append(wanted.limit)
    rows = tx.execute(
        f"""
        select {SUMMARY} from job where {" and ".join(conditions)}
         order by id {order} limit ${len(args)}
        """,
        args,
    )
    return [summary(row) for row in rows]


def counts_by_status(tx: ReadTx, *, top: bool) -> dict[Status, int]:
    """How many jobs have each status: the top-level ones, or the children."""
    rows = tx.execute(
        "select status, sum(n) from job_count where top = $1 group by status", (int(top),)
    )
    return dict.fromkeys(Status, 0) | {Status(status): int(n) for status, n in rows}
