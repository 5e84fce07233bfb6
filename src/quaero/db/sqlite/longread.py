"""Reads that may take long: on a connection of their own, each ended from outside at any moment.

The readers of `Database.read` give up after ten seconds, because a long read keeps the log from
being rewound. Looking whether a whole file is sound takes as long as it takes; it is done table by
table and count by count, each in a snapshot of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import apsw

from quaero.db.sqlite.connection import open_reader, storage_errors
from quaero.errors import StorageError

R = TypeVar("R")
_STEPS_BETWEEN_LOOKS = 10_000


def long_read(
    path: Path, fn: Callable[[apsw.Connection], R], ended: Callable[[], bool] = lambda: False
) -> R:
    """Run `fn` on one snapshot of the database at `path`.

    `ended` is asked every millisecond or so; once it says so, `StorageError` is raised.
    """
    with storage_errors(path):
        connection = open_reader(path)
        connection.set_progress_handler(ended, _STEPS_BETWEEN_LOOKS)
        try:
            connection.execute("begin")
            return fn(connection)
        except apsw.InterruptError as error:
            raise StorageError(f"looking through {path} was ended") from error
        finally:
            connection.close()
