"""Four processes write, many clients listen, drop and come back: each ends with what is stored.

A little in the suite; under `dev.py soak` 200 clients for a minute, at 5,000 changes a second.
"""

import asyncio
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from quaero.db import SqliteDatabase
from quaero.jobs.read import Filter, listing
from quaero.queue.queue import open_queue

from ..soak import FACTOR  # noqa: TID252
from .listening import Listener, hubbing, picture

PROGRAM = Path(__file__).with_name("changing_program.py")
WRITERS = 4
RATE = 5_000
CLIENTS, SECONDS = (200, 60.0) if FACTOR > 1 else (30, 2.0)


class TreeListener(Listener):
    """It also keeps the picture of one tree, as the page of a job does."""

    def __init__(self, db, hub, root=None) -> None:
        super().__init__(db, hub)
        self.root = root
        self.below: dict[int, dict] = {}
        self.loaded = False

    async def take(self, message):
        await super().take(message)
        if message["type"] == "subscribed" and not self.loaded:
            await self.load()  # here, where no message can overtake what is loaded
            self.loaded = True
        if message.get("topic") != f"job:{self.root}":
            return
        if message["type"] == "tree":
            await self.load_tree()
        elif message["type"] == "job":
            self.below[message["job"]["id"]] = message["job"]
        elif message["type"] == "deleted":
            self.below.pop(message["id"], None)
            if message["id"] == self.root:  # and with it all below
                self.below.clear()

    async def load(self):
        await super().load()
        await self.load_tree()

    async def load_tree(self):
        self.below = await self.db.read(tree_of, self.root)


def tree_of(tx, root):
    rows = listing(tx, Filter(parent_id=root, limit=10_000)) if root else []
    return {job.id: picture(job) for job in rows}


async def come_and_go(rng, listener, topics, over):
    """Listen, drop and resume at random until it is over; then stay."""
    await listener.connect(*topics)
    while not over.is_set():
        try:
            async with asyncio.timeout(rng.uniform(0.2, 3.0)):
                await over.wait()
        except TimeoutError:
            await listener.drop()
            await asyncio.sleep(rng.uniform(0.0, 0.5))
            await listener.connect(*topics, resume=listener.feed)
    return listener


async def test_every_reader_ends_with_what_is_stored() -> None:
    folder = Path(tempfile.mkdtemp(prefix="quaero-live-"))
    try:
        with SqliteDatabase.open(folder / "q.db") as db:
            await db.write(open_queue, "quaero_jobs")
            async with hubbing(db) as hub:
                await _listen_while_others_write(db, hub)
    finally:
        shutil.rmtree(folder)


async def _listen_while_others_write(db, hub) -> None:
    rng = random.Random(7)
    writers = [
        subprocess.Popen(
            [sys.executable, PROGRAM, str(db.path), str(seed), str(SECONDS), str(RATE / WRITERS)],
            stdout=subprocess.PIPE,
        )
        for seed in range(WRITERS)
    ]
    over = asyncio.Event()
    while not (roots := [job.id for job in await db.read(listing, Filter())]):
        await asyncio.sleep(0.01)
    listeners = [TreeListener(db, hub, rng.choice(roots)) for _ in range(CLIENTS)]
    tasks = [
        asyncio.create_task(come_and_go(rng, each, ["jobs", f"job:{each.root}"], over))
        for each in listeners
    ]
    outputs = [await asyncio.to_thread(writer.communicate) for writer in writers]
    assert [writer.returncode for writer in writers] == [0] * WRITERS
    changes = sum(int(out) for out, _ in outputs)
    over.set()
    await asyncio.gather(*tasks)
    stored = {job.id: picture(job) for job in await db.read(listing, Filter(limit=100_000))}
    for each in listeners:
        below = await db.read(tree_of, each.root)
        await each.until(lambda each=each: each.jobs == stored)
        mine = {id_: job for id_, job in each.below.items() if id_ != each.root}
        assert mine == below
    print(f"{changes / SECONDS:,.0f} changes/s, {len(stored)} jobs at the top, {hub.tally}")
    assert changes > WRITERS * 100
