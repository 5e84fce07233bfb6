"""The hub of a web process: it watches the database once, and tells every client what it hears.

At most four times a second it looks (`look`), makes each message once, and puts it into the
outboxes of those who listen; so a job is told at most four times a second, and always as it is in
the end. Where too much changes to be told singly, or a look is costly, it looks once a second or
less. A topic that a client asks for goes on from the place the client names, or from one that
lies two seconds back at least: so nothing is missed between one connection and the next, nor
between a page and its subscription.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Hashable, Iterable
from dataclasses import dataclass

from quaero.api.live import messages
from quaero.api.live.client import GOING_AWAY, TRY_AGAIN_LATER, Asked, Client
from quaero.api.live.look import Changed, Look, Wanted, look
from quaero.api.live.outbox import FEED
from quaero.api.live.statistics import Statistics
from quaero.api.live.tail import Lines, Mark, follow, join
from quaero.api.live.topics import JOBS, MOST_TOPICS, Topic, parse
from quaero.api.live.views import Views
from quaero.clock import SECOND
from quaero.db.contract import Database, ReadTx
from quaero.errors import BadInput, StorageError
from quaero.jobs import feed, logs
from quaero.loops import Loop
from quaero.program_log import program_log

log = program_log(__name__)

LOOK_SECONDS = 0.25
BUSY_SECONDS = 1.0
SHARE = 4  # of its time the hub looks for at most one part in so many
FEED_SECONDS = 5.0
PAST_SECONDS = 2.0
Item = tuple[Hashable, bytes]


@dataclass(slots=True)
class Tally:
    """What the hub has done since it began, for metrics."""

    looks: int = 0
    messages: int = 0
    resets: int = 0
    cut: int = 0


class Hub:
    """Serves any number of clients from one database; `run` does the work."""

    def __init__(self, db: Database, queue_id: int, views: Views) -> None:
        self._db = db
        self._queue_id = queue_id
        self._views = views
        self._clients: set[Client] = set()
        self._listeners: dict[Topic, set[Client]] = {}
        self._tails: dict[Topic, Mark] = {}
        self._statistics = Statistics(db, views)
        self._seq: int | None = None
        self._feed = ""
        self._stirred = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._rung = False
        self._ended = asyncio.Event()
        self._pace = LOOK_SECONDS
        self._fed = 0.0
        self._past: deque[tuple[float, int]] = deque()
        self.turns = Loop("live", BUSY_SECONDS)
        self.tally = Tally()
        self.behind = 0

    # -- clients

    @property
    def clients(self) -> int:
        """How many are connected."""
        return len(self._clients)

    async def connect(self) -> Client:
        """A new client, already greeted."""
        self._feed, seq, before = await self._db.read(_places)
        client = Client(seq, before)
        self._clients.add(client)
        # No cursor here: a client that is cut off before it resumes would keep one too new for it.
        client.outbox.put([("hello", messages.message("hello"))])
        if self._ended.is_set():
            client.close(GOING_AWAY)
        return client

    def disconnect(self, client: Client) -> None:
        """A client is gone."""
        self._clients.discard(client)
        for topic in list(client.topics):
            self._leave(client, topic)
        client.awaited.clear()
        client.close(GOING_AWAY)

    def cut(self, client: Client) -> None:
        """End with a client that does not read."""
        self.tally.cut += 1
        client.close(TRY_AGAIN_LATER)
        self.disconnect(client)

    def ask(self, client: Client, text: str | bytes) -> None:
        """Do what a client's frame says; what is wrong with it, it is told."""
        try:
            request = messages.request(text)
            if request.ping is not None:
                client.outbox.put([("pong", messages.message("pong", n=request.ping))])
            start: int | None = min(client.seen, self._some_time_ago(client.before))
            if request.resume is not None and request.resume.feed is not None:
                start = messages.place(request.resume.feed, self._feed)
            for name in request.unsubscribe:
                topic, _ = parse(name)
                client.awaited.pop(topic, None)
                self._leave(client, topic)
            self._await(client, [Asked(*parse(name), start) for name in request.subscribe])
        except BadInput as error:
            client.outbox.put([("error", messages.message("error", detail=str(error)))])

    def _await(self, client: Client, asked: list[Asked]) -> None:
        if len(client.known | {each.topic for each in asked}) > MOST_TOPICS:
            raise BadInput(f"one connection hears at most {MOST_TOPICS} topics")
        client.awaited.update((each.topic, each) for each in asked)
        if asked:
            self._stirred.set()

    def _some_time_ago(self, otherwise: int) -> int:
        """The place of two seconds ago: a page may have been loaded since, before it subscribed.

        `otherwise` where the hub has not looked for so long.
        """
        before = time.monotonic() - PAST_SECONDS
        while len(self._past) > 1 and self._past[1][0] < before:
            self._past.popleft()
        known = self._past and self._past[0][0] < before
        return self._past[0][1] if known else otherwise

    def _leave(self, client: Client, topic: Topic) -> None:
        client.topics.discard(topic)
        listeners = self._listeners.get(topic, set())
        listeners.discard(client)
        if not listeners:
            self._listeners.pop(topic, None)
            self._tails.pop(topic, None)
            self._statistics.forget(topic)

    # -- the loop

    async def run(self) -> None:
        """Look and tell until `close`; a look that fails is tried again."""
        self._loop = asyncio.get_running_loop()
        topics = (feed.TOPIC, logs.TOPIC, f"queue:{self._queue_id}")
        ends = [self._db.subscribe(topic, self._announced) for topic in topics]
        try:
            while not self._ended.is_set():
                await self._turn()
        finally:
            for end in ends:
                end()

    def close(self) -> None:
        """Stop looking, and let every client end: the server goes away."""
        self._ended.set()
        for client in list(self._clients):
            client.close(GOING_AWAY)
        self._stirred.set()

    async def _turn(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(BUSY_SECONDS):
                await self._stirred.wait()
        self._stirred.clear()
        self._rung = False
        began = time.monotonic()
        try:
            await self._look()
            await self._follow_logs()
            await self._statistics.tell(self._listeners, self._put)
            self.turns.turn()
        except StorageError as error:
            log.warning("the live hub cannot read now: %s", error)
            self.turns.failed(error)
        except Exception as error:
            log.exception("the live hub stumbled, and goes on")
            self.turns.failed(error)
        took = time.monotonic() - began
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(self._pace, SHARE * took) - took):
                await self._ended.wait()

    def _announced(self) -> None:
        """Something was committed; called on any thread, often."""
        if not self._rung and self._loop is not None:
            self._rung = True
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._stirred.set)

    # -- jobs

    async def _look(self) -> None:
        asked = [
            (client, start, [each for each in client.awaited.values() if each.start == start])
            for client in self._clients
            for start in {each.start for each in client.awaited.values()}
        ]
        if not asked and not self._listeners:
            self._seq = None
            self._past.clear()
            return
        wanted = Wanted(
            self._seq,
            frozenset(topic for topic in self._listeners if topic.of_jobs),
            [
                (start, frozenset(each.topic for each in topics if each.topic.of_jobs))
                for _, start, topics in asked
            ],
        )
        seen = await self._db.read(look, wanted)
        self.tally.looks += 1
        self.behind = seen.behind
        made = _Made(seen, self._views)
        self._tell_live(seen, made)
        for (client, _, topics), changed in zip(asked, seen.joined, strict=True):
            await self._join(client, topics, changed, made)
        self._seq = seen.head
        self._past.append((time.monotonic(), seen.head))
        self._some_time_ago(0)
        self._feed_all(seen.head)
        self._pace = BUSY_SECONDS if made.too_many else LOOK_SECONDS

    def _tell_live(self, seen: Look, made: _Made) -> None:
        if seen.live is None:
            gone = messages.message("reset", reason="the feed of changes was lost")
            for client in self._clients:
                self._put([client], [("reset", gone)])
                client.owed = True
            return
        for topic, changed in seen.live.items():
            listeners = self._listeners.get(topic, set())
            self._put(listeners, made.items(topic, changed))
            for client in listeners:
                client.owed = True
            if topic.job_id in made.gone:
                for client in list(listeners):
                    self._leave(client, topic)

    async def _join(
        self,
        client: Client,
        asked: list[Asked],
        changed: dict[Topic, Changed] | None,
        made: _Made,
    ) -> None:
        """Let a client hear topics from now on, after what it missed."""
        missed = await self._missed_lines(asked)  # first: where it fails, all is tried again
        still = [each for each in asked if client.awaited.get(each.topic) is each]
        items: list[Item] = []
        if changed is None:
            reason = "the place to go on from is not known here any more"
            items.append(("reset", messages.message("reset", reason=reason)))
            self.tally.resets += 1
        for each in still:
            del client.awaited[each.topic]
            if changed and each.topic in changed:
                items += made.items(each.topic, changed[each.topic])
            if each.topic.job_id not in made.gone or each.topic.kind != "job":
                client.topics.add(each.topic)
                self._listeners.setdefault(each.topic, set()).add(client)
        client.greeted = False
        self._put([client], items)
        self._join_logs(client, still, missed)
        self._statistics.greet(client, [each.topic for each in still], self._put)

    def _feed_all(self, head: int) -> None:
        """Tell the new place to whoever was told anything, and to all once in a while."""
        idle = time.monotonic() - self._fed > FEED_SECONDS
        if idle:
            self._fed = time.monotonic()
        item: Item = (FEED, self._cursor_message(FEED, head))
        for client in self._clients:
            if client.awaited:
                continue  # its cursor would stand for what it has yet to be told
            if not client.greeted:
                names = sorted(topic.text for topic in client.topics)
                feed_ = messages.cursor(self._feed, head)
                told = messages.message("subscribed", topics=names, feed=feed_)
                self._put([client], [("subscribed", told)])
            elif client.owed or (idle and client.seen != head):
                self._put([client], [item])
            else:
                continue
            client.greeted, client.owed, client.seen = True, False, head

    def _cursor_message(self, type_: str, seq: int) -> bytes:
        return messages.message(type_, feed=messages.cursor(self._feed, seq))

    # -- logs

    async def _follow_logs(self) -> None:
        if not self._tails:
            return
        wanted = list(self._tails.items())
        found = await self._db.read(follow, wanted)
        for (topic, _), (mark, lines) in zip(wanted, found, strict=True):
            if topic in self._tails:
                self._tails[topic] = mark
                self._put(self._listeners.get(topic, set()), self._log_items(topic, lines))

    async def _missed_lines(self, asked: list[Asked]) -> dict[Topic, tuple[Mark, Lines | None]]:
        """The shared mark of each log that is asked for, and the lines up to it that are lacked."""
        return {
            topic: await self._db.read(join, topic, after, self._tails.get(topic))
            for topic, after, _ in asked
            if topic.kind == "logs"
        }

    def _join_logs(
        self, client: Client, asked: list[Asked], missed: dict[Topic, tuple[Mark, Lines | None]]
    ) -> None:
        """Begin at the shared end of each log, after the lines that the client lacks."""
        for topic, *_ in asked:
            if topic in missed:
                mark, lines = missed[topic]
                self._tails.setdefault(topic, mark)
                if lines is not None:
                    self._put([client], self._log_items(topic, lines))

    def _log_items(self, topic: Topic, lines: Lines) -> list[Item]:
        told: list[Item] = []
        if lines.deleted:
            reason = "lines of this log were deleted"
            text = messages.message("reset", topic=topic.text, reason=reason)
            told.append((("reset", topic), text))
        if not lines.lines:
            return told
        items = [
            {**self._views.line(line), "cut": True}
            if line.id in lines.cut
            else self._views.line(line)
            for line in lines.lines
        ]
        text = messages.message("log", topic=topic.text, lines=items, gap=lines.gap)
        return [*told, (("log", topic, lines.lines[-1].id), text)]

    def _put(self, clients: Iterable[Client], items: list[Item]) -> None:
        if items:
            for client in clients:
                before = client.outbox.resets
                client.outbox.put(items)
                self.tally.messages += len(items)
                self.tally.resets += client.outbox.resets - before


def _places(tx: ReadTx) -> tuple[str, int, int]:
    """What names the feed, where it is, and where it was some time ago."""
    before = feed.place_at(tx, tx.now - int(PAST_SECONDS * SECOND))
    return feed.identity(tx), feed.last(tx), before


class _Made:
    """The messages of one look, each made once."""

    def __init__(self, seen: Look, views: Views) -> None:
        self._seen = seen
        self._views = views
        self._jobs: dict[int, bytes] = {}
        self.head = seen.head
        self.too_many = False
        self.gone: set[int] = set()

    def items(self, topic: Topic, changed: Changed) -> list[Item]:
        """What the listeners of a topic are told, by what a later message would replace."""
        items: list[Item] = [
            (("job", topic, job_id), self._job(topic, job_id)) for job_id in changed.ids
        ]
        if changed.more:
            self.too_many = True
            items.append((("more", topic), self._more(topic)))
        return items

    def _job(self, topic: Topic, job_id: int) -> bytes:
        if job_id not in self._seen.jobs:
            if job_id == topic.job_id:
                self.gone.add(job_id)
            return messages.deleted(topic, job_id)
        if job_id not in self._jobs:
            item = self._views.job(self._seen.jobs[job_id], self._seen.at)
            self._jobs[job_id] = messages.encode(item)
        return messages.job(topic, self._jobs[job_id], child=topic.job_id not in (0, job_id))

    def _more(self, topic: Topic) -> bytes:
        if topic == JOBS:
            reason = "more jobs changed than are told singly"
            return messages.message("reset", topic=topic.text, reason=reason)
        return messages.message("tree", topic=topic.text, id=topic.job_id)
