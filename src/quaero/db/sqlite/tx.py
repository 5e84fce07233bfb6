"""The SQLite transaction as a function of the database sees it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import apsw

from quaero.db.contract import Row, Tx
from quaero.db.sqlite.connection import damaged
from quaero.db.sqlite.room import Room
from quaero.db.sqlite.sql import for_sqlite
from quaero.errors import BadInput

_OF_WRITERS = frozenset({"at_end", "ids", "roomy", "scratch", "signal"})


class _Ended:
    """In the connection's place once a function has returned."""

    filename = ""

    def execute(self, sql: str, args: Sequence[Any]) -> NoReturn:  # noqa: ARG002
        raise _ended()


def _ended() -> BadInput:
    return BadInput("this transaction has ended; its function has returned, so begin another")


_ENDED: Any = _Ended()


class SqliteReadTx:
    """One read snapshot; see `contract.ReadTx`."""

    __slots__ = ("_connection", "lease_now", "now")

    def __init__(self, connection: apsw.Connection, now: int, lease_now: int) -> None:
        self._connection: apsw.Connection = connection
        self.now = now
        self.lease_now = lease_now

    def __getattr__(self, name: str) -> NoReturn:
        """Say what a function that writes is to be run with."""
        if name in _OF_WRITERS:
            raise BadInput(
                "this function writes; run it with write or write_sync, not on a snapshot"
            )
        raise AttributeError(f"{type(self).__name__} has no {name!r}", name=name, obj=self)

    @property
    def home(self) -> str:
        """The path of the file."""
        return self._connection.filename

    def execute(self, sql: str, args: Sequence[Any] = ()) -> list[Row]:
        """Run one statement and return its rows.

        Raises `CorruptDatabase` where a text is none: only UTF-8 was ever written.
        """
        try:
            return self._connection.execute(for_sqlite(sql), args).fetchall()
        except UnicodeDecodeError as error:
            raise damaged(self._connection.filename, f"a text is not UTF-8: {error}") from error

    def end(self) -> None:
        """Let whoever kept this do nothing with it: the connection is another function's now."""
        self._connection = _ENDED


class SqliteTx(SqliteReadTx):
    """One function's share of a write transaction; see `contract.Tx`."""

    __slots__ = ("_finishers", "_room", "scratch", "signals")

    def __init__(
        self, connection: apsw.Connection, now: int, lease_now: int, room: Room | None = None
    ) -> None:
        super().__init__(connection, now, lease_now)
        self._room = room
        self.scratch: dict[str, Any] = {}
        self.signals: set[str] = set()
        self._finishers: dict[str, tuple[int, Callable[[Tx], None]]] = {}

    @property
    def roomy(self) -> bool:
        """Whether there is room for new work."""
        return self._room is None or self._room.enough(self._unused)

    def _unused(self) -> int:
        """The bytes of the file's pages that hold nothing any more."""
        ((pages, size),) = self.execute(
            "select freelist_count, page_size from pragma_freelist_count, pragma_page_size"
        )
        return int(pages * size)

    def ids(self, name: str, count: int) -> range:
        """Take the next `count` numbers of a sequence."""
        ((last,),) = self.execute(
            "update sequence set last = last + $2 where name = $1 returning last", (name, count)
        )
        return range(last - count + 1, last + 1)

    def at_end(self, key: str, finish: Callable[[Tx], None], rank: int = 0) -> None:
        """Call `finish` once when the function has returned, lower ranks first."""
        self._refuse_ended()
        self._finishers.setdefault(key, (rank, finish))

    def signal(self, topic: str) -> None:
        """Tell the subscribers of `topic` once this is committed."""
        self._refuse_ended()
        self.signals.add(topic)

    def _refuse_ended(self) -> None:
        if self._connection is _ENDED:
            raise _ended()

    def finish(self) -> None:
        """Run what was asked for with `at_end`, and what that asks for in turn."""
        while self._finishers:
            key = min(self._finishers, key=lambda each: self._finishers[each][0])
            self._finishers.pop(key)[1](self)
