"""Searching: documents by words, with what they share."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import Response

from quaero.api.answers import answer, document_item, page_of
from quaero.api.describing import errors
from quaero.api.fields import CursorText, InAddress
from quaero.api.models import Answer, DocumentItem, TotalModel, Words
from quaero.api.parts import Parts
from quaero.db.contract import ReadTx
from quaero.documents import search
from quaero.sources.names import names as source_names
from quaero.sources.names import names_of

router = APIRouter(prefix="/api", tags=["documents"])


class SearchWords(Words):
    """What to search for, and which page of it."""

    q: Annotated[str, Field(max_length=4_000, description='Words, "a phrase", tag:…, -not …')]
    limit: Annotated[InAddress, Field(ge=1, le=search.LARGEST_PAGE)] = 20
    cursor: CursorText = None


class SnippetModel(Answer):
    """One line of text, and the (start, end) of what matched in it."""

    text: str
    marks: list[tuple[int, int]]


class Hit(Answer):
    """A document that was found."""

    rank: int
    title: str
    snippet: SnippetModel
    document: DocumentItem


class Facet(Answer):
    """A value that found documents share, and how many do."""

    value: str
    count: int


class Facets(Answer):
    """What the documents found share, at least so many each where the total is capped.

    Sources are told by name, those that were deleted by number.
    """

    sources: list[Facet]
    types: list[Facet]
    sites: list[Facet]
    tags: list[Facet]


class SearchPage(Answer):
    """A page of what was found.

    `relaxed`: no document has all the words, so these have some. `cut`: the query was too long.
    """

    items: list[Hit]
    next_cursor: str | None
    total: TotalModel
    relaxed: bool
    cut: bool
    facets: Facets


@router.get("/search", response_model=SearchPage, responses=errors(400))
async def search_documents(parts: Parts, words: Annotated[SearchWords, Query()]) -> Response:
    """Find documents, the most relevant first. Any text is a query."""
    found, names = await parts.db.read(_search, words)
    items = [
        {
            "rank": hit.rank,
            "title": hit.title,
            "snippet": {"text": hit.snippet.text, "marks": hit.snippet.marks},
            "document": document_item(hit.document),
        }
        for hit in found.hits
    ]
    sources = {names.get(id_, str(id_)): n for id_, n in found.facets.sources.items() if id_}
    facets = {"types": found.facets.types, "sites": found.facets.sites, "tags": found.facets.tags}
    return answer(
        page_of(
            items,
            found.cursor,
            total={"count": found.total, "capped": found.more},
            relaxed=found.relaxed,
            cut=found.cut,
            facets={
                "sources": _facets(sources),
                **{kind: _facets(values) for kind, values in facets.items()},
            },
        )
    )


def _search(tx: ReadTx, words: SearchWords) -> tuple[search.Results, dict[int, str]]:
    found = search.search(tx, words.q, words.limit, words.cursor, sources=source_names(tx))
    return found, names_of(tx, list(found.facets.sources))


def _facets(values: dict[str, int]) -> list[dict[str, Any]]:
    return [{"value": value, "count": count} for value, count in values.items()]
