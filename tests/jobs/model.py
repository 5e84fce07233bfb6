"""Trees of jobs as SPEC section 4 tells them: the reference that the real ones are held to.

Counts are counted when asked for and waiting children are found by looking. Every change ends with
`settle`, which does what the new state calls for until nothing more follows.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from quaero.errors import Conflict
from quaero.jobs.model import FailureAction, JobSpec, Need, OwnRun, Phase, Status, Stopping
from quaero.jobs.run import Completed, Deferred, Failed, GivenBack, Outcome, Work
from quaero.queue import State


@dataclass
class Message:
    """The message of a job; its id is learnt when it is first delivered."""

    state: State = State.READY
    due: int = 0
    id: int | None = None
    lease_no: int = 0
    receives: int = 0
    lease_until: int = 0


@dataclass(eq=False, repr=False)
class Job:
    """A job; `own` is how its own run ended, `why` it was ended early."""

    id: int
    spec: JobSpec
    parent: "Job | None"
    held: bool
    tries: int = 0
    wait: int = 0
    for_pre: bool = False
    placed: bool = False
    needs: "list[tuple[Job, bool]]" = field(default_factory=list)
    status: Status = Status.PENDING
    own: OwnRun = OwnRun.OPEN
    why: Stopping = Stopping.NO
    round: int = 1
    warnings: int = 0
    failures_seen: int = 0
    message: Message | None = None
    children: "list[Job]" = field(default_factory=list)

    def __repr__(self) -> str:
        return f"job {self.id}"

    @property
    def depth(self) -> int:
        return 0 if self.parent is None else self.parent.depth + 1

    def ancestors(self) -> "Iterator[Job]":
        if self.parent is not None:
            yield self.parent
            yield from self.parent.ancestors()

    def below(self) -> "Iterator[Job]":
        for child in self.children:
            yield child
            yield from child.below()

    def counts(self) -> Counter[Status]:
        return Counter(job.status for job in self.below())

    def of_phase(self, phase: Phase) -> "list[Job]":
        return [child for child in self.children if child.spec.phase is phase]

    @property
    def wants_place(self) -> bool:
        """Whether its parent begins only so many at once."""
        lane, parent = self.spec.lane, self.parent
        return parent is not None and lane is not None and lane.key == f"step {parent.id}"

    @property
    def seeks_place(self) -> bool:
        return self.wants_place and not self.placed

    @property
    def pre_ended_badly(self) -> bool:
        return any(
            pre.status in (Status.FAILED, Status.CANCELLED) for pre in self.of_phase(Phase.PRE)
        )

    @property
    def core_ended(self) -> bool:
        before_post = self.of_phase(Phase.PRE) + self.of_phase(Phase.CORE)
        return self.own is not OwnRun.OPEN and not any(job.status.open for job in before_post)

    @property
    def never_can(self) -> bool:
        """Whether something that has to end well before the job ended otherwise."""
        return any(
            not anyhow and not needed.status.open and needed.status is not Status.COMPLETED
            for needed, anyhow in self.needs
        )

    @property
    def may_run(self) -> bool:
        """Whether the phase of the job has begun, and what it needs has ended."""
        if self.for_pre:  # it has begun, whatever its phase and what it needed are now
            return not any(job.status.open for job in self.of_phase(Phase.PRE))
        if any(needed.status.open for needed, _ in self.needs) or self.never_can:
            return False
        if self.parent is None or self.spec.phase is Phase.PRE:
            return True
        if self.spec.phase is Phase.CORE:
            pre = self.parent.of_phase(Phase.PRE)
            return all(job.status is Status.COMPLETED for job in pre)
        return self.parent.core_ended


class JobsModel:
    """All jobs of one database. `now` is the lease clock."""

    def __init__(self, lease: int, max_receive: int) -> None:
        self.lease = lease
        self.max_receive = max_receive
        self.jobs: dict[int, Job] = {}

    # -- creating

    def refuse_children(self, parent: Job) -> None:
        if not parent.status.open:
            raise Conflict("refused")

    def created(self, ids: Sequence[int], specs: Sequence[JobSpec], parent: Job | None) -> None:
        for id_, spec in zip(ids, specs, strict=True):
            job = self.jobs[id_] = Job(id_, spec, parent, spec.held, spec.tries, spec.try_wait)
            for place in {need.place for need in spec.needs}:
                anyhow = Need(place, any_end=False) not in spec.needs
                job.needs.append((self.jobs[ids[place]], anyhow))
            if parent is not None:
                parent.children.append(job)

    # -- what follows

    def settle(self, now: int) -> None:
        again = True
        while again:
            by_depth = sorted(self.jobs.values(), key=lambda job: -job.depth)
            again = any(self._look(job, now) for job in by_depth if job.status.open)

    def _look(self, job: Job, now: int) -> bool:
        """Do the first thing that is due for an open job; True where there was one."""
        failed = job.counts()[Status.FAILED]
        more, job.failures_seen = failed > job.failures_seen, failed
        if more and 0 < job.spec.max_child_failures < failed:
            if job.spec.failure_action is FailureAction.STOP_ALL:
                self.stop(job, Stopping.FAILING, now)
                return True
            if job.spec.failure_action is FailureAction.MARK_WARNING:
                job.warnings = failed
        if job.own is OwnRun.OPEN and job.message is None and job.never_can:
            self.stop(job, Stopping.WITH_ANCESTOR, now)
            return True
        if job.own is OwnRun.FAILED or job.pre_ended_badly:
            self.stop(job, Stopping.FAILING, now)
            return True
        if self._give_place(job):
            return True
        blocked = any(each.seeks_place for each in (job, *job.ancestors()))
        idle = job.own is OwnRun.OPEN and job.message is None and not job.held
        if idle and job.may_run and not blocked:
            job.message, job.for_pre = Message(due=now), False
            return True
        if job.own is not OwnRun.OPEN and not any(each.status.open for each in job.below()):
            self._end(job, now)
            return True
        return False

    def _give_place(self, job: Job) -> bool:
        """Let the next child begin that needs a place, where there is one; True where it was so."""
        if any(pre.status.open for pre in job.of_phase(Phase.PRE)):
            return False
        core = [child for child in job.of_phase(Phase.CORE) if child.status.open]
        seeking = [child for child in core if child.seeks_place]
        lane = seeking[0].spec.lane if seeking else None
        if lane is None or len(core) - len(seeking) >= lane.max_running:
            return False
        child = seeking[0]
        child.placed = True
        pre = [each for each in child.of_phase(Phase.PRE) if each.status.open]
        child.for_pre = child.own is OwnRun.OPEN and bool(pre)
        return True

    def _end(self, job: Job, now: int) -> None:
        core = job.of_phase(Phase.CORE)
        vital = [child for child in job.children if child.spec.vital]
        all_failed = core and all(child.status is Status.FAILED for child in core)
        if all_failed or any(child.status is not Status.COMPLETED for child in vital):
            self._fail(job, now)
        else:
            job.status = Status.COMPLETED
            job.warnings = job.counts()[Status.FAILED]

    def _fail(self, job: Job, now: int) -> None:
        """A job that has tries left is run again as a whole, each time after twice as long.

        Not where what had to go before it did not end well: that is not repeated.
        """
        if not job.tries or job.pre_ended_badly:
            job.status = Status.FAILED
            return
        state = State.DELAYED if job.wait else State.READY
        job.message = Message(state, now + job.wait)
        job.tries, job.wait = job.tries - 1, job.wait * 2
        job.round += 1
        job.own, job.why, job.warnings, job.for_pre = OwnRun.OPEN, Stopping.NO, 0, False
        job.status = Status.RUNNING if job.children else Status.PENDING

    def stop(self, job: Job, why: Stopping, now: int) -> None:
        for each in job.below():
            if each.status.open:
                self._stop_one(each, Stopping.WITH_ANCESTOR)
        self._stop_one(job, why)
        if why is Stopping.FAILING:
            self._fail(job, now)

    def _stop_one(self, job: Job, why: Stopping) -> None:
        job.why = why
        job.status = Status.CANCELLED
        if job.own is OwnRun.OPEN:
            job.own, job.message = OwnRun.STOPPED, None

    # -- running

    def is_current(self, work: Work) -> bool:
        job = self.jobs.get(work.job_id)
        return (
            job is not None
            and job.message is not None
            and job.message.state is State.LEASED
            and (job.message.id, job.message.lease_no) == work.delivery.token
        )

    def claimed(self, works: Sequence[Work], limit: int, now: int, *, alone: bool) -> None:
        """Judge what a claim delivered."""
        wanted = State.SUSPECT if alone else State.READY
        possible = {}
        for job in self.jobs.values():
            message = job.message
            if message is None:
                continue
            if message.state is State.DELAYED and message.due <= now and not alone:
                message.state = State.READY
            if message.state is wanted:
                possible[job.id] = message
        assert len(works) == min(limit, len(possible))
        assert len({work.job_id for work in works}) == len(works)
        for work in works:
            message = possible[work.job_id]
            assert message.id in (None, work.delivery.id), "one message a job"
            message.id = work.delivery.id
            message.state, message.lease_until = State.LEASED, now + self.lease
            message.lease_no += 1
            message.receives += 1
            assert work.delivery.lease_no == message.lease_no
            assert (work.attempt, work.round) == (message.receives, self.jobs[work.job_id].round)

    def started(self, works: Iterable[Work]) -> None:
        for work in works:
            if self.is_current(work):
                self.jobs[work.job_id].status = Status.RUNNING

    def settled(self, outcomes: Sequence[Outcome], now: int, ids: Iterator[int]) -> None:
        """Apply those that are current; `ids` are what spawned children got, in order."""
        live = [each for each in outcomes if self.is_current(each.work)]
        for each in live:
            if not isinstance(each, Completed):
                self._let_go(each, now)
        for each in live:
            if isinstance(each, Completed):
                job = self.jobs[each.work.job_id]
                job.own, job.message = OwnRun.WELL, None
                self.created([next(ids) for _ in each.spawn], each.spawn, job)
                job.status = Status.RUNNING if job.children else Status.COMPLETED
        self.settle(now)

    def _let_go(self, outcome: Outcome, now: int) -> None:
        job = self.jobs[outcome.work.job_id]
        message = job.message
        assert message is not None
        match outcome:
            case Failed(permanent=permanent, after=after):
                if permanent or message.receives >= self.max_receive:
                    self._give_up(job, message, now)
                    return
                self._wait(message, now, after or 0)
            case Deferred(after_pre=True):
                job.message, job.for_pre = None, True
            case Deferred(delay=delay):
                message.receives -= 1
                self._wait(message, now, delay)
            case GivenBack(alone=alone):
                message.receives -= 1
                message.state = State.SUSPECT if alone else State.READY
                if job.status is Status.PENDING:
                    return
        job.status = Status.RUNNING if job.children else Status.PENDING

    def _wait(self, message: Message, now: int, delay: int) -> None:
        message.state, message.due = (State.DELAYED if delay else State.READY), now + delay

    def _give_up(self, job: Job, message: Message, now: int) -> None:
        message.state = State.DEAD
        job.own = OwnRun.FAILED
        if job.children:
            job.status = Status.RUNNING
        else:
            self._fail(job, now)

    def overdue(self, now: int) -> list[Job]:
        return [
            job
            for job in self.jobs.values()
            if job.message and job.message.state is State.LEASED and job.message.lease_until <= now
        ]

    def lost(self, jobs: Iterable[Job], now: int, *, charge: bool, alone: bool) -> None:
        for job in jobs:
            message = job.message
            assert message is not None
            if charge and message.receives >= self.max_receive:
                self._give_up(job, message, now)
                continue
            message.receives -= 0 if charge else 1
            message.state = State.SUSPECT if alone else State.READY
            if job.status is Status.RUNNING and not job.children:
                job.status = Status.PENDING
        self.settle(now)

    # -- steering

    def cancelled(self, job: Job, now: int) -> None:
        if job.status.open:
            self.stop(job, Stopping.CANCELLED, now)
            self.settle(now)

    def failed_by_hand(self, job: Job, now: int) -> None:
        if not job.status.open or job.why is not Stopping.NO:
            raise Conflict("refused")
        job.tries = 0
        self.expired(job, now)

    def expired(self, job: Job, now: int) -> None:
        """Fail what has had its time; unlike by hand, it may be tried again."""
        self.stop(job, Stopping.FAILING, now)
        self.settle(now)

    def retryable(self, job: Job) -> list[Job]:
        """What failed at or below a job, and what was ended because of that."""
        found = []
        if job.status is Status.FAILED and job.own is not OwnRun.WELL:
            found.append(job)
        if job.status is Status.CANCELLED and job.why is Stopping.WITH_ANCESTOR:
            found.append(job)
        for child in job.children:
            if child.status is not Status.CANCELLED or child.why is not Stopping.CANCELLED:
                found += self.retryable(child)
        return found

    def reopened(self, jobs: Collection[Job], now: int) -> None:
        jobs = self._not_in_vain({job for job in jobs if not job.status.open})
        self._reopen(jobs, self._ended_above(jobs))
        self.settle(now)

    def _not_in_vain(self, jobs: set[Job]) -> set[Job]:
        """Those of the jobs to be reopened that neither wait for ever nor are below such."""
        while True:
            above = {a for job in jobs for a in job.ancestors() if not a.status.open}
            vain = self._vain(jobs, above)
            if not vain:
                return jobs
            jobs = {job for job in jobs if not vain & {job, *job.ancestors()}}

    def _vain(self, jobs: Collection[Job], above: Collection[Job]) -> set[Job]:
        """Those to run again that need one which ended badly and stays as it is."""
        opened = {*jobs, *above}
        return {
            job
            for job in opened
            if job in jobs or job.own is not OwnRun.WELL
            if any(
                not anyhow
                and not needed.status.open
                and needed.status is not Status.COMPLETED
                and needed not in opened
                for needed, anyhow in job.needs
            )
        }

    def _ended_above(self, jobs: Collection[Job]) -> set[Job]:
        above = {a for job in jobs for a in job.ancestors() if not a.status.open} - set(jobs)
        if any(job.why is Stopping.CANCELLED for job in above):
            raise Conflict("refused")
        return above

    def _reopen(self, jobs: Collection[Job], above: Collection[Job]) -> None:
        """Run jobs again; of those above only the ones whose own run did not end well."""
        for job in {*jobs, *above}:
            job.round += 1
            job.why, job.warnings, job.placed = Stopping.NO, 0, False
            job.tries, job.wait = job.spec.tries, job.spec.try_wait
            if job not in jobs and job.own is OwnRun.WELL:
                job.status = Status.RUNNING
                continue
            job.own, job.message, job.for_pre = OwnRun.OPEN, None, False
            job.status = Status.RUNNING if job.children else Status.PENDING

    def rerun(self, job: Job) -> None:
        """Make what lies above a job take a child again."""
        above = self._ended_above([job])
        if self._vain([], above):
            raise Conflict("refused")
        if job.parent is not None and job.parent.pre_ended_badly:
            raise Conflict("refused")
        self._reopen([], above)

    def spec_of(self, job: Job) -> JobSpec:
        return replace(job.spec, held=False, needs=(), vital=False, tries=0, try_wait=0)

    def let_go(self, job: Job, now: int) -> None:
        if not job.held or not job.status.open:
            raise Conflict("refused")
        job.held = False
        self.settle(now)

    def deleted(self, job: Job, now: int) -> None:
        if any(each.status is Status.RUNNING for each in (job, *job.below())):
            raise Conflict("refused")
        gone = [job, *job.below()]
        for each in gone:
            del self.jobs[each.id]
            each.status = Status.CANCELLED if each.status.open else each.status
        if job.parent is not None:
            job.parent.children.remove(job)
        self.settle(now)
        for each in self.jobs.values():
            each.needs = [(needed, anyhow) for needed, anyhow in each.needs if needed not in gone]

    def purged(self, now: int) -> int:
        """Remove what nobody holds; returns how many. The end of a phase may begin the next."""
        unheld = [
            job
            for job in self.jobs.values()
            if job.message is not None and job.message.state is not State.LEASED
        ]
        for job in sorted(unheld, key=lambda job: -job.depth):
            if job.status.open:
                self.stop(job, Stopping.CANCELLED, now)
            job.message = None
        self.settle(now)
        return len(unheld)
