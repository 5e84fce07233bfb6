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
    """The web process over the database in `folder`, with clients that hear the list and a tree."""
    me = [sys.executable, __file__]
    server = subprocess.Popen([*me, "serve", str(folder)], stdout=subprocess.PIPE)
    listeners = None
    try:
        port = said(server)
        listeners = subprocess.Popen(
            [*me, "listen", port, str(clients)], stdout=subprocess.PIPE, stdin=subprocess.PIPE
        )
        said(listeners)
        yield
        out, _ = listeners.communicate(b"\n")
        print("   ", out.decode().strip())
    finally:
        for each in filter(None, (listeners, server)):
            each.terminate()
            each.communicate()


def said(process: subprocess.Popen) -> str:
    """The next line that a process says; one that ends instead is an error."""
    line = process.stdout.readline().decode().strip()
    if not line:
        raise RuntimeError(f"{process.args} ended before it was ready")
    return line


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


def serve(folder: str) -> None:
    """The web process of `quaero serve`, without workers; says its port."""
    from quaero import app
    from quaero.settings import load
    from quaero.work.lifeline import Parent

    chosen = {"data_dir": folder, "database.path": "q.db", "auth.key_file": f"{folder}.keys"}
    settings = load(None, chosen, {}, Path(folder))
    listening = socket.create_server(("127.0.0.1", 0))
    print(listening.getsockname()[1], flush=True)
    app.run(app.serve(settings, listening, Parent(None)))


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
