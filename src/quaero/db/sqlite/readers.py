"""Read-only connections, one a thread, each read on one short snapshot."""

from __future__ import annotations

import threading
import time
import weakref
from asyncio import AbstractEventLoop, Future
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import apsw

from quaero.db.forking import PATIENCE
from quaero.db.sqlite.connection import drop_copy
from quaero.db.sqlite.tx import SqliteReadTx
from quaero.db.unrun import name_of, refuse_unrun
from quaero.errors import BadInput, StorageError

READ_SECONDS = 10.0
_STEPS_BETWEEN_LOOKS = 20_000


class Readers:
    """Runs functions of the database on read snapshots."""

    def __init__(
        self,
        connect: Callable[[], apsw.Connection],
        begin: Callable[[apsw.Connection], SqliteReadTx],
        threads: int,
    ) -> None:
        self._connect = connect
        self._begin = begin
        self._local = threading.local()
        self._open: weakref.WeakSet[apsw.Connection] = weakref.WeakSet()
        self._started: dict[int, float] = {}
        self._gate = threading.Condition()
        self._closed = False
        self._at_rest = True
        self._resting = False
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="quaero-reader")

    def start(self, work: Callable[[], Any], loop: AbstractEventLoop) -> Future[Any]:
        """Have `work`, which calls `run`, done on a reader's thread."""
        with self._gate:
            self._refuse_closed()
            return loop.run_in_executor(self._executor, work)

    def run(self, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run `fn` on this thread's connection.

        Raises `StorageError` when it takes longer than ten seconds: a long read keeps the log from
        being rewound, so long work pages instead. Raises `RuntimeError` inside another read.
        """
        with self._under_way():
            connection = self._connection()
            connection.execute("begin")
            tx = self._begin(connection)
            try:
                result = fn(tx, *args, **kwargs)
                refuse_unrun(fn, result)
                return result
            except apsw.ReadOnlyError as error:
                raise BadInput(
                    f"{name_of(fn)} writes; run it with write or write_sync, not on a snapshot"
                ) from error
            except apsw.InterruptError as error:
                raise StorageError(
                    f"the query took longer than {READ_SECONDS:.0f} s; narrow it"
                ) from error
            finally:
                tx.end()
                connection.execute("rollback")

    def close(self) -> None:
        """Wait for reads under way and close the connections."""
        with self._gate:
            self._closed = True
        self._executor.shutdown(wait=True)
        with self._gate:
            self._gate.wait_for(lambda: not self._started)
            for connection in list(self._open):
                connection.close()

    def before_fork(self) -> None:
        """Let the reads under way end, and hold the next ones."""
        me = threading.get_ident()
        self._gate.acquire()
        self._resting = True
        ended = self._gate.wait_for(lambda: not self._started.keys() - {me}, PATIENCE)
        self._at_rest = ended and me not in self._started

    def after_fork(self) -> None:
        """Go on."""
        self._resting = False
        self._gate.notify_all()
        self._gate.release()

    def in_fork(self) -> None:
        """Let go of the copies of the connections."""
        self._gate.release()
        self._closed = True
        for connection in list(self._open):
            drop_copy(connection, at_rest=self._at_rest)

    @contextmanager
    def _under_way(self) -> Iterator[None]:
        me = threading.get_ident()
        with self._gate:
            if me in self._started:
                raise RuntimeError("a read inside a read; use the tx of the outer one")
            self._gate.wait_for(lambda: not self._resting)
            self._refuse_closed()
            self._started[me] = time.monotonic()
        try:
            yield
        finally:
            with self._gate:
                del self._started[me]
                self._gate.notify_all()

    def _refuse_closed(self) -> None:
        if self._closed:
            raise StorageError("the database is closed")

    def _connection(self) -> apsw.Connection:
        """The connection of this thread; it is closed with the thread, or with all others."""
        held: apsw.Connection | None = getattr(self._local, "connection", None)
        if held is None:
            held = self._connect()
            held.set_progress_handler(self._overdue, _STEPS_BETWEEN_LOOKS)
            self._local.connection = held
            with self._gate:
                self._open.add(held)
        return held

    def _overdue(self) -> bool:
        started = self._started.get(threading.get_ident())
        return started is not None and time.monotonic() - started > READ_SECONDS
