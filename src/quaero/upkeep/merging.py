"""Merging the full-text index in idle times: searches and later commits become cheaper.

Each step is a transaction of its own, of about 10 ms, and as long a pause follows it, so whoever
wants to write waits for one step at most. Where the index has not changed since it was merged
nothing is written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from quaero.db.contract import Database
from quaero.documents import fulltext
from quaero.program_log import program_log

log = program_log(__name__)

LOOK_SECONDS = 1.0
PAUSE_SECONDS = 0.02


async def merge_when(idle: Callable[[], bool], db: Database) -> None:
    """Merge whenever `idle` says that nothing else is done here; runs until it is cancelled."""
    merged = b""
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        try:
            if idle() and await db.read(fulltext.state) != merged and await _merge(idle, db):
                merged = await db.read(fulltext.state)
        except Exception as error:  # noqa: BLE001 - whatever it was, the next look may do better
            log.warning("the full-text index cannot be merged now: %s", error)


async def _merge(idle: Callable[[], bool], db: Database) -> bool:
    """Merge step by step; False where something else came to be done first."""
    while await db.write(fulltext.merge_some):
        await asyncio.sleep(PAUSE_SECONDS)
        if not idle():
            return False
    return True
