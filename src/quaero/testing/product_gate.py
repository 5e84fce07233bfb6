"""Sessions of a Jira or Confluence for tests: who is logged in, what ends it, what is harmed.

`Gate` stands before the pages of a `SiteServer`. A session is a cookie; visiting a logout address
ends it, as it does on real sites, and what changes something is noted in `harm` for a test to find.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Literal
from urllib.parse import quote

from quaero.crawl.cookies import Cookie
from quaero.testing.site import Hit, Page, redirect

SESSION = "JSESSIONID"
USER = "ann"
Expired = Literal["redirect", "form", "anonymous"]

_ENDS = re.compile(r"/log-?out|Logout")
_HARMS = re.compile(
    r"(?i)(?:edit|create|delete|remove|copy|revert|dispatcher|vote|clone)[^/?]*\.(?:action|jspa)"
    r"|atl_token"
)


@dataclass
class Gate:
    """The door of a product that lies at `context`, "" or a path such as `/jira`.

    `login` is the path of its login page, `denial` makes the page shown to a user, or to nobody,
    for what cannot be seen. `requests_left` counts down to the end of every session. What happens
    without one is `expired`: a redirect to the login page, its form in place, or an answer as to
    anybody, which for all that is private is a denial.
    """

    context: str
    login: str
    form: Callable[[str], str]
    denial: Callable[[str], str]
    expired: Expired = "redirect"
    sessions: set[str] = field(default_factory=set)
    requests_left: int | None = None
    harm: list[str] = field(default_factory=list)
    strays: list[str] = field(default_factory=list)

    def captured(self, value: str, host: str = "127.0.0.1") -> Cookie:
        """Log in: the cookie of a new session."""
        self.sessions.add(value)
        return Cookie(name=SESSION, value=value, domain=host, path=self.context or "/")

    def __call__(self, hit: Hit) -> Page | None:
        """Answer whoever is not logged in; None lets the request through."""
        if hit.path == "/robots.txt":
            return Page(status=404)
        path = hit.path.removeprefix(self.context)
        if not hit.path.startswith(self.context):
            self.strays.append(hit.path)
        user = self._user(hit)
        if _ENDS.search(path):
            self.sessions.clear()
            self.harm.append(hit.path)
            return redirect(f"{self.context}{self.login}")
        if path.startswith(self.login):
            return Page(body=self.form(user))
        if not user:
            return self._turn_away(path)
        if _HARMS.search(path):
            self.harm.append(hit.path)
        return None

    def _user(self, hit: Hit) -> str:
        sent = SimpleCookie(hit.headers.get("Cookie", ""))
        if self.requests_left is not None:
            self.requests_left -= 1
            if self.requests_left < 0:
                self.sessions.clear()
        known = SESSION in sent and sent[SESSION].value in self.sessions
        return USER if known else ""

    def _turn_away(self, path: str) -> Page:
        if self.expired == "form":
            return Page(body=self.form(""))
        if self.expired == "anonymous":
            return Page(body=self.denial(""))
        asked = quote(path, safe="")
        return redirect(
            f"{self.context}{self.login}?permissionViolation=true&os_destination={asked}"
        )
