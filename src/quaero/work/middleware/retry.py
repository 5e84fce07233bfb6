"""What an error means for the job: try again, give up, or not its fault at all."""

from __future__ import annotations

import asyncio

from quaero.clock import SECOND
from quaero.errors import BadInput, CorruptDatabase, Permanent, RetryLater, StaleLease, StorageError
from quaero.jobs.run import Failed, GivenBack, Outcome
from quaero.queue.given import micros
from quaero.work.context import clean, describe, leaves
from quaero.work.middleware import Next, Run

LONGEST_ERROR = 10_000
STORAGE_WAIT = 2 * SECOND
_KINDS: list[tuple[type[BaseException], ...]] = [
    (CorruptDatabase,), (StaleLease,), (StorageError,), (MemoryError,), (Permanent, BadInput),
    (RetryLater,), (BaseException,),
]  # fmt: skip


async def retry(run: Run, go_on: Next) -> Outcome:
    """Turn whatever a run raises into its outcome; only cancellation passes."""
    try:
        return await go_on()
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        return outcome_of(run, error)  # not ours: something it waited for was cancelled
    except BaseException as error:  # noqa: BLE001 - an executor may fail in any way
        return outcome_of(run, error)


def outcome_of(run: Run, error: BaseException) -> Outcome:
    """The outcome that an error stands for.

    A lost lease and a database that cannot be used now are not the job's failure; with the latter
    the run waits a little. An outcome without a lease is not written, so the entries of its log
    stay for the journal. A damaged database does not get better by trying again. Running out of
    memory may be a neighbour's fault, so such a run is repeated alone, and counts only there.

    A group, as of tasks that ran side by side, stands for what one of its errors does: the first of
    these, and what is final before what would be tried again.
    """
    entries = run.context.log
    found = leaves(error)
    told = min(found, key=_rank)
    text = clean(told) if len(found) == 1 else describe(error)
    match told:
        case CorruptDatabase():
            return _failed(run, text, permanent=True)
        case StaleLease():
            return GivenBack(run.work, run.started_at, reason=text)
        case StorageError():
            reason, wait = text, STORAGE_WAIT
            return GivenBack(run.work, run.started_at, entries.take(), reason=reason, wait=wait)
        case MemoryError() if not run.alone:
            text = "out of memory; it is run again alone"
            return GivenBack(run.work, run.started_at, entries.take(), reason=text, alone=True)
        case RetryLater():
            return _failed(run, text, after=_micros(told.after), hold=told.hold)
        case Permanent() | BadInput():
            return _failed(run, text, permanent=True)
    entries.exception(error)
    return _failed(run, describe(error))


def _rank(error: BaseException) -> int:
    return next(rank for rank, kinds in enumerate(_KINDS) if isinstance(error, kinds))


def _micros(seconds: float | None) -> int | None:
    """A time to wait; None, which is the back-off's own, for what is none."""
    try:
        return None if seconds is None else micros(seconds)
    except BadInput:
        return None


def _failed(
    run: Run, error: str, *, permanent: bool = False, after: int | None = None, hold: bool = False
) -> Failed:
    return Failed(
        run.work, run.started_at, run.context.log.take(), error=error[:LONGEST_ERROR],
        permanent=permanent, after=after, hold=hold,
    )  # fmt: skip
