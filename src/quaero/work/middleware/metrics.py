"""Counts of runs by type and outcome, and how long they took."""

from __future__ import annotations

from collections import Counter
from time import perf_counter

from quaero.jobs.run import Outcome
from quaero.work.middleware import Middleware, Next, Run


class Metrics:
    """Runs of this process since it started."""

    def __init__(self) -> None:
        self.runs: Counter[tuple[str, str]] = Counter()
        self.seconds: Counter[str] = Counter()

    def middleware(self) -> Middleware:
        """The layer that counts into this object."""

        async def metrics(run: Run, go_on: Next) -> Outcome:
            began = perf_counter()
            outcome = await go_on()
            self.runs[run.work.type, type(outcome).__name__.lower()] += 1
            self.seconds[run.work.type] += perf_counter() - began  # type: ignore[assignment]
            return outcome

        return metrics

    def lines(self) -> list[str]:
        """What ran, a line for each type: how often with which outcome, and for how long."""
        return [
            f"{type_}: "
            + ", ".join(
                f"{n} {outcome}" for (of, outcome), n in sorted(self.runs.items()) if of == type_
            )
            + f"; {seconds:.1f} s"
            for type_, seconds in sorted(self.seconds.items())
        ]
