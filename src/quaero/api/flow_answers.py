"""Answers about workflows as JSON, described by `flow_models`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from itertools import islice
from typing import Any

from quaero.api.answers import job_item, seconds, when
from quaero.clock import rfc3339
from quaero.workflows.graph import GraphStep
from quaero.workflows.overview import Overview, Past, gist
from quaero.workflows.runs import Run
from quaero.workflows.schedules import Timetable
from quaero.workflows.text import Fault, value_of

NEXT = 5


def definition_item(seen: Overview, actions: Mapping[str, Any], now: int) -> dict[str, Any]:
    """A definition as lists show it; `actions` are the known job types."""
    stored = seen.stored
    told = gist(stored)
    table = seen.timetable
    return {
        "id": stored.id,
        "name": stored.name,
        "description": told.description,
        "type": told.type,
        "tags": told.tags,
        "origin": stored.origin,
        "format": stored.format,
        "path": stored.path,
        "enabled": stored.enabled,
        "auto_start": stored.auto_start,
        "actions": told.actions,
        "schedule": None if table is None else schedule(table, stored.name, stored.enabled, now),
        "runs": [_past(each, now) for each in seen.runs],
        "problem": seen.problem or told.unknown(actions),
        "created_at": rfc3339(stored.created_at),
        "changed_at": rfc3339(stored.changed_at),
        "rev": stored.rev,
    }


def definition(seen: Overview, actions: Mapping[str, Any], now: int) -> dict[str, Any]:
    """A definition with its text and what that says."""
    stored = seen.stored
    value = value_of(stored.text, stored.format) or {}
    return {**definition_item(seen, actions, now), "text": stored.text, "value": value}


def _past(run: Past, now: int) -> dict[str, Any]:
    ran = None if run.started_at is None else (run.ended_at or now) - run.started_at
    return {
        "id": run.job_id,
        "status": run.status.word,
        "warnings": run.warnings,
        "cause": run.cause,
        "began_at": rfc3339(run.began_at),
        "completed_at": when(run.ended_at),
        "duration": seconds(ran),
    }


def schedule(table: Timetable, name: str, enabled: bool, now: int) -> dict[str, Any]:  # noqa: FBT001
    """A schedule with its coming due times; of a paused one those it would have."""
    return {
        "definition_id": table.definition_id,
        "name": name,
        "enabled": enabled,
        "cron": table.cron,
        "timezone": table.timezone,
        "words": table.words,
        "missed": table.missed,
        "overlap": table.overlap,
        "paused": table.paused,
        "blocked": table.blocked,
        "next_at": when(table.next_at),
        "next": [rfc3339(at) for at in islice(table.times(now), NEXT)],
        "last_at": when(table.last_at),
        "last_run_id": table.last_run_id,
        "last_note": table.last_note,
        "left_out": table.left_out,
    }


def run_item(run: Run, now: int) -> dict[str, Any]:
    """A run as the history shows it."""
    return {
        "job": job_item(run.job, now),
        "cause": run.cause,
        "began_at": rfc3339(run.began_at),
        "due_at": when(run.due_at),
    }


def verdict(faults: Iterable[Fault], value: Any) -> dict[str, Any]:
    """What is wrong with a text, and its value where it can be read."""
    found = [
        {"line": each.line, "field": each.field, "pointer": each.pointer, "detail": each.text}
        for each in faults
    ]
    return {"valid": not found, "faults": found, "value": value}


def step(each: GraphStep, now: int) -> dict[str, Any]:
    """A step of a run."""
    return {
        **asdict(each),
        "phase": each.phase.name.lower(),
        "job": None if each.job is None else job_item(each.job, now),
    }
