"""A disk that remembers: every write, sync and truncation of a database and its log, in order.

`Recorder` is a VFS under SQLite that notes what it is asked to do and does it. `states` replays the
notes up to some moment as a disk without power may have kept them: what was synced is there, of
what was not each sector of 512 bytes may or may not be.
"""

import itertools
from dataclasses import dataclass, field
from pathlib import Path

import apsw

SECTOR = 512
FILES = {"db": "", "wal": "-wal", "journal": "-journal"}


@dataclass
class Note:
    """One thing that happened: `write`, `sync` or `truncate` of a file, or a commit's `ack`."""

    what: str
    file: str = ""
    at: int = 0
    data: bytes = b""


class Recorder(apsw.VFS):
    """Passes everything on to the system's own VFS, and notes what changes files."""

    def __init__(self, name):
        super().__init__(name, "")
        self.name = name
        self.notes = []
        self.on = False

    def xOpen(self, name, flags):
        kind = ""
        if flags[0] & apsw.SQLITE_OPEN_MAIN_DB:
            kind = "db"
        elif flags[0] & apsw.SQLITE_OPEN_WAL:
            kind = "wal"
        elif flags[0] & apsw.SQLITE_OPEN_MAIN_JOURNAL:
            kind = "journal"
        return RecordedFile(self, kind, name, flags)

    def xDelete(self, name, syncdir):
        super().xDelete(name, syncdir)
        if name.endswith("-journal"):
            self.note("truncate", "journal")
            if syncdir:
                self.note("sync", "journal")

    def note(self, what, file="", at=0, data=b""):
        if self.on:
            self.notes.append(Note(what, file, at, bytes(data)))


class RecordedFile(apsw.VFSFile):
    """An open file of a `Recorder`; other kinds than database, log and journal are not noted.

    The journal guards the first writes of a new file, before it has a log.
    """

    def __init__(self, recorder, kind, name, flags):
        super().__init__("", name, flags)
        self._note = recorder.note if kind else lambda *_: None
        self._kind = kind

    def xWrite(self, data, offset):
        super().xWrite(data, offset)
        self._note("write", self._kind, offset, data)

    def xSync(self, flags):
        super().xSync(flags)
        self._note("sync", self._kind)

    def xTruncate(self, size):
        super().xTruncate(size)
        self._note("truncate", self._kind, size)


@dataclass
class Disk:
    """The files as they are for sure, what has been asked for since, and the last commit told."""

    sure: dict[str, bytearray]
    pending: dict[str, list] = field(default_factory=lambda: {name: [] for name in FILES})
    acknowledged: int = 0

    def hear(self, note):
        if note.what == "ack":
            self.acknowledged = note.at
        elif note.what == "sync":
            for each in self.pending[note.file]:
                _apply(self.sure[note.file], each)
            self.pending[note.file].clear()
        else:
            self.pending[note.file].append(note)

    def after_the_cut(self, rng):
        """Files as one power cut may leave them."""
        chance = rng.choice([0.0, 0.2, 0.5, 0.8, 1.0])
        files = {}
        for name, sure in self.sure.items():
            files[name] = bytearray(sure)
            for note in self.pending[name]:
                for part in _sectors(note):
                    if rng.random() < chance:
                        _apply(files[name], part)
        return files


def _apply(content, note):
    if note.what == "truncate":
        del content[note.at :]
        return
    if len(content) < note.at:
        content.extend(bytes(note.at - len(content)))
    content[note.at : note.at + len(note.data)] = note.data


def _sectors(note):
    """A note in the pieces that a disk writes whole."""
    if note.what != "write":
        return [note]
    cuts = [0, *range(SECTOR - note.at % SECTOR, len(note.data), SECTOR), len(note.data)]
    return [
        Note("write", note.file, note.at + start, note.data[start:end])
        for start, end in itertools.pairwise(cuts)
    ]


def states(before, notes, count, rng):
    """Replay `notes` over the files of `before`; yields `count` times (files, last commit told)."""
    moments = sorted(rng.randrange(len(notes) + 1) for _ in range(count))
    disk = Disk({name: bytearray(content) for name, content in before.items()})
    heard = 0
    for moment in moments:
        for note in notes[heard:moment]:
            disk.hear(note)
        heard = moment
        yield disk.after_the_cut(rng), disk.acknowledged


def content(path: Path) -> dict[str, bytes]:
    """The files of a database as they are."""
    files = {name: path.with_name(path.name + ending) for name, ending in FILES.items()}
    return {name: each.read_bytes() if each.exists() else b"" for name, each in files.items()}


def lay(files, path: Path) -> None:
    """Write files of a state as a database at `path`."""
    for name, ending in FILES.items():
        if files[name] or name != "journal":
            path.with_name(path.name + ending).write_bytes(files[name])
