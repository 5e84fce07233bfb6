"""A Jira and a Confluence as sources with nothing set: all that the account may read is collected."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from quaero.app import login_keeper, worker
from quaero.jobs.model import Status
from quaero.settings.model import AuthSettings
from quaero.sources import records
from quaero.sources.capture import Capture
from quaero.testing.confluence_site import ConfluenceSite
from quaero.testing.jira_site import JiraSite

from ..crawl.crawler import settings  # noqa: TID252
from .collecting import Program, checks


@pytest.mark.parametrize(("kind", "make"), [("jira", JiraSite), ("confluence", ConfluenceSite)])
async def test_a_product_is_collected_whole_with_the_settings_that_a_new_source_has(
    tmp_path: Path, kind: str, make: type[JiraSite | ConfluenceSite]
) -> None:
    site = make("/here")
    auth = AuthSettings(key_file=tmp_path / "keys")
    chosen = settings(tmp_path / "data").model_copy(update={"auth": auth})
    async with site.server, worker(chosen) as working:
        running = asyncio.create_task(working.pool.run())
        made = Program(working)
        cookie = site.gate.captured("6F1d0cA9b8E7fe0321aB")
        async with login_keeper(chosen, working.db) as logins:
            login, _ = await logins.add(
                Capture(base_url=site.home, captured_at=1, cookies=(cookie,))
            )
        source = await made.add("tracker", site.home, kind, credential=login)
        job = await made.collect(source)
        documents = await made.documents(source)
        pre = await made.pre(job.summary.id)
        working.pool.stop()
        await running
    assert job.summary.status is Status.COMPLETED, job.summary.error
    assert set(checks(pre).values()) == {True}
    assert {each.summary.url for each in documents} == site.readable()
    assert (site.gate.harm, site.gate.strays) == ([], [])


def test_a_depth_that_is_set_holds_for_a_product_too() -> None:
    given = {"name": "a", "kind": "jira", "base_url": "https://a.example/"}
    depths = [
        records.checked(given | {"settings": wanted})[1].model_dump()["max_depth"]
        for wanted in ({}, {"max_depth": 2})
    ]
    assert depths == [1_000, 2]
