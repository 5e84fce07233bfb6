"""What a cleanup would delete, in rows and bytes, looked at and not touched.

Bytes are those of the texts and values in the rows; with indexes and the rest of its pages the
database gives back more. Reading goes in portions, each a short transaction of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from quaero.db.contract import Database, ReadTx
from quaero.documents import bodies

TREES = 50
ROWS = 5_000
DOCUMENTS = 100

Cut = tuple[int, int]
"""Rows and bytes."""


@dataclass(slots=True)
class Preview:
    """Rows and bytes by what they are: jobs, log entries, …"""

    rows: dict[str, int] = field(default_factory=dict)
    bytes: dict[str, int] = field(default_factory=dict)

    def add(self, what: str, cut: Cut) -> None:
        """Count some more of these."""
        self.rows[what] = self.rows.get(what, 0) + cut[0]
        self.bytes[what] = self.bytes.get(what, 0) + cut[1]

    def plain(self) -> dict[str, Any]:
        """As the result of a job tells it."""
        return {**self.rows, "bytes": {**self.bytes, "all": sum(self.bytes.values())}}


async def trees(db: Database, roots: Sequence[int]) -> Preview:
    """The jobs of trees, and what was logged in them."""
    found = Preview({"jobs": 0, "log_entries": 0}, {"jobs": 0, "log_entries": 0})
    for start in range(0, len(roots), TREES):
        some = roots[start : start + TREES]
        found.add("jobs", await db.read(_jobs, some))
        found.add("log_entries", await db.read(_logged, some))
    return found


def _jobs(tx: ReadTx, roots: Sequence[int]) -> Cut:
    ((rows, size),) = tx.execute(
        """
        with recursive down(id) as (
            select id from job where id in ints($1)
            union all
            select j.id from down d join job j on j.parent_id = d.id
             where j.parent_id is not null)
        select count(*), coalesce(sum(
                   octet_length(payload) + octet_length(name) + coalesce(octet_length(result), 0)
                   + coalesce(octet_length(state), 0) + coalesce(octet_length(error), 0)), 0)
          from down cross join job where job.id = down.id
        """,
        (msgspec.json.encode(roots).decode(),),
    )
    return rows, size


def _logged(tx: ReadTx, roots: Sequence[int]) -> Cut:
    ((rows, size),) = tx.execute(
        """
        select count(*),
               coalesce(sum(octet_length(message) + coalesce(octet_length(fields), 0)), 0)
          from job_log where root_id in ints($1)
        """,
        (msgspec.json.encode(roots).decode(),),
    )
    return rows, size


async def old_logs(db: Database, before: int, without: Collection[int]) -> Cut:
    """Entries from before a wall time, the oldest first, of other trees than these."""
    rows, size, place = 0, 0, 0
    while True:
        portion, place, more = await db.read(_old_entries, before, place)
        kept = [length for root_id, length in portion if root_id not in without]
        rows, size = rows + len(kept), size + sum(kept)
        if not more:
            return rows, size


def _old_entries(tx: ReadTx, before: int, after: int) -> tuple[list[tuple[int, int]], int, bool]:
    rows = tx.execute(
        """
        select id, at, root_id, octet_length(message) + coalesce(octet_length(fields), 0)
          from job_log where id > $1 order by id limit $2
        """,
        (after, ROWS),
    )
    old = [(root_id, length) for _, at, root_id, length in rows if at < before]
    return old, rows[-1][0] if rows else after, bool(old) and len(rows) == ROWS


async def old_events(db: Database, before: int) -> Cut:
    """Entries of the feed from before a wall time, the oldest first."""
    rows, size, place = 0, 0, 0
    while True:
        portion = await db.read(_events, place)
        old = [length for _, at, length in portion if at < before]
        rows, size = rows + len(old), size + sum(old)
        if len(old) < ROWS:
            return rows, size
        place = portion[-1][0]


def _events(tx: ReadTx, after: int) -> list[tuple[int, int, int]]:
    rows = tx.execute(
        "select seq, at, octet_length(data) from event where seq > $1 order by seq limit $2",
        (after, ROWS),
    )
    return [(seq, at, length) for seq, at, length in rows]


async def old_letters(db: Database, queue_id: int, before: int, without: Collection[int]) -> Cut:
    """Dead letters of a queue from before a wall time, of other trees than these."""
    rows, size, place = 0, 0, 0
    while True:
        portion = await db.read(_letters, queue_id, place)
        for _, at, root_id, length in portion:
            if at <= before and root_id not in without:
                rows, size = rows + 1, size + length
        if len(portion) < ROWS:
            return rows, size
        place = portion[-1][0]


def _letters(tx: ReadTx, queue_id: int, after: int) -> list[tuple[int, int, int | None, int]]:
    rows = tx.execute(
        """
        select m.id, coalesce((select max(at) from delivery_error where message_id = m.id),
                              m.created_at),
               (select root_id from job where job.id = m.job_id), octet_length(m.payload)
          from message m where m.queue_id = $1 and m.state = 3 and m.id > $2
         order by m.id limit $3
        """,
        (queue_id, after, ROWS),
    )
    return [(id_, at, root_id, length or 0) for id_, at, root_id, length in rows]


async def old_calls(db: Database, before: int) -> Cut:
    """Records of model calls from before a wall time."""
    return await db.read(_calls, before)


def _calls(tx: ReadTx, before: int) -> Cut:
    ((rows, size),) = tx.execute(
        """
        select count(*), coalesce(sum(octet_length(model) + coalesce(octet_length(error), 0)
                   + coalesce(octet_length(prompt), 0) + coalesce(octet_length(answer), 0)), 0)
          from model_call where at < $1
        """,
        (before,),
    )
    return rows, size


async def old_versions(db: Database, keep: int) -> Cut:
    """Earlier texts of documents, all but the newest of each."""
    rows, size, place = 0, 0, 0
    while True:
        more, length, following = await db.read(_versions, keep, place)
        rows, size = rows + more, size + length
        if following is None:
            return rows, size
        place = following


def _versions(tx: ReadTx, keep: int, after: int) -> tuple[int, int, int | None]:
    ids = [
        id_
        for (id_,) in tx.execute(
            """
            select distinct document_id from document_version where document_id > $1
             order by document_id limit $2
            """,
            (after, DOCUMENTS),
        )
    ]
    ((rows, size),) = tx.execute(
        """
        select count(*), coalesce(sum(octet_length(text) + octet_length(title)), 0)
          from document_version where document_id in ints($1) and number <=
               (select max(v.number) - $2 from document_version v
                 where v.document_id = document_version.document_id)
        """,
        (msgspec.json.encode(ids).decode(), keep),
    )
    return rows, size, ids[-1] if len(ids) == DOCUMENTS else None


async def old_bodies(db: Database, until: int) -> Cut:
    """Bodies that no document was read from after a wall time."""
    rows, size = 0, 0
    place: bytes | None = b""
    while place is not None:
        found, place = await db.read(bodies.unused, until, place)
        rows, size = rows + len(found), size + sum(length for _, length in found)
    return rows, size
