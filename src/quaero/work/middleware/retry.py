"""What an error means for the job: try again, give up, or not its fault at all."""

from __future__ import annotations

from quaero.clock import SECOND
from quaero.errors import BadInput, Permanent, RetryLater, StaleLease, StorageError
from quaero.jobs.run import Failed, GivenBack, Outcome
from quaero.work.middleware import Next, Run


async def retry(run: Run, go_on: Next) -> Outcome:
    """Turn whatever a run raises into its outcome; only cancellation passes."""
    try:
        return await go_on()
    except Exception as error:  # noqa: BLE001 - an executor may fail in any way
        return outcome_of(run, error)


def outcome_of(run: Run, error: Exception) -> Outcome:
    """The outcome that an error stands for.

    A lost lease and a database that cannot write are not the job's failure. Running out of memory
    may be a neighbour's fault, so such a run is repeated alone, and counts only there.
    """
    entries = run.context.log
    match error:
        case StaleLease() | StorageError():
            return GivenBack(run.work, run.started_at, entries.take(), reason=str(error))
        case MemoryError() if not run.alone:
            text = "out of memory; it is run again alone"
            return GivenBack(run.work, run.started_at, entries.take(), reason=text, alone=True)
        case RetryLater():
            after = None if error.after is None else int(error.after * SECOND)
            return _failed(run, str(error), after=after, hold=error.hold)
        case Permanent() | BadInput():
            return _failed(run, str(error), permanent=True)
    entries.exception(error)
    return _failed(run, describe(error))


def _failed(
    run: Run, error: str, *, permanent: bool = False, after: int | None = None, hold: bool = False
) -> Failed:
    return Failed(
        run.work, run.started_at, run.context.log.take(), error=error, permanent=permanent,
        after=after, hold=hold,
    )  # fmt: skip


def describe(error: BaseException) -> str:
    """An error in one line, with its own words where it has any."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
