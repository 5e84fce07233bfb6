"""A login as crawls use it: what it sends, and where."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from quaero.crawl.cookies import Cookie, ScopedCredentials


@dataclass(frozen=True, slots=True, eq=False)
class Login:
    """Cookies and headers of this process, for crawls that name their session or credential.

    The headers go to `sites`, those of the crawl's seeds where there are none. A stored login has
    besides: its address as `name`, a `version` that grows when somebody changes it, the cookies
    `learned` since, the `user_agent` its sites know it by, when it expires, and whom to tell what
    its sites set anew.
    """

    session: str
    cookies: Sequence[Cookie] = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    sites: tuple[str, ...] = ()
    name: str = ""
    version: int = 0
    learned: Sequence[Cookie] = field(default=(), repr=False)
    user_agent: str | None = None
    expires_at: int | None = None
    refreshed: Callable[[Sequence[Cookie]], object] | None = field(default=None, repr=False)

    def scoped(self, seeds: Sequence[str]) -> ScopedCredentials:
        """What each request of a crawl with these seeds may carry."""
        return ScopedCredentials(
            self.sites or seeds,
            self.cookies,
            self.headers,
            user_agent=self.user_agent,
            learned=self.learned,
            refreshed=self.refreshed,
        )


OpenLogin = Callable[[int], Awaitable[Login]]
"""Opens the stored login of that id, as it is now.

Raises `NotFound`, and `BadKey` in a process that cannot open it.
"""
