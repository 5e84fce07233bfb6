"""Running work from a queue: concurrent slots, claims in blocks, one commit for what ended and what
comes next.

A consumer has two halves. *Slots* take claimed work from a local row and run it; the *pump* writes:
each of its transactions settles what has ended, notes what has started and claims what fits. While
a commit is under way the slots go on, so the next transaction carries all that ended meanwhile. How
much is claimed ahead follows from how long work takes: about 50 ms of it, so short jobs share a
commit and long ones are claimed singly. What was claimed and not begun goes back uncharged.

What the work is, a `Backend` says.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Sequence
from functools import partial
from time import perf_counter
from typing import Any, Generic

from quaero.clock import SECOND, Clock, SystemClock
from quaero.db.contract import Database, Tx, last
from quaero.errors import CorruptDatabase, StorageError
from quaero.program_log import program_log
from quaero.queue.ahead import Ahead
from quaero.queue.alarm import Alarm
from quaero.queue.backend import Backend, O, Running, W
from quaero.queue.claim import Claim, next_due
from quaero.queue.given import shown
from quaero.queue.holders import Holder
from quaero.queue.lanes import Paced, started
from quaero.queue.leases import Leases, too_long
from quaero.queue.local import LocalRow
from quaero.queue.message import WITHOUT_ROOM, Token
from quaero.queue.pause import undisturbed
from quaero.queue.rider import Rider
from quaero.queue.singly import one_by_one
from quaero.queue.starts import Starts
from quaero.queue.waking import Waking

log = program_log(__name__)

_STOPS = "the worker stops"
WAITED_TOO_LONG = 0.5
UNBROKEN_SECONDS = 0.002
SWEEP_SECONDS = 0.5
LONGEST_PAUSE = 1.0  # between attempts to write what cannot be written now
OVERDUE = SECOND // 50  # until the next look where what is due waits for a sweep
UNDO_SECONDS = 3.0  # what cancelled work may take to end


class Consumer(Generic[W, O]):
    """Runs a backend's work until it is stopped; with `lane` only what is in the lane so named.

    Without `prefetch` nothing is claimed before a slot is free. Slots count from `first_slot` on.
    """

    def __init__(
        self,
        db: Database,
        backend: Backend[W, O],
        *,
        lease_now: Any,
        concurrency: int = 5,
        lease: int = 300 * SECOND,
        poll_interval: float = 1.0,
        types: tuple[str, ...] = (),
        alone: bool = False,
        prefetch: bool = True,
        lane: str | None = None,
        holder: Holder | None = None,
        first_slot: int = 0,
        clock: Clock | None = None,
    ) -> None:
        self._db = db
        self._backend = backend
        self._lease_now = lease_now
        self._concurrency = concurrency
        self._slots = range(first_slot, first_slot + concurrency)
        self._lease = lease
        self._poll_interval = poll_interval
        self._types = types
        self._alone = alone
        self._prefetch = prefetch and not alone
        self._lane = lane
        self._holder = holder
        self._clock = clock or SystemClock()
        self._local: LocalRow[W] = LocalRow()
        self._running: dict[int, Running[W]] = {}
        self._leases = Leases(lease)
        self._waking = Waking(lease_now())
        self._outcomes: list[O] = []
        self._paced: Paced = []  # starts that their lanes do not know yet
        self._lost: set[Token] = set()
        self._renewed = 0
        self._alarm = Alarm(self._look)
        self._stir = asyncio.Event()
        self._starts = Starts(self._running, self._stir.set)
        self._hungry = True
        self._writing = False
        self._begun = False  # this write has run in the writer
        self._left = 0  # what it will claim, and then what it would have claimed besides
        self._stopping = False
        self._ended = asyncio.Event()
        self._ahead = Ahead(concurrency)
        self._swept = 0.0
        self._checked = True
        self._next_look: int | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.settled = self.largest_claim = 0

    # -- life

    async def run(self, grace: float = 10.0) -> None:
        """Work until `stop`; then give running work `grace` seconds, and the rest back."""
        self._loop = asyncio.get_running_loop()
        topic = f"queue:{self._backend.queue_id}"
        rider = Rider(self._loop, self._free, self._claim, self._due, self._alight, self._look)
        ends = [
            self._db.subscribe(topic, rider.announced),
            self._db.subscribe("cancel", partial(self._call_soon, self._check_leases)),
            self._db.every(self._lease / SECOND / 3, self._renew),
            self._db.ride(topic, rider.offer),
        ]
        slots = {asyncio.create_task(self._slot(number)) for number in self._slots}
        try:
            while not self._stopping:
                await self._cycle()
            await self._wind_down(grace)
        finally:
            for end in ends:
                end()
            self._alarm.cancel()
            self._starts.close()
            self._ended.set()
            hopeless = {each.task for each in self.running() if self._stopping}
            for slot in slots:
                slot.cancel()
            if slots > hopeless:
                await asyncio.wait(slots - hopeless, timeout=UNDO_SECONDS)

    def stop(self) -> None:
        """Claim nothing more and let `run` end."""
        self._stopping = True
        self._stir.set()

    @property
    def idle(self) -> bool:
        """Nothing is held, running or unsettled."""
        return not (self._running or self._local or self._outcomes)

    def running(self) -> list[Running[W]]:
        """What the slots are doing now; may be asked from any thread."""
        return list(self._running.values())

    async def _wind_down(self, grace: float) -> None:
        self._return_local()
        deadline = perf_counter() + grace
        await self._write(want=0)  # and what rode along with an earlier commit has come by now
        while self._running and perf_counter() < deadline:
            await self._stirred_by(deadline)
            await self._write(want=0)
        for running in self._running.values():
            running.task.cancel()
        deadline = max(deadline, perf_counter()) + UNDO_SECONDS
        while self._running and perf_counter() < deadline:
            await self._stirred_by(deadline)
        for running in self._running.values():
            log.error("%r does not end; it is given back", running.work)
            self._outcomes.append(self._backend.give_back(running.work, _STOPS))
        while self._outcomes:
            await self._write(want=0)
            if self._outcomes and perf_counter() > deadline:
                log.error("%d outcomes cannot be written; that work is repeated by others",
                          len(self._outcomes))  # fmt: skip
                return

    async def _stirred_by(self, deadline: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stir.wait(), max(0.0, deadline - perf_counter()))
        self._stir.clear()

    # -- the pump

    async def _cycle(self) -> None:
        want = self._want()
        if self._outcomes or self._starts.are_due or (want and self._hungry):
            self._next_look = None
            self._look_at(await self._write(want if self._hungry or self._outcomes else 0))
        elif self._hungry:
            self._next_look = None
        await self._sweep()
        if not self._outcomes and not (self._hungry and self._want()) and not self._stir.is_set():
            await self._wait()
        self._stir.clear()

    async def _wait(self) -> None:
        """Sleep until something stirs, is due, or the safety net's time has come."""
        seconds = min(self._poll_interval, SWEEP_SECONDS) if self._running else self._poll_interval
        if self._next_look is not None:
            seconds = min(seconds, max(0.0, (self._next_look - self._lease_now()) / SECOND))
        self._alarm.set(seconds)
        await self._stir.wait()

    def _want(self) -> int:
        """How many more to claim: free slots, and what will be done within 50 ms."""
        if self._stopping:
            return 0
        ahead = self._ahead.pieces() if self._prefetch else 0
        return max(0, self._concurrency - len(self._running) + ahead - len(self._local))

    async def _write(self, want: int) -> int | None:
        """One transaction of the pump; returns when to look again by itself, in lease time."""
        outcomes, self._outcomes = self._outcomes, []
        fresh = self._starts.take()
        starts = [(each.work, each.started_at) for each in fresh]
        paced, self._paced = self._paced, []
        self._hungry, self._begun, self._left = False, False, want
        self._writing = True
        try:
            works, due = await self._db.write(self._transact, paced, outcomes, starts, want)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            if isinstance(error, CorruptDatabase) and not outcomes:
                raise
            if isinstance(error, StorageError) and not isinstance(error, CorruptDatabase):
                log.warning("cannot write, trying again: %s", error)
                self._outcomes = outcomes + self._outcomes
                await self._begin_again(fresh, paced, pause=True)
                return None
            log.warning("settling %d together failed: %s", len(outcomes), shown(error))
            await self._settle_singly(outcomes)
            await self._begin_again(fresh, paced, pause=not outcomes)
            return None
        finally:
            self._writing = False
        self._drop(outcomes)
        self._take(works)
        if want and len(works) >= want:
            self._hungry = True
        return due

    @last
    def _transact(
        self,
        tx: Tx,
        paced: Paced,
        outcomes: Sequence[O],
        starts: Sequence[tuple[W, int]],
        want: int,
    ) -> tuple[list[W], int | None]:
        self._begun = True
        if paced:  # before what has ended already opens its lane
            started(tx, paced)
        if outcomes:
            self._backend.settle(tx, outcomes)
        if starts:
            self._backend.started(tx, starts)
        works = self._claim(tx, want) if want else []
        self._left = want - len(works)
        if want and (len(works) == want or not tx.roomy):
            return works, None
        return works, self._due(tx)

    def _due(self, tx: Tx) -> int | None:
        """When something becomes claimable by itself, in lease time."""
        due = next_due(tx, self._backend.queue_id)
        return due if due is None or due > tx.lease_now else tx.lease_now + OVERDUE

    async def _begin_again(self, fresh: list[Running[W]], paced: Paced, *, pause: bool) -> None:
        """What a failed transaction was to show and to claim is for the next one."""
        self._starts.put_back(fresh)
        self._paced = paced + self._paced
        self._hungry = True
        if pause:
            await asyncio.sleep(min(self._poll_interval, LONGEST_PAUSE))

    async def _settle_singly(self, outcomes: Sequence[O]) -> None:
        settled, again = await one_by_one(self._db, self._backend, outcomes)
        self._outcomes += again
        self._drop(settled)

    def _drop(self, settled: Sequence[O]) -> None:
        """These are written down; their leases are no longer ours to renew."""
        works: list[W] = [each.work for each in settled]  # type: ignore[attr-defined]
        self._leases.drop(map(self._backend.delivery, works))
        self.settled += len(settled)

    async def _sweep(self) -> None:
        now = perf_counter()
        if now - self._swept < SWEEP_SECONDS:
            return
        self._swept = now
        lease_now = self._lease_now()
        late = lease_now - self._renewed > self._lease // 3
        waking = self._waking.lately(lease_now)
        try:
            await self._db.write(self._look_after, renew=late, sweep=not waking)
            await self._end_lost()
        except (StorageError, OSError) as error:  # no file can be opened just now, say
            log.warning("cannot look after lost work now: %s", error)
        else:
            self._renewed = lease_now if late else self._renewed
        self._return_overdue()

    def _look_after(self, tx: Tx, *, renew: bool, sweep: bool) -> None:
        """After a time in which nothing could be written our own leases are not taken for lost."""
        if renew:
            self._renew(tx)
        if sweep:
            self._backend.sweep(tx)

    def _free(self, seen_by: Collection[Callable[..., Any]]) -> int | None:
        """How much a claim may bring that rides along; None where the pump claims anyway."""
        if not self._writing and not self._stopping:
            return self._local.spare()
        if self._stopping or not self._left:
            return 0
        if not self._begun or self._transact in seen_by:
            return None
        left, self._left = self._left, 0
        return left

    def _alight(self, works: list[W], due: int | None) -> None:
        """What a ride has claimed, and when to look again."""
        self._take(works)
        self._look_at(due)
        if due is not None and due - self._lease_now() < self._poll_interval * SECOND:
            self._stir.set()

    def _look_at(self, due: int | None) -> None:
        """Look for work by itself at this moment of the lease clock, or earlier."""
        if due is not None and (self._next_look is None or due < self._next_look):
            self._next_look = due

    def _claim(self, tx: Tx, want: int) -> list[W]:
        holder = self._holder.id if self._holder else 0
        room = () if tx.roomy else tuple(each.key for each in WITHOUT_ROOM)
        lanes = (self._lane,) if self._lane is not None else room
        claim = Claim(want, self._lease, holder, self._alone, self._types, lanes)
        return self._backend.claim(tx, claim)

    # -- local work

    def _take(self, works: Sequence[W]) -> None:
        self.largest_claim = max(self.largest_claim, len(works))
        self._leases.hold(map(self._backend.delivery, works))
        self._local.put(works)
        if self._stopping:
            self._return_local()

    def _return_local(self, reason: str = _STOPS) -> None:
        self._outcomes += [self._backend.give_back(work, reason) for work in self._local.clear()]

    def _return_overdue(self) -> None:
        """Give back what has waited here too long: another worker may be free."""
        if self._local.waited() > WAITED_TOO_LONG:
            self._ahead.too_much()
            self._return_local("")

    async def _slot(self, number: int) -> None:
        task = asyncio.current_task()
        assert task is not None
        unbroken = perf_counter()
        while not self._ended.is_set():
            work = self._local.next()
            if work is None:
                await undisturbed(self._local.some(), self._ended)
                unbroken = perf_counter()
                continue
            await self._run_one(number, work, task)
            if task.cancelling() or perf_counter() - unbroken > UNBROKEN_SECONDS:
                await undisturbed(asyncio.sleep(0), self._ended)
                unbroken = perf_counter()

    async def _run_one(self, number: int, work: W, task: asyncio.Task[None]) -> None:
        delivery = self._backend.delivery(work)
        running = Running(work, self._clock.wall(), perf_counter(), task)
        self._running[number] = running
        if self._holder is not None:
            self._holder.note(number, delivery.id)
        if delivery.paced:
            self._paced.append((delivery.lane_id, self._lease_now()))
        self._starts.begun(paced=delivery.paced)
        try:
            outcome = await self._backend.handle(work, running.started_at)
        except asyncio.CancelledError as error:
            if self._ended.is_set():
                raise
            outcome = self._backend.give_back(work, _STOPS)
            if not (self._stopping or delivery.token in self._lost):  # it has cancelled itself
                outcome = self._backend.failed(outcome, error)
        finally:
            if self._holder is not None:
                self._holder.note(number, 0)
            del self._running[number]
        self._ahead.took(perf_counter() - running.began)
        if self._lost and delivery.token in self._lost:
            self._lost.discard(delivery.token)
            self._leases.drop([delivery])
        else:
            self._outcomes.append(outcome)
        self._stir.set()

    # -- leases

    def _renew(self, tx: Tx) -> None:
        """Runs in the writer's thread, so a blocked event loop does not lose its leases."""
        lost = self._leases.renew(tx, but=too_long(self.running(), self._backend, perf_counter()))
        if lost:
            self._call_soon(self._cancel, lost)

    def _cancel(self, gone: set[Token]) -> None:
        """Stop what is running under leases that were lost; settled work is not concerned."""
        for running in self._running.values():
            token = self._backend.delivery(running.work).token
            if token in gone and token not in self._lost:
                self._lost.add(token)
                running.task.cancel()
        self._local.drop(lambda each: self._backend.delivery(each).token in gone)
        self._leases.drop(gone)

    async def _end_lost(self) -> None:
        if self._checked and not self._running:
            return
        self._checked = True
        works = [each.work for each in self._running.values()]
        works += self._local
        if works:
            gone = await self._db.read(self._backend.lost, works)
            self._cancel({self._backend.delivery(work).token for work in gone})

    # -- wake-ups

    def _call_soon(self, callback: Callable[..., None], *args: Any) -> None:
        """Have the loop call this; for other threads."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it has ended, and with it the work
                self._loop.call_soon_threadsafe(callback, *args)

    def _look(self) -> None:
        self._hungry = True
        self._stir.set()

    def _check_leases(self) -> None:
        self._checked = False
        self._swept = 0.0
        self._stir.set()
