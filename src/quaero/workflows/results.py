"""What the steps of a run came to, for those that read it.

A value is read when an expression asks for it, and from the jobs themselves: there is no copy that
could be older than what it tells of.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from quaero.db.contract import ReadTx
from quaero.errors import BadInput
from quaero.jobs.model import Status

MOST_RESULTS = 100_000
MOST_BYTES = 16_000_000


def outcomes(tx: ReadTx, run_id: int, wanted: Mapping[str, bool]) -> dict[str, dict[str, Any]]:
    """The outcomes of these steps of a run; those marked true with the results of all their jobs.

    Raises `BadInput` where these are too many to hold.
    """
    rows = tx.execute(
        """
        select id, name, status, result, error, n_completed, n_failed, n_cancelled, n_pending,
               n_running, core_total
          from job where parent_id = $1 and parent_id is not null and type = 'workflow_step'
           and name in (select value from each($2)) order by id
        """,
        (run_id, msgspec.json.encode(sorted(wanted)).decode()),
    )
    found = {}
    for id_, name, status, own, error, *_, total in rows:
        own_result = None if own is None else msgspec.json.decode(own)
        skipped = isinstance(own_result, dict) and own_result.get("outcome") == "skipped"
        found[name] = {
            "status": Status(status).word,
            "skipped": skipped,
            "error": error,
            "total": total,
            **_below(tx, id_, every=wanted[name]),
        }
    return found


def _below(tx: ReadTx, step_id: int, *, every: bool) -> dict[str, Any]:
    """The results of a step's jobs: that of the first, and of all where these are wanted."""
    counts = tx.execute(
        """
        select count(*), coalesce(sum(status = 2), 0), coalesce(sum(status = 3), 0) from job
         where parent_id = $1 and parent_id is not null
        """,
        (step_id,),
    )
    ((total, completed, failed),) = counts
    if every and total > MOST_RESULTS:
        raise BadInput(f"the step has {total} results, more than the {MOST_RESULTS} one can read")
    ids = msgspec.json.encode(_that_count(tx, step_id, every=every)).decode()
    if (size := _size(tx, ids)) > MOST_BYTES:
        raise BadInput(
            f"the results of the step have {size} bytes, more than the {MOST_BYTES} one can read; "
            "have its jobs return less, or read its status and counts only"
        )
    rows = tx.execute(
        """
        select j.result from each($1) as e cross join job j on j.id = e.value order by e.key
        """,
        (ids,),
    )
    results = [None if text is None else msgspec.json.decode(text) for (text,) in rows]
    made = {"completed": completed, "failed": failed, "result": results[0] if results else None}
    return {**made, "results": results} if every else made


def _that_count(tx: ReadTx, step_id: int, *, every: bool) -> list[int]:
    """The jobs whose results are those of a step, or the first, in the order they were made.

    One that was run again and completed then counts in the place of the job that it repeats.
    """
    rows = tx.execute(
        "select id from job where parent_id = $1 and parent_id is not null order by id limit $2",
        (step_id, MOST_RESULTS if every else 1),
    )
    last = {id_: id_ for (id_,) in rows}
    first: dict[int, int] = {}
    again = tx.execute(
        """
        select id, rerun_of, status from job
         where parent_id = $1 and parent_id is not null and rerun_of is not null order by id
        """,
        (step_id,),
    )
    for id_, before, status in again:
        first[id_] = first.setdefault(before, before)
        if first[id_] in last:
            last.pop(id_, None)
            if status == Status.COMPLETED:
                last[first[id_]] = id_
    return list(last.values())


def _size(tx: ReadTx, ids: str) -> int:
    """How many bytes the results of jobs have, as JSON."""
    ((size,),) = tx.execute(
        "select coalesce(sum(octet_length(result)), 0) from job where id in ints($1)", (ids,)
    )
    return int(size)
