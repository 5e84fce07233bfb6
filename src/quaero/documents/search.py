"""Full-text search: the best documents first, how many there are, and what they share.

The best are found by rank alone, and snippets are cut for those of the page only. The total is
exact up to `COUNTED`, and so are the facets; beyond that `more` says that there are more than
counted. Documents that are gone are not found.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

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
NAMED = 5
"""How many documents a cursor names: some may be gone when it is used."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A document that was found; `rank` is its place, from 1."""

    rank: int
    document: Summary
    title: str
    snippet: Snippet


@dataclass(frozen=True, slots=True)
class Facets:
    """What the documents counted share, and how many each: the most frequent 20 of a kind."""

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
class _Found:
    """The ids of the best that count, and whether there are more."""

    ids: list[int]
    more: bool = False


class _Place(NamedTuple):
    """Where a page begins: behind how many documents, of which the last ones are named."""

    offset: int = 0
    last: tuple[int, ...] = ()

    def within(self, ids: Sequence[int]) -> int:
        """How many of these lie before; by number where none of the last is among them any more."""
        there = [ids.index(id_) + 1 for id_ in reversed(self.last) if id_ in ids]
        return there[0] if there else self.offset


def search(
    tx: ReadTx,
    text: str,
    limit: int = 10,
    cursor: str | None = None,
    *,
    sources: Mapping[str, int] | None = None,
) -> Results:
    """Find documents; the language is that of `query`, and any text is a query.

    `sources` are the ids that `source:` may name. `cursor` is where an earlier page of the same
    query ended, behind its last document, also where others came or went meanwhile; another query's
    raises `BadInput`. At most `LARGEST_PAGE` hits a page; pages end at `COUNTED` hits.
    """
    query = parse(text)
    if not query.clauses:
        return Results([], 0, False, False, query.cut, Facets(), None)
    place = _place(cursor, text)
    limit = min(max(limit, 1), LARGEST_PAGE)
    asked = plan(tx, query, sources or {})
    if query.exact:
        return _search_exactly(tx, query, asked, text, place, limit)
    found, relaxed = _find(tx, asked), False
    if not found.ids and asked.relaxed is not None:
        found, relaxed = _find(tx, asked.fallback()), True
    return _results(tx, query, found, text, place, limit, relaxed=relaxed)


def ids(
    tx: ReadTx, text: str, after: int, up_to: int, limit: int, sources: Mapping[str, int]
) -> tuple[list[int], int | None]:
    """The ids of the next documents that have all a query asks for, and where to go on.

    In order of id, those behind `after` and up to `up_to`; for work in slices. There may be none
    and yet a place to go on from; None at the end. There is no fallback here: a query that no
    document answers in full finds none, and neither does one that asks for nothing.
    """
    query = parse(text)
    if not query.clauses:
        return [], None
    table, condition, args = _from(plan(tx, query, sources), limit)
    args += [after, up_to]
    key = "document_fts.rowid" if table.startswith("document_fts") else "d.id"
    rows = tx.execute(
        f"""
        select d.id from {table}
         where {condition} and {key} > ${len(args) - 1} and {key} <= ${len(args)}
         order by {key} limit $1
        """,
        args,
    )
    found = [row[0] for row in rows]
    place = found[-1] if len(found) == limit else None
    return (matching(tx, query, found, relaxed=False) if query.exact else found), place


def _search_exactly(
    tx: ReadTx, query: Query, asked: Plan, text: str, place: _Place, limit: int
) -> Results:
    """`case:match`: what the index finds in any case, read again as written."""
    candidates, relaxed = _best(tx, asked, CHECKED + 1), False
    ids = matching(tx, query, candidates[:CHECKED], relaxed=False)
    if not ids and asked.relaxed is not None:
        candidates, relaxed = _best(tx, asked.fallback(), CHECKED + 1), True
        ids = matching(tx, query, candidates[:CHECKED], relaxed=True)
    found = _Found(ids, len(candidates) > CHECKED)
    return _results(tx, query, found, text, place, limit, relaxed=relaxed)


def _find(tx: ReadTx, asked: Plan) -> _Found:
    """The best, as many as count."""
    ids = _best(tx, asked, COUNTED + 1)
    return _Found(ids[:COUNTED], len(ids) > COUNTED)


def _best(tx: ReadTx, asked: Plan, limit: int) -> list[int]:
    """The ids of the most relevant documents; where no words are asked for, of the newest."""
    table, condition, args = _from(asked, limit)
    order = "d.id desc" if asked.match is None else "document_fts.rank"
    rows = tx.execute(f"select d.id from {table} where {condition} order by {order} limit $1", args)
    return [row[0] for row in rows]


def _from(asked: Plan, limit: int) -> tuple[str, str, list[Any]]:
    """Tables, condition and arguments, of which `limit` is the first."""
    if asked.match is None:
        return "document d", asked.where(2), [limit, *asked.args]
    return (
        "document_fts cross join document d on d.id = document_fts.rowid",
        f"document_fts match $2 and {asked.where(3)}",
        [limit, asked.match, *asked.args],
    )


def _results(
    tx: ReadTx,
    query: Query,
    found: _Found,
    text: str,
    place: _Place,
    limit: int,
    *,
    relaxed: bool,
) -> Results:
    offset = place.within(found.ids)
    ids = found.ids[offset : offset + limit]
    finder = Finder([term for term in query.texts() if not term.title], exact=query.exact)
    texts: dict[int, str] = dict(
        tx.execute(
            "select document_id, text from document_text where document_id in ints($1)",
            (msgspec.json.encode(ids).decode(),),
        )
    )
    hits = [
        Hit(rank, document, safe(document.title), finder.snippet(texts[document.id]))
        for rank, document in enumerate(summaries(tx, ids), offset + 1)
    ]
    end, total = offset + len(ids), len(found.ids)
    cursor = _cursor(_Place(end, tuple(ids[-NAMED:])), text) if ids and end < total else None
    facets = _facets(tx, found.ids)
    return Results(hits, total, found.more, relaxed and total > 0, query.cut, facets, cursor)


def _facets(tx: ReadTx, ids: Sequence[int]) -> Facets:
    encoded = msgspec.json.encode(ids).decode()
    rows = tx.execute(
        """
        select d.source_id, d.source_type, d.entity_type, d.site, count(*)
          from each($1) as e join document d on d.id = e.value group by 1, 2, 3, 4
        """,
        (encoded,),
    )
    sources, types, sites = Counter[int](), Counter[str](), Counter[str]()
    for source_id, source_type, entity_type, site, count in rows:
        sources[source_id] += count
        types[source_type] += count
        if entity_type not in ("page", source_type):
            types[entity_type] += count
        sites[site] += count
    tags = tx.execute(
        """
        select g.tag, count(*) from each($1) as e join document_tag g on g.document_id = e.value
         group by g.tag
        """,
        (encoded,),
    )
    return Facets(_most(sources), _most(types), _most(sites), _most(Counter(dict(tags))))


def _most(counter: Counter[V]) -> dict[V, int]:
    return dict(counter.most_common(FACET_VALUES))


def _cursor(place: _Place, text: str) -> str:
    said = [place.offset, _digest(text), place.last]
    return base64.urlsafe_b64encode(msgspec.json.encode(said)).decode()


def _place(cursor: str | None, text: str) -> _Place:
    if cursor is None:
        return _Place()
    try:
        offset, digest, last = msgspec.json.decode(
            base64.urlsafe_b64decode(cursor.encode()), type=tuple[int, str, tuple[int, ...]]
        )
    except (ValueError, msgspec.DecodeError) as error:
        raise BadInput(f"the cursor {cursor[:80]!r} is none; begin without one") from error
    if digest != _digest(text) or offset < 0:
        raise BadInput("the cursor belongs to another query; begin without one")
    return _Place(offset, last)


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=6).hexdigest()
