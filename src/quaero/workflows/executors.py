"""The executors of workflows: `workflow` is a run, `workflow_step` one step of it.

A run makes its steps jobs that need one another, in one transaction; from then on the state machine
of jobs does the rest: the end of what a step needs is what starts it. A step looks at the results
it reads, fills in its configuration and makes the jobs that do the work. It ends with the last of
them. Nothing of a run is kept in memory, and nobody asks whether something has ended.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from itertools import islice
from typing import Annotated, Any, Literal, NamedTuple, Protocol

import msgspec
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from quaero.clock import SECOND, rfc3339
from quaero.db.contract import Database, ReadTx, Tx
from quaero.errors import BadInput, BadPayload, NotFound, Permanent
from quaero.forms import said
from quaero.jobs.deadlines import limit_time
from quaero.jobs.model import FailureAction, JobRow, JobSpec, Need, Phase
from quaero.jobs.places import lane_of_children
from quaero.jobs.reopen import portions, reopen
from quaero.jobs.run import Effect
from quaero.jobs.steer import SLICE
from quaero.queue.message import UPKEEP, Lane
from quaero.work.context import JobContext
from quaero.work.registry import JobType, Registry, Result
from quaero.workflows.checking import structure
from quaero.workflows.definition import MOST_ITEMS, Definition, Query, Step, in_order
from quaero.workflows.expression import Path, Scope, truth
from quaero.workflows.parser import parse
from quaero.workflows.results import outcomes
from quaero.workflows.template import fill
from quaero.workflows.text import field_name

RUN, STEP = "workflow", "workflow_step"
AT_ONCE = 500
RUNS_AT_HAND = 8  # whose definitions need not be read again for each step
BACKOFF = 30.0
_PHASES = {"pre_jobs": Phase.PRE, "steps": Phase.CORE, "post_jobs": Phase.POST}


class Workflow(BaseModel):
    """A run: the definition as it was when the run began, and the values of its parameters.

    `definitions` are those that its steps run, by id. `trigger` says what began it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    definition: Definition
    parameters: dict[str, JsonValue] = {}
    definitions: dict[str, Definition] = {}
    trigger: Literal["manual", "schedule", "start", "step"] = "manual"
    due_at: Annotated[int | None, Field(ge=0)] = None


class WorkflowStep(BaseModel):
    """A step of the run that is its parent, by its name.

    One that goes over a list or a query keeps here how many jobs it has made, and of a query the id
    that it has come to (None at the end). So it goes on from there after a crash and when it is
    tried again, whatever has become of what the query finds, or of the jobs.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    step: str
    made: Annotated[int, Field(ge=0)] = 0
    after: Annotated[int, Field(ge=0)] | None = 0


class Rows(Protocol):
    """Finds what a query goes over, as values of JSON, a page at a time."""

    def __call__(
        self, tx: ReadTx, query: Query, after: int, limit: int
    ) -> tuple[list[Any], int | None]:
        """The rows after a place, and the place to go on from; None at the end."""
        ...


RUN_TYPE = JobType(RUN, Workflow)
STEP_TYPE = JobType(STEP, WorkflowStep, timeout=3_600.0, part_of=RUN)


class WorkflowExecutors:
    """The job types of workflows over one database, whose steps do what `registry` knows."""

    def __init__(self, db: Database, registry: Registry, rows: Rows) -> None:
        self._db = db
        self._registry = registry
        self._rows = rows
        self._read = lru_cache(RUNS_AT_HAND)(Workflow.model_validate_json)

    def job_types(self) -> tuple[JobType[Any], ...]:
        """`workflow` and `workflow_step`."""
        return (
            replace(RUN_TYPE, run=self.begin),
            replace(STEP_TYPE, run=self.step),
        )

    async def begin(self, job: JobContext, wanted: Workflow) -> Result:
        """Make jobs of all steps, with what each needs."""
        definition = wanted.definition
        try:
            definition.parameters_with(wanted.parameters)
        except BadInput as error:
            raise Permanent(str(error)) from error
        if found := structure(definition):
            told = (f"{field_name(each.place)}: {each.text}" for each in found[:10])
            raise Permanent(f"the definition {definition.id!r} cannot be run: {'; '.join(told)}")
        specs = list(_specs(definition, self._registry.known()))
        job.spawn(*specs)
        tolerance = definition.error_tolerance
        action = FailureAction[tolerance.failure_action.upper()]
        effects: list[Effect] = [partial(_tolerate, tolerance.max_child_failures, action)]
        if definition.timeout is not None:
            effects.append(partial(_limit_time, definition.timeout))
        return Result({"definition": definition.id, "steps": len(specs)}, effects)

    async def step(self, job: JobContext, payload: WorkflowStep) -> Result:
        """Make the jobs of a step, unless its condition does not hold."""
        if job.parent_id is None:
            raise Permanent("a step belongs to a run: start a workflow, not its step")
        run = await self._db.read(_look, job.parent_id, job.id)
        wanted = self._read(run.payload)
        try:
            step = wanted.definition.step(payload.step)
        except KeyError as error:
            raise Permanent(f"the run has no step {payload.step!r}") from error
        effects: list[Effect] = []
        if step.timeout is not None:
            effects.append(partial(_limit_time, step.timeout))
        if run.jobs and job.state is None:
            await self._again(job, run.jobs)
        try:
            scope = await self._scope(run, wanted, step)
            if step.condition is not None and not truth(parse(step.condition).value(scope)):
                job.log.info("skipped: its condition does not hold", condition=step.condition)
                return Result({"outcome": "skipped"}, effects)
            count = await self._make(job, wanted, payload, scope, run.jobs)
        except BadPayload as error:
            raise Permanent(f"the config of {step.name!r} does not fit: {error}") from error
        except (BadInput, NotFound) as error:
            raise Permanent(str(error)) from error
        return Result({"outcome": "begun", "jobs": count}, effects)

    async def _again(self, job: JobContext, made: int) -> None:
        """Open the failed jobs of an earlier try again, under the lease of this one."""
        for ids in await self._db.read(portions, job.id, SLICE):
            await job.commit(partial(_reopen, ids))
        await job.checkpoint({"made": made})

    # -- what a step knows

    async def _scope(self, run: _Run, wanted: Workflow, step: Step) -> dict[str, Any]:
        read = {path for _, node in step.reads() for path in node.paths()}
        named = _read_of_steps(read)
        results = await self._db.read(outcomes, run.id, named) if named else {}
        definition = wanted.definition
        return {
            "parameters": definition.parameters_with(wanted.parameters),
            "steps": results,
            "sources": list(definition.sources),
            "run": {
                "id": run.id,
                "definition": definition.id,
                "name": definition.title,
                "trigger": wanted.trigger,
                "started_at": rfc3339(run.created_at),
                "due_at": None if wanted.due_at is None else rfc3339(wanted.due_at),
            },
        }

    # -- what a step makes

    async def _make(
        self, job: JobContext, wanted: Workflow, payload: WorkflowStep, scope: dict[str, Any],
        there: int,
    ) -> int:  # fmt: skip
        """Create the jobs of a step; `there` are from an earlier try. Returns how many it has."""
        step = wanted.definition.step(payload.step)
        if step.for_each is None:
            if not there:
                job.spawn(self._spec(job, wanted, step, scope, step.name))
            return 1
        if not there:  # made anew with the payload of a step that had come to its end, perhaps
            payload = WorkflowStep(step=payload.step)
        made = max(there, payload.made)
        number = payload.made if isinstance(step.for_each, Query) else 0
        async for items, after in self._items(step, scope, payload):
            fresh = [(number + n, item) for n, item in enumerate(items) if number + n >= made]
            number += len(items)
            for at, item in fresh:
                with_item = {**scope, "item": item, "index": at}
                name = f"{step.name} {at + 1}"
                job.spawn(self._spec(job, wanted, step, with_item, name))
            if fresh or isinstance(step.for_each, Query):
                place = payload.model_copy(update={"made": max(made, number), "after": after})
                await job.checkpoint({"made": number}, [partial(_come_to, place)])
        return number

    async def _items(
        self, step: Step, scope: Scope, place: WorkflowStep
    ) -> AsyncIterator[tuple[list[Any], int | None]]:
        """What a step goes over, in portions, each with the place to go on from."""
        if isinstance(step.for_each, Query):
            query = _filled(step.for_each, scope)
            most = query.documents.limit if query.documents is not None else MOST_ITEMS
            left, after = most - place.made, place.after
            while after is not None:
                items, after = await self._db.read(self._rows, query, after, AT_ONCE)
                items = items[:left]
                left -= len(items)
                after = after if left else None
                yield items, after
            return
        wanted = step.for_each
        items = parse(wanted).value(scope) if isinstance(wanted, str) else fill(wanted, scope)
        if not isinstance(items, list):
            raise Permanent(f"for_each of {step.name!r} is no list: {wanted!r}")
        if len(items) > MOST_ITEMS:  # told before a job is made of any
            raise Permanent(
                f"{step.name!r} has {len(items)} items to go over; {MOST_ITEMS} is the most"
            )
        for portion in _portions(items):
            yield portion, None

    def _spec(
        self, job: JobContext, wanted: Workflow, step: Step, scope: Scope, name: str
    ) -> JobSpec:
        config = fill(step.config, scope)
        if step.action == RUN:
            config = _nested(wanted, config)
        payload = self._registry.get(step.action).encode(config)
        lane = lane_of_step(step, self._registry.known())
        if step.max_parallel is not None:
            lane = lane_of_children(job.id, step.max_parallel)
        return JobSpec(step.action, payload, name=name, priority=step.priority or 0, lane=lane)


def lane_of_run(definition: Definition, actions: Mapping[str, Any]) -> Lane | None:
    """The lane of a run's own job: that of what makes room, where one of its steps does."""
    steps = (step for steps in definition.groups().values() for step in steps)
    return next(filter(None, (lane_of_step(step, actions) for step in steps)), None)


def lane_of_step(step: Step, actions: Mapping[str, Any]) -> Lane | None:
    """The lane of a step that makes room, and of its job; `actions` are the known job types."""
    lane = getattr(actions.get(step.action), "lane", None)
    return UPKEEP if lane == UPKEEP else None


def _specs(definition: Definition, actions: Mapping[str, Any]) -> Iterator[JobSpec]:
    """The steps as jobs, each after those it needs."""
    first = 0
    for group, steps in definition.groups().items():
        order = in_order(steps)
        place = {step.name: first + number for number, step in enumerate(order)}
        lenient = {step.name for step in steps if step.on_error == "continue"}
        for step in order:
            yield JobSpec(
                STEP,
                msgspec.json.encode({"step": step.name}).decode(),
                phase=_PHASES[group],
                name=step.name,
                description=step.description or None,
                priority=step.priority or 0,
                lane=lane_of_step(step, actions),
                needs=tuple(Need(place[name], name in lenient) for name in step.depends_on),
                vital=step.on_error != "continue",
                tries=(step.retries or 1) if step.on_error == "retry" else 0,
                try_wait=int((step.backoff or BACKOFF) * SECOND),
                max_child_failures=step.max_child_failures,
                failure_action=FailureAction[step.failure_action.upper()],
            )
        first += len(order)


def _filled(query: Query, scope: Scope) -> Query:
    """A query with its templates filled in. Raises `BadInput`, also where one is no text then."""
    told = fill(query.model_dump(exclude_none=True), scope)
    try:
        return Query.model_validate(told)
    except ValidationError as error:
        each = error.errors(include_url=False)[0]
        place = field_name(("for_each", *each["loc"]))
        raise BadInput(f"{place}: {said(each)} (it is {each['input']!r})") from error


def _nested(wanted: Workflow, config: Any) -> dict[str, Any]:
    """The payload of a run that is a step: the definition as it was when the outer run began."""
    name = config.get("definition")
    if name not in wanted.definitions:
        known = ", ".join(sorted(wanted.definitions)) or "none"
        raise BadInput(f"there is no definition {name!r} in this run; there are {known}")
    if unknown := set(config) - {"definition", "parameters"}:
        raise BadInput(f"{min(unknown)!r} is not known; use definition and parameters")
    return {
        "definition": wanted.definitions[name].model_dump(mode="json"),
        "parameters": config.get("parameters", {}),
        "definitions": {k: v.model_dump(mode="json") for k, v in wanted.definitions.items()},
        "trigger": "step",
    }


def _read_of_steps(read: set[Path]) -> dict[str, bool]:
    """The steps whose outcomes are read, and whether all of their results are."""
    found: dict[str, bool] = {}
    for root, *rest in read:
        if root == "steps" and rest:
            every = len(rest) < len(("name", "field")) or rest[1] == "results"
            found[rest[0]] = found.get(rest[0], False) or every
    return found


def _portions(items: Sequence[Any]) -> Iterator[list[Any]]:
    rest = iter(items)
    while portion := list(islice(rest, AT_ONCE)):
        yield portion


class _Run(NamedTuple):
    """The run that a step belongs to, and how many jobs the step has made already."""

    id: int
    payload: str
    created_at: int
    jobs: int


def _look(tx: ReadTx, run_id: int, step_id: int) -> _Run:
    rows = tx.execute(
        "select payload, created_at from job where id = $1 and type = 'workflow'", (run_id,)
    )
    if not rows:
        raise Permanent("a step belongs to a run: start a workflow, not its step")
    ((jobs,),) = tx.execute(
        """
        select count(*) from job
         where parent_id = $1 and parent_id is not null and rerun_of is null
        """,
        (step_id,),
    )
    payload, created_at = rows[0]
    return _Run(run_id, payload, created_at, jobs)


def _come_to(place: WorkflowStep, tx: Tx, job: JobRow) -> None:
    """Keep how far a step has come over its items, in the transaction that makes the jobs."""
    tx.execute(
        "update job set payload = $2 where id = $1",
        (job.id, place.model_dump_json(exclude_defaults=True)),
    )


def _reopen(ids: Sequence[int], tx: Tx, _: JobRow) -> None:
    reopen(tx, ids)


def _tolerate(most: int, action: FailureAction, tx: Tx, job: JobRow) -> None:
    job.max_child_failures, job.failure_action = most, action
    tx.execute(
        "update job set max_child_failures = $2, failure_action = $3 where id = $1",
        (job.id, most, action),
    )


def _limit_time(seconds: float, tx: Tx, job: JobRow) -> None:
    limit_time(tx, job.id, int(seconds * SECOND))
