"""Looking at documents: one, a page of a list, all of them in order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import msgspec

from quaero.db.contract import ReadTx, Row
from quaero.documents import notes
from quaero.documents.model import DetailLevel, Document, Filter, Summary, normal_tag
from quaero.errors import NotFound

LARGEST_PAGE = 1_000

_SUMMARY = """
    d.id, d.source_id, d.url, d.site, d.source_type, d.entity_type, d.title,
    d.description, d.language, d.author,
    d.published, d.modified, d.words, d.bytes, d.detail_level, d.version, d.first_seen,
    d.fetched_at, d.changed_at, d.gone_at, d.job_id, d.root_id
"""
_WIDTH = 22
_REST = "d.etag, d.last_modified, d.content_hash, t.metadata, t.text"


def get(tx: ReadTx, document_id: int) -> Document:
    """One document with its text. Raises `NotFound`."""
    found = _documents(tx, "d.id = $1", (document_id,))
    if not found:
        raise NotFound(f"there is no document {document_id}")
    return found[0]


def find(tx: ReadTx, source_id: int, url: str) -> Document | None:
    """The document of a source with a canonical address, if there is one."""
    found = _documents(tx, "d.source_id = $1 and d.url = $2", (source_id, url))
    return found[0] if found else None


def summaries(tx: ReadTx, ids: Sequence[int]) -> list[Summary]:
    """The documents with these ids, in the order given; those that do not exist are left out."""
    rows = tx.execute(
        f"select {_SUMMARY} from document d where d.id in ints($1)",
        (msgspec.json.encode(ids).decode(),),
    )
    found = {each.id: each for each in _with_tags(tx, rows)}
    return [found[id_] for id_ in ids if id_ in found]


def listing(
    tx: ReadTx, wanted: Filter, *, before: int | None = None, limit: int = 50
) -> list[Summary]:
    """A page of documents, the newest first; `before` is the id of the last one seen."""
    table, conditions, args = _conditions(wanted)
    if before is not None:
        args.append(before)
        conditions.append(f"{_id(wanted)} < ${len(args)}")
    args.append(min(max(limit, 1), LARGEST_PAGE))
    rows = tx.execute(
        f"""
        select {_SUMMARY} from {table} where {" and ".join(conditions)}
         order by {_id(wanted)} desc limit ${len(args)}
        """,
        args,
    )
    return _with_tags(tx, rows)


def ids_after(tx: ReadTx, wanted: Filter, after: int, limit: int = LARGEST_PAGE) -> list[int]:
    """The ids of the next documents after an id, oldest first; for work in slices."""
    table, conditions, args = _conditions(wanted)
    args += [after, limit]
    rows = tx.execute(
        f"""
        select d.id from {table} where {" and ".join(conditions)}
           and {_id(wanted)} > ${len(args) - 1} order by {_id(wanted)} limit ${len(args)}
        """,
        args,
    )
    return [row[0] for row in rows]


def newest(tx: ReadTx) -> int:
    """The greatest id of a document; 0 where there is none."""
    rows = tx.execute("select id from document order by id desc limit 1")
    return int(rows[0][0]) if rows else 0


def narrowed(tx: ReadTx, wanted: Filter, ids: Sequence[int]) -> list[int]:
    """Those of the ids whose documents a filter names, in order."""
    table, conditions, args = _conditions(wanted)
    args.append(msgspec.json.encode(ids).decode())
    rows = tx.execute(
        f"""
        select d.id from {table} where {" and ".join(conditions)} and d.id in ints(${len(args)})
         order by d.id
        """,
        args,
    )
    return [row[0] for row in rows]


def number(tx: ReadTx, wanted: Filter) -> int:
    """How many documents a filter names."""
    table, conditions, args = _conditions(wanted)
    sql = f"select count(*) from {table} where {' and '.join(conditions)}"
    ((found,),) = tx.execute(sql, args)
    return int(found)


def documents(tx: ReadTx, ids: Sequence[int]) -> list[Document]:
    """The documents with these ids and their texts, in order of id."""
    return _documents(tx, "d.id in ints($1)", (msgspec.json.encode(ids).decode(),))


def _documents(tx: ReadTx, condition: str, args: Sequence[Any]) -> list[Document]:
    rows = tx.execute(
        f"""
        select {_SUMMARY}, {_REST}
          from document d join document_text t on t.document_id = d.id
         where {condition} order by d.id
        """,
        args,
    )
    summed = _with_tags(tx, [row[:_WIDTH] for row in rows])
    made = notes.of(tx, [row[0] for row in rows])
    return [
        Document(
            summary, etag, last_modified, digest, msgspec.json.decode(metadata), text,
            made.get(summary.id, ()),
        )
        for summary, (etag, last_modified, digest, metadata, text) in zip(
            summed, (row[_WIDTH:] for row in rows), strict=True
        )
    ]  # fmt: skip


def _conditions(wanted: Filter) -> tuple[str, list[str], list[Any]]:
    """The tables, conditions and arguments of a filter; a tag leads, because its rows are fewer."""
    table, conditions, args = "document d", ["1 = 1"], list[Any]()
    for column, value in (
        ("d.source_id", wanted.source_id),
        ("d.site", wanted.site),
        ("d.source_type", wanted.source_type),
        ("d.root_id", wanted.root_id),
        ("d.job_id", wanted.job_id),
        ("g.tag", None if wanted.tag is None else normal_tag(wanted.tag)),
    ):
        if value is not None:
            args.append(value)
            conditions.append(f"{column} = ${len(args)}")
    if wanted.tag is not None:
        table = "document_tag g join document d on d.id = g.document_id"
    if wanted.gone is not None:
        conditions.append(f"d.gone_at is {'not ' if wanted.gone else ''}null")
    return table, conditions, args


def _id(wanted: Filter) -> str:
    return "d.id" if wanted.tag is None else "g.document_id"


def _with_tags(tx: ReadTx, rows: Sequence[Row]) -> list[Summary]:
    tags: defaultdict[int, list[str]] = defaultdict(list)
    if rows:
        found = tx.execute(
            """
            select document_id, tag from document_tag where document_id in ints($1)
             order by document_id, tag
            """,
            (msgspec.json.encode([row[0] for row in rows]).decode(),),
        )
        for id_, tag in found:
            tags[id_].append(tag)
    return [_summary(row, tags[row[0]]) for row in rows]


def _summary(row: Row, tags: Sequence[str]) -> Summary:
    values = (*row[:14], DetailLevel(row[14]), *row[15:], tuple(tags))
    return Summary(*values)
