"""Running the application: uvicorn on a socket that is bound already.

A connection that does not get its request's head across in time is closed, and one that does not
take its answer. At the end requests under way are finished, new ones get a 503, and sockets are
closed with a word.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from socket import socket
from typing import Any

import h11
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from quaero.api.problems import problem
from quaero.api.security import HEADERS

HEAD_SECONDS = 15.0
TAKE_SECONDS = 30.0
DRAIN_SECONDS = 5.0
CLOSE_SECONDS = 1
LARGEST_HEAD = 64 * 1024
LOOK_SECONDS = 0.02


class _Connection(H11Protocol):
    """A connection that is closed when its next request's head, or its reader, takes too long."""

    _cut: asyncio.TimerHandle | None = None
    _stuck: asyncio.TimerHandle | None = None

    @property
    def busy(self) -> bool:
        """Whether a request is being answered."""
        return self.cycle is not None and not self.cycle.response_complete

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.busy:
            self._await_nothing()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._cut is None and not self.transport.is_closing():
            self._await_head()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        self._await_nothing()
        super().handle_websocket_upgrade(event)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stuck = self.loop.call_later(TAKE_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None

    def connection_lost(self, exc: Exception | None) -> None:
        self._await_nothing()
        if self._stuck is not None:
            self._stuck.cancel()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP as every other fault is answered."""
        if self.conn.our_state not in {h11.IDLE, h11.SEND_RESPONSE}:  # an answer has begun
            self.transport.close()
            return
        refusal = problem(400, "bad-request", msg, headers={**HEADERS, "Connection": "close"})
        parts = (
            h11.Response(status_code=400, headers=refusal.raw_headers, reason=b"Bad Request"),
            h11.Data(data=bytes(refusal.body)),
            h11.EndOfMessage(),
        )
        for part in parts:
            self.transport.write(self.conn.send(part))
        self.transport.close()

    def _await_head(self) -> None:
        self._cut = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _await_nothing(self) -> None:
        if self._cut is not None:
            self._cut.cancel()
            self._cut = None

    def _give_up(self) -> None:
        self._cut = None
        if not self.busy:
            self.transport.close()


class Server(uvicorn.Server):
    """One application on one socket; sets `draining` as soon as it is told to end.

    Where it is told so because its parent is `gone`, it leaves its address at once to the next one.
    """

    def __init__(
        self, app: FastAPI, draining: threading.Event, gone: threading.Event | None = None
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=_Connection,
                ws="websockets-sansio",
                ws_max_size=64 * 1024,
                ws_per_message_deflate=False,
                ws_ping_interval=20.0,
                ws_ping_timeout=20.0,
                lifespan="off",
                log_config=None,
                log_level="warning",
                access_log=False,
                server_header=False,
                timeout_keep_alive=int(HEAD_SECONDS),
                timeout_graceful_shutdown=CLOSE_SECONDS,
                h11_max_incomplete_event_size=LARGEST_HEAD,
                limit_concurrency=2_000,
            )
        )
        self._application = app
        self._draining = draining
        self._gone = gone or threading.Event()
        self._tell_ready: Callable[[], None] = lambda: None

    async def run(  # type: ignore[override]
        self, listening: socket, tell_ready: Callable[[], None] = lambda: None
    ) -> None:
        """Serve until SIGTERM or SIGINT; `tell_ready` is called once requests are answered.

        Raises what the application's lifespan raises.
        """
        self._tell_ready = tell_ready
        async with self._application.router.lifespan_context(self._application):
            await self.serve(sockets=[listening])

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Begin to answer."""
        await super().startup(sockets)
        self._tell_ready()

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """Finish what is under way, turning new requests away; then close everything."""
        if self._gone.is_set():
            for each in self.servers:
                each.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                while self._busy():  # noqa: ASYNC110
                    await asyncio.sleep(LOOK_SECONDS)
        await super().shutdown(sockets)

    def _busy(self) -> bool:
        return any(getattr(each, "busy", False) for each in self.server_state.connections)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """End in order at the first signal; later ones change nothing, our parent has the last."""
        if threading.current_thread() is threading.main_thread():
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, self.handle_exit, number, None)
        yield

    def handle_exit(self, sig: int, frame: Any) -> None:  # noqa: ARG002
        """A signal: new requests are turned away from now on."""
        self._draining.set()
        self.should_exit = True
