"""Sources: what is collected, how, and how it went; collecting, checking and trying them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from fastapi import Body as FromBody
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from quaero.api import cursors
from quaero.api.answers import answer, job_detail, job_item, page_of
from quaero.api.bodies import JsonRoute
from quaero.api.describing import errors, location
from quaero.api.models import Job
from quaero.api.parts import Parts, WebParts
from quaero.api.routes.jobs import made
from quaero.api.source_models import (
    CollectedModel,
    DraftSample,
    KindList,
    NewSource,
    RemovalWords,
    Sample,
    SourceList,
    SourceModel,
    SourcePatch,
    SourceWords,
    Trial,
    Wish,
)
from quaero.api.versions import IfMatch, expect
from quaero.clock import rfc3339
from quaero.db.contract import ReadTx, Tx
from quaero.jobs.create import create
from quaero.reports import jobs as lists
from quaero.reports.wanted import LARGEST_ID
from quaero.sources import health, records, removal, runs, trial
from quaero.sources.health import State
from quaero.sources.settings import KINDS, settings_model

router = APIRouter(prefix="/api/sources", tags=["sources"], route_class=JsonRoute)

SourceId = Annotated[int, Path(ge=1, le=LARGEST_ID, description="The id of the source.")]


# -- all


@router.get("", response_model=SourceList, responses=errors(400))
async def list_sources(parts: Parts, words: Annotated[SourceWords, Query()]) -> Response:
    """List sources in the order in which they were made, with how each is."""
    place = cursors.read(words.cursor, 1)
    after = place[0] if place else 0
    found, now = await parts.db.read(_states, after, words.limit + 1)
    page = found[: words.limit]
    following = cursors.write([page[-1].source.id]) if len(found) > len(page) else None
    return answer(page_of((source_item(each, now) for each in page), following))


def _states(tx: ReadTx, after: int, limit: int) -> tuple[list[State], int]:
    return health.states(tx, records.listing(tx, after, limit)), tx.now


@router.get("/kinds", response_model=KindList, responses=errors())
async def list_kinds() -> Response:
    """The kinds of sources, each with the schema of its settings."""
    kinds = [{"kind": kind, "schema": settings_model(kind).model_json_schema()} for kind in KINDS]
    return answer({"items": kinds})


@router.post(
    "",
    status_code=201,
    response_model=SourceModel,
    responses={201: location("The source's address."), **errors(400, 404, 409, 415)},
)
async def create_source(parts: Parts, new: NewSource) -> Response:
    """Keep a source. It is collected when that is asked for."""
    source_id = await parts.db.write(records.create, new.model_dump())
    return await _one(parts, source_id, 201, {"Location": f"/api/sources/{source_id}"})


@router.post("/test", response_model=Trial, responses=errors(400, 415))
async def test_draft(draft: DraftSample) -> Response:
    """Try addresses on settings that are not kept: which are let in, and what decides."""
    given = draft.model_dump(exclude={"urls"}) | {"name": "draft"}
    return await _tried(runs.draft_payload(given), draft.urls)


# -- one


@router.get("/{source_id}", response_model=SourceModel, responses=errors(404))
async def get_source(parts: Parts, source_id: SourceId) -> Response:
    """A source and how it is. `ETag` stands for what can be edited of it."""
    return await _one(parts, source_id)


@router.patch(
    "/{source_id}", response_model=SourceModel, responses=errors(400, 404, 409, 412, 415, 428)
)
async def patch_source(
    parts: Parts, source_id: SourceId, patch: SourcePatch, if_match: IfMatch = None
) -> Response:
    """Change a source (a merge patch, RFC 7396). A run under way keeps what it began with."""
    changes = {name: getattr(patch, name) for name in patch.model_fields_set}
    await parts.db.write(_patch, source_id, changes, if_match)
    return await _one(parts, source_id)


def _patch(tx: Tx, source_id: int, changes: dict[str, Any], if_match: str | None) -> None:
    source = records.get(tx, source_id)
    expect(if_match, f"source {source.name}", source.rev)
    records.update(tx, source_id, changes)


@router.delete(
    "/{source_id}",
    status_code=204,
    response_class=Response,
    responses={
        202: {"description": "It is gone; a job deletes what it left.", "model": Job},
        204: {"description": "It is gone."},
        **errors(404, 409),
    },
)
async def delete_source(
    parts: Parts, source_id: SourceId, words: Annotated[RemovalWords, Query()]
) -> Response:
    """Delete a source; its documents stay or go, as is said. Refused while it is collected."""
    job_id = await parts.db.write(
        removal.remove, parts.queue_id, source_id,
        cancel=words.cancel, documents=words.documents == "delete",
    )  # fmt: skip
    return Response(status_code=204) if job_id is None else await made(parts, job_id, status=202)


@router.post(
    "/{source_id}/collect",
    status_code=202,
    response_model=CollectedModel,
    responses={202: location("The job's address."), **errors(400, 404, 409, 415, 507)},
)
async def collect_source(
    parts: Parts, source_id: SourceId, wish: Annotated[Wish | None, FromBody()] = None
) -> Response:
    """Collect a source now. A run that is under way is answered, and no second one begun.

    The run is a snapshot of the settings. Patterns given here narrow those of the source: the
    answer shows both and the rule. With settings of its own while a run is under way: 409.
    """
    asked = {} if wish is None else wish.model_dump(exclude_unset=True)
    begun = await parts.db.write(runs.collect, parts.queue_id, source_id, asked)
    detail, now = await parts.db.read(_detail, begun.job_id)
    shown = {
        "started": begun.started,
        "job": job_detail(detail, now),
        "patterns": await parts.db.read(runs.patterns_of, begun.job_id),
    }
    return answer(shown, 202, {"Location": f"/api/jobs/{begun.job_id}"})


def _detail(tx: ReadTx, job_id: int) -> tuple[lists.Detail, int]:
    return lists.detail(tx, job_id), tx.now


@router.post(
    "/{source_id}/validate",
    status_code=202,
    response_model=Job,
    responses={202: location("The job's address."), **errors(404, 507)},
)
async def validate_source(parts: Parts, source_id: SourceId) -> Response:
    """Check a source without collecting it. The job's `result` lists every check."""
    job_id = await parts.db.write(_validate, parts.queue_id, source_id)
    return await made(parts, job_id, status=202)


def _validate(tx: Tx, queue_id: int, source_id: int) -> int:
    (job_id,) = create(tx, queue_id, [runs.validation_of(records.get(tx, source_id))])
    return job_id


@router.post("/{source_id}/test", response_model=Trial, responses=errors(400, 404, 415))
async def test_source(parts: Parts, source_id: SourceId, sample: Sample) -> Response:
    """Try addresses on a source: which are let in, and what decides about each."""
    source = await parts.db.read(records.get, source_id)
    wish = sample.model_dump(include={"include", "exclude"}, exclude_unset=True)
    return await _tried(runs.payload_of(source, wish), sample.urls)


async def _tried(payload: Any, urls: list[str]) -> Response:
    decided = await run_in_threadpool(trial.decide, payload, urls)
    items = [asdict(each) for each in decided]
    return answer({"items": items, "patterns": runs.patterns(payload)})


async def _one(
    parts: WebParts, source_id: int, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    state, now = await parts.db.read(_state, source_id)
    tag = {"ETag": f'"{state.source.rev}"'}
    return answer(source_item(state, now), status, {**tag, **(headers or {})})


def _state(tx: ReadTx, source_id: int) -> tuple[State, int]:
    (state,) = health.states(tx, [records.get(tx, source_id)])
    return state, tx.now


def source_item(state: State, now: int) -> dict[str, Any]:
    """A source as an answer."""
    source = state.source
    return {
        "id": source.id,
        **source.draft,
        "health": state.health,
        "detail": state.detail,
        "documents": state.documents,
        "gone": state.gone,
        "active": state.active,
        "run": None if state.run is None else job_item(state.run, now),
        "created_at": rfc3339(source.created_at),
        "updated_at": rfc3339(source.updated_at),
    }
