"""What happens by the clock: schedules that are due, deadlines that have passed.

Any number of processes turn this loop beside one another on one database. Each due time is taken
in the transaction that begins its run, so it does not matter which of them does it. A loop sleeps
until the next time that is stored; it is woken where one changes, and looks again now and then
because the wall clock may be set.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from quaero.clock import MINUTE, SECOND, Clock
from quaero.db.contract import Database, ReadTx, Tx
from quaero.errors import DiskFull, QuaeroError
from quaero.jobs import deadlines
from quaero.loops import Loop
from quaero.program_log import program_log
from quaero.workflows import runs, schedules

log = program_log(__name__)

LONGEST_SLEEP = 20.0
BLOCKED_SLEEP = 1.0
AFTER_ERROR = 5.0
START_AGAIN = 60 * SECOND


class Clockwork:
    """The loop of one process; `actions` are the job types that definitions may name."""

    def __init__(
        self, db: Database, queue_id: int, actions: Mapping[str, Any], clock: Clock
    ) -> None:
        self.loop = Loop("schedules", LONGEST_SLEEP)
        self._db = db
        self._queue_id = queue_id
        self._actions = actions
        self._clock = clock
        self._followed: int | None = None

    async def run(self, ready: asyncio.Event | None = None) -> None:
        """Do what is due, whenever something is; runs until it is cancelled.

        First, once `ready` is set, the runs begin that are to begin with the program.
        """
        if ready is not None:
            await ready.wait()
        changed = asyncio.Event()
        events = asyncio.get_running_loop()
        ends = [
            self._db.subscribe(topic, lambda: events.call_soon_threadsafe(changed.set))
            for topic in (schedules.TOPIC, deadlines.TOPIC)
        ]
        starting = True
        try:
            while True:
                changed.clear()
                sleep, starting = await self._turn_safely(starting=starting)
                await _wait(changed, sleep)
        finally:
            for end in ends:
                end()

    async def start(self) -> list[int]:
        """Begin the runs of definitions that are to run at the start; returns their jobs' ids."""
        return await self._db.write(start, self._queue_id, self._actions)

    async def turn(self) -> float:
        """Do what is due now; returns how many seconds may pass before the next look."""
        await self._follow_clock()
        while True:
            soonest, blocked = await self._db.read(_next)
            if soonest is None or soonest > self._clock.wall():
                break
            if not await self._db.write(self._do):
                break
        if blocked:
            await self._db.write(schedules.fire_blocked, self._begin, runs.under_way)
        left = LONGEST_SLEEP if soonest is None else (soonest - self._clock.wall()) / SECOND
        return max(0.0, min(left, BLOCKED_SLEEP if blocked else LONGEST_SLEEP))

    async def _follow_clock(self) -> None:
        """Find the times anew that a clock which was ahead has left: first, and when it was set."""
        wall_at_boot = self._clock.wall() - self._clock.boot()
        if self._followed is not None and abs(wall_at_boot - self._followed) <= MINUTE:
            return
        if await self._db.read(schedules.is_ahead):
            await self._db.write(schedules.follow_clock)
        self._followed = wall_at_boot

    async def _turn_safely(self, *, starting: bool) -> tuple[float, bool]:
        """Turn once; returns how long to sleep, and whether the start is still to be made."""
        try:
            if starting:
                await self.start()
                starting = False
            sleep = await self.turn()
        except Exception as error:
            self.loop.failed(error)
            log.exception("what is due cannot be begun now")
            return AFTER_ERROR, starting
        self.loop.turn()
        return sleep, starting

    def _do(self, tx: Tx) -> int:
        return deadlines.expire(tx) + schedules.fire(tx, self._begin, runs.under_way)

    def _begin(self, tx: Tx, definition_id: str, due_at: int) -> int:
        return runs.begin(
            tx, self._queue_id, definition_id, self._actions, cause="schedule", due_at=due_at
        )


def start(tx: Tx, queue_id: int, actions: Mapping[str, Any]) -> list[int]:
    """Begin a run of each definition with `auto_start`.

    Not where one is under way, or was begun by another process's start within the last minute.
    Raises `DiskFull`: then it is to be called again.
    """
    begun = []
    rows = tx.execute("select id from definition where auto_start = 1 and enabled = 1 order by id")
    for (definition_id,) in rows:
        lately = tx.execute(
            """
            select 1 from run where definition_id = $1 and cause = 'start'
               and began_at between $2 and $3 order by job_id desc limit 1
            """,
            (definition_id, tx.now - START_AGAIN, tx.now + START_AGAIN),
        )
        if not lately and runs.under_way(tx, definition_id) is None:
            try:
                begun.append(runs.begin(tx, queue_id, definition_id, actions, cause="start"))
            except DiskFull:
                raise
            except QuaeroError as error:
                log.warning("%s cannot begin with the program: %s", definition_id, error)
    return begun


def _next(tx: ReadTx) -> tuple[int | None, bool]:
    """When, on the wall clock, something is due next, and whether a run waits for another."""
    at, blocked = schedules.next_look(tx)
    deadline = deadlines.next_deadline(tx)
    if deadline is not None:
        deadline += tx.now - tx.lease_now
    times = [each for each in (at, deadline) if each is not None]
    return (min(times) if times else None), blocked


async def _wait(changed: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await changed.wait()
    except TimeoutError:
        return
