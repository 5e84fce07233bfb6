"""A web site on this machine: what the demo serves, and what tests and benchmarks crawl.

`SiteServer` is a real HTTP server whose pages are given as data, each with the behaviour it is to
show: a status, a delay, a redirect, a slow or a broken body. It keeps a log of what was asked, when
and beside how many others, from which the politeness of a crawler can be judged. What no proper
server would ever send is for `quaero.testing.raw`.
"""

from __future__ import annotations

import asyncio
import mimetypes
import socket
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import web

HTML = "text/html; charset=utf-8"
_LAST_DATA = slice(52, 56)
"""Where `struct tcp_info` has the milliseconds since data was received last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One answer. `delay` and `pause` are in seconds.

    `delay` passes before the status line; with a `pause` the body is sent in ten pieces with that
    pause between them. `drop` closes the connection instead of answering. With an `etag` a request
    that names it gets 304.
    """

    body: bytes | str = ""
    status: int = 200
    content_type: str | None = HTML
    headers: Mapping[str, str] = field(default_factory=dict)
    etag: str | None = None
    delay: float = 0.0
    pause: float = 0.0
    drop: bool = False


@dataclass(slots=True, kw_only=True)
class Hit:
    """One request as the site saw it; times in seconds of `time.monotonic`, `ended` 0 before.

    `started` is when it arrived, however long it waited to be looked at, where the system tells.
    """

    path: str
    headers: Mapping[str, str]
    started: float
    in_flight: int
    """Requests under way when this one began, itself included."""
    status: int = 0
    ended: float = 0.0


Answer = Page | str | bytes | Sequence[Page]
"""A page, or its HTML, or the pages of the first, second … request; the last one stays."""


class SiteServer:
    """Serves `pages`, by path or by path with query, and a robots.txt if there is one.

    In the running loop with `async with`, or in a thread of its own with `with`. `url` is the
    site's address without a final slash, `hits` its log. `pages` may be changed at any time. A
    `gate` is asked first, and what it returns is answered in place of the page.
    """

    def __init__(
        self,
        pages: Mapping[str, Answer],
        *,
        robots: str | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        gate: Callable[[Hit], Page | None] | None = None,
    ) -> None:
        self.pages: dict[str, Answer] = dict(pages)
        if robots is not None:
            self.pages["/robots.txt"] = Page(body=robots, content_type="text/plain")
        self.hits: list[Hit] = []
        self.url = ""
        self._host, self._port = host, port
        self._gate = gate
        self._in_flight = 0
        self._runner: web.AppRunner | None = None
        self._thread: _LoopThread | None = None

    def paths(self) -> list[str]:
        """What was asked for, in the order of arrival."""
        return [hit.path for hit in self.hits]

    @property
    def most_in_flight(self) -> int:
        """The greatest number of requests that were under way at once."""
        return max((hit.in_flight for hit in self.hits), default=0)

    async def start(self) -> None:
        """Listen, on a free port unless one was given."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port).start()
        port = self._runner.addresses[0][1]
        name = f"[{self._host}]" if ":" in self._host else self._host
        self.url = f"http://{name}:{port}"

    async def close(self) -> None:
        """Stop listening and cut what is under way."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def __enter__(self) -> Self:
        self._thread = _LoopThread()
        self._thread.run(self.start())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._thread is not None:
            self._thread.run(self.close())
            self._thread.stop()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self._in_flight += 1
        hit = Hit(
            path=request.raw_path,
            headers=dict(request.headers),
            started=time.monotonic() - _waited(request),
            in_flight=self._in_flight,
        )
        page = (self._gate(hit) if self._gate is not None else None) or self._page(request.raw_path)
        self.hits.append(hit)
        try:
            answer = await _answer(page, request)
            hit.status = answer.status
            return answer
        finally:
            self._in_flight -= 1
            hit.ended = time.monotonic()

    def _page(self, raw_path: str) -> Page:
        answer = self.pages.get(raw_path) or self.pages.get(raw_path.partition("?")[0])
        if answer is None:
            return Page(status=404, body="<h1>Not found</h1>")
        if isinstance(answer, str | bytes):
            return Page(body=answer)
        if isinstance(answer, Page):
            return answer
        return answer[min(self.paths().count(raw_path), len(answer) - 1)]


def redirect(to: str, status: int = 302) -> Page:
    """A redirect to another address."""
    return Page(status=status, headers={"Location": to})


def pages_of(folder: Path) -> dict[str, Answer]:
    """The files of a folder as pages; an `index.html` is also the page of its folder."""
    pages: dict[str, Answer] = {}
    for file in sorted(folder.rglob("*")):
        if not file.is_file():
            continue
        path = "/" + file.relative_to(folder).as_posix()
        kind = mimetypes.guess_type(file.name)[0]
        pages[path] = Page(
            body=file.read_bytes(), content_type=HTML if kind == "text/html" else kind
        )
        if file.name == "index.html":
            pages[path.removesuffix("index.html")] = pages[path]
    return pages


def _waited(request: web.Request) -> float:
    """Seconds since the last bytes of a request came in, by the system's word (Linux), or 0."""
    connection = request.get_extra_info("socket")
    option = getattr(socket, "TCP_INFO", None)
    if connection is None or option is None:
        return 0.0
    told = connection.getsockopt(socket.IPPROTO_TCP, option, _LAST_DATA.stop)
    return int.from_bytes(told[_LAST_DATA], sys.byteorder) / 1_000


async def _answer(page: Page, request: web.Request) -> web.StreamResponse:
    if page.delay:
        await asyncio.sleep(page.delay)
    if page.drop and request.transport is not None:
        request.transport.abort()
    headers = dict(page.headers)
    if page.etag is not None:
        headers["ETag"] = page.etag
        if request.headers.get("If-None-Match") == page.etag:
            return web.Response(status=304, headers=headers)
    if page.content_type is not None:
        headers.setdefault("Content-Type", page.content_type)
    body = page.body.encode() if isinstance(page.body, str) else page.body
    if page.pause:
        return await _slowly(body, page, headers, request)
    return web.Response(body=body, status=page.status, headers=headers)


async def _slowly(
    body: bytes, page: Page, headers: dict[str, str], request: web.Request
) -> web.StreamResponse:
    response = web.StreamResponse(status=page.status, headers=headers)
    response.content_length = len(body)
    await response.prepare(request)
    size = max(1, -(-len(body) // 10))
    with suppress(ConnectionError):  # the reader may have had enough
        for start in range(0, len(body), size):
            await response.write(body[start : start + size])
            await asyncio.sleep(page.pause)
        await response.write_eof()
    return response


class _LoopThread:
    """An event loop that runs in a thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[object, object, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=10)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
