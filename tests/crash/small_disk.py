"""A file system that holds only so many bytes, for any user and on any system.

`SmallDisk` is a VFS under SQLite. All files in its folder share the room, those that others write
there included; a write that would lengthen a file past it is refused as SQLite's own VFS refuses
it where the system says ENOSPC.
"""

from pathlib import Path

import apsw


class SmallDisk(apsw.VFS):
    """Room for `size` bytes in one folder."""

    def __init__(self, name: str, folder: Path, size: int) -> None:
        super().__init__(name, "")
        self.name = name
        self.folder = folder
        self.refusals = 0
        self._size = size

    def free(self, _folder: Path | None = None) -> int:
        """How many bytes are left."""
        return max(0, self._size - sum(map(_size, self.folder.iterdir())))

    def fill(self, file: Path, *, leave: int = 0) -> None:
        """Let a file take up all room but some bytes."""
        with file.open("wb") as ballast:
            ballast.truncate(max(0, self.free() - leave))

    def xOpen(self, name, flags):
        return SmallFile(self, name, flags)


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:  # removed since the folder was listed
        return 0


class SmallFile(apsw.VFSFile):
    """An open file of a `SmallDisk`."""

    def __init__(self, disk, name, flags):
        super().__init__("", name, flags)
        self._disk = disk

    def xWrite(self, data, offset):
        longer = offset + len(data) - self.xFileSize()
        if longer > 0 and longer > self._disk.free():
            self._disk.refusals += 1
            raise apsw.FullError("the small disk is full")
        super().xWrite(data, offset)
