"""Documents: list, read, tag and delete them."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from typing import Annotated, Any, Final, Literal

import msgspec
from fastapi import APIRouter, Path, Query
from pydantic import Field, JsonValue
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from quaero.api import cursors
from quaero.api.answers import answer, document_item, page_of
from quaero.api.bodies import JsonRoute
from quaero.api.describing import errors
from quaero.api.fields import CursorText, Flag, InAddress, Limit, Time
from quaero.api.markdown import render
from quaero.api.models import Answer, Body, DocumentItem, Words
from quaero.api.parts import Parts
from quaero.api.versions import IfMatch, expect
from quaero.clock import rfc3339
from quaero.db.contract import ReadTx, Tx
from quaero.documents import counts, export, read, store, tags
from quaero.documents.counts import Count
from quaero.documents.model import Filter
from quaero.documents.notes import Kind, Note
from quaero.errors import NotFound
from quaero.reports.wanted import LARGEST_ID, Word
from quaero.sources.names import names_of
from quaero.upkeep.document_bulk import MOST_TAGS, Tag

router = APIRouter(prefix="/api", tags=["documents"], route_class=JsonRoute)

DocumentId = Annotated[InAddress, Path(ge=1, le=LARGEST_ID, description="The id of the document.")]


class DocumentChoice(Words):
    """Which documents."""

    source_type: Word | None = None
    site: Word | None = None
    tag: Annotated[Word | None, Field(description="With this tag.")] = None
    source: Annotated[
        int | None, Field(ge=0, le=LARGEST_ID, description="Of this source; 0 of none.")
    ] = None
    root: Annotated[
        InAddress | None, Field(ge=1, le=LARGEST_ID, description="Collected by this crawl.")
    ] = None
    gone: Annotated[Flag | None, Field(description="Only gone ones, or only others.")] = None

    @property
    def wanted(self) -> Filter:
        """The filter alone."""
        return Filter(
            source_id=self.source,
            site=self.site,
            source_type=self.source_type,
            tag=self.tag,
            root_id=self.root,
            gone=self.gone,
        )


class DocumentWords(DocumentChoice):
    """Which documents to list, and which page of them."""

    limit: Limit = 50
    cursor: CursorText = None


class ExportWords(DocumentChoice):
    """Which documents to take out, and how."""

    format: Annotated[
        Literal["jsonl", "zip"],
        Field(description="One JSON object a line, or an archive of Markdown files."),
    ] = "jsonl"


class DocumentList(Answer):
    """A page of documents."""

    items: list[DocumentItem]
    next_cursor: str | None


class SummaryModel(Answer):
    """A summary: `maker` is `extractive` or the name of a model.

    It is not `current` where the document has changed since.
    """

    text: str
    maker: str
    made_at: Time
    current: bool


class KeywordsModel(Answer):
    """Keywords, and what made them."""

    words: list[str]
    maker: str
    made_at: Time
    current: bool


class DocumentModel(DocumentItem):
    """A document with its Markdown, its summary and its keywords."""

    summary: SummaryModel | None
    keywords: KeywordsModel | None

    text: str
    metadata: dict[str, JsonValue]
    etag: str | None
    last_modified: str | None
    content_hash: str


class HeadingModel(Answer):
    """A heading, and the id of its element."""

    level: int
    id: str
    text: str


class Html(Answer):
    """A document's Markdown as safe HTML; with `cut` its end is missing."""

    html: str
    outline: list[HeadingModel]
    cut: bool


class TagList(Answer):
    """The tags of a document, in order."""

    tags: list[str]


class NewTags(Body):
    """All tags that a document is to have."""

    tags: Annotated[list[Tag], Field(max_length=MOST_TAGS)]


class CountModel(Answer):
    """How many documents, how many of them gone, and their words and bytes of text."""

    documents: int
    gone: int
    words: int
    bytes: int


class KeyCount(CountModel):
    """The count of what shares a key."""

    key: str


class DocumentStats(Answer):
    """The counts of all documents; of each kind the 100 with the most."""

    all: CountModel
    sources: list[KeyCount]
    types: list[KeyCount]
    sites: list[KeyCount]
    tags: list[KeyCount]


# -- many


@router.get("/documents", response_model=DocumentList, responses=errors(400))
async def list_documents(parts: Parts, words: Annotated[DocumentWords, Query()]) -> Response:
    """List documents, the newest first."""
    wanted = words.wanted
    place = cursors.read(words.cursor, 1, wanted)
    before = place[0] if place else None
    found = await parts.db.read(read.listing, wanted, before=before, limit=words.limit + 1)
    page = found[: words.limit]
    following = cursors.write([page[-1].id], wanted) if len(found) > len(page) else None
    return answer(page_of(map(document_item, page), following))


@router.get("/documents/stats", response_model=DocumentStats, responses=errors())
async def get_document_stats(parts: Parts) -> Response:
    """How many documents there are, by type, site and tag too."""
    found, names = await parts.db.read(_stats)
    by_source = {names.get(id_, str(id_)): count for id_, count in found.by_source.items() if id_}
    return answer(
        {
            "all": asdict(found.all),
            "sources": _counted(by_source),
            "types": _counted(found.by_type),
            "sites": _counted(found.by_site),
            "tags": _counted(found.by_tag),
        }
    )


def _stats(tx: ReadTx) -> tuple[counts.Stats, dict[int, str]]:
    found = counts.stats(tx)
    return found, names_of(tx, list(found.by_source))


def _counted(by_key: dict[str, Count]) -> list[dict[str, Any]]:
    return [{"key": key, **asdict(count)} for key, count in by_key.items()]


_EXPORTS: Final = {
    "jsonl": (export.lines, "application/jsonl"),
    "zip": (export.archive, "application/zip"),
}


@router.get(
    "/documents/export",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "All that were chosen, as `quaero documents import` reads them.",
            "content": {
                "application/jsonl": {"schema": {"type": "string"}},
                "application/zip": {"schema": {"type": "string", "format": "binary"}},
            },
        },
        **errors(),
    },
)
async def export_documents(parts: Parts, words: Annotated[ExportWords, Query()]) -> Response:
    """Documents as a file, in order of their ids."""
    write, media_type = _EXPORTS[words.format]
    return StreamingResponse(
        write(parts.db, words.wanted, names_of),
        headers={"Content-Disposition": f'attachment; filename="documents.{words.format}"'},
        media_type=media_type,
    )


# -- one


@router.get("/documents/{document_id}", response_model=DocumentModel, responses=errors(404))
async def get_document(parts: Parts, document_id: DocumentId) -> Response:
    """A document with its Markdown. `ETag` stands for its tags."""
    found = await parts.db.read(read.get, document_id)
    return answer(
        {
            **document_item(found.summary),
            "summary": _note(found.note(Kind.SUMMARY)),
            "keywords": _note(found.note(Kind.KEYWORDS)),
            "text": found.text,
            "metadata": found.metadata,
            "etag": found.etag,
            "last_modified": found.last_modified,
            "content_hash": found.content_hash,
        },
        headers={"ETag": f'"{_tag_version(found.summary.tags)}"'},
    )


def _note(note: Note | None) -> dict[str, Any] | None:
    if note is None:
        return None
    made = {"words": note.words} if note.kind is Kind.KEYWORDS else {"text": note.text}
    by = {"maker": note.maker, "made_at": rfc3339(note.made_at), "current": note.current}
    return {**made, **by}


@router.get("/documents/{document_id}/html", response_model=Html, responses=errors(404))
async def get_html(parts: Parts, document_id: DocumentId) -> Response:
    """A document's Markdown as HTML that is safe to show: nothing in it runs or loads anything."""
    found = await parts.db.read(read.get, document_id)
    made = await run_in_threadpool(render, found.text)
    outline = [asdict(heading) for heading in made.outline]
    return answer({"html": made.html, "outline": outline, "cut": made.cut})


@router.delete(
    "/documents/{document_id}",
    status_code=204,
    response_class=Response,
    responses={204: {"description": "It is gone, with its versions."}, **errors(404)},
)
async def delete_document(parts: Parts, document_id: DocumentId) -> Response:
    """Delete a document with its versions and tags; the next crawl may collect it again."""
    if not await parts.db.write(store.delete, [document_id]):
        raise NotFound(f"there is no document {document_id}")
    return Response(status_code=204)


@router.put(
    "/documents/{document_id}/tags", response_model=TagList, responses=errors(400, 404, 412, 415)
)
async def put_tags(
    parts: Parts,
    document_id: DocumentId,
    new: NewTags,
    if_match: IfMatch = None,
) -> Response:
    """Give a document exactly these tags; with `If-Match` only if nobody changed them meanwhile."""
    kept = await parts.db.write(_put_tags, document_id, new.tags, if_match)
    return answer({"tags": kept}, headers={"ETag": f'"{_tag_version(kept)}"'})


def _put_tags(tx: Tx, document_id: int, wanted: list[str], if_match: str | None) -> tuple[str, ...]:
    before = _tags(tx, document_id)
    if if_match is not None:
        expect(if_match, f"the list of tags of document {document_id}", _tag_version(before))
    tags.untag(tx, [document_id], before)
    tags.tag(tx, [document_id], wanted)
    return _tags(tx, document_id)


def _tags(tx: ReadTx, document_id: int) -> tuple[str, ...]:
    found = read.summaries(tx, [document_id])
    if not found:
        raise NotFound(f"there is no document {document_id}")
    return found[0].tags


def _tag_version(names: tuple[str, ...]) -> str:
    return hashlib.blake2b(msgspec.json.encode(names), digest_size=9).hexdigest()
