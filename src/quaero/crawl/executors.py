"""The executors of a crawl: `crawler` begins one, `crawler_url` is one page of it.

A page is fetched, read, saved, and its links become jobs in the transaction that completes it. One
start of a page is one request to its host, so lanes see every request: a redirect or a robots.txt
to be fetched first lets the job go on later, in the lane it then belongs to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import Any, NamedTuple

import msgspec

from quaero.clock import Clock
from quaero.crawl import frontier
from quaero.crawl.convoy import Convoy
from quaero.crawl.digest import LARGEST_BODY, Digest, Packed
from quaero.crawl.drafts import document_of
from quaero.crawl.effects import (
    PageDone,
    admit_seeds,
    finish_page,
    hangs_on,
    note_gone,
    note_moved,
)
from quaero.crawl.fetch import Fetcher, FetchRequest, FetchResult, HttpStatus
from quaero.crawl.frontier import SAMPLES, Found
from quaero.crawl.headers import media_type
from quaero.crawl.kinds import CRAWLER, PAGE
from quaero.crawl.login_stops import (
    hint_of_login,
    may_wait_for_key,
    note_answer,
    note_refusal,
    stop,
    stop_at_login,
    stop_for_login,
    stop_if_signed_out,
    wait_for_key,
    wait_for_login,
    warn_of_expiry,
)
from quaero.crawl.payloads import Crawl, CrawlPage
from quaero.crawl.redirects import MOST_HOPS, Way
from quaero.crawl.session import ActiveCrawl, Crawls, RobotsRules, interval, own_pace, pace
from quaero.crawl.sitemaps import SitemapReader
from quaero.crawl.urls import canonical, host_key
from quaero.crawl.verdicts import (
    LOGIN_PAGE,
    asks_to_log_in,
    is_denied,
    may_be_denial,
    why_unsaved,
)
from quaero.db.contract import Database, ReadTx
from quaero.documents import store
from quaero.documents.model import Body, DetailLevel, NewDocument
from quaero.documents.store import Seen, Validators
from quaero.errors import BadKey, BadUrl, Permanent, Refused
from quaero.jobs.model import JobSpec
from quaero.jobs.run import Effect
from quaero.work.context import JobContext
from quaero.work.cpu import CpuHelpers
from quaero.work.phases import after_pre
from quaero.work.registry import JobType, Later, Result

SITES_KEPT = 10_000
READABLE = ("text/html", "application/xhtml+xml", "text/plain", "text/markdown")
_DIGEST = "quaero.crawl.digest:digest"
_CHOOSE_AGAIN = "quaero.crawl.digest:choose_again"


class CrawlExecutors:
    """The crawler's job types over one database, fetcher and set of helpers."""

    def __init__(
        self, db: Database, crawls: Crawls, fetcher: Fetcher, helpers: CpuHelpers, clock: Clock,
        validation: Callable[[Crawl], JobSpec] | None = None, *, keep_bodies: bool = True,
    ) -> None:  # fmt: skip
        """`validation` makes the job that is to end well before a source's crawl fetches.

        With `keep_bodies` documents can be read again from what they were read from.
        """
        self._db = db
        self._crawls = crawls
        self._fetcher = fetcher
        self._helpers = helpers
        self._clock = clock
        self._validation = validation
        self._keep_bodies = keep_bodies
        self._robots = RobotsRules(fetcher, clock)
        self._convoy = Convoy()
        self._sitemaps = SitemapReader(fetcher, helpers, self._robots, clock, self._by_robots)

    def job_types(self) -> tuple[JobType[Any], ...]:
        """`crawler` and `crawler_url`."""
        return (
            replace(CRAWLER, run=self.begin),
            replace(PAGE, run=self.page),
        )

    # -- crawler

    async def begin(self, job: JobContext, settings: Crawl) -> Result | Later:
        """Admit the seeds; the rest of the crawl is their consequence, and that of sitemaps."""
        if settings.source and self._validation is not None:
            waiting = await after_pre(self._db, job, [self._validation(settings)])
            if waiting is not None:
                return waiting
        try:
            crawl = await self._crawls.make(job.id, settings)
        except BadKey as error:
            return wait_for_key(job, error)
        if job.state and "hosts" in job.state:
            if settings.private and not self._crawls.may_log_in(settings):
                return wait_for_login(job)
            return await self._sitemaps.step(job, crawl)
        if crawl.login is not None and crawl.login.name:
            warn_of_expiry(job, crawl.login, self._clock.wall())
        seeds = [Found(seed, 0, None) for seed in crawl.scope.seeds]
        refused = {seed.url: crawl.scope.refusal(seed.url, 0) for seed in seeds}
        good = [seed for seed in seeds if refused[seed.url] is None]
        for url, reason in refused.items():
            if reason is not None:
                job.log.warn(f"seed {url} is refused by {reason}")
        if not good:
            raise Refused("all seeds are refused by the crawl's own rules", "exclude")
        effects: list[Effect] = [partial(admit_seeds, crawl, good)]
        if settings.sitemap:
            return self._sitemaps.begin(crawl, effects)
        return Result({"seeds": len(good)}, effects)

    # -- crawler_url

    async def page(self, job: JobContext, page: CrawlPage) -> Result | Later:
        """Fetch one page and everything that follows from it."""
        try:
            crawl = await self._crawl_of(job)
        except BadKey as error:
            return wait_for_key(job, error)
        state = job.state or {}
        if crawl.settings.private and not self._crawls.may_log_in(crawl.settings):
            return wait_for_login(job)
        url = state.get("url", page.url)
        try:
            return await self._visit(job, crawl, page, url, Way.of(state))
        except Refused as error:
            if page.found_on is None:
                raise
            job.log.info(f"refused by {error.reason}: {error}")
            refused, samples = {error.reason: 1}, {error.reason: [url]}
            done = PageDone(crawl=crawl, refused=refused, samples=samples)
            return _result({"outcome": "refused", "reason": error.reason}, done)

    async def _crawl_of(self, job: JobContext) -> ActiveCrawl:
        """The crawl of a page; one whose source or login is gone, or which nobody can open, ends.

        Raises `BadKey` where another process may still open the login.
        """
        root_id = job.parent_id or job.id
        try:
            crawl = await self._crawls.get(root_id)
            if not job.first_try:
                await self._crawls.check_source(crawl)
            return crawl
        except BadKey as error:
            if may_wait_for_key(job):
                raise
            await stop(job, root_id, str(error))
        except Permanent as error:
            await stop(job, root_id, str(error))

    async def _visit(
        self, job: JobContext, crawl: ActiveCrawl, page: CrawlPage, url: str, way: Way
    ) -> Result | Later:
        """Fetch the page at `url`, where the redirects of `way` led.

        Raises `Refused` where that is not allowed.
        """
        if crawl.settings.respect_robots:
            rules = self._robots.known(url)
            if rules is None:
                return await self._ask_robots(job, crawl, url)
            if not rules.allowed(url, self._fetcher.user_agent):
                raise Refused(f"robots.txt of {host_key(url)} disallows {url}", "robots")
        known = await self._known(job, crawl, url)
        if known is not None and crawl.settings.refresh == "missing":
            return await self._unchanged(job, crawl, url, page, "kept", way)
        return await self._fetch(job, crawl, url, page, known, way)

    async def _ask_robots(self, job: JobContext, crawl: ActiveCrawl, url: str) -> Later:
        """Spend this start of the lane on robots.txt; the page comes at the next."""
        rules = await self._robots.fetch(url, crawl)
        keep = pace(crawl, url, rules, self._fetcher.user_agent, job.log)
        return Later(state=job.state, effects=[keep])

    async def _known(self, job: JobContext, crawl: ActiveCrawl, url: str) -> Validators | None:
        """What is stored of a page; a crawl that began on a blank site need not look."""
        if crawl.settings.refresh == "always":
            return None
        site = host_key(url)
        if crawl.blank_sites.get(site) and job.first_try and crawl.settings.refresh == "changed":
            return None
        found = await self._db.read(_look_up, crawl.settings, url, site, _level(crawl))
        if len(crawl.blank_sites) < SITES_KEPT:
            crawl.blank_sites.setdefault(site, found.blank)
        return found.page

    async def _fetch(
        self, job: JobContext, crawl: ActiveCrawl, url: str, page: CrawlPage,
        known: Validators | None, way: Way,
    ) -> Result | Later:  # fmt: skip
        now = self._clock.wall()
        request = FetchRequest(
            url=url,
            policy=crawl.policy,
            headers=crawl.credentials.headers_for(url, now),
            etag=known.etag if known else None,
            last_modified=known.last_modified if known else None,
            accept=_readable,
            interval=interval(crawl, self._robots.known(url), self._fetcher.user_agent),
        )
        try:
            result = await self._convoy.fetch(self._fetcher.fetch(request))
        except HttpStatus as error:
            if error.code in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
                await job.commit(partial(note_gone, crawl=crawl, urls=[*way.trail, url]))
            await note_refusal(job, crawl, page, url, error.code)
            raise
        note_answer(crawl, url)
        crawl.credentials.remember(url, result.set_cookie, now)
        if result.location is not None:
            return await self._redirected(job, crawl, url, page, result, way)
        if result.not_modified:
            seen = Seen(
                url, crawl.settings.source, result.etag, result.last_modified, job.id, job.root_id
            )
            return await self._unchanged(job, crawl, url, page, "unchanged", way, seen)
        _check_whole(url, result.status)
        return await self._read(job, crawl, url, page, result, way)

    async def _redirected(
        self, job: JobContext, crawl: ActiveCrawl, url: str, page: CrawlPage, result: FetchResult,
        way: Way,
    ) -> Result | Later:  # fmt: skip
        if len(way.trail) >= MOST_HOPS:
            raise Permanent(f"more than {MOST_HOPS} redirects from {page.url}")
        way = way.over(url, result.status)
        try:
            target = canonical(result.location or "")
        except BadUrl as error:
            raise Permanent(f"{url} redirects to an address that cannot be fetched") from error
        if (spelled := crawl.scope.spelled(target)) not in way.trail:
            target = spelled
        if target in way.trail and not result.set_cookie:
            raise Permanent(f"{page.url} redirects in a circle, by {target}")
        reason = crawl.scope.refusal(target, page.depth)
        if reason is not None and not may_be_denial(crawl, target):
            if asks_to_log_in(crawl, page, url, target):
                await stop_for_login(job, crawl, url, "redirects to a login page")
            text = f"{url} redirects to {target}, which the crawl does not cover"
            raise Refused(text + hint_of_login(crawl, page, target), reason)
        if target not in way.trail:
            mine = await self._db.write(frontier.follow_redirect, crawl.root_id, job.id, target)
            if not mine and not await self._db.read(hangs_on, crawl, way, target):
                moved = partial(note_moved, crawl=crawl, urls=way.left(target), to=target)
                return Result({"outcome": "redirected", "to": target}, [moved])
        job.log.debug(f"redirected to {target}")
        free = partial(own_pace, crawl=crawl, url=target)
        return Later(lane=crawl.politeness.lane(target), state=way.state(target), effects=[free])

    async def _read(
        self, job: JobContext, crawl: ActiveCrawl, url: str, page: CrawlPage,
        result: FetchResult, way: Way,
    ) -> Result:  # fmt: skip
        reading = self._helpers.run(
            _DIGEST, result.body, url, result.content_type, result.robots,
            self._fetcher.user_agent, crawl.packed_scope, page.depth,
            crawl.settings.follow_links, self._may_keep(job, crawl, url, result),
        )  # fmt: skip
        raw = await self._convoy.along(reading)
        made = msgspec.convert(raw, Digest, builtin_types=(bytes,))
        if is_denied(made.page):
            await stop_if_signed_out(job, crawl, url, made.page)
            job.log.info("not saved: the account may not see it, or it does not exist")
            denied = PageDone(crawl=crawl, refused={"denied": 1}, samples={"denied": [page.url]})
            return _result({"outcome": "denied", "status": result.status}, denied)
        await stop_at_login(job, crawl, page, url, made, redirected=bool(way.trail))
        await stop_if_signed_out(job, crawl, url, made.page)
        done = self._links(job, crawl, url, page, made.admitted, made.refused, made.samples)
        if (unsaved := why_unsaved(crawl, url, made.page)) is not None:
            outcome, why = unsaved
            job.log.info(f"not saved: {why}")
            if outcome == LOGIN_PAGE:
                done = _refused_too(done, "login", page.url)
            return _result({"outcome": outcome, "status": result.status}, done)
        document = _document(job, crawl, url, result, made)
        done = replace(done, document=document, links=(url, made.packed), moved=way.left(url))
        value = {"outcome": "saved", "status": result.status, "words": made.page.words}
        return _result(value, done)

    def _may_keep(self, job: JobContext, crawl: ActiveCrawl, url: str, result: FetchResult) -> bool:
        """Whether the body of a page is to be kept, should it become a document."""
        wanted = self._keep_bodies and _level(crawl) is DetailLevel.FULL
        if not wanted or crawl.scope.is_list(url):
            return False
        if result.doubtful:
            job.log.info("the body is not kept: what may be a secret of the login stands in it")
        return not result.doubtful

    async def _unchanged(
        self, job: JobContext, crawl: ActiveCrawl, url: str, page: CrawlPage, outcome: str,
        way: Way, seen: Seen | None = None,
    ) -> Result:  # fmt: skip
        """Go on from a page that need not be read again, by the links it had."""
        packed = await self._db.read(frontier.kept_links, crawl.settings.source, url)
        done = PageDone(crawl=crawl)
        if packed is not None and crawl.settings.follow_links:
            admitted, refused, samples = await self._helpers.run(
                _CHOOSE_AGAIN, packed, url, crawl.packed_scope, page.depth
            )
            done = self._links(job, crawl, url, page, admitted, refused, samples)
        done = replace(done, seen=seen, unchanged=True, moved=way.left(url))
        return _result({"outcome": outcome}, done)

    def _links(
        self, job: JobContext, crawl: ActiveCrawl, url: str, page: CrawlPage,
        admitted: list[str], refused: Mapping[str, int], samples: Mapping[str, list[str]],
    ) -> PageDone:  # fmt: skip
        """Admit the links that the crawl may follow; count the others."""
        refused, samples = dict(refused), dict(samples)
        admitted = self._by_robots(crawl, admitted, refused, samples)
        if refused:
            job.log.debug("links refused", **refused, samples=samples)
            if not admitted and set(refused) != {"scheme"}:
                job.log.warn(f"all {sum(refused.values())} links of the page are refused")
        found = [Found(link, page.depth + 1, url) for link in admitted]
        return PageDone(crawl=crawl, found=found, refused=refused, samples=samples)

    def _by_robots(
        self, crawl: ActiveCrawl, links: list[str], refused: dict[str, int],
        samples: dict[str, list[str]],
    ) -> list[str]:  # fmt: skip
        """The links that robots rules allow, as far as these are known already."""
        if not crawl.settings.respect_robots:
            return links
        forbidden = self._robots.refused(links, self._fetcher.user_agent)
        if not forbidden:
            return links
        refused["robots"] = len(forbidden)
        samples["robots"] = [link for link in links if link in forbidden][:SAMPLES]
        return [link for link in links if link not in forbidden]


class _Stored(NamedTuple):
    """What is stored of a page, and whether nothing is of its whole site."""

    page: Validators | None
    blank: bool


def _look_up(tx: ReadTx, settings: Crawl, url: str, site: str, level: DetailLevel) -> _Stored:
    """A page whose links are to be followed and not known, as it was imported, counts for none."""
    page = store.validators(tx, settings.source, [url], level).get(url)
    blank = page is None and store.is_blank(tx, site)
    if page and settings.follow_links and not frontier.keeps_links(tx, settings.source, url):
        page = None
    return _Stored(page, blank)


def _refused_too(done: PageDone, reason: str, url: str) -> PageDone:
    """What a page leaves, and that it is itself no content, for a reason that is counted."""
    refused = {**done.refused, reason: done.refused.get(reason, 0) + 1}
    return replace(done, refused=refused, samples={**done.samples, reason: [url]})


def _result(value: dict[str, Any], done: PageDone) -> Result:
    return Result(value, [partial(finish_page, done=done)])


def _check_whole(url: str, status: int) -> None:
    """Refuse an answer that is good and yet no page (RFC 9110, 15.3)."""
    if status in (HTTPStatus.NO_CONTENT, HTTPStatus.RESET_CONTENT):
        raise Refused(f"{url} answered {status}, which has no content", "no-content")
    if status == HTTPStatus.PARTIAL_CONTENT:
        raise Permanent(f"{url} sent a part of the page, though all of it was asked for")


def _readable(content_type: str | None) -> bool:
    kind = media_type(content_type)
    return not kind or kind in READABLE


def _level(crawl: ActiveCrawl) -> DetailLevel:
    return DetailLevel[crawl.settings.detail_level.upper()]


def _document(
    job: JobContext, crawl: ActiveCrawl, url: str, result: FetchResult, made: Digest
) -> NewDocument:
    level = _level(crawl)
    said = document_of(
        made.page,
        made.references,
        url=url,
        source_id=crawl.settings.source,
        source_type=crawl.settings.source_type,
        entity_type=crawl.settings.entity_type,
        canonical=result.canonical,
    )
    return replace(
        said,
        text=said.text if level is DetailLevel.FULL else "",
        detail_level=level,
        etag=result.etag,
        last_modified=result.last_modified,
        tags=tuple(crawl.settings.tags),
        body=_body(job, crawl, result, made.body),
        job_id=job.id,
        root_id=job.root_id,
    )


def _body(
    job: JobContext, crawl: ActiveCrawl, result: FetchResult, packed: Packed | None
) -> Body | None:
    """What to keep of a document's body."""
    if packed is None:
        return None
    if packed.data is None:
        job.log.info(
            f"the body is not kept: {packed.size} bytes compressed, at most {LARGEST_BODY} are kept"
        )
        return None
    return Body(
        hash=packed.hash,
        packed=packed.data,
        content_type=result.content_type,
        robots=result.robots,
        canonical=result.canonical,
        entity_type=crawl.settings.entity_type,
    )
