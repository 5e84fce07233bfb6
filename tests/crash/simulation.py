"""Workers as a seed has them behave: they claim, start, settle, stall, die and come back.

Every worker is a few dictionaries over one real database with a clock that only the simulation
moves; what they do to it are the functions that real workers call. `Simulation.step` does one thing
by chance; `check` compares what the database says with what must hold at any moment, `finish` lets
healthy workers bring everything to its end.
"""

import random
from dataclasses import dataclass, field

from quaero.clock import SECOND
from quaero.jobs import JobSpec, Status, run, steer
from quaero.jobs.create import create
from quaero.jobs.run import Completed, Deferred, Failed, GivenBack
from quaero.queue import lanes, settle
from quaero.queue.claim import Claim
from quaero.queue.holders import held_by, split
from quaero.queue.message import Lane
from quaero.queue.queue import open_queue

LEASE = 30 * SECOND
MAX_RECEIVE = 3
KINDS = ("completed", "failed", "permanent", "deferred", "back")
LANES = [None, None, Lane("one", 1), Lane("two", 2), Lane("slow", 1, 2 * SECOND),
         Lane("paced", 3, SECOND)]  # fmt: skip


@dataclass
class Worker:
    """A logical worker: what it believes to hold, and what of that it has started."""

    holder: int
    alone: bool = False
    held: dict = field(default_factory=dict)
    started: set = field(default_factory=set)


class Simulation:
    """One seed's history over an open database (`tests.opening.Opened`)."""

    def __init__(self, opened, seed):
        self.opened = opened
        self.random = random.Random(seed)
        self.queue_id = opened.write(open_queue, f"sim-{seed}")
        self._holders = seed * 10_000
        self.workers = [self._worker() for _ in range(3)]
        self.dead = []
        self.roots = []
        self.last_start = {}
        self.violations = []

    def _worker(self, *, alone=False):
        self._holders += 1
        return Worker(self._holders, alone)

    def step(self):
        things = [
            (self.send, 4), (self.claim, 8), (self.start, 8), (self.end, 6), (self.renew, 3),
            (self.die, 1), (self.bury, 3), (self.expire, 3), (self.stall, 2), (self.judge_alone, 2),
            (self.pass_time, 5), (self.cancel, 0.3), (self.step_wall, 0.5), (self.restart, 0.2),
        ]  # fmt: skip
        (thing,) = self.random.choices([t for t, _ in things], [weight for _, weight in things])
        thing()

    # -- what may happen

    def send(self):
        specs = [self._spec() for _ in range(self.random.randint(1, 3))]
        self.roots += self.opened.write(create, self.queue_id, specs)

    def _spec(self):
        return JobSpec("t", lane=self.random.choice(LANES), priority=self.random.randint(0, 2))

    def claim(self, worker=None):
        worker = worker or self.random.choice(self.workers)
        want = Claim(self.random.randint(1, 4), LEASE, worker.holder, alone=worker.alone)
        for work in self.opened.write(run.claim, self.queue_id, want):
            worker.held[work.delivery.token] = work
            if work.delivery.paced:
                self._start(worker, work)

    def start(self):
        worker = self.random.choice(self.workers)
        waiting = [w for token, w in worker.held.items() if token not in worker.started]
        if waiting:
            self._start(worker, self.random.choice(waiting))

    def _start(self, worker, work):
        worker.started.add(work.delivery.token)
        now = self.opened.lease_now
        lane = self._lane_of(work)
        if lane is not None and lane.min_interval:
            last = self.last_start.get(lane.key, -(10**18))
            if now - last < lane.min_interval:
                self.violations.append(f"lane {lane.key}: started {now - last} µs after another")
            self.last_start[lane.key] = now
        if work.delivery.paced:
            self.opened.write(lanes.started, [(work.delivery.lane_id, now)])
        self.opened.write(run.started, [(work, self.opened.wall)])

    def _lane_of(self, work):
        rows = self.opened.sql("select key from lane where id = $1", work.delivery.lane_id)
        return next((x for x in LANES if x and rows and x.key == rows[0][0]), None)

    def end(self, worker=None, *, well=False):
        """Settle some of what a worker believes to hold, lost leases included."""
        worker = worker or self.random.choice(self.workers)
        tokens = list(worker.held)
        if not well:
            tokens = self.random.sample(tokens, min(len(tokens), self.random.randint(0, 3)))
        outcomes = [self._outcome(worker, worker.held[token], well) for token in tokens]
        if outcomes:
            stale = self._stale(tokens)
            before = self._state_of(stale)
            self.opened.write(run.settle_all, outcomes, MAX_RECEIVE, self.random)
            if self._state_of(stale) != before:
                self.violations.append(f"a stale lease changed something: {stale}")
        for token in tokens:
            del worker.held[token]
            worker.started.discard(token)

    def _stale(self, tokens):
        """The messages whose leases were lost, so that settling must leave them alone."""
        good = {
            (id_, lease_no)
            for token in tokens
            for id_, lease_no in self.opened.sql(
                "select id, lease_no from message where id = $1 and state = 2", token.id
            )
        }
        fresh = {token.id for token in tokens if token in good}
        return [token.id for token in tokens if token not in good and token.id not in fresh]

    def _state_of(self, ids):
        return [
            self.opened.sql(
                """
                select m.*, j.status, j.own_run, j.attempt, j.message_id from message m
                  join job j on j.id = m.job_id where m.id = $1
                """,
                id_,
            )
            for id_ in ids
        ]

    def _outcome(self, worker, work, well):
        wall = self.opened.wall
        if work.delivery.token not in worker.started and not well:
            return GivenBack(work, wall)
        kind = "completed" if well else self.random.choices(KINDS, (6, 3, 0.5, 1, 1))[0]
        if kind == "completed":
            grow = not well and self.random.random() < 0.3 and work.parent_id is None
            spawn = [self._spec() for _ in range(self.random.randint(1, 4))] if grow else []
            return Completed(work, wall, spawn=spawn, effects=[_effect])
        if kind == "deferred":
            return Deferred(work, wall, delay=self.random.randint(0, 3) * SECOND)
        if kind == "back":
            return GivenBack(work, wall, reason="so", alone=self.random.random() < 0.3)
        return Failed(work, wall, error="no", permanent=kind == "permanent")

    def renew(self):
        worker = self.random.choice(self.workers)
        good = self.opened.write(settle.extend, list(worker.held), LEASE)
        if self.random.random() < 0.7:  # else it does not notice what it has lost
            for token in set(worker.held) - good:
                del worker.held[token]
                worker.started.discard(token)

    def die(self):
        n = self.random.randrange(len(self.workers))
        self.dead.append(self.workers[n])
        self.workers[n] = self._worker(alone=self.workers[n].alone)

    def bury(self):
        """Another worker finds the dead: what they had started becomes suspect, uncharged."""
        while self.dead:
            self.opened.write(self._bury, self.dead.pop())

    def _bury(self, tx, dead):
        started, unstarted = split(held_by(tx, dead.holder), frozenset(t.id for t in dead.started))
        run.lose(tx, unstarted, "died", MAX_RECEIVE, charge=False, alone=False)
        run.lose(tx, started, "died", MAX_RECEIVE, charge=dead.alone, alone=True)

    def expire(self):
        self.opened.write(
            lambda tx: run.lose(
                tx, settle.expired(tx, self.queue_id), "late", MAX_RECEIVE, charge=True, alone=False
            )
        )

    def judge_alone(self):
        """Suspects have a worker of their own for a while."""
        if not any(worker.alone for worker in self.workers):
            self.workers.append(self._worker(alone=True))

    def stall(self):
        """One worker stops for longer than a lease; others take over, and then it goes on."""
        stalled = self.random.choice(self.workers)
        self.opened.clock.pass_time(LEASE / SECOND + 1)
        self.expire()
        for worker in self.workers:
            if worker is not stalled:
                self.claim(worker)
        self.end(stalled)

    def pass_time(self):
        self.opened.clock.pass_time(self.random.choice([0.01, 0.3, 1, 2, 5]))

    def step_wall(self):
        self.opened.clock.step_wall(self.random.choice([-3600, 3600]))

    def cancel(self):
        if self.roots:
            self.opened.write(steer.cancel, self.random.choice(self.roots))

    def restart(self):
        """The program of all workers ends in order; they come back with nothing."""
        self.opened.restart()

    # -- what must hold

    def check(self):
        assert self.violations == []
        over = self.opened.sql(
            """
            select l.key, l.max_running, count(*) from lane l join message m on m.lane_id = l.id
             where m.state = 2 and l.queue_id = $1 group by l.id having count(*) > l.max_running
            """,
            self.queue_id,
        )
        assert over == []
        assert self.opened.sql("select job_id from effect group by 1 having count(*) > 1") == []

    def finish(self):
        """Healthy workers do the rest; everything comes to an end."""
        for _ in range(200):
            self.bury()
            for worker in (self.workers[0], *(w for w in self.workers if w.alone)):
                self.claim(worker)
                self.end(worker, well=True)
            self.judge_alone()
            self.expire()
            self.opened.clock.pass_time(10)
            if not self.opened.sql("select 1 from job where status < 2 limit 1"):
                break
        self.check()
        open_ones = self.opened.sql("select id, status, message_id from job where status < 2")
        assert open_ones == [], open_ones
        unpaid = self.opened.sql(
            """
            select id from job where own_run = 1 and id not in (select job_id from effect)
             union all
            select job_id from effect join job on job.id = job_id where own_run <> 1
            """
        )
        assert unpaid == [], "a run ended well if and only if its effect is there"
        assert self.opened.sql("select 1 from job where status = $1", Status.RUNNING) == []


def _effect(tx, job):
    tx.execute("insert into effect values($1)", (job.id,))
