"""What the interface takes and gives, as models: bodies are checked by them, answers described."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, WithJsonSchema

from quaero.api import examples
from quaero.api.fields import (
    ActionWord,
    Count,
    CursorText,
    Delay,
    Description,
    FailureWord,
    Flag,
    Id,
    LevelWord,
    Limit,
    Name,
    Payload,
    PhaseWord,
    Priority,
    Time,
)
from quaero.reports.wanted import JobFilter, Moment, OrderWord, StatusWord
from quaero.upkeep.bulk import MOST_IDS


class Body(BaseModel):
    """What a client sends: exactly these fields, of exactly these types."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Words(BaseModel):
    """The query of an address: exactly these words."""

    model_config = ConfigDict(extra="forbid")


class Answer(BaseModel):
    """What is answered. Nothing is checked by it; it is built when it is first described."""

    model_config = ConfigDict(defer_build=True)


def _example(value: dict[str, Any]) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [value]})


# -- problems


class FieldProblem(Answer):
    """What is wrong with one field, by its JSON pointer (RFC 6901).

    In a definition also by its name and its line.
    """

    pointer: str
    detail: str
    field: str | None = None
    line: int | None = None


class Problem(Answer):
    """An error (RFC 9457); `type` leads to its entry in the documentation."""

    model_config = _example(examples.PROBLEM)

    type: str
    title: str
    status: int
    detail: str
    instance: str | None = None
    errors: list[FieldProblem] = []
    count: int | None = None
    count_capped: bool | None = None


# -- jobs


class CountsModel(Answer):
    """Descendants by status; `done` have ended."""

    pending: int
    running: int
    completed: int
    failed: int
    cancelled: int
    total: int
    done: int


class JobItem(Answer):
    """A job as lists show it; `duration` and `wait` are seconds, `actions` what may be done now."""

    model_config = _example(examples.JOB_ITEM)

    id: int
    parent_id: int | None
    root_id: int
    depth: int
    type: str
    phase: PhaseWord
    name: str
    status: StatusWord
    priority: int
    attempt: int
    round: int
    rerun_of: int | None
    held: bool
    waiting: bool
    stopping: bool
    created_at: Time
    run_at: Time | None
    started_at: Time | None
    completed_at: Time | None
    duration: float | None
    wait: float | None
    progress_current: int | None
    progress_total: int | None
    progress_text: str | None
    counts: CountsModel
    warnings: int
    error: str | None
    actions: list[ActionWord]


class AttemptModel(Answer):
    """An attempt that did not end well."""

    attempt: int
    round: int
    started_at: Time | None
    ended_at: Time
    outcome: str
    error: str | None


class Levels(Answer):
    """Log entries by level."""

    debug: int
    info: int
    warn: int
    error: int


class NeedModel(Answer):
    """A job that another needs; `met` once it has ended well, or with `any_end` just ended."""

    id: int
    name: str
    status: StatusWord
    any_end: bool
    met: bool


class Job(JobItem):
    """All that is known of a job; counts that are `…_capped` go on beyond 10,000.

    `needs` are the jobs that had to end, or have to, before this one may start.
    """

    model_config = _example(examples.JOB)

    description: str | None
    payload: JsonValue
    result: JsonValue
    attempts: list[AttemptModel]
    max_child_failures: int
    failure_action: FailureWord
    needs: list[NeedModel]
    logs_count: Levels
    logs_capped: bool
    documents: int
    documents_capped: bool


class TotalModel(Answer):
    """How many match; with `capped` at least so many."""

    count: int
    capped: bool


class JobList(Answer):
    """A page of jobs.

    With `searched` the page ended because many rows were looked at: there may be more behind
    `next_cursor`, though few or none are here.
    """

    items: list[JobItem]
    next_cursor: str | None
    searched: bool
    total: TotalModel | None = None


class JobWords(JobFilter):
    """Which jobs to list, and how."""

    order: OrderWord = "-created"
    count: Annotated[Flag, Field(description="Also say how many match.")] = False
    limit: Limit = 50
    cursor: CursorText = None

    @property
    def wanted(self) -> JobFilter:
        """The filter alone."""
        return JobFilter.model_construct(
            **{name: getattr(self, name) for name in JobFilter.model_fields}
        )


class NewJob(Body):
    """A job to create; `run_at` is when it may start at the earliest.

    With `parent_id` it becomes a child of that job, which has not ended, in the `phase` named.
    """

    model_config = ConfigDict(
        extra="forbid", strict=True, json_schema_extra={"examples": [examples.NEW_JOB]}
    )

    type: Annotated[str, Field(min_length=1, max_length=200)]
    payload: Payload = {}
    parent_id: Id | None = None
    phase: PhaseWord = "core"
    name: Name | None = None
    description: Description | None = None
    priority: Priority = 0
    run_at: Moment | None = None
    max_child_failures: Count = 0
    failure_action: FailureWord = "continue"


class JobPatch(Body):
    """What to change of a job (RFC 7396); a description of null is removed."""

    model_config = ConfigDict(
        extra="forbid", strict=True, json_schema_extra={"examples": [{"priority": 9}]}
    )

    name: Name = ""
    description: Description | None = None
    priority: Priority = 0


class Again(Body):
    """Another payload, in place of the job's own."""

    model_config = ConfigDict(
        extra="forbid", strict=True,
        json_schema_extra={"examples": [{"payload": {"seeds": ["https://docs.example.org/"]}}]},
    )  # fmt: skip

    payload: Payload | None = None


class Reason(Body):
    """Why a job is ended by hand."""

    model_config = ConfigDict(
        extra="forbid", strict=True, json_schema_extra={"examples": [{"reason": "the site moved"}]}
    )

    reason: Annotated[str, Field(min_length=1, max_length=10_000)]


class Bulk(Body):
    """What to do to which jobs: those with `ids`, else those that fit `filter`.

    `expected_count` is the number that was shown: where more match, nothing is done and a 409
    says how many. With null any number is meant.
    """

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [
                {"action": "retry", "filter": {"status": ["failed"]}, "expected_count": 12}
            ],
            "oneOf": [{"required": ["ids"]}, {"required": ["filter"]}],
        },
    )

    action: Literal["retry", "cancel", "delete", "priority"]
    priority: Priority = 0
    filter: JobFilter = JobFilter()
    ids: Annotated[list[Id], Field(min_length=1, max_length=MOST_IDS)] = []
    expected_count: Count | None
    delay: Delay = 0.0


# -- logs


class LogEntry(Answer):
    """One entry of a job's log."""

    model_config = _example(examples.LOG_LINE)

    id: int
    job_id: int
    attempt: int
    at: Time
    level: LevelWord
    message: str
    fields: JsonValue
    type: str
    name: str


class LogList(Answer):
    """Entries of a log, and how many there are of each level.

    With `searched` many entries were looked at and the search ended: `next_after` goes on.
    """

    items: list[LogEntry]
    next_after: int | None
    counts: Levels
    counts_capped: bool
    searched: bool


JsonSchema = Annotated[dict[str, Any], WithJsonSchema({"type": "object"})]


class JobTypeModel(Answer):
    """A kind of job; `schema` describes its payload, `timeout` is in seconds and for an attempt.

    One that is `part_of` another is made by that one, and cannot be created or copied by itself.
    """

    name: str
    title: str
    description: str
    schema_: Annotated[JsonSchema, Field(alias="schema")]
    timeout: float
    part_of: str | None


# -- documents


class DocumentItem(Answer):
    """A document as lists show it; `published` and `modified` are as the page gave them."""

    model_config = _example(examples.DOCUMENT)

    id: int
    source_id: int
    url: str
    site: str
    source_type: str
    entity_type: str
    title: str
    description: str | None
    language: str | None
    author: str | None
    published: str | None
    modified: str | None
    words: int
    bytes: int
    detail_level: Literal["metadata", "full"]
    version: int
    first_seen: Time
    fetched_at: Time
    changed_at: Time
    gone_at: Time | None
    job_id: int | None
    root_id: int | None
    tags: list[str]


# -- the queue


class RunningModel(Answer):
    """A job in a worker's slot."""

    job_id: int
    name: str
    type: str
    since: Time | None


class WorkerModel(Answer):
    """A worker process; `slots` is how many jobs it runs at once."""

    id: int
    pid: int
    host: str
    started_at: Time
    alive: bool
    slots: int
    running: list[RunningModel]


class LaneModel(Answer):
    """A lane: messages of one key, with a limit and an interval between starts."""

    key: str
    ready: int
    running: int
    max_running: int
    min_interval_seconds: float
    state: Literal["empty", "open", "full", "cooling"]
    next_start_in_seconds: float
