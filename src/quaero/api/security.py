"""What stands before every request, socket and file: who may ask, and for how much.

Host names are checked against DNS rebinding; a page of another origin may neither read nor change
anything; where a token is asked for nothing is told without it; bodies are bounded in size and
time. It is one ASGI layer, so that nothing is routed before it.
"""

from __future__ import annotations

import asyncio
import hmac
import re
import threading
from collections.abc import Iterable, MutableMapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request, cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from quaero.api.guests import Guests, guest_of, preflight, with_origin
from quaero.api.problems import known, problem
from quaero.errors import StorageError

LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
LARGEST_HEAD = 64 * 1024
LARGEST_BODY = 5 * 1024 * 1024
BODY_SECONDS = 30.0
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
BODY_TYPES = frozenset(
    {"application/json", "application/merge-patch+json", "application/toml", "application/zip"}
)
COOKIE = "quaero_token"
POLICY = (
    "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; "
    "frame-ancestors 'none'; img-src 'self' data:"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
_ABSOLUTE = re.compile(r"https?://(?P<authority>[^/?#]*)(?P<path>.*)", re.DOTALL)
_ASK = "this server asks for a token: open the address that `quaero serve` printed, or send it "
_ASK += "as `Authorization: Bearer …`"


class Security:
    """Lets pass what may pass; `hosts` are allowed besides the names of this machine's loopback."""

    def __init__(
        self,
        app: ASGIApp,
        hosts: Iterable[str] = (),
        token: str | None = None,
        draining: threading.Event | None = None,
        guests: Guests | None = None,
    ) -> None:
        self._app = app
        self._hosts = LOOPBACK | {_as_written(host.lower()) for host in hosts}
        self._token = token
        self._draining = draining or threading.Event()
        self._guests = guests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on to the application."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        scope = _in_origin_form(scope)
        guarded = _with_headers(scope, send)
        guest = guest_of(scope) if self._guests is not None else None
        if guest is None:
            refusal = self._refusal(scope)
        else:
            refusal, guarded = await self._answer_guest(scope, guest, guarded)
        if scope["type"] == "websocket":
            if refusal is None:
                await self._app(scope, receive, guarded)
            else:
                await refuse_socket(receive, guarded, refusal)
            return
        if refusal is not None:
            await refusal(scope, receive, guarded)
            return
        await _bounded(self._app, scope, receive, guarded)

    async def _answer_guest(
        self, scope: Scope, guest: str, send: Send
    ) -> tuple[Response | None, Send]:
        """The answer to an extension that may not go on, and how to answer this one."""
        assert self._guests is not None
        headers = Headers(scope=scope)
        refusal = _wrong_head(scope) or self._wrong_host(headers) or self._ending(headers)
        try:
            if refusal is None and not await self._guests.may_ask(scope, headers, guest):
                refusal = problem(403, "foreign-origin", f"the origin {guest!r} may not ask here")
        except StorageError as error:
            refusal = await known(Request(scope), error)
        if refusal is not None:
            return refusal, send
        if scope["method"] == "OPTIONS":
            refusal = preflight(headers)
        return refusal or _wrong_body(scope, headers), with_origin(send, guest)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        return (
            _wrong_head(scope)
            or self._wrong_host(headers)
            or _foreign(scope, headers)
            or self._ending(headers)
            or self._without_token(scope, headers)
            or _wrong_body(scope, headers)
        )

    def _wrong_host(self, headers: Headers) -> Response | None:
        names = headers.getlist("host")
        if len(names) == 1 and _name_of(names[0]) in self._hosts:
            return None
        shown = ", ".join(names)[:200] or "none"
        detail = f"the host {shown!r} is not one of this server's; name it in `server.hosts`"
        return problem(421, "foreign-host", detail)

    def _ending(self, headers: Headers) -> Response | None:  # noqa: ARG002
        if not self._draining.is_set():
            return None
        return problem(
            503, "ending", "the server is ending; try again in a moment",
            headers={"Retry-After": "5", "Connection": "close"},
        )  # fmt: skip

    def _without_token(self, scope: Scope, headers: Headers) -> Response | None:
        if self._token is None:
            return None
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        shown = dict(query).get("token")
        asks = scope["type"] == "http" and scope["method"] == "GET"
        if asks and shown and hmac.compare_digest(shown.encode(), self._token.encode()):
            left = [each for each in query if each[0] != "token"]
            return self._enter(scope["path"], left, cookie_of(headers.get("host", "")))
        if _shows(headers, self._token):
            return None
        if "text/html" in headers.get("accept", "") and not scope["path"].startswith("/api"):
            return PlainTextResponse(f"{_ASK}.\n", 401, {"WWW-Authenticate": "Bearer"})
        return problem(401, "no-token", _ASK, headers={"WWW-Authenticate": "Bearer"})

    def _enter(self, path: str, query: list[tuple[str, str]], cookie: str) -> Response:
        """Keep a token that was shown in an address in a cookie, and out of the address."""
        query_string = f"?{urlencode(query)}" if query else ""
        answer = RedirectResponse(f"/{path.lstrip('/')}{query_string}", 303)
        assert self._token is not None
        answer.set_cookie(cookie, self._token, httponly=True, samesite="strict", path="/")
        return answer


def cookie_of(host: str) -> str:
    """The name of the cookie for a Host header: those of all ports of a host are sent to each."""
    port = host.rpartition(":")[2]
    return f"{COOKIE}_{port}" if _has_port(host) else COOKIE


def _name_of(host: str) -> str:
    """A Host header without its port, in lower case."""
    name, colon, port = host.rpartition(":")
    return (name if colon and _is_number(port) else host).lower()


def _as_written(host: str) -> str:
    """A host as a Host header names it: an IPv6 address in brackets (RFC 9110, section 7.2)."""
    return f"[{host}]" if host.count(":") > 1 and not host.startswith("[") else host


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _in_origin_form(scope: Scope) -> Scope:
    """The same request without the scheme and authority that its target may name.

    They stand for the Host header then (RFC 9112, section 3.2.2).
    """
    found = _ABSOLUTE.fullmatch(scope["path"])
    if found is None:
        return scope
    others = [each for each in scope["headers"] if each[0] != b"host"]
    host = found["authority"].encode("utf-8", "replace")
    return {**scope, "path": found["path"] or "/", "headers": [(b"host", host), *others]}


def _wrong_head(scope: Scope) -> Response | None:
    if sum(len(name) + len(value) for name, value in scope["headers"]) <= LARGEST_HEAD:
        return None
    detail = f"the head of the request is larger than {LARGEST_HEAD} bytes"
    return problem(431, "large-head", detail, headers={"Connection": "close"})


def _foreign(scope: Scope, headers: Headers) -> Response | None:
    """Refuse what a page of another origin asks for, but for plain links to our pages."""
    origins = headers.getlist("origin")
    site = ", ".join(headers.getlist("sec-fetch-site"))
    if any(not _same_origin(origin, headers["host"]) for origin in origins):
        return problem(403, "foreign-origin", f"the origin {origins[0][:200]!r} may not ask here")
    safe = scope["type"] == "http" and scope["method"] in SAFE_METHODS
    if site in {"", "same-origin"} or (site == "none" and safe):
        return None
    if safe and headers.get("sec-fetch-mode") == "navigate" and _is_page(scope["path"]):
        return None
    return problem(403, "foreign-origin", "a page of another site may not ask here")


def _is_page(path: str) -> bool:
    return not path.startswith(("/api/", "/ws", "/metrics", "/openapi")) or path == "/api/docs"


def _same_origin(origin: str, host: str) -> bool:
    try:
        parsed = urlsplit(origin)
        port = parsed.port
    except ValueError:
        return False
    if parsed.scheme not in {"http", "https"}:
        return False
    usual = 443 if parsed.scheme == "https" else 80
    there = f"{host.lower()}" if _has_port(host) else f"{host.lower()}:{usual}"
    name = parsed.netloc.lower()
    return (name if port is not None else f"{name}:{usual}") == there


def _has_port(host: str) -> bool:
    return _is_number(host.rpartition(":")[2]) and host.rpartition(":")[1] == ":"


def _shows(headers: Headers, token: str) -> bool:
    kind, _, shown = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and hmac.compare_digest(shown.strip().encode(), token.encode()):
        return True
    # Others on this host, on any port, may have set cookies that Python's own reader stops at.
    kept = cookie_parser(headers.get("cookie", "")).get(cookie_of(headers.get("host", "")))
    return kept is not None and hmac.compare_digest(kept.encode(), token.encode())


# -- bodies


def _wrong_body(scope: Scope, headers: Headers) -> Response | None:
    if scope["type"] != "http":
        return None
    length = headers.get("content-length", "0")
    has_body = length != "0" or "transfer-encoding" in headers
    if _is_number(length) and int(length) > LARGEST_BODY:
        return _too_large()
    if not has_body or scope["method"] in SAFE_METHODS:
        return None
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in BODY_TYPES:
        return None
    detail = f"the content type {kind[:100]!r} is not taken here; send application/json"
    return problem(415, "content-type", detail, headers={"Accept": "application/json"})


def _too_large() -> Response:
    detail = f"the body is larger than {LARGEST_BODY} bytes"
    return problem(413, "too-large", detail, headers={"Connection": "close"})


async def _bounded(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Run the application with a body that ends in time and in size.

    Once it does not, the application is told that the client has gone, and the answer is ours.
    """
    deadline = asyncio.get_running_loop().time() + BODY_SECONDS
    size, whole, begun = 0, False, False
    refusal: Response | None = None

    async def bounded() -> Message:
        nonlocal size, whole, refusal
        if whole:
            return await receive()
        try:
            async with asyncio.timeout_at(deadline):
                message = await receive()
        except TimeoutError:
            late = f"the body did not arrive within {BODY_SECONDS:.0f} s"
            refusal = problem(408, "too-slow", late, headers={"Connection": "close"})
            return {"type": "http.disconnect"}
        size += len(message.get("body", b""))
        whole = not message.get("more_body", False)
        if size > LARGEST_BODY:
            refusal = _too_large()
            return {"type": "http.disconnect"}
        return message

    async def answer(message: Message) -> None:
        nonlocal begun
        if refusal is None:
            begun = True
            await send(message)

    try:
        await app(scope, bounded, answer)
    except ClientDisconnect:
        if refusal is None:
            raise
    if refusal is not None and not begun:
        await refusal(scope, receive, send)


# -- answers


def _with_headers(scope: Scope, send: Send) -> Send:
    opened = False

    async def guarded(message: Message) -> None:
        nonlocal opened
        if message["type"] == "websocket.close" and not opened:
            await _no_socket(scope, guarded)
            return
        if message["type"] == "websocket.accept":
            opened = True
        if message["type"] in {"http.response.start", "websocket.http.response.start"}:
            headers = MutableHeaders(raw=message.setdefault("headers", []))
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            if scope["path"].startswith("/api"):
                headers.setdefault("cache-control", "no-store")
        await send(message)

    return guarded


async def refuse_socket(receive: Receive, send: Send, refusal: Response) -> None:
    """Answer the opening of a socket with a plain HTTP answer."""
    await receive()
    await _answer_socket(send, refusal)


async def _no_socket(scope: Scope, send: Send) -> None:
    detail = f"there is no socket at {scope['path']}"
    await _answer_socket(send, problem(404, "not-found", detail, instance=scope["path"]))


async def _answer_socket(send: Send, refusal: Response) -> None:
    body: MutableMapping[str, Any] = {"type": "websocket.http.response.body", "body": refusal.body}
    await send(
        {
            "type": "websocket.http.response.start",
            "status": refusal.status_code,
            "headers": refusal.raw_headers,
        }
    )
    await send(body)
