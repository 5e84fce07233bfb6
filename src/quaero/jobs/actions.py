"""Actions on trees of any size: slices of `jobs.steer`, one transaction each, until all is done.

The first slice has the effect: after it nothing of a cancelled tree starts or commits. If the
process dies in between, any worker goes on with a cancel; the others are simply asked for again.
"""

from __future__ import annotations

from quaero.db.contract import Database
from quaero.errors import Conflict
from quaero.jobs import logs, reopen, steer
from quaero.jobs.model import Status
from quaero.queue.queue import newest


async def cancel(db: Database, job_id: int) -> Status:
    """Cancel a job and all below it; returns the status it had. Raises `NotFound`."""
    before = await db.write(steer.cancel, job_id)
    while before.open and await db.write(steer.cancel_more):
        pass
    return before


async def fail(db: Database, job_id: int, reason: str) -> None:
    """End a job as failed, and cancel all below it. Raises `NotFound` or `Conflict`."""
    await db.write(steer.fail, job_id, reason)
    while await db.write(steer.cancel_more):
        pass


async def retry(db: Database, job_id: int) -> int:
    """Run the failed jobs of a tree again; returns how many. Raises `NotFound` or `Conflict`."""
    done = 0
    for ids in await db.read(reopen.portions, job_id, steer.SLICE):
        done += await db.write(reopen.reopen, ids)
    left = [] if done else await db.read(reopen.retryable, job_id)
    if left:
        raise Conflict(f"what has failed of job {job_id} needs others that have not ended well")
    return done


async def delete(db: Database, job_id: int) -> int:
    """Delete a job and all below it; returns how many. Raises `Conflict` while it is running."""
    done = 0
    while count := await db.write(steer.delete, job_id):
        done += count
    return done


async def delete_logs(db: Database, job_id: int, *, tree: bool) -> int:
    """Delete the log of a job, or of its tree, as it is now; returns how many entries went."""
    done, up_to = 0, await db.read(logs.newest)
    while count := await db.write(logs.delete_some, job_id, up_to, tree=tree):
        done += count
    return done


async def purge(db: Database, queue_id: int) -> int:
    """Empty a queue of what nobody holds now, and cancel the jobs; returns how many went."""
    done, up_to = 0, await db.read(newest)
    while count := await db.write(steer.purge, queue_id, up_to):
        done += count
    return done
