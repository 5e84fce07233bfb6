"""The program's own log of runs: at debug level each, at warning level what failed."""

from __future__ import annotations

import logging

from quaero.jobs.run import Failed, Outcome
from quaero.program_log import program_log
from quaero.work.middleware import Next, Run

logger = program_log("quaero.jobs")


async def log(run: Run, go_on: Next) -> Outcome:
    """Note how the run ended."""
    outcome = await go_on()
    if isinstance(outcome, Failed):
        logger.info("%s %d failed: %s", run.work.type, run.work.job_id, outcome.error)
    elif logger.isEnabledFor(logging.DEBUG):
        kind = type(outcome).__name__.lower()
        logger.debug("%s %d %s", run.work.type, run.work.job_id, kind)
    return outcome
