"""Messages only: Quaero's queue against the plain loop and huey."""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import time
from pathlib import Path

import apsw

from harness import Contest, Figures, contest, timed
from loop import LoopQueue
from quaero.app import run as run_on_loop
from quaero.db import SqliteDatabase
from quaero.queue import Delivery, NewMessage, Queue
from quaero.queue.handler import consuming

PAYLOAD = '{"url":"https://example.org/a/page","depth":2}'
WORKERS = 5
PRODUCERS = 50


# -- the plain loop


def loop_drain(folder: Path, n: int = 2_000) -> Figures:
    queue = LoopQueue(folder / "loop.db")
    queue.db.execute("begin")
    for _ in range(n):
        queue.send(PAYLOAD.encode())
    queue.db.execute("commit")
    with timed() as took:
        while (message := queue.receive()) is not None:
            queue.delete(message[0])
        seconds, cpu = took()
    queue.close()
    return Figures(n, seconds, cpu, 2 * n)


def loop_cycle(folder: Path, n: int = 1_000) -> Figures:
    queue = LoopQueue(folder / "loop.db")
    with timed() as took:
        for _ in range(n):
            queue.send(PAYLOAD.encode())
            message = queue.receive()
            assert message is not None
            queue.delete(message[0])
        seconds, cpu = took()
    queue.close()
    return Figures(n, seconds, cpu, 3 * n)


# -- huey


def _huey(folder: Path):
    from huey import SqliteHuey

    huey = SqliteHuey(
        filename=str(folder / "huey.db"), fsync=True, journal_mode="wal", results=False
    )

    @huey.task()
    def work(payload):
        return None

    return huey, work


def huey_drain(folder: Path, n: int = 2_000) -> Figures:
    huey, work = _huey(folder)
    with huey.storage.db(commit=True):
        pass
    for _ in range(n):
        work(PAYLOAD)
    with timed() as took:
        while (task := huey.dequeue()) is not None:
            huey.execute(task)
        seconds, cpu = took()
    huey.storage.close()
    return Figures(n, seconds, cpu, n, "(deletes on receipt)")


def huey_cycle(folder: Path, n: int = 1_000) -> Figures:
    huey, work = _huey(folder)
    with timed() as took:
        for _ in range(n):
            work(PAYLOAD)
            huey.execute(huey.dequeue())
        seconds, cpu = took()
    huey.storage.close()
    return Figures(n, seconds, cpu, 2 * n, "(deletes on receipt)")


# -- quaero


def quaero_drain(
    folder: Path, n: int = 100_000, workers: int = WORKERS, *, prefetch: bool = True
) -> Figures:
    async def main() -> Figures:
        db, queue = await _open(folder)
        for _ in range(0, n, 1_000):
            await db.write(queue.send_many, [NewMessage("t", PAYLOAD)] * 1_000)
        left, done = n, asyncio.Event()

        async def handle(_: Delivery) -> None:
            nonlocal left
            left -= 1
            if not left:
                done.set()

        before = db.commits
        with timed() as took:
            async with consuming(
                db, queue, handle, concurrency=workers, prefetch=prefetch
            ) as consumer:
                await done.wait()
                while not consumer.idle:
                    await asyncio.sleep(0)
                seconds, cpu = took()
                chosen = consumer.largest_claim
        commits = db.commits - before
        db.close()
        return Figures(n, seconds, cpu, commits, f"(blocks of up to {chosen})")

    return run_on_loop(main())


def quaero_cycle(folder: Path, n: int = 20_000, producers: int = PRODUCERS) -> Figures:
    async def main() -> Figures:
        db, queue = await _open(folder)
        left, done = n, asyncio.Event()

        async def handle(_: Delivery) -> None:
            nonlocal left
            left -= 1
            if not left:
                done.set()

        async def produce() -> None:
            for _ in range(n // producers):
                await db.write(queue.send, None)

        before = db.commits
        with timed() as took:
            async with consuming(db, queue, handle, concurrency=WORKERS) as consumer:
                await asyncio.gather(*(produce() for _ in range(producers)))
                await done.wait()
                while not consumer.idle:
                    await asyncio.sleep(0)
                seconds, cpu = took()
        commits = db.commits - before
        db.close()
        return Figures(n, seconds, cpu, commits)

    return run_on_loop(main())


def quaero_one_at_a_time(folder: Path, n: int = 10_000) -> Figures:
    """Five workers, each with one message at a time and nothing claimed ahead."""
    return quaero_drain(folder, n, prefetch=False)


def quaero_one_by_one(folder: Path, n: int = 3_000) -> Figures:
    """Receive and delete strictly one by one: each settle claims the next in the same commit."""
    db = SqliteDatabase.open(folder / "q.db")
    queue = Queue.open(db, "bench")
    db.write_sync(queue.send_many, [NewMessage("t", PAYLOAD)] * n)

    def next_one(tx, done):
        queue.complete(tx, done)
        return queue.receive(tx)

    before = db.commits
    with timed() as took:
        (delivery,) = db.write_sync(queue.receive)
        while found := db.write_sync(next_one, delivery):
            (delivery,) = found
        seconds, cpu = took()
    commits = db.commits - before
    db.close()
    return Figures(n, seconds, cpu, commits)


def quaero_single_caller(folder: Path, n: int = 1_000) -> Figures:
    """One caller without an event loop: send, receive, delete, a commit each as in the loop."""
    db = SqliteDatabase.open(folder / "q.db")
    queue = Queue.open(db, "bench")
    before = db.commits
    with timed() as took:
        for _ in range(n):
            db.write_sync(queue.send, None)
            (delivery,) = db.write_sync(queue.receive)
            db.write_sync(queue.complete, delivery)
        seconds, cpu = took()
    commits = db.commits - before
    db.close()
    return Figures(n, seconds, cpu, commits)


def three_bare_commits(folder: Path, n: int = 1_000) -> Figures:
    """The least that three commits cost here: each changes one row, and nothing else is done."""
    db = SqliteDatabase.open(folder / "q.db")

    def change(connection: apsw.Connection) -> Figures:
        with timed() as took:
            for turn in range(3 * n):
                connection.execute("update lease_clock set seen = seen + 1")
                if turn % 1_000 == 999:
                    connection.wal_checkpoint("main", apsw.SQLITE_CHECKPOINT_PASSIVE)
            seconds, cpu = took()
        return Figures(n, seconds, cpu, 3 * n)

    figures = db.exclusively(change)
    db.close()
    return figures


def quaero_single_composed(folder: Path, n: int = 3_000) -> Figures:
    """One caller without an event loop, a commit a message: delete the last, send, receive."""
    db = SqliteDatabase.open(folder / "q.db")
    queue = Queue.open(db, "bench")

    def step(tx, done):
        queue.complete(tx, *done)
        queue.send(tx, None)
        return queue.receive(tx)

    before, held = db.commits, []
    with timed() as took:
        for _ in range(n):
            held = db.write_sync(step, held)
        db.write_sync(queue.complete, *held)
        seconds, cpu = took()
    commits = db.commits - before
    db.close()
    return Figures(n, seconds, cpu, commits)


def quaero_single_with_consumer(folder: Path, n: int = 3_000) -> Figures:
    """One caller that awaits each send; a consumer in the process claims along with it."""
    return quaero_cycle(folder, n, producers=1)


async def _open(folder: Path) -> tuple[SqliteDatabase, Queue]:
    db = SqliteDatabase.open(folder / "q.db")
    queue = await asyncio.to_thread(Queue.open, db, "bench")
    return db, queue


# -- latency


def latency(folder: Path, *, other: bool, n: int = 200) -> tuple[float, float]:
    """Medians in ms: from the send's call to the handler's start, and one commit alone."""

    async def main() -> tuple[float, float]:
        db, queue = await _open(folder)
        started: asyncio.Queue[float] = asyncio.Queue()
        sender = None

        async def handle(message: Delivery) -> None:
            started.put_nowait(time.perf_counter())

        def nothing(tx) -> None:
            tx.execute("update lease_clock set seen = seen + 1")

        waits, commits = [], []
        async with consuming(db, queue, handle, concurrency=1):
            if other:
                sender = subprocess.Popen(
                    [sys.executable, __file__, str(folder)], stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE, text=True,
                )  # fmt: skip
                assert sender.stdout
                assert sender.stdin
                await asyncio.to_thread(sender.stdout.readline)
            for _ in range(n):
                await asyncio.sleep(0.01)
                began = time.perf_counter()
                await db.write(nothing)
                commits.append(time.perf_counter() - began)
                await asyncio.sleep(0.005)
                if sender is None:
                    began = time.perf_counter()
                    await db.write(queue.send, None)
                else:
                    sender.stdin.write("send\n")
                    sender.stdin.flush()
                    began = float(await asyncio.to_thread(sender.stdout.readline))
                waits.append(await started.get() - began)
            if sender is not None:
                sender.stdin.close()
                sender.wait()
        db.close()
        return statistics.median(waits) * 1e3, statistics.median(commits) * 1e3

    return run_on_loop(main())


def _send_for_another(folder: Path) -> None:
    db = SqliteDatabase.open(folder / "q.db")
    queue = Queue.open(db, "bench")
    print("ready", flush=True)
    for _ in sys.stdin:
        began = time.perf_counter()
        db.write_sync(queue.send, None)
        print(began, flush=True)
    db.close()


def run(rounds: int) -> list[Contest]:
    """All contests of messages."""
    return [
        contest(
            f"drain, {WORKERS} workers",
            {"quaero": quaero_drain, "loop": loop_drain, "huey": huey_drain},
            rounds,
        ),
        contest(
            f"full cycle, each send awaited, {PRODUCERS} producers",
            {"quaero": quaero_cycle, "loop": loop_cycle, "huey": huey_cycle},
            rounds,
        ),
        contest(
            f"strictly one message at a time, {WORKERS} workers, nothing claimed ahead",
            {"quaero": quaero_one_at_a_time, "loop": loop_drain},
            rounds,
        ),
        contest(
            "the same with one worker: each commit deletes one and receives the next",
            {"quaero": quaero_one_by_one, "loop": loop_drain},
            rounds,
        ),
        contest(
            "a single caller, send to delete, composed into one commit a message",
            {"quaero": quaero_single_composed, "loop": loop_cycle},
            rounds,
        ),
        contest(
            "a single caller, send, receive and delete with a commit each",
            {
                "quaero": quaero_single_caller,
                "loop": loop_cycle,
                "three bare commits": three_bare_commits,
            },
            rounds,
        ),
        contest(
            "a single caller that awaits each send, with a consumer in the process",
            {"quaero": quaero_single_with_consumer, "loop": loop_cycle},
            rounds,
        ),
    ]


if __name__ == "__main__":
    _send_for_another(Path(sys.argv[1]))
