"""A SQLite file as Quaero's database: the contract of `db.contract`, put together."""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import threading
from collections.abc import Callable
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import apsw

from quaero.clock import Clock, SystemClock
from quaero.db import migrations
from quaero.db.contract import Offer, ReadTx, Ride, Tx
from quaero.db.forking import mind_forks
from quaero.db.sqlite.calls import Call, Timer
from quaero.db.sqlite.connection import (
    copied,
    file_at,
    file_errors,
    open_reader,
    open_writer,
    storage_errors,
    tidy_on_close,
    tune_writer,
)
from quaero.db.sqlite.leaseclock import LeaseClock, join_clock
from quaero.db.sqlite.longread import long_read
from quaero.db.sqlite.readers import Readers
from quaero.db.sqlite.room import Room
from quaero.db.sqlite.turnstile import Turnstile
from quaero.db.sqlite.tx import SqliteReadTx, SqliteTx
from quaero.db.sqlite.wal import fill_wal
from quaero.db.sqlite.writer import Writer
from quaero.db.wake import Waker
from quaero.errors import BadInput
from quaero.loops import Turned

P = ParamSpec("P")
R = TypeVar("R")


class SqliteDatabase:
    """An open SQLite database; `open` makes one, `close` ends it."""

    def __init__(
        self,
        path: Path,
        connection: apsw.Connection,
        clock: LeaseClock,
        wall: Clock,
        turnstile: Turnstile,
        room: Room,
        *,
        reader_threads: int,
        vfs: str | None,
    ) -> None:
        self.path = path
        self.clock = wall
        """The clock it was opened with."""
        self._lease_clock = clock
        self.lease_now = clock.now
        """The lease clock, microseconds."""
        self._turnstile = turnstile
        self._room = room
        self._readers = Readers(
            partial(open_reader, path, vfs),
            self._read_tx,
            reader_threads,
        )
        self._waker = Waker(path)
        self._writer = Writer(
            connection,
            turnstile,
            room,
            begin_tx=lambda: SqliteTx(connection, wall.wall(), clock.now(), room),
            committed=self._waker.announce,
            deliver=_deliver,
        )
        self._writer.add_timer(Timer(60.0, clock.note))
        self._closed = False
        self._forked = False
        mind_forks(self)

    @classmethod
    def open(
        cls,
        path: str | PathLike[str],
        *,
        clock: Clock | None = None,
        reader_threads: int = 2,
        vfs: str | None = None,
        upgrade: bool = True,
        room: Room | None = None,
    ) -> SqliteDatabase:
        """Open the file, create or upgrade it where needed, with the folder it lies in.

        With `upgrade=False` an older file raises `StorageError` in place of being migrated.
        Raises `BadInput` for what names no file, and `NewerDatabase`, `CorruptDatabase`, `DiskFull`
        or `StorageError`. A file is opened once in a process and shared by its threads; a process
        that was forked afterwards opens it anew.
        """
        path = file_at(path)
        if reader_threads < 1:
            raise BadInput(f"reader_threads {reader_threads} must be at least 1")
        wall = clock or SystemClock()
        with file_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            turnstile = Turnstile(path)
        with contextlib.ExitStack() as undo, storage_errors(path):
            undo.callback(turnstile.close)
            turnstile.enter()
            connection = open_writer(path, vfs)
            undo.callback(connection.close)
            migrations.refuse_strangers(connection, migrations.newest())
            tune_writer(connection)
            migrations.migrate(connection, upgrade=upgrade)
            lease_clock = _prepare(connection, wall, path)
            tidy_on_close(connection)
            turnstile.leave()
            undo.pop_all()
        return cls(
            path,
            connection,
            lease_clock,
            wall,
            turnstile,
            room or Room(path),
            reader_threads=reader_threads,
            vfs=vfs,
        )

    # -- the contract

    async def write(
        self, fn: Callable[Concatenate[Tx, P], R], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Run `fn` in the writer; return its result once that is durable."""
        self._admit(fn)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[R] = loop.create_future()
        self._writer.submit(Call(fn, args, kwargs, loop, future))
        try:
            return await future
        except apsw.Error:
            with storage_errors(self.path):
                raise

    def write_sync(
        self, fn: Callable[Concatenate[Tx, P], R], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Run `fn` in a write transaction on this thread if the writer is idle, else in it.

        Raises `RuntimeError` inside an event loop, which it would block.
        """
        self._admit(fn)
        if _in_loop():
            raise RuntimeError(
                "write_sync would block the event loop; await write instead, or run what calls it "
                "in a thread (asyncio.to_thread)"
            )
        call = Call(fn, args, kwargs)
        if not self._writer.run(call):
            call.waiter = threading.Event()
            self._writer.submit(call)
            call.waiter.wait()
        if call.error is not None:
            with storage_errors(self.path):
                raise call.error
        result: R = call.result
        return result

    async def read(
        self, fn: Callable[Concatenate[ReadTx, P], R], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Run `fn` on a snapshot, on a reader's thread."""
        self._admit(fn)
        work = partial(self._readers.run, fn, args, kwargs)
        try:
            result: R = await self._readers.start(work, asyncio.get_running_loop())
            return result
        except apsw.Error:
            with storage_errors(self.path):
                raise

    def read_sync(
        self, fn: Callable[Concatenate[ReadTx, P], R], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Run `fn` on a snapshot, on this thread."""
        self._admit(fn)
        with storage_errors(self.path):
            result: R = self._readers.run(fn, args, kwargs)
        return result

    def subscribe(self, topic: str, callback: Callable[[], object]) -> Callable[[], None]:
        """Call `callback` after each commit that signals `topic`, in whatever process."""
        self._refuse_fork()
        return self._waker.subscribe(topic, callback)

    def ride(self, topic: str, offer: Offer) -> Callable[[], None]:
        """Ask `offer` before each commit that signals `topic`."""
        self._refuse_fork()
        return self._writer.add_rider(topic, offer)

    def every(self, seconds: float, work: Callable[[Tx], None]) -> Callable[[], None]:
        """Run `work` in the writer about every so many seconds."""
        self._refuse_fork()
        timer = Timer(seconds, work)
        self._writer.add_timer(timer)
        return partial(self._writer.drop_timer, timer)

    # -- beside the contract

    @property
    def commits(self) -> int:
        """Transactions committed by this process."""
        return self._writer.commits

    def commit_seconds(self) -> float | None:
        """What a commit of changes takes: the median of the last 200; None before the first."""
        times = list(self._writer.commit_times)
        return statistics.median(times) if times else None

    def loops(self) -> list[Turned]:
        """How the writer's timers stand."""
        return self._writer.loops()

    def read_long(self, fn: Callable[[ReadTx], R], ended: Callable[[], bool] = lambda: False) -> R:
        """Run `fn` on a snapshot, on this thread and for as long as it takes; see `long_read`."""
        self._refuse_fork()
        return long_read(self.path, lambda reader: fn(self._read_tx(reader)), ended)

    def _read_tx(self, reader: apsw.Connection) -> SqliteReadTx:
        return SqliteReadTx(reader, self.clock.wall(), self.lease_now())

    def exclusively(self, work: Callable[[apsw.Connection], R]) -> R:
        """Run `work` on the bare write connection, between transactions (backup, checks)."""
        self._refuse_fork()
        with storage_errors(self.path):
            result: R = self._writer.exclusively(work)
        return result

    def close(self) -> None:
        """Write what is queued, then close; a second call does nothing.

        Raises `RuntimeError` inside a function of the database, and leaves it open.
        """
        if self._closed or self._forked:
            return
        self._writer.refuse_nesting()
        self._closed = True
        self._readers.close()
        self._writer.close()
        self._waker.close()
        self._turnstile.close()

    def before_fork(self) -> None:
        """Come to rest; see `db.forking`."""
        self._writer.before_fork()
        self._readers.before_fork()

    def after_fork(self) -> None:
        """Go on as before, in the process that forked."""
        self._readers.after_fork()
        self._writer.after_fork()

    def in_fork(self) -> None:
        """Be of no use in the copy: every call raises `Conflict`, and `close` does nothing."""
        self._forked = True
        if self._closed:
            return
        self._readers.in_fork()
        self._writer.in_fork()
        self._waker.in_fork()
        self._turnstile.close()

    def _admit(self, fn: Any) -> None:
        if not callable(fn):
            raise BadInput(f"{fn!r} is no function of the database; give one, and its arguments")
        self._refuse_fork()

    def _refuse_fork(self) -> None:
        if self._forked:
            raise copied(self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _prepare(connection: apsw.Connection, wall: Clock, path: Path) -> LeaseClock:
    """Join the lease clock and lengthen the log, under the write lock."""
    connection.execute("begin immediate")
    try:
        clock = join_clock(SqliteTx(connection, wall.wall(), 0), wall)
        fill_wal(path)
    except BaseException:
        connection.execute("rollback")
        raise
    connection.execute("commit")
    return clock


def _in_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _deliver(calls: list[Call]) -> None:
    """Hand outcomes to whoever waits: one wake-up for each event loop, however many calls."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Call]] = {}
    for call in calls:
        if call.loop is not None:
            by_loop.setdefault(call.loop, []).append(call)
        elif call.waiter is not None:
            call.waiter.set()
    for loop, of_loop in by_loop.items():
        with contextlib.suppress(RuntimeError):  # the loop was closed; nobody waits any more
            loop.call_soon_threadsafe(_resolve, of_loop)


def _resolve(calls: list[Call]) -> None:
    for call in calls:
        waiter: Any = call.waiter
        if isinstance(waiter, Ride):
            if call.error is None:
                waiter.done(call.result)
        elif waiter.done():
            continue
        elif call.error is None:
            waiter.set_result(call.result)
        elif isinstance(call.error, StopIteration | asyncio.CancelledError):  # means something else
            waiter.set_exception(RuntimeError(f"the function raised {call.error!r}"))
        else:
            waiter.set_exception(call.error)
