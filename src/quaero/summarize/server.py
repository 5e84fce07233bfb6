"""A model behind an OpenAI-compatible server: Ollama, llama.cpp, vLLM, or a hosted one.

One request, one answer; trying again is the queue's part. The server is where the user's own
setting says, so its addresses are allowed wherever they are (but never link-local ones), and
nothing else is: no redirect is followed, no proxy asked. The key goes to that server alone and into
no message.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from quaero.crawl.exchange import FetchLimits, FetchRequest
from quaero.crawl.fetch import Fetcher
from quaero.crawl.policy import NetworkPolicy
from quaero.crawl.resolve import inside_seeds
from quaero.errors import BadAnswer, HttpStatus, JobError, Permanent, RetryLater
from quaero.settings import ModelSettings
from quaero.summarize.asking import Answer, Message, read_completion

LARGEST_ANSWER = 4 * 1024 * 1024
_JSON = "application/json"


class ServerModel:
    """The model that the settings name, asked over the one way out."""

    def __init__(self, settings: ModelSettings, fetcher: Fetcher) -> None:
        self.name = settings.name
        self._url = f"{settings.base_url}/chat/completions"
        self._key = settings.api_key.get_secret_value()
        self._timeout = settings.timeout
        self._stop = {"stop": [settings.stop]} if settings.stop else {}
        self._fetcher = fetcher

    async def ask(self, messages: Sequence[Message], max_tokens: int) -> Answer:
        """The server's answer.

        Raises `RetryLater` for 429, 5xx, timeouts and broken connections, `HttpStatus` for other
        statuses, `Permanent` for what is not HTTP, and `BadAnswer` for what is no whole answer.
        """
        try:
            result = await self._fetcher.fetch(await self._request(messages, max_tokens))
        except (HttpStatus, RetryLater, Permanent) as error:
            raise self._without_key(error) from None
        try:
            value = msgspec.json.decode(result.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            what = f" but {result.content_type}" if result.content_type else ""
            raise BadAnswer(f"the model's server answered not with JSON{what}") from None
        return read_completion(value)

    async def _request(self, messages: Sequence[Message], max_tokens: int) -> FetchRequest:
        body = {
            "model": self.name, "messages": messages, "max_tokens": max_tokens,
            "temperature": 0, "stream": False, **self._stop,
        }  # fmt: skip
        headers = {"Content-Type": _JSON, "Accept": _JSON}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        inside = await inside_seeds([self._url], self._fetcher.lookup)
        return FetchRequest(
            url=self._url,
            policy=NetworkPolicy((), inside),
            headers=headers,
            body=msgspec.json.encode(body),
            limits=FetchLimits(
                headers=self._timeout, total=self._timeout, rate=0.0, rate_window=self._timeout,
                wire=LARGEST_ANSWER, decoded=LARGEST_ANSWER,
            ),
        )  # fmt: skip

    def _without_key(self, error: JobError) -> JobError:
        """The same error; a server that repeats the key to us is not repeated."""
        said = str(error)
        if self._key and self._key in said:
            said = said.replace(self._key, "********")
        match error:
            case HttpStatus():
                return HttpStatus(said, error.code)
            case RetryLater():
                return RetryLater(said, error.after, hold=error.hold)
        return Permanent(said)
