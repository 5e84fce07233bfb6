"""A document as it leaves Quaero and comes back: one flat record with names that people read.

Times are RFC 3339. Ids are not part of it: they mean nothing in another database, so a source goes
by its name. Earlier versions stay behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from quaero.clock import SECOND, rfc3339
from quaero.documents.model import DetailLevel, Document, NewDocument, content_hash
from quaero.documents.notes import Kind, NewNote
from quaero.documents.prepare import moment, storable
from quaero.documents.references import Reference

_FIRST, _LAST = 315_532_800, 4_354_819_199
"""The times that an archive can write, in seconds since 1970."""
_LEVELS = {"metadata": DetailLevel.METADATA, "full": DetailLevel.FULL}


class Record(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What is written of a document, in this order."""

    url: str
    title: str = ""
    source: str | None = None
    source_type: str = "web"
    entity_type: str = "page"
    detail_level: str = "full"
    description: str | None = None
    language: str | None = None
    author: str | None = None
    published: str | None = None
    modified: str | None = None
    tags: list[str] = []
    words: int = 0
    first_seen: str | None = None
    fetched_at: str | None = None
    changed_at: str | None = None
    gone_at: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    content_hash: str | None = None
    summary: str | None = None
    summary_by: str | None = None
    summary_recipe: str | None = None
    summary_at: str | None = None
    keywords: list[str] = []
    keywords_by: str | None = None
    keywords_recipe: str | None = None
    keywords_at: str | None = None
    metadata: dict[str, Any] = {}
    references: list[Reference] = []
    text: str = ""


def record_of(
    document: Document, references: Sequence[Reference] = (), source: str | None = None
) -> Record:
    """The record of a document of the source with that name, which refers to `references`."""
    known = document.summary
    return Record(
        url=known.url,
        title=known.title,
        source=source,
        source_type=known.source_type,
        entity_type=known.entity_type,
        detail_level=known.detail_level.name.lower(),
        description=known.description,
        language=known.language,
        author=known.author,
        published=known.published,
        modified=known.modified,
        tags=list(known.tags),
        words=known.words,
        first_seen=rfc3339(known.first_seen),
        fetched_at=rfc3339(known.fetched_at),
        changed_at=rfc3339(known.changed_at),
        gone_at=None if known.gone_at is None else rfc3339(known.gone_at),
        etag=document.etag,
        last_modified=document.last_modified,
        content_hash=document.content_hash,
        metadata=document.metadata,
        references=list(references),
        text=document.text,
        **_notes(document),
    )


def _notes(document: Document) -> dict[str, Any]:
    """The fields of the notes that are of the present text."""
    fields: dict[str, Any] = {}
    for each in document.notes:
        if not each.current:
            continue
        name = each.kind.name.lower()
        fields |= {
            name: each.words if each.kind is Kind.KEYWORDS else each.text,
            f"{name}_by": each.maker,
            f"{name}_recipe": each.recipe,
            f"{name}_at": rfc3339(each.made_at),
        }
    return fields


def notes_of(record: Record, document_id: int, digest: str, now: int) -> list[NewNote]:
    """The notes to keep of a record whose document was saved with this hash.

    Only what was made of this text counts, and only what says by whom.
    """
    if record.content_hash != digest:
        return []
    keywords = msgspec.json.encode(record.keywords).decode() if record.keywords else None
    found = [
        (Kind.SUMMARY, record.summary, record.summary_by, record.summary_recipe, record.summary_at),
        (Kind.KEYWORDS, keywords, record.keywords_by, record.keywords_recipe, record.keywords_at),
    ]
    return [
        NewNote(document_id, kind, storable(text), storable(maker), storable(recipe or ""), digest,
                made_at=micros(at, now))
        for kind, text, maker, recipe, at in found
        if text and maker
    ]  # fmt: skip


def new_document(record: Record, source_id: int) -> NewDocument:
    """The document of a source to save for a record.

    References are found in the text again, and taken from the record where it has no text.
    A record whose text was edited since has another hash, and no validators: the server's page is
    not this one.
    """
    title, text = storable(record.title), storable(record.text)
    digest = content_hash(title, text)
    untouched = record.content_hash == digest
    return NewDocument(
        url=record.url,
        title=title,
        text=text,
        content_hash=digest,
        source_id=source_id,
        source_type=_type(record.source_type, "web"),
        entity_type=_type(record.entity_type, "page"),
        detail_level=_LEVELS.get(record.detail_level, DetailLevel.FULL),
        words=record.words if untouched else len(text.split()),
        description=record.description,
        language=record.language,
        author=record.author,
        published=record.published,
        modified=record.modified,
        etag=record.etag if untouched else None,
        last_modified=record.last_modified if untouched else None,
        metadata=record.metadata,
        tags=tuple(record.tags),
        references=tuple(record.references) if untouched and not text else None,
    )


def _type(word: str, default: str) -> str:
    """A type as crawls write it and `type:` looks for it."""
    return storable(word).strip().lower() or default


def micros(time: str | None, default: int) -> int:
    """A record's time in microseconds."""
    found = moment(time)
    return default if found is None else found


def file_time(document: Document) -> tuple[int, int, int, int, int, int]:
    """When a document changed, as archives write times: no earlier than 1980, nor after 2107."""
    seconds = min(max(document.summary.changed_at // SECOND, _FIRST), _LAST)
    at = datetime.fromtimestamp(seconds, UTC)
    return at.year, at.month, at.day, at.hour, at.minute, at.second
