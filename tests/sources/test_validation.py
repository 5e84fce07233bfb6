"""What is told before a source is collected: every problem, at once, with what to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from quaero.app import worker
from quaero.clock import SystemClock
from quaero.crawl.cookies import Cookie
from quaero.crawl.fetch import Fetcher
from quaero.crawl.login import Login
from quaero.crawl.session import Crawls
from quaero.errors import NotFound
from quaero.jobs.model import Status
from quaero.sources.checks import Check
from quaero.sources.payloads import Validation
from quaero.sources.validation import Validator
from quaero.testing.site import Page, SiteServer, redirect
from quaero.work.cpu import CpuHelpers

from ..crawl.crawler import links, settings  # noqa: TID252
from .collecting import checks, program

FORM = "<html><title>Log in</title><body><form action=/in><input type=password></form></body>"


@dataclass
class Verdict:
    ok: bool | None
    detail: str = "the site shows a login page"


@dataclass
class Stored:
    name: str
    expires_at: int | None = None


class Logins:
    """Stored logins: 1 is good, 2 has expired, 3 is not accepted, of 4 nothing can be told.

    5 is of another site, and any other is not there.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    async def login(self, credential_id: int) -> Any:
        if credential_id not in (1, 2, 3, 4, 5):
            raise NotFound(f"there is no login {credential_id}")
        if credential_id == 5:
            return Stored("https://wiki.example.org/")
        return Stored(self.url, 1 if credential_id == 2 else None)

    async def probe(self, credential_id: int, url: str | None = None) -> Verdict:
        assert url is not None
        if credential_id == 4:
            return Verdict(None, "the site answered 500")
        return Verdict(credential_id == 1)


async def look(folder: Path, url: str, kind: str = "web", **more: Any) -> dict[str, Check]:
    """The checks of a source, by name."""
    wanted = Validation(kind=kind, base_url=url, **more)
    async with worker(settings(folder)) as made:
        helpers = CpuHelpers(1)
        async with Fetcher() as fetcher:
            crawls = Crawls(made.db, fetcher, (), None)
            validator = Validator(made.db, crawls, fetcher, helpers, SystemClock(), Logins(url))
            try:
                return {each.name: each for each in await validator.look(wanted)}
            finally:
                await helpers.close()


def bad(found: dict[str, Check]) -> set[str]:
    return {name for name, each in found.items() if each.ok is False}


ANSWERS: list[tuple[str, Any, set[str], str]] = [
    ("a page", links("/a"), set(), ""),
    ("gone", Page(status=404), {"reachable"}, "404"),
    ("broken", Page(status=500), {"reachable"}, "500"),
    ("needs a login", Page(status=401), {"login"}, "give the source a login"),
    ("a login page", FORM, {"login"}, "shows a login page"),
    ("to its login", redirect("/login"), {"login"}, "shows a login page"),
    ("to another host", redirect("https://example.org/x"), {"reachable"}, "does not cover"),
    ("to a login elsewhere", redirect("https://sso.example.org/login"), {"login"}, "login page"),
    ("in a circle", redirect("/"), {"reachable"}, "more than"),
    ("no page", Page(body=b"\x89PNG", content_type="image/png"), {"reachable"}, "image/png"),
]


@pytest.mark.parametrize(("answer", "wrong", "said"), [case[1:] for case in ANSWERS],
                         ids=[case[0] for case in ANSWERS])  # fmt: skip
async def test_what_the_address_answers_is_told(
    tmp_path: Path, answer: Any, wrong: set[str], said: str
) -> None:
    async with SiteServer({"/": answer, "/login": FORM}) as site:
        found = await look(tmp_path, site.url)
    assert bad(found) == wrong
    for name in wrong:
        assert said in f"{found[name].detail} {found[name].todo}"
        assert found[name].todo


async def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    async with SiteServer({"/": links("/a")}, robots="User-agent: *\nDisallow: /\n") as site:
        given = {"include": ["re:(", "nowhere"], "exclude": ["re:[", "/ok"], "max_depth": -1}
        broken = await look(tmp_path, site.url, credential=2, settings=given)
        given = {"exclude": ["/"], "include": ["re:("]}
        usable = await look(tmp_path, site.url, credential=9, settings=given)
    assert bad(broken) == {"patterns", "settings"}
    assert "max_depth" in broken["settings"].detail
    for pattern in ("re:(", "nowhere", "re:["):
        assert pattern in broken["patterns"].detail
    assert bad(usable) == {"patterns", "robots", "login"}
    assert "there is no login 9" in usable["login"].detail
    assert "respect_robots" in str(usable["robots"].todo)


@pytest.mark.parametrize(
    ("credential", "said"),
    [(None, "none is set"), (1, "the site takes it"), (2, "has expired"),
     (3, "shows a login page"), (4, "answered 500"),
     (5, "login 5 is for example.org"), (9, "there is no login 9")],
)  # fmt: skip
async def test_a_login_is_present_unexpired_and_accepted(
    tmp_path: Path, credential: int | None, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def none(*_: Any) -> None:
        return None

    monkeypatch.setattr(Crawls, "_login_of", none, raising=False)
    async with SiteServer({"/": links("/a")}) as site:
        found = await look(tmp_path, site.url, credential=credential)
    assert said in found["login"].detail
    assert bad(found) == (set() if credential in (None, 1) else {"login"})
    assert found["login"].passing is (credential == 4)


async def test_addresses_that_the_policy_or_the_network_refuses_are_named(tmp_path: Path) -> None:
    metadata = await look(tmp_path, "http://169.254.169.254/latest/")
    assert "metadata" in metadata["reachable"].detail
    async with SiteServer({}) as gone:
        url = gone.url
    closed = await look(tmp_path, url)
    assert bad(closed) == {"reachable"}
    assert "Connection refused" in closed["reachable"].detail
    assert closed["robots"].ok is None


async def test_nothing_let_in_names_the_pattern_and_robots_can_be_left_unasked(
    tmp_path: Path,
) -> None:
    async with SiteServer({"/": "x"}, robots="User-agent: *\nDisallow: /\n") as site:
        given = {"exclude": ["/a", "/*"], "respect_robots": False}
        found = await look(tmp_path, site.url, settings=given)
    assert bad(found) == {"seeds"}
    assert "'/*'" in found["seeds"].detail
    assert "/robots.txt" not in site.paths()


# -- a login page half-way


async def test_an_address_that_changes_something_is_nothing_to_begin_at(tmp_path: Path) -> None:
    async with SiteServer({"/": links("/a")}) as site:
        found = await look(tmp_path, f"{site.url}/secure/AddComment!default.jspa", "jira")
    assert found["seeds"].ok is False
    assert "is an address that changes something" in found["seeds"].detail


async def test_a_login_that_ends_stops_the_run_and_leaves_documents_as_they_were(
    tmp_path: Path,
) -> None:
    names = [f"/{n}" for n in range(12)]
    pages: dict[str, Any] = {"/": links(*names), **{name: f"text {name}" for name in names}}
    login = Login("session", [Cookie(name="sid", value="v", domain="127.0.0.1")], {})
    async with SiteServer(pages) as site, program(tmp_path, login) as made:
        source = await made.add("wiki", site.url, settings={"concurrency": 1})
        first = await made.collect(source)
        before = {each.summary.url: each.text for each in await made.documents(source)}
        site.pages |= {name: redirect("/login") for name in names[3:]} | {"/login": FORM}
        job_id = await made.begin(source, refresh="always")
        await made.made.db.write(
            lambda tx: tx.execute(
                "update job set payload = json_set(payload, '$.private', 'session') where id = $1",
                (job_id,),
            )
        )
        again = await made.run(job_id)
        after = {each.summary.url: each.text for each in await made.documents(source)}
        state = await made.state(source)
    assert first.summary.status is Status.COMPLETED
    assert again.summary.status is Status.FAILED
    assert "the login has expired" in str(again.summary.error)
    assert after == before
    assert (state.health, state.documents) == ("login_expired", 13)


async def test_a_login_page_at_the_start_is_found_by_the_check(tmp_path: Path) -> None:
    async with SiteServer({"/": FORM}) as site, program(tmp_path) as made:
        source = await made.add("wiki", site.url)
        job = await made.collect(source)
        state = await made.state(source)
        found = checks(await made.pre(job.summary.id))
    assert found["login"] is False
    assert (state.health, state.documents) == ("login_expired", 0)
    assert "give the source a login" in str(job.summary.error)


async def test_what_may_pass_is_looked_at_again_before_the_run_fails(tmp_path: Path) -> None:
    async with SiteServer({"/": [Page(status=503), Page(body=links())]}) as site:
        async with program(tmp_path) as made:
            source = await made.add("wiki", site.url)
            job = await made.collect(source)
            found = checks(await made.pre(job.summary.id))
    assert job.summary.status is Status.COMPLETED
    assert found["reachable"] is True


async def test_what_does_not_pass_fails_the_run_and_its_checks_are_kept(tmp_path: Path) -> None:
    async with SiteServer({}) as gone:
        url = gone.url
    async with program(tmp_path) as made:
        source = await made.add("wiki", url)
        job = await made.collect(source)
        pre = await made.pre(job.summary.id)
        state = await made.state(source)
    assert (job.summary.status, state.health) == (Status.FAILED, "failing")
    assert "Connection refused" in str(job.summary.error)
    assert checks(pre)["reachable"] is False
    assert len(pre.attempts) == 3
