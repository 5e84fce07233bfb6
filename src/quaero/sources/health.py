"""How sources are: what came of their last runs, and how many documents they have.

Computed from the jobs of the runs, never stored, so it cannot be out of date. A run under way
leaves the verdict to the one before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from quaero.crawl import frontier
from quaero.db.contract import ReadTx
from quaero.jobs.model import Status
from quaero.jobs.read import Summary, summaries
from quaero.sources.records import Source

Health = Literal["never", "healthy", "warnings", "failing", "login_expired"]
BY_LOGIN = "login"


@dataclass(frozen=True, slots=True)
class State:
    """A source and how it is.

    `run` is the newest run, under way or not; `detail` says what is wrong, and `documents` counts
    those that are not gone.
    """

    source: Source
    health: Health
    detail: str | None
    run: Summary | None
    documents: int
    gone: int

    @property
    def active(self) -> bool:
        """Whether it is being collected."""
        return self.run is not None and self.run.status.open


def states(tx: ReadTx, sources: Sequence[Source]) -> list[State]:
    """How each of these sources is."""
    ids = {id_ for each in sources for id_ in (each.run_id, each.ended_run_id) if id_ is not None}
    jobs = {job.id: job for job in summaries(tx, sorted(ids))}
    documents = _documents(tx, [each.id for each in sources])
    found = []
    for each in sources:
        run = jobs.get(each.run_id or 0)
        before = jobs.get(each.ended_run_id or 0)
        health, detail = _verdict(tx, before if run is None or run.status.open else run)
        total, gone = documents.get(each.id, (0, 0))
        found.append(State(each, health, detail, run, total - gone, gone))
    return found


def _verdict(tx: ReadTx, run: Summary | None) -> tuple[Health, str | None]:
    if run is None or run.status.open:
        return "never", None
    if run.status is Status.FAILED:
        expired = frontier.stopped_by(tx, run.id) == BY_LOGIN or _login_refused(tx, run.id)
        return "login_expired" if expired else "failing", run.error
    if run.status is Status.CANCELLED:
        return "warnings", "the last run was cancelled"
    if run.warnings:
        many = "1 page" if run.warnings == 1 else f"{run.warnings} pages"
        return "warnings", f"{many} of the last run failed"
    return "healthy", None


def _login_refused(tx: ReadTx, run_id: int) -> bool:
    """Whether the checks before a run found its login wanting."""
    rows = tx.execute(
        """
        select result from job where parent_id = $1 and parent_id is not null and phase = 0
           and result is not null order by id desc limit 1
        """,
        (run_id,),
    )
    if not rows:
        return False
    checks = msgspec.json.decode(rows[0][0]).get("checks", [])
    return any(each["name"] == BY_LOGIN and each["ok"] is False for each in checks)


def _documents(tx: ReadTx, ids: Sequence[int]) -> dict[int, tuple[int, int]]:
    rows = tx.execute(
        """
        select key, documents, gone from document_count
         where kind = 'source' and key in (select value from each($1))
        """,
        (msgspec.json.encode([str(id_) for id_ in ids]).decode(),),
    )
    return {int(key): (total, gone) for key, total, gone in rows}
