"""The words of jobs: status, phase, and what it takes to create one."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Any, NamedTuple

from quaero.errors import BadInput
from quaero.queue import given
from quaero.queue.message import Lane

MAX_DEPTH = 8
FIRST_ROUND = 1


class Status(IntEnum):
    """Where a job is; the last three are terminal."""

    PENDING = 0
    RUNNING = 1
    COMPLETED = 2
    FAILED = 3
    CANCELLED = 4

    @property
    def open(self) -> bool:
        """Not terminal."""
        return self < Status.COMPLETED

    @property
    def word(self) -> str:
        """As people and JSON write it."""
        return self.name.lower()


class Phase(IntEnum):
    """When a child runs: before, as, or after the work of its parent."""

    PRE = 0
    CORE = 1
    POST = 2


class OwnRun(IntEnum):
    """How a job's own run ended, its descendants apart."""

    OPEN = 0
    WELL = 1
    FAILED = 2
    STOPPED = 3


class Stopping(IntEnum):
    """Why a tree is being ended early.

    A job that has completed or failed and is `CANCELLED` is being deleted.
    """

    NO = 0
    CANCELLED = 1
    FAILING = 2
    WITH_ANCESTOR = 3


class Hold(IntEnum):
    """Why a job that may start by its phase has no message yet.

    `FOR_PRE`: its own run goes on when its pre children have ended. `FOR_PLACE`: as many children
    of its parent are under way as may be; nothing below it has a message either, and what could
    start there otherwise is held `WITH_ANCESTOR`.
    """

    NO = 0
    BY_HAND = 1
    FOR_PRE = 2
    FOR_PLACE = 3
    WITH_ANCESTOR = 4


class FailureAction(IntEnum):
    """What happens when more descendants have failed than `max_child_failures`."""

    CONTINUE = 0
    MARK_WARNING = 1
    STOP_ALL = 2


class Need(NamedTuple):
    """The place, among jobs created together, of one that has to end first; well, or anyhow."""

    place: int
    any_end: bool = False


@dataclass(frozen=True, slots=True)
class JobSpec:
    """A job to create. `payload` is JSON text that fits the type; `run_at` is a wall time in µs.

    `timeout`, in microseconds, is for each attempt, in place of the job type's. `needs` are jobs
    before this one in the same call. A parent fails where a `vital` child did not end well. A job
    that failed, by itself or by what is below it, is run again up to `tries` times, the first time
    after `try_wait` microseconds, then after twice as long each time.
    """

    type: str
    payload: str = "{}"
    phase: Phase = Phase.CORE
    name: str = ""
    description: str | None = None
    priority: int = 0
    run_at: int | None = None
    lane: Lane | None = None
    max_child_failures: int = 0
    failure_action: FailureAction = FailureAction.CONTINUE
    rerun_of: int | None = None
    held: bool = False
    timeout: int | None = None
    needs: tuple[Need, ...] = ()
    vital: bool = False
    tries: int = 0
    try_wait: int = 0

    def __post_init__(self) -> None:
        """Raise `BadInput` for what no database could hold."""
        given.text(self.type, "the type of a job")
        if self.name:
            given.text(self.name, "the name of a job")
        if not isinstance(self.payload, str):
            raise BadInput(
                f"the payload {given.short(self.payload)} of a job must be JSON text that fits its "
                "type; the type's encode(payload) makes it"
            )
        if self.phase.__class__ is not Phase and self.phase not in (0, 1, 2):
            raise BadInput(f"phase {self.phase!r} must be a Phase, such as Phase.POST")
        if self.priority != 0 or isinstance(self.priority, bool):
            given.whole(self.priority, "priority")
        if self.run_at is not None:
            given.whole(self.run_at, "run_at, a wall time in microseconds,")
        if self.timeout is not None:
            given.whole(self.timeout, "timeout in microseconds", least=1)
        if self.lane is not None:
            given.lane(self.lane)


@dataclass(slots=True)
class JobRow:
    """A job as `transition` works on it: the columns that decide, none of the large ones."""

    id: int
    parent_id: int | None
    root_id: int
    depth: int
    type: str
    phase: int
    status: Status
    priority: int
    attempt: int
    round: int
    held: int
    started_at: int | None
    completed_at: int | None
    message_id: int | None
    queue_id: int
    own_run: int
    stopping: int
    n_pending: int
    n_running: int
    n_completed: int
    n_failed: int
    n_cancelled: int
    pre_open: int
    pre_failed: int
    core_open: int
    core_total: int
    core_failed: int
    post_open: int
    wait_core: int
    wait_post: int
    max_child_failures: int
    failure_action: int
    warnings: int
    run_at: int | None
    lane: str | None
    unmet: int
    needed: int

    @property
    def n_open(self) -> int:
        """Descendants that are not terminal."""
        return self.n_pending + self.n_running

    @property
    def has_descendants(self) -> bool:
        """Whether anything lies below."""
        return bool(
            self.n_pending + self.n_running + self.n_completed + self.n_failed + self.n_cancelled
        )

    @property
    def core_ended(self) -> bool:
        """The own run and all pre and core children have ended."""
        return self.own_run != OwnRun.OPEN and not self.pre_open and not self.core_open


COLUMNS = ", ".join(field.name for field in fields(JobRow))


def row(values: tuple[Any, ...]) -> JobRow:
    """A `JobRow` from the values of `COLUMNS`."""
    made = JobRow(*values)
    made.status = Status(made.status)
    return made
