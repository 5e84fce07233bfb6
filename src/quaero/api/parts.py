"""What the endpoints work with, and how they get it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from quaero.api.ring import LogRing
from quaero.clock import Clock
from quaero.db.sqlite.database import SqliteDatabase
from quaero.settings import Settings
from quaero.sources.logins import Logins
from quaero.work.registry import Registry


@dataclass(frozen=True, slots=True)
class WebParts:
    """The parts of one web process; `started_at` is a wall time in microseconds.

    `token` is what every visitor has to show, None where nobody has to. `draining` is set once
    the process is to end. `log` keeps the newest lines of the process's log. `address` is where
    people find the pages. `logins` opens and stores logins.
    """

    db: SqliteDatabase
    settings: Settings
    registry: Registry
    queue_id: int
    clock: Clock
    started_at: int
    logins: Logins
    token: str | None = None
    address: str = "http://localhost:8080"
    draining: threading.Event = field(default_factory=threading.Event)
    log: LogRing = field(default_factory=LogRing)


def parts_of(connection: HTTPConnection) -> WebParts:
    """The parts of the application that serves this connection."""
    parts: WebParts = connection.app.state.parts
    return parts


Parts = Annotated[WebParts, Depends(parts_of)]
