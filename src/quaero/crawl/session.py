"""What a worker knows of the crawls it works on: settings, policy, credentials, robots rules."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from weakref import WeakValueDictionary

import msgspec

from quaero.clock import SECOND, Clock
from quaero.crawl.cookies import ScopedCredentials
from quaero.crawl.digest import scope_args
from quaero.crawl.fetch import Fetcher, FetchRequest
from quaero.crawl.frontier import Politeness
from quaero.crawl.login import Login, OpenLogin
from quaero.crawl.payloads import Crawl
from quaero.crawl.policy import NetworkPolicy
from quaero.crawl.resolve import inside_seeds
from quaero.crawl.robots import MAX_BYTES, Robots
from quaero.crawl.scope import CrawlScope
from quaero.crawl.urls import canonical, host_key
from quaero.db.contract import Database, ReadTx, Tx
from quaero.errors import BadUrl, HttpStatus, NotFound, Permanent, Refused, RetryLater
from quaero.jobs.model import JobRow
from quaero.jobs.run import Effect
from quaero.queue import lanes
from quaero.work.context import JobLog

CRAWLS_KEPT = 256
ROBOTS_SECONDS = 86_400
ROBOTS_RETRY_SECONDS = 1.5
ROBOTS_HOPS = 5
MOST_LOOKS = 500_000
"""Comparisons of a page's links with rules, a fifth of a second; more are for their own turn."""
HOSTS_KEPT = 10_000
LONGEST_PACE = 3_600.0
SLOW_PACE = 10.0
"""Seconds between requests from which on a person should know why a crawl stands still."""
_CANNOT_BE_HAD = "robots.txt cannot be had"


@dataclass(frozen=True, slots=True)
class ActiveCrawl:
    """One crawl as its pages need it; `root_id` is the job above its pages."""

    root_id: int
    settings: Crawl
    scope: CrawlScope
    packed_scope: bytes
    policy: NetworkPolicy
    credentials: ScopedCredentials
    politeness: Politeness
    login: Login | None = None
    blank_sites: dict[str, bool] = field(default_factory=dict, repr=False, compare=False)
    """Of the sites met so far: whether no page of it was stored when this process met it."""
    greeting: set[str] = field(default_factory=set, repr=False, compare=False)
    """The hosts that have shown this process a page which says who is logged in."""
    unauthorized: Counter[str] = field(default_factory=Counter, repr=False, compare=False)
    """How often in a row a host has answered this process that a login is needed."""
    forbidden: Counter[str] = field(default_factory=Counter, repr=False, compare=False)
    """How often in a row a host has refused a page to the crawl's login."""

    @property
    def private(self) -> bool:
        """Whether its pages need a login."""
        return self.settings.private is not None or self.settings.credential is not None


class Crawls:
    """The crawls this process has worked on lately."""

    def __init__(
        self,
        db: Database,
        fetcher: Fetcher,
        allow_networks: Sequence[str],
        login: Login | None,
        open_login: OpenLogin | None = None,
    ) -> None:
        self._db = db
        self._fetcher = fetcher
        self._allow_networks = tuple(allow_networks)
        self._login = login
        self._open_login = open_login
        self._known: OrderedDict[int, ActiveCrawl] = OrderedDict()
        self._loading: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()

    async def get(self, root_id: int) -> ActiveCrawl:
        """The crawl with that root, with its login as it is stored now.

        Raises `NotFound`, and what `make` raises.
        """
        crawl = self._known.get(root_id)
        if crawl is None or not await self._is_current(crawl):
            loading = self._loading.setdefault(root_id, asyncio.Lock())
            async with loading:
                crawl = self._known.get(root_id)
                if crawl is None or not await self._is_current(crawl):
                    crawl = await self._load(root_id)
        self._known[root_id] = crawl
        self._known.move_to_end(root_id)
        while len(self._known) > CRAWLS_KEPT:
            self._known.popitem(last=False)
        return crawl

    async def make(self, root_id: int, settings: Crawl) -> ActiveCrawl:
        """A crawl of these settings; looks up where its seeds are.

        Raises `BadKey` where this process cannot open the login it names, and `Permanent` where
        there is no such login.
        """
        scope = settings.to_scope()
        login = await self._login_of(settings)
        inside = await inside_seeds(scope.seeds, self._fetcher.lookup)
        return ActiveCrawl(
            root_id,
            settings,
            scope,
            msgspec.msgpack.encode(scope_args(scope)),
            NetworkPolicy(self._allow_networks, inside),
            login.scoped(scope.seeds) if login else ScopedCredentials(scope.seeds),
            Politeness.of(settings),
            login,
        )

    async def check_source(self, crawl: ActiveCrawl) -> None:
        """Raise `Permanent` where the source of a crawl that goes on was deleted."""
        source = crawl.settings.source
        if source and not await self._db.read(_is_source, source):
            raise Permanent(f"source {source} was deleted; nothing more is collected for it")

    async def _load(self, root_id: int) -> ActiveCrawl:
        text = await self._db.read(_payload, root_id)
        return await self.make(root_id, Crawl.model_validate_json(text))

    async def _is_current(self, crawl: ActiveCrawl) -> bool:
        if crawl.settings.credential is None:
            return True
        login = await self._login_of(crawl.settings)
        return (
            login is not None and crawl.login is not None and login.version == crawl.login.version
        )

    async def _login_of(self, settings: Crawl) -> Login | None:
        if settings.credential is None:
            return self._login if self.may_log_in(settings) else None
        if self._open_login is None:
            raise Permanent("this process opens no stored logins")
        try:
            return await self._open_login(settings.credential)
        except NotFound as error:
            raise Permanent(f"the crawl cannot go on: {error}") from error

    def may_log_in(self, settings: Crawl) -> bool:
        """Whether this process holds the session that a crawl names."""
        return self._login is not None and settings.private == self._login.session


def _payload(tx: ReadTx, root_id: int) -> str:
    rows = tx.execute("select payload from job where id = $1 and type = 'crawler'", (root_id,))
    if not rows:
        raise NotFound(f"job {root_id} is not a crawl, or was deleted")
    return str(rows[0][0])


def _is_source(tx: ReadTx, source_id: int) -> bool:
    return bool(tx.execute("select 1 from source where id = $1", (source_id,)))


@dataclass(frozen=True, slots=True)
class _Trouble:
    """Why a robots.txt could not be had, and until when it is not asked for again.

    In words: an error that is kept would keep the frames that it went through.
    """

    text: str
    hold: bool
    until: int


class RobotsRules:
    """The robots.txt of hosts, fetched once a day by one request at a time for each host."""

    def __init__(self, fetcher: Fetcher, clock: Clock) -> None:
        self._fetcher = fetcher
        self._clock = clock
        self._known: dict[str, tuple[Robots, int]] = {}
        self._troubles: dict[str, _Trouble] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    def known(self, url: str) -> Robots | None:
        """The rules for an address, if they were fetched lately."""
        found = self._known.get(_origin(url))
        if found is None or found[1] < self._clock.boot():
            return None
        return found[0]

    def refused(self, urls: Sequence[str], agent: str) -> set[str]:
        """The addresses among `urls` that are forbidden to `agent`, as far as is known.

        Of very many, under very many rules, only the first are looked at.
        """
        by_origin: dict[str, list[str]] = {}
        for url in urls:
            by_origin.setdefault(_origin(url), []).append(url)
        found: set[str] = set()
        for alike in by_origin.values():
            rules = self.known(alike[0])
            if rules is not None and not rules.forbids_nothing(agent):
                first = alike[: MOST_LOOKS // rules.looks(agent)]
                found.update(url for url in first if not rules.allowed(url, agent))
        return found

    async def fetch(self, url: str, crawl: ActiveCrawl) -> Robots:
        """Fetch the rules for an address.

        Raises `RetryLater` while the host cannot say what it allows (RFC 9309, 2.3.1.4), and
        `Permanent` where what it says cannot be read: nothing is fetched from it then. The host is
        asked again after a while, or when it said; pages that come sooner are told to wait as long.
        Raises `Refused` where this crawl may not connect to the host: another may.
        """
        self._forget_oldest()
        origin = _origin(url)
        async with self._locks.setdefault(origin, asyncio.Lock()):
            rules = self.known(url)
            if rules is not None:
                return rules
            self._raise_trouble(origin)
            try:
                rules = await self._read(f"{origin}/robots.txt", crawl)
            except RetryLater as error:
                wait = error.after or ROBOTS_RETRY_SECONDS
                text, until = f"{_CANNOT_BE_HAD}: {error}", self._clock.boot() + int(wait * SECOND)
                self._troubles[origin] = _Trouble(text, error.hold, until)
                raise RetryLater(text, wait, hold=error.hold) from error
            self._troubles.pop(origin, None)
            self._known[origin] = (rules, self._clock.boot() + ROBOTS_SECONDS * SECOND)
        return rules

    def _forget_oldest(self) -> None:
        for kept in (self._known, self._troubles, self._locks):
            if len(kept) >= HOSTS_KEPT:
                kept.pop(next(iter(kept)))

    def _raise_trouble(self, origin: str) -> None:
        trouble = self._troubles.get(origin)
        if trouble is not None and trouble.until > self._clock.boot():
            left = (trouble.until - self._clock.boot()) / SECOND
            raise RetryLater(trouble.text, left, hold=trouble.hold)

    async def _read(self, url: str, crawl: ActiveCrawl) -> Robots:
        for hop in range(ROBOTS_HOPS):
            request = FetchRequest(
                url=url,
                policy=crawl.policy,
                headers=crawl.credentials.headers_for(url, self._clock.wall()),
                interval=crawl.settings.delay,
                first=MAX_BYTES + 1,  # one more shows that there is more
            )
            try:
                result = await self._fetcher.fetch(request)
            except HttpStatus as error:
                return Robots.from_status(error.code)
            except Refused as error:
                if hop == 0 and error.reason == "network":
                    raise
                return Robots.from_status(404)
            except Permanent as error:
                raise Permanent(f"{_CANNOT_BE_HAD}: {error}") from error
            if result.location is None:
                return Robots.from_status(result.status, result.body)
            try:
                url = canonical(result.location)
            except BadUrl:
                break
        return Robots.from_status(404)


def interval(crawl: ActiveCrawl, rules: Robots | None, agent: str) -> float:
    """Seconds between two requests of a crawl to a host with these rules."""
    obeyed = rules if crawl.settings.respect_robots else None
    return max(crawl.settings.delay, _asked(obeyed, agent) if obeyed is not None else 0.0)


def own_pace(tx: Tx, job: JobRow, *, crawl: ActiveCrawl, url: str) -> None:
    """The effect that frees the host of an address from paces that a crawl does not keep."""
    crawl.politeness.settle(tx, job.queue_id, [url])


def pace(crawl: ActiveCrawl, url: str, rules: Robots, agent: str, log: JobLog) -> Effect:
    """The effect that has the host of an address keep the delay that its robots.txt asks for.

    A long one is told in the log.
    """
    if not crawl.settings.respect_robots:
        return partial(own_pace, crawl=crawl, url=url)
    asked = _asked(rules, agent)
    if asked >= SLOW_PACE:
        log.warn(f"robots.txt of {host_key(url)} asks for {asked:.0f} s between requests")
    return partial(_set_pace, key=host_key(url), pace=int(asked * SECOND))


def _asked(rules: Robots, agent: str) -> float:
    return min(rules.crawl_delay(agent) or 0.0, LONGEST_PACE)


def _set_pace(tx: Tx, job: JobRow, *, key: str, pace: int) -> None:
    lanes.set_pace(tx, job.queue_id, key, pace)


def _origin(url: str) -> str:
    return url[: url.find("/", 8)]  # a canonical address has a path
