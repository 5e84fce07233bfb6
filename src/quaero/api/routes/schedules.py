"""Schedules: when definitions are due; pausing, resuming, and beginning a run now."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from quaero.api import cursors, flow_answers
from quaero.api.answers import answer, page_of
from quaero.api.bodies import JsonRoute
from quaero.api.describing import errors, location
from quaero.api.flow_models import Pages, ScheduleList, ScheduleModel
from quaero.api.models import Job
from quaero.api.parts import Parts, WebParts
from quaero.api.routes.definitions import DefinitionId
from quaero.api.routes.jobs import made
from quaero.db.contract import ReadTx, Tx
from quaero.workflows import definitions, runs, schedules
from quaero.workflows.definitions import Stored
from quaero.workflows.schedules import Timetable

router = APIRouter(prefix="/api/schedules", tags=["workflows"], route_class=JsonRoute)


@router.get("", response_model=ScheduleList, responses=errors(400))
async def list_schedules(parts: Parts, words: Annotated[Pages, Query()]) -> Response:
    """List schedules with their next five due times, by the ids of their definitions."""
    after = cursors.read_text(words.cursor, "schedules") or ""
    found, now = await parts.db.read(_page, after, words.limit + 1)
    page = found[: words.limit]
    items = [flow_answers.schedule(table, it.name, it.enabled, now) for table, it in page]
    more = len(found) > len(page)
    following = cursors.write_text(page[-1][0].definition_id, "schedules") if more else None
    return answer(page_of(items, following))


def _page(tx: ReadTx, after: str, limit: int) -> tuple[list[tuple[Timetable, Stored]], int]:
    tables = schedules.listing(tx, after, limit)
    return [(table, definitions.get(tx, table.definition_id)) for table in tables], tx.now


@router.get("/{definition_id}", response_model=ScheduleModel, responses=errors(404))
async def get_schedule(parts: Parts, definition_id: DefinitionId) -> Response:
    """A schedule with its next five due times."""
    return await _one(parts, definition_id)


async def _one(parts: WebParts, definition_id: str) -> Response:
    table, stored, now = await parts.db.read(_look, definition_id)
    return answer(flow_answers.schedule(table, stored.name, stored.enabled, now))


def _look(tx: ReadTx, definition_id: str) -> tuple[Timetable, Stored, int]:
    return schedules.get(tx, definition_id), definitions.get(tx, definition_id), tx.now


@router.post(
    "/{definition_id}/trigger",
    status_code=202,
    response_model=Job,
    responses={202: location("The run's address."), **errors(400, 404, 409, 507)},
)
async def trigger_schedule(parts: Parts, definition_id: DefinitionId) -> Response:
    """Begin a run now, though none is due; the next due times stay as they are."""
    job_id = await parts.db.write(_trigger, parts, definition_id)
    return await made(parts, job_id, status=202)


def _trigger(tx: Tx, parts: WebParts, definition_id: str) -> int:
    schedules.get(tx, definition_id)
    return runs.begin(tx, parts.queue_id, definition_id, parts.registry.known())


@router.post("/{definition_id}/pause", response_model=ScheduleModel, responses=errors(404))
async def pause_schedule(parts: Parts, definition_id: DefinitionId) -> Response:
    """Let a schedule begin nothing until it is resumed."""
    await parts.db.write(schedules.pause, definition_id)
    return await _one(parts, definition_id)


@router.post("/{definition_id}/resume", response_model=ScheduleModel, responses=errors(404))
async def resume_schedule(parts: Parts, definition_id: DefinitionId) -> Response:
    """Let a schedule go on with its next due time; what was due meanwhile is past."""
    await parts.db.write(schedules.resume, definition_id)
    return await _one(parts, definition_id)
