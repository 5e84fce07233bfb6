"""What may not be shown of a login, sealed and opened.

AES-GCM with a key of 256 bits and a nonce drawn for each seal (NIST SP 800-38D, 8.2.2). The
record's number and its base address are authenticated with it, so a seal that is moved to another
record, or whose record is given another address, does not open. The database says which key seals
now; the key file holds it.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from quaero.crawl.cookies import Cookie
from quaero.db.contract import ReadTx, Tx
from quaero.errors import BadKey
from quaero.sources.keys import Key, KeyFile

NONCE_BYTES = 12


class Secret(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a login is made of.

    `learned` are the cookies that the sites set since, each for exactly the host that set it.
    """

    cookies: tuple[Cookie, ...] = ()
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    learned: tuple[Cookie, ...] = ()

    def __repr__(self) -> str:
        """How much there is, never what."""
        return f"Secret(cookies={len(self.cookies)}, headers={len(self.headers)})"


@dataclass(frozen=True, slots=True)
class Record:
    """Whose seal it is: the record's number, and the address it is bound to."""

    id: int
    base_url: str

    @property
    def bound(self) -> bytes:
        """What is authenticated with the seal."""
        return f"quaero login 1\0{self.id}\0{self.base_url}".encode()


def seal(key: Key, record: Record, secret: Secret) -> bytes:
    """The secret as only the key and the same record open it again."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(key.secret).encrypt(nonce, msgspec.json.encode(secret), record.bound)


def unseal(key: Key, record: Record, sealed: bytes) -> Secret:
    """What was sealed. Raises `BadKey` where key or record is another, or the seal is damaged."""
    nonce, rest = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
    try:
        text = AESGCM(key.secret).decrypt(nonce, rest, record.bound)
    except (InvalidTag, ValueError):
        raise BadKey(
            f"the login {record.id} for {record.base_url} does not open: it was changed or damaged "
            "in the database; delete it and store it anew"
        ) from None
    return msgspec.json.decode(text, type=Secret)


class Keys:
    """The keys of one database, read from the key file when they are needed."""

    def __init__(self, file: KeyFile) -> None:
        self.file = file
        self._known: Mapping[str, Key] = {}

    def get(self, vault: str, key_id: str) -> Key:
        """The key of that name. Raises `BadKey` naming the file where it is not."""
        if key_id not in self._known:
            self._known = self.file.keys(vault)
        if key_id not in self._known:
            raise BadKey(self._missing(key_id))
        return self._known[key_id]

    def sealing(self, vault: str, key_id: str | None) -> Key:
        """The key that seals now; the database's first one where it has none yet.

        It is read anew, so nothing is sealed with a key that is kept nowhere any more. Raises
        `BadKey`.
        """
        if key_id is None:
            return self.file.first(vault)
        kept = self.file.keys(vault)
        if key_id not in kept:
            raise BadKey(self._missing(key_id))
        return kept[key_id]

    def _missing(self, key_id: str) -> str:
        there = "does not have it" if self.file.path.exists() else "is not there"
        return (
            f"the logins are sealed with the key {key_id}, and the key file {self.file.path} "
            f"{there}; put back the file they were stored with or name it in `auth.key_file`, or "
            "delete the logins and store them anew"
        )


def vault_of(tx: ReadTx) -> tuple[str, str | None]:
    """The name of this database in key files, and the name of the key that seals now."""
    ((vault, key_id),) = tx.execute("select id, key_id from vault")
    return str(vault), key_id


def seal_with(tx: Tx, key_id: str) -> None:
    """Let this key seal from now on."""
    tx.execute("update vault set key_id = $1", (key_id,))
