"""`bulk_action`: does one thing to all jobs, or dead letters, that somebody named by a filter.

It is a job itself, with progress and a log, and works in slices that are whole transactions each.
Jobs that came later than the request are not touched, nor is the bulk action itself. What cannot
be done to a job (it is running, say) is counted and said, and the others go on. It also carries
what is left of a purge, or of the deletion of a log, when its request has been answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from quaero.db.contract import Database, ReadTx, Tx
from quaero.errors import Conflict, NotFound
from quaero.jobs import actions, logs, steer
from quaero.jobs.rows import load_one
from quaero.queue.message import COMMANDS
from quaero.queue.queue import dead_letters
from quaero.reports import jobs as lists
from quaero.reports.wanted import LARGEST_ID, JobFilter
from quaero.upkeep.cleanup import delete_tree
from quaero.work.context import JobContext
from quaero.work.registry import JobType, Result

NAME = "bulk_action"
SLICE = 100
SAID = 20
HIGHEST_PRIORITY = 1_000_000
MOST_IDS = 10_000

Action = Literal[
    "retry", "cancel", "delete", "priority", "requeue_dead", "delete_dead",
    "purge", "delete_log", "delete_tree_log",
]  # fmt: skip
Id = Annotated[int, Field(ge=1, le=LARGEST_ID)]
_OF_LETTERS = {"requeue_dead", "delete_dead"}
_OF_ROWS = {"purge", "delete_log", "delete_tree_log"}


class BulkAction(BaseModel):
    """What to do, and to which: those with `ids`, else those up to id `up_to` that fit `filter`.

    `requeue_dead` and `delete_dead` are for dead letters, by their own ids, or all of them. `purge`
    removes the queue's messages, `delete_log` and `delete_tree_log` the entries of the jobs `ids`,
    each up to the message or entry `up_to`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    action: Action
    priority: Annotated[int | None, Field(ge=-HIGHEST_PRIORITY, le=HIGHEST_PRIORITY)] = None
    filter: JobFilter = JobFilter()
    ids: Annotated[list[Id] | None, Field(max_length=MOST_IDS)] = None
    up_to: Id
    expected: Annotated[int | None, Field(ge=0)] = None

    @model_validator(mode="after")
    def _check_priority(self) -> Self:
        if (self.action == "priority") is (self.priority is None):
            raise ValueError("priority goes with the action priority, and only with it")
        return self

    @model_validator(mode="after")
    def _check_rows(self) -> Self:
        if self.action in _OF_ROWS:
            if (self.action == "purge") is (self.ids is not None):
                raise ValueError("ids are needed to delete logs, and do not go with a purge")
            if self.filter != JobFilter():
                raise ValueError(f"a filter does not go with {self.action}")
        return self


@dataclass(slots=True)
class _Tally:
    """What was done so far, and where to go on."""

    matched: int = 0
    done: int = 0
    skipped: int = 0
    place: list[int] | None = None

    @property
    def state(self) -> dict[str, Any]:
        """What a run after a crash has to know."""
        return {
            "matched": self.matched, "done": self.done, "skipped": self.skipped,
            "place": self.place,
        }  # fmt: skip


def bulk_type(db: Database) -> JobType[BulkAction]:
    """The job type."""

    async def run(job: JobContext, wanted: BulkAction) -> Result:
        if wanted.action in _OF_ROWS:
            return await _remove_rows(db, job, wanted)
        tally = _Tally(**(job.state or {}))
        one, letters = _doing(db, wanted), wanted.action in _OF_LETTERS
        while True:
            ids, place = await _next(db, job.id, wanted, tally.place)
            if wanted.ids is None:
                ids = [id_ for id_ in ids if id_ <= wanted.up_to]
            ids = [id_ for id_ in ids if letters or id_ != job.root_id]
            for start in range(0, len(ids), SLICE):
                await _do(job, one, ids[start : start + SLICE], tally)
                job.progress(tally.matched, wanted.expected, f"{wanted.action}: {tally.done} done")
            while wanted.action == "cancel" and await db.write(steer.cancel_more):
                pass
            if place is None:
                break
            tally.place = place
            await job.checkpoint(tally.state)
        job.log.info(f"{wanted.action}: {tally.done} of {tally.matched} done", **tally.state)
        return Result(
            {"action": wanted.action, "matched": tally.matched, "done": tally.done,
             "skipped": tally.skipped}
        )  # fmt: skip

    return JobType(NAME, BulkAction, run, timeout=6 * 3_600.0, lane=COMMANDS)


async def _remove_rows(db: Database, job: JobContext, wanted: BulkAction) -> Result:
    """Remove messages or log entries until none is left of those that were meant."""
    done = 0
    while count := await db.write(_rows, job.id, wanted):
        done += count
        job.progress(done, None, f"{wanted.action}: {done} removed")
    job.log.info(f"{wanted.action}: {done} removed")
    return Result({"action": wanted.action, "done": done})


def _rows(tx: Tx, own_id: int, wanted: BulkAction) -> int:
    """Remove a slice; returns how many rows, 0 when nothing is left."""
    if wanted.action == "purge":
        return steer.purge(tx, load_one(tx, own_id).queue_id, wanted.up_to)
    tree = wanted.action == "delete_tree_log"
    for id_ in wanted.ids or ():
        if count := logs.delete_some(tx, id_, wanted.up_to, tree=tree):
            return count
    return 0


async def _next(
    db: Database, own_id: int, wanted: BulkAction, place: list[int] | None
) -> tuple[list[int], list[int] | None]:
    """The ids of the next ones, and where to go on; None at the end."""
    if wanted.ids is not None:
        start = place[0] if place else 0
        ids = sorted(set(wanted.ids))[start : start + SLICE]
        return ids, [start + SLICE] if len(ids) == SLICE else None
    if wanted.action in _OF_LETTERS:
        ids = await db.read(_dead, own_id, place[0] if place else 0)
        return ids, [ids[-1]] if len(ids) == SLICE else None
    after = (place[0], place[1]) if place else None
    ids, following = await db.read(lists.ids, wanted.filter, after, 5 * SLICE)
    return ids, None if following is None else list(following)


def _dead(tx: ReadTx, own_id: int, after: int) -> list[int]:
    queue_id = load_one(tx, own_id).queue_id
    return [letter.id for letter in dead_letters(tx, queue_id, SLICE, after)]


async def _do(
    job: JobContext, one: Callable[[int], Awaitable[Any]], ids: Sequence[int], tally: _Tally
) -> None:
    """Do it to some, at the same time, so that they share commits."""
    outcomes = await asyncio.gather(*map(one, ids), return_exceptions=True)
    for id_, outcome in zip(ids, outcomes, strict=True):
        tally.matched += 1
        if not isinstance(outcome, BaseException):
            tally.done += 1
            continue
        if not isinstance(outcome, Conflict | NotFound):
            raise outcome
        tally.skipped += 1
        if tally.skipped <= SAID:
            job.log.warn(f"{id_} is left as it is: {outcome}")


def _doing(db: Database, wanted: BulkAction) -> Callable[[int], Awaitable[Any]]:
    """What is done to one id. Raises `Conflict` or `NotFound` where it cannot be done."""
    simple: dict[str, Callable[[int], Awaitable[Any]]] = {
        "cancel": lambda id_: _cancel(db, id_),
        "priority": lambda id_: db.write(steer.update, id_, priority=wanted.priority),
        "requeue_dead": lambda id_: db.write(steer.requeue, [id_]),
        "delete_dead": lambda id_: db.write(steer.drop_dead, [id_]),
        "retry": lambda id_: _retry(db, id_),
        "delete": lambda id_: delete(db, id_),
    }
    return simple[wanted.action]


async def _cancel(db: Database, job_id: int) -> None:
    before = await db.write(steer.cancel, job_id)
    if not before.open:
        raise Conflict(f"it is {before.word} already")


async def _retry(db: Database, job_id: int) -> None:
    if not await actions.retry(db, job_id):
        raise Conflict("nothing of it has failed")


async def delete(db: Database, job_id: int) -> int:
    """Delete a job with all below it, and what its crawl left; returns how many jobs there were.

    Raises `NotFound`, or `Conflict` while it is running.
    """
    job = await db.read(load_one, job_id)
    if not job.status.open:
        return await delete_tree(db, job_id)
    return await actions.delete(db, job_id)
