"""Job types that do harm, and one that does none, for `work.job_types` of a worker."""

import asyncio
import contextlib
import ctypes
import os
import signal
import time

from pydantic import BaseModel

from quaero.work.registry import Result, executor

TOGETHER = 0.1  # what ends its process lets neighbours begin first, innocent and guilty ones


class Harm(BaseModel):
    """Nothing to say."""


@executor("good", Harm)
async def good(job, payload):
    await asyncio.sleep(0.005)
    return Result(None, [lambda tx, job: tx.execute("insert into done values($1)", (job.id,))])


@executor("raises", Harm)
async def raises(job, payload):
    raise ValueError("never good")


@executor("unprintable", Harm)
async def unprintable(job, payload):
    job.log.info("\udcff\x00", place="\udcff")
    job.progress(text="\udcff")
    raise ValueError("\udcff\x00")


@executor("nameless", Harm)
async def nameless(job, payload):
    class Mute(Exception):
        def __str__(self):
            raise RuntimeError

    raise Mute


@executor("exits", Harm)
async def exits(job, payload):
    raise SystemExit(0)


@executor("cancels", Harm)
async def cancels(job, payload):
    raise asyncio.CancelledError


@executor("interrupts", Harm)
async def interrupts(job, payload):
    raise KeyboardInterrupt


@executor("ends_itself", Harm)
async def ends_itself(job, payload):
    asyncio.current_task().cancel()
    await asyncio.sleep(3_600)


@executor("exits_in_a_task", Harm)
async def exits_in_a_task(job, payload):
    async def leave():
        raise SystemExit(0)

    await asyncio.sleep(TOGETHER)
    await asyncio.create_task(leave())


@executor("killed", Harm)
async def killed(job, payload):
    await asyncio.sleep(TOGETHER)
    os.kill(os.getpid(), signal.SIGKILL)


@executor("leaves", Harm)
async def leaves(job, payload):
    await asyncio.sleep(TOGETHER)
    os._exit(0)


@executor("faults", Harm)
async def faults(job, payload):
    await asyncio.sleep(TOGETHER)
    signal.signal(signal.SIGSEGV, signal.SIG_DFL)
    ctypes.string_at(0)


@executor("blocks", Harm, timeout=0.3)
async def blocks(job, payload):
    await asyncio.sleep(TOGETHER)
    time.sleep(3_600)


@executor("sleeps", Harm, timeout=0.3)
async def sleeps(job, payload):
    await asyncio.sleep(3_600)


@executor("stays", Harm, timeout=0.3)
async def stays(job, payload):
    """Takes no notice of its cancellation for a while."""
    try:
        await asyncio.sleep(3_600)
    finally:
        await asyncio.sleep(0.2)


@executor("never_ends", Harm, timeout=0.3)
async def never_ends(job, payload):
    """Takes no notice of its cancellation at all."""
    while True:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(3_600)


@executor("eats", Harm)
async def eats(job, payload):
    await asyncio.sleep(TOGETHER)
    held = []
    while True:
        held.append(bytearray(16_000_000))


ERRORS = {
    "raises": "ValueError: never good",
    "unprintable": "ValueError: \\udcff\\x00",
    "nameless": "Mute",
    "exits": "SystemExit: 0",
    "cancels": "CancelledError",
    "interrupts": "KeyboardInterrupt",
    "ends_itself": "CancelledError",
    "exits_in_a_task": "SystemExit: 0",
    "killed": "it ended its worker, alone (signal 9)",
    "leaves": "it ended its worker, alone (exit code 0)",
    "faults": "it ended its worker, alone (signal 11)",
    "blocks": "it ended its worker, alone (exit code 70)",
    "sleeps": "timed out after 0.3 s",
    "stays": "timed out after 0.3 s",
    "never_ends": "it ended its worker, alone (exit code 70)",
    "eats": "MemoryError",
}
POISONS = list(ERRORS)
job_types = [good, raises, unprintable, nameless, exits, cancels, interrupts, ends_itself,
             exits_in_a_task, killed, leaves, faults, blocks, sleeps, stays, never_ends, eats]  # fmt: skip
