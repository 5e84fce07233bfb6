"""What the interface takes and gives for workflows: definitions, runs, steps and schedules."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, JsonValue

from quaero.api import flow_examples as examples
from quaero.api.fields import CursorText, Flag, Limit, Priority, Time
from quaero.api.models import Answer, Body, JobItem, JsonSchema, Words
from quaero.reports.wanted import StatusWord

CauseWord = Literal["manual", "schedule", "start"]
FormatWord = Literal["toml", "json"]
Object = Annotated[JsonSchema, Field(description="A definition as JSON has it.")]


class PastRun(Answer):
    """A run as a strip of runs shows it; `duration` is in seconds."""

    id: int
    status: StatusWord
    warnings: int
    cause: CauseWord
    began_at: Time
    completed_at: Time | None
    duration: float | None


class ScheduleModel(Answer):
    """A schedule as it stands.

    `words` is when it is due as people say it, `next` the coming due times. `missed` says what
    becomes of times at which nothing was running for 60 s from then on, `overlap` of those at which
    a run was under way.
    `blocked`: a run is due and waits. `last_note` says what became of the last due time where that
    was no run; `left_out` counts the times that were skipped.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [examples.SCHEDULE]})

    definition_id: str
    name: str
    enabled: bool
    cron: str
    timezone: str
    words: str
    missed: Literal["once", "all", "skip"]
    overlap: Literal["skip", "wait", "allow"]
    paused: bool
    blocked: bool
    next_at: Time | None
    next: list[Time]
    last_at: Time | None
    last_run_id: int | None
    last_note: str | None
    left_out: int


class DefinitionItem(Answer):
    """A definition as lists show it.

    `origin`: made by somebody (`own`), of a file of the definitions' folder (`file`, at `path`), or
    shipped with the program and not changed (`ready`). `actions` are the steps' job types by the
    steps' names, `runs` the newest runs. `problem` is why the file's present text, or the stored
    one, cannot be run.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [examples.DEFINITION_ITEM]})

    id: str
    name: str
    description: str
    type: str
    tags: list[str]
    origin: Literal["own", "file", "ready"]
    format: FormatWord
    path: str | None
    enabled: bool
    auto_start: bool
    actions: dict[str, str]
    schedule: ScheduleModel | None
    runs: list[PastRun]
    problem: str | None
    created_at: Time
    changed_at: Time
    rev: int


class DefinitionModel(DefinitionItem):
    """A definition with its text, and what that says; `ETag` is its `rev`."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.DEFINITION]})

    text: str
    value: Object


class FileModel(Answer):
    """A file of the definitions' folder that is not in force as it is, and why."""

    path: str
    definition_id: str | None
    problem: str


class DefinitionList(Answer):
    """A page of definitions, by id; `files` are those that cannot be understood."""

    items: list[DefinitionItem]
    files: list[FileModel]
    next_cursor: str | None


class FaultModel(Answer):
    """Something wrong in a definition: where, and what to do. `line` counts from 1."""

    line: int | None
    field: str
    pointer: str
    detail: str


class Verdict(Answer):
    """Whether a text is a definition that can be run, all that is wrong with it, and its value."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.VERDICT]})

    valid: bool
    faults: list[FaultModel]
    value: Object | None


class Rewritten(Verdict):
    """A value as text, and what a validation of that says."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{**examples.VERDICT, "text": examples.TEXT}]}
    )

    text: str


class ToWrite(Body):
    """A value to write as text; `text` is the one before, whose comments stay."""

    model_config = ConfigDict(
        extra="forbid", strict=True, json_schema_extra={"examples": [examples.TO_WRITE]}
    )

    value: dict[str, JsonValue]
    format: FormatWord
    text: str = ""


class Switch(Body):
    """Whether runs may begin (a merge patch, RFC 7396)."""

    model_config = ConfigDict(
        extra="forbid", strict=True, json_schema_extra={"examples": [{"enabled": False}]}
    )

    enabled: bool


class Execute(Body):
    """The values of a run's parameters; those not named have their defaults."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"examples": [{"parameters": {"seed": "https://docs.example.org/"}}]},
    )

    parameters: Annotated[dict[str, JsonValue], Field(default_factory=dict)]
    priority: Priority = 0


class RunModel(Answer):
    """A run: its job, what began it, and the time at which it was due, if it was."""

    job: JobItem
    cause: CauseWord
    began_at: Time
    due_at: Time | None


class RunList(Answer):
    """A page of runs, newest first."""

    items: list[RunModel]
    next_cursor: str | None


class ScheduleList(Answer):
    """A page of schedules, by the ids of their definitions."""

    items: list[ScheduleModel]
    next_cursor: str | None


class StepModel(Answer):
    """A step of a run, and its job, null where the run has not made it yet.

    `needs` are steps of its phase that end before it starts; `waiting_for` are those that it still
    waits for, of an earlier phase too. `outcome` is `skipped` where its condition did not hold;
    `each` tells that it goes over items.
    """

    name: str
    phase: Literal["pre", "core", "post"]
    action: str
    description: str
    condition: str | None
    on_error: Literal["fail", "continue", "retry"]
    each: bool
    needs: list[str]
    waiting_for: list[str]
    outcome: Literal["begun", "skipped"] | None
    job: JobItem | None


class Steps(Answer):
    """The steps of a run, as its definition was when it began."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.STEPS]})

    definition_id: str
    items: list[StepModel]


class Pages(Words):
    """A page of a list."""

    limit: Limit = 50
    cursor: CursorText = None


class ExportWords(Words):
    """In which format; as it is stored where none is named."""

    format: FormatWord | None = None


class UploadWords(Words):
    """Whether a definition of that id may be replaced, where there is one."""

    replace: Flag = False
