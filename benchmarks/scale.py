"""What a claim costs when there is much: the same work in a small and in a huge database."""

from __future__ import annotations

import asyncio
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

from quaero.db import SqliteDatabase
from quaero.queue import NewMessage, Queue
from quaero.queue.claim import Claim, claim
from quaero.queue.handler import consuming
from quaero.queue.settle import complete, held

BLOCK, TIMES = 100, 200


def _fill(
    db: SqliteDatabase, ready: int, delayed: int, dead: int, finished: int, lanes: int
) -> None:
    """Write rows in bulk, with the counts that belong to them."""

    def work(connection):
        connection.pragma("synchronous", "off")
        connection.execute("begin")
        connection.execute(
            """
            with recursive n(i) as (select 1 union all select i + 1 from n where i < ?1)
            insert into message(id, queue_id, lane_id, state, due, created_at, type, payload)
            select i, 1, case when ?4 then i % ?4 + 1 else 0 end,
                   case when i <= ?2 then 3 when i <= ?3 then 1 else 0 end,
                   case when i > ?2 and i <= ?3 then 9000000000000000 else i end, i, 't', '{}'
              from n
            """,
            (ready + delayed + dead, dead, dead + delayed, lanes),
        )
        connection.execute(
            """
            with recursive n(i) as (select 1 union all select i + 1 from n where i < ?1)
            insert into job(id, root_id, depth, type, phase, name, status, priority, payload,
                            created_at, queue_id, own_run)
            select i, i, 0, 't', 1, 't', 2, 0, '{}', i, 1, 1 from n where ?1
            """,
            (finished,),
        )
        if lanes:
            connection.execute(
                """
                with recursive n(i) as (select 1 union all select i + 1 from n where i < ?1)
                insert into lane(id, queue_id, key, max_running, min_interval, ready, state)
                select i, 1, 'host' || i, 1, 0,
                       (select count(*) from message where queue_id = 1 and lane_id = i
                         and state = 0), 1 from n
                """,
                (lanes,),
            )
        connection.execute(
            "update queue set ready = ?, delayed = ?, dead = ? where id = 1", (ready, delayed, dead)
        )
        connection.execute(
            "update sequence set last = ? where name = 'message'", (ready + delayed + dead,)
        )
        connection.execute("commit")
        connection.pragma("wal_checkpoint")
        connection.pragma("synchronous", "full")

    db.exclusively(work)


def cost(folder: Path, **rows: int) -> float:
    """The median µs of a claim and settle of one message, in blocks of a hundred; no fsync."""
    folder.mkdir()
    db = SqliteDatabase.open(folder / "q.db")
    queue = Queue.open(db, "bench")
    _fill(db, **{"ready": 0, "delayed": 0, "dead": 0, "finished": 0, "lanes": 0, **rows})
    want = Claim(BLOCK, queue.lease)
    took: list[float] = []

    def once(tx):
        began = time.perf_counter()
        deliveries = claim(tx, queue.id, want)
        complete(tx, list(held(tx, [each.token for each in deliveries]).values()))
        tx.finish()
        took.append((time.perf_counter() - began) / len(deliveries) * 1e6)

    for _ in range(TIMES):
        db.write_sync(once)
        if len(took) * BLOCK >= rows["ready"] - BLOCK:
            break
    db.close()
    return statistics.median(took)


def most_memory(folder: Path, messages: int) -> float:
    """The most MB of a process that sends so many messages and works off 10,000 of them."""
    command = [sys.executable, __file__, str(folder / f"{messages}.db"), str(messages)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


async def _send_and_work(path: Path, messages: int) -> None:
    db = SqliteDatabase.open(path)
    queue = await asyncio.to_thread(Queue.open, db, "bench")
    for _ in range(messages // 1_000):
        new = [NewMessage("t", '{"url":"https://example.org/"}')] * 1_000
        await db.write(queue.send_many, new)

    async def handle(_: object) -> None:
        return

    async with consuming(db, queue, handle) as consumer:
        while consumer.settled < 10_000:
            await asyncio.sleep(0.001)
    db.close()


def run(folder: Path, scale: float) -> list[str]:
    """The table; `scale` shrinks the huge databases for a quick look."""

    def n(count: int) -> int:
        return int(count * scale)

    small = statistics.median(cost(folder / f"small{k}", ready=1_000) for k in range(9))
    huge = cost(
        folder / "huge", ready=n(5_000_000), delayed=n(200_000), dead=n(200_000),
        finished=n(1_000_000),
    )  # fmt: skip
    laned = cost(folder / "lanes", ready=n(2_000_000), lanes=n(100_000))
    few, many = most_memory(folder, 10_000), most_memory(folder, n(1_000_000))
    what = f"{n(5_000_000):,} ready, {n(1_000_000):,} finished jobs, "
    what += f"{n(200_000):,} delayed, {n(200_000):,} dead"
    return [
        "### A claim and settle in a huge database", "",
        "| what lies there | µs a message |", "|---|---:|",
        f"| 1,000 ready | {small:.1f} |",
        f"| {what} | {huge:.1f} ({huge / small:.2f}x) |",
        f"| {n(2_000_000):,} ready in {n(100_000):,} lanes | {laned:.1f} |", "",
        "### Memory of a process that sends and works", "",
        "| messages queued | most MB |", "|---|---:|",
        f"| 10,000 | {few:.0f} |",
        f"| {n(1_000_000):,} | {many:.0f} ({many / few:.2f}x) |", "",
    ]  # fmt: skip


if __name__ == "__main__":
    asyncio.run(_send_and_work(Path(sys.argv[1]), int(sys.argv[2])))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
