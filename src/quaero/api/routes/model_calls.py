"""What models were asked: the audit of their calls."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from quaero.api import cursors
from quaero.api.answers import answer, page_of, seconds
from quaero.api.describing import errors
from quaero.api.fields import CursorText, Limit, Time
from quaero.api.models import Answer, Words
from quaero.api.parts import Parts
from quaero.clock import rfc3339
from quaero.summarize.audit import Call, listing

router = APIRouter(prefix="/api", tags=["documents"])


class CallWords(Words):
    """Which calls."""

    limit: Limit = 50
    cursor: CursorText = None


class CallModel(Answer):
    """One call; `error` is null where it went well, texts are there only where they are kept."""

    id: int
    at: Time
    model: str
    operation: str
    job_id: int | None
    document_id: int | None
    tokens_in: int
    tokens_out: int
    duration_seconds: float
    error: str | None
    prompt: str | None
    answer: str | None


class CallList(Answer):
    """A page of calls."""

    items: list[CallModel]
    next_cursor: str | None


@router.get("/model-calls", response_model=CallList, responses=errors(400))
async def list_model_calls(parts: Parts, words: Annotated[CallWords, Query()]) -> Response:
    """List the calls of models, the newest first."""
    place = cursors.read(words.cursor, 1, "calls")
    before = place[0] if place else None
    found = await parts.db.read(listing, before=before, limit=words.limit + 1)
    page = found[: words.limit]
    following = cursors.write([page[-1].id], "calls") if len(found) > len(page) else None
    return answer(page_of(map(_item, page), following))


def _item(call: Call) -> dict[str, Any]:
    return {
        "id": call.id,
        "at": rfc3339(call.at),
        "model": call.model,
        "operation": call.operation,
        "job_id": call.job_id,
        "document_id": call.document_id,
        "tokens_in": call.tokens_in,
        "tokens_out": call.tokens_out,
        "duration_seconds": seconds(call.duration),
        "error": call.error,
        "prompt": call.prompt,
        "answer": call.answer,
    }
