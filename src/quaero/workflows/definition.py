"""What a workflow is: its steps, parameters, schedule and tolerance, as people write them.

What is read here has the right form, field by field. That it can also be run - its names are known,
its graph has no cycle, its steps read only what is there - is looked at by `checking`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from graphlib import TopologicalSorter
from typing import Annotated, Any, Literal, NamedTuple, Self
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    model_validator,
)
from pydantic import Tag as Form

from quaero import forms
from quaero.errors import BadPayload
from quaero.settings.units import parse_duration
from quaero.workflows.cron import check_cron
from quaero.workflows.expression import Node
from quaero.workflows.parser import parse
from quaero.workflows.template import expressions

MOST_STEPS = 500
MOST_ITEMS = 100_000
LONGEST_RUN = 366 * 86_400.0

Kind = Literal["string", "integer", "number", "boolean", "list", "object"]
_KINDS: dict[str, tuple[type, ...]] = {
    "string": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,),
    "list": (list,), "object": (dict,),
}  # fmt: skip


class Problem(NamedTuple):
    """Something wrong in a definition: where (keys and numbers from the top), and what to do."""

    place: tuple[str | int, ...]
    text: str


class Written(BaseModel):
    """A part of a definition: no key that is not known, nothing changed after it was read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _seconds(value: object) -> float:
    if isinstance(value, str):
        return parse_duration(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    raise ValueError("a duration is written 500ms, 30s, 5m, 2h or 1d")


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(
            f"{value!r} is no time zone; use a name such as Europe/Berlin, or UTC"
        ) from error
    return value


def _cron(value: str) -> str:
    check_cron(value)
    return value


def _readable(value: str) -> str:
    parse(value)
    return value


Seconds = Annotated[float, Field(gt=0, le=LONGEST_RUN), BeforeValidator(_seconds)]
Slug = Annotated[str, StringConstraints(pattern=forms.DEFINITION_ID)]
Word = Annotated[str, StringConstraints(pattern=forms.WORD)]
Line = Annotated[str, StringConstraints(max_length=200, pattern=forms.LINE)]
Text = Annotated[str, StringConstraints(max_length=10_000, pattern=forms.WITHOUT_NUL)]
Tag = Annotated[str, StringConstraints(min_length=1, max_length=60, pattern=forms.TAG)]
Expression = Annotated[str, AfterValidator(_readable)]


class Parameter(Written):
    """A value that a run is given: its kind, and what it is where none is given."""

    type: Kind = "string"
    default: Any = None
    description: Text = ""
    required: bool = False
    choices: Annotated[list[Any], Field(max_length=200)] = []

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.required and self.default is not None:
            raise ValueError("a required parameter has no default; leave one of the two out")
        if self.default is not None and (why := self.refusal(self.default)):
            raise ValueError(f"default: {why}")
        for choice in self.choices:
            if why := self.refusal(choice):
                raise ValueError(f"choices: {why}")
        return self

    def refusal(self, value: Any) -> str | None:
        """Why a value cannot be this parameter's; None if it can."""
        fits = isinstance(value, _KINDS[self.type])
        if isinstance(value, bool) and self.type != "boolean":
            fits = False
        if not fits:
            return f"{value!r} is no {self.type}"
        if self.choices and value not in self.choices:
            return f"{value!r} is none of {', '.join(map(repr, self.choices))}"
        return None


class Documents(Written):
    """Documents to go over, in the order of their ids: those that a search or its parts find."""

    query: Line = ""
    source: Line = ""
    type: Line = ""
    tag: Line = ""
    limit: Annotated[int, Field(ge=1, le=MOST_ITEMS)] = 10_000


class Sources(Written):
    """Sources to go over, by name: those of a kind, those with a tag, those that are enabled."""

    kind: Line = ""
    tag: Line = ""
    enabled: bool = True


class Query(Written):
    """What to go over: the rows of a query."""

    documents: Documents | None = None
    sources: Sources | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.documents is None) is (self.sources is None):
            raise ValueError("a query is for documents or for sources, one of the two")
        return self


FORMS: dict[str, type | tuple[type, ...]] = {
    "(expression)": str, "(list)": list, "(query)": (dict, Query),
}  # fmt: skip
"""What `for_each` may be; the names stand in the places that pydantic tells of."""


def _form(value: object) -> str | None:
    return next((name for name, kinds in FORMS.items() if isinstance(value, kinds)), None)


ForEach = Annotated[
    Annotated[Expression, Form("(expression)")]
    | Annotated[list[Any], Field(max_length=MOST_ITEMS), Form("(list)")]
    | Annotated[Query, Form("(query)")],
    Discriminator(
        _form,
        custom_error_type="for_each",
        custom_error_message="it is an expression, a list, or a query such as "
        '{ documents = { tag = "docs" } }',
    ),
]


class Step(Written):
    """One job of a run, or one for each item.

    `config` is the payload of the job type `action`; its texts may hold `{{ }}`. What `depends_on`
    names must have ended well, or with `on_error = "continue"` just ended. `retry` runs the step up
    to `retries` times again, first after `backoff`, then after twice as long each time.
    """

    name: Word
    action: Annotated[str, StringConstraints(pattern=forms.ACTION)]
    description: Text = ""
    config: dict[str, Any] = {}
    depends_on: Annotated[list[Word], Field(max_length=MOST_STEPS)] = []
    on_error: Literal["fail", "continue", "retry"] = "fail"
    retries: Annotated[int, Field(ge=1, le=100)] | None = None
    backoff: Seconds | None = None
    condition: Expression | None = None
    for_each: ForEach | None = None
    max_parallel: Annotated[int, Field(ge=1, le=1_000)] | None = None
    timeout: Seconds | None = None
    max_child_failures: Annotated[int, Field(ge=0)] = 0
    failure_action: Literal["continue", "mark_warning", "stop_all"] = "continue"
    priority: Annotated[int, Field(ge=-1_000_000, le=1_000_000)] | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.on_error != "retry" and (self.retries is not None or self.backoff is not None):
            raise ValueError('retries and backoff go with on_error = "retry", and only with it')
        if self.max_parallel is not None and self.for_each is None:
            raise ValueError("max_parallel goes with for_each: a single job is never two at once")
        return self

    def templates(self) -> Iterator[tuple[str, Any]]:
        """The fields whose texts may hold templates, with their values."""
        yield "config", self.config
        if isinstance(self.for_each, Query):
            yield "for_each", self.for_each.model_dump(exclude_none=True)
        elif isinstance(self.for_each, list):
            yield "for_each", self.for_each

    def reads(self) -> Iterator[tuple[tuple[str | int, ...], Node]]:
        """The expressions of the step that can be read, each with its place in it."""
        for field, value in self.templates():
            for place, node in expressions(value):
                yield (field, *place), node
        if self.condition is not None:
            yield ("condition",), parse(self.condition)
        if isinstance(self.for_each, str):
            yield ("for_each",), parse(self.for_each)


class Schedule(Written):
    """When runs begin by themselves.

    `missed` says what becomes of times at which nothing was running: one run for all of them, one
    for each, or none. A time that is at most 60 s past begins its run all the same.
    `overlap`: a run that is due while another is under way is left out, waits for the other's end,
    or begins beside it.
    """

    cron: Annotated[str, AfterValidator(_cron)]
    timezone: Annotated[str, AfterValidator(_zone)] = "UTC"
    missed: Literal["once", "all", "skip"] = "once"
    overlap: Literal["skip", "wait", "allow"] = "skip"

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.missed == "all" and self.overlap == "skip":
            raise ValueError(
                'missed = "all" begins runs that overlap; with it overlap is "wait" or "allow"'
            )
        return self


class Tolerance(Written):
    """How many jobs of a run may fail (0: any number), and what happens with one more."""

    max_child_failures: Annotated[int, Field(ge=0)] = 0
    failure_action: Literal["continue", "mark_warning", "stop_all"] = "continue"


Steps = Annotated[list[Step], Field(max_length=MOST_STEPS)]


class Definition(Written):
    """A workflow."""

    id: Slug
    name: Line = ""
    description: Text = ""
    type: Line = ""
    tags: Annotated[list[Tag], Field(max_length=50)] = []
    parameters: dict[Word, Parameter] = {}
    sources: Annotated[list[Line], Field(max_length=1_000)] = []
    steps: Annotated[list[Step], Field(min_length=1, max_length=MOST_STEPS)]
    pre_jobs: Steps = []
    post_jobs: Steps = []
    schedule: Schedule | None = None
    timeout: Seconds | None = None
    error_tolerance: Tolerance = Tolerance()
    enabled: bool = True
    auto_start: bool = False

    @property
    def title(self) -> str:
        """Its name, or its id where it has none."""
        return self.name or self.id

    def groups(self) -> dict[str, list[Step]]:
        """The steps by phase, in the order of the phases."""
        return {"pre_jobs": self.pre_jobs, "steps": self.steps, "post_jobs": self.post_jobs}

    def step(self, name: str) -> Step:
        """The step of that name. Raises `KeyError`."""
        for steps in self.groups().values():
            for step in steps:
                if step.name == name:
                    return step
        raise KeyError(name)

    def parameters_with(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """All parameters, as given or by default.

        Raises `BadPayload` naming those that are not known, are missing, or do not fit.
        """
        known = ", ".join(self.parameters) or "none"
        wrong = {
            name: f"there is no parameter {name!r}; there are {known}"
            for name in given
            if name not in self.parameters
        }
        made: dict[str, Any] = {}
        for name, parameter in self.parameters.items():
            if given.get(name) is None:
                if parameter.required:
                    wrong[name] = f"the parameter {name!r} is missing"
                made[name] = parameter.default
                continue
            if why := parameter.refusal(given[name]):
                wrong[name] = f"parameter {name!r}: {why}"
            made[name] = given[name]
        if wrong:
            fields = [
                {"pointer": f"/parameters/{name}", "detail": why} for name, why in wrong.items()
            ]
            raise BadPayload("; ".join(wrong.values()), fields)
        return made

    def called(self) -> set[str]:
        """The ids of the definitions that steps of this one run."""
        return {called for called, _ in self.calls()}

    def calls(self) -> Iterator[tuple[str, tuple[str | int, ...]]]:
        """The ids of the definitions that steps run, each with the place that names it."""
        for group, steps in self.groups().items():
            for number, step in enumerate(steps):
                if step.action == "workflow":
                    place = (group, number, "config", "definition")
                    yield str(step.config.get("definition")), place


def in_order(steps: Sequence[Step]) -> list[Step]:
    """Steps so that each comes after those it depends on, else as written.

    Raises `CycleError` for steps that wait for one another.
    """
    by_name = {step.name: step for step in steps}
    place = {step.name: number for number, step in enumerate(steps)}
    graph = TopologicalSorter(
        {step.name: sorted(step.depends_on, key=lambda name: place[name]) for step in steps}
    )
    graph.prepare()
    order: list[Step] = []
    ready = sorted(graph.get_ready(), key=place.__getitem__)
    while ready:
        name = ready.pop(0)
        order.append(by_name[name])
        graph.done(name)
        ready = sorted([*ready, *graph.get_ready()], key=place.__getitem__)
    return order
