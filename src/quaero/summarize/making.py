"""Making one summary or one list of keywords, of one text, by one maker.

A text too long for a model is taken in parts, and what they say is combined, as often as needed.
After each call the answers so far are handed to `keep`, so that a run which is ended goes on after
the last call and none is paid for twice. Every call is audited, whatever came of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import msgspec

from quaero.clock import SECOND
from quaero.db.contract import Database
from quaero.documents.model import Document
from quaero.documents.notes import Kind
from quaero.errors import JobError, Permanent, StorageError
from quaero.settings import Settings
from quaero.summarize import audit, keywords
from quaero.summarize.asking import Answer, Model
from quaero.summarize.makers import Maker
from quaero.summarize.prompts import Question, listed, parts, room
from quaero.work.context import describe
from quaero.work.cpu import CpuHelpers

Keep = Callable[[list[str]], Awaitable[None]]
_SUMMARIZE = "quaero.summarize.extractive:summarize"
_KEYWORDS = "quaero.summarize.extractive:extract_keywords"
_COMBINE = "quaero.summarize.extractive:combine"
_PART_SENTENCES = 5
_ENDED = "the run was ended before the model had answered"


@dataclass(frozen=True, slots=True)
class About:
    """For whom a call is made, as the audit has it."""

    job_id: int
    document_id: int | None = None


class Making:
    """Makes notes over one set of helpers and settings; a part has at most `room` bytes."""

    def __init__(self, db: Database, helpers: CpuHelpers, settings: Settings) -> None:
        self._db = db
        self._helpers = helpers
        self._sentences = settings.summarize.sentences
        self._texts = settings.summarize.audit_texts
        self.room = room(settings.model.context, settings.model.max_tokens)
        self._max_tokens = settings.model.max_tokens

    async def notes(
        self, maker: Maker, kind: Kind, document: Document, job_id: int, done: list[str], keep: Keep
    ) -> dict[Kind, str]:
        """What a maker makes of a document, by kind, as notes keep it.

        The text's own sentences come with keywords. Nothing comes of a text that has none: a table
        or code alone, say. `done` are the answers that an earlier run of the same left. Raises what
        a model raises.
        """
        title, text = document.summary.title, document.text
        about = About(job_id, document.summary.id)
        if maker.model is None:
            return await self._extracted(kind, title, text, document.summary.language)
        if kind is Kind.KEYWORDS:
            beginning = parts(text, self.room)[:1]
            if not beginning:
                return {}
            question = Question("keywords", beginning[0], title, keywords.NUMBER)
            answer = await self._ask(maker.model, question, about)
            return {kind: _as_json(listed(answer, keywords.NUMBER))}
        summary = await self._summarized(maker.model, title, text, about, done, keep)
        return {} if summary is None else {kind: summary}

    async def _extracted(
        self, kind: Kind, title: str, text: str, language: str | None
    ) -> dict[Kind, str]:
        if kind is Kind.KEYWORDS:
            words = await self._helpers.run(_KEYWORDS, title, text, language)
            return {kind: _as_json(words)}
        summary, words = await self._helpers.run(_SUMMARIZE, title, text, language, self._sentences)
        return {kind: summary, Kind.KEYWORDS: _as_json(words)} if summary else {}

    async def _summarized(
        self, model: Model, title: str, text: str, about: About, done: list[str], keep: Keep
    ) -> str | None:
        pieces = parts(text, self.room)
        if not pieces:
            return None
        if len(pieces) == 1:
            return await self._ask(model, Question("summary", text, title, self._sentences), about)
        for piece in pieces[len(done) :]:
            question = Question("part", piece, title, _PART_SENTENCES)
            done.append(await self._ask(model, question, about))
            await keep(done)
        return await self.combined(model, "whole", title, done, self._sentences, about)

    async def combined(
        self, model: Model, operation: str, title: str, notes: Sequence[str], number: int,
        about: About,
    ) -> str:  # fmt: skip
        """One text of many, in as many rounds as the model's context asks for."""
        while len(groups := parts("\n\n".join(notes), self.room)) > 1:
            before = sum(map(len, notes))
            notes = [
                await self._ask(model, Question(operation, group, title, _PART_SENTENCES), about)
                for group in groups
            ]
            if sum(map(len, notes)) > before * 0.9:
                raise Permanent("the model's summaries of parts are as long as the parts")
        return await self._ask(model, Question(operation, groups[0], title, number), about)

    async def best(
        self, titles: Sequence[str], summaries: Sequence[str], number: int
    ) -> tuple[list[str], list[str]]:
        """The sentences that stand for many summaries, and keywords, without a model."""
        chosen, words = await self._helpers.run(_COMBINE, list(titles), list(summaries), number)
        return chosen, words

    async def _ask(self, model: Model, question: Question, about: About) -> str:
        """One call, audited."""
        start = time.monotonic()
        answer: Answer | None = None
        try:
            answer = await model.ask(question.messages, self._max_tokens)
            text = question.checked(answer.text)
        except JobError as error:
            await self._note(model, question, about, start, answer, describe(error))
            raise
        except asyncio.CancelledError:  # it was asked, and may be paid for
            with contextlib.suppress(StorageError):
                await self._note(model, question, about, start, None, _ENDED)
            raise
        await self._note(model, question, about, start, answer, None)
        return text

    async def _note(
        self, model: Model, question: Question, about: About, start: float, answer: Answer | None,
        error: str | None,
    ) -> None:  # fmt: skip
        prompt = "\n\n".join(each["content"] for each in question.messages)
        call = audit.Call(
            model=model.name,
            operation=question.operation,
            job_id=about.job_id,
            document_id=about.document_id,
            tokens_in=answer.tokens_in if answer else 0,
            tokens_out=answer.tokens_out if answer else 0,
            duration=int((time.monotonic() - start) * SECOND),
            error=error,
            prompt=prompt if self._texts else None,
            answer=answer.text if answer and self._texts else None,
        )
        await self._db.write(audit.note, call)


def _as_json(words: Sequence[str]) -> str:
    return msgspec.json.encode(list(words)).decode()
