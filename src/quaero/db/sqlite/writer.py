"""The one thread that writes, and group commit.

Whatever callers want written while it commits is the next commit. Every caller's function runs in
a savepoint of its own, so one that fails undoes nothing of the others; all results are handed over
after COMMIT. If the transaction itself is lost (a full disk, an I/O error) the batch is rolled
back and each function runs once more, alone. A caller without an event loop runs its function on
its own thread when the writer is idle.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any

import apsw

from quaero.db.contract import Offer, Ride
from quaero.db.forking import PATIENCE
from quaero.db.sqlite.calls import Call, Timer, alike
from quaero.db.sqlite.connection import as_full, drop_copy, identity
from quaero.db.sqlite.room import Room
from quaero.db.sqlite.turnstile import Turnstile
from quaero.db.sqlite.tx import SqliteTx
from quaero.db.sqlite.wal import Wal
from quaero.db.unrun import name_of, refuse_unrun
from quaero.errors import StorageError
from quaero.loops import Turned
from quaero.program_log import program_log

log = program_log(__name__)

BATCH_SECONDS = 0.03
SLOW_SECONDS = 0.05
IDLE_SECONDS = 0.25
COMMITS_TIMED = 200


class Writer:
    """Owns the write connection; `submit` and `run` are its two entrances."""

    def __init__(
        self,
        connection: apsw.Connection,
        turnstile: Turnstile,
        room: Room,
        begin_tx: Callable[[], SqliteTx],
        committed: Callable[[set[str]], None],
        deliver: Callable[[list[Call]], None],
    ) -> None:
        self._connection = connection
        self._turnstile = turnstile
        self._room = room
        self._begin_tx = begin_tx
        self._committed = committed
        self._deliver = deliver
        self._lock = threading.Lock()
        self._gate = threading.RLock()  # a handler of a signal may come in between
        self._go = threading.Event()  # not set while a fork waits for its turn
        self._go.set()
        self._held = False
        self._inline: set[int] = set()  # threads that run a call of their own
        self._owner = 0
        self._inbox: deque[Call] = deque()
        self._guests: deque[Call] = deque()  # what is run between transactions
        self._bell: SimpleQueue[None] = SimpleQueue()
        self._rung = False
        self._timers: list[Timer] = []
        self._next_timer = math.inf  # when, or a little before, one of them is due
        self._riders: dict[str, list[Offer]] = {}
        self._wal = Wal(connection, room)
        self._closing = False
        self.commits = 0
        self.commit_times: deque[float] = deque(maxlen=COMMITS_TIMED)
        self._file = identity(connection.filename)
        self._thread = threading.Thread(target=self._loop, name="quaero-writer", daemon=True)
        self._thread.start()

    # -- entrances

    def submit(self, call: Call) -> None:
        """Queue a call for the writer thread.

        Raises `RuntimeError` inside a function of the database, which would wait for itself, and
        `StorageError` once the writer is closed.
        """
        self.refuse_nesting()
        with self._gate:
            if self._closing:
                raise StorageError("the database is closed")
            self._inbox.append(call)
        self._ring()

    def run(self, call: Call) -> bool:
        """Run a call on this thread if the writer is idle; False where it has to be submitted."""
        self.refuse_nesting()
        me = threading.get_ident()
        self._inline.add(me)  # before the lock is taken: a signal may come at any moment
        try:
            if self._inbox or self._closing or not self._go.is_set():
                return False
            if not self._lock.acquire(blocking=False):
                return False
            try:
                if not self._closing:
                    self._run_batch(deque([call]))
                    return True
            finally:
                self._lock.release()
        finally:
            self._inline.discard(me)
        return False

    def refuse_nesting(self) -> None:
        """Raise `RuntimeError` inside a function of the database, which would wait for itself."""
        me = threading.get_ident()
        if self._owner == me or me in self._inline:
            raise RuntimeError(
                "a write inside a function of the database would wait for itself; use its tx "
                "(and from a signal handler or __del__ let another thread write)"
            )

    def add_timer(self, timer: Timer) -> None:
        """Start doing a timer's work."""
        with self._gate:
            self._timers = [*self._timers, timer]
            self._next_timer = min(self._next_timer, timer.due)
        self._ring()

    def drop_timer(self, timer: Timer) -> None:
        """Stop doing a timer's work."""
        with self._gate:
            self._timers = [each for each in self._timers if each is not timer]

    def loops(self) -> list[Turned]:
        """How the timers stand."""
        return [timer.loop.told() for timer in self._timers]

    def add_rider(self, topic: str, offer: Offer) -> Callable[[], None]:
        """Ask `offer` before commits that signal `topic`; returns what ends this."""
        self._riders[topic] = [*self._riders.get(topic, ()), offer]

        def end() -> None:
            self._riders[topic] = [each for each in self._riders[topic] if each is not offer]

        return end

    def exclusively(self, work: Callable[[apsw.Connection], Any]) -> Any:
        """Run `work` on the bare connection, in the writer, before its next transaction."""
        self.refuse_nesting()
        call = Call(work, waiter=threading.Event())
        with self._gate:
            if self._closing:
                raise StorageError("the database is closed")
            self._guests.append(call)
        self._ring()
        call.waiter.wait()
        if call.error is not None:
            raise call.error
        return call.result

    # -- forks

    def before_fork(self) -> None:
        """Let the transaction under way end, and hold the next ones."""
        if self._owner != threading.get_ident():
            self._go.clear()
            self._held = self._lock.acquire(timeout=PATIENCE)

    def after_fork(self) -> None:
        """Go on."""
        if self._held:
            self._held = False
            self._lock.release()
        self._go.set()

    def in_fork(self) -> None:
        """Let go of the copy of the connection."""
        drop_copy(self._connection, at_rest=self._held)

    def close(self) -> None:
        """Run what is queued, then end the thread and close the connection."""
        self.refuse_nesting()
        with self._gate:
            self._closing = True
        self._ring()
        self._thread.join()
        with self._lock:
            self._connection.close()

    # -- the thread

    def _loop(self) -> None:
        while True:
            stirred = self._wait()
            idle = not stirred and self._wal.pages > 0
            try:
                if idle or self._has_work():  # else the lock is left to others
                    self._work_off(idle=idle)
            except Exception:  # out of memory, say; whoever waits for a write needs this thread
                log.exception("the writer stumbled, and goes on")
            if self._closing and not self._inbox and not self._guests:
                return

    def _has_work(self) -> bool:
        return bool(self._inbox or self._guests) or self._has_timer_due()

    def _work_off(self, *, idle: bool) -> None:
        self._go.wait()
        with self._lock:
            while self._has_work() and self._go.is_set():
                self._serve_guests()
                self._run_batch(self._inbox)
            if idle:
                self._wal.checkpoint()

    def _ring(self) -> None:
        """Wake the thread; once is enough for all that is queued until it looks."""
        if not self._rung:
            self._rung = True
            self._bell.put(None)

    def _wait(self) -> bool:
        """Sleep until somebody rings or something is due; whether it was rung."""
        try:
            self._bell.get(timeout=0 if self._inbox or self._guests else self._pause())
        except Empty:
            return False
        finally:
            self._rung = False
        return True

    def _pause(self) -> float | None:
        idle = IDLE_SECONDS if self._wal.pages else math.inf
        pause = min(idle, max(0.0, self._next_timer - time.monotonic()))
        return pause if pause < math.inf else None

    def _has_timer_due(self) -> bool:
        return self._next_timer <= time.monotonic()

    # -- one batch

    def _run_batch(self, queue: deque[Call]) -> None:
        """Run calls in as many transactions as keep each short, and hand the outcomes over."""
        queue.extendleft(self._periodic())
        while queue and (queue is not self._inbox or self._go.is_set()):
            batch = self._transact(queue)
            for call in batch:
                if isinstance(call.waiter, Timer):
                    call.waiter.turned(call.error)
                if call.error is not None and isinstance(call.waiter, Timer | Ride):
                    log.error("the writer's own work failed", exc_info=call.error)
            self._deliver(batch)
            if self._wal.wants_checkpoint():
                self._wal.checkpoint()
            queue.extendleft(self._periodic())  # while others write, the row may never end
            self._serve_guests()

    def _serve_guests(self) -> None:
        """Run what wants the bare connection, between two transactions."""
        while self._guests:
            call = self._guests.popleft()
            self._owner = threading.get_ident()
            try:
                call.result = call.fn(self._connection)
            except BaseException as error:  # noqa: BLE001 - its caller's
                call.error = error
            finally:
                self._owner = 0
                call.waiter.set()

    def _periodic(self) -> list[Call]:
        """The timers' work that is due, as calls nobody waits for."""
        now = time.monotonic()
        if now < self._next_timer:
            return []
        with self._gate:
            due = [timer for timer in self._timers if timer.due <= now]
            for timer in due:
                timer.due = now + timer.period
            self._next_timer = min((timer.due for timer in self._timers), default=math.inf)
        return [Call(timer.work, waiter=timer) for timer in due]

    def _transact(self, queue: deque[Call]) -> list[Call]:
        """One transaction over the head of the queue; what it did not reach stays queued."""
        done: list[Call] = []
        self._owner = threading.get_ident()
        try:
            self._turnstile.enter()  # may be interrupted while it waits
            signals = self._commit(queue, done)
        except BaseException as error:  # noqa: BLE001 - handed to the callers it concerns
            lost = as_full(self._connection, error)
        else:
            self.commits += 1
            if signals:
                self._committed(signals)
            return done
        finally:
            self._roll_back()
            self._turnstile.leave()
            self._owner = 0
        # Nobody waits for what rode along; it is offered a ride again with whatever is run again.
        done = [call for call in done if not isinstance(call.waiter, Ride)]
        if not done:
            done.append(queue.popleft())
        more_room = isinstance(lost, apsw.FullError) and self._room.exhausted()
        if len(done) == 1 and not more_room:
            done[0].error = done[0].error or lost
            return done
        return [each for call in done for each in self._alone(call)]

    def _commit(self, queue: deque[Call], done: list[Call]) -> set[str]:
        """Run the head of `queue` in one transaction, moving each call to `done` before it runs."""
        signals: set[str] = set()
        late: set[str] = set()
        last: list[Call] = []
        alone = len(queue) == 1
        self._refuse_if_moved()
        self._connection.execute("begin immediate")
        before = self._connection.total_changes()
        deadline = time.monotonic() + BATCH_SECONDS
        while queue and (not done or time.monotonic() < deadline):
            calls = alike(queue)
            done += calls
            if getattr(calls[0].fn, "last", False):
                last += calls
                continue
            if len(calls) > 1 and (told := self._run_together(calls)) is not None:
                signals |= told
                continue
            for call in calls:
                signals |= self._run_one(call, savepoint=not alone)
        for call in last:
            late |= self._run_one(call, savepoint=not alone)
        signals |= late
        for topic in signals & self._riders.keys():
            seen_by = [each.fn for each in last if each.error is None and topic not in late]
            for offer in self._riders[topic]:
                ride = offer(seen_by)
                if ride is not None:
                    done.append(Call(ride.work, loop=ride.loop, waiter=ride))
                    signals |= self._run_one(done[-1], savepoint=True)
        began = time.perf_counter()
        self._connection.execute("commit")
        if self._connection.total_changes() != before:  # one without a change writes nothing
            self.commit_times.append(time.perf_counter() - began)
        return signals

    def _refuse_if_moved(self) -> None:
        """Acknowledge nothing that nobody finds again; SQLite would write on to what is no more."""
        if identity(self._connection.filename) != self._file:
            raise StorageError(
                f"{self._connection.filename} was moved, replaced or deleted while it was in use; "
                "put it back, or end this program before it is exchanged"
            )

    def _run_together(self, calls: list[Call]) -> set[str] | None:
        """Run calls of one function as one; None, and nothing done, where that fails."""
        fn = calls[0].fn
        many, owner = fn.together, getattr(fn, "__self__", None)  # type: ignore[attr-defined]
        given = [(call.args, call.kwargs) for call in calls]
        before = () if owner is None else (owner,)
        joined = Call(lambda tx: many(*before, tx, given))
        signals = self._run_one(joined, savepoint=True)
        if joined.error is not None:
            return None
        for call, result in zip(calls, joined.result, strict=True):
            call.result = result
        return signals

    def _alone(self, call: Call) -> list[Call]:
        call.error, call.result = None, None
        return self._transact(deque([call]))

    def _run_one(self, call: Call, *, savepoint: bool) -> set[str]:
        """Run one function; its failure is its own, unless the transaction is gone with it."""
        connection = self._connection
        if savepoint:
            connection.execute("savepoint s")
        started = time.monotonic()
        tx = self._begin_tx()
        try:
            call.result = call.fn(tx, *call.args, **call.kwargs)
            refuse_unrun(call.fn, call.result)
            tx.finish()
        except BaseException as error:  # noqa: BLE001 - handed to its caller
            call.error = as_full(connection, error)
            lost = not connection.in_transaction or isinstance(call.error, apsw.FullError)
            if lost or not savepoint:
                raise call.error from None
            connection.execute("rollback to s")
            connection.execute("release s")
            return set()
        finally:
            tx.end()
        if savepoint:
            connection.execute("release s")
        if (took := time.monotonic() - started) > SLOW_SECONDS:
            log.info("slow write: %s took %.0f ms", name_of(call.fn), took * 1000)
        return tx.signals

    def _roll_back(self) -> None:
        """End a transaction that is still open, however it was left."""
        if self._connection.in_transaction:
            try:
                self._connection.execute("rollback")
            except apsw.Error as error:  # it is ended all the same
                log.warning("rolling back: %s", error)
