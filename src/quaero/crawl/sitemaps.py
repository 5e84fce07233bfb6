"""The sitemaps of a crawl: named by the robots.txt of its seeds, read one after another.

The crawl's own job reads them before its run ends, one request a start, each in the lane of its
host like a page. What they name is chosen, admitted and counted like the links of a seed. A
sitemap that cannot be had or read is told in the log, and the crawl goes on without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import msgspec

from quaero.clock import Clock
from quaero.crawl import frontier
from quaero.crawl.fetch import Fetcher, FetchRequest
from quaero.crawl.frontier import Found, Traps
from quaero.crawl.session import ActiveCrawl, RobotsRules, interval, own_pace, pace
from quaero.crawl.urls import canonical, host_key
from quaero.db.contract import Tx
from quaero.errors import BadUrl, JobError, Permanent, Refused, RetryLater
from quaero.jobs.model import JobRow
from quaero.jobs.rows import load_one
from quaero.jobs.run import Effect
from quaero.work.context import JobContext
from quaero.work.cpu import CpuHelpers
from quaero.work.registry import Later, Result

MOST_SITEMAPS = 100
MOST_TRIES = 3
MOST_HOPS = 5
RETRY_SECONDS = 2.0
DEPTH = 1
ADMITTED_AT_ONCE = 500
_READ = "quaero.crawl.digest:read_sitemap"

Refusals = dict[str, int]
Samples = dict[str, list[str]]
Sift = Callable[[ActiveCrawl, list[str], Refusals, Samples], list[str]]


class Plan(msgspec.Struct):
    """What is still to be done, kept as the job's state.

    `hosts` are addresses whose robots.txt is to be asked, `waiting` the sitemaps to be read, and
    `known` all that ever waited. `tries` and `hops` are those of the one at the head; `over` counts
    the sitemaps named beyond the limit, and `bad` those without an address that can be fetched.
    """

    hosts: list[str]
    waiting: list[str] = []
    known: list[str] = []
    read: int = 0
    tries: int = 0
    hops: int = 0
    over: int = 0
    bad: int = 0


class SitemapReader:
    """Reads the sitemaps of crawls; `sift` takes out of links what robots rules disallow."""

    def __init__(
        self, fetcher: Fetcher, helpers: CpuHelpers, robots: RobotsRules, clock: Clock, sift: Sift
    ) -> None:
        self._fetcher = fetcher
        self._helpers = helpers
        self._robots = robots
        self._clock = clock
        self._sift = sift

    def begin(self, crawl: ActiveCrawl, effects: list[Effect]) -> Later:
        """Go on with the sitemaps at the next start, when `effects` are committed."""
        seeds = {host_key(seed): seed for seed in reversed(crawl.scope.seeds)}
        plan = Plan(sorted(seeds.values(), key=crawl.scope.seeds.index))
        return _later(crawl, plan, effects)

    async def step(self, job: JobContext, crawl: ActiveCrawl) -> Later | Result:
        """Spend one start on the next thing to be asked for."""
        plan = msgspec.convert(job.state, Plan)
        url = _head(plan)
        effects: list[Effect] = []
        try:
            await self._ask(job, crawl, plan, effects)
        except RetryLater as error:
            if plan.tries + 1 < MOST_TRIES:
                plan.tries += 1
                wait = error.after or RETRY_SECONDS
                if wait > RETRY_SECONDS:
                    job.log.warn(f"the crawl waits for its sitemaps: {error}; next in {wait:.0f} s")
                return _later(crawl, plan, effects, wait)
            what = "sitemaps of" if plan.hosts else "sitemap"
            _give_up(job, plan, f"the {what} {url} could not be read: {error}")
        except Refused as error:
            _give_up(job, plan, f"the sitemap {url} is refused by {error.reason}: {error}")
            effects.append(
                partial(_refuse, refused={error.reason: 1}, samples={error.reason: [url]})
            )
        except JobError as error:
            _give_up(job, plan, f"the sitemap {url} could not be read: {error}")
        if plan.hosts or plan.waiting:
            return _later(crawl, plan, effects)
        _say_left_out(job, plan)
        return Result({"sitemaps": plan.read}, effects)

    async def _ask(
        self, job: JobContext, crawl: ActiveCrawl, plan: Plan, effects: list[Effect]
    ) -> None:
        """Ask for the robots.txt or the sitemap at the head; what comes of it is in `effects`."""
        url = _head(plan)
        rules = self._robots.known(url)
        if rules is None:
            rules = await self._robots.fetch(url, crawl)
            effects.append(pace(crawl, url, rules, self._fetcher.user_agent, job.log))
            if not plan.hosts:
                return
        if plan.hosts:
            _done(plan)
            named = list(rules.sitemaps) or [canonical("/sitemap.xml", url)]
            _add(job, plan, named, canonical("/robots.txt", url))
            return
        if crawl.settings.respect_robots and not rules.allowed(url, self._fetcher.user_agent):
            raise Refused(f"robots.txt of {host_key(url)} disallows {url}", "robots")
        await self._read(job, crawl, plan, effects)

    async def _read(
        self, job: JobContext, crawl: ActiveCrawl, plan: Plan, effects: list[Effect]
    ) -> None:
        url = plan.waiting[0]
        now = self._clock.wall()
        request = FetchRequest(
            url=url,
            policy=crawl.policy,
            headers=crawl.credentials.headers_for(url, now),
            interval=interval(crawl, self._robots.known(url), self._fetcher.user_agent),
        )
        result = await self._fetcher.fetch(request)
        crawl.credentials.remember(url, result.set_cookie, now)
        if result.location is not None:
            _follow(plan, result.location)
            return
        sitemaps, admitted, refused, samples, problem = await self._helpers.run(
            _READ, result.body, url, crawl.packed_scope, DEPTH
        )
        admitted = self._sift(crawl, admitted, refused, samples)
        for start in range(0, len(admitted), ADMITTED_AT_ONCE):
            pages = [Found(each, DEPTH, url) for each in admitted[start : start + ADMITTED_AT_ONCE]]
            await job.commit(partial(_admit, crawl=crawl, pages=pages))
        if refused:
            effects.append(partial(_refuse, refused=refused, samples=samples))
        _done(plan)
        plan.read += 1
        _add(job, plan, sitemaps, url)
        if problem is not None:
            job.log.warn(f"the sitemap {url} was not read to its end: {problem}")
        job.log.info(f"the sitemap {url} names {len(admitted)} pages of the crawl", **refused)


def _head(plan: Plan) -> str:
    return (plan.hosts or plan.waiting)[0]


def _done(plan: Plan) -> None:
    (plan.hosts or plan.waiting).pop(0)
    plan.tries = plan.hops = 0


def _give_up(job: JobContext, plan: Plan, why: str) -> None:
    job.log.warn(why)
    _done(plan)


def _add(job: JobContext, plan: Plan, named: list[str], base: str) -> None:
    """Let sitemaps wait that are new, as far as the limit goes; of the others the first is told."""
    for text in named:
        try:
            url = canonical(text, base)
        except BadUrl:
            if not plan.bad:
                job.log.warn(f"{base} names a sitemap that cannot be fetched: {text[:200]}")
            plan.bad += 1
            continue
        if url in plan.known:
            continue
        if len(plan.known) >= MOST_SITEMAPS:
            plan.over += 1
            continue
        plan.known.append(url)
        plan.waiting.append(url)


def _say_left_out(job: JobContext, plan: Plan) -> None:
    """Say how many sitemaps were named and not asked for, once for all that named them."""
    if plan.over:
        job.log.warn(f"{plan.over} sitemaps named are over the limit of {MOST_SITEMAPS}")
    if plan.bad > 1:
        job.log.warn(f"{plan.bad} sitemaps named have no address that can be fetched")


def _follow(plan: Plan, location: str) -> None:
    """Put the address that a sitemap has moved to in its place. Raises `Permanent`."""
    if plan.hops >= MOST_HOPS:
        raise Permanent(f"more than {MOST_HOPS} redirects")
    try:
        plan.waiting[0] = canonical(location)
    except BadUrl as error:
        raise Permanent("it redirects to an address that cannot be fetched") from error
    plan.hops += 1
    plan.tries = 0


def _later(crawl: ActiveCrawl, plan: Plan, effects: list[Effect], delay: float = 0.0) -> Later:
    lane = crawl.politeness.lane(_head(plan))
    effects = [*effects, partial(own_pace, crawl=crawl, url=_head(plan))]
    return Later(delay, lane=lane, state=msgspec.to_builtins(plan), effects=effects)


# -- effects


def _admit(tx: Tx, job: JobRow, *, crawl: ActiveCrawl, pages: list[Found]) -> None:
    fresh = frontier.enter(tx, job.id, pages)
    named = Traps(0, crawl.settings.max_host_pages)  # a site knows its pages, however many
    frontier.admit_links(tx, load_one(tx, job.id), fresh, crawl.politeness, named)


def _refuse(tx: Tx, job: JobRow, *, refused: Mapping[str, int], samples: Mapping[str, Any]) -> None:
    frontier.refuse(tx, job.id, refused, samples)
