"""The logs of jobs: pages, following them as they grow, whole as a file, and their end."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Query, Request
from pydantic import BeforeValidator, Field
from starlette.responses import Response, StreamingResponse

from quaero.api.answers import answer, levels_of, log_line
from quaero.api.describing import errors, location
from quaero.api.fields import Flag, InAddress, LevelWord
from quaero.api.models import Answer, LogList, Words
from quaero.api.parts import Parts, WebParts
from quaero.api.routes.actions import create_bulk
from quaero.api.routes.jobs import JobId
from quaero.clock import rfc3339
from quaero.db.contract import ReadTx
from quaero.errors import BadInput
from quaero.jobs import logs
from quaero.jobs.logs import LARGEST_PAGE, PAGE, Level, LogLine
from quaero.jobs.logs import Query as Wanted
from quaero.reports import jobs as lists
from quaero.reports.logs import LogPage, of_tree, page
from quaero.reports.wanted import LARGEST_ID, Word

router = APIRouter(prefix="/api/jobs/{job_id}/logs", tags=["logs"])

FOLLOW_SECONDS = 20.0
LOOK_SECONDS = 0.25
PATIENCE = 1.0
DOWNLOAD_PAGE = 2_000
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def _apart(values: object) -> object:
    """Words that were given with commas between them, each by itself."""
    if not isinstance(values, (list, tuple)) or not all(isinstance(each, str) for each in values):
        return values
    return tuple(word for each in values for word in each.split(","))


class OfWhich(Words):
    """Whose entries."""

    tree: Annotated[
        Flag | None, Field(description="Of the jobs below too; for a top-level job by default.")
    ] = None


class LogSelection(OfWhich):
    """Which entries."""

    level: Annotated[LevelWord, Field(description="This level and graver.")] = "debug"
    levels: Annotated[
        tuple[LevelWord, ...],
        Field(
            max_length=4,
            description="Exactly these, in place of `level`; one with commas in it is several.",
        ),
        BeforeValidator(_apart),
    ] = ()
    text: Annotated[Word | None, Field(description="That contain this, in any case.")] = None


class LogWords(LogSelection):
    """Which entries, and which page of them."""

    order: Annotated[
        Literal["asc", "desc"],
        Field(description="Oldest or newest first; with `follow` oldest first by default."),
    ] = "desc"
    after: Annotated[
        InAddress | None,
        Field(ge=0, le=LARGEST_ID, description="Go on after the entry with this id"),
    ] = None
    limit: Annotated[int, Field(ge=1, le=LARGEST_PAGE)] = PAGE
    follow: Annotated[
        Flag,
        Field(description="Oldest first: wait up to 20 s where there is nothing new."),
    ] = False

    @property
    def ascending(self) -> bool:
        """Whether the oldest come first. Raises `BadInput` for following what is newest first."""
        if self.follow and self.order == "desc" and "order" in self.model_fields_set:
            raise BadInput("follow=true tells the oldest first; leave order out, or say order=asc")
        return self.follow or self.order == "asc"


@router.get("", response_model=LogList, responses=errors(400, 404))
async def list_logs(
    request: Request, parts: Parts, job_id: JobId, words: Annotated[LogWords, Query()]
) -> Response:
    """Entries of a job's log, newest first unless asked otherwise."""
    wanted, found, counts, capped = await parts.db.read(_page, job_id, words)
    if words.follow and not found.items and not found.searched:
        found = await _follow(request, parts, wanted)
        counts, capped = await parts.db.read(lists.log_counts, job_id, tree=wanted.tree)
    return answer(
        {
            "items": [log_line(line) for line in found.items],
            "next_after": found.next,
            "counts": levels_of(counts),
            "counts_capped": capped,
            "searched": found.searched,
        }
    )


def _page(
    tx: ReadTx, job_id: int, words: LogWords
) -> tuple[Wanted, LogPage, dict[Level, int], bool]:
    wanted = replace(
        _wanted(tx, job_id, words),
        ascending=words.ascending,
        after=words.after,
        limit=words.limit,
    )
    return wanted, page(tx, wanted), *lists.log_counts(tx, job_id, tree=wanted.tree)


def _wanted(tx: ReadTx, job_id: int, words: LogSelection) -> Wanted:
    """What is asked of the log. Raises as `of_tree` does."""
    tree = of_tree(tx, job_id, tree=words.tree)
    exact = frozenset(Level[word.upper()] for word in words.levels) or None
    return Wanted(job_id, tree, Level[words.level.upper()], exact, words.text or "")


async def _follow(request: Request, parts: WebParts, wanted: Wanted) -> LogPage:
    """The next entries as soon as there are any; none when it took too long."""
    deadline = time.monotonic() + FOLLOW_SECONDS
    while True:
        found = await parts.db.read(page, wanted)
        late = time.monotonic() > deadline or parts.draining.is_set()
        if found.items or late or await request.is_disconnected():
            return found
        await asyncio.sleep(LOOK_SECONDS)


# -- deleting


class RemovedEntries(Answer):
    """How many entries went; with `done` false more are going."""

    removed: int
    done: bool


@router.delete(
    "",
    response_model=RemovedEntries,
    responses={
        202: {
            "description": "A job removes the rest.",
            "model": RemovedEntries,
            **location("That job's address."),
        },
        **errors(400, 404),
    },
)
async def delete_log(parts: Parts, job_id: JobId, words: Annotated[OfWhich, Query()]) -> Response:
    """Delete a job's log as it is now; what is logged from now on stays."""
    tree, up_to = await parts.db.read(_asked, job_id, words)
    deadline, removed, more = time.monotonic() + PATIENCE, 0, 1
    while more and time.monotonic() < deadline:
        more = await parts.db.write(logs.delete_some, job_id, up_to, tree=tree)
        removed += more
    done = {"removed": removed, "done": not more}
    if not more:
        return answer(done)
    action = "delete_tree_log" if tree else "delete_log"
    payload = {"action": action, "ids": [job_id], "up_to": up_to}
    rest = await create_bulk(parts, payload, f"delete the log of job {job_id}")
    return answer(done, 202, {"Location": f"/api/jobs/{rest}"})


def _asked(tx: ReadTx, job_id: int, words: OfWhich) -> tuple[bool, int]:
    """Whether the whole tree is meant, and the last entry that there is."""
    return of_tree(tx, job_id, tree=words.tree), logs.newest(tx)


# -- as a file


class DownloadWords(LogSelection):
    """Which entries, and how they are written."""

    format: Annotated[
        Literal["text", "ndjson"],
        Field(description="Lines for people, or one JSON object a line."),
    ] = "text"


@router.get(
    "/download",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "All entries, oldest first.",
            "content": {
                "text/plain": {"schema": {"type": "string"}},
                "application/x-ndjson": {"schema": {"type": "string"}},
            },
        },
        **errors(404),
    },
)
async def download_log(
    parts: Parts, job_id: JobId, words: Annotated[DownloadWords, Query()]
) -> Response:
    """The whole log as a file, oldest entry first."""
    wanted = await parts.db.read(_wanted, job_id, words)
    plain = words.format == "text"
    name = f"job-{job_id}.{'log' if plain else 'ndjson'}"
    return StreamingResponse(
        _written(parts, replace(wanted, ascending=True, limit=DOWNLOAD_PAGE), plain=plain),
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
        media_type="text/plain; charset=utf-8" if plain else "application/x-ndjson",
    )


async def _written(parts: WebParts, wanted: Wanted, *, plain: bool) -> AsyncIterator[bytes]:
    while True:
        found = await parts.db.read(page, wanted)
        yield b"".join(_text(line) if plain else _json(line) for line in found.items)
        if found.next is None:
            return
        wanted = replace(wanted, after=found.next)


def _json(line: LogLine) -> bytes:
    return msgspec.json.encode(log_line(line)) + b"\n"


def _text(line: LogLine) -> bytes:
    """An entry as a line; further lines of it are indented, control characters escaped."""
    fields = f" {line.fields}" if line.fields else ""
    head = f"{rfc3339(line.at)} {line.level.name.lower():<5} {line.job_id} "
    text = _CONTROL.sub(_escaped, line.message + fields).replace("\n", "\n    ")
    return f"{head}{text}\n".encode("utf-8", "backslashreplace")


def _escaped(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"
