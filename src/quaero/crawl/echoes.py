"""What a site repeats of the secrets that it was sent or sets: taken out before anybody reads it.

A page that shows the session it was asked with, or a redirect with it in the address, would put a
secret into documents, logs and errors. Which parts of a request are secret is told by their names
and their form: what a header for a token holds, and what looks as if it had been drawn by lot. A
name, a language, a date or a version is what a page may well be about, and stays; where such a
value came under a secret's name the answer is marked as doubtful.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from html import escape
from urllib.parse import quote, unquote

from quaero.crawl.exchange import FetchResult

LEFT_OUT = "SECRET-LEFT-OUT"
SHORTEST_TOKEN = 8
SHORTEST_DRAWN = 16
FEWEST_CHANGES = 5
_OPEN = frozenset({"cookie", "user-agent", "accept", "if-none-match", "if-modified-since"})
_FOR_TOKENS = re.compile(r"auth|token|key|secret|session", re.IGNORECASE)
_FOR_SESSIONS = re.compile(r"auth|token|key|secret|sess|sid\b|jwt|pass", re.IGNORECASE)
_SIGN = re.compile(r"[<>&'\"=+/]")
_SIGN_OF_MARKUP = re.compile(r"[<>&'\"=]")
_ESCAPES = ("\\u{:04x}", "\\u{:04X}", "&#{};", "&#x{:x};", "&#x{:X};", "%{:02x}")
_WIDE = ("utf-8", "utf-16-le", "utf-16-be")
_DIGIT = re.compile(r"[0-9]")
_DRAWN = re.compile(r"[A-Za-z0-9+/=_.~%!-]+")
_CHANGE = re.compile(r"(?<=[a-z])(?=[A-Z0-9])|(?<=[A-Z])(?=[a-z0-9])|(?<=[0-9])(?=[A-Za-z])")


class Echoes:
    """The secrets of one exchange, each in the spellings in which a site may repeat it."""

    def __init__(self, sent: Mapping[str, str], set_cookie: Iterable[str] = ()) -> None:
        cookies = _cookies(sent, set_cookie)
        found = {*_tokens(sent), *(value for _, value in cookies if _is_drawn(value))}
        plain = {*_plain_tokens(sent), *(v for n, v in cookies if _may_be_secret(n, v))} - found
        self._texts = _all_spellings(found)
        self._doubtful = _all_spellings(plain)

    def without(self, text: str) -> str:
        """The text without them."""
        for each in self._texts:
            text = text.replace(each, LEFT_OUT)
        return text

    def left_out(self, result: FetchResult) -> FetchResult:
        """The same answer without them; what a site sets is kept, as that is what is sent next."""
        if not self._texts and not self._doubtful:
            return result
        body = result.body
        encodings = _WIDE if b"\0" in body else _WIDE[:1]
        for encoding in encodings:
            for each in self._texts:
                body = body.replace(each.encode(encoding), LEFT_OUT.encode(encoding))
        return replace(
            result,
            body=body,
            doubtful=any(
                each.encode(encoding) in body for each in self._doubtful for encoding in encodings
            ),
            location=self._without(result.location),
            content_type=self._without(result.content_type),
            etag=self._without(result.etag),
            last_modified=self._without(result.last_modified),
            canonical=self._without(result.canonical),
            robots=tuple(map(self.without, result.robots)),
        )

    def _without(self, text: str | None) -> str | None:
        return None if text is None else self.without(text)


def _tokens(sent: Mapping[str, str]) -> Iterator[str]:
    """The last words of headers, as in `Bearer TOKEN`; one without a digit may be a plain word."""
    for name, value in sent.items():
        word = value.strip().rpartition(" ")[2]
        named = _FOR_TOKENS.search(name) and _DIGIT.search(word) and len(word) >= SHORTEST_TOKEN
        if name.lower() not in _OPEN and (named or _is_drawn(word)):
            yield word


def _plain_tokens(sent: Mapping[str, str]) -> Iterator[str]:
    """The last words of headers that are called as those for tokens are."""
    for name, value in sent.items():
        word = value.strip().rpartition(" ")[2]
        if name.lower() not in _OPEN and _FOR_TOKENS.search(name) and len(word) >= SHORTEST_TOKEN:
            yield word


def _cookies(sent: Mapping[str, str], set_cookie: Iterable[str]) -> list[tuple[str, str]]:
    """Names and values of the cookies that are sent or set."""
    pairs = [each for n, v in sent.items() if n.lower() == "cookie" for each in v.split(";")]
    pairs += [each.partition(";")[0] for each in set_cookie]
    parts = (pair.partition("=") for pair in pairs)
    return [(name.strip(), value.strip().strip('"')) for name, _, value in parts]


def _may_be_secret(name: str, value: str) -> bool:
    """Whether a cookie is called as sessions and tokens are, and is no plain word."""
    named = _FOR_SESSIONS.search(name) is not None
    return named and len(value) >= SHORTEST_TOKEN and _DIGIT.search(value) is not None


def _is_drawn(text: str) -> bool:
    """Whether small and capital letters and digits stand in it as nobody writes them."""
    if len(text) < SHORTEST_DRAWN or not _DRAWN.fullmatch(text):
        return False
    return len(_CHANGE.findall(text)) >= max(FEWEST_CHANGES, len(text) // 5)


def _all_spellings(secrets: Iterable[str]) -> list[str]:
    """The secrets in each spelling, the longest first."""
    spelled = {spelling for secret in secrets for spelling in _spellings(secret)}
    return sorted(spelled, key=len, reverse=True)


def _spellings(secret: str) -> set[str]:
    """As it is, in addresses, in markup, and in scripts, where not all signs need be escaped."""
    written = {secret, quote(secret, safe=""), unquote(secret), escape(secret)}
    if _SIGN.search(secret) is None:
        return written
    written.add(secret.replace("/", "\\/"))
    for signs in (_SIGN, _SIGN_OF_MARKUP):
        written.update(_escaped(secret, signs, form) for form in _ESCAPES)
    return written


def _escaped(secret: str, signs: re.Pattern[str], form: str) -> str:
    return signs.sub(lambda sign: form.format(ord(sign[0])), secret)
