"""A database for a test: in memory-backed storage, under a fake clock, and easily restarted."""

import shutil
import tempfile
from pathlib import Path
from typing import Any, Self
from unittest import mock

from quaero.db import SqliteDatabase
from quaero.db.sqlite import wal
from quaero.testing.clock import FakeClock

ENGINES = ["sqlite"]
_MEMORY = Path("/dev/shm")


class Opened:
    """An open database of one engine, with its clock; closed and removed at the end."""

    def __init__(self, engine: str = "sqlite") -> None:
        assert engine in ENGINES
        memory = _MEMORY if _MEMORY.is_dir() else None
        self.folder = Path(tempfile.mkdtemp(prefix="quaero-test-", dir=memory))
        self.clock = FakeClock()
        self.db = self._open()

    def write(self, fn: Any, *args: Any, **kwargs: Any) -> Any:
        """Run a function of the database, committed when it returns."""
        return self.db.write_sync(fn, *args, **kwargs)

    def read(self, fn: Any, *args: Any, **kwargs: Any) -> Any:
        """Run a function on a snapshot."""
        return self.db.read_sync(fn, *args, **kwargs)

    def sql(self, sql: str, *args: Any) -> list[tuple[Any, ...]]:
        """Rows of a statement that only reads."""
        return self.db.read_sync(lambda tx: tx.execute(sql, args))

    @property
    def lease_now(self) -> int:
        return self.db.lease_now()

    @property
    def wall(self) -> int:
        return self.clock.wall()

    def restart(self) -> None:
        """End the program and start it again; the machine stays up."""
        self.db.close()
        self.db = self._open()

    def reboot(self) -> None:
        """Start the machine anew, and the program on it."""
        self.db.close()
        self.clock.reboot()
        self.db = self._open()

    def _open(self) -> SqliteDatabase:
        # Lengthening the log takes more time than all the rest of so short a life.
        with mock.patch.object(wal, "WAL_FILL", 0):
            return SqliteDatabase.open(self.folder / "q.db", clock=self.clock, reader_threads=1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.db.close()
        shutil.rmtree(self.folder)
