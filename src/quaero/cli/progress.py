"""The progress of a crawl: a live line on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

from quaero.cli.output import say

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from quaero.crawl.frontier import CrawlReport
    from quaero.jobs.read import Summary

PLAIN_SECONDS = 10.0


class Display:
    """Shows how far a crawl is, on standard error."""

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._said = time.monotonic()
        if sys.stderr.isatty() and "NO_COLOR" not in os.environ and "CI" not in os.environ:
            self._progress, self._task = _live()

    def show(self, job: Summary, crawl: CrawlReport | None) -> None:
        """Bring the display up to date."""
        counts = job.counts
        text = f"{counts.done} of {counts.total} pages, {counts.failed} failed"
        if crawl is not None and crawl.waiting:
            text += f", {crawl.waiting} beyond the limit"
        if self._progress is not None and self._task is not None:
            self._progress.update(
                self._task, completed=counts.done, total=max(counts.total, 1), description=text
            )
        elif time.monotonic() - self._said > PLAIN_SECONDS:
            self._said = time.monotonic()
            say(text)

    def close(self) -> None:
        """Leave the last state on the screen."""
        if self._progress is not None:
            self._progress.stop()


def _live() -> tuple[Progress, TaskID]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    progress = Progress(
        SpinnerColumn(), BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn(),
        console=Console(stderr=True), refresh_per_second=10,
    )  # fmt: skip
    progress.start()
    return progress, progress.add_task("begins", total=1)
