"""Crawls of a Jira and a Confluence with a captured session: what the account may read, no more."""

from pathlib import Path
from typing import Any

import pytest

from quaero.app import worker
from quaero.crawl.cookies import Cookie
from quaero.jobs.model import Status
from quaero.jobs.reopen import reopen, retryable
from quaero.testing.confluence_site import ConfluenceSite
from quaero.testing.jira_site import JiraSite
from quaero.testing.product_gate import Expired

from .crawler import SESSION, Ran, crawl, ended, login, look, settings

Site = JiraSite | ConfluenceSite


def kind(site: Site) -> str:
    return "jira" if isinstance(site, JiraSite) else "confluence"


async def collect(folder: Path, site: Site, cookie: Cookie, **more: Any) -> Ran:
    """Crawl a site with the cookie of a session."""
    return await crawl(
        folder, site.home, with_login=login([cookie]), private=SESSION,
        source_type=kind(site), max_pages=0, **more,
    )  # fmt: skip


def fields(ran: Ran, entity: str, name: str) -> dict[str, Any]:
    """What is known of the documents about such things, by one of the values."""
    known = (each.metadata.get(entity) for each in ran.documents)
    return {said[name]: said for said in known if said}


SITES = [JiraSite, ConfluenceSite]


@pytest.mark.parametrize(
    ("make", "context"),
    [(JiraSite, "/here"), (JiraSite, ""), (ConfluenceSite, "/here"), (ConfluenceSite, "/wiki")],
)
async def test_a_crawl_gives_exactly_what_the_account_may_read(
    tmp_path: Path, make: type[Site], context: str
) -> None:
    site = make(context)
    async with site.server:
        ran = await collect(tmp_path, site, site.gate.captured("one"))
    assert set(ran.urls) == site.readable()
    assert len(ran.urls) == len(site.readable())
    assert (site.gate.harm, site.gate.strays) == ([], [])
    assert ran.root.status is Status.COMPLETED
    assert {reason for reason, number in ran.refused.items() if number} == {
        "view", "action", "source", "asset", "denied"
    }  # fmt: skip
    assert len(site.server.hits) <= 2 * len(site.readable())


async def test_an_issue_is_known_by_its_fields_and_read_as_a_text(tmp_path: Path) -> None:
    site = JiraSite()
    async with site.server:
        ran = await collect(tmp_path, site, site.gate.captured("one"))
    assert fields(ran, "issue", "key") == {
        key: issue.fields(site.home) for key, issue in site.issues.items()
    }
    assert fields(ran, "project", "key") == {
        key: {"key": key, "name": f"Project {key}", "lead": "Ann Archer"}
        for key, _ in site.projects
    }
    (document,) = [each for each in ran.documents if each.summary.url.endswith("ACME-5")]
    summary = document.summary
    about = {each.summary.entity_type for each in ran.documents}
    assert (summary.entity_type, about) == ("issue", {"issue", "project"})
    assert (summary.title, summary.source_type) == (
        "[ACME-5] Valve 5 of ACME leaks & drips", "jira"
    )  # fmt: skip
    assert (summary.author, summary.published, summary.modified) == (
        "Ann Archer", "2026-03-01T08:00:00Z", "2026-03-04T10:30:00Z"
    )  # fmt: skip
    assert document.text == (Path(__file__).parent / "products" / "jira.md").read_text(
        "utf-8"
    ).replace("SITE", site.server.url)


async def test_a_page_of_a_wiki_is_known_by_its_fields_and_read_as_a_text(tmp_path: Path) -> None:
    site = ConfluenceSite()
    async with site.server:
        ran = await collect(tmp_path, site, site.gate.captured("one"))
    assert fields(ran, "page", "id") == {
        str(page.number): page.fields() for page in site.pages.values()
    }
    (document,) = [each for each in ran.documents if each.summary.url.endswith("TEAM/Pump+1+&+co")]
    summary = document.summary
    assert (summary.title, summary.author, summary.source_type) == (
        "Pump 1 & co", "Ann Archer", "confluence"
    )  # fmt: skip
    assert (summary.published, summary.modified) == ("2026-04-01", "2026-05-02")
    assert document.text == (Path(__file__).parent / "products" / "confluence.md").read_text(
        "utf-8"
    ).replace("SITE", site.server.url)


@pytest.mark.parametrize("expired", ["redirect", "form", "anonymous"])
@pytest.mark.parametrize("make", SITES)
async def test_a_session_that_ends_half_way_stops_the_crawl_and_a_new_login_completes_the_set(
    tmp_path: Path, make: type[Site], expired: Expired
) -> None:
    site = make(expired=expired)
    async with site.server:
        cookie = site.gate.captured("one")
        site.gate.requests_left = 14
        stopped = await collect(tmp_path, site, cookie)
        asked = len(site.server.hits)
        site.gate.requests_left = None
        completed = await collect(tmp_path, site, site.gate.captured("two"))
    assert stopped.root.status is Status.FAILED
    assert "log in again and give the new cookies" in str(stopped.root.error)
    assert asked < 14 + 30, "the rest is not asked for"
    assert stopped.urls
    assert set(stopped.urls) < site.readable()
    assert set(completed.urls) == site.readable()
    assert completed.root.status is Status.COMPLETED
    by_url = {each.summary.url: each for each in completed.documents}
    for before in stopped.documents:
        after = by_url[before.summary.url]
        assert (after.text, after.summary.version) == (before.text, 1)
    assert site.gate.harm == []


@pytest.mark.parametrize("make", SITES)
async def test_a_crawl_that_stopped_for_its_login_goes_on_where_it_was_with_a_new_one(
    tmp_path: Path, make: type[Site]
) -> None:
    site = make()
    async with site.server:
        cookie = site.gate.captured("one")
        site.gate.requests_left = 14
        stopped = await collect(tmp_path, site, cookie)
        before = len(site.server.hits)
        site.gate.requests_left = None
        with_login = login([site.gate.captured("two")])
        async with worker(settings(tmp_path), login=with_login) as made:
            failed = await made.db.read(retryable, stopped.root.id)
            await made.db.write(reopen, failed)
            await ended(made, stopped.root.id)
            completed = await made.db.read(look, stopped.root.id)
    assert set(completed.urls) == site.readable()
    assert completed.root.status is Status.COMPLETED
    assert len(site.server.hits) <= 2 * len(site.readable()) + 14
    assert len(site.server.hits) - before < 2 * len(site.readable())


@pytest.mark.parametrize(
    ("make", "expired"),
    [(JiraSite, "redirect"), (ConfluenceSite, "form"), (JiraSite, "anonymous")],
)
async def test_an_ended_session_leaves_what_was_collected_untouched(
    tmp_path: Path, make: type[Site], expired: Expired
) -> None:
    site = make(expired=expired)
    async with site.server:
        whole = await collect(tmp_path, site, site.gate.captured("one"))
        site.gate.sessions.clear()
        again = await collect(
            tmp_path, site, Cookie(name="JSESSIONID", value="old", domain="127.0.0.1")
        )
    assert again.root.status is Status.FAILED
    assert [(each.summary.url, each.text) for each in again.documents] == [
        (each.summary.url, each.text) for each in whole.documents
    ]
    assert all(each.summary.gone_at is None for each in again.documents)


@pytest.mark.parametrize("expired", ["redirect", "form"])
async def test_issues_named_like_a_login_hide_no_login_page(
    tmp_path: Path, expired: Expired
) -> None:
    site = JiraSite(projects=(("AUTH", 12),), expired=expired)
    async with site.server:
        cookie = site.gate.captured("one")
        site.gate.requests_left = 8
        ran = await collect(tmp_path, site, cookie)
    assert ran.root.status is Status.FAILED
    assert "the login has expired" in str(ran.root.error)


async def test_without_a_login_the_first_page_says_that_one_is_needed(tmp_path: Path) -> None:
    site = JiraSite()
    async with site.server:
        ran = await crawl(tmp_path, site.home, source_type="jira")
    assert "redirects to a login page" in str(ran.root.error)
    assert "give your login with --cookie-file or --header" in str(ran.root.error)
    assert ran.documents == []


async def test_a_login_page_of_another_host_stops_a_crawl_too(tmp_path: Path) -> None:
    site = JiraSite()
    async with site.server:
        site.gate.context = f"http://sso.example.org/login?service={site.gate.context}"
        ran = await collect(
            tmp_path, site, Cookie(name="JSESSIONID", value="old", domain="127.0.0.1")
        )
    assert ran.root.status is Status.FAILED
    assert "redirects to a login page" in str(ran.root.error)
    assert len(site.server.hits) <= 2
