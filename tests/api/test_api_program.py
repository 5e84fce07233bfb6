"""The queue, the program's state and settings, and the interface's own description."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import httpx
import jsonschema_rs
import pytest
from fastapi import FastAPI

from quaero.api.ring import LogRing
from quaero.api.routes import queue as queue_routes
from quaero.clock import SystemClock
from quaero.db.contract import Tx
from quaero.jobs import run
from quaero.jobs.create import create
from quaero.jobs.model import JobSpec
from quaero.queue.claim import Claim
from quaero.queue.holders import Holders
from quaero.queue.message import Lane
from quaero.testing.jobs import working
from quaero.upkeep.bulk import bulk_type

from ..opening import Opened  # noqa: TID252


async def test_the_queue_shows_its_numbers_workers_and_lanes(
    web: httpx.AsyncClient, opened: Opened
) -> None:
    specs = [JobSpec("page", "{}", name=f"p{n}", lane=Lane("a.example", 1)) for n in range(3)]
    ids = await opened.db.write(create, 1, specs)
    holder = await Holders(opened.db.path, SystemClock()).join(opened.db, 4)

    def start(tx: Tx) -> None:
        works = run.claim(tx, 1, Claim(1, 10**9, holder.id))
        run.started(tx, [(work, tx.now) for work in works])

    await opened.db.write(start)
    found = (await web.get("/api/queue")).json()
    assert (found["ready"], found["in_flight"], found["lanes_total"]) == (2, 1, 1)
    (lane,) = found["lanes"]
    assert (lane["key"], lane["ready"], lane["running"], lane["state"]) == (
        "a.example", 2, 1, "full"
    )  # fmt: skip
    (worker,) = found["workers"]
    assert (worker["alive"], worker["slots"]) == (True, 4)
    assert [job["job_id"] for job in worker["running"]] == [ids[0]]
    holder.abandon()
    assert (await web.get("/api/queue")).json()["workers"][0]["alive"] is False


async def test_pause_resume_and_purge(web: httpx.AsyncClient, opened: Opened) -> None:
    await opened.db.write(create, 1, [JobSpec("page", "{}")] * 3)
    assert (await web.post("/api/queue/pause")).json() == {"paused": True}
    assert (await web.get("/api/queue")).json()["paused"] is True
    assert (await web.post("/api/queue/resume")).json() == {"paused": False}
    refused = await web.post("/api/queue/purge", json={"expected_count": 2})
    assert (refused.status_code, "3 messages" in refused.json()["detail"]) == (409, True)
    done = await web.post("/api/queue/purge", json={"expected_count": 3})
    assert done.json() == {"removed": 3, "done": True}
    figures = (await web.get("/api/jobs/stats")).json()
    assert (figures["top"]["cancelled"], figures["working"]) == (3, 0)


async def test_a_purge_leaves_what_came_after_the_number_was_looked_at(
    web: httpx.AsyncClient, opened: Opened, overtake: Callable[[], None]
) -> None:
    await opened.db.write(create, 1, [JobSpec("page", "{}")] * 3)
    overtake()
    done = await web.post("/api/queue/purge", json={"expected_count": 3})
    assert done.json() == {"removed": 3, "done": True}


async def test_what_a_purge_leaves_behind_its_answer_is_removed_by_a_job(
    web: httpx.AsyncClient, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    await opened.db.write(create, 1, [JobSpec("page", "{}")] * 3)
    monkeypatch.setattr(queue_routes, "PATIENCE", -1.0)
    asked = await web.post("/api/queue/purge", json={"expected_count": 3})
    assert (asked.status_code, asked.json()) == (202, {"removed": 0, "done": False})
    rest = asked.headers["Location"]
    (later,) = await opened.db.write(create, 1, [JobSpec("page", "{}")])
    await web.post("/api/queue/pause")
    async with working(opened.db, [bulk_type(opened.db)]) as bench:
        await bench.ended(int(rest.rsplit("/", 1)[1]))
    done = (await web.get(rest)).json()
    assert (done["status"], done["result"]) == ("completed", {"action": "purge", "done": 3})
    figures = (await web.get("/api/jobs/stats")).json()
    assert figures["top"]["cancelled"] == 3
    assert (await web.get(f"/api/jobs/{later}")).json()["status"] == "pending"


async def test_settings_are_shown_with_where_they_come_from(
    make_app: Callable[..., FastAPI],
) -> None:
    transport = httpx.ASGITransport(app=make_app(queue__concurrency=9))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as web:
        found = (await web.get("/api/config")).json()
    by_key = {each["key"]: each for each in found["settings"]}
    assert by_key["queue.concurrency"]["value"] == "9"
    assert by_key["queue.concurrency"]["source"] == "command line"
    assert by_key["queue.poll_interval"]["source"] == "default"


async def test_the_program_tells_its_state_and_its_log(
    web: httpx.AsyncClient, app: FastAPI, opened: Opened
) -> None:
    await opened.db.write(create, 1, [JobSpec("page", "{}")])
    status = (await web.get("/api/status")).json()
    assert (status["jobs"], status["jobs_pending"], status["paused"]) == (1, 1, False)
    assert status["storage"]["database"] > 0
    record = logging.LogRecord("quaero.x", logging.WARNING, "", 0, "disk %s", ("low",), None)
    app.state.parts.log.handle(record)
    app.state.parts.log.handle(logging.makeLogRecord({"levelname": "INFO", "msg": "all is well"}))
    lines = (await web.get("/api/logs")).json()["items"]
    assert [line["message"] for line in lines] == ["all is well", "disk low"]
    grave = (await web.get("/api/logs?level=warn&text=DISK")).json()["items"]
    assert [line["logger"] for line in grave] == ["quaero.x"]


def test_a_line_of_a_server_that_is_started_again_is_none_of_those_before() -> None:
    numbers = []
    for begun_at in (1_000_000, 9_000_000):
        ring = LogRing(begun_at)
        for _ in range(3):
            ring.handle(logging.makeLogRecord({"levelname": "INFO", "msg": "all is well"}))
        numbers += [line.id for line in reversed(ring.lines("debug", "", None, 10))]
    assert numbers == sorted(set(numbers))


async def test_job_types_tell_the_schema_of_their_payloads(web: httpx.AsyncClient) -> None:
    types = {each["name"]: each for each in (await web.get("/api/job-types")).json()}
    assert {"crawler", "cleanup", "bulk_action"} <= set(types)
    assert types["crawler"]["schema"]["required"] == ["seeds"]
    assert types["crawler"]["timeout"] == 600
    assert types["transform"]["timeout"] == 6 * 3_600
    assert {"document_ids", "source", "tag", "query", "dry_run"} <= set(
        types["transform"]["schema"]["properties"]
    )


async def test_every_operation_is_described_with_its_problems(app: FastAPI) -> None:
    described: dict[str, Any] = app.openapi()
    assert described["openapi"].startswith("3.1")
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            said = f"{method} {path}"
            assert operation["summary"], said
            assert operation["description"], said
            assert operation["tags"], said
            assert "application/problem+json" in operation["responses"]["default"]["content"], said
            body = operation.get("requestBody")
            if method in {"post", "put", "patch"} and body:
                assert operation["responses"]["422"]["content"], said
    names = [op["operationId"] for ways in described["paths"].values() for op in ways.values()]
    assert len(names) == len(set(names))


def bounds_in_other_words(part: Any) -> list[str]:
    """Bounds that JSON Schema does not know, which no client would keep to."""
    if isinstance(part, list):
        return [name for each in part for name in bounds_in_other_words(each)]
    if not isinstance(part, dict):
        return []
    own = [name for name in ("ge", "le", "gt", "lt") if isinstance(part.get(name), int | float)]
    return own + [name for each in part.values() for name in bounds_in_other_words(each)]


async def test_bounds_of_numbers_are_said_as_json_schema_says_them(
    app: FastAPI, web: httpx.AsyncClient
) -> None:
    described = app.openapi()
    assert bounds_in_other_words(described) == []
    assert bounds_in_other_words((await web.get("/api/job-types")).json()) == []
    (limit,) = (
        each
        for each in described["paths"]["/api/jobs"]["get"]["parameters"]
        if each["name"] == "limit"
    )
    assert (limit["schema"]["minimum"], limit["schema"]["maximum"]) == (1, 200)
    step = described["components"]["schemas"]["Step"]["properties"]
    assert step["timeout"]["anyOf"][0]["exclusiveMinimum"] == 0


@pytest.mark.parametrize("name", ["JobItem", "Job", "NewJob", "Problem", "LogEntry", "Bulk"])
def test_examples_fit_their_models(app: FastAPI, name: str) -> None:
    described = app.openapi()
    schema = {"$ref": f"#/components/schemas/{name}", "components": described["components"]}
    (example,) = described["components"]["schemas"][name]["examples"]
    jsonschema_rs.validate(schema, example)


async def test_every_body_and_answer_has_an_example_that_fits(app: FastAPI) -> None:
    described = app.openapi()
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            contents = [each.get("content", {}) for each in operation["responses"].values()]
            contents.append(operation.get("requestBody", {}).get("content", {}))
            for content in contents:
                shown = content.get("application/json")
                if shown is None:
                    continue
                schema = {**shown["schema"], "components": described["components"]}
                assert jsonschema_rs.is_valid(schema, shown["example"]), f"{method} {path}"


@pytest.mark.parametrize("path", ["/api/queue", "/api/jobs/stats", "/api/ready", "/api/config"])
async def test_a_word_that_means_nothing_is_named(web, path):
    answer = await web.get(path, params={"limt": "5"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "?limt"


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("/api/documents?tag=a&tag=b", "tag"),
        ("/api/documents/export?source=0&source=1", "source"),
        ("/api/stats/minutes?from=2026-01-01&from=2026-01-02&to=2026-01-02", "from"),
        ("/api/jobs?status=failed&status=completed&limit=1&limit=2", "limit"),
    ],
)
async def test_a_word_that_is_there_twice_where_one_counts_is_named(web, path, word):
    answer = await web.get(path)
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert (error["pointer"], "twice" in error["detail"]) == (f"?{word}", True)


async def test_a_word_that_takes_several_values_may_be_there_twice(web):
    answer = await web.get("/api/jobs?status=failed&status=completed")
    assert answer.status_code == 200
