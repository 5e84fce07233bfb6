"""The progress of a crawl: a live line on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from quaero.cli.options import suggest
from quaero.cli.output import count, moment, safe, say, shorten
from quaero.cli.waiting import for_room
from quaero.clock import SECOND

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from quaero.crawl.frontier import CrawlReport
    from quaero.db.contract import ReadTx
    from quaero.jobs.read import Summary

PLAIN_SECONDS = 10.0
RATE_SECONDS = 5.0
STILL_SECONDS = 1.0
"""How long nothing must have ended before the display says what the crawl waits for."""
WARNINGS = 20
NEXT_OF_HOST = 1_000


@dataclass(frozen=True, slots=True)
class Look:
    """A crawl at one moment; `trouble` is the newest warning of what has not ended, with its id.

    Nobody waits for what has ended. `again` is the wall time at which that job is tried again, None
    where it is not put off. `room` says what there is too little of it for, or nothing,
    and `host` which host has asked to be left alone, and until when.
    """

    job: Summary
    crawl: CrawlReport | None
    trouble: tuple[int, str]
    again: int | None
    queue_paused: bool
    room: str
    host: str


def look(tx: ReadTx, root_id: int, queue_id: int, database: Path) -> Look:
    """Read what the display shows. Raises `NotFound` where the crawl was deleted."""
    from quaero.crawl.frontier import report
    from quaero.errors import NotFound
    from quaero.jobs.logs import Level, Query, read
    from quaero.jobs.read import summaries

    found = summaries(tx, [root_id])
    if not found:
        raise NotFound(f"crawl {root_id} was deleted meanwhile")
    warned = read(tx, Query(root_id, tree=True, levels=frozenset([Level.WARN]), limit=WARNINGS))
    jobs = summaries(tx, sorted({each.job_id for each in warned}))
    open_ = {each.id for each in jobs if each.status.open and not each.waiting}
    told = next((each for each in warned if each.job_id in open_), None)
    paused = bool(tx.execute("select 1 from queue where id = $1 and paused", (queue_id,)))
    room = for_room(tx, database, found[0])
    trouble = (0, "") if told is None else (told.id, told.message)
    again = None if told is None else _put_off(tx, told.job_id)
    host = _held_host(tx, root_id, queue_id)
    return Look(found[0], report(tx, root_id), trouble, again, paused, room, host)


def _put_off(tx: ReadTx, job_id: int) -> int | None:
    """The wall time until which a job's next attempt is put off."""
    rows = tx.execute(
        """
        select $2 + m.due - $3 from job j join message m on m.id = j.message_id
         where j.id = $1 and m.state = 1 and m.due > $3
        """,
        (job_id, tx.now, tx.lease_now),
    )
    return rows[0][0] if rows else None


def _held_host(tx: ReadTx, root_id: int, queue_id: int) -> str:
    """That a host of the next pages is left alone for longer than its pace asks for.

    Another crawl may have been told to, or this one in an earlier process.
    """
    rows = tx.execute(
        """
        select l.key, $3 + l.next_start - $2 from lane l
         where l.queue_id = $1 and l.state = 3
           and l.next_start > $2 + max(l.min_interval, l.pace) + $4
           and exists (select 1
                         from (select job_id from message
                                where queue_id = l.queue_id and lane_id = l.id and state = 0
                                order by priority desc, id limit $6) as m
                         join job j on j.id = m.job_id
                        where $5 in (j.id, j.parent_id))
         order by l.next_start limit 1
        """,
        (queue_id, tx.lease_now, tx.now, SECOND, root_id, NEXT_OF_HOST),
    )
    return "".join(
        f"{key} was too busy to answer and is left alone until {moment(until)}"
        for key, until in rows
    )


class Display:
    """Shows how far a crawl is, on standard error."""

    def __init__(self) -> None:
        now = time.monotonic()
        self._said = now
        self._moved = now
        self._done: deque[tuple[float, int]] = deque()
        self._old_trouble = -1
        self._told = ""
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        if is_lively(sys.stderr.isatty(), os.environ):
            self._progress, self._task = _live()

    def show(self, seen: Look, current: str) -> None:
        """Bring the display up to date; `current` is an address that is being fetched."""
        rate = self._rate(seen.job.counts.done)
        trouble = self._trouble(seen)
        if self._progress is not None and self._task is not None:
            self._progress.update(
                self._task,
                completed=seen.job.counts.done,
                total=max(seen.job.counts.total, 1),
                description=_text(seen, rate),
                what=safe(trouble or _without_scheme(current)),
            )
            return
        if trouble and trouble != self._told:
            say(f"waiting: {safe(trouble)}")
            self._told = trouble
        if time.monotonic() - self._said > PLAIN_SECONDS:
            self._said = time.monotonic()
            say(_text(seen, rate))

    def _rate(self, done: int) -> float:
        """Pages a second, over the last seconds."""
        now = time.monotonic()
        if not self._done or done != self._done[-1][1]:
            self._moved = now
        self._done.append((now, done))
        while self._done[0][0] < now - RATE_SECONDS:
            self._done.popleft()
        since, before = self._done[0]
        return (done - before) / max(now - since, 1.0)

    def _trouble(self, seen: Look) -> str:
        """What the crawl waits for, where nothing moves and its log has said why since."""
        id_, text = seen.trouble
        if self._old_trouble < 0:
            self._old_trouble = id_  # of an earlier process
        if time.monotonic() - self._moved < STILL_SECONDS:
            return ""
        if seen.queue_paused:
            return f"the queue is paused; `{suggest('queue', 'resume')}` lets it go on"
        if seen.room:
            return seen.room
        told = id_ > self._old_trouble
        if seen.again is None and (seen.host or not told):
            return seen.host  # that page may be tried again, were it not for its host
        return text if told else f"{text} (said before); tried again at {moment(seen.again or 0)}"

    def close(self) -> None:
        """Take the live line away; the summary follows."""
        if self._progress is not None:
            self._progress.stop()


def pages_done(job: Summary, crawl: CrawlReport | None) -> str:
    """How many pages of a crawl are done; the check of a source, a job below it too, is none."""
    admitted = 0 if crawl is None else crawl.admitted
    checks = max(0, job.counts.total - admitted)
    return f"{max(0, job.counts.done - checks)} of {count(job.counts.total - checks, 'page')}"


def _text(seen: Look, rate: float) -> str:
    counts = seen.job.counts
    text = pages_done(seen.job, seen.crawl)
    text += f", {rate:.0f}/s" if rate >= 1 else ""
    text += f", {counts.failed} failed" if counts.failed else ""
    if seen.crawl is not None and seen.crawl.waiting:
        text += f", {seen.crawl.waiting} beyond the limit"
    return text


def _without_scheme(url: str) -> str:
    return url.partition("://")[2] or url


def is_lively(terminal: bool, environ: Mapping[str, str]) -> bool:  # noqa: FBT001
    """Whether what is a `terminal` or not can redraw a line, and may."""
    if "NO_COLOR" in environ or "CI" in environ:
        return False
    return terminal and environ.get("TERM") not in (None, "", "dumb")


def _live() -> tuple[Progress, TaskID]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        ProgressColumn,
        SpinnerColumn,
        Task,
        TextColumn,
        TimeElapsedColumn,
    )
    from rich.text import Text

    class What(ProgressColumn):
        """The address or the trouble, in what room the line has left."""

        def render(self, task: Task) -> Text:
            room = max(8, console.width - 40 - len(task.description))
            return Text(shorten(task.fields["what"], room), style="dim", no_wrap=True)

    console = Console(stderr=True)
    progress = Progress(
        SpinnerColumn(), BarColumn(bar_width=20), TextColumn("{task.description}", markup=False),
        TimeElapsedColumn(), What(), console=console, refresh_per_second=10, transient=True,
    )  # fmt: skip
    progress.start()
    return progress, progress.add_task("begins", total=1, what="")
