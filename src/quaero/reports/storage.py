"""How much room the database takes, and how much there is left beside it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from quaero.db import LOW_WATER, size_of, wal_of
from quaero.db.contract import ReadTx

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
    """The sizes of the database file and its log."""
    ((unused, size),) = tx.execute(
        "select freelist_count, page_size from pragma_freelist_count, pragma_page_size"
    )
    return Storage(
        size_of(database),
        size_of(wal_of(database)),
        unused * size,
        shutil.disk_usage(database.parent).free,
    )
