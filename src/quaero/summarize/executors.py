"""`summarizer`: summaries and keywords of many documents, in batches.

A job that chooses documents looks through them in slices and has a child for each batch of those
that want a note; a job that names few enough does them itself, in the lane of its maker. After
each document what was made is committed together with the place the job has come to, under its
lease: whatever ends the process, no document is made a note of twice in vain, and none is left out.

A document that cannot be done does not stop its neighbours: it is tried again with the next
attempt where that may help, and the job fails in the end with its reason. A server that cannot be
had stops the batch at once. One that has no sentence at all is left out, which is no failure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from quaero.db.contract import Database, ReadTx, Tx
from quaero.documents import notes
from quaero.documents.model import Document
from quaero.documents.notes import Kind, NewNote
from quaero.documents.read import documents, newest
from quaero.errors import BadAnswer, HelperDied, Permanent, TaskFailed
from quaero.jobs.model import JobRow, JobSpec
from quaero.settings import Settings
from quaero.summarize.kinds import SUMMARIZER, of_one_document
from quaero.summarize.makers import Maker, Makers
from quaero.summarize.making import Keep, Making
from quaero.summarize.payloads import Summarizer
from quaero.summarize.selection import named_ids
from quaero.work.context import JobContext, describe
from quaero.work.registry import JobType, Later, Result

_SAID = 20


class _Seen(NamedTuple):
    """A document as one batch meets it: `text` is of the same text by the same recipe."""

    document: Document | None
    wanted: bool
    text: str | None
    keywords: bool


class Summaries:
    """The executor over one database, its makers and what they make."""

    def __init__(self, db: Database, makers: Makers, making: Making, settings: Settings) -> None:
        self._db = db
        self._makers = makers
        self._making = making
        self._batch_size = settings.summarize.batch_size

    def job_type(self) -> JobType[Any]:
        """`summarizer`."""
        return replace(SUMMARIZER, run=self.run)

    async def run(self, job: JobContext, wanted: Summarizer) -> Result | Later:
        """Scan, share out, or do one batch."""
        maker = self._makers.get(wanted.model)
        size = wanted.batch_size or self._batch_size
        if wanted.action == "scan":
            return Result(await self._scan(job, wanted, maker))
        ids = wanted.document_ids
        if ids is None or len(ids) > size:
            return await self._share_out(job, wanted, maker, size)
        if job.state is None:
            return Later(lane=maker.lane, state={"left": ids})
        return await self._batch(job, wanted, maker)

    # -- looking through

    async def _scan(self, job: JobContext, wanted: Summarizer, maker: Maker) -> dict[str, Any]:
        """What would be done: counts, and nothing else."""
        found = {"documents": 0, "to_summarize": 0, "to_extract_keywords": 0, "bytes": 0}
        place: int | None = 0
        up_to = await self._db.read(newest)
        while place is not None:
            ids, place = await self._db.read(named_ids, wanted, place, up_to)
            for kind, name in (
                (Kind.SUMMARY, "to_summarize"),
                (Kind.KEYWORDS, "to_extract_keywords"),
            ):
                known = await self._db.read(notes.wanting, ids, kind, maker.recipe(kind))
                found[name] += len(known)
                found["bytes"] += sum(each.bytes for each in known if kind is Kind.SUMMARY)
            found["documents"] += len(ids)
            job.progress(found["documents"], None, "looking")
        job.log.info(f"{found['to_summarize']} of {found['documents']} documents want a summary")
        return {"action": "scan", "maker": maker.name, **found}

    async def _share_out(
        self, job: JobContext, wanted: Summarizer, maker: Maker, size: int
    ) -> Result:
        """Make a child for each batch of documents that want a note."""
        state = job.state or {
            "place": 0, "up_to": await self._db.read(newest), "documents": 0, "batches": 0,
            "queued": 0,
        }  # fmt: skip
        while state["place"] is not None:
            ids, place = await self._db.read(named_ids, wanted, state["place"], state["up_to"])
            state["documents"] += len(ids)
            if not wanted.again:
                ids = await self._db.read(_wanting, ids, wanted.action, maker)
            for start in range(0, len(ids), size):
                job.spawn(_child(wanted, maker, ids[start : start + size], size))
                state["batches"] += 1
            state["queued"] += len(ids)
            state["place"] = place
            await job.checkpoint(state)
            job.progress(state["documents"], None, f"{state['queued']} to do")
        job.log.info(f"{state['queued']} of {state['documents']} documents in {state['batches']} "
                     f"batches for {maker.name}")  # fmt: skip
        names = ("documents", "queued", "batches")
        return Result(
            {"action": wanted.action, "maker": maker.name, **{n: state[n] for n in names}}
        )

    # -- a batch

    async def _batch(self, job: JobContext, wanted: Summarizer, maker: Maker) -> Result:
        state = {
            "left": [], "done": 0, "skipped": 0, "left_out": 0, "parts": [], "refused": {},
            **job.state,
        }  # fmt: skip
        kind = kind_of(wanted.action)
        troubles: dict[int, BadAnswer | HelperDied | TaskFailed] = {}
        total = len(wanted.document_ids or ())
        while waiting := [each for each in state["left"] if each not in troubles]:
            id_ = waiting[0]
            came, made = "", list[NewNote]()
            try:
                came, made = await self._one(job, wanted, maker, kind, id_, state)
            except (BadAnswer, HelperDied, TaskFailed) as error:
                job.log.warn(f"document {id_}: {error}", document_id=id_)
                troubles[id_] = error
                continue
            except Permanent as error:
                if not of_one_document(error):
                    raise
                job.log.warn(f"document {id_}: {error}; it is left out", document_id=id_)
                state["refused"][str(id_)] = describe(error)
            state["left"].remove(id_)
            if came:
                state[came] += 1
            state["parts"] = []
            await job.checkpoint(state, [partial(_keep, made=made)] if made else [])
            job.progress(total - len(state["left"]), total, f"by {maker.name}")
        return _ended(wanted, maker, state, troubles)

    async def _one(
        self, job: JobContext, wanted: Summarizer, maker: Maker, kind: Kind, id_: int,
        state: dict[str, Any],
    ) -> tuple[str, list[NewNote]]:  # fmt: skip
        """What came of one document (done, skipped, left_out), and the notes to keep of it."""
        again = job.id if wanted.again else None
        seen = await self._db.read(_look, id_, kind, maker.recipe(kind), again)
        document = seen.document
        if document is None or not seen.wanted:
            return "skipped", []
        digest = document.content_hash
        of_text = f"{digest} by {maker.recipe(kind)} in {self._making.room}"
        if state["parts"] and state["parts"][0] != of_text:
            state["parts"] = []

        async def keep(answers: list[str]) -> None:
            await job.checkpoint({**state, "parts": [of_text, *answers]})

        words: dict[Kind, str] = {}
        by_itself = maker.model is None and seen.text is None  # its sentences come with keywords
        if kind is Kind.SUMMARY and not (by_itself or seen.keywords):
            words = await self._words(job, document, keep)  # first: an answer is kept at once
        if seen.text is not None:
            made = {kind: seen.text}
        else:
            done = list(state["parts"][1:])
            made = await self._making.notes(maker, kind, document, job.id, done, keep)
        if not made:
            job.log.info(f"document {id_} is left out: it has no sentence", document_id=id_)
            return "left_out", []
        own = self._makers.get("extractive")
        return "done", [
            NewNote(id_, each, text, by.name, by.recipe(each), digest, job.id)
            for by, texts in ((maker, made), (own, words))
            for each, text in texts.items()
        ]

    async def _words(self, job: JobContext, document: Document, keep: Keep) -> dict[Kind, str]:
        """Keywords beside a summary; that they cannot be found costs no summary."""
        id_, own = document.summary.id, self._makers.get("extractive")
        try:
            return await self._making.notes(own, Kind.KEYWORDS, document, job.id, [], keep)
        except (HelperDied, TaskFailed) as error:
            job.log.warn(f"document {id_} gets no keywords: {error}", document_id=id_)
            return {}


def kind_of(action: str) -> Kind:
    """The kind of note that an action makes."""
    return Kind.KEYWORDS if action == "extract_keywords" else Kind.SUMMARY


def _wanting(tx: ReadTx, ids: Sequence[int], action: str, maker: Maker) -> list[int]:
    kind = kind_of(action)
    return [each.id for each in notes.wanting(tx, ids, kind, maker.recipe(kind))]


def _child(wanted: Summarizer, maker: Maker, ids: list[int], size: int) -> JobSpec:
    payload = Summarizer(
        action=wanted.action, document_ids=ids, batch_size=size, model=wanted.model,
        again=wanted.again,
    )  # fmt: skip
    name = f"documents {ids[0]} to {ids[-1]}" if len(ids) > 1 else f"document {ids[0]}"
    return JobSpec(SUMMARIZER.name, payload.model_dump_json(), name=name, lane=maker.lane)


def _look(tx: ReadTx, id_: int, kind: Kind, recipe: str, again: int | None) -> _Seen:
    """A document as it is; a note is to be made `again` unless it is by the job of that id."""
    found = documents(tx, [id_])
    if not found:
        return _Seen(None, False, None, False)
    made = again is None or notes.is_by(tx, id_, kind, again)
    wanted = bool(found[0].text) and (not made or bool(notes.wanting(tx, [id_], kind, recipe)))
    same = None if again is not None else notes.same(tx, found[0].content_hash, kind, recipe)
    keywords = found[0].note(Kind.KEYWORDS)
    return _Seen(found[0], wanted, same, keywords is not None and keywords.current)


def _keep(tx: Tx, job: JobRow, *, made: Sequence[NewNote]) -> None:
    del job
    notes.save(tx, made)


def _each_reason(refused: dict[str, str]) -> Iterator[str]:
    """Each reason once, with the first of the documents that it kept from being done."""
    by_reason: dict[str, list[str]] = {}
    for id_, why in refused.items():
        by_reason.setdefault(why, []).append(id_)
    for why, ids in list(by_reason.items())[:_SAID]:
        more = f" and {len(ids) - 1} others" if len(ids) > 1 else ""
        yield f"document {ids[0]}{more}: {why}"


def _ended(
    wanted: Summarizer, maker: Maker, state: dict[str, Any],
    troubles: dict[int, BadAnswer | HelperDied | TaskFailed],
) -> Result:  # fmt: skip
    """The result of a batch. Raises where a document of it could not be done."""
    if troubles:
        id_, error = next(iter(troubles.items()))
        more = f", and {len(troubles) - 1} others" if len(troubles) > 1 else ""
        raise BadAnswer(f"document {id_}{more}: {error}") from error
    refused = state["refused"]
    if refused:
        said = "; ".join(_each_reason(refused))
        raise Permanent(f"{len(refused)} of {len(wanted.document_ids or ())} documents could not "
                        f"be done: {said}")  # fmt: skip
    return Result(
        {"action": wanted.action, "maker": maker.name,
         **{name: state[name] for name in ("done", "skipped", "left_out")}}
    )  # fmt: skip
