"""The full-text index over titles and texts.

Everything that writes the index or speaks its language is here; `search` only joins with it. The
index keeps no text: snippets are cut from the documents themselves. Words are runs of letters and
digits in any case and without diacritics, in `letters.plain` letters; scripts that are written
without spaces are indexed sign by sign, so that a part of a run is found as a phrase, and so is
Korean, which joins particles to its words. Documents indexed before letters were made plain, or
what is put last, are found as they are written, until they change or a `reindex` comes to them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from quaero.db.contract import ReadTx, Tx
from quaero.documents.letters import UNSPACED, plain
from quaero.documents.rows import that_fit

# Thai and Lao, kana, CJK ideographs, Korean syllables: each sign is a word of its own.
_SIGNS = f"{UNSPACED}\uac00-\ud7a3"
_WORD = re.compile(r"[^\W_]+")
_KEY = "documents.fulltext"
_MERGED = 2
_DELETED_PERCENT = 10
_BYTES_AT_ONCE = 1_000_000
MAX_WORDS = 64
_SIGN = re.compile(f"[{_SIGNS}]")
_ONCE_A_SIGN = re.compile(f"[{UNSPACED}]")
ADDRESS = r"\]\([a-z]{2,10}:[^()\s]*(?:\([^()\s]*\)[^()\s]*)*\)"
"""The end of a link in Markdown with its absolute address, in small letters."""
_ADDRESS = re.compile(ADDRESS)
_MARK_IN_WORD = re.compile(r"[^\W_][*~]{1,3}[^\W_]")
_WITH_MARKS = re.compile(r"(?<![\w*~])[\w*~]++")


@dataclass(frozen=True, slots=True)
class _Change:
    content: tuple[str, str] | None
    remove: bool


def indexed(text: str) -> str:
    """The text as it is indexed: in plain letters, with blanks around signs that are words.

    Addresses of links come last, so that the words of a sentence stand in a row, and so does the
    whole of a word of which a part is set apart, as in `**D**omain`.
    """
    if "](" in text:
        text = " ".join((_ADDRESS.sub("]", text), *_ADDRESS.findall(text)))
    if _MARK_IN_WORD.search(text):
        marked = (each for each in _WITH_MARKS.findall(text) if _MARK_IN_WORD.search(each))
        text = " ".join((text, *(re.sub(r"[*~]", "", each) for each in marked)))
    return text if text.isascii() else _SIGN.sub(r" \g<0> ", plain(text))


def is_unspaced(word: str) -> bool:
    """Whether a word is found within a run, because its signs are words of their own."""
    return _SIGN.search(word) is not None


def _once_indexed(text: str) -> str:
    """The text as it was indexed at first."""
    return text if text.isascii() else _ONCE_A_SIGN.sub(r" \g<0> ", text)


def put(tx: Tx, rows: Sequence[tuple[int, str, str]], *, new: bool) -> None:
    """Index (id, title, text) at the function's end; `new` ones are not in the index yet.

    Together, because each time the index is written a segment of it is born.
    """
    changes = _changes_of(tx)
    for id_, title, text in rows:
        changes[id_] = _Change((title, text), remove=not new)


def remove(tx: Tx, ids: Sequence[int]) -> None:
    """Take documents out of the index at the function's end."""
    _changes_of(tx).update((id_, _Change(None, remove=True)) for id_ in ids)


def _changes_of(tx: Tx) -> dict[int, _Change]:
    changes: dict[int, _Change] | None = tx.scratch.get(_KEY)
    if changes is None:
        changes = tx.scratch[_KEY] = {}
        tx.at_end(_KEY, _apply, rank=2)
    return changes


def _apply(tx: Tx) -> None:
    changes: dict[int, _Change] = tx.scratch.pop(_KEY)
    if removed := [id_ for id_, change in changes.items() if change.remove]:
        tx.execute("delete from document_fts where rowid in ints($1)", (_json(removed),))
    rows = [
        (id_, *map(indexed, change.content))
        for id_, change in changes.items()
        if change.content is not None
    ]
    tx.execute(
        """
        insert into document_fts(rowid, title, text)
        select value ->> 0, value ->> 1, value ->> 2 from each($1)
        """,
        (_json(rows),),
    )


def merge_some(tx: Tx, pages: int = 100) -> bool:
    """Merge about so many pages of the index into larger segments; False when nothing is left.

    For idle times: searches and later commits become cheaper, and what was deleted gives its room
    back. Segments are cleared of deleted documents only here, because a commit that does it takes
    100 ms; 100 pages take about 10 ms, at most 25.
    """
    if _merge(tx, pages):
        return True
    _set(tx, "deletemerge", _DELETED_PERCENT)
    merged = _merge(tx, pages)
    _set(tx, "deletemerge", 0)
    return merged


def state(tx: ReadTx) -> bytes:
    """What the index is made of: differs after every change of it, and is the same while there
    is nothing new to merge.
    """
    # FTS5 keeps its list of segments in row 10, behind four bytes that count configurations.
    ((block,),) = tx.execute("select block from document_fts_data where id = 10")
    return bytes(block[4:])


def _merge(tx: Tx, pages: int) -> bool:
    """Tell whether there was anything to merge: else only the command counts (FTS5, 6.9)."""
    before = _rows_changed(tx)
    _set(tx, "merge", pages)
    return _rows_changed(tx) - before >= _MERGED


def _set(tx: Tx, option: str, value: int) -> None:
    tx.execute("insert into document_fts(document_fts, rank) values ($1, $2)", (option, value))


def clear(tx: Tx) -> None:
    """Empty the index, before it is built again with `rebuild_some`."""
    tx.execute("insert into document_fts(document_fts) values ('delete-all')")


def rebuild_some(tx: Tx, after: int = 0, limit: int = 100) -> tuple[int | None, int]:
    """Index the next documents after id `after` anew: up to `limit`, of about a megabyte together.

    Returns where to go on, None at the end, and how many they were. Documents saved meanwhile are
    not disturbed.
    """
    sizes = tx.execute(
        "select id, bytes from document where id > $1 order by id limit $2", (after, limit)
    )
    ids = that_fit(sizes, _BYTES_AT_ONCE)
    rows = tx.execute(
        """
        select d.id, d.title, t.text from document d join document_text t on t.document_id = d.id
         where d.id in ints($1) order by d.id
        """,
        (_json(ids),),
    )
    put(tx, [(id_, title, text) for id_, title, text in rows], new=False)
    more = len(ids) < len(sizes) or len(sizes) == limit
    return (ids[-1] if more else None), len(ids)


# -- its language


def phrase(text: str, *, title: bool = False, prefix: bool = False) -> str:
    """The expression for words in a row, the first 64; only letters and digits of `text` get in."""
    ways = dict.fromkeys(
        " ".join(_WORD.findall(way(text))[:MAX_WORDS]) for way in (indexed, _once_indexed)
    )
    end = " *" if prefix else ""
    found = [f'{"title : " if title else ""}"{words}"{end}' for words in ways if words] or ['""']
    return found[0] if len(found) == 1 else any_of(found)


def any_of(expressions: Sequence[str]) -> str:
    """The expression that is true where one of these is."""
    return f"({' OR '.join(expressions)})"


def all_of(expressions: Sequence[str], without: Sequence[str] = ()) -> str:
    """The expression that is true where all of these are, and none of `without`."""
    together = f"({' AND '.join(expressions)})"
    return f"{together} NOT {any_of(without)}" if without else together


def _rows_changed(tx: Tx) -> int:
    ((changes,),) = tx.execute("select total_changes()")
    return int(changes)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
