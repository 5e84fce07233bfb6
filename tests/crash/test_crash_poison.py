"""Payloads that do harm: each ends as a dead letter with its errors, and nobody else pays."""

import asyncio
import signal

import pytest

from quaero.db import SqliteDatabase
from quaero.jobs import JobSpec
from quaero.jobs.check import faults
from quaero.jobs.create import create
from quaero.queue.queue import dead_letters, open_queue

from .poison_jobs import ERRORS, POISONS
from .programs import configure, worker
from .waiting import until

GOOD = 100
LONGEST = 250  # 30 where two cores are free: each poison is tried again in a process of its own


@pytest.mark.timeout(300)
async def test_poison_ends_as_dead_letters_and_a_hundred_others_are_done_uncharged(tmp_path):
    path = configure(tmp_path, "poison_jobs", memory="400MB", concurrency=16, grace="500ms")
    with SqliteDatabase.open(path) as db:
        await db.write(lambda tx: tx.execute("create table done(job_id integer)"))
        queue_id = await db.write(open_queue, "quaero_jobs")
        types = ["good"] * GOOD
        for n, poison in enumerate(POISONS):
            types.insert(n * 2, poison)
        await db.write(create, queue_id, [JobSpec(type_) for type_ in types])
        with worker(tmp_path) as running:
            await until(lambda: db.read(all_ended), seconds=LONGEST)
            running.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(running.wait, 15) == 0
        assert await db.read(faults) == []
        assert await db.read(good_ones) == [(2, 1, GOOD)]
        assert await db.read(done_twice) == []
        letters = await db.read(dead_letters, queue_id, 100, 0)
        assert {each.type for each in letters} == set(POISONS)
        for letter in letters:
            trail = [error for _, _, error in letter.errors]
            assert trail[-1].startswith(ERRORS[letter.type]), letter
            assert (letter.receives, len(trail)) == (2, 2), letter
        errors = dict(await db.read(job_errors))
        assert all(errors[type_].startswith(ERRORS[type_]) for type_ in POISONS), errors


def all_ended(tx):
    return not tx.execute("select 1 from job where status < 2 limit 1")


def good_ones(tx):
    return tx.execute("select status, attempt, count(*) from job where type = 'good' group by 1, 2")


def done_twice(tx):
    return tx.execute("select job_id from done group by 1 having count(*) > 1")


def job_errors(tx):
    return tx.execute("select type, error from job where status = 3")
