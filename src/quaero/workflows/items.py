"""What a step can go over by a query: documents, in the order of their ids, and sources.

The rows come in portions. A document that comes while the step goes over them is met if its id is
beyond the last one; none is met twice.
"""

from __future__ import annotations

from typing import Any

from quaero.db.contract import ReadTx
from quaero.documents.model import Filter
from quaero.documents.read import ids_after, summaries
from quaero.errors import BadInput
from quaero.workflows.definition import Documents, Query


def rows(tx: ReadTx, query: Query, after: int, limit: int) -> tuple[list[Any], int | None]:
    """The rows of a query after a place, and the place to go on from; None at the end."""
    if query.documents is not None:
        return _documents(tx, query.documents, after, limit)
    raise BadInput("there are no sources to go over")


def _documents(
    tx: ReadTx, wanted: Documents, after: int, limit: int
) -> tuple[list[Any], int | None]:
    chosen = Filter(source_type=wanted.type or None, tag=wanted.tag or None, gone=False)
    ids = ids_after(tx, chosen, after, limit)
    items = [
        {"id": each.id, "url": each.url, "title": each.title, "source_id": each.source_id}
        for each in summaries(tx, ids)
    ]
    return items, ids[-1] if len(ids) == limit else None
