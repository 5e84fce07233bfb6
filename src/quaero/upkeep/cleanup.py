"""`cleanup`: deletes old, ended job trees with their logs, and what else has had its time.

Running and pending trees are never touched, nor one that is opened again meanwhile. Everything goes
in slices of a thousand rows, each a transaction of its own, so no worker waits for it. At the end
the full-text index is merged, which gives back the room of what was deleted from it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from quaero.clock import DAY
from quaero.crawl import frontier
from quaero.db.contract import Database, ReadTx, Tx
from quaero.documents import bodies, versions
from quaero.errors import Conflict
from quaero.jobs import actions, feed, idempotency, logs, minutes, steer
from quaero.jobs.model import Status
from quaero.jobs.rows import load_one
from quaero.queue.message import UPKEEP
from quaero.summarize import audit
from quaero.upkeep import preview, reindex
from quaero.work.context import JobContext
from quaero.work.registry import JobType, Result

PAGE = 200
SLICE = 1_000
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """How long things are kept, in days, and how many earlier texts of each document."""

    logs: float
    minutes: float
    dead_letters: float
    versions: int
    model_calls: float
    bodies: float


def cleanup_type(db: Database, kept: Kept) -> JobType[Cleanup]:
    """The job type.

    Besides trees what is older than `kept` goes: log entries, the figures of minutes, letters that
    were given up, records of model calls, what pages were read from, with what is left of deleted
    documents, and all but the newest earlier texts of each document.
    """

    async def run(job: JobContext, wanted: Cleanup) -> Result:
        if wanted.age_threshold_days < 1:
            job.log.warn(f"age_threshold_days = {wanted.age_threshold_days:g} is below one day")
        ended = await _trees(db, wanted, job.root_id)
        if wanted.dry_run:
            found = (await _preview(db, job, ended, kept)).plain()
            job.log.info(f"would delete {len(ended)} trees", dry_run=True, **found)
            return Result({"dry_run": True, "trees": len(ended), "roots": ended[:100], **found})
        trees = jobs = entries = 0
        for n, root_id in enumerate(ended):
            job.progress(n, len(ended), "deleting trees")
            deleted, logged = await _delete_ended(db, root_id)
            trees, jobs, entries = trees + bool(deleted), jobs + deleted, entries + logged
        job.progress(len(ended), len(ended), "deleting what is older than it is kept")
        rest = await _rest(db, kept)
        rest["log_entries"] += entries
        rest["dead_letters"] = await _old_letters(db, job.id, kept.dead_letters)
        rest["model_calls"] = await _old_calls(db, kept.model_calls)
        rest["versions"] = await _old_versions(db, kept.versions)
        rest["bodies"] = await _old_bodies(db, kept.bodies)
        await reindex.merge(db, job)
        job.log.info(f"deleted {trees} trees with {jobs} jobs", **rest)
        return Result({"dry_run": False, "trees": trees, "jobs": jobs, **rest})

    return JobType("cleanup", Cleanup, run, timeout=6 * 3_600.0, lane=UPKEEP)


async def _trees(db: Database, wanted: Cleanup, own_root: int) -> list[int]:
    """The roots of the trees to delete, oldest first; the last run of a source stays."""
    found: list[int] = []
    place = (0, 0)
    while True:
        rows = await db.read(_old_roots, wanted, place)
        found += [id_ for _, id_ in rows if id_ != own_root]
        if len(rows) < PAGE:
            return found
        place = rows[-1]


async def _preview(
    db: Database, job: JobContext, ended: Sequence[int], kept: Kept
) -> preview.Preview:
    """What would go, by what it is: of the trees, and of what is older than it is kept."""
    job.progress(text="looking at what would go")
    now, queue_id = await db.read(_here, job.id)
    among = frozenset(ended)
    found = await preview.trees(db, ended)
    found.add("log_entries", await preview.old_logs(db, now - int(kept.logs * DAY), among))
    found.add("events", await preview.old_events(db, now - FEED_KEPT))
    letters = await preview.old_letters(db, queue_id, now - int(kept.dead_letters * DAY), among)
    found.add("dead_letters", letters)
    found.add("model_calls", await preview.old_calls(db, now - int(kept.model_calls * DAY)))
    found.add("versions", await preview.old_versions(db, kept.versions))
    found.add("bodies", await preview.old_bodies(db, now - int(kept.bodies * DAY)))
    return found


def _here(tx: ReadTx, own_id: int) -> tuple[int, int]:
    """The time, and the queue of the cleanup's own job."""
    ((queue_id,),) = tx.execute("select queue_id from job where id = $1", (own_id,))
    return tx.now, queue_id


_NOT_OF_SOURCES = "id not in (select j.root_id from source s join job j on j.id = s.run_id)"
"""Of roots: no source's last run is in the tree, be it the root itself or a part of a workflow."""


def _old_roots(tx: ReadTx, wanted: Cleanup, after: tuple[int, int]) -> list[tuple[int, int]]:
    before = tx.now - int(wanted.age_threshold_days * DAY)
    statuses = ", ".join(str(int(status)) for status in _STATUSES[wanted.status_filter])
    rows = tx.execute(
        f"""
        select completed_at, id from job
         where parent_id is null and status > 1 and status in ({statuses})
           and (completed_at, id) > ($1, $2) and completed_at <= $3 and {_NOT_OF_SOURCES}
         order by completed_at, id limit {PAGE}
        """,
        (*after, before),
    )
    return [(at, id_) for at, id_ in rows]


async def delete_tree(db: Database, job_id: int) -> int:
    """Delete what has ended of a tree, from a job down, with what its crawls left.

    What a crawl knows goes after its pages and before the crawl: one that is opened again meanwhile
    still knows each page it has. Returns how many jobs there were. Raises `Conflict` then.
    """
    done = 0
    for crawl_id in await db.read(_crawls_of, job_id):
        while count := await db.write(_of_ended, job_id, steer.delete_below, crawl_id):
            done += count
        while await db.write(_of_ended, job_id, frontier.forget, crawl_id):
            pass
    return done + await actions.delete(db, job_id)


def _of_ended(tx: Tx, job_id: int, act: Callable[[Tx, int], int], id_: int) -> int:
    """What `act` does in a tree, in the transaction that saw its top ended. Raises `Conflict`."""
    if tx.execute("select 1 from job where id = $1 and status < 2", (job_id,)):
        raise Conflict(f"job {job_id} was opened again; cancel it first")
    return _of_tree(tx, job_id, act, id_)


async def _delete_ended(db: Database, root_id: int) -> tuple[int, int]:
    """Delete a tree unless it was opened again since it was found.

    Returns how many jobs went, and how many log entries with them.
    """
    jobs = entries = 0
    for crawl_id in await db.read(_crawls_of, root_id):
        gone, logged = await _delete_all(db, root_id, steer.delete_below, crawl_id)
        jobs, entries = jobs + gone, entries + logged
        while await db.write(_if_ended, root_id, frontier.forget, crawl_id):
            pass
    gone, logged = await _delete_all(db, root_id, steer.delete, root_id)
    return jobs + gone, entries + logged


async def _delete_all(
    db: Database, root_id: int, act: Callable[[Tx, int], int], id_: int
) -> tuple[int, int]:
    """Delete jobs of an ended tree while `act` finds some: how many, and how many log entries."""
    jobs = entries = 0
    while True:
        gone, logged = await db.write(_delete_some, root_id, act, id_)
        jobs, entries = jobs + gone, entries + logged
        if not gone:
            return jobs, entries


def _delete_some(tx: Tx, root_id: int, act: Callable[[Tx, int], int], id_: int) -> tuple[int, int]:
    """Delete some of an ended tree: how many jobs, and how many entries of the tree's log."""
    before = _entries(tx, root_id)
    gone = _if_ended(tx, root_id, act, id_)
    return gone, before - _entries(tx, root_id) if gone else 0


def _entries(tx: ReadTx, root_id: int) -> int:
    return sum(logs.counts(tx, root_id, tree=True).values())


def _if_ended(tx: Tx, root_id: int, act: Callable[[Tx, int], int], id_: int) -> int:
    """What `act` does to a job of a tree, in the transaction that saw the tree ended; else 0."""
    rows = tx.execute(
        f"select 1 from job where id = $1 and status > 1 and {_NOT_OF_SOURCES}",
        (root_id,),
    )
    return _of_tree(tx, root_id, act, id_) if rows else 0


def _of_tree(tx: Tx, top_id: int, act: Callable[[Tx, int], int], id_: int) -> int:
    """What `act` does in a tree that has ended, whose top is not opened again from then on."""
    if id_ != top_id:
        steer.doom(tx, top_id)
    return act(tx, id_)


def _crawls_of(tx: ReadTx, job_id: int) -> list[int]:
    """A job and those below it that keep a frontier; what is below one is not looked at."""
    rows = tx.execute(
        """
        with recursive down(id, type) as (
            select id, type from job where id = $1
            union all
            select j.id, j.type from down d join job j on j.parent_id = d.id
             where j.parent_id is not null and d.type not in ('crawler', 'folder'))
        select id from down where type in ('crawler', 'folder') order by id
        """,
        (job_id,),
    )
    return [id_ for (id_,) in rows]


async def _rest(db: Database, kept: Kept) -> dict[str, int]:
    """Old log entries, feed entries, figures, idempotency keys and lanes that nothing uses."""
    done = {"log_entries": 0, "events": 0, "figures": 0, "keys": 0, "lanes": 0}
    while count := await db.write(_old_logs, kept.logs):
        done["log_entries"] += count
    while count := await db.write(_old_events):
        done["events"] += count
    while count := await db.write(_old_minutes, kept.minutes):
        done["figures"] += count
    while count := await db.write(_old_keys):
        done["keys"] += count
    while count := await db.write(_empty_lanes):
        done["lanes"] += count
    return done


async def _old_letters(db: Database, own_id: int, days: float) -> int:
    """Delete old dead letters of the cleanup's own queue; their jobs stay failed."""
    total, place = 0, 0
    while True:
        gone, seen = await db.write(_drop_old, own_id, days, place)
        total += gone
        if seen is None:
            return total
        place = seen


def _drop_old(tx: Tx, own_id: int, days: float, after: int) -> tuple[int, int | None]:
    queue_id = load_one(tx, own_id).queue_id
    rows = tx.execute(
        """
        select m.id, coalesce((select max(at) from delivery_error where message_id = m.id),
                              m.created_at)
          from message m where m.queue_id = $1 and m.state = 3 and m.id > $2
         order by m.id limit $3
        """,
        (queue_id, after, SLICE),
    )
    old = [id_ for id_, at in rows if at <= tx.now - int(days * DAY)]
    return steer.drop_dead(tx, old), rows[-1][0] if len(rows) == SLICE else None


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


async def _old_bodies(db: Database, days: float) -> int:
    """Delete the bodies whose time is over, and those that no document has any more."""
    while await db.write(_forget_bodies, days):
        pass
    total = 0
    place: bytes | None = b""
    while place is not None:
        found, place = await db.read(bodies.unused, 0, place)
        for some in bodies.by_size(found):
            total += await db.write(bodies.drop, some)
    return total


def _forget_bodies(tx: Tx, days: float) -> int:
    return bodies.forget_old(tx, tx.now - int(days * DAY))


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
