"""A worker that is killed in the middle of its summaries, with a ledger that only grows."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from quaero.app import open_database
from quaero.documents.store import save
from quaero.jobs.create import create
from quaero.jobs.model import JobSpec, Status
from quaero.jobs.read import get
from quaero.queue.queue import open_queue
from quaero.summarize.kinds import SUMMARIZER
from quaero.testing.models import ModelServer

from ..processes import kill_session  # noqa: TID252
from .conftest import TIDES, page, settings

DOCUMENTS = 12
NOTED = "begin insert into ledger values (new.document_id, new.kind); end"
LEDGER = (
    "create table ledger(document_id, kind)",
    f"create trigger ledger_insert after insert on document_note {NOTED}",
    f"create trigger ledger_update after update on document_note {NOTED}",
)


def start(folder: Path, base_url: str) -> subprocess.Popen[bytes]:
    variables = {
        "QUAERO_DATA_DIR": str(folder), "QUAERO_SUMMARIZE_MODEL": "server",
        "QUAERO_MODEL_BASE_URL": base_url, "QUAERO_MODEL_NAME": "fake-1",
        "QUAERO_MODEL_CONCURRENCY": "2", "QUAERO_QUEUE_POLL_INTERVAL": "100ms",
    }  # fmt: skip
    return subprocess.Popen(
        [sys.executable, "-m", "quaero", "work"], env={**os.environ, **variables},
        start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


async def asked(server: ModelServer, number: int) -> None:
    """Wait until the server was asked so often."""
    while len(server.requests) < number:
        server.asked.clear()
        await server.asked.wait()


def prepare(tx: Any) -> int:
    for statement in LEDGER:
        tx.execute(statement)
    save(tx, [page(n, f"{TIDES}\n\nNumber {n} of its kind.") for n in range(DOCUMENTS)])
    payload = SUMMARIZER.encode({"batch_size": 3})
    (job_id,) = create(tx, open_queue(tx, "quaero_jobs"), [JobSpec("summarizer", payload)])
    return job_id


async def test_after_any_kill_every_document_is_summarised_and_none_with_effects_twice(
    tmp_path: Path,
) -> None:
    async with ModelServer(delay=0.05) as server, asyncio.timeout(100):
        with open_database(settings(tmp_path)) as db:
            job_id = await db.write(prepare)
            kills = 0
            for number in (2, 7):
                process = start(tmp_path, server.base_url)
                await asked(server, number)
                kill_session(process.pid)
                process.wait()
                kills += 1
            process = start(tmp_path, server.base_url)
            try:
                while (job := await db.read(get, job_id)).summary.status.open:
                    await asyncio.sleep(0.05)
            finally:
                kill_session(process.pid)
                process.wait()
            assert job.summary.status is Status.COMPLETED
            assert job.summary.counts.completed == DOCUMENTS / 3
            rows = await db.read(
                lambda tx: tx.execute("select document_id, kind from ledger order by 1, 2")
            )
            assert rows == [(n, kind) for n in range(1, DOCUMENTS + 1) for kind in (0, 1)]
            assert len(server.requests) <= DOCUMENTS + 2 * kills
