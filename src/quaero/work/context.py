"""What an executor is given of its job: `log`, `progress`, `spawn`, `commit`, `checkpoint`,
`cancelled`.

Nothing here blocks or writes by itself but `commit` and `checkpoint`. Log entries and progress are
written by the pool within a second, at the latest with the completion; children are created with
the completion, or with whichever of the two comes before.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

import msgspec
from pydantic import BaseModel

from quaero.clock import Clock
from quaero.errors import BadInput, BadPayload
from quaero.jobs.logs import LONGEST_MESSAGE, Entry, Level
from quaero.jobs.model import FIRST_ROUND, JobSpec
from quaero.jobs.run import Effect, Work, keep_state
from quaero.queue.given import short, shown, whole

MOST_PENDING = 10_000
MOST_TOLD = 5


class JobLog:
    """The job's log. Never blocks and never raises; what is too much is counted."""

    def __init__(self, work: Work, clock: Clock, wrote: Callable[[JobLog], None]) -> None:
        self._work = work
        self._clock = clock
        self._wrote = wrote
        self.pending: list[Entry] = []
        self.dropped = 0

    def debug(self, message: str, /, **fields: Any) -> None:
        """For whoever looks closely."""
        self._add(Level.DEBUG, message, fields)

    def info(self, message: str, /, **fields: Any) -> None:
        """What happened."""
        self._add(Level.INFO, message, fields)

    def warn(self, message: str, /, **fields: Any) -> None:
        """Something is not as it should be, and work goes on."""
        self._add(Level.WARN, message, fields)

    def error(self, message: str, /, **fields: Any) -> None:
        """Something failed."""
        self._add(Level.ERROR, message, fields)

    def exception(self, error: BaseException) -> None:
        """An error with its traceback."""
        trace = "".join(traceback.format_exception(error))
        self._add(Level.ERROR, describe(error), {"traceback": trace})

    def take(self) -> list[Entry]:
        """The entries that are not written yet, with a word on what was dropped."""
        entries, self.pending = self.pending, []
        if self.dropped:
            lost, self.dropped = self.dropped, 0
            text = f"{lost} entries dropped: they came faster than they could be written"
            entries.append(self._entry(Level.WARN, text, None))
        return entries

    def put_back(self, entries: list[Entry]) -> None:
        """Keep what was taken and is not written; it comes before what was said since."""
        if entries:
            self.pending[:0] = entries
            self._wrote(self)

    def _add(self, level: Level, message: str, fields: dict[str, Any]) -> None:
        if len(self.pending) >= MOST_PENDING:
            self.dropped += 1
            return
        self.pending.append(self._entry(level, message, fields or None))
        self._wrote(self)

    def _entry(self, level: Level, message: str, fields: dict[str, Any] | None) -> Entry:
        work = self._work
        return Entry(
            work.job_id, work.root_id, work.attempt, self._clock.wall(), level, clean(message),
            None if fields is None else _as_json(fields),
        )  # fmt: skip


def leaves(error: BaseException) -> list[BaseException]:
    """The errors that a group is made of, at any depth; one that is no group is its own."""
    found, left = [], [error]
    while left:
        one = left.pop()
        if isinstance(one, BaseExceptionGroup):
            left += reversed(one.exceptions)
        else:
            found.append(one)
    return found


def describe(error: BaseException) -> str:
    """An error in one line, with its own words where it has any; of a group, those of each."""
    each = leaves(error)
    if len(each) > 1:
        more = [f"and {len(each) - MOST_TOLD} more"] if len(each) > MOST_TOLD else []
        return "; ".join([*map(describe, each[:MOST_TOLD]), *more])
    (error,) = each
    text = clean(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def clean(message: Any) -> str:
    """Any message as text a database can hold."""
    return shown(message, LONGEST_MESSAGE)


def _as_json(fields: dict[str, Any]) -> str:
    try:
        return msgspec.json.encode(fields, enc_hook=_named).decode()
    except (TypeError, ValueError, RecursionError):
        return msgspec.json.encode({"fields": clean(_named(fields))}).decode()


def _named(value: Any) -> str:
    """How any object names itself; some objects cannot."""
    try:
        return repr(value)
    except BaseException as error:  # noqa: BLE001 - it is somebody else's code
        return f"<{type(value).__name__} that cannot be shown: {type(error).__name__}>"


def encode_value(value: Any, what: str = "the result") -> str | None:
    """A result or state as JSON text. Raises `BadPayload` for what JSON cannot hold."""
    if value is None:
        return None
    try:
        return msgspec.json.encode(value, enc_hook=_model_as_dict).decode()
    except (TypeError, ValueError, RecursionError) as error:
        raise BadPayload(f"{what} cannot be written as JSON: {error}") from error


def _model_as_dict(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise TypeError(f"there is no JSON for {short(value)}")


def refuse_effects(effects: Any) -> None:
    """Raise `BadInput` for what is no sequence of effects."""
    if not isinstance(effects, Sequence) or not all(callable(each) for each in effects):
        raise BadInput(
            f"effects {short(effects)} must be a sequence of functions of a transaction and a job"
        )


Progress = tuple[int | None, int | None, str | None]
Commit = Callable[[Sequence[Effect], Sequence[JobSpec], Callable[[], None]], Awaitable[None]]
"""Saves effects and children, and calls the last where they were not saved."""


class JobContext:
    """One run of one job, as its executor sees it."""

    def __init__(self, work: Work, log: JobLog, commit: Commit) -> None:
        self._work = work
        self._commit = commit
        self._state_text = work.state
        self.log = log
        self.spawned: list[JobSpec] = []
        self.reported: Progress | None = None

    @property
    def id(self) -> int:
        """The job's id."""
        return self._work.job_id

    @property
    def root_id(self) -> int:
        """The id of the tree's root."""
        return self._work.root_id

    @property
    def parent_id(self) -> int | None:
        """The id of the parent, None at the top."""
        return self._work.parent_id

    @property
    def attempt(self) -> int:
        """The number of this attempt, from 1."""
        return self._work.attempt

    @property
    def first_try(self) -> bool:
        """Whether no attempt at this job has ended before, in this round or an earlier one."""
        return self._work.attempt == 1 and self._work.round == FIRST_ROUND

    @property
    def state(self) -> Any:
        """What the last checkpoint or `Later` left; None at the first start."""
        return None if self._state_text is None else msgspec.json.decode(self._state_text)

    @property
    def cancelled(self) -> bool:
        """Whether this run is being ended; nothing it does can be committed any more."""
        task = asyncio.current_task()
        return task is not None and task.cancelling() > 0

    def progress(
        self, current: int | None = None, total: int | None = None, text: str | None = None
    ) -> None:
        """Say how far the run has come: `current` of `total`. Raises `BadInput` for no number."""
        for value, what in ((current, "current"), (total, "total")):
            if value is not None:
                whole(value, f"progress: {what}", least=0)
        self.reported = (current, total, None if text is None else clean(text))

    def spawn(self, *specs: JobSpec) -> None:
        """Create children with the completion, or with the next commit. Raises `BadInput`."""
        for spec in specs:
            if not isinstance(spec, JobSpec):
                raise BadInput(f"{short(spec)} is no JobSpec; give each child by itself")
        self.spawned.extend(specs)

    async def checkpoint(self, state: Any = None, effects: Sequence[Effect] = ()) -> None:
        """Commit what was done so far; after a crash the job starts again with this state.

        Raises `StaleLease` where the lease was lost, and `BadInput` for what cannot be written.
        """
        text = encode_value(state, "the state")
        refuse_effects(effects)
        await self.commit(*effects, partial(keep_state, state=text))
        self._state_text = text

    async def commit(self, *effects: Effect) -> None:
        """Commit effects, and children that were spawned; the state stays as it is.

        Raises `StaleLease` where the lease was lost.
        """
        refuse_effects(effects)
        specs = list(self.spawned)
        self.spawned.clear()  # who is ended meanwhile has them saved, and must not do so again
        await self._commit(effects, specs, partial(self._put_back, specs))

    def _put_back(self, specs: list[JobSpec]) -> None:
        self.spawned[:0] = specs
