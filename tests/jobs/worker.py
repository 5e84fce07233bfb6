"""Jobs of one database and a worker that does what a test tells it."""

from random import Random
from typing import Any

from quaero.clock import SECOND
from quaero.jobs import check, create, logs, read, run
from quaero.jobs.logs import Query
from quaero.jobs.model import JobSpec, Phase, Status
from quaero.jobs.run import Completed, Failed, Outcome, Work
from quaero.queue.claim import Claim
from quaero.queue.queue import dead_letters, open_queue

from ..opening import Opened  # noqa: TID252

LEASE = 300 * SECOND


class Jobs:
    """Jobs of one database and a worker that does what it is told; checked after every write."""

    def __init__(self, opened: Opened) -> None:
        self.opened = opened
        self.queue_id = opened.write(open_queue, "quaero_jobs")
        self.works: dict[int, Work] = {}

    def do(self, fn: Any, *args: Any, **kwargs: Any) -> Any:
        result = self.opened.write(fn, *args, **kwargs)
        assert self.opened.read(check.faults) == []
        return result

    # -- creating and running

    def create(self, *specs: JobSpec, parent: int | None = None) -> list[int]:
        return list(self.do(create.create, self.queue_id, specs or [JobSpec("t")], parent))

    def root(self, **spec: Any) -> int:
        (id_,) = self.create(JobSpec(**{"type": "root", **spec}))
        return id_

    def claim(self, limit: int = 2_000, **options: Any) -> list[int]:
        """Claim, and return the jobs' ids."""
        works = self.do(run.claim, self.queue_id, Claim(limit, LEASE, **options))
        self.works |= {work.job_id: work for work in works}
        return [work.job_id for work in works]

    def start(self, *ids: int) -> None:
        self.do(run.started, [(self.works[id_], self.opened.wall) for id_ in ids])

    def settle(self, *outcomes: Outcome, max_receive: int = 3) -> None:
        self.do(run.settle_all, outcomes, max_receive, Random(1))

    def well(self, *ids: int, **how: Any) -> None:
        self.settle(*(Completed(self.works[id_], self.opened.wall, **how) for id_ in ids))

    def badly(self, *ids: int, error: str = "no", **how: Any) -> None:
        how = {"permanent": True, **how}
        at = self.opened.wall
        self.settle(*(Failed(self.works[id_], at, error=error, **how) for id_ in ids))

    def tree(self, *phases: Phase, **spec: Any) -> tuple[int, ...]:
        """A root whose own run is completed, and its children in the given phases."""
        root = self.root(**spec)
        assert self.claim() == [root]
        self.start(root)
        self.well(root, spawn=[JobSpec("child", phase=phase) for phase in phases])
        return (root, *self.children(root))

    # -- looking

    def children(self, id_: int) -> list[int]:
        wanted = read.Filter(parent_id=id_, limit=5_000)
        return [each.id for each in self.opened.read(read.listing, wanted)]

    def get(self, id_: int) -> read.Job:
        return self.opened.read(read.get, id_)

    def look(self, id_: int) -> read.Summary:
        return self.get(id_).summary

    def statuses(self, *ids: int) -> list[Status]:
        return [self.look(id_).status for id_ in ids]

    def said(self, id_: int) -> list[str]:
        lines = self.opened.read(logs.read, Query(id_, ascending=True))
        return [line.message for line in lines]

    def dead(self) -> list[Any]:
        return self.opened.read(dead_letters, self.queue_id, 100, 0)

    def sql(self, sql: str, *args: Any) -> list[tuple[Any, ...]]:
        return self.opened.sql(sql, *args)
