"""The kinds of jobs there are, and how many jobs of each."""

from __future__ import annotations

import inspect
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from quaero.api.answers import answer, seconds
from quaero.api.describing import errors
from quaero.api.models import Answer, JobTypeModel
from quaero.api.parts import Parts
from quaero.db.contract import ReadTx
from quaero.jobs.model import Status
from quaero.jobs.read import counts_by_status
from quaero.queue.stats import stats
from quaero.reports.minutes import last_day, percentile
from quaero.work.registry import JobType

router = APIRouter(prefix="/api", tags=["jobs"])

PERCENTS = (50, 95, 99)


class StatusCounts(Answer):
    """Jobs by status."""

    pending: int
    running: int
    completed: int
    failed: int
    cancelled: int


class TypeCounts(Answer):
    """Jobs of one type by status."""

    type: str
    counts: StatusCounts


class LastDay(Answer):
    """What ended in the last 24 hours, and how long attempts ran and waited, in seconds."""

    completed: int
    failed: int
    cancelled: int
    mean_run_seconds: float | None
    p50: float | None
    p95: float | None
    p99: float | None
    wait_p50: float | None
    wait_p95: float | None
    wait_p99: float | None


class JobStats(Answer):
    """Figures about all jobs.

    Counts are by status, and a parent that waits for others is running as well; `working` are those
    that workers hold.
    """

    working: int
    top: StatusCounts
    all: StatusCounts
    types: list[TypeCounts]
    last_24h: LastDay
    oldest_waiting_seconds: float | None


@router.get("/job-types", response_model=list[JobTypeModel], responses=errors())
async def list_job_types(parts: Parts) -> Response:
    """List the job types with the JSON Schema of their payloads."""
    default = parts.settings.work.default_timeout
    return answer([_described(each, default) for each in sorted(parts.registry, key=_name)])


def _name(job_type: JobType[Any]) -> str:
    return job_type.name


def _described(job_type: JobType[Any], default: float) -> dict[str, Any]:
    return {
        "name": job_type.name,
        "title": job_type.name.replace("_", " ").capitalize(),
        "description": inspect.getdoc(job_type.payload) or "",
        "schema": job_type.payload.model_json_schema(),
        "timeout": job_type.timeout or default,
        "part_of": job_type.part_of,
    }


@router.get("/jobs/stats", response_model=JobStats, responses=errors())
async def get_job_stats(parts: Parts) -> Response:
    """How many jobs there are by status, of each type too, and how they fared in the last day."""
    return answer(await parts.db.read(_stats, parts.queue_id))


def _stats(tx: ReadTx, queue_id: int) -> dict[str, Any]:
    top, below = counts_by_status(tx, top=True), counts_by_status(tx, top=False)
    queue = stats(tx, queue_id)
    return {
        "working": queue.in_flight,
        "top": _words(top),
        "all": _words({status: top[status] + below[status] for status in Status}),
        "types": _by_type(tx),
        "last_24h": _last_day(tx),
        "oldest_waiting_seconds": seconds(queue.oldest_ready),
    }


def _last_day(tx: ReadTx) -> dict[str, Any]:
    day = last_day(tx)
    return {
        "completed": day.completed,
        "failed": day.failed,
        "cancelled": day.cancelled,
        "mean_run_seconds": day.mean_run,
        **{f"p{percent}": percentile(day.runs, percent) for percent in PERCENTS},
        **{f"wait_p{percent}": percentile(day.waits, percent) for percent in PERCENTS},
    }


def _by_type(tx: ReadTx) -> list[dict[str, Any]]:
    found: dict[str, dict[Status, int]] = {}
    for type_, status, n in tx.execute(
        "select type, status, sum(n) from job_count group by type, status order by type"
    ):
        found.setdefault(type_, dict.fromkeys(Status, 0))[Status(status)] = n
    return [
        {"type": type_, "counts": _words(counts)}
        for type_, counts in found.items()
        if any(counts.values())
    ]


def _words(counts: dict[Status, int]) -> dict[str, int]:
    return {status.word: counts[status] for status in Status}
