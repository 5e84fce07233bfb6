"""The web application, put together from its routes and what stands before them."""

from __future__ import annotations

from fastapi import FastAPI

import quaero
from quaero.web import problems
from quaero.web.pages import pages
from quaero.web.parts import WebParts
from quaero.web.routes import system
from quaero.web.security import Security

DESCRIPTION = """
Everything the pages show, and all that they do, is done through this interface. Times are RFC 3339
in UTC, durations seconds, ids whole numbers. Lists are read page by page: pass `next_cursor` on as
`cursor`. Every error is a problem (RFC 9457).
"""


def create_app(parts: WebParts) -> FastAPI:
    """The application over the given parts."""
    app = FastAPI(
        title="Quaero",
        version=quaero.__version__,
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
    )
    app.state.parts = parts
    problems.add_handlers(app)
    app.include_router(system.router)
    app.include_router(pages())
    server = parts.settings.server
    app.middleware_stack = Security(  # around everything, the answers to our own faults too
        app.build_middleware_stack(), (server.host, *server.hosts), parts.token, parts.draining
    )
    return app
