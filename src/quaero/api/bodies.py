"""Reading bodies strictly: JSON as RFC 8259 has it, no deeper than `DEEPEST`.

What Python's own reader lets pass (NaN, lone surrogates, numbers without end, an object with the
same name twice) is refused here, so nothing behind it has to think of them.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, get_origin

import msgspec
from fastapi import HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

DEEPEST = 100
SMALL = 64 * 1024
_TWICE = "this name is there twice, and only one of the values could count"
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"?+', re.DOTALL)
_BRACKET = re.compile(rb"[\[\]{}]")


class RepeatedName(ValueError):
    """An object has a name twice; `pointer` leads to it (RFC 6901)."""

    def __init__(self, pointer: str) -> None:
        super().__init__(_TWICE)
        self.pointer = pointer


class BadBody(HTTPException):
    """A body that is refused with a 422 for one of its fields."""

    def __init__(self, error: RepeatedName) -> None:
        super().__init__(422, f"{error.pointer}: {error}")
        self.errors = [{"pointer": error.pointer, "detail": str(error)}]


def read_json(body: bytes) -> Any:
    """The value that a JSON text stands for.

    Raises `ValueError` saying what is wrong; `RepeatedName` where the text could be read in two
    ways (RFC 8259, section 4).
    """
    if _depth(body) > DEEPEST:
        raise ValueError(f"the JSON is nested more than {DEEPEST} deep")
    try:
        value = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"the body is not JSON: {error}") from error
    if (pointer := _repeated(body)) is not None:
        raise RepeatedName(pointer)
    return value


def _repeated(body: bytes) -> str | None:
    """The pointer to the first name that an object of this JSON has twice."""
    repeated: dict[int, tuple[dict[str, Any], str]] = {}  # with the object: ids are used again

    def noted(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(pairs):
            counts = Counter(name for name, _ in pairs)
            repeated[id(made)] = made, next(name for name, n in counts.items() if n > 1)
        return made

    value = json.loads(body, object_pairs_hook=noted, parse_int=len, parse_float=len)
    if not repeated:
        return None
    return next(
        f"{pointer}/{_escaped(repeated[id(each)][1])}"
        for pointer, each in _objects(value, "")
        if id(each) in repeated
    )


def _objects(value: Any, pointer: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object of a value, each before those in it, with its pointer."""
    if isinstance(value, dict):
        yield pointer, value
        for name, each in value.items():
            yield from _objects(each, f"{pointer}/{_escaped(name)}")
    elif isinstance(value, list):
        for place, each in enumerate(value):
            yield from _objects(each, f"{pointer}/{place}")


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _depth(body: bytes) -> int:
    """How deep brackets are nested, no further than matters."""
    if body.count(b"[") + body.count(b"{") <= DEEPEST:
        return 0
    depth = 0
    for bracket in _BRACKET.finditer(_STRING.sub(b"", body)):
        depth += 1 if bracket[0] in b"[{" else -1
        if depth > DEEPEST:
            break
    return depth


class _StrictRequest(Request):
    """A request whose JSON is read by `read_json`."""

    async def json(self) -> Any:
        """The body as a value; FastAPI calls this where an endpoint takes a body."""
        body = await self.body()
        try:
            if len(body) > SMALL:
                return await run_in_threadpool(read_json, body)
            return read_json(body)
        except RepeatedName as error:
            raise BadBody(error) from error
        except ValueError as error:
            raise HTTPException(400, str(error)) from error


class JsonRoute(APIRoute):
    """An endpoint that takes JSON, and nothing else, where it takes a body."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The endpoint, given a strict request."""
        handle = super().get_route_handler()
        takes_body = self.body_field is not None

        async def strict(request: Request) -> Response:
            if takes_body:
                refuse_other_types(request)
            return await handle(_StrictRequest(request.scope, request.receive))

        return strict


def refuse_wrong_words(request: Request) -> None:
    """Raise a 422 that names the words of a query that an endpoint cannot take.

    Those that are there twice where one value counts; and all of them where it takes none. Where it
    takes some, their model refuses the others.
    """
    route = request.scope.get("route")
    if not isinstance(route, APIRoute):
        return
    models = [field.field_info.annotation for field in route.dependant.query_params]
    single = {name for model in models for name in _single(model)}
    words = request.query_params
    wrong = [
        {"loc": ("query", name), "msg": _TWICE, "type": "repeated"}
        for name in words
        if name in single and len(words.getlist(name)) > 1
    ]
    if not models:
        wrong += [
            {"loc": ("query", name), "msg": "it takes no such word", "type": "extra_forbidden"}
            for name in words
        ]
    if wrong:
        raise RequestValidationError(wrong)


def _single(model: Any) -> list[str]:
    """The words of a query's model that have one value each."""
    return [
        info.alias or name
        for name, info in model.model_fields.items()
        if get_origin(info.annotation) not in (list, tuple)
    ]


def refuse_other_types(request: Request) -> None:
    """Raise a 415 for a body that is not said to be JSON."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind and kind not in {"application/json", "application/merge-patch+json"}:
        raise HTTPException(
            415, f"the content type {kind[:100]!r} is not taken here; send application/json"
        )
