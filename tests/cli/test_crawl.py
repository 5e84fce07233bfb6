"""`quaero crawl` as its user sees it: what it says, how it is paused, resumed and continued."""

import logging
import os
import pty
import re
import shutil
import signal
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from quaero.cli import crawling
from quaero.cli.progress import STILL_SECONDS, Display, is_lively, look, pages_done
from quaero.cli.summary import conclude
from quaero.crawl import frontier
from quaero.db import SqliteDatabase
from quaero.jobs.create import create
from quaero.jobs.logs import Entry, Level, Query
from quaero.jobs.logs import read as read_log
from quaero.jobs.logs import write as write_log
from quaero.jobs.model import JobSpec
from quaero.jobs.read import Counts
from quaero.testing.jira_site import JiraSite
from quaero.testing.site import Page, SiteServer, redirect

from .conftest import Cli, Done, call, finish, start

ROBOTS = "/robots.txt"
FORM = "<title>Log in</title><form action=/login><input type=password name=p></form>"


def linked(*targets: str) -> str:
    return "<title>Page</title><p>words</p>" + "".join(f'<a href="{to}">x</a> ' for to in targets)


def star(count: int, **kwargs: Any) -> dict[str, Any]:
    """A page with links to so many others."""
    names = [f"/{n}" for n in range(count)]
    return {"/": linked(*names), **{name: Page(body=linked(), **kwargs) for name in names}}


@pytest.fixture
def site() -> Iterator[SiteServer]:
    with SiteServer(star(9)) as site:
        yield site


def asked(site: SiteServer) -> list[str]:
    return [path for path in site.paths() if path != ROBOTS]


def until(condition: Any, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# -- what it says


def test_a_crawl_says_what_it_does_what_came_of_it_and_what_to_do_next(
    cli: Cli, site: SiteServer, tmp_path: Path
) -> None:
    site.pages["/"] = linked("/0", "/1", "/missing", "mailto:a@b.c", "http://other.test/")
    done = cli("--data-dir", tmp_path / "d", "crawl", site.url)
    assert (done.code, done.out) == (0, "")
    lines = done.err.splitlines()
    assert lines[0] == f"crawl 1 begins: {site.url}/ (at most 100 pages, 3 links deep)"
    assert re.fullmatch(r"crawl 1 completed in \d+\.\ds", lines[1])
    assert lines[2:7] == [
        "  4 pages: 3 new, 0 changed, 0 unchanged, 1 failed",
        f"  failed: {site.url}/missing answered 404 (Not Found)",
        "  1 link refused by scheme, such as mailto:a@b.c",
        "  1 link refused by scope, such as http://other.test/",
        "next:",
    ]
    for line in lines[7:]:
        words = line.partition(": ")[2].split()
        assert words[:5] == ["python", "-m", "quaero", "--data-dir", str(tmp_path / "d")]
        assert cli(*words[3:]).code == 0, line


@pytest.mark.parametrize(
    ("file", "variable", "level"),
    [
        (None, None, logging.ERROR),
        ("info", None, logging.INFO),
        ("debug", None, logging.DEBUG),
        (None, "info", logging.INFO),
        ("error", "warn", logging.WARNING),
    ],
)
def test_a_crawl_logs_from_the_level_that_is_set_and_where_none_is_only_errors(
    cli: Cli,
    site: SiteServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    file: str | None,
    variable: str | None,
    level: int,
) -> None:
    if file is not None:
        Path("quaero.toml").write_text(f'[logs]\nlevel = "{file}"\n', encoding="utf-8")
    if variable is not None:
        monkeypatch.setenv("QUAERO_LOGS_LEVEL", variable)
    assert cli("--data-dir", tmp_path, "crawl", site.url, "--no-follow").code == 0
    assert logging.root.level == level


def test_pages_of_sitemaps_are_collected_on_request(
    cli: Cli, site: SiteServer, tmp_path: Path
) -> None:
    site.pages["/sitemap.xml"] = f"<urlset><url><loc>{site.url}/far</loc></url></urlset>"
    site.pages["/far"] = linked()
    assert cli("--data-dir", tmp_path, "crawl", site.url, "--no-follow").code == 0
    assert asked(site) == ["/"]
    again = ["--data-dir", tmp_path, "crawl", site.url, "--no-follow", "--sitemap"]
    assert cli(*again).code == 0
    assert asked(site)[1:].count("/far") == 1


def test_a_crawl_is_told_to_programs_as_json(cli: Cli, site: SiteServer, tmp_path: Path) -> None:
    done = cli("crawl", site.url, "--data-dir", tmp_path, "--json")
    told = done.json
    assert (told["finished"], told["job"]["status"], told["crawl"]["created"]) == (
        True, "completed", 10,
    )  # fmt: skip
    assert told["job"]["counts"]["completed"] == told["crawl"]["admitted"] == 10


OPTIONS: list[tuple[list[str], dict[str, Any]]] = [
    ([], {"max_pages": 100, "max_depth": 3, "scope": "host", "respect_robots": True}),
    (["--max-pages", "5"], {"max_pages": 5}),
    (["--max-pages", "0"], {"max_pages": 0}),
    (["--max-depth", "0"], {"max_depth": 0}),
    ([], {"max_variants": 100, "max_host_pages": 0}),
    (["--max-variants", "0"], {"max_variants": 0}),
    (["--source-type", "jira"], {"max_variants": 100_000}),
    (["--max-host-pages", "7"], {"max_host_pages": 7}),
    (["--scope", "path"], {"scope": "path"}),
    (["--include", "/1*", "--include", "re:/2$"], {"include": ["/1*", "re:/2$"]}),
    (["--exclude", "/3"], {"exclude": ["/3"]}),
    (["--concurrency", "9"], {"concurrency": 9}),
    (["--delay", "5ms"], {"delay": 0.005}),
    (["--ignore-robots"], {"respect_robots": False}),
    (["--no-follow"], {"follow_links": False}),
    (["--metadata-only"], {"detail_level": "metadata"}),
    (["--refresh", "always"], {"refresh": "always"}),
]


@pytest.mark.parametrize(("options", "expected"), OPTIONS)
def test_every_option_reaches_the_crawl(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, options: list[str], expected: dict[str, Any]
) -> None:
    wishes: list[tuple[Any, Any]] = []

    async def crawl_site(settings: Any, wish: Any) -> int:
        wishes.append((settings, wish))
        return 0

    monkeypatch.setattr(crawling, "crawl_site", crawl_site)
    assert cli("crawl", "http://127.0.0.1:1/", *options).code == 0
    payload = crawling.payload_of(*wishes[0]).model_dump()
    assert {name: payload[name] for name in expected} == expected


def test_as_many_requests_are_made_at_once_as_asked_for(cli: Cli, tmp_path: Path) -> None:
    with SiteServer(star(24, delay=0.05)) as site:
        cli("--data-dir", tmp_path, "crawl", site.url, "--concurrency", 12)
    assert site.most_in_flight == 12


def test_settings_are_the_defaults(cli: Cli, site: SiteServer, tmp_path: Path) -> None:
    (tmp_path / "q.toml").write_text("[crawl]\nmax_pages = 3\nrespect_robots = false\n")
    done = cli("--config", tmp_path / "q.toml", "--data-dir", tmp_path, "crawl", site.url)
    assert "at most 3 pages" in done.err
    assert (len(site.paths()), ROBOTS in site.paths()) == (3, False)


def test_an_address_may_lack_its_scheme(cli: Cli, site: SiteServer, tmp_path: Path) -> None:
    bare = site.url.removeprefix("http://")
    assert cli("--data-dir", tmp_path, "crawl", bare, "--no-follow").code == 0
    assert asked(site) == ["/"]


def test_a_login_goes_to_its_site(cli: Cli, site: SiteServer, tmp_path: Path) -> None:
    cookies = tmp_path / "cookies.txt"
    cookies.write_text(
        "127.0.0.1\tFALSE\t/\tFALSE\t0\tsid\tabc\nother.test\tFALSE\t/\tFALSE\t0\tx\ty\n"
    )
    done = cli(
        "--data-dir", tmp_path / "d", "crawl", site.url, "--max-pages", 2,
        "--cookie-file", cookies, "--header", "X-Token: s3cret", "--header", "X-Team: blue",
    )  # fmt: skip
    assert done.code == 0
    for hit in site.hits:
        assert (hit.headers["Cookie"], hit.headers["X-Token"]) == ("sid=abc", "s3cret")
        assert hit.headers["X-Team"] == "blue"
    stored = cli("--data-dir", tmp_path / "d", "jobs", "show", 1, "--json").out
    assert "s3cret" not in stored
    assert b"s3cret" not in (tmp_path / "d" / "quaero.db").read_bytes()


def test_a_jira_is_collected_with_a_browsers_cookies_and_searched_by_what_its_pages_are(
    cli: Cli, tmp_path: Path
) -> None:
    jira, data = JiraSite(projects=(("ACME", 3),)), ("--data-dir", tmp_path / "d")
    jira.gate.captured("browser")
    cookies = tmp_path / "cookies.txt"
    cookies.write_text("127.0.0.1\tFALSE\t/jira\tFALSE\t0\tJSESSIONID\tbrowser\n")
    with jira.server:
        done = cli(*data, "crawl", jira.home, "--source-type", "jira", "--cookie-file", cookies)
    assert done.code == 0
    assert jira.gate.harm == []
    listed = cli(*data, "documents", "list", "--json").json
    assert {each["url"] for each in listed} == jira.readable()
    found = cli(*data, "search", "type:issue", "valve", "--json").json
    assert found["total"] == 3
    wrong = cli(*data, "crawl", jira.home, "--source-type", "gopher")
    assert (wrong.code, "source-type" in wrong.err, "jira" in wrong.err) == (2, True, True)


FAILING: list[tuple[dict[str, Any], str]] = [
    ({"/": Page(status=404)}, "answered 404"),
    ({"/": redirect("/login"), "/login": FORM}, "give your login with --cookie-file or --header"),
    ({"/": redirect("http://other.test/")}, "redirects to http://other.test/"),
    ({"/": "x", ROBOTS: Page(body="User-agent: *\nDisallow: /")}, "robots.txt of 127.0.0.1"),
    ({"/": Page(body="x", content_type="video/mp4")}, "is of the type video/mp4"),
]


@pytest.mark.parametrize(("pages", "reason"), FAILING)
def test_a_crawl_that_gets_nothing_fails_with_the_reason(
    cli: Cli, tmp_path: Path, pages: dict[str, Any], reason: str
) -> None:
    with SiteServer(pages) as site:
        done = cli("--data-dir", tmp_path, "crawl", site.url)
    assert done.code == 1
    assert re.search(r"crawl 1 failed in", done.err)
    assert done.err.count(reason) == 1


def test_a_paused_queue_is_named_as_what_the_crawl_waits_for(
    cli: Cli, site: SiteServer, tmp_path: Path
) -> None:
    cli("--data-dir", tmp_path, "db", "migrate")
    cli("--data-dir", tmp_path, "queue", "pause")
    process = start("--data-dir", tmp_path, "crawl", site.url)
    assert process.stderr is not None
    assert "begins" in process.stderr.readline()
    assert re.match(r"waiting: the queue is paused; `.* queue resume`", process.stderr.readline())
    cli("--data-dir", tmp_path, "queue", "resume")
    assert finish(process).code == 0


def test_a_host_that_a_crawl_was_told_to_leave_alone_is_named_as_what_it_and_others_wait_for(
    tmp_path: Path,
) -> None:
    busy = Page(status=503, headers={"Retry-After": "3600"})
    with SiteServer({"/": busy, "/docs/": linked()}) as site:
        for path, said in (
            ("/", f"{site.url}/ answered 503"),
            ("/", f"{site.url}/ answered 503.* \\(said before\\); tried again at 2"),
            ("/docs/", r"127\.0\.0\.1:\d+ was too busy to answer and is left alone until 2"),
        ):
            process = start("--data-dir", tmp_path, "crawl", site.url + path)
            assert process.stderr is not None
            assert "crawl " in process.stderr.readline()
            assert re.match(f"waiting: .*{said}", process.stderr.readline())
            process.kill()
            process.communicate()
    assert asked(site) == ["/"]


def test_a_host_that_is_left_alone_is_named_though_another_page_failed_since(
    tmp_path: Path,
) -> None:
    pages = {
        "/": "<a href='/busy'>1</a> <a href='/broken'>2</a>",
        "/busy": Page(status=503, headers={"Retry-After": "3600"}),
        "/broken": Page(status=500, delay=0.5),
    }
    with SiteServer(pages) as site:
        process = start("--data-dir", tmp_path, "crawl", site.url)
        assert process.stderr is not None
        assert "begins" in process.stderr.readline()
        said = ""
        while "is left alone until 2" not in said:
            said = process.stderr.readline()
            assert said, "it ended"
            assert re.match(r"waiting: |1 of 3 pages", said)
        process.kill()
        process.communicate()


def test_the_first_failures_are_shown_and_the_others_counted(cli: Cli, tmp_path: Path) -> None:
    links = " ".join(f"<a href='/{n}'>{n}</a>" for n in range(5))
    with SiteServer({"/": links}) as site:
        done = cli("--data-dir", tmp_path, "crawl", site.url)
    assert done.err.count("  failed: http") == 3
    assert "  and 2 more failed\n" in done.err


# -- the limit, and on past it


def test_a_crawl_goes_on_past_its_limit(cli: Cli, site: SiteServer, tmp_path: Path) -> None:
    first = cli("--data-dir", tmp_path, "crawl", site.url, "--max-pages", 4)
    assert "the limit of 4 pages is reached; 6 known links not fetched yet" in first.err
    (more,) = re.findall(r"crawl --continue (\d+)", first.err)
    second = cli("--data-dir", tmp_path, "crawl", "--continue", more)
    assert "crawl 1 goes on with 4 known links" in second.err
    assert "2 known links not fetched yet" in second.err
    assert re.search(r"crawl 1 completed in \d+\.\ds", first.err)
    assert re.search(r"crawl 1 completed, \d+\.\ds after it went on", second.err)
    third = cli("--data-dir", tmp_path, "crawl", "--continue", more, "--max-pages", 0)
    assert "10 pages: 10 new" in third.err
    assert sorted(Counter(asked(site)).values()) == [1] * 10
    nothing = cli("--data-dir", tmp_path, "crawl", "--continue", more)
    assert (nothing.code, "no known links left" in nothing.err) == (4, True)


def test_a_crawl_of_a_source_that_was_deleted_does_not_go_on(cli: Cli, tmp_path: Path) -> None:
    with SiteServer({"/": "<a href='/a'>a</a>", "/a": "alpha"}) as site:
        cli("--data-dir", tmp_path, "sources", "add", "docs", site.url, "--set", "max_pages=1")
        cli("--data-dir", tmp_path, "sources", "collect", "docs")
        cli("--data-dir", tmp_path, "sources", "delete", "docs", "--documents", "delete")
        more = cli("--data-dir", tmp_path, "crawl", "--continue", 1)
    assert more.code == 4, more.err
    assert "crawl 1 is one of source 1, which was deleted" in more.err
    assert "/a" not in site.paths()


def test_what_cannot_go_on_is_refused(cli: Cli, site: SiteServer, tmp_path: Path) -> None:
    cli("--data-dir", tmp_path, "crawl", site.url, "--max-pages", 4)

    def go_on(*arguments: Any) -> Done:
        return cli("--data-dir", tmp_path, "crawl", "--continue", *arguments)

    assert "has 4 pages already" in go_on(1, "--max-pages", 3).err
    assert "not a crawl" in go_on(2).err
    assert go_on(2).code == 3
    assert "it takes no addresses" in go_on(1, site.url).err
    assert "only --max-pages may be given" in go_on(1, "--scope", "any").err
    assert "say only one of them" in go_on(1, "--new").err
    assert "was begun without a login" in go_on(1, "--header", "A: b").err
    assert len(asked(site)) == 4


def test_a_crawl_with_a_login_goes_on_with_the_login_only(
    cli: Cli, site: SiteServer, tmp_path: Path
) -> None:
    cli("--data-dir", tmp_path, "crawl", site.url, "--max-pages", 2, "--header", "X-Token: t")
    without = cli("--data-dir", tmp_path, "crawl", "--continue", 1)
    assert (without.code, "begun with a login, which is not stored" in without.err) == (4, True)
    done = cli("--data-dir", tmp_path, "crawl", "--continue", 1, "--header", "X-Token: t")
    assert done.code == 0
    assert len(asked(site)) == 4
    assert all(hit.headers["X-Token"] == "t" for hit in site.hits)


# -- interruption


def interrupted(site: SiteServer, folder: Path, *options: str, hits: int = 6) -> Done:
    """A crawl that was ended by Ctrl-C after some requests."""
    process = start("--data-dir", folder, "crawl", site.url, *options)
    until(lambda: len(site.hits) >= hits or process.poll() is not None)
    process.send_signal(signal.SIGINT)
    return finish(process)


def test_an_option_that_differs_is_said_as_it_would_be_given(cli: Cli, tmp_path: Path) -> None:
    with SiteServer(star(9)) as site:
        interrupted(site, tmp_path, "--delay", "300ms", hits=2)
        other = cli("--data-dir", tmp_path, "crawl", site.url, "--delay", "1s")
        assert (other.code, "begun with --delay 300ms;" in other.err) == (4, True)


async def test_what_cannot_go_on_is_not_said_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with SiteServer(star(40, delay=0.1)) as site:
        interrupted(site, tmp_path)
    wish = crawling.Wish((site.url,), {}, None, False, None, False, lasting=False)
    with SqliteDatabase.open(tmp_path / "quaero.db") as db:
        assert await conclude(db, 1, wish, finished=False) == 130
    said = capsys.readouterr().err
    assert "is paused at" in said
    assert "the site ends with this program" in said
    assert "  go on:" not in said
    assert "jobs cancel" not in said


def test_a_page_that_has_failed_is_nothing_to_wait_for(data: Path) -> None:
    with SqliteDatabase.open(data / "quaero.db") as db:
        seen = db.read_sync(look, 1, 1, db.path)
    assert seen.job.counts.failed == 1
    assert "failed" not in seen.trouble[1]


def test_a_warning_of_what_has_ended_is_nothing_to_wait_for(cli: Cli, tmp_path: Path) -> None:
    with SiteServer({"/": "<a href='/out/1'>1</a><a href='/a'>2</a>", "/a": "alpha"}) as site:
        cli("--data-dir", tmp_path, "crawl", site.url, "--exclude", "/*/1", "--exclude", "/a")
    with SqliteDatabase.open(tmp_path / "quaero.db") as db:
        warned = db.read_sync(read_log, Query(1, tree=True, levels=frozenset([Level.WARN])))
        assert [each.message for each in warned] == ["all 2 links of the page are refused"]
        assert db.read_sync(look, 1, 1, db.path).trouble == (0, "")
        (waiting,) = db.write_sync(create, 1, [JobSpec("unknown", run_at=1 << 60)])
        told = [Entry(waiting, waiting, 1, 0, Level.WARN, "again in an hour")]
        db.write_sync(write_log, told)
        assert db.read_sync(look, waiting, 1, db.path).trouble[1] == "again in an hour"


def test_the_check_of_a_source_is_no_page(data: Path) -> None:
    with SqliteDatabase.open(data / "quaero.db") as db:
        seen = db.read_sync(look, 1, 1, db.path)
    assert seen.crawl is not None
    whole = f"{seen.crawl.admitted} of {seen.crawl.admitted} pages"
    counts = seen.job.counts
    assert pages_done(seen.job, seen.crawl) == whole
    checked = replace(seen.job, counts=replace(counts, completed=counts.completed + 1))
    assert pages_done(checked, seen.crawl) == whole
    begun = replace(seen.job, counts=Counts(1, 0, 0, 0, 0))
    assert pages_done(begun, None) == "0 of 0 pages"


def test_a_crawl_that_waits_for_room_says_so(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with SqliteDatabase.open(data / "quaero.db") as db:
        (waits,) = db.write_sync(create, 1, [JobSpec("unknown", run_at=1 << 60)])
        usage = shutil.disk_usage(data)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1_000))
        seen = db.read_sync(look, waits, 1, db.path)
        assert db.read_sync(look, 1, 1, db.path).room == ""  # has ended
        display = Display()
        display.show(seen, "")
        monkeypatch.setattr(display, "_moved", display._moved - 2 * STILL_SECONDS)
        display.show(seen, "")
    assert re.match(
        r"waiting: nothing new begins before 67,108,864 bytes are free .*; `.* cleanup` makes room",
        capsys.readouterr().err,
    )


def test_ctrl_c_pauses_and_the_same_command_goes_on(cli: Cli, tmp_path: Path) -> None:
    with SiteServer(star(40, delay=0.1)) as site:
        first = interrupted(site, tmp_path)
        assert first.code == 130
        assert re.search(r"crawl 1 is paused at \d+ of 41 pages; nothing is lost", first.err)
        assert f"crawl {site.url}\n" in first.err
        before = len(asked(site))
        site.pages |= star(40)
        second = cli("--data-dir", tmp_path, "crawl", site.url)
    assert second.code == 0
    assert second.err.startswith("resuming crawl 1, which was not finished\n")
    assert before < 41
    assert sorted(asked(site)) == sorted(star(40)), "none lost, none fetched twice"


@pytest.mark.parametrize("limit", [[], ["--max-pages", "12"]])
def test_going_on_that_was_paused_is_resumed_up_to_its_limit(
    cli: Cli, tmp_path: Path, limit: list[str]
) -> None:
    with SiteServer(star(40)) as site:
        cli("--data-dir", tmp_path, "crawl", site.url, "--max-pages", 6)
        site.pages |= star(40, delay=1)
        process = start("--data-dir", tmp_path, "crawl", "--continue", "1", *limit)
        until(lambda: len(asked(site)) > 6)
        process.send_signal(signal.SIGINT)
        paused = finish(process)
        assert (paused.code, "crawl --continue 1\n" in paused.err) == (130, True)
        site.pages |= star(40)
        again = cli("--data-dir", tmp_path, "crawl", "--continue", 1, *limit)
    assert (again.code, again.err.splitlines()[0]) == (
        0, "resuming crawl 1, which was not finished",
    )  # fmt: skip
    assert "the limit of 12 pages is reached; 29 known links not fetched yet" in again.err


def test_going_on_that_was_killed_half_way_admits_the_rest(cli: Cli, tmp_path: Path) -> None:
    with SiteServer(star(9)) as site:
        cli("--data-dir", tmp_path, "crawl", site.url, "--max-pages", 4)
        with SqliteDatabase.open(tmp_path / "quaero.db") as db, pytest.MonkeyPatch.context() as mp:
            mp.setattr(frontier, "GO_ON_AT_ONCE", 2)
            assert db.write_sync(frontier.go_on, 1, 8, frontier.Politeness(4, 0)) == 2
        done = cli("--data-dir", tmp_path, "crawl", site.url)
    assert "resuming crawl 1" in done.err
    assert "the limit of 8 pages is reached; 2 known links not fetched yet" in done.err


def test_an_unfinished_crawl_goes_on_with_a_higher_limit(cli: Cli, tmp_path: Path) -> None:
    with SiteServer({"/": Page(body=linked(), delay=20)}) as site:
        process = start("--data-dir", tmp_path, "crawl", site.url, "--max-pages", "3")
        until(lambda: asked(site))
        process.kill()
        finish(process)
        site.pages |= star(9)
        done = cli("--data-dir", tmp_path, "crawl", "--continue", 1, "--max-pages", 7)
    assert "the limit of 7 pages is reached; 3 known links not fetched yet" in done.err


def test_a_second_ctrl_c_ends_at_once(tmp_path: Path) -> None:
    with SiteServer({"/": Page(body="x", delay=20)}) as site:
        process = start("--data-dir", tmp_path, "crawl", site.url)
        until(lambda: asked(site))
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        until(lambda: "Ctrl-C again ends at once" in process.stderr.readline())
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert finish(process).code == 130
    assert time.monotonic() - began < 5


def test_a_kill_loses_no_page_and_repeats_only_what_was_in_flight(cli: Cli, tmp_path: Path) -> None:
    with SiteServer(star(60, delay=0.02)) as site:
        for hits in (15, 35):
            process = start("--data-dir", tmp_path, "crawl", site.url, "--max-pages", "0")
            until(lambda wanted=hits: len(site.hits) >= wanted or process.poll() is not None)
            process.kill()
            assert process.wait() == -signal.SIGKILL
            finish(process)
        done = cli("--data-dir", tmp_path, "crawl", site.url)
    assert (done.code, "61 pages: 61 new" in done.err) == (0, True), done.err
    counts = Counter(asked(site))
    assert counts.keys() == star(60).keys()
    assert counts.total() <= 61 + 2 * 5, "five slots, killed twice"
    assert cli("--data-dir", tmp_path, "db", "check").code == 0


def test_other_options_are_a_conflict_and_new_begins_anew(cli: Cli, tmp_path: Path) -> None:
    with SiteServer(star(30, delay=0.2)) as site:
        assert interrupted(site, tmp_path, "--max-depth", "2", hits=3).code == 130
        site.pages |= star(30)
        for options, begun in (
            (["--max-depth", "1"], "with --max-depth 2"),
            (["--exclude", "/x"], "without --exclude"),
            (["--ignore-robots"], "without --ignore-robots"),
            (["--max-pages", "7"], "with --max-pages 100"),
            (["--header", "A: b"], "without a login"),
        ):
            done = cli("--data-dir", tmp_path, "crawl", site.url, *options)
            assert done.code == 4
            assert f"was begun {begun}" in done.err
            assert "--new" in done.err
        anew = cli("--data-dir", tmp_path, "crawl", site.url, "--new", "--max-depth", 0)
        assert re.match(r"crawl (?!1 )\d+ begins", anew.err)
    assert len(cli("--data-dir", tmp_path, "jobs", "list", "--json").json) == 2


def test_a_crawl_goes_on_in_its_own_queue_only(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SiteServer(star(30, delay=0.2)) as site:
        assert interrupted(site, tmp_path, hits=3).code == 130
        site.pages |= star(30)
        monkeypatch.setenv("QUAERO_QUEUE_NAME", "another")
        for arguments in ([site.url], ["--continue", "1"]):
            done = cli("--data-dir", tmp_path, "crawl", *arguments)
            assert (done.code, "in the queue 'quaero_jobs'" in done.err) == (4, True)
        anew = cli("--data-dir", tmp_path, "crawl", site.url, "--new", "--max-depth", 0)
        assert anew.code == 0
        monkeypatch.delenv("QUAERO_QUEUE_NAME")
        assert cli("--data-dir", tmp_path, "crawl", "--continue", "1").code == 0


def test_after_a_finished_crawl_the_same_command_begins_a_new_one(
    cli: Cli, site: SiteServer, tmp_path: Path
) -> None:
    cli("--data-dir", tmp_path, "crawl", site.url)
    done = cli("--data-dir", tmp_path, "crawl", site.url + "/#top")
    assert re.match(r"crawl 12 begins", done.err)
    assert "10 unchanged" in done.err


def test_the_same_command_twice_at_once_works_on_one_crawl(tmp_path: Path) -> None:
    with SiteServer(star(30, delay=0.05)) as site:
        one = start("--data-dir", tmp_path, "crawl", site.url)
        until(lambda: site.hits)
        two = call("--data-dir", tmp_path, "crawl", site.url)
        assert (two.code, finish(one).code) == (0, 0)
    assert two.err.startswith("resuming crawl 1,")
    assert sorted(asked(site)) == sorted(star(30))
    assert site.most_in_flight <= 4


# -- the display


def on_a_terminal(arguments: list[str], environ: dict[str, str]) -> tuple[int, str]:
    """Exit code and what a terminal was sent."""
    base = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "CI")}
    ours, theirs = pty.openpty()
    process = start(
        *arguments, stderr=theirs, env=base | {"TERM": "xterm", "COLUMNS": "100"} | environ
    )
    os.close(theirs)
    shown = b""
    while piece := _read(ours):
        shown += piece
    os.close(ours)
    return finish(process).code, shown.decode(errors="replace")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # the other end is closed
        return b""


def test_a_terminal_shows_live_progress_and_then_the_summary(tmp_path: Path) -> None:
    with SiteServer(star(12, delay=0.1)) as site:
        code, shown = on_a_terminal(["--data-dir", str(tmp_path), "crawl", site.url], {})
    assert code == 0
    assert re.search(r"\d of 13 pages", shown)
    assert site.url.removeprefix("http://") in shown
    assert "\x1b[2K" in shown
    assert re.search(r"crawl 1 completed in", shown)


def test_who_wants_no_colours_gets_plain_lines(tmp_path: Path) -> None:
    with SiteServer({"/": "x"}) as site:
        arguments = ["--data-dir", str(tmp_path), "crawl", site.url]
        code, shown = on_a_terminal(arguments, {"NO_COLOR": "1"})
    assert (code, "\x1b" in shown) == (0, False)
    assert [line.split()[0] for line in shown.splitlines()[:2]] == ["crawl", "crawl"]


@pytest.mark.parametrize(
    ("terminal", "environ", "lively"),
    [
        (True, {"TERM": "xterm"}, True),
        (True, {"TERM": "xterm", "CI": "true"}, False),
        (True, {"TERM": "xterm", "NO_COLOR": ""}, False),
        (True, {"TERM": "dumb"}, False),
        (True, {}, False),
        (False, {"TERM": "xterm"}, False),
    ],
)
def test_a_live_display_is_for_terminals_that_can_and_may(
    terminal: bool, environ: dict[str, str], lively: bool
) -> None:
    assert is_lively(terminal, environ) is lively


def test_without_a_terminal_there_is_nothing_but_lines_and_data_apart(tmp_path: Path) -> None:
    with SiteServer({"/": "x"}) as site:
        done = finish(start("--data-dir", tmp_path, "crawl", site.url, "--json"))
    assert (done.code, "\x1b" in done.err) == (0, False)
    assert done.json["crawl"]["created"] == 1


def test_a_disk_that_refuses_is_told_and_not_traced(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        folder = Path("/proc/quaero")
    else:
        folder = tmp_path / "closed"
        folder.mkdir(mode=0o500)
    done = finish(start("--data-dir", folder / "deep", "crawl", "http://127.0.0.1:1/"))
    assert done.code in (1, 5)
    assert done.err.startswith("error: ")
    assert "Traceback" not in done.err
