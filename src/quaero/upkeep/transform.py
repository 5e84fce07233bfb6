"""`transform`: reads documents again from their bodies, when this program reads pages better.

It goes through the documents by id, a few at a time. What these say now is saved together with the
place it has come to and its counts, so whatever ends the process, it goes on where it was and
counts none twice. Where the site was crawled meanwhile, those few are read again as they are then.
A document that cannot be read fails alone and stays as it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import msgspec

from quaero.crawl.digest import ReadAgain
from quaero.crawl.drafts import document_of
from quaero.crawl.extract import Page
from quaero.db.contract import Database, Tx
from quaero.documents import rereading
from quaero.documents.model import NewDocument
from quaero.documents.read import newest
from quaero.documents.rereading import Fence, Reread
from quaero.errors import Conflict, QuaeroError, Refused
from quaero.jobs.model import JobRow
from quaero.summarize.selection import named_ids
from quaero.upkeep.kinds import TRANSFORM, Transform
from quaero.work.context import JobContext
from quaero.work.cpu import CpuHelpers
from quaero.work.registry import JobType, Result

AT_ONCE = 25
BYTES_AT_ONCE = 4 * 1024 * 1024
COUNTS = ("changed", "unchanged", "without_body", "failed")
_READ_AGAIN = "quaero.crawl.digest:read_again"


class Transforming:
    """The executor over one database and set of helpers; `agent` is the crawler's user agent."""

    def __init__(self, db: Database, helpers: CpuHelpers, agent: str) -> None:
        self._db = db
        self._helpers = helpers
        self._agent = agent

    def job_type(self) -> JobType[Any]:
        """`transform`."""
        return replace(TRANSFORM, run=self.run)

    async def run(self, job: JobContext, wanted: Transform) -> Result:
        """Go through the documents from where the last run came to."""
        state = job.state or await self._beginning(wanted)
        place: int | None = state["place"]
        while place is not None:
            ids, following = await self._db.read(named_ids, wanted, place, state["up_to"])
            while ids:
                ids = ids[await self._some(job, wanted, ids[:AT_ONCE], state) :]
            place = following
        counts = {name: state[name] for name in COUNTS}
        said = "would change" if wanted.dry_run else "changed"
        job.log.info(f"{counts['changed']} of {state['total']} documents {said}", **counts)
        return Result(counts)

    async def _beginning(self, wanted: Transform) -> dict[str, Any]:
        """The state before the first document: which is the last, and how many there are."""
        up_to = await self._db.read(newest)
        total = 0
        place: int | None = 0
        while place is not None:
            ids, place = await self._db.read(named_ids, wanted, place, up_to)
            total += len(ids)
        return {"place": 0, "up_to": up_to, "total": total, **dict.fromkeys(COUNTS, 0)}

    async def _some(
        self, job: JobContext, wanted: Transform, ids: Sequence[int], state: dict[str, Any]
    ) -> int:
        """Do the first of these documents; returns how many these were."""
        while True:
            batch = await self._batch(wanted, ids)
            then = {**state, "place": batch.ids[-1]}
            then |= {name: state[name] + number for name, number in batch.counts().items()}
            save = [partial(_save, changes=batch.changes)] if batch.changes else []
            try:
                await job.checkpoint(then, [] if wanted.dry_run else save)
            except Conflict as error:
                job.log.info(f"{error}; read anew")
                continue
            for id_, why in batch.troubles.items():
                job.log.warn(f"document {id_} stays as it is: {why}", document_id=id_)
            state.update(then)
            job.progress(sum(state[name] for name in COUNTS), state["total"], "reading again")
            return len(batch.ids)

    async def _batch(self, wanted: Transform, ids: Sequence[int]) -> _Batch:
        """Read the first of these documents again; one that went meanwhile needs nothing."""
        some = await self._db.read(rereading.some, ids, BYTES_AT_ONCE)
        batch = _Batch(some.ids)
        if wanted.document_ids is not None:
            there = {each.document.summary.id for each in some.found}
            missing = "there is no such document, or its page is gone"
            batch.troubles = {id_: missing for id_ in some.ids if id_ not in there}
        answers = await asyncio.gather(*(self._again(each) for each in some.found))
        for each, came in zip(some.found, answers, strict=True):
            batch.add(each, came)
        return batch

    async def _again(self, stored: Reread) -> NewDocument | QuaeroError | None:
        """The document that the body makes now, or why there is none; None without a body."""
        body, known = stored.body, stored.document.summary
        if body is None:
            return None
        try:
            raw = await self._helpers.run(
                _READ_AGAIN, body.packed, known.url, body.content_type, body.robots, self._agent,
                known.source_type,
            )  # fmt: skip
        except QuaeroError as error:
            return error
        made = msgspec.convert(raw, ReadAgain)
        if (why := _why_not(made.page)) is not None:
            return Refused(why, "unsaved")
        new = document_of(
            made.page,
            made.references,
            url=known.url,
            source_id=known.source_id,
            source_type=known.source_type,
            entity_type=body.entity_type,
            canonical=body.canonical,
        )
        validators = stored.document
        return replace(new, etag=validators.etag, last_modified=validators.last_modified)


@dataclass(slots=True)
class _Batch:
    """What came of a few documents: those to save, and why others cannot be read."""

    ids: Sequence[int]
    changes: list[tuple[Fence, NewDocument]] = field(default_factory=list)
    troubles: dict[int, str] = field(default_factory=dict)
    without_body: int = 0

    def add(self, stored: Reread, came: NewDocument | QuaeroError | None) -> None:
        """Note what came of one."""
        if came is None:
            self.without_body += 1
        elif isinstance(came, QuaeroError):
            self.troubles[stored.document.summary.id] = str(came)
        elif not rereading.says_the_same(stored, came):
            self.changes.append((stored.fence, came))

    def counts(self) -> dict[str, int]:
        """How many of them fared how; all of them together."""
        others = len(self.changes) + self.without_body + len(self.troubles)
        numbers = (len(self.changes), len(self.ids) - others, self.without_body, len(self.troubles))
        return dict(zip(COUNTS, numbers, strict=True))


def _why_not(page: Page) -> str | None:
    """Why a page would not be saved if it were fetched."""
    if page.noindex:
        return "the page asks not to be indexed"
    if page.denied or page.looks_like_login:
        return "the page shows no content, it asks to log in"
    return None


def _save(tx: Tx, job: JobRow, *, changes: Sequence[tuple[Fence, NewDocument]]) -> None:
    del job
    rereading.save(tx, changes)
