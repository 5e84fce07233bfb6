"""Which jobs somebody wants to see: the words of a filter, as the API and bulk actions use them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema

from quaero.clock import SECOND
from quaero.forms import PARENT
from quaero.jobs.model import Status

LONGEST_TEXT = 200
LARGEST_ID = 2**63 - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOMENT = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt](\d{2}:\d{2}:\d{2})(?:\.(\d+))?([Zz]|[+-]\d{2}:\d{2})", re.ASCII
)

StatusWord = Literal["pending", "running", "completed", "failed", "cancelled"]
OrderWord = Literal[
    "created", "-created", "started", "-started", "finished", "-finished", "duration", "-duration"
]


def moment(value: object) -> int:
    """A wall time in microseconds from RFC 3339 (section 5.6). Raises `ValueError`."""
    match = _MOMENT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("must be a time such as 2026-11-22T06:30:00Z")
    day, time, fraction, zone = match.groups()
    text = f"{day}T{time}.{(fraction or '0')[:6]:0<6}{zone.upper().replace('Z', '+00:00')}"
    if time.endswith(":60"):  # a leap second
        text = f"{day}T{time[:-2]}59.999999{text[26:]}"
    try:
        since = datetime.fromisoformat(text).astimezone(UTC) - _EPOCH
    except (ValueError, OverflowError) as error:
        raise ValueError(f"is no time there is: {error}") from error
    return (since.days * 86_400 + since.seconds) * SECOND + since.microseconds


def written(micros: int) -> str:
    """A wall time as `moment` reads it."""
    text = (_EPOCH + timedelta(microseconds=micros)).isoformat(timespec="microseconds")
    return text.replace("+00:00", "Z")


Moment = Annotated[
    int,
    BeforeValidator(moment),
    PlainSerializer(written),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
Word = Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT)]


class JobFilter(BaseModel):
    """Which jobs: those for which all that is said holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    status: Annotated[
        list[StatusWord], Field(max_length=5, description="One of these, or any.")
    ] = []
    type: Annotated[Word | None, Field(description="Of this job type.")] = None
    source_type: Annotated[Word | None, Field(description="Whose payload says so.")] = None
    entity_type: Annotated[Word | None, Field(description="Whose payload says so.")] = None
    source: Annotated[
        Word | None, Field(description="Runs of the source with this name, or this id.")
    ] = None
    parent: Annotated[
        str,
        Field(
            pattern=PARENT,
            description="`root`: top-level jobs; `any`: all; an id: the children of that job.",
        ),
    ] = "root"
    text: Annotated[
        Word | None, Field(description="Whose name or error contains this, in any case.")
    ] = None
    created_after: Annotated[Moment | None, Field(description="Created then or later.")] = None
    created_before: Annotated[Moment | None, Field(description="Created earlier than that.")] = None
    completed_after: Annotated[Moment | None, Field(description="Ended then or later.")] = None
    completed_before: Annotated[Moment | None, Field(description="Ended earlier than that.")] = None

    @property
    def only_ended(self) -> bool:
        """Whether a time is asked for that only jobs have that have ended."""
        return self.completed_after is not None or self.completed_before is not None

    @property
    def statuses(self) -> tuple[Status, ...]:
        """The wanted statuses, each once; empty for any."""
        return tuple(sorted({Status[word.upper()] for word in self.status}))

    @property
    def parent_id(self) -> int | None:
        """The job whose children are wanted, if it is those of one."""
        return int(self.parent) if self.parent.isdigit() else None
