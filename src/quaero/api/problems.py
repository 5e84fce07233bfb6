"""Errors as people and programs read them: `application/problem+json` (RFC 9457).

`type` leads to the error's entry in the documentation; the errors of a body name each field by a
JSON pointer (RFC 6901).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Match, Route

from quaero.api.bodies import BadBody
from quaero.api.pages import is_for_people
from quaero.errors import Conflict, QuaeroError
from quaero.forms import said
from quaero.program_log import program_log

MEDIA_TYPE = "application/problem+json"
DOCUMENTED = "/api/docs#"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

log = program_log(__name__)


def problem(
    status: int,
    slug: str,
    detail: str,
    *,
    instance: str | None = None,
    errors: Sequence[Mapping[str, str]] = (),
    more: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """One problem as an answer; `more` are members of its own (RFC 9457, section 3.2)."""
    body: dict[str, Any] = {
        "type": f"{DOCUMENTED}{slug}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    if instance is not None:
        body["instance"] = instance
    if errors:
        body["errors"] = list(errors)
    body |= more or {}
    return Response(msgspec.json.encode(body), status, headers, MEDIA_TYPE)


def add_handlers(app: FastAPI, routes: Iterable[BaseRoute]) -> None:
    """Have every error answered as a problem; `routes` are all those of the interface."""
    written_out: dict[str, set[str]] = {}
    for route in routes:
        if isinstance(route, Route) and "{" not in route.path:
            written_out.setdefault(route.path, set()).update(route.methods or ())
    app.state.written_out = written_out
    app.add_exception_handler(QuaeroError, known)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unknown)


async def known(request: Request, error: Exception) -> Response:
    """The answer to an error of Quaero's own."""
    assert isinstance(error, QuaeroError)
    if error.status >= 500:
        log.warning("%s %s: %s", request.method, request.url.path, error)
    errors = getattr(error, "fields", ())
    more = {}
    if isinstance(error, Conflict) and error.count is not None:
        more = {"count": error.count, "count_capped": error.capped}
    headers = {"Retry-After": "5"} if error.status in {503, 507} else None
    return problem(
        error.status, error.slug, str(error), instance=request.url.path, errors=errors,
        more=more, headers=headers,
    )  # fmt: skip


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    methods = _methods(request)
    if request.method not in methods:  # `stats` was taken for an id
        return _not_allowed(request, methods)
    errors = [
        {"pointer": _pointer(each["loc"]), "detail": _sentence(each)} for each in error.errors()
    ]
    detail = "; ".join(f"{each['pointer'] or 'body'}: {each['detail']}" for each in errors[:3])
    return problem(422, "bad-request", detail, instance=request.url.path, errors=errors)


def _pointer(place: Sequence[str | int]) -> str:
    """Where a value stands: `/a/0/b` in the body, `?name` in the query, else its kind and name."""
    kind, *rest = place
    if kind == "body":
        return "".join(f"/{str(each).replace('~', '~0').replace('/', '~1')}" for each in rest)
    words = ".".join(map(str, rest))
    return f"?{words}" if kind == "query" else f"{kind} {words}"


def _sentence(error: Mapping[str, Any]) -> str:
    text = said(error)
    return text[:1].lower() + text[1:]


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return _not_allowed(request, _methods(request))
    if error.status_code == HTTPStatus.NOT_FOUND:
        if request.app.state.missing_page is not None and is_for_people(request):
            return HTMLResponse(request.app.state.missing_page, 404, headers)
        detail = f"there is nothing at {request.url.path}"
        return problem(404, "not-found", detail, instance=request.url.path, headers=headers)
    if isinstance(error, BadBody):
        detail = str(error.detail)
        return problem(422, "bad-request", detail, instance=request.url.path, errors=error.errors)
    slug = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
    return problem(
        error.status_code, slug, str(error.detail), instance=request.url.path, headers=headers
    )


def _not_allowed(request: Request, methods: Iterable[str]) -> Response:
    allowed = ", ".join(sorted(methods))
    detail = f"{request.method} is not possible here; allowed: {allowed}"
    return problem(
        405, "method-not-allowed", detail, instance=request.url.path, headers={"Allow": allowed}
    )


def _methods(request: Request) -> set[str]:
    """All methods that a path has, over the routes that have one each.

    A path that is written out, as `/api/jobs/stats`, has not those of one with an id.
    """
    found: set[str] = request.app.state.written_out.get(request.url.path) or {
        method
        for method in METHODS
        if any(
            route.matches({**request.scope, "method": method})[0] is Match.FULL
            for route in request.app.routes
        )
    }
    return found | {"HEAD"} if "GET" in found else found


async def _unknown(request: Request, error: Exception) -> Response:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return problem(
        500, "error", "something went wrong inside; the program's log says what",
        instance=request.url.path,
    )  # fmt: skip
