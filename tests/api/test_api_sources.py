"""Sources over HTTP: kept, edited with care, tried, collected, deleted by an explicit choice."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from quaero.documents.model import NewDocument
from quaero.documents.store import save
from quaero.jobs import steer
from quaero.sources import removal

from ..opening import Opened  # noqa: TID252

URL = "https://docs.example.org/"


async def make(web: httpx.AsyncClient, name: str = "docs", **more: Any) -> dict[str, Any]:
    answer = await web.post("/api/sources", json={"name": name, "base_url": URL, **more})
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"/api/sources/{answer.json()['id']}"
    return answer.json()


def fields(answer: httpx.Response) -> set[str]:
    assert answer.status_code == 422, answer.text
    return {each["pointer"] for each in answer.json()["errors"]}


async def document(opened: Opened, source: int, number: int = 0) -> None:
    url = f"{URL}{number}"
    new = NewDocument(
        url=url, title="Tides", text="about tides", content_hash="x", source_id=source
    )
    await opened.db.write(save, [new])


async def test_a_source_is_kept_and_edited_only_by_who_read_it(web: httpx.AsyncClient) -> None:
    made = await make(web, settings={"max_pages": 7}, tags=["Hand  Book"])
    assert (made["health"], made["active"], made["run"]) == ("never", False, None)
    assert (made["tags"], made["settings"]["max_pages"]) == (["hand book"], 7)
    path = f"/api/sources/{made['id']}"
    tag = (await web.get(path)).headers["etag"]
    assert (await web.patch(path, json={"enabled": False})).status_code == 428
    patch = {"settings": {"exclude": ["/x"], "max_pages": None}, "tags": None}
    changed = await web.patch(path, json=patch, headers={"If-Match": tag})
    assert changed.json()["settings"]["exclude"] == ["/x"]
    assert changed.json()["settings"]["max_pages"] == 1_000
    assert changed.json()["tags"] == []
    late = await web.patch(path, json={"enabled": False}, headers={"If-Match": tag})
    assert late.status_code == 412
    other = await web.patch(path, json={"kind": "jira"}, headers={"If-Match": "*"})
    assert other.status_code == 409
    assert (
        await web.post("/api/sources", json={"name": "docs", "base_url": URL})
    ).status_code == 409


async def test_all_that_is_wrong_is_named_by_its_field(web: httpx.AsyncClient) -> None:
    async def post(**given: Any) -> set[str]:
        return fields(await web.post("/api/sources", json={"name": "a", "base_url": URL, **given}))

    broken = {"include": ["ok/*", "re:("], "max_pages": -1, "what": 1}
    assert await post(base_url="ftp://x", settings=broken) == {
        "/base_url", "/settings/include/1", "/settings/max_pages", "/settings/what",
    }  # fmt: skip
    assert await post(name="Not A Slug") == {"/name"}
    assert await post(credential=99) == {"/credential"}
    assert await post(kind="folder", base_url="relative/path") == {"/base_url"}
    assert await post(kind="folder", base_url="/a", settings={"delay": 1}) == {"/settings/delay"}
    assert (await web.get("/api/sources")).json()["items"] == []


async def test_addresses_are_tried_on_settings_that_are_not_kept(web: httpx.AsyncClient) -> None:
    draft = {
        "base_url": URL,
        "settings": {"include": ["/guide/*"], "exclude": ["*draft*"], "scope": "host"},
        "urls": [URL, "/guide/a", "/guide/draft", "/other", "https://else.example/", "/guide/a.png",
                 "mailto:x@example.org"],
    }  # fmt: skip
    answer = (await web.post("/api/sources/test", json=draft)).json()
    assert [(each["admitted"], each["reason"], each["pattern"]) for each in answer["items"]] == [
        (True, "seed", None), (True, "include", "/guide/*"), (False, "exclude", "*draft*"),
        (False, "include", None), (False, "scope", None), (False, "asset", None),
        (False, "scheme", None),
    ]  # fmt: skip
    assert "none of the exclude patterns of either" in answer["patterns"]["rule"]
    wrong = {"base_url": URL, "settings": {"include": ["re:("]}, "urls": ["/"]}
    assert fields(await web.post("/api/sources/test", json=wrong)) == {"/settings/include/0"}
    folder = {"kind": "folder", "base_url": "/n", "urls": ["a.md", "../b.md", ".x/a.md", "a.png"]}
    tried = (await web.post("/api/sources/test", json=folder)).json()["items"]
    assert [each["reason"] for each in tried] == ["scope", "outside", "hidden", "type"]


async def test_collecting_begins_one_run_and_shows_the_patterns_it_has(
    web: httpx.AsyncClient,
) -> None:
    made = await make(web, settings={"include": ["/a/*"], "exclude": ["/a/x"]}, credential=None)
    path = f"/api/sources/{made['id']}"
    first = await web.post(f"{path}/collect", json={"include": ["/a/b/*"], "exclude": ["/a/y"]})
    assert first.status_code == 202
    found = first.json()
    assert first.headers["location"] == f"/api/jobs/{found['job']['id']}"
    assert found["patterns"]["source_include"] == ["/a/*"]
    assert found["patterns"]["run_include"] == ["/a/b/*"]
    assert found["patterns"]["exclude"] == ["/a/x", "/a/y"]
    assert found["job"]["payload"]["source"] == made["id"]
    again = (await web.post(f"{path}/collect")).json()
    assert (again["started"], again["job"]["id"]) == (False, found["job"]["id"])
    assert again["patterns"] == found["patterns"]
    assert (await web.post(f"{path}/collect", json={"max_pages": 1})).status_code == 409
    assert fields(await web.post(f"{path}/collect", json={"max_files": 1})) == {"/max_files"}
    assert (await web.get(path)).json()["active"] is True
    checked = await web.post(f"{path}/validate")
    assert (checked.status_code, checked.json()["type"]) == (202, "source_validation")


@pytest.mark.parametrize("choice", ["keep", "delete"])
async def test_a_source_is_deleted_with_a_choice_and_not_while_it_runs(
    web: httpx.AsyncClient, opened: Opened, choice: str
) -> None:
    made = await make(web)
    path = f"/api/sources/{made['id']}"
    await document(opened, made["id"])
    await document(opened, 0)
    job_id = (await web.post(f"{path}/collect")).json()["job"]["id"]
    assert (await web.delete(path)).status_code == 422
    assert (await web.delete(f"{path}?documents={choice}")).status_code == 409
    assert (await web.delete(f"{path}?documents={choice}&cancel=true")).status_code == 204
    assert (await web.get(f"/api/jobs/{job_id}")).json()["status"] == "cancelled"
    assert (await web.get(path)).status_code == 404
    left = (await web.get("/api/documents")).json()["items"]
    assert {each["source_id"] for each in left} == ({0, made["id"]} if choice == "keep" else {0})
    assert (await make(web))["id"] > made["id"], "no id is given twice"


async def test_many_documents_are_deleted_by_a_job(
    web: httpx.AsyncClient, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removal, "AT_ONCE", 1)
    made = await make(web)
    for number in range(2):
        await document(opened, made["id"], number)
    writes = opened.db.write
    written: list[str] = []

    async def noted(fn: Any, *args: Any, **how: Any) -> Any:
        written.append(fn.__name__)
        return await writes(fn, *args, **how)

    monkeypatch.setattr(opened.db, "write", noted)
    misspelt = await web.delete(f"/api/sources/{made['id']}?documents=delete&cancle=true")
    assert (misspelt.status_code, misspelt.json()["errors"][0]["pointer"]) == (422, "?cancle")
    gone = await web.delete(f"/api/sources/{made['id']}?documents=delete")
    assert gone.status_code == 202
    assert written == ["remove"], "the source goes with the making of the job"
    assert (gone.json()["type"], gone.json()["payload"]) == (
        "source_removal", {"source": made["id"], "documents": True},
    )  # fmt: skip


async def test_searches_and_facets_know_sources_by_name(
    web: httpx.AsyncClient, opened: Opened
) -> None:
    made = await make(web, "pilot")
    await document(opened, made["id"])
    await document(opened, 0)
    await document(opened, 77)
    all_of = (await web.get("/api/search?q=tides")).json()
    assert {each["value"]: each["count"] for each in all_of["facets"]["sources"]} == {
        "pilot": 1, "77": 1,
    }  # fmt: skip
    one = (await web.get("/api/search?q=source:pilot tides")).json()
    assert [each["document"]["source_id"] for each in one["items"]] == [made["id"]]
    assert (await web.get("/api/search?q=source:nobody")).json()["total"]["count"] == 0
    listed = (await web.get(f"/api/documents?source={made['id']}")).json()["items"]
    assert len(listed) == 1
    stats = (await web.get("/api/documents/stats")).json()["sources"]
    assert {each["key"] for each in stats} == {"pilot", "77"}


async def test_sources_are_listed_page_by_page(web: httpx.AsyncClient) -> None:
    for number in range(5):
        await make(web, f"docs{number}")
    first = (await web.get("/api/sources?limit=3")).json()
    rest = (await web.get(f"/api/sources?limit=3&cursor={first['next_cursor']}")).json()
    names = [each["name"] for each in (*first["items"], *rest["items"])]
    assert names == [f"docs{number}" for number in range(5)]
    assert rest["next_cursor"] is None
    kinds = (await web.get("/api/sources/kinds")).json()["items"]
    assert [each["kind"] for each in kinds] == ["web", "jira", "confluence", "folder"]


async def test_a_cancelled_run_is_told(web: httpx.AsyncClient, opened: Opened) -> None:
    made = await make(web)
    job_id = (await web.post(f"/api/sources/{made['id']}/collect")).json()["job"]["id"]
    await opened.db.write(steer.cancel, job_id)
    found = (await web.get(f"/api/sources/{made['id']}")).json()
    assert (found["health"], found["detail"]) == ("warnings", "the last run was cancelled")
