"""Running the application: uvicorn on a socket that is bound already.

A connection that does not get its request's head across in time is closed. At the end requests
under way are finished, new ones get a 503, and sockets are closed with a word.
"""

from __future__ import annotations

import asyncio
import threading
from socket import socket
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 15.0
DRAIN_SECONDS = 5
LARGEST_HEAD = 64 * 1024


class _Impatient(H11Protocol):
    """Closes connections whose next request's head takes too long."""

    _cut: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._cut = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is not None and self._cut is not None:
            self._cut.cancel()
            self._cut = None

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._cut is None and not self.transport.is_closing():
            self._cut = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._cut is not None:
            self._cut.cancel()
        super().connection_lost(exc)

    def _give_up(self) -> None:
        self._cut = None
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()


class Server(uvicorn.Server):
    """One application on one socket; sets `draining` as soon as it is told to end."""

    def __init__(self, app: ASGIApp, draining: threading.Event) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=_Impatient,
                ws="websockets-sansio",
                ws_max_size=64 * 1024,
                ws_per_message_deflate=False,
                ws_ping_interval=20.0,
                ws_ping_timeout=20.0,
                lifespan="on",
                log_config=None,
                log_level="warning",
                access_log=False,
                server_header=False,
                timeout_keep_alive=int(HEAD_SECONDS),
                timeout_graceful_shutdown=DRAIN_SECONDS,
                h11_max_incomplete_event_size=LARGEST_HEAD,
                limit_concurrency=2_000,
            )
        )
        self._draining = draining

    def handle_exit(self, sig: int, frame: Any) -> None:
        """A signal: new requests are turned away from now on."""
        self._draining.set()
        super().handle_exit(sig, frame)

    async def run(self, listening: socket) -> None:  # type: ignore[override]
        """Serve until SIGTERM or SIGINT."""
        await self.serve(sockets=[listening])
