"""What a site's robots.txt allows (RFC 9309).

The rules are the standard's; where it leaves room, they are those of Google's open-source parser:
a missing colon, the usual misspellings of `disallow`, a byte order mark, over-long lines, and
`index.html` standing for its directory. A file in UTF-16 is read as well. In one point the
standard wins over that parser: escapes of unreserved characters are decoded before comparison
(2.2.2), as `canonical` does in addresses.

Fetching the file, following its redirects and keeping it for a while is left to the caller, who
may store `Robots.body`: parsing it again is cheap.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import quote

from quaero.crawl.urls import with_plain_escapes

MAX_BYTES = 512 * 1024
"""How much of the file is read; RFC 9309 (2.5) asks for at least 500 KiB."""

_MAX_LINE = 2083 * 8 - 1
_PRODUCT = re.compile(r"[a-zA-Z_-]*")
_NUMBER = re.compile(r"\d+(?:\.\d+)?|\.\d+")
_DISALLOW = ("disallow", "dissallow", "dissalow", "disalow", "diasllow", "disallaw")
_KEYS = {
    "agent": ("user-agent", "useragent", "user agent"),
    "allow": ("allow",),
    "disallow": _DISALLOW,
    "sitemap": ("sitemap", "site-map"),
    "delay": ("crawl-delay",),
}
_SAFE_IN_RULE = "!#$%&'()*+,/:;=?@[]"
_SAFE_IN_PATH = "!#%&'()+,/:;=?@[]"  # `*` and `$` are characters of an address, not wildcards
_NOTHING_ALLOWED = b"User-agent: *\nDisallow: /\n"


@dataclass(frozen=True, slots=True)
class Robots:
    """A robots.txt that was read; `body` is that part of it which was.

    `sitemaps` are as written, in the order of the file; a relative one is to be resolved against
    the address of the file. `temporary` says that the file could not be had, so that nothing is
    allowed for now and it should be asked for again.
    """

    body: bytes
    sitemaps: tuple[str, ...] = ()
    temporary: bool = False
    _drafts: dict[str, list[_Part]] = field(default_factory=dict, repr=False, compare=False)
    _groups: dict[str, _Group] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def parse(cls, body: bytes, limit: int = MAX_BYTES) -> Self:
        """Read a robots.txt of any quality, its first `limit` bytes; there are no errors."""
        return cls._read(body, limit, temporary=False)

    @classmethod
    def from_status(cls, status: int | None, body: bytes = b"", limit: int = MAX_BYTES) -> Self:
        """Return what an answer means (RFC 9309, 2.3.1); `status` None: there was no answer.

        A file is read as it is. One that is not there (4xx, or redirects without end) allows
        everything. A server that cannot answer (5xx, 429, no answer) allows nothing, for now.
        """
        if status is not None and 200 <= status < 300:
            return cls.parse(body, limit)
        if status is not None and 300 <= status < 500 and status != 429:
            return cls.parse(b"")
        return cls._read(_NOTHING_ALLOWED, limit, temporary=True)

    @classmethod
    def _read(cls, body: bytes, limit: int, *, temporary: bool) -> Self:
        reader = _Reader()
        body = _cut(body, limit)
        for key, value in _records(body):
            reader.take(key, value)
        return cls(body, tuple(reader.sitemaps), temporary, reader.drafts)

    def allowed(self, url: str, agent: str) -> bool:
        """Tell whether `agent` may fetch the canonical address `url`.

        `agent` is a product token, or a User-Agent header that begins with one; case is ignored.
        """
        slash = url.find("/", 8)
        path = url[slash:].partition("#")[0] if slash >= 0 else "/"
        if path.partition("?")[0] == "/robots.txt":
            return True
        group = self._group(agent)
        return group is None or group.allows(quote(with_plain_escapes(path), safe=_SAFE_IN_PATH))

    def forbids_nothing(self, agent: str) -> bool:
        """Tell whether there is no rule at all for `agent`, so that no address need be asked of."""
        group = self._group(agent)
        return group is None or not (group.prefixes or group.wildcards)

    def looks(self, agent: str) -> int:
        """How many rules, at most, one address is compared with: those with wildcards, and one."""
        group = self._group(agent)
        return 1 if group is None else 1 + len(group.wildcards)

    def crawl_delay(self, agent: str) -> float | None:
        """Return the seconds that `agent` is asked to leave between requests, if it is asked.

        Where the file gives several, the longest counts.
        """
        group = self._group(agent)
        return None if group is None else group.delay

    def _group(self, agent: str) -> _Group | None:
        """The rules for an agent; only those that are asked for are put together."""
        token = _product(agent)
        token = token if token in self._drafts else "*"
        if token not in self._groups and token in self._drafts:
            self._groups[token] = _merged(self._drafts[token])
        return self._groups.get(token)


@dataclass(frozen=True, slots=True)
class _Wildcard:
    """A rule with `*` or a final `$`: literal parts, to be found one after the other."""

    length: int
    allow: bool
    parts: tuple[str, ...]
    to_the_end: bool

    def matches(self, path: str) -> bool:
        """Match in linear time: the earliest place for each part is always a right one."""
        first, *middle = self.parts
        if not path.startswith(first):
            return False
        if not middle:
            return not self.to_the_end or len(path) == len(first)
        last = middle.pop()
        position = len(first)
        for part in middle:
            found = path.find(part, position)
            if found < 0:
                return False
            position = found + len(part)
        if self.to_the_end:
            return path.endswith(last) and len(path) - len(last) >= position
        return path.find(last, position) >= 0


@dataclass(frozen=True, slots=True)
class _Group:
    """The merged rules for one product token: the longest that matches decides, allow on a tie.

    Plain prefixes, nearly all rules in practice, are looked up by length, so that a file with
    thousands of them costs no more than one with a few.
    """

    prefixes: dict[str, bool]
    lengths: tuple[int, ...]
    wildcards: tuple[_Wildcard, ...]
    delay: float | None

    def allows(self, path: str) -> bool:
        length, allow = self._longest_prefix(path)
        for rule in self.wildcards:  # longest first, allow before disallow
            if (rule.length, rule.allow) <= (length, allow):
                break
            if rule.matches(path):
                return rule.allow
        return allow

    def _longest_prefix(self, path: str) -> tuple[int, bool]:
        for length in self.lengths:
            allow = self.prefixes.get(path[:length])
            if allow is not None:
                return length, allow
        return 0, True


@dataclass(slots=True)
class _Draft:
    """A group as it stands in the file, one for all the agents that it is for."""

    rules: list[tuple[str, bool]] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)


_Part = tuple[_Draft, int]
"""A group that names an agent, and how many delays stand before the name, which are for others."""


def _merged(parts: list[_Part]) -> _Group:
    """What several groups say to one agent."""
    prefixes: dict[str, bool] = {}
    wildcards = []
    for pattern, allow in (rule for draft, _ in parts for rule in draft.rules):
        if "*" in pattern or pattern.endswith("$"):
            wildcards.append(_wildcard(pattern, allow=allow))
        else:
            prefixes[pattern] = allow or prefixes.get(pattern, False)
    wildcards.sort(key=lambda rule: (-rule.length, not rule.allow))
    lengths = sorted({len(prefix) for prefix in prefixes}, reverse=True)
    delays = [delay for draft, before in parts for delay in draft.delays[before:]]
    return _Group(prefixes, tuple(lengths), tuple(wildcards), max(delays, default=None))


class _Reader:
    """Collects records into groups (RFC 9309, 2.2.1); unknown records never end one."""

    def __init__(self) -> None:
        self.drafts: dict[str, list[_Part]] = {}
        self.sitemaps: list[str] = []
        self._current = _Draft()  # for nobody yet
        self._rules_seen = False

    def take(self, key: str, value: str) -> None:
        match key:
            case "agent":
                self._agent(value)
            case "allow" | "disallow":
                self._rule(value, allow=key == "allow")
            case "sitemap":
                self.sitemaps.append(value)
            case "delay":
                self._delay(value)

    def _agent(self, value: str) -> None:
        if self._rules_seen:
            self._current = _Draft()
            self._rules_seen = False
        token = "*" if value.partition(" ")[0].partition("\t")[0] == "*" else _product(value)
        said = self.drafts.setdefault(token, []) if token else []
        if not said or said[-1][0] is not self._current:
            said.append((self._current, len(self._current.delays)))

    def _rule(self, value: str, *, allow: bool) -> None:
        self._rules_seen = True
        pattern = _normalised(value)
        if not pattern:
            return
        rules = self._current.rules
        rules.append((pattern, allow))
        directory, slash, name = pattern.rpartition("/")
        if allow and slash and name.startswith("index.htm"):
            rules.append((f"{directory}/$", True))

    def _delay(self, value: str) -> None:
        number = _NUMBER.match(value)
        if number is None:
            return
        self._current.delays.append(float(number[0]))


def _cut(body: bytes, limit: int) -> bytes:
    """Return at most `limit` bytes, without a last line that was cut in two."""
    if len(body) <= limit:
        return body
    head = body[:limit]
    return head[: max(head.rfind(b"\n"), head.rfind(b"\r")) + 1]


def _records(body: bytes) -> Iterator[tuple[str, str]]:
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        body = body.decode("utf-16", "replace").encode()
    for length in (3, 2, 1):  # a byte order mark, whole or in part
        if body.startswith(codecs.BOM_UTF8[:length]):
            body = body[length:]
            break
    for line in body.splitlines():
        record = _record(line[:_MAX_LINE].partition(b"#")[0].decode("latin-1").strip())
        if record is not None:
            yield record


def _record(line: str) -> tuple[str, str] | None:
    name, colon, value = line.partition(":")
    if not colon:
        words = line.split()
        if len(words) != 2:
            return None
        name, value = words
    name = name.strip().lower()
    for key, spellings in _KEYS.items():
        if name.startswith(spellings):
            return key, value.strip()
    return None


def _product(agent: str) -> str:
    """Return the product token that `agent` begins with, in lower case; perhaps empty."""
    token = _PRODUCT.match(agent)
    return token[0].lower() if token else ""


def _normalised(value: str) -> str:
    """Spell a rule's path as addresses are spelled (RFC 9309, 2.2.2 and 2.2.3)."""
    escaped = with_plain_escapes(quote(value.encode("latin-1"), safe=_SAFE_IN_RULE))
    body, end = (escaped[:-1], "$") if escaped.endswith("$") else (escaped, "")
    return body.replace("$", "%24") + end


def _wildcard(pattern: str, *, allow: bool) -> _Wildcard:
    to_the_end = pattern.endswith("$")
    parts = (pattern[:-1] if to_the_end else pattern).split("*")
    middle = [part for part in parts[1:-1] if part]
    kept = (parts[0], *middle, parts[-1]) if len(parts) > 1 else (parts[0],)
    return _Wildcard(len(pattern), allow, kept, to_the_end)
