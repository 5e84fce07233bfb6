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
from typing import TypeVar

import msgspec

from quaero.db.contract import ReadTx
from quaero.documents.exact import CHECKED, matching
from quaero.documents.model import Summary
from quaero.documents.plan import Plan, plan
from quaero.documents.query import Query, parse
from quaero.documents.read import summaries
from quaero.documents.snippet import Finder, Snippet, safe
from quaero.errors import BadInput

V = TypeVar("V")

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
    if query.exact:
        return _search_exactly(tx, query, asked, offset, limit, text)
    seen, relaxed = _overview(tx, asked), False
    if not seen.total and asked.relaxed is not None:
        asked, relaxed = replace(asked, match=asked.relaxed), True
        seen = _overview(tx, asked)
    ids = _best(tx, asked, limit, offset) if seen.total > offset else []
    return _results(tx, query, ids, offset, seen, text, relaxed=relaxed)


def _search_exactly(
    tx: ReadTx, query: Query, asked: Plan, offset: int, limit: int, text: str
) -> Results:
    """`case:match`: what the index finds in any case, read again as written."""
    relaxed = False
    candidates = _best(tx, asked, CHECKED + 1, 0)
    ids = matching(tx, query, candidates[:CHECKED], relaxed=False)
    if not ids and asked.relaxed is not None:
        relaxed = True
        candidates = _best(tx, replace(asked, match=asked.relaxed), CHECKED + 1, 0)
        ids = matching(tx, query, candidates[:CHECKED], relaxed=True)
    encoded = msgspec.json.encode(ids).decode()
    listed = Plan(conditions=["d.id in (select value from json_each(?))"], args=[encoded])
    seen = replace(_overview(tx, listed), more=len(candidates) > CHECKED)
    return _results(tx, query, ids[offset : offset + limit], offset, seen, text, relaxed=relaxed)


def _best(tx: ReadTx, asked: Plan, limit: int, offset: int) -> list[int]:
    """The ids of the most relevant documents; where no words are asked for, of the newest."""
    if asked.match is None:
        rows = tx.execute(
            f"""
            select d.id from document d where {asked.where(3)}
             order by d.id desc limit $1 offset $2
            """,
            (limit, offset, *asked.args),
        )
    else:
        rows = tx.execute(
            f"""
            select d.id from document_fts cross join document d on d.id = document_fts.rowid
             where document_fts match $3 and {asked.where(4)}
             order by document_fts.rank limit $1 offset $2
            """,
            (limit, offset, asked.match, *asked.args),
        )
    return [row[0] for row in rows]


def _overview(tx: ReadTx, asked: Plan) -> _Overview:
    """How many documents there are, and what they share."""
    if asked.match is None:
        table, condition = "document d", asked.where(2)
        args = [COUNTED + 1, *asked.args]
    else:
        table = "document_fts cross join document d on d.id = document_fts.rowid"
        condition = f"document_fts match $2 and {asked.where(3)}"
        args = [COUNTED + 1, asked.match, *asked.args]
    rows = tx.execute(
        f"""
        with found as materialized (
            select d.id, d.source_id, d.source_type, d.site from {table} where {condition} limit $1)
        select source_id, source_type, site, null, count(*) from found group by 1, 2, 3
        union all
        select null, null, null, g.tag, count(*)
          from found f join document_tag g on g.document_id = f.id group by g.tag
        """,
        args,
    )
    sources, types, sites, tags = Counter[int](), Counter[str](), Counter[str](), Counter[str]()
    for source_id, source_type, site, tag, count in rows:
        if tag is not None:
            tags[tag] += count
        else:
            sources[source_id] += count
            types[source_type] += count
            sites[site] += count
    total = sources.total()
    facets = Facets(_most(sources), _most(types), _most(sites), _most(tags))
    return _Overview(min(total, COUNTED), total > COUNTED, facets)


def _most(counter: Counter[V]) -> dict[V, int]:
    return dict(counter.most_common(FACET_VALUES))


def _results(
    tx: ReadTx,
    query: Query,
    ids: Sequence[int],
    offset: int,
    seen: _Overview,
    text: str,
    *,
    relaxed: bool,
) -> Results:
    finder = Finder([term for term in query.texts() if not term.title], exact=query.exact)
    texts: dict[int, str] = dict(
        tx.execute(
            "select document_id, text from document_text where document_id in ints($1)",
            (msgspec.json.encode(ids).decode(),),
        )
    )
    hits = [
        Hit(offset + place, document, safe(document.title), finder.snippet(texts[document.id]))
        for place, document in enumerate(summaries(tx, ids), 1)
    ]
    end = offset + len(hits)
    following = _cursor(end, text) if hits and (end < seen.total or seen.more) else None
    return Results(hits, seen.total, seen.more, relaxed, query.cut, seen.facets, following)


def _cursor(offset: int, text: str) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode([offset, _digest(text)])).decode()


def _offset(cursor: str | None, text: str) -> int:
    if cursor is None:
        return 0
    try:
        offset, digest = msgspec.json.decode(
            base64.urlsafe_b64decode(cursor.encode()), type=tuple[int, str]
        )
    except (ValueError, msgspec.DecodeError) as error:
        raise BadInput(f"the cursor {cursor[:80]!r} is none; begin without one") from error
    if digest != _digest(text) or offset < 0:
        raise BadInput("the cursor belongs to another query; begin without one")
    return offset


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=6).hexdigest()
