"""A slot besides, for what people ask of the queue while long work has all the others.

To cancel, delete or retry many jobs is a job itself. Where every slot has been taken for a while
and nothing ends, such a job would wait for just what it is to stop; so it gets a slot of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from quaero.queue.backend import Running
from quaero.queue.consumer import Consumer

LOOK_SECONDS = 0.5


class Reserve:
    """Looks after `consumer`, whose slots are `slots` many; `make` makes one for commands only."""

    def __init__(
        self, consumer: Consumer[Any, Any], slots: int, make: Callable[[], Consumer[Any, Any]]
    ) -> None:
        self._consumer = consumer
        self._slots = slots
        self._make = make
        self._spare: Consumer[Any, Any] | None = None
        self._settled = 0
        self._stopping = False

    def running(self) -> list[Running[Any]]:
        """What the slot besides does now; may be asked from any thread."""
        spare = self._spare
        return [] if spare is None else spare.running()

    def stop(self) -> None:
        """Claim nothing more, however long the work in the slots takes to end."""
        self._stopping = True
        if self._spare is not None:
            self._spare.stop()

    async def run(self, grace: float) -> None:
        """Look twice a second, until stopped or cancelled."""
        while not self._stopping:
            await asyncio.sleep(LOOK_SECONDS)
            if self._stuck() and not self._stopping:
                await self._help(grace)

    def _stuck(self) -> bool:
        """Whether all slots are taken and nothing has ended since the last look."""
        settled, self._settled = self._settled, self._consumer.settled
        return settled == self._settled and len(self._consumer.running()) >= self._slots

    async def _help(self, grace: float) -> None:
        """Run commands for as long as nothing else can."""
        with self._made() as spare:
            working = asyncio.create_task(spare.run(grace))
            try:
                await self._until_others_can(spare, working)
            finally:
                spare.stop()
                await working

    async def _until_others_can(
        self, spare: Consumer[Any, Any], working: asyncio.Task[None]
    ) -> None:
        while self._stuck() or not spare.idle:
            await asyncio.wait((working,), timeout=LOOK_SECONDS)
            if working.done():
                return

    @contextlib.contextmanager
    def _made(self) -> Iterator[Consumer[Any, Any]]:
        self._spare = self._make()
        try:
            yield self._spare
        finally:
            self._spare = None
