"""A handler over a queue's messages."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from threading import Event

import pytest

from quaero.db.sqlite import writer
from quaero.queue import Delivery, Lane, NewMessage, Queue, consumer
from quaero.queue.consumer import Consumer
from quaero.queue.handler import Ended, consuming
from quaero.queue.queue import open_queue

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


class Held:
    """A consumer whose handler waits for `end`, once it has looked after everything else."""

    def __init__(self, opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(consumer, "SWEEP_SECONDS", 60)
        monkeypatch.setattr(writer, "BATCH_SECONDS", 0)  # each call has a commit of its own
        self.db = opened.db
        self.queue = Queue(opened.write(open_queue, "mail"), "mail")
        self.handled = asyncio.Queue[int]()
        self.end = asyncio.Event()
        self.go_on = Event()

    async def handle(self, message: Delivery) -> None:
        self.handled.put_nowait(message.id)
        if message.payload == '"long"':
            await self.end.wait()

    async def next(self) -> int:
        return await asyncio.wait_for(self.handled.get(), 5)

    @asynccontextmanager
    async def consuming(self) -> AsyncIterator[Consumer[Delivery, Ended]]:
        async with consuming(
            self.db, self.queue, self.handle, concurrency=2, poll_interval=60
        ) as made:
            await self.db.write(self.queue.send)
            await self.next()
            while not made.settled:
                await asyncio.sleep(0.001)
            yield made

    def hold_writer(self) -> None:
        """Nothing more is written until `go_on`."""
        self.holding = asyncio.ensure_future(self.db.write(lambda _: self.go_on.wait(30)))


@pytest.fixture
def held(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> Held:
    return Held(opened, monkeypatch)


async def test_what_is_sent_before_the_loop_knows_of_a_claim_is_not_left_lying(held: Held) -> None:
    async with held.consuming() as consumer:
        first = await held.db.write(held.queue.send, "long")
        assert await held.next() == first
        while not all(each.shown for each in consumer.running()):
            await asyncio.sleep(0.001)
        await held.db.write(lambda _: None)
        held.hold_writer()
        held.end.set()
        while not consumer.idle:
            await asyncio.sleep(0)  # the end is to be written, and more to be claimed
        held.go_on.set()
        with ThreadPoolExecutor(1) as thread:  # and the loop learns of nothing
            thread.submit(held.db.write_sync, lambda _: None).result(30)
            second = thread.submit(held.db.write_sync, held.queue.send).result(30)
        assert await held.next() == second


async def test_what_is_sent_while_only_a_start_is_to_be_noted_is_not_left_lying(held: Held) -> None:
    async with held.consuming() as consumer:
        first = await held.db.write(held.queue.send, "long")
        held.hold_writer()
        sending = asyncio.ensure_future(held.db.write(held.queue.send))
        assert await held.next() == first
        while not all(each.shown for each in consumer.running()):
            await asyncio.sleep(0.001)
        held.go_on.set()
        assert await held.next() == await sending
        held.end.set()


class Panic(BaseException):
    """As native code raises that is wrapped for Python."""


async def test_a_handler_that_ends_in_no_usual_way_failed_and_its_slot_goes_on(
    opened: Opened,
) -> None:
    queue = await asyncio.to_thread(Queue.open, opened.db, "mail", max_receive=1)
    ends: list[BaseException | None] = [Panic("native"), asyncio.CancelledError(), None]
    ended = asyncio.Semaphore(0)

    async def handle(_: object) -> None:
        ended.release()
        match ends.pop(0):
            case asyncio.CancelledError():
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
                await asyncio.Event().wait()
            case Panic() as panic:
                raise panic

    await opened.db.write(queue.send_many, [NewMessage("t")] * 3)
    async with asyncio.timeout(20), consuming(opened.db, queue, handle, concurrency=1):
        for _ in range(3):
            await ended.acquire()
    dead = await opened.db.read(queue.dead)
    assert [error for each in dead for _, _, error in each.errors] == [
        "Panic: native", "CancelledError",
    ]  # fmt: skip
    assert (await opened.db.read(queue.stats)).in_flight == 0


async def test_the_interval_of_a_lane_counts_from_a_start_that_ended_before_it_was_noted(
    opened: Opened,
) -> None:
    queue = await asyncio.to_thread(Queue.open, opened.db, "mail")
    starts: list[int] = []

    async def handle(_: object) -> None:
        starts.append(opened.db.lease_now())

    async with consuming(opened.db, queue, handle, concurrency=1) as consumer:
        take = consumer._take

        def take_later(works: Sequence[Delivery]) -> None:
            opened.clock.pass_time(4)
            take(works)

        consumer._take = take_later  # type: ignore[method-assign]
        lane = Lane("slow", max_running=1, min_interval=10_000_000)
        await opened.db.write(queue.send, None, lane=lane)
        async with asyncio.timeout(10):
            while not (starts and consumer.idle):
                await asyncio.sleep(0.001)
    ((next_start,),) = await opened.db.read(lambda tx: tx.execute("select next_start from lane"))
    assert next_start == starts[0] + lane.min_interval
