"""References between documents: kept with them, and read from both ends.

Rows change in the transaction that changes a document's text. A document without references and
names has none. What a reference leads to is looked up when it is read, so the order in which
documents are collected does not matter.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from quaero.db.contract import ReadTx, Tx
from quaero.documents.prepare import site_of, storable
from quaero.documents.references import Reference
from quaero.documents.rows import as_json

MOST_REFERRERS = 100
_EACH = 20
_LOOKED_AT = 4 * MOST_REFERRERS
_LOOKS = 10
"""How often so many references are looked at: those of a name may mean another host's."""


class Named(NamedTuple):
    """A document, as a link to it needs it."""

    id: int
    title: str
    url: str


@dataclass(frozen=True, slots=True)
class Leads:
    """A reference, and the documents here that it may mean, at most 20."""

    kind: str
    key: str
    url: str | None
    documents: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class References:
    """What a document refers to, and the documents that refer to it, at most 100.

    With `more` there are more that do, or so many to others of that name that not all were seen.
    """

    items: list[Leads]
    referrers: list[Named]
    more: bool


class Said(NamedTuple):
    """The references and names of one document."""

    document_id: int
    references: Iterable[Reference]
    names: Iterable[tuple[str, str]]


def put(tx: Tx, said: Sequence[Said], *, new: bool) -> None:
    """Write the references and names of documents, in place of others unless they are `new`."""
    if not new:
        remove(tx, [each.document_id for each in said])
    references = [
        (each.document_id, kind, storable(key), None if url is None else storable(url))
        for each in said
        for kind, key, url in each.references
    ]
    names = [(each.document_id, kind, storable(key)) for each in said for kind, key in each.names]
    if references:
        tx.execute(
            """
            insert into document_reference(document_id, kind, key, url)
            select value ->> 0, value ->> 1, value ->> 2, value ->> 3 from each($1) where true
                on conflict do nothing
            """,
            (as_json(references),),
        )
    if names:
        tx.execute(
            """
            insert into document_name(document_id, kind, key)
            select value ->> 0, value ->> 1, value ->> 2 from each($1) where true
                on conflict do nothing
            """,
            (as_json(names),),
        )


def remove(tx: Tx, ids: Sequence[int]) -> None:
    """Forget what documents refer to, and their names."""
    for table in ("document_reference", "document_name"):
        tx.execute(f"delete from {table} where document_id in ints($1)", (as_json(ids),))


def of_documents(tx: ReadTx, ids: Sequence[int]) -> dict[int, list[Reference]]:
    """What documents refer to, by id."""
    rows = tx.execute(
        """
        select document_id, kind, key, url from document_reference where document_id in ints($1)
         order by document_id, kind, key
        """,
        (as_json(ids),),
    )
    found: defaultdict[int, list[Reference]] = defaultdict(list)
    for id_, *values in rows:
        found[id_].append(Reference(*values))
    return found


def look(tx: ReadTx, document_id: int) -> References:
    """Both ends of a document's references. A document that does not exist has none."""
    own = of_documents(tx, [document_id])[document_id]
    means = _meant(tx, own)
    items = [
        Leads(each.kind, each.key, each.url, tuple(_at_home(each.url, means[each.kind, each.key])))
        for each in own
    ]
    referrers, more = _referrers(tx, document_id)
    return References(items, referrers, more)


def _meant(tx: ReadTx, own: Sequence[Reference]) -> dict[tuple[str, str], list[Named]]:
    """The documents with the names that are referred to."""
    found: defaultdict[tuple[str, str], list[Named]] = defaultdict(list)
    if own:
        rows = tx.execute(
            """
            select n.kind, n.key, d.id, d.title, d.url
              from each($1) as e
              join document_name n on n.kind = e.value ->> 0 and n.key = e.value ->> 1
              join document d on d.id = n.document_id
             order by d.id
            """,
            (as_json([(each.kind, each.key) for each in own]),),
        )
        for kind, key, *named in rows:
            found[kind, key].append(Named(*named))
    return found


def _at_home(url: str | None, meant: Sequence[Named]) -> list[Named]:
    """Of the documents with a name, those on the host that the link names."""
    if url is None:
        return list(meant[:_EACH])
    site = site_of(url)
    return [each for each in meant if site_of(each.url) == site][:_EACH]


def _referrers(tx: ReadTx, document_id: int) -> tuple[list[Named], bool]:
    """The documents that refer to one, and whether there may be more of them."""
    found: dict[int, Named] = {}
    first = 0
    for _ in range(_LOOKS):
        rows = tx.execute(
            """
            select d.id, d.title, d.url, r.url, own.site
              from document_name n
              join document own on own.id = n.document_id
              join document_reference r on r.kind = n.kind and r.key = n.key
              join document d on d.id = r.document_id
             where n.document_id = $1 and d.id <> $1 and d.id >= $3
             order by d.id limit $2
            """,
            (document_id, _LOOKED_AT, first),
        )
        for id_, title, url, link, site in rows:
            if link is None or site_of(link) == site:
                found[id_] = Named(id_, title, url)
        if len(rows) < _LOOKED_AT or len(found) > MOST_REFERRERS:
            return list(found.values())[:MOST_REFERRERS], len(found) > MOST_REFERRERS
        first = rows[-1][0]
    return list(found.values()), True
