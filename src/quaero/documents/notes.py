"""What was made of documents beside their texts: summaries and keywords, each with its maker.

A note belongs to the text that it was made of. When the document changes it stays, and says by its
hash that it is of an earlier text, until another is made. Notes go with their documents.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:  # the helpers that read pages know the words of documents, and no database
    from quaero.db.contract import ReadTx, Tx


class Kind(IntEnum):
    """What a note is; keywords are kept as a JSON array."""

    SUMMARY = 0
    KEYWORDS = 1


@dataclass(frozen=True, slots=True)
class NewNote:
    """A note to keep; `recipe` names all that would make another one of the same text."""

    document_id: int
    kind: Kind
    text: str
    maker: str
    recipe: str
    content_hash: str
    job_id: int | None = None
    made_at: int | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """A note as it is shown; `current` unless the document has changed since."""

    kind: Kind
    text: str
    maker: str
    recipe: str
    made_at: int
    current: bool

    @property
    def words(self) -> list[str]:
        """The keywords."""
        return list(msgspec.json.decode(self.text, type=list[str]))


@dataclass(frozen=True, slots=True)
class Known:
    """A document as far as it matters for making notes."""

    id: int
    content_hash: str
    bytes: int


def save(tx: Tx, notes: Sequence[NewNote]) -> int:
    """Keep notes in place of earlier ones; returns how many.

    Those of documents that are no more are left out.
    """
    rows = [
        (n.document_id, n.kind, n.text, n.maker, n.recipe, n.content_hash, n.made_at or tx.now,
         n.job_id)
        for n in notes
    ]  # fmt: skip
    kept = tx.execute(
        """
        insert into document_note(document_id, kind, text, maker, recipe, content_hash, made_at,
                                  job_id)
        select e.value ->> 0, e.value ->> 1, e.value ->> 2, e.value ->> 3, e.value ->> 4,
               e.value ->> 5, e.value ->> 6, e.value ->> 7
          from each($1) as e join document d on d.id = e.value ->> 0 where true
            on conflict(document_id, kind) do update
           set text = excluded.text, maker = excluded.maker, recipe = excluded.recipe,
               content_hash = excluded.content_hash, made_at = excluded.made_at,
               job_id = excluded.job_id
        returning 1
        """,
        (msgspec.json.encode(rows).decode(),),
    )
    return len(kept)


def of(tx: ReadTx, ids: Sequence[int]) -> dict[int, tuple[Note, ...]]:
    """The notes of documents, by document; the summary first."""
    rows = tx.execute(
        """
        select n.document_id, n.kind, n.text, n.maker, n.recipe, n.made_at,
               n.content_hash = d.content_hash
          from document_note n join document d on d.id = n.document_id
         where n.document_id in ints($1) order by n.document_id, n.kind
        """,
        (msgspec.json.encode(ids).decode(),),
    )
    found: dict[int, tuple[Note, ...]] = {}
    for id_, kind, text, maker, recipe, made_at, current in rows:
        note = Note(Kind(kind), text, maker, recipe, made_at, bool(current))
        found[id_] = (*found.get(id_, ()), note)
    return found


def wanting(tx: ReadTx, ids: Sequence[int], kind: Kind, recipe: str) -> list[Known]:
    """Those of the documents that have text and no note of this kind and recipe, in order of id.

    One whose text has changed since has none.
    """
    rows = tx.execute(
        """
        select d.id, d.content_hash, d.bytes from document d
          left join document_note n on n.document_id = d.id and n.kind = $2
         where d.id in ints($1) and d.bytes > 0
           and (n.recipe is null or n.recipe <> $3 or n.content_hash <> d.content_hash)
         order by d.id
        """,
        (msgspec.json.encode(ids).decode(), kind, recipe),
    )
    return [Known(*row) for row in rows]


def is_by(tx: ReadTx, document_id: int, kind: Kind, job_id: int) -> bool:
    """Whether a document's note of this kind was made by this job."""
    return bool(
        tx.execute(
            "select 1 from document_note where document_id = $1 and kind = $2 and job_id = $3",
            (document_id, kind, job_id),
        )
    )


def same(tx: ReadTx, content_hash: str, kind: Kind, recipe: str) -> str | None:
    """The text of a note that was made of the same text by the same recipe, if there is one."""
    rows = tx.execute(
        """
        select text from document_note where content_hash = $1 and kind = $2 and recipe = $3 limit 1
        """,
        (content_hash, kind, recipe),
    )
    return str(rows[0][0]) if rows else None


def forget(tx: Tx, ids: Sequence[int]) -> None:
    """Delete the notes of documents that go."""
    tx.execute(
        "delete from document_note where document_id in ints($1)",
        (msgspec.json.encode(ids).decode(),),
    )
