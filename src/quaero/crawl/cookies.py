"""Cookies and headers of a login, sent where they belong and nowhere else.

A cookie goes where RFC 6265 sends it. A header that the user gave goes to the sites of the login,
or of the crawl's seeds where it names none. Both are chosen anew for every request, so a redirect
or a link to another site carries neither. What a site sets while it is crawled is kept for exactly
the host that set it; on an address or `localhost`, where ports are programs of their own, for
exactly that port. No value appears in an error, a `repr` or a log.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import ada_url

from quaero.clock import LAST_SECOND, SECOND
from quaero.crawl.cookie_date import cookie_date
from quaero.crawl.headers import check_headers
from quaero.crawl.policy import literal_address
from quaero.crawl.urls import site

_Place = tuple[str, str | None]

_MOST_HOSTS = 1000
_MOST_PER_HOST = 50
_LATEST = LAST_SECOND * SECOND
_LONGEST_COOKIE = 4096  # RFC 6265 6.1
_NOT_IN_NAME = re.compile(r"[\x00-\x1f\x7f;=]|\A[ \t]|[ \t]\Z")
_NOT_IN_VALUE = re.compile(r"[\x00-\x1f\x7f;]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cookie:
    """One cookie. `expires` is in microseconds UTC, None for a session's; `path` begins with /.

    With a `port` it goes to that port of its host only.
    """

    name: str
    value: str = field(repr=False)
    domain: str
    host_only: bool = True
    path: str = "/"
    secure: bool = False
    expires: int | None = None
    port: str | None = None
    http_only: bool = field(default=False, compare=False)

    def goes_to(self, host: str, port: str, path: str, *, https: bool, now: int) -> bool:
        """Tell whether a request to this host and path carries the cookie, RFC 6265 5.4."""
        return (
            self.port in (None, port)
            and (host == self.domain or (not self.host_only and _is_below(host, self.domain)))
            and _covers(self.path, path)
            and (https or not self.secure)
            and (self.expires is None or self.expires > now)
        )


class ScopedCredentials:
    """The cookies and headers of one crawl, and what the sites add to them.

    `cookies` are usually those of `read_cookie_file`. `headers` go to the site (the registrable
    domain) of each of `seeds`; where a seed's host is an address or a name of one label, to exactly
    that host and port. They never go over http if the seed is https. `user_agent` is the name that
    these sites are told. `learned` is what sites set before, and `refreshed` is called with what
    the seeds' sites set anew, over https only if the seed is https. Raises `BadInput` for a header
    that cannot be sent.
    """

    def __init__(
        self,
        seeds: Iterable[str],
        cookies: Iterable[Cookie] = (),
        headers: Mapping[str, str] | None = None,
        *,
        user_agent: str | None = None,
        learned: Iterable[Cookie] = (),
        refreshed: Callable[[Sequence[Cookie]], object] | None = None,
    ) -> None:
        self._headers = dict(headers or {})
        check_headers(self._headers)
        self._user_agent = user_agent
        self._refreshed = refreshed
        self._secure_at: dict[tuple[str, str], bool] = {}
        for seed in seeds:
            place, https = _place(seed)
            self._secure_at[place] = self._secure_at.get(place, True) and https
        self._given: dict[str, list[Cookie]] = {}
        for cookie in cookies:
            self._given.setdefault(cookie.domain, []).append(cookie)
        self._set: dict[_Place, dict[tuple[str, str], Cookie]] = {}
        for cookie in learned:
            self._set.setdefault((cookie.domain, cookie.port), {})[cookie.name, cookie.path] = (
                cookie
            )

    def headers_for(self, url: str, now: int) -> dict[str, str]:
        """The headers that a request for `url` carries at `now` (microseconds UTC)."""
        headers = dict(self._headers) if self._headers and self._may_have_headers(url) else {}
        if self._user_agent is not None and _place(url)[0] in self._secure_at:
            headers["User-Agent"] = self._user_agent
        if cookies := self._cookies_for(url, now):
            pairs = "; ".join(f"{cookie.name}={cookie.value}" for cookie in cookies)
            name = next((name for name in headers if name.lower() == "cookie"), "Cookie")
            headers[name] = f"{headers[name]}; {pairs}" if name in headers else pairs
        return headers

    def remember(self, url: str, set_cookie: Iterable[str], now: int) -> None:
        """Keep what the answer from `url` set (its `Set-Cookie` values), for its host only.

        A `Domain` wider than the host is read as the host; a foreign one or a public suffix, a
        secure cookie over http and one that is too long are ignored. The oldest are dropped beyond
        50 a host.
        """
        if not set_cookie:
            return
        parts = ada_url.URL(url)
        https, port = parts.protocol == "https:", bound_port(parts)
        changed = []
        for value in set_cookie:
            cookie = parse_set_cookie(value, parts.hostname, parts.pathname, now, port)
            if cookie is None or (not https and (cookie.secure or self._shields(cookie))):
                continue
            if self._keep(cookie):
                changed.append(cookie)
        if changed and self._refreshed is not None and self._may_have_headers(url):
            self._refreshed(changed)

    def _keep(self, cookie: Cookie) -> bool:
        """Remember a cookie of its host; whether it says anything new."""
        place = (cookie.domain, cookie.port)
        kept = self._set.pop(place, {})
        before = kept.pop((cookie.name, cookie.path), None)
        kept[cookie.name, cookie.path] = cookie
        self._set[place] = kept
        if len(kept) > _MOST_PER_HOST:
            kept.pop(next(iter(kept)))
        if len(self._set) > _MOST_HOSTS:
            self._set.pop(next(iter(self._set)))
        return cookie != before

    def _shields(self, cookie: Cookie) -> bool:
        """Whether a secure cookie is there that plain http must not replace (RFC 6265bis, 5.7)."""
        given = (
            each for domain in _domains_above(cookie.domain) for each in self._given.get(domain, ())
        )
        known = (*given, *self._set.get((cookie.domain, cookie.port), {}).values())
        return any(each.secure and each.name == cookie.name for each in known)

    def _may_have_headers(self, url: str) -> bool:
        place, https = _place(url)
        secure_only = self._secure_at.get(place)
        return secure_only is not None and (https or not secure_only)

    def _cookies_for(self, url: str, now: int) -> list[Cookie]:
        """Longest path first, then in the order they came, RFC 6265 5.4."""
        if not (self._given or self._set):
            return []
        parts = ada_url.URL(url)
        host, https, port = parts.hostname, parts.protocol == "https:", port_of(parts)
        newer = self._set.get((host, bound_port(parts)), {})
        candidates = [
            cookie
            for domain in _domains_above(host)
            for cookie in self._given.get(domain, ())
            if (cookie.name, cookie.path) not in newer
        ]
        candidates.extend(newer.values())
        path = parts.pathname
        going = [c for c in candidates if c.goes_to(host, port, path, https=https, now=now)]
        return sorted(going, key=lambda cookie: -len(cookie.path))


def parse_set_cookie(
    value: str, host: str, request_path: str, now: int, port: str | None = None
) -> Cookie | None:
    """The cookie of one `Set-Cookie` value from `host`, RFC 6265 5.2; None if it is to be ignored.

    `port` is the one it is bound to, if it is to any. One that the site deletes is returned as
    expired.
    """
    pair, *rest = value.split(";")
    name, equals, content = (part.strip() for part in pair.partition("="))
    if not equals or not is_cookie_name(name) or not is_cookie_value(content):
        return None
    if len(name) + len(content) > _LONGEST_COOKIE:
        return None
    attributes = {
        key.strip().lower(): argument.strip()
        for key, _, argument in (part.partition("=") for part in rest)
    }
    domain = attributes.get("domain", "").removeprefix(".").lower()
    if domain and host != domain and not (_is_below(host, domain) and not is_public_suffix(domain)):
        return None
    path = attributes.get("path", "")
    return Cookie(
        name=name,
        value=content,
        domain=host,
        path=path if path.startswith("/") else _default_path(request_path),
        secure="secure" in attributes,
        expires=_expiry(attributes, now),
        port=port,
        http_only="httponly" in attributes,
    )


def is_cookie_name(name: str) -> bool:
    """Tell whether a `Cookie` header can have this name; browsers allow more than RFC 6265 does."""
    return bool(name) and not _NOT_IN_NAME.search(name)


def is_cookie_value(value: str) -> bool:
    """Tell whether a value can stand in a `Cookie` header: no control characters, no semicolon."""
    return not _NOT_IN_VALUE.search(value)


def is_public_suffix(domain: str) -> bool:
    """Tell whether unrelated sites share this domain (`com`, `co.uk`, `github.io`)."""
    below = f"x.{domain}"
    return site(below) == below


def port_of(parts: ada_url.URL) -> str:
    """The port that an address leads to."""
    return str(parts.port) or ("443" if parts.protocol == "https:" else "80")


def bound_port(parts: ada_url.URL) -> str | None:
    """The port that a host's secrets are bound to: that of an address or localhost, else none."""
    host = parts.hostname
    at_home = host == "localhost" or host.endswith(".localhost")
    return port_of(parts) if at_home or literal_address(host) is not None else None


def _expiry(attributes: Mapping[str, str], now: int) -> int | None:
    age = attributes.get("max-age", "")
    if age.removeprefix("-").isdecimal() and age.isascii():
        return min(now + max(int(age[:12]), 0) * SECOND, _LATEST)
    end = cookie_date(attributes["expires"]) if "expires" in attributes else None
    return None if end is None else min(end, _LATEST)


def _default_path(request_path: str) -> str:
    return request_path.rpartition("/")[0] or "/"


def _covers(cookie_path: str, path: str) -> bool:
    """RFC 6265 5.1.4."""
    if not path.startswith(cookie_path):
        return False
    return (
        len(path) == len(cookie_path) or cookie_path.endswith("/") or path[len(cookie_path)] == "/"
    )


def _is_below(host: str, domain: str) -> bool:
    """RFC 6265 5.1.3; an address has no domains above it."""
    return host.endswith(f".{domain}") and literal_address(host) is None


def _domains_above(host: str) -> list[str]:
    if literal_address(host) is not None:
        return [host]
    labels = host.split(".")
    return [".".join(labels[start:]) for start in range(len(labels))]


def _place(url: str) -> tuple[tuple[str, str], bool]:
    """What a header is bound to: a site, or a host with its port; and whether it is https."""
    parts = ada_url.URL(url)
    host, https = parts.hostname, parts.protocol == "https:"
    if literal_address(host) is None and "." in host and not host.endswith(".localhost"):
        return (site(host), ""), https
    return (host, port_of(parts)), https
