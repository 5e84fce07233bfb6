"""What happened to a job, in its own words and the system's.

What the system does to a job is logged in the transaction that does it. Entries of one function
are written together at its end; the counts by level are kept with them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple

import msgspec

from quaero.db.contract import ReadTx, Row, Tx

_KEY = "jobs.logs"
PAGE = 1_000
LARGEST_PAGE = 10_000
LONGEST_MESSAGE = 1_000_000


class Level(IntEnum):
    """How grave an entry is."""

    DEBUG = 0
    INFO = 1
    WARN = 2
    ERROR = 3


class Entry(NamedTuple):
    """An entry to write; `fields` is JSON text or None, `at` a wall time in microseconds."""

    job_id: int
    root_id: int
    attempt: int
    at: int
    level: int
    message: str
    fields: str | None = None


def write(tx: Tx, entries: Iterable[Entry]) -> None:
    """Write entries with this transaction."""
    pending: list[Entry] | None = tx.scratch.get(_KEY)
    if pending is None:
        pending = tx.scratch[_KEY] = []
        tx.at_end(_KEY, _flush)
    pending.extend(entries)


def say(
    tx: Tx, job: Any, level: Level, message: str, fields: dict[str, Any] | None = None
) -> None:
    """Log what the system does to a job (a `JobRow` or anything with its id, root and attempt)."""
    text = None if fields is None else msgspec.json.encode(fields).decode()
    write(tx, [Entry(job.id, job.root_id, job.attempt, tx.now, level, message, text)])


def _flush(tx: Tx) -> None:
    entries: list[Entry] = tx.scratch.pop(_KEY)
    tx.execute(
        """
        insert into job_log(job_id, root_id, attempt, at, level, message, fields)
        select value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5,
               value ->> 6 from each($1)
        """,
        (msgspec.json.encode(entries).decode(),),
    )
    counts: Counter[tuple[int, int, int]] = Counter()
    for entry in entries:
        counts[entry.root_id, 0, entry.level] += 1
        if entry.root_id != entry.job_id or entry.level >= Level.WARN:
            pass
    tx.execute(
        """
        insert into job_log_count(root_id, job_id, level, n)
        select value ->> 0, value ->> 1, value ->> 2, value ->> 3 from each($1) where true
            on conflict(root_id, job_id, level) do update set n = n + excluded.n
        """,
        (msgspec.json.encode([(*key, n) for key, n in sorted(counts.items())]).decode(),),
    )
