"""What work waits for that no record of it tells."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from quaero.cli.options import suggest
from quaero.cli.output import say

if TYPE_CHECKING:
    from quaero.db.contract import ReadTx
    from quaero.jobs.read import Summary

PATIENCE = 1.0


def for_room(tx: ReadTx, database: Path, job: Summary) -> str:
    """That there is too little room for a job to go on, and the way out.

    Empty where there is enough, or where it or a job below it runs, as what clears up may.
    """
    from quaero.jobs.model import Status
    from quaero.reports.storage import TOO_LITTLE_ROOM, storage

    stands = not job.counts.running and (job.status is Status.PENDING or job.waiting)
    if not stands or not storage(tx, database).short:
        return ""
    return f"{TOO_LITTLE_ROOM}; `{suggest('cleanup')}` makes room"


class Waiting:
    """Says what is waited for, once it has lasted a second, and once for as long as it lasts."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._reason = ""
        self._since = 0.0
        self._told = False

    def tell(self, reason: str) -> None:
        """Hear what is waited for now; an empty reason is that nothing is."""
        if reason != self._reason:
            self._reason, self._since, self._told = reason, self._now(), False
        if reason and not self._told and self._now() - self._since >= PATIENCE:
            say(f"waiting: {reason}")
            self._told = True
