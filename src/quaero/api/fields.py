"""The values that bodies and addresses are made of: how numbers, names and flags are written."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, JsonValue

from quaero.api import cursors
from quaero.forms import ONE_LINE, TEXT
from quaero.reports.wanted import LARGEST_ID
from quaero.upkeep.bulk import HIGHEST_PRIORITY


def _whole(value: object) -> object:
    """A number as an integer where it is one: JSON does not tell 5.0 from 5."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


_NUMBER = re.compile(r"0|-?[1-9][0-9]*", re.ASCII)

Whole = Annotated[int, BeforeValidator(_whole)]
Id = Annotated[Whole, Field(ge=1, le=LARGEST_ID)]
Count = Annotated[Whole, Field(ge=0, le=LARGEST_ID)]
Delay = Annotated[
    float,
    Field(
        ge=0,
        le=3_600,
        description="Seconds until it begins. Until then nothing is done, and cancelling the job "
        "that is answered takes all of it back.",
    ),
]
Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
Name = Annotated[
    str,
    Field(
        min_length=1,
        max_length=1_000,
        pattern=ONE_LINE,
        description="One line of text: no control characters, and not only blanks.",
    ),
]
Description = Annotated[
    str,
    Field(
        max_length=100_000,
        pattern=TEXT,
        description="Text, without control characters but tabs and ends of lines.",
    ),
]
Priority = Annotated[Whole, Field(ge=-HIGHEST_PRIORITY, le=HIGHEST_PRIORITY)]
ActionWord = Literal["cancel", "fail", "start", "retry", "rerun", "copy", "delete", "update"]
LevelWord = Literal["debug", "info", "warn", "error"]
FailureWord = Literal["continue", "mark_warning", "stop_all"]
PhaseWord = Literal["pre", "core", "post"]
Payload = Annotated[
    dict[str, JsonValue], Field(description="What the job is told, as its type asks.")
]


def _flag(value: object) -> object:
    """`true` or `false`, and no other word for them."""
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value


Flag = Annotated[bool, Field(strict=True), BeforeValidator(_flag)]


def _digits(value: object) -> object:
    """A number of an address as it is written in one way only: not 1.0, 01, 1_000 or +1."""
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        raise ValueError("must be a whole number, written with digits only")
    return value


InAddress = Annotated[int, BeforeValidator(_digits)]
Limit = Annotated[InAddress, Field(ge=1, le=200, description="Items of a page, at most.")]
CursorText = Annotated[
    str | None,
    Field(pattern=cursors.PATTERN, description="`next_cursor` of the page before."),
]
