"""The names of sources, for searches and facets; little to load."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from quaero.db.contract import ReadTx

MOST_NAMES = 10_000


def names(tx: ReadTx) -> dict[str, int]:
    """The ids of sources by name, for `source:` in searches."""
    return dict(tx.execute("select name, id from source order by id limit $1", (MOST_NAMES,)))


def names_of(tx: ReadTx, ids: Sequence[int]) -> dict[int, str]:
    """The names of those of these sources that there are."""
    rows = tx.execute(
        "select id, name from source where id in ints($1)",
        (msgspec.json.encode(sorted(set(ids))).decode(),),
    )
    return dict(rows)


def ids_of(tx: ReadTx, words: Collection[str]) -> dict[str, int]:
    """The ids, by name, of those of these sources that there are."""
    rows = tx.execute(
        "select s.name, s.id from each($1) as e join source s on s.name = e.value",
        (msgspec.json.encode(sorted(words)).decode(),),
    )
    return dict(rows)
