"""The socket over a real server: frames, backpressure, and how it ends."""

import asyncio
import json
import socket
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import uvicorn
import websockets
from fastapi import FastAPI, WebSocket

from quaero.api import metrics
from quaero.api.live import outbox
from quaero.api.live.running import live
from quaero.api.live.socket import router, serve
from quaero.db.processes import states
from quaero.jobs import JobSpec
from quaero.jobs.create import create
from quaero.queue.queue import open_queue

from .conftest import client_of
from .listening import hubbing, plain_views

WITH_NAMES = replace(plain_views(), job=lambda job, now: {"id": job.id, "name": job.name})


@asynccontextmanager
async def serving(db, send_seconds=None):
    """A server on a free port with a hub; yields the hub and the socket's address."""
    await db.write(open_queue, "quaero_jobs")
    app = FastAPI()
    if send_seconds is None:
        app.include_router(router)
    else:

        @app.websocket("/ws")
        async def hurried(connection: WebSocket) -> None:
            await serve(connection, app.state.hub, send_seconds)

    config = uvicorn.Config(
        app, ws="websockets-sansio", ws_max_size=64 * 1024, log_config=None, lifespan="off",
        timeout_graceful_shutdown=2,
    )  # fmt: skip
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None
    with socket.create_server(("127.0.0.1", 0)) as listening:
        async with hubbing(db, WITH_NAMES) as hub:
            app.state.hub = hub
            running = asyncio.create_task(server._serve([listening]))
            try:
                yield hub, f"ws://127.0.0.1:{listening.getsockname()[1]}/ws", server
            finally:
                server.should_exit = True
                await running


async def heard(connection, kind, id_=None):
    """The next message of a kind; of jobs, that of one with this id."""
    async with asyncio.timeout(10):
        while True:
            for message in json.loads(await connection.recv()):
                if message["type"] == kind and id_ in (None, message.get("job", {}).get("id")):
                    return message


async def test_a_browser_is_told_what_changes(opened) -> None:
    async with serving(opened.db) as (_, address, _):
        async with websockets.connect(address) as one, websockets.connect(address) as two:
            for each in (one, two):
                assert await heard(each, "hello") == {"type": "hello"}
                await each.send('{"subscribe": ["jobs"]}')
                await heard(each, "subscribed")
            (id_,) = await opened.db.write(create, 1, [JobSpec("leaf")])
            assert (await heard(one, "job"))["job"]["id"] == id_
            assert (await heard(two, "job"))["job"]["id"] == id_


async def test_a_frame_that_is_not_understood_does_not_end_the_connection(opened) -> None:
    async with serving(opened.db) as (_, address, _):
        async with websockets.connect(address) as one:
            for frame in ("nonsense", b"\x00\xff", "", '{"subscribe": ["no"]}'):
                await one.send(frame)
                assert (await heard(one, "error"))["detail"]
            await one.send('{"ping": 3}')
            assert (await heard(one, "pong"))["n"] == 3


async def test_a_frame_above_64_kb_ends_the_connection(opened) -> None:
    async with serving(opened.db) as (_, address, _):
        async with websockets.connect(address) as one:
            await heard(one, "hello")
            await one.send("x" * 70_000)
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await heard(one, "never")
            assert closed.value.rcvd.code == 1009


async def test_at_the_end_of_the_server_the_socket_is_closed_with_a_word(opened) -> None:
    async with serving(opened.db) as (_, address, server):
        async with websockets.connect(address) as one:
            await heard(one, "hello")
            server.should_exit = True
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await heard(one, "never")
            assert closed.value.rcvd.code in (1001, 1012)


async def test_a_client_that_does_not_read_is_cut_and_the_others_hear_on(
    opened, monkeypatch
) -> None:
    monkeypatch.setattr(outbox, "FRAME_BYTES", 50_000)
    async with serving(opened.db, send_seconds=0.3) as (hub, address, _):
        async with websockets.connect(address) as good:
            await heard(good, "hello")
            await good.send('{"subscribe": ["jobs"]}')
            await heard(good, "subscribed")
            narrow = socket.socket()
            narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            narrow.connect(good.remote_address)
            slow = await websockets.connect(address, sock=narrow, max_queue=1, compression=None)
            await slow.send('{"subscribe": ["jobs"]}')
            async with asyncio.timeout(30):
                while not hub.tally.cut:
                    ids = await opened.db.write(create, 1, [JobSpec("leaf", name="x" * 9_000)] * 90)
                    await heard(good, "job", ids[-1])
            slow.transport.abort()
            await slow.wait_closed()
            assert hub.clients == 1


async def test_an_application_with_the_hub_answers_metrics_and_tells_of_itself(make_app) -> None:
    app = make_app()
    parts = app.state.parts
    app.include_router(metrics.router)
    async with live(app, parts, WITH_NAMES):
        async with client_of(app) as web:
            answer = await web.get("/metrics")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/plain")
        assert "quaero_live_clients 0.0" in answer.text
        (process,) = await parts.db.read(states)
        assert (process.role, process.report.more["clients"]) == ("web", 0)
        assert "live" in {loop.name for loop in process.report.loops}
    assert await parts.db.read(states) == []
