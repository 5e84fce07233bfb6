"""What an executor is given of its job: `log`, `progress`, `spawn`, `checkpoint`, `cancelled`.

Nothing here blocks or writes by itself but `checkpoint`. Log entries and progress are written by
the pool within a second, at the latest with the completion; children are created with the
completion or a checkpoint.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec

from quaero.clock import Clock
from quaero.jobs.logs import LONGEST_MESSAGE, Entry, Level
from quaero.jobs.model import FIRST_ROUND, JobSpec
from quaero.jobs.run import Effect, Work

MOST_PENDING = 10_000


class JobLog:
    """The job's log. Never blocks and never raises; what is too much is counted."""

    def __init__(self, work: Work, clock: Clock, wrote: Callable[[JobLog], None]) -> None:
        self._work = work
        self._clock = clock
        self._wrote = wrote
        self.pending: list[Entry] = []
        self.dropped = 0

    def debug(self, message: str, **fields: Any) -> None:
        """For whoever looks closely."""
        self._add(Level.DEBUG, message, fields)

    def info(self, message: str, **fields: Any) -> None:
        """What happened."""
        self._add(Level.INFO, message, fields)

    def warn(self, message: str, **fields: Any) -> None:
        """Something is not as it should be, and work goes on."""
        self._add(Level.WARN, message, fields)

    def error(self, message: str, **fields: Any) -> None:
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


def describe(error: BaseException) -> str:
    """An error in one line, with its own words where it has any."""
    text = clean(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def clean(message: Any) -> str:
    """Any message as text a database can hold."""
    try:
        text = str(message)[:LONGEST_MESSAGE]
    except BaseException as error:  # noqa: BLE001 - some objects cannot be shown
        text = f"<{type(message).__name__} that cannot be shown: {type(error).__name__}>"
    return text.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")


def _as_json(fields: dict[str, Any]) -> str:
    try:
        return msgspec.json.encode(fields, enc_hook=repr).decode()
    except (TypeError, ValueError, RecursionError):
        return msgspec.json.encode({"fields": clean(repr(fields))}).decode()


Progress = tuple[int | None, int | None, str | None]
Checkpoint = Callable[[str | None, Sequence[Effect], Sequence[JobSpec]], Awaitable[None]]


class JobContext:
    """One run of one job, as its executor sees it."""

    def __init__(self, work: Work, log: JobLog, checkpoint: Checkpoint) -> None:
        self._work = work
        self._checkpoint = checkpoint
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
        """Say how far the run has come."""
        self.reported = (current, total, None if text is None else clean(text))

    def spawn(self, *specs: JobSpec) -> None:
        """Create children with the completion, or with the next checkpoint."""
        self.spawned.extend(specs)

    async def checkpoint(self, state: Any = None, effects: Sequence[Effect] = ()) -> None:
        """Commit what was done so far; after a crash the job starts again with this state.

        Raises `StaleLease` where the lease was lost.
        """
        text = None if state is None else msgspec.json.encode(state).decode()
        specs = list(self.spawned)
        await self._checkpoint(text, effects, specs)
        del self.spawned[: len(specs)]
        self._state_text = text
