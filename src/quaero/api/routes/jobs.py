"""Jobs: listing and creating them, one of them, editing and deleting."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Header, Path, Query
from starlette.responses import Response

from quaero.api import cursors
from quaero.api.answers import answer, job_detail, job_item, page_of
from quaero.api.bodies import JsonRoute
from quaero.api.describing import errors, location
from quaero.api.fields import InAddress
from quaero.api.models import Job, JobList, JobPatch, JobWords, NewJob
from quaero.api.parts import Parts, WebParts
from quaero.api.versions import IfMatch, expect
from quaero.db.contract import ReadTx, Tx
from quaero.errors import BadPayload, NotFound
from quaero.forms import VISIBLE
from quaero.jobs import steer
from quaero.jobs.create import create
from quaero.jobs.idempotency import create_once, fingerprint
from quaero.jobs.model import FailureAction, JobSpec, Phase
from quaero.reports import jobs as lists
from quaero.upkeep import bulk
from quaero.work.registry import Registry

router = APIRouter(prefix="/api/jobs", tags=["jobs"], route_class=JsonRoute)

JobId = Annotated[InAddress, Path(ge=1, le=2**63 - 1, description="The id of the job.")]
"""The lanes of the job types that have one of their own."""

LARGE = 2_000
"""A tree with more jobs than this is worked on by a job, not while a request waits."""


# -- lists


@router.get("", response_model=JobList, responses=errors(400))
async def list_jobs(parts: Parts, words: Annotated[JobWords, Query()]) -> Response:
    """List jobs, newest first unless asked otherwise.

    Top-level jobs can be put in every order; the children of a job, and all jobs, by creation.
    """
    return await job_page(parts, words)


async def job_page(parts: WebParts, words: JobWords) -> Response:
    """A page of jobs as an answer. Raises `BadInput` for an order that is not offered."""
    wanted = words.wanted
    place = cursors.read(words.cursor, 2, wanted, words.order)
    after = None if place is None else (place[0], place[1])
    page, total, now = await parts.db.read(_page, words, after)
    following = None if page.next is None else cursors.write(page.next, wanted, words.order)
    counted = {} if total is None else {"total": {"count": total.count, "capped": total.capped}}
    items = [job_item(job, now) for job in page.items]
    return answer(page_of(items, following, searched=page.searched, **counted))


def _page(
    tx: ReadTx, words: JobWords, after: lists.Place | None
) -> tuple[lists.Page, lists.Total | None, int]:
    wanted = words.wanted
    page = lists.page(tx, wanted, words.order, after, words.limit)
    return page, lists.total(tx, wanted) if words.count else None, tx.now


# -- creating

IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=200,
        pattern=VISIBLE,
        description="Makes the request safe to repeat: the same key makes one job.",
    ),
]


@router.post(
    "",
    status_code=201,
    response_model=Job,
    responses={201: location("The job's address."), **errors(400, 404, 409, 415, 507)},
)
async def create_job(parts: Parts, new: NewJob, idempotency_key: IdempotencyKey = None) -> Response:
    """Create a job; its payload is checked by its type."""
    spec = spec_of(parts.registry, new)
    if idempotency_key is None:
        (job_id,) = await parts.db.write(create, parts.queue_id, [spec], new.parent_id)
        return await made(parts, job_id)
    request = fingerprint(msgspec.json.encode(new.model_dump(mode="json")))
    job_id, replayed = await parts.db.write(
        create_once, parts.queue_id, spec, idempotency_key, request, new.parent_id
    )
    return await made(parts, job_id, {"Idempotent-Replayed": "true"} if replayed else {})


def spec_of(registry: Registry, new: NewJob) -> JobSpec:
    """The job that is asked for. Raises `BadPayload` with pointers to the fields."""
    payload = checked(registry, new.type, new.payload)
    type_ = registry.get(new.type)
    if why := type_.not_alone:
        raise BadPayload(why, [{"pointer": "/type", "detail": why}])
    if new.parent_id is None and new.phase != "core":
        text = f"the phase {new.phase} is one of a parent's; name the parent with parent_id"
        raise BadPayload(text, [{"pointer": "/phase", "detail": text}])
    return JobSpec(
        new.type,
        payload,
        Phase[new.phase.upper()],
        name=new.name or _name_of(new),
        description=new.description or None,
        priority=new.priority,
        run_at=new.run_at,
        lane=type_.lane,
        max_child_failures=new.max_child_failures,
        failure_action=FailureAction[new.failure_action.upper()],
    )


def _name_of(new: NewJob) -> str:
    """What a job is called that nobody named: a crawl by its first seed, others by their type."""
    seeds = new.payload.get("seeds")
    return str(seeds[0])[:1_000] if new.type == "crawler" and isinstance(seeds, list) else ""


def checked(registry: Registry, type_: str, payload: Any) -> str:
    """A payload as text that fits its type. Raises `BadPayload` with pointers into the body."""
    try:
        job_type = registry.get(type_)
    except NotFound as error:
        raise BadPayload(str(error), [{"pointer": "/type", "detail": str(error)}]) from error
    try:
        return job_type.encode(payload)
    except BadPayload as error:
        fields = [{**each, "pointer": f"/payload{each['pointer']}"} for each in error.fields]
        raise BadPayload(str(error), fields) from error


async def made(
    parts: WebParts, job_id: int, headers: dict[str, str] | None = None, status: int = 201
) -> Response:
    """A job that was just made, with its address."""
    where = {"Location": f"/api/jobs/{job_id}"}
    return await one(parts, job_id, status, {**where, **(headers or {})})


# -- one


async def one(
    parts: WebParts, job_id: int, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """A job as an answer. Raises `NotFound`."""
    detail, version, now = await parts.db.read(_one, job_id)
    return answer(job_detail(detail, now), status, {"ETag": f'"{version}"', **(headers or {})})


def _one(tx: ReadTx, job_id: int) -> tuple[lists.Detail, str, int]:
    return lists.detail(tx, job_id), lists.version_of(tx, job_id), tx.now


@router.get("/{job_id}", response_model=Job, responses=errors(404))
async def get_job(parts: Parts, job_id: JobId) -> Response:
    """All that is known of a job. `ETag` stands for what can be edited of it."""
    return await one(parts, job_id)


@router.patch("/{job_id}", response_model=Job, responses=errors(400, 404, 412, 415, 428))
async def patch_job(
    parts: Parts,
    job_id: JobId,
    patch: JobPatch,
    if_match: IfMatch = None,
) -> Response:
    """Change a job's name, description or priority (a merge patch, RFC 7396)."""
    await parts.db.write(_patch, job_id, patch, if_match)
    return await one(parts, job_id)


def _patch(tx: Tx, job_id: int, patch: JobPatch, if_match: str | None) -> None:
    expect(if_match, f"job {job_id}", lists.version_of(tx, job_id))
    given = {name: getattr(patch, name) for name in patch.model_fields_set}
    if "description" in given:
        given["description"] = given["description"] or ""
    if given:
        steer.update(tx, job_id, **given)


@router.delete(
    "/{job_id}",
    status_code=204,
    response_class=Response,
    responses={
        204: {"description": "It is gone, with all below it."},
        202: {"description": "A job deletes it.", "model": Job, **location("That job's address.")},
        **errors(404, 409),
    },
)
async def delete_job(parts: Parts, job_id: JobId) -> Response:
    """Delete a job that has not begun or has ended, with all below it, logs and messages.

    A tree of more than 2,000 jobs is deleted by a job.
    """
    detail = await parts.db.read(lists.detail, job_id)
    if "delete" in job_item(detail.summary, 0)["actions"] and detail.summary.counts.total > LARGE:
        return await by_a_job(parts, "delete", job_id)
    if not await bulk.delete(parts.db, job_id):
        raise NotFound(f"there is no job {job_id}")
    return Response(status_code=204)


async def by_a_job(parts: WebParts, action: bulk.Action, job_id: int) -> Response:
    """Have a job do something to a large tree; answers with that job."""
    payload = {"action": action, "ids": [job_id], "up_to": job_id, "expected": 1}
    type_ = parts.registry.get(bulk.NAME)
    name = f"{action} job {job_id}"
    spec = JobSpec(bulk.NAME, type_.encode(payload), name=name, lane=type_.lane)
    (made_id,) = await parts.db.write(create, parts.queue_id, [spec])
    return await made(parts, made_id, status=202)
