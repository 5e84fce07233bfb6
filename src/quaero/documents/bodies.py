"""The bodies that documents were read from, kept so that they can be read again.

A body is kept once however many documents have it, and is written by the transaction that saves
the first of them. What a document refers to is what it was last read from in full, whatever came of
that: one that comes without a body loses the one it had. Nothing that shows, exports or logs
documents looks here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from quaero.db.contract import ReadTx, Tx
from quaero.documents.model import HASH_BYTES, Body
from quaero.documents.prepare import optional, storable
from quaero.documents.rows import as_json

LOOKED_AT = 1_000
"""How many rows one statement of a cleanup goes through."""
MOST_AT_ONCE = 200
AT_ONCE = 8 * 1024 * 1024
"""How many bytes of bodies one statement writes or deletes, unless a single one has more."""


Read = tuple[int, Body | None]
"""The id of a document, and what it was just read from; None where that is not kept."""


class Kept(NamedTuple):
    """A body as it is kept, and what else reading it depends on."""

    hash: bytes
    packed: bytes
    content_type: str | None
    robots: list[str]
    canonical: str | None
    entity_type: str


def put(tx: Tx, new: Sequence[Read], again: Sequence[Read] = ()) -> None:
    """Keep what documents were just read from: `new` ones, and those that are read `again`.

    What only these had before is deleted.
    """
    before = hashes(tx, [id_ for id_, _ in again])
    forget(tx, [id_ for id_, body in again if body is None and id_ in before])
    given = [(id_, body) for id_, body in (*new, *again) if body is not None]
    if given:
        _write(tx, {body.hash: body.packed for _, body in given})
        _refer(tx, given)
    now = {body.hash for _, body in given}
    drop(tx, [hash_ for hash_ in before.values() if hash_ not in now])


def _refer(tx: Tx, given: Sequence[tuple[int, Body]]) -> None:
    """Note which documents these bodies are of."""
    rows = [
        (id_, body.hash.hex(), optional(body.content_type),
         as_json([storable(each) for each in body.robots]), optional(body.canonical),
         body.entity_type)
        for id_, body in given
    ]  # fmt: skip
    tx.execute(
        """
        insert into document_body(document_id, hash, content_type, robots, canonical, entity_type,
                                  read_at)
        select value ->> 0, unhex(value ->> 1), value ->> 2, value ->> 3, value ->> 4, value ->> 5,
               $2
          from each($1) where true
            on conflict(document_id) do update
           set hash = excluded.hash, content_type = excluded.content_type,
               robots = excluded.robots, canonical = excluded.canonical,
               entity_type = excluded.entity_type, read_at = excluded.read_at
        """,
        (as_json(rows), tx.now),
    )


def _write(tx: Tx, packed: dict[bytes, bytes]) -> None:
    """Write the bodies that are not there yet: all in one value, cut where each begins."""
    for group in by_size((hash_, len(packed[hash_])) for hash_ in sorted(packed)):
        places, start = [], 1
        for hash_ in group:
            places.append((start, len(packed[hash_])))
            start += HASH_BYTES + len(packed[hash_])
        tx.execute(
            """
            insert into body(hash, bytes)
            select substr($2, value ->> 0, $3), substr($2, (value ->> 0) + $3, value ->> 1)
              from each($1) where true
                on conflict do nothing
            """,
            (as_json(places), b"".join(hash_ + packed[hash_] for hash_ in group), HASH_BYTES),
        )


def by_size(sized: Iterable[tuple[bytes, int]]) -> Iterator[list[bytes]]:
    """Hashes of bodies in groups of a bounded size, in the order given."""
    group: list[bytes] = []
    size = 0
    for hash_, length in sized:
        if group and (size + length > AT_ONCE or len(group) == MOST_AT_ONCE):
            yield group
            group, size = [], 0
        group.append(hash_)
        size += length
    if group:
        yield group


def confirm(tx: Tx, ids: Sequence[int]) -> None:
    """Documents are what their bodies say still: the time that these are kept begins anew."""
    if ids:
        tx.execute(
            "update document_body set read_at = $2 where document_id in ints($1)",
            (as_json(ids), tx.now),
        )


def forget(tx: Tx, ids: Sequence[int]) -> None:
    """Let go of the bodies of documents."""
    if ids:
        tx.execute("delete from document_body where document_id in ints($1)", (as_json(ids),))


def sizes(tx: ReadTx, ids: Sequence[int]) -> dict[int, int]:
    """How many bytes the bodies of documents take, by id; those without one are left out."""
    return dict(
        tx.execute(
            """
            select d.document_id, octet_length(b.bytes)
              from document_body d join body b on b.hash = d.hash where d.document_id in ints($1)
            """,
            (as_json(ids),),
        )
    )


def of_documents(tx: ReadTx, ids: Sequence[int]) -> dict[int, Kept]:
    """The bodies of documents, by id; those without one are left out."""
    rows = tx.execute(
        """
        select d.document_id, b.hash, b.bytes, d.content_type, d.robots, d.canonical, d.entity_type
          from document_body d join body b on b.hash = d.hash where d.document_id in ints($1)
        """,
        (as_json(ids),),
    )
    return {
        id_: Kept(hash_, packed, kind, msgspec.json.decode(robots, type=list[str]), *rest)
        for id_, hash_, packed, kind, robots, *rest in rows
    }


def hashes(tx: ReadTx, ids: Sequence[int]) -> dict[int, bytes]:
    """The hashes of the bodies that documents refer to, by id."""
    if not ids:
        return {}
    return dict(
        tx.execute(
            "select document_id, hash from document_body where document_id in ints($1)",
            (as_json(ids),),
        )
    )


# -- letting go


def forget_old(tx: Tx, until: int) -> int:
    """Let go of some bodies last read or confirmed at a wall time or before.

    Returns of how many documents.
    """
    rows = tx.execute(
        """
        delete from document_body where document_id in
            (select document_id from document_body where read_at <= $1 order by read_at limit $2)
        returning 1
        """,
        (until, LOOKED_AT),
    )
    return len(rows)


def unused(tx: ReadTx, until: int, after: bytes) -> tuple[list[tuple[bytes, int]], bytes | None]:
    """Bodies that no document was read from after a wall time: hashes and the bytes they take.

    Looks at some behind the hash `after`; returns also where to go on, None at the end.
    """
    rows = tx.execute(
        """
        select hash, octet_length(bytes),
               exists (select 1 from document_body d where d.hash = body.hash and d.read_at > $2)
          from body where hash > $1 order by hash limit $3
        """,
        (after, until, LOOKED_AT),
    )
    found = [(hash_, size) for hash_, size, used in rows if not used]
    return found, rows[-1][0] if len(rows) == LOOKED_AT else None


def drop(tx: Tx, wanted: Sequence[bytes]) -> int:
    """Delete those of these bodies that no document refers to; returns how many."""
    if not wanted:
        return 0
    rows = tx.execute(
        """
        delete from body where hash in (select unhex(value) from each($1))
           and not exists (select 1 from document_body d where d.hash = body.hash)
        returning 1
        """,
        (as_json([each.hex() for each in wanted]),),
    )
    return len(rows)
