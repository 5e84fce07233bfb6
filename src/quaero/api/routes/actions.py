"""What is done to one job: cancel, fail, retry, rerun, copy, start; and to many at once.

The first transaction of an action has its effect. What is left to do of a large tree goes on after
the answer, which then is a 202, or is done by a job of its own.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Body
from starlette.background import BackgroundTask
from starlette.responses import Response

from quaero.api.answers import answer, counted, job_detail
from quaero.api.bodies import JsonRoute
from quaero.api.describing import errors, location
from quaero.api.models import Again, Bulk, Job, Reason
from quaero.api.parts import Parts, WebParts
from quaero.api.routes.jobs import LARGE, JobId, by_a_job, checked, made, one
from quaero.clock import SECOND
from quaero.db.contract import Database, ReadTx
from quaero.errors import BadPayload, Conflict
from quaero.jobs import actions, reopen, steer
from quaero.jobs.create import create
from quaero.jobs.model import JobSpec
from quaero.queue.message import COMMANDS
from quaero.reports import jobs as lists
from quaero.reports.wanted import JobFilter
from quaero.upkeep import bulk
from quaero.workflows import runs

router = APIRouter(prefix="/api/jobs", tags=["jobs"], route_class=JsonRoute)

PATIENCE = 1.0
LATER: dict[int | str, dict[str, Any]] = {
    202: {"description": "It has taken effect; the rest of a large tree follows.", "model": Job}
}
OptionalAgain = Annotated[Again | None, Body()]


@router.post(
    "/bulk",
    status_code=202,
    response_model=Job,
    responses={202: location("The bulk action's address."), **errors(400, 409, 415)},
)
async def bulk_action(parts: Parts, wish: Bulk) -> Response:
    """Do one thing to all jobs that match. It is done by a job, which is answered."""
    given = wish.model_fields_set
    if (wish.action == "priority") is not ("priority" in given):
        text = "priority goes with the action priority, and only with it"
        raise BadPayload(text, [{"pointer": "/priority", "detail": text}])
    if ("ids" in given) is ("filter" in given):
        text = "name the jobs by ids or by a filter, by one of them"
        raise BadPayload(text, [{"pointer": "/filter", "detail": text}])
    count, up_to = await _refuse_more(parts.db, wish)
    payload = {
        "action": wish.action,
        "priority": wish.priority if "priority" in given else None,
        "filter": wish.filter.model_dump(mode="json"),
        "ids": wish.ids or None,
        "up_to": up_to,
        "expected": count,
    }
    name = f"{wish.action} {counted(count, 'job')}"
    return await start_bulk(parts, payload, name, wish.delay)


async def start_bulk(
    parts: WebParts,
    payload: Mapping[str, Any],
    name: str,
    delay: float = 0.0,
    type_: str = bulk.NAME,
) -> Response:
    """Create a bulk action that begins in `delay` seconds; answers with its job."""
    return await made(parts, await create_bulk(parts, payload, name, delay, type_), status=202)


async def create_bulk(
    parts: WebParts,
    payload: Mapping[str, Any],
    name: str,
    delay: float = 0.0,
    type_: str = bulk.NAME,
) -> int:
    """Create a bulk action that begins in `delay` seconds; returns the id of its job."""
    text = parts.registry.get(type_).encode(payload)
    at = parts.clock.wall() + int(delay * SECOND) if delay else None
    spec = JobSpec(type_, text, name=name, run_at=at, lane=COMMANDS)
    (job_id,) = await parts.db.write(create, parts.queue_id, [spec])
    return job_id


def _matching(tx: ReadTx, wish: Bulk) -> tuple[lists.Total, int]:
    """How many jobs match, and the id of the newest job there is."""
    ((newest,),) = tx.execute("select last from sequence where name = 'job'")
    total = (
        lists.Total(len(set(wish.ids)), capped=False) if wish.ids else lists.total(tx, wish.filter)
    )
    return total, max(1, int(newest))


async def _refuse_more(db: Database, wish: Bulk) -> tuple[int, int]:
    """How many jobs match, and the id up to which they do.

    Raises `Conflict` where more do than were shown.
    """
    expected = wish.expected_count
    total, newest = await db.read(_matching, wish)
    count, capped = total.count, total.capped
    if capped and expected is not None and count <= expected:
        count, capped = await _count_all(db, wish.filter, expected)
    if expected is not None and count > expected:
        more = "more than " if capped else ""
        raise Conflict(
            f"{more}{counted(count, 'job')} {'matches' if count == 1 else 'match'} now, where "
            f"{expected} were shown; look again before you {wish.action} them",
            count=count,
            capped=capped,
        )
    return count, newest


async def _count_all(db: Database, wanted: JobFilter, most: int) -> tuple[int, bool]:
    """Count one page after another, in reads of bounded cost, until there are more than `most`."""
    count, place = 0, None
    while count <= most:
        ids, place = await db.read(lists.ids, wanted, place, 1_000)
        count += len(ids)
        if place is None:
            return count, False
    return count, True


@router.post("/{job_id}/cancel", response_model=Job, responses={**LATER, **errors(404)})
async def cancel_job(parts: Parts, job_id: JobId) -> Response:
    """End a job and all below it. One that has ended stays as it is."""
    before = await parts.db.write(steer.cancel, job_id)
    return await _stopped(parts, job_id, ended=not before.open)


@router.post(
    "/{job_id}/fail", response_model=Job, responses={**LATER, **errors(400, 404, 409, 415)}
)
async def fail_job(parts: Parts, job_id: JobId, why: Reason) -> Response:
    """End a stuck job as failed, and cancel all below it."""
    await parts.db.write(steer.fail, job_id, why.reason)
    return await _stopped(parts, job_id, ended=False)


async def _stopped(parts: WebParts, job_id: int, *, ended: bool) -> Response:
    """End the descendants for a while; what is left then goes on behind the answer."""
    deadline = time.monotonic() + PATIENCE
    left = not ended
    while left and time.monotonic() < deadline:
        left = await parts.db.write(steer.cancel_more)
    detail, now = await parts.db.read(_detail, job_id)
    rest = BackgroundTask(_go_on, parts.db) if left else None
    return answer(job_detail(detail, now), 202 if left else 200, background=rest)


def _detail(tx: ReadTx, job_id: int) -> tuple[lists.Detail, int]:
    return lists.detail(tx, job_id), tx.now


async def _go_on(db: Database) -> None:
    while await db.write(steer.cancel_more):
        pass


@router.post(
    "/{job_id}/retry",
    response_model=Job,
    responses={
        202: {"description": "A job retries them.", "model": Job, **location("Its address.")},
        **errors(404, 409),
    },
)
async def retry_job(parts: Parts, job_id: JobId) -> Response:
    """Run the failed jobs of a tree again; the others stay as they are. 409 if none has failed."""
    await parts.db.read(lists.detail, job_id)
    failed = await parts.db.read(reopen.retryable, job_id)
    if not failed:
        raise Conflict(f"nothing of job {job_id} has failed")
    if len(failed) > LARGE:
        return await by_a_job(parts, "retry", job_id)
    await actions.retry(parts.db, job_id)
    return await one(parts, job_id)


@router.post(
    "/{job_id}/rerun",
    status_code=201,
    response_model=Job,
    responses={201: location("The new job's address."), **errors(400, 404, 409, 415)},
)
async def rerun_job(parts: Parts, job_id: JobId, again: OptionalAgain = None) -> Response:
    """Run a job anew as another job, with the same payload or the one given; it starts now."""
    text = await _another(parts, job_id, again)
    return await made(parts, await parts.db.write(runs.rerun, job_id, text))


@router.post(
    "/{job_id}/copy",
    status_code=201,
    response_model=Job,
    responses={201: location("The copy's address."), **errors(400, 404, 409, 415)},
)
async def copy_job(parts: Parts, job_id: JobId, again: OptionalAgain = None) -> Response:
    """Make an independent job like this one. It is held until it is started."""
    job = await parts.db.read(lists.detail, job_id)
    parts.registry.refuse_copy(job_id, job.summary.type)
    text = await _another(parts, job_id, again)
    return await made(parts, await parts.db.write(steer.copy, job_id, text))


@router.post("/{job_id}/start", response_model=Job, responses=errors(400, 404, 409, 415))
async def start_job(parts: Parts, job_id: JobId, again: OptionalAgain = None) -> Response:
    """Let a held job go, with its own payload or the one given."""
    text = await _another(parts, job_id, again)
    await parts.db.write(steer.start, job_id, text)
    return await one(parts, job_id)


async def _another(parts: WebParts, job_id: int, again: Again | None) -> str | None:
    """The payload that was given, checked by the job's type; None for the job's own."""
    job = await parts.db.read(lists.detail, job_id)
    if again is None or again.payload is None:
        return None
    return checked(parts.registry, job.summary.type, again.payload)
