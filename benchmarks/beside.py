"""Pages a second while a slow model is asked for summaries, against the same crawl alone.

One worker with five slots, as `quaero work` is by default. The model answers each question after
two seconds, from a process of its own, and is asked without a pause while the crawl runs.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import crawl
from quaero.app import worker
from quaero.documents.model import NewDocument
from quaero.documents.store import save
from quaero.jobs.create import create
from quaero.jobs.model import JobSpec
from quaero.jobs.read import get
from quaero.settings import load
from quaero.testing.models import ModelServer

PAGES = 1_500
DOCUMENTS = 500
DELAY = 2.0
TEXT = (
    "The tide rises in the harbour {n} and falls again. Ships wait for it outside the walls. " * 5
)


def run(folder: Path, rounds: int) -> list[str]:
    """The table."""
    site = crawl.Server(crawl.fetch_site(folder))
    model = subprocess.Popen([sys.executable, __file__, "model"], stdout=subprocess.PIPE, text=True)
    try:
        url = model.stdout.readline().strip()
        rates: dict[bool, list[float]] = {False: [], True: []}
        asked = 0
        for number in range(rounds):
            for beside, found in rates.items():
                place = folder / f"{number}-{beside}"
                rate, notes = asyncio.run(_crawl(place, site.url, url, beside=beside))
                found.append(rate)
                asked = max(asked, notes)
    finally:
        site.stop()
        model.kill()
        model.communicate()
    share = median(a / b for a, b in zip(rates[True], rates[False], strict=True))
    together = f"{median(rates[True]):,.0f}"
    return [
        "### Pages a second while a model is asked", "",
        "| meanwhile | pages/s |", "|---|---:|",
        f"| nothing | {median(rates[False]):,.0f} |",
        f"| a model answers {asked} times, each in {DELAY:.0f} s | {together} ({share:.0%}) |", "",
    ]  # fmt: skip


async def _crawl(folder: Path, site: str, model: str, *, beside: bool) -> tuple[float, int]:
    """Pages a second, and how many summaries there are in the end."""
    chosen = {"data_dir": str(folder), "summarize.model": "server", "model.base_url": model,
              "model.name": "slow", "auth.key_file": f"{folder}.keys"}  # fmt: skip
    async with worker(load(None, chosen, {}, folder.parent)) as made:
        await made.db.write(save, [_document(n) for n in range(DOCUMENTS)])
        running = asyncio.create_task(made.pool.run())
        if beside:
            await _begin(made, "summarizer", {"site": "harbours.example"})
            while not (await made.db.read(_notes)):
                await asyncio.sleep(0.05)
        began = time.perf_counter()
        settings = {"seeds": [f"{site}index.html"], "max_pages": PAGES, "max_depth": 1000}
        job_id = await _begin(made, "crawler", settings)
        while (job := await made.db.read(get, job_id)).summary.status.open:
            await asyncio.sleep(0.02)
        seconds = time.perf_counter() - began
        notes = await made.db.read(_notes)
        made.pool.stop()
        await running
    return job.summary.counts.completed / seconds, notes


async def _begin(made: Any, type_: str, payload: dict[str, Any]) -> int:
    text = made.registry.get(type_).encode(payload)
    (id_,) = await made.db.write(create, made.queue_id, [JobSpec(type_, text)])
    return id_


def _document(n: int) -> NewDocument:
    return NewDocument(url=f"https://harbours.example/{n}", title=f"Harbour {n}",
                       text=TEXT.format(n=n), content_hash=str(n), words=90)  # fmt: skip


def _notes(tx: Any) -> int:
    ((count,),) = tx.execute("select count(*) from document_note")
    return count


async def _model() -> None:
    async with ModelServer(delay=DELAY) as server:
        print(server.base_url, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_model())
