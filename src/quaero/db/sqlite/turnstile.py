"""A fair place in the queue for the write lock, among the processes on one file.

SQLite has no queue: whoever asks at the right moment wins, and a process that commits without
pause wins nearly always. Two locks of the operating system make a turnstile: a process waits in
the first while it waits for the second, so the one that has just left must stand behind it.
The kernel frees both when a process dies. Where there are no such locks the busy handler alone
decides.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows has none; the busy handler is enough to be correct
    fcntl = None  # type: ignore[assignment]


class Turnstile:
    """Entered before a write transaction, left after it."""

    def __init__(self, database: Path) -> None:
        self._files: list[int] = []
        if fcntl is not None:
            for name in ("-turn", "-hold"):
                path = database.with_name(database.name + name)
                self._files.append(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))

    def enter(self) -> None:
        """Wait for our turn."""
        if self._files:
            turn, hold = self._files
            fcntl.flock(turn, fcntl.LOCK_EX)
            try:
                fcntl.flock(hold, fcntl.LOCK_EX)
            finally:
                fcntl.flock(turn, fcntl.LOCK_UN)

    def leave(self) -> None:
        """Let the next one in."""
        if self._files:
            fcntl.flock(self._files[1], fcntl.LOCK_UN)

    def close(self) -> None:
        """Give the files back."""
        while self._files:
            with contextlib.suppress(OSError):
                os.close(self._files.pop())
