"""What a request costs with a thousand jobs and with a million, in process and over the network,
and how long a start takes.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from quaero.api.app import create_app
from quaero.api.parts import WebParts
from quaero.app import registry_without_worker
from quaero.app import run as run_on_loop
from quaero.clock import SystemClock
from quaero.db import SqliteDatabase
from quaero.queue.queue import open_queue
from quaero.settings import load
from quaero.sources.keys import KeyFile
from quaero.sources.logins import Logins
from quaero.sources.vault import Keys

TREE = 5
ASKED = (
    "/api/jobs",
    "/api/jobs?status=completed",
    "/api/jobs?status=failed&order=-duration",
    "/api/jobs?order=finished",
    "/api/jobs?parent=any&status=failed&status=cancelled",
    "/api/jobs?count=true&type=page",
    f"/api/jobs/{TREE}",
    f"/api/jobs/{TREE}/children",
    f"/api/jobs/{TREE}/tree",
    "/api/jobs/stats",
    "/api/queue",
)
TIMES = 300


def _fill(db: SqliteDatabase, many: int) -> None:
    def work(connection):
        connection.pragma("synchronous", "off")
        connection.execute("begin")
        connection.execute(
            """
            with recursive n(i) as (values(1) union all select i + 1 from n where i < ?1)
            insert into job(id, parent_id, root_id, depth, type, phase, name, status, priority,
                            payload, created_at, started_at, completed_at, queue_id, own_run)
            select i, case when i > ?2 and i % 10 = 0 then ?2 end,
                   case when i > ?2 and i % 10 = 0 then ?2 else i end, i > ?2 and i % 10 = 0,
                   'page', 1, 'https://docs.example.org/' || i, s, 0, '{}', i * 1000,
                   i * 1000 + 500, i * 1000 + 500 + (i * 7919) % 100000, 1, 1
              from (select i, case when i % 20 = 3 then 3 when i % 50 = 9 then 4 else 2 end s
                      from n)
            """,
            (many, TREE),
        )
        connection.execute(
            """
            insert into job_count(top, type, status, n)
            select parent_id is null, type, status, count(*) from job group by 1, 2, 3
            """
        )
        connection.execute(
            """
            update job set n_completed = (select count(*) from job where parent_id = ?1)
             where id = ?1
            """,
            (TREE,),
        )
        connection.execute("commit")
        connection.wal_checkpoint("main", 1)

    db.exclusively(work)


async def _costs(folder: Path, many: int) -> dict[str, tuple[float, float]]:
    """The median and the 99th percentile of each request in milliseconds."""
    folder.mkdir()
    db = SqliteDatabase.open(folder / "quaero.db")
    queue_id = await db.write(open_queue, "quaero_jobs")
    _fill(db, many)
    settings = load(None, {"data_dir": str(folder)}, {}, folder)
    clock = SystemClock()
    registry = registry_without_worker(settings, db)
    logins = Logins(db, Keys(KeyFile(folder.parent / "keys", folder)), clock)
    parts = WebParts(db, settings, registry, queue_id, clock, clock.wall(), logins)
    transport = httpx.ASGITransport(app=create_app(parts))
    found = {}
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        for path in ASKED:
            took = []
            for _ in range(TIMES):
                began = time.perf_counter()
                answer = await client.get(path)
                took.append((time.perf_counter() - began) * 1e3)
                assert answer.status_code == 200, (path, answer.text)
            took.sort()
            found[path] = statistics.median(took), took[int(len(took) * 0.99)]
    db.close()
    return found


@contextmanager
def _served(folder: Path) -> Iterator[tuple[str, float]]:
    """The address of a `quaero serve`, and the seconds from the command until it was ready."""
    url = "http://localhost:18080"
    command = [sys.executable, "-m", "quaero", "--data-dir", str(folder), "serve"]
    began = time.perf_counter()
    with subprocess.Popen([*command, "--port", "18080"], stderr=subprocess.DEVNULL) as process:
        while True:
            try:
                with urllib.request.urlopen(f"{url}/api/ready"):
                    break
            except OSError:
                time.sleep(0.005)
        try:
            yield url, time.perf_counter() - began
        finally:
            process.terminate()


def _start(folder: Path) -> float:
    """Seconds from the command to the first answer that says ready."""
    with _served(folder) as (_, took):
        return took


def _over_network(folder: Path) -> dict[str, tuple[float, float]]:
    """The median and the 99th percentile of each list, whole round trips in milliseconds."""
    found = {}
    with _served(folder) as (url, _), httpx.Client(base_url=url) as client:
        for path in ASKED:
            took = []
            for _ in range(TIMES):
                began = time.perf_counter()
                answer = client.get(path)
                took.append((time.perf_counter() - began) * 1e3)
                assert answer.status_code == 200, (path, answer.text)
            took.sort()
            found[path] = statistics.median(took), took[int(len(took) * 0.99)]
    return found


def run(folder: Path, scale: float) -> list[str]:
    """The tables; `scale` shrinks the million."""
    many = int(1_000_000 * scale)
    few = run_on_loop(_costs(folder / "few", 1_000))
    lots = run_on_loop(_costs(folder / "many", many))
    wire = _over_network(folder / "many")
    load = os.getloadavg()[0]
    starts = [_start(folder / "start") for _ in range(5)]
    ready = f"`quaero serve` answers that it is ready after {statistics.median(starts):.2f} s"
    return [
        "### Requests, in process, one after another", "",
        f"| request | 1,000 jobs, ms | {many:,} jobs, ms | p99, ms | cost |",
        "|---|---:|---:|---:|---:|",
        *(
            f"| `{path}` | {few[path][0]:.2f} | {lots[path][0]:.2f} | {lots[path][1]:.2f} "
            f"| {lots[path][0] / few[path][0]:.2f}x |"
            for path in ASKED
        ),
        "", f"### Requests to `quaero serve` with {many:,} jobs, whole round trips", "",
        f"Measured while the machine's load was {load:.1f}.", "",
        "| request | median, ms | p99, ms |", "|---|---:|---:|",
        *(f"| `{path}` | {wire[path][0]:.2f} | {wire[path][1]:.2f} |" for path in ASKED),
        "", f"{ready} ({min(starts):.2f} to {max(starts):.2f}).", "",
    ]  # fmt: skip
