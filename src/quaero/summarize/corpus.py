"""`corpus_summary`: what many documents say together.

Each document is summarised by itself, as `summarizer` would, and its summary kept; then the
summaries are combined in groups, groups of groups again, and what is left with one another. So what
is kept between two groups, and asked of a model at once, stays small however many there are. As a
child of phase post it speaks of what its tree has collected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from quaero.db.contract import Database, Tx
from quaero.documents import notes
from quaero.documents.model import Document
from quaero.documents.notes import Kind, NewNote
from quaero.documents.read import documents, newest
from quaero.errors import Permanent
from quaero.jobs.model import JobRow
from quaero.summarize.kinds import CORPUS, of_one_document
from quaero.summarize.makers import Maker, Makers
from quaero.summarize.making import About, Making
from quaero.summarize.payloads import CorpusSummary
from quaero.summarize.selection import next_ids
from quaero.work.context import JobContext, describe
from quaero.work.registry import JobType, Later, Result

GROUP = 50
_GROUP_SENTENCES = 12


class Corpus:
    """The executor over one database, its makers and what they make."""

    def __init__(self, db: Database, makers: Makers, making: Making) -> None:
        self._db = db
        self._makers = makers
        self._making = making

    def job_type(self) -> JobType[Any]:
        """`corpus_summary`."""
        return replace(CORPUS, run=self.run)

    async def run(self, job: JobContext, wanted: CorpusSummary) -> Result | Later:
        """Go on from the last group that was combined."""
        maker = self._makers.get(wanted.model)
        if job.state is None:
            up_to = await self._db.read(newest)
            begun = {
                "place": 0, "up_to": up_to, "documents": 0, "left_out": 0, "above": [],
                "notes": [], "titles": [], "words": [], "more": False, "why": "",
            }  # fmt: skip
            return Later(lane=maker.lane, state=begun)
        chosen = wanted if wanted.narrowed else wanted.model_copy(update={"root_id": job.root_id})
        state = {"why": "", "above": [], **job.state}
        while state["place"] is not None:
            await self._group(job, chosen, maker, state)
            await job.checkpoint(state)
        if not (state["above"] or state["notes"]):
            why = state["why"] or "there is no document with text among those chosen"
            raise Permanent(f"nothing was summarised: {why}")
        return Result(await self._whole(job, wanted, maker, state))

    async def _group(
        self, job: JobContext, wanted: CorpusSummary, maker: Maker, state: dict[str, Any]
    ) -> None:
        """Summarise the next documents, and combine what they say into one note."""
        room = wanted.max_documents - state["documents"] - state["left_out"]
        ids, place = await self._db.read(next_ids, wanted, state["place"], state["up_to"])
        now = ids[: min(GROUP, room)]
        if len(now) < len(ids):
            place = now[-1] if now else None
        if len(now) == room and place is not None:
            state["more"], place = True, None
        titles, summaries = [], []
        for document in await self._db.read(documents, now):
            summary = await self._summary(job, maker, document, state)
            if summary is None:
                state["left_out"] += 1
                continue
            titles.append(document.summary.title)
            summaries.append(summary)
            state["documents"] += 1
            job.progress(state["documents"], None, f"by {maker.name}")
        if summaries:
            note, words = await self._combined(job, maker, titles, summaries, _GROUP_SENTENCES)
            state["notes"].append(note)
            state["titles"].append(titles[0])
            state["words"].append(words)
        if len(state["notes"]) >= GROUP:
            await self._fold(job, maker, state)
        state["place"] = place

    async def _fold(self, job: JobContext, maker: Maker, state: dict[str, Any]) -> None:
        """Make one of the groups so far."""
        titles, words = state["titles"], _most_named(state["words"])
        note, _ = await self._combined(job, maker, titles, state["notes"], _GROUP_SENTENCES)
        state["above"].append((titles[0], note, words))
        state.update(notes=[], titles=[], words=[])

    async def _summary(
        self, job: JobContext, maker: Maker, document: Document, state: dict[str, Any]
    ) -> str | None:
        """A document's summary, made now and kept where there is none; None where none can be."""
        recipe = maker.recipe(Kind.SUMMARY)
        known = document.note(Kind.SUMMARY)
        if known is not None and known.current and known.recipe == recipe:
            return known.text

        async def keep(_: list[str]) -> None:
            """The document is the unit here: a crash repeats it."""

        try:
            made = await self._making.notes(maker, Kind.SUMMARY, document, job.id, [], keep)
        except Permanent as error:
            if not of_one_document(error):
                raise
            job.log.warn(f"document {document.summary.id} is left out: {error}")
            state["why"] = describe(error)
            return None
        if not made:
            job.log.info(f"document {document.summary.id} is left out: it has no sentence")
            return None
        new = [
            NewNote(document.summary.id, kind, text, maker.name, maker.recipe(kind),
                    document.content_hash, job.id)
            for kind, text in made.items()
        ]  # fmt: skip
        await job.commit(partial(_keep, made=new))
        return made[Kind.SUMMARY]

    async def _combined(
        self, job: JobContext, maker: Maker, titles: Sequence[str], summaries: Sequence[str],
        number: int,
    ) -> tuple[str, list[str]]:  # fmt: skip
        sentences, words = await self._making.best(titles, summaries, number)
        if maker.model is None:
            return " ".join(sentences), words
        texts = [f"{title}: {text}" for title, text in zip(titles, summaries, strict=True)]
        about = About(job.id)
        note = await self._making.combined(maker.model, "corpus", "", texts, number, about)
        return note, words

    async def _whole(
        self, job: JobContext, wanted: CorpusSummary, maker: Maker, state: dict[str, Any]
    ) -> dict[str, Any]:
        """The result: one text of all groups."""
        number = wanted.sentences
        titles = [*(title for title, _, _ in state["above"]), *state["titles"]]
        texts = [*(note for _, note, _ in state["above"]), *state["notes"]]
        words = [*(words for _, _, words in state["above"]), *state["words"]]
        summary, _ = await self._combined(job, maker, titles, texts, number)
        if state["more"]:
            job.log.warn(f"only the first {wanted.max_documents} documents were looked at")
        return {
            "summary": summary,
            "keywords": _most_named(words),
            "maker": maker.name,
            "documents": state["documents"],
            "left_out": state["left_out"],
            "more": state["more"],
        }


def _most_named(lists: Sequence[Sequence[str]], number: int = 10) -> list[str]:
    """The keywords that stand in most lists, and in these near the beginning."""
    worth: dict[str, float] = {}
    for words in lists:
        for at, word in enumerate(words):
            worth[word] = worth.get(word, 0.0) + 1 / (1 + at / 5)
    return sorted(worth, key=lambda word: (-worth[word], word))[:number]


def _keep(tx: Tx, job: JobRow, *, made: Sequence[NewNote]) -> None:
    del job
    notes.save(tx, made)
