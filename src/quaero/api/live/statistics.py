"""Statistics on the socket: of the queue each second, of workers, health and schedules every other
second or less, read while somebody listens and told only when they have changed.

What follows from jobs is told again when jobs have changed, though it is as it was: a page may have
been loaded in between, and shows what was then.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from quaero.api.live import messages
from quaero.api.live.client import Client
from quaero.api.live.topics import QUEUE, SYSTEM, WORKERS, Topic
from quaero.api.live.views import Views
from quaero.db.contract import Database, ReadTx
from quaero.jobs import feed

Put = Callable[[Iterable[Client], list[tuple[Any, bytes]]], None]
_TOPICS = {
    "queue": ((QUEUE,), 1.0),
    "workers": ((WORKERS, SYSTEM), 2.0),
    "health": ((SYSTEM,), 5.0),
    "schedule": ((SYSTEM,), 2.0),
}
_OF_JOBS = frozenset({"queue", "workers"})


class Statistics:
    """What was last read of each kind, and when."""

    def __init__(self, db: Database, views: Views) -> None:
        self._db = db
        self._views = views
        self._told: dict[str, tuple[Any, bytes]] = {}
        self._read: dict[str, float] = {}

    async def tell(self, listeners: dict[Topic, set[Client]], put: Put) -> None:
        """Read what is due, and tell what has changed."""
        now = time.monotonic()
        for kind, (topics, every) in _TOPICS.items():
            hearing = set[Client]().union(*(listeners.get(topic, ()) for topic in topics))
            if not hearing or now - self._read.get(kind, -every) < every:
                continue
            self._read[kind] = now
            place, picture = await self._db.read(self._look, kind)
            same, text = (place, _lasting(picture)), messages.message(kind, **picture)
            changed = kind not in self._told or self._told[kind][0] != same
            self._told[kind] = same, text  # the ages in it are those of now, for who comes next
            if changed:
                put(hearing, [(kind, text)])

    def greet(self, client: Client, topics: Iterable[Topic], put: Put) -> None:
        """Tell a new listener what the others know; or have it read at once."""
        for kind, (of, _) in _TOPICS.items():
            if not set(of) & set(topics):
                continue
            if kind in self._told:
                put([client], [(kind, self._told[kind][1])])
            else:
                self._read.pop(kind, None)

    def forget(self, topic: Topic) -> None:
        """Nobody listens any more: what was told is not true for long."""
        for kind, (topics, _) in _TOPICS.items():
            if topic in topics:
                self._told.pop(kind, None)
                self._read.pop(kind, None)

    def _look(self, tx: ReadTx, kind: str) -> tuple[int, dict[str, Any]]:
        """Where the feed of jobs is, for what follows from them, and the picture."""
        return feed.last(tx) if kind in _OF_JOBS else 0, self._picture(tx, kind)

    def _picture(self, tx: ReadTx, kind: str) -> dict[str, Any]:
        if kind == "queue":
            return self._views.queue(tx)
        if kind == "workers":
            return {"workers": self._views.workers(tx)}
        if kind == "schedule":
            return self._views.schedules(tx)
        return {"health": self._views.health(tx)}


def _lasting(picture: Any) -> Any:
    """A picture without what grows by itself: ages."""
    if isinstance(picture, dict):
        return {
            name: _lasting(value)
            for name, value in picture.items()
            if not name.endswith(("_seconds", "_seconds_ago"))
        }
    if isinstance(picture, list):
        return [_lasting(each) for each in picture]
    return picture
