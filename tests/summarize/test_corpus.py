"""One summary of many documents: by a model, when it fails, and as the last job of a workflow."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest

from quaero.documents import notes
from quaero.jobs import read
from quaero.jobs.model import Status
from quaero.summarize import corpus
from quaero.summarize.audit import listing
from quaero.testing.models import ModelServer
from quaero.testing.site import SiteServer
from quaero.work.context import JobContext
from quaero.workflows import definitions, runs
from quaero.workflows.text import check

from .conftest import TIDES, Desk, desk_of, page
from .test_faults import with_model

SITE = {"site": "docs.example.org"}


async def stored(desk: Desk, count: int) -> list[int]:
    texts = [f"{TIDES}\n\nNumber {n} of its kind stands at the quay." for n in range(count)]
    return await desk.store(*(page(n, text) for n, text in enumerate(texts)))


async def test_a_model_summarises_each_document_once_and_then_all_together(tmp_path: Path) -> None:
    async with ModelServer() as server, desk_of(with_model(tmp_path, server)) as desk:
        ids = await stored(desk, 60)
        await desk.summarize(ids[:2])
        job = await desk.run("corpus_summary", SITE)
        assert job.summary.status is Status.COMPLETED
        assert (job.result["maker"], job.result["documents"]) == ("fake-1", 60)
        assert "Tides are the rise and fall of the sea" in job.result["summary"]
        assert len(await desk.db.read(notes.of, ids)) == 60
        calls = await desk.db.read(listing, limit=1_000)
        operations = [each.operation for each in calls]
        assert operations.count("summary") == 60, "two were there already"
        assert operations.count("corpus") == len(server.requests) - 60 >= 3
        assert {each.job_id for each in calls if each.operation == "corpus"} == {job.summary.id}
        await desk.run("corpus_summary", SITE)
        again = await desk.db.read(listing, limit=1_000)
        assert [each.operation for each in again].count("summary") == 60


async def test_groups_of_groups_are_combined_too_and_what_is_kept_stays_small(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corpus, "GROUP", 3)
    kept = []
    checkpoint = JobContext.checkpoint

    async def noted(job: JobContext, state: Any) -> None:
        kept.append(state["notes"] + state["above"])
        await checkpoint(job, state)

    monkeypatch.setattr(JobContext, "checkpoint", noted)
    async with ModelServer() as server, desk_of(with_model(tmp_path, server)) as desk:
        await stored(desk, 30)
        job = await desk.run("corpus_summary", SITE)
        assert job.result["documents"] == 30
        assert "Tides are the rise and fall of the sea" in job.result["summary"]
        assert "Tides" in job.result["keywords"]
        calls = await desk.db.read(listing, limit=1_000)
        ten_groups, three_of_three, whole = 10, 3, 1
        corpora = [each for each in calls if each.operation == "corpus"]
        assert len(corpora) == ten_groups + three_of_three + whole
        assert max(map(len, kept)) == 3 + 1


async def test_a_failure_half_way_counts_no_document_twice(tmp_path: Path) -> None:
    async with ModelServer() as server:
        server.faults = ["", "", "garbage"]
        async with desk_of(with_model(tmp_path, server, queue__max_receive="3")) as desk:
            await stored(desk, 5)
            job = await desk.run("corpus_summary", {**SITE, "max_documents": 5})
            assert (job.summary.status, job.result["documents"]) == (Status.COMPLETED, 5)
            assert not job.result["more"]
            assert len(server.requests) == 5 + 1 + 2


@pytest.mark.parametrize(
    ("fault", "calls", "said"),
    [
        ("unauthorised", 1, "answered 401"), ("redirect", 1, "answered 307"),
        ("too_long", 3, "nothing was summarised: .*context length exceeded"),
    ],
)  # fmt: skip
async def test_a_server_that_refuses_us_is_asked_once_and_its_reason_is_told(
    tmp_path: Path, fault: str, calls: int, said: str
) -> None:
    async with ModelServer(always=fault) as server, desk_of(with_model(tmp_path, server)) as desk:
        await stored(desk, 3)
        job = await desk.run("corpus_summary", SITE)
        assert job.summary.status is Status.FAILED
        assert len(server.requests) == calls
        assert re.search(said, job.summary.error or "")


async def test_as_a_post_job_it_speaks_of_what_the_run_collected(tmp_path: Path) -> None:
    with SiteServer({
        "/": f"<title>Sea</title><main><a href='/two'>two</a><p>{TIDES}</p></main>",
        "/two": f"<title>Two</title><main><p>{TIDES} Number two stands at the quay.</p></main>",
    }) as site:  # fmt: skip
        async with ModelServer() as server, desk_of(with_model(tmp_path, server)) as desk:
            await stored(desk, 3)
            definition = {
                "id": "sea",
                "steps": [{"name": "collect", "action": "crawler", "config": {"seeds": [site.url]}}],
                "post_jobs": [{"name": "together", "action": "corpus_summary"}],
            }  # fmt: skip
            text, known = json.dumps(definition), desk.registry.known()
            checked = check(text, "json", known)
            assert checked.definition is not None, checked.faults
            await desk.db.write(definitions.save, checked.definition, text, "json")
            id_ = await desk.db.write(runs.begin, desk.queue_id, "sea", known)
            async with asyncio.timeout(60):
                run = await desk.ended(id_)
            assert run.summary.status is Status.COMPLETED, run.summary.error
            steps = {
                each.name: each.id
                for each in await desk.db.read(read.listing, read.Filter(parent_id=id_))
            }
            wanted = read.Filter(parent_id=steps["together"])
            (summary,) = await desk.db.read(read.listing, wanted)
            whole = await desk.db.read(read.get, summary.id)
            assert (whole.result["documents"], whole.result["maker"]) == (2, "fake-1")
            assert "Tides" in whole.result["summary"]
