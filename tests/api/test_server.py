"""The server on its socket: slow clients, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import threading
import time
from collections.abc import AsyncIterator

import pytest
import websockets
from fastapi import FastAPI

from quaero.api import server
from quaero.api.server import Server

SECONDS = 20
HOST = b"Host: localhost\r\n"
READY = b"GET /api/ready HTTP/1.1\r\n" + HOST + b"\r\n"


class Listening:
    """A running server."""

    def __init__(self, app: FastAPI) -> None:
        self.draining = app.state.parts.draining
        self.gone = threading.Event()
        self.server = Server(app, self.draining, self.gone)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.ready = asyncio.Event()
        self.writers: list[asyncio.StreamWriter] = []
        self.task = asyncio.create_task(self.server.run(self.socket, self.ready.set))

    async def begun(self) -> Listening:
        ready = asyncio.create_task(self.ready.wait())
        async with asyncio.timeout(SECONDS):
            await asyncio.wait({ready, self.task}, return_when=asyncio.FIRST_COMPLETED)
        assert ready.done()
        return self

    def end(self) -> None:
        self.server.handle_exit(signal.SIGTERM, None)

    def is_free(self) -> bool:
        try:
            socket.create_server(("127.0.0.1", self.port)).close()
        except OSError:
            return False
        return True

    async def connect(self, data: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(data)
        self.writers.append(writer)
        return reader, writer

    async def close(self) -> None:
        for writer in self.writers:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
        self.end()
        async with asyncio.timeout(SECONDS):
            await self.task


@pytest.fixture
async def listening(app: FastAPI) -> AsyncIterator[Listening]:
    @app.get("/slow")
    async def slow() -> str:
        app.state.asked.set()
        await app.state.go_on.wait()
        return "well"

    app.state.asked, app.state.go_on = asyncio.Event(), asyncio.Event()
    running = await Listening(app).begun()
    yield running
    app.state.go_on.set()
    await running.close()


@pytest.fixture
def short_heads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "HEAD_SECONDS", 0.1)


async def whole(reader: asyncio.StreamReader) -> bytes:
    """All that is said until the end, which is a reset where we still talk to a closed ear."""
    said = b""
    async with asyncio.timeout(SECONDS):
        with contextlib.suppress(ConnectionResetError):
            while some := await reader.read(65_536):
                said += some
    return said


async def head(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(SECONDS):
        return await reader.readuntil(b"\r\n\r\n")


@pytest.mark.usefixtures("short_heads")
@pytest.mark.parametrize("before", [b"", READY])
async def test_a_head_that_trickles_is_given_up(listening: Listening, before: bytes) -> None:
    reader, writer = await listening.connect(before + b"GET /")
    began = time.monotonic()

    async def trickle() -> None:
        while True:
            writer.write(b"a")
            await asyncio.sleep(0.02)

    task = asyncio.create_task(trickle())
    said = await whole(reader)
    task.cancel()
    assert said.startswith(b"HTTP/1.1 200") if before else said == b""
    assert time.monotonic() - began < 10


@pytest.mark.usefixtures("short_heads")
async def test_a_socket_lives_longer_than_a_head_may_take(listening: Listening) -> None:
    async with websockets.connect(f"ws://127.0.0.1:{listening.port}/ws") as client:
        await asyncio.sleep(0.3)
        await client.send('{"ping": 1}')
        async with asyncio.timeout(SECONDS):
            while "pong" not in await client.recv():
                pass


async def test_who_does_not_take_an_answer_is_cut(
    listening: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "TAKE_SECONDS", 0.1)
    client = socket.create_connection(("127.0.0.1", listening.port))
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    many = (b"GET /openapi.json HTTP/1.1\r\n" + HOST + b"\r\n") * 200
    await asyncio.to_thread(client.sendall, many)
    async with asyncio.timeout(SECONDS):
        while listening.server.server_state.connections:
            await asyncio.sleep(0.01)
    client.close()


async def test_what_is_no_http_is_answered_as_a_problem(listening: Listening) -> None:
    reader, _ = await listening.connect(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
    said = (await whole(reader)).lower()
    assert said.startswith(b"http/1.1 400")
    assert b"application/problem+json" in said
    assert b"nosniff" in said


async def test_at_the_end_open_requests_finish_and_new_ones_are_turned_away(
    listening: Listening, app: FastAPI
) -> None:
    reader, _ = await listening.connect(b"GET /slow HTTP/1.1\r\n" + HOST + b"\r\n")
    await app.state.asked.wait()
    idle, _ = await listening.connect(READY)
    assert b"200 OK" in await head(idle)
    async with websockets.connect(f"ws://127.0.0.1:{listening.port}/ws") as client:
        listening.end()
        late, _ = await listening.connect(READY)
        assert b"503" in await head(late)
        app.state.go_on.set()
        assert (await whole(reader)).endswith(b'"well"')
        async with asyncio.timeout(SECONDS):
            await client.wait_closed()
        assert client.close_code in {1001, 1012}


async def test_the_address_is_left_at_once_when_the_parent_is_gone(
    listening: Listening, app: FastAPI
) -> None:
    reader, _ = await listening.connect(b"GET /slow HTTP/1.1\r\n" + HOST + b"\r\n")
    await app.state.asked.wait()
    listening.gone.set()
    listening.end()
    async with asyncio.timeout(SECONDS):
        while not listening.is_free():
            await asyncio.sleep(0.01)
    app.state.go_on.set()
    assert (await whole(reader)).endswith(b'"well"')


async def test_what_the_application_cannot_begin_with_is_raised(app: FastAPI) -> None:
    app.state.parts.db.close()
    broken = Listening(app)
    with pytest.raises(Exception, match="closed"):
        await broken.task
    broken.socket.close()
