"""Browser extensions, the only foreign origins that may ask for anything.

One that is paired may hand over a login with its token; one that is not may exchange a code while
there is one. Nothing else is answered to either, and no other origin is told that it may ask.
"""

from __future__ import annotations

import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import Message, Scope, Send

from quaero.sources.pairing import Pairing

LOGINS = "/api/auth"
EXTENSIONS = "/api/auth/extensions"
_ORIGIN = re.compile(
    r"(?:chrome-extension|moz-extension|safari-web-extension)://[A-Za-z0-9-]{1,80}"
)
_MAY_SEND = frozenset({"authorization", "content-type"})


def guest_of(scope: Scope) -> str | None:
    """The origin of a request, if it is that of an extension."""
    if scope["type"] != "http":
        return None
    origins = Headers(scope=scope).getlist("origin")
    return guest_origin(origins[0]) if len(origins) == 1 else None


def guest_origin(origin: str) -> str | None:
    """The same origin, if it is an extension's."""
    return origin if _ORIGIN.fullmatch(origin) else None


class Guests:
    """Says which requests of extensions are answered."""

    def __init__(self, pairing: Pairing) -> None:
        self._pairing = pairing

    async def may_ask(self, scope: Scope, headers: Headers, origin: str) -> bool:
        """Whether this request of an extension, or the question before it, is answered."""
        path, method = scope["path"], scope["method"]
        if method == "OPTIONS":
            if not _is_plain(headers):
                return False
            if path == LOGINS:
                return await self._pairing.paired(origin)
            return path == EXTENSIONS and await self._pairing.offered()
        if method != "POST":
            return False
        if path == LOGINS:
            return await self._pairing.admits(origin, _token(headers))
        return bool(path == EXTENSIONS)


def _is_plain(headers: Headers) -> bool:
    """Whether a preflight asks for a POST with the headers it needs, and no others."""
    wanted = headers.get("access-control-request-headers", "").lower().split(",")
    named = {each.strip() for each in wanted} - {""}
    return headers.get("access-control-request-method") == "POST" and named <= _MAY_SEND


def preflight(headers: Headers) -> Response:
    """The answer to the question whether an extension may ask (Fetch standard, 3.2.2)."""
    allowed = {
        "Access-Control-Allow-Methods": "POST",
        "Access-Control-Allow-Headers": "Authorization, Content-Type",
        "Access-Control-Max-Age": "60",
    }
    if headers.get("access-control-request-private-network") == "true":
        allowed["Access-Control-Allow-Private-Network"] = "true"
    return Response(status_code=204, headers=allowed)


def with_origin(send: Send, origin: str) -> Send:
    """Answers that this origin may read."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=message.setdefault("headers", []))
            headers["access-control-allow-origin"] = origin
            headers.add_vary_header("Origin")
        await send(message)

    return sending


def _token(headers: Headers) -> str:
    kind, _, shown = headers.get("authorization", "").partition(" ")
    return shown.strip() if kind.lower() == "bearer" else ""
