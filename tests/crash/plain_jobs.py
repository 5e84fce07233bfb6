"""Job types for many workers on one database; `work.job_types` of a worker names this module."""

import asyncio
import os
import time
from pathlib import Path

from pydantic import BaseModel

from quaero.jobs import JobSpec
from quaero.work.registry import Result, executor


class Plan(BaseModel):
    """How many children of which type, and a file to tell in how a run ended."""

    children: int = 0
    type: str = "short"
    told: str = ""


def done(tx, job):
    tx.execute("insert into done values($1, $2)", (job.id, os.getpid()))


@executor("family", Plan)
async def family(job, payload):
    job.spawn(*(JobSpec(payload.type, payload.model_dump_json()) for _ in range(payload.children)))
    return Result(None, [done])


@executor("short", Plan)
async def short(job, payload):
    await asyncio.sleep(0.06)  # long enough that nobody claims ahead of free slots
    return Result(None, [done])


@executor("endless", Plan)
async def endless(job, payload):
    try:
        await asyncio.sleep(3_600)
    except asyncio.CancelledError:
        with Path(payload.told).open("a") as file:
            file.write(f"{os.getpid()}\n")
        raise
    return Result(None, [done])


@executor("hangs", Plan)
async def hangs(job, payload):
    Path(payload.told).touch()
    time.sleep(3_600)


job_types = [family, short, endless, hangs]
