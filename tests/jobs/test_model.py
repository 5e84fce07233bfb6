"""Trees of jobs against their reference model, over long random lives with crashes and cancels."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import count
from random import Random
from typing import Any, NamedTuple

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from quaero.clock import SECOND
from quaero.errors import Conflict
from quaero.jobs import check, create, feed, read, reopen, run, steer, transition
from quaero.jobs.model import FailureAction, JobSpec, Need, Phase, Status
from quaero.jobs.places import lane_of_children
from quaero.jobs.run import Completed, Deferred, Failed, GivenBack, Outcome, Work
from quaero.queue import State, settle
from quaero.queue.claim import Claim
from quaero.queue.queue import newest, open_queue

from ..opening import ENGINES, Opened  # noqa: TID252
from .model import Job, JobsModel

LEASE = 300 * SECOND
MAX_RECEIVE = 2
MOST_JOBS = 25
STEPS = 30
SLICE = 3


class Child(NamedTuple):
    """A child to create: its phase, which of the same phase before it it needs, and so on."""

    phase: Phase
    needs: list[tuple[int, bool]]
    vital: bool
    tries: int
    placed: bool = False


def specs_of(children: Sequence[Child], parent_id: int, **more: Any) -> list[JobSpec]:
    """Specs of children that need only such as are of their own phase and before them.

    Of those of a parent that are `placed` one or two are under way at once.
    """
    made: list[JobSpec] = []
    for child in children:
        needs = tuple(
            Need(place, anyhow)
            for place, anyhow in child.needs
            if place < len(made) and made[place].phase is child.phase
        )
        placed = child.placed and child.phase is Phase.CORE and not needs
        lane = lane_of_children(parent_id, 1 + parent_id % 2) if placed else None
        made.append(
            JobSpec("t", phase=child.phase, needs=needs, vital=child.vital, tries=child.tries,
                    try_wait=10 * SECOND, lane=lane, **more)
        )  # fmt: skip
    return made


PHASES = st.sampled_from([Phase.CORE, Phase.CORE, Phase.PRE, Phase.POST])
CHILDREN = st.lists(
    st.builds(
        Child, PHASES, st.lists(st.tuples(st.integers(0, 2), st.booleans()), max_size=2),
        st.booleans(), st.sampled_from([0, 0, 0, 1, 2]), st.booleans(),
    ),
    max_size=3,
)  # fmt: skip
TOLERANCE = st.sampled_from(
    [
        (0, FailureAction.CONTINUE),
        (1, FailureAction.CONTINUE),
        (1, FailureAction.MARK_WARNING),
        (1, FailureAction.STOP_ALL),
        (2, FailureAction.STOP_ALL),
    ]
)
ENDS = st.sampled_from(
    [
        "well",
        "well",
        "well",
        "badly",
        "badly",
        "again",
        "later",
        "deferred",
        "back",
        "alone",
        "after pre",
    ]
)


class JobsMachine(RuleBasedStateMachine):
    engine = ENGINES[0]

    @initialize()
    def open(self) -> None:
        self.opened = Opened(self.engine)
        self.queue_id = self.opened.write(open_queue, "q")
        self.opened.write(lambda tx: tx.execute("create table effect(job_id, lease_no)"))
        self.model = JobsModel(LEASE, MAX_RECEIVE)
        self.works: list[Work] = []
        self.effects: list[tuple[int, int]] = []
        self.seen: dict[int, read.Summary] = {}
        self.seq = self.logged = 0

    def teardown(self) -> None:
        if hasattr(self, "opened"):
            self.opened.__exit__()

    @property
    def now(self) -> int:
        return self.opened.lease_now

    def job(self, data: st.DataObject) -> Job:
        return self.model.jobs[data.draw(st.sampled_from(list(self.model.jobs)), label="job")]

    def work(self, data: st.DataObject) -> Work:
        """A piece of work that was ever claimed, rather a young one; perhaps stale."""
        return data.draw(st.sampled_from(self.works[:-9:-1]), label="work")

    def do(self, fn: Any, *args: Any) -> Any:
        """Run a function, then go on in slices as the workers do, keeping everything true."""
        result = self.opened.write(fn, *args)
        for _ in range(100):
            assert self.opened.read(check.faults) == []
            if not self.opened.write(steer.cancel_more):
                return result
        raise AssertionError("a cancel that never ends")

    @contextmanager
    def same_refusal(self, expected: Any, *args: Any) -> Iterator[bool]:
        """Ask the model first; where it refuses, the block must raise `Conflict` as well."""
        try:
            expected(*args)
        except Conflict:
            with pytest.raises(Conflict):
                yield False
        else:
            yield True

    def new_ids(self) -> Iterator[int]:
        """The ids that the next jobs get."""
        ((last,),) = self.opened.sql("select last from sequence where name = 'job'")
        return count(last + 1)

    # -- creating

    @precondition(lambda self: len(self.model.jobs) < MOST_JOBS)
    @rule(tolerance=TOLERANCE, children=CHILDREN)
    def create_tree(self, tolerance: tuple[int, FailureAction], children: list[Child]) -> None:
        limit, action = tolerance
        spec = JobSpec("t", max_child_failures=limit, failure_action=action)

        def both(tx: Any) -> tuple[range, range, list[JobSpec]]:
            top = create.create(tx, self.queue_id, [spec])
            specs = specs_of(children, top[0])
            return top, create.create(tx, self.queue_id, specs, top[0]), specs

        top, below, specs = self.do(both)
        self.model.created(top, [spec], None)
        self.model.created(below, specs, self.model.jobs[top[0]])
        self.model.settle(self.now)

    @precondition(lambda self: 0 < len(self.model.jobs) < MOST_JOBS)
    @rule(data=st.data(), children=CHILDREN.filter(bool), tolerance=TOLERANCE)
    def create_children(
        self, data: st.DataObject, children: list[Child], tolerance: tuple[int, FailureAction]
    ) -> None:
        parent = self.job(data)
        limit, action = tolerance
        specs = specs_of(children, parent.id, max_child_failures=limit, failure_action=action)
        with self.same_refusal(self.model.refuse_children, parent):
            ids = self.do(create.create, self.queue_id, specs, parent.id)
            self.model.created(ids, specs, parent)
            self.model.settle(self.now)

    # -- running

    @rule(limit=st.integers(1, 5), alone=st.booleans())
    def claim(self, limit: int, alone: bool) -> None:
        works = self.do(run.claim, self.queue_id, Claim(limit, LEASE, alone=alone))
        self.model.claimed(works, limit, self.now, alone=alone)
        self.works += works

    @precondition(lambda self: self.works)
    @rule(data=st.data())
    def start(self, data: st.DataObject) -> None:
        works = data.draw(st.lists(st.sampled_from(self.works[:-9:-1]), max_size=4, unique=True))
        self.do(run.started, [(work, self.opened.wall) for work in works])
        self.model.started(works)

    @precondition(lambda self: self.works)
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        works = data.draw(
            st.lists(st.sampled_from(self.works[:-9:-1]), min_size=1, max_size=5, unique=True)
        )
        outcomes = [self.outcome(data, work) for work in works]
        ids = self.new_ids()
        self.effects += [
            (work.job_id, work.delivery.lease_no)
            for work, outcome in zip(works, outcomes, strict=True)
            if self.model.is_current(work) and isinstance(outcome, Completed | Deferred)
        ]
        self.do(run.settle_all, outcomes, MAX_RECEIVE, Random(1))
        self.model.settled(outcomes, self.now, ids)

    def outcome(self, data: st.DataObject, work: Work) -> Outcome:
        end, at = data.draw(ENDS, label="end"), self.opened.wall

        def effect(tx: Any, job: Any) -> None:
            tx.execute("insert into effect values($1, $2)", (job.id, work.delivery.lease_no))

        match end:
            case "well":
                spawn = []
                if len(self.model.jobs) < MOST_JOBS:
                    spawn = specs_of(data.draw(CHILDREN), work.job_id)
                return Completed(work, at, spawn=spawn, effects=[effect])
            case "badly":
                return Failed(work, at, error="no", permanent=True)
            case "again" | "later":
                return Failed(work, at, error="no", after=0 if end == "again" else 10 * SECOND)
            case "after pre":
                return Deferred(work, at, after_pre=True, effects=[effect])
            case "deferred":
                return Deferred(work, at, delay=data.draw(st.sampled_from([0, 10 * SECOND])),
                                effects=[effect])  # fmt: skip
        return GivenBack(
            work, at, reason=data.draw(st.sampled_from(["", "stop"])), alone=end == "alone"
        )

    @precondition(lambda self: self.works)
    @rule(data=st.data())
    def checkpoint(self, data: st.DataObject) -> None:
        work = self.work(data)
        saved = self.do(run.commit, work, [partial(run.keep_state, state='"half"')], ())
        assert saved == self.model.is_current(work)

    @rule(seconds=st.sampled_from([1, 11, 301]))
    def time_passes(self, seconds: int) -> None:
        self.opened.clock.pass_time(seconds)

    @rule()
    def sweep(self) -> None:
        def fn(tx: Any) -> None:
            late = settle.expired(tx, self.queue_id)
            run.lose(tx, late, "its lease ran out", MAX_RECEIVE, charge=True, alone=False)

        self.do(fn)
        self.model.lost(self.model.overdue(self.now), self.now, charge=True, alone=False)

    @precondition(lambda self: self.works)
    @rule(data=st.data(), charge=st.booleans(), alone=st.booleans(), restart=st.booleans())
    def worker_dies(self, data: st.DataObject, charge: bool, alone: bool, restart: bool) -> None:
        works = data.draw(st.lists(st.sampled_from(self.works), max_size=4, unique=True))
        if restart:
            self.opened.restart()

        def fn(tx: Any) -> None:
            held = list(settle.held(tx, [work.delivery.token for work in works]).values())
            run.lose(tx, held, "its worker died", MAX_RECEIVE, charge=charge, alone=alone)

        current = [self.model.jobs[w.job_id] for w in works if self.model.is_current(w)]
        self.do(fn)
        self.model.lost(current, self.now, charge=charge, alone=alone)

    # -- steering

    @precondition(lambda self: self.model.jobs)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        job = self.job(data)
        assert self.do(steer.cancel, job.id) == job.status
        self.model.cancelled(job, self.now)

    @precondition(lambda self: self.model.jobs)
    @rule(data=st.data())
    def cancel_while_working(self, data: st.DataObject) -> None:
        """Between the slices of a large cancel nothing of the tree starts or commits."""
        job = self.job(data)
        tree = {job.id, *(each.id for each in job.below())} if job.status.open else set()
        self.opened.write(steer.cancel, job.id)
        self.model.cancelled(job, self.now)
        works = self.opened.write(run.claim, self.queue_id, Claim(2, LEASE))
        assert not tree & {work.job_id for work in works}
        self.opened.write(run.settle_all, [GivenBack(w, 0) for w in works], MAX_RECEIVE, Random(1))
        mine = [work for work in self.works if work.job_id in tree]
        self.opened.write(
            run.settle_all, [Completed(w, 0, result="1") for w in mine], MAX_RECEIVE, Random(1)
        )
        assert not any(self.opened.write(run.commit, work, (), ()) for work in mine)
        self.do(lambda tx: None)
        self.note_silent_claims(works)

    def note_silent_claims(self, works: list[Work]) -> None:
        """Claims that were given back at once still used up lease numbers."""
        for work in works:
            job = self.model.jobs[work.job_id]
            if job.message is None:  # the end of what was cancelled has ended this one too
                assert not job.status.open
                continue
            job.message.id, job.message.lease_no = work.delivery.token
            job.message.state = State.READY
            if job.status is Status.RUNNING and not job.children:
                job.status = Status.PENDING

    @precondition(lambda self: self.model.jobs)
    @rule(data=st.data())
    def fail(self, data: st.DataObject) -> None:
        job = self.job(data)
        with self.same_refusal(self.model.failed_by_hand, job, self.now):
            self.do(steer.fail, job.id, "stuck")

    @precondition(lambda self: self.model.jobs)
    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        job = self.job(data)
        ids = self.opened.read(reopen.retryable, job.id)
        jobs = self.model.retryable(job)
        assert sorted(ids) == sorted(each.id for each in jobs)
        with self.same_refusal(self.model.reopened, jobs, self.now):
            self.do(reopen.reopen, ids)

    @rule(data=st.data())
    def requeue(self, data: st.DataObject) -> None:
        dead = {
            job.message.id: job
            for job in self.model.jobs.values()
            if job.message is not None and job.message.state is State.DEAD
        }
        if dead:
            ids = data.draw(st.lists(st.sampled_from(sorted(dead)), min_size=1, unique=True))
            with self.same_refusal(self.model.reopened, [dead[id_] for id_ in ids], self.now):
                self.do(steer.requeue, ids)

    @precondition(lambda self: 0 < len(self.model.jobs) < MOST_JOBS)
    @rule(data=st.data())
    def rerun(self, data: st.DataObject) -> None:
        job = self.job(data)
        with self.same_refusal(self.model.rerun, job):
            new = self.do(steer.rerun, job.id)
            self.model.created([new], [self.model.spec_of(job)], job.parent)
            self.model.settle(self.now)

    @precondition(lambda self: 0 < len(self.model.jobs) < MOST_JOBS)
    @rule(data=st.data())
    def copy(self, data: st.DataObject) -> None:
        job = self.job(data)
        new = self.do(steer.copy, job.id)
        spec = self.model.spec_of(job)
        spec = replace(spec, lane=None) if job.wants_place else spec
        self.model.created([new], [spec], None)
        self.model.jobs[new].held = True

    @precondition(lambda self: any(job.held for job in self.model.jobs.values()))
    @rule(data=st.data())
    def start_by_hand(self, data: st.DataObject) -> None:
        job = self.job(data)
        with self.same_refusal(self.model.let_go, job, self.now):
            self.do(steer.start, job.id)

    @precondition(lambda self: self.model.jobs)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        job = self.job(data)
        size = 1 + sum(1 for _ in job.below())
        with self.same_refusal(self.model.deleted, job, self.now):
            assert self.do(steer.delete, job.id) == size
            assert self.do(steer.delete, job.id) == 0

    @precondition(lambda self: len(self.model.jobs) > 5)
    @rule()
    def purge(self) -> None:
        with pytest.MonkeyPatch.context() as patch:  # in slices it only matters who comes first
            patch.setattr(transition, "STOP_AT_ONCE", 1_000)
            while removed := self.do(steer.purge, self.queue_id, self.opened.read(newest)):
                assert removed == self.model.purged(self.now)
        assert self.model.purged(self.now) == 0

    # -- after each step

    @invariant()
    def everything_agrees(self) -> None:
        if not hasattr(self, "opened"):
            return
        summaries, events, logged, effects = self.opened.read(self.look)
        assert set(summaries) == set(self.model.jobs)
        for id_, shown in summaries.items():
            job, counts = self.model.jobs[id_], self.model.jobs[id_].counts()
            assert (shown.status, shown.round, shown.warnings, shown.held) == (
                job.status, job.round, job.warnings, job.held,
            ), id_  # fmt: skip
            assert [counts[status] for status in Status] == [
                shown.counts.pending, shown.counts.running, shown.counts.completed,
                shown.counts.failed, shown.counts.cancelled,
            ], id_  # fmt: skip
            assert (shown.completed_at is None) == shown.status.open
        assert effects == sorted(self.effects), "effects commit with the run, once"
        changed = {
            id_ for id_ in {*summaries, *self.seen} if summaries.get(id_) != self.seen.get(id_)
        }
        told = {id_ for event in events for id_ in event.ids}
        assert changed <= told, "the feed names whatever changed"
        turned = {
            id_
            for id_ in changed & set(summaries)
            if id_ not in self.seen or summaries[id_].status != self.seen[id_].status
        }
        assert turned <= {job_id for _, job_id in logged}, "each change of status is logged"
        self.seen = summaries
        self.seq = events[-1].seq if events else self.seq
        self.logged = logged[-1][0] if logged else self.logged

    def look(self, tx: Any) -> Any:
        ids = [id_ for (id_,) in tx.execute("select id from job")]
        events = feed.since(tx, self.seq)
        assert events is not None
        assert [each.seq for each in events] == list(range(self.seq + 1, feed.last(tx) + 1))
        return (
            {each.id: each for each in read.summaries(tx, ids)},
            events,
            tx.execute("select id, job_id from job_log where id > $1 order by id", (self.logged,)),
            tx.execute("select job_id, lease_no from effect order by 1, 2"),
        )


@pytest.mark.parametrize("engine", ENGINES)
def test_trees_of_jobs_behave_as_their_model(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Machine(JobsMachine):
        pass

    Machine.engine = engine
    monkeypatch.setattr(transition, "STOP_AT_ONCE", SLICE)
    monkeypatch.setattr(steer, "STOP_AT_ONCE", SLICE)
    run_state_machine_as_test(Machine, settings=settings(stateful_step_count=STEPS))
