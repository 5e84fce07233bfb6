"""One listener: what it hears, where it is in the feed, and what waits to be sent to it."""

from __future__ import annotations

from typing import NamedTuple

from quaero.api.live.outbox import Outbox
from quaero.api.live.topics import Topic

GOING_AWAY = 1001
TRY_AGAIN_LATER = 1013


class Asked(NamedTuple):
    """A topic to begin with the next look, after a place in the feed.

    For a log `after` is the last line its reader has seen. A `start` of None is not known here.
    """

    topic: Topic
    after: int | None
    start: int | None


class Client:
    """A connection as the hub sees it; `seen` is the last place in the feed it was told of.

    `before` is the place some time before it came. It is `owed` a newer one when it was told of
    changes; `greeted` once its topics were confirmed.
    """

    def __init__(self, seen: int, before: int) -> None:
        self.seen = seen
        self.before = before
        self.topics: set[Topic] = set()
        self.awaited: dict[Topic, Asked] = {}
        self.owed = False
        self.greeted = True
        self.outbox = Outbox()
        self.code: int | None = None

    @property
    def known(self) -> set[Topic]:
        """All that it asked for."""
        return self.topics | self.awaited.keys()

    def close(self, code: int) -> None:
        """Send what waits, then end with this code."""
        if self.code is None:
            self.code = code
        self.outbox.close()
