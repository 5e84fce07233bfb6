"""Reading the files of a folder, in a helper process: text, title, front matter.

The functions take and return plain data. A file is opened from the base on, part by part and
without following a link, so what was replaced since the walk cannot lead elsewhere.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

from quaero.crawl import plain_text
from quaero.crawl.charset import decode
from quaero.crawl.extract import count_words, extract
from quaero.crawl.metadata import one_line
from quaero.documents import frontmatter
from quaero.documents.model import content_hash
from quaero.sources.folder_walk import is_below

LARGEST = 10 * 1024 * 1024
"""The most bytes of a file that is read."""

MOST_TAGS = 50
_LOOKED_AT = 8 * 1024
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_HTML = (b".html", b".htm", b".xhtml")
_XML = re.compile(rb"(?:\xef\xbb\xbf)?\s*+<\?xml\s")


def read_files(base: str, files: Sequence[tuple[bytes, str]]) -> list[dict[str, Any]]:
    """The page of each file, given as (path below the base, address).

    In place of a page that could not be made stands `{"refusal": reason, "detail": sentence}`.
    """
    real = os.path.realpath(os.fsencode(base))
    return [_read(real, path, url) for path, url in files]


def _read(base: bytes, path: bytes, url: str) -> dict[str, Any]:
    try:
        body, changed = _content(base, path)
    except OSError as error:
        return {"refusal": "unreadable", "detail": error.strerror or "it cannot be opened"}
    if body is None:
        return {"refusal": "special", "detail": "it is no regular file any more"}
    if len(body) > LARGEST:
        return {"refusal": "size", "detail": f"it is larger than {LARGEST} bytes"}
    if path.lower().endswith(_HTML):
        is_xml = path.lower().endswith(b".xhtml") or _XML.match(body) is not None
        kind = "application/xhtml+xml" if is_xml else "text/html"
        return _of_html(body, url, kind, changed)
    text = decode(body, None)
    if "\0" in text[:_LOOKED_AT]:
        return {"refusal": "binary", "detail": "it is no text"}
    try:
        return _of_text(text, url, changed)
    except RecursionError:
        return {"refusal": "unreadable", "detail": "its front matter is nested too deep"}


def _content(base: bytes, path: bytes) -> tuple[bytes | None, float]:
    """The bytes of a file, one more than are read at most, and when it was changed."""
    target = os.path.realpath(base + b"/" + path)
    if not is_below(target, base):
        raise PermissionError(1, "it is a link that leads out of the folder")
    *folders, name = target[len(base.rstrip(b"/")) + 1 :].split(b"/")
    handle = os.open(base, _FOLDER)
    try:
        for folder in folders:
            inner = os.open(folder, _FOLDER, dir_fd=handle)
            os.close(handle)
            handle = inner
        file = os.open(name, _FILE, dir_fd=handle)
    finally:
        os.close(handle)
    with os.fdopen(file, "rb") as opened:
        seen = os.fstat(opened.fileno())
        if not stat.S_ISREG(seen.st_mode):
            return None, 0.0
        return opened.read(LARGEST + 1), seen.st_mtime


def _of_html(body: bytes, url: str, kind: str, changed: float) -> dict[str, Any]:
    page = extract(body, url, kind)
    return {
        "title": page.title,
        "text": page.markdown,
        "content_hash": page.content_hash,
        "words": page.words,
        "description": page.description,
        "language": page.language,
        "author": page.author,
        "published": page.published,
        "modified": page.modified or _moment(changed),
        "headings": page.headings,
        "front_matter": {},
        "tags": [],
    }


def _of_text(source: str, url: str, changed: float) -> dict[str, Any]:
    fields, text = frontmatter.read(source.replace("\r\n", "\n"))
    markdown = plain_text.tidy(text)
    headings = plain_text.headings_of(markdown)
    first = one_line(headings[0][1]) if headings else ""
    title = _word(fields, "title") or first or extract(b"", url, "text/plain").title
    return {
        "title": title,
        "text": markdown,
        "content_hash": content_hash(title, markdown),
        "words": count_words(markdown),
        "description": _word(fields, "description", "summary"),
        "language": _word(fields, "language", "lang"),
        "author": _word(fields, "author"),
        "published": _word(fields, "published", "date"),
        "modified": _word(fields, "modified", "updated", "lastmod") or _moment(changed),
        "headings": headings,
        "front_matter": {name: _plain(value) for name, value in fields.items()},
        "tags": _tags(fields.get("tags")),
    }


def _word(fields: dict[str, Any], *names: str) -> str | None:
    """The first of these fields that holds a text or number, on one line."""
    for name in names:
        value = fields.get(name)
        if isinstance(value, str | int | float | date) and not isinstance(value, bool):
            return one_line(str(value)) or None
    return None


def _tags(value: Any) -> list[str]:
    if isinstance(value, str):
        value = value.strip("[]").split(",")
    if not isinstance(value, list):
        return []
    words = [one_line(each.strip(" '\"")) for each in value if isinstance(each, str)]
    return [word for word in words if 0 < len(word) <= 100][:MOST_TAGS]


def _plain(value: Any) -> Any:
    """A value that the pipe carries: numbers beyond 64 bits as text."""
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return str(value)
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {str(name): _plain(each) for name, each in value.items()}
    return value


def _moment(seconds: float) -> str | None:
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
    except (OverflowError, ValueError, OSError):
        return None
