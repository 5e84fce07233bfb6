"""The program itself: its version, and whether it is ready."""

from __future__ import annotations

import platform

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

import quaero
from quaero.api.describing import errors
from quaero.api.parts import Parts
from quaero.clock import rfc3339

router = APIRouter(prefix="/api", tags=["system"])


class Version(BaseModel):
    """What runs here, and since when."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "version": "0.1.0",
                "python": "3.11.7",
                "started_at": "2026-11-22T06:30:00.000000Z",
            }
        }
    )

    version: str
    python: str
    started_at: str


@router.get("/version", responses=errors())
async def version(parts: Parts) -> Version:
    """The version of the program."""
    return Version(
        version=quaero.__version__,
        python=platform.python_version(),
        started_at=rfc3339(parts.started_at),
    )


class Ready(BaseModel):
    """The answer of a server that takes requests."""

    ready: bool


@router.get("/ready", responses=errors(503))
async def ready(parts: Parts) -> Ready:
    """Whether the server can read its database; any answer but 200 means that it is not ready."""
    await parts.db.read(lambda tx: tx.execute("select 1"))
    return Ready(ready=True)
