"""Whether a login is accepted: a page of its site, fetched with it, must not look like a login.

The page is asked for as a crawl would ask, hop by hop, each with what the login sends there and
nothing else. It is read in a helper process, like every page.
"""

from __future__ import annotations

from collections.abc import Sequence

from quaero.clock import Clock
from quaero.crawl.cookies import ScopedCredentials
from quaero.crawl.exchange import MIB, FetchLimits, FetchRequest, FetchResult
from quaero.crawl.extract import extract
from quaero.crawl.fetch import Fetcher
from quaero.crawl.login import Login
from quaero.crawl.page_signs import is_login_address
from quaero.crawl.policy import NetworkPolicy
from quaero.crawl.resolve import inside_seeds
from quaero.crawl.urls import canonical, host_key
from quaero.errors import BadInput, BadUrl, HttpStatus, JobError
from quaero.sources.capture import site_of
from quaero.sources.probe import Probe
from quaero.work.cpu import CpuHelpers

MOST_HOPS = 10
FEW_WORDS = 30
REFUSALS = (401, 403, 407)
LIMITS = FetchLimits(total=30.0, wire=5 * MIB, decoded=10 * MIB)
READABLE = ("text/html", "application/xhtml+xml")


class SiteProber:
    """Fetches pages with logins, to see whether these are accepted."""

    def __init__(
        self, fetcher: Fetcher, helpers: CpuHelpers, clock: Clock, allow_networks: Sequence[str]
    ) -> None:
        self._fetcher = fetcher
        self._helpers = helpers
        self._clock = clock
        self._allow_networks = tuple(allow_networks)

    async def probe(self, login: Login, url: str | None = None) -> Probe:
        """Fetch a page with the login, its base address unless one is named.

        Raises `BadInput` for an address that is not of the login's site.
        """
        target = canonical(url) if url is not None else login.name
        if not _of_site(target, login):
            raise BadInput(f"{target} is not of the site {site_of(login.name)} of this login")
        try:
            return await self._visit(login, target)
        except HttpStatus as error:
            if error.code in REFUSALS:
                return Probe(False, f"{host_key(target)} answers {error.code}: not accepted")
            return Probe(None, str(error))
        except JobError as error:
            return Probe(None, str(error))

    async def _visit(self, login: Login, target: str) -> Probe:
        scoped = login.scoped((target,))
        inside = await inside_seeds((target,), self._fetcher.lookup)
        policy = NetworkPolicy(self._allow_networks, inside)
        url, trail = target, [target]
        while True:
            result = await self._fetch(scoped, policy, url)
            if result.location is None:
                return await self._judge(result, url, moved=len(trail) > 1)
            try:
                url = canonical(result.location)
            except BadUrl:
                return Probe(None, f"{url} redirects to an address that cannot be fetched")
            if not _of_site(url, login):
                return Probe(
                    False,
                    f"{target} sends on to {host_key(url)}, which is another site: not logged in",
                )
            if len(trail) > MOST_HOPS:
                return Probe(False, f"{target} redirects more than {MOST_HOPS} times")
            trail.append(url)

    async def _fetch(
        self, scoped: ScopedCredentials, policy: NetworkPolicy, url: str
    ) -> FetchResult:
        now = self._clock.wall()
        headers = scoped.headers_for(url, now)
        request = FetchRequest(url=url, policy=policy, headers=headers, limits=LIMITS)
        result = await self._fetcher.fetch(request)
        scoped.remember(url, result.set_cookie, now)
        return result

    async def _judge(self, result: FetchResult, url: str, *, moved: bool) -> Probe:
        kind = (result.content_type or "").partition(";")[0].strip().lower()
        if kind not in READABLE:
            return Probe(True, f"{url} answers {result.status}")
        title, is_login, words = await self._helpers.run(
            "quaero.sources.prober:look", result.body, url, result.content_type
        )
        if is_login or (moved and is_login_address(url) and words < FEW_WORDS):
            return Probe(False, f"{url} shows a login page: expired or not accepted")
        named = f" with “{title[:100]}”" if title else ""
        return Probe(True, f"{url} answers {result.status}{named}")


def look(body: bytes, url: str, content_type: str | None) -> tuple[str, bool, int]:
    """A page's title, whether it looks like a login, and its words; runs in a helper."""
    page = extract(body, url, content_type)
    return page.title, page.looks_like_login, page.words


def _of_site(url: str, login: Login) -> bool:
    """Whether an address is of the login's site, its port too where that counts."""
    return site_of(url) == site_of(login.name)
