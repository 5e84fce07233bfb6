"""`source_validation`: all that can be known to go wrong, told before a page is fetched.

It is the pre job of every run of a source, and can be asked for alone. Its result lists every
check; where one is not well the job fails with all problems as its error, and so the run fails
before it has touched a document. What may pass by itself, such as a connection that breaks, is
looked at again a few times first. It asks the site for little: the address itself, with its
redirects, and robots.txt.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

import msgspec

from quaero.clock import Clock
from quaero.crawl.digest import Digest
from quaero.crawl.fetch import Fetcher, FetchRequest, FetchResult
from quaero.crawl.page_signs import is_login_address
from quaero.crawl.payloads import Crawl
from quaero.crawl.session import ActiveCrawl, Crawls, RobotsRules
from quaero.crawl.urls import canonical, host_key
from quaero.db.contract import Database, Tx
from quaero.errors import (
    BadKey,
    BadUrl,
    Conflict,
    HttpStatus,
    JobError,
    NotFound,
    Permanent,
    QuaeroError,
    RetryLater,
)
from quaero.jobs.model import JobRow
from quaero.sources import checks, runs
from quaero.sources.capture import site_of
from quaero.sources.checks import Check
from quaero.sources.payloads import VALIDATION, Validation
from quaero.work.context import JobContext
from quaero.work.cpu import CpuHelpers
from quaero.work.registry import JobType, Result

MOST_HOPS = 10
LOGIN = "login"
_DIGEST = "quaero.crawl.digest:digest"
_RENEW = "log in again with your browser and store the new login"
_KEY = "give this process the key file that the login was stored with, or store the login again"
_AGAIN = "try again when the site answers"
_GIVE = "give the source a login"


class Verdict(Protocol):
    """What a test of a login found."""

    @property
    def ok(self) -> bool | None:
        """Whether the site takes it; None where it did not tell."""

    @property
    def detail(self) -> str:
        """What was seen, in a sentence without a secret."""


class Logins(Protocol):
    """Stored logins as this process can use them."""

    async def login(self, credential_id: int) -> Any:
        """The login. Raises `NotFound`, or another known error where it cannot be opened."""

    async def probe(self, credential_id: int, url: str | None = None) -> Verdict:
        """Fetch an address with the login: is it taken?"""


@dataclass(frozen=True, slots=True)
class _Seen:
    """What came of asking for the base address: the page, or the check that says why not."""

    reachable: Check
    login: Check | None = None


class Validator:
    """The job type's parts: how it asks sites, and who knows logins."""

    def __init__(
        self, db: Database, crawls: Crawls, fetcher: Fetcher, helpers: CpuHelpers, clock: Clock,
        logins: Logins | None = None,
    ) -> None:  # fmt: skip
        self._db = db
        self._crawls = crawls
        self._fetcher = fetcher
        self._helpers = helpers
        self._clock = clock
        self._logins = logins

    def job_type(self) -> JobType[Validation]:
        """`source_validation`."""
        return replace(VALIDATION, run=self.run)

    async def run(self, job: JobContext, wanted: Validation) -> Result:
        """Look at everything; the result stays with the job where it fails as well."""
        found = [*await self._turn(job, wanted), *await self.look(wanted)]
        for each in found:
            if each.ok is False:
                job.log.error(f"{each.name}: {each.detail}", todo=each.todo)
        wrong = checks.problems(found)
        value = {"ok": not wrong, "checks": [checks.as_json(each) for each in found]}
        if not wrong:
            return Result(value)
        text = msgspec.json.encode(value).decode()
        await job.commit(partial(_keep_result, text=text))
        if all(each.passing for each in wrong):
            raise RetryLater(checks.told(wrong))
        raise Permanent(checks.told(wrong))

    async def look(self, wanted: Validation) -> list[Check]:
        """All checks of a source."""
        if wanted.kind == "folder":
            return await asyncio.to_thread(checks.check_folder, wanted)
        patterns = checks.check_patterns(wanted)
        settings, crawl = checks.check_settings(wanted)
        seeds, good = checks.check_seeds(wanted, patterns, crawl)
        return [settings, patterns, seeds, *await self._ask(wanted, crawl, good)]

    async def _turn(self, job: JobContext, wanted: Validation) -> list[Check]:
        """Whether the source is there and this is its only run; nothing where it is no run."""
        if job.parent_id is None or not wanted.source:
            return []
        try:
            await job.commit(partial(_take_turn, source=wanted.source, run=job.parent_id))
        except (Conflict, NotFound) as error:
            return [Check("source", False, str(error), "wait for its end, or cancel it")]
        return [Check("source", True, "this is its only run")]

    # -- the site

    async def _ask(
        self, wanted: Validation, crawl: Crawl | None, good: Sequence[str]
    ) -> list[Check]:
        if crawl is None:
            unknown = "not looked at: the settings cannot be used"
            return [Check(name, None, unknown) for name in ("reachable", "robots", LOGIN)]
        login = await self._stored_login(wanted.credential, wanted.base_url)
        usable = crawl if login.ok else crawl.model_copy(update={"credential": None})
        try:
            made = await self._crawls.make(0, usable)
        except QuaeroError as error:
            lost = _lost(error)
            return [lost, Check("robots", None, "not looked at: no connection"), login]
        seen = await self._reach(made, wanted.credential)
        if not seen.reachable.ok:
            robots = Check("robots", None, "not looked at: the address could not be read")
            return [seen.reachable, robots, login if login.ok is False else seen.login or login]
        robots = await self._robots(made, good)
        if login.ok and seen.login is None and wanted.credential is not None:
            login = await self._probe(wanted.credential, wanted.base_url, login)
        return [seen.reachable, robots, login if login.ok is False else seen.login or login]

    async def _stored_login(self, credential: int | None, base_url: str) -> Check:
        """Whether the login is there, can be opened, is of this site, and has not expired."""
        if credential is None:
            return Check(LOGIN, True, "none is set")
        if self._logins is None:
            return Check(LOGIN, False, "this process opens no stored logins", "run `quaero serve`")
        try:
            login = await self._logins.login(credential)
        except BadKey as error:
            return Check(LOGIN, False, str(error), _KEY, passing=True)
        except QuaeroError as error:
            return Check(LOGIN, False, str(error), _RENEW)
        ours, its = site_of(canonical(base_url)), site_of(login.name)
        if ours != its:
            text = f"login {credential} is for {its}, and the source is at {ours}"
            return Check(LOGIN, False, text, f"choose a login for {ours}, or none")
        ends = login.expires_at
        if ends is not None and ends <= self._clock.wall():
            return Check(LOGIN, False, f"login {credential} has expired", _RENEW)
        return Check(LOGIN, True, f"login {credential} is there and has not expired")

    async def _probe(self, credential: int, url: str, known: Check) -> Check:
        assert self._logins is not None
        try:
            verdict = await self._logins.probe(credential, url)
        except QuaeroError as error:
            return Check(LOGIN, False, str(error), _RENEW, _passes(error))
        if verdict.ok is None:
            return Check(LOGIN, False, verdict.detail, _AGAIN, passing=True)
        if not verdict.ok:
            return Check(LOGIN, False, verdict.detail, _RENEW)
        return Check(LOGIN, True, f"{known.detail}, and the site takes it")

    async def _reach(self, crawl: ActiveCrawl, credential: int | None) -> _Seen:
        """Ask for the base address and follow its redirects, as far as the source covers them."""
        url = start = crawl.scope.seeds[0]
        todo = _GIVE if credential is None else _RENEW
        try:
            for _ in range(MOST_HOPS):
                result = await self._fetch(crawl, url)
                if result.location is None:
                    return await self._read(crawl, url, result, todo)
                url = canonical(result.location)
                if crawl.scope.refusal(url, 0) is not None:
                    return _led_away(start, url, todo)
        except HttpStatus as error:
            return _status(error, todo)
        except BadUrl as error:
            text = f"{start} redirects to an address that cannot be fetched: {error}"
            return _Seen(Check("reachable", False, text, "correct the base URL"))
        except JobError as error:
            return _Seen(_lost(error))
        text = f"{start} redirects more than {MOST_HOPS} times, at last to {url}"
        return _Seen(Check("reachable", False, text, todo))

    async def _fetch(self, crawl: ActiveCrawl, url: str) -> FetchResult:
        now = self._clock.wall()
        request = FetchRequest(
            url=url,
            policy=crawl.policy,
            headers=crawl.credentials.headers_for(url, now),
            interval=crawl.settings.delay,
        )
        result = await self._fetcher.fetch(request)
        crawl.credentials.remember(url, result.set_cookie, now)
        return result

    async def _read(
        self, crawl: ActiveCrawl, url: str, result: FetchResult, todo: str
    ) -> _Seen:  # fmt: skip
        raw = await self._helpers.run(
            _DIGEST, result.body, url, result.content_type, result.robots,
            self._fetcher.user_agent, crawl.packed_scope, 0, False, False,
        )  # fmt: skip
        made = msgspec.convert(raw, Digest, builtin_types=(bytes,))
        answered = Check("reachable", True, f"{url} answers with {result.status}")
        if made.page.looks_like_login:
            text = f"{host_key(url)} shows a login page at {url} in place of content"
            return _Seen(answered, Check(LOGIN, False, text, todo))
        return _Seen(answered)

    async def _robots(self, crawl: ActiveCrawl, good: Sequence[str]) -> Check:
        """Whether robots.txt can be read and lets in an address to begin at."""
        if not crawl.settings.respect_robots:
            return Check("robots", True, "not asked: respect_robots is off")
        rules = RobotsRules(self._fetcher, self._clock)
        agent = self._fetcher.user_agent
        for seed in good or crawl.scope.seeds[:1]:
            try:
                found = await rules.fetch(seed, crawl)
            except JobError as error:
                return Check("robots", False, str(error), _AGAIN, _passes(error))
            if found.allowed(seed, agent):
                return Check("robots", True, f"robots.txt of {host_key(seed)} allows {seed}")
        text = f"robots.txt of {host_key(crawl.scope.seeds[0])} disallows {crawl.scope.seeds[0]}"
        return Check(
            "robots", False, text,
            "begin at an address it allows, or turn respect_robots off where you may",
        )  # fmt: skip


def _lost(error: QuaeroError) -> Check:
    todo = "check the address and the network"
    return Check("reachable", False, str(error), todo, _passes(error))


def _passes(error: QuaeroError) -> bool:
    """Whether the same question may be answered in a moment."""
    return isinstance(error, JobError) and not isinstance(error, Permanent)


def _led_away(start: str, url: str, todo: str) -> _Seen:
    if is_login_address(url):
        text = f"{start} redirects to the login page {url}"
        answered = Check("reachable", True, f"{start} answers with a redirect")
        return _Seen(answered, Check(LOGIN, False, text, todo))
    text = f"{start} redirects to {url}, which the source does not cover"
    return _Seen(Check("reachable", False, text, "make that the base URL, or widen the scope"))


def _status(error: HttpStatus, todo: str) -> _Seen:
    if error.code in (401, 403, 407):
        return _Seen(
            Check("reachable", True, f"it answers with {error.code}"),
            Check(LOGIN, False, str(error), todo),
        )
    return _Seen(Check("reachable", False, str(error), "correct the base URL"))


def _take_turn(tx: Tx, job: JobRow, *, source: int, run: int) -> None:
    del job
    runs.take_turn(tx, source, run)


def _keep_result(tx: Tx, job: JobRow, *, text: str) -> None:
    tx.execute("update job set result = $2 where id = $1", (job.id, text))
