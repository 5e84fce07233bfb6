"""Which documents a job is about, in slices that stay the same while documents change.

Slices go by id, from the one after the last to the newest that there was when the job began. So
nothing is met twice, what comes later is left for another job, and a slice costs the same wherever
it lies.
"""

from __future__ import annotations

from quaero.db.contract import ReadTx
from quaero.documents import search
from quaero.documents.model import Filter
from quaero.documents.read import ids_after, narrowed
from quaero.errors import Permanent
from quaero.sources.names import names
from quaero.summarize.payloads import Chosen, Named

PAGE = 1_000


def named_ids(tx: ReadTx, named: Named, after: int, up_to: int) -> tuple[list[int], int | None]:
    """`next_ids`, where documents may be named one by one: then all of them are one slice."""
    if named.document_ids is None:
        return next_ids(tx, named, after, up_to)
    return sorted({id_ for id_ in named.document_ids if id_ > after}), None


def next_ids(tx: ReadTx, chosen: Chosen, after: int, up_to: int) -> tuple[list[int], int | None]:
    """The ids of a slice, and where to go on; None at the end."""
    wanted = Filter(
        source_id=_source(tx, chosen.source),
        site=None if chosen.site is None else chosen.site.lower(),
        tag=chosen.tag, root_id=chosen.root_id, gone=False,
    )  # fmt: skip
    if chosen.query is None:
        ids = [each for each in ids_after(tx, wanted, after, PAGE) if each <= up_to]
        return ids, ids[-1] if len(ids) == PAGE else None
    found, place = search.ids(tx, chosen.query, after, up_to, PAGE, names(tx))
    return narrowed(tx, wanted, found), place


def _source(tx: ReadTx, source: int | str | None) -> int | None:
    if not isinstance(source, str):
        return source
    known = names(tx)
    if source not in known:
        raise Permanent(f"there is no source {source!r}; there are {', '.join(known) or 'none'}")
    return known[source]
