"""The change feed: what changed, numbered in order of commit, written with the change.

One entry a tree and transaction, with the ids that changed (at most `IDS` of them; beyond that
readers look at the tree itself). A reader goes on from a number; one whose place was pruned, or who
comes with another database's place, is told to load anew.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from quaero.db.contract import ReadTx, Tx

IDS = 100
_KEY = "jobs.feed"
TOPIC = "feed"


def changed(tx: Tx, root_id: int, job_id: int) -> None:
    """Note that a job of a tree changed."""
    trees: dict[int, set[int]] | None = tx.scratch.get(_KEY)
    if trees is None:
        trees = tx.scratch[_KEY] = {}
        tx.at_end(_KEY, _write, rank=9)
    ids = trees.setdefault(root_id, set())
    if len(ids) < IDS:  # so many tell readers that there may be more
        ids.add(job_id)


def _write(tx: Tx) -> None:
    trees: dict[int, set[int]] = tx.scratch.pop(_KEY)
    encode = msgspec.json.encode
    rows = [(root_id, encode(sorted(ids)).decode()) for root_id, ids in trees.items()]
    tx.execute(
        """
        insert into event(at, root_id, kind, data)
        select $2, value ->> 0, 'jobs', value ->> 1 from each($1)
        """,
        (encode(rows).decode(), tx.now),
    )
    tx.signal(TOPIC)


@dataclass(frozen=True, slots=True)
class Event:
    """Jobs of one tree that changed in one transaction."""

    seq: int
    at: int
    root_id: int
    ids: list[int]


def last(tx: ReadTx) -> int:
    """The number of the newest entry; 0 when there was none."""
    rows = tx.execute("select seq from sqlite_sequence where name = 'event'")
    return int(rows[0][0]) if rows else 0


def span(tx: ReadTx) -> tuple[int, int]:
    """The places that are known: from the one before the oldest entry to the newest."""
    newest = last(tx)
    ((oldest,),) = tx.execute("select coalesce(min(seq), $1) from event", (newest + 1,))
    return int(oldest) - 1, newest


def place_at(tx: ReadTx, at: int, most: int = 2_000) -> int:
    """The place of the feed at a wall time, or one before it.

    Where none of the last `most` entries is so old, it is the first place that is known.
    """
    first, newest = span(tx)
    rows = tx.execute(
        "select seq from event where seq > $1 and at < $2 order by seq desc limit 1",
        (newest - most, at),
    )
    return int(rows[0][0]) if rows else first


def identity(tx: ReadTx) -> str:
    """What names the database: a number of its feed means nothing in another."""
    ((id_,),) = tx.execute("select id from identity")
    return str(id_)


def since(tx: ReadTx, seq: int, limit: int = 500) -> list[Event] | None:
    """Entries after `seq`, oldest first; None when the place is unknown: load all anew."""
    first, newest = span(tx)
    if not first <= seq <= newest:
        return None
    rows = tx.execute(
        "select seq, at, root_id, data from event where seq > $1 order by seq limit $2",
        (seq, limit),
    )
    return [Event(n, at, root, msgspec.json.decode(data)) for n, at, root, data in rows]


def prune(tx: Tx, before: int, limit: int = 1_000) -> int:
    """Remove up to `limit` entries older than a wall time; returns how many."""
    rows = tx.execute(
        """
        delete from event where seq in (select seq from event order by seq limit $2) and at < $1
        returning seq
        """,
        (before, limit),
    )
    return len(rows)
