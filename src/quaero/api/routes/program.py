"""The program as it runs: its state, its settings with where they come from, its own log."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import Response

import quaero
from quaero.api.answers import answer
from quaero.api.describing import errors
from quaero.api.fields import InAddress, LevelWord, Limit, Time
from quaero.api.models import Answer, Words
from quaero.api.parts import Parts, WebParts
from quaero.clock import SECOND, rfc3339
from quaero.db.contract import ReadTx
from quaero.documents import counts
from quaero.jobs.model import Status
from quaero.jobs.read import counts_by_status
from quaero.queue.holders import Holders
from quaero.queue.stats import stats
from quaero.reports.storage import storage
from quaero.reports.wanted import LARGEST_ID, Word
from quaero.settings import catalogue, config_file, origins, texts

router = APIRouter(prefix="/api", tags=["system"])


class StorageModel(Answer):
    """Sizes in bytes: the database file, its log, what in it is unused, what the disk has left."""

    database: int
    log: int
    reusable: int
    free: int


class StatusModel(Answer):
    """The program at a glance; `jobs_running` counts what workers hold."""

    version: str
    started_at: Time
    uptime_seconds: float
    paused: bool
    workers: int
    jobs: int
    jobs_pending: int
    jobs_running: int
    documents: int
    storage: StorageModel


class SettingModel(Answer):
    """One setting; `source` and `where` say what gave it this value."""

    key: str
    value: str
    source: str
    where: str
    variable: str
    allowed: str
    meaning: str


class ConfigModel(Answer):
    """All settings as they are in force."""

    file: str | None
    settings: list[SettingModel]


class ProgramLine(Answer):
    """One line of the program's log."""

    id: int
    at: Time
    level: LevelWord
    logger: str
    message: str


class ProgramLog(Answer):
    """The newest lines; older ones are behind `next_before`."""

    items: list[ProgramLine]
    next_before: int | None


class ProgramWords(Words):
    """Which lines of the program's log."""

    level: Annotated[LevelWord, Field(description="This level and graver.")] = "debug"
    text: Annotated[Word | None, Field(description="That contain this, in any case.")] = None
    before: Annotated[InAddress | None, Field(ge=1, le=LARGEST_ID)] = None
    limit: Limit = 100


@router.get("/status", response_model=StatusModel, responses=errors())
async def get_status(parts: Parts) -> Response:
    """The program at a glance."""
    return answer(await parts.db.read(_status, parts))


def _status(tx: ReadTx, parts: WebParts) -> dict[str, Any]:
    queue = stats(tx, parts.queue_id)
    top, below = counts_by_status(tx, top=True), counts_by_status(tx, top=False)
    known = Holders(parts.db.path, parts.clock).known(tx)
    return {
        "version": quaero.__version__,
        "started_at": rfc3339(parts.started_at),
        "uptime_seconds": max(0, tx.now - parts.started_at) / SECOND,
        "paused": queue.paused,
        "workers": sum(each.alive for each in known),
        "jobs": sum(top.values()) + sum(below.values()),
        "jobs_pending": top[Status.PENDING] + below[Status.PENDING],
        "jobs_running": queue.in_flight,
        "documents": counts.stats(tx, 1).all.documents,
        "storage": asdict(storage(tx, parts.db.path)),
    }


@router.get("/config", response_model=ConfigModel, responses=errors())
async def get_config(parts: Parts) -> Response:
    """Every setting with its value and where it comes from. There are no secrets among them."""
    settings = parts.settings
    where, file = origins(settings), config_file(settings)
    known = catalogue()
    items = [
        {
            "key": key,
            "value": value,
            "source": where[key].source.value,
            "where": where[key].where,
            "variable": known[key].variable,
            "allowed": known[key].allowed,
            "meaning": known[key].meaning,
        }
        for key, value in texts(settings).items()
    ]
    return answer({"file": None if file is None else str(file), "settings": items})


@router.get("/logs", response_model=ProgramLog, responses=errors(422))
async def get_program_log(parts: Parts, words: Annotated[ProgramWords, Query()]) -> Response:
    """The newest lines of this process's own log, newest first."""
    found = parts.log.lines(words.level, words.text or "", words.before, words.limit + 1)
    page = found[: words.limit]
    items = [{**asdict(line), "at": rfc3339(line.at)} for line in page]
    older = page[-1].id if len(found) > len(page) else None
    return answer({"items": items, "next_before": older})
