"""What watching costs: workers drain jobs alone, beside an idle server, and with 200 sockets open.

Three processes: the workers (measured), the web process with its hub, and the clients. All share
the machine's cores, so what the clients take is part of the figure.
"""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import jobs
from harness import Contest, Figures, contest

CLIENTS = 200
JOBS = 60_000


@contextmanager
def watched(folder: Path, clients: int):
    """A web process over the database in `folder`, with clients that hear the list and a tree."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    me = [sys.executable, __file__]
    server = subprocess.Popen(
        [*me, "serve", str(folder / "q.db"), str(port)], stdout=subprocess.PIPE
    )
    server.stdout.readline()
    command = [*me, "listen", str(port), str(clients)]
    listeners = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE)
    listeners.stdout.readline()
    try:
        yield
    finally:
        out, _ = listeners.communicate(b"\n")
        server.terminate()
        server.communicate()
        print("   ", out.decode().strip())


def drained(folder: Path, clients: int | None) -> Figures:
    if clients is None:
        return jobs.drained(folder, jobs._plain, JOBS)
    with watched(folder, clients):
        return jobs.drained(folder, jobs._plain, JOBS)


def run(rounds: int) -> list[Contest]:
    """The contest; the share that is left to the workers is the figure to look at."""
    contestants = {
        "quaero": lambda folder: drained(folder, CLIENTS),
        "one socket": lambda folder: drained(folder, 1),
        "nobody watches": lambda folder: drained(folder, None),
    }
    return [contest(f"whole jobs while {CLIENTS} sockets watch", contestants, rounds)]


# -- the other processes


def serve(path: str, port: str) -> None:
    import uvicorn
    from fastapi import FastAPI

    from quaero.api.live.hub import Hub
    from quaero.api.live.socket import router
    from quaero.api.live.views import Views
    from quaero.db import SqliteDatabase
    from quaero.jobs.read import counts_by_status
    from quaero.queue.queue import open_queue
    from quaero.queue.stats import stats

    def item(job, now):
        names = ("id", "parent_id", "root_id", "depth", "type", "name", "priority", "attempt")
        return {name: getattr(job, name) for name in names} | {"status": job.status.word,
            "counts": [job.counts.total, job.counts.done]}  # fmt: skip

    def queue(tx):
        top = counts_by_status(tx, top=True)
        return {"stats": {"ready": stats(tx, 1).ready}, "top": {s.word: n for s, n in top.items()}}

    async def main() -> None:
        with SqliteDatabase.open(Path(path)) as db:
            await db.write(open_queue, "quaero_jobs")
            hub = Hub(db, 1, Views(item, str, queue, lambda tx: [], lambda tx: {}))
            app = FastAPI()
            app.include_router(router)
            app.state.hub = hub
            running = asyncio.create_task(hub.run())
            config = uvicorn.Config(
                app, port=int(port), log_config=None, lifespan="off", ws="websockets-sansio",
                ws_per_message_deflate=False,
            )  # fmt: skip
            server = uvicorn.Server(config)
            serving = asyncio.create_task(server.serve())
            while not server.started:
                await asyncio.sleep(0.01)
            print("ready", flush=True)
            await serving
            hub.close()
            await running

    from quaero.app import run as run_loop

    run_loop(main())


def listen(port: str, clients: str) -> None:
    import websockets

    heard = [0, 0]

    async def one() -> None:
        async with websockets.connect(f"ws://127.0.0.1:{port}/ws", compression=None) as connection:
            await connection.send(json.dumps({"subscribe": ["jobs", "job:1", "queue"]}))
            async for frame in connection:
                heard[0] += 1
                heard[1] += len(frame)

    async def main() -> None:
        tasks = [asyncio.create_task(one()) for _ in range(int(clients))]
        while heard[0] < int(clients):
            await asyncio.sleep(0.05)
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        print(f"clients: {heard[0]:,} frames, {heard[1]:,} bytes")

    asyncio.run(main())


if __name__ == "__main__":
    {"serve": serve, "listen": listen}[sys.argv[1]](*sys.argv[2:])
