"""The queue: its numbers, lanes and workers, pausing it, and its dead letters."""

from __future__ import annotations

import time
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import ConfigDict, Field, JsonValue
from starlette.responses import Response

from quaero.api import cursors
from quaero.api.answers import answer, counted, page_of, raw, seconds, when
from quaero.api.bodies import JsonRoute
from quaero.api.describing import errors, location
from quaero.api.fields import Count, CursorText, Id, InAddress, Limit, Time
from quaero.api.models import Answer, Body, Job, LaneModel, Words, WorkerModel
from quaero.api.parts import Parts, WebParts
from quaero.api.routes.actions import create_bulk, start_bulk
from quaero.clock import SECOND, rfc3339
from quaero.db.contract import ReadTx
from quaero.errors import BadPayload, Conflict, NotFound
from quaero.jobs import steer
from quaero.queue.holders import Holders
from quaero.queue.queue import DeadLetter, Queue, dead_letters, newest
from quaero.queue.stats import LaneStats, QueueStats, lane_stats, stats
from quaero.reports.minutes import per_minute
from quaero.reports.workers import Worker, workers
from quaero.upkeep.bulk import MOST_IDS

router = APIRouter(prefix="/api/queue", tags=["queue"], route_class=JsonRoute)

LANES = 100
PATIENCE = 1.0
LetterId = Annotated[InAddress, Path(ge=1, le=2**63 - 1, description="The id of the letter.")]


class Rates(Answer):
    """How many jobs ended in each of the last 60 minutes, the present one last."""

    per_minute: list[int]


class QueueModel(Answer):
    """The queue as it is now; the first 100 lanes by what is ready in them."""

    name: str
    paused: bool
    ready: int
    delayed: int
    in_flight: int
    dead: int
    scheduled: int
    parked: int
    suspect: int
    oldest_ready_seconds: float | None
    rates: Rates
    workers: list[WorkerModel]
    lanes: list[LaneModel]
    lanes_total: int


class Paused(Answer):
    """Whether the queue is paused."""

    paused: bool


class Removed(Answer):
    """How many messages went; with `done` false more are going."""

    removed: int
    done: bool


class Requeued(Answer):
    """How many jobs or messages run again."""

    requeued: int


class DeliveryError(Answer):
    """Why one delivery failed."""

    at: Time
    lease_no: int
    error: str


class DeadLetterModel(Answer):
    """A message that was given up; `payload` is there where no job has it."""

    id: int
    type: str
    job_id: int | None
    name: str | None
    receives: int
    created_at: Time
    payload: JsonValue
    errors: list[DeliveryError]


class DeadList(Answer):
    """A page of dead letters; `total` is how many there are, at the same moment."""

    items: list[DeadLetterModel]
    next_cursor: str | None
    total: int


@router.get("", response_model=QueueModel, responses=errors())
async def get_queue(parts: Parts) -> Response:
    """The queue's numbers, the workers with what they run, and the busiest lanes."""
    holders = Holders(parts.db.path, parts.clock)
    return answer(await parts.db.read(_queue, holders, parts.queue_id))


def _queue(tx: ReadTx, holders: Holders, queue_id: int) -> dict[str, Any]:
    numbers = stats(tx, queue_id)
    return {
        **queue_numbers(numbers),
        "rates": {"per_minute": per_minute(tx)},
        "workers": [worker_of(each) for each in workers(tx, holders, queue_id)],
        "lanes": [_lane(each) for each in lane_stats(tx, queue_id, LANES)],
        "lanes_total": numbers.lanes,
    }


def queue_numbers(numbers: QueueStats) -> dict[str, Any]:
    """The counts of a queue."""
    return {
        "name": numbers.name,
        "paused": numbers.paused,
        "ready": numbers.ready,
        "delayed": numbers.delayed,
        "in_flight": numbers.in_flight,
        "dead": numbers.dead,
        "scheduled": numbers.scheduled,
        "parked": numbers.parked,
        "suspect": numbers.suspect,
        "oldest_ready_seconds": seconds(numbers.oldest_ready),
    }


def worker_of(worker: Worker) -> dict[str, Any]:
    """A worker process with the jobs in its slots."""
    holder = worker.holder
    return {
        "id": holder.id,
        "pid": holder.pid,
        "host": holder.host,
        "started_at": rfc3339(holder.started_at),
        "alive": holder.alive,
        "slots": holder.slots,
        "running": [
            {"job_id": job.job_id, "name": job.name, "type": job.type, "since": when(job.since)}
            for job in worker.running
        ],
    }


def _lane(lane: LaneStats) -> dict[str, Any]:
    return {
        "key": lane.key,
        "ready": lane.ready,
        "running": lane.running,
        "max_running": lane.max_running,
        "min_interval_seconds": lane.min_interval / SECOND,
        "state": lane.state,
        "next_start_in_seconds": lane.next_start / SECOND,
    }


# -- pause, resume, purge


@router.post("/pause", response_model=Paused, responses=errors())
async def pause(parts: Parts) -> Response:
    """Start nothing more until it is resumed; what runs goes on."""
    await parts.db.write(_of(parts).pause)
    return answer({"paused": True})


@router.post("/resume", response_model=Paused, responses=errors())
async def resume(parts: Parts) -> Response:
    """Go on after a pause."""
    await parts.db.write(_of(parts).resume)
    return answer({"paused": False})


def _of(parts: WebParts) -> Queue:
    return Queue(parts.queue_id, parts.settings.queue.name)


class Purge(Body):
    """How many messages were shown; where more would go, nothing does. With null any number."""

    expected_count: Count | None


@router.post(
    "/purge",
    response_model=Removed,
    responses={
        202: {
            "description": "A job removes the rest.",
            "model": Removed,
            **location("That job's address."),
        },
        **errors(400, 409, 415),
    },
)
async def purge(parts: Parts, wish: Purge) -> Response:
    """Remove every message that no worker holds now, dead ones too, and cancel their jobs."""
    numbers, up_to = await parts.db.read(_purged, parts.queue_id)
    count = numbers.length + numbers.dead - numbers.in_flight
    if wish.expected_count is not None and count > wish.expected_count:
        raise Conflict(
            f"{counted(count, 'message')} would go now, where {wish.expected_count} were shown; "
            "look again",
            count=count,
        )
    deadline, removed, more = time.monotonic() + PATIENCE, 0, 1
    while more and time.monotonic() < deadline:
        more = await parts.db.write(steer.purge, parts.queue_id, up_to)
        removed += more
    done = {"removed": removed, "done": not more}
    if not more:
        return answer(done)
    rest = await create_bulk(parts, {"action": "purge", "up_to": up_to}, "purge the queue")
    return answer(done, 202, {"Location": f"/api/jobs/{rest}"})


def _purged(tx: ReadTx, queue_id: int) -> tuple[QueueStats, int]:
    """What there is to purge, and the last message of it."""
    return stats(tx, queue_id), newest(tx)


# -- dead letters


class DeadWords(Words):
    """A page of dead letters."""

    limit: Limit = 50
    cursor: CursorText = None


@router.get("/dead", response_model=DeadList, responses=errors(400))
async def list_dead(parts: Parts, words: Annotated[DeadWords, Query()]) -> Response:
    """List dead letters with their errors, the oldest first."""
    place = cursors.read(words.cursor, 1, "dead")
    after = place[0] if place else 0
    found, total = await parts.db.read(_dead, parts.queue_id, words.limit + 1, after)
    page = found[: words.limit]
    following = cursors.write([page[-1][0].id], "dead") if len(found) > len(page) else None
    return answer(page_of((_letter(*each) for each in page), following, total=total))


def _dead(
    tx: ReadTx, queue_id: int, limit: int, after: int
) -> tuple[list[tuple[DeadLetter, str | None]], int]:
    letters = dead_letters(tx, queue_id, limit, after)
    names = {
        letter.job_id: tx.execute("select name from job where id = $1", (letter.job_id,))
        for letter in letters
        if letter.job_id
    }
    found = {job_id: rows[0][0] for job_id, rows in names.items() if rows}
    return [(letter, found.get(letter.job_id)) for letter in letters], stats(tx, queue_id).dead


def _letter(letter: DeadLetter, name: str | None) -> dict[str, Any]:
    return {
        "id": letter.id,
        "type": letter.type,
        "job_id": letter.job_id or None,
        "name": name,
        "receives": letter.receives,
        "created_at": rfc3339(letter.created_at),
        "payload": raw(letter.payload),
        "errors": [
            {"at": rfc3339(at), "lease_no": lease_no, "error": error}
            for lease_no, at, error in letter.errors
        ],
    }


@router.post("/dead/{letter_id}/requeue", response_model=Requeued, responses=errors(404, 409))
async def requeue_dead(parts: Parts, letter_id: LetterId) -> Response:
    """Give one dead letter another try; the job it belongs to is reopened."""
    return answer({"requeued": await parts.db.write(steer.requeue, [letter_id])})


@router.delete(
    "/dead/{letter_id}",
    status_code=204,
    response_class=Response,
    responses={204: {"description": "It is gone; its job stays failed."}, **errors(404)},
)
async def delete_dead(parts: Parts, letter_id: LetterId) -> Response:
    """Delete one dead letter; the job it belongs to stays failed."""
    if not await parts.db.write(steer.drop_dead, [letter_id]):
        raise NotFound(f"no dead letter with id {letter_id}")
    return Response(status_code=204)


class DeadBulk(Body):
    """What to do with which dead letters: those with `ids`, or all.

    `expected_count` is the number that was shown: where there are more, nothing is done.
    """

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [{"action": "requeue", "all": True, "expected_count": 3}],
            "oneOf": [{"required": ["ids"]}, {"required": ["all"]}],
        },
    )

    action: Literal["requeue", "delete"]
    ids: Annotated[tuple[Id, ...], Field(min_length=1, max_length=MOST_IDS, strict=False)] = ()
    all: Literal[True] = True
    expected_count: Count | None


@router.post(
    "/dead/bulk",
    status_code=202,
    response_model=Job,
    responses={202: location("The bulk action's address."), **errors(400, 409, 415)},
)
async def bulk_dead(parts: Parts, wish: DeadBulk) -> Response:
    """Requeue or delete many dead letters. It is done by a job, which is answered."""
    if ("ids" in wish.model_fields_set) is ("all" in wish.model_fields_set):
        text = "name the letters by ids, or say all, by one of them"
        raise BadPayload(text, [{"pointer": "/ids", "detail": text}])
    numbers, newest = await parts.db.read(_dead_count, parts.queue_id)
    count = len(set(wish.ids)) if wish.ids else numbers.dead
    if wish.expected_count is not None and count > wish.expected_count:
        raise Conflict(
            f"there {'is' if count == 1 else 'are'} {counted(count, 'dead letter')} now, where "
            f"{wish.expected_count} were shown; look again",
            count=count,
        )
    payload = {
        "action": f"{wish.action}_dead", "ids": wish.ids or None, "up_to": newest, "expected": count
    }  # fmt: skip
    return await start_bulk(parts, payload, f"{wish.action} {counted(count, 'dead letter')}")


def _dead_count(tx: ReadTx, queue_id: int) -> tuple[QueueStats, int]:
    ((newest,),) = tx.execute("select last from sequence where name = 'message'")
    return stats(tx, queue_id), max(1, newest)
