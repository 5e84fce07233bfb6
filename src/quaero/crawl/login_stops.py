"""Where a crawl's login does not serve: its pages wait for a process that has it, or end the crawl.

What ends a crawl is written under the lease of the page that saw it, so a page that was taken back
meanwhile ends nothing.
"""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import NoReturn

from quaero.crawl import frontier
from quaero.crawl.digest import Digest
from quaero.crawl.expiry import expiry_warning
from quaero.crawl.extract import Page
from quaero.crawl.login import Login
from quaero.crawl.page_signs import is_login_address
from quaero.crawl.payloads import CrawlPage
from quaero.crawl.session import ActiveCrawl
from quaero.crawl.urls import host_key
from quaero.crawl.verdicts import is_there_to_log_in
from quaero.db.contract import Tx
from quaero.errors import BadKey, Permanent
from quaero.jobs import logs, rows
from quaero.jobs.model import JobRow
from quaero.jobs.steer import fail
from quaero.work.context import JobContext
from quaero.work.registry import Later

WAIT_FOR_LOGIN = 2.0
LONGEST_WAIT_FOR_LOGIN = 15.0
MOST_WAITS_FOR_KEY = 40
MOST_UNAUTHORIZED = 5
"""How many answers 401 in a row mean that the login has ended, and not that a page is special."""
MOST_FORBIDDEN = 5
"""How many answers 403 in a row make it likely."""
BY_LOGIN = "login"


async def stop_at_login(
    job: JobContext, crawl: ActiveCrawl, page: CrawlPage, url: str, made: Digest, *,
    redirected: bool,
) -> None:  # fmt: skip
    """A login page in place of what was asked for ends the crawl, with the reason.

    A page that is there to log in, linked from the others, is what it says. One seed of several, of
    a crawl without a login, fails by itself.
    """
    if not made.page.looks_like_login:
        return
    in_place = redirected or not is_there_to_log_in(crawl, url)
    if page.found_on is not None and not (crawl.private and in_place):
        return
    seen = "shows a login page"
    if not (crawl.private or crawl.scope.rules is not None or _is_only_seed(crawl, page)):
        raise Permanent(_asked(crawl, url, seen))
    await stop_for_login(job, crawl, url, seen)


async def stop_if_signed_out(job: JobContext, crawl: ActiveCrawl, url: str, page: Page) -> None:
    """A page that greets nobody, after one that did or to deny itself, ends a private crawl."""
    host = host_key(url)
    if page.signed_in:
        crawl.greeting.add(host)
        return
    expected = page.denied or host in crawl.greeting
    if page.signed_in is False and crawl.private and expected:
        await stop_for_login(job, crawl, url, "greets nobody")


async def note_refusal(
    job: JobContext, crawl: ActiveCrawl, page: CrawlPage, url: str, code: int
) -> None:
    """Do what an answer to a page, which is none, says of the crawl's login."""
    if code == HTTPStatus.UNAUTHORIZED:
        await _stop_if_unauthorized(job, crawl, page, url)
    if code == HTTPStatus.FORBIDDEN and crawl.private:
        await _warn_if_forbidden(job, crawl, url)


def note_answer(crawl: ActiveCrawl, url: str) -> None:
    """A host that answers has not ended the login; what was warned of is not said again."""
    host = host_key(url)
    crawl.unauthorized.pop(host, None)
    if crawl.forbidden[host] < MOST_FORBIDDEN:
        crawl.forbidden.pop(host, None)


async def _warn_if_forbidden(job: JobContext, crawl: ActiveCrawl, url: str) -> None:
    """Say once, in the crawl's log, that its login may have ended where a site answers 403.

    Such pages may as well be for others, so the crawl goes on.
    """
    host = host_key(url)
    crawl.forbidden[host] += 1
    if crawl.forbidden[host] == MOST_FORBIDDEN:
        text = (
            f"{host} has answered 403 to {MOST_FORBIDDEN} pages in a row, the last {url}; if you "
            f"may read them, {_way_in(crawl)}, then retry what failed"
        )
        await job.commit(partial(_warn, crawl_id=crawl.root_id, text=text))


def _warn(tx: Tx, job: JobRow, *, crawl_id: int, text: str) -> None:
    del job
    logs.say(tx, rows.load_one(tx, crawl_id), logs.Level.WARN, text)


async def _stop_if_unauthorized(
    job: JobContext, crawl: ActiveCrawl, page: CrawlPage, url: str
) -> None:
    """An answer 401 ends the crawl of a product, a crawl at its seed, and one whose login ended.

    A site may keep single pages for others: a login that serves elsewhere has not ended.
    """
    host = host_key(url)
    crawl.unauthorized[host] += 1
    ended = crawl.private and crawl.unauthorized[host] >= MOST_UNAUTHORIZED
    if _is_only_seed(crawl, page) or ended or crawl.scope.rules is not None:
        await stop_for_login(job, crawl, url, "answers 401")


async def stop_for_login(job: JobContext, crawl: ActiveCrawl, url: str, seen: str) -> NoReturn:
    """End the crawl with the one reason that all its pages share."""
    await stop(job, crawl.root_id, _asked(crawl, url, seen), BY_LOGIN)


def _is_only_seed(crawl: ActiveCrawl, page: CrawlPage) -> bool:
    return page.found_on is None and len(crawl.scope.seeds) == 1


def _asked(crawl: ActiveCrawl, url: str, seen: str) -> str:
    return f"{host_key(url)} {seen} at {url} in place of content: {_way_in(crawl)}"


async def stop(job: JobContext, root_id: int, text: str, reason: str | None = None) -> NoReturn:
    """End a crawl from one of its pages; `reason` is the word that is kept of it."""
    await job.commit(partial(_end, root_id=root_id, text=text, reason=reason))
    raise Permanent(text)


def _end(tx: Tx, job: JobRow, *, root_id: int, text: str, reason: str | None) -> None:
    del job
    fail(tx, root_id, text, "ended by a page")
    if reason is not None:
        frontier.note_stop(tx, root_id, reason)


def wait_for_login(job: JobContext) -> Later:
    """A page of a login that this process does not have waits for one that has; says so once."""
    return _wait(
        job,
        "waiting for a process that has the crawl's login: repeat `quaero crawl` with "
        "--cookie-file or --header",
    )


def wait_for_key(job: JobContext, error: BadKey) -> Later:
    """What this process cannot open, another may; raises where none did for about ten minutes."""
    if not may_wait_for_key(job):
        raise Permanent(str(error)) from error
    return _wait(job, f"waiting for a process that can open the login: {error}")


def may_wait_for_key(job: JobContext) -> bool:
    """Whether a job has waited for a process with the key for less than about ten minutes."""
    return _waits(job) < MOST_WAITS_FOR_KEY


def _wait(job: JobContext, why: str) -> Later:
    waits = _waits(job)
    if not waits:
        job.log.warn(why)
    delay = min(WAIT_FOR_LOGIN * 2 ** min(waits, 9), LONGEST_WAIT_FOR_LOGIN)
    return Later(delay, state={**(job.state or {}), "waits": waits + 1})


def _waits(job: JobContext) -> int:
    waits: int = (job.state or {}).get("waits", 0)
    return waits


def warn_of_expiry(job: JobContext, login: Login, now: int) -> None:
    """Say in the crawl's log that its login is about to expire, where it is."""
    warning = expiry_warning(login.expires_at, now)
    if warning is not None:
        job.log.warn(f"the login for {login.name} {warning}")


def hint_of_login(crawl: ActiveCrawl, page: CrawlPage, target: str) -> str:
    """What else to say of a seed that leads away to what is named like a login page."""
    if page.found_on is not None or not is_login_address(target):
        return ""
    return f"; if that is a login page, {_way_in(crawl)}"


def _way_in(crawl: ActiveCrawl) -> str:
    """What to do where a login page is shown."""
    if crawl.login is not None and crawl.login.name:
        return (
            f"the login for {crawl.login.name} has expired or is not accepted; log in again with "
            "your browser and store the new login, on the page Sources or with `quaero auth import`"
        )
    if crawl.private:
        return "the login has expired or is not accepted; log in again and give the new cookies"
    if crawl.settings.source:
        return "give the source a login"
    return "give your login with --cookie-file or --header"
