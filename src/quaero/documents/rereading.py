"""Documents together with what they were read from, for whoever reads them again.

What is read is fenced: `save` refuses all of it where one of the documents was fetched, changed or
deleted since, so nothing is ever replaced by what is older.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from quaero.db.contract import ReadTx, Tx
from quaero.documents import bodies, referring, store
from quaero.documents.bodies import Kept
from quaero.documents.model import Document, NewDocument
from quaero.documents.prepare import prepare, storable
from quaero.documents.read import documents
from quaero.documents.references import Reference
from quaero.documents.rows import as_json, that_fit
from quaero.errors import Conflict


@dataclass(frozen=True, slots=True)
class Reread:
    """A document as it is stored, what it refers to, and its body; None where none is kept."""

    document: Document = field(repr=False)
    references: list[Reference]
    body: Kept | None = field(repr=False)

    @property
    def fence(self) -> Fence:
        """What stays the same until the document is fetched or changed."""
        known = self.document.summary
        hash_ = None if self.body is None else self.body.hash
        return known.id, hash_, self.document.content_hash, known.fetched_at, known.changed_at


Fence = tuple[int, bytes | None, str, int, int]


@dataclass(frozen=True, slots=True)
class Some:
    """The first of some documents: those looked at, and what there is of them."""

    ids: Sequence[int]
    found: list[Reread]


def some(tx: ReadTx, ids: Sequence[int], most: int) -> Some:
    """The first documents of these whose bodies take no more than `most` bytes, one at least.

    Those that are gone or do not exist are looked at, and not found.
    """
    sizes = bodies.sizes(tx, ids)
    looked = that_fit(((id_, sizes.get(id_, 0)) for id_ in ids), most)
    there = [each for each in documents(tx, looked) if each.summary.gone_at is None]
    refer, kept = referring.of_documents(tx, looked), bodies.of_documents(tx, looked)
    found = [
        Reread(each, refer.get(each.summary.id, []), kept.get(each.summary.id)) for each in there
    ]
    return Some(looked, found)


def says_the_same(stored: Reread, new: NewDocument) -> bool:
    """Whether saving would change nothing."""
    ready, known = prepare(new, stored.document.summary.changed_at), stored.document.summary
    of_it: list[Any] = [
        known.title, known.description, known.language, known.author, known.published,
        known.modified, known.words, known.entity_type,
    ]  # fmt: skip
    would_be = [ready.title, *ready.particulars[:5], ready.words, new.entity_type]
    return (
        stored.document.content_hash == new.content_hash
        and of_it == would_be
        and stored.document.metadata == msgspec.json.decode(ready.metadata)
        and _by_key(stored.references) == _by_key(ready.references)
    )


def _by_key(references: Iterable[Reference]) -> dict[tuple[str, str], str | None]:
    """The links of references as they are kept: of two with one key the first."""
    found: dict[tuple[str, str], str | None] = {}
    for kind, key, url in references:
        found.setdefault((kind, storable(key)), None if url is None else storable(url))
    return found


def save(tx: Tx, read: Sequence[tuple[Fence, NewDocument]]) -> None:
    """Save documents as they were read again.

    Raises `Conflict`, and saves none, where one of them is not as it was any more.
    """
    ids = [fence[0] for fence, _ in read]
    hashes = bodies.hashes(tx, ids)
    rows = tx.execute(
        """
        select id, content_hash, fetched_at, changed_at from document
         where id in ints($1) and gone_at is null
        """,
        (as_json(ids),),
    )
    now = {(id_, hashes.get(id_), *rest) for id_, *rest in rows}
    moved = [fence[0] for fence, _ in read if fence not in now]
    if moved:
        raise Conflict(f"documents {moved} were fetched, changed or deleted meanwhile")
    store.rewrite(tx, [new for _, new in read])
