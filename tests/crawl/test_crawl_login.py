"""Crawls with a login: it goes to its own site on every hop, and an expired one stops the crawl."""

import asyncio
from pathlib import Path

import pytest

from quaero.app import worker
from quaero.crawl.cookies import Cookie
from quaero.jobs.logs import Query, read
from quaero.jobs.model import Status
from quaero.testing.site import Hit, Page, SiteServer, redirect

from .crawler import LONGEST, SESSION, begin, crawl, ended, links, login, look, settings

FORM = (
    "<html><head><title>Log in</title></head><body><form action='/login'>"
    "<input name=user><input type=password name=p><button>Log in</button></form></body>"
)
SECRET = {"Authorization": "Bearer s3cret"}


def secrets(hit: Hit) -> tuple[bool, bool]:
    """Whether a request carried the header, and the cookie."""
    return "Authorization" in hit.headers, "sid=" in hit.headers.get("Cookie", "")


async def test_header_and_cookie_go_to_their_site_only_on_every_hop(tmp_path: Path) -> None:
    async with SiteServer({}, host="127.0.0.2") as other, SiteServer({}) as site:
        site.pages |= {
            "/": links("/in", "/out", other.url + "/page"),
            "/in": redirect("/inside"), "/inside": "i", "/back": "back",
            "/out": redirect(other.url + "/bounce"),
        }  # fmt: skip
        other.pages |= {"/bounce": redirect(site.url + "/back"), "/page": "p"}
        ran = await crawl(
            tmp_path, site.url, scope="any", private=SESSION,
            with_login=login([Cookie(name="sid", value="v", domain="127.0.0.1")], SECRET),
            config={"allow_networks": ("127.0.0.0/8",)},
        )  # fmt: skip
    assert {hit.path for hit in other.hits} == {"/robots.txt", "/bounce", "/page"}
    assert {secrets(hit) for hit in other.hits} == {(False, False)}
    assert {secrets(hit) for hit in site.hits} == {(True, True)}
    assert "/back" in site.paths()
    assert ran.root.counts.failed == 0
    assert "s3cret" not in repr(ran)


async def test_a_cookie_that_a_site_sets_stays_with_it(tmp_path: Path) -> None:
    async with SiteServer({"/": "other"}, host="127.0.0.2") as other, SiteServer({}) as site:
        site.pages |= {
            "/": Page(body=links("/a", other.url), headers={"Set-Cookie": "sid=1; Path=/"}),
            "/a": "a",
        }
        await crawl(tmp_path, site.url, other.url)
    by_path = {hit.path: hit for hit in site.hits}
    assert by_path["/a"].headers["Cookie"] == "sid=1"
    assert all("Cookie" not in hit.headers for hit in other.hits)


async def test_a_login_page_at_the_seed_stops_the_crawl_and_asks_for_a_login(
    tmp_path: Path,
) -> None:
    pages = {"/": redirect("/login"), "/login": FORM + links("/help"), "/help": "h"}
    async with SiteServer(pages) as site:
        ran = await crawl(tmp_path, site.url)
    assert ran.root.status is Status.FAILED
    assert "shows a login page" in str(ran.root.error)
    assert "--cookie-file or --header" in str(ran.root.error)
    assert ran.said(f"ended by a page: {ran.root.error}")
    assert not ran.said("by hand")
    assert ran.documents == []


async def test_of_several_seeds_one_that_asks_to_log_in_fails_by_itself(tmp_path: Path) -> None:
    pages = {"/": links("/a"), "/a": Page(body="a", delay=0.5)}
    async with SiteServer(pages) as site, SiteServer({"/": FORM}) as closed:
        ran = await crawl(tmp_path, site.url, closed.url)
    assert ran.root.status is Status.COMPLETED
    assert ran.urls == [site.url + "/", site.url + "/a"]
    error = ran.page(closed.url + "/").error or ""
    assert "shows a login page" in error
    assert "--cookie-file or --header" in error


@pytest.mark.parametrize("expired", [redirect("/login"), Page(body=FORM)], ids=["moved", "inside"])
async def test_an_expired_login_stops_the_crawl_with_one_clear_error(
    tmp_path: Path, expired: Page
) -> None:
    names = [f"/{n}" for n in range(40)]
    pages = {"/": links(*names), "/login": FORM, **dict.fromkeys(names, expired)}
    async with SiteServer(pages) as site:
        ran = await crawl(
            tmp_path, site.url, private=SESSION, with_login=login(headers=SECRET), concurrency=1
        )
    assert ran.root.status is Status.FAILED
    assert "the login has expired" in str(ran.root.error)
    assert len(site.hits) < 20, "the rest is not asked for"
    assert ran.root.counts.pending == ran.root.counts.running == 0
    assert ran.root.counts.failed + ran.root.counts.cancelled >= 39


@pytest.mark.parametrize("private", [False, True])
async def test_a_seed_that_asks_for_a_login_by_its_status_stops_the_crawl(
    tmp_path: Path, *, private: bool
) -> None:
    async with SiteServer({"/": Page(status=401, body="who?")}) as site:
        given = {"private": SESSION, "with_login": login(headers=SECRET)} if private else {}
        ran = await crawl(tmp_path, site.url, **given)
    assert ran.root.status is Status.FAILED
    said = "the login has expired" if private else "give your login with --cookie-file or --header"
    assert f"answers 401 at {site.url}/ in place of content: {said}" in str(ran.root.error)


async def test_a_login_that_ends_half_way_stops_the_crawl_by_its_answers(tmp_path: Path) -> None:
    names = [f"/{n}" for n in range(40)]
    pages = {"/": links(*names), **dict.fromkeys(names[:5], "open")}
    pages |= dict.fromkeys(names[5:], Page(status=401, body="who?"))
    async with SiteServer(pages) as site:
        ran = await crawl(
            tmp_path, site.url, private=SESSION, with_login=login(headers=SECRET), concurrency=1
        )
    assert ran.root.status is Status.FAILED
    assert "answers 401" in str(ran.root.error)
    assert "the login has expired" in str(ran.root.error)
    assert len(site.hits) < 20, "the rest is not asked for"
    assert len(ran.documents) == 6


@pytest.mark.parametrize("private", [False, True])
async def test_a_login_that_a_site_refuses_from_some_page_on_is_warned_of_once(
    tmp_path: Path, *, private: bool
) -> None:
    names = [f"/{n}" for n in range(20)]
    pages = {"/": links(*names), **dict.fromkeys(names, Page(status=403, body="no"))}
    pages |= {"/9": "open"}
    async with SiteServer(pages) as site:
        given = {"private": SESSION, "with_login": login(headers=SECRET)} if private else {}
        ran = await crawl(tmp_path, site.url, concurrency=1, **given)
    assert (ran.root.status, ran.root.counts.failed) == (Status.COMPLETED, 19)
    said = ran.said("answered 403 to 5 pages in a row")
    assert [line.job_id for line in said] == ([ran.root.id] if private else [])
    if private:
        assert said[0].message.endswith(
            "; if you may read them, the login has expired or is not accepted; log in again and "
            "give the new cookies, then retry what failed"
        )


@pytest.mark.parametrize(("path", "hinted"), [("/sso?back=x", True), ("/elsewhere", False)])
async def test_a_seed_that_leads_away_to_a_login_says_what_to_give(
    tmp_path: Path, path: str, *, hinted: bool
) -> None:
    async with SiteServer({"/": redirect("http://127.0.0.2:9" + path)}) as site:
        ran = await crawl(tmp_path, site.url)
    (page,) = ran.pages
    assert "which the crawl does not cover" in str(page.error)
    assert ("give your login with --cookie-file or --header" in str(page.error)) is hinted


async def test_pages_that_are_for_others_stop_no_crawl(tmp_path: Path) -> None:
    kept, closed = [f"/{n}" for n in range(8)], [f"/admin/{n}" for n in range(8)]
    names = [name for pair in zip(kept, closed, strict=True) for name in pair]
    pages = {"/": links(*names), **dict.fromkeys(kept, "open")}
    pages |= dict.fromkeys(closed, Page(status=401, body="who?"))
    async with SiteServer(pages) as site:
        ran = await crawl(
            tmp_path, site.url, private=SESSION, with_login=login(headers=SECRET), concurrency=1
        )
    assert ran.root.status is Status.COMPLETED
    assert (ran.root.counts.failed, len(ran.documents)) == (8, 9)


async def test_pages_that_ask_to_log_in_are_counted_as_such(tmp_path: Path) -> None:
    pages = {"/": links("/a", "/b", "/c"), "/a": "a", "/b": FORM, "/c": redirect("/b?next=c")}
    pages["/b?next=c"] = FORM
    async with SiteServer(pages) as site:
        ran = await crawl(tmp_path, site.url)
    number, samples = ran.report.refused["login"]
    assert number == 2
    assert set(samples) == {site.url + "/b", site.url + "/c"}


async def test_a_link_to_a_login_page_is_a_link_like_others(tmp_path: Path) -> None:
    pages = {"/": links("/login", "/a"), "/login": FORM, "/a": "a"}
    async with SiteServer(pages) as site:
        ran = await crawl(tmp_path, site.url)
        private = await crawl(tmp_path, site.url, private=SESSION, with_login=login(headers=SECRET))
    for each in (ran, private):
        assert each.root.status is Status.COMPLETED
        assert each.urls == [site.url + "/", site.url + "/a"]


async def test_a_worker_without_the_login_leaves_such_pages_to_one_that_has_it(
    tmp_path: Path,
) -> None:
    async with SiteServer({"/": links("/a"), "/a": "a"}) as site:
        async with worker(settings(tmp_path)) as without:
            root_id = await begin(without, [site.url], private=SESSION)
            working = asyncio.create_task(without.pool.run())
            async with asyncio.timeout(LONGEST):
                while not (
                    said := [
                        line
                        for line in await without.db.read(read, Query(root_id, tree=True))
                        if "waiting for a process that has the crawl's login" in line.message
                    ]
                ):
                    await asyncio.sleep(0.02)
            without.pool.stop()
            await working
        assert (site.hits, len(said)) == ([], 1)
        async with worker(settings(tmp_path), login=login(headers=SECRET)) as made:
            await ended(made, root_id)
            ran = await made.db.read(look, root_id)
    assert ran.root.counts.completed == 2
    assert {secrets(hit) for hit in site.hits} == {(True, False)}
