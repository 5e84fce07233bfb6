"""What was written is on the disk before anybody is told so."""

from __future__ import annotations

import os
from pathlib import Path


def sync(path: Path) -> None:
    """Have the content of a file, or the names in a folder, be on the disk. Raises `OSError`."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
