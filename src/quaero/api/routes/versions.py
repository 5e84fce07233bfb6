"""Earlier texts of documents, and what has changed between two of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from quaero.api.answers import answer, page_of
from quaero.api.bodies import JsonRoute
from quaero.api.describing import errors
from quaero.api.fields import InAddress, Time
from quaero.api.models import Answer, Words
from quaero.api.parts import Parts
from quaero.api.routes.documents import DocumentId
from quaero.clock import rfc3339
from quaero.db.contract import ReadTx
from quaero.documents import changes, read, versions
from quaero.errors import NotFound
from quaero.reports.wanted import LARGEST_ID

router = APIRouter(prefix="/api", tags=["documents"], route_class=JsonRoute)

LARGEST_LIMIT = 100_000


class VersionItem(Answer):
    """What a document said from `since` until `until`."""

    number: int
    title: str
    content_hash: str
    words: int
    since: Time
    until: Time


class VersionList(Answer):
    """Earlier versions, newest first; `current` is the number of the present text."""

    items: list[VersionItem]
    next_cursor: str | None
    current: int


class VersionText(Answer):
    """The Markdown of an earlier version."""

    number: int
    text: str


class ChangedPart(Answer):
    """A part of a line, `marked` if it differs from the line that stands for it."""

    text: str
    marked: bool


class ChangedLine(Answer):
    """A line of both texts, of the old one only, or of the new one only."""

    kind: Literal["same", "removed", "added"]
    parts: list[ChangedPart]


class Hunk(Answer):
    """Lines that have changed, with three around; `old` and `new` number the first, from 1."""

    old: int
    new: int
    lines: list[ChangedLine]


class VersionChanges(Answer):
    """What has changed from one version to another.

    `removed` and `added` count all lines; the hunks hold the first `limit`, with `more` where they
    leave some out. Texts whose lines occur again and again are not compared in full: then `exact`
    is false, and all lines between the first and the last change are removed and added.
    """

    from_version: int
    to_version: int
    from_title: str
    to_title: str
    exact: bool
    removed: int
    added: int
    hunks: list[Hunk]
    more: bool


class Compared(Words):
    """Which versions."""

    from_version: Annotated[
        InAddress | None,
        Field(ge=1, le=LARGEST_ID, description="The old one; without it the one before the new."),
    ] = None
    to_version: Annotated[
        InAddress | None,
        Field(ge=1, le=LARGEST_ID, description="The new one; without it the present text."),
    ] = None
    limit: Annotated[
        InAddress, Field(ge=1, le=LARGEST_LIMIT, description="Lines of all hunks, at most.")
    ] = 2_000


@router.get("/documents/{document_id}/versions", response_model=VersionList, responses=errors(404))
async def list_versions(parts: Parts, document_id: DocumentId) -> Response:
    """List the earlier versions of a document, newest first."""
    current, found = await parts.db.read(_versions, document_id)
    items = [
        {
            "number": each.number,
            "title": each.title,
            "content_hash": each.content_hash,
            "words": each.words,
            "since": rfc3339(each.since),
            "until": rfc3339(each.until),
        }
        for each in found
    ]
    return answer(page_of(items, None, current=current))


def _versions(tx: ReadTx, document_id: int) -> tuple[int, list[versions.Version]]:
    found = read.summaries(tx, [document_id])
    if not found:
        raise NotFound(f"there is no document {document_id}")
    return found[0].version, versions.listing(tx, document_id)


@router.get(
    "/documents/{document_id}/versions/{number}",
    response_model=VersionText,
    responses=errors(404),
)
async def get_version(
    parts: Parts, document_id: DocumentId, number: Annotated[InAddress, Path(ge=1, le=LARGEST_ID)]
) -> Response:
    """The Markdown of an earlier version."""
    text = await parts.db.read(versions.text, document_id, number)
    return answer({"number": number, "text": text})


@router.get(
    "/documents/{document_id}/changes", response_model=VersionChanges, responses=errors(400, 404)
)
async def get_changes(
    parts: Parts, document_id: DocumentId, chosen: Annotated[Compared, Query()]
) -> Response:
    """What has changed from one version of a document to another, line by line."""
    old, new = await parts.db.read(
        versions.pair, document_id, chosen.from_version, chosen.to_version
    )
    found = await run_in_threadpool(changes.compare, old.text, new.text)
    hunks, more = _first(found.hunks, chosen.limit)
    return answer(
        {
            "from_version": old.number,
            "to_version": new.number,
            "from_title": old.title,
            "to_title": new.title,
            "exact": found.exact,
            "removed": found.removed,
            "added": found.added,
            "hunks": hunks,
            "more": more,
        }
    )


def _first(hunks: Sequence[changes.Hunk], limit: int) -> tuple[list[dict[str, Any]], bool]:
    """The first `limit` lines of hunks, and whether there are more."""
    found: list[dict[str, Any]] = []
    for hunk in hunks:
        found.append(asdict(replace(hunk, lines=hunk.lines[:limit])))
        limit -= len(hunk.lines)
        if limit < 0 or (limit == 0 and hunk is not hunks[-1]):
            return found, True
    return found, False
