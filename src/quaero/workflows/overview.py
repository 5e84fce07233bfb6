"""Definitions as lists show them: with their schedule, their latest runs and what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from quaero.db.contract import ReadTx
from quaero.jobs.model import Status
from quaero.workflows import definitions, schedules
from quaero.workflows.definitions import Stored
from quaero.workflows.schedules import Timetable
from quaero.workflows.text import value_of

STRIP = 30


@dataclass(frozen=True, slots=True)
class Past:
    """A run as a strip of runs shows it; times in microseconds UTC, `ended_at` None before."""

    job_id: int
    status: Status
    warnings: int
    cause: str
    began_at: int
    started_at: int | None
    ended_at: int | None


@dataclass(frozen=True, slots=True)
class Overview:
    """A definition, its schedule if it has one, its newest runs first, and its file's problem."""

    stored: Stored
    timetable: Timetable | None
    runs: list[Past]
    problem: str | None


@dataclass(frozen=True, slots=True)
class Gist:
    """What a list tells of a definition's text, `actions` by step."""

    description: str
    type: str
    tags: list[str]
    actions: dict[str, str]

    def unknown(self, actions: Mapping[str, Any]) -> str | None:
        """Why it cannot be run where job types it names are not known; None if they are."""
        missing = sorted(set(self.actions.values()) - set(actions))
        return f"there is no job type {missing[0]!r} any more" if missing else None


def listing(tx: ReadTx, after: str, limit: int) -> list[Overview]:
    """The definitions in the order of their ids, those after `after`."""
    return [_seen(tx, stored) for stored in definitions.listing(tx, after, limit)]


def one(tx: ReadTx, definition_id: str) -> Overview:
    """One definition. Raises `NotFound`."""
    return _seen(tx, definitions.get(tx, definition_id))


def newest(tx: ReadTx) -> tuple[int, int | None]:
    """How many definitions there are, and when the one that changed last did."""
    ((count, changed_at),) = tx.execute("select count(*), max(changed_at) from definition")
    return count, changed_at


def gist(stored: Stored) -> Gist:
    """What a stored text says of itself, without a look at whether it could run."""
    value = value_of(stored.text, stored.format) or {}
    steps = [
        step for group in ("pre_jobs", "steps", "post_jobs") for step in value.get(group) or []
    ]
    return Gist(
        str(value.get("description") or ""),
        str(value.get("type") or ""),
        [str(tag) for tag in value.get("tags") or []],
        {str(step["name"]): str(step["action"]) for step in steps},
    )


def _seen(tx: ReadTx, stored: Stored) -> Overview:
    rows = tx.execute(
        """
        select run.job_id, job.status, job.warnings, run.cause, run.began_at, job.started_at,
               job.completed_at
          from run join job on job.id = run.job_id
         where run.definition_id = $1 order by run.job_id desc limit $2
        """,
        (stored.id, STRIP),
    )
    runs = [Past(row[0], Status(row[1]), *row[2:]) for row in rows]
    return Overview(stored, schedules.find(tx, stored.id), runs, _problem(tx, stored.id))


def _problem(tx: ReadTx, definition_id: str) -> str | None:
    rows = tx.execute(
        "select problem from definition_file where definition_id = $1 limit 1", (definition_id,)
    )
    return rows[0][0] if rows else None
