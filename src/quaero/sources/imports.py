"""Logins from what browsers and their tools write: cookies.txt, HAR, header lines.

Only what belongs to the site of the login is taken; the rest is counted and forgotten. Errors name
the place in the text, never a value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import ada_url
import msgspec

from quaero.crawl.cookie_file import parse_cookies
from quaero.crawl.cookies import (
    Cookie,
    is_cookie_name,
    is_cookie_value,
    parse_set_cookie,
)
from quaero.crawl.urls import canonical
from quaero.errors import BadLogin, BadUrl
from quaero.sources.capture import (
    MOST_COOKIES,
    MOST_HEADERS,
    Capture,
    base_of,
    belongs,
    is_agent,
    site_of,
)

Kind = Literal["auto", "cookies.txt", "har", "headers"]
_TOKENS = ("authorization", "x-auth-token", "x-api-key", "private-token")
_NAMES = {"authorization": "Authorization", "private-token": "PRIVATE-TOKEN"}


@dataclass(frozen=True, slots=True)
class Found:
    """What a text holds for one site; `foreign` cookies in it are for others."""

    capture: Capture = field(repr=False)
    foreign: int = 0


def read_text(text: str, base_url: str, now: int, *, kind: Kind = "auto") -> Found:
    """The login for a site in a text of that kind. Raises `BadLogin` and `BadInput`."""
    base_url = base_of(base_url)
    text = text.removeprefix("\ufeff")  # the mark that Windows puts before UTF-8
    kind = _kind_of(text) if kind == "auto" else kind
    if kind == "har":
        return _from_har(text, base_url, now)
    if kind == "headers":
        return Found(_from_headers(text, base_url, now))
    own, foreign = parse_cookies(text, "line", lambda domain: belongs(domain, base_url))
    if not own:
        raise _nothing(base_url, foreign)
    return Found(Capture(base_url=base_url, captured_at=now, cookies=tuple(own)), foreign)


def _kind_of(text: str) -> Kind:
    start = text.lstrip()
    if start[:1] == "{":
        return "har"
    first = next((line for line in start.splitlines() if not line.startswith("# ")), "")
    if "\t" in first or start.startswith(("# ", "[")):
        return "cookies.txt"
    return "headers"


def _nothing(base_url: str, foreign: int) -> BadLogin:
    others = f" ({foreign} for other sites)" if foreign else ""
    return BadLogin(f"there is no cookie or token for {site_of(base_url)} in it{others}")


# -- header lines


def _from_headers(text: str, base_url: str, now: int) -> Capture:
    """`Cookie: a=1; b=2` and other headers, a line each; a line without a name is a Cookie's."""
    cookies: list[Cookie] = []
    headers: dict[str, str] = {}
    agent = None
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        name, colon, value = (part.strip() for part in line.partition(":"))
        if not colon or "=" in name:
            name, value = "Cookie", line.strip()
        if name.lower() == "cookie":
            cookies += cookies_of(value, base_url, f"line {number}")
            if len(cookies) > MOST_COOKIES:
                raise BadLogin(f"line {number}: more than {MOST_COOKIES} cookies")
        elif name.lower() == "user-agent":
            agent = value
        elif name.lower() in map(str.lower, headers):
            raise BadLogin(f"line {number}: this header is given twice")
        elif len(headers) == MOST_HEADERS:
            raise BadLogin(f"line {number}: more than {MOST_HEADERS} headers")
        else:
            headers[name] = value
    if not cookies and not headers:
        raise _nothing(base_url, 0)
    return Capture(
        base_url=base_url,
        captured_at=now,
        cookies=tuple(cookies),
        headers=headers,
        user_agent=agent,
    )


def cookies_of(value: str, url: str, where: str) -> list[Cookie]:
    """The cookies of a `Cookie` header that was sent to an address, for its host alone.

    Raises `BadLogin` for one that is not made of `name=value`.
    """
    parts = ada_url.URL(url)
    found = []
    if value.count(";") > 2 * MOST_COOKIES:
        raise BadLogin(f"{where}: more than {MOST_COOKIES} cookies")
    for pair in filter(None, (each.strip() for each in value.split(";"))):
        name, equals, content = (part.strip() for part in pair.partition("="))
        named = equals and " " not in name and is_cookie_name(name)  # a blank tells of other text
        if not named or not is_cookie_value(content):
            raise BadLogin(
                f"{where}: this is not a list of cookies such as name=value; other=value"
            )
        secure = parts.protocol == "https:"
        found.append(Cookie(name=name, value=content, domain=parts.hostname, secure=secure))
    return found


# -- HAR


class _Pair(msgspec.Struct):
    name: str = ""
    value: str = ""


class _Request(msgspec.Struct):
    url: str = ""
    headers: list[_Pair] = []
    cookies: list[_Pair] = []


class _Response(msgspec.Struct):
    headers: list[_Pair] = []


class _Entry(msgspec.Struct):
    request: _Request = msgspec.field(default_factory=_Request)
    response: _Response = msgspec.field(default_factory=_Response)


class _Log(msgspec.Struct):
    entries: list[_Entry]


class _Har(msgspec.Struct):
    log: _Log


def _from_har(text: str, base_url: str, now: int) -> Found:
    """The last cookies, tokens and user agent that a recorded browser sent to the site.

    A cookie that was only sent is taken for the host it was sent to; one whose setting was
    recorded, as it was set, for the host that set it. Browsers leave secrets out of a HAR unless
    told otherwise.
    """
    try:
        har = msgspec.json.decode(text.encode(), type=_Har)
    except msgspec.ValidationError as error:
        raise BadLogin(_no_har(str(error))) from None
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
        what = "it is no JSON, is cut off or nested too deep"
        raise BadLogin(f"this is no HAR: {what}; save it again") from None
    jar: dict[tuple[str, str, str], Cookie] = {}
    headers: dict[str, str] = {}
    agent, foreign = None, 0
    for number, entry in enumerate(har.log.entries):
        url = _address(entry.request.url)
        sent = _by_name(entry.request.headers)
        if url is None or not belongs(ada_url.URL(url).hostname, base_url):
            foreign += len(entry.request.cookies)
            continue
        if site_of(url) != site_of(base_url):
            continue
        for cookie in _sent(entry.request, sent, url, f"entry {number}"):
            if not any(_is_the_same(each, cookie) for each in jar.values()):
                jar[cookie.name, cookie.domain, cookie.path] = cookie
        for cookie in _set(entry.response.headers, url, now):
            jar[cookie.name, cookie.domain, cookie.path] = cookie
        if len(jar) > MOST_COOKIES:
            raise BadLogin(f"entry {number}: more than {MOST_COOKIES} cookies for the site")
        if ada_url.URL(url).host == ada_url.URL(base_url).host:
            headers |= {_NAMES.get(n, n): v for n, v in sent.items() if n in _TOKENS}
        agent = sent.get("user-agent", agent)
    if not jar and not headers:
        raise BadLogin(
            f"there is no cookie or token for {site_of(base_url)} in this HAR; save it again "
            "with sensitive data, as browsers leave cookies out otherwise"
        )
    capture = Capture(
        base_url=base_url,
        captured_at=now,
        cookies=tuple(jar.values()),
        headers=headers,
        user_agent=agent if agent and is_agent(agent) else None,
    )
    return Found(capture, foreign)


def _no_har(said: str) -> str:
    """What is wrong with a HAR, by the place that the reader of it names."""
    place = said.rpartition(" - at `$.")[2].rstrip("`") if " - at `$." in said else ""
    if not place.startswith("log.entries["):
        return "this is no HAR: there is no list `log.entries` of requests in it"
    return f"this is no HAR: `{place}` is not what it is in one; save it again"


def _is_the_same(known: Cookie, sent: Cookie) -> bool:
    """Whether a cookie that was sent is one whose setting was recorded."""
    names = (known.name, known.domain, known.value)
    return names == (sent.name, sent.domain, sent.value)


def _address(url: str) -> str | None:
    try:
        return canonical(url)
    except BadUrl:
        return None


def _by_name(pairs: Iterable[_Pair]) -> Mapping[str, str]:
    return {pair.name.lower(): pair.value for pair in pairs}


def _sent(request: _Request, headers: Mapping[str, Any], url: str, where: str) -> list[Cookie]:
    """What was sent; browsers know cookies without a name, which keep nobody logged in."""
    if request.cookies:
        value = "; ".join(f"{pair.name}={pair.value}" for pair in request.cookies)
    else:
        value = headers.get("cookie", "")
    named = ";".join(each for each in value.split(";") if "=" in each.strip()[1:])
    return cookies_of(named, url, where)


def _set(headers: Iterable[_Pair], url: str, now: int) -> list[Cookie]:
    """What an answer set; several are divided by line ends, as Firefox and Chrome write them."""
    parts = ada_url.URL(url)
    lines = [
        line
        for pair in headers
        if pair.name.lower() == "set-cookie"
        for line in pair.value.split("\n")
    ]
    found = (parse_set_cookie(line, parts.hostname, parts.pathname, now) for line in lines)
    return [cookie for cookie in found if cookie is not None]
