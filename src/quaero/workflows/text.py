"""Definitions as text, in TOML or JSON, and the line of each thing that is wrong with one."""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any, Literal

from pydantic import ValidationError

from quaero.forms import said
from quaero.workflows.checking import problems
from quaero.workflows.definition import FORMS, Definition, Problem
from quaero.workflows.template import unreadable

Format = Literal["toml", "json"]
MOST_BYTES = 1_000_000
DEEPEST = 100
LARGEST = 2**63 - 1
MARK = "\ufeff"
"""What some editors put before a text to say that it is Unicode."""

# Possessive, so that no line costs more than its length.
_WORD = r"""(?:[A-Za-z0-9_-]++|"(?:[^"\\]|\\.)*+"|'[^']*+')"""
_DOT = r"[ \t]*+\.[ \t]*+"
_WORDS = rf"({_WORD}(?:{_DOT}{_WORD})*+)"
_HEADER = re.compile(rf"\s*+(\[\[?+)\s*+{_WORDS}")
_KEY = re.compile(rf"\s*+{_WORDS}\s*+=")
_PART = re.compile(r"""[A-Za-z0-9_-]++|"((?:[^"\\]|\\.)*+)"|'([^']*+)'""")
_TOKEN = re.compile(
    r"""(?P<word>[A-Za-z0-9_-]++|"(?:[^"\\]|\\.)*+"?+|'[^']*+'?+)
        |(?P<dot>\.)|[ \t]++|(?P<other>.)""",
    re.VERBOSE,
)
_SYNTAX = re.compile(r"\(at line (\d+), column (\d+)\)")

Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong in a text: its line, from 1, the field, and what to do.

    `line` is None where it has none; `place` are the keys and numbers that lead to the field.
    """

    line: int | None
    field: str
    text: str
    place: Place = ()

    @property
    def pointer(self) -> str:
        """The field as a JSON pointer (RFC 6901)."""
        return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in self.place)

    def __str__(self) -> str:
        at = "" if self.line is None else f"line {self.line}: "
        return f"{at}{self.field}: {self.text}" if self.field else f"{at}{self.text}"


@dataclass(frozen=True, slots=True)
class Checked:
    """A text as it was understood: the definition, if it can be run, else what is wrong."""

    definition: Definition | None
    faults: list[Fault]


def check(text: str, format_: Format, actions: Mapping[str, Any]) -> Checked:
    """Read a definition and look at everything in it. `actions` are the job types by name."""
    text = text.removeprefix(MARK)
    raw, fault = _parse(text, format_)
    if fault is not None:
        return Checked(None, [fault])
    if not isinstance(raw, dict):
        return Checked(None, [Fault(1, "", "a definition is an object with id and steps")])
    lines = lines_of(text, format_)
    if numbers := list(_unfit_numbers(raw)):
        return Checked(None, [_fault(each, lines) for each in numbers])
    try:
        definition = Definition.model_validate(raw)
    except ValidationError as error:
        return Checked(None, _in_order([*_told(error), *_unreadable(raw)], lines))
    faults = _in_order(problems(definition, actions), lines)
    return Checked(None if faults else definition, faults)


def located(problem: Problem, text: str, format_: Format) -> Fault:
    """What is wrong with a definition whose text could be read, with its line."""
    return _fault(problem, lines_of(text, format_))


def value_of(text: str, format_: Format) -> dict[str, Any] | None:
    """What a text says, whether or not that is a definition; None where it cannot be read."""
    raw, fault = _parse(text.removeprefix(MARK), format_)
    return raw if fault is None and isinstance(raw, dict) else None


def written(definition: Definition) -> str:
    """A definition as JSON, without what is as it would be anyway."""
    return definition.model_dump_json(indent=2, exclude_defaults=True) + "\n"


def _parse(text: str, format_: Format) -> tuple[Any, Fault | None]:
    if len(text.encode("utf-8", "surrogatepass")) > MOST_BYTES:
        return None, Fault(None, "", f"the text has more than {MOST_BYTES} bytes")
    try:
        if format_ == "toml":
            _refuse_long_keys(text)
            return _of_json(_usable(tomllib.loads(text))), None
        return _usable(json.loads(text, object_pairs_hook=_no_twice)), None
    except json.JSONDecodeError as error:
        return None, Fault(error.lineno, "", f"{error.msg} (column {error.colno})")
    except tomllib.TOMLDecodeError as error:
        found = _SYNTAX.search(str(error))
        line = int(found[1]) if found else text.removesuffix("\n").count("\n") + 1
        return None, Fault(line, "", _SYNTAX.sub("", str(error)).strip())
    except RecursionError:
        return None, Fault(None, "", "it is nested too deep")
    except ValueError as error:
        told = str(error)
        if "sys.set_int_max_str_digits" in told:
            told = "a number has more than 4300 digits; write it as a text"
        return None, Fault(None, "", told)


def _usable(value: Any) -> Any:
    """The same value. Raises `ValueError` where it is nested too deep or has half a character."""
    level, depth = [value], 0
    while level:
        if depth > DEEPEST:
            raise ValueError(f"it is nested deeper than {DEEPEST}")
        below: list[Any] = []
        for each in level:
            if isinstance(each, str):
                _refuse_halves(each)
            elif isinstance(each, dict):
                below += [*each, *each.values()]
            elif isinstance(each, list):
                below += each
        level, depth = below, depth + 1
    return value


def _of_json(value: Any) -> Any:
    """The same value with TOML's dates and times as texts, which is how JSON has them."""
    if isinstance(value, dict):
        return {key: _of_json(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_of_json(each) for each in value]
    return value.isoformat() if isinstance(value, date | time) else value


def _refuse_long_keys(text: str) -> None:
    """Raise `ValueError` for a key of more parts than a value may be deep.

    Python's reader of TOML takes time by the square of their number.
    """
    for number, line in enumerate(text.split("\n"), 1):
        if line.count(".") >= DEEPEST and _longest_key(line) > DEEPEST:
            raise ValueError(f"line {number}: a key has more than {DEEPEST} parts")


def _longest_key(line: str) -> int:
    """The most words with nothing but dots between them."""
    longest = parts = 0
    dotted = False
    for token in _TOKEN.finditer(line):
        if token.lastgroup == "word":
            parts = parts + 1 if dotted else 1
            longest = max(longest, parts)
        if token.lastgroup is not None:
            dotted = token.lastgroup == "dot"
    return longest


def _unfit_numbers(value: Any, place: Place = ()) -> Iterator[Problem]:
    """The numbers that no database can hold."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _unfit_numbers(each, (*place, key))
    elif isinstance(value, list):
        for at, each in enumerate(value):
            yield from _unfit_numbers(each, (*place, at))
    elif isinstance(value, float) and not math.isfinite(value):
        yield Problem(place, "this is no number, or one too large; write it as a text")
    elif isinstance(value, int) and abs(value) > LARGEST:
        yield Problem(place, "the number is too large; write it as a text")


def _refuse_halves(text: str) -> None:
    """Raise `ValueError` for half a surrogate pair, which no text can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"the text {text[:80]!a} has half a character; write \\u pairs") from None


def _no_twice(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        twice = next(name for name, count in counts.items() if count > 1)
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return made


def _told(error: ValidationError) -> list[Problem]:
    """What pydantic found, each place once, without the names of its alternatives."""
    found: dict[Place, str] = {}
    for each in error.errors(include_url=False):
        place = tuple(part for part in each["loc"] if part not in FORMS)
        text = said(each)
        if each["type"] == "model_type":
            text = "it is no object with names and values"
        found[place] = f"{found[place]}; or {text}" if place in found else text
    return [Problem(place, text) for place, text in found.items()]


def _unreadable(raw: Mapping[str, Any]) -> Iterator[Problem]:
    """The templates that cannot be read, of a definition that could not be understood either."""
    for group in ("pre_jobs", "steps", "post_jobs"):
        steps = raw.get(group)
        for number, step in enumerate(steps if isinstance(steps, list) else ()):
            config = step.get("config") if isinstance(step, dict) else None
            for place, why in unreadable(config):
                yield Problem((group, number, "config", *place), why)


def _in_order(found: Sequence[Problem], lines: Mapping[Place, int]) -> list[Fault]:
    return sorted((_fault(each, lines) for each in found), key=lambda fault: fault.line or 0)


def _fault(problem: Problem, lines: Mapping[Place, int]) -> Fault:
    place = problem.place
    while place and place not in lines:
        place = place[:-1]
    return Fault(lines.get(place), field_name(problem.place), problem.text, problem.place)


def field_name(place: Sequence[str | int]) -> str:
    """A place as people write it: `steps[2].config.url`."""
    made = ""
    for part in place:
        made += f"[{part}]" if isinstance(part, int) else f".{part}" if made else part
    return made


# -- where things stand


def lines_of(text: str, format_: Format) -> dict[Place, int]:
    """The line of each key of a text that can be read."""
    text = text.removeprefix(MARK)
    return toml_lines(text) if format_ == "toml" else json_lines(text)


def toml_lines(text: str) -> dict[Place, int]:
    """The line of each key and table of a TOML text that can be read.

    Keys inside inline tables and arrays have the line of the key these belong to.
    """
    lines: dict[Place, int] = {}
    tables: dict[Place, int] = {}
    here: Place = ()
    inside = ""
    depth = 0
    for number, line in enumerate(text.split("\n"), 1):
        if not inside and not depth:
            if header := _HEADER.match(line):
                here = _table(_parts(header[2]), tables, array=header[1] == "[[")
                lines.setdefault(here, number)
                continue
            if key := _KEY.match(line):
                parts = _parts(key[1])
                for length in range(1, len(parts) + 1):
                    lines.setdefault((*here, *parts[:length]), number)
                line = line[key.end() :]  # noqa: PLW2901 - what is left to be looked at
        inside, depth = _after(line, inside, depth)
    return lines


def _parts(text: str) -> list[str]:
    return [m[1] or m[2] or m[0] for m in _PART.finditer(text)]


def _table(parts: Sequence[str], tables: dict[Place, int], *, array: bool) -> Place:
    """The place of a header, with the number of the last element of each array of tables."""
    place: Place = ()
    for number, part in enumerate(parts):
        place = (*place, part)
        if array and number == len(parts) - 1:
            tables[place] = tables.get(place, -1) + 1
        if place in tables:
            place = (*place, tables[place])
    return place


def _after(line: str, inside: str, depth: int) -> tuple[str, int]:
    """Which long string, and how many brackets, are open at the end of a line."""
    at = 0
    while at < len(line):
        if inside:
            end = line.find(inside, at)
            if end < 0:
                return (inside, depth) if len(inside) > 1 else ("", depth)
            if inside[0] == '"' and _escaped(line, end):
                at = end + 1
                continue
            at, inside = end + len(inside), ""
            continue
        letter = line[at]
        if letter == "#":
            break
        if letter in "\"'":
            inside = letter * 3 if line.startswith(letter * 3, at) else letter
            at += len(inside)
            continue
        depth += (letter in "[{") - (letter in "]}")
        at += 1
    return (inside if len(inside) > 1 else ""), depth


def _escaped(line: str, at: int) -> bool:
    begin = at
    while begin and line[begin - 1] == "\\":
        begin -= 1
    return (at - begin) % 2 == 1


def json_lines(text: str) -> dict[Place, int]:
    """The line of each value of a JSON text that can be read."""
    return _JsonLines(text).found


class _JsonLines:
    """One walk over a JSON text that is known to be well formed."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.found: dict[Place, int] = {}
        self.line = 1
        self.seen = 0
        self._value(self._skip(0), ())

    def _skip(self, at: int) -> int:
        while at < len(self.text) and self.text[at] in " \t\r\n,:":
            at += 1
        return at

    def _note(self, at: int, place: Place) -> None:
        self.line += self.text.count("\n", self.seen, at)
        self.seen = at
        self.found.setdefault(place, self.line)

    def _value(self, at: int, place: Place) -> int:
        self._note(at, place)
        if self.text[at] == "{":
            return self._members(at + 1, place)
        if self.text[at] == "[":
            return self._items(at + 1, place)
        if self.text[at] == '"':
            return int(scanstring(self.text, at + 1)[1])
        while at < len(self.text) and self.text[at] not in ",]} \t\r\n":
            at += 1
        return at

    def _members(self, at: int, place: Place) -> int:
        while self.text[at := self._skip(at)] != "}":
            key, end = scanstring(self.text, at + 1)
            self._note(at, (*place, key))
            at = self._value(self._skip(end), (*place, key))
        return at + 1

    def _items(self, at: int, place: Place) -> int:
        number = 0
        while self.text[at := self._skip(at)] != "]":
            at = self._value(at, (*place, number))
            number += 1
        return at + 1
