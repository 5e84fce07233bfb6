"""Documents as a crawl brings them: save, touch, mark gone; as they are read again; and delete.

All verbs take many documents at once and work through them sorted by (source id, address). An
unchanged page costs its row and nothing else; a changed one keeps the text it had (`versions`).
Counts follow every change in the same transaction (`counts`), and so do the full-text index
(`fulltext`) and references (`referring`). Reading is in `read`, tags are in `tags`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from quaero.db.contract import ReadTx, Row, Tx
from quaero.documents import bodies, counts, fulltext, notes, referring, versions
from quaero.documents.model import Body, DetailLevel, Filter, NewDocument, Outcome, Saved
from quaero.documents.prepare import Prepared, optional, prepare
from quaero.documents.read import ids_after
from quaero.documents.referring import Said
from quaero.documents.rows import Key, Known, as_json, count, count_gone, find, load, tags_of
from quaero.documents.tags import add_tags

SLICE = 250
"""How many documents are deleted in one transaction: about 15 ms."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A page that the server says is as it was (304), with the validators it gave this time."""

    url: str
    source_id: int = 0
    etag: str | None = None
    last_modified: str | None = None
    job_id: int | None = None
    root_id: int | None = None


class Validators(NamedTuple):
    """What a conditional request is made of, and the hash that the answer is compared with.

    `root_id` is the tree of jobs that came by last, if any.
    """

    etag: str | None
    last_modified: str | None
    content_hash: str
    root_id: int | None


def validators(
    tx: ReadTx, source_id: int, urls: Sequence[str], level: DetailLevel = DetailLevel.METADATA
) -> dict[str, Validators]:
    """What is known of pages about to be fetched, by address; one look into the index for each.

    Left out are those to be fetched as if new: unknown ones, gone ones, and those of which less is
    kept than `level`.
    """
    rows = tx.execute(
        """
        select d.url, d.etag, d.last_modified, d.content_hash, d.root_id
          from each($2) as e cross join document d on d.source_id = $1 and d.url = e.value
         where d.gone_at is null and d.detail_level >= $3
        """,
        (source_id, as_json(urls), level),
    )
    return {row[0]: Validators(*row[1:]) for row in rows}


def is_blank(tx: ReadTx, site: str) -> bool:
    """Whether no page of a site is stored; `site` is a host, with its port if it has one."""
    return not tx.execute(
        "select 1 from document_count where kind = 'site' and key = $1 and documents > 0", (site,)
    )


# -- saving


def save(tx: Tx, documents: Sequence[NewDocument]) -> list[Saved]:
    """Create or update documents; returns what became of each, in the order given.

    Where an address is given twice the last one counts. A document whose hash is the one kept is
    unchanged: its text and index stay untouched. One given with `METADATA` never replaces a full
    one, nor the body this was read from. Any answer makes a gone document present again.
    """
    wanted = {(each.source_id, each.url): each for each in documents}
    known = find(tx, wanted)
    saved: dict[Key, Saved] = {}
    created: list[Prepared] = []
    changed: list[_Change] = []
    same: list[tuple[NewDocument, Known]] = []
    kept: list[tuple[NewDocument, Known]] = []
    for key, new in sorted(wanted.items()):
        old = known.get(key)
        if old is None:
            created.append(prepare(new, tx.now))
        elif new.detail_level < old.detail_level:
            kept.append((new, old))
        elif new.content_hash == old.content_hash and new.detail_level == old.detail_level:
            same.append((new, old))
        else:
            changed.append(_Change(prepare(new, tx.now), old, tx.now, tx.now))
    _create(tx, created, saved)
    _change(tx, changed, saved)
    _keep(tx, same, kept, saved)
    add_tags(tx, ((saved[key].id, tag) for key, new in sorted(wanted.items()) for tag in new.tags))
    _keep_bodies(tx, [(saved[key], new.body) for key, new in sorted(wanted.items())])
    return [saved[each.source_id, each.url] for each in documents]


def _keep_bodies(tx: Tx, read: Sequence[tuple[Saved, Body | None]]) -> None:
    """Keep what was read, as far as it took the place of what was there."""
    new = [(each.id, body) for each, body in read if each.outcome is Outcome.CREATED]
    again = (Outcome.CHANGED, Outcome.UNCHANGED)
    bodies.put(tx, new, [(each.id, body) for each, body in read if each.outcome in again])


def rewrite(tx: Tx, documents: Sequence[NewDocument]) -> None:
    """Save documents as they were read again from the bodies they were read from.

    Nothing was fetched, so the time of that, tags and body stay. A text that is another now leaves
    a version; where only the rest is, the document is still the same one. They must be there.
    """
    known = find(tx, {(each.source_id, each.url) for each in documents})
    changes = []
    for new in sorted(documents, key=lambda each: (each.source_id, each.url)):
        old = known[new.source_id, new.url]
        changed_at = old.changed_at if new.content_hash == old.content_hash else tx.now
        changes.append(_Change(prepare(new, changed_at), old, old.fetched_at, changed_at))
    _change(tx, changes, {})


class _Change(NamedTuple):
    """A document to write in place of one that is there, and since when it has been so."""

    new: Prepared
    old: Known
    fetched_at: int
    changed_at: int


def _create(tx: Tx, documents: Sequence[Prepared], saved: dict[Key, Saved]) -> None:
    if not documents:
        return
    ids = tx.ids("document", len(documents))
    numbered = list(zip(ids, documents, strict=True))
    tx.execute(
        """
        insert into document(id, source_id, url, site, source_type, title, description, language,
                             author, published, modified, dated, etag, last_modified, content_hash,
                             words, bytes, detail_level, job_id, root_id, entity_type, first_seen,
                             fetched_at, changed_at)
        select value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5,
               value ->> 6, value ->> 7, value ->> 8, value ->> 9, value ->> 10, value ->> 11,
               value ->> 12, value ->> 13, value ->> 14, value ->> 15, value ->> 16, value ->> 17,
               value ->> 18, value ->> 19, value ->> 20, $2, $2, $2
          from each($1)
        """,
        (as_json([(id_, *each.row) for id_, each in numbered]), tx.now),
    )
    tx.execute(
        """
        insert into document_text(document_id, text, metadata)
        select value ->> 0, value ->> 1, value ->> 2 from each($1)
        """,
        (as_json([(id_, each.text, each.metadata) for id_, each in numbered]),),
    )
    fulltext.put(tx, [(id_, each.title, each.text) for id_, each in numbered], new=True)
    referring.put(tx, [Said(id_, each.references, each.names) for id_, each in numbered], new=True)
    for id_, each in numbered:
        saved[each.key] = Saved(id_, *each.key, Outcome.CREATED, 1)
        groups = counts.keys_of(each.source_id, each.source_type, each.site)
        counts.add(tx, groups, 1, 0, each.words, each.bytes)


def _change(tx: Tx, documents: Sequence[_Change], saved: dict[Key, Saved]) -> None:
    if not documents:
        return
    ids = [each.old.id for each in documents]
    others = [old.id for new, old, *_ in documents if new.content_hash != old.content_hash]
    archived = versions.archive(tx, others)
    numbers = {each.old.id: each.old.version + (each.old.id in archived) for each in documents}
    tx.execute(
        """
        update document
           set site = d.value ->> 3, source_type = d.value ->> 4, title = d.value ->> 5,
               description = d.value ->> 6, language = d.value ->> 7, author = d.value ->> 8,
               published = d.value ->> 9, modified = d.value ->> 10, dated = d.value ->> 11,
               etag = d.value ->> 12, last_modified = d.value ->> 13,
               content_hash = d.value ->> 14, words = d.value ->> 15, bytes = d.value ->> 16,
               detail_level = d.value ->> 17, job_id = coalesce(d.value ->> 18, job_id),
               root_id = coalesce(d.value ->> 19, root_id), entity_type = d.value ->> 20,
               version = d.value ->> 21,
               fetched_at = d.value ->> 22, changed_at = d.value ->> 23, gone_at = null
          from each($1) as d
         where document.id = d.value ->> 0
        """,
        (as_json([(old.id, *new.row, numbers[old.id], *at) for new, old, *at in documents]),),
    )
    tx.execute(
        """
        update document_text set text = d.value ->> 1, metadata = d.value ->> 2
          from each($1) as d where document_id = d.value ->> 0
        """,
        (as_json([(old.id, new.text, new.metadata) for new, old, *_ in documents]),),
    )
    fulltext.put(tx, [(old.id, new.title, new.text) for new, old, *_ in documents], new=False)
    said = [Said(old.id, new.references, new.names) for new, old, *_ in documents]
    referring.put(tx, said, new=False)
    tags = tags_of(tx, ids)
    for new, old, *_ in documents:
        saved[new.key] = Saved(old.id, *new.key, Outcome.CHANGED, numbers[old.id])
        count(tx, old, tags[old.id], -1)
        groups = counts.keys_of(new.source_id, new.source_type, new.site)
        counts.add(tx, groups + counts.tag_keys(tags[old.id]), 1, 0, new.words, new.bytes)


def _keep(
    tx: Tx,
    same: Sequence[tuple[NewDocument, Known]],
    kept: Sequence[tuple[NewDocument, Known]],
    saved: dict[Key, Saved],
) -> None:
    """Note that pages were seen again whose text stays.

    A page of which only metadata came keeps its validators: with newer ones the next full fetch
    would be answered "not modified" although the text is older.
    """
    for outcome, pairs in ((Outcome.UNCHANGED, same), (Outcome.KEPT_FULL, kept)):
        for _, old in pairs:
            saved[old.source_id, old.url] = Saved(
                old.id, old.source_id, old.url, outcome, old.version
            )
    _visit(tx, [(old.id, None, None, new.job_id, new.root_id) for new, old in kept])
    _refresh(tx, same)
    _revive(tx, [old for _, old in (*same, *kept)])


def _refresh(tx: Tx, same: Sequence[tuple[NewDocument, Known]]) -> None:
    """Write what may differ though title and text are the same."""
    if not same:
        return
    rows, metadata = [], []
    for new, old in same:
        ready = prepare(new, old.changed_at)
        rows.append((old.id, *ready.particulars, new.job_id, new.root_id))
        metadata.append((old.id, ready.metadata))
    tx.execute(
        """
        update document
           set description = d.value ->> 1, language = d.value ->> 2, author = d.value ->> 3,
               published = d.value ->> 4, modified = d.value ->> 5, dated = d.value ->> 6,
               etag = d.value ->> 7, last_modified = d.value ->> 8,
               job_id = coalesce(d.value ->> 9, job_id),
               root_id = coalesce(d.value ->> 10, root_id), fetched_at = $2, gone_at = null
          from each($1) as d
         where document.id = d.value ->> 0
        """,
        (as_json(rows), tx.now),
    )
    tx.execute(
        """
        update document_text set metadata = d.value ->> 1
          from each($1) as d where document_id = d.value ->> 0 and metadata <> d.value ->> 1
        """,
        (as_json(metadata),),
    )


# -- without a text


def touch(tx: Tx, pages: Sequence[Seen]) -> list[int]:
    """The server says these are as they were; returns the ids of those that are known."""
    known = find(tx, {(each.source_id, each.url) for each in pages})
    by_key = {(each.source_id, each.url): each for each in pages}
    rows: list[Row] = [
        (old.id, optional(seen.etag), optional(seen.last_modified), seen.job_id, seen.root_id)
        for key, old in known.items()
        for seen in [by_key[key]]
    ]
    ids = [row[0] for row in rows]
    _visit(tx, rows)
    bodies.confirm(tx, ids)
    _revive(tx, known.values())
    return ids


def mark_gone(tx: Tx, source_id: int, urls: Sequence[str]) -> list[int]:
    """The server says these are no more (404, 410); returns the ids that were there until now.

    They are kept, and left out of searches, until a crawl finds them again.
    """
    known = [old for old in find(tx, {(source_id, url) for url in urls}).values() if not old.gone]
    ids = [old.id for old in known]
    tx.execute("update document set gone_at = $2 where id in ints($1)", (as_json(ids), tx.now))
    count_gone(tx, known, 1)
    return ids


def _visit(tx: Tx, rows: Sequence[Row]) -> None:
    """Note (id, etag, last_modified, job_id, root_id) as seen now; None changes nothing."""
    if not rows:
        return
    tx.execute(
        """
        update document
           set fetched_at = $2, gone_at = null, etag = coalesce(d.value ->> 1, etag),
               last_modified = coalesce(d.value ->> 2, last_modified),
               job_id = coalesce(d.value ->> 3, job_id),
               root_id = coalesce(d.value ->> 4, root_id)
          from each($1) as d
         where document.id = d.value ->> 0
        """,
        (as_json(rows), tx.now),
    )


def _revive(tx: Tx, documents: Iterable[Known]) -> None:
    count_gone(tx, [old for old in documents if old.gone], -1)


# -- deleting


def delete(tx: Tx, ids: Sequence[int]) -> int:
    """Delete documents with their versions, tags and notes; returns how many there were.

    Their bodies stay until a cleanup finds that no other document has them. One transaction: give
    at most `SLICE` ids at a time.
    """
    known = load(tx, ids)
    if not known:
        return 0
    there = [old.id for old in known]
    tags = tags_of(tx, there)
    fulltext.remove(tx, there)
    referring.remove(tx, there)
    notes.forget(tx, there)
    bodies.forget(tx, there)
    for table in ("document_version", "document_tag", "document_text"):
        tx.execute(f"delete from {table} where document_id in ints($1)", (as_json(there),))
    tx.execute("delete from document where id in ints($1)", (as_json(there),))
    for old in known:
        count(tx, old, tags[old.id], -1)
    return len(known)


def delete_some(tx: Tx, wanted: Filter, limit: int = SLICE, *, up_to: int | None = None) -> int:
    """Delete up to `limit` of the documents that a filter names; 0 when none is left.

    With `up_to`, an id, none that came later.
    """
    ids = ids_after(tx, wanted, 0, limit)
    return delete(tx, [id_ for id_ in ids if up_to is None or id_ <= up_to])
