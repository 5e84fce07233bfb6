"""Job types: a name, a payload model, and the function that does the work.

    class Greet(BaseModel):
        name: str

    @executor("greet", Greet, timeout=30)
    async def greet(job: JobContext, payload: Greet) -> Result:
        job.log.info("greeting", name=payload.name)
        return Result({"said": f"Hello {payload.name}"})

    registry.add(greet)

Packages offer theirs as entry points of the group `quaero.job_types`; configuration can name
modules in `work.job_types`. Either names a `JobType` or a list of them.
"""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from quaero.errors import BadConfig, BadInput, BadPayload, Conflict, NotFound
from quaero.forms import said
from quaero.jobs.run import Effect
from quaero.queue import given
from quaero.queue.message import Lane
from quaero.work.context import JobContext, describe, refuse_effects

M = TypeVar("M", bound=BaseModel)
ENTRY_POINTS = "quaero.job_types"
_HIDDEN = '"**********"'  # what pydantic writes for a secret


@dataclass(frozen=True, slots=True)
class Result:
    """What a run did: a value JSON can hold, and effects to commit with the completion."""

    value: Any = None
    effects: Sequence[Effect] = ()

    def __post_init__(self) -> None:
        """Raise `BadInput` for effects that cannot be committed."""
        refuse_effects(self.effects)


@dataclass(frozen=True, slots=True)
class Later:
    """A run that goes on another time: after `delay` seconds, perhaps in another lane.

    `state` is there at the next start as `job.state`. No attempt is charged. With `after_pre` it
    goes on when the last of its pre children has ended well (`effects` may create them); where one
    fails, the job fails.
    """

    delay: float = 0.0
    lane: Lane | None = None
    state: Any = None
    effects: Sequence[Effect] = ()
    after_pre: bool = False

    def __post_init__(self) -> None:
        """Raise `BadInput` for a delay that is no time to wait, or effects that are none."""
        given.micros(self.delay)
        if self.lane is not None:
            given.lane(self.lane)
        refuse_effects(self.effects)


Executor = Callable[[JobContext, Any], Awaitable[Result | Later | None]]


@dataclass(frozen=True, slots=True)
class JobType(Generic[M]):
    """One kind of work; `timeout` is in seconds and for each attempt, None the pool's default.

    `run` is None in a process that knows the type to check payloads, and runs none. `part_of` is
    the type of the jobs that make jobs of this one; below those alone it has anything to do.
    `lane` is where a job of this type lies that somebody asks for.
    """

    name: str
    payload: type[M]
    run: Executor | None = field(default=None, repr=False)
    timeout: float | None = None
    part_of: str | None = None
    lane: Lane | None = None

    def __post_init__(self) -> None:
        """Raise `BadInput` for a type that could not be run."""
        if not self.name or not given.text(self.name, "the name of a job type").isprintable():
            raise BadInput(f"{self.name!r} is no name of a job type; use printable text")
        if not (isinstance(self.payload, type) and issubclass(self.payload, BaseModel)):
            raise BadInput(
                f"the payload of job type {self.name!r} must be a pydantic model (a class that is "
                f"a BaseModel), and not {given.short(self.payload)}"
            )
        if self.run is not None and not callable(self.run):
            raise BadInput(f"{given.short(self.run)} cannot run {self.name!r}; use async functions")
        if self.timeout is not None and not given.micros(self.timeout, "timeout"):
            raise BadInput(f"timeout {self.timeout} of {self.name!r} must be more than 0 s")

    @property
    def not_alone(self) -> str | None:
        """Why there cannot be a job of this type by itself; None where there can."""
        if self.part_of is None:
            return None
        return f"a {self.name} is part of a {self.part_of}, which makes it; make or rerun that one"

    def encode(self, payload: Any) -> str:
        """A payload as JSON text that fits the model. Raises `BadPayload`, naming each field.

        Fields may be given by name or alias; what could not be read again from JSON is refused.
        """
        try:
            if isinstance(payload, str | bytes):
                made = self.payload.model_validate_json(payload, by_alias=True, by_name=True)
            else:
                if isinstance(payload, BaseModel):
                    payload = payload.model_dump(round_trip=True)
                made = self.payload.model_validate(payload, by_alias=True, by_name=True)
        except ValidationError as error:
            raise BadPayload(f"payload of {self.name!r}: {_say(error)}", _fields(error)) from error
        try:
            text = made.model_dump_json(round_trip=True)
            again = self._read(text)
        except ValidationError as error:
            raise BadPayload(
                f"payload of {self.name!r} could not be read again from JSON: {_say(error)}",
                _fields(error),
            ) from error
        except ValueError as error:
            raise BadPayload(f"payload of {self.name!r} has no JSON: {error}") from error
        if _HIDDEN in text and again != made:
            raise BadPayload(
                f"payload of {self.name!r} has a secret, which is not stored; say where it is kept"
            )
        return text

    def decode(self, text: str) -> M:
        """The payload of a stored job. Raises `BadPayload`."""
        try:
            return self._read(text)
        except ValidationError as error:
            raise BadPayload(f"payload of {self.name!r}: {_say(error)}") from error

    def _read(self, text: str) -> M:
        return self.payload.model_validate_json(text, by_alias=True, by_name=True)


def _say(error: ValidationError) -> str:
    parts = []
    for each in error.errors(include_url=False):
        place = ".".join(str(part) for part in each["loc"]) or "the whole"
        parts.append(f"{place}: {said(each)} (got {_short(each.get('input'))})")
    return "; ".join(parts)


def _fields(error: ValidationError) -> list[dict[str, str]]:
    """What is wrong with each field, by its JSON pointer (RFC 6901)."""
    return [
        {"pointer": _pointer(each["loc"]), "detail": said(each)}
        for each in error.errors(include_url=False)
    ]


def _pointer(place: Sequence[str | int]) -> str:
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in place)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"


def executor(
    name: str, payload: type[M], *, timeout: float | None = None
) -> Callable[[Callable[[JobContext, M], Awaitable[Result | Later | None]]], JobType[M]]:
    """Make a job type of an async function."""

    def made(run: Callable[[JobContext, M], Awaitable[Result | Later | None]]) -> JobType[M]:
        return JobType(name, payload, run, timeout)

    return made


class Registry:
    """The job types a process knows."""

    def __init__(self, types: Iterable[JobType[Any]] = ()) -> None:
        self._types: dict[str, JobType[Any]] = {}
        for each in types:
            self.add(each)

    def add(self, job_type: JobType[Any]) -> None:
        """Make a type known. Raises `BadConfig` where the name is taken."""
        if job_type.name in self._types:
            raise BadConfig(f"two job types are named {job_type.name!r}; rename one")
        self._types[job_type.name] = job_type

    def get(self, name: str) -> JobType[Any]:
        """The type of that name. Raises `NotFound` naming those there are."""
        try:
            return self._types[name]
        except KeyError:
            known = ", ".join(sorted(self._types))
            raise NotFound(f"there is no job type {name!r}; known are {known}") from None

    def refuse_copy(self, job_id: int, name: str) -> None:
        """Raise `Conflict` for a job of a type that does nothing without the job that made it."""
        job_type = self._types.get(name)
        if job_type is not None and job_type.not_alone:
            raise Conflict(f"job {job_id} cannot be copied: {job_type.not_alone}")

    def known(self) -> Mapping[str, JobType[Any]]:
        """The types by name, as they are at any later time too."""
        return MappingProxyType(self._types)

    def names(self) -> tuple[str, ...]:
        """All names, sorted."""
        return tuple(sorted(self._types))

    def __iter__(self) -> Any:
        return iter(self._types.values())

    def add_installed(self) -> None:
        """Add what installed packages offer. Raises `BadConfig` for an offer that is broken."""
        for entry in entry_points(group=ENTRY_POINTS):
            try:
                offered = entry.load()
            except (Exception, SystemExit) as error:
                raise BadConfig(
                    f"job types {entry.value!r} cannot be loaded: {describe(error)}"
                ) from error
            self._add_offered(offered, entry.value)

    def add_module(self, place: str) -> None:
        """Add the types at `module:name`, or `module` with a `job_types`. Raises `BadConfig`."""
        module, _, name = place.partition(":")
        try:
            offered = getattr(importlib.import_module(module), name or "job_types")
        except (Exception, SystemExit) as error:  # importing runs what is written there
            raise BadConfig(
                f"work.job_types: {place!r} cannot be loaded: {describe(error)}"
            ) from error
        self._add_offered(offered, place)

    def _add_offered(self, offered: Any, place: str) -> None:
        for each in offered if isinstance(offered, list | tuple) else [offered]:
            if not isinstance(each, JobType):
                raise BadConfig(
                    f"{place!r} offers {given.short(each)}, which is neither a JobType nor a list "
                    f"of them"
                )
            if each.name in self._types:
                raise BadConfig(
                    f"{place!r} offers the job type {each.name!r}, and there is one of that name "
                    f"already; rename one, or offer it once"
                )
            self.add(each)
