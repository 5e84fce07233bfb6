"""What the verbs on documents need to know of those that are there, and how they count them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import msgspec

from quaero.db.contract import ReadTx, Tx
from quaero.documents import counts

Key: TypeAlias = tuple[int, str]


class Known(NamedTuple):
    """A document without its text; `gone` is 0 or 1."""

    id: int
    source_id: int
    url: str
    source_type: str
    site: str
    content_hash: str
    detail_level: int
    version: int
    words: int
    bytes: int
    gone: int
    fetched_at: int
    changed_at: int


def that_fit(sizes: Iterable[tuple[int, int]], room: int) -> list[int]:
    """The first of some (id, bytes) that take no more than `room` bytes together, one at least."""
    ids: list[int] = []
    for id_, size in sizes:
        if ids and size > room:
            break
        ids.append(id_)
        room -= size
    return ids


def find(tx: ReadTx, keys: Iterable[Key]) -> dict[Key, Known]:
    """The documents with these keys, in order of key."""
    rows = tx.execute(
        """
        select d.id, d.source_id, d.url, d.source_type, d.site, d.content_hash, d.detail_level,
               d.version, d.words, d.bytes, case when d.gone_at is null then 0 else 1 end,
               d.fetched_at, d.changed_at
          from each($1) as e
          join document d on d.source_id = e.value ->> 0 and d.url = e.value ->> 1
        """,
        (as_json(sorted(keys)),),
    )
    return {(row[1], row[2]): Known._make(row) for row in rows}


def load(tx: ReadTx, ids: Sequence[int]) -> list[Known]:
    """The documents with these ids, in order of key."""
    rows = tx.execute(
        """
        select id, source_id, url, source_type, site, content_hash, detail_level, version, words,
               bytes, case when gone_at is null then 0 else 1 end, fetched_at, changed_at
          from document where id in ints($1) order by source_id, url
        """,
        (as_json(ids),),
    )
    return [Known._make(row) for row in rows]


def tags_of(tx: ReadTx, ids: Sequence[int]) -> Mapping[int, list[str]]:
    """The tags of documents, by id."""
    found: defaultdict[int, list[str]] = defaultdict(list)
    if ids:
        rows = tx.execute(
            "select document_id, tag from document_tag where document_id in ints($1)",
            (as_json(ids),),
        )
        for id_, name in rows:
            found[id_].append(name)
    return found


def count(tx: Tx, old: Known, tags: Iterable[str], sign: int) -> None:
    """Count a document once more, or once less."""
    groups = counts.keys_of(old.source_id, old.source_type, old.site) + counts.tag_keys(tags)
    counts.add(tx, groups, sign, sign * old.gone, sign * old.words, sign * old.bytes)


def as_json(value: Any) -> str:
    """A value as the text that `each` and `ints` take."""
    return msgspec.json.encode(value).decode()


def count_gone(tx: Tx, documents: Sequence[Known], sign: int) -> None:
    """Count documents as gone, or as present again."""
    tags = tags_of(tx, [old.id for old in documents])
    for old in documents:
        groups = counts.keys_of(old.source_id, old.source_type, old.site)
        counts.add(tx, groups + counts.tag_keys(tags[old.id]), 0, sign, 0, 0)
