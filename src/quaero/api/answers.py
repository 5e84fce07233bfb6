"""Answers as JSON: what lists and single jobs look like, encoded once by msgspec.

The models of `models` describe these for OpenAPI; nothing is validated on the way out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from starlette.background import BackgroundTask
from starlette.responses import Response

from quaero.clock import SECOND, rfc3339
from quaero.crawl.kinds import PAGE
from quaero.documents.model import Summary as DocumentSummary
from quaero.jobs.logs import Level, LogLine
from quaero.jobs.model import Status
from quaero.jobs.read import Attempt, Counts, Summary
from quaero.reports.jobs import Detail
from quaero.workflows.executors import STEP_TYPE

MEDIA_TYPE = "application/json"


def answer(
    value: Any,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    background: BackgroundTask | None = None,
) -> Response:
    """A value as an answer."""
    return Response(msgspec.json.encode(value), status, headers, MEDIA_TYPE, background)


def when(micros: int | None) -> str | None:
    """A wall time, or nothing."""
    return None if micros is None else rfc3339(micros)


def seconds(micros: int | None) -> float | None:
    """A span of time in seconds, never negative."""
    return None if micros is None else max(0, micros) / SECOND


# -- jobs


def job_item(job: Summary, now: int) -> dict[str, Any]:
    """A job as lists and the live socket show it; `now` is a wall time in microseconds."""
    return {
        "id": job.id,
        "parent_id": job.parent_id,
        "root_id": job.root_id,
        "depth": job.depth,
        "type": job.type,
        "phase": job.phase.name.lower(),
        "name": job.name,
        "status": job.status.word,
        "priority": job.priority,
        "attempt": job.attempt,
        "round": job.round,
        "rerun_of": job.rerun_of,
        "held": job.held,
        "waiting": job.waiting,
        "stopping": job.stopping,
        "created_at": rfc3339(job.created_at),
        "run_at": when(job.run_at),
        "started_at": when(job.started_at),
        "completed_at": when(job.completed_at),
        "duration": seconds(_duration(job, now)),
        "wait": seconds(_wait(job, now)),
        "progress_current": job.progress_current,
        "progress_total": job.progress_total,
        "progress_text": job.progress_text,
        "counts": counts_of(job.counts),
        "warnings": job.warnings,
        "error": job.error,
        "actions": actions_of(job),
    }


def counts_of(counts: Counts) -> dict[str, int]:
    """Descendants by status, with their sum and how many have ended."""
    return {
        "pending": counts.pending,
        "running": counts.running,
        "completed": counts.completed,
        "failed": counts.failed,
        "cancelled": counts.cancelled,
        "total": counts.total,
        "done": counts.done,
    }


def _duration(job: Summary, now: int) -> int | None:
    if job.started_at is None:
        return None
    return (job.completed_at or now) - job.started_at


def _wait(job: Summary, now: int) -> int | None:
    """From the moment the job could start until it did; not known for a later attempt."""
    if job.round > 1 or job.attempt > 1 or job.held:
        return None
    due = max(job.created_at, job.run_at or 0)
    if job.started_at is not None:
        return job.started_at - due
    return now - due if job.status is Status.PENDING else None


_PARTS = {each.name for each in (PAGE, STEP_TYPE)}
"""Types of jobs that are part of others and do nothing alone, as a copy would be."""


def actions_of(job: Summary) -> list[str]:
    """What may be done to a job as it is now."""
    found = []
    if job.status.open and not job.stopping:
        found += ["cancel", "fail"]
    if job.status.open and job.held:
        found.append("start")
    given_up = job.status is Status.CANCELLED and job.parent_id is None
    if job.status is Status.FAILED or (job.counts.failed and not given_up):
        found.append("retry")
    if not job.status.open:
        found.append("rerun")
    if job.type not in _PARTS:
        found.append("copy")
    if job.status is not Status.RUNNING and not job.counts.running:
        found.append("delete")
    return [*found, "update"]


def job_detail(job: Detail, now: int) -> dict[str, Any]:
    """All that is known of one job; payload and result are the stored JSON, unread."""
    return {
        **job_item(job.summary, now),
        "description": job.description,
        "payload": msgspec.Raw(job.payload.encode()),
        "result": raw(job.result),
        "attempts": [attempt_of(each) for each in job.attempts],
        "max_child_failures": job.max_child_failures,
        "failure_action": job.failure_action.name.lower(),
        "needs": [
            {
                "id": each.id,
                "name": each.name,
                "status": each.status.word,
                "any_end": each.any_end,
                "met": each.met,
            }
            for each in job.needs
        ],
        "logs_count": levels_of(job.logs),
        "logs_capped": job.logs_capped,
        "documents": job.documents,
        "documents_capped": job.documents_capped,
    }


def raw(text: str | None) -> Any:
    """JSON text to be put into an answer as it is."""
    return None if text is None else msgspec.Raw(text.encode())


def attempt_of(attempt: Attempt) -> dict[str, Any]:
    """An attempt that did not end well."""
    return {
        "attempt": attempt.attempt,
        "round": attempt.round,
        "started_at": when(attempt.started_at),
        "ended_at": rfc3339(attempt.ended_at),
        "outcome": attempt.outcome,
        "error": attempt.error,
    }


# -- logs


def log_line(line: LogLine) -> dict[str, Any]:
    """One entry of a log."""
    return {
        "id": line.id,
        "job_id": line.job_id,
        "attempt": line.attempt,
        "at": rfc3339(line.at),
        "level": line.level.name.lower(),
        "message": line.message,
        "fields": raw(line.fields),
        "type": line.type,
        "name": line.name,
    }


def levels_of(counts: Mapping[Level, int]) -> dict[str, int]:
    """How many entries each level has."""
    return {level.name.lower(): counts.get(level, 0) for level in Level}


# -- documents


def document_item(document: DocumentSummary) -> dict[str, Any]:
    """A document as lists show it."""
    return {
        "id": document.id,
        "source_id": document.source_id,
        "url": document.url,
        "site": document.site,
        "source_type": document.source_type,
        "entity_type": document.entity_type,
        "title": document.title,
        "description": document.description,
        "language": document.language,
        "author": document.author,
        "published": document.published,
        "modified": document.modified,
        "words": document.words,
        "bytes": document.bytes,
        "detail_level": document.detail_level.name.lower(),
        "version": document.version,
        "first_seen": rfc3339(document.first_seen),
        "fetched_at": rfc3339(document.fetched_at),
        "changed_at": rfc3339(document.changed_at),
        "gone_at": when(document.gone_at),
        "job_id": document.job_id,
        "root_id": document.root_id,
        "tags": document.tags,
    }


def page_of(items: Iterable[Any], next_cursor: str | None, **more: Any) -> dict[str, Any]:
    """A page of a list."""
    return {"items": list(items), "next_cursor": next_cursor, **more}


def counted(count: int, one: str) -> str:
    """A number of things in words: `1 job`, `2 jobs`."""
    return f"{count} {one}" if count == 1 else f"{count} {one}s"
