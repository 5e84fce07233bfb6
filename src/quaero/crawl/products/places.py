"""Where a product lives on its host, and what the queries of its addresses mean.

A product lies at the root of a host or below a context path (`/jira`, `/confluence`). The base is
told from a seed: what stands before the first segment that is the product's own, or all of the
seed's path where there is none (`https://intranet.example/jira`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import NamedTuple
from urllib.parse import parse_qsl

_PAGING = frozenset({"startIndex", "page", "pager/start", "start"})
_LONGEST_NUMBER = 7
# Segments of paths that change something, whatever the product. A link is never worth it.
_ACTION = re.compile(
    r"(?:^|/)(?:log-?out|sign-?out|logoff|do[a-z]*(?:edit|create|delete|remove|add|update|move|copy)"
    r"|(?:edit|create|delete|remove|add|copy|move|clone|restore|purge|convert|assign|reorder"
    r"|watch|unwatch|vote|unvote|like|unlike|subscribe|unsubscribe|rename|archive|unarchive"
    r"|attach|transition|share|import|resume|discard|revert|approve|reject|permanently)"
    r"[a-z0-9_-]*(?:\.|!|$|/))",
    re.IGNORECASE,
)
# Hosts of Atlassian's cloud, where every product lies at the root.
_CLOUD_HOSTS = (".atlassian.net", ".jira.com")
_TOKENS = frozenset({"atl_token", "atlToken", "atl.token"})


class Place(NamedTuple):
    """An address split: `origin` with scheme and host, the decoded query in order."""

    origin: str
    path: str
    query: list[tuple[str, str]]

    @property
    def names(self) -> set[str]:
        """The names of the query's values."""
        return {name for name, _ in self.query}

    def value(self, name: str) -> str:
        """The first value of a name, or ""."""
        return next((value for each, value in self.query if each == name), "")


def place_of(url: str) -> Place:
    """Split a canonical address."""
    slash = url.find("/", 8)
    path, _, query = url[slash:].partition("?")
    return Place(url[:slash], path, parse_qsl(query, keep_blank_values=True) if query else [])


def base_of(seed: str, own: AbstractSet[str]) -> str:
    """The base of the product that a canonical seed belongs to, without a final slash.

    `own` are the first segments of the product's own paths.
    """
    at = place_of(seed)
    if at.origin.endswith(_CLOUD_HOSTS):
        return at.origin
    segments = at.path.split("/")[1:]
    for number, segment in enumerate(segments):
        if segment in own:
            return "/".join([at.origin, *segments[:number]])
    if "." in segments[-1]:
        segments = segments[:-1]
    return "/".join([at.origin, *segments]).rstrip("/")


def below(url: str, bases: Iterable[str]) -> str | None:
    """The base that an address lies below, the longest if there are several; None for none."""
    found = [
        each for each in bases if url.startswith(each) and url[len(each) : len(each) + 1] in "/?"
    ]
    return max(found, key=len, default=None)


def is_action(path: str) -> bool:
    """Whether a path below the base is named after something that it changes or ends.

    Not to be asked of paths that hold names people gave: a project may be called `EDIT`.
    """
    return _ACTION.search(path) is not None


def is_signed(at: Place) -> bool:
    """Whether an address carries a token against forgery: pages put it on links that act."""
    return not _TOKENS.isdisjoint(at.names)


def paging(at: Place) -> str | None:
    """The query of one page of a list: "" for the first, `?page=2`; None where it is more."""
    kept = []
    for name, value in at.query:
        if name not in _PAGING or not value.isdecimal() or len(value) > _LONGEST_NUMBER:
            return None
        if int(value) > 0:
            kept.append(f"{name}={int(value)}")
    return "?" + "&".join(kept) if kept else ""


def without_paging(url: str) -> str:
    """An address without the values that choose one page of a list."""
    path, _, query = url.partition("?")
    kept = [part for part in query.split("&") if part and part.partition("=")[0] not in _PAGING]
    return f"{path}?{'&'.join(kept)}" if kept else path
