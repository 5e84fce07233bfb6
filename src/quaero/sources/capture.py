"""What is taken for a login: checked, bound to its site, and free of what could not be sent.

A capture comes from an extension, a file or a person, and is believed in nothing: a cookie must
belong to the site of the base address, no wider than RFC 6265 and the public suffixes allow; on an
address or `localhost` it is bound to the port too. Nothing that was given is repeated in an error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import ada_url

from quaero.crawl.cookies import (
    Cookie,
    bound_port,
    is_cookie_name,
    is_cookie_value,
    is_public_suffix,
    port_of,
)
from quaero.crawl.headers import OURS, TOKEN
from quaero.crawl.policy import literal_address
from quaero.crawl.urls import canonical, site
from quaero.errors import BadLogin, BadUrl

MOST_COOKIES = 300
MOST_HEADERS = 20
LONGEST_COOKIE = 4096  # RFC 6265 6.1
LONGEST_HEADER = 16 * 1024
LONGEST_AGENT = 500
LONGEST_ADDRESS = 2_000
LONGEST_PATH = 1_024
LARGEST = 256 * 1024
_HOST = re.compile(r"[^\x00-\x20\x7f/?#@:\\%<>^|\[\]]{1,253}")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """A login that may be stored; `captured_at` is a wall time in microseconds."""

    base_url: str
    captured_at: int
    cookies: tuple[Cookie, ...] = field(default=(), repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    user_agent: str | None = None


def base_of(url: str) -> str:
    """The base address of a login: canonical, without query and fragment. Raises `BadLogin`."""
    bare = url.partition("#")[0].partition("?")[0]
    if len(bare) > LONGEST_ADDRESS:
        raise BadLogin(f"the base address is longer than {LONGEST_ADDRESS}", "/base_url")
    try:
        return canonical(bare).partition("?")[0]
    except BadUrl:
        raise BadLogin(
            "this is not the address of a site; write one such as https://wiki.example.org/",
            "/base_url",
        ) from None


def site_of(base_url: str) -> str:
    """Whom the login belongs to: a registrable domain, or a host with its port."""
    parts = ada_url.URL(base_url)
    host = parts.hostname
    return f"{host}:{port_of(parts)}" if _stands_alone(host) else site(host)


def belongs(domain: str, base_url: str) -> bool:
    """Whether a cookie of this domain is one of the site."""
    host = ada_url.URL(base_url).hostname
    domain = _as_host(domain)
    if domain == host:
        return True
    if _stands_alone(host) or literal_address(domain) is not None:
        return False
    return site(domain) == site(host) and not is_public_suffix(domain)


def checked(given: Capture, now: int) -> Capture:
    """The same login, as it may be stored; what has expired is left out.

    A cookie without a domain is one of the base address's own host. Raises `BadLogin`.
    """
    base_url = base_of(given.base_url)
    if len(given.cookies) > MOST_COOKIES:
        raise BadLogin(f"more than {MOST_COOKIES} cookies", "/cookies")
    found = [_cookie(each, base_url, f"/cookies/{n}") for n, each in enumerate(given.cookies)]
    last = {(each.name, each.domain, each.path, each.host_only): each for each in found}
    cookies = tuple(each for each in last.values() if each.expires is None or each.expires > now)
    headers = _headers(given.headers)
    if given.cookies and not cookies and not headers:
        raise BadLogin("every cookie of it has expired; log in again", "/cookies")
    if not cookies and not headers:
        raise BadLogin("there is neither a cookie nor a token in it")
    if sum(len(each.name) + len(each.value) for each in cookies) > LARGEST:
        raise BadLogin(f"the cookies are larger than {LARGEST // 1024} KiB", "/cookies")
    return Capture(
        base_url=base_url,
        captured_at=min(given.captured_at, now),
        cookies=cookies,
        headers=headers,
        user_agent=_agent(given.user_agent),
    )


def _cookie(given: Cookie, base_url: str, at: str) -> Cookie:
    parts = ada_url.URL(base_url)
    domain = _as_host(given.domain) if given.domain else parts.hostname
    if not is_cookie_name(given.name):
        raise BadLogin("this is no name that a cookie can have", f"{at}/name")
    if not is_cookie_value(given.value):
        raise BadLogin("the value has a character that a cookie cannot have", f"{at}/value")
    if len(given.name) + len(given.value) > LONGEST_COOKIE:
        raise BadLogin(f"name and value are longer than {LONGEST_COOKIE}", f"{at}/value")
    if not domain:
        raise BadLogin("the domain is not the name of a host", f"{at}/domain")
    if not given.path.startswith("/") or len(given.path) > LONGEST_PATH:
        raise BadLogin(f"the path begins with / and has at most {LONGEST_PATH}", f"{at}/path")
    if _CONTROL.search(given.path) or ";" in given.path:
        raise BadLogin("the path has a character that a path cannot have", f"{at}/path")
    return _bound(replace(given, domain=domain, port=bound_port(parts)), base_url, at)


def _bound(cookie: Cookie, base_url: str, at: str) -> Cookie:
    """The cookie, if it is one of the site; on a host of its own for this host alone."""
    host = ada_url.URL(base_url).hostname
    if not belongs(cookie.domain, base_url):
        if is_public_suffix(cookie.domain):
            text = "the domain is a public suffix, so the cookie would go to unrelated sites"
        else:
            text = f"the domain is not of the site {site_of(base_url)}"
        raise BadLogin(text, f"{at}/domain")
    alone = _stands_alone(host) or is_public_suffix(cookie.domain)
    if alone and not cookie.host_only:
        cookie = replace(cookie, host_only=True)
    return cookie


def _headers(given: Mapping[str, str]) -> dict[str, str]:
    if len(given) > MOST_HEADERS:
        raise BadLogin(f"more than {MOST_HEADERS} tokens", "/tokens")
    for number, (name, value) in enumerate(given.items()):
        at = f"/tokens/{number}"
        if not TOKEN.fullmatch(name) or name.lower() in OURS:
            raise BadLogin("a token cannot be sent in a header of this name", f"{at}/name")
        if name.lower() in ("cookie", "user-agent"):
            raise BadLogin("cookies and the user agent are given by their own fields", at)
        if not value.strip() or _CONTROL.search(value) or len(value) > LONGEST_HEADER:
            raise BadLogin(
                f"a token has 1 to {LONGEST_HEADER} characters and no control character among them",
                f"{at}/value",
            )
    if len({name.lower() for name in given}) < len(given):
        raise BadLogin("two tokens are for one header", "/tokens")
    return dict(given)


def _agent(given: str | None) -> str | None:
    text = (given or "").strip()
    if text and not is_agent(text):
        raise BadLogin(
            f"a user agent has at most {LONGEST_AGENT} printable ASCII characters", "/user_agent"
        )
    return text or None


def is_agent(text: str) -> bool:
    """Whether a text can be the name that a site is told."""
    return len(text) <= LONGEST_AGENT and text.isascii() and text.isprintable()


def _stands_alone(host: str) -> bool:
    """Whether a host has no site around it: an address, `localhost`, a name of one label."""
    return literal_address(host) is not None or "." not in host or host.endswith(".localhost")


def _as_host(domain: str) -> str:
    """A domain as hosts are written in canonical addresses; empty for what is none."""
    name = domain.strip().removeprefix(".").rstrip(".").lower()
    if literal_address(bare := name.strip("[]")) is not None:
        name = f"[{bare}]" if ":" in bare else bare
    elif not _HOST.fullmatch(name):
        return ""
    try:
        return ada_url.URL(f"https://{name}/").hostname
    except ValueError:
        return ""
