"""From a page as collected to the values of its rows: clean text, site, size, date."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

import msgspec

from quaero.clock import SECOND
from quaero.db.contract import Row
from quaero.documents.model import NewDocument

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A document ready to be written; `metadata` is JSON."""

    source_id: int
    url: str
    site: str
    source_type: str
    title: str
    text: str
    metadata: str
    words: int
    bytes: int
    dated: int
    row: Row

    @property
    def key(self) -> tuple[int, str]:
        """What a document is known by."""
        return self.source_id, self.url


def prepare(new: NewDocument, now: int) -> Prepared:
    """The values of a document; `now` is its date where the page names none."""
    title, text, site = storable(new.title), storable(new.text), site_of(new.url)
    size = len(text) if text.isascii() else len(text.encode())
    dated = moment(new.modified) or moment(new.published) or now
    row: Row = (
        new.source_id, new.url, site, new.source_type, title, _optional(new.description),
        new.language, _optional(new.author), new.published, new.modified, dated, new.etag,
        new.last_modified, new.content_hash, new.words, size, int(new.detail_level), new.job_id,
        new.root_id,
    )  # fmt: skip
    return Prepared(
        new.source_id, new.url, site, new.source_type, title, text,
        storable(msgspec.json.encode(new.metadata).decode()), new.words, size, dated, row,
    )  # fmt: skip


def storable(text: str) -> str:
    """The text without NUL and lone surrogates, which no database keeps as text."""
    if text.isascii():
        return text.replace("\0", "") if "\0" in text else text
    return _SURROGATE.sub("\ufffd", text).replace("\0", "")


def _optional(text: str | None) -> str | None:
    return None if text is None else storable(text)


def site_of(url: str) -> str:
    """The host of an address, with its port if it has one; "" where there is none."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2].lower()
    except ValueError:
        return ""


def moment(iso: str | None) -> int | None:
    """The beginning of an ISO 8601 date or time in microseconds; without a zone it is UTC."""
    if not iso:
        return None
    try:
        found = datetime.fromisoformat(iso)
    except ValueError:
        return None
    if found.tzinfo is None:
        found = found.replace(tzinfo=UTC)
    since = found - _EPOCH
    return (since.days * 86_400 + since.seconds) * SECOND + since.microseconds
