"""What documents refer to, and what refers to them."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from starlette.responses import Response

from quaero.api.answers import answer
from quaero.api.bodies import JsonRoute
from quaero.api.describing import errors
from quaero.api.models import Answer
from quaero.api.parts import Parts
from quaero.api.routes.documents import DocumentId
from quaero.db.contract import ReadTx
from quaero.documents import read, referring
from quaero.errors import NotFound

router = APIRouter(prefix="/api", tags=["documents"], route_class=JsonRoute)


class NamedDocument(Answer):
    """A document to link to."""

    id: int
    title: str
    url: str


class ReferenceItem(Answer):
    """What a text refers to, and the documents here that it may mean, at most 20."""

    kind: Literal["issue", "pull_request", "mention", "page"]
    key: str
    url: str | None
    documents: list[NamedDocument]


class ReferenceList(Answer):
    """What a document refers to, and the documents that refer to it: the first 100, or `more`."""

    items: list[ReferenceItem]
    referrers: list[NamedDocument]
    more: bool


@router.get(
    "/documents/{document_id}/references", response_model=ReferenceList, responses=errors(404)
)
async def get_references(parts: Parts, document_id: DocumentId) -> Response:
    """What a document refers to: issues, pull requests, people, pages; and who refers to it."""
    found = await parts.db.read(_references, document_id)
    items = [
        {
            "kind": each.kind,
            "key": each.key,
            "url": each.url,
            "documents": [named._asdict() for named in each.documents],
        }
        for each in found.items
    ]
    referrers = [named._asdict() for named in found.referrers]
    return answer({"items": items, "referrers": referrers, "more": found.more})


def _references(tx: ReadTx, document_id: int) -> referring.References:
    if not read.summaries(tx, [document_id]):
        raise NotFound(f"there is no document {document_id}")
    return referring.look(tx, document_id)
