"""Many jobs and a large tree: pages are as quick and as small as with few.

The suite has a tenth of a million jobs; a soak has a million, and a tree of 100,000 children.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from quaero.db import SqliteDatabase
from quaero.queue.queue import open_queue

from ..soak import FACTOR  # noqa: TID252
from .asking import ENDS_MS, request, row
from .server import Server

JOBS = 1_000_000 if FACTOR > 1 else 100_000
CHILDREN = 100_000 if FACTOR > 1 else 20_000
TREE = JOBS + 1
SOON_MS = 5_000  # generous: what is measured is in the report of the test
MOST_ELEMENTS = 16_000
NODES = "document.querySelectorAll('*').length"


def fill(tx, now: int) -> None:
    """Top-level jobs that have ended, the last of them with many children."""
    tx.execute(
        """
        with recursive n(i) as (values(1) union all select i + 1 from n where i < $1)
        insert into job(id, parent_id, root_id, depth, type, phase, name, status, priority, payload,
                        created_at, started_at, completed_at, queue_id, own_run, attempt,
                        core_total, n_completed)
        select i, case when i > $2 then $2 end, min(i, $2), i > $2,
               case when i = $2 then 'crawler' else 'crawler_url' end, 1,
               'https://example.org/' || i, case when i % 500 = 7 and i < $2 then 3 else 2 end, 0,
               '{}', $3 - ($1 - i) * 1000, $3 - ($1 - i) * 1000 + 200, $3 - ($1 - i) * 1000 + 900,
               1, 1, 1, case when i = $2 then $1 - $2 else 0 end,
               case when i = $2 then $1 - $2 else 0 end
          from n
        """,
        (JOBS + 1 + CHILDREN, TREE, now),
    )
    tx.execute(
        """
        insert into job_count(top, type, status, n)
        select parent_id is null, type, status, count(*) from job group by 1, 2, 3
        """
    )
    tx.execute("update sequence set last = (select max(id) from job) where name = 'job'")


def make(folder: Path) -> None:
    folder.mkdir()
    db = SqliteDatabase.open(folder / "quaero.db")
    db.write_sync(open_queue, "quaero_jobs")
    db.write_sync(fill, time.time_ns() // 1000)
    db.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("data") / "quaero")
    with ThreadPoolExecutor(1) as apart:  # this thread's event loop is the browser's
        apart.submit(make, server.data).result()
    server.start()
    request(f"{server.url}/api/ready")
    yield server
    server.stop()


def since_start(page: Page, selector: str) -> float:
    """Milliseconds from the request of the page until this was seen."""
    page.locator(selector).first.wait_for()
    return page.evaluate("performance.now()")


def test_many_jobs_and_a_large_tree_stay_quick_and_small(
    new_page, server, record_testsuite_property
) -> None:
    page = new_page("/queue")
    took = since_start(page, "tr.job-row")
    record_testsuite_property("first_content_ms", took)
    assert took < SOON_MS
    expect(page.get_by_role("navigation", name="Status")).to_contain_text(f"{JOBS + 1:,}")
    expect(page.locator("tr.level-1")).to_have_count(50)
    page.get_by_role("button", name="Show more").click()
    expect(page.locator("tr.level-1")).to_have_count(100)
    open_the_tree(page)
    page.goto("/queue?parent=any&status=failed")
    record_testsuite_property("filtered_ms", since_start(page, "tr.job-row"))
    expect(page.locator("tr.level-1")).to_have_count(50)
    assert page.evaluate(NODES) < MOST_ELEMENTS


def open_the_tree(page: Page) -> None:
    """Open a row with many children: a page of them, and how many are left."""
    row(page, TREE).get_by_label("Show children").click()
    children = page.locator("tr.level-2.job-row")
    expect(children).to_have_count(50)
    more = page.get_by_role("button", name=f"({CHILDREN - 50:,} left)")
    more.click()
    expect(children).to_have_count(100)
    assert page.evaluate(NODES) < MOST_ELEMENTS


def test_a_large_tree_is_scrolled_with_few_rows_in_the_page(
    new_page, server, record_testsuite_property
) -> None:
    page = new_page(f"/jobs/{TREE}?tab=children&view=tree")
    record_testsuite_property("tree_ms", since_start(page, ".tree-row"))
    for pages in range(2, 7):
        page.locator(".tree").evaluate("tree => tree.scrollTo(0, tree.scrollHeight)")
        page.wait_for_function(
            "many => document.querySelector('.virtual-space').clientHeight >= many * 32",
            arg=pages * 200,
        )
    last = page.locator(f'.tree-row[aria-posinset="{5 * 200}"]')
    page.locator(".tree").evaluate("tree => tree.scrollTo(0, 5 * 200 * 32 - 200)")
    expect(last).to_be_visible(timeout=ENDS_MS)
    assert page.locator(".tree-row").count() < 120
    assert page.evaluate(NODES) < MOST_ELEMENTS
