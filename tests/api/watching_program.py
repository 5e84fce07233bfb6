"""Sockets that watch the list of jobs of a server, drop and come back, as pages do.

Usage: python watching_program.py URL CLIENTS SEED. Says `watching` when all listen. A line on its
standard input ends the coming and going; it then waits until each picture is what the server lists,
and says how many frames were heard, places resumed and lists loaded anew, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections import Counter
from typing import Any

import aiohttp
import msgspec

VOLATILE = ("duration", "wait")
PAGE = 200
LONGEST = 30.0

Picture = dict[int, dict[str, Any]]


def shown(item: dict[str, Any]) -> dict[str, Any]:
    """A job as it is compared: without what grows with time alone."""
    return {name: value for name, value in item.items() if name not in VOLATILE}


class Server:
    """The server that is watched; loads begun in the same moment are one."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self.session, self.url = session, url
        self._loading = asyncio.Lock()
        self._began = 0.0
        self._loaded: Picture = {}

    async def load(self) -> Picture:
        """All jobs at the top, as they were at some time since this was called."""
        asked = time.monotonic()
        async with self._loading:
            if self._began < asked:
                self._began = time.monotonic()
                self._loaded = await self._load()
        return dict(self._loaded)

    async def _load(self) -> Picture:
        found: Picture = {}
        path: str | None = f"/api/jobs?limit={PAGE}"
        while path:
            async with self.session.get(self.url + path) as answer:
                page = await answer.json()
            found |= {each["id"]: shown(each) for each in page["items"]}
            cursor = page["next_cursor"]
            path = cursor and f"/api/jobs?limit={PAGE}&cursor={cursor}"
        return found


class Watcher:
    """One socket, and the jobs at the top as it knows them."""

    def __init__(self, server: Server, rng: random.Random, tally: Counter[str]) -> None:
        self.server, self.rng, self.tally = server, rng, tally
        self.jobs: Picture = {}
        self.feed: str | None = None
        self.listening = asyncio.Event()

    async def watch(self, over: asyncio.Event) -> None:
        """Listen, drop and resume at random until it is over; then stay."""
        while True:
            stay = None if over.is_set() else self.rng.uniform(1.0, 20.0)
            try:
                async with asyncio.timeout(stay), self.server.session.ws_connect(
                    self.server.url + "/ws", compress=0, max_msg_size=0
                ) as socket:  # fmt: skip
                    await self._listen(socket)
            except TimeoutError:
                self.tally["drops"] += 1

    async def _listen(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        resume = {"resume": {"feed": self.feed}} if self.feed else {}
        await socket.send_str(json.dumps({"subscribe": ["jobs"], **resume}))
        async for frame in socket:
            self.tally["frames"] += 1
            for message in msgspec.json.decode(frame.data):
                await self._take(message)

    async def _take(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "subscribed" if not self.listening.is_set():
                await self._load()
                self.listening.set()
            case "reset":
                self.tally["resets"] += 1
                await self._load()
            case "job":
                self.jobs[message["job"]["id"]] = shown(message["job"])
            case "deleted":
                self.jobs.pop(message["id"], None)
        self.feed = message.get("feed", self.feed)

    async def _load(self) -> None:
        self.jobs = await self.server.load()


async def main(url: str, clients: int, seed: int) -> None:
    over = asyncio.Event()
    tally: Counter[str] = Counter()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        server = Server(session, url)
        watchers = [Watcher(server, random.Random(seed + n), tally) for n in range(clients)]
        tasks = [asyncio.create_task(each.watch(over)) for each in watchers]
        await asyncio.gather(*(each.listening.wait() for each in watchers))
        print("watching", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        over.set()
        stored = await server.load()
        async with asyncio.timeout(LONGEST):
            while any(each.jobs != stored for each in watchers):
                await asyncio.sleep(0.05)
                assert not any(task.done() for task in tasks)
        print(json.dumps({"jobs": len(stored), **tally}), flush=True)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
