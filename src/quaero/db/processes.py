"""What the processes of the program tell of themselves, for others to read.

Each that lives long writes one small row every 15 seconds: its loops, its memory, how long its
commits take. A row that was not renewed for 45 seconds belongs to a process that hangs or is gone.
One that is gone is forgotten by the next process of its machine that writes; one that hangs, or
whose machine is gone, is shown as such for a day.
"""

from __future__ import annotations

import contextlib
import os
import resource
import socket
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from quaero.clock import DAY, SECOND
from quaero.db.contract import ReadTx, Tx
from quaero.db.sqlite.database import SqliteDatabase
from quaero.loops import Loop, Turned

EVERY_SECONDS = 15.0
SILENT_SECONDS = 45.0
FORGOTTEN = DAY
_OWN = "id = $1 and role = $2 and pid = $3"


class Report(msgspec.Struct, frozen=True):
    """What a process says: memory in bytes, `commit_seconds` the median of its last commits.

    `more` is what else its role has to tell.
    """

    loops: list[Turned]
    rss: int
    commits: int
    commit_seconds: float | None
    more: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ProcessState:
    """One process; times are wall times in microseconds."""

    id: int
    role: str
    pid: int
    host: str
    started_at: int
    at: int
    alive: bool
    report: Report


class Reporter:
    """Writes the row of this process, by the writer's own timer, until it is closed.

    `more` adds what a role has to tell; `also` is done in the same transaction.
    """

    def __init__(
        self,
        db: SqliteDatabase,
        role: str,
        loops: Callable[[], Iterable[Loop]],
        more: Callable[[], dict[str, Any]] = dict,
        also: Callable[[Tx], None] | None = None,
    ) -> None:
        self._db = db
        self._role = role
        self._loops = loops
        self._more = more
        self._also = also
        self._id = 0
        self._end = db.every(EVERY_SECONDS, self.write)

    def report(self) -> Report:
        """How this process is now."""
        own = [loop.told() for loop in self._loops()]
        return Report(
            [*own, *self._db.loops()],
            resident_bytes(),
            self._db.commits,
            self._db.commit_seconds(),
            self._more(),
        )

    def write(self, tx: Tx) -> None:
        """Renew the row, or make one: the first may have been rolled back, its id be another's."""
        report = msgspec.json.encode(self.report()).decode()
        if not tx.execute(
            f"update process set at = $4, report = $5 where {_OWN} returning id",
            (*self._own, tx.now, report),
        ):
            (self._id,) = tx.ids("process", 1)
            tx.execute(
                """
                insert into process(id, role, pid, started_at, at, report, host)
                values($1, $2, $3, $4, $4, $5, $6)
                """,
                (*self._own, tx.now, report, socket.gethostname()),
            )
        _forget_gone(tx)
        if self._also is not None:
            self._also(tx)

    def close(self) -> None:
        """Write no more."""
        self._end()

    def forget(self, tx: Tx) -> None:
        """Remove the row: this process ends in order."""
        tx.execute(f"delete from process where {_OWN}", self._own)

    @property
    def _own(self) -> tuple[int, str, int]:
        """What tells the row of this process from others."""
        return self._id, self._role, os.getpid()


def states(tx: ReadTx) -> list[ProcessState]:
    """The processes that told of themselves, oldest first."""
    rows = tx.execute(
        "select id, role, pid, host, started_at, at, report from process order by id limit 1000"
    )
    decode = msgspec.json.Decoder(Report).decode
    return [
        ProcessState(id_, role, pid, host, started_at, at, not _silent(at, tx.now), decode(report))
        for id_, role, pid, host, started_at, at, report in rows
    ]


def _silent(at: int, now: int) -> bool:
    """Whether a row is old, or of before the clock was set back: a living process renews it."""
    return abs(now - at) >= int(SILENT_SECONDS * SECOND)


def _forget_gone(tx: Tx) -> None:
    """Remove the rows of processes that are no more, as far as this machine can tell."""
    rows = tx.execute("select id, pid, host, at from process limit 1000")
    own = socket.gethostname()
    gone = [
        id_
        for id_, pid, host, at in rows
        if abs(tx.now - at) > FORGOTTEN
        or (_silent(at, tx.now) and host == own and not _is_another(pid))
    ]
    for id_ in gone:
        tx.execute("delete from process where id = $1", (id_,))


def _is_another(pid: int) -> bool:
    """Whether a process that is not this one has this id: in a container each start has the same.

    What is silent is not this process, which has just told of itself.
    """
    if pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def resident_bytes() -> int:
    """The memory of this process that lies in RAM; its peak where the system tells no more."""
    with contextlib.suppress(OSError):
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
        return pages * resource.getpagesize()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
