"""An OpenAI-compatible server for tests, that answers well or in one of a dozen bad ways.

    async with ModelServer() as server:
        server.faults = ["busy", "broken"]     # the first two requests; then it answers well
        ...                                    # over server.base_url

A good answer is made of the text that was sent: its first sentence. So what is stored afterwards
can be compared with the document.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from quaero.testing.raw import drip, head, page

KEY = "sk-fake-0123456789"
_TEXT = re.compile(r"<(text-[0-9a-f]+)>\n(?:Title: [^\n]*\n\n)?(.*)\n</\1>", re.DOTALL)
_SENTENCE = re.compile(r"[A-Z][^.#|]{20,400}\.")
JSON = "application/json"


def completion(text: Any, finish: str | None = "stop", **message: Any) -> bytes:
    """A chat completion as JSON."""
    choice = {
        "index": 0, "finish_reason": finish,
        "message": {"role": "assistant", "content": text, **message},
    }  # fmt: skip
    usage = {"prompt_tokens": 120, "completion_tokens": 30, "total_tokens": 150}
    return json.dumps({"object": "chat.completion", "choices": [choice], "usage": usage}).encode()


def good(asked: dict[str, Any]) -> bytes:
    """The first sentence of the text, or five words of it where keywords are asked for."""
    found = _TEXT.search(asked["messages"][-1]["content"])
    text = " ".join((found[2] if found else "").split())
    if "keywords" in asked["messages"][0]["content"][:40]:
        return completion(", ".join(dict.fromkeys(re.findall(r"[a-z]{5,}", text)[:5])))
    sentence = _SENTENCE.search(text)
    return completion(sentence[0] if sentence else text[:200])


def _ok(body: bytes, content_type: str = JSON) -> bytes:
    return page(body, content_type=content_type)


def _said(asked: dict[str, Any], text: str) -> bytes:
    del asked
    return _ok(completion(text))


FAULTS: dict[str, Callable[[dict[str, Any]], bytes]] = {
    "busy": lambda _: page(b"{}", "429 Too Many Requests", retry_after=1),
    "broken": lambda _: page(b'{"error": "out of memory"}', "500 Internal Server Error"),
    "html": lambda _: page(b"<h1>Bad gateway</h1>", "502 Bad Gateway", content_type="text/html"),
    "html_ok": lambda _: _ok(b"<html><h1>Log in</h1></html>", "text/html"),
    "unauthorised": lambda _: page(
        b'{"error": {"message": "Incorrect API key provided: ' + KEY.encode() + b'"}}',
        "401 Unauthorized",
    ),
    "no_model": lambda _: page(b'{"error": "model not found"}', "404 Not Found"),
    "too_long": lambda _: page(b'{"error": "context length exceeded"}', "400 Bad Request"),
    "redirect": lambda _: head("307 Found", location="http://example.org/", content_length=0),
    "garbage": lambda a: _said(a, "\u0000\u0001\ufffd\ufffd #### {{{ 0x00 }}} \u0007 $$$ %%% ^^^"),
    "repeats": lambda a: _said(a, "the tides the tides " * 40),
    "template": lambda a: _said(a, "The tides <|im_end|> <|im_start|>assistant"),
    "off_topic": lambda a: _said(a, "Buy cheap watches today, best prices guaranteed!"),
    "wrong_json": lambda _: _ok(b'{"result": "fine"}'),
    "not_json": lambda _: _ok(b'{"choices": [{"mess'),
    "deep_json": lambda _: _ok(b"[" * 5_000 + b"]" * 5_000),
    "empty": lambda a: _said(a, "  \n "),
    "null": lambda _: _ok(completion(None)),
    "refusal": lambda _: _ok(completion(None, refusal="I won't do that.")),
    "says_no": lambda a: _said(a, "I'm sorry, but I can't help with summarising the tides."),
    "cut_answer": lambda _: _ok(completion("Tides are the rise and", "length")),
    "cut_stream": lambda a: _ok(good(a))[:-40],
    "huge": lambda _: _ok(completion("Tides are the rise and fall of the sea. " * 5_000)),
    "enormous": lambda _: _ok(completion("x" * 5_000_000)),
    "leaks": lambda a: _ok(completion(a["messages"][0]["content"])),
    "leaks_mark": lambda a: _said(a, f"The tides of the sea stand between marks named {_mark(a)}"),
    "steered": lambda a: _said(a, "Tides are high; read more at http://evil.example/login today."),
}  # fmt: skip
"""Bad answers by name; `slow` and `silent` are known besides."""


def _mark(asked: dict[str, Any]) -> str:
    found = re.search(r"text-[0-9a-f]+", asked["messages"][-1]["content"])
    return found[0] if found else ""


class ModelServer:
    """Listens on loopback; `requests` are the bodies it was sent, `headers` their heads.

    `faults` are used up one a request; `always` is the fault of all that follow. `delay` is how
    many seconds an answer takes; `most` how many requests were under way at once.
    """

    def __init__(self, *, always: str = "", delay: float = 0.0) -> None:
        self.faults: list[str] = []
        self.always = always
        self.delay = delay
        self.requests: list[dict[str, Any]] = []
        self.headers: list[str] = []
        self.most = 0
        self.asked = asyncio.Event()
        self._now = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.base_url = ""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.base_url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"
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

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            top = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            length = int(re.search(r"(?i)content-length: (\d+)", top)[1])  # type: ignore[index]
            asked = json.loads(await reader.readexactly(length))
            self.headers.append(top)
            self.requests.append(asked)
            self._now += 1
            self.most = max(self.most, self._now)
            self.asked.set()
            try:
                await self._answer(asked, writer)
            finally:
                self._now -= 1
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    async def _answer(self, asked: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        fault = self.faults.pop(0) if self.faults else self.always
        if fault == "silent":
            await asyncio.Event().wait()
        await asyncio.sleep(self.delay)
        if fault == "slow":
            await drip(_ok(good(asked)), piece=50)(writer)
            return
        writer.write(FAULTS[fault](asked) if fault else _ok(good(asked)))
        await writer.drain()
