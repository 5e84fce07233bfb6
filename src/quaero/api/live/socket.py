"""The socket `/ws`: one connection between a client and the hub.

Frames are JSON text. The answer to a frame that is not understood says so; the connection goes on.
A client that does not take a frame within ten seconds is cut (1013), and at the end of the server
everybody is told that it goes away (1001).
"""

from __future__ import annotations

import asyncio
import contextlib

from fastapi import APIRouter
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from quaero.api.live.client import GOING_AWAY, Client
from quaero.api.live.hub import Hub

SEND_SECONDS = 10.0

router = APIRouter()


@router.websocket("/ws")
async def live(socket: WebSocket) -> None:
    """What changes, as it changes."""
    hub: Hub = socket.app.state.hub
    await serve(socket, hub)


async def serve(socket: WebSocket, hub: Hub, send_seconds: float = SEND_SECONDS) -> None:
    """Talk with one client until either side ends."""
    await socket.accept()
    client = await hub.connect()
    hearing = asyncio.create_task(_hear(socket, hub, client))
    telling = asyncio.create_task(_tell(socket, hub, client, send_seconds))
    try:
        await asyncio.wait((hearing, telling), return_when=asyncio.FIRST_COMPLETED)
    finally:
        hub.disconnect(client)
        for task in (hearing, telling):
            task.cancel()
        await asyncio.gather(hearing, telling, return_exceptions=True)
        await _close(socket, client.code or GOING_AWAY)


async def _hear(socket: WebSocket, hub: Hub, client: Client) -> None:
    with contextlib.suppress(WebSocketDisconnect):
        while True:
            said = await socket.receive()
            if said["type"] == "websocket.disconnect":
                return
            hub.ask(client, said.get("text") or said.get("bytes") or "")


async def _tell(socket: WebSocket, hub: Hub, client: Client, send_seconds: float) -> None:
    with contextlib.suppress(WebSocketDisconnect):
        while (frame := await client.outbox.frame()) is not None:
            try:
                async with asyncio.timeout(send_seconds):
                    await socket.send_text(frame.decode())
            except TimeoutError:
                hub.cut(client)
                return


async def _close(socket: WebSocket, code: int) -> None:
    """Say goodbye, if the other side still takes it."""
    if socket.application_state is not WebSocketState.CONNECTED:
        return
    if socket.client_state is not WebSocketState.CONNECTED:
        return
    with contextlib.suppress(TimeoutError, RuntimeError, WebSocketDisconnect):
        async with asyncio.timeout(1.0):
            await socket.close(code)
