"""What is kept of the bodies of pages, and what is not."""

from __future__ import annotations

import base64
import gzip
import hashlib
import random
import zlib
from pathlib import Path
from typing import Any

import pytest

from quaero.app import open_database
from quaero.crawl.cookies import Cookie
from quaero.documents import bodies
from quaero.documents.export import export_lines
from quaero.testing.site import Page, SiteServer

from .crawler import SESSION, Ran, crawl, links, login, settings

CANARY = "canary0a1b2c3d"


def rows(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    with open_database(settings(folder)) as db:
        return db.read_sync(lambda tx: tx.execute(sql))


def kept(folder: Path) -> dict[str, bytes]:
    """The bodies of documents by path, unpacked."""
    found = rows(
        folder,
        """
        select d.url, b.bytes from document d join document_body k on k.document_id = d.id
          join body b on b.hash = k.hash
        """,
    )
    return {"/" + url.split("/", 3)[3]: zlib.decompress(packed) for url, packed in found}


def number(folder: Path) -> int:
    ((found,),) = rows(folder, "select count(*) from body")
    return found


async def test_a_body_is_kept_as_it_came_after_content_decoding_with_its_headers(
    tmp_path: Path,
) -> None:
    html = links("/text", text="Größe").encode("latin-1")
    headers = {
        "Content-Encoding": "gzip", "X-Robots-Tag": "noarchive", "Link": "</x>; rel=canonical",
    }  # fmt: skip
    pages = {
        "/": Page(body=gzip.compress(html), content_type="text/html; charset=latin1",
                  headers=headers),
        "/text": Page(body="# Plain\n\ntext", content_type="text/plain"),
    }  # fmt: skip
    async with SiteServer(pages) as site:
        await crawl(tmp_path, site.url, entity_type="chapter")
    assert kept(tmp_path) == {"/": html, "/text": b"# Plain\n\ntext"}
    found = rows(
        tmp_path,
        """
        select hash, content_type, robots, canonical, entity_type from document_body
         order by document_id
        """,
    )
    assert found == [
        (hashlib.blake2b(html, digest_size=16).digest(), "text/html; charset=latin1",
         '["noarchive"]', site.url + "/x", "chapter"),
        (hashlib.blake2b(b"# Plain\n\ntext", digest_size=16).digest(), "text/plain", "[]", None,
         "chapter"),
    ]  # fmt: skip


async def test_a_body_that_many_pages_share_is_kept_once(tmp_path: Path) -> None:
    names = [f"/{n}" for n in range(6)]
    pages = {"/": links(*names), **dict.fromkeys(names, "<p>one and the same</p>")}
    async with SiteServer(pages) as site:
        await crawl(tmp_path, site.url)
    assert len(kept(tmp_path)) == 7
    assert number(tmp_path) == 2


LOGIN = "<title>Log in</title><form><input name=u><input type=password name=p></form>"
LARGE = base64.b64encode(random.Random(1).randbytes(4_400_000)).decode()
NOT_KEPT = [
    ("noindex", Page(body="<meta name=robots content=noindex><p>x"), {}),
    ("noindex by its header", Page(body="<p>x", headers={"X-Robots-Tag": "noindex"}), {}),
    ("a login page", Page(body=LOGIN), {}),
    ("a failure", Page(body="<p>x", status=404), {}),
    ("another type", Page(body=b"%PDF-1.7", content_type="application/pdf"), {}),
    ("metadata alone", Page(body="<p>x"), {"detail_level": "metadata"}),
    ("bodies are not wanted", Page(body="<p>x"), {"config": {"keep_bodies": "0s"}}),
]


@pytest.mark.parametrize(("page", "options"), [each[1:] for each in NOT_KEPT],
                         ids=[each[0] for each in NOT_KEPT])  # fmt: skip
async def test_what_is_no_full_document_leaves_no_body(
    tmp_path: Path, page: Page, options: dict[str, Any]
) -> None:
    everything = "detail_level" in options or "config" in options
    async with SiteServer({"/": links("/x"), "/x": page}) as site:
        ran = await crawl(tmp_path, site.url, **options)
    assert len(ran.pages) == 2
    assert list(kept(tmp_path)) == ([] if everything else ["/"])
    assert number(tmp_path) == (0 if everything else 1)


async def test_a_body_over_four_megabytes_compressed_is_not_kept_and_the_log_says_so(
    tmp_path: Path,
) -> None:
    async with SiteServer({"/": f"<p>small text<!-- {LARGE} -->"}) as site:
        ran = await crawl(tmp_path, site.url)
    assert [each.text.strip() for each in ran.documents] == ["small text"]
    assert number(tmp_path) == 0
    (line,) = ran.said("the body is not kept")
    assert "at most 4194304" in line.message


def state(folder: Path) -> list[tuple[Any, ...]]:
    return rows(
        folder,
        """
        select k.hash, b.rowid, k.read_at from document_body k join body b on b.hash = k.hash
         order by k.document_id
        """,
    )


async def test_a_page_that_comes_as_it_was_costs_no_body_anew(tmp_path: Path) -> None:
    async with SiteServer({"/": Page(body=links("/x"), etag='"1"'), "/x": "<p>steady"}) as site:
        await crawl(tmp_path, site.url)
        before = state(tmp_path)
        ran = await crawl(tmp_path, site.url)
    assert ran.report.unchanged == 2
    after = state(tmp_path)
    assert number(tmp_path) == 2
    assert [row[:2] for row in after] == [row[:2] for row in before]
    for (*_, now), (*_, then) in zip(after, before, strict=True):
        assert now > then, "that it is as it was said the server of one, and another was read anew"


async def test_the_newest_body_of_a_page_is_kept_though_its_text_is_the_same(
    tmp_path: Path,
) -> None:
    """What the text leaves out today may be found in it by a later program."""
    page = "<p>steady<script>hidden = {}</script>"
    async with SiteServer({"/": page.format(1)}) as site:
        await crawl(tmp_path, site.url)
        site.pages["/"] = page.format(2)
        ran = await crawl(tmp_path, site.url)
    assert ran.report.unchanged == 1
    assert kept(tmp_path) == {"/": page.format(2).encode()}
    assert number(tmp_path) == 1


async def test_a_page_that_changed_has_its_new_body_and_others_keep_what_was_theirs_too(
    tmp_path: Path,
) -> None:
    pages = {"/": links("/a", "/b", "/c"), **dict.fromkeys(("/a", "/b", "/c"), "<p>first")}
    async with SiteServer(pages) as site:
        await crawl(tmp_path, site.url)
        site.pages["/a"] = site.pages["/"] = "<p>second"
        await crawl(tmp_path, site.url)
        found = kept(tmp_path)
    assert found == {"/": b"<p>second", "/a": b"<p>first", "/b": b"<p>first", "/c": b"<p>first"}
    assert number(tmp_path) == 2, "what only the first page had is gone"


async def test_a_changed_page_whose_body_is_not_kept_has_no_older_one(tmp_path: Path) -> None:
    async with SiteServer({"/": "<p>first"}) as site:
        await crawl(tmp_path, site.url)
        site.pages["/"] = "<p>second"
        await crawl(tmp_path, site.url, config={"keep_bodies": "0s"})
    assert kept(tmp_path) == {}
    assert number(tmp_path) == 0


async def test_metadata_of_a_page_that_is_kept_in_full_leaves_its_body(tmp_path: Path) -> None:
    async with SiteServer({"/": "<p>first"}) as site:
        await crawl(tmp_path, site.url)
        site.pages["/"] = "<p>second"
        await crawl(tmp_path, site.url, detail_level="metadata", refresh="always")
    assert kept(tmp_path) == {"/": b"<p>first"}


async def test_bodies_of_documents_without_one_are_kept_when_they_are_read_again(
    tmp_path: Path,
) -> None:
    async with SiteServer({"/": "<p>first"}) as site:
        await crawl(tmp_path, site.url, config={"keep_bodies": "0s"})
        ran = await crawl(tmp_path, site.url)
    assert ran.report.unchanged == 1
    assert kept(tmp_path) == {"/": b"<p>first"}


async def test_nothing_else_carries_what_only_a_body_says(tmp_path: Path) -> None:
    async with SiteServer({"/": f"<p>text<script>x = '{CANARY}'</script>"}) as site:
        ran = await crawl(tmp_path, site.url)
    assert CANARY.encode() in kept(tmp_path)["/"]
    assert CANARY not in repr(ran)
    tables = [
        name for (name,) in rows(tmp_path, "select name from sqlite_schema where type = 'table'")
    ]
    holding = {
        table
        for table in tables
        if table != "body" and CANARY in repr(rows(tmp_path, f'select * from "{table}"'))
    }
    assert holding == set()
    with open_database(settings(tmp_path)) as db:
        export_lines(db, tmp_path / "out.jsonl")
    assert CANARY not in (tmp_path / "out.jsonl").read_text()


DRAWN = "6F1d0cA9b8E7=fe/03+21"
SHOWN = [
    DRAWN, "6F1d0cA9b8E7%3Dfe%2F03%2B21", "6F1d0cA9b8E7=fe\\/03+21",
    "6F1d0cA9b8E7\\u003dfe/03+21", "6F1d0cA9b8E7\\u003Dfe\\u002F03\\u002B21",
    "6F1d0cA9b8E7&#61;fe&#47;03&#43;21", "6F1d0cA9b8E7&#x3D;fe&#x2F;03&#x2B;21",
    "6F1d0cA9b8E7%3dfe%2f03%2b21",
]  # fmt: skip


async def shown(folder: Path, cookie: Cookie, body: bytes | str, **headers: str) -> Ran:
    """A crawl with a cookie, of a site that shows something of it."""
    async with SiteServer({"/": Page(body=body, headers=headers)}) as site:
        return await crawl(
            folder, site.url, private=SESSION, with_login=login([cookie]),
        )  # fmt: skip


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
async def test_a_secret_that_a_site_repeats_is_in_no_body(tmp_path: Path, encoding: str) -> None:
    page = f"<p>hello</p><script>{' '.join(SHOWN)}</script><input value='{DRAWN}'>"
    cookie = Cookie(name="x", value=DRAWN, domain="127.0.0.1")
    await shown(tmp_path, cookie, page.encode(encoding), **{"X-Robots-Tag": f"nosnippet, {DRAWN}"})
    text = kept(tmp_path)["/"].decode(encoding)
    assert "hello" in text
    assert text.count("SECRET-LEFT-OUT") == len(SHOWN) + 1
    assert "6F1d0cA9b8E7" not in text
    assert DRAWN not in repr(rows(tmp_path, "select * from document_body"))


async def test_a_body_that_may_show_a_plain_secret_is_not_kept_and_the_page_is(
    tmp_path: Path,
) -> None:
    cookie = Cookie(name="PHPSESSID", value="archer1985", domain="127.0.0.1")
    ran = await shown(tmp_path, cookie, "<p>by archer1985<script>'archer1985'</script>")
    assert [each.text.strip() for each in ran.documents] == ["by archer1985"]
    assert number(tmp_path) == 0
    assert ran.said("may be a secret")


async def test_a_name_under_a_plain_cookie_keeps_no_body_back(tmp_path: Path) -> None:
    cookie = Cookie(name="user", value="archer1985", domain="127.0.0.1")
    await shown(tmp_path, cookie, "<p>by archer1985")
    assert kept(tmp_path) == {"/": b"<p>by archer1985"}


async def test_bodies_of_a_transaction_are_written_in_portions_of_a_bounded_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "AT_ONCE", 200)
    monkeypatch.setattr(bodies, "MOST_AT_ONCE", 2)
    pages = {f"/{n}": f"<p>{'word ' * n}{n}" for n in range(9)}
    async with SiteServer({"/": links(*pages), **pages}) as site:
        await crawl(tmp_path, site.url)
    found = kept(tmp_path)
    del found["/"]
    assert found == {path: body.encode() for path, body in pages.items()}
