"""The sample site, fetched page by page as the demo does."""

import asyncio
import signal
import socket
import sys
import time
import urllib.request

import ada_url
import pytest
from selectolax.lexbor import LexborHTMLParser

from quaero import sample_site
from quaero.crawl.fetch import Fetcher, FetchRequest, HttpStatus
from quaero.crawl.policy import NetworkPolicy
from quaero.errors import RetryLater
from quaero.testing.site import Page, SiteServer, pages_of

HERE = NetworkPolicy(seeds={"127.0.0.1": ["127.0.0.1"]})


@pytest.fixture
async def site():
    site = await sample_site.serve()
    yield site
    await site.close()


def links(url, body):
    tree = LexborHTMLParser(body)
    return {ada_url.join_url(url, a.attributes["href"]) for a in tree.css("a[href]")}


async def walk(site):
    """Every page reachable from the first one, with what became of it."""
    site.pages[sample_site.SLOW] = site.pages[sample_site.SLOW].body  # its delay has its own test
    seen, found, waiting = {}, {f"{site.url}/"}, [f"{site.url}/"]
    async with Fetcher() as fetcher:
        while waiting:
            url = waiting.pop()
            try:
                result = await fetcher.fetch(FetchRequest(url=url, policy=HERE))
            except HttpStatus as error:
                seen[url] = error.code
                continue
            except RetryLater as error:
                seen.setdefault("waits", []).append((error.after, error.hold))
                waiting.insert(0, url)
                continue
            seen[url] = result
            new = {result.location} if result.location else links(url, result.body)
            waiting += new - found
            found |= new
    assert seen.pop("waits") == [(1.0, True)]
    return {url.removeprefix(site.url): what for url, what in seen.items()}


async def test_about_forty_pages_are_reachable_and_one_of_each_trouble_is_met(site):
    seen = await walk(site)
    pages = {p: r for p, r in seen.items() if not isinstance(r, int) and r.status == 200}
    assert 38 <= len(pages) <= 44
    assert {path for path, what in seen.items() if what == 404} == {sample_site.BROKEN}
    assert seen[sample_site.MOVED].status == 301
    assert site.paths().count(sample_site.BUSY) == 2
    refused = [path for path in pages if path.startswith(sample_site.REFUSED)]
    assert len(refused) == 2
    assert set(sample_site.pages()) == {path for path, what in seen.items() if what != 404}


async def test_every_page_has_its_own_title_and_description_and_proper_text(site):
    seen = await walk(site)
    trees = [LexborHTMLParser(r.body) for r in seen.values() if not isinstance(r, int) and r.body]
    titles = [tree.css_first("title").text() for tree in trees]
    assert len(set(titles)) == len(titles)
    for tree in trees:
        assert len(tree.css("h1")) == 1
        assert tree.css_first("meta[name=description]").attributes["content"]
        assert len(tree.css_first("main").text()) > 30
    assert sum(bool(tree.css("table")) for tree in trees) >= 17
    assert sum(bool(tree.css("pre code")) for tree in trees) >= 24


async def test_robots_txt_refuses_a_folder_that_is_linked(site):
    async with Fetcher() as fetcher:
        url = f"{site.url}/robots.txt"
        result = await fetcher.fetch(FetchRequest(url=url, policy=HERE))
    assert result.content_type == "text/plain"
    assert b"Disallow: /internal/" in result.body


async def test_the_slow_page_takes_about_a_second(site):
    async with Fetcher() as fetcher:
        url = site.url + sample_site.SLOW
        result = await fetcher.fetch(FetchRequest(url=url, policy=HERE))
    assert 0.9 < result.elapsed < 5


async def test_it_runs_as_a_module_and_ends_when_interrupted():
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "quaero.sample_site", stdout=asyncio.subprocess.PIPE
    )
    url = (await process.stdout.readline()).decode().strip()
    async with Fetcher() as fetcher:
        assert (await fetcher.fetch(FetchRequest(url=url, policy=HERE))).status == 200
    process.send_signal(signal.SIGINT)
    rest, _ = await process.communicate()
    assert (rest, process.returncode) == (b"stopped\n", 0)


def test_a_site_serves_from_a_thread_and_logs_what_was_asked(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "index.html").write_text("<h1>Start</h1>")
    (tmp_path / "a" / "b.css").write_text("x")
    with SiteServer(pages_of(tmp_path), robots="User-agent: *\n") as site:
        for path, kind in (
            ("/", "text/html"),
            ("/index.html", "text/html"),
            ("/a/b.css", "text/css"),
        ):
            with urllib.request.urlopen(site.url + path) as answer:
                assert answer.headers["Content-Type"].startswith(kind)
    assert site.paths() == ["/", "/index.html", "/a/b.css"]
    assert all(hit.status == 200 and hit.started <= hit.ended for hit in site.hits)
    assert site.most_in_flight == 1


async def test_a_site_counts_the_requests_under_way():
    async with SiteServer({"/": Page(delay=0.2)}) as site, Fetcher() as fetcher:
        request = FetchRequest(url=site.url, policy=HERE)
        await asyncio.gather(*(fetcher.fetch(request) for _ in range(3)))
    assert sorted(hit.in_flight for hit in site.hits) == [1, 2, 3]
    assert site.most_in_flight == 3
    assert all(hit.ended - hit.started >= 0.19 for hit in site.hits)


async def test_a_request_began_when_it_arrived_not_when_the_site_came_round_to_it():
    async with SiteServer({"/": "late"}) as site:
        host, port = site.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as connection:
            await asyncio.sleep(0.05)
            connection.sendall(b"GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
            sent = time.monotonic()
            time.sleep(0.5)
            reader, writer = await asyncio.open_connection(sock=connection.dup())
            assert b"late" in await reader.read()
            writer.close()
    (hit,) = site.hits
    assert hit.started - sent < (0.2 if hasattr(socket, "TCP_INFO") else 2.0)
