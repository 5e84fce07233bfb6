"""Logins in this process: opened for crawls, kept fresh, tested, and sealed with another key.

This is the only place where a stored secret is plain. It goes into `Login` objects, whose `repr`
shows none, and from there into the requests of a site; what a site sets anew comes back here and is
sealed again, a few seconds' worth at a time. A process that has no key fails with the name of the
file it looked for.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from quaero.clock import Clock
from quaero.crawl.cookies import Cookie
from quaero.crawl.login import Login
from quaero.db.contract import Database, ReadTx
from quaero.errors import BadKey, Conflict, NotFound, QuaeroError
from quaero.program_log import program_log
from quaero.sources import credentials
from quaero.sources.capture import Capture, checked
from quaero.sources.credentials import AnotherKey, CredentialSummary, Sealed
from quaero.sources.keys import Key
from quaero.sources.probe import Probe, Prober
from quaero.sources.vault import Keys, Secret, seal_with, unseal, vault_of

FLUSH_SECONDS = 2.0
MOST_LEARNED = 500
SEALS_AT_ONCE = 100
ROUNDS = 10

log = program_log(__name__)

_Learned = dict[tuple[str, str | None, str, str], Cookie]


@dataclass(frozen=True, slots=True)
class Change:
    """What to change of a login; None leaves it as it is, and an empty one is cleared."""

    cookies: tuple[Cookie, ...] | None = None
    headers: Mapping[str, str] | None = None
    user_agent: str | None = None


class Logins:
    """The stored logins, as this process opens them; `prober` fetches what tests look at."""

    def __init__(
        self, db: Database, keys: Keys, clock: Clock, prober: Prober | None = None
    ) -> None:
        self._db = db
        self._keys = keys
        self._clock = clock
        self._prober = prober
        self._open: dict[int, tuple[int, Login]] = {}
        self._learned: dict[tuple[int, int], _Learned] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._flushing: asyncio.Task[None] | None = None
        self._storing = asyncio.Lock()

    # -- open

    async def login(self, credential_id: int) -> Login:
        """The login with that id, as it is stored now.

        Raises `NotFound`, and `BadKey` where the key is not at hand.
        """
        revision = await self._db.read(credentials.revision, credential_id)
        known = self._open.get(credential_id)
        if known is None or known[0] != revision:
            known = (revision, await self._opened(credential_id))
            self._open[credential_id] = known
        return known[1]

    async def _opened(self, credential_id: int) -> Login:
        found, summary = await self._db.read(_both, credential_id)
        secret = self._secret(found)
        return Login(
            session="",
            cookies=secret.cookies,
            headers=secret.headers,
            sites=(summary.base_url,),
            name=summary.base_url,
            version=found.version,
            learned=secret.learned,
            user_agent=summary.user_agent,
            expires_at=summary.expires_at,
            refreshed=partial(self._refreshed, credential_id, found.version),
        )

    def _secret(self, found: Sealed) -> Secret:
        return unseal(self._keys.get(found.vault, found.key_id), found.record, found.sealed)

    # -- store

    async def add(self, given: Capture) -> tuple[int, bool]:
        """Check and store a login in the place of the one with its base address.

        Returns its id, and whether it is new. Raises `BadLogin` and `BadKey`.
        """
        capture = checked(given, self._clock.wall())
        stored: tuple[int, bool] = await self._sealing(credentials.store, capture)
        return stored

    async def change(
        self, credential_id: int, change: Change, expected: Callable[[int], None]
    ) -> CredentialSummary:
        """Change a login; `expected` is called with the version that is changed, and may refuse.

        Raises `NotFound`, `BadLogin`, `BadKey`, and `Conflict` where another was faster.
        """
        found, summary = await self._db.read(_both, credential_id)
        expected(found.version)
        secret = self._secret(found)
        now = self._clock.wall()
        capture = checked(
            Capture(
                base_url=summary.base_url,
                captured_at=now,
                cookies=secret.cookies if change.cookies is None else change.cookies,
                headers=secret.headers if change.headers is None else change.headers,
                user_agent=summary.user_agent if change.user_agent is None else change.user_agent,
            ),
            now,
        )
        if not await self._sealing(credentials.change, found, capture):
            raise Conflict(f"the login {credential_id} was changed meanwhile; read it again")
        return await self._db.read(credentials.get, credential_id)

    async def _sealing(self, write: Callable[..., Any], *args: Any) -> Any:
        """Run a function of the database that seals, with the key that seals now."""
        for _ in range(ROUNDS):
            vault, seen, any_login = await self._db.read(_vault)
            with contextlib.suppress(AnotherKey):
                key = await asyncio.to_thread(self._key, vault, seen, any_login)
                return await self._db.write(write, key, seen, *args)
        raise Conflict("the keys are being exchanged; try again in a moment")

    def _key(self, vault: str, seen: str | None, any_login: bool) -> Key:  # noqa: FBT001
        """The key that seals; a new one where the old one is lost and nothing needs it."""
        try:
            return self._keys.sealing(vault, seen)
        except BadKey:
            if any_login:
                raise
            return self._keys.sealing(vault, None)

    # -- what sites set anew

    def _refreshed(self, credential_id: int, version: int, cookies: Sequence[Cookie]) -> None:
        """Keep what an answer of the login's site set, within a few seconds."""
        learned = self._learned.setdefault((credential_id, version), {})
        for cookie in cookies:
            learned[_place(cookie)] = cookie
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(FLUSH_SECONDS, self._begin_flush)

    def _begin_flush(self) -> None:
        self._timer = None
        self._flushing = asyncio.get_running_loop().create_task(self.flush())

    async def flush(self) -> None:
        """Store what was learned and is not stored yet; what cannot be stored is logged.

        Where that fails unexpectedly the rest is still there for the next time.
        """
        async with self._storing:  # one after the other, so the newest stays
            while self._learned:
                credential_id, version = place = next(iter(self._learned))
                learned = self._learned.pop(place)
                try:
                    await self._merge(credential_id, version, learned)
                except NotFound:
                    continue
                except QuaeroError as error:
                    log.warning("login %d: what was set anew is not kept: %s", credential_id, error)

    async def _merge(self, credential_id: int, version: int, learned: _Learned) -> None:
        """Add to a login what was learned with it, unless it has been replaced since."""
        for _ in range(ROUNDS):
            found = await self._db.read(credentials.sealed, credential_id)
            if found.version != version:
                return
            secret = self._secret(found)
            merged = {_place(cookie): cookie for cookie in secret.learned} | learned
            newest = tuple(merged.values())[-MOST_LEARNED:]
            fresh = Secret(secret.cookies, secret.headers, newest)
            with contextlib.suppress(AnotherKey):
                _, seen, _ = await self._db.read(_vault)
                key = self._keys.sealing(found.vault, seen)
                if await self._db.write(credentials.seal_again, key, found, fresh):
                    return
        raise Conflict("it is being changed by others all the time")

    async def close(self) -> None:
        """Store what is not stored yet."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._flushing is not None:
            await self._flushing
        await self.flush()

    # -- test

    async def probe(self, credential_id: int, url: str | None = None) -> Probe:
        """Fetch a page of the site with the login, its base address unless one is named.

        Keeps what came of it with the login. Raises `NotFound`, `BadKey`, and `BadInput` for an
        address that is not of the site.
        """
        assert self._prober is not None, "this process fetches nothing"
        login = await self.login(credential_id)
        found = await self._prober.probe(login, url)
        await self.flush()
        await self._db.write(credentials.note_test, credential_id, ok=found.ok, detail=found.detail)
        return found

    # -- keys

    async def rotate(self) -> int:
        """Seal all logins with a new key and drop the old ones; returns how many were sealed.

        The key file has old and new key until everything is sealed with the new one, so whatever
        ends this half-way, every login opens, and the next rotation finishes it. Raises `BadKey`,
        and `Conflict` where another rotation is under way.
        """
        file = self._keys.file
        with file.rotating():
            vault, current, any_login = await self._db.read(_vault)
            if any_login and current is not None:
                self._keys.get(vault, current)
            key = await asyncio.to_thread(file.add, vault)
            await self._db.write(seal_with, key.id)
            sealed = await self._seal_all(key)
            await asyncio.to_thread(file.keep_only, vault, key.id)
        return sealed

    async def _seal_all(self, key: Key) -> int:
        sealed = 0
        while rows := await self._db.read(credentials.sealed_by_others, key.id, SEALS_AT_ONCE):
            for row in rows:
                secret = self._secret(row)
                sealed += await self._db.write(credentials.seal_again, key, row, secret)
        return sealed


def _place(cookie: Cookie) -> tuple[str, str | None, str, str]:
    return (cookie.domain, cookie.port, cookie.name, cookie.path)


def _both(tx: ReadTx, credential_id: int) -> tuple[Sealed, CredentialSummary]:
    return credentials.sealed(tx, credential_id), credentials.get(tx, credential_id)


def _vault(tx: ReadTx) -> tuple[str, str | None, bool]:
    return (*vault_of(tx), credentials.any_login(tx))
