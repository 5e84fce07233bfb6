"""Pairing browser extensions: a code for one of them, and what it is exchanged for.

The code is short, so that people can copy it: it lives for five minutes, can be tried five times,
works once, and only a slow hash of it (scrypt, RFC 7914) is kept. What it is exchanged for is a
token of 32 random bytes, of which a hash is kept, bound to the exact origin that asked.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from dataclasses import dataclass

from quaero.clock import MINUTE
from quaero.db.contract import Database, ReadTx, Tx
from quaero.errors import NotFound

CODE_LIFE = 5 * MINUTE
MOST_TRIES = 5
LETTERS = "ABCDEFGHJKMNPQRSTVWXYZ23456789"
LENGTH = 8
TOKEN_BYTES = 32
_USED_EVERY = MINUTE


@dataclass(frozen=True, slots=True)
class Extension:
    """An extension that may hand over logins; times are wall times in microseconds."""

    id: int
    origin: str
    paired_at: int
    used_at: int | None


class Pairing:
    """The extensions of one database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def offer(self) -> tuple[str, int]:
        """A new code, in the place of the last, and when it ends."""
        code = "".join(secrets.choice(LETTERS) for _ in range(LENGTH))
        salt = secrets.token_bytes(16)
        digest = await asyncio.to_thread(_slow_hash, code, salt)
        return f"{code[:4]}-{code[4:]}", await self._db.write(_offer, salt, digest)

    async def offered(self) -> bool:
        """Whether a code can be exchanged now."""
        return await self._db.read(_offered)

    async def exchange(self, origin: str, code: str) -> str | None:
        """The token of an extension, for the code of now; None for any other."""
        salt = await self._db.write(_begin_try)
        if salt is None:
            return None
        plain = code.upper().replace("-", "").replace(" ", "")[: 2 * LENGTH]
        digest = await asyncio.to_thread(_slow_hash, plain, salt)
        token = secrets.token_urlsafe(TOKEN_BYTES)
        paired = await self._db.write(_pair, salt, digest, origin, _hash(token))
        return token if paired else None

    async def paired(self, origin: str) -> bool:
        """Whether an extension of that origin is paired."""
        return await self._db.read(_token_hash, origin) is not None

    async def admits(self, origin: str, token: str) -> bool:
        """Whether the token is the one that this origin was given."""
        kept = await self._db.read(_token_hash, origin)
        if kept is None or not hmac.compare_digest(kept, _hash(token)):
            return False
        await self._db.write(_note_use, origin)
        return True


def extensions(tx: ReadTx) -> list[Extension]:
    """All paired extensions, by id."""
    rows = tx.execute("select id, origin, paired_at, used_at from extension order by id limit 1000")
    return [Extension(*row) for row in rows]


def revoke(tx: Tx, extension_id: int) -> None:
    """Let an extension in no more. Raises `NotFound`."""
    if not tx.execute("delete from extension where id = $1 returning id", (extension_id,)):
        raise NotFound(f"there is no paired extension {extension_id}")


def _offer(tx: Tx, salt: bytes, digest: bytes) -> int:
    tx.execute("delete from pairing where id = 1")
    tx.execute(
        "insert into pairing(id, salt, hash, expires_at, tries) values (1, $1, $2, $3, 0)",
        (salt, digest, tx.now + CODE_LIFE),
    )
    return tx.now + CODE_LIFE


def _offered(tx: ReadTx) -> bool:
    return bool(
        tx.execute(
            "select 1 from pairing where id = 1 and expires_at > $1 and tries < $2",
            (tx.now, MOST_TRIES),
        )
    )


def _begin_try(tx: Tx) -> bytes | None:
    """Charge a try before it is known how it ends; returns the salt, None where none is left."""
    rows = tx.execute(
        """
        update pairing set tries = tries + 1
         where id = 1 and expires_at > $1 and tries < $2 returning salt
        """,
        (tx.now, MOST_TRIES),
    )
    return rows[0][0] if rows else None


def _pair(tx: Tx, salt: bytes, digest: bytes, origin: str, token_hash: bytes) -> bool:
    """Use up the code, if it is this one, for an extension of this origin."""
    rows = tx.execute("select hash from pairing where id = 1 and salt = $1", (salt,))
    if not rows or not hmac.compare_digest(rows[0][0], digest):
        return False
    tx.execute("delete from pairing where id = 1")
    tx.execute("delete from extension where origin = $1", (origin,))
    tx.execute(
        "insert into extension(origin, token_hash, paired_at) values ($1, $2, $3)",
        (origin, token_hash, tx.now),
    )
    return True


def _token_hash(tx: ReadTx, origin: str) -> bytes | None:
    rows = tx.execute("select token_hash from extension where origin = $1", (origin,))
    return rows[0][0] if rows else None


def _note_use(tx: Tx, origin: str) -> None:
    tx.execute(
        "update extension set used_at = $2 where origin = $1 and coalesce(used_at, 0) < $3",
        (origin, tx.now, tx.now - _USED_EVERY),
    )


def _slow_hash(code: str, salt: bytes) -> bytes:
    return hashlib.scrypt(code.encode(), salt=salt, n=2**14, r=8, p=1, dklen=32)


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
