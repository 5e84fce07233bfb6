"""The web application, put together from its routes and what stands before them."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from fastapi import Depends, FastAPI

import quaero
from quaero.api import metrics, problems
from quaero.api.bodies import refuse_wrong_words
from quaero.api.guests import Guests
from quaero.api.heads import Heads
from quaero.api.live import socket
from quaero.api.live.running import live
from quaero.api.openapi import describe
from quaero.api.pages import missing_page, pages
from quaero.api.parts import WebParts
from quaero.api.pictures import views
from quaero.api.routes import (
    actions,
    auth,
    definitions,
    document_actions,
    documents,
    figures,
    job_types,
    jobs,
    logs,
    model_calls,
    program,
    queue,
    references,
    schedules,
    search,
    sources,
    system,
    trees,
    versions,
)
from quaero.api.security import Security
from quaero.sources.pairing import Pairing

AREAS = (
    system, program, figures, job_types, actions, jobs, trees, logs, queue, document_actions,
    documents, versions, search, references, model_calls, sources, auth, definitions, schedules,
)  # fmt: skip
DESCRIPTION = """
Everything the pages show, and all that they do, is done through this interface. Times are RFC 3339
in UTC, durations seconds, ids whole numbers. Lists are read page by page: pass `next_cursor` on as
`cursor`. Every error is a problem (RFC 9457).
"""


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Keep the log, and tell what changes, while the application runs."""
    parts: WebParts = app.state.parts
    logging.root.addHandler(parts.log)
    try:
        async with live(app, parts, views(parts)):
            yield
    finally:
        logging.root.removeHandler(parts.log)


def create_app(parts: WebParts) -> FastAPI:
    """The application over the given parts."""
    app = FastAPI(
        title="Quaero",
        version=quaero.__version__,
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        lifespan=_lifespan,
    )
    app.state.parts = parts
    problems.add_handlers(app, [route for area in AREAS for route in area.router.routes])
    for area in AREAS:
        app.include_router(area.router, dependencies=[Depends(refuse_wrong_words)])
    app.openapi = partial(describe, app)  # type: ignore[method-assign]
    app.add_middleware(Heads)
    app.include_router(metrics.router)
    app.include_router(socket.router)
    app.include_router(pages())
    app.state.missing_page = missing_page()
    server = parts.settings.server
    app.middleware_stack = Security(  # around everything, the answers to our own faults too
        app.build_middleware_stack(),
        (server.host, *server.hosts),
        parts.token,
        parts.draining,
        Guests(Pairing(parts.db)),
    )
    return app
