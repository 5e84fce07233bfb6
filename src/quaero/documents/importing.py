"""Taking documents in that were exported: a folder, a file of JSON lines, or an archive.

Nothing is overwritten by something older: a document that was fetched here at the same time or
later stays as it is. Nothing is written to the file system, archives are read in place. What
cannot be read is refused by name and reason, and the rest goes on. Plain functions, as in `export`.
"""

from __future__ import annotations

import lzma
import os
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

import msgspec

from quaero.db.contract import Database, ReadTx, Tx
from quaero.documents import frontmatter, notes
from quaero.documents.model import NewDocument, Outcome, Saved
from quaero.documents.notes import NewNote, Note
from quaero.documents.prepare import moment
from quaero.documents.record import Record, micros, new_document, notes_of
from quaero.documents.store import mark_gone, save
from quaero.errors import BadInput

SourceIds = Callable[[ReadTx, Collection[str]], Mapping[str, int]]
"""The ids of those of some sources, by name, that there are."""

LARGEST = 64 * 1024 * 1024
LONGEST_ADDRESS = 8192
SCHEMES = frozenset({"http", "https", "file"})
FREE_BYTES = 1024 * 1024
RATIO = 100
"""How many times its size an archive may come to, beyond `FREE_BYTES` a document."""
SHOWN = 100
_BATCH = 50
_BATCH_CHARS = 4_000_000


def no_sources(tx: ReadTx, names: Collection[str]) -> Mapping[str, int]:
    """Where there are no sources."""
    del tx, names
    return {}


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of the records; `kept` ones are as new here already.

    `refused` holds the first 100 names with their reasons; `refusals` counts them all. `unknown`
    are the sources that records named and that are not here, with their numbers of records: those
    documents belong to no source now.
    """

    created: int = 0
    changed: int = 0
    unchanged: int = 0
    kept: int = 0
    refusals: int = 0
    refused: tuple[tuple[str, str], ...] = ()
    unknown: Mapping[str, int] = field(default_factory=dict)


_DAMAGE = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, OSError, EOFError, ValueError, RuntimeError,
)  # fmt: skip
"""What Python's readers of archives raise for one that is damaged, encrypted or of a new kind."""


@dataclass(frozen=True, slots=True)
class _Refusal:
    name: str
    reason: str


def import_path(db: Database, path: Path, sources: SourceIds = no_sources) -> Imported:
    """Take in what `export` wrote: a folder of Markdown, a `.zip` of one, or JSON lines.

    A document goes to the source that has the name of its own.

    Raises `BadInput` where there is nothing at `path`, or an archive that cannot be read.
    """
    if path.is_dir():
        return _import(db, _of_folder(path), sources)
    if not path.is_file():
        raise BadInput(f"there is no file or folder {path}")
    if zipfile.is_zipfile(path):
        return _import(db, _of_archive(path), sources)
    if path.suffix == ".zip":
        raise BadInput(f"{path} is no ZIP archive, or it is damaged")
    return _import(db, _of_lines(path), sources)


def _import(db: Database, found: Iterable[Record | _Refusal], sources: SourceIds) -> Imported:
    outcomes: Counter[str] = Counter()
    unknown: Counter[str] = Counter()
    refused: list[tuple[str, str]] = []
    batch: list[Record] = []
    size = 0
    for each in found:
        if isinstance(each, _Refusal):
            outcomes["refused"] += 1
            refused.append((each.name, each.reason))
            del refused[SHOWN:]
            continue
        batch.append(each)
        size += len(each.text)
        if len(batch) == _BATCH or size > _BATCH_CHARS:
            _add(db, batch, sources, outcomes, unknown)
            batch, size = [], 0
    _add(db, batch, sources, outcomes, unknown)
    return Imported(
        outcomes[Outcome.CREATED],
        outcomes[Outcome.CHANGED],
        outcomes[Outcome.UNCHANGED],
        outcomes["kept"] + outcomes[Outcome.KEPT_FULL],
        outcomes["refused"],
        tuple(refused),
        dict(unknown),
    )


def _add(
    db: Database, batch: list[Record], sources: SourceIds, outcomes: Counter[str],
    unknown: Counter[str],
) -> None:  # fmt: skip
    """Take in a batch, and count what became of it."""
    done, missing = db.write_sync(_take, batch, sources)
    outcomes.update(done)
    unknown.update(missing)


# -- reading


def _of_folder(folder: Path) -> Iterator[Record | _Refusal]:
    root = folder.resolve()
    for path in sorted(root.rglob("*.md")):
        name = path.relative_to(root).as_posix()
        try:
            if not Path(os.path.realpath(path)).is_relative_to(root):
                yield _Refusal(name, "the link leads out of the folder")
            elif path.is_file():
                with path.open("rb") as file:
                    found = _of_markdown(name, file)
                yield found
        except OSError as error:
            yield _Refusal(name, f"cannot be read: {error.strerror}")


def _of_archive(path: Path) -> Iterator[Record | _Refusal]:
    try:
        archive = zipfile.ZipFile(path)
    except _DAMAGE as error:
        raise BadInput(f"{path} is a damaged ZIP archive: {error}") from error
    with archive:
        packed = path.stat().st_size
        unpacked = 0
        for entry in archive.infolist():
            if not entry.filename.endswith(".md"):
                continue
            try:
                with archive.open(entry) as file:
                    found = _of_markdown(entry.filename, file)
                    read = file.tell()
            except _DAMAGE as error:
                yield _Refusal(entry.filename, f"cannot be read: {error}")
                continue
            unpacked += max(read - FREE_BYTES, 0)
            if unpacked > RATIO * packed:
                yield _Refusal(entry.filename, f"makes the archive more than {RATIO} times as "
                               "large as it is; the rest was not read")  # fmt: skip
                return
            yield found


def _of_lines(path: Path) -> Iterator[Record | _Refusal]:
    with path.open("rb") as file:
        number = 0
        while line := file.readline(LARGEST + 1):
            number += 1
            name = f"line {number}"
            if len(line) > LARGEST:
                yield _Refusal(name, f"is larger than {LARGEST} bytes; the rest was not read")
                return
            if line.strip():
                yield _record(name, line)


def _record(name: str, line: bytes) -> Record | _Refusal:
    try:
        return _checked(name, msgspec.json.decode(line, type=Record))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return _Refusal(name, str(error))
    except RecursionError:
        return _Refusal(name, "is nested too deep")


def _of_markdown(name: str, file: IO[bytes]) -> Record | _Refusal:
    content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        return _Refusal(name, f"is larger than {LARGEST} bytes")
    try:
        fields, text = frontmatter.read(content.decode())
        return _checked(name, msgspec.convert({**fields, "text": text}, type=Record))
    except (msgspec.ValidationError, UnicodeDecodeError) as error:
        return _Refusal(name, str(error))
    except RecursionError:
        return _Refusal(name, "is nested too deep")


def _checked(name: str, record: Record) -> Record | _Refusal:
    if not _is_address(record.url):
        return _Refusal(name, f"{record.url[:200]!r} is no address")
    if "@" in urlsplit(record.url).netloc:
        return _Refusal(name, "its address has a user name or password in it")
    if len(record.url) > LONGEST_ADDRESS:
        return _Refusal(name, f"its address has more than {LONGEST_ADDRESS} characters")
    if not 0 <= record.words <= LARGEST:
        return _Refusal(name, f"no text has {record.words} words")
    return record


def _is_address(url: str) -> bool:
    if "://" not in url or url != url.strip() or not url.isprintable():
        return False
    try:
        return urlsplit(url).scheme in SCHEMES
    except ValueError:
        return False


# -- writing


def _take(tx: Tx, records: list[Record], sources: SourceIds) -> tuple[Counter[str], Counter[str]]:
    """Save the records that are newer than what is here, with their times.

    Returns how often each outcome came, and each source that is not here.
    """
    known = sources(tx, {each.source for each in records if each.source})
    unknown = Counter(each.source for each in records if each.source and each.source not in known)
    placed = [(known.get(each.source or "", 0), each) for each in records]
    here = {
        (row[0], row[1]): row[2]
        for row in tx.execute(
            """
            select d.source_id, d.url, d.fetched_at from each($1) as e
              join document d on d.source_id = e.value ->> 0 and d.url = e.value ->> 1
            """,
            (_json([(source_id, each.url) for source_id, each in placed]),),
        )
    }
    newer: dict[tuple[int, str], Record] = {}
    for source_id, each in placed:
        place, fetched_at = (source_id, each.url), micros(each.fetched_at, tx.now)
        if place not in here or fetched_at > here[place]:
            here[place], newer[place] = fetched_at, each
    new = [new_document(each, source_id) for (source_id, _), each in newer.items()]
    saved = save(tx, new)
    known_notes = notes.of(tx, [each.id for each in saved])
    notes.save(tx, [
        note
        for record, document, each in zip(newer.values(), new, saved, strict=True)
        for note in notes_of(record, each.id, document.content_hash, tx.now)
        if not _is_older(note, known_notes.get(each.id, ()))
    ])  # fmt: skip
    gone = [place for place, each in newer.items() if each.gone_at is not None]
    for source_id in sorted({source_id for source_id, _ in gone}):
        mark_gone(tx, source_id, [url for owner, url in gone if owner == source_id])
    _set_times(tx, list(zip(newer.values(), new, saved, strict=True)))
    outcomes = Counter[str](each.outcome for each in saved)
    outcomes["kept"] += len(records) - len(saved)
    return outcomes, unknown


def _is_older(new: NewNote, here: Iterable[Note]) -> bool:
    """Whether the same was made later of the text that is here now."""
    made_at = new.made_at or 0
    return any(each.kind is new.kind and each.current and each.made_at > made_at for each in here)


def _set_times(tx: Tx, taken: list[tuple[Record, NewDocument, Saved]]) -> None:
    """Put the record's times in place of the present one."""
    rows = []
    for record, new, saved in taken:
        changed = saved.outcome in (Outcome.CREATED, Outcome.CHANGED)
        created = saved.outcome is Outcome.CREATED
        changed_at = micros(record.changed_at, tx.now)
        dated = moment(new.modified) or moment(new.published) or changed_at
        rows.append(
            (
                saved.id,
                micros(record.first_seen, tx.now) if created else None,
                micros(record.fetched_at, tx.now),
                changed_at if changed else None,
                dated if changed else None,
                None if record.gone_at is None else micros(record.gone_at, tx.now),
            )
        )
    tx.execute(
        """
        update document
           set first_seen = coalesce(d.value ->> 1, first_seen), fetched_at = d.value ->> 2,
               changed_at = coalesce(d.value ->> 3, changed_at),
               dated = coalesce(d.value ->> 4, dated), gone_at = d.value ->> 5
          from each($1) as d
         where document.id = d.value ->> 0
        """,
        (_json(rows),),
    )


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
