"""Full-text search: the best documents first, how many there are, and what they share.

The best are found by rank alone, and snippets are cut for those only. The total is exact up to
`COUNTED`, and so are the facets; beyond that they are those of the first `COUNTED` found, and
`more` says so. Documents that are gone are not found.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from quaero.db.contract import ReadTx
from quaero.documents.exact import Exact
from quaero.documents.model import Summary
from quaero.documents.plan import Plan, plan
from quaero.documents.query import Query, parse
from quaero.documents.read import summaries
from quaero.documents.snippet import Finder, Snippet, safe
from quaero.errors import BadInput

COUNTED = 10_000
LARGEST_PAGE = 100
FACET_VALUES = 20


@dataclass(frozen=True, slots=True)
class Hit:
    """A document that was found; `rank` is its place, from 1."""

    rank: int
    document: Summary
    title: str
    snippet: Snippet


@dataclass(frozen=True, slots=True)
class Facets:
    """What the documents found share, and how many each: the most frequent 20 of a kind."""

    sources: dict[int, int] = field(default_factory=dict)
    types: dict[str, int] = field(default_factory=dict)
    sites: dict[str, int] = field(default_factory=dict)
    tags: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Results:
    """A page of what was found.

    With `more` there are more than `total`. `relaxed` tells that no document has all the words, so
    that these have some; `cut` that the query was too long and only its beginning counts.
    """

    hits: list[Hit]
    total: int
    more: bool
    relaxed: bool
    cut: bool
    facets: Facets
    cursor: str | None


@dataclass(frozen=True, slots=True)
class _Overview:
    total: int
    more: bool
    facets: Facets


def search(
    tx: ReadTx,
    text: str,
    *,
    limit: int = 10,
    cursor: str | None = None,
    sources: Mapping[str, int] | None = None,
) -> Results:
    """Find documents; the language is that of `query`, and any text is a query.

    `sources` are the ids that `source:` may name. `cursor` is where an earlier page of the same
    query ended; another query's raises `BadInput`. At most `LARGEST_PAGE` hits a page.
    """
    query = parse(text)
    if not query.clauses:
        return Results([], 0, False, False, query.cut, Facets(), None)
    offset = _offset(cursor, text)
    limit = min(max(limit, 1), LARGEST_PAGE)
    asked = plan(tx, query, sources or {})
    if query.exact and query.texts():
        return _search_exactly(tx, query, asked, offset, limit, text)
    seen, relaxed = _overview(tx, asked), False
    if not seen.total and asked.relaxed is not None:
        asked, relaxed = replace(asked, match=asked.relaxed), True
        seen = _overview(tx, asked)
    ids = _best(tx, asked, limit, offset) if seen.total > offset else []
    return _results(tx, query, ids, offset, seen, relaxed, text)
