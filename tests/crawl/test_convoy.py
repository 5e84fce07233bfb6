"""Pages that were read at about the same time go on together, and none waits for long."""

from __future__ import annotations

import asyncio

import pytest

from quaero.crawl.convoy import Convoy


class Page:
    """A page whose reading ends when the test says so."""

    def __init__(self, convoy: Convoy) -> None:
        self._read: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.task = asyncio.create_task(convoy.along(self._read))

    async def is_read(self) -> None:
        self._read.set_result("text")
        await settled()

    async def cannot_be_read(self) -> None:
        self._read.set_exception(ValueError("damaged"))
        await settled()


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def pages(convoy: Convoy, count: int) -> list[Page]:
    made = [Page(convoy) for _ in range(count)]
    await settled()
    return made


async def test_a_page_alone_goes_on_at_once() -> None:
    (page,) = await pages(Convoy(), 1)
    await page.is_read()
    assert page.task.result() == "text"


async def test_pages_go_on_together_when_the_last_one_is_read() -> None:
    first, second = await pages(Convoy(most=9, patience=60), 2)
    await first.is_read()
    assert not first.task.done()
    await second.is_read()
    assert first.task.done()
    assert second.task.done()


async def test_no_more_than_the_most_wait_for_each_other() -> None:
    first, second, third = await pages(Convoy(most=2, patience=60), 3)
    await first.is_read()
    await second.is_read()
    assert first.task.done()
    assert second.task.done()
    assert not third.task.done()
    await third.is_read()
    assert third.task.done()


async def test_nobody_waits_longer_than_the_patience() -> None:
    first, slow = await pages(Convoy(most=9, patience=0), 2)
    await first.is_read()
    assert await first.task == "text"
    assert not slow.task.done()
    await slow.is_read()


async def test_a_page_that_cannot_be_read_keeps_no_other_waiting() -> None:
    first, damaged = await pages(Convoy(most=9, patience=60), 2)
    await first.is_read()
    await damaged.cannot_be_read()
    assert first.task.done()
    with pytest.raises(ValueError, match="damaged"):
        damaged.task.result()


async def test_a_page_that_is_cancelled_while_it_waits_changes_nothing_for_the_others() -> None:
    first, second, third = await pages(Convoy(most=9, patience=60), 3)
    await first.is_read()
    first.task.cancel()
    await settled()
    assert first.task.cancelled()
    await second.is_read()
    await third.is_read()
    assert second.task.done()
    assert third.task.done()


class Answers:
    """A site that answers after as long as the test says, by a clock of the test's own."""

    def __init__(self) -> None:
        self.now = 0.0
        self.convoy = Convoy(most=9, patience=0.02, clock=lambda: self.now)

    async def after(self, seconds: float, times: int = 30) -> None:
        """Fetch some pages that take so long."""
        for _ in range(times):
            fetch = Fetch(self.convoy)
            await settled()
            self.now += seconds
            await fetch.is_fetched()


class Fetch:
    """A fetch that ends when the test says so."""

    def __init__(self, convoy: Convoy) -> None:
        self._fetched: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.task = asyncio.create_task(convoy.fetch(self._fetched))

    async def is_fetched(self) -> None:
        self._fetched.set_result("body")
        await settled()

    async def fails(self) -> None:
        self._fetched.set_exception(OSError("no route"))
        await settled()


async def test_a_page_waits_for_one_that_is_fetched_where_sites_answer_at_once() -> None:
    site = Answers()
    await site.after(0.001)
    fetch = Fetch(site.convoy)
    (page,) = await pages(site.convoy, 1)
    await page.is_read()
    assert not page.task.done()
    await fetch.is_fetched()  # and is no page to be read
    assert page.task.done()


async def test_a_page_that_was_fetched_is_waited_for_until_it_is_read() -> None:
    site = Answers()
    await site.after(0.001)

    async def visit(fetching: asyncio.Future[str], reading: asyncio.Future[str]) -> str:
        await site.convoy.fetch(fetching)
        return await site.convoy.along(reading)

    loop = asyncio.get_running_loop()
    fetching, reading = loop.create_future(), loop.create_future()
    visiting = asyncio.create_task(visit(fetching, reading))
    (page,) = await pages(site.convoy, 1)
    await page.is_read()
    fetching.set_result("body")
    await settled()
    assert not page.task.done()
    reading.set_result("text")
    await settled()
    assert page.task.done()
    assert visiting.done()


async def test_no_page_waits_for_one_that_is_fetched_where_a_site_takes_its_time() -> None:
    site = Answers()
    await site.after(0.001)
    await site.after(0.2, times=3)
    fetch = Fetch(site.convoy)
    (page,) = await pages(site.convoy, 1)
    await page.is_read()
    assert page.task.done()
    await fetch.is_fetched()


async def test_no_page_waits_for_one_that_a_slow_site_has_not_sent_yet() -> None:
    site = Answers()
    await site.after(0.001)
    slow = Fetch(site.convoy)
    await settled()
    site.now += 0.006
    first, second = await pages(site.convoy, 2)
    await first.is_read()
    assert not first.task.done(), "the other is being read"
    await second.is_read()
    assert first.task.done()
    assert second.task.done()
    await slow.is_fetched()


async def test_a_fetch_that_takes_longer_than_most_is_given_up_soon() -> None:
    site = Answers()
    site.convoy = Convoy(most=9, patience=60, clock=lambda: site.now)
    await site.after(0.001, times=60)
    slow = Fetch(site.convoy)
    (page,) = await pages(site.convoy, 1)
    await page.is_read()
    site.now += 0.006
    async with asyncio.timeout(10):
        await page.task
    await slow.is_fetched()


async def test_one_slow_answer_is_soon_forgotten() -> None:
    site = Answers()
    await site.after(60, times=1)
    await site.after(0.001, times=12)
    fetch = Fetch(site.convoy)
    (page,) = await pages(site.convoy, 1)
    await page.is_read()
    assert not page.task.done()
    await fetch.is_fetched()


async def test_a_page_that_cannot_be_fetched_keeps_no_other_waiting() -> None:
    site = Answers()
    await site.after(0.001)
    fetch = Fetch(site.convoy)
    (page,) = await pages(site.convoy, 1)
    await page.is_read()
    await fetch.fails()
    assert page.task.done()
    with pytest.raises(OSError, match="no route"):
        fetch.task.result()
