"""Figures over time and the program's health, over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from quaero.api.live.running import live
from quaero.api.parts import WebParts
from quaero.api.pictures import views
from quaero.clock import SECOND
from quaero.jobs.minutes import Measure

from ..opening import Opened  # noqa: TID252

ROWS = [
    "completed",
    "failed",
    "cancelled",
    "wait_p50",
    "wait_p95",
    "wait_p99",
    "run_p50",
    "run_p95",
    "run_p99",
    "depth",
]


@pytest.fixture
async def running(app: FastAPI) -> AsyncIterator[WebParts]:
    """The application with what goes on behind it."""
    parts: WebParts = app.state.parts
    async with live(app, parts, views(parts)):
        yield parts


async def test_a_range_has_a_point_a_minute_and_gaps_where_nothing_ran(
    web: httpx.AsyncClient, opened: Opened
) -> None:
    now = opened.wall // SECOND
    minute = now // 60

    def ended(tx: Any) -> None:
        tx.execute(
            "insert into job_minute(minute, type, measure, bucket, n) values($1, 'crawler', $2, 2, 5)",
            (minute, Measure.ENDED),
        )

    await opened.db.write(ended)
    answer = await web.get("/api/stats/minutes")
    assert answer.status_code == 200
    found = answer.json()
    assert found["step_seconds"] == 60
    assert {len(found[row]) for row in ROWS} == {len(found["minutes"])}
    at = found["minutes"].index(minute * 60)
    assert found["completed"][at] == 5
    assert found["completed"][0] is None
    other = await web.get("/api/stats/minutes", params={"type": "other"})
    assert set(other.json()["completed"]) == {None}


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ({"from": "2026-11-22T06:00:00Z", "to": "2026-11-22T07:00:00Z"}, 200),
        ({"from": "2026-11-22T07:00:00Z", "to": "2026-11-22T06:00:00Z"}, 400),
        ({"from": "2020-01-01T00:00:00Z", "to": "2026-11-22T06:00:00Z"}, 400),
        ({"from": "yesterday"}, 422),
        ({"step": "60"}, 422),
    ],
)
async def test_a_range_is_checked(
    web: httpx.AsyncClient, words: dict[str, str], status: int
) -> None:
    assert (await web.get("/api/stats/minutes", params=words)).status_code == status


async def test_a_long_range_has_longer_steps(web: httpx.AsyncClient) -> None:
    words = {"from": "2026-01-01T00:00:00Z", "to": "2026-11-01T00:00:00Z"}
    found = (await web.get("/api/stats/minutes", params=words)).json()
    assert found["step_seconds"] > 60
    assert len(found["minutes"]) <= 1_502


@pytest.mark.usefixtures("running")
async def test_health_tells_of_this_process_and_misses_the_worker(web: httpx.AsyncClient) -> None:
    found = (await web.get("/api/health")).json()
    assert found["status"] == "degraded"
    assert any("no worker is alive" in each for each in found["problems"])
    (own,) = found["processes"]
    assert (own["role"], own["alive"]) == ("web", True)
    assert own["rss_bytes"] > 0
    assert "live" in {loop["name"] for loop in own["loops"]}
    assert found["disk"]["free"] <= found["disk"]["total"]


@pytest.mark.usefixtures("running")
async def test_the_figures_of_the_last_day_are_in_the_statistics(web: httpx.AsyncClient) -> None:
    day = (await web.get("/api/jobs/stats")).json()["last_24h"]
    assert (day["completed"], day["mean_run_seconds"], day["p99"]) == (0, None, None)
    rates = (await web.get("/api/queue")).json()["rates"]
    assert rates == {"per_minute": [0] * 60}
