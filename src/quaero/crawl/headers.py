"""Header values, read and written with care.

What a site sends is turned into plain text without line breaks; what goes out is refused if it has
any, because a line break in a value would be a header of its own (RFC 9110 5.5). No error here
repeats a value, which may be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

import ada_url

from quaero.clock import SECOND
from quaero.errors import BadInput

LONGEST_WAIT = 3600.0
"""Seconds; a site that asks for more is asked again after this."""

TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
"""A header's or a cookie's name, RFC 9110 5.6.2."""

_UNKNOWN_TYPES = {"unknown/unknown", "application/unknown", "*/*"}
_BREAKS = re.compile(r"[\x00\r\n]")
_ROBOTS_WITH_VALUE = {
    "unavailable_after", "max-snippet", "max-image-preview", "max-video-preview",
}  # fmt: skip
# RFC 8288, 3 and B.2: a target, then parameters whose values may be quoted.
_PARAMETER = r"""\s*+;\s*+([^\s=;,"<>]*+)(?:\s*+=\s*+("(?:[^"\\]|\\.)*+"?|[^\s;,]*+))?+"""
_LINK = re.compile(rf"<([^<>]*+)>((?:{_PARAMETER})*+)")
_PARAMETERS = re.compile(_PARAMETER)

OURS = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that belong to the connection and are written by the HTTP client alone."""


def check_header(name: str, value: str) -> None:
    """Raise `BadInput` if the header cannot be sent; the message names it without its value.

    A name that is none is not shown either: it may be a value in the wrong place.
    """
    if not TOKEN.fullmatch(name):
        raise BadInput("a header's name is made of letters, digits and signs like - and _ only")
    if name.lower() in OURS:
        raise BadInput(f"the header {name} is written by Quaero itself and cannot be given")
    if _BREAKS.search(value):
        raise BadInput(f"the value of the header {name} has a line break or NUL in it")


def check_headers(headers: Mapping[str, str]) -> None:
    """`check_header` for each of them."""
    for name, value in headers.items():
        check_header(name, value)


def text(value: str) -> str:
    """A received value as clean text: bytes that are not UTF-8 are read as Latin-1."""
    if value.isascii():
        if value.isprintable():
            return value
    else:
        raw = value.encode("utf-8", "surrogateescape")
        try:
            value = raw.decode("utf-8")
        except UnicodeDecodeError:
            value = raw.decode("latin-1")
    return _BREAKS.sub(" ", value).strip()


def media_type(content_type: str | None) -> str:
    """The type that a `Content-Type` names, in lower case without parameters.

    Of several the last; empty where it names none, or one by which servers say that they do not
    know (WHATWG MIME Sniffing, 5.1).
    """
    named = (content_type or "").partition(";")[0].rpartition(",")[2].strip().lower()
    return "" if "/" not in named or named in _UNKNOWN_TYPES else named


def retry_after(value: str | None, now: int) -> float | None:
    """The wait that a `Retry-After` asks for, in seconds from `now` (microseconds UTC).

    Between 0 and `LONGEST_WAIT`; None where the header is missing or unreadable. RFC 9110 10.2.3.
    """
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return min(float(value[:9]), LONGEST_WAIT)
    moment = http_date(value)
    if moment is None:
        return None
    return min(max((moment - now) / SECOND, 0.0), LONGEST_WAIT)


def http_date(value: str) -> int | None:
    """A date of HTTP in microseconds UTC, RFC 9110 5.6.7; None if it cannot be read.

    All its forms mean GMT, also where that is not said.
    """
    for spelling in (value, f"{value} GMT"):
        try:
            moment = parsedate_to_datetime(spelling)
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=UTC)
            return int(moment.timestamp()) * SECOND
        except (ValueError, OverflowError):
            continue
    return None


def canonical_link(values: Iterable[str], base: str) -> str | None:
    """The absolute target of the first `Link` with `rel=canonical`, RFC 8288 and RFC 6596.

    Links of other pages (with an `anchor`) and targets that are not of the web do not count.
    """
    for value in values:
        for link in _LINK.finditer(value):
            said: dict[str, str] = {}
            for name, content in _PARAMETERS.findall(link[2]):
                said.setdefault(name.lower(), content.strip('"').lower())
            if "canonical" in said.get("rel", "").split() and "anchor" not in said:
                target = absolute(link[1], base)
                return target if target and target.startswith(("https:", "http:")) else None
    return None


def robots_words(values: Iterable[str], agent: str) -> set[str]:
    """What `X-Robots-Tag` headers say to `agent`: words such as `noindex`, in lower case.

    A value that begins with a name (`otherbot: noindex`) is for that robot alone.
    """
    name = agent.partition("/")[0].strip().lower()
    words: set[str] = set()
    for value in values:
        first, colon, rest = value.lower().partition(":")
        to_one = colon and "," not in first and first.strip() not in _ROBOTS_WITH_VALUE
        if to_one and first.strip() != name:
            continue
        words.update(word.strip() for word in (rest if to_one else value.lower()).split(","))
    return words


def absolute(target: str, base: str) -> str | None:
    """`target` as seen from `base`, as the URL standard of browsers joins them; None if invalid."""
    try:
        return ada_url.URL(target, base).href
    except ValueError:
        return None
