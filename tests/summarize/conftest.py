"""Documents to summarise, and a worker that runs as the program runs it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from quaero.app import Worker, worker
from quaero.documents.model import Document, NewDocument, content_hash
from quaero.documents.read import get
from quaero.documents.store import save
from quaero.jobs.read import Job
from quaero.settings import Settings, load
from quaero.testing.jobs import Bench

TIDES = """# Tides

Tides are the rise and fall of the sea that the moon and the sun cause together. The moon pulls the
water of the sea towards itself, and the sun does the same with less force. Where both pull in one
line the tides are high; such spring tides follow the full moon and the new moon.

## Measuring

Harbours measure tides with gauges. A gauge notes the height of the sea every ten minutes. From a
year of heights the harbour master computes tables of tides for the years to come.

- [Home](/)
- [Contact](/contact)
"""


def page(number: int, text: str = TIDES, **given: Any) -> NewDocument:
    title = given.pop("title", f"Tides {number}")
    return NewDocument(
        url=f"https://docs.example.org/{number}", title=title, text=text,
        content_hash=content_hash(title, text), words=len(text.split()), **given,
    )  # fmt: skip


def settings(folder: Path, **given: Any) -> Settings:
    """Settings over a folder; `model__base_url=…` stands for the key `model.base_url`."""
    options = {name.replace("__", "."): value for name, value in given.items()}
    return load(None, {"data_dir": str(folder), "work.grace": "500ms", **options}, {}, folder)


class Desk(Bench):
    """A running worker with documents."""

    async def store(self, *pages: NewDocument) -> list[int]:
        return [each.id for each in await self.db.write(save, pages)]

    async def document(self, id_: int) -> Document:
        return await self.db.read(get, id_)

    async def summarize(self, ids: Sequence[int] | None = None, **payload: Any) -> Job:
        if ids is not None:
            payload["document_ids"] = list(ids)
        async with asyncio.timeout(60):
            return await self.run("summarizer", payload)


@asynccontextmanager
async def desk_of(chosen: Settings) -> AsyncIterator[Desk]:
    made: Worker
    async with worker(chosen) as made:
        working = asyncio.create_task(made.pool.run())
        try:
            yield Desk(made.db, made.queue_id, made.registry, made.pool)
        finally:
            made.pool.stop()
            await working


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """A worker without a model."""
    async with desk_of(settings(tmp_path)) as desk:
        yield desk
