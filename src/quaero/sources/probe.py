"""Tests of logins, for who asks for them; what makes them is loaded when the first is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from typing import Protocol

from quaero.crawl.login import Login


@dataclass(frozen=True, slots=True)
class Probe:
    """What came of a test: whether the login is accepted, and a sentence that says why.

    `ok` is None where the site did not answer in a way that says it: it is down, say.
    """

    ok: bool | None
    detail: str


class Prober(Protocol):
    """Sees whether logins are accepted."""

    async def probe(self, login: Login, url: str | None = None) -> Probe:
        """Fetch a page with the login, its base address unless one is named.

        Raises `BadInput` for an address that is not of the login's site.
        """


class LateProber:
    """A prober that is made with the first test, and ends with `close`."""

    def __init__(self, make: Callable[[], AbstractAsyncContextManager[Prober]]) -> None:
        self._make = make
        self._made: Prober | None = None
        self._making = asyncio.Lock()
        self._stack = AsyncExitStack()

    async def probe(self, login: Login, url: str | None = None) -> Probe:
        """As `Prober` says."""
        async with self._making:
            if self._made is None:
                self._made = await self._stack.enter_async_context(self._make())
        return await self._made.probe(login, url)

    async def close(self) -> None:
        """End the prober, if there is one."""
        await self._stack.aclose()
