"""Crawls from end to end, judged by what the site was asked for and what was kept."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

from quaero.db import SqliteDatabase
from quaero.documents.export import export_lines
from quaero.documents.importing import import_path
from quaero.jobs.logs import Level
from quaero.jobs.model import Status
from quaero.testing.site import Page, SiteServer, redirect

from .crawler import Ran, crawl, links

ROBOTS = "/robots.txt"


def asked(site: SiteServer) -> list[str]:
    """What was asked for besides robots.txt."""
    return [path for path in site.paths() if path != ROBOTS]


# -- what belongs to a crawl


async def test_every_page_that_is_linked_is_fetched_once_and_kept(tmp_path: Path) -> None:
    pages = {"/": links("/a", "/b"), "/a": links("/c", "/b"), "/b": links("/"), "/c": "<p>end</p>"}
    async with SiteServer(pages) as site:
        ran = await crawl(tmp_path, site.url)
    assert sorted(asked(site)) == ["/", "/a", "/b", "/c"]
    assert sorted(ran.urls) == [site.url + path for path in sorted(pages)]
    assert ran.root.status is Status.COMPLETED
    assert (ran.report.created, ran.report.admitted, ran.root.counts.total) == (4, 4, 4)
    assert (ran.page(site.url + "/c").depth, ran.page(site.url + "/c").found_on) == (
        2,
        site.url + "/a",
    )


async def test_spellings_of_one_address_are_one_page(tmp_path: Path) -> None:
    async with SiteServer({"/a": "a", "/b/": "b"}) as site:
        port = site.url.rpartition(":")[2]
        site.pages["/"] = links(
            "/a", "/a#part", "/a?utm_source=mail", "./a", "/b/../a", "/%61", f"HTTP://127.0.0.1:{port}/a",
            "http://127.1:" + port + "/a", " /a ", "/a?", "/b/",
        )  # fmt: skip
        ran = await crawl(tmp_path, site.url)
    assert sorted(asked(site)) == ["/", "/a", "/b/"]
    assert ran.report.admitted == 3


SCOPES = [
    ("host", {"/docs/": 1, "/docs/a": 1, "/blog": 1, "other": 0}),
    ("path", {"/docs/": 1, "/docs/a": 1, "/blog": 0, "other": 0}),
    ("domain", {"/docs/": 1, "/docs/a": 1, "/blog": 1, "other": 1}),
    ("any", {"/docs/": 1, "/docs/a": 1, "/blog": 1, "other": 1}),
]


@pytest.mark.parametrize(("scope", "expected"), SCOPES, ids=[scope for scope, _ in SCOPES])
async def test_the_scope_decides_how_far_links_are_followed(
    tmp_path: Path, scope: str, expected: dict[str, int]
) -> None:
    async with SiteServer({"/": "another port"}) as other, SiteServer({}) as site:
        site.pages |= {"/docs/": links("/docs/a", "/blog", other.url), "/docs/a": "a", "/blog": "b"}
        ran = await crawl(tmp_path, site.url + "/docs/", scope=scope)
    counted = {path: asked(site).count(path) for path in ("/docs/", "/docs/a", "/blog")}
    assert counted | {"other": len(asked(other))} == expected
    assert ran.refused.get("scope", 0) == list(expected.values()).count(0)


CHOICES = [
    ({"include": ["/docs/*"]}, ["/", "/docs/a", "/docs/b"], {"include": 2}),
    ({"exclude": ["/docs/*"]}, ["/", "/about", "/docs.html"], {"exclude": 2}),
    ({"include": ["/docs/*"], "exclude": ["*/b"]}, ["/", "/docs/a"], {"exclude": 1, "include": 2}),
    ({"include": ["re:/docs/[ab]$"]}, ["/", "/docs/a", "/docs/b"], {"include": 2}),
    ({"follow_links": False}, ["/"], {}),
    ({"max_depth": 0}, ["/"], {"depth": 4}),
    (
        {"exclude": ["re:docs"], "max_depth": 0},
        ["/"],
        {"exclude": 3, "depth": 1},
    ),
]


@pytest.mark.parametrize(("options", "expected", "refused"), CHOICES)
async def test_patterns_and_depth_choose_among_the_links(
    tmp_path: Path, options: dict[str, Any], expected: list[str], refused: dict[str, int]
) -> None:
    pages = {
        "/": links("/docs/a", "/docs/b", "/about", "/docs.html"),
        "/docs/a": "a", "/docs/b": "b", "/about": "about", "/docs.html": "docs",
    }  # fmt: skip
    async with SiteServer(pages) as site:
        ran = await crawl(tmp_path, site.url, **options)
    assert sorted(asked(site)) == expected
    assert ran.refused == refused


async def test_depth_is_counted_from_the_seeds(tmp_path: Path) -> None:
    pages = {"/": links("/1"), "/1": links("/2"), "/2": links("/3"), "/3": "deep"}
    async with SiteServer(pages) as site:
        ran = await crawl(tmp_path, site.url, max_depth=2)
    assert asked(site) == ["/", "/1", "/2"]
    assert ran.refused == {"depth": 1}


async def test_refused_links_are_counted_by_reason_with_samples_in_log_and_report(
    tmp_path: Path,
) -> None:
    pages = {
        "/": links(
            "mailto:a@b.c", "http://elsewhere.test/", "/secret/a", "/secret/b", "/x.zip", "/ok"
        )
        + '<a rel="nofollow" href="/hint">x</a>',
        "/ok": "<p>fine</p>",
    }
    async with SiteServer(pages) as site:
        ran = await crawl(tmp_path, site.url, exclude=["/secret/*"])
    assert ran.refused == {"scheme": 1, "scope": 1, "exclude": 2, "asset": 1, "nofollow": 1}
    assert ran.report.refused["exclude"][1] == [site.url + "/secret/a", site.url + "/secret/b"]
    (entry,) = ran.said("links refused")
    assert "http://elsewhere.test/" in (entry.fields or "")
    assert not ran.said("all ")


@pytest.mark.parametrize(
    "page",
    [
        Page(body="<meta name=robots content=nofollow>" + links("/a", "/b", "mailto:a@b.c")),
        Page(body=links("/a", "/b", "mailto:a@b.c"), headers={"X-Robots-Tag": "nofollow"}),
    ],
)
async def test_links_of_a_page_that_forbids_to_follow_them_are_counted_as_refused(
    tmp_path: Path, page: Page
) -> None:
    async with SiteServer({"/": page}) as site:
        ran = await crawl(tmp_path, site.url)
    assert asked(site) == ["/"]
    assert ran.refused == {"scheme": 1, "nofollow": 2}
    assert ran.said("all 3 links of the page are refused")


async def test_a_page_whose_links_are_all_refused_says_so(tmp_path: Path) -> None:
    async with SiteServer({"/": links("http://a.test/", "http://b.test/")}) as site:
        ran = await crawl(tmp_path, site.url)
    (entry,) = ran.said("all 2 links of the page are refused")
    assert (entry.level, entry.name) == (Level.WARN, site.url + "/")


async def test_several_seeds_are_one_crawl(tmp_path: Path) -> None:
    async with SiteServer({"/": links("/one"), "/one": "1"}) as a:
        async with SiteServer({"/": links(a.url + "/one"), "/two": "2"}, host="127.0.0.2") as b:
            ran = await crawl(tmp_path, a.url, b.url, b.url + "/two", a.url + "/")
    assert sorted(asked(a)) == ["/", "/one"]
    assert sorted(asked(b)) == ["/", "/two"]
    assert ran.report.admitted == 4


# -- the page limit


async def test_the_page_limit_is_exact_under_concurrency(tmp_path: Path) -> None:
    names = [f"/{n}" for n in range(60)]
    pages: dict[str, Any] = {name: Page(body=links(*names), delay=0.005) for name in ["/", *names]}
    async with SiteServer(pages) as site:
        ran = await crawl(tmp_path, site.url, max_pages=17, concurrency=8)
    assert len(asked(site)) == 17
    assert (ran.report.admitted, ran.report.waiting, ran.root.counts.total) == (17, 44, 17)


async def test_failed_pages_count_towards_the_limit(tmp_path: Path) -> None:
    async with SiteServer({"/": links("/gone", "/a", "/b"), "/a": "a", "/b": "b"}) as site:
        ran = await crawl(tmp_path, site.url, max_pages=3)
    assert sorted(asked(site)) == ["/", "/a", "/gone"]
    assert (ran.root.counts.failed, ran.root.warnings) == (1, 1)


# -- redirects


async def test_a_redirected_page_is_kept_under_the_address_it_leads_to(tmp_path: Path) -> None:
    pages = {
        "/": links("/old"),
        "/old": redirect("/mid", 301),
        "/mid": redirect("/new"),
        "/new": "n",
    }
    async with SiteServer(pages) as site:
        ran = await crawl(tmp_path, site.url)
    assert asked(site) == ["/", "/old", "/mid", "/new"]
    assert ran.urls == [site.url + "/", site.url + "/new"]


async def test_a_redirect_to_a_page_that_is_known_does_not_fetch_it_again(tmp_path: Path) -> None:
    pages = {"/": links("/a", "/b", "/c"), "/a": "a", "/b": redirect("/a"), "/c": redirect("/")}
    async with SiteServer(pages) as site:
        ran = await crawl(tmp_path, site.url)
    assert sorted(asked(site)) == ["/", "/a", "/b", "/c"]
    assert ran.outcomes() == {"saved": 2, "redirected": 2}


async def test_two_pages_redirected_to_one_unknown_address_fetch_it_once(tmp_path: Path) -> None:
    names = [f"/{n}" for n in range(8)]
    pages: dict[str, Any] = {"/": links(*names), "/there": "t"}
    pages |= {name: redirect("/there") for name in names}
    async with SiteServer(pages) as site:
        ran = await crawl(tmp_path, site.url, concurrency=8)
    assert asked(site).count("/there") == 1
    assert ran.outcomes() == {"saved": 2, "redirected": 7}


async def test_redirects_in_a_circle_are_an_error_and_not_followed(tmp_path: Path) -> None:
    circles = {
        "/self": redirect("/self"),
        "/a": redirect("/b"), "/b": redirect("/a"),
        "/1": redirect("/2"), "/2": redirect("/3"), "/3": redirect("/2"),
    }  # fmt: skip
    async with SiteServer({"/": links("/self", "/a", "/1"), **circles}) as site:
        ran = await crawl(tmp_path, site.url)
    for start in ("/self", "/a", "/1"):
        assert "redirects in a circle" in str(ran.page(site.url + start).error)
    assert sorted(asked(site)) == sorted(["/", *circles])


async def test_a_redirect_that_sets_a_cookie_may_lead_back(tmp_path: Path) -> None:
    first = Page(status=302, headers={"Location": "/a", "Set-Cookie": "seen=1"})
    async with SiteServer({"/": links("/a"), "/a": [first, Page(body="<p>welcome</p>")]}) as site:
        ran = await crawl(tmp_path, site.url)
    assert site.url + "/a" in ran.urls
    assert site.hits[-1].headers["Cookie"] == "seen=1"


async def test_redirects_without_end_are_given_up(tmp_path: Path) -> None:
    pages: dict[str, Any] = {f"/{n}": redirect(f"/{n + 1}") for n in range(40)}
    async with SiteServer({"/": links("/0"), **pages}) as site:
        ran = await crawl(tmp_path, site.url)
    assert "more than 20 redirects" in str(ran.page(site.url + "/0").error)
    assert len(asked(site)) == 1 + 21


async def test_a_redirect_out_of_the_crawl_is_refused_and_not_asked_for(tmp_path: Path) -> None:
    async with SiteServer({"/": "other"}, host="127.0.0.2") as other, SiteServer({}) as site:
        site.pages |= {
            "/": links("/out", "/secret"), "/out": redirect(other.url), "/secret": redirect("/x/1"),
        }  # fmt: skip
        ran = await crawl(tmp_path, site.url, exclude=["/x/*"])
    assert other.hits == []
    assert "/x/1" not in asked(site)
    assert ran.refused == {"scope": 1, "exclude": 1}
    assert ran.root.status is Status.COMPLETED


async def test_a_seed_that_redirects_out_of_the_crawl_fails_it_and_names_the_place(
    tmp_path: Path,
) -> None:
    async with SiteServer({}, host="127.0.0.2") as other, SiteServer({}) as site:
        site.pages["/"] = redirect(other.url + "/new")
        ran = await crawl(tmp_path, site.url)
    assert ran.root.status is Status.FAILED
    assert f"redirects to {other.url}/new, which the crawl does not cover" in str(
        ran.pages[0].error
    )


async def test_a_redirect_to_no_address_is_an_error(tmp_path: Path) -> None:
    targets = ["http://[", "ftp://a.test/", "http://u:p@127.0.0.1/"]
    pages = {f"/{n}": redirect(target) for n, target in enumerate(targets)}
    async with SiteServer({"/": links(*pages), **pages}) as site:
        ran = await crawl(tmp_path, site.url)
    assert [ran.page(site.url + path).status for path in pages] == [Status.FAILED] * 3
    assert sorted(asked(site)) == ["/", *pages]
    assert "u:p" not in "".join(str(page.error) for page in ran.pages)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names below `site.test` are this machine's."""
    real = socket.getaddrinfo

    def found(host: Any, *args: Any, **kwargs: Any) -> Any:
        here = isinstance(host, str) and host.endswith("site.test")
        return real("127.0.0.1" if here else host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", found)


@pytest.mark.parametrize(
    ("seed", "moved"), [("site.test", "www.site.test"), ("www.site.test", "site.test")]
)
async def test_a_site_that_moves_to_or_from_www_is_crawled_there(
    tmp_path: Path, names: None, seed: str, moved: str
) -> None:
    async with SiteServer({"/": [redirect("/"), Page(body=links("/a"))], "/a": "a"}) as site:
        port = site.url.rpartition(":")[2]
        there = f"http://{moved}:{port}"
        site.pages["/"] = [redirect(there + "/"), Page(body=links("/a"))]
        ran = await crawl(
            tmp_path, f"http://{seed}:{port}", config={"allow_networks": ("127.0.0.0/8",)}
        )
    assert ran.urls == [there + "/", there + "/a"]


# -- what is kept


async def test_pages_are_kept_with_text_title_and_where_they_come_from(tmp_path: Path) -> None:
    body = (
        "<html lang=de><head><title>Gezeiten</title><meta name=description content='Kurz.'></head>"
        "<body><h1>Gezeiten</h1><p>Ein Absatz.</p></body>"
    )
    async with SiteServer({"/": Page(body=body, etag='"v1"')}) as site:
        ran = await crawl(tmp_path, site.url)
    (document,) = ran.documents
    assert (document.summary.title, document.summary.language) == ("Gezeiten", "de")
    assert (document.summary.description, document.etag) == ("Kurz.", '"v1"')
    assert "Ein Absatz." in document.text
    assert document.summary.root_id == ran.root.id


CHARSETS = [
    ("text/html; charset=iso-8859-1", "latin-1", "", "Grüße"),
    ("text/html", "utf-8", "<meta charset=utf-8>", "naïve →"),
    (
        "text/html", "windows-1251",
        "<meta http-equiv=content-type content='text/html; charset=windows-1251'>", "Привет",
    ),
    ("text/html; charset=shift_jis", "shift_jis", "", "日本語"),
]  # fmt: skip


async def test_text_is_read_in_the_charset_it_was_written_in(tmp_path: Path) -> None:
    pages: dict[str, Any] = {}
    for n, (content_type, charset, meta, text) in enumerate(CHARSETS):
        body = f"<html><head>{meta}<title>{text}</title></head><body><p>{text}</p>"
        pages[f"/{n}"] = Page(body=body.encode(charset), content_type=content_type)
    async with SiteServer({"/": links(*pages), **pages}) as site:
        ran = await crawl(tmp_path, site.url)
    kept = {each.summary.url: (each.summary.title, each.text.strip()) for each in ran.documents}
    for n, (*_, text) in enumerate(CHARSETS):
        assert kept[f"{site.url}/{n}"] == (text, text)


async def test_what_is_no_text_is_refused_by_its_type(tmp_path: Path) -> None:
    pages = {
        "/": links("/paper", "/data", "/notes"),
        "/paper": Page(body=b"%PDF-1.7", content_type="application/pdf"),
        "/data": Page(body="{}", content_type="application/json"),
        "/notes": Page(body="plain words", content_type="text/plain"),
    }
    async with SiteServer(pages) as site:
        ran = await crawl(tmp_path, site.url)
    assert ran.refused == {"content-type": 2}
    assert ran.urls == [site.url + "/", site.url + "/notes"]
    assert ran.root.counts.failed == 0


async def test_an_answer_without_content_takes_no_text_away(tmp_path: Path) -> None:
    pages = {"/": links("/a", "/b", "/c"), **{f"/{name}": f"<p>text of {name}" for name in "abc"}}
    async with SiteServer(pages) as site:
        await crawl(tmp_path, site.url)
        for path, status in (("/a", 204), ("/b", 205), ("/c", 206)):
            site.pages[path] = Page(body="" if status != 206 else "<p>text", status=status)
        ran = await crawl(tmp_path, site.url)
        texts = {each.summary.url.rpartition("/")[2]: each.text.strip() for each in ran.documents}
    assert ran.refused == {"no-content": 2}
    assert ran.root.counts.failed == 1
    assert ran.said("sent a part of the page")
    assert {name: texts[name] for name in "abc"} == {name: f"text of {name}" for name in "abc"}


async def test_a_seed_that_is_no_text_fails_the_crawl(tmp_path: Path) -> None:
    async with SiteServer({"/": Page(body=b"\x00", content_type="image/png")}) as site:
        ran = await crawl(tmp_path, site.url)
    assert ran.root.status is Status.FAILED
    assert "image/png" in str(ran.pages[0].error)


ROBOTS_WORDS: list[tuple[dict[str, str], str, bool, bool]] = [
    ({}, "noindex", False, True),
    ({}, "nofollow", True, False),
    ({}, "none", False, False),
    ({"X-Robots-Tag": "noindex"}, "", False, True),
    ({"X-Robots-Tag": "noindex, nofollow"}, "", False, False),
    ({"X-Robots-Tag": "NONE"}, "", False, False),
    ({"X-Robots-Tag": "otherbot: none"}, "", True, True),
    ({"X-Robots-Tag": "quaero: nofollow"}, "", True, False),
    ({"X-Robots-Tag": "unavailable_after: 25 Jun 2030 15:00:00 PST"}, "", True, True),
]


async def test_pages_say_whether_they_are_kept_and_their_links_followed(tmp_path: Path) -> None:
    pages: dict[str, Any] = {}
    for n, (headers, meta, _, _) in enumerate(ROBOTS_WORDS):
        body = f"<meta name=robots content='{meta}'>" + links(f"/from/{n}")
        pages |= {f"/{n}": Page(body=body, headers=headers, etag=f'"{n}"'), f"/from/{n}": "x"}
    async with SiteServer({"/": links(*(f"/{n}" for n in range(9))), **pages}) as site:
        await crawl(tmp_path, site.url)
        first = len(site.hits)
        ran = await crawl(tmp_path, site.url)
    again = [hit.path for hit in site.hits[first:]]
    for n, (_, _, kept, followed) in enumerate(ROBOTS_WORDS):
        assert (f"{site.url}/{n}" in ran.urls) is kept, ROBOTS_WORDS[n]
        assert (f"/from/{n}" in asked(site)) is followed, ROBOTS_WORDS[n]
        assert (f"/from/{n}" in again) is followed, "on a recrawl as well"


async def test_metadata_only_keeps_no_text_and_a_full_crawl_adds_it(tmp_path: Path) -> None:
    page = Page(body=links("/a", title="Tides", text="long text"), etag='"v1"')
    async with SiteServer({"/": page, "/a": "a"}) as site:
        sparse = await crawl(tmp_path, site.url, detail_level="metadata")
        full = await crawl(tmp_path, site.url)
        again = await crawl(tmp_path, site.url, detail_level="metadata", refresh="always")
    assert (sparse.documents[0].text, sparse.documents[0].summary.title) == ("", "Tides")
    assert "long text" in full.documents[0].text
    assert "long text" in again.documents[0].text, "full is never lowered to metadata"


# -- crawling again


def _site() -> dict[str, Any]:
    return {
        "/": Page(body=links("/a", "/b"), etag='"1"'),
        "/a": Page(body=links("/deep"), etag='"2"'),
        "/b": "no validator",
        "/deep": Page(body="deep", headers={"Last-Modified": "Wed, 21 Oct 2015 07:28:00 GMT"}),
    }


async def test_a_recrawl_asks_whether_pages_changed_and_follows_the_links_they_had(
    tmp_path: Path,
) -> None:
    async with SiteServer(_site()) as site:
        await crawl(tmp_path, site.url)
        first = len(site.hits)
        ran = await crawl(tmp_path, site.url)
    again = {hit.path: hit for hit in site.hits[first:]}
    assert sorted(again) == ["/", "/a", "/b", "/deep", ROBOTS]
    assert (again["/"].status, again["/a"].status, again["/b"].status) == (304, 304, 200)
    assert again["/deep"].headers["If-Modified-Since"] == "Wed, 21 Oct 2015 07:28:00 GMT"
    assert (ran.report.created, ran.report.changed, ran.report.unchanged) == (0, 0, 4)


async def test_a_changed_page_is_kept_anew_with_its_new_links(tmp_path: Path) -> None:
    async with SiteServer(_site()) as site:
        await crawl(tmp_path, site.url)
        site.pages |= {"/a": Page(body=links("/new", text="other"), etag='"3"'), "/new": "n"}
        ran = await crawl(tmp_path, site.url)
    assert (ran.report.created, ran.report.changed, ran.report.unchanged) == (1, 1, 2)
    assert site.paths().count("/deep") == 1, "no page links to it any more"
    (changed,) = [document for document in ran.documents if document.summary.url.endswith("/a")]
    assert (changed.summary.version, "other" in changed.text) == (2, True)


@pytest.mark.parametrize(
    "instead",
    [
        '<meta name="robots" content="noindex">closed for today',
        '<title>Log in</title><form action="/login"><input type="password"></form>',
    ],
)
async def test_a_page_that_is_back_after_what_is_not_kept_has_the_links_it_had(
    tmp_path: Path, instead: str
) -> None:
    hub = Page(body=links("/deep"), etag='"1"')
    async with SiteServer({"/": links("/hub"), "/hub": hub, "/deep": "old"}) as site:
        await crawl(tmp_path, site.url)
        site.pages["/hub"] = Page(body=instead, etag='"2"')
        await crawl(tmp_path, site.url)
        site.pages |= {"/hub": hub, "/deep": "new"}
        ran = await crawl(tmp_path, site.url)
    assert ran.page(site.url + "/hub").result == {"outcome": "unchanged"}
    assert (ran.report.changed, ran.report.unchanged) == (1, 2)


async def test_a_page_of_which_only_metadata_came_keeps_the_links_of_its_text(
    tmp_path: Path,
) -> None:
    hub = Page(body=links("/deep"), etag='"1"')
    async with SiteServer({"/": links("/hub"), "/hub": hub, "/deep": "old"}) as site:
        await crawl(tmp_path, site.url)
        site.pages["/hub"] = Page(body=links(text="other"), etag='"2"')
        await crawl(tmp_path, site.url, detail_level="metadata")
        site.pages |= {"/hub": hub, "/deep": "new"}
        ran = await crawl(tmp_path, site.url)
    assert ran.page(site.url + "/hub").result == {"outcome": "unchanged"}
    assert (ran.report.changed, ran.report.unchanged) == (1, 2)


async def test_refresh_always_fetches_without_conditions(tmp_path: Path) -> None:
    async with SiteServer(_site()) as site:
        await crawl(tmp_path, site.url)
        first = len(site.hits)
        ran = await crawl(tmp_path, site.url, refresh="always")
    assert {hit.status for hit in site.hits[first:] if hit.path != ROBOTS} == {200}
    assert ran.report.unchanged == 4


async def test_refresh_missing_fetches_only_what_is_not_there(tmp_path: Path) -> None:
    async with SiteServer(_site()) as site:
        await crawl(tmp_path, site.url, exclude=["/deep"])
        first = len(site.hits)
        ran = await crawl(tmp_path, site.url, refresh="missing")
    assert [hit.path for hit in site.hits[first:] if hit.path != ROBOTS] == ["/deep"]
    assert (ran.report.created, ran.report.unchanged) == (1, 3)


@pytest.mark.parametrize("refresh", ["changed", "missing"])
async def test_a_page_that_was_imported_is_fetched_for_its_links(
    tmp_path: Path, refresh: str
) -> None:
    async with SiteServer(_site()) as site:
        await crawl(tmp_path / "there", site.url)
        with SqliteDatabase.open(tmp_path / "there" / "quaero.db") as db:
            await asyncio.to_thread(export_lines, db, tmp_path / "all.jsonl")
        with SqliteDatabase.open(tmp_path / "quaero.db") as db:
            await asyncio.to_thread(import_path, db, tmp_path / "all.jsonl")
        ran = await crawl(tmp_path, site.url, refresh=refresh)
    assert ran.outcomes() == {"saved": 4}
    assert ran.report.unchanged == 4


@pytest.mark.parametrize(("status", "refresh"), [(404, "always"), (410, "changed")])
async def test_a_page_that_is_no_more_is_marked_gone_until_it_is_back(
    tmp_path: Path, status: int, refresh: str
) -> None:
    async with SiteServer(_site()) as site:
        await crawl(tmp_path, site.url)
        site.pages["/b"] = Page(status=status)
        without = await crawl(tmp_path, site.url, refresh=refresh)
        once_more = await crawl(tmp_path, site.url, refresh=refresh)
        site.pages["/b"] = "no validator"
        back = await crawl(tmp_path, site.url, refresh="missing")
    assert (without.report.gone, _gone(without)) == (1, [site.url + "/b"])
    assert (once_more.report.gone, _gone(once_more)) == (0, [site.url + "/b"]), "gone before"
    assert _gone(back) == [], "what is gone counts as missing"


def _gone(ran: Ran) -> list[str]:
    return [each.summary.url for each in ran.documents if each.summary.gone_at]


async def test_a_page_that_leads_to_one_that_is_not_there_is_marked_gone(tmp_path: Path) -> None:
    pages: dict[str, Any] = {"/": links("/a", "/b"), "/a": "alpha", "/b": "beta"}
    async with SiteServer(pages) as site:
        await crawl(tmp_path, site.url)
        site.pages["/a"] = redirect("/not-found?from=/a")
        ran = await crawl(tmp_path, site.url)
    assert (_gone(ran), ran.report.gone) == ([site.url + "/a"], 1)


async def test_a_page_that_nothing_links_to_any_more_stays_as_it_is(tmp_path: Path) -> None:
    async with SiteServer({"/": links("/a"), "/a": "alpha"}) as site:
        await crawl(tmp_path, site.url)
        site.pages = {"/": "no links"}
        ran = await crawl(tmp_path, site.url)
    assert asked(site).count("/a") == 1
    assert (site.url + "/a" in ran.urls, _gone(ran)) == (True, [])


@pytest.mark.parametrize(
    ("status", "refresh", "gone"),
    [(301, "changed", 1), (308, "always", 1), (302, "changed", 0), (307, "always", 0)],
)
async def test_a_page_that_has_moved_for_good_is_there_once(
    tmp_path: Path, status: int, refresh: str, gone: int
) -> None:
    pages: dict[str, Any] = {"/": links("/a", "/b"), "/a": "alpha", "/b": "beta"}
    async with SiteServer(pages) as site:
        await crawl(tmp_path, site.url)
        site.pages["/a"] = redirect("/new", status)
        site.pages["/new"] = "alpha, elsewhere"
        ran = await crawl(tmp_path, site.url, refresh=refresh)
        again = await crawl(tmp_path, site.url, refresh=refresh)
    assert (_gone(ran), ran.report.gone) == ([site.url + "/a"] * gone, gone)
    assert (_gone(again), again.report.gone) == ([site.url + "/a"] * gone, 0)


async def test_a_page_that_has_moved_to_one_that_another_job_fetches(tmp_path: Path) -> None:
    pages: dict[str, Any] = {"/": links("/b", "/a"), "/a": "alpha", "/b": "beta"}
    async with SiteServer(pages) as site:
        await crawl(tmp_path, site.url)
        site.pages["/a"] = redirect("/b", 301)
        ran = await crawl(tmp_path, site.url)
    assert (_gone(ran), ran.report.gone) == ([site.url + "/a"], 1)
    assert ran.page(site.url + "/a").result == {"outcome": "redirected", "to": site.url + "/b"}


@pytest.mark.parametrize(
    "there",
    [
        Page(status=500),
        '<form action="/login"><input name="user"><input type="password"></form>',
        '<meta name="robots" content="noindex">nothing for an index',
    ],
)
async def test_a_page_stays_while_nothing_is_stored_where_it_has_moved(
    tmp_path: Path, there: Any
) -> None:
    pages: dict[str, Any] = {"/": links("/a", "/b"), "/a": "alpha", "/b": "beta"}
    async with SiteServer(pages) as site:
        await crawl(tmp_path, site.url)
        site.pages["/a"] = redirect("/new", 301)
        site.pages["/new"] = there
        ran = await crawl(tmp_path, site.url)
    assert (_gone(ran), ran.report.gone) == ([], 0)


@pytest.mark.parametrize("order", ["/none /a /b /c", "/c /none /b /a", "/c /b /a /none"])
async def test_pages_that_lead_to_one_that_is_not_there_are_all_marked_gone(
    tmp_path: Path, order: str
) -> None:
    old = ["/a", "/b", "/c"]
    pages: dict[str, Any] = {"/": links(*order.split()), **dict.fromkeys(old, "alpha")}
    async with SiteServer(pages) as site:
        await crawl(tmp_path, site.url)
        site.pages |= {"/a": redirect("/none"), "/b": redirect("/none", 301), "/c": redirect("/b")}
        ran = await crawl(tmp_path, site.url, slots=1)
        asked_before = asked(site).count("/none")
        again = await crawl(tmp_path, site.url, slots=1)
    assert (sorted(_gone(ran)), ran.report.gone) == ([site.url + path for path in old], 3)
    assert (again.report.gone, asked(site).count("/none")) == (0, asked_before + 1)


async def test_a_page_that_has_moved_to_one_not_fetched_yet_is_there_once(tmp_path: Path) -> None:
    pages: dict[str, Any] = {"/": links("/a", "/b"), "/a": "alpha", "/b": redirect("/a", 301)}
    async with SiteServer(pages) as site:
        await crawl(tmp_path, site.url)
        site.pages |= {"/a": redirect("/b", 301), "/b": "alpha"}
        there = await crawl(tmp_path, site.url, slots=1)
        site.pages |= pages
        back = await crawl(tmp_path, site.url, slots=1)
    assert (_gone(there), there.report.gone) == ([site.url + "/a"], 1)
    assert (_gone(back), back.report.gone) == ([site.url + "/b"], 1)


async def test_a_page_that_sets_a_cookie_and_leads_to_itself_has_not_moved(tmp_path: Path) -> None:
    alpha = Page(body="alpha")
    to_itself = Page(status=301, headers={"Location": "/a", "Set-Cookie": "seen=1"})
    pages: dict[str, Any] = {"/": links("/a", "/b"), "/a": [alpha, to_itself, alpha], "/b": "beta"}
    async with SiteServer(pages) as site:
        await crawl(tmp_path, site.url)
        ran = await crawl(tmp_path, site.url, refresh="always")
    assert asked(site).count("/a") == 3
    assert (_gone(ran), ran.report.gone) == ([], 0)


async def test_a_page_that_is_not_there_fails_without_another_try(tmp_path: Path) -> None:
    async with SiteServer(
        {"/": links("/missing", "/forbidden"), "/forbidden": Page(status=403)}
    ) as site:
        ran = await crawl(tmp_path, site.url)
    assert sorted(asked(site)) == ["/", "/forbidden", "/missing"]
    assert ran.root.status is Status.COMPLETED
    assert "404 (Not Found)" in str(ran.page(site.url + "/missing").error)


# -- the network policy


async def test_links_into_the_own_network_are_refused_unless_a_seed_is_there(
    tmp_path: Path,
) -> None:
    async with SiteServer({"/": "inside"}, host="127.0.0.2") as inside, SiteServer({}) as site:
        site.pages |= {
            "/": links(inside.url, "http://169.254.169.254/latest/", "/hop"),
            "/hop": redirect(inside.url + "/secret"),
        }
        ran = await crawl(tmp_path, site.url, scope="any")
        assert inside.hits == []
        assert ran.refused == {"network": 3}
        assert ran.root.status is Status.COMPLETED
        both = await crawl(tmp_path, site.url, inside.url, scope="any", max_depth=1)
    assert "/" in asked(inside)
    assert both.refused == {"network": 1}


async def test_a_network_that_is_named_in_the_settings_may_be_crawled(tmp_path: Path) -> None:
    async with SiteServer({"/": "inside"}, host="127.0.0.2") as inside, SiteServer({}) as site:
        site.pages["/"] = links(inside.url)
        await crawl(tmp_path, site.url, scope="any", config={"allow_networks": ("127.0.0.2/32",)})
    assert asked(inside) == ["/"]


async def test_a_seed_at_a_metadata_address_fails_at_once(tmp_path: Path) -> None:
    ran = await crawl(tmp_path, "http://169.254.169.254/latest/")
    assert ran.root.status is Status.FAILED
    assert "link-local, metadata" in str(ran.pages[0].error)
