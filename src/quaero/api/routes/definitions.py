"""Definitions of workflows: listing, writing and checking them, and beginning their runs.

A definition is its text. Bodies are that text, as TOML or JSON by their content type.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, HTTPException, Path, Query, Request
from starlette.responses import Response

from quaero.api import cursors, flow_answers
from quaero.api.answers import answer, page_of
from quaero.api.bodies import JsonRoute
from quaero.api.describing import definition_body, definition_content, errors, location
from quaero.api.flow_models import (
    DefinitionList,
    DefinitionModel,
    Execute,
    ExportWords,
    Pages,
    Rewritten,
    RunList,
    Switch,
    ToWrite,
    UploadWords,
    Verdict,
)
from quaero.api.models import Job
from quaero.api.parts import Parts, WebParts
from quaero.api.routes.jobs import IdempotencyKey, made
from quaero.api.versions import IfMatch, expect
from quaero.db.contract import ReadTx, Tx
from quaero.forms import DEFINITION_ID
from quaero.jobs.idempotency import fingerprint, once
from quaero.workflows import calling, definitions, editing, folder, overview, runs
from quaero.workflows.definitions import Stored
from quaero.workflows.overview import Overview
from quaero.workflows.text import Format, check, value_of
from quaero.workflows.writing import converted, write

router = APIRouter(prefix="/api/definitions", tags=["workflows"], route_class=JsonRoute)

DefinitionId = Annotated[str, Path(pattern=DEFINITION_ID, description="The id of the definition.")]
MEDIA_TYPES: dict[Format, str] = {"toml": "application/toml", "json": "application/json"}


# -- lists


@router.get("", response_model=DefinitionList, responses=errors(400))
async def list_definitions(parts: Parts, words: Annotated[Pages, Query()]) -> Response:
    """List definitions by id, with their schedules and latest runs.

    The first page has the files of the definitions' folder that cannot be understood.
    """
    after = cursors.read_text(words.cursor, "definitions") or ""
    found, files, now = await parts.db.read(_page, after, words.limit + 1)
    page = found[: words.limit]
    known = parts.registry.known()
    items = await asyncio.to_thread(_items, page, known, now)
    more = len(found) > len(page)
    following = cursors.write_text(page[-1].stored.id, "definitions") if more else None
    troubled = [
        {"path": each.path, "definition_id": each.definition_id, "problem": each.problem}
        for each in files
        if each.problem is not None
    ]
    return answer(page_of(items, following, files=troubled))


def _items(page: Sequence[Overview], known: Mapping[str, Any], now: int) -> list[dict[str, Any]]:
    """The definitions as a list shows them; the text of each is read for that."""
    return [flow_answers.definition_item(each, known, now) for each in page]


def _page(tx: ReadTx, after: str, limit: int) -> tuple[list[Overview], list[folder.File], int]:
    return overview.listing(tx, after, limit), [] if after else folder.files(tx), tx.now


# -- checking and writing texts


@router.post(
    "/validate",
    response_model=Verdict,
    responses=errors(400, 415),
    openapi_extra=definition_body(strict=False),
)
async def validate_definition(parts: Parts, request: Request) -> Response:
    """Say what is wrong with a text, by line and field; nothing is stored."""
    text, format_ = await _text(request)
    return answer(await _verdict(parts, text, format_))


@router.post("/write", response_model=Rewritten, responses=errors(400, 415))
async def write_definition(parts: Parts, wish: ToWrite) -> Response:
    """Write a value as text, and say what is wrong with it; nothing is stored."""
    text = await asyncio.to_thread(write, wish.value, wish.format, wish.text)
    return answer({**await _verdict(parts, text, wish.format), "text": text})


async def _verdict(parts: WebParts, text: str, format_: Format) -> dict[str, Any]:
    checked = await asyncio.to_thread(check, text, format_, parts.registry.known())
    faults = checked.faults
    if checked.definition is not None:
        faults = await parts.db.read(calling.faults, checked.definition, text, format_)
    return flow_answers.verdict(faults, await asyncio.to_thread(value_of, text, format_))


async def _text(request: Request) -> tuple[str, Format]:
    """The body as text, and its format. A 415 for another content type, a 400 for no text."""
    kind = request.headers.get("content-type", "application/json")
    kind = kind.partition(";")[0].strip().lower()
    found = [name for name, media_type in MEDIA_TYPES.items() if media_type == kind]
    if not found:
        raise HTTPException(
            415, f"the content type {kind[:100]!r} is not taken here; send application/toml or "
            "application/json",
        )  # fmt: skip
    body = await request.body()
    try:
        return body.decode(), found[0]
    except UnicodeDecodeError as error:
        raise HTTPException(400, f"the body is no text in UTF-8: {error}") from error


@router.post(
    "",
    status_code=201,
    response_model=DefinitionModel,
    responses={201: location("The definition's address."), **errors(400, 409, 415)},
    openapi_extra=definition_body(),
)
async def create_definition(parts: Parts, request: Request) -> Response:
    """Store a new definition; its schedule is in force at once."""
    text, format_ = await _text(request)
    stored = await editing.create(parts.db, text, format_, parts.registry.known())
    return await _one(parts, stored.id, 201)


@router.post(
    "/upload",
    response_model=DefinitionModel,
    responses={
        201: {"description": "It is new.", "model": DefinitionModel, **location("Its address.")},
        **errors(400, 409, 415),
    },
    openapi_extra=definition_body(),
)
async def upload_definition(
    parts: Parts, request: Request, words: Annotated[UploadWords, Query()]
) -> Response:
    """Store a file with a definition; with `replace` in place of the one with its id."""
    text, format_ = await _text(request)
    known = parts.registry.known()
    value = await asyncio.to_thread(value_of, text, format_)
    wanted = "" if value is None else str(value.get("id"))
    there = await parts.db.read(_find, wanted) if words.replace else None
    if there is None:
        stored = await editing.create(parts.db, text, format_, known)
        return await _one(parts, stored.id, 201)
    path = parts.settings.definitions_dir
    await editing.change(parts.db, path, there.id, text, format_, known, there.rev)
    return await _one(parts, there.id)


def _find(tx: ReadTx, definition_id: str) -> Stored | None:
    found = tx.execute("select 1 from definition where id = $1", (definition_id,))
    return definitions.get(tx, definition_id) if found else None


# -- one


async def _one(parts: WebParts, definition_id: str, status: int = 200) -> Response:
    seen, now = await parts.db.read(_seen, definition_id)
    headers = {"ETag": f'"{seen.stored.rev}"'}
    if status == 201:
        headers["Location"] = f"/api/definitions/{definition_id}"
    known = parts.registry.known()
    picture = await asyncio.to_thread(flow_answers.definition, seen, known, now)
    return answer(picture, status, headers)


def _seen(tx: ReadTx, definition_id: str) -> tuple[Overview, int]:
    return overview.one(tx, definition_id), tx.now


@router.get("/{definition_id}", response_model=DefinitionModel, responses=errors(404))
async def get_definition(parts: Parts, definition_id: DefinitionId) -> Response:
    """A definition with its text."""
    return await _one(parts, definition_id)


@router.put(
    "/{definition_id}",
    response_model=DefinitionModel,
    responses=errors(400, 404, 409, 412, 415, 428),
    openapi_extra=definition_body(),
)
async def put_definition(
    parts: Parts, definition_id: DefinitionId, request: Request, if_match: IfMatch = None
) -> Response:
    """Give a definition another text, in its file where it is kept in one.

    The file is replaced only if its text is still the one that was read.
    """
    text, format_ = await _text(request)
    rev = await _seen_rev(parts, definition_id, if_match)
    path, known = parts.settings.definitions_dir, parts.registry.known()
    await editing.change(parts.db, path, definition_id, text, format_, known, rev)
    return await _one(parts, definition_id)


@router.patch(
    "/{definition_id}",
    response_model=DefinitionModel,
    responses=errors(400, 404, 409, 412, 415, 428),
)
async def switch_definition(
    parts: Parts, definition_id: DefinitionId, wish: Switch, if_match: IfMatch = None
) -> Response:
    """Enable or disable a definition: that one key of its text is changed."""
    rev = await _seen_rev(parts, definition_id, if_match)
    path, known = parts.settings.definitions_dir, parts.registry.known()
    await editing.switch(parts.db, path, definition_id, known, enabled=wish.enabled, rev=rev)
    return await _one(parts, definition_id)


async def _seen_rev(parts: WebParts, definition_id: str, if_match: str | None) -> int | None:
    """The version that a client has seen; None where it means whichever there is."""
    stored = await parts.db.read(definitions.get, definition_id)
    expect(if_match, f"definition {definition_id!r}", stored.rev)
    return None if if_match == "*" else stored.rev


@router.delete(
    "/{definition_id}",
    status_code=204,
    response_class=Response,
    responses={204: {"description": "It is gone, with its schedule."}, **errors(404, 409, 412)},
)
async def delete_definition(
    parts: Parts, definition_id: DefinitionId, if_match: IfMatch = None
) -> Response:
    """Delete a definition; its runs stay. Not one of a file, nor one that others run."""
    rev = None if if_match is None else await _seen_rev(parts, definition_id, if_match)
    await parts.db.write(definitions.delete, definition_id, rev=rev)
    return Response(status_code=204)


@router.get(
    "/{definition_id}/export",
    response_class=Response,
    responses={
        200: {"description": "The text, as a file.", "content": definition_content()},
        **errors(400, 404),
    },
)
async def export_definition(
    parts: Parts, definition_id: DefinitionId, words: Annotated[ExportWords, Query()]
) -> Response:
    """A definition's text as a file, in its own format or another."""
    stored = await parts.db.read(definitions.get, definition_id)
    wanted: Format = words.format or stored.format
    text = await asyncio.to_thread(converted, stored.text, stored.format, wanted)
    name = f'attachment; filename="{definition_id}.{wanted}"'
    return Response(
        text.encode(), headers={"Content-Disposition": name}, media_type=MEDIA_TYPES[wanted]
    )


# -- runs


@router.post(
    "/{definition_id}/execute",
    status_code=202,
    response_model=Job,
    responses={202: location("The run's address."), **errors(400, 404, 409, 415, 507)},
)
async def execute_definition(
    parts: Parts,
    definition_id: DefinitionId,
    wish: Execute,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Begin a run; its parameters are checked. The answer is the run's job."""
    if idempotency_key is None:
        job_id = await parts.db.write(_begin, parts, definition_id, wish)
        return await made(parts, job_id, status=202)
    request = fingerprint(msgspec.json.encode([definition_id, wish.model_dump(mode="json")]))
    job_id, replayed = await parts.db.write(
        _begin_once, parts, definition_id, wish, idempotency_key, request
    )
    return await made(parts, job_id, {"Idempotent-Replayed": "true"} if replayed else {}, 202)


def _begin(tx: Tx, parts: WebParts, definition_id: str, wish: Execute) -> int:
    return runs.begin(
        tx,
        parts.queue_id,
        definition_id,
        parts.registry.known(),
        parameters=wish.parameters,
        priority=wish.priority,
    )


def _begin_once(
    tx: Tx, parts: WebParts, definition_id: str, wish: Execute, key: str, request: str
) -> tuple[int, bool]:
    return once(tx, key, request, lambda tx: _begin(tx, parts, definition_id, wish))


@router.get("/{definition_id}/runs", response_model=RunList, responses=errors(400, 404))
async def list_runs(
    parts: Parts, definition_id: DefinitionId, words: Annotated[Pages, Query()]
) -> Response:
    """List the runs of a definition, newest first; deleted ones are gone."""
    place = cursors.read(words.cursor, 1, "runs", definition_id)
    before = None if place is None else place[0]
    found, now = await parts.db.read(_runs, definition_id, before, words.limit + 1)
    page = found[: words.limit]
    more = len(found) > len(page)
    following = cursors.write([page[-1].job.id], "runs", definition_id) if more else None
    return answer(page_of((flow_answers.run_item(each, now) for each in page), following))


def _runs(
    tx: ReadTx, definition_id: str, before: int | None, limit: int
) -> tuple[list[runs.Run], int]:
    definitions.get(tx, definition_id)
    return runs.listing(tx, definition_id, before, limit), tx.now
