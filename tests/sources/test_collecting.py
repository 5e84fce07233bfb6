"""Collecting a site as a source: one run at a time, checked first, with a snapshot of settings."""

from pathlib import Path

from quaero.documents.search import search
from quaero.jobs.model import Status
from quaero.sources import records
from quaero.testing.site import SiteServer

from ..crawl.crawler import links  # noqa: TID252
from .collecting import checks, program


async def test_a_source_is_checked_then_crawled_and_its_documents_carry_it(tmp_path: Path) -> None:
    async with SiteServer({"/": links("/a"), "/a": "about harbours"}) as site:
        async with program(tmp_path) as made:
            source = await made.add("docs", site.url, tags=["Hand Book"])
            job = await made.collect(source)
            assert job.summary.status is Status.COMPLETED
            assert (job.payload["source"], job.payload["credential"]) == (source, None)
            assert (await made.pre(job.summary.id)).summary.status is Status.COMPLETED
            found = await made.documents(source)
            assert {each.summary.tags for each in found} == {("hand book",)}
            assert len(found) == 2
            names = await made.made.db.read(records.names)
            hits = await made.made.db.read(search, "source:docs harbours", sources=names)
            state = await made.state(source)
    assert [hit.document.url for hit in hits.hits] == [site.url + "/a"]
    assert (state.health, state.documents, state.detail) == ("healthy", 2, None)
    assert site.paths().index("/robots.txt") < site.paths().index("/a")


async def test_nothing_is_fetched_as_long_as_the_check_has_not_ended_well(tmp_path: Path) -> None:
    async with SiteServer({"/": links("/a"), "/a": "a"}) as site:
        async with program(tmp_path) as made:
            source = await made.add("docs", site.url, settings={"exclude": ["/"]})
            job = await made.collect(source)
            pre = await made.pre(job.summary.id)
            state = await made.state(source)
    assert job.summary.status is pre.summary.status is Status.FAILED
    assert "excluded by the pattern '/'" in str(job.summary.error)
    assert checks(pre)["seeds"] is False
    assert checks(pre)["patterns"] is checks(pre)["reachable"] is True
    assert "/a" not in site.paths()
    assert (state.health, state.detail) == ("failing", job.summary.error)
