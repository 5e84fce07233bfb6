"""From a page as collected to the values of its rows: clean text, site, size, date."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec

from quaero.clock import SECOND
from quaero.db.contract import Row
from quaero.documents.model import NewDocument
from quaero.documents.references import Reference, find, names_of

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PLAIN_ADDRESS = re.compile(r"https?://([A-Za-z0-9.:-]+)(?:[/?#]|$)")
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A document ready to be written; `metadata` is JSON.

    `row` holds the values of its row after the id, `particulars` those of them that may change
    while title and text stay: description, language, author, published, modified, dated, etag,
    last_modified. `references` are without those to the document itself.
    """

    source_id: int
    url: str
    site: str
    source_type: str
    title: str
    text: str
    metadata: str
    content_hash: str
    words: int
    bytes: int
    particulars: Row
    row: Row
    references: tuple[Reference, ...]
    names: tuple[tuple[str, str], ...]

    @property
    def key(self) -> tuple[int, str]:
        """What a document is known by."""
        return self.source_id, self.url


def prepare(new: NewDocument, now: int) -> Prepared:
    """The values of a document; `now` is its date where the page names none."""
    title, text, site = storable(new.title), storable(new.text), site_of(new.url)
    size = len(text) if text.isascii() else len(text.encode())
    particulars: Row = (
        optional(new.description), optional(new.language), optional(new.author),
        optional(new.published), optional(new.modified),
        moment(new.modified) or moment(new.published) or now,
        optional(new.etag), optional(new.last_modified),
    )  # fmt: skip
    row: Row = (
        new.source_id, new.url, site, new.source_type, title, *particulars, new.content_hash,
        new.words, size, int(new.detail_level), new.job_id, new.root_id, new.entity_type,
    )  # fmt: skip
    names = names_of(new.metadata)
    references = find(text, new.source_type) if new.references is None else new.references
    return Prepared(
        new.source_id, new.url, site, new.source_type, title, text, _as_object(new.metadata),
        new.content_hash, new.words, size, particulars, row,
        tuple(each for each in references if each[:2] not in names), names,
    )  # fmt: skip


def _as_object(metadata: Mapping[str, Any]) -> str:
    try:
        return msgspec.json.encode(metadata).decode()
    except UnicodeEncodeError:
        return storable(json.dumps(metadata, ensure_ascii=False))


def storable(text: str) -> str:
    """The text without NUL and lone surrogates, which no database keeps as text."""
    if text.isascii():
        return text.replace("\0", "") if "\0" in text else text
    return _SURROGATE.sub("\ufffd", text).replace("\0", "")


def optional(text: str | None) -> str | None:
    """`storable`, where there is a text."""
    return None if text is None else storable(text)


def site_of(url: str) -> str:
    """The host of an address, with its port if it has one; "" where there is none."""
    if (plain := _PLAIN_ADDRESS.match(url)) is not None:
        return plain[1].lower()
    try:
        return urlsplit(url).netloc.rpartition("@")[2].lower()
    except ValueError:
        return ""


def moment(iso: str | None) -> int | None:
    """The beginning of an ISO 8601 date or time in microseconds; without a zone it is UTC.

    None for what is no time, or lies outside of the years 1 to 9999 in UTC, and cannot be written.
    """
    if not iso:
        return None
    try:
        found = datetime.fromisoformat(iso)
        if found.tzinfo is None:
            found = found.replace(tzinfo=UTC)
        since = found.astimezone(UTC) - _EPOCH
    except (ValueError, OverflowError):
        return None
    return (since.days * 86_400 + since.seconds) * SECOND + since.microseconds
