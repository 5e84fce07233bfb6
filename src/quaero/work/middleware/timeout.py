"""An attempt that takes too long is ended, and counts as a failed attempt."""

from __future__ import annotations

import asyncio

from quaero.errors import RetryLater
from quaero.jobs.run import Outcome
from quaero.work.middleware import Next, Run


async def timeout(run: Run, go_on: Next) -> Outcome:
    """Raise `RetryLater` when the run's time is over, also where it took no notice of that."""
    limit = asyncio.timeout(run.timeout)
    try:
        async with limit:
            outcome = await go_on()
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise RetryLater(f"timed out after {run.timeout:g} s") from error
    if limit.expired():
        raise RetryLater(f"timed out after {run.timeout:g} s")
    return outcome
