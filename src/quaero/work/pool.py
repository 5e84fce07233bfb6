"""The worker pool: jobs as a queue consumer runs them.

`JobBackend` is the seam between `queue.consumer` and `jobs.run`: it routes work to executors
through the middleware, collects what they did, and settles it. `Pool` adds the process's place in
the register of holders, its journal, and the child in which suspects run alone.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from time import perf_counter
from types import CoroutineType
from typing import Any

from quaero.clock import DAY, MINUTE, SECOND, Clock
from quaero.db.contract import ReadTx, Tx, last
from quaero.db.processes import Reporter
from quaero.db.sqlite.database import SqliteDatabase
from quaero.errors import BadInput, Permanent, StaleLease, StorageError
from quaero.jobs import feed, run, steer
from quaero.jobs.create import insert
from quaero.jobs.logs import Entry
from quaero.jobs.model import JobRow, JobSpec
from quaero.jobs.rows import load_one
from quaero.jobs.run import Completed, Deferred, Effect, Failed, GivenBack, Outcome, Work
from quaero.loops import Loop
from quaero.program_log import program_log
from quaero.queue import given, settle
from quaero.queue.claim import Claim
from quaero.queue.consumer import SWEEP_SECONDS, UNDO_SECONDS, Consumer
from quaero.queue.holders import Holder, Holders, forget, held_by, split
from quaero.queue.leases import too_long
from quaero.queue.message import COMMANDS, Delivery
from quaero.queue.stats import sample_depth
from quaero.work.context import JobContext, JobLog, encode_value
from quaero.work.isolation import Isolation
from quaero.work.journal import Journal
from quaero.work.middleware import Middleware, Run, wrap
from quaero.work.middleware.log import log
from quaero.work.middleware.metrics import Metrics
from quaero.work.middleware.retry import outcome_of, retry
from quaero.work.middleware.timeout import timeout
from quaero.work.registry import Later, Registry, Result
from quaero.work.reserve import Reserve

log_of_pool = program_log(__name__)

GRACE_SECONDS = 10.0
FEED_KEPT = DAY


@dataclass(frozen=True, slots=True)
class PoolOptions:
    """How a pool works; times in seconds unless a name says otherwise.

    With `lane` it runs only the jobs of the lane with that key. A `passing` pool ends with what its
    process was started for; others do not rely on it.
    """

    concurrency: int = 5
    visibility_timeout: float = 300.0
    max_receive: int = 3
    poll_interval: float = 1.0
    grace: float = GRACE_SECONDS
    default_timeout: float = 600.0
    lane: str | None = None
    alone: bool = False
    parent_holder: int = 0
    alone_command: tuple[str, ...] = ()
    passing: bool = False

    def __post_init__(self) -> None:
        """Raise `BadInput` for numbers under which no pool could work."""
        given.whole(self.concurrency, "concurrency", least=1)
        given.whole(self.max_receive, "max_receive", least=1)
        given.micros(self.grace, "grace")
        for name in ("visibility_timeout", "poll_interval", "default_timeout"):
            if not given.micros(getattr(self, name), name):
                raise BadInput(f"{name} must be more than 0 s")


class JobBackend:
    """Jobs, as a consumer runs them."""

    def __init__(
        self, db: SqliteDatabase, queue_id: int, registry: Registry, journal: Journal,
        register: Holders, options: PoolOptions, clock: Clock, metrics: Metrics,
    ) -> None:  # fmt: skip
        self.queue_id = queue_id
        self._db = db
        self._registry = registry
        self._journal = journal
        self._register = register
        self._options = options
        self._clock = clock
        self._random = Random()
        self._pruned = 0
        self.sweeper = Loop("sweeper", max(SWEEP_SECONDS, options.poll_interval))
        self._layers: tuple[Middleware, ...] = (metrics.middleware(), log, retry, timeout)

    def delivery(self, work: Work) -> Delivery:
        """The delivery that a job runs under."""
        return work.delivery

    def claim(self, tx: Tx, want: Claim) -> list[Work]:
        """Lease jobs."""
        return run.claim(tx, self.queue_id, want)

    def started(self, tx: Tx, starts: Sequence[tuple[Work, int]]) -> None:
        """Show jobs as running."""
        run.started(tx, starts)

    def settle(self, tx: Tx, outcomes: Sequence[Outcome]) -> None:
        """Commit how runs ended."""
        run.settle_all(tx, outcomes, self._options.max_receive, self._random)

    def sweep(self, tx: Tx) -> None:
        """Take back what is lost, go on with large cancels, and keep the feed short."""
        limit = self._options.max_receive
        for dead in self._register.dead(tx):
            started, unstarted = split(held_by(tx, dead.id), dead.started)
            run.lose(tx, unstarted, "its worker died", limit, charge=False, alone=False)
            run.lose(tx, started, "its worker died", limit, charge=False, alone=True)
            self._register.bury(tx, dead.id)
        late = settle.expired(tx, self.queue_id)
        run.lose(tx, late, "its lease ran out", limit, charge=True, alone=False)
        if steer.cancel_more(tx):
            tx.signal("cancel")
        if tx.lease_now - self._pruned > MINUTE and not feed.prune(tx, tx.now - FEED_KEPT):
            self._pruned = tx.lease_now  # else there may be more of it
        self.sweeper.turn()

    def lost(self, tx: ReadTx, works: Sequence[Work]) -> list[Work]:
        """The jobs whose lease has gone, or whose tree is being stopped."""
        good = settle.held(tx, (work.delivery.token for work in works))
        stopped = run.stopping(tx, [work.job_id for work in works])
        return [
            w for w in works if not settle.stands(good, w.delivery.token) or w.job_id in stopped
        ]

    async def handle(self, work: Work, started_at: int) -> Outcome:
        """Run one job through the middleware."""
        job_log = JobLog(work, self._clock, self._journal.noted)
        context = JobContext(work, job_log, partial(self._commit, work, job_log))
        limit = self._timeout(work)
        attempt = Run(work, context, started_at, limit, self._options.alone, self._clock)
        self._journal.open(work, context)
        try:
            outcome = await wrap(attempt, self._layers, partial(self._execute, attempt))()
        finally:
            self._journal.close(work)
        outcome.progress = context.reported
        return outcome

    async def _execute(self, attempt: Run) -> Outcome:
        work, context = attempt.work, attempt.context
        job_type = self._registry.get(work.type)
        assert job_type.run is not None, f"{work.type} cannot be run by this process"
        going = job_type.run(context, job_type.decode(work.payload))
        if not isinstance(going, (CoroutineType, Awaitable)):  # the first costs a tenth
            raise Permanent(f"what runs {work.type!r} is no async function; make it one")
        done = await going
        if done is not None and not isinstance(done, (Result, Later)):
            raise Permanent(f"what runs {work.type!r} returned {given.short(done)}, and no Result")
        if isinstance(done, Later):
            spawned = [partial(_spawn, specs=context.spawned)] if context.spawned else []
            return Deferred(
                work, attempt.started_at, context.log.take(), delay=int(done.delay * SECOND),
                lane=done.lane, state=encode_value(done.state, "the state"),
                effects=[*spawned, *done.effects], after_pre=done.after_pre,
            )  # fmt: skip
        value = None if done is None else encode_value(done.value)
        effects = [] if done is None else list(done.effects)
        return Completed(
            work, attempt.started_at, context.log.take(), result=value, spawn=context.spawned,
            effects=effects,
        )  # fmt: skip

    def give_back(self, work: Work, reason: str) -> Outcome:
        """Not done: no attempt is charged."""
        return GivenBack(work, self._clock.wall(), reason=reason)

    def failed(self, outcome: Outcome, error: BaseException) -> Outcome:
        """What cannot be committed is the job's failure."""
        job_log = JobLog(outcome.work, self._clock, lambda _: None)
        job_log.pending = list(outcome.log)
        context = JobContext(outcome.work, job_log, partial(self._commit, outcome.work, job_log))
        attempt = Run(outcome.work, context, outcome.started_at, 0.0, True, self._clock)
        result = outcome_of(attempt, error)
        if isinstance(outcome, Failed):  # even the failure cannot be written as it is
            return GivenBack(outcome.work, outcome.started_at, reason="could not be settled")
        return result

    def renew_until(self, work: Work) -> float:
        """Until the attempt must have ended, and some grace."""
        return self._timeout(work) + self._options.grace

    def _timeout(self, work: Work) -> float:
        if work.timeout is not None:
            return work.timeout / SECOND
        return self._registry.get(work.type).timeout or self._options.default_timeout

    async def _commit(
        self, work: Work, job_log: JobLog, effects: Sequence[Effect], specs: Sequence[JobSpec],
        unsaved: Callable[[], None],
    ) -> None:  # fmt: skip
        entries = job_log.take()
        saving = asyncio.ensure_future(self._db.write(_save, work, effects, specs, entries))
        saving.add_done_callback(partial(_keep_unsaved, job_log, entries, unsaved))
        # A run that is ended meanwhile does not wait, and still its last words are kept.
        if not await asyncio.shield(saving):
            raise StaleLease(f"the lease of job {work.job_id} was lost; nothing was saved")


def _keep_unsaved(
    job_log: JobLog, entries: list[Entry], unsaved: Callable[[], None], saving: asyncio.Future[bool]
) -> None:
    if saving.cancelled() or saving.exception() is not None or not saving.result():
        job_log.put_back(entries)
        unsaved()


def _save(
    tx: Tx, work: Work, effects: Sequence[Effect], specs: Sequence[JobSpec],
    entries: Sequence[Entry],
) -> bool:  # fmt: skip
    if not run.commit(tx, work, effects, entries):
        return False
    if specs:
        _spawn(tx, load_one(tx, work.job_id), specs=specs)
    return True


def _spawn(tx: Tx, job: JobRow, *, specs: Sequence[JobSpec]) -> None:
    insert(tx, job.queue_id, specs, job)


class Pool:
    """N slots that run the jobs of one queue until stopped.

    What goes on beside them in its process puts its loops into `loops`, and what it has to tell
    other processes into `more`, before `run`; `told` is set once both stand in the row of the
    process.
    """

    def __init__(
        self, db: SqliteDatabase, queue_id: int, registry: Registry,
        options: PoolOptions | None = None, clock: Clock | None = None,
    ) -> None:  # fmt: skip
        self._db = db
        self._queue_id = queue_id
        self._registry = registry
        self._options = options or PoolOptions()
        self._clock = clock or db.clock
        self._register = Holders(db.path, self._clock)
        self.metrics = Metrics()
        self.loops: list[Loop] = []
        self.more: dict[str, Any] = {}
        self.told = asyncio.Event()
        self.consumer: Consumer[Work, Outcome] | None = None
        self._backend: JobBackend | None = None
        self._isolating: asyncio.Task[None] | None = None
        self._reserve: Reserve | None = None
        self._stopping = False

    async def run(self) -> None:
        """Work until `stop`; what runs then gets the grace time, the rest goes back uncharged."""
        options = self._options
        journal = Journal(self._db)
        holder = await self._register.join(
            self._db, options.concurrency, parent_id=options.parent_holder
        )
        backend = JobBackend(
            self._db, self._queue_id, self._registry, journal, self._register, options,
            self._clock, self.metrics,
        )  # fmt: skip
        self._backend = backend
        make = partial(
            Consumer, self._db, backend, lease_now=self._db.lease_now,
            lease=int(options.visibility_timeout * SECOND), poll_interval=options.poll_interval,
            types=self._registry.names(), holder=holder, clock=self._clock,
        )  # fmt: skip
        slots = options.concurrency
        self.consumer = make(concurrency=slots, alone=options.alone, lane=options.lane)
        if self._stopping:
            self.consumer.stop()
        loops = [backend.sweeper, journal.loop, *self.loops]
        beside = [asyncio.create_task(journal.run())]
        if options.lane is None and not options.alone:
            for_commands = partial(
                make, concurrency=1, lane=COMMANDS.key, prefetch=False, first_slot=slots
            )
            self._reserve = Reserve(self.consumer, slots, for_commands)
            beside.append(asyncio.create_task(self._reserve.run(options.grace)))
        if options.alone_command and not options.alone:
            isolation = Isolation(
                self._db, self._queue_id, self._register, holder.id, options.alone_command,
                options.max_receive, options.grace + UNDO_SECONDS,
            )  # fmt: skip
            loops.append(isolation.loop)
            self._isolating = asyncio.create_task(isolation.run())
            beside.append(self._isolating)
        role = "alone" if options.alone else "passing" if options.passing else "worker"
        reporter = Reporter(
            self._db, role, lambda: loops,
            partial(self._told, holder.id), partial(sample_depth, queue_id=self._queue_id),
        )  # fmt: skip
        try:
            await self._tell(reporter)
            self.told.set()
            await self.consumer.run(options.grace)
        finally:
            reporter.close()
            for task in beside:
                if not task.cancelling():
                    task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
            await journal.flush()
            for line in self.metrics.lines():
                log_of_pool.info("ran %s", line)
            await self._leave(holder, reporter)

    async def _tell(self, reporter: Reporter) -> None:
        """Say at once that this process works, where that can be written."""
        with contextlib.suppress(StorageError):
            await self._db.write(reporter.write)

    def stop(self) -> None:
        """Let `run` end."""
        self._stopping = True
        if self.consumer is not None:
            self.consumer.stop()
        if self._reserve is not None:
            self._reserve.stop()
        if self._isolating is not None:
            self._isolating.cancel()  # its child ends beside us, not after us

    def overdue(self) -> bool:
        """Whether something runs past its timeout and grace; safe to ask from any thread.

        Time in which the machine slept does not count: the timeouts did not come round either.
        """
        if self.consumer is None or self._backend is None:
            return False
        besides = self._reserve.running() if self._reserve is not None else []
        running = [*self.consumer.running(), *besides]
        return bool(too_long(running, self._backend, perf_counter()))

    def _told(self, holder_id: int) -> dict[str, Any]:
        own = {"holder": holder_id, "queue": self._queue_id, "slots": self._options.concurrency}
        return {**self.more, **own}

    async def _leave(self, holder: Holder, reporter: Reporter) -> None:
        """Leave the register, or be found dead by others where that cannot be written."""
        try:
            await self._db.write(_leave, holder.id, self._options.max_receive, reporter)
        except StorageError as error:
            log_of_pool.warning("could not leave in order: %s", error)
            holder.abandon()
        else:
            holder.close()


@last  # after the consumer's own last transaction, which may be in the same commit
def _leave(tx: Tx, holder_id: int, max_receive: int, reporter: Reporter) -> None:
    """Give back what could not be settled, and remove the holder."""
    held = held_by(tx, holder_id)
    run.lose(tx, held, "its worker stopped", max_receive, charge=False, alone=False)
    forget(tx, holder_id)
    reporter.forget(tx)
