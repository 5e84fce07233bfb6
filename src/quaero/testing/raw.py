"""A server that sends exactly the bytes it is told to, however wrong, for tests of HTTP clients.

Each connection gets one reply, after its request has been read, and is then closed. The functions
below make the replies that a hostile or broken server could give.
"""

from __future__ import annotations

import asyncio
import ssl
import zlib
from asyncio import StreamReader, StreamWriter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

Reply = Callable[[StreamWriter], Awaitable[None]]
"""Writes one reply; the connection is closed when it returns."""

CRLF = "\r\n"


class RawServer:
    """Answers every request with `reply`; `url` has no final slash, `requests` are the heads read.

    With `tls` it speaks https.
    """

    def __init__(self, reply: bytes | Reply, *, tls: ssl.SSLContext | None = None) -> None:
        self._reply = send(reply) if isinstance(reply, bytes) else reply
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.requests: list[bytes] = []
        self.url = ""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._tls)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"{'https' if self._tls else 'http'}://127.0.0.1:{port}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            try:
                self.requests.append(await reader.readuntil(b"\r\n\r\n"))
                await self._reply(writer)
                await writer.drain()
            finally:
                writer.close()


def head(status: str = "200 OK", **headers: str | int) -> bytes:
    """A status line and headers (`content_type="text/html"`), with the empty line after them."""
    lines = [f"HTTP/1.1 {status}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return (CRLF.join(lines) + CRLF + CRLF).encode("latin-1")


def page(body: bytes, status: str = "200 OK", **headers: str | int) -> bytes:
    """A whole answer with its length."""
    return head(status, content_length=len(body), **headers) + body


def send(data: bytes) -> Reply:
    """Send the data at once."""

    async def reply(writer: StreamWriter) -> None:
        writer.write(data)

    return reply


def drip(data: bytes, *, piece: int = 1, pause: float = 0.02) -> Reply:
    """Send the data in pieces of some bytes, with a pause in seconds after each."""

    async def reply(writer: StreamWriter) -> None:
        for start in range(0, len(data), piece):
            writer.write(data[start : start + piece])
            await writer.drain()
            await asyncio.sleep(pause)

    return reply


def endless(start: bytes, block: bytes) -> Reply:
    """Send `start` and then the block again and again, as fast as it is taken."""

    async def reply(writer: StreamWriter) -> None:
        writer.write(start)
        while not writer.is_closing():
            writer.write(block)
            await writer.drain()

    return reply


def silence(start: bytes = b"") -> Reply:
    """Send `start`, then nothing more, and keep the connection open."""

    async def reply(writer: StreamWriter) -> None:
        writer.write(start)
        await asyncio.Event().wait()

    return reply


def chunked(*chunks: bytes, end: bool = True) -> bytes:
    """The chunks of a chunked body (RFC 9112 7.1), with the last one unless `end` is false."""
    parts = [b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks]
    return b"".join(parts) + (b"0\r\n\r\n" if end else b"")


def bomb(size: int, window: int = 31) -> bytes:
    """`size` bytes of nothing, compressed a thousandfold; `window` as zlib names formats."""
    packer = zlib.compressobj(9, zlib.DEFLATED, window)
    block = bytes(1024 * 1024)
    parts = [
        packer.compress(block[: min(len(block), size - at)]) for at in range(0, size, len(block))
    ]
    return b"".join(parts) + packer.flush()
