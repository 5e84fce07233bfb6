"""Clients of the live hub for tests: they keep a picture of the jobs as a page would."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from quaero.api.live.hub import Hub
from quaero.api.live.views import Views
from quaero.jobs.read import Filter, counts_by_status, listing
from quaero.queue.stats import stats


def picture(job, now=0):
    counts = job.counts
    return {
        "id": job.id,
        "parent_id": job.parent_id,
        "status": job.status.word,
        "counts": [counts.total, counts.done],
        "progress": job.progress_current,
    }


def plain_views(queue_id=1) -> Views:
    def queue(tx):
        seen = stats(tx, queue_id)
        age = None if seen.oldest_ready is None else seen.oldest_ready / 1e6
        top = {status.word: n for status, n in counts_by_status(tx, top=True).items()}
        return {"stats": {"ready": seen.ready, "oldest_ready_seconds": age}, "top": top}

    return Views(
        job=picture,
        line=lambda line: {"id": line.id, "message": line.message},
        queue=queue,
        workers=lambda tx: [{"id": 1}],
        schedules=lambda tx: {"schedules": []},
        health=lambda tx: {"status": "ok"},
    )


@asynccontextmanager
async def hubbing(db, views=None) -> AsyncIterator[Hub]:
    """A hub that runs while the block runs."""
    hub = Hub(db, 1, views or plain_views())
    running = asyncio.create_task(hub.run())
    try:
        yield hub
    finally:
        hub.close()
        await running


class Listener:
    """One client: every message it got, and the top-level jobs as it knows them."""

    def __init__(self, db, hub) -> None:
        self.db, self.hub = db, hub
        self.heard: list[dict] = []
        self.ever: list[dict] = []
        self.jobs: dict[int, dict] = {}
        self.feed: str | None = None
        self.resets = 0
        self.client = None
        self._news = asyncio.Event()
        self._task = None

    async def connect(self, *topics, resume=None):
        before = len(self.ever)
        self.client = await self.hub.connect()
        self._task = asyncio.create_task(self._listen())
        if topics:
            self.ask(subscribe=list(topics), resume=resume and {"feed": resume})
            await self.until(lambda: any(m["type"] == "subscribed" for m in self.ever[before:]))
        return self

    def ask(self, **request):
        self.hub.ask(self.client, json.dumps(request))

    async def drop(self):
        self.hub.disconnect(self.client)
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _listen(self):
        while (frame := await self.client.outbox.frame()) is not None:
            for message in json.loads(frame):
                await self.take(message)
                self.feed = message.get("feed", self.feed)
            self._news.set()

    async def take(self, message):
        self.heard.append(message)
        self.ever.append(message)
        kind = message["type"]
        if kind == "reset":
            self.resets += 1
            await self.load()
        elif kind == "job" and message["topic"] == "jobs":
            self.jobs[message["job"]["id"]] = message["job"]
        elif kind == "deleted" and message["topic"] == "jobs":
            self.jobs.pop(message["id"], None)

    async def load(self):
        found = await self.db.read(listing, Filter(limit=100_000))
        self.jobs = {job.id: picture(job) for job in found}

    async def until(self, condition, seconds=20.0):
        """Wait until something holds of what was heard."""
        async with asyncio.timeout(seconds):
            while not condition():
                self._news.clear()
                await self._news.wait()

    async def got(self, kind, **fields):
        """Wait for a message of a kind with these fields; it and all before it are taken away."""

        def found():
            return [
                n
                for n, each in enumerate(self.heard)
                if each["type"] == kind and all(each.get(k) == v for k, v in fields.items())
            ]

        await self.until(found)
        at = found()[0]
        message = self.heard[at]
        del self.heard[: at + 1]
        return message
