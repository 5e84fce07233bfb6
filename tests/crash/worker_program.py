"""A worker to be killed: it makes trees of jobs, says which were acknowledged, and runs them.

Every line it writes is a fact that holds outside the database:

    ready SECONDS     the pool works, so long after the start
    faults […]        what the check found before anything was run
    ack TAG           the tree with that tag was sent: `create` had returned
    done              (with `drain`) nothing is open any more

Run as `worker_program.py forks` it makes such workers by fork, on the orders that it reads (one
JSON object a line), so that a cycle costs no start of an interpreter. Run as `worker_program.py
PATH --alone HOLDER` it is the child in which a worker's suspects run.
"""

import argparse
import asyncio
import ctypes
import json
import os
import random
import signal
import sys
import time
import zlib
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from quaero.db import SqliteDatabase
from quaero.errors import Permanent
from quaero.jobs import JobSpec
from quaero.jobs.check import faults
from quaero.jobs.create import create
from quaero.queue.message import Lane
from quaero.queue.queue import open_queue
from quaero.work.lifeline import watch_lifeline
from quaero.work.pool import Pool, PoolOptions
from quaero.work.registry import JobType, Registry, Result, executor
from quaero.workflows.executors import WorkflowExecutors


class Tree(BaseModel):
    """A tag, and how many levels of how many children."""

    tag: str = ""
    levels: int = 0
    width: int = 0


def note(step):
    def effect(tx, job):
        tx.execute("insert into effect(job_id, step) values($1, $2)", (job.id, step))

    return effect


@executor("branch", Tree)
async def branch(job, payload):
    below = Tree(levels=payload.levels - 1, width=payload.width).model_dump_json()
    kinds = ("leaf", "leaf", "laned", "steps", "slow")
    for n in range(payload.width):
        kind = "branch" if payload.levels > 1 and n == 0 else kinds[n % len(kinds)]
        lane = Lane("one", 2) if kind == "laned" else None
        job.spawn(JobSpec(kind, below if kind == "branch" else "{}", lane=lane))
    return Result(None, [note(0)])


@executor("leaf", Tree)
async def leaf(job, payload):
    job.log.info("here")
    return Result({"ok": True}, [note(0)])


@executor("laned", Tree)
async def laned(job, payload):
    await asyncio.sleep(0.001)
    return Result(None, [note(0)])


@executor("slow", Tree)
async def slow(job, payload):
    await asyncio.sleep(0.03)
    return Result(None, [note(0)])


@executor("steps", Tree)
async def steps(job, payload):
    """Two checkpoints with an effect each; a crash goes on from the last one."""
    done = job.state or 0
    while done < 2:
        done += 1
        await job.checkpoint(done, [note(done)])
    return Result(None, [note(0)])


class Act(BaseModel):
    """One action of a workflow: what is passed on to it, and whether it can be done at all."""

    step: str
    item: int | None = None
    seen: list[Any] = []
    fails: bool = False


def act_beside(ledger):
    """An action that notes each of its runs in a file outside the database."""

    async def act(job, payload):
        with ledger.open("ab", buffering=0) as file:
            file.write(f"{payload.step}\n".encode())
        await asyncio.sleep(0.002)
        if payload.fails:
            raise Permanent("it cannot be done")
        return Result({"sum": zlib.crc32(payload.model_dump_json().encode())}, [note(0)])

    return JobType("act", Act, act)


def registry(db):
    """All job types over a database, those of workflows among them."""
    made = Registry([*JOB_TYPES, act_beside(Path(db.path).with_name("ledger"))])
    for each in WorkflowExecutors(db, made, no_rows).job_types():
        made.add(each)
    return made


def no_rows(tx, query, after, limit):
    return [], None


JOB_TYPES = [branch, leaf, laned, slow, steps]
JOBS_OF_A_TREE = 1 + 6 + 6  # levels=2, width=6: one of the six is a branch itself


def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


async def work(order, began):
    path = Path(order["path"])
    with SqliteDatabase.open(path) as db:
        say("faults", json.dumps(await db.read(faults)))
        queue_id = await db.write(open_queue, "jobs")
        command = (sys.executable, __file__, str(path)) if order.get("isolate") else ()
        options = PoolOptions(
            poll_interval=0.1, grace=0.05, alone_command=command, **order.get("options", {})
        )
        pool = Pool(db, queue_id, registry(db), options)
        stopped = []
        asyncio.get_running_loop().add_signal_handler(
            signal.SIGTERM, lambda: (stopped.append(True), pool.stop())
        )
        running = asyncio.create_task(pool.run())
        while pool.consumer is None:
            await asyncio.sleep(0.001)
        say("ready", time.monotonic() - began)
        for tag in order.get("send", ()):
            if stopped:
                break
            payload = Tree(tag=tag, levels=2, width=6).model_dump_json()
            await db.write(create, queue_id, [JobSpec("branch", payload, name=tag)])
            say("ack", tag)
            await asyncio.sleep(random.uniform(0, 0.01))
        if order.get("drain"):
            while await db.read(is_open):
                await asyncio.sleep(0.02)
            pool.stop()
            await running
            say("done")
        await running


def is_open(tx):
    return tx.execute("select 1 from job where status < 2 limit 1") != []


async def work_alone(path, holder):
    watch_lifeline(5.0)
    with SqliteDatabase.open(path) as db:
        queue_id = await db.write(open_queue, "jobs")
        options = PoolOptions(concurrency=1, alone=True, parent_holder=holder)
        pool = Pool(db, queue_id, registry(db), options)
        running = asyncio.create_task(pool.run())
        while (await db.read(lambda tx: tx.execute("select sum(suspect) from queue")))[0][0] or (
            pool.consumer is None or not pool.consumer.idle
        ):
            await asyncio.sleep(0.02)
        pool.stop()
        await running


def die_with_parent():
    """Leave no worker behind when a test is broken off (PR_SET_PDEATHSIG, Linux)."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def make_workers():
    say("forks")
    for line in sys.stdin:
        order = json.loads(line)
        began = time.monotonic()
        told, tell = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.setsid()
            die_with_parent()
            os.read(told, 1)  # its number is said before anything of its own
            try:
                asyncio.run(work(order, began))
            except BaseException as error:
                say("crashed", repr(error))
                os._exit(1)
            os._exit(0)
        say("pid", pid)
        os.write(tell, b".")
        os.close(told)
        os.close(tell)
        _, status = os.waitpid(pid, 0)
        say("ended", os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("path")
    arguments.add_argument("--alone", type=int)
    given = arguments.parse_args()
    if given.alone is None:
        make_workers()
    else:
        asyncio.run(work_alone(Path(given.path), given.alone))
