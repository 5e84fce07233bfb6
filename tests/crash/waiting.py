"""Waiting for something to become true, by asking again and again for as long as a test allows."""

import asyncio
import inspect
import time


async def until(true, seconds=20.0):
    """Ask `true` every ten milliseconds until it answers with something; returns that."""
    deadline = time.monotonic() + seconds
    while True:
        answer = true()
        if inspect.isawaitable(answer):
            answer = await answer
        if answer:
            return answer
        assert time.monotonic() < deadline, f"{true} is not so after {seconds} s"
        await asyncio.sleep(0.01)
