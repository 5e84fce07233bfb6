"""The worker processes of one database, and what each of them runs at this moment."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from quaero.db.contract import ReadTx
from quaero.db.processes import states
from quaero.queue.holders import Holders, KnownHolder

MOST_RUNNING = 1_000


@dataclass(frozen=True, slots=True)
class Running:
    """A job that a worker runs, since a wall time in microseconds."""

    job_id: int
    name: str
    type: str
    since: int | None


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker process and the jobs in its slots."""

    holder: KnownHolder
    running: list[Running]


def standing(tx: ReadTx, holders: Holders, queue_id: int) -> bool:
    """Whether a worker of the queue is alive that stays, so that work can be left to it."""
    alive = {each.id for each in holders.known(tx) if each.alive}
    told = (process.report.more for process in states(tx) if process.role == "worker")
    return any(each.get("queue") == queue_id and each.get("holder") in alive for each in told)


def address(tx: ReadTx) -> str | None:
    """Where the pages of a living web process are, the newest one's."""
    found = [p for p in states(tx) if p.role == "web" and p.alive]
    return str(found[-1].report.more["address"]) if found else None


def workers(tx: ReadTx, holders: Holders, queue_id: int) -> list[Worker]:
    """The registered workers, the oldest first; of what runs the first `MOST_RUNNING`."""
    running: defaultdict[int, list[Running]] = defaultdict(list)
    rows = tx.execute(
        """
        select m.holder, j.id, j.name, j.type, j.started_at
          from message m join job j on j.id = m.job_id
         where m.queue_id = $1 and m.state = 2 and j.status = 1 limit $2
        """,
        (queue_id, MOST_RUNNING),
    )
    for holder, *job in rows:
        running[holder].append(Running(*job))
    return [Worker(each, running[each.id]) for each in holders.known(tx)]
