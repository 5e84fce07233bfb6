"""Who works on what a command has made ready: a worker that runs already, or one to be started."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quaero.cli.options import load_settings, suggest

if TYPE_CHECKING:
    from quaero.db.contract import ReadTx
    from quaero.db.sqlite.database import SqliteDatabase


def by_a_worker(db: SqliteDatabase) -> str:
    """The end of a sentence on work that is ready: what becomes of it, or what to do."""
    from quaero.queue.holders import Holders
    from quaero.reports.workers import standing

    queue = db.read_sync(_queue, load_settings().queue.name)
    if queue is not None and db.read_sync(standing, Holders(db.path), queue):
        return "a worker that runs here takes it"
    return f"`{suggest('work')}` runs what is ready"


def _queue(tx: ReadTx, name: str) -> int | None:
    rows = tx.execute("select id from queue where name = $1", (name,))
    return rows[0][0] if rows else None
