"""Opening a SQLite file the way Quaero needs it, and saying in words what SQLite refuses.

WAL and `synchronous=FULL`: with power cuts replayed, NORMAL lost acknowledged rows. The busy
handler asks again every 0.3 ms; SQLite's own back-off starved processes for seconds.
"""

from __future__ import annotations

import ctypes
import errno
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import apsw

from quaero.errors import BadInput, Conflict, CorruptDatabase, DiskFull, StorageError
from quaero.program_log import program_log

WAL_LIMIT = 64 * 1024 * 1024
BUSY_STEP = 0.0003
BUSY_PATIENCE = 120.0
NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

log = program_log(__name__)


def file_at(path: str | os.PathLike[str]) -> Path:
    """The one name of a database file, whatever the working directory and the links to it.

    What lies beside the file is found by its name, so every process must come to the same one.
    Raises `BadInput` for what names no file, and `StorageError` for a folder.
    """
    if not isinstance(path, str | os.PathLike):
        raise BadInput(f"{path!r} names no database; give the path of a file")
    name = os.fspath(path)
    if not isinstance(name, str) or not name or "\x00" in name or not _is_text(name):
        raise BadInput(f"{name!r} names no database; give the path of a file as text")
    if name == ":memory:" or (name.startswith("file:") and isinstance(path, str)):
        raise BadInput(f"{name!r} is no path of a file, which a database needs; give one")
    try:
        found = Path(name).resolve()
    except RuntimeError as error:
        raise BadInput(f"{name!r} is a link that leads back to itself; name a file") from error
    with file_errors(found):
        if found.is_dir():
            raise StorageError(f"{found} cannot be opened: it is a folder; name a file in it")
    return found


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn what SQLite raises into Quaero's errors, naming the file and the way out."""
    try:
        yield
    except apsw.FullError as error:
        raise no_room(path) from error
    except apsw.NotADBError as error:
        raise CorruptDatabase(
            f"{path} is not a SQLite database, or its beginning is damaged; it was left as it is. "
            "Move it away or restore a backup."
        ) from error
    except apsw.CorruptError as error:
        raise damaged(path, error) from error
    except apsw.IOError as error:
        raise StorageError(f"{path} could not be read or written: {error}") from error
    except apsw.CantOpenError as error:
        raise StorageError(f"{path} cannot be opened: {error}") from error
    except apsw.BusyError as error:
        raise StorageError(
            f"another program has held {path} locked for {BUSY_PATIENCE:.0f} s; close it"
        ) from error
    except apsw.ReadOnlyError as error:
        raise StorageError(f"{path} is read-only for this user") from error
    except apsw.NoMemError as error:
        raise MemoryError(f"no memory left to work with {path}") from error


@contextmanager
def file_errors(path: Path) -> Iterator[None]:
    """Turn what the system refuses beside a database into Quaero's errors."""
    try:
        yield
    except OSError as error:
        if error.errno in NO_ROOM:
            raise no_room(path) from error
        raise StorageError(
            f"{path} cannot be opened: {error.filename or path}: {error.strerror or error}; "
            "choose a folder that this user may write to"
        ) from error


def damaged(path: Path | str, what: object) -> CorruptDatabase:
    """The error of a file whose content cannot be what was written to it."""
    return CorruptDatabase(
        f"{path} is damaged ({what}); nothing was changed. "
        "Look with `quaero db check`, or restore a backup."
    )


def no_room(path: Path) -> DiskFull:
    """The error of a file that there is no room left to write."""
    return DiskFull(f"no room left to write {path}; free some space, work goes on by itself")


def as_full(connection: apsw.Connection, error: BaseException) -> BaseException:
    """`FullError` for a write that failed because of a quota or a limit on file sizes."""
    if isinstance(error, apsw.IOError) and connection.system_errno in NO_ROOM:
        return apsw.FullError(str(error))
    return error


def refuse_lost_file(path: Path) -> None:
    """Raise `CorruptDatabase` where a log lies beside a database file that is gone or empty.

    SQLite would begin anew there, and remove the log. A file that is empty was in use before where
    a reserve lies beside it; one that is not there may have been removed to begin anew.
    """
    wal, reserve = wal_of(path), reserve_of(path)
    if wal.exists() and wal.stat().st_size and not (path.exists() and path.stat().st_size):
        raise CorruptDatabase(
            f"{path} is gone or empty, but its log {wal.name} is there; nothing was changed. "
            "Put the database file back, restore a backup, or move the log away to begin anew."
        )
    if _is_empty(path) and reserve.exists() and reserve.stat().st_size:
        raise CorruptDatabase(
            f"{path} is empty, but {reserve.name} says that it was not; nothing was changed. "
            "Put the database file back, restore a backup, or remove the empty file to begin anew."
        )


def reserve_of(path: Path) -> Path:
    """The file that keeps room back for a database; see `room`."""
    return path.with_name(path.name + "-reserve")


def _is_empty(path: Path) -> bool:
    return path.is_file() and not path.stat().st_size


def keep_private(path: Path) -> None:
    """Let a database that is not there yet be its owner's alone, whoever may enter its folder.

    SQLite gives its other files the same mode. Where this cannot be, SQLite says what is wrong.
    """
    if not path.exists():
        with suppress(OSError):
            path.touch(mode=0o600)


def wait_for_lock(count: int, patience: float = BUSY_PATIENCE) -> bool:
    """The busy handler: `count` earlier calls have been made for this one lock."""
    time.sleep(BUSY_STEP)
    return count * BUSY_STEP < patience


def open_writer(path: Path, vfs: str | None = None) -> apsw.Connection:
    """The connection of the one writer; creates the file where there is none.

    It changes nothing in a file that is there, also where it is closed again; `tune_writer` does.
    """
    refuse_lost_file(path)
    if vfs is None:
        keep_private(path)
    flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_NOMUTEX
    connection = apsw.Connection(str(path), flags=flags, vfs=vfs, statementcachesize=256)
    _plan_once(connection)
    _know_all_letters(connection)
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    connection.set_busy_handler(wait_for_lock)
    return connection


def tune_writer(connection: apsw.Connection) -> None:
    """Set what the writer needs, in the file and in this connection."""
    if not connection.pragma("page_count"):
        connection.pragma("auto_vacuum", "incremental")  # counts in a file that is new only
    for pragma in (
        "journal_mode=wal",
        "synchronous=full",
        "foreign_keys=on",
        "trusted_schema=off",
        "mmap_size=0",
        "cache_size=-4096",
        "temp_store=memory",
        "wal_autocheckpoint=0",
        f"journal_size_limit={WAL_LIMIT}",
    ):
        connection.pragma(*pragma.split("="))
    keep_wal = ctypes.c_int(1)
    connection.file_control("main", apsw.SQLITE_FCNTL_PERSIST_WAL, ctypes.addressof(keep_wal))


def tidy_on_close(connection: apsw.Connection) -> None:
    """Let the last connection bring the log into the file when it is closed."""
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0)


def open_reader(path: Path, vfs: str | None = None) -> apsw.Connection:
    """A connection that cannot write."""
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_NOMUTEX
    connection = apsw.Connection(str(path), flags=flags, vfs=vfs, statementcachesize=128)
    _plan_once(connection)
    _know_all_letters(connection)
    connection.set_busy_handler(wait_for_lock)
    for pragma in ("query_only=on", "trusted_schema=off", "mmap_size=0", "cache_size=-4096"):
        connection.pragma(*pragma.split("="))
    return connection


def identity(path: str) -> tuple[int, int] | None:
    """What tells a file from another that takes its place; None where it cannot be reached."""
    try:
        found = os.stat(path)  # noqa: PTH116 - before each commit; a Path doubles its cost
    except OSError:
        return None
    return found.st_dev, found.st_ino


def drop_copy(connection: apsw.Connection, *, at_rest: bool) -> None:
    """Let go of a connection that a fork has copied.

    Closed at rest it changes nothing, and SQLite forgets the locks that it believes to hold. In a
    transaction closing would roll back what the parent is writing, so it is kept for ever.
    """
    if at_rest:
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        connection.close()
    else:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))


def copied(path: Path) -> Conflict:
    """The error of a database that was opened before its process was forked."""
    return Conflict(
        f"{path} was opened before this process ({os.getpid()}) was forked; open it again here, "
        "and best open it only after the fork"
    )


def _plan_once(connection: apsw.Connection) -> None:
    """Keep a statement's plan whatever is bound to it.

    Without this SQLite prepares each statement with a bound LIMIT anew at every run: 25 to 60 µs.
    """
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)


def _know_all_letters(connection: apsw.Connection) -> None:
    """Let `lower` know the letters of all alphabets, as PostgreSQL's does; SQLite's knows ASCII."""
    connection.create_scalar_function("lower", _lowered, 1, deterministic=True)


def _lowered(*values: apsw.SQLiteValue) -> apsw.SQLiteValue:
    (value,) = values
    return value.lower() if isinstance(value, str) else value


def wal_of(path: Path) -> Path:
    """The log of a database."""
    return path.with_name(path.name + "-wal")


def size_of(path: Path) -> int:
    """The bytes of a file; 0 where there is none, as a log between two openings."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
