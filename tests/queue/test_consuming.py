"""A handler over a queue's messages."""

import asyncio

from quaero.queue import Delivery, NewMessage, Queue
from quaero.queue.handler import consuming

from ..opening import Opened  # noqa: TID252


async def leased_while_one_runs(opened: Opened, *, prefetch: bool) -> int:
    """How many of ten messages are leased while the first of one slot is being handled."""
    queue = await asyncio.to_thread(Queue.open, opened.db, "mail")
    leased: list[int] = []
    ended = asyncio.Semaphore(0)

    async def handle(_: object) -> None:
        if not leased:
            leased.append((await opened.db.read(queue.stats)).in_flight)
        ended.release()

    await opened.db.write(queue.send_many, [NewMessage("t")] * 10)
    async with consuming(opened.db, queue, handle, concurrency=1, prefetch=prefetch):
        async with asyncio.timeout(10):
            for _ in range(10):
                await ended.acquire()
    return leased[0]


async def test_without_prefetch_nothing_is_claimed_before_a_slot_is_free(opened: Opened) -> None:
    assert await leased_while_one_runs(opened, prefetch=False) == 1


async def test_short_work_is_claimed_ahead(opened: Opened) -> None:
    queue = await asyncio.to_thread(Queue.open, opened.db, "mail")
    claimed: list[int] = []
    ended = asyncio.Semaphore(0)

    async def handle(_: object) -> None:
        claimed.append(consumer.largest_claim)
        ended.release()

    await opened.db.write(queue.send_many, [NewMessage("t")] * 1_000)
    async with consuming(opened.db, queue, handle, concurrency=1) as consumer:
        async with asyncio.timeout(10):
            for _ in range(1_000):
                await ended.acquire()
    assert max(claimed) > 1
    assert (await opened.db.read(queue.stats)).in_flight == 0


async def test_a_send_wakes_an_idle_consumer_that_rode_along_before(opened: Opened) -> None:
    queue = await asyncio.to_thread(Queue.open, opened.db, "mail")
    handled = asyncio.Queue[int]()

    async def handle(message: Delivery) -> None:
        handled.put_nowait(message.id)

    async with consuming(opened.db, queue, handle, poll_interval=60) as _:
        for _ in range(20):
            sent = await opened.db.write(queue.send, None)
            assert await asyncio.wait_for(handled.get(), 5) == sent
        delayed = await opened.db.write(queue.send, None, delay=0.05)
        opened.clock.pass_time(0.05)
        assert await asyncio.wait_for(handled.get(), 5) == delayed


async def test_what_a_ride_left_over_is_taken_without_waiting(opened: Opened) -> None:
    queue = await asyncio.to_thread(Queue.open, opened.db, "mail")
    handled = asyncio.Queue[int]()

    async def handle(message: Delivery) -> None:
        handled.put_nowait(message.id)

    async with consuming(opened.db, queue, handle, concurrency=2, poll_interval=60):
        sent = await opened.db.write(queue.send_many, [NewMessage("t")] * 50)
        async with asyncio.timeout(5):
            assert sorted([await handled.get() for _ in sent]) == sent
    stats = await opened.db.read(queue.stats)
    assert (stats.ready, stats.in_flight) == (0, 0)


async def test_whatever_is_sent_while_others_end_is_taken_without_waiting(opened: Opened) -> None:
    queue = await asyncio.to_thread(Queue.open, opened.db, "mail")
    handled = asyncio.Queue[int]()

    async def handle(message: Delivery) -> None:
        for _ in range(message.id % 4):
            await asyncio.sleep(0)
        handled.put_nowait(message.id)

    async def produce(start: int) -> list[int]:
        sent = []
        for n in range(25):
            for _ in range((start * n) % 5):
                await asyncio.sleep(0)
            sent.append(await opened.db.write(queue.send, n))
        return sent

    async with consuming(opened.db, queue, handle, concurrency=3, poll_interval=60):
        sent = await asyncio.gather(*map(produce, range(20)))
        async with asyncio.timeout(10):
            done = [await handled.get() for ids in sent for _ in ids]
    assert sorted(done) == sorted(id_ for ids in sent for id_ in ids)
