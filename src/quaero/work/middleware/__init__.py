"""What lies around every run, one concern a file.

A middleware is `async def name(run, go_on)`: it may act before and after `await go_on()`, which
returns the run's `Outcome`. The order, outermost first: metrics, log, retry, timeout.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from quaero.clock import Clock
from quaero.jobs.run import Outcome, Work
from quaero.work.context import JobContext


@dataclass(slots=True)
class Run:
    """One attempt at one job; `timeout` in seconds, `alone` when it runs in isolation."""

    work: Work
    context: JobContext
    started_at: int
    timeout: float
    alone: bool
    clock: Clock


Next = Callable[[], Awaitable[Outcome]]
Middleware = Callable[[Run, Next], Awaitable[Outcome]]


def wrap(run: Run, layers: tuple[Middleware, ...], core: Next) -> Next:
    """The core with the layers around it, the first one outermost."""
    for layer in reversed(layers):
        core = _around(run, layer, core)
    return core


def _around(run: Run, layer: Middleware, inner: Next) -> Next:
    def call() -> Awaitable[Outcome]:
        return layer(run, inner)

    return call
