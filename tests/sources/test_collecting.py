"""Collecting a site as a source: one run at a time, checked first, with a snapshot of settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from quaero.crawl.payloads import Crawl
from quaero.documents.search import search
from quaero.errors import Conflict, NotFound
from quaero.jobs import actions, steer
from quaero.jobs.create import create
from quaero.jobs.model import JobSpec, Status
from quaero.sources import records, removal, runs, trial
from quaero.sources.names import names as source_names
from quaero.testing.site import Page, SiteServer
from quaero.upkeep.cleanup import Cleanup, _old_roots

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
            names = await made.made.db.read(source_names)
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


async def test_there_is_one_run_at_a_time_whoever_begins_it(tmp_path: Path) -> None:
    async with SiteServer({"/": Page(body=links("/a"), delay=0.3), "/a": "a"}) as site:
        async with program(tmp_path) as made:
            source = await made.add("docs", site.url)
            running = await made.begin(source)
            assert await made.begin(source) == running
            with pytest.raises(Conflict, match=f"job {running}"):
                await made.begin(source, max_pages=5)
            payload = (await made.job(running)).payload
            (other,) = await made.made.db.write(
                create, made.made.queue_id, [JobSpec("crawler", json.dumps(payload))]
            )
            failed = await made.run(other)
            first = await made.run(running)
            rerun = await made.run(await made.made.db.write(steer.rerun, running))
            state = await made.state(source)
    assert first.summary.status is rerun.summary.status is Status.COMPLETED
    assert failed.summary.status is Status.FAILED
    assert f"collected by job {running} already" in str(failed.summary.error)
    assert state.run is not None
    assert state.run.id == rerun.summary.id


async def test_a_run_keeps_the_settings_it_began_with_and_a_disabled_source_is_not_run(
    tmp_path: Path,
) -> None:
    async with SiteServer({"/": Page(body=links("/a"), delay=0.2), "/a": "a"}) as site:
        async with program(tmp_path) as made:
            source = await made.add("docs", site.url)
            job_id = await made.begin(source)
            changes = {"settings": {"max_pages": 1}, "enabled": False, "name": "other"}
            await made.made.db.write(records.update, source, changes)
            job = await made.run(job_id)
            with pytest.raises(Conflict, match="disabled"):
                await made.begin(source)
    assert job.payload["max_pages"] == 1_000
    assert "private" not in {name for name, value in job.payload.items() if value is not None}


async def test_patterns_of_source_and_run_narrow_each_other_and_are_shown(tmp_path: Path) -> None:
    paths = ["/a/1", "/a/2", "/b/1", "/c/1"]
    async with SiteServer({"/": links(*paths), **dict.fromkeys(paths, "x")}) as site:
        async with program(tmp_path) as made:
            source = await made.add(
                "docs", site.url, settings={"include": ["/a/*", "/b/*"], "exclude": ["*2"]}
            )
            job = await made.collect(source, include=["/a/*", "/c/*"], exclude=["/b/*"])
            shown = await made.made.db.read(runs.patterns_of, job.summary.id)
            collected = [each.summary.url for each in await made.documents(source)]
            tried = trial.decide(
                Crawl.model_validate(job.payload), [f"{site.url}{path}" for path in paths]
            )
    assert collected == [f"{site.url}/", f"{site.url}/a/1"]
    assert [each.admitted for each in tried] == [True, False, False, False]
    assert [each.rule for each in tried] == [
        "included by /a/*", "excluded by *2", "excluded by /b/*",
        "fits no include pattern of the source",
    ]  # fmt: skip
    assert shown == {
        "source_include": ["/a/*", "/b/*"],
        "run_include": ["/a/*", "/c/*"],
        "exclude": ["*2", "/b/*"],
        "rule": runs.RULE,
    }


async def test_a_retry_of_a_run_whose_check_failed_checks_again_and_goes_on(tmp_path: Path) -> None:
    async with SiteServer({"/": Page(status=500), "/a": "a"}) as site:
        async with program(tmp_path) as made:
            source = await made.add("docs", site.url)
            job = await made.collect(source)
            assert job.summary.status is Status.FAILED
            site.pages["/"] = links("/a")
            await actions.retry(made.made.db, job.summary.id)
            again = await made.run(job.summary.id)
    assert again.summary.status is Status.COMPLETED
    assert again.summary.error is None


async def test_a_cancelled_run_warns_and_a_source_is_removed_with_a_choice(tmp_path: Path) -> None:
    async with SiteServer({"/": Page(body="x", delay=5)}) as site:
        async with program(tmp_path) as made:
            source = await made.add("docs", site.url)
            job_id = await made.begin(source)
            with pytest.raises(Conflict, match="cancel"):
                await made.made.db.write(runs.remove, source, cancel=False)
            await made.made.db.write(steer.cancel, job_id)
            assert (await made.run(job_id)).summary.status is Status.CANCELLED
            assert (await made.state(source)).health == "warnings"
            await made.made.db.write(runs.remove, source, cancel=False)
            with pytest.raises(NotFound):
                await made.made.db.read(records.get, source)
            assert await made.add("docs", site.url) == source + 1


async def test_a_page_that_is_tried_again_brings_nothing_of_a_source_that_was_deleted(
    tmp_path: Path,
) -> None:
    pages = {"/": links("/a", "/b"), "/a": "alpha", "/b": Page(status=403)}
    async with SiteServer(pages) as site:
        async with program(tmp_path) as made:
            source = await made.add("docs", site.url)
            run = (await made.collect(source)).summary.id
            await made.made.db.write(
                removal.remove, made.made.queue_id, source, cancel=False, documents=True
            )
            site.pages["/b"] = "beta"
            await actions.retry(made.made.db, run)
            again = await made.run(run)
            assert await made.documents(source) == []
    assert again.summary.status is Status.FAILED
    assert again.summary.error == f"source {source} was deleted; nothing more is collected for it"
    assert site.paths().count("/b") == 1


async def test_a_tag_given_later_is_put_on_pages_that_have_not_changed(tmp_path: Path) -> None:
    pages = {"/": Page(body=links("/a"), etag='"1"'), "/a": Page(body="a", etag='"2"')}
    async with SiteServer(pages) as site, program(tmp_path) as made:
        source = await made.add("docs", site.url)
        await made.collect(source)
        await made.made.db.write(records.update, source, {"tags": ["late"]})
        await made.collect(source)
        found = await made.documents(source)
    assert [hit.status for hit in site.hits].count(304) == 2
    assert {each.summary.tags for each in found} == {("late",)}


async def test_cleaning_up_leaves_the_last_run_of_a_source(tmp_path: Path) -> None:
    async with SiteServer({"/": "x"}) as site, program(tmp_path) as made:
        source = await made.add("docs", site.url)
        first = await made.collect(source)
        last = await made.collect(source)
        wanted = Cleanup(age_threshold_days=0)
        old = await made.made.db.read(_old_roots, wanted, (0, 0))
    assert [id_ for _, id_ in old] == [first.summary.id]
    assert last.summary.id > first.summary.id


def test_a_file_is_tried_by_its_path_or_by_its_address() -> None:
    payload = runs.draft_payload(
        {"name": "x", "kind": "folder", "base_url": "/home/me/my notes",
         "settings": {"include": ["/a b/*"]}}
    )  # fmt: skip
    tried = trial.decide(
        payload,
        ["a b/c.md", "/home/me/my notes/a b/c.md", "file:///home/me/my%20notes/a%20b/c.md"],
    )
    assert {(each.address, each.admitted) for each in tried} == {("/a b/c.md", True)}


def test_trying_addresses_compiles_each_pattern_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    class Noted(trial.Patterns):  # type: ignore[misc]
        def __init__(self, texts: Any) -> None:
            made.extend(texts)
            super().__init__(texts)

    monkeypatch.setattr(trial, "Patterns", Noted)
    include = [f"/dir{number}/*" for number in range(20)]
    payload = runs.draft_payload(
        {"name": "x", "base_url": "https://a.test/", "settings": {"include": include}}
    )
    tried = trial.decide(payload, [f"https://a.test/dir19/{n}" for n in range(5)])
    assert {each.pattern for each in tried} == {"/dir19/*"}
    assert sorted(made) == sorted(include)
