"""Texts with expressions in them: `"Summary of {{ steps.collect.result.pages }} pages"`.

A text that is one expression and nothing else comes to that expression's value, whatever its kind;
in any other the values stand as text. What has no `{{` is taken as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from quaero.errors import BadExpression
from quaero.workflows.expression import Node, Path, Scope, as_text
from quaero.workflows.parser import parse

OPEN, CLOSE = "{{", "}}"
DEEPEST = 60


def fill(value: Any, scope: Scope) -> Any:
    """A value of JSON with its templates filled in. Raises `BadExpression`, naming the template."""
    if isinstance(value, str):
        return _fill_text(value, scope)
    if isinstance(value, Mapping):
        return {key: fill(each, scope) for key, each in value.items()}
    if isinstance(value, list):
        return [fill(each, scope) for each in value]
    return value


def expressions(value: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[Any, Node]]:
    """The expressions of all texts in a value, each with the place of its text.

    Raises `BadExpression` for one that cannot be read; it knows its place.
    """
    if len(place) > DEEPEST:
        raise BadExpression(f"it is nested deeper than {DEEPEST}")
    if isinstance(value, str):
        for part in _parts_at(value, place):
            if isinstance(part, Node):
                yield place, part
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from expressions(each, (*place, key))
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from expressions(each, (*place, number))


def paths(value: Any) -> set[Path]:
    """The paths that the templates of a value read."""
    return {path for _, node in expressions(value) for path in node.paths()}


def _parts_at(text: str, place: tuple[str | int, ...]) -> list[str | Node]:
    try:
        return _parts(text)
    except BadExpression as error:
        raise BadExpression(str(error), place=place) from error


def _parts(text: str) -> list[str | Node]:
    """Plain texts and expressions, in turn."""
    found: list[str | Node] = []
    rest = text
    while OPEN in rest:
        before, _, rest = rest.partition(OPEN)
        inside, closed, rest = _until_close(rest)
        if not closed:
            raise BadExpression(f"{text[:80]!r} has a {OPEN} without {CLOSE}")
        if before:
            found.append(before)
        found.append(parse(inside.strip()))
    if rest:
        found.append(rest)
    return found


def _until_close(text: str) -> tuple[str, bool, str]:
    """What is before the `}}` that closes, which may stand in a string before that."""
    quote = ""
    place = 0
    while place < len(text):
        letter = text[place]
        if quote:
            if letter == "\\":
                place += 1
            elif letter == quote:
                quote = ""
        elif letter in "\"'":
            quote = letter
        elif text.startswith(CLOSE, place):
            return text[:place], True, text[place + len(CLOSE) :]
        place += 1
    return text, False, ""


def _fill_text(text: str, scope: Scope) -> Any:
    if OPEN not in text:
        return text
    parts = _parts(text)
    if len(parts) == 1 and isinstance(parts[0], Node):
        return _value(parts[0], scope, text)
    return "".join(
        part if isinstance(part, str) else as_text(_value(part, scope, text)) for part in parts
    )


def _value(node: Node, scope: Scope, text: str) -> Any:
    try:
        return node.value(scope)
    except BadExpression as error:
        raise BadExpression(f"{text[:120]!r} cannot be filled in: {error}") from error
