"""The key file: the keys that seal logins, each with the database it belongs to.

It lies outside the data directory, so that a copy of that directory opens nothing, and only its
owner may read it. A line is a database's name, a key's name and the key. A key's name is made from
the key, so a damaged or foreign key is noticed before it is used. The file is replaced whole, under
a lock: whoever reads it finds the old keys or the new ones.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import fcntl
import os
import secrets
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

from quaero.durable import sync
from quaero.errors import BadKey, Conflict

KEY_BYTES = 32
_LARGEST = 1024 * 1024
_HEAD = "# Keys of Quaero. Whoever has this file and a database can read the logins stored in it.\n"


@dataclass(frozen=True, slots=True)
class Key:
    """One key; `vault` names its database, `id` the key."""

    vault: str
    id: str
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeyFile:
    """The key file at `path` of a program that keeps its data in `data_dir`."""

    path: Path
    data_dir: Path

    def keys(self, vault: str) -> Mapping[str, Key]:
        """The keys of one database by name; none where there is no file. Raises `BadKey`."""
        return {key.id: key for key in self._read() if key.vault == vault}

    def first(self, vault: str) -> Key:
        """A key of the database: one that is there already, else a new one. Raises `BadKey`."""
        with self._locked():
            found = list(self.keys(vault).values())
            return found[-1] if found else self._added(vault)

    def add(self, vault: str) -> Key:
        """A new key of the database, kept beside the others. Raises `BadKey`."""
        with self._locked():
            return self._added(vault)

    def keep_only(self, vault: str, key_id: str) -> int:
        """Drop all other keys of the database; returns how many. Raises `BadKey`."""
        with self._locked():
            before = self._read()
            kept = [key for key in before if key.vault != vault or key.id == key_id]
            if len(kept) < len(before):
                self._write(kept)
            return len(before) - len(kept)

    @contextlib.contextmanager
    def rotating(self) -> Iterator[None]:
        """Be the only one that exchanges keys. Raises `Conflict` where another does so now."""
        with self._lock_of("rotate", fcntl.LOCK_EX | fcntl.LOCK_NB):
            yield

    def _added(self, vault: str) -> Key:
        secret = secrets.token_bytes(KEY_BYTES)
        key = Key(vault, _name(secret), secret)
        self._write([*self._read(), key])
        return key

    def _read(self) -> list[Key]:
        self._refuse_data_dir()
        try:
            with self.path.open("rb") as file:
                self._refuse_others(os.fstat(file.fileno()))
                content = file.read(_LARGEST).decode("utf-8")
        except FileNotFoundError:
            return []
        except UnicodeDecodeError:
            raise BadKey(f"the key file {self.path} is not text; name another file") from None
        except OSError as error:
            raise BadKey(f"the key file {self.path} cannot be read: {error.strerror}") from None
        lines = enumerate(content.splitlines(), start=1)
        return [self._key(line, at) for at, line in lines if line and not line.startswith("#")]

    def _key(self, line: str, number: int) -> Key:
        parts = line.split(" ")
        secret = b""
        if len(parts) == 3:
            with contextlib.suppress(binascii.Error, ValueError):
                secret = base64.b64decode(parts[2], validate=True)
        if len(secret) != KEY_BYTES or _name(secret) != parts[1]:
            raise BadKey(
                f"line {number} of the key file {self.path} is no whole key; put back the file as "
                "it was"
            )
        return Key(parts[0], parts[1], secret)

    def _write(self, keys: list[Key]) -> None:
        """Put a new file in the place of the old one, durably."""
        text = _HEAD + "".join(
            f"{key.vault} {key.id} {base64.b64encode(key.secret).decode()}\n" for key in keys
        )
        fresh = self.path.with_name(f"{self.path.name}.new")
        try:
            fresh.unlink(missing_ok=True)
            handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self.path)
            sync(self.path.parent)
        except OSError as error:
            raise BadKey(f"the key file {self.path} cannot be written: {error.strerror}") from None

    def _locked(self) -> contextlib.AbstractContextManager[None]:
        """Hold the file against other processes and threads that would change it."""
        return self._lock_of("lock", fcntl.LOCK_EX)

    @contextlib.contextmanager
    def _lock_of(self, ending: str, how: int) -> Iterator[None]:
        self._refuse_data_dir()
        lock = self.path.with_name(f"{self.path.name}.{ending}")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise BadKey(f"no key file can be made at {self.path}: {error.strerror}") from None
        try:
            fcntl.flock(handle, how)
            yield
        except BlockingIOError:
            raise Conflict("the keys are being exchanged by another process; wait for it") from None
        finally:
            os.close(handle)

    def _refuse_data_dir(self) -> None:
        if self.path.resolve().is_relative_to(self.data_dir.resolve()):
            raise BadKey(
                f"the key file {self.path} lies in the data directory {self.data_dir}, so a copy "
                "of that would open every login; name a place outside it in `auth.key_file`"
            )

    def _refuse_others(self, about: os.stat_result) -> None:
        if not stat.S_ISREG(about.st_mode):
            raise BadKey(f"the key file {self.path} is no file; name one in `auth.key_file`")
        if stat.S_IMODE(about.st_mode) & 0o077:
            raise BadKey(
                f"others may read or change the key file {self.path}; `chmod 600 {self.path}`"
            )


def _name(secret: bytes) -> str:
    return blake2b(secret, digest_size=8, person=b"quaero key name").hexdigest()
