"""Documents over HTTP, and their Markdown as HTML that cannot do anything."""

from __future__ import annotations

import asyncio
import gc
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from quaero.api.markdown import LONGEST, render
from quaero.api.routes import documents
from quaero.documents import notes, tags
from quaero.documents.importing import import_path
from quaero.documents.model import NewDocument
from quaero.documents.notes import Kind, NewNote
from quaero.documents.store import save
from quaero.errors import StaleLease
from quaero.jobs.read import Job
from quaero.summarize.audit import Call, note
from quaero.testing.jobs import working
from quaero.upkeep import document_bulk
from quaero.upkeep.document_bulk import DocumentAction, document_action_type
from quaero.work.context import JobContext

from ..opening import Opened  # noqa: TID252


async def store(opened: Opened, *texts: str, **more: Any) -> list[int]:
    """Save pages with these texts; returns their ids."""
    pages = [
        NewDocument(
            **{"url": f"https://docs.example.org/{number}", "title": f"Page {number}", "text": text,
               "content_hash": text, **more},
        )
        for number, text in enumerate(texts)
    ]  # fmt: skip
    return [saved.id for saved in await opened.db.write(save, pages)]


async def test_documents_are_listed_read_and_deleted(
    web: httpx.AsyncClient, opened: Opened
) -> None:
    ids = await store(opened, "# One", "# Two", "# Three", tags=("guide",))
    first = (await web.get("/api/documents?limit=2&tag=guide")).json()
    assert [each["id"] for each in first["items"]] == [ids[2], ids[1]]
    rest = await web.get(f"/api/documents?tag=guide&cursor={first['next_cursor']}")
    assert [each["id"] for each in rest.json()["items"]] == [ids[0]]
    other = await web.get(f"/api/documents?cursor={first['next_cursor']}")
    assert other.status_code == 400
    one = (await web.get(f"/api/documents/{ids[0]}")).json()
    assert (one["text"], one["tags"], one["url"]) == (
        "# One", ["guide"], "https://docs.example.org/0"
    )  # fmt: skip
    assert (await web.get("/api/documents/stats")).json()["all"]["documents"] == 3
    assert (await web.delete(f"/api/documents/{ids[0]}")).status_code == 204
    for path in ("", "/html", "/versions", "/versions/1", "/changes"):
        assert (await web.get(f"/api/documents/{ids[0]}{path}")).status_code == 404


@pytest.mark.parametrize("format_", ["jsonl", "zip"])
async def test_documents_are_taken_out_as_a_file_that_can_be_read_in_again(
    web: httpx.AsyncClient, opened: Opened, tmp_path: Path, format_: str
) -> None:
    await store(opened, *(f"# Number {n}\n\nß" for n in range(250)), tags=("guide",))
    await store(opened, "# Another", url="https://docs.example.org/other")
    asked = await web.get(f"/api/documents/export?tag=guide&format={format_}")
    assert asked.headers["Content-Disposition"] == f'attachment; filename="documents.{format_}"'
    file = tmp_path / f"documents.{format_}"
    file.write_bytes(asked.content)
    with Opened() as other:
        done = await asyncio.to_thread(import_path, other.db, file)
        assert (done.created, done.refusals) == (250, 0)
        both = "select url, title, text from document d join document_text on document_id = d.id"
        assert other.sql(f"{both} order by url") == opened.sql(
            f"{both} where url not like '%other' order by url"
        )


async def test_nothing_to_take_out_is_an_empty_file(web: httpx.AsyncClient) -> None:
    assert (await web.get("/api/documents/export?tag=none")).content == b""
    archive = (await web.get("/api/documents/export?tag=none&format=zip")).content
    assert zipfile.ZipFile(io.BytesIO(archive)).namelist() == []
    assert (await web.get("/api/documents/export?format=pdf")).status_code == 422


async def test_tags_are_replaced_unless_somebody_was_faster(
    web: httpx.AsyncClient, opened: Opened
) -> None:
    (id_,) = await store(opened, "text", tags=("old",))
    path = f"/api/documents/{id_}/tags"
    version = (await web.get(f"/api/documents/{id_}")).headers["etag"]
    put = await web.put(path, json={"tags": ["New", "b"]}, headers={"If-Match": version})
    assert put.json() == {"tags": ["b", "new"]}
    late = await web.put(path, json={"tags": []}, headers={"If-Match": version})
    assert late.status_code == 412
    assert (await web.put(path, json={"tags": [""]})).status_code == 422


# -- many at once


async def done(opened: Opened, asked: httpx.Response) -> Job:
    """The job of a bulk action, when it has ended."""
    assert (asked.status_code, asked.json()["type"]) == (202, "document_action")
    async with working(opened.db, [document_action_type(opened.db)]) as bench:
        return await bench.ended(asked.json()["id"])


@pytest.mark.parametrize(
    ("filter_", "meant"),
    [
        ({"q": "harbour"}, [0, 2]),
        ({"q": "tag:old harbour"}, [0]),
        ({"q": "Harbour case:match"}, [2]),
        ({"q": "harbour nowhere"}, []),  # a search shows two, but none has both words
        ({"q": '"'}, []),
        ({"tag": "old"}, [0, 1]),
        ({}, [0, 1, 2]),
    ],
)
async def test_all_documents_that_match_are_tagged_and_no_other(
    web: httpx.AsyncClient, opened: Opened, filter_: dict[str, Any], meant: list[int]
) -> None:
    ids = await store(opened, "a harbour", "a beach", "The Harbour")
    await opened.db.write(tags.tag, ids[:2], ["old"])
    wish = {"action": "tag", "tags": ["New", "b"], "filter": filter_, "expected_count": len(meant)}
    if meant:
        fewer = {**wish, "expected_count": len(meant) - 1}
        refused = await web.post("/api/documents/bulk", json=fewer)
        assert (refused.status_code, refused.json()["count"]) == (409, len(meant))
    asked = await web.post("/api/documents/bulk", json=wish)
    await opened.db.write(save, [NewDocument(url="https://x.org/", title="", text="harbour Harbour",
                                             content_hash="x", tags=("old",))])  # fmt: skip
    assert (await done(opened, asked)).result == {
        "action": "tag", "matched": len(meant), "changed": 2 * len(meant)
    }  # fmt: skip
    found = (await web.get("/api/documents?tag=new")).json()["items"]
    assert sorted(each["id"] for each in found) == [ids[n] for n in meant]
    assert all({"b", "new"} <= set(each["tags"]) for each in found)


async def test_documents_are_deleted_and_untagged_by_a_job(
    web: httpx.AsyncClient, opened: Opened
) -> None:
    many = document_bulk.SLICE + 5
    ids = await store(opened, *[f"text {n}" for n in range(many)], tags=("sea", "old"))
    wish = {"action": "untag", "tags": ["OLD"], "filter": {"tag": "old"}, "expected_count": many}
    assert (await done(opened, await web.post("/api/documents/bulk", json=wish))).result == {
        "action": "untag", "matched": many, "changed": many
    }  # fmt: skip
    assert (await web.get(f"/api/documents/{ids[0]}")).json()["tags"] == ["sea"]
    wish = {"action": "delete", "filter": {"q": "tag:sea"}, "expected_count": many}
    job = await done(opened, await web.post("/api/documents/bulk", json=wish))
    assert job.result == {"action": "delete", "matched": many, "changed": many}
    assert (await web.get("/api/documents/stats")).json()["all"]["documents"] == 0


async def test_an_action_whose_job_was_lost_deletes_nothing_more(opened: Opened) -> None:
    ids = await store(opened, "one", "two")

    async def lost(*_: Any) -> None:
        raise StaleLease("lost")

    gone: Any = SimpleNamespace(state=None)
    run = document_action_type(opened.db).run
    assert run is not None
    wanted = DocumentAction(action="delete", ids=ids, up_to=max(ids))
    with pytest.raises(StaleLease):
        await run(JobContext(gone, gone, lost), wanted)
    assert opened.sql("select count(*) from document") == [(2,)]


async def test_a_delayed_action_that_is_cancelled_does_nothing(
    web: httpx.AsyncClient, opened: Opened
) -> None:
    ids = await store(opened, "one", "two")
    wish = {"action": "delete", "ids": ids, "expected_count": 2, "delay": 10}
    asked = (await web.post("/api/documents/bulk", json=wish)).json()
    assert (asked["status"], asked["run_at"] > asked["created_at"]) == ("pending", True)
    taken_back = (await web.post(f"/api/jobs/{asked['id']}/cancel")).json()
    assert (taken_back["status"], taken_back["started_at"]) == ("cancelled", None)
    opened.clock.pass_time(20)
    async with working(opened.db, [document_action_type(opened.db)]) as bench:
        await bench.run(
            document_bulk.NAME, {"action": "tag", "tags": ["x"], "ids": ids, "up_to": 9}
        )
    assert (await web.get("/api/documents/stats")).json()["all"]["documents"] == 2


@pytest.mark.parametrize(
    "wish",
    [
        {"action": "tag", "ids": [1], "expected_count": 1},
        {"action": "delete", "tags": ["x"], "ids": [1], "expected_count": 1},
        {"action": "delete", "expected_count": 1},
        {"action": "delete", "ids": [1], "filter": {}, "expected_count": 1},
        {"action": "delete", "ids": [1]},
        {"action": "delete", "filter": {"q": "x", "tag": "y"}, "expected_count": 1},
        {"action": "tag", "tags": ["a\0b"], "ids": [1], "expected_count": 1},
        {"action": "delete", "ids": [1], "expected_count": 1, "delay": 4_000},
    ],
)
async def test_an_action_that_is_not_clear_is_refused(
    web: httpx.AsyncClient, wish: dict[str, Any]
) -> None:
    assert (await web.post("/api/documents/bulk", json=wish)).status_code == 422


async def test_what_is_asked_for_its_head_alone_is_not_made(
    web: httpx.AsyncClient, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store(opened, *(f"text {number}" for number in range(5)))
    made = []

    def lines(*_: Any) -> Iterator[bytes]:
        try:
            for number in range(1_000):
                made.append(number)
                yield b"{}\n"
        finally:
            made.append(-1)

    monkeypatch.setitem(documents._EXPORTS, "jsonl", (lines, "application/jsonl"))
    whole = await web.get("/api/documents/export")
    assert (len(whole.content), len(made)) == (3_000, 1_001)
    made.clear()
    head = await web.head("/api/documents/export")
    assert (head.status_code, head.content, dict(head.headers)) == (200, b"", dict(whole.headers))
    assert len(made) < 10
    gc.collect()
    assert made[-1] == -1


async def test_earlier_versions_are_kept(web: httpx.AsyncClient, opened: Opened) -> None:
    (id_,) = await store(opened, "first text")
    await store(opened, "second text")
    found = (await web.get(f"/api/documents/{id_}/versions")).json()
    assert (found["current"], [each["number"] for each in found["items"]]) == (2, [1])
    text = await web.get(f"/api/documents/{id_}/versions/1")
    assert text.json() == {"number": 1, "text": "first text"}


async def test_what_has_changed_between_versions_is_told(
    web: httpx.AsyncClient, opened: Opened
) -> None:
    (id_,) = await store(opened, "the lamp is lit at dusk")
    await store(opened, "the lamp is lit in fog")
    await store(opened, "the lamp is lit in fog\n\nand at dusk")
    path = f"/api/documents/{id_}/changes"
    last = (await web.get(path)).json()
    assert (last["from_version"], last["to_version"]) == (2, 3)
    assert (last["removed"], last["added"], last["exact"], last["more"]) == (0, 2, True, False)
    first = (await web.get(path, params={"to_version": 2})).json()
    assert [line["kind"] for line in first["hunks"][0]["lines"]] == ["removed", "added"]
    assert first["hunks"][0]["lines"][0]["parts"] == [
        {"text": "the lamp is lit ", "marked": False}, {"text": "at", "marked": True},
        {"text": " ", "marked": False}, {"text": "dusk", "marked": True},
    ]  # fmt: skip
    cut = (await web.get(path, params={"from_version": 1, "limit": 2})).json()
    assert (len(cut["hunks"][0]["lines"]), cut["more"]) == (2, True)
    assert (cut["removed"], cut["added"]) == (1, 3)
    whole = (await web.get(path, params={"from_version": 1, "limit": 4})).json()
    assert (len(whole["hunks"][0]["lines"]), whole["more"]) == (4, False)
    for wrong, status in (({"from_version": 3}, 400), ({"to_version": 1}, 404),
                          ({"to_version": 9}, 404), ({"limit": 0}, 422)):  # fmt: skip
        assert (await web.get(path, params=wrong)).status_code == status, wrong


async def test_references_are_given_from_both_ends(web: httpx.AsyncClient, opened: Opened) -> None:
    link = "[it](https://docs.example.org/browse/SEA-1) and [pr](https://forge.example/a/b/pull/2)"
    one, two = await store(opened, "# [SEA-1] Buoy", link)
    page = NewDocument(
        url="https://docs.example.org/0", title="Page 0", text="# [SEA-1]", content_hash="new",
        entity_type="issue", metadata={"issue": {"key": "SEA-1"}},
    )  # fmt: skip
    await opened.db.write(save, [page])
    issue = {"id": one, "title": "Page 0", "url": "https://docs.example.org/0"}
    assert (await web.get(f"/api/documents/{two}/references")).json() == {
        "items": [
            {"kind": "issue", "key": "SEA-1", "url": "https://docs.example.org/browse/SEA-1",
             "documents": [issue]},
            {"kind": "pull_request", "key": "a/b#2", "url": "https://forge.example/a/b/pull/2",
             "documents": []},
        ],
        "referrers": [], "more": False,
    }  # fmt: skip
    back = (await web.get(f"/api/documents/{one}/references")).json()
    assert [each["id"] for each in back["referrers"]] == [two]
    assert (await web.get(f"/api/documents/{one}")).json()["entity_type"] == "issue"
    assert (await web.get("/api/documents/99999/references")).status_code == 404
    found = (await web.get("/api/search", params={"q": "type:issue"})).json()
    assert [each["document"]["id"] for each in found["items"]] == [one]
    assert found["facets"]["types"] == [
        {"value": "web", "count": 1},
        {"value": "issue", "count": 1},
    ]


async def test_search_gives_snippets_facets_and_pages(
    web: httpx.AsyncClient, opened: Opened
) -> None:
    await store(opened, *[f"The harbour number {n}" for n in range(30)], tags=("sea",))
    found = (await web.get("/api/search", params={"q": "harbour", "limit": 20})).json()
    assert found["total"] == {"count": 30, "capped": False}
    assert found["facets"]["tags"] == [{"value": "sea", "count": 30}]
    snippet = found["items"][0]["snippet"]
    (start, end), *_ = snippet["marks"]
    assert snippet["text"][start:end] == "harbour"
    cursor = found["next_cursor"]
    rest = (await web.get("/api/search", params={"q": "harbour", "cursor": cursor})).json()
    assert len(rest["items"]) == 10
    other = await web.get("/api/search", params={"q": "other", "cursor": cursor})
    assert other.status_code == 400
    assert (await web.get("/api/search", params={"q": '"-(* '})).status_code == 200
    misspelt = await web.get("/api/search", params={"q": "harbour", "curser": cursor})
    assert (misspelt.status_code, misspelt.json()["errors"][0]["pointer"]) == (422, "?curser")


HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[a](javascript:alert(1))",
    "[a](JaVaScRiPt:alert(1))",
    "[a](java\nscript:alert(1))",
    "[a](&#106;avascript:alert(1))",
    "[a](data:text/html,<script>alert(1)</script>)",
    "[a](vbscript:x)",
    "[a](//evil.example/x)",
    "[a](/api/jobs/1/cancel)",
    "[a](#section-1)",
    "<javascript:alert(1)>",
    "![a](javascript:alert(1))",
    '![a](https://x.example/a.png "t\\" onload=alert(1)")',
    '[a](https://x.example/ "\\"><script>alert(1)</script>")',
    '```"><script>alert(1)</script>\ncode\n```',
    "a <a href='https://x.example' onclick='alert(1)'>b</a>",
    "<style>*{display:none}</style>",
    "| a |\n|:-:|\n| <iframe src=x> |",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "[x]: javascript:alert(1)\n\n[x]",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_markdown_comes_out_as_text(text: str) -> None:
    html = render(text).html.lower()
    tags = html.split("<")[1:]
    assert not [tag for tag in tags if tag.startswith(("script", "img", "iframe", "style"))]
    for tag in tags:
        inside = tag.split(">")[0]
        assert "onerror=" not in inside.replace("&quot;", "") or '"' in inside
        assert "style=" not in inside
    for link in html.split('href="')[1:]:
        assert link.startswith(("https://", "http://", "mailto:"))
    assert "javascript:" not in "".join(part.split('"')[0] for part in html.split('href="')[1:])


def test_what_people_write_is_rendered() -> None:
    made = render(
        "# Guide *one*\n\nText with **bold**, `code` and a [link](https://a.example/x?y=1&z=2).\n\n"
        "- a\n- b\n\n```python\nprint(1 < 2)\n```\n\n| n | m |\n|--:|---|\n| 1 | 2 |\n\n"
        "![A plan](https://a.example/plan.png)\n\n## End\n"
    )
    assert '<h1 id="section-1">Guide <em>one</em></h1>' in made.html
    assert (
        '<a href="https://a.example/x?y=1&amp;z=2" rel="noopener noreferrer nofollow" '
        'target="_blank">link</a>'
    ) in made.html
    assert '<code class="language-python">print(1 &lt; 2)' in made.html
    assert '<th class="has-text-right">n</th>' in made.html
    assert '<a href="https://a.example/plan.png"' in made.html
    assert ">A plan</a>" in made.html
    assert [(each.level, each.text) for each in made.outline] == [(1, "Guide one"), (2, "End")]
    assert not made.cut


def test_the_time_to_render_is_bounded() -> None:
    for text in ("> " * 50_000, "[" * 100_000, "*a " * 100_000, "x" * (2 * LONGEST)):
        render(text)
    assert render("x" * (LONGEST + 1)).cut


async def test_html_is_given_as_json(web: httpx.AsyncClient, opened: Opened) -> None:
    (id_,) = await store(opened, "# A\n\n<b>no</b>")
    answer = await web.get(f"/api/documents/{id_}/html")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["html"] == '<h1 id="section-1">A</h1>\n<p>&lt;b&gt;no&lt;/b&gt;</p>\n'
    assert answer.json()["outline"] == [{"level": 1, "id": "section-1", "text": "A"}]


async def test_a_document_comes_with_its_notes_and_who_made_them(
    web: httpx.AsyncClient, opened: Opened
) -> None:
    one, two = await store(opened, "# One", "# Two")
    made = [
        NewNote(one, Kind.SUMMARY, "<b>One</b>", "llama", "r", "# One"),
        NewNote(one, Kind.KEYWORDS, '["one"]', "extractive", "r", "an earlier text"),
    ]
    await opened.db.write(notes.save, made)
    found = (await web.get(f"/api/documents/{one}")).json()
    assert (found["summary"]["text"], found["summary"]["maker"]) == ("<b>One</b>", "llama")
    assert found["summary"]["current"] is True
    assert (found["keywords"]["words"], found["keywords"]["current"]) == (["one"], False)
    other = (await web.get(f"/api/documents/{two}")).json()
    assert (other["summary"], other["keywords"]) == (None, None)


async def test_calls_of_models_are_listed_page_by_page(
    web: httpx.AsyncClient, opened: Opened
) -> None:
    for error in (None, "RetryLater: busy", None):
        call = Call(model="m", operation="summary", job_id=1, document_id=2, tokens_in=10,
                    tokens_out=3, duration=1_500_000, error=error)  # fmt: skip
        await opened.db.write(note, call)
    first = (await web.get("/api/model-calls?limit=2")).json()
    assert [each["error"] for each in first["items"]] == [None, "RetryLater: busy"]
    assert first["items"][0]["duration_seconds"] == 1.5
    rest = (await web.get(f"/api/model-calls?cursor={first['next_cursor']}")).json()
    assert [each["id"] for each in rest["items"]] == [1]
