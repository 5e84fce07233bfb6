"""The log beside the database file: its working size, and moving it into the file.

The log is filled with zeros once and then rewound, never truncated, because a growing file costs
twice as much a commit. What it grew beyond its working size is kept for the next such day too,
unless room is short: then it is given back, or it could be what keeps new work from beginning.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import apsw

from quaero.db.sqlite.connection import NO_ROOM, as_full, size_of, wait_for_lock, wal_of
from quaero.db.sqlite.room import Room
from quaero.program_log import program_log

log = program_log(__name__)

WAL_FILL = 8 * 1024 * 1024
PASSIVE_PAGES = 1024  # 4 MiB of log
RESTART_PAGES = 16_384  # 64 MiB of log
PATIENCE = 0.02
CUT_SECONDS = 1.0
SHARE = 10  # what is in vain takes at most one part in so many of the writer's time


class Wal:
    """The log as the one connection that writes sees it; to be used by its thread alone."""

    def __init__(self, connection: apsw.Connection, room: Room) -> None:
        self._connection = connection
        self._path = Path(connection.filename)
        self._room = room
        self._next_cut = 0.0
        self._next_try = 0.0
        self.pages = 0  # that no checkpoint has moved yet
        connection.set_wal_hook(self._note)

    def wants_checkpoint(self) -> bool:
        """Whether to make one before the next commits, rather than when all is idle."""
        if self._rests():
            return False
        return self.pages >= PASSIVE_PAGES or (self._room.short and self._wants_cut())

    def checkpoint(self) -> None:
        """Move the log into the file; the next commit then starts at the log's beginning.

        Where somebody reads for long that is in vain, and dearer the longer the log is; so it is
        not tried again for a while.
        """
        if self._rests():
            return
        began = time.monotonic()
        if self._held_up():
            ended = time.monotonic()
            self._next_try = ended + SHARE * (ended - began)

    def _rests(self) -> bool:
        return time.monotonic() < self._next_try

    def _held_up(self) -> bool:
        """Move what can be moved; whether others kept something of it from that."""
        try:
            if self._room.short and self._wants_cut():
                size, moved = self._cut()
            elif self.pages >= RESTART_PAGES:
                size, moved = self._patiently(apsw.SQLITE_CHECKPOINT_RESTART)
            else:
                size, moved = self._connection.wal_checkpoint(
                    "main", apsw.SQLITE_CHECKPOINT_PASSIVE
                )
        except (apsw.BusyError, apsw.LockedError):
            return True  # a reader or another process is in the way; it is tried again later
        except (apsw.Error, OSError) as error:
            if isinstance(as_full(self._connection, error), apsw.FullError):
                self._room.exhausted()
            else:
                log.warning("checkpoint put off: %s", error)
            return False
        if moved < size:
            return True
        self.pages = 0
        return False

    def _note(self, _: apsw.Connection, __: str, pages: int) -> int:
        self.pages = pages
        return apsw.SQLITE_OK

    def _wants_cut(self) -> bool:
        """Whether the log is longer than it works with, and none has just tried to cut it."""
        return time.monotonic() >= self._next_cut and size_of(wal_of(self._path)) > WAL_FILL

    def _cut(self) -> tuple[int, int]:
        """A checkpoint that brings the log back to its working size."""
        self._next_cut = time.monotonic() + CUT_SECONDS
        told = self._patiently(apsw.SQLITE_CHECKPOINT_TRUNCATE)
        self._connection.execute("begin immediate")
        try:
            fill_wal(self._path)
        finally:
            self._connection.execute("rollback")
        return told

    def _patiently(self, mode: int) -> tuple[int, int]:
        """A checkpoint that waits for readers to let go of the log, though not for long."""
        self._connection.set_busy_handler(lambda count: wait_for_lock(count, PATIENCE))
        try:
            return self._connection.wal_checkpoint("main", mode)
        finally:
            self._connection.set_busy_handler(wait_for_lock)


def fill_wal(path: Path) -> None:
    """Lengthen the log to its working size with zeros; call it under the write lock.

    A reader takes zeros for the end of the log, so this is safe at any moment. SQLite keeps no
    locks on this file, so opening it beside SQLite is safe as well. Without room the log stays as
    it is, and grows with the commits.
    """
    wal = wal_of(path)
    size = size_of(wal)
    if size >= WAL_FILL:
        return
    try:
        with wal.open("ab") as file:
            file.write(bytes(WAL_FILL - size))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        log.warning("no room to lengthen %s: %s", wal, error)
