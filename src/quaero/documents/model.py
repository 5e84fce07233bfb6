"""The words of documents: what is given to the store, what it answers, what lists are asked for.

All times are wall times in microseconds unless a name says otherwise; `published` and `modified`
are ISO 8601 texts as the page gave them.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any

from quaero.documents.notes import Kind, Note
from quaero.documents.references import Reference

HASH_BYTES = 16
"""The bytes of the hashes of texts and bodies."""


class DetailLevel(IntEnum):
    """How much of a page is kept; never lowered by a later crawl."""

    METADATA = 0
    FULL = 1


class Outcome(StrEnum):
    """What saving did to a document.

    `KEPT_FULL`: only metadata was given and the full text is there, so nothing was replaced.
    """

    CREATED = "created"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    KEPT_FULL = "kept_full"


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """What a page was read from, compressed by zlib, and what else reading it depends on.

    `hash` is BLAKE2b of the bytes before; `robots` are the values of `X-Robots-Tag`,
    `canonical` is the address of the `Link` header; `entity_type` is what the page is about where
    it does not say so itself.
    """

    hash: bytes
    packed: bytes = field(repr=False)
    content_type: str | None
    robots: tuple[str, ...] = ()
    canonical: str | None = None
    entity_type: str = "page"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDocument:
    """A page as it was just collected.

    `url` is canonical; `content_hash` covers title and text (see `content_hash`) and decides
    whether the page has changed. `tags` are added to those the document has. `metadata` holds what
    else is known: Open Graph, JSON-LD, headings, fields of an issue. `entity_type` says what the
    page is about. `references` are found in `text` where they are not given. `body` is what it was
    read from, None where that is not to be kept.
    """

    url: str
    title: str
    text: str
    content_hash: str
    source_id: int = 0
    source_type: str = "web"
    entity_type: str = "page"
    detail_level: DetailLevel = DetailLevel.FULL
    words: int = 0
    description: str | None = None
    language: str | None = None
    author: str | None = None
    published: str | None = None
    modified: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    references: tuple[Reference, ...] | None = None
    body: Body | None = None
    job_id: int | None = None
    root_id: int | None = None


@dataclass(frozen=True, slots=True)
class Saved:
    """What became of one `NewDocument`; `version` is the number of the text now kept."""

    id: int
    source_id: int
    url: str
    outcome: Outcome
    version: int


@dataclass(frozen=True, slots=True)
class Summary:
    """A document as lists show it."""

    id: int
    source_id: int
    url: str
    site: str
    source_type: str
    entity_type: str
    title: str
    description: str | None
    language: str | None
    author: str | None
    published: str | None
    modified: str | None
    words: int
    bytes: int
    detail_level: DetailLevel
    version: int
    first_seen: int
    fetched_at: int
    changed_at: int
    gone_at: int | None
    job_id: int | None
    root_id: int | None
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """A document with all that is kept of it."""

    summary: Summary
    etag: str | None
    last_modified: str | None
    content_hash: str
    metadata: dict[str, Any]
    text: str
    notes: tuple[Note, ...] = ()

    def note(self, kind: Kind) -> Note | None:
        """The summary or the keywords, if there are any."""
        return next((each for each in self.notes if each.kind is kind), None)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which documents to list; what is None does not matter.

    `gone` asks for those that are gone or those that are not.
    """

    source_id: int | None = None
    site: str | None = None
    source_type: str | None = None
    tag: str | None = None
    root_id: int | None = None
    job_id: int | None = None
    gone: bool | None = None


def content_hash(title: str, text: str) -> str:
    """The hash by which a page is known to have changed: BLAKE2b, 16 bytes, in hexadecimal."""
    data = f"{title}\n{text}".encode("utf-8", "replace")
    return hashlib.blake2b(data, digest_size=HASH_BYTES).hexdigest()


def normal_tag(tag: str) -> str:
    """The form in which tags are kept and compared: lower case, one blank between words, NFC."""
    return unicodedata.normalize("NFC", " ".join(tag.replace("\0", "").casefold().split()))
