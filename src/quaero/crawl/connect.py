"""Connections of the HTTP client, guarded request by request.

The client keeps one pool of open connections for all crawls, while each crawl has its own network
policy. So the last word is said here: just before a request is written, the address at the other
end of its connection, new or reused, passes the policy of that request. The same place knows when
waiting for a connection ends and waiting for an answer begins, keeps the deadlines, and sees to it
that the way from the queue to the wire, now slow and now quick, brings no two requests too close.
"""

from __future__ import annotations

import asyncio
import math
import ssl
from collections import OrderedDict
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from aiohttp import (
    ClientConnectionError,
    ClientConnectionResetError,
    ClientConnectorError,
    ClientHandlerType,
    ClientOSError,
    ClientRequest,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    ServerDisconnectedError,
    TCPConnector,
)
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http import HttpProcessingError

from quaero.crawl.exchange import FetchLimits, FetchRequest
from quaero.crawl.resolve import Lookup, PolicyResolver
from quaero.crawl.urls import host_key

_TICK = 0.1  # seconds
_KEEP_ALIVE = 30.0  # seconds that an idle connection stays open
_HOSTS_SPACED = 10_000
_MOST_IDLE = 100
_MOST_UNREAD = 100


class ConnectionDroppedError(ClientConnectionError):
    """A new connection was closed before an answer came; the client does not send again."""


class StaleConnectionError(ClientConnectionError):
    """On a kept connection came what nobody had asked for; nothing was written to it."""


@dataclass(slots=True, eq=False)
class Flight:
    """One request under way: what it waits for, until when, and to whom it is connected.

    `started` and `deadline` are in the loop's time; `timer` surrounds the request and ends it;
    `connections` and `spacing` are those of the client.
    """

    url: str
    host: str
    request: FetchRequest
    connections: Connections
    spacing: Spacing
    timer: asyncio.Timeout
    started: float
    deadline: float = math.inf
    waiting_for: str = ""
    remote: str = ""
    reused: bool = False
    protocol: Any = None

    @property
    def limits(self) -> FetchLimits:
        """The request's limits."""
        return self.request.limits

    def elapsed(self) -> float:
        """Seconds since the start."""
        return asyncio.get_running_loop().time() - self.started

    def wait(self, waiting_for: str, seconds: float) -> None:
        """From now on wait at most `seconds` for this, and never beyond the total limit."""
        self.waiting_for = waiting_for
        soon = asyncio.get_running_loop().time() + seconds
        self.deadline = min(soon, self.started + self.limits.total)

    def board(self, connection: Connection) -> None:
        """Check the connection that the client chose, before anything is written to it."""
        transport = connection.transport
        peer = transport.get_extra_info("peername") if transport is not None else None
        if not peer:
            raise ClientConnectionResetError("closed before the request was sent")
        if self.reused and self.protocol.should_close:
            raise StaleConnectionError("it holds what would be taken for the answer")
        self.remote = peer[0]
        self.request.policy.check(self.remote, self.host)
        self.wait("an answer", self.limits.headers)


class Connections:
    """The open connections of the client, of which it keeps no more than so many that are idle.

    It would keep each for its time, also where a thousand sites are asked once each, until the
    system opens no more files.
    """

    def __init__(self, most_idle: int = _MOST_IDLE) -> None:
        self._most_idle = most_idle
        self._used: WeakKeyDictionary[Any, Flight | None] = WeakKeyDictionary()
        self._idle: OrderedDict[Any, None] = OrderedDict()

    def take(self, protocol: Any, flight: Flight) -> None:
        """A flight has been given a connection."""
        flight.protocol, flight.reused = protocol, protocol in self._used
        self._used[protocol] = flight
        self._idle.pop(protocol, None)

    def leave(self, flight: Flight) -> None:
        """A flight has ended; its connection is idle, unless it has gone to another already."""
        if flight.protocol is None or self._used.get(flight.protocol) is not flight:
            return
        self._used[flight.protocol] = None
        self._idle[flight.protocol] = None
        if len(self._idle) > self._most_idle:
            oldest, _ = self._idle.popitem(last=False)
            oldest.close()


class Spacing:
    """Keeps requests to a host as far apart as they ask for, where they are written.

    When a request may start is for the lanes of the queue to say, over all processes. From there to
    the wire a look-up, a handshake or a busy processor delays one request more than the next; this
    takes that back, and for longer than `LONGEST` it holds none.
    """

    LONGEST = 1.0  # seconds

    def __init__(self) -> None:
        self._last: OrderedDict[str, float] = OrderedDict()

    async def keep(self, flight: Flight) -> None:
        """Wait for the flight's turn."""
        interval = flight.request.interval
        if interval <= 0:
            return
        host, loop = host_key(flight.url), asyncio.get_running_loop()
        now = loop.time()
        latest = now + self.LONGEST
        while (turn := min(self._last.get(host, -math.inf) + interval, latest)) > now:
            await asyncio.sleep(turn - now)  # another may go first, or all wake late
            now = loop.time()
        self._last[host] = now
        self._last.move_to_end(host)
        if len(self._last) > _HOSTS_SPACED:
            self._last.popitem(last=False)


class Watch:
    """Ends flights that are over their deadline, with one timer for all of them.

    A timer of its own for each phase of each request would cost a tenth of the request. Deadlines
    are kept to within `_TICK`; the timer runs only while there are flights.
    """

    def __init__(self) -> None:
        self._flights: set[Flight] = set()
        self._next: asyncio.TimerHandle | None = None

    def over(self, flight: Flight) -> asyncio.Timeout:
        """Watch the flight; what is returned is to be entered at once, and is what ends it."""
        self._flights.add(flight)
        if self._next is None:
            self._next = asyncio.get_running_loop().call_later(_TICK, self._look)
        return flight.timer

    def forget(self, flight: Flight) -> None:
        """Watch it no longer."""
        self._flights.discard(flight)

    def stop(self) -> None:
        """Forget all flights."""
        self._flights.clear()
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        late = {flight for flight in self._flights if flight.deadline <= now}
        self._flights -= late
        for flight in late:
            flight.timer.reschedule(now)
        self._next = loop.call_later(_TICK, self._look) if self._flights else None


FLIGHT: ContextVar[Flight] = ContextVar("quaero_flight")
"""The request that the running task is sending."""


class GuardedRequest(ClientRequest):
    """A request that is written only to a connection its flight may board, at its turn."""

    async def send(self, conn: Connection) -> ClientResponse:
        """Wait for the turn, check the connection, then write the request."""
        flight = FLIGHT.get()
        flight.connections.take(conn.protocol, flight)
        await flight.spacing.keep(flight)
        flight.board(conn)
        return await super().send(conn)


async def resend_on_reused_only(
    request: ClientRequest, handler: ClientHandlerType
) -> ClientResponse:
    """Let the client send again only where a kept connection turned out to be closed.

    RFC 9112 9.3.1 allows that. The client would do it on a new connection too, and so ask a site
    that drops requests twice as often as its lane allows. In place of a stale connection, which is
    closed by then, another is taken.
    """
    while True:
        try:
            return await handler(request)
        except StaleConnectionError:
            continue
        except ClientConnectorError:
            raise
        except (ClientOSError, ServerDisconnectedError) as error:
            if FLIGHT.get().reused:
                raise
            raise ConnectionDroppedError("closed without an answer") from error


class _FewAnswers(ResponseHandler):
    """A connection that is closed where answers come faster than they are read.

    One answer was asked for. Of those that may precede it (1xx) a site can send millions.
    """

    def feed_data(self, data: Any, size: int = 0) -> None:
        """Take one answer more."""
        if len(self) < _MOST_UNREAD:
            super().feed_data(data, size)
        elif self.transport is not None:
            self.set_exception(HttpProcessingError(message="too many answers"))
            self.transport.abort()


class _Connector(TCPConnector):
    """Connections of this kind."""

    def __init__(self, **how: Any) -> None:
        super().__init__(**how)
        made: type[ResponseHandler] = _FewAnswers
        self._factory = partial(made, loop=asyncio.get_running_loop())


def open_session(lookup: Lookup, per_host: int, headers: dict[str, str]) -> ClientSession:
    """The HTTP client: no cookies, no proxies, no redirects or unpacking of its own.

    To be called inside the event loop. `per_host` limits open connections (0: no limit).
    """
    connector = _Connector(
        resolver=PolicyResolver(lookup, lambda: FLIGHT.get().request.policy),
        use_dns_cache=False,
        limit=0,
        limit_per_host=per_host,
        keepalive_timeout=_KEEP_ALIVE,
    )
    return ClientSession(
        connector=connector,
        cookie_jar=DummyCookieJar(),
        headers=headers,
        timeout=ClientTimeout(total=None),
        auto_decompress=False,
        trust_env=False,
        request_class=GuardedRequest,
        middlewares=(resend_on_reused_only,),
    )


def tls_context() -> ssl.SSLContext:
    """Certificates are checked against those that the system trusts (or `SSL_CERT_FILE` names)."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
