"""Taking documents out: a folder of Markdown, one file of JSON lines, or one archive.

Documents are read in pages, so no snapshot of the database lives longer than one; what changes
meanwhile may be in the old or the new state. Every file appears whole or not at all: it is written
under another name beside its place and moved there; `lines` and `archive` give the same as a
stream. All of it blocks: from a coroutine, call it in a thread.
"""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from quaero.db.contract import Database, ReadTx
from quaero.documents import frontmatter
from quaero.documents.model import Document, Filter
from quaero.documents.names import file_name
from quaero.documents.read import documents, ids_after
from quaero.documents.record import Record, file_time, record_of
from quaero.documents.referring import of_documents
from quaero.documents.rows import that_fit
from quaero.errors import BadInput

SourceNames = Callable[[ReadTx, Sequence[int]], Mapping[int, str]]
"""The names of those of some sources that there are."""

PAGE = 100
PAGE_BYTES = 4 * 1024 * 1024


def no_names(tx: ReadTx, ids: Sequence[int]) -> Mapping[int, str]:
    """Where there are no sources."""
    del tx, ids
    return {}


@dataclass(frozen=True, slots=True)
class Exported:
    """How much was written, before any compression."""

    documents: int = 0
    bytes: int = 0


def export_folder(
    db: Database, folder: Path, wanted: Filter | None = None, names: SourceNames = no_names
) -> Exported:
    """Write each document to a Markdown file with front matter, named after its address.

    What lies in `folder` already stays, except that files of the same name are replaced. Raises
    `BadInput` where the folder has a link that leads out of it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    root = folder.resolve()
    count = size = 0
    for document, record in _all(db, wanted or Filter(), names):
        path = root / _name(document, record)
        if not path.parent.resolve().is_relative_to(root):
            raise BadInput(f"{path.parent} leads out of {root}; remove that link")
        content = _markdown(record)
        with _replacing(path) as file:
            file.write(content)
        count, size = count + 1, size + len(content)
    return Exported(count, size)


def export_lines(
    db: Database, path: Path, wanted: Filter | None = None, names: SourceNames = no_names
) -> Exported:
    """Write one JSON object a line (JSON Lines, UTF-8)."""
    count = size = 0
    with _replacing(path) as file:
        for line in lines(db, wanted, names):
            file.write(line)
            count, size = count + 1, size + len(line)
        _make_durable(file)
    return Exported(count, size)


def lines(
    db: Database, wanted: Filter | None = None, names: SourceNames = no_names
) -> Iterator[bytes]:
    """Each document as a line of JSON."""
    for _, record in _all(db, wanted or Filter(), names):
        yield msgspec.json.encode(record) + b"\n"


def export_archive(
    db: Database, path: Path, wanted: Filter | None = None, names: SourceNames = no_names
) -> Exported:
    """Write one ZIP archive of the files that `export_folder` makes."""
    count = size = 0
    with _replacing(path) as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
            for document, record in _all(db, wanted or Filter(), names):
                count, size = count + 1, size + _add(packed, document, record)
        _make_durable(file)
    return Exported(count, size)


def archive(
    db: Database, wanted: Filter | None = None, names: SourceNames = no_names
) -> Iterator[bytes]:
    """The archive piece by piece, as it comes to be."""
    made = _Pieces()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as packed:
        for document, record in _all(db, wanted or Filter(), names):
            _add(packed, document, record)
            yield made.take()
    yield made.take()


class _Pieces(io.RawIOBase):
    """A file that cannot be read or sought: what is written to it is taken from it."""

    def __init__(self) -> None:
        self._written: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._written.append(bytes(data))
        return len(self._written[-1])

    def take(self) -> bytes:
        """What was written since it was asked last."""
        taken, self._written = b"".join(self._written), []
        return taken


def _add(packed: zipfile.ZipFile, document: Document, record: Record) -> int:
    """Put a document into an archive; returns how long its text is, in bytes."""
    content = _markdown(record)
    entry = zipfile.ZipInfo(_name(document, record), file_time(document))
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    packed.writestr(entry, content)
    return len(content)


def _all(db: Database, wanted: Filter, names: SourceNames) -> Iterator[tuple[Document, Record]]:
    """The documents in order of id, with their records."""
    after = 0
    while page := db.read_sync(_page, wanted, after, names):
        yield from page
        after = page[-1][0].summary.id


def _page(
    tx: ReadTx, wanted: Filter, after: int, names: SourceNames
) -> list[tuple[Document, Record]]:
    """The next documents: at most `PAGE`, and not much more text than `PAGE_BYTES`."""
    sizes = tx.execute(
        "select id, bytes from document where id in ints($1) order by id",
        (msgspec.json.encode(ids_after(tx, wanted, after, PAGE)).decode(),),
    )
    ids = that_fit(sizes, PAGE_BYTES)
    refers = of_documents(tx, ids)
    found = documents(tx, ids)
    called = names(tx, [each.summary.source_id for each in found])
    return [
        (each, record_of(each, refers[each.summary.id], called.get(each.summary.source_id)))
        for each in found
    ]


def _name(document: Document, record: Record) -> str:
    """Where a document's file lies; what a deleted source left goes by that source's number."""
    nameless = str(document.summary.source_id or "")
    return file_name(record.source or nameless, record.url)


def _markdown(record: Record) -> bytes:
    fields = msgspec.to_builtins(record)
    text = fields.pop("text", "")
    return frontmatter.write(fields, text).encode()


def _make_durable(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


@contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    """A file that takes the place of `path` when all is written, and leaves nothing otherwise.

    Raises `BadInput` where it cannot be written, as where there is no room.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with draft.open("wb") as file:
            yield file
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        what = error.strerror or error
        raise BadInput(f"{path} cannot be written: {what}; name another place") from error
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
