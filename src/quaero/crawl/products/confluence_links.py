"""Which addresses of a Confluence are pages to collect, in one spelling each.

Spaces, their pages and posts, under the addresses of Server and Data Center and under those of
Cloud (`/wiki/…`). A page has one address whatever comment or search it was linked with. What
exists in endless variants (histories, comparisons, calendars, exports, activity) is a `view`; what
changes something is an `action`.
"""

from __future__ import annotations

import re
from urllib.parse import quote

from quaero.crawl.products.places import Place, is_action, is_signed, paging

OWN = frozenset(
    {"spaces", "pages", "display", "wiki", "rest", "label", "labels", "plugins", "download", "x",
     "login.action", "dashboard.action", "index.action", "homepage.action", "spacedirectory"}
)  # fmt: skip
LOGIN = re.compile(r"/(?:do)?login(?:\.action|\.jsp)?$|/(?:plugins/)?servlet/saml")

_PAGE = "/pages/viewpage.action"
_SPACE_OF = ("/spaces/viewspace.action", "/pages/viewspace.action")
_CLOUD_PAGE = re.compile(r"/spaces/[^/]+/(?:pages|blog(?:/\d{4}/\d\d/\d\d)?)/\d+(?:/[^/]*)?/?$")
_CLOUD_SPACE = re.compile(r"/spaces/?$|/spaces/[^/.]+/?$|/spaces/[^/]+/(?:overview|pages)/?$")
_DISPLAY = re.compile(r"/display/[^/]+(?:/.*)?$")
HOLDS = re.compile(
    r"/display/[^/]+(?:/.*)?$|/pages/viewpage\.action$|/rest/api/"
    r"|/spaces/[^/]+/(?:pages|blog(?:/\d{4}/\d\d/\d\d)?)/\d+(?:/[^/]*)?/?$"
    r"|/spaces/[^/.]+(?:/overview)?/?$"
)
_CALENDAR = re.compile(r"/display/[^/]+/\d{4}(?:/\d\d?){0,2}/?$")
_LISTS = re.compile(r"/pages/listpages(?:-dirview|-alphaview)?\.action$")
_ASSETS = ("/download/", "/s/", "/images/", "/pages/attachments/")
_VIEWS = (
    "/spaces/", "/pages/", "/display/", "/spacedirectory/", "/feeds/", "/createrssfeed",
    "/exportword", "/plugins/servlet/streams", "/calendar", "/dosearchsite.action", "/search",
    "/label/", "/labels/", "/dashboard",
)  # fmt: skip
# Actions under /spaces/KEY/…: the segment that says what would be done.
_ACTS = re.compile(r"/(?:edit(?:-v2|-embed)?|create|resumedraft|templates)(?:/|$|\.)")


def spelled(path: str, at: Place) -> tuple[str, str]:
    """Path and query (with its mark) in the spelling under which a page is collected.

    A query of "?" stands for the one that was given.
    """
    if path == _PAGE:
        return _page_address(path, at)
    if path in _SPACE_OF and at.value("key"):
        return f"/display/{quote(at.value('key'))}", ""
    if _CLOUD_PAGE.match(path) or _DISPLAY.match(path) or _CLOUD_SPACE.match(path):
        found = paging(at) if _CLOUD_SPACE.match(path) else ""
        return path.rstrip("/") or path, found or ""
    return path, "?"


def _page_address(path: str, at: Place) -> tuple[str, str]:
    """By id; by space and title under the name that such pages have."""
    number, space, title = at.value("pageId"), at.value("spaceKey"), at.value("title")
    if number.isdecimal():
        return path, f"?pageId={number}"
    if space and title:
        return f"/display/{quote(space)}/{quote(title).replace('%20', '+')}", ""
    return path, "?"


def refusal(path: str, at: Place) -> str | None:
    """Why the address with this path below the base is not collected, or None."""
    if is_signed(at):
        return "action"
    if path.startswith(_ASSETS):
        return "asset"
    if _DISPLAY.match(path) or _CLOUD_PAGE.match(path):
        return "view" if _CALENDAR.match(path) else None
    if path == _PAGE:
        return None if at.value("pageId").isdecimal() else "view"
    if _CLOUD_SPACE.match(path):
        return "view" if paging(at) is None else None
    if is_action(path) or _ACTS.search(path):
        return "action"
    if path.startswith("/rest/api/"):
        return "view" if at.query else None
    if _LISTS.match(path):
        return "view" if at.names - {"key"} else None
    if path.startswith(_VIEWS):
        return "view"
    return "source"
