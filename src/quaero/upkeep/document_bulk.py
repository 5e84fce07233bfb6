"""`document_action`: tags, untags or deletes all documents that somebody named by a query.

It is a job itself, with progress, and works in slices by id, each in one commit with how far it is:
a crash repeats none, and a job that was cancelled does no more. Documents that came later than the
request are not touched. A query that no document answers in full names none here, though a search
would show some that answer it in part.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Literal, Self

import msgspec
from pydantic import BaseModel, ConfigDict, Field, model_validator

from quaero.db.contract import Database, ReadTx, Tx
from quaero.documents import read, search, store, tags
from quaero.documents.model import Filter
from quaero.forms import ONE_LINE
from quaero.jobs.model import JobRow
from quaero.jobs.run import keep_state
from quaero.queue.message import COMMANDS
from quaero.reports.wanted import LARGEST_ID, Word
from quaero.sources.names import names
from quaero.work.context import JobContext
from quaero.work.registry import JobType, Result

NAME = "document_action"
SLICE = 100
MOST_IDS = 10_000
MOST_TAGS = 100

Action = Literal["tag", "untag", "delete"]
Id = Annotated[int, Field(ge=1, le=LARGEST_ID)]
Tag = Annotated[
    str,
    Field(
        min_length=1,
        max_length=100,
        pattern=ONE_LINE,
    ),
]


class DocumentFilter(BaseModel):
    """Which documents: those for which all that is said holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    q: Annotated[
        str | None, Field(min_length=1, max_length=4_000, description="That a search finds.")
    ] = None
    source_type: Word | None = None
    site: Word | None = None
    tag: Annotated[Word | None, Field(description="With this tag.")] = None
    root: Annotated[Id | None, Field(description="Collected by this crawl.")] = None
    gone: Annotated[bool | None, Field(description="Only gone ones, or only others.")] = None

    @model_validator(mode="after")
    def _check_one_way(self) -> Self:
        if self.q is not None and self.wanted != Filter():
            raise ValueError("say all of it in q, or none: q goes with no other word")
        return self

    @property
    def wanted(self) -> Filter:
        """The words beside `q`."""
        return Filter(
            site=self.site, source_type=self.source_type, tag=self.tag, root_id=self.root,
            gone=self.gone,
        )  # fmt: skip


class DocumentAction(BaseModel):
    """What to do, and to which: those with `ids`, else those that fit `filter`, up to id `up_to`.

    `tags` go with the actions `tag` and `untag`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    action: Action
    tags: Annotated[list[Tag], Field(max_length=MOST_TAGS)] = []
    filter: DocumentFilter = DocumentFilter()
    ids: Annotated[list[Id] | None, Field(max_length=MOST_IDS)] = None
    up_to: Id
    expected: Annotated[int | None, Field(ge=0)] = None

    @model_validator(mode="after")
    def _check_tags(self) -> Self:
        if (self.action == "delete") is bool(self.tags):
            raise ValueError("tags go with the actions tag and untag, and only with them")
        return self


def document_action_type(db: Database) -> JobType[DocumentAction]:
    """The job type."""

    async def run(job: JobContext, wanted: DocumentAction) -> Result:
        state: dict[str, Any] = job.state or {"place": 0, "matched": 0, "changed": 0}
        while state["place"] is not None:
            ids, place = await db.read(matching, wanted, state["place"])
            state |= {"place": place, "matched": state["matched"] + len(ids)}
            await job.commit(
                partial(_slice, wanted=wanted, ids=ids, state=state, so_far=state["changed"])
            )
            job.progress(state["matched"], wanted.expected, wanted.action)
        outcome = {"action": wanted.action, **{n: state[n] for n in ("matched", "changed")}}
        job.log.info(f"{wanted.action}: {state['matched']} documents", **outcome)
        return Result(outcome)

    return JobType(NAME, DocumentAction, run, timeout=6 * 3_600.0, lane=COMMANDS)


def matching(
    tx: ReadTx, wanted: DocumentAction, after: int, limit: int = SLICE
) -> tuple[list[int], int | None]:
    """The ids of the next documents that are meant, and where to go on; None at the end.

    There may be none and yet a place to go on from.
    """
    if wanted.ids is not None:
        ids = sorted({id_ for id_ in wanted.ids if after < id_ <= wanted.up_to})[:limit]
    elif wanted.filter.q is not None:
        return search.ids(tx, wanted.filter.q, after, wanted.up_to, limit, names(tx))
    else:
        found = read.ids_after(tx, wanted.filter.wanted, after, limit)
        ids = [id_ for id_ in found if id_ <= wanted.up_to]
    return ids, ids[-1] if len(ids) == limit else None


def _slice(
    tx: Tx, job: JobRow, *, wanted: DocumentAction, ids: list[int], state: dict[str, Any],
    so_far: int,
) -> None:  # fmt: skip
    """Do it to some, and keep in the same commit how far it is."""
    state["changed"] = so_far + _do(tx, wanted, ids)
    keep_state(tx, job, state=msgspec.json.encode(state).decode())


def _do(tx: Tx, wanted: DocumentAction, ids: list[int]) -> int:
    """Do it to some; returns how many documents went, or how many tags came or went."""
    if wanted.action == "tag":
        return tags.tag(tx, ids, wanted.tags)
    if wanted.action == "untag":
        return tags.untag(tx, ids, wanted.tags)
    return store.delete(tx, ids)
