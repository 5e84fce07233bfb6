"""When the beginning of work is written down."""

import asyncio
from time import perf_counter
from typing import Any

from quaero.queue.backend import Running
from quaero.queue.starts import SHOWN_AFTER, Starts


def begun_at(began: float) -> Running[Any]:
    task = asyncio.current_task()
    assert task is not None
    return Running(None, 0, began, task)


async def test_work_is_shown_once_it_has_run_for_a_while_and_not_earlier() -> None:
    stirred = asyncio.Event()
    running = {1: begun_at(perf_counter() + 0.1)}  # in place of one that has ended meanwhile
    starts: Starts[Any] = Starts(running, stirred.set)
    starts.begun(paced=False)
    async with asyncio.timeout(10):
        await stirred.wait()
    assert perf_counter() >= running[1].began + SHOWN_AFTER
    assert starts.are_due
    assert starts.take() == [running[1]]
    assert not starts.are_due
    assert starts.take() == []


async def test_a_start_of_a_paced_lane_is_due_at_once() -> None:
    stirred = asyncio.Event()
    starts: Starts[Any] = Starts({1: begun_at(perf_counter())}, stirred.set)
    starts.begun(paced=True)
    assert starts.are_due
    assert stirred.is_set()


async def test_what_could_not_be_written_down_is_due_again() -> None:
    starts: Starts[Any] = Starts({1: begun_at(perf_counter())}, lambda: None)
    fresh = starts.take()
    starts.put_back(fresh)
    assert starts.are_due
    assert starts.take() == fresh
    starts.put_back([])
    assert not starts.are_due
