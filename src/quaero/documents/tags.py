"""Tags: words that people and crawls put on documents. They survive every later crawl."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from quaero.db.contract import Row, Tx
from quaero.documents import counts
from quaero.documents.model import normal_tag
from quaero.documents.rows import as_json, load


def tag(tx: Tx, ids: Sequence[int], tags: Iterable[str]) -> int:
    """Give documents tags; returns how many they did not have. Unknown ids do not matter."""
    there = [old.id for old in load(tx, ids)]
    wanted = list(tags)
    return add_tags(tx, ((id_, each) for id_ in there for each in wanted))


def untag(tx: Tx, ids: Sequence[int], tags: Iterable[str]) -> int:
    """Take tags from documents; returns how many they had.

    Those that were kept before tags had one form of letters go as they are written.
    """
    given = list(tags)
    rows = tx.execute(
        """
        delete from document_tag where document_id in ints($1)
           and tag in (select value from each($2)) returning document_id, tag
        """,
        (as_json(ids), as_json(sorted({*given, *map(normal_tag, given)}))),
    )
    _count_tags(tx, rows, -1)
    return len(rows)


def add_tags(tx: Tx, pairs: Iterable[tuple[int, str]]) -> int:
    """Give tags to documents that are there, as (id, tag); returns how many were new."""
    wanted = {(id_, normal_tag(each)) for id_, each in pairs}
    rows = sorted(pair for pair in wanted if pair[1])
    if not rows:
        return 0
    added = tx.execute(
        """
        insert into document_tag(document_id, tag)
        select value ->> 0, value ->> 1 from each($1) where true
            on conflict do nothing returning document_id, tag
        """,
        (as_json(rows),),
    )
    _count_tags(tx, added, 1)
    return len(added)


def _count_tags(tx: Tx, rows: Sequence[Row], sign: int) -> None:
    documents = {old.id: old for old in load(tx, sorted({row[0] for row in rows}))}
    for id_, name in rows:
        old = documents[id_]
        counts.add(
            tx,
            counts.tag_keys([name]),
            sign,
            sign * old.gone,
            sign * old.words,
            sign * old.bytes,
        )
