"""`cleanup`: deletes old, ended job trees with their logs, and what else has had its time.

Running and pending trees are never touched. Everything goes in slices of a thousand rows, each a
transaction of its own, so no worker waits for it. At the end the full-text index is merged, which
gives back the room of what was deleted from it.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from quaero.clock import DAY
from quaero.crawl import frontier
from quaero.db.contract import Database, ReadTx, Tx
from quaero.documents import fulltext, versions
from quaero.errors import DiskFull
from quaero.jobs import actions, feed, idempotency, logs, minutes
from quaero.jobs.model import Status
from quaero.summarize import audit
from quaero.work.context import JobContext
from quaero.work.registry import JobType, Result

PAGE = 200
FEED_KEPT = DAY
_STATUSES = {
    "all": (Status.COMPLETED, Status.FAILED, Status.CANCELLED),
    "completed": (Status.COMPLETED,),
    "failed": (Status.FAILED,),
    "cancelled": (Status.CANCELLED,),
}


class Cleanup(BaseModel):
    """Which ended trees to delete: older than so many days, with which status."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    age_threshold_days: Annotated[float, Field(ge=0, le=36_500)] = 30.0
    status_filter: Literal["completed", "failed", "cancelled", "all"] = "all"
    dry_run: bool = False


def cleanup_type(
    db: Database, log_days: float, minute_days: float, versions_kept: int, call_days: float = 90.0
) -> JobType[Cleanup]:
    """The job type.

    Log entries older than `log_days`, the figures of minutes older than `minute_days` and records
    of model calls older than `call_days` go as well, and all but the `versions_kept` newest
    earlier texts of each document.
    """

    async def run(job: JobContext, wanted: Cleanup) -> Result:
        if wanted.age_threshold_days < 1:
            job.log.warn(f"age_threshold_days = {wanted.age_threshold_days:g} is below one day")
        ended = await _trees(db, wanted, job.root_id)
        if wanted.dry_run:
            job.log.info(f"would delete {len(ended)} trees", dry_run=True)
            return Result({"dry_run": True, "trees": len(ended), "roots": ended[:100]})
        jobs = 0
        for n, root_id in enumerate(ended):
            job.progress(n, len(ended), "deleting trees")
            jobs += await delete_tree(db, root_id)
        job.progress(len(ended), len(ended), "deleting trees")
        rest = await _rest(db, log_days, minute_days)
        rest["model_calls"] = await _old_calls(db, call_days)
        rest["versions"] = await _old_versions(db, versions_kept)
        await _merge_index(db, job)
        job.log.info(f"deleted {len(ended)} trees with {jobs} jobs", **rest)
        return Result({"dry_run": False, "trees": len(ended), "jobs": jobs, **rest})

    return JobType("cleanup", Cleanup, run, timeout=6 * 3_600.0)


async def _trees(db: Database, wanted: Cleanup, own_root: int) -> list[int]:
    """The roots of the trees to delete, oldest first."""
    found: list[int] = []
    place = (0, 0)
    while True:
        rows = await db.read(_old_roots, wanted, place)
        found += [id_ for _, id_ in rows if id_ != own_root]
        if len(rows) < PAGE:
            return found
        place = rows[-1]


def _old_roots(tx: ReadTx, wanted: Cleanup, after: tuple[int, int]) -> list[tuple[int, int]]:
    before = tx.now - int(wanted.age_threshold_days * DAY)
    statuses = ", ".join(str(int(status)) for status in _STATUSES[wanted.status_filter])
    rows = tx.execute(
        f"""
        select completed_at, id from job
         where parent_id is null and status > 1 and status in ({statuses})
           and (completed_at, id) > ($1, $2) and completed_at <= $3
         order by completed_at, id limit {PAGE}
        """,
        (*after, before),
    )
    return [(at, id_) for at, id_ in rows]


async def delete_tree(db: Database, root_id: int) -> int:
    """Delete an ended tree with what its crawl left; returns how many jobs there were."""
    while await db.write(frontier.forget, root_id):
        pass
    return await actions.delete(db, root_id)


async def _rest(db: Database, log_days: float, minute_days: float) -> dict[str, int]:
    """Old log entries, feed entries, figures, idempotency keys and lanes that nothing uses."""
    done = {"log_entries": 0, "events": 0, "figures": 0, "keys": 0, "lanes": 0}
    while count := await db.write(_old_logs, log_days):
        done["log_entries"] += count
    while count := await db.write(_old_events):
        done["events"] += count
    while count := await db.write(_old_minutes, minute_days):
        done["figures"] += count
    while count := await db.write(_old_keys):
        done["keys"] += count
    while count := await db.write(_empty_lanes):
        done["lanes"] += count
    return done


async def _old_calls(db: Database, days: float) -> int:
    total = 0
    while count := await db.write(_prune_calls, days):
        total += count
    return total


def _prune_calls(tx: Tx, days: float) -> int:
    return audit.prune(tx, tx.now - int(days * DAY))


async def _old_versions(db: Database, keep: int) -> int:
    total, after = 0, 0
    while True:
        gone, place = await db.write(versions.prune, keep, after)
        total += gone
        if place is None:
            return total
        after = place


async def _merge_index(db: Database, job: JobContext) -> None:
    job.progress(text="merging the full-text index")
    try:
        while await db.write(fulltext.merge_some):
            pass
    except DiskFull as error:
        job.log.warn(f"the full-text index is merged another time: {error}")


def _old_logs(tx: Tx, days: float) -> int:
    return logs.delete_older(tx, tx.now - int(days * DAY))


def _old_minutes(tx: Tx, days: float) -> int:
    return minutes.prune(tx, tx.now - int(days * DAY))


def _old_events(tx: Tx) -> int:
    return feed.prune(tx, tx.now - FEED_KEPT)


def _old_keys(tx: Tx) -> int:
    return len(
        tx.execute(
            """
            delete from idempotency where key in
                (select key from idempotency where created_at < $1 limit 1000) returning 1
            """,
            (tx.now - idempotency.KEPT,),
        )
    )


def _empty_lanes(tx: Tx) -> int:
    rows = tx.execute(
        """
        delete from lane where id in
            (select l.id from lane l
              where l.ready = 0 and l.running = 0 and l.next_start < $1
                and not exists (select 1 from message m where m.lane_id = l.id
                                 and m.lane_id <> 0 and m.state in (1, 3, 4, 5, 6))
              limit 1000)
        returning 1
        """,
        (tx.lease_now,),
    )
    return len(rows)
