"""How much room the database takes, and how much there is left beside it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from quaero.db import LOW_WATER, size_of, wal_of
from quaero.db.contract import ReadTx
from quaero.errors import StorageError

TOO_LITTLE_ROOM = f"nothing new begins before {LOW_WATER:,} bytes are free where the database lies"


@dataclass(frozen=True, slots=True)
class Storage:
    """Sizes in bytes.

    `reusable` is the part of the file that holds nothing any more; `free` is what is left on the
    disk.
    """

    database: int
    log: int
    reusable: int
    free: int

    @property
    def short(self) -> bool:
        """Whether there is too little to begin new work."""
        return self.free + self.reusable < LOW_WATER


def storage(tx: ReadTx, database: Path) -> Storage:
    """The sizes of the database file and its log, and the room as `room` tells it."""
    ((unused, size),) = tx.execute(
        "select freelist_count, page_size from pragma_freelist_count, pragma_page_size"
    )
    return Storage(
        size_of(database),
        size_of(wal_of(database)),
        unused * size,
        room(database)[1],
    )


def room(database: Path) -> tuple[int, int]:
    """All bytes of the disk where the database lies, and those that are free.

    Raises `StorageError` where its folder is gone.
    """
    try:
        usage = shutil.disk_usage(database.parent)
    except OSError as error:
        raise StorageError(
            f"the folder of {database} cannot be looked at: {error.strerror}; it was moved or "
            "deleted while it was in use, or its disk is not mounted"
        ) from error
    return usage.total, usage.free
