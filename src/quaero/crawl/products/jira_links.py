"""Which addresses of a Jira are pages to collect, in one spelling each.

Issues, projects with their lists, and the two pages that lead to them (dashboard, all projects).
Issues have one address however they are linked: from a board, a filter, a comment. What exists in
endless variants (filters, sorts, reports, calendars, exports, activity) is a `view`; what changes
something is an `action`.
"""

from __future__ import annotations

import re

from quaero.crawl.products.places import Place, is_action, is_signed, paging

OWN = frozenset(
    {"browse", "projects", "issues", "secure", "rest", "login.jsp", "plugins", "si", "sr",
     "activity"}
)  # fmt: skip
LOGIN = re.compile(
    r"/login(?:\.jsp|\.action)?$|/secure/Login|/servlet/samlsso|/plugins/servlet/saml"
)

_KEY = r"[A-Z][A-Z0-9_]+"
_ISSUE = re.compile(rf"/(?:browse|(?:.*/)?projects/{_KEY}/(?:issues|queues/\w+))/({_KEY}-\d+)/?$")
_SELECTED = re.compile(rf"({_KEY}-\d+)")
_PROJECT = re.compile(rf"/browse/{_KEY}/?$|/projects/{_KEY}/?$")
_CLOUD = re.compile(r"/jira/(?:software|core|servicedesk|business)(?:/c)?(?=/projects)")
HOLDS = re.compile(
    rf"/browse/{_KEY}(?:-\d+)?/?$|/projects/{_KEY}(?:/(?:summary|components|versions.*|releases))?/?$"
    r"|/rest/api/"
)
_LISTS = re.compile(
    rf"/projects/?$|/projects/{_KEY}/(?:issues|summary|components|versions|releases)/?$"
    rf"|/projects/{_KEY}/versions/\d+/?$|/secure/BrowseProjects?\.jspa$"
)
_ASSETS = (
    "/secure/attachment/", "/secure/thumbnail", "/secure/useravatar", "/secure/projectavatar",
    "/secure/viewavatar", "/s/", "/images/", "/download/",
)  # fmt: skip
_DASHBOARD = "/secure/Dashboard.jspa"
_ACTS = re.compile(r"(?i)/secure/.*(?:workflow|dispatcher|comment|worklog|admin|vote|link|attach)")
_VIEWS = ("/browse/", "/projects/", "/issues/", "/secure/", "/jira/", "/si/", "/sr/", "/activity",
          "/plugins/servlet/streams", "/plugins/servlet/project-config")  # fmt: skip


def spelled(path: str, at: Place) -> tuple[str, str]:
    """Path and query (with its mark) in the spelling under which a page is collected.

    A query of "?" stands for the one that was given.
    """
    path = _CLOUD.sub("", path)
    if (found := _ISSUE.search(path)) is not None:
        return f"/browse/{found[1]}", ""
    chosen = at.value("selectedIssue") or (
        at.value("key") if path == "/secure/ViewIssue.jspa" else ""
    )
    if _SELECTED.fullmatch(chosen):
        return f"/browse/{chosen}", ""
    page = paging(at)
    return path, "?" if page is None else page


def refusal(path: str, at: Place) -> str | None:
    """Why the address with this path below the base is not collected, or None."""
    if is_signed(at):
        return "action"
    if path.startswith(_ASSETS):
        return "asset"
    if _ISSUE.search(path) is not None:
        return None
    if _PROJECT.match(path) or path == _DASHBOARD:
        return "view" if at.query else None
    if _LISTS.match(path):
        return "view" if paging(at) is None else None
    if is_action(path) or "!" in path or _ACTS.match(path):
        return "action"
    if path.startswith("/rest/api/"):
        return "view" if at.query else None
    return "view" if path.startswith(_VIEWS) or path == "/issues" else "source"
