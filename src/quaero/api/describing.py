"""What each endpoint says of its answers in the interface's description."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from quaero.api import examples, flow_examples

PROBLEM_TYPE = "application/problem+json"
_CONTENT = {
    PROBLEM_TYPE: {
        "schema": {"$ref": "#/components/schemas/Problem"},
        "examples": {"problem": {"value": examples.PROBLEM}},
    }
}
_MEANINGS = {
    400: "What was asked for makes no sense here: a cursor of another list, say.",
    404: "There is nothing with that id.",
    409: "The present state does not allow this; nothing was changed.",
    412: "It was changed meanwhile: read it again.",
    415: "The body has another content type than this takes.",
    422: "A value is missing, unknown or not allowed; `errors` names each.",
    428: "Say which version is meant, with `If-Match`.",
    503: "Not at this moment; `Retry-After` says when to ask again.",
    507: "There is too little room on the disk to begin new work.",
}


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problems an endpoint may answer with: these and a 422 by name, and any other.

    Without any named an endpoint takes nothing that could be wrong.
    """
    found: dict[int | str, dict[str, Any]] = {
        status: {
            "description": _MEANINGS.get(status, HTTPStatus(status).phrase),
            "content": _CONTENT,
        }
        for status in sorted({*statuses, 422} if statuses else ())
    }
    found["default"] = {"description": "Any other problem.", "content": _CONTENT}
    return found


def definition_body(*, strict: bool = True) -> dict[str, Any]:
    """A body that is a definition of a workflow; not `strict` where a wrong one is no error."""
    return {"requestBody": {"required": True, "content": definition_content(strict=strict)}}


def definition_content(*, strict: bool = True) -> dict[str, Any]:
    """A definition in each format that there is."""
    schema = {"$ref": "#/components/schemas/Definition"} if strict else {}
    return {
        "application/json": {"schema": schema, "example": flow_examples.VALUE},
        "application/toml": {"schema": {"type": "string"}, "example": flow_examples.TEXT},
    }


def location(meaning: str) -> dict[str, Any]:
    """The header of an answer that made something."""
    return {
        "headers": {
            "Location": {
                "description": meaning,
                "schema": {"type": "string"},
                "example": "/api/jobs/7",
            }
        }
    }
