"""Cookies and headers of a login, sent where they belong and nowhere else.

A cookie goes where RFC 6265 sends it. A header that the user gave goes to the sites of the crawl's
seeds. Both are chosen anew for every request, so a redirect or a link to another site carries
neither. What a site sets while it is crawled is kept in memory, for exactly the host that set it.
No value appears in an error, a `repr` or a log.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import ada_url

from quaero.clock import SECOND
from quaero.crawl.headers import check_headers, http_date
from quaero.crawl.policy import literal_address
from quaero.crawl.urls import site

_MOST_HOSTS = 1000
_MOST_PER_HOST = 50
_LONGEST_COOKIE = 4096  # RFC 6265 6.1
_NOT_IN_NAME = re.compile(r"[\x00-\x20\x7f;=,]")
_NOT_IN_VALUE = re.compile(r"[\x00-\x1f\x7f;]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cookie:
    """One cookie. `expires` is in microseconds UTC, None for a session's; `path` begins with /."""

    name: str
    value: str = field(repr=False)
    domain: str
    host_only: bool = True
    path: str = "/"
    secure: bool = False
    expires: int | None = None

    def goes_to(self, host: str, path: str, *, https: bool, now: int) -> bool:
        """Tell whether a request to this host and path carries the cookie, RFC 6265 5.4."""
        return (
            (host == self.domain or (not self.host_only and _is_below(host, self.domain)))
            and _covers(self.path, path)
            and (https or not self.secure)
            and (self.expires is None or self.expires > now)
        )


class ScopedCredentials:
    """The cookies and headers of one crawl, and what the sites add to them.

    `cookies` are usually those of `read_cookie_file`. `headers` go to the site (the registrable
    domain) of each of `seeds`; where a seed's host is an address or a name of one label, to exactly
    that host and port. They never go over http if the seed is https. Raises `BadInput` for a header
    that cannot be sent.
    """

    def __init__(
        self,
        seeds: Iterable[str],
        cookies: Iterable[Cookie] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._headers = dict(headers or {})
        check_headers(self._headers)
        self._secure_at: dict[tuple[str, str], bool] = {}
        for seed in seeds:
            place, https = _place(seed)
            self._secure_at[place] = self._secure_at.get(place, True) and https
        self._given: dict[str, list[Cookie]] = {}
        for cookie in cookies:
            self._given.setdefault(cookie.domain, []).append(cookie)
        self._set: dict[str, dict[tuple[str, str], Cookie]] = {}

    def headers_for(self, url: str, now: int) -> dict[str, str]:
        """The headers that a request for `url` carries at `now` (microseconds UTC)."""
        headers = dict(self._headers) if self._headers and self._may_have_headers(url) else {}
        if cookies := self._cookies_for(url, now):
            pairs = "; ".join(f"{cookie.name}={cookie.value}" for cookie in cookies)
            name = next((name for name in headers if name.lower() == "cookie"), "Cookie")
            headers[name] = f"{headers[name]}; {pairs}" if name in headers else pairs
        return headers

    def remember(self, url: str, set_cookie: Iterable[str], now: int) -> None:
        """Keep what the answer from `url` set (its `Set-Cookie` values), for its host only.

        A `Domain` wider than the host is read as the host; a foreign one, a secure cookie over
        http and one that is too long are ignored. The oldest are dropped beyond 50 a host.
        """
        parts = ada_url.URL(url)
        for value in set_cookie:
            cookie = parse_set_cookie(value, parts.hostname, parts.pathname, now)
            if cookie is None or (cookie.secure and parts.protocol != "https:"):
                continue
            kept = self._set.pop(cookie.domain, {})
            kept.pop((cookie.name, cookie.path), None)
            kept[cookie.name, cookie.path] = cookie
            self._set[cookie.domain] = kept
            if len(kept) > _MOST_PER_HOST:
                kept.pop(next(iter(kept)))
            if len(self._set) > _MOST_HOSTS:
                self._set.pop(next(iter(self._set)))

    def _may_have_headers(self, url: str) -> bool:
        place, https = _place(url)
        secure_only = self._secure_at.get(place)
        return secure_only is not None and (https or not secure_only)

    def _cookies_for(self, url: str, now: int) -> list[Cookie]:
        """Longest path first, then in the order they came, RFC 6265 5.4."""
        if not (self._given or self._set):
            return []
        parts = ada_url.URL(url)
        host, https = parts.hostname, parts.protocol == "https:"
        newer = self._set.get(host, {})
        candidates = [
            cookie
            for domain in _domains_above(host)
            for cookie in self._given.get(domain, ())
            if (cookie.name, cookie.path) not in newer
        ]
        candidates.extend(newer.values())
        going = [c for c in candidates if c.goes_to(host, parts.pathname, https=https, now=now)]
        return sorted(going, key=lambda cookie: -len(cookie.path))


def parse_set_cookie(value: str, host: str, request_path: str, now: int) -> Cookie | None:
    """The cookie of one `Set-Cookie` value from `host`, RFC 6265 5.2; None if it is to be ignored.

    One that the site deletes is returned as expired.
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
    if domain and host != domain and not _is_below(host, domain):
        return None
    path = attributes.get("path", "")
    return Cookie(
        name=name,
        value=content,
        domain=host,
        path=path if path.startswith("/") else _default_path(request_path),
        secure="secure" in attributes,
        expires=_expiry(attributes, now),
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


def _expiry(attributes: Mapping[str, str], now: int) -> int | None:
    age = attributes.get("max-age", "")
    if age.removeprefix("-").isdecimal() and age.isascii():
        return now + max(int(age[:12]), 0) * SECOND
    if "expires" in attributes:
        return http_date(attributes["expires"])
    return None


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
    return (host, parts.port or ("443" if https else "80")), https
