"""Suspects run alone: in a child process of their own, one after another.

What a dead process had started may have killed it. Such messages are only claimed by a child that
runs one at a time and is watched from here. If the child dies, the one it had started is guilty and
is charged; all others go back as they came.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Sequence

from quaero.db.contract import Database, Tx
from quaero.jobs import run
from quaero.loops import Loop
from quaero.program_log import program_log
from quaero.queue.claim import suspects
from quaero.queue.holders import Holders, held_by, split
from quaero.work.lifeline import LIFELINE

log = program_log(__name__)

LOOK_SECONDS = 0.5
LONGEST_PAUSE = 30.0


class Isolation:
    """Starts the child when there are suspects, and judges its death."""

    def __init__(
        self, db: Database, queue_id: int, register: Holders, holder_id: int,
        command: Sequence[str], max_receive: int, patience: float,
    ) -> None:  # fmt: skip
        self._db = db
        self._queue_id = queue_id
        self._register = register
        self._holder_id = holder_id
        self._command = (*command, "--alone", str(holder_id))
        self._max_receive = max_receive
        self._patience = patience
        self.loop = Loop("isolation", LONGEST_PAUSE)

    async def run(self) -> None:
        """Look for suspects until cancelled; the child ends with this process."""
        pause = LOOK_SECONDS
        while True:
            try:
                well = await self._once()
                self.loop.turn()
            except Exception as error:
                self.loop.failed(error)
                log.exception("suspects cannot be run alone now")
                well = False
            pause = LOOK_SECONDS if well else min(pause * 2, LONGEST_PAUSE)
            await asyncio.sleep(pause)

    async def _once(self) -> bool:
        """Run the suspects there are; False where their child died before it ran anything."""
        while await self._db.read(suspects, self._queue_id):
            code = await self._child()
            judged = await self._db.write(self._judge, _cause(code), charge=True)
            if code != 0 and not judged:
                log.warning("the isolated worker ended with %d before it ran anything", code)
            if not judged:
                return code == 0
        return True

    async def _child(self) -> int:
        child = self._start()
        ended = asyncio.create_task(asyncio.to_thread(child.wait))
        try:
            return await asyncio.shield(ended)
        except asyncio.CancelledError:
            child.terminate()
            done, _ = await asyncio.wait([ended], timeout=self._patience)
            if not done:
                child.kill()
                await ended
            await self._db.write(self._judge, "stopped", charge=False)
            raise
        finally:
            if child.stdin is not None:
                child.stdin.close()

    def _start(self) -> subprocess.Popen[bytes]:
        """Start the child; its standard input breaks when this process dies.

        Not through the event loop: uvloop's fork runs Python in the child, which there closes the
        database connections of our other threads and can wait for ever for SQLite's locks.
        """
        return subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env=os.environ | {LIFELINE: "0"},
        )

    def _judge(self, tx: Tx, cause: str, *, charge: bool) -> int:
        """Clear up after a dead child; returns how many messages it is blamed on."""
        guilty = 0
        why = f"it ended its worker, alone ({cause})"
        for dead in self._register.dead_child(tx, self._holder_id):
            started, unstarted = split(held_by(tx, dead.id), dead.started)
            run.lose(tx, unstarted, why, self._max_receive, charge=False, alone=True)
            run.lose(tx, started, why, self._max_receive, charge=charge, alone=True)
            guilty += len(started)
            self._register.bury(tx, dead.id)
        return guilty


def _cause(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
