"""Read-only connections, one a thread, each read on one short snapshot."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import apsw

from quaero.db.sqlite.tx import SqliteReadTx
from quaero.errors import StorageError

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
        self._open: list[apsw.Connection] = []
        self._started: dict[int, float] = {}
        self.executor = ThreadPoolExecutor(threads, thread_name_prefix="quaero-reader")

    def run(self, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run `fn` on this thread's connection.

        Raises `StorageError` when it takes longer than ten seconds: a long read keeps the log from
        being rewound, so long work pages instead.
        """
        connection = self._connection()
        me = threading.get_ident()
        self._started[me] = time.monotonic()
        connection.execute("begin")
        try:
            return fn(self._begin(connection), *args, **kwargs)
        except apsw.InterruptError as error:
            raise StorageError(
                f"the query took longer than {READ_SECONDS:.0f} s; narrow it"
            ) from error
        finally:
            connection.execute("rollback")
            del self._started[me]

    def close(self) -> None:
        """Wait for reads under way and close the connections."""
        self.executor.shutdown(wait=True)
        while self._open:
            self._open.pop().close()

    def _connection(self) -> apsw.Connection:
        held: apsw.Connection | None = getattr(self._local, "connection", None)
        if held is None:
            held = self._connect()
            held.set_progress_handler(self._overdue, _STEPS_BETWEEN_LOOKS)
            self._local.connection = held
            self._open.append(held)
        return held

    def _overdue(self) -> bool:
        started = self._started.get(threading.get_ident())
        return started is not None and time.monotonic() - started > READ_SECONDS
