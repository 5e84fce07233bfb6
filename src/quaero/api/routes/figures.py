"""Figures over time, and how the program is."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import Response

from quaero.api.answers import answer
from quaero.api.describing import errors
from quaero.api.fields import Time
from quaero.api.models import Answer, Words
from quaero.api.parts import Parts
from quaero.api.pictures import health_picture
from quaero.clock import DAY, MINUTE
from quaero.db.contract import ReadTx
from quaero.errors import BadInput
from quaero.reports import minutes
from quaero.reports.health import health
from quaero.reports.wanted import Moment, written

router = APIRouter(prefix="/api", tags=["system"])

LONGEST = 400 * DAY


class Minutes(Answer):
    """What happened, a point each `step_seconds`; null where the program did not run.

    `minutes` are Unix seconds, at which the points begin; times are seconds.
    """

    step_seconds: int
    minutes: list[int]
    completed: list[int | None]
    failed: list[int | None]
    cancelled: list[int | None]
    wait_p50: list[float | None]
    wait_p95: list[float | None]
    wait_p99: list[float | None]
    run_p50: list[float | None]
    run_p95: list[float | None]
    run_p99: list[float | None]
    depth: list[int | None]


class Range(Words):
    """Of when: the last hour unless asked otherwise."""

    since: Annotated[Moment | None, Field(alias="from")] = None
    until: Annotated[Moment | None, Field(alias="to")] = None
    type: Annotated[str | None, Field(min_length=1, max_length=200)] = None


@router.get("/stats/minutes", response_model=Minutes, responses=errors(400))
async def get_minutes(parts: Parts, words: Annotated[Range, Query()]) -> Response:
    """Throughput, times and depth over a range of time; a long range has longer steps."""
    until = parts.clock.wall() if words.until is None else words.until
    since = until - 60 * MINUTE if words.since is None else words.since
    if not 0 < until - since <= LONGEST:
        span = f"from {written(since)} to {written(until)}"
        raise BadInput(f"{span}: it must be a range of time, of at most 400 days")
    return answer(await parts.db.read(_minutes, parts.queue_id, since, until, words.type))


def _minutes(
    tx: ReadTx, queue_id: int, since: int, until: int, type_: str | None
) -> dict[str, Any]:
    found = minutes.series(tx, queue_id, since, until, type_)
    return {
        "step_seconds": found.step,
        "minutes": found.at,
        "completed": found.completed,
        "failed": found.failed,
        "cancelled": found.cancelled,
        **{f"wait_p{percent}": times for percent, times in found.wait.items()},
        **{f"run_p{percent}": times for percent, times in found.run.items()},
        "depth": found.depth,
    }


class LoopModel(Answer):
    """One loop of a process."""

    name: str
    period_seconds: float
    turns: int
    last_at: Time | None
    late: bool
    error: str | None


class ProcessModel(Answer):
    """One process of the program; `commit_seconds` is the median of its latest commits."""

    id: int
    role: str
    pid: int
    host: str
    alive: bool
    started_at: Time
    told_at: Time
    rss_bytes: int
    commits: int
    commit_seconds: float | None
    loops: list[LoopModel]


class DiskModel(Answer):
    """The room where the database lies, in bytes."""

    total: int
    free: int
    database: int


class FeedModel(Answer):
    """The change feed: its newest entry, and how far the slowest reader is behind."""

    head: int
    lag: int


class HealthModel(Answer):
    """How the program is; `problems` says in a sentence each what is wrong."""

    status: str
    problems: list[str]
    processes: list[ProcessModel]
    disk: DiskModel
    commit_seconds: float | None
    feed: FeedModel


@router.get("/health", response_model=HealthModel, responses=errors())
async def get_health(parts: Parts) -> Response:
    """All processes with their loops, the disk, the commits and the feed."""
    return answer(health_picture(await parts.db.read(health, parts.db.path)))
