"""Texts with expressions in them: `"Summary of {{ steps.collect.result.pages }} pages"`.

A text that is one expression and nothing else comes to that expression's value, whatever its kind;
in any other the values stand as text. What has no `{{` is taken as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from quaero.errors import BadExpression
from quaero.workflows.expression import Node, Path, Scope, as_text
from quaero.workflows.parser import parse

Place = tuple[str | int, ...]
OPEN, CLOSE = "{{", "}}"
LARGEST = 32_000_000
"""What the templates of one value may come to, in characters: twice what a run's results may."""


def fill(value: Any, scope: Scope) -> Any:
    """A value of JSON with its templates filled in.

    Raises `BadExpression`, naming the template, also where all that is filled in comes to more than
    `LARGEST` characters: a short text can name a long one many times.
    """
    return _fill(value, scope, _Room(LARGEST))


class _Room:
    """How many characters may still be filled in."""

    def __init__(self, left: int) -> None:
        self._left = left

    def take(self, value: Any, text: str) -> str:
        """The value as text, which is taken off."""
        made = as_text(value)
        self._left -= len(made)
        if self._left < 0:
            raise BadExpression(f"{text[:120]!r} makes the whole longer than {LARGEST} characters")
        return made


def _fill(value: Any, scope: Scope, room: _Room) -> Any:
    if isinstance(value, str):
        return _fill_text(value, scope, room)
    if isinstance(value, Mapping):
        return {key: _fill(each, scope, room) for key, each in value.items()}
    if isinstance(value, list):
        return [_fill(each, scope, room) for each in value]
    return value


def expressions(value: Any) -> Iterator[tuple[Place, Node]]:
    """The expressions of all texts in a value that can be read, each with the place of its text."""
    for place, text in _texts(value):
        with suppress(BadExpression):
            yield from [(place, part) for part in _parts(text) if isinstance(part, Node)]


def unreadable(value: Any) -> Iterator[tuple[Place, str]]:
    """The places of the texts whose templates cannot be read, each with the reason."""
    for place, text in _texts(value):
        try:
            _parts(text)
        except BadExpression as error:
            yield place, str(error)


def _texts(value: Any, place: Place = ()) -> Iterator[tuple[Place, str]]:
    """The texts in a value that hold templates, each with its place."""
    if isinstance(value, str):
        if OPEN in value:
            yield place, value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from _texts(each, (*place, key))
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from _texts(each, (*place, number))


def paths(value: Any) -> set[Path]:
    """The paths that the templates of a value read."""
    return {path for _, node in expressions(value) for path in node.paths()}


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


def _fill_text(text: str, scope: Scope, room: _Room) -> Any:
    if OPEN not in text:
        return text
    parts = _parts(text)
    if len(parts) == 1 and isinstance(parts[0], Node):
        value = _value(parts[0], scope, text)
        room.take(value, text)
        return value
    return "".join(
        part if isinstance(part, str) else room.take(_value(part, scope, text), text)
        for part in parts
    )


def _value(node: Node, scope: Scope, text: str) -> Any:
    try:
        return node.value(scope)
    except BadExpression as error:
        raise BadExpression(f"{text[:120]!r} cannot be filled in: {error}") from error
