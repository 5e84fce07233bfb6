"""Documents over HTTP, and their Markdown as HTML that cannot do anything."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from quaero.api.markdown import LONGEST, render
from quaero.documents import notes
from quaero.documents.model import NewDocument
from quaero.documents.notes import Kind, NewNote
from quaero.documents.store import save
from quaero.summarize.audit import Call, note

from ..opening import Opened  # noqa: TID252


async def store(opened: Opened, *texts: str, **more: Any) -> list[int]:
    """Save pages with these texts; returns their ids."""
    pages = [
        NewDocument(
            url=f"https://docs.example.org/{number}", title=f"Page {number}", text=text,
            content_hash=text, **more,
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
    for path in ("", "/html", "/versions", "/versions/1"):
        assert (await web.get(f"/api/documents/{ids[0]}{path}")).status_code == 404


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


async def test_earlier_versions_are_kept(web: httpx.AsyncClient, opened: Opened) -> None:
    (id_,) = await store(opened, "first text")
    await store(opened, "second text")
    found = (await web.get(f"/api/documents/{id_}/versions")).json()
    assert (found["current"], [each["number"] for each in found["items"]]) == (2, [1])
    text = await web.get(f"/api/documents/{id_}/versions/1")
    assert text.json() == {"number": 1, "text": "first text"}


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
