"""Creating a job once for a key, however often it is asked for.

The key is kept with the job, in the transaction that makes it, for a day or until the job is
deleted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from quaero.clock import DAY
from quaero.db.contract import Tx
from quaero.errors import Conflict
from quaero.jobs.create import create
from quaero.jobs.model import JobSpec

KEPT = DAY


def fingerprint(request: bytes) -> str:
    """What tells one request from another: BLAKE2b, 16 bytes, in hexadecimal."""
    return hashlib.blake2b(request, digest_size=16).hexdigest()


def create_once(
    tx: Tx, queue_id: int, spec: JobSpec, key: str, request: str, parent_id: int | None = None
) -> tuple[int, bool]:
    """Create a job, or find the one that the same request made with this key.

    Returns its id, and whether it was there already. Raises `Conflict` where the key was used for
    another request.
    """
    return once(tx, key, request, lambda tx: create(tx, queue_id, [spec], parent_id)[0])


def once(tx: Tx, key: str, request: str, make: Callable[[Tx], int]) -> tuple[int, bool]:
    """`create_once` for a job that `make` makes, with all that belongs to it."""
    rows = tx.execute(
        "select request, job_id from idempotency where key = $1 and created_at > $2",
        (key, tx.now - KEPT),
    )
    if rows:
        ((before, job_id),) = rows
        if before != request:
            raise Conflict(
                f"the key {key!r} was used for another request, which made job {job_id}; "
                "take a new key"
            )
        return job_id, True
    job_id = make(tx)
    tx.execute(
        """
        insert into idempotency(key, request, job_id, created_at) values($1, $2, $3, $4)
            on conflict(key) do update
           set request = excluded.request, job_id = excluded.job_id,
               created_at = excluded.created_at
        """,
        (key, request, job_id, tx.now),
    )
    return job_id, False
