"""What a step can go over by a query: documents and sources, in the order of their ids.

The rows come in portions. One that comes while a step goes over them is met if its id is beyond
the last one; none is met twice.
"""

from __future__ import annotations

from typing import Any

from quaero.db.contract import ReadTx
from quaero.documents import search
from quaero.documents.model import Filter, normal_tag
from quaero.documents.read import ids_after, narrowed, summaries
from quaero.errors import BadInput
from quaero.sources import records
from quaero.sources.names import names
from quaero.sources.settings import KINDS
from quaero.workflows.definition import Documents, Query, Sources

_ANY_ID = 2**62


def rows(tx: ReadTx, query: Query, after: int, limit: int) -> tuple[list[Any], int | None]:
    """The rows of a query after a place, and the place to go on from; None at the end."""
    if query.documents is not None:
        return _documents(tx, query.documents, after, limit)
    if query.sources is not None:
        return _sources(tx, query.sources, after, limit)
    raise BadInput("a query is for documents or for sources")


def _documents(
    tx: ReadTx, wanted: Documents, after: int, limit: int
) -> tuple[list[Any], int | None]:
    known = names(tx)
    if wanted.source and wanted.source not in known:
        raise BadInput(f"there is no source {wanted.source!r}; there are {', '.join(known)}")
    chosen = Filter(
        source_id=known[wanted.source] if wanted.source else None,
        source_type=wanted.type or None, tag=wanted.tag or None, gone=False,
    )  # fmt: skip
    place: int | None
    if wanted.query:
        ids, place = search.ids(tx, wanted.query, after, _ANY_ID, limit, known)
        ids = narrowed(tx, chosen, ids)
    else:
        ids = ids_after(tx, chosen, after, limit)
        place = ids[-1] if len(ids) == limit else None
    items = [
        {"id": each.id, "url": each.url, "title": each.title, "source_id": each.source_id}
        for each in summaries(tx, ids)
    ]
    return items, place


def _sources(tx: ReadTx, wanted: Sources, after: int, limit: int) -> tuple[list[Any], int | None]:
    if wanted.kind and wanted.kind not in KINDS:
        raise BadInput(f"there is no kind {wanted.kind!r} of sources; there are {', '.join(KINDS)}")
    tag = normal_tag(wanted.tag)
    found = records.listing(tx, after, limit)
    items = [
        {"id": each.id, "name": each.name, "kind": each.kind, "base_url": each.base_url}
        for each in found
        if (not wanted.kind or each.kind == wanted.kind)
        and (not tag or tag in each.tags)
        and (each.enabled or not wanted.enabled)
    ]
    return items, found[-1].id if len(found) == limit else None
