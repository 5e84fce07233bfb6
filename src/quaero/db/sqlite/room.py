"""How much room is left where the database lies, and what is kept back for the day it runs out.

Below the low-water mark no new work is taken on, while what runs still ends, is saved and cleaned
up. A reserve file is given back to the file system when a write finds no room at all, so that the
log can be moved into the database and cleaning up can begin; it is made again when there is room.
Room is looked at no more than once a second.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from quaero.db.sqlite.connection import reserve_of
from quaero.program_log import program_log

log = program_log(__name__)

MB = 1024 * 1024
LOW_WATER = 64 * MB
RESERVE = 8 * MB
LOOK_SECONDS = 1.0
REFUSED_SECONDS = 2.0


def free_bytes(folder: Path) -> int:
    """What the file system of a folder has left for this user."""
    return shutil.disk_usage(folder).free


class Room:
    """Whether there is room for new work beside one database.

    `free` says how many bytes the folder's file system has left.
    """

    def __init__(
        self,
        database: Path,
        *,
        low_water: int = LOW_WATER,
        reserve: int = RESERVE,
        free: Callable[[Path], int] = free_bytes,
    ) -> None:
        self._folder = database.parent
        self._reserve = reserve_of(database)
        self._low_water = low_water
        self._size = reserve
        self._free = free
        self._looked = 0.0
        self._refused = 0.0
        self._enough = True
        self._keep()

    def enough(self, inside: Callable[[], int]) -> bool:
        """Whether new work may be taken on.

        `inside` says how many bytes of the database file are free to be used again; it is asked
        only where the file system alone has too little.
        """
        now = time.monotonic()
        if now - self._looked >= LOOK_SECONDS:
            self._looked = now
            self._look(now, inside)
        return self._enough

    @property
    def short(self) -> bool:
        """Whether there was too little when it was last looked at."""
        return not self._enough

    def exhausted(self) -> bool:
        """A write found no room: give the reserve back; False where there was none any more."""
        self._refused = time.monotonic()
        self._looked = self._refused
        self._tell(enough=False)
        try:
            held = self._reserve.stat().st_size
            os.truncate(self._reserve, 0)
        except OSError:
            return False
        return held > 0

    def _look(self, now: float, inside: Callable[[], int]) -> None:
        if self._refused and now - self._refused < REFUSED_SECONDS:
            return
        self._refused = 0.0
        self._keep()
        try:
            left = self._free(self._folder)
        except OSError as error:  # then the writes themselves will tell
            log.warning("cannot tell how much room %s has: %s", self._folder, error)
            return
        self._tell(enough=left >= self._low_water or left + inside() >= self._low_water)

    def _tell(self, *, enough: bool) -> None:
        if enough is not self._enough:
            self._enough = enough
            if enough:
                log.warning("there is room again beside %s; work goes on", self._folder)
            else:
                log.warning("no room beside %s; nothing new is started", self._folder)

    def _keep(self) -> None:
        """Make the reserve where it is missing and there is room for it."""
        with contextlib.suppress(OSError):  # without a reserve there is only less to fall back on
            if self._reserve.exists() and self._reserve.stat().st_size >= self._size:
                return
            if self._free(self._folder) >= self._low_water + self._size:
                _allocate(self._reserve, self._size)


def _allocate(path: Path, size: int) -> None:
    """Make a file that really takes up so many bytes."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file, 0, size)
        else:
            os.pwrite(file, bytes(size), 0)
    finally:
        os.close(file)
