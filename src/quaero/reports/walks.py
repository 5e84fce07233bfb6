"""How a list of jobs is walked: which index gives the order, and what is looked at row by row.

Every order that is offered is a walk along one index, so a page costs the same in a large table.
What no index answers (a text, say) is looked at row by row, and `jobs` limits how many rows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from quaero.db.contract import ReadTx
from quaero.errors import BadInput
from quaero.jobs.model import Status
from quaero.reports.wanted import LARGEST_ID, JobFilter, OrderWord

_BADLY = {Status.FAILED, Status.CANCELLED}
_OPEN = {Status.PENDING, Status.RUNNING}
_ENDED = (Status.COMPLETED, Status.FAILED, Status.CANCELLED)
_KEYS = {
    "created": ("job_top_created", "created_at", ""),
    "started": ("job_top_started", "started_at", "started_at is not null"),
    "finished": ("job_top_ended", "completed_at", "status > 1"),
}
_BOUNDS = {"created": "created", "finished": "completed"}
"""The orders whose time can be bounded, and the time's name in a filter."""
_DURATION = "completed_at - started_at"
_LAST = LARGEST_ID
"""Stands for the time of jobs that have none: such jobs come last in either direction."""


@dataclass(frozen=True, slots=True)
class Walk:
    """One walk: along `index` by `key` and id, where `condition` holds.

    A `key` that is a number is that of all its rows. `looked_at` is what is checked on each row of
    the way. `args` are the arguments of both.
    """

    index: str | None
    condition: str
    key: str | int = 0
    looked_at: str = ""
    args: tuple[Any, ...] = ()

    @property
    def table(self) -> str:
        """The table with the index it must be walked by."""
        return f"job indexed by {self.index}" if self.index else "job not indexed"


@dataclass(slots=True)
class _Conditions:
    """Conditions with numbered arguments, in one list for all of them."""

    args: list[Any] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)

    def add(self, condition: str, *values: Any) -> None:
        for value in values:
            self.args.append(value)
            condition = condition.replace("?", f"${len(self.args)}", 1)
        self.parts.append(condition)


def walks(tx: ReadTx, wanted: JobFilter, order: OrderWord) -> list[Walk]:
    """The walks whose merged rows are the wanted jobs in their order; `timeless` ones follow.

    Raises `BadInput` for an order that is not offered for these jobs.
    """
    column = order.removeprefix("-")
    if wanted.parent != "root" and column != "created":
        raise BadInput(
            f"order={order} is offered for top-level jobs only; order the others by created"
        )
    if wanted.parent_id is not None:
        return [_of_children(wanted, wanted.parent_id)]
    if wanted.parent == "any":
        return _of_all(wanted)
    if column == "duration":
        return [_by_duration(wanted, status) for status in wanted.statuses or _ENDED]
    if column != "created" or _timed(wanted):
        return [_by_time(wanted, column)]
    return _of_top(tx, wanted)


def timeless(wanted: JobFilter, order: OrderWord) -> list[Walk]:
    """The walks of the wanted jobs that have not the time that an order asks for, by id."""
    column = order.removeprefix("-")
    if column == "created":
        return []
    key = -_LAST if order.startswith("-") else _LAST
    statuses = set(wanted.statuses or Status)
    if wanted.only_ended:
        statuses -= _OPEN
    not_ended = sorted(statuses & _OPEN)
    not_begun = sorted({"started": statuses, "duration": statuses - _OPEN}.get(column, set()))
    index, condition = "job_top_unstarted", "parent_id is null and started_at is null"
    ways = [_of_status(index, condition, wanted, status, key) for status in not_begun]
    if column == "started":
        return ways
    index, condition = "job_top_status", "parent_id is null"
    return ways + [_of_status(index, condition, wanted, status, key) for status in not_ended]


def _timed(wanted: JobFilter) -> bool:
    return wanted.created_after is not None or wanted.created_before is not None


def _by_time(wanted: JobFilter, column: str) -> Walk:
    """Top-level jobs by a time; bounds on that time bound the walk itself."""
    index, key, condition = _KEYS[column]
    of = _Conditions()
    of.add("parent_id is null")
    if condition:
        of.add(condition)
    bounds = _BOUNDS.get(column)
    if bounds is None:
        return _walk(index, of, wanted, key)
    _add_times(of, wanted, bounds)
    return _walk(index, of, wanted, key, skip={bounds})


def _by_duration(wanted: JobFilter, status: Status) -> Walk:
    """Top-level jobs of one status by duration; none of one that has not ended."""
    of = _Conditions()
    of.add("parent_id is null and status > 1 and started_at is not null")
    of.add(f"status = {status:d}")
    return _walk("job_top_duration", of, wanted, _DURATION, skip={"status"})


def _of_top(tx: ReadTx, wanted: JobFilter) -> list[Walk]:
    by_status = wanted.statuses
    if by_status and wanted.type and _fewer_of_type(tx, wanted.type, by_status):
        by_status = ()
    if by_status:
        return [_of_status("job_top_status", "parent_id is null", wanted, s) for s in by_status]
    of = _Conditions()
    of.add("parent_id is null")
    if wanted.type:
        of.add("type = ?", wanted.type)
        return [_walk("job_top_type", of, wanted, skip={"type"})]
    return [_walk("job_top", of, wanted)]


def _of_status(index: str, condition: str, wanted: JobFilter, status: Status, key: int = 0) -> Walk:
    of = _Conditions()
    of.add(condition)
    of.add(f"status = {status:d}")
    return _walk(index, of, wanted, key, skip={"status"})


def _fewer_of_type(tx: ReadTx, type_: str, statuses: tuple[Status, ...]) -> bool:
    """Whether a type has fewer top-level jobs than these statuses together."""
    ((of_type, of_status),) = tx.execute(
        """
        select coalesce(sum(n) filter (where type = $1), 0),
               coalesce(sum(n) filter (where status in ints($2)), 0)
          from job_count where top = 1
        """,
        (type_, msgspec.json.encode(statuses).decode()),
    )
    return bool(of_type < of_status)


def _of_children(wanted: JobFilter, parent_id: int) -> Walk:
    statuses = set(wanted.statuses)
    of = _Conditions()
    of.add("parent_id = ? and parent_id is not null", parent_id)
    if statuses and statuses <= _OPEN:
        of.add("status < 2")
        return _walk("job_child_open", of, wanted, skip={"status"} if statuses == _OPEN else set())
    if statuses and statuses <= _BADLY:
        of.add("(status > 2 or n_failed > 0 or n_cancelled > 0)")
        return _walk("job_child_flawed", of, wanted)
    return _walk("job_child", of, wanted)


def _of_all(wanted: JobFilter) -> list[Walk]:
    statuses = set(wanted.statuses)
    if statuses == {Status.RUNNING}:
        of = _Conditions()
        of.add("status = 1")
        return [_walk("job_running", of, wanted, skip={"status"})]
    if statuses and statuses <= _BADLY:
        return [
            _of_status("job_flawed", "status > 2", wanted, status) for status in wanted.statuses
        ]
    of = _Conditions()
    of.add("1 = 1")
    return [_walk(None, of, wanted)]


def _walk(
    index: str | None,
    of: _Conditions,
    wanted: JobFilter,
    key: str | int = 0,
    *,
    skip: frozenset[str] | set[str] = frozenset(),
) -> Walk:
    """A walk that looks at each row for all that its index does not answer."""
    looked = _Conditions(of.args)
    if wanted.statuses and "status" not in skip:
        looked.add(f"status in ({', '.join(str(int(s)) for s in wanted.statuses)})")
    if wanted.type and "type" not in skip:
        looked.add("type = ?", wanted.type)
    for bounds in _BOUNDS.values():
        if bounds not in skip:
            _add_times(looked, wanted, bounds)
    for name in ("source_type", "entity_type"):
        if value := getattr(wanted, name):
            looked.add(f"payload ->> '$.{name}' = ?", value)
    if wanted.source:
        looked.add(
            "(payload ->> '$.source' in (select id from source where name = ?)"
            " or cast(payload ->> '$.source' as text) = ?)",
            wanted.source,
            wanted.source,
        )
    if wanted.text:
        looked.add(
            "(instr(lower(name), lower(?)) > 0 or instr(lower(coalesce(error, '')), lower(?)) > 0)",
            wanted.text,
            wanted.text,
        )
    condition, looked_at = " and ".join(of.parts), " and ".join(looked.parts)
    return Walk(index, condition, key, looked_at, tuple(of.args))


def _add_times(of: _Conditions, wanted: JobFilter, of_what: str) -> None:
    after, before = getattr(wanted, f"{of_what}_after"), getattr(wanted, f"{of_what}_before")
    if after is not None:
        of.add(f"{of_what}_at >= ?", after)
    if before is not None:
        of.add(f"{of_what}_at < ?", before)
