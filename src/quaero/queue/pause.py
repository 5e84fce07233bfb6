"""The pauses of a slot between two runs.

A run may have cancelled the task it ran in, or have swallowed a cancellation that was meant for it;
that is nothing to the next one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable


async def undisturbed(pause: Awaitable[None], ended: asyncio.Event) -> None:
    """Pause, whatever was done to this task before; once `ended`, a cancellation passes."""
    try:
        await pause
    except asyncio.CancelledError:
        if ended.is_set():
            raise
    task = asyncio.current_task()
    while task is not None and not ended.is_set() and task.cancelling():
        task.uncancel()
