"""The files of a folder, in the order of their addresses, without leaving it.

Folders are opened by descriptors, one in the other, and links to folders are not followed, so no
link and no renaming while we walk leads out of the base. A link to a file counts where what it
leads to is a regular file inside the base. Devices, sockets and pipes, and what begins with a dot,
are passed over. Memory is bounded by the largest folder on the way.

The order is that of the addresses as bytes. So a batch of files covers a range of addresses, and
what is stored in that range and was not met is gone.
"""

from __future__ import annotations

import os
import re
import stat
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from urllib.parse import quote

from quaero.crawl.patterns import Patterns
from quaero.errors import Permanent

READABLE = re.compile(rb"\.(?:md|markdown|mdown|txt|text|rst|html?|xhtml)\Z", re.IGNORECASE)
_SAFE = "!$&'()*+,;=:@-._~"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_LAST = "\x7f"  # behind every sign of an address
_HOST = "https://folder/"


@dataclass(frozen=True, slots=True)
class File:
    """A file that was met: its path below the base as bytes, its address, size and change time.

    `refusal` is the word of reason where it is not to be read.
    """

    path: bytes
    url: str
    size: int
    changed: int
    refusal: str | None = None


@dataclass(frozen=True, slots=True)
class Unseen:
    """A folder that was not looked into; nothing is known of what lies below `prefix`."""

    prefix: str
    reason: str

    @property
    def end(self) -> str:
        """An address behind all that lie below it."""
        return self.prefix + _LAST


class PathRules:
    """Include and exclude patterns for paths below a base, and how deep it is read.

    A path is compared with a leading slash (`/guide/*`), and a glob without one is given it.
    """

    def __init__(
        self, include: Iterable[str] = (), exclude: Iterable[str] = (),
        within: Iterable[str] = (), max_depth: int = 1_000,
    ) -> None:  # fmt: skip
        """Raises `BadPattern` for the first pattern that cannot be used."""
        self.max_depth = max_depth
        self._exclude = Patterns(map(rooted, exclude))
        self._needed = [Patterns(map(rooted, texts)) for texts in (within, include)]

    def refusal(self, path: bytes) -> str | None:
        """Why the file at this path is not read: `exclude`, `include`, or None."""
        address = _HOST + quoted(path)
        if self._exclude.match(address):
            return "exclude"
        if any(needed and not needed.match(address) for needed in self._needed):
            return "include"
        return None


def rooted(pattern: str) -> str:
    """A pattern for paths as one for addresses."""
    return pattern if pattern.startswith(("/", "*", "re:")) else f"/{pattern}"


def quoted(path: bytes) -> str:
    """A path as it stands in an address (RFC 8089, RFC 3986)."""
    return quote(path, safe=_SAFE + "/")


def address_of(base: str) -> str:
    """The address of a folder, with a slash at its end."""
    return "file://" + quoted(os.fsencode(base)).rstrip("/") + "/"


@dataclass(slots=True)
class _Level:
    """A folder on the way: its descriptor, path, and entries still to be looked at."""

    handle: int
    path: bytes
    left: Iterator[tuple[str, os.DirEntry[str]]]


@dataclass(slots=True)
class Walk:
    """One walk through a base, from the address `after` on; to be closed, on any thread."""

    base: str
    rules: PathRules
    after: str = ""
    _prefix: str = field(init=False)
    _real: bytes = field(init=False)
    _levels: list[_Level] = field(init=False, default_factory=list)
    _turn: threading.Lock = field(init=False, default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._prefix = address_of(self.base)
        self._real = os.path.realpath(os.fsencode(self.base))
        try:
            handle = os.open(self._real, _FOLDER)
        except OSError as error:
            raise Permanent(f"the folder {self.base} cannot be read: {error.strerror}") from error
        self._levels.append(_Level(handle, b"", _sorted(handle)))

    def take(self, most: int) -> list[File | Unseen]:
        """The next entries, at most so many; an empty list at the end, and once it is closed."""
        with self._turn:
            return list(islice(self._met(), most))

    def close(self) -> None:
        """Close what is open, once a `take` under way on another thread has ended."""
        with self._turn:
            while self._levels:
                os.close(self._levels.pop().handle)

    def _met(self) -> Iterator[File | Unseen]:
        while self._levels:
            level = self._levels[-1]
            found = next(level.left, None)
            if found is None:
                os.close(self._levels.pop().handle)
                continue
            path = level.path + os.fsencode(found[1].name)
            met = self._entry(level, found[1], path)
            if met is not None:
                yield met

    def _entry(self, level: _Level, entry: os.DirEntry[str], path: bytes) -> File | Unseen | None:
        url = self._prefix + quoted(path)
        with suppress(FileNotFoundError):  # gone since the folder was listed
            if entry.is_dir(follow_symlinks=False):
                return self._enter(level, path, url + "/")
            if url <= self.after or not READABLE.search(path):
                return None
            if entry.is_symlink():
                return self._link(path, url)
            if entry.is_file(follow_symlinks=False):
                return self._file(path, url, entry)
        return None

    def _file(self, path: bytes, url: str, entry: os.DirEntry[str]) -> File:
        """A file, refused where it cannot be looked at. Raises `FileNotFoundError`."""
        try:
            seen = entry.stat(follow_symlinks=False)
        except PermissionError:  # names can be read in its folder, and no more
            return File(path, url, 0, 0, "unreadable")
        return File(path, url, seen.st_size, seen.st_mtime_ns, self.rules.refusal(path))

    def _enter(self, level: _Level, path: bytes, prefix: str) -> Unseen | None:
        if prefix + _LAST <= self.after:
            return None
        if path.count(b"/") + 1 > self.rules.max_depth:
            return Unseen(prefix, "depth")
        try:
            handle = os.open(path.rpartition(b"/")[2], _FOLDER, dir_fd=level.handle)
        except FileNotFoundError:
            return None
        except OSError:
            return Unseen(prefix, "unreadable")
        try:
            self._levels.append(_Level(handle, path + b"/", _sorted(handle)))
        except OSError:
            os.close(handle)
            return Unseen(prefix, "unreadable")
        return None

    def _link(self, path: bytes, url: str) -> File | None:
        """A link, where it leads to a file; one that leads out of the base is refused."""
        target = os.path.realpath(self._real + b"/" + path)
        try:
            seen = os.stat(target)  # noqa: PTH116 - a path of bytes
        except PermissionError:
            return File(path, url, 0, 0, "unreadable")
        except OSError:
            return None
        if not stat.S_ISREG(seen.st_mode):
            return None
        inside = is_below(target, self._real)
        refusal = self.rules.refusal(path) if inside else "outside"
        return File(path, url, seen.st_size, seen.st_mtime_ns, refusal)


def is_below(path: bytes, base: bytes) -> bool:
    """Whether a real path lies below a real base."""
    return path.startswith(base.rstrip(b"/") + b"/")


def _sorted(handle: int) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """The entries of a folder in the order of their addresses, without hidden ones."""
    with os.scandir(handle) as found:
        entries = [(_key(entry), entry) for entry in found if not entry.name.startswith(".")]
    return iter(sorted(entries, key=lambda each: each[0]))


def _key(entry: os.DirEntry[str]) -> str:
    try:
        folder = entry.is_dir(follow_symlinks=False)
    except OSError:
        folder = False
    return quoted(os.fsencode(entry.name)) + ("/" if folder else "")
