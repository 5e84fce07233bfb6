"""Running one job in this process until it has ended."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from quaero.cli.options import suggest
from quaero.cli.output import say
from quaero.cli.waiting import Waiting, for_room
from quaero.errors import Conflict, QuaeroError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from quaero.app import Worker
    from quaero.db.contract import ReadTx
    from quaero.jobs.read import Job
    from quaero.queue.message import Lane

LOOK_SECONDS = 0.05


async def run_job(made: Worker, type_: str, payload: Any, lane: Lane | None = None) -> Any:
    """Create a job, work until it has ended, and return its result.

    Raises `BadPayload`, `Conflict` while the queue is
    paused, or `QuaeroError` with the job's error where it failed.
    """
    job = await follow_job(made, type_, payload, lane)
    refuse_failure(job)
    return job.result


async def follow_job(
    made: Worker, type_: str, payload: Any, lane: Lane | None = None,
    watch: Callable[[Job], None] | None = None,
) -> Job:  # fmt: skip
    """Create a job, work until it has ended, however that is, and return it.

    `watch` is shown the job each time it was looked at. After Ctrl-C it is said what becomes of the
    job, which is given back and not lost. Raises `BadPayload`, or `Conflict` while the queue is
    paused.
    """
    from quaero.jobs.create import create
    from quaero.jobs.model import JobSpec
    from quaero.jobs.read import get

    text = made.registry.get(type_).encode(payload)
    if await made.db.read(_is_paused, made.queue_id):
        raise Conflict(f"the queue is paused; `{suggest('queue', 'resume')}` lets it go on")
    (job_id,) = await made.db.write(create, made.queue_id, [JobSpec(type_, text, lane=lane)])
    working = asyncio.create_task(made.pool.run())
    waiting = Waiting()
    try:
        job, room = await made.db.read(_look, job_id, made.db.path)
        while job.summary.status.open:
            if working.done():
                working.result()
            waiting.tell(room)
            if watch is not None:
                watch(job)
            await asyncio.sleep(LOOK_SECONDS)
            job, room = await made.db.read(_look, job_id, made.db.path)
    except asyncio.CancelledError:
        say("\nstopping: what runs here may end first")
        made.pool.stop()
        await working
        say(left(await made.db.read(get, job_id)))
        raise
    finally:
        made.pool.stop()
        await working
    if watch is not None:
        watch(job)
    return job


def _look(tx: ReadTx, job_id: int, database: Path) -> tuple[Job, str]:
    """A job, and what keeps all of it from going on."""
    from quaero.jobs.read import get

    job = get(tx, job_id)
    return job, for_room(tx, database, job.summary)


def left(job: Job) -> str:
    """What became of a job that nobody waits for any more, and how to go on."""
    seen = job.summary
    if not seen.status.open:
        return f"job {seen.id} {seen.status.word}"
    return (
        f"job {seen.id} waits and loses nothing: `{suggest('work')}` goes on with it, "
        f"`{suggest('jobs', 'cancel', str(seen.id))}` ends it"
    )


def refuse_failure(job: Job) -> None:
    """Raise `QuaeroError` with the error of a job that did not end well."""
    from quaero.jobs.model import Status

    seen = job.summary
    if seen.status is not Status.COMPLETED:
        why = f": {seen.error}" if seen.error else ""
        raise QuaeroError(f"job {seen.id} {seen.status.word}{why}")


def _is_paused(tx: ReadTx, queue_id: int) -> bool:
    return bool(tx.execute("select 1 from queue where id = $1 and paused", (queue_id,)))
