"""What lies below a job: its children, its whole tree, its results and attempts."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import Field, JsonValue
from starlette.responses import Response

from quaero.api import cursors, flow_answers
from quaero.api.answers import answer, attempt_of, document_item, job_item, page_of, raw
from quaero.api.describing import errors
from quaero.api.fields import CursorText, Flag, Limit
from quaero.api.flow_models import Steps
from quaero.api.models import Answer, AttemptModel, DocumentItem, JobItem, JobList, JobWords, Words
from quaero.api.parts import Parts
from quaero.api.routes.jobs import JobId, job_page
from quaero.db.contract import ReadTx
from quaero.documents import read as documents
from quaero.documents.model import Filter as DocumentFilter
from quaero.documents.model import Summary as DocumentSummary
from quaero.reports import jobs as lists
from quaero.reports.outline import Outline, outline
from quaero.reports.wanted import Moment, StatusWord, Word
from quaero.workflows.graph import Graph, graph

router = APIRouter(prefix="/api/jobs/{job_id}", tags=["jobs"])


class Pages(Words):
    """A page of a list."""

    limit: Limit = 50
    cursor: CursorText = None


class ChildWords(Pages):
    """Which children to list."""

    status: Annotated[tuple[StatusWord, ...], Field(max_length=5)] = ()
    type: Word | None = None
    source_type: Word | None = None
    entity_type: Word | None = None
    source: Word | None = None
    text: Word | None = None
    created_after: Moment | None = None
    created_before: Moment | None = None
    completed_after: Moment | None = None
    completed_before: Moment | None = None
    order: Literal["created", "-created"] = "created"
    count: Flag = False


class TreePage(Answer):
    """A page of a tree."""

    items: list[JobItem]
    next_cursor: str | None


class ResultPage(Answer):
    """What came of a job: its own result, and a page of the documents that it collected."""

    result: JsonValue
    items: list[DocumentItem]
    next_cursor: str | None


class AttemptList(Answer):
    """The attempts that did not end well, oldest first."""

    items: list[AttemptModel]
    next_cursor: str | None


@router.get("/children", response_model=JobList, responses=errors(400, 404))
async def list_children(
    parts: Parts, job_id: JobId, words: Annotated[ChildWords, Query()]
) -> Response:
    """List the direct children of a job, oldest first; the filters are those of all jobs."""
    await parts.db.read(lists.version_of, job_id)
    given = {name: getattr(words, name) for name in ChildWords.model_fields}
    return await job_page(parts, JobWords.model_construct(**given, parent=str(job_id)))


@router.get("/tree", response_model=TreePage, responses=errors(400, 404))
async def get_tree(parts: Parts, job_id: JobId, words: Annotated[Pages, Query()]) -> Response:
    """A job and everything below it, each before what lies below it; `depth` says how deep."""
    path = cursors.read(words.cursor, None, "tree", job_id)
    found, now = await parts.db.read(_outline, job_id, path or (), words.limit)
    following = None if found.next is None else cursors.write(found.next, "tree", job_id)
    return answer(page_of((job_item(job, now) for job in found.items), following))


def _outline(tx: ReadTx, job_id: int, path: tuple[int, ...], limit: int) -> tuple[Outline, int]:
    return outline(tx, job_id, path, limit), tx.now


@router.get("/steps", response_model=Steps, responses=errors(400, 404))
async def get_steps(parts: Parts, job_id: JobId) -> Response:
    """The steps of a run of a workflow as a graph; those that wait say what for."""
    found, now = await parts.db.read(_steps, job_id)
    steps = [flow_answers.step(each, now) for each in found.steps]
    return answer({"definition_id": found.definition_id, "items": steps})


def _steps(tx: ReadTx, job_id: int) -> tuple[Graph, int]:
    return graph(tx, job_id), tx.now


@router.get("/results", response_model=ResultPage, responses=errors(400, 404))
async def get_results(parts: Parts, job_id: JobId, words: Annotated[Pages, Query()]) -> Response:
    """The result of a job and the documents that it collected, or its tree did; newest first."""
    place = cursors.read(words.cursor, 1, "results", job_id)
    result, found = await parts.db.read(_results, job_id, place, words.limit + 1)
    more = len(found) > words.limit
    page = found[: words.limit]
    following = cursors.write([page[-1].id], "results", job_id) if more else None
    items = [document_item(each) for each in page]
    return answer({"result": raw(result), **page_of(items, following)})


def _results(
    tx: ReadTx, job_id: int, place: tuple[int, ...] | None, limit: int
) -> tuple[str | None, list[DocumentSummary]]:
    job = lists.detail(tx, job_id)
    top = job.summary.parent_id is None
    wanted = DocumentFilter(root_id=job_id) if top else DocumentFilter(job_id=job_id)
    before = place[0] if place else None
    return job.result, documents.listing(tx, wanted, before=before, limit=limit)


@router.get("/attempts", response_model=AttemptList, responses=errors(404))
async def list_attempts(parts: Parts, job_id: JobId) -> Response:
    """The attempts that did not end well, oldest first; the good one is told by the job itself."""
    job = await parts.db.read(lists.detail, job_id)
    items: list[dict[str, Any]] = [attempt_of(each) for each in job.attempts]
    return answer(page_of(items, None))
