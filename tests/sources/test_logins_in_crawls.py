"""Crawls with stored logins: opened by the worker, kept fresh, replaced, and missed with a reason."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from quaero.app import Worker, login_keeper, worker
from quaero.clock import SystemClock
from quaero.crawl import login_stops
from quaero.crawl.cookies import Cookie
from quaero.crawl.payloads import Crawl
from quaero.errors import BadPayload
from quaero.jobs.create import create
from quaero.jobs.logs import Query, read
from quaero.jobs.model import JobSpec, Status
from quaero.jobs.read import summaries
from quaero.settings import Settings
from quaero.settings.model import AuthSettings, QueueSettings, WorkSettings
from quaero.sources import credentials
from quaero.sources.capture import Capture
from quaero.sources.logins import Logins
from quaero.testing.site import Page, SiteServer, redirect
from quaero.work.registry import JobType

SECRET = "s3cret-canary"
FORM = "<title>Log in</title><form action=/login><input name=u><input type=password name=p></form>"
LONGEST = 30.0


def text(*targets: str) -> str:
    links = "".join(f'<a href="{target}">link</a>' for target in targets)
    return f"<title>Page</title><p>Some words to be read. {links}</p>"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        data_dir=tmp_path / "data",
        queue=QueueSettings(concurrency=4),
        work=WorkSettings(grace="500ms"),
        auth=AuthSettings(key_file=tmp_path / "keys"),
    )


@asynccontextmanager
async def storing(settings: Settings, made: Worker) -> AsyncIterator[Logins]:
    async with login_keeper(settings, made.db) as logins:
        yield logins


def capture(url: str, value: str = SECRET, **more: Any) -> Capture:
    cookies = (Cookie(name="sid", value=value, domain="", **more),)
    return Capture(base_url=url, captured_at=1, cookies=cookies)


async def begin(made: Worker, seed: str, credential: int) -> int:
    crawl = Crawl(seeds=[seed], credential=credential, respect_robots=False, concurrency=1)
    (root_id,) = await made.db.write(
        create, made.queue_id, [JobSpec("crawler", crawl.model_dump_json())]
    )
    return root_id


async def ended(made: Worker, root_id: int) -> Any:
    async with asyncio.timeout(LONGEST):
        while (found := (await made.db.read(summaries, [root_id]))[0]).status.open:
            await asyncio.sleep(0.01)
    return found


@asynccontextmanager
async def working(settings: Settings) -> AsyncIterator[Worker]:
    async with worker(settings) as made:
        task = asyncio.create_task(made.pool.run())
        yield made
        made.pool.stop()
        await task


async def lines(made: Worker, root_id: int) -> list[str]:
    return [line.message for line in await made.db.read(read, Query(root_id, tree=True))]


async def test_what_a_site_sets_anew_is_kept_sealed_for_the_next_crawl(
    settings: Settings, tmp_path: Path
) -> None:
    fresh = Page(body=text("/a"), headers={"Set-Cookie": f"sid={SECRET}-2; Path=/; Max-Age=999"})
    async with SiteServer({"/": [fresh, Page(body=text("/a"))], "/a": text()}) as site:
        async with working(settings) as made:
            async with storing(settings, made) as logins:
                id_, _ = await logins.add(capture(site.url))
            done = await ended(made, await begin(made, site.url, id_))
        assert done.status is Status.COMPLETED
        async with working(settings) as made:
            summary = await made.db.read(credentials.get, id_)
            await ended(made, await begin(made, site.url, id_))
    sent = [hit.headers["Cookie"] for hit in site.hits]
    assert sent == [f"sid={SECRET}", *[f"sid={SECRET}-2"] * 3]
    assert summary.expires_at is not None
    assert summary.cookies == 1
    stored = b"".join(each.read_bytes() for each in settings.data_dir.rglob("*") if each.is_file())
    assert SECRET.encode() not in stored


async def test_a_login_that_is_replaced_counts_from_the_next_page_on(settings: Settings) -> None:
    async with SiteServer({"/": FORM}) as site:
        async with working(settings) as made, storing(settings, made) as logins:
            id_, _ = await logins.add(capture(site.url, "old"))
            first = await ended(made, await begin(made, site.url, id_))
            site.pages["/"] = text()
            await logins.add(capture(site.url, "new"))
            second = await ended(made, await begin(made, site.url, id_))
    assert (first.status, second.status) == (Status.FAILED, Status.COMPLETED)
    assert f"the login for {site.url}/ has expired or is not accepted" in first.error
    assert [hit.headers["Cookie"] for hit in site.hits] == ["sid=old", "sid=new"]


async def test_a_login_that_expires_half_way_stops_the_crawl_with_one_error(
    settings: Settings,
) -> None:
    names = [f"/{n}" for n in range(20)]
    pages = {"/": text(*names), "/login": FORM, **dict.fromkeys(names, redirect("/login"))}
    async with SiteServer(pages) as site, working(settings) as made:
        async with storing(settings, made) as logins:
            id_, _ = await logins.add(capture(site.url))
        done = await ended(made, await begin(made, site.url, id_))
    assert done.status is Status.FAILED
    assert "quaero auth import" in done.error
    assert len(site.hits) < 10


async def test_a_worker_without_the_key_waits_for_one_that_has_it(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(login_stops, "WAIT_FOR_LOGIN", 0.02)
    async with SiteServer({"/": text("/a"), "/a": text()}) as site, working(settings) as made:
        async with storing(settings, made) as logins:
            id_, _ = await logins.add(capture(site.url))
        shutil.move(tmp_path / "keys", tmp_path / "elsewhere")
        root_id = await begin(made, site.url, id_)
        async with asyncio.timeout(LONGEST):
            while not (said := [each for each in await lines(made, root_id) if "wait" in each]):
                await asyncio.sleep(0.01)
        shutil.move(tmp_path / "elsewhere", tmp_path / "keys")
        done = await ended(made, root_id)
    (line,) = said
    assert line.startswith("waiting for a process that can open the login")
    assert f"{tmp_path / 'keys'} is not there" in line
    assert done.status is Status.COMPLETED
    assert [hit.path for hit in site.hits] == ["/", "/a"]


@pytest.mark.parametrize("half_way", [False, True])
async def test_a_crawl_whose_key_nobody_has_ends_and_names_the_file(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, half_way: bool
) -> None:
    monkeypatch.setattr(login_stops, "WAIT_FOR_LOGIN", 0.02)
    monkeypatch.setattr(login_stops, "MOST_WAITS_FOR_KEY", 3)
    names = [f"/{n}" for n in range(10)]
    slow = Page(body=text(*names), delay=2.0)
    async with SiteServer({"/": text("/slow"), "/slow": slow}) as site:
        async with working(settings) as made, storing(settings, made) as logins:
            id_, _ = await logins.add(capture(site.url))
            if half_way:
                root_id = await begin(made, site.url, id_)
                async with asyncio.timeout(LONGEST):
                    while len(site.hits) < 2:
                        await asyncio.sleep(0.01)
        shutil.move(tmp_path / "keys", tmp_path / "elsewhere")
        async with working(settings) as made:
            if not half_way:
                root_id = await begin(made, site.url, id_)
            done = await ended(made, root_id)
    assert done.status is Status.FAILED
    assert f"{tmp_path / 'keys'} is not there" in done.error
    assert len(site.hits) == (2 if half_way else 0)


async def test_a_crawl_whose_login_is_deleted_ends_and_says_so(settings: Settings) -> None:
    slow = Page(body=text(*(f"/{n}" for n in range(10))), delay=0.3)
    async with SiteServer({"/": slow, **{f"/{n}": text() for n in range(10)}}) as site:
        async with working(settings) as made:
            async with storing(settings, made) as logins:
                id_, _ = await logins.add(capture(site.url))
            root_id = await begin(made, site.url, id_)
            async with asyncio.timeout(LONGEST):
                while not site.hits:
                    await asyncio.sleep(0.01)
            await made.db.write(credentials.delete, id_)
            done = await ended(made, root_id)
            unknown = await ended(made, await begin(made, site.url, 99))
    assert (done.status, len(site.hits)) == (Status.FAILED, 1)
    assert f"there is no login {id_}" in done.error
    assert "there is no login 99" in unknown.error


async def test_a_login_about_to_expire_is_warned_of_when_the_crawl_begins(
    settings: Settings,
) -> None:
    soon = SystemClock().wall() + 3_600_000_000
    async with SiteServer({"/": text()}) as site, working(settings) as made:
        async with storing(settings, made) as logins:
            id_, _ = await logins.add(capture(site.url, expires=soon))
        root_id = await begin(made, site.url, id_)
        assert (await ended(made, root_id)).status is Status.COMPLETED
        said = await lines(made, root_id)
    assert any(f"the login for {site.url}/ expires within 60 minutes" in each for each in said)


def test_a_payload_names_one_login_at_most() -> None:
    kind = JobType("crawler", Crawl)
    with pytest.raises(BadPayload, match="two logins"):
        kind.encode({"seeds": ["https://a.example/"], "private": "x", "credential": 1})
    with pytest.raises(BadPayload, match="credential"):
        kind.encode({"seeds": ["https://a.example/"], "credential": 0})
