"""Jobs over HTTP: listing, creating, editing, steering, logs and bulk actions."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable
from random import Random
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from pydantic import BaseModel

from quaero.api.routes import logs as log_routes
from quaero.clock import SECOND
from quaero.db.contract import Tx
from quaero.jobs import check, logs, run
from quaero.jobs.create import create
from quaero.jobs.logs import Entry, Level
from quaero.jobs.model import JobSpec, Status
from quaero.jobs.run import Completed, Failed
from quaero.queue.claim import Claim
from quaero.testing.jobs import working
from quaero.upkeep.bulk import bulk_type
from quaero.work.registry import JobType, Result

from ..opening import Opened  # noqa: TID252

CRAWL = {"type": "crawler", "payload": {"seeds": ["https://docs.example.org/"]}}


async def make(opened: Opened, *specs: JobSpec) -> list[int]:
    return list(await opened.db.write(create, 1, specs or [JobSpec("crawler", "{}")]))


async def end(opened: Opened, *, fail: tuple[int, ...] = (), spawn: int = 0) -> None:
    """Claim everything and end it, some of it badly; those that end well have children."""

    def settle(tx: Tx) -> None:
        works = run.claim(tx, 1, Claim(1_000, 60 * SECOND))
        run.started(tx, [(work, tx.now) for work in works])
        outcomes = [
            Failed(work, tx.now, error="no such host", permanent=True)
            if work.job_id in fail
            else Completed(work, tx.now, spawn=[JobSpec("crawler_url", "{}")] * spawn)
            for work in works
        ]
        run.settle_all(tx, outcomes, 3, Random(1))

    await opened.db.write(settle)


# -- creating


async def test_a_job_is_created_and_found_at_its_address(web: httpx.AsyncClient) -> None:
    made = await web.post("/api/jobs", json={**CRAWL, "priority": 3, "description": "d"})
    assert made.status_code == 201
    job = (await web.get(made.headers["location"])).json()
    assert job == made.json()
    assert (job["status"], job["priority"], job["description"]) == ("pending", 3, "d")
    assert job["name"] == "https://docs.example.org/"
    assert job["payload"]["max_pages"] == 100
    assert job["actions"] == ["cancel", "fail", "copy", "delete", "update"]
    assert job["logs_count"] == {"debug": 0, "info": 1, "warn": 0, "error": 0}


async def test_a_child_is_created_in_the_phase_of_its_parent(
    web: httpx.AsyncClient, opened: Opened
) -> None:
    (root,) = await make(opened)
    made = [
        (await web.post("/api/jobs", json={**CRAWL, "parent_id": root, "phase": phase})).json()
        for phase in ("pre", "core", "post")
    ]
    assert [(job["parent_id"], job["root_id"], job["phase"]) for job in made] == [
        (root, root, "pre"), (root, root, "core"), (root, root, "post")
    ]  # fmt: skip
    assert [job["waiting"] for job in made] == [False, False, False]
    parent = (await web.get(f"/api/jobs/{root}")).json()
    assert (parent["counts"]["pending"], parent["status"]) == (3, "pending")
    key = {"idempotency-key": "one"}
    again = [
        (await web.post("/api/jobs", json={**CRAWL, "parent_id": root}, headers=key)).json()["id"]
        for _ in range(2)
    ]
    assert again[0] == again[1]
    assert (await web.get(f"/api/jobs/{root}")).json()["counts"]["pending"] == 4


async def test_a_child_needs_a_parent_that_has_not_ended(
    web: httpx.AsyncClient, opened: Opened
) -> None:
    (root,) = await make(opened)
    await end(opened)
    before = (await web.get("/api/jobs?parent=any&count=true")).json()["total"]["count"]
    ended = await web.post("/api/jobs", json={**CRAWL, "parent_id": root})
    assert (ended.status_code, ended.json()["detail"]) == (
        409, f"job {root} is completed; it takes no more children"
    )  # fmt: skip
    assert (await web.post("/api/jobs", json={**CRAWL, "parent_id": 99})).status_code == 404
    after = (await web.get("/api/jobs?parent=any&count=true")).json()["total"]["count"]
    assert after == before


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"type": "crawler", "payload": {"seeds": []}}, "/payload/seeds"),
        ({"type": "crawler", "payload": {"seeds": ["https://a.org"], "max_depth": -1}},
         "/payload/max_depth"),
        ({"type": "crawler", "payload": {"seeds": ["https://a.org"], "x~/y": 1}},
         "/payload/x~0~1y"),
        ({"type": "nothing"}, "/type"),
        ({**CRAWL, "priority": "high"}, "/priority"),
        ({**CRAWL, "extra": 1}, "/extra"),
        ({**CRAWL, "name": "  "}, "/name"),
        ({**CRAWL, "name": "a\0b"}, "/name"),
        ({**CRAWL, "name": "two\nlines"}, "/name"),
        ({**CRAWL, "description": "a\0b"}, "/description"),
        ({**CRAWL, "run_at": "tomorrow"}, "/run_at"),
        ({**CRAWL, "phase": "middle"}, "/phase"),
        ({**CRAWL, "phase": "pre"}, "/phase"),
    ],
)  # fmt: skip
async def test_a_wrong_field_is_named_by_its_pointer(
    web: httpx.AsyncClient, body: dict[str, Any], pointer: str
) -> None:
    refused = await web.post("/api/jobs", json=body)
    assert refused.status_code == 422
    assert refused.headers["content-type"] == "application/problem+json"
    assert pointer in [each["pointer"] for each in refused.json()["errors"]]
    assert (await web.get("/api/jobs?count=true")).json()["total"]["count"] == 0


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b'{"type": NaN}', 400),
        (b'{"type": "\\ud800"}', 400),
        (b'{"payload": ' + b"[" * 101 + b"]" * 101 + b"}", 400),
        (b"[" * 1_000_000, 400),
        (b'{"type": 1e999}', 400),
        (b"", 422),
        (b"[]", 422),
    ],
)
async def test_what_is_not_json_is_refused(
    web: httpx.AsyncClient, body: bytes, status: int
) -> None:
    answer = await web.post("/api/jobs", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_transform_is_told_which_documents_in_one_way_or_the_other(
    web: httpx.AsyncClient,
) -> None:
    payload: dict[str, Any] = {"source": "handbook", "tag": "sea", "dry_run": True}
    made = await web.post("/api/jobs", json={"type": "transform", "payload": payload})
    assert made.status_code == 201
    assert made.json()["payload"].items() >= payload.items()
    payload["document_ids"] = [1]
    refused = await web.post("/api/jobs", json={"type": "transform", "payload": payload})
    assert refused.status_code == 422
    assert "document_ids stands alone" in refused.text


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ('{"type": "crawler", "type": "cleanup"}', "/type"),
        ('{"type": "crawler", "payload": {"seeds": [], "a~/b": 1, "a~/b": 1}}', "/payload/a~0~1b"),
        ('{"payload": {"x": [1, {"y": {}, "y": 2}]}, "type": "crawler"}', "/payload/x/1/y"),
        ('{"payload": {"a": 1, "a": 1}, "payload": {"b": {}, "c": {}}}', "/payload"),
        ('{"ty\\u0070e": "crawler", "type": "crawler"}', "/type"),
    ],
)
async def test_a_name_that_is_there_twice_is_refused_by_its_pointer(
    web: httpx.AsyncClient, body: str, pointer: str
) -> None:
    answer = await web.post("/api/jobs", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]


@pytest.mark.parametrize(
    "path",
    ["/api/jobs/1.0", "/api/jobs/01", "/api/jobs/+1", "/api/jobs/1_0", "/api/jobs/1.0/logs",
     "/api/jobs/%201", "/api/jobs?limit=1.0", "/api/documents/1.0", "/api/documents?root=1.0"],
)  # fmt: skip
async def test_a_number_of_an_address_is_written_in_one_way(
    web: httpx.AsyncClient, opened: Opened, path: str
) -> None:
    await make(opened)
    assert (await web.get(path)).status_code == 422


async def test_brackets_in_strings_do_not_count_as_depth(web: httpx.AsyncClient) -> None:
    answer = await web.post("/api/jobs", json={**CRAWL, "name": '[{"' * 200})
    assert answer.status_code == 201


async def test_another_content_type_is_refused(web: httpx.AsyncClient) -> None:
    answer = await web.post("/api/jobs", content="x", headers={"content-type": "application/toml"})
    assert answer.status_code == 415


async def test_the_same_key_makes_one_job(web: httpx.AsyncClient, opened: Opened) -> None:
    key = {"Idempotency-Key": "a-1"}
    first = await web.post("/api/jobs", json=CRAWL, headers=key)
    again = await web.post("/api/jobs", json=CRAWL, headers=key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    other = await web.post("/api/jobs", json={**CRAWL, "priority": 1}, headers=key)
    assert other.status_code == 409
    opened.clock.pass_time(90_000)
    later = await web.post("/api/jobs", json=CRAWL, headers=key)
    assert later.json()["id"] != first.json()["id"]


# -- lists


async def test_pages_follow_one_another_and_a_cursor_keeps_to_its_filter(
    web: httpx.AsyncClient, opened: Opened
) -> None:
    ids = await make(opened, *[JobSpec("crawler", "{}")] * 5)
    first = (await web.get("/api/jobs?limit=2&count=true")).json()
    assert [job["id"] for job in first["items"]] == ids[:-3:-1]
    assert first["total"] == {"count": 5, "capped": False}
    assert "payload" not in first["items"][0]
    cursor = first["next_cursor"]
    second = (await web.get(f"/api/jobs?limit=3&cursor={cursor}")).json()
    assert [job["id"] for job in second["items"]] == ids[2::-1]
    assert second["next_cursor"] is None
    for query in ("order=created", "status=failed", "parent=any", "text=x"):
        refused = await web.get(f"/api/jobs?{query}&cursor={cursor}")
        assert (refused.status_code, refused.json()["type"]) == (400, "/api/docs#bad-input")


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=201", "status=lost", "order=name", "parent=-1", "created_after=yesterday",
     "count=1", "unknown=1", "cursor=%00", "text="],
)  # fmt: skip
async def test_a_query_that_makes_no_sense_is_refused(web: httpx.AsyncClient, query: str) -> None:
    refused = await web.get(f"/api/jobs?{query}")
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"].startswith(f"?{query.split('=', maxsplit=1)[0]}")


async def test_children_and_trees_are_read_in_order(web: httpx.AsyncClient, opened: Opened) -> None:
    (root,) = await make(opened)
    await end(opened, spawn=5)
    children = (await web.get(f"/api/jobs/{root}/children?limit=3&count=true")).json()
    assert [job["id"] for job in children["items"]] == [root + 1, root + 2, root + 3]
    assert children["total"] == {"count": 5, "capped": False}
    tree = (await web.get(f"/api/jobs/{root}/tree?limit=4")).json()
    assert [(job["id"], job["depth"]) for job in tree["items"]][:2] == [(root, 0), (root + 1, 1)]
    rest = await web.get(f"/api/jobs/{root}/tree?cursor={tree['next_cursor']}")
    assert [job["id"] for job in rest.json()["items"]] == [root + 4, root + 5]
    for what in ("", "/children", "/tree", "/logs", "/logs/download", "/results", "/attempts"):
        assert (await web.get(f"/api/jobs/999{what}")).status_code == 404


# -- one


async def test_an_edit_needs_the_version_that_was_read(
    web: httpx.AsyncClient, opened: Opened
) -> None:
    (id_,) = await make(opened)
    path = f"/api/jobs/{id_}"
    version = (await web.get(path)).headers["etag"]
    assert (await web.patch(path, json={"name": "A"})).status_code == 428
    stale = await web.patch(path, json={"name": "A"}, headers={"If-Match": '"old"'})
    assert stale.status_code == 412
    good = await web.patch(
        path,
        content='{"name": "A", "description": "why", "priority": 7}',
        headers={"If-Match": version, "content-type": "application/merge-patch+json"},
    )
    assert (good.status_code, good.json()["name"], good.json()["priority"]) == (200, "A", 7)
    assert good.headers["etag"] != version
    assert (await web.patch(path, json={}, headers={"If-Match": version})).status_code == 412
    gone = await web.patch(path, json={"description": None}, headers={"If-Match": "*"})
    assert (gone.json()["description"], gone.json()["name"]) == (None, "A")
    assert opened.sql("select priority from message where job_id = $1", id_) == [(7,)]


async def test_a_running_job_can_be_edited_though_it_goes_on(
    web: httpx.AsyncClient, opened: Opened
) -> None:
    (root,) = await make(opened)
    version = (await web.get(f"/api/jobs/{root}")).headers["etag"]
    await end(opened, spawn=3)
    edit = await web.patch(f"/api/jobs/{root}", json={"name": "B"}, headers={"If-Match": version})
    assert edit.status_code == 200


async def test_actions_do_what_they_say(web: httpx.AsyncClient, opened: Opened) -> None:
    a, b, c = await make(opened, *[JobSpec("crawler", '{"seeds": ["https://a.org/"]}')] * 3)
    await end(opened, fail=(a,))

    async def act(id_: int, action: str, body: Any = None) -> httpx.Response:
        return await web.post(f"/api/jobs/{id_}/{action}", json=body)

    assert (await act(b, "retry")).status_code == 409
    again = await act(a, "retry")
    assert (again.status_code, again.json()["status"], again.json()["round"]) == (200, "pending", 2)
    rerun = await act(b, "rerun", {"payload": {"seeds": ["https://b.org/"]}})
    assert (rerun.status_code, rerun.json()["rerun_of"]) == (201, b)
    assert rerun.json()["payload"]["seeds"] == ["https://b.org/"]
    wrong = await act(b, "rerun", {"payload": {}})
    assert wrong.json()["errors"][0]["pointer"] == "/payload/seeds"
    copy = await act(c, "copy")
    assert (copy.status_code, copy.json()["held"]) == (201, True)
    copied = copy.json()["id"]
    assert "start" in copy.json()["actions"]
    assert (await act(copied, "start")).json()["held"] is False
    assert (await act(copied, "start")).status_code == 409
    assert (await act(copied, "cancel")).json()["status"] == "cancelled"
    assert (await act(copied, "cancel")).status_code == 200
    assert (await act(copied, "fail", {"reason": "x"})).status_code == 409
    failed = await act(a, "fail", {"reason": "the site moved"})
    assert (failed.json()["status"], failed.json()["error"]) == ("failed", "the site moved")
    assert (await act(999, "cancel")).status_code == 404
    assert opened.read(check.faults) == []


async def test_a_cancelled_tree_with_failed_jobs_offers_no_retry(
    web: httpx.AsyncClient, opened: Opened
) -> None:
    (root,) = await make(opened)
    await end(opened, spawn=2)
    below = (await web.get(f"/api/jobs/{root}/children")).json()["items"]
    await web.post(f"/api/jobs/{below[0]['id']}/fail", json={"reason": "the site moved"})
    assert "retry" in (await web.get(f"/api/jobs/{root}")).json()["actions"]
    found = (await web.post(f"/api/jobs/{root}/cancel")).json()
    assert (found["status"], found["counts"]["failed"]) == ("cancelled", 1)
    assert "retry" not in found["actions"]
    refused = await web.post(f"/api/jobs/{root}/retry")
    assert refused.status_code == 409
    assert f"job {root} was cancelled; rerun that one" in refused.json()["detail"]


@pytest.mark.parametrize(
    ("type_", "payload", "whole"),
    [
        ("crawler_url", {"url": "http://a.org/"}, "crawler"),
        ("workflow_step", {"step": "a"}, "workflow"),
    ],
)
async def test_a_part_of_another_job_is_not_made_by_itself(
    web: httpx.AsyncClient, opened: Opened, type_: str, payload: dict[str, Any], whole: str
) -> None:
    refused = await web.post("/api/jobs", json={"type": type_, "payload": payload})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/type")
    assert f"part of a {whole}" in refused.json()["detail"]
    (root,) = await make(opened, JobSpec(whole, "{}"))
    part = JobSpec(type_, json.dumps(payload))
    (child,) = await opened.db.write(create, 1, [part], root)
    assert "copy" not in (await web.get(f"/api/jobs/{child}")).json()["actions"]
    copy = await web.post(f"/api/jobs/{child}/copy")
    assert (copy.status_code, f"part of a {whole}" in copy.json()["detail"]) == (409, True)
    assert opened.sql("select count(*) from job") == [(2,)]
    types = {each["name"]: each for each in (await web.get("/api/job-types")).json()}
    assert (types[type_]["part_of"], types[whole]["part_of"]) == (whole, None)


async def test_delete_takes_the_tree_and_refuses_what_runs(
    web: httpx.AsyncClient, opened: Opened
) -> None:
    (root,) = await make(opened)
    await end(opened, spawn=2)
    await end(opened)
    assert (await web.delete(f"/api/jobs/{root}")).status_code == 204
    assert (await web.delete(f"/api/jobs/{root}")).status_code == 404
    assert opened.sql("select count(*) from job") == [(0,)]
    (busy,) = await make(opened)
    await end(opened, spawn=1)
    assert (await web.delete(f"/api/jobs/{busy}")).status_code == 409


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/api/jobs/stats", "GET, HEAD"),
        ("POST", "/api/jobs/stats", "GET, HEAD"),
        ("GET", "/api/jobs/bulk", "POST"),
        ("PATCH", "/api/jobs/bulk", "POST"),
        ("DELETE", "/api/queue/dead/bulk", "POST"),
        ("PUT", "/api/jobs/7", "DELETE, GET, HEAD, PATCH"),
    ],
)
async def test_a_path_that_is_written_out_is_not_taken_for_an_id(
    web: httpx.AsyncClient, method: str, path: str, allowed: str
) -> None:
    body = {"json": {}} if method == "PATCH" else {}
    wrong = await web.request(method, path, **body)
    assert (wrong.status_code, wrong.headers["allow"]) == (405, allowed)


async def test_what_a_path_allows_is_named_in_one_header(web: httpx.AsyncClient) -> None:
    wrong = await web.put("/api/jobs")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "GET, HEAD, POST")
    head = await web.head("/api/jobs")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == (await web.get("/api/jobs")).headers["content-length"]


# -- logs


async def test_logs_are_read_searched_followed_and_downloaded(
    web: httpx.AsyncClient, opened: Opened
) -> None:
    (root,) = await make(opened)
    lines = [
        Entry(root, root, 1, opened.wall, Level.WARN, "first\nline \x1b[31m", '{"n":1}'),
        Entry(root, root, 1, opened.wall, Level.DEBUG, "second"),
    ]
    await opened.db.write(logs.write, lines)
    path = f"/api/jobs/{root}/logs"
    found = (await web.get(path)).json()
    assert [line["message"] for line in found["items"]] == [
        "second", "first\nline \x1b[31m", "created"
    ]  # fmt: skip
    assert found["counts"] == {"debug": 1, "info": 1, "warn": 1, "error": 0}
    assert found["items"][1]["fields"] == {"n": 1}
    for query, messages in (
        ("level=warn", 1), ("levels=debug&levels=info", 2), ("levels=debug,info", 2),
        ("text=SECOND", 1), ("tree=false", 3)
    ):  # fmt: skip
        assert len((await web.get(f"{path}?{query}")).json()["items"]) == messages
    assert (await web.get(f"{path}?levels=debug,,info")).status_code == 422
    page = (await web.get(f"{path}?order=asc&limit=2")).json()
    last = (await web.get(f"{path}?order=asc&after={page['next_after']}")).json()
    assert [line["message"] for line in last["items"]] == ["second"]
    follow = asyncio.create_task(
        web.get(f"{path}?order=asc&follow=true&after={last['items'][0]['id']}")
    )
    await asyncio.sleep(0)
    await opened.db.write(logs.write, [Entry(root, root, 1, 0, Level.INFO, "third")])
    assert [line["message"] for line in (await follow).json()["items"]] == ["third"]
    followed = (await web.get(f"{path}?follow=true")).json()["items"]
    assert [line["message"] for line in followed][1:] == [
        "first\nline \x1b[31m", "second", "third"
    ]  # fmt: skip
    refused = await web.get(f"{path}?follow=true&order=desc")
    assert (refused.status_code, "order=asc" in refused.json()["detail"]) == (400, True)
    text = await web.get(f"{path}/download")
    assert text.headers["content-disposition"] == f'attachment; filename="job-{root}.log"'
    assert "first\n    line \\u001b[31m" in text.text
    ndjson = await web.get(f"{path}/download?format=ndjson")
    assert len(ndjson.text.splitlines()) == 4


async def test_the_log_of_a_job_or_of_its_tree_is_deleted_and_counts_stay_exact(
    web: httpx.AsyncClient, opened: Opened
) -> None:
    root, other = await make(opened, *[JobSpec("crawler", "{}")] * 2)
    await end(opened, spawn=1)
    await end(opened, spawn=1)
    rows = await opened.db.read(
        lambda tx: tx.execute("select id from job where parent_id = $1", (root,))
    )
    child = rows[0][0]
    lines = [
        Entry(id_, root, 1, opened.wall, Level.WARN, f"{n}")
        for id_ in (root, child)
        for n in range(1_500)
    ]
    await opened.db.write(logs.write, lines)

    async def left(id_: int) -> int:
        found = (await web.get(f"/api/jobs/{id_}/logs?limit=10000")).json()
        assert sum(found["counts"].values()) == len(found["items"])
        return len(found["items"])

    both, others = await left(root), await left(other)
    own = await left(child)
    gone = await web.delete(f"/api/jobs/{child}/logs")
    assert (gone.status_code, gone.json()) == (200, {"removed": own, "done": True})
    assert (await left(child), await left(root)) == (0, both - own)
    alone = (await web.delete(f"/api/jobs/{root}/logs?tree=false")).json()["removed"]
    assert alone > 1_500
    assert await left(root) == both - own - alone
    assert (await web.delete(f"/api/jobs/{root}/logs")).json()["removed"] == both - own - alone
    assert (await left(root), await left(other)) == (0, others)
    assert (await web.delete(f"/api/jobs/{root}/logs")).json() == {"removed": 0, "done": True}
    assert opened.read(check.faults) == []
    assert (await web.delete("/api/jobs/999/logs")).status_code == 404
    assert (await web.delete(f"/api/jobs/{child}/logs?tree=true")).status_code == 400


@pytest.mark.parametrize("tree", ["true", "false"])
async def test_what_of_a_large_log_is_left_behind_the_answer_is_removed_by_a_job(
    web: httpx.AsyncClient, opened: Opened, monkeypatch: pytest.MonkeyPatch, tree: str
) -> None:
    (root,) = await make(opened)
    await end(opened)
    lines = [Entry(root, root, 1, opened.wall, Level.INFO, f"{n}") for n in range(2_500)]
    await opened.db.write(logs.write, lines)
    ticks = itertools.count()
    clock = SimpleNamespace(monotonic=lambda: next(ticks) * 0.6)
    monkeypatch.setattr(log_routes, "time", clock)
    gone = await web.delete(f"/api/jobs/{root}/logs?tree={tree}")
    assert (gone.status_code, gone.json()) == (202, {"removed": 1_000, "done": False})
    await opened.db.write(logs.write, [lines[0]._replace(message="later")])
    async with working(opened.db, [bulk_type(opened.db)]) as bench:
        done = await bench.ended(int(gone.headers["Location"].rsplit("/", 1)[1]))
    assert done.summary.status is Status.COMPLETED
    left = (await web.get(f"/api/jobs/{root}/logs")).json()["items"]
    assert [line["message"] for line in left] == ["later"]
    assert opened.read(check.faults) == []


async def test_text_is_found_in_any_case_of_any_alphabet(
    web: httpx.AsyncClient, opened: Opened
) -> None:
    names = ["Überprüfung der Ölpumpe", "ПРОВЕРКА", "plain"]
    ids = await make(opened, *[JobSpec("page", "{}", name=name) for name in names])
    lines = [Entry(ids[0], ids[0], 1, opened.wall, Level.INFO, name) for name in names]
    await opened.db.write(logs.write, lines)
    for text, found in (
        ("die ölpumpe", []),
        ("DER ÖLPUMPE", [0]),
        ("проверка", [1]),
        ("PLAIN", [2]),
    ):
        jobs = (await web.get("/api/jobs", params={"text": text})).json()["items"]
        assert [job["id"] for job in jobs] == [ids[n] for n in found]
        told = (await web.get(f"/api/jobs/{ids[0]}/logs", params={"text": text})).json()["items"]
        assert [line["message"] for line in told] == [names[n] for n in found]


# -- bulk


class Anything(BaseModel):
    """No fields."""


async def _nothing(job: Any, payload: Any) -> Result:
    return Result()


async def test_a_bulk_action_is_a_job_and_never_does_more_than_was_shown(
    web: httpx.AsyncClient, opened: Opened
) -> None:
    ids = await make(opened, *[JobSpec("crawler", "{}")] * 5)
    await end(opened, fail=tuple(ids[:3]))
    wish = {"action": "delete", "filter": {"status": ["failed"]}, "expected_count": 2}
    refused = await web.post("/api/jobs/bulk", json=wish)
    assert (refused.status_code, "3 jobs match now" in refused.json()["detail"]) == (409, True)
    assert (refused.json()["count"], refused.json()["count_capped"]) == (3, False)
    asked = await web.post("/api/jobs/bulk", json={**wish, "expected_count": 3})
    assert (asked.status_code, asked.json()["type"]) == (202, "bulk_action")
    later = await make(opened)
    async with working(opened.db, [bulk_type(opened.db)]) as bench:
        done = await bench.ended(asked.json()["id"])
    assert done.summary.status is Status.COMPLETED
    assert done.result == {"action": "delete", "matched": 3, "done": 3, "skipped": 0}
    left = [row[0] for row in opened.sql("select id from job order by id")]
    assert left == [*ids[3:], asked.json()["id"], *later]
    assert opened.read(check.faults) == []


async def test_a_bulk_action_leaves_what_came_after_the_jobs_were_counted(
    web: httpx.AsyncClient, opened: Opened, overtake: Callable[[], None]
) -> None:
    ids = await make(opened, *[JobSpec("page", "{}")] * 2)
    overtake()
    wish = {"action": "cancel", "filter": {"status": ["pending"]}, "expected_count": 2}
    asked = await web.post("/api/jobs/bulk", json=wish)
    assert (asked.status_code, asked.json()["payload"]["up_to"]) == (202, ids[-1])


async def test_a_paused_queue_runs_bulk_actions_and_nothing_else(
    web: httpx.AsyncClient, opened: Opened
) -> None:
    ids = await make(opened, *[JobSpec("page", "{}")] * 3)
    await web.post("/api/queue/pause")
    page = JobType("page", Anything, _nothing)
    async with working(opened.db, [page, bulk_type(opened.db)]) as bench:
        for wish in (
            {"action": "delete", "ids": ids[:1], "expected_count": 1},
            {"action": "delete", "ids": ids[1:2], "expected_count": 1, "delay": 0.05},
        ):
            asked = await web.post("/api/jobs/bulk", json=wish)
            opened.clock.pass_time(1)
            assert (await bench.ended(asked.json()["id"])).result["done"] == 1
        waiting = (await web.get("/api/jobs?type=page")).json()["items"]
        assert [(job["id"], job["status"]) for job in waiting] == [(ids[2], "pending")]
        await web.post("/api/queue/resume")
        assert (await bench.ended(ids[2])).summary.status is Status.COMPLETED


@pytest.mark.parametrize(
    ("action", "after"),
    [("retry", ["pending", "pending", "completed"]), ("cancel", ["failed", "failed", "completed"]),
     ("priority", ["failed", "failed", "completed"])],
)  # fmt: skip
async def test_every_bulk_action_does_what_it_says(
    web: httpx.AsyncClient, opened: Opened, action: str, after: list[str]
) -> None:
    ids = await make(opened, *[JobSpec("page", "{}")] * 3)
    await end(opened, fail=tuple(ids[:2]))
    extra = {"priority": 5} if action == "priority" else {}
    asked = await web.post(
        "/api/jobs/bulk", json={"action": action, "ids": ids, "expected_count": 3, **extra}
    )
    async with working(opened.db, [bulk_type(opened.db)]) as bench:
        assert (await bench.ended(asked.json()["id"])).summary.status is Status.COMPLETED
    found = [(await web.get(f"/api/jobs/{id_}")).json() for id_ in ids]
    assert [job["status"] for job in found] == after
    assert {job["priority"] for job in found} == {5 if action == "priority" else 0}


async def test_a_bulk_action_counts_what_it_could_not_do_and_says_why(
    web: httpx.AsyncClient, opened: Opened
) -> None:
    ids = await make(opened, *[JobSpec("page", "{}")] * 3)
    await end(opened, fail=tuple(ids[:1]))
    (waiting,) = await make(opened)
    wish = {"action": "cancel", "ids": [*ids, waiting, 999_999], "expected_count": 5}
    asked = await web.post("/api/jobs/bulk", json=wish)
    async with working(opened.db, [bulk_type(opened.db)]) as bench:
        done = await bench.ended(asked.json()["id"])
    assert done.result == {"action": "cancel", "matched": 5, "done": 1, "skipped": 4}
    assert (await web.get(f"/api/jobs/{waiting}")).json()["status"] == "cancelled"
    log = (await web.get(f"/api/jobs/{asked.json()['id']}/logs?level=warn&order=asc")).json()
    assert [line["message"] for line in log["items"]] == [
        f"{ids[0]} is left as it is: it is failed already",
        f"{ids[1]} is left as it is: it is completed already",
        f"{ids[2]} is left as it is: it is completed already",
        "999999 is left as it is: there is no job 999999",
    ]


@pytest.mark.parametrize(
    "wish",
    [
        {"action": "cancel", "expected_count": 1},
        {"action": "cancel", "ids": [1], "filter": {}, "expected_count": 1},
        {"action": "cancel", "ids": [1]},
        {"action": "priority", "ids": [1], "expected_count": 1},
        {"action": "cancel", "ids": [1], "priority": 2, "expected_count": 1},
        {"action": "explode", "ids": [1], "expected_count": 1},
    ],
)
async def test_a_bulk_action_that_is_not_clear_is_refused(
    web: httpx.AsyncClient, wish: dict[str, Any]
) -> None:
    assert (await web.post("/api/jobs/bulk", json=wish)).status_code == 422


async def test_dead_letters_are_listed_requeued_and_deleted(
    web: httpx.AsyncClient, opened: Opened
) -> None:
    ids = await make(opened, *[JobSpec("page", "{}")] * 4)
    await end(opened, fail=tuple(ids))
    page = (await web.get("/api/queue/dead?limit=3")).json()
    assert [letter["job_id"] for letter in page["items"]] == ids[:3]
    assert page["total"] == 4
    assert page["items"][0]["errors"][0]["error"] == "no such host"
    rest = (await web.get(f"/api/queue/dead?cursor={page['next_cursor']}")).json()["items"]
    assert [letter["job_id"] for letter in rest] == ids[3:]
    one = page["items"][0]["id"]
    assert (await web.post(f"/api/queue/dead/{one}/requeue")).json() == {"requeued": 1}
    assert (await web.post(f"/api/queue/dead/{one}/requeue")).status_code == 404
    assert (await web.get(f"/api/jobs/{ids[0]}")).json()["status"] == "pending"
    two = page["items"][1]["id"]
    assert (await web.delete(f"/api/queue/dead/{two}")).status_code == 204
    assert (await web.get(f"/api/jobs/{ids[1]}")).json()["status"] == "failed"
    wish = {"action": "requeue", "all": True, "expected_count": 1}
    assert (await web.post("/api/queue/dead/bulk", json=wish)).status_code == 409
    asked = await web.post("/api/queue/dead/bulk", json={**wish, "expected_count": 2})
    page_type = JobType("page", Anything, _nothing)
    async with working(opened.db, [bulk_type(opened.db), page_type]) as bench:
        assert (await bench.ended(asked.json()["id"])).result["done"] == 2
        assert (await bench.ended(ids[3])).summary.status is Status.COMPLETED
    assert (await web.get("/api/queue")).json()["dead"] == 0
    assert opened.read(check.faults) == []
