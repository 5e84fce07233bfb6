"""Running a plain handler over a queue's messages.

    async def deliver(message: Delivery) -> None: ...

    async with consuming(db, mail, deliver):
        ...

The handler's return completes the message; an exception releases it with back-off, and after
`max_receive` attempts makes it a dead letter. `Permanent` does so at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from random import Random
from types import CoroutineType
from typing import Any

import msgspec

from quaero.db.contract import ReadTx, Tx
from quaero.db.sqlite.database import SqliteDatabase
from quaero.errors import BadInput, Permanent, RetryLater
from quaero.queue import given, holders, settle
from quaero.queue.backoff import backoff
from quaero.queue.claim import Claim, claim
from quaero.queue.consumer import Consumer
from quaero.queue.message import Delivery, Held
from quaero.queue.queue import Queue
from quaero.queue.settle import Release

Handler = Callable[[Delivery], Awaitable[None]]


class Ended(msgspec.Struct, frozen=True):
    """How a message's handling ended: well, with an error, or not at all (`given_back`)."""

    work: Delivery
    error: BaseException | None = None
    given_back: bool = False


class HandlerBackend:
    """A queue's messages and one handler, as a consumer runs them."""

    def __init__(self, queue: Queue, handler: Handler, register: holders.Holders) -> None:
        self.queue_id = queue.id
        self._queue = queue
        self._handler = handler
        self._register = register
        self._random = Random()

    def delivery(self, work: Delivery) -> Delivery:
        """The work is the delivery."""
        return work

    def claim(self, tx: Tx, want: Claim) -> list[Delivery]:
        """Lease messages."""
        return claim(tx, self.queue_id, want)

    def started(self, tx: Tx, starts: Sequence[tuple[Delivery, int]]) -> None:
        """A message does not tell that it is being handled."""

    def settle(self, tx: Tx, outcomes: Sequence[Ended]) -> None:
        """Complete, release or bury; what was lost is passed over."""
        done = [
            (each.work.id, each.work.lease_no)
            for each in outcomes
            if each.error is None and not each.given_back
        ]
        if done:
            settle.complete_held(tx, self.queue_id, done)
        if len(done) < len(outcomes):
            self._give_up_or_back(
                tx, [each for each in outcomes if each.error is not None or each.given_back]
            )

    def _give_up_or_back(self, tx: Tx, outcomes: Sequence[Ended]) -> None:
        good = settle.held(tx, (each.work.token for each in outcomes))
        live = [
            (each, good[each.work.id]) for each in outcomes if settle.stands(good, each.work.token)
        ]
        back = [Release(held, charge=False) for each, held in live if each.given_back]
        spent, again = [], []
        for each, held in live:
            if each.error is None:
                continue
            if self._is_spent(held, each.error):
                spent.append((held, given.error_text(each.error)))
            else:
                again.append(self._again(held, each.error))
        settle.bury(tx, spent)
        settle.release(tx, back + again)

    def sweep(self, tx: Tx) -> None:
        """Give back what ran out of time and what dead processes held."""
        for dead in self._register.dead(tx):
            started, unstarted = holders.split(holders.held_by(tx, dead.id), dead.started)
            settle.release(tx, [Release(each, charge=False) for each in unstarted])
            self._queue.take_back(tx, started)
            self._register.bury(tx, dead.id)
        self._queue.sweep(tx)

    def lost(self, tx: ReadTx, works: Sequence[Delivery]) -> list[Delivery]:
        """The deliveries whose lease has gone."""
        good = settle.held(tx, (each.token for each in works))
        return [each for each in works if not settle.stands(good, each.token)]

    async def handle(self, work: Delivery, started_at: int) -> Ended:  # noqa: ARG002
        """Call the handler."""
        try:
            await _awaitable(self._handler(work))
        except KeyboardInterrupt:
            raise
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            return Ended(work, error)  # not ours: something it waited for was cancelled
        except BaseException as error:  # noqa: BLE001 - a handler may fail in any way
            return Ended(work, error)
        return Ended(work)

    def give_back(self, work: Delivery, reason: str) -> Ended:  # noqa: ARG002
        """Not done: released uncharged."""
        return Ended(work, given_back=True)

    def failed(self, outcome: Ended, error: BaseException) -> Ended:
        """The settling itself failed."""
        return Ended(outcome.work, error)

    def renew_until(self, work: Delivery) -> float:  # noqa: ARG002
        """As long as the handler runs."""
        return 10 * 365 * 86_400.0

    def _is_spent(self, held: Held, error: BaseException) -> bool:
        return isinstance(error, Permanent) or held.receives >= self._queue.max_receive

    def _again(self, held: Held, error: BaseException) -> Release:
        wait = backoff(held.receives, self._random)
        hold = False
        if isinstance(error, RetryLater):
            wait = _micros_after(error, wait)
            hold = error.hold
        return Release(held, wait, given.error_text(error), hold=hold)


def _awaitable(handling: Any) -> Awaitable[None]:
    """What a handler returned. Raises `Permanent` for a plain function's result."""
    if isinstance(handling, (CoroutineType, Awaitable)):  # the first costs a tenth
        return handling
    raise Permanent(f"the handler returned {handling!r}; it must be an async function")


def _micros_after(error: RetryLater, otherwise: int) -> int:
    """The time that an error names, if it is a time to wait."""
    if error.after is None:
        return otherwise
    try:
        return given.micros(error.after)
    except BadInput:
        return otherwise


@asynccontextmanager
async def consuming(
    db: SqliteDatabase, queue: Queue, handler: Handler, *, concurrency: int = 5,
    poll_interval: float = 1.0, grace: float = 10.0, prefetch: bool = True,
) -> AsyncIterator[Consumer[Delivery, Ended]]:  # fmt: skip
    """Run `handler` over the queue's messages while the block runs, then stop gracefully.

    Without `prefetch` nothing is claimed before one of the `concurrency` slots is free for it. At
    the end what runs has `grace` seconds; what is then cut off is not charged. A `poll_interval`,
    in seconds, passes between two looks where nothing wakes it. Raises `BadInput`.
    """
    if not isinstance(queue, Queue):
        raise BadInput(f"{queue!r} is no Queue; give what Queue.open(db, name) returned")
    if not callable(handler):
        raise BadInput(f"{handler!r} is no handler; give an async function of a Delivery")
    given.whole(concurrency, "concurrency", least=1)
    given.micros(grace, "grace")
    if not given.micros(poll_interval, "poll_interval"):
        raise BadInput(f"poll_interval {poll_interval} must be more than 0 s")
    register = holders.Holders(db.path)
    holder = await register.join(db, concurrency)
    consumer: Consumer[Delivery, Ended] = Consumer(
        db,
        HandlerBackend(queue, handler, register),
        lease_now=db.lease_now,
        concurrency=concurrency,
        lease=queue.lease,
        poll_interval=poll_interval,
        prefetch=prefetch,
        holder=holder,
    )
    running = asyncio.create_task(consumer.run(grace))
    try:
        yield consumer
    finally:
        consumer.stop()
        try:
            await running
            await db.write(_leave, holder.id)
        except BaseException:
            holder.abandon()
            raise
        holder.close()


def _leave(tx: Tx, holder_id: int) -> None:
    """Give back what could not be settled, and remove the holder."""
    held = holders.held_by(tx, holder_id)
    settle.release(tx, [Release(each, charge=False) for each in held])
    holders.forget(tx, holder_id)
