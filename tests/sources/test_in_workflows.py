"""Sources and crawls as parts of larger trees: steps of a workflow, and what they leave."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from quaero.db.contract import Database
from quaero.errors import BadInput, Conflict
from quaero.jobs import actions
from quaero.jobs.create import create
from quaero.jobs.model import JobSpec, Status
from quaero.jobs.read import Job
from quaero.sources import collecting
from quaero.testing.site import SiteServer
from quaero.upkeep import bulk
from quaero.upkeep.cleanup import delete_tree
from quaero.workflows import items
from quaero.workflows.definition import Query, Sources
from quaero.workflows.executors import Workflow

from .collecting import Program, program

PAGES = {
    "/": '<p>home</p><a href="/a">a</a><a href="/b">b</a>',
    "/a": "<p>one page of words</p>",
    "/b": "<p>another page of words</p>",
}


@pytest.fixture
async def site() -> AsyncIterator[SiteServer]:
    async with SiteServer(PAGES) as site:
        yield site


async def flow(made: Program, *steps: dict[str, Any]) -> Job:
    """Run a workflow of these steps to its end."""
    wanted = Workflow.model_validate({"definition": {"id": "flow", "steps": list(steps)}})
    spec = JobSpec("workflow", wanted.model_dump_json())
    (id_,) = await made.made.db.write(create, made.made.queue_id, [spec])
    return await made.run(id_)


def step(name: str, action: str, *needs: str, **config: Any) -> dict[str, Any]:
    return {"name": name, "action": action, "config": config, "depends_on": list(needs)}


async def rows(made: Program, sql: str) -> list[tuple[Any, ...]]:
    return list(await made.made.db.read(lambda tx: tx.execute(sql)))


async def test_a_source_is_collected_and_summarised_by_a_workflow(
    tmp_path: Path, site: SiteServer
) -> None:
    async with program(tmp_path) as made:
        source_id = await made.add("docs", site.url, tags=["weekly"])
        ran = await flow(
            made,
            step("collect", "collect", source="docs"),
            step("summarise", "summarizer", "collect", source="docs", model="extractive"),
        )
        assert (ran.summary.status, ran.summary.error) == (Status.COMPLETED, None)
        assert await made.present(source_id) == {"", "a", "b"}
        assert {"weekly"} == {
            tag for each in await made.documents(source_id) for tag in each.summary.tags
        }
        assert (await made.state(source_id)).health == "healthy"
        ((summarised,),) = await rows(made, "select count(distinct document_id) from document_note")
        assert summarised == 3


async def test_sources_are_found_by_a_tag_however_it_is_written_and_by_a_kind_there_is(
    tmp_path: Path,
) -> None:
    async with program(tmp_path) as made:
        await made.add("docs", "https://docs.test/", tags=["Every Week"])
        await made.add("other", "https://other.test/")
        for tag, kind, names in (("every  WEEK", "", ["docs"]), ("", "web", ["docs", "other"])):
            wanted = Query(sources=Sources(tag=tag, kind=kind))
            found, _ = await made.made.db.read(items.rows, wanted, 0, 10)
            assert [each["name"] for each in found] == names
        with pytest.raises(BadInput, match="no kind 'webb' of sources; there are web, jira"):
            await made.made.db.read(items.rows, Query(sources=Sources(kind="webb")), 0, 10)


async def test_a_cleanup_leaves_the_last_run_of_a_source_in_a_workflow_too(
    tmp_path: Path, site: SiteServer
) -> None:
    async with program(tmp_path) as made:
        source_id = await made.add("docs", site.url)
        await flow(made, step("collect", "collect", source="docs"))
        last = await flow(made, step("collect", "collect", source="docs"))
        spec = JobSpec("cleanup", '{"age_threshold_days": 0, "status_filter": "all"}')
        (id_,) = await made.made.db.write(create, made.made.queue_id, [spec])
        assert (await made.run(id_)).result["trees"] == 1
        kept = {root for (root,) in await rows(made, "select distinct root_id from job")}
        assert kept == {last.summary.id, id_}
        assert (await made.state(source_id)).health == "healthy"


async def test_a_crawl_below_other_jobs_is_a_whole_crawl(tmp_path: Path, site: SiteServer) -> None:
    async with program(tmp_path) as made:
        ran = await flow(made, step("one", "crawler", seeds=[site.url], max_pages=2))
        assert ran.summary.status is Status.COMPLETED
        assert await rows(made, "select admitted, waiting, created from crawl") == [(2, 1, 2)]
        assert len(site.paths()) == 3, "robots.txt and two pages"
        assert ran.summary.counts.completed == 4, "a step, a crawl, two pages"


async def test_every_source_is_collected_by_a_step_that_goes_over_them(
    tmp_path: Path, site: SiteServer
) -> None:
    async with program(tmp_path) as made:
        ids = [await made.add(name, f"{site.url}/{name}") for name in ("a", "b")]
        await made.add("off", f"{site.url}/", enabled=False)
        each = step("all", "collect", source="{{ item.name }}")
        ran = await flow(made, {**each, "for_each": {"sources": {}}})
        assert ran.summary.status is Status.COMPLETED
        for id_ in ids:
            assert (await made.state(id_)).health == "healthy"


async def test_two_steps_collect_a_source_one_after_the_other(
    tmp_path: Path, site: SiteServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collecting, "LOOK_AGAIN", 0.05)
    async with program(tmp_path) as made:
        await made.add("docs", site.url)
        ran = await flow(
            made,
            step("one", "collect", source="docs"),
            step("two", "collect", source="docs"),
            step("three", "collect", source="docs"),
        )
        assert (ran.summary.status, ran.summary.error) == (Status.COMPLETED, None)
        times = await rows(
            made, "select started_at, completed_at from job where type = 'crawler' order by 1"
        )
        assert len(times) == 3
        assert times[0][1] <= times[1][0]
        assert times[1][1] <= times[2][0]


async def test_a_source_that_is_not_there_fails_its_step_with_what_there_is(
    tmp_path: Path, site: SiteServer
) -> None:
    async with program(tmp_path) as made:
        await made.add("docs", site.url)
        ran = await flow(made, step("collect", "collect", source="dics"))
        assert ran.summary.status is Status.FAILED
        told = await rows(made, "select error from job where type = 'collect'")
        assert told == [("there is no source 'dics'; there are docs",)]


async def test_a_deleted_tree_takes_the_frontiers_of_its_crawls_along(
    tmp_path: Path, site: SiteServer
) -> None:
    async with program(tmp_path) as made:
        ran = await flow(made, step("one", "crawler", seeds=[site.url]))
        assert await rows(made, "select count(*) from crawl_url") == [(3,)]
        assert await delete_tree(made.made.db, ran.summary.id) == 6
        for table in ("crawl", "crawl_url", "need", "job"):
            assert await rows(made, f"select count(*) from {table}") == [(0,)]


async def test_so_does_a_part_of_a_tree_that_is_deleted_by_itself(
    tmp_path: Path, site: SiteServer
) -> None:
    async with program(tmp_path) as made:
        await flow(made, step("one", "crawler", seeds=[site.url]), step("two", "summarizer"))
        ((crawl_id,),) = await rows(made, "select id from job where type = 'crawler'")
        assert await bulk.delete(made.made.db, crawl_id) == 4
        for table in ("crawl", "crawl_url"):
            assert await rows(made, f"select count(*) from {table}") == [(0,)]
        assert await rows(made, "select count(*) from job") == [(4,)]


class RetryBetween:
    """A database in which somebody retries a job before the write with this number."""

    def __init__(self, db: Database, job_id: int, number: int) -> None:
        self._db, self._job_id, self._left = db, job_id, number
        self.read = db.read

    async def write(self, act: Any, *args: Any) -> Any:
        if self._left == 0:
            await actions.retry(self._db, self._job_id)
        self._left -= 1
        return await self._db.write(act, *args)


@pytest.mark.parametrize("number", range(5))
async def test_a_crawl_that_is_opened_again_while_it_is_deleted_knows_each_page_it_has(
    tmp_path: Path, site: SiteServer, number: int
) -> None:
    async with program(tmp_path) as made:
        seeds = [site.url, f"{site.url}/missing"]
        ran = await flow(made, step("one", "crawler", seeds=seeds))
        db: Any = RetryBetween(made.made.db, ran.summary.id, number)
        refused = False
        try:
            await delete_tree(db, ran.summary.id)
        except Conflict:
            refused = True
        ((pages,),) = await rows(made, "select count(*) from job where type = 'crawler_url'")
        ((known,),) = await rows(made, "select count(*) from crawl_url")
        assert known >= pages
        assert (pages == 4) is refused
