"""How many jobs there are of each type and status, kept in the transaction that changes them."""

from __future__ import annotations

from collections import Counter

import msgspec

from quaero.db.contract import Tx
from quaero.jobs.model import JobRow, Status

_COUNTS = "jobs.counts"


def count(tx: Tx, job: JobRow, source: Status | None, target: Status | None) -> None:
    """Count a job that goes from a status to another; None where it was, or is, not there."""
    kept: Counter[tuple[int, str, int]] | None = tx.scratch.get(_COUNTS)
    if kept is None:
        kept = tx.scratch[_COUNTS] = Counter()
        tx.at_end(_COUNTS, _apply_counts, rank=4)
    top = int(job.parent_id is None)
    if source is not None:
        kept[top, job.type, source] -= 1
    if target is not None:
        kept[top, job.type, target] += 1


def _apply_counts(tx: Tx) -> None:
    kept: Counter[tuple[int, str, int]] = tx.scratch.pop(_COUNTS)
    rows = [(*key, n) for key, n in sorted(kept.items()) if n]
    if rows:
        tx.execute(
            """
            insert into job_count(top, type, status, n)
            select value ->> 0, value ->> 1, value ->> 2, value ->> 3 from each($1) where true
                on conflict(top, type, status) do update set n = n + excluded.n
            """,
            (msgspec.json.encode(rows).decode(),),
        )
