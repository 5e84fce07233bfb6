"""HEAD wherever there is GET (RFC 9110, section 9.3.2): the same answer without its body."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Heads:
    """Asks the application what it would answer to GET, and ends it where a long body begins."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        told = asyncio.Event()

        async def without_body(message: Message) -> None:
            if message["type"] == "http.response.body":
                goes_on = message.get("more_body", False)
                await send({**message, "body": b"", "more_body": False})
                if goes_on:
                    told.set()
                    await asyncio.Event().wait()  # what would follow is not made
            else:
                await send(message)

        asked = {**scope, "method": "GET"}
        answering = asyncio.ensure_future(self._app(asked, receive, without_body))
        enough = asyncio.ensure_future(told.wait())
        try:
            await asyncio.wait((answering, enough), return_when=asyncio.FIRST_COMPLETED)
            if not enough.done():
                await answering
        finally:
            enough.cancel()
            if answering.cancel():
                await asyncio.wait((answering,))
