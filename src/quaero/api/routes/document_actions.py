"""What is done to many documents at once: tagged, untagged, deleted. It is done by a job."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import ConfigDict, Field
from starlette.responses import Response

from quaero.api.bodies import JsonRoute
from quaero.api.describing import errors, location
from quaero.api.fields import Count, Delay, Id
from quaero.api.models import Body, Job
from quaero.api.parts import Parts, WebParts
from quaero.api.routes.actions import start_bulk
from quaero.db.contract import ReadTx
from quaero.errors import BadPayload, Conflict
from quaero.upkeep import document_bulk
from quaero.upkeep.document_bulk import MOST_IDS, MOST_TAGS, DocumentAction, DocumentFilter, Tag

router = APIRouter(prefix="/api/documents", tags=["documents"], route_class=JsonRoute)

COUNTED = 10_000
PAGE = 1_000


class DocumentBulk(Body):
    """What to do to which documents: those with `ids`, else those that fit `filter`.

    `tags` go with `tag` and `untag`. `expected_count` is the number that was shown: where more
    match, nothing is done and a 409 says how many. With null any number is meant.
    """

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [
                {"action": "tag", "tags": ["guide"], "filter": {"q": "tide"}, "expected_count": 12}
            ],
            "oneOf": [{"required": ["ids"]}, {"required": ["filter"]}],
        },
    )

    action: document_bulk.Action
    tags: Annotated[tuple[Tag, ...], Field(max_length=MOST_TAGS, strict=False)] = ()
    filter: DocumentFilter = DocumentFilter()
    ids: Annotated[tuple[Id, ...], Field(min_length=1, max_length=MOST_IDS, strict=False)] = ()
    expected_count: Count | None
    delay: Delay = 0.0


@router.post(
    "/bulk",
    status_code=202,
    response_model=Job,
    responses={202: location("The action's address."), **errors(400, 409, 415)},
)
async def bulk_documents(parts: Parts, wish: DocumentBulk) -> Response:
    """Tag, untag or delete all documents that match. It is done by a job, which is answered.

    A search that shows documents which have only some of the words names none of them here.
    """
    given = wish.model_fields_set
    if ("ids" in given) is ("filter" in given):
        _refuse("/filter", "name the documents by ids or by a filter, by one of them")
    if (wish.action == "delete") is bool(wish.tags):
        _refuse("/tags", "tags go with the actions tag and untag, and only with them")
    payload: dict[str, Any] = {
        "action": wish.action,
        "tags": wish.tags,
        "filter": wish.filter.model_dump(mode="json"),
        "ids": wish.ids or None,
        "up_to": await parts.db.read(_newest),
    }
    count = await _refuse_more(parts, wish, DocumentAction(**payload))
    return await start_bulk(
        parts,
        {**payload, "expected": count},
        f"{wish.action} {count} {'document' if count == 1 else 'documents'}",
        wish.delay,
        document_bulk.NAME,
    )


def _refuse(pointer: str, text: str) -> None:
    raise BadPayload(text, [{"pointer": pointer, "detail": text}])


def _newest(tx: ReadTx) -> int:
    ((newest,),) = tx.execute("select last from sequence where name = 'document'")
    return max(1, int(newest))


async def _refuse_more(parts: WebParts, wish: DocumentBulk, meant: DocumentAction) -> int:
    """How many documents match, counted as far as matters.

    Raises `Conflict` where more do than were shown.
    """
    expected, count = wish.expected_count, 0
    most = max(COUNTED, expected or 0)
    more: int | None = 0
    while more is not None and count <= most:
        ids, more = await parts.db.read(document_bulk.matching, meant, more, PAGE)
        count += len(ids)
    if expected is not None and count > expected:
        raise Conflict(
            f"{'more than ' if more is not None else ''}{count} documents match now, where "
            f"{expected} were shown; look again before you {wish.action} them",
            count=count,
            capped=more is not None,
        )
    return count
