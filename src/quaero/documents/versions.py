"""Earlier texts of documents, compressed, in order of their numbers.

A version is written by the transaction that replaces its text. The present text is not among them:
it is the document itself, and its number is the document's `version`.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from quaero.db.contract import ReadTx, Tx
from quaero.errors import BadInput, NotFound

_LEVEL = 6


@dataclass(frozen=True, slots=True)
class Version:
    """One earlier state of a document: what it said from `since` until `until`."""

    number: int
    title: str
    content_hash: str
    words: int
    since: int
    until: int


def archive(tx: Tx, ids: Sequence[int]) -> set[int]:
    """Keep the present texts of documents that are about to change; returns whose.

    A document that has no text yet has nothing to keep.
    """
    rows = tx.execute(
        """
        select d.id, d.version, d.title, d.content_hash, d.words, d.changed_at, t.text
          from document d join document_text t on t.document_id = d.id
         where d.id in ints($1) and t.text <> ''
        """,
        (msgspec.json.encode(ids).decode(),),
    )
    for *values, text in rows:
        tx.execute(
            """
            insert into document_version(document_id, number, title, content_hash, words, since,
                                         until, text)
            values ($1, $2, $3, $4, $5, $6, $7, $8)
            """,
            (*values, tx.now, zlib.compress(text.encode(), _LEVEL)),
        )
    return {row[0] for row in rows}


def listing(tx: ReadTx, document_id: int) -> list[Version]:
    """The earlier versions of a document, newest first."""
    rows = tx.execute(
        """
        select number, title, content_hash, words, since, until from document_version
         where document_id = $1 order by number desc
        """,
        (document_id,),
    )
    return [Version(*row) for row in rows]


def text(tx: ReadTx, document_id: int, number: int) -> str:
    """The Markdown of an earlier version. Raises `NotFound`."""
    return _kept(tx, document_id, number).text


class Text(NamedTuple):
    """What a document said in one version."""

    number: int
    title: str
    text: str


def pair(tx: ReadTx, document_id: int, old: int | None, new: int | None) -> tuple[Text, Text]:
    """Two texts to compare; by default the present one and, of the kept, the one before `new`.

    Raises `NotFound` where one of them is not kept, and `BadInput` where `old` is not the earlier.
    """
    rows = tx.execute(
        """
        select d.version, d.title, t.text
          from document d join document_text t on t.document_id = d.id where d.id = $1
        """,
        (document_id,),
    )
    if not rows:
        raise NotFound(f"there is no document {document_id}")
    present = Text(*rows[0])
    new = present.number if new is None else new
    if old is None:
        ((old,),) = tx.execute(
            "select max(number) from document_version where document_id = $1 and number < $2",
            (document_id, new),
        )
    if old is None:
        raise NotFound(f"document {document_id} has no version before {new}")
    if old >= new:
        raise BadInput(f"Version {old} is not earlier than version {new}.")
    return _kept(tx, document_id, old), (
        present if new == present.number else _kept(tx, document_id, new)
    )


def _kept(tx: ReadTx, document_id: int, number: int) -> Text:
    rows = tx.execute(
        "select title, text from document_version where document_id = $1 and number = $2",
        (document_id, number),
    )
    if not rows:
        raise NotFound(f"document {document_id} has no earlier version {number}")
    ((title, packed),) = rows
    return Text(number, title, zlib.decompress(packed).decode())


def prune(tx: Tx, keep: int, after: int = 0, limit: int = 100) -> tuple[int, int | None]:
    """Delete all but the `keep` newest earlier versions of up to `limit` documents.

    Goes through the documents that have versions, from the one after id `after`. Returns how many
    versions went, and the id to go on from, or None at the end.
    """
    ids = [
        row[0]
        for row in tx.execute(
            """
            select distinct document_id from document_version where document_id > $1
             order by document_id limit $2
            """,
            (after, limit),
        )
    ]
    gone = tx.execute(
        """
        delete from document_version where document_id in ints($1) and number <=
               (select max(v.number) - $2 from document_version v
                 where v.document_id = document_version.document_id)
        returning 1
        """,
        (msgspec.json.encode(ids).decode(), keep),
    )
    return len(gone), ids[-1] if len(ids) == limit else None
