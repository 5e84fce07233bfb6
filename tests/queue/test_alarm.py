"""The alarm that is set more often than it rings."""

import asyncio

from quaero.queue.alarm import Alarm


async def test_an_alarm_rings_at_the_earliest_of_the_times_it_was_set_to() -> None:
    rung = asyncio.Queue[None]()
    alarm = Alarm(lambda: rung.put_nowait(None))
    for times in ((0.01, 0.01, 60), (60, 0.01), (60, 0.02, 0.01)):
        for seconds in times:
            alarm.set(seconds)
        await asyncio.wait_for(rung.get(), 10)
        assert rung.empty()


async def test_a_cancelled_alarm_rings_only_when_set_anew() -> None:
    rung: list[str] = []
    early, late = Alarm(lambda: rung.append("early")), Alarm(lambda: rung.append("late"))
    early.set(0.01)
    early.cancel()
    early.cancel()
    late.set(0.02)
    async with asyncio.timeout(10):
        while not rung:
            await asyncio.sleep(0.01)
        early.set(0.0)
        while len(rung) < 2:
            await asyncio.sleep(0)
    assert rung == ["late", "early"]
