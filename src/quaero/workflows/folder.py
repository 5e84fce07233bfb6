"""The folder of definitions: each file in it is one, and follows the file when that changes.

A file that cannot be understood changes nothing: what was in force stays, and the problem is told.
A definition that was made elsewhere is never overwritten by a file of the same id, nor a file by
anything but the change of a person who saw its present text. A file that is renamed keeps its
definition, and one that could not be in force is looked at again with every change of the folder,
as what it waited for may be in another file.

A folder that is not there, as where its disk is not mounted, changes nothing either; nor does that
of a process which is set to another folder than one that works already.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quaero.db.contract import Database, ReadTx, Tx
from quaero.db.processes import states
from quaero.durable import sync
from quaero.errors import BadInput, Conflict, QuaeroError
from quaero.loops import Loop
from quaero.program_log import program_log
from quaero.workflows import definitions
from quaero.workflows.definition import Definition
from quaero.workflows.text import MOST_BYTES, Checked, Fault, Format, check

log = program_log(__name__)

ENDINGS: dict[str, Format] = {".toml": "toml", ".json": "json"}
MOST_FILES = 2_000
LOOK_SECONDS = 2.0
SETTLE_SECONDS = 0.3
_TOLD = "definitions"
_NO_TEXT = Fault(None, "", f"it is no UTF-8 text of at most {MOST_BYTES} bytes")


@dataclass(frozen=True, slots=True)
class File:
    """A file of the folder: the definition it holds, or why it holds none."""

    path: str
    definition_id: str | None
    problem: str | None


@dataclass(frozen=True, slots=True)
class _Seen:
    path: str
    stamp: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class _Listing:
    """What lies in the folder; `place` tells this folder from another in its place.

    `bare`: nothing at all lies in it, as in one on which nothing is mounted, or it is missing.
    """

    seen: frozenset[_Seen] = frozenset()
    place: tuple[int, int] | None = None
    bare: bool = True


@dataclass(frozen=True, slots=True)
class _Text:
    """What a file holds, and what it was understood as."""

    text: str
    hash: str
    checked: Checked


class Folder:
    """Keeps the stored definitions like the files of a folder.

    `looked` is set when the folder was looked at for the first time, well or not.
    """

    def __init__(self, db: Database, path: Path, actions: Mapping[str, Any]) -> None:
        self.loop = Loop("definitions", LOOK_SECONDS)
        self.path = path
        self.looked = asyncio.Event()
        self._db = db
        self._actions = actions
        self._seen: frozenset[_Seen] | None = None
        self._place: tuple[int, int] | None = None

    @property
    def told(self) -> dict[str, str]:
        """What the other processes have to know: the folder that this one follows."""
        return {_TOLD: str(self.path.resolve())}

    async def run(self) -> None:
        """Look for changes again and again; runs until it is cancelled."""
        while True:
            try:
                await self.sync()
            except Exception as error:  # noqa: BLE001 - schedules go on whatever lies in a folder
                before = self.loop.error
                self.loop.failed(error)
                if self.loop.error != before:
                    log.warning("the definitions in %s cannot be read now: %s", self.path, error)
            else:
                self.loop.turn()
            self.looked.set()
            await asyncio.sleep(LOOK_SECONDS)

    async def sync(self) -> bool:
        """Store what has changed in the folder; False where nothing has, by size and time.

        Raises `Conflict` where another process follows another folder, `BadInput` where the folder
        of the stored files is not there.
        """
        await self._db.read(_one_folder, self.told[_TOLD])
        seen = await self._look()
        if seen == self._seen:
            return False
        if self._seen is not None and _names(self._seen) - _names(seen):
            await asyncio.sleep(SETTLE_SECONDS)  # an editor may be about to put a new one there
            seen = await self._look()
        texts = await asyncio.to_thread(_read, self.path, sorted(each.path for each in seen))
        if texts.keys() != _names(seen):
            await self._look()  # they may have gone with the whole folder
        understood = await asyncio.to_thread(_understood, texts, self._actions)
        await self._db.write(_store, understood)
        self._seen = seen
        return True

    async def _look(self) -> frozenset[_Seen]:
        """The files there are; in a folder that was never seen with a file they may be missing."""
        found = await asyncio.to_thread(_look, self.path)
        if found.bare and (found.place is None or found.place != self._place):
            await self._db.read(_none_kept, self.path)
        elif found.seen:
            self._place = found.place
        return found.seen


def _one_folder(tx: ReadTx, own: str) -> None:
    """Raise `Conflict` where the process that has worked longest follows another folder."""
    for process in states(tx):
        other = process.report.more.get(_TOLD) if process.alive else None
        if other == own:
            return
        if other is not None:
            raise Conflict(
                f"process {process.pid} on {process.host} follows the definitions in {other}; give "
                "both the same `workflows.directory`, or let one of them begin nothing by the "
                "clock (`workflows.schedules`)"
            )


def _none_kept(tx: ReadTx, folder: Path) -> None:
    """Raise `BadInput` where definitions are stored of files that lie in a folder no more."""
    for (path,) in tx.execute("select path from definition_file order by path limit 1"):
        raise BadInput(
            f"the folder {folder} is missing or holds nothing, not even {path}: is its disk "
            "mounted? Its definitions stay in force as they were; to take them out, put any other "
            "file there"
        )


def files(tx: ReadTx) -> list[File]:
    """The files of the folder as they were last read."""
    rows = tx.execute("select path, definition_id, problem from definition_file order by path")
    return [File(*row) for row in rows]


def replace(folder: Path, name: str, text: str, seen: str) -> None:
    """Write a file of the folder anew, whole or not at all, if its text is still the one seen.

    Raises `Conflict` where it is not, and `BadInput` where the file cannot be written.
    """
    path = _inside(folder, name)
    try:
        with _alone(folder):
            if path.read_bytes().decode() != seen:
                raise Conflict(f"the file {name} was changed meanwhile; load it anew")
            _write(path.resolve(), text)
    except UnicodeDecodeError as error:
        raise Conflict(f"the file {name} is no text now; look at it") from error
    except OSError as error:
        raise BadInput(f"the file {path} cannot be written: {error.strerror}") from error


def _write(path: Path, text: str) -> None:
    """Put a text in the place of a file that is no link, with its rights; on the disk at the end.

    Raises `OSError`.
    """
    made = path.with_name(f".{path.name}.new")
    made.write_bytes(text.encode())
    made.chmod(stat.S_IMODE(path.stat().st_mode))
    sync(made)
    made.replace(path)
    sync(path.parent)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Be the only one of this program's threads and processes that writes files of the folder."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def take(tx: Tx, name: str, text: str, definition: Definition) -> None:
    """Store a file that was just written, before the next look at the folder does."""
    rows = tx.execute("select definition_id from definition_file where path = $1", (name,))
    before = rows[0][0] if rows else None
    if problem := _store_file(tx, name, _text(text, Checked(definition, [])), before):
        raise Conflict(f"{name} is written, but not in force: {problem}")
    if before is not None:
        _forget(tx, before)


def _inside(folder: Path, name: str) -> Path:
    if Path(name).name != name or Path(name).suffix not in ENDINGS:
        raise BadInput(f"{name!r} is no file of the definitions' folder")
    return folder / name


def _look(folder: Path) -> _Listing:
    """The files there are, with what changes when they do. A folder that is missing is empty."""
    try:
        place = folder.stat()
        with os.scandir(folder) as entries:
            found = [_seen(entry) for entry in entries]
    except FileNotFoundError:
        return _Listing()
    seen = frozenset(each for each in found if each is not None)
    if len(seen) > MOST_FILES:
        raise BadInput(f"{folder} has {len(seen)} definitions; {MOST_FILES} is the most")
    return _Listing(seen, (place.st_dev, place.st_ino), bare=not found)


def _names(seen: frozenset[_Seen]) -> set[str]:
    return {each.path for each in seen}


def _seen(entry: os.DirEntry[str]) -> _Seen | None:
    """An entry of the folder, if it is a file for a definition, as far as it can be looked at."""
    if Path(entry.name).suffix not in ENDINGS or entry.name.startswith("."):
        return None
    try:
        info = entry.stat() if entry.is_file() else None
    except FileNotFoundError:  # gone since the folder was listed
        return None
    except OSError:  # a link to itself, say; reading it tells why
        return _Seen(entry.name, (0, 0, 0))
    if info is None:
        return None
    return _Seen(entry.name, (info.st_ctime_ns, info.st_size, info.st_ino))


def _read(folder: Path, names: list[str]) -> dict[str, str | Fault]:
    """The texts of files, or why there is none."""
    texts: dict[str, str | Fault] = {}
    for name in names:
        try:
            with (folder / name).open("rb") as file:
                data = file.read(MOST_BYTES + 1)
            texts[name] = data.decode("utf-8") if len(data) <= MOST_BYTES else _NO_TEXT
        except UnicodeDecodeError:
            texts[name] = _NO_TEXT
        except FileNotFoundError:
            continue
        except OSError as error:
            texts[name] = Fault(None, "", f"it cannot be read: {error.strerror}")
    return texts


def _understood(
    texts: Mapping[str, str | Fault], actions: Mapping[str, Any]
) -> dict[str, _Text]:  # fmt: skip
    found = {}
    for path, text in texts.items():
        if isinstance(text, Fault):
            found[path] = _text("", Checked(None, [text]))
        else:
            found[path] = _text(text, check(text, ENDINGS[Path(path).suffix], actions))
    return found


def _text(text: str, checked: Checked) -> _Text:
    return _Text(text, hashlib.sha256(text.encode()).hexdigest(), checked)


def _store(tx: Tx, texts: Mapping[str, _Text]) -> None:
    """Have the stored definitions be those of the files; what no file holds any more goes last."""
    known = {
        path: (hash_, definition_id, problem)
        for path, hash_, definition_id, problem in tx.execute(
            "select path, hash, definition_id, problem from definition_file order by path"
        )
    }
    left = {known[path][1] for path in known.keys() - texts.keys()}
    for path in known.keys() - texts.keys():
        tx.execute("delete from definition_file where path = $1", (path,))
    waiting = [
        path
        for path, text in texts.items()
        if known.get(path, ("",))[0] != text.hash or known[path][2] is not None
    ]
    _give_up(tx, [path for path in waiting if _is_another(texts[path], known.get(path))])
    problems: dict[str, str] = {}
    while waiting:
        problems = {}
        for path in waiting:
            before = known.get(path, ("", None))[1]
            if problem := _store_file(tx, path, texts[path], before):
                problems[path] = problem
            else:
                left.add(before)
        if len(problems) == len(waiting):
            break
        waiting = list(problems)
    for path, problem in problems.items():
        log.warning("the definition in %s is not in force: %s", path, problem)
    for definition_id in sorted(each for each in left if each is not None):
        _forget(tx, definition_id)


def _is_another(text: _Text, known: tuple[Any, ...] | None) -> bool:
    """Whether a file holds a definition of another id than it did."""
    wanted = text.checked.definition
    return known is not None and wanted is not None and wanted.id != known[1]


def _give_up(tx: Tx, paths: Sequence[str]) -> None:
    """Let files that hold other definitions now keep no file from those they held.

    So files can change names or ids with one another.
    """
    for path in paths:
        tx.execute("update definition_file set definition_id = null where path = $1", (path,))


def _store_file(tx: Tx, path: str, text: _Text, before: str | None) -> str | None:
    """Put what a file holds in force; returns why that cannot be, None if it is."""
    definition_id, problem = before, None
    if text.checked.definition is None:
        problem = "; ".join(str(fault) for fault in text.checked.faults[:10])
    else:
        try:
            _own(tx, path, text.checked.definition.id)
            format_ = ENDINGS[Path(path).suffix]
            definitions.save(tx, text.checked.definition, text.text, format_, "file")
            definition_id = text.checked.definition.id
        except QuaeroError as error:
            problem = str(error)
            if before is not None and _other(tx, path, before) is not None:
                definition_id = None
    tx.execute(
        """
        insert into definition_file(path, hash, definition_id, problem) values($1, $2, $3, $4)
            on conflict(path) do update set hash = excluded.hash,
                definition_id = excluded.definition_id, problem = excluded.problem
        """,
        (path, text.hash, definition_id, problem),
    )
    return problem


def _own(tx: ReadTx, path: str, definition_id: str) -> None:
    if (other := _other(tx, path, definition_id)) is not None:
        raise Conflict(f"{definition_id!r} is defined in {other} already; give it another id")


def _other(tx: ReadTx, path: str, definition_id: str) -> str | None:
    """Another file that holds a definition."""
    rows = tx.execute(
        "select path from definition_file where definition_id = $1 and path <> $2 limit 1",
        (definition_id, path),
    )
    return rows[0][0] if rows else None


def _forget(tx: Tx, definition_id: str) -> None:
    """Take out a definition that no file holds; one that others run stays, as the database's."""
    if tx.execute(
        "select 1 from definition_file where definition_id = $1 limit 1", (definition_id,)
    ):
        return
    try:
        definitions.forget(tx, definition_id)
    except Conflict as error:
        log.warning("the definition %s stays though its file is gone: %s", definition_id, error)
        tx.execute("update definition set origin = 'own' where id = $1", (definition_id,))
