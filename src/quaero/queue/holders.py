"""The processes that hold leases, and how the dead among them are known at once.

A holder keeps a file locked for as long as it lives, and notes in it, in shared memory, which
messages it has *started*. The kernel unlocks the file when the process dies, however it dies, and
the notes survive it. So another process can give back what a dead one held without waiting for
leases to end, and knows which messages may be to blame. After a restart of the machine the notes
say nothing, and nobody is suspected. All processes on one file are of one machine, also where its
name has changed or each runs in a container, and so has a name of its own.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from quaero.clock import Clock, SystemClock
from quaero.db.contract import Database, ReadTx, Tx
from quaero.db.forking import mind_forks
from quaero.queue.message import Held

try:
    import fcntl
except ImportError:  # Windows: leases simply run out
    fcntl = None  # type: ignore[assignment]

_CELL = struct.Struct("<q")


@dataclass(frozen=True, slots=True)
class DeadHolder:
    """A holder whose process is gone, with the ids of the messages it had started."""

    id: int
    started: frozenset[int]
    parent_id: int = 0


@dataclass(frozen=True, slots=True)
class KnownHolder:
    """A process in the register; `slots` is how many messages it can have started at once."""

    id: int
    pid: int
    host: str
    started_at: int
    parent_id: int
    alive: bool
    slots: int


def _insert(tx: Tx, clock: Clock, parent_id: int) -> int:
    (id_,) = tx.ids("holder", 1)
    tx.execute(
        """
        insert into holder(id, pid, host, boot_id, started_at, parent_id)
        values($1, $2, $3, $4, $5, $6)
        """,
        (id_, os.getpid(), socket.gethostname(), clock.boot_id(), tx.now, parent_id),
    )
    return id_


def forget(tx: Tx, holder_id: int) -> None:
    """Remove a holder from the register."""
    tx.execute("delete from holder where id = $1", (holder_id,))


class Holder:
    """The entry of this process in the register, with a cell for each worker slot and one besides.

    The one besides is for a slot that is not counted: that of commands.
    """

    def __init__(self, id_: int, path: Path, slots: int) -> None:
        self.id = id_
        self._path = path
        draft = path.with_name(f"{path.name}.new")
        self._file = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if fcntl is not None:
            fcntl.flock(self._file, fcntl.LOCK_EX)
        os.ftruncate(self._file, _CELL.size * (slots + 1))
        self._cells = mmap.mmap(self._file, _CELL.size * (slots + 1))
        draft.rename(path)  # whoever finds it there finds it locked
        mind_forks(self)

    def note(self, slot: int, message_id: int) -> None:
        """Say that the slot has started a message; 0 says that it has ended it."""
        _CELL.pack_into(self._cells, slot * _CELL.size, message_id)

    def close(self) -> None:
        """Leave the file system; the register's row is removed with `forget`."""
        with contextlib.suppress(OSError):
            self._path.unlink()
        self.abandon()

    def abandon(self) -> None:
        """Stop holding without a word; the next look finds a dead holder with nothing started."""
        if not self._cells.closed:
            self._cells.close()
            os.close(self._file)

    def before_fork(self) -> None:
        """Nothing here is done by halves."""

    def after_fork(self) -> None:
        """The lock is still ours."""

    def in_fork(self) -> None:
        """Let a fork not keep the lock when its parent dies, who is the holder."""
        self.abandon()


class Holders:
    """The register of one database."""

    def __init__(self, database: Path, clock: Clock | None = None) -> None:
        self._folder = database.with_name(database.name + "-holders")
        self._clock = clock or SystemClock()
        self._buried: set[int] = set()

    async def join(self, db: Database, slots: int, parent_id: int = 0) -> Holder:
        """Enter this process; `slots` is how many messages it can have started at once.

        A holder with a parent is cleared up after by that parent, while the parent lives.
        """
        self._folder.mkdir(mode=0o700, exist_ok=True)
        id_ = await db.write(_insert, self._clock, parent_id)
        return Holder(id_, self._file(id_), slots)

    def dead(self, tx: ReadTx) -> list[DeadHolder]:
        """The registered holders that no longer live, whatever this machine was called then."""
        found = []
        rows = tx.execute("select id, boot_id, started_at, parent_id from holder")
        self._remove_files({row[0] for row in rows})
        if fcntl is None:
            return []
        for id_, boot_id, started_at, parent_id in rows:
            young = abs(tx.now - started_at) < _JOINING and boot_id == self._clock.boot_id()
            if not self._is_locked(id_, missing_is_alive=young):
                notes = self._notes(id_) if boot_id == self._clock.boot_id() else frozenset()
                found.append(DeadHolder(id_, notes, parent_id))
        gone = {each.id for each in found}
        alive = {row[0] for row in rows} - gone
        return [each for each in found if each.parent_id not in alive]

    def known(self, tx: ReadTx) -> list[KnownHolder]:
        """Everyone in the register, the oldest first."""
        rows = tx.execute(
            "select id, pid, host, started_at, parent_id from holder order by id limit 1000"
        )
        return [
            KnownHolder(
                id_, pid, host, started_at, parent_id,
                alive=fcntl is None
                or self._is_locked(id_, missing_is_alive=abs(tx.now - started_at) < _JOINING),
                slots=self._slots(id_),
            )
            for id_, pid, host, started_at, parent_id in rows
        ]  # fmt: skip

    def _slots(self, holder_id: int) -> int:
        try:
            return self._file(holder_id).stat().st_size // _CELL.size - 1
        except FileNotFoundError:
            return 0

    def dead_child(self, tx: ReadTx, parent_id: int) -> list[DeadHolder]:
        """The dead holders that a living parent has to clear up after."""
        rows = tx.execute("select id from holder where parent_id = $1", (parent_id,))
        return [
            DeadHolder(id_, self._notes(id_), parent_id)
            for (id_,) in rows
            if not self._is_locked(id_, missing_is_alive=False)
        ]

    def bury(self, tx: Tx, holder_id: int) -> None:
        """Remove a dead holder.

        Its file goes when a later look finds that committed: until then its notes may be needed
        again.
        """
        forget(tx, holder_id)
        self._buried.add(holder_id)

    def _remove_files(self, registered: set[int]) -> None:
        """Remove the files of those buried who are no longer in the register."""
        for holder_id in self._buried - registered:
            with contextlib.suppress(OSError):
                self._file(holder_id).unlink()
        self._buried &= registered

    def _file(self, holder_id: int) -> Path:
        return self._folder / str(holder_id)

    def _is_locked(self, holder_id: int, *, missing_is_alive: bool) -> bool:
        try:
            file = os.open(self._file(holder_id), os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return missing_is_alive
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(file)
        return False

    def _notes(self, holder_id: int) -> frozenset[int]:
        try:
            data = self._file(holder_id).read_bytes()
        except FileNotFoundError:
            return frozenset()
        whole = len(data) - len(data) % _CELL.size
        return frozenset(id_ for (id_,) in _CELL.iter_unpack(data[:whole]) if id_)


_JOINING = 5_000_000  # a holder that young may not have its file yet


def held_by(tx: ReadTx, holder_id: int) -> list[Held]:
    """Everything a holder has leased, in all queues."""
    rows = tx.execute(
        """
        select m.id, m.lease_no, m.queue_id, m.lane_id, m.priority, m.receives, m.job_id
          from queue q join message m on m.queue_id = q.id and m.state = 2
         where m.holder = $1
        """,
        (holder_id,),
    )
    return [Held(*row) for row in rows]


def split(deliveries: Sequence[Held], started: frozenset[int]) -> tuple[list[Held], list[Held]]:
    """The deliveries that were started, and those that were not."""
    return (
        [each for each in deliveries if each.id in started],
        [each for each in deliveries if each.id not in started],
    )
