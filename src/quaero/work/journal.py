"""Writes the log entries and progress of running jobs, once a second or every hundred entries."""

from __future__ import annotations

import asyncio

from quaero.db.contract import Database, Tx
from quaero.errors import StorageError
from quaero.jobs import logs
from quaero.jobs.logs import Entry
from quaero.jobs.run import Work, progress
from quaero.loops import Loop
from quaero.program_log import program_log
from quaero.queue.message import Token
from quaero.work.context import JobContext, JobLog, Progress

log = program_log(__name__)

EVERY_SECONDS = 1.0
EVERY_ENTRIES = 100


class Journal:
    """Knows the running jobs, and what of them is not written yet."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._runs: dict[Token, tuple[Work, JobContext]] = {}
        self._written: dict[Token, Progress] = {}
        self._dirty: set[JobLog] = set()
        self._entries = 0
        self._full = asyncio.Event()
        self.loop = Loop("journal", EVERY_SECONDS)

    def open(self, work: Work, context: JobContext) -> None:
        """A job runs from now on."""
        self._runs[work.delivery.token] = (work, context)

    def close(self, work: Work) -> None:
        """A job's run has ended; its last entries go with its outcome."""
        run = self._runs.pop(work.delivery.token, None)
        if run is not None and not run[1].log.pending:  # a run that was cut short leaves some
            self._dirty.discard(run[1].log)
        self._written.pop(work.delivery.token, None)

    def noted(self, job_log: JobLog) -> None:
        """An entry was added to a job's log."""
        self._dirty.add(job_log)
        self._entries += 1
        if self._entries >= EVERY_ENTRIES:
            self._full.set()

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            try:
                async with asyncio.timeout(EVERY_SECONDS):
                    await self._full.wait()
            except TimeoutError:
                pass
            self._full.clear()
            try:
                await self.flush()
                self.loop.turn()
            except Exception as error:
                self.loop.failed(error)
                log.exception("entries of job logs could not be written and are lost")

    async def flush(self) -> None:
        """Write what there is; what cannot be written now is kept for the next time."""
        self._entries = 0
        held = [(job_log, job_log.take()) for job_log in self._dirty]
        self._dirty.clear()
        reports = [
            (work, *context.reported)
            for token, (work, context) in self._runs.items()
            if context.reported is not None and context.reported != self._written.get(token)
        ]
        entries = [entry for _, taken in held for entry in taken]
        if not entries and not reports:
            return
        try:
            await self._db.write(_write, entries, reports)
        except StorageError as error:
            log.warning("job logs are kept until the database can write: %s", error)
            for job_log, taken in held:
                job_log.pending[:0] = taken
                self._dirty.add(job_log)
            return
        for work, current, total, text in reports:
            if work.delivery.token in self._runs:  # else it has ended meanwhile
                self._written[work.delivery.token] = (current, total, text)


def _write(
    tx: Tx,
    entries: list[Entry],
    reports: list[tuple[Work, int | None, int | None, str | None]],
) -> None:
    if entries:
        logs.write_late(tx, entries)
    if reports:
        progress(tx, reports)
