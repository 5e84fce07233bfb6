"""Exact counts of documents, changed with the documents.

Kept for all, and for each source, source type, site and tag. Whoever changes documents says what
each of them gains or loses; the sums are applied once, at the function's end.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from quaero.db.contract import ReadTx, Tx

_KEY = "documents.counts"


@dataclass(frozen=True, slots=True)
class Count:
    """How many documents, how many of them gone, and their words and bytes of text."""

    documents: int = 0
    gone: int = 0
    words: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Stats:
    """The counts of all documents and, where the most are first, by what they share."""

    all: Count
    by_source: dict[int, Count]
    by_type: dict[str, Count]
    by_site: dict[str, Count]
    by_tag: dict[str, Count]


def add(
    tx: Tx, keys: Iterable[tuple[str, str]], documents: int, gone: int, words: int, size: int
) -> None:
    """Note that each of these (kind, key) gains so much; negative where it loses."""
    delta: dict[tuple[str, str], list[int]] | None = tx.scratch.get(_KEY)
    if delta is None:
        delta = tx.scratch[_KEY] = {}
        tx.at_end(_KEY, _apply, rank=4)
    for key in keys:
        sums = delta.get(key)
        if sums is None:
            delta[key] = [documents, gone, words, size]
        else:
            sums[0] += documents
            sums[1] += gone
            sums[2] += words
            sums[3] += size


def keys_of(source_id: int, source_type: str, site: str) -> list[tuple[str, str]]:
    """The counts that a document belongs to, its tags' apart."""
    return [("all", ""), ("source", str(source_id)), ("type", source_type), ("site", site)]


def tag_keys(tags: Iterable[str]) -> list[tuple[str, str]]:
    """The counts of tags."""
    return [("tag", tag) for tag in tags]


def _apply(tx: Tx) -> None:
    delta: dict[tuple[str, str], list[int]] = tx.scratch.pop(_KEY)
    changed = [(key, sums) for key, sums in sorted(delta.items()) if any(sums)]
    rows = [(*key, *sums) for key, sums in changed]
    if not rows:
        return
    tx.execute(
        """
        insert into document_count(kind, key, documents, gone, words, bytes)
        select value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5
          from each($1) where true
            on conflict(kind, key) do update
           set documents = document_count.documents + excluded.documents,
               gone = document_count.gone + excluded.gone,
               words = document_count.words + excluded.words,
               bytes = document_count.bytes + excluded.bytes
        """,
        (msgspec.json.encode(rows).decode(),),
    )
    if shrunk := [key for key, sums in changed if sums[0] < 0]:
        tx.execute(
            """
            delete from document_count where documents = 0 and (kind, key) in
                   (select value ->> 0, value ->> 1 from each($1))
            """,
            (msgspec.json.encode(shrunk).decode(),),
        )


def of_all(tx: ReadTx) -> Count:
    """The kept count of all documents."""
    return _top(tx, "all", 1).get("", Count())


def stats(tx: ReadTx, most: int = 100) -> Stats:
    """The kept counts; of each kind the `most` with the most documents."""
    return Stats(
        of_all(tx),
        {int(key): count for key, count in _top(tx, "source", most).items()},
        _top(tx, "type", most),
        _top(tx, "site", most),
        _top(tx, "tag", most),
    )


def _top(tx: ReadTx, kind: str, most: int) -> dict[str, Count]:
    rows = tx.execute(
        """
        select key, documents, gone, words, bytes from document_count where kind = $1
         order by documents desc, key limit $2
        """,
        (kind, most),
    )
    return {key: Count(*numbers) for key, *numbers in rows}
