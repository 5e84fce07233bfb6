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
