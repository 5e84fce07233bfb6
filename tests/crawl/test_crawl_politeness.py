"""How a crawl treats hosts, judged in their own logs: lanes, waits asked for, robots.txt."""

import asyncio
import gc
import gzip
import subprocess
import sys
import time
import weakref
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from quaero.app import worker
from quaero.cli.options import LARGEST_ID
from quaero.clock import SystemClock
from quaero.crawl.fetch import Fetcher
from quaero.crawl.payloads import Crawl
from quaero.crawl.resolve import SystemLookup
from quaero.crawl.session import Crawls, RobotsRules
from quaero.errors import RetryLater
from quaero.jobs.create import create
from quaero.jobs.logs import Query, read
from quaero.jobs.model import JobSpec, Status
from quaero.jobs.read import summaries
from quaero.testing.jobs import ended
from quaero.testing.site import Hit, Page, SiteServer, redirect

from ..opening import Opened  # noqa: TID252
from .crawler import JITTER, LONGEST, begin, crawl, gaps, links, look, settings

ROBOTS = "/robots.txt"


def site_of(count: int, **kwargs: Any) -> dict[str, Any]:
    """A page with so many links, each to a page that behaves as `kwargs` say."""
    names = [f"/{n}" for n in range(count)]
    return {"/": links(*names), **{name: Page(body="x", **kwargs) for name in names}}


def asked(site: SiteServer) -> list[Hit]:
    return [hit for hit in site.hits if hit.path != ROBOTS]


# -- lanes


async def test_no_more_requests_to_a_host_at_once_than_allowed(tmp_path: Path) -> None:
    async with (
        SiteServer(site_of(24, delay=0.02)) as one,
        SiteServer(site_of(24, delay=0.02), host="127.0.0.2") as two,
    ):
        await crawl(tmp_path, one.url, two.url, concurrency=2, slots=16)
    assert (one.most_in_flight, two.most_in_flight) == (2, 2)
    assert len(asked(one)) == len(asked(two)) == 25


async def test_the_delay_between_requests_to_a_host_is_kept(tmp_path: Path) -> None:
    async with (
        SiteServer(site_of(6, delay=0.03)) as one,
        SiteServer(site_of(6), host="127.0.0.2") as two,
    ):
        await crawl(tmp_path, one.url, two.url, concurrency=4, delay=0.1, slots=16)
    for site in (one, two):
        assert min(gaps(site.hits)) >= 0.1 - JITTER
        assert len(asked(site)) == 7
    for site, other in ((one, two), (two, one)):
        assert site.hits[1].started < other.hits[-1].started, "hosts do not take turns"


async def test_a_slow_host_never_holds_up_another(tmp_path: Path) -> None:
    async with (
        SiteServer(site_of(4, delay=0.4)) as slow,
        SiteServer(site_of(30), host="127.0.0.2") as quick,
    ):
        await crawl(tmp_path, slow.url, quick.url, concurrency=2, slots=5)
    waits = sorted(hit.ended for hit in asked(slow))
    assert max(hit.ended for hit in quick.hits) < waits[1], "before the first slow page has come"
    assert slow.most_in_flight == 2


async def test_two_ports_of_one_address_are_two_hosts(tmp_path: Path) -> None:
    async with SiteServer(site_of(5, delay=0.05)) as one, SiteServer(site_of(5, delay=0.05)) as two:
        await crawl(tmp_path, one.url, two.url, concurrency=1)
    assert (one.most_in_flight, two.most_in_flight) == (1, 1)
    assert two.hits[0].started < max(hit.ended for hit in one.hits)
    assert one.hits[0].started < max(hit.ended for hit in two.hits)


async def test_a_redirect_waits_for_its_turn_at_the_host_it_leads_to(tmp_path: Path) -> None:
    names = [f"/{n}" for n in range(6)]
    async with SiteServer({}, host="127.0.0.2") as there, SiteServer({}) as site:
        there.pages |= {"/": "home", **{name: Page(body="x", delay=0.03) for name in names}}
        site.pages |= {"/": links(*names), **{name: redirect(there.url + name) for name in names}}
        await crawl(tmp_path, site.url, there.url, scope="any", concurrency=1)
    assert there.most_in_flight == 1
    assert len(asked(there)) == 7


async def test_limits_and_the_page_limit_hold_over_two_worker_processes(tmp_path: Path) -> None:
    names = [f"/{n}" for n in range(60)]
    # Longer than what is claimed ahead, which one process alone might hold for a while.
    pages: dict[str, Any] = {name: Page(body=links(*names), delay=0.15) for name in ["/", *names]}
    command = [sys.executable, "-m", "quaero", "--data-dir", str(tmp_path), "work", "--inner"]
    command += ["--concurrency", "2"]
    async with SiteServer(pages) as site, worker(settings(tmp_path)) as made:
        workers = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
        try:
            await _joined(made, 2)
            root_id = await begin(made, [site.url], max_pages=31, concurrency=4)
            async with asyncio.timeout(LONGEST):
                await ended(made.db, root_id)
            ran = await made.db.read(look, root_id)
        finally:
            for each in workers:
                each.terminate()
            said = [each.communicate()[1] for each in workers]
    assert len(asked(site)) == ran.report.admitted == ran.root.counts.completed == 31
    assert site.most_in_flight == 4, "both took part, and no more than allowed"
    assert [each.returncode for each in workers] == [0, 0], said


async def _joined(made: Any, number: int) -> None:
    """Wait until so many workers have registered."""
    async with asyncio.timeout(LONGEST):
        while (await made.db.read(lambda tx: tx.execute("select count(*) from holder")))[0][
            0
        ] < number:
            await asyncio.sleep(0.05)


# -- what hosts ask for


async def test_retry_after_is_obeyed_and_the_host_left_alone_until_then(tmp_path: Path) -> None:
    def site(status: int, host: str) -> SiteServer:
        busy = Page(status=status, headers={"Retry-After": "1"})
        return SiteServer(site_of(6, delay=0.05) | {"/0": [busy, Page(body="now")]}, host=host)

    async with site(429, "127.0.0.1") as one, site(503, "127.0.0.2") as two:
        ran = await crawl(tmp_path, one.url, two.url, concurrency=1)
    for each in (one, two):
        (refused,) = [hit for hit in each.hits if hit.status in (429, 503)]
        later = [hit.started - refused.ended for hit in each.hits if hit.started > refused.ended]
        assert min(later) >= 1.0 - JITTER
    assert (ran.root.counts.completed, ran.root.warnings) == (14, 0)


async def test_a_busy_site_that_names_no_wait_is_given_one(tmp_path: Path) -> None:
    past = formatdate(0, usegmt=True)  # by a clock that is slow, say
    busy = [Page(status=429, headers={"Retry-After": when}) for when in ("0", past)]
    async with SiteServer({"/": [*busy, Page(body="now")]}) as site:
        ran = await crawl(tmp_path, site.url)
    first, second, third = (hit.started for hit in site.hits if hit.path == "/")
    assert second - first >= 0.7
    assert third - second >= 1.4
    assert ran.root.warnings == 0


async def test_passing_failures_are_tried_three_times_and_others_once(tmp_path: Path) -> None:
    pages = {
        "/": links("/500", "/drop", "/502-then-well", "/404", "/400"),
        "/500": Page(status=500),
        "/drop": Page(drop=True),
        "/502-then-well": [Page(status=502), Page(body="well")],
        "/400": Page(status=400),
    }
    async with SiteServer(pages) as site:
        ran = await crawl(tmp_path, site.url, "http://127.0.0.1:1/")
    counts = {path: site.paths().count(path) for path in (*pages, "/404")}
    assert counts.pop("/drop") >= 3, "a kept connection that is cut is tried anew by the client"
    assert counts == {"/": 1, "/500": 3, "/502-then-well": 2, "/400": 1, "/404": 1}
    assert ran.root.status is Status.COMPLETED
    assert (ran.root.counts.failed, ran.root.warnings) == (5, 5)
    assert "closed the connection" in str(ran.page(site.url + "/drop").error)
    nobody = ran.page("http://127.0.0.1:1/")
    assert "no connection to 127.0.0.1: Connection refused" in str(nobody.error)


# -- robots.txt


RULES = "User-agent: *\nDisallow: /private/\nAllow: /private/open\n"


async def test_what_robots_txt_disallows_is_not_asked_for(tmp_path: Path) -> None:
    pages = {"/": links("/private/a", "/private/open", "/b"), "/private/open": "o", "/b": "b"}
    async with SiteServer(pages, robots=RULES) as site:
        ran = await crawl(tmp_path, site.url)
    assert site.paths()[0] == ROBOTS
    assert sorted(site.paths()) == ["/", "/b", "/private/open", ROBOTS]
    assert ran.refused == {"robots": 1}
    assert ran.report.refused["robots"][1] == [site.url + "/private/a"]


async def test_robots_txt_can_be_ignored_on_request(tmp_path: Path) -> None:
    async with SiteServer({"/": links("/private/a"), "/private/a": "a"}, robots=RULES) as site:
        await crawl(tmp_path, site.url, respect_robots=False)
    assert site.paths() == ["/", "/private/a"]


async def test_a_seed_that_robots_txt_disallows_fails_the_crawl(tmp_path: Path) -> None:
    async with SiteServer({"/private/": "x"}, robots=RULES) as site:
        ran = await crawl(tmp_path, site.url + "/private/")
    assert site.paths() == [ROBOTS]
    assert ran.root.status is Status.FAILED
    assert "disallows" in str(ran.pages[0].error)


async def test_robots_txt_is_asked_for_once_by_each_host(tmp_path: Path) -> None:
    async with (
        SiteServer(site_of(12), robots="") as one,
        SiteServer(site_of(12), host="127.0.0.2") as two,
    ):
        await crawl(tmp_path, one.url, two.url, concurrency=8, slots=16)
    assert (one.paths().count(ROBOTS), two.paths().count(ROBOTS)) == (1, 1)


async def test_a_page_on_another_host_asks_for_the_rules_of_that_host(tmp_path: Path) -> None:
    async with SiteServer({"/private/b": "b"}, robots=RULES, host="127.0.0.2") as other:
        async with SiteServer({"/": links(other.url + "/private/b")}) as site:
            ran = await crawl(
                tmp_path, site.url, scope="any", config={"allow_networks": ("127.0.0.0/8",)}
            )
    assert other.paths() == [ROBOTS]
    assert ran.refused == {"robots": 1}


async def test_a_host_that_one_crawl_may_not_reach_is_asked_for_its_rules_by_another(
    tmp_path: Path,
) -> None:
    pages = {"/": links("/private/b"), "/private/b": "b"}
    async with SiteServer(pages, robots=RULES, host="127.0.0.2") as other:
        async with SiteServer({"/": links(other.url + "/")}) as site:
            async with worker(settings(tmp_path)) as made:
                working = asyncio.create_task(made.pool.run())
                for seed in (site.url, other.url):
                    root_id = await begin(made, [seed], scope="any")
                    await ended(made.db, root_id)
                    ran = await made.db.read(look, root_id)
                    assert ran.refused == {"network" if seed == site.url else "robots": 1}
                made.pool.stop()
                await working
    assert other.paths() == [ROBOTS, "/"]


async def test_of_hosts_whose_rules_cannot_be_had_only_words_are_kept(opened: Opened) -> None:
    kept: list[weakref.ref[BaseException]] = []

    async def nowhere(host: str) -> list[str]:
        raise OSError(f"no way to {host}")

    clock = SystemClock()
    async with Fetcher(lookup=nowhere, clock=clock) as fetcher:
        rules = RobotsRules(fetcher, clock)
        crawls = Crawls(opened.db, fetcher, (), None)
        made = await crawls.make(1, Crawl(seeds=["http://127.0.0.1/"]))
        for number in range(20):
            with pytest.raises(RetryLater) as failed:
                await rules.fetch(f"http://h{number}.example.org/", made)
            kept.append(weakref.ref(failed.value))
            del failed
    gc.collect()
    assert [each for each in kept if each() is not None] == []


async def test_a_crawl_whose_names_are_looked_up_for_long_holds_up_no_other(opened: Opened) -> None:
    asked, answer = asyncio.Event(), asyncio.Event()

    async def lookup(host: str) -> list[str]:
        if host == "slow.example.org":
            asked.set()
            await answer.wait()
        return ["192.0.2.1"]

    specs = [
        JobSpec("crawler", Crawl(seeds=[f"http://{name}.example.org/"]).model_dump_json())
        for name in ("slow", "quick")
    ]
    slow, quick = await opened.db.write(create, 1, specs)
    async with Fetcher(lookup=lookup, clock=SystemClock()) as fetcher:
        crawls = Crawls(opened.db, fetcher, (), None)
        waiting = asyncio.create_task(crawls.get(slow))
        await asked.wait()
        async with asyncio.timeout(LONGEST):
            assert (await crawls.get(quick)).root_id == quick
        answer.set()
        assert (await waiting).root_id == slow


async def test_a_seed_whose_name_cannot_be_looked_up_keeps_no_other_from_being_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lookup(_: SystemLookup, host: str) -> list[str]:
        if host == "dead.example":
            raise OSError(-3, "Temporary failure in name resolution")
        return ["127.0.0.1"]

    monkeypatch.setattr(SystemLookup, "__call__", lookup)
    async with SiteServer(site_of(2)) as site:
        ran = await crawl(tmp_path, "http://dead.example/", site.url)
    assert ran.outcomes() == {"saved": 3, "failed": 1}
    assert "dead.example could not be looked up" in (ran.page("http://dead.example/").error or "")


async def test_a_redirect_to_what_robots_txt_disallows_is_not_followed(tmp_path: Path) -> None:
    pages = {"/": links("/a"), "/a": redirect("/private/x"), "/private/x": "x"}
    async with SiteServer(pages, robots=RULES) as site:
        ran = await crawl(tmp_path, site.url)
    assert "/private/x" not in site.paths()
    assert ran.refused == {"robots": 1}


async def test_very_many_rules_hold_up_nothing_and_are_obeyed_nevertheless(tmp_path: Path) -> None:
    robots = "User-agent: *\n" + "".join(f"Disallow: /*x{n}\n" for n in range(20_000))
    names = [f"/page/{n}" for n in range(3_000)] + ["/page/x19999"]
    async with SiteServer({"/": links(*names), "/page/x19999": "x"}, robots=robots) as site:
        before = time.process_time()
        ran = await crawl(tmp_path, site.url, max_pages=1)
        assert time.process_time() - before < 5
        last = await crawl(tmp_path / "last", site.url + "/page/x19999")
    assert ran.report.waiting == 3_001
    assert "robots.txt" in str(last.root.error)
    assert "/page/x19999" not in site.paths()


async def test_the_crawl_delay_of_robots_txt_is_kept(tmp_path: Path) -> None:
    robots = "User-agent: *\nCrawl-delay: 0.2\n"
    async with SiteServer(site_of(4), robots=robots) as site:
        await crawl(tmp_path, site.url, concurrency=4)
    assert len(asked(site)) == 5
    assert min(gaps(site.hits)) >= 0.2 - JITTER


@pytest.mark.parametrize("options", [{}, {"sitemap": True}])
async def test_a_crawl_that_ignores_robots_txt_keeps_no_delay_of_it(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    pages = site_of(2) | {"/moved": redirect("/2")}
    async with SiteServer(pages, robots="User-agent: *\nCrawl-delay: 2\n") as site:
        await crawl(tmp_path, site.url, max_pages=1)
        before = len(site.hits)
        await crawl(tmp_path, site.url, site.url + "/moved", respect_robots=False, **options)
    assert len(site.hits) > before + 3
    assert max(gaps(site.hits[before:])) < 1.5


async def test_an_absurd_crawl_delay_does_no_harm(tmp_path: Path) -> None:
    robots = f"User-agent: *\nCrawl-delay: {'9' * 60}\n"
    async with SiteServer({"/": "x"}, robots=robots) as site, worker(settings(tmp_path)) as made:
        root_id = await begin(made, [site.url])
        paces = await _until(made, "select pace from lane where pace > 0")
        failed = (await made.db.read(summaries, [root_id]))[0].counts.failed
        log = await made.db.read(read, Query(root_id, tree=True))
    assert (paces, failed) == ([(3_600_000_000,)], 0)
    assert LARGEST_ID > 3_600_000_000
    assert any("asks for 3600 s between requests" in line.message for line in log)


async def _until(made: Any, sql: str) -> list[tuple[Any, ...]]:
    """Work until a query finds something."""
    working = asyncio.create_task(made.pool.run())
    try:
        async with asyncio.timeout(LONGEST):
            while not (rows := await made.db.read(lambda tx: tx.execute(sql))):
                await asyncio.sleep(0.02)
    finally:
        made.pool.stop()
        await working
    return list(rows)


MISSING = [
    Page(status=404),
    Page(status=403),
    redirect("/nowhere"),
    redirect("/robots.txt"),
    Page(body=b"\x00\xff<html>", content_type="application/octet-stream"),
]


@pytest.mark.parametrize("answer", MISSING)
async def test_without_rules_everything_is_allowed(tmp_path: Path, answer: Page) -> None:
    async with SiteServer({ROBOTS: answer, "/": "home"}) as site:
        ran = await crawl(tmp_path, site.url)
    assert ran.urls == [site.url + "/"]


async def test_rules_are_found_behind_a_redirect(tmp_path: Path) -> None:
    rules = Page(body=RULES, content_type="text/plain")
    pages = {"/": links("/private/a"), ROBOTS: redirect("/rules", 301), "/rules": rules}
    async with SiteServer(pages) as site:
        ran = await crawl(tmp_path, site.url)
    assert ran.refused == {"robots": 1}
    assert "/private/a" not in site.paths()


@pytest.mark.parametrize("packed", [False, True])
async def test_of_rules_that_are_too_large_the_beginning_is_obeyed(
    tmp_path: Path,
    packed: bool,
) -> None:
    body = RULES.encode() + b"# and so on\n" * 4_000_000
    headers = {"Content-Encoding": "gzip"} if packed else {}
    rules = Page(
        body=gzip.compress(body) if packed else body, headers=headers, content_type="text/plain"
    )
    async with SiteServer({ROBOTS: rules, "/": links("/private/a")}) as site:
        ran = await crawl(tmp_path, site.url)
    assert ran.urls == [site.url + "/"]
    assert ran.refused == {"robots": 1}


async def test_where_rules_cannot_be_read_nothing_is_asked_for(tmp_path: Path) -> None:
    rules = Page(body=b"\x0b\x02\x80/\x03", headers={"Content-Encoding": "br"})
    async with SiteServer({ROBOTS: rules, "/": "home"}) as site:
        ran = await crawl(tmp_path, site.url)
    assert set(site.paths()) == {ROBOTS}
    error = str(ran.page(site.url + "/").error)
    assert error.startswith("robots.txt cannot be had: the body comes in the encoding")


@pytest.mark.parametrize("answer", [Page(status=500), Page(status=429), Page(drop=True)])
async def test_while_rules_cannot_be_had_nothing_is_asked_for(tmp_path: Path, answer: Page) -> None:
    async with (
        SiteServer({ROBOTS: answer, "/": "home"}) as site,
        worker(settings(tmp_path)) as made,
    ):
        root_id = await begin(made, [site.url])
        await _until(made, "select 1 from job_attempt where outcome = 'failed'")
        log = await made.db.read(read, Query(root_id, tree=True))
    assert set(site.paths()) == {ROBOTS}
    assert any("robots.txt cannot be had" in line.message for line in log)


async def test_rules_that_come_at_last_let_the_crawl_go_on(tmp_path: Path) -> None:
    rules = [
        Page(status=503, headers={"Retry-After": "1"}),
        Page(body="", content_type="text/plain"),
    ]
    async with SiteServer({ROBOTS: rules, "/": links("/a"), "/a": "a"}) as site:
        ran = await crawl(tmp_path, site.url)
    assert ran.root.counts.completed == 2
    assert gaps(site.hits)[0] >= 1.0 - JITTER
