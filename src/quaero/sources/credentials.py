"""The records of logins: what may be shown of each, and its seal.

Functions of the database. None of them opens a seal; those that store one make it with a key they
are given, in the transaction that decides the record's number, and refuse one that is not the key
in use: then the caller asks for the key again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from quaero.clock import SECOND
from quaero.crawl.cookies import Cookie
from quaero.crawl.expiry import SOON, expiry_warning
from quaero.db.contract import ReadTx, Row, Tx
from quaero.errors import NotFound
from quaero.sources.capture import Capture, site_of
from quaero.sources.keys import Key
from quaero.sources.tokens import expiry_of_token
from quaero.sources.vault import Record, Secret, seal, seal_with, vault_of

MOST_LISTED = 1_000
LONGEST_DETAIL = 500
_COLUMNS = """id, base_url, site, cookies, headers, user_agent, captured_at, updated_at, expires_at,
              tested_at, test_ok, test_detail"""
_KEEPS_LOGGED_IN = re.compile(
    r"sess|sid|auth|token|login|logged|remember|jwt|sso|seraph|identity", re.IGNORECASE
)


class AnotherKey(Exception):
    """The key at hand does not seal any more, or not yet."""


@dataclass(frozen=True, slots=True)
class CredentialSummary:
    """A login as it may be shown.

    `test_ok` is None where the last test, if there was one, could not tell. Times are wall times in
    microseconds; `expires_at` is the first expiry of what keeps it logged
    in, None where nothing says when that ends.
    """

    id: int
    base_url: str
    site: str
    kind: str
    cookies: int
    headers: int
    user_agent: str | None
    captured_at: int
    updated_at: int
    expires_at: int | None
    tested_at: int | None
    test_ok: bool | None
    test_detail: str


@dataclass(frozen=True, slots=True)
class Sealed:
    """The seal of a login, and what opens it.

    `version` grows when somebody changes the login, `revision` with every seal.
    """

    record: Record
    version: int
    revision: int
    vault: str
    key_id: str
    sealed: bytes = field(repr=False)


def get(tx: ReadTx, credential_id: int) -> CredentialSummary:
    """One login. Raises `NotFound`."""
    rows = tx.execute(f"select {_COLUMNS} from credential where id = $1", (credential_id,))
    if not rows:
        raise _no_login(credential_id)
    return _summary(rows[0])


def listing(tx: ReadTx, after: int = 0, limit: int = MOST_LISTED) -> list[CredentialSummary]:
    """The logins beyond the id `after`, by id."""
    rows = tx.execute(
        f"select {_COLUMNS} from credential where id > $1 order by id limit $2", (after, limit)
    )
    return [_summary(row) for row in rows]


def revision(tx: ReadTx, credential_id: int) -> int:
    """The revision of a login. Raises `NotFound`."""
    rows = tx.execute("select revision from credential where id = $1", (credential_id,))
    if not rows:
        raise _no_login(credential_id)
    return int(rows[0][0])


def sealed(tx: ReadTx, credential_id: int) -> Sealed:
    """The seal of a login. Raises `NotFound`."""
    rows = tx.execute(
        "select id, base_url, version, revision, key_id, sealed from credential where id = $1",
        (credential_id,),
    )
    if not rows:
        raise _no_login(credential_id)
    return _sealed(rows[0], vault_of(tx)[0])


def sealed_by_others(tx: ReadTx, key_id: str, limit: int) -> list[Sealed]:
    """Seals that another key than this one opens, some of them at a time."""
    rows = tx.execute(
        """
        select id, base_url, version, revision, key_id, sealed from credential
         where key_id < $1 or key_id > $1 limit $2
        """,
        (key_id, limit),
    )
    return [_sealed(row, vault_of(tx)[0]) for row in rows]


def any_login(tx: ReadTx) -> bool:
    """Whether any login is stored."""
    return bool(tx.execute("select 1 from credential order by id limit 1"))


# -- changes


def store(tx: Tx, key: Key, seen: str | None, capture: Capture) -> tuple[int, bool]:
    """Store a login in the place of the one whose address it is at or below.

    Returns its id, and whether it is new. `seen` is the name of the key that sealed when the caller
    chose `key`. Raises `AnotherKey`.
    """
    _use(tx, key, seen)
    secret = Secret(tuple(capture.cookies), dict(capture.headers))
    known = _above(tx, capture.base_url)
    if known is not None:
        _write(tx, key, known, secret, capture)
        return known.id, False
    (id_,) = tx.ids("credential", 1)
    tx.execute(
        """
        insert into credential(id, base_url, site, cookies, headers, captured_at, updated_at,
                               version, revision, key_id, sealed)
        values ($1, $2, $3, 0, 0, $4, $5, 0, 0, $6, $7)
        """,
        (
            id_,
            capture.base_url,
            site_of(capture.base_url),
            capture.captured_at,
            tx.now,
            key.id,
            b"",
        ),
    )
    _write(tx, key, Record(id_, capture.base_url), secret, capture)
    return id_, True


def _above(tx: ReadTx, base_url: str) -> Record | None:
    """The stored login with this address, or with the nearest one above it on the same host.

    A browser may capture any page of a product, as one at `/jira` is; `/wiki` beside it is another.
    """
    origin = base_url[: base_url.index("/", len("https://"))]
    rows = tx.execute(  # every address of a host is its origin, a slash, and the rest
        "select id, base_url from credential where base_url >= $1 and base_url < $2",
        (origin + "/", origin + chr(ord("/") + 1)),
    )
    above = [row for row in rows if _folder(base_url).startswith(_folder(row[1]))]
    return Record(*max(above, key=lambda row: len(row[1]))) if above else None


def _folder(base_url: str) -> str:
    return base_url.rstrip("/") + "/"


def change(tx: Tx, key: Key, seen: str | None, old: Sealed, capture: Capture) -> bool:
    """Give the login of a seal other contents; whether it was still as it had been read."""
    _use(tx, key, seen)
    rows = tx.execute("select version from credential where id = $1", (old.record.id,))
    if not rows or rows[0][0] != old.version:
        return False
    secret = Secret(tuple(capture.cookies), dict(capture.headers))
    _write(tx, key, old.record, secret, capture)
    return True


def seal_again(tx: Tx, key: Key, old: Sealed, secret: Secret) -> bool:
    """Store a new seal of the same login; whether the old one was still the last.

    Raises `AnotherKey`.
    """
    if vault_of(tx)[1] != key.id:
        raise AnotherKey
    rows = tx.execute(
        """
        update credential set key_id = $3, sealed = $4, revision = revision + 1, expires_at = $5
         where id = $1 and revision = $2 returning id
        """,
        (
            old.record.id, old.revision, key.id, seal(key, old.record, secret),
            expires_at(secret),
        ),
    )  # fmt: skip
    return bool(rows)


def note_test(tx: Tx, credential_id: int, *, ok: bool | None, detail: str) -> CredentialSummary:
    """Keep what a test of the login found, None where it told nothing. Raises `NotFound`."""
    tx.execute(
        "update credential set tested_at = $2, test_ok = $3, test_detail = $4 where id = $1",
        (credential_id, tx.now, None if ok is None else int(ok), detail[:LONGEST_DETAIL]),
    )
    return get(tx, credential_id)


def delete(tx: Tx, credential_id: int) -> None:
    """Delete a login. Raises `NotFound`."""
    if not tx.execute("delete from credential where id = $1 returning id", (credential_id,)):
        raise _no_login(credential_id)


def _use(tx: Tx, key: Key, seen: str | None) -> None:
    """Go on where this key seals, or may from now on because nothing is sealed with another."""
    current = vault_of(tx)[1]
    if current == key.id:
        return
    if current != seen or any_login(tx):
        raise AnotherKey
    seal_with(tx, key.id)


def _write(tx: Tx, key: Key, record: Record, secret: Secret, capture: Capture) -> None:
    tx.execute(
        """
        update credential
           set cookies = $2, headers = $3, user_agent = $4, captured_at = $5, updated_at = $6,
               expires_at = $7, key_id = $8, sealed = $9, tested_at = null, test_ok = null,
               test_detail = '', version = version + 1, revision = revision + 1
         where id = $1
        """,
        (
            record.id, len(secret.cookies), len(secret.headers), capture.user_agent,
            capture.captured_at, tx.now, expires_at(secret), key.id, seal(key, record, secret),
        ),
    )  # fmt: skip


# -- expiry


def expires_at(secret: Secret) -> int | None:
    """When the login ends at the earliest, as far as its cookies and tokens say.

    Of the cookies those matter that are named like a session or kept from scripts; where there is
    none of these, all. What the site deleted does not matter any more.
    """
    newer = {(each.name, each.domain, each.path) for each in secret.learned}
    given = [c for c in secret.cookies if (c.name, c.domain, c.path) not in newer]
    cookies: Sequence[Cookie] = (*given, *(c for c in secret.learned if c.value))
    named = [c for c in cookies if c.http_only or _KEEPS_LOGGED_IN.search(c.name)]
    ends = [c.expires for c in (named or cookies) if c.expires is not None]
    ends += [
        end * SECOND for end in map(expiry_of_token, secret.headers.values()) if end is not None
    ]
    return min(ends, default=None)


def warnings(tx: ReadTx) -> list[str]:
    """A sentence for each login that has expired or will within a day, the first 20."""
    rows = tx.execute(
        """
        select base_url, expires_at from credential
         where expires_at < $1 order by expires_at limit 20
        """,
        (tx.now + SOON,),
    )
    return [f"the login for {url} {expiry_warning(end, tx.now)}" for url, end in rows]


def _no_login(credential_id: int) -> NotFound:
    return NotFound(f"there is no login {credential_id}; `quaero auth list` shows those there are")


def _sealed(row: Row, vault: str) -> Sealed:
    id_, base_url, version, revision, key_id, content = row
    return Sealed(Record(id_, base_url), version, revision, vault, key_id, content)


def _summary(row: Row) -> CredentialSummary:
    cookies, headers = row[3], row[4]
    kind = "both" if cookies and headers else "token" if headers else "cookies"
    ok = None if row[10] is None else bool(row[10])
    return CredentialSummary(
        id=row[0],
        base_url=row[1],
        site=row[2],
        kind=kind,
        cookies=cookies,
        headers=headers,
        user_agent=row[5],
        captured_at=row[6],
        updated_at=row[7],
        expires_at=row[8],
        tested_at=row[9],
        test_ok=ok,
        test_detail=row[11],
    )
