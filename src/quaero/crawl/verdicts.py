"""What a redirect or a page means for its crawl: a login is asked for, a denial, no content."""

from __future__ import annotations

from quaero.crawl.extract import Page
from quaero.crawl.page_signs import is_login_address
from quaero.crawl.payloads import CrawlPage
from quaero.crawl.session import ActiveCrawl

LOGIN_PAGE = "login page"
"""The outcome of a page that asks to log in."""


def is_there_to_log_in(crawl: ActiveCrawl, url: str) -> bool:
    """Whether a login form is what an address is for; an issue may be called AUTH-1."""
    return crawl.scope.is_login(url) if crawl.scope.rules is not None else is_login_address(url)


def asks_to_log_in(crawl: ActiveCrawl, page: CrawlPage, url: str, target: str) -> bool:
    """Whether a redirect to where the crawl does not go is one to a login page, in place of `url`.

    Without a login of its own a crawl is told so at its seeds only: the rest may be public.
    """
    told = crawl.private or (page.found_on is None and crawl.scope.rules is not None)
    asks = crawl.scope.is_login(target) or is_login_address(target)
    return told and asks and not is_there_to_log_in(crawl, url)


def may_be_denial(crawl: ActiveCrawl, target: str) -> bool:
    """Whether a product's login page may be shown to somebody logged in, for want of permission."""
    return (
        crawl.private
        and "permissionViolation=true" in target
        and crawl.scope.is_login(target)
        and crawl.scope.refusal(target, 0) == "source"
    )


def is_denied(page: Page) -> bool:
    """Whether a page says that this account may not see what was asked for."""
    return page.denied or (page.looks_like_login and page.signed_in is True)


def why_unsaved(crawl: ActiveCrawl, url: str, page: Page) -> tuple[str, str] | None:
    """The outcome of a page that is read for its links only, and why; None for one to save."""
    if page.noindex:
        return "noindex", "the page asks not to be indexed"
    if page.looks_like_login:
        return LOGIN_PAGE, "the page asks to log in"
    if crawl.scope.is_list(url):
        return "list", "the page lists others, which are saved themselves"
    return None
