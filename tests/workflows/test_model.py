"""Runs of random workflows against the reference, with failures, crashes, cancels and resumes.

Everything is chosen by a seed: what fails, at which call of the database a process dies, whose
lease runs out, where the clocks jump to. After each event all jobs are what the reference says; a
claim gives out exactly what may run. A seed that failed is kept in `REMEMBERED`.
"""

import json
from collections.abc import Callable, Coroutine, Iterator
from itertools import count
from random import Random
from typing import Any

import pytest
from pydantic import BaseModel

from quaero.clock import SECOND
from quaero.errors import Conflict, Permanent, StaleLease
from quaero.jobs import actions, check, create, deadlines, reopen, run, steer
from quaero.jobs.model import JobSpec, OwnRun, Phase, Stopping
from quaero.jobs.run import Completed, Failed, GivenBack, Outcome, Work
from quaero.queue import settle
from quaero.queue.claim import Claim
from quaero.queue.message import Lane
from quaero.queue.queue import open_queue
from quaero.work.context import JobContext, JobLog
from quaero.work.pool import _save
from quaero.work.registry import JobType, Registry
from quaero.workflows import executors
from quaero.workflows.checking import problems
from quaero.workflows.executors import Workflow, WorkflowExecutors, WorkflowStep, _reopen

from ..jobs.model import Job, JobsModel  # noqa: TID252
from ..opening import Opened  # noqa: TID252
from ..soak import EXAMPLES  # noqa: TID252
from .reference import Run, Step, some_steps

LEASE = 300 * SECOND
MAX_RECEIVE = 3
AT_ONCE = 2
EVENTS = 70
PARTS = 6
LIVES = 100
REMEMBERED: tuple[int, ...] = (4168,)  # retried in portions, the child before its parent


class Act(BaseModel):
    """What the one action of these workflows is given."""

    step: str
    index: int | None = None
    item: Any = None
    seen: dict[str, list[Any]] = {}


class Crash(BaseException):
    """The process is gone."""


class Steady(Random):
    """Chance without chance: a back-off is as long as it is on average."""

    def uniform(self, a: float, b: float) -> float:
        return (a + b) / 2


class Fragile:
    """The database as one executor sees it; its process dies before or after the n-th call."""

    def __init__(self, opened: Opened, calls: float) -> None:
        self._opened = opened
        self._calls = calls

    def tick(self) -> None:
        self._calls -= 1
        if self._calls < 0:
            raise Crash

    async def read(self, fn: Any, *args: Any) -> Any:
        self.tick()
        return self._opened.read(fn, *args)

    async def write(self, fn: Any, *args: Any) -> Any:
        self.tick()
        return self._opened.write(fn, *args)


def drive(work: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine that never waits."""
    try:
        work.send(None)
    except StopIteration as ended:
        return ended.value
    raise AssertionError("it waits for something")


class Life:
    """One run of one workflow, as a seed has it."""

    def __init__(self, opened: Opened, seed: int) -> None:
        self.opened = opened
        self.random = Random(seed)
        self.queue_id = opened.write(open_queue, "q")
        self.registry = Registry([JobType("act", Act)])
        for job_type in WorkflowExecutors(Fragile(opened, 0), self.registry, None).job_types():
            self.registry.add(job_type)
        self.model = JobsModel(LEASE, MAX_RECEIVE)
        self.works: list[Work] = []
        self.ready: dict[Any, tuple[Outcome, Outcome]] = {}
        self.deadlines: dict[int, tuple[int, int]] = {}
        self._begin(some_steps(self.random))

    def _begin(self, steps: list[Step]) -> None:
        definition: dict[str, Any] = {"id": "flow", "parameters": {
            "n": {"type": "integer", "default": 3}, "items": {"type": "list"},
        }}  # fmt: skip
        for step in steps:
            definition.setdefault(step.group, []).append(step.written)
        if self.random.random() < 0.2:
            definition["timeout"] = self.random.choice([60, 3_000])
        wanted = Workflow.model_validate(
            {"definition": definition, "parameters": {"items": ["p", "q", "r"]}}
        )
        assert problems(wanted.definition, {"act": Act}) == []
        self.timeout = definition.get("timeout")
        spec = JobSpec("workflow", wanted.model_dump_json(exclude_defaults=True), name="flow")
        ids = self.opened.write(create.create, self.queue_id, [spec])
        self.model.created(ids, [spec], None)
        self.model.settle(self.now)
        self.run = Run(steps, self.model.jobs[ids[0]])

    @property
    def now(self) -> int:
        return self.opened.lease_now

    def live(self, events: int) -> None:
        """Events by chance, and resumes of a run that ended; then whatever is left."""
        things: list[tuple[Callable[[], Any], float]] = [
            (self.claim, 9), (self.start, 6), (self.execute, 9), (self.settle, 9), (self.late, 1),
            (self.die, 1), (self.pass_time, 5), (self.sweep, 1.5), (self.step_wall, 0.5),
            (self.cancel, 0.4), (self.restart, 0.3), (self.expire, 1),
        ]  # fmt: skip
        what, weights = [each for each, _ in things], [weight for _, weight in things]
        for _ in range(events):
            if not self.run.job.status.open and (self.random.random() < 0.3 or not self.resume()):
                break
            self.random.choices(what, weights)[0]()
            self.compare()
        for _ in range(400):
            if not self.run.job.status.open:
                break
            self.claim(limit=50)
            self.execute(calmly=True)
            self.settle(most=50)
            self.opened.clock.pass_time(5)
            self.sweep()
            self.compare()
        self.finish()

    # -- what workers do

    def claim(self, limit: int | None = None) -> None:
        for alone in (False, True):
            most = limit or self.random.randint(1, 4)
            works = self.opened.write(run.claim, self.queue_id, Claim(most, LEASE, alone=alone))
            self.model.claimed(works, most, self.now, alone=alone)
            self.works += works

    def current(self) -> list[Work]:
        return [work for work in self.works if self.model.is_current(work)]

    def start(self) -> None:
        works = self.current()
        works = self.random.sample(works, self.random.randint(0, len(works)))
        self.opened.write(run.started, [(work, self.opened.wall) for work in works])
        self.model.started(works)

    def execute(self, *, calmly: bool = False) -> None:
        """Run what was claimed, up to the point where it could be settled."""
        works = [w for w in self.current() if w.delivery.token not in self.ready]
        for work in works if calmly else self.random.sample(works, min(len(works), 2)):
            self.execute_one(work, calmly=calmly)

    def late(self) -> None:
        """A worker that lost its lease long ago goes on as if nothing had happened."""
        stale = [work for work in self.works if not self.model.is_current(work)]
        if stale:
            work = self.random.choice(stale)
            self.ready.pop(work.delivery.token, None)
            self.execute_one(work)
            self.settle_these([work])

    def execute_one(self, work: Work, *, calmly: bool = True) -> None:
        if work.type == "act":
            self.ready[work.delivery.token] = (outcome := self._act(work, calmly=calmly), outcome)
            return
        calls = 1_000 if calmly or self.random.random() < 0.7 else self.random.randint(0, 5)
        db = Fragile(self.opened, calls)
        context = JobContext(
            work, JobLog(work, self.opened.clock, lambda _: None), self._saver(work, db)
        )
        flows = WorkflowExecutors(db, self.registry, None)
        before = self._expected(work)
        try:
            if work.type == "workflow":
                done = drive(flows.begin(context, Workflow.model_validate_json(work.payload)))
            else:
                done = drive(flows.step(context, WorkflowStep.model_validate_json(work.payload)))
        except Crash:
            self.lose([work], charge=False)
            return
        except StaleLease:
            assert not self.model.is_current(work)
            return
        except Permanent as error:
            raise AssertionError(f"{work.name} does not work: {error}") from error
        ours = Completed(
            work, self.opened.wall, result=json.dumps(done.value), spawn=context.spawned,
            effects=list(done.effects),
        )  # fmt: skip
        if self.model.is_current(work):
            self._judge(work, ours, before)
        self.ready[work.delivery.token] = (ours, before)

    def _act(self, work: Work, *, calmly: bool) -> Outcome:
        ways = ["well", "well", "well", "badly", "again", "back"]
        match self.random.choice(ways[:4] if calmly else ways):
            case "badly":
                return Failed(work, self.opened.wall, error="no", permanent=True)
            case "again":
                wait = SECOND * 2 ** (work.delivery.receives - 1)
                return Failed(work, self.opened.wall, error="not now", after=wait)
            case "back":
                return GivenBack(work, self.opened.wall, reason="so")
        result = {"of": work.name, "n": self.random.randrange(100)}

        def effect(tx: Any, job: Any) -> None:
            tx.execute("insert into effect values($1, $2)", (job.id, json.dumps(result)))

        return Completed(work, self.opened.wall, result=json.dumps(result), effects=[effect])

    def settle(self, most: int = 3) -> None:
        works = [work for work in self.current() if work.delivery.token in self.ready]
        self.settle_these(works if most > len(works) else self.random.sample(works, most))

    def settle_these(self, works: list[Work]) -> None:
        """Settle what was run; what a run and a step make gets its ids one by one."""
        works = [work for work in works if work.delivery.token in self.ready]
        for group in (
            [w for w in works if w.type == "act"],
            *([w] for w in works if w.type != "act"),
        ):
            pairs = [self.ready.pop(work.delivery.token) for work in group]
            current = [work for work in group if self.model.is_current(work)]
            ids = self.new_ids()
            self.opened.write(run.settle_all, [ours for ours, _ in pairs], MAX_RECEIVE, Steady())
            if group and group[0].type == "workflow" and current:
                ids = self._ids_of_steps(pairs[0][1])
            self.model.settled([theirs for _, theirs in pairs], self.now, ids)
            for work in current:
                self._settled(work, next(theirs for _, theirs in pairs if theirs.work is work))

    def _ids_of_steps(self, outcome: Outcome) -> Iterator[int]:
        assert isinstance(outcome, Completed)
        sql = "select name, id from job where parent_id = $1 and parent_id is not null"
        by_name = dict(self.opened.sql(sql, self.run.job.id))
        return iter([by_name[spec.name] for spec in outcome.spawn])

    def _settled(self, work: Work, outcome: Outcome) -> None:
        if not isinstance(outcome, Completed):
            return
        job = self.model.jobs[work.job_id]
        step = self.run.step_of(job)
        timeout = None
        if work.type == "act":
            self.run.results[work.job_id] = json.loads(outcome.result or "null")
        elif step is None:
            timeout = self.timeout
            self.run.jobs = {each.spec.name: each for each in job.children}
        else:
            timeout = step.written.get("timeout")
            skipped = outcome.result == '"skipped"'
            (self.run.skipped.add if skipped else self.run.skipped.discard)(step.name)
        if timeout is not None:
            self.deadlines[job.id] = (self.opened.lease_now + timeout * SECOND, job.round)

    # -- what a run and a step must do

    def _expected(self, work: Work) -> Completed:
        """What the reference makes of a run of `work` that begins now."""
        job = self.model.jobs[work.job_id]
        step = self.run.step_of(job)
        if step is None:
            return Completed(work, 0, spawn=self.run.specs())
        if not step.holds(self.run.outcome):
            return Completed(work, 0, result='"skipped"')
        if step.items is not None or job.children:
            return Completed(work, 0)
        return Completed(work, 0, spawn=[self._job_of(step, self.run.payloads(step)[0])])

    def _job_of(self, step: Step, payload: dict[str, Any]) -> JobSpec:
        index = payload["index"]
        name = step.name if index is None else f"{step.name} {index + 1}"
        most = step.written.get("max_parallel")
        lane = None if most is None else Lane(f"step {self.run.jobs[step.name].id}", most)
        return JobSpec("act", json.dumps(payload, sort_keys=True), name=name, lane=lane)

    def _judge(self, work: Work, ours: Completed, theirs: Completed) -> None:
        step = self.run.step_of(self.model.jobs[work.job_id])
        if step is None:
            assert {spec.name for spec in ours.spawn} == {spec.name for spec in theirs.spawn}
            return
        assert [self._plain(spec) for spec in ours.spawn] == theirs.spawn
        skipped = theirs.result == '"skipped"'
        assert (json.loads(ours.result or "")["outcome"] == "skipped") == skipped
        if step.items is not None and not skipped:
            made = len(self.model.jobs[work.job_id].children)
            assert made >= len(self.run.payloads(step)), "all items have their jobs"

    def _plain(self, spec: JobSpec) -> JobSpec:
        payload = json.dumps(json.loads(spec.payload), sort_keys=True)
        return JobSpec(spec.type, payload, name=spec.name, lane=spec.lane)

    def _saver(self, work: Work, db: Fragile) -> Any:
        async def save(effects: Any, specs: Any, _: Any) -> None:
            db.tick()
            current, ids = self.model.is_current(work), self.new_ids()
            assert self.opened.write(_save, work, effects, specs, ()) == current
            if not current:
                raise StaleLease("lost")
            job = self.model.jobs[work.job_id]
            for effect in (each for each in effects if each.func is _reopen):
                failed = {each for child in job.children for each in self.model.retryable(child)}
                again = [self.model.jobs[id_] for id_ in effect.args[0]]
                assert failed.issuperset(again)
                self.model.reopened(again, self.now)
            if specs:
                self._saved(job, specs, ids)
            db.tick()

        return save

    def _saved(self, job: Job, specs: list[JobSpec], ids: Iterator[int]) -> None:
        step = self.run.step_of(job)
        assert step is not None
        made = len(job.children)
        portion = self.run.payloads(step)[made : made + AT_ONCE]
        expected = [self._job_of(step, payload) for payload in portion]
        assert [self._plain(spec) for spec in specs] == expected
        self.model.created([next(ids) for _ in expected], expected, job)
        self.model.settle(self.now)

    def new_ids(self) -> Iterator[int]:
        ((last,),) = self.opened.sql("select last from sequence where name = 'job'")
        return count(last + 1)

    # -- what befalls them

    def die(self) -> None:
        """A worker is killed with some of what it holds; perhaps it had them alone."""
        works = self.current()
        self.lose(self.random.sample(works, min(len(works), 2)), charge=self.random.random() < 0.3)

    def lose(self, works: list[Work], *, charge: bool) -> None:
        def fn(tx: Any) -> None:
            held = list(settle.held(tx, [work.delivery.token for work in works]).values())
            run.lose(tx, held, "its worker died", MAX_RECEIVE, charge=charge, alone=True)

        jobs = [self.model.jobs[work.job_id] for work in works if self.model.is_current(work)]
        self.opened.write(fn)
        self.model.lost(jobs, self.now, charge=charge, alone=True)

    def pass_time(self) -> None:
        self.opened.clock.pass_time(self.random.choice([0.5, 1, 2, 5, 20, 20, 301]))

    def step_wall(self) -> None:
        self.opened.clock.step_wall(self.random.choice([-3_600, 3_600]))

    def sweep(self) -> None:
        def fn(tx: Any) -> None:
            late = settle.expired(tx, self.queue_id)
            run.lose(tx, late, "its lease ran out", MAX_RECEIVE, charge=True, alone=False)

        self.opened.write(fn)
        self.model.lost(self.model.overdue(self.now), self.now, charge=True, alone=False)

    def expire(self) -> None:
        """What is under way longer than its time fails, with what is below it."""
        now = self.opened.lease_now
        due = [
            self.model.jobs[id_]
            for id_, (at, round_) in self.deadlines.items()
            if at <= now and self.model.jobs[id_].round == round_
        ]
        self.opened.write(deadlines.expire)
        for job in sorted(due, key=lambda job: job.depth):
            if job.status.open:
                self.model.expired(job, self.now)

    def restart(self) -> None:
        self.opened.restart()

    def cancel(self) -> None:
        jobs = [job for job in self.model.jobs.values() if job.status.open]
        if jobs:
            job = self.random.choice(jobs)
            self.opened.write(steer.cancel, job.id)
            self.model.cancelled(job, self.now)

    def resume(self) -> bool:
        """Retry what failed of a run that ended; False where nothing of it can go on."""
        root = self.run.job
        if any(pre.why is Stopping.CANCELLED for pre in root.of_phase(Phase.PRE)):
            return False  # it would fail again at once
        jobs = self.model.retryable(root)
        assert set(self.opened.read(reopen.retryable, root.id)) == {job.id for job in jobs}
        ended = {job.id: job.round for job in self.model.jobs.values()}
        try:
            self.model.reopened(jobs, self.now)
            in_vain = bool(jobs) and all(job.round == ended[job.id] for job in jobs)
        except Conflict:
            in_vain = True
        if in_vain:
            with pytest.raises(Conflict):
                drive(actions.retry(Fragile(self.opened, 1_000), root.id))
            return False
        drive(actions.retry(Fragile(self.opened, 1_000), root.id))
        self._count_time_anew(ended)
        self.compare()
        return root.status.open

    def _count_time_anew(self, rounds: dict[int, int]) -> None:
        """What goes on without beginning anew has its whole time again."""
        for id_, (_, round_) in self.deadlines.items():
            job = self.model.jobs[id_]
            if job.round > round_ == rounds[id_] and job.own is OwnRun.WELL:
                step = self.run.step_of(job)
                timeout = self.timeout if step is None else step.written["timeout"]
                self.deadlines[id_] = (self.opened.lease_now + timeout * SECOND, job.round)

    # -- what must hold

    def compare(self) -> None:
        rows = self.opened.sql(
            "select id, status, round, warnings from job where root_id = $1 order by id",
            self.run.job.id,
        )
        jobs = sorted(self.model.jobs.values(), key=lambda job: job.id)
        expected = [(job.id, job.status, job.round, job.warnings) for job in jobs]
        assert rows == expected

    def finish(self) -> None:
        assert not self.run.job.status.open, "the run comes to its end"
        assert not any(job.status.open for job in self.model.jobs.values())
        effects = self.opened.sql(
            "select job_id, what from effect join job on job.id = job_id where root_id = $1",
            self.run.job.id,
        )
        assert sorted((id_, json.loads(what)["n"]) for id_, what in effects) == sorted(
            (id_, result["n"]) for id_, result in self.run.results.items()
        ), "an action has its effect once, if and only if it ended well"
        assert self.opened.read(check.faults) == []


@pytest.mark.parametrize("part", range(PARTS))
def test_runs_of_workflows_are_what_the_reference_says(
    part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executors, "AT_ONCE", AT_ONCE)
    monkeypatch.setattr(steer, "SLICE", 2)
    monkeypatch.setattr(executors, "SLICE", 2)
    many = EXAMPLES // PARTS
    seeds = [*REMEMBERED[part::PARTS], *range(part * many, (part + 1) * many)]
    for start in range(0, len(seeds), LIVES):  # each life ends with a look at the whole database
        with Opened() as opened:
            opened.write(lambda tx: tx.execute("create table effect(job_id integer, what)"))
            for seed in seeds[start : start + LIVES]:
                try:
                    Life(opened, seed).live(EVENTS)
                except BaseException as error:
                    error.add_note(f"in the life of seed {seed}")
                    raise
