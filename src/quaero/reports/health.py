"""How the program is: its processes and their loops, the disk, commits, and how far readers lag.

It is read from the database and the file system, so any process can tell of all others. What is
wrong is said in a sentence each; nothing wrong is `ok`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from quaero.clock import SECOND
from quaero.db.contract import ReadTx
from quaero.db.processes import ProcessState, states
from quaero.jobs import feed
from quaero.loops import Turned
from quaero.reports.storage import TOO_LITTLE_ROOM, room, storage
from quaero.sources import credentials

PATIENCE = 3.0  # turns that a loop may miss
SLOW_COMMIT = 0.25
LOW_SHARE = 0.05
FEED_LAG = 5_000


@dataclass(frozen=True, slots=True)
class LoopHealth:
    """One loop; `last_at` is a wall time in microseconds, None where it never turned."""

    name: str
    period: float
    turns: int
    last_at: int | None
    late: bool
    error: str | None


@dataclass(frozen=True, slots=True)
class ProcessHealth:
    """One process with its loops; times are wall times in microseconds."""

    state: ProcessState
    loops: list[LoopHealth]


@dataclass(frozen=True, slots=True)
class Disk:
    """The room where the database lies, in bytes."""

    total: int
    free: int
    database: int


@dataclass(frozen=True, slots=True)
class Health:
    """The whole picture; `commit_seconds` is the slowest median of any living process.

    `feed_head` is the newest entry of the change feed, `feed_lag` how many of them the slowest
    reader has yet to see.
    """

    status: Literal["ok", "degraded"]
    problems: list[str]
    processes: list[ProcessHealth]
    disk: Disk
    commit_seconds: float | None
    feed_head: int
    feed_lag: int


def health(tx: ReadTx, database: Path) -> Health:
    """How all is, as far as the processes have told."""
    processes = [_process(each) for each in states(tx)]
    alive = [each for each in processes if each.state.alive]
    commits = [each.state.report.commit_seconds for each in alive]
    slowest = max((seconds for seconds in commits if seconds is not None), default=None)
    lag = max((int(each.state.report.more.get("feed_behind", 0)) for each in alive), default=0)
    held = storage(tx, database)
    disk = Disk(room(database)[0], held.free, held.database + held.log)
    problems = [*_loop_problems(alive), *_problems(alive, disk, slowest, lag, short=held.short)]
    problems += [
        f"process {each.state.pid} on {each.state.host} ({each.state.role}) has not been heard of"
        for each in processes
        if not each.state.alive
    ]
    problems += credentials.warnings(tx)
    return Health(
        "degraded" if problems else "ok",
        problems, processes, disk, slowest, feed.last(tx), lag,
    )  # fmt: skip


def _process(state: ProcessState) -> ProcessHealth:
    return ProcessHealth(state, [_loop(state, each) for each in state.report.loops])


def _loop(state: ProcessState, told: Turned) -> LoopHealth:
    """A loop as it stood when its process last told of itself."""
    ago = told.ago
    last = None if ago is None else state.at - int(ago * SECOND)
    silent = (state.at - state.started_at) / SECOND if ago is None else ago
    late = silent > PATIENCE * told.period + 1.0
    return LoopHealth(told.name, told.period, told.turns, last, late, told.error)


def _loop_problems(alive: list[ProcessHealth]) -> list[str]:
    found = []
    for process in alive:
        where = f"of process {process.state.pid} ({process.state.role})"
        for loop in process.loops:
            if loop.error is not None:
                found.append(f"the loop {loop.name} {where} failed: {loop.error}")
            elif loop.late:
                found.append(f"the loop {loop.name} {where} is late")
    return found


def _problems(
    alive: list[ProcessHealth], disk: Disk, commit_seconds: float | None, lag: int, *, short: bool
) -> list[str]:
    found = []
    if not any(each.state.role == "worker" for each in alive):
        found.append("no worker is alive; start one with `quaero work` or `quaero serve`")
    if short:
        found.append(f"{TOO_LITTLE_ROOM}; now {disk.free:,} are; `quaero cleanup` makes room")
    elif disk.free < LOW_SHARE * disk.total:
        found.append(f"only {disk.free:,} bytes are free where the database lies")
    if commit_seconds is not None and commit_seconds > SLOW_COMMIT:
        found.append(f"a commit takes {commit_seconds:.2f} s: the disk is slow")
    if lag > FEED_LAG:
        found.append(f"the live hub has {lag:,} changes yet to tell")
    return found
