"""The hub's life within the web process: it runs while the application does.

With it this process tells of itself, as every process that lives long does (`db.processes`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI

from quaero.api.live.hub import Hub
from quaero.api.live.views import Views
from quaero.api.metrics import Metrics
from quaero.api.parts import WebParts
from quaero.db.processes import Reporter
from quaero.errors import StorageError
from quaero.queue.stats import sample_depth


@asynccontextmanager
async def hub_running(parts: WebParts, views: Views) -> AsyncIterator[Hub]:
    """A hub over the database of an application, running while the block runs."""
    hub = Hub(parts.db, parts.queue_id, views)
    reporter = Reporter(
        parts.db,
        "web",
        lambda: [hub.turns],
        lambda: {
            "clients": hub.clients,
            "feed_behind": hub.behind,
            "address": parts.address,
        },
        partial(sample_depth, queue_id=parts.queue_id),
    )
    running = asyncio.create_task(hub.run())
    try:
        await parts.db.write(reporter.write)
        yield hub
    finally:
        reporter.close()
        hub.close()
        await running
        await _leave(parts, reporter)


@asynccontextmanager
async def live(app: FastAPI, parts: WebParts, views: Views) -> AsyncIterator[None]:
    """What the routes `/ws` and `/metrics` of an application need: its lifespan is this."""
    async with hub_running(parts, views) as hub:
        app.state.hub = hub
        app.state.metrics = Metrics(parts.db, parts.queue_id, hub, parts.started_at)
        yield


async def _leave(parts: WebParts, reporter: Reporter) -> None:
    """Remove this process's row, or leave it to be forgotten where nothing can be written."""
    try:
        await parts.db.write(reporter.forget)
    except StorageError:
        return
