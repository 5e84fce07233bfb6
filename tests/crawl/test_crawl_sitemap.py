"""Crawls that begin at the pages of sitemaps too, judged by what the site was asked for."""

import asyncio
import gzip
from pathlib import Path
from typing import Any

import pytest

from quaero.app import worker
from quaero.crawl import sitemaps
from quaero.jobs.model import Status
from quaero.testing.site import Page, SiteServer, redirect

from .crawler import JITTER, Ran, begin, crawl, ended, gaps, links, look, settings

XML = "application/xml"


def urlset(*urls: str) -> Page:
    entries = "".join(f"<url><loc>{url}</loc></url>" for url in urls)
    return Page(body=f"<urlset>{entries}</urlset>", content_type=XML)


def index(*urls: str) -> Page:
    entries = "".join(f"<sitemap><loc>{url}</loc></sitemap>" for url in urls)
    return Page(body=f"<sitemapindex>{entries}</sitemapindex>", content_type=XML)


def packed(page: Page) -> Page:
    return Page(body=gzip.compress(page.body.encode()), content_type="application/gzip")


class Site(SiteServer):
    """A site of a few pages that are not linked, with a robots.txt that names sitemaps."""

    def __init__(self, *named: str, rules: str = "") -> None:
        pages = {path: f"<title>{path}</title><p>text</p>" for path in ("/a", "/b", "/c", "/d")}
        super().__init__({"/": links("/a"), **pages})
        self._robots = (named, rules)

    async def start(self) -> None:
        await super().start()
        named, rules = self._robots
        lines = [f"Sitemap: {name.format(url=self.url)}" for name in named]
        text = "\n".join(["User-agent: *", rules or "Disallow:", *lines])
        self.pages["/robots.txt"] = Page(body=text, content_type="text/plain")

    def pages_asked(self) -> list[str]:
        return sorted(path for path in self.paths() if path in {"/", "/a", "/b", "/c", "/d"})

    def times(self, path: str) -> int:
        return self.paths().count(path)


async def crawled(folder: Path, site: Site, **options: Any) -> Ran:
    return await crawl(folder, site.url, sitemap=True, **options)


async def test_pages_of_a_sitemap_are_found_like_links_of_a_seed(tmp_path: Path) -> None:
    async with Site("{url}/map.xml") as site:
        site.pages["/map.xml"] = urlset(
            f"{site.url}/a", f"{site.url}/b?utm_source=x", f"{site.url}/b", "/c",
            "http://other.test/x", f"{site.url}/pic.png", f"{site.url}/d", "ftp://h/x",
        )  # fmt: skip
        ran = await crawled(tmp_path, site, exclude=["/d"])
    assert site.pages_asked() == ["/", "/a", "/b", "/c"]
    assert (ran.root.status, ran.report.admitted, ran.root.counts.total) == (Status.COMPLETED, 4, 4)
    assert ran.refused == {"scope": 1, "asset": 1, "exclude": 1, "scheme": 1}
    page = ran.page(site.url + "/c")
    assert (page.depth, page.found_on) == (1, site.url + "/map.xml")
    assert site.times("/robots.txt") == site.times("/map.xml") == 1
    assert ran.said("names 3 pages of the crawl")


async def test_without_the_option_no_sitemap_is_asked_for(tmp_path: Path) -> None:
    async with Site("{url}/map.xml") as site:
        site.pages["/map.xml"] = urlset(f"{site.url}/b")
        await crawl(tmp_path, site.url)
    assert site.pages_asked() == ["/", "/a"]
    assert not site.times("/map.xml")


async def test_depth_and_links_are_limited_as_for_links(tmp_path: Path) -> None:
    async with Site("{url}/map.xml") as site:
        site.pages["/map.xml"] = urlset(f"{site.url}/b")
        site.pages["/b"] = links("/c")
        deep = await crawled(tmp_path / "1", site, max_depth=0)
        assert deep.refused["depth"] >= 1
        assert site.pages_asked() == ["/"]
        await crawled(tmp_path / "2", site, follow_links=False)
    assert site.pages_asked() == ["/", "/", "/b"]


async def test_variants_that_a_sitemap_names_are_no_trap_and_those_of_links_are(
    tmp_path: Path,
) -> None:
    async with Site("{url}/map") as site:
        site.pages["/map"] = urlset(*(f"{site.url}/a?n={n}" for n in range(4)))
        site.pages["/"] = links(*(f"/b?n={n}" for n in range(4)))
        ran = await crawled(tmp_path, site, max_variants=2)
    assert [url for url in ran.urls if "/a?" in url] == [f"{site.url}/a?n={n}" for n in range(4)]
    assert len([url for url in ran.urls if "/b?" in url]) == 2
    assert ran.refused == {"trap": 2}


async def test_an_index_leads_to_further_sitemaps_packed_or_not_each_read_once(
    tmp_path: Path,
) -> None:
    async with Site("{url}/index.xml", "/list.txt", "{url}/index.xml") as site:
        site.pages["/index.xml"] = index(
            f"{site.url}/1.xml.gz",
            f"{site.url}/2.xml",
            f"{site.url}/index.xml",
            f"{site.url}/2.xml",
        )
        site.pages["/1.xml.gz"] = packed(urlset(f"{site.url}/b"))
        site.pages["/2.xml"] = urlset(f"{site.url}/c")
        site.pages["/list.txt"] = Page(body=f"{site.url}/d\n", content_type="text/plain")
        ran = await crawled(tmp_path, site)
    assert site.pages_asked() == ["/", "/a", "/b", "/c", "/d"]
    assert {site.times(path) for path in ("/index.xml", "/1.xml.gz", "/2.xml", "/list.txt")} == {1}
    assert ran.root.status is Status.COMPLETED


async def test_where_robots_txt_names_none_the_usual_place_is_looked_at(tmp_path: Path) -> None:
    async with Site() as site:
        site.pages["/sitemap.xml"] = urlset(f"{site.url}/b")
        await crawled(tmp_path, site)
    assert site.pages_asked() == ["/", "/a", "/b"]


async def test_no_more_sitemaps_are_read_than_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sitemaps, "MOST_SITEMAPS", 3)
    async with Site("{url}/index.xml") as site:
        names = [f"/{n}.xml" for n in range(5)]
        site.pages["/index.xml"] = index(*(site.url + name for name in names))
        site.pages |= {name: urlset() for name in names}
        ran = await crawled(tmp_path, site)
    assert [site.times(name) for name in names] == [1, 1, 0, 0, 0]
    assert ran.said("3 sitemaps named are over the limit of 3")


async def test_what_endless_sitemaps_name_beyond_the_limit_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sitemaps, "MOST_SITEMAPS", 4)
    async with Site("{url}/index.xml") as site:
        names = [f"{site.url}/{n}.xml" for n in range(3)]
        site.pages["/index.xml"] = index(*names)
        for n in range(3):
            site.pages[f"/{n}.xml"] = index(*(f"{site.url}/{n}-{m}.xml" for m in (1, 2)))
        ran = await crawled(tmp_path, site)
    (line,) = ran.said("over the limit")
    assert line.message == "6 sitemaps named are over the limit of 4"


async def test_of_sitemaps_that_cannot_be_fetched_the_first_and_their_number_are_told(
    tmp_path: Path,
) -> None:
    async with Site("{url}/index.xml") as site:
        site.pages["/index.xml"] = index(*(f"http://[bad{n}/" for n in range(50)))
        ran = await crawled(tmp_path, site)
    (first,) = ran.said("names a sitemap that cannot be fetched")
    assert first.message.endswith("http://[bad0/")
    assert ran.said("50 sitemaps named have no address that can be fetched")


async def test_the_page_limit_is_exact_and_the_rest_is_known(tmp_path: Path) -> None:
    async with Site("{url}/map.xml") as site:
        urls = [f"{site.url}/page/{n}/x{n}" for n in range(1_200)]
        site.pages["/map.xml"] = urlset(*urls)
        ran = await crawled(tmp_path, site, max_pages=5)
    refused = sum(ran.refused.values())
    assert (ran.report.admitted, ran.root.counts.total) == (5, 5)
    assert ran.report.waiting + refused == 1_202 - 5
    assert not refused


TROUBLES: list[tuple[str, Any, str]] = [
    ("missing", Page(status=404), "/map.xml could not be read: "),
    ("no sitemap", "<html><p>Sorry</p></html>", "'html', not urlset or sitemapindex"),
    ("broken", Page(body="<urlset><url><loc>", content_type=XML), "was not read to its end"),
    ("not gzip", Page(body=b"\x1f\x8bnot gzip at all"), "could not be read"),
    ("a bomb", Page(body=gzip.compress(bytes(20_000_000))), "is refused by size"),
    ("a circle", redirect("/map.xml"), "more than 5 redirects"),
    ("refused", redirect("http://169.254.169.254/map.xml"), "169.254.169.254"),
]


@pytest.mark.parametrize(("_name", "page", "says"), TROUBLES, ids=[each[0] for each in TROUBLES])
async def test_a_sitemap_that_cannot_be_read_is_told_and_the_crawl_goes_on(
    tmp_path: Path, _name: str, page: Any, says: str
) -> None:
    async with Site("{url}/map.xml", "{url}/good.xml") as site:
        site.pages["/map.xml"] = page
        site.pages["/good.xml"] = urlset(f"{site.url}/c")
        ran = await crawled(tmp_path, site)
    assert site.pages_asked() == ["/", "/a", "/c"]
    assert ran.root.status is Status.COMPLETED
    assert ran.said(says), [line.message for line in ran.log]


@pytest.mark.parametrize("damaged", [False, True], ids=["cut short", "damaged"])
async def test_a_packed_sitemap_is_read_as_far_as_it_is_whole(
    tmp_path: Path, damaged: bool
) -> None:
    async with Site("{url}/map.xml.gz") as site:
        many = [
            f"{site.url}/c",
            *(f"{site.url}/page/{n}/x{n * 7919 % 9973}" for n in range(40_000)),
        ]
        whole = gzip.compress(urlset(*many).body.encode())
        cut = whole[: len(whole) * 3 // 4]
        body = cut + b"\xff" * 1_000 if damaged else cut
        site.pages["/map.xml.gz"] = Page(body=body, content_type="application/gzip")
        ran = await crawled(tmp_path, site, max_pages=3)
    assert site.times("/map.xml.gz") == 1
    assert ran.said("was not read to its end: the ")
    assert ran.report.waiting > 20_000


async def test_a_busy_site_is_asked_again_and_then_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sitemaps, "RETRY_SECONDS", 0.01)
    busy = Page(status=503)
    async with Site("{url}/soon.xml", "{url}/never.xml") as site:
        site.pages["/soon.xml"] = [busy, urlset(f"{site.url}/c")]
        site.pages["/never.xml"] = busy
        ran = await crawled(tmp_path, site)
        never = f"the sitemap {site.url}/never.xml could not be read: "
    assert ran.said(never)
    assert site.pages_asked() == ["/", "/a", "/c"]
    assert (site.times("/soon.xml"), site.times("/never.xml")) == (2, 3)
    assert (ran.root.status, ran.root.attempt) == (Status.COMPLETED, 1)


async def test_a_crawl_says_that_it_waits_for_a_sitemap_as_long_as_the_site_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sitemaps, "RETRY_SECONDS", 0.01)
    async with Site("{url}/map.xml") as site:
        busy = Page(status=503, headers={"Retry-After": "1"})
        site.pages["/map.xml"] = [busy, urlset(f"{site.url}/c")]
        ran = await crawled(tmp_path, site)
        said = f"waits for its sitemaps: {site.url}/map.xml answered 503 (Service Unavailable); "
    assert site.pages_asked() == ["/", "/a", "/c"]
    assert ran.said(said + "next in 1 s")


async def test_robots_rules_hold_for_sitemaps_and_what_they_name(tmp_path: Path) -> None:
    async with Site("{url}/no/map.xml", "{url}/map.xml", rules="Disallow: /no/") as site:
        site.pages["/map.xml"] = urlset(f"{site.url}/no/page", f"{site.url}/b")
        site.pages["/no/map.xml"] = site.pages["/no/page"] = urlset(f"{site.url}/c")
        ran = await crawled(tmp_path / "1", site)
        assert ran.refused == {"robots": 2}
        assert site.pages_asked() == ["/", "/a", "/b"]
        await crawled(tmp_path / "2", site, respect_robots=False)
    assert "/c" in site.pages_asked()


@pytest.mark.parametrize(("rules", "delay", "before"), [("", 0.2, 0), ("Crawl-delay: 0.2", 0, 1)])
async def test_sitemaps_keep_the_delay_between_requests_to_a_host(
    tmp_path: Path, rules: str, delay: float, before: int
) -> None:
    """One that robots.txt asks for is kept from when it was read."""
    async with Site("{url}/map.xml", rules=rules) as site:
        site.pages["/map.xml"] = urlset(f"{site.url}/b")
        await crawled(tmp_path, site, delay=delay)
    assert len(site.hits) == 5
    assert min(gaps(site.hits[before:])) >= 0.2 - JITTER


async def test_an_interrupted_crawl_goes_on_with_the_sitemap_it_was_at(tmp_path: Path) -> None:
    async with Site("{url}/1.xml", "{url}/2.xml") as site:
        site.pages["/1.xml"] = urlset(f"{site.url}/b")
        site.pages["/2.xml"] = Page(delay=60)
        async with worker(settings(tmp_path)) as made:
            root_id = await begin(made, [site.url], sitemap=True)
            working = asyncio.create_task(made.pool.run())
            async with asyncio.timeout(20):
                while not site.times("/2.xml"):
                    await asyncio.sleep(0.01)
            made.pool.stop()
            await working
        site.pages["/2.xml"] = urlset(f"{site.url}/c")
        async with worker(settings(tmp_path)) as made:
            await ended(made, root_id)
            ran = await made.db.read(look, root_id)
    assert site.pages_asked() == ["/", "/a", "/b", "/c"]
    assert (site.times("/1.xml"), site.times("/2.xml")) == (1, 2)
    assert (ran.root.status, ran.report.admitted) == (Status.COMPLETED, 4)
