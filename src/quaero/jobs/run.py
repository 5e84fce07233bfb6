"""What a worker does to jobs in the database: claim, start, settle, and clear up after the dead.

Everything here is a function of the database over many jobs at once, so that a pool's whole cycle
(what ended, what started, what comes next) is one transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple

import msgspec

from quaero.clock import SECOND
from quaero.db.contract import Tx
from quaero.db.unrun import refuse_unrun
from quaero.jobs import feed, logs, minutes
from quaero.jobs.create import insert
from quaero.jobs.logs import Entry, Level
from quaero.jobs.model import Hold, JobRow, JobSpec, OwnRun, Status, Stopping
from quaero.jobs.places import wants_place
from quaero.jobs.rows import deepest_first, load
from quaero.jobs.rows import stopping as stopping  # noqa: PLC0414 - workers ask it too
from quaero.jobs.transition import examine, gains, stop, transition, try_again
from quaero.queue import claim as claims
from quaero.queue import settle
from quaero.queue.backoff import backoff
from quaero.queue.message import Delivery, Held, Lane, Token

Effect = Callable[[Tx, JobRow], None]


class Work(NamedTuple):
    """A job to run, with the delivery that allows it."""

    delivery: Delivery
    job_id: int
    root_id: int
    parent_id: int | None
    type: str
    name: str
    payload: str
    state: str | None
    round: int
    timeout: int | None = None

    @property
    def attempt(self) -> int:
        """The number of this attempt, counted from 1."""
        return self.delivery.receives


@dataclass(slots=True)
class Outcome:
    """How a run ended; times are wall times in microseconds, `log` its unwritten entries."""

    work: Work
    started_at: int
    log: list[Entry] = field(default_factory=list)
    progress: tuple[int | None, int | None, str | None] | None = field(default=None, kw_only=True)


@dataclass(slots=True)
class Completed(Outcome):
    """It ended well: `result` is JSON text, children and effects commit with it."""

    result: str | None = None
    spawn: list[JobSpec] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)


@dataclass(slots=True)
class Failed(Outcome):
    """It failed; `after` is when to try again, in microseconds, where the other side said so."""

    error: str = ""
    permanent: bool = False
    after: int | None = None
    hold: bool = False


@dataclass(slots=True)
class Deferred(Outcome):
    """It goes on later, perhaps in another lane, with `state`; no attempt is charged.

    With `after_pre` it goes on in the transaction that ends its last pre child well.
    """

    delay: int = 0
    lane: Lane | None = None
    state: str | None = None
    effects: list[Effect] = field(default_factory=list)
    after_pre: bool = False


@dataclass(slots=True)
class GivenBack(Outcome):
    """It was not begun, or the worker stops; no attempt is charged.

    `alone` isolates it; `wait` is how long it is not begun again, in microseconds.
    """

    reason: str = ""
    alone: bool = False
    wait: int = 0


# -- claiming


def claim(tx: Tx, queue_id: int, want: claims.Claim) -> list[Work]:
    """Lease messages and load their jobs; parks what this worker does not know."""
    deliveries = claims.claim(tx, queue_id, want)
    if not deliveries:
        return []
    if unknown := [each for each in deliveries if want.types and each.type not in want.types]:
        _park(tx, queue_id, unknown)
    rows = tx.execute(
        """
        select id, root_id, parent_id, type, name, payload, state, round, timeout from job
         where id in ints($1)
        """,
        (msgspec.json.encode([each.job_id for each in deliveries]).decode(),),
    )
    jobs = {row[0]: row for row in rows}
    strange = {each.id for each in unknown}
    stopped = _end_stopped(tx, [d.job_id for d in deliveries])
    return [
        Work(d, *jobs[d.job_id])
        for d in deliveries
        if d.id not in strange and d.job_id in jobs and d.job_id not in stopped
    ]


def _park(tx: Tx, queue_id: int, deliveries: Sequence[Delivery]) -> None:
    claims.park(tx, queue_id, [each.id for each in deliveries])
    for job in load(tx, [each.job_id for each in deliveries]).values():
        logs.say(tx, job, Level.WARN, f"parked: no worker knows the job type {job.type!r}")


def _end_stopped(tx: Tx, job_ids: Iterable[int]) -> set[int]:
    """End the jobs among these that lie in a tree which is being stopped; returns their ids."""
    stopped = stopping(tx, job_ids)
    for job in deepest_first(load(tx, stopped).values()):
        if job.status.open and not job.stopping:
            stop(tx, job, Stopping.WITH_ANCESTOR)
    return stopped


def started(tx: Tx, starts: Sequence[tuple[Work, int]]) -> None:
    """Show jobs as running; each has been since a wall time."""
    good = settle.held(tx, (work.delivery.token for work, _ in starts))
    held = [start for start in starts if settle.stands(good, start[0].delivery.token)]
    at = {work.job_id: (moment, work.attempt) for work, moment in held}
    jobs = [job for job in load(tx, at).values() if job.own_run == OwnRun.OPEN]
    for job in jobs:
        moment, job.attempt = at[job.id]
        job.started_at = job.started_at or moment
        logs.say(tx, job, Level.INFO, f"started, attempt {job.attempt}")
    transition(tx, jobs, Status.RUNNING)


# -- settling


def settle_all(tx: Tx, outcomes: Sequence[Outcome], max_receive: int, random: Random) -> None:
    """Commit how runs ended. Of one whose lease was lost only the log is kept."""
    good = settle.held(tx, (each.work.delivery.token for each in outcomes))
    live = [each for each in outcomes if settle.stands(good, each.work.delivery.token)]
    stopped = _end_stopped(tx, [each.work.job_id for each in live])
    live = [each for each in live if each.work.job_id not in stopped]
    jobs = load(tx, [each.work.job_id for each in live])
    said = [entry for each in outcomes for entry in each.log]
    if said:
        logs.write(tx, [entry for entry in said if entry.job_id in jobs])
    if late := [entry for entry in said if entry.job_id not in jobs]:
        logs.write_late(tx, late)
    ended: list[tuple[Completed, JobRow, Held]] = []
    for each in live:
        job, held = jobs[each.work.job_id], good[each.work.delivery.id]
        job.started_at = job.started_at or each.started_at
        job.attempt = each.work.attempt
        match each:
            case Completed():
                _note_times(tx, each)
                ended.append((each, job, held))
            case Failed():
                _note_times(tx, each)
                _fail(tx, each, job, held, max_receive, random)
            case Deferred():
                _defer(tx, each, job, held)
            case GivenBack():
                _give_back(tx, each, job, held)
    if ended:
        _complete(tx, ended)
    for each in live:
        if each.progress is not None:
            _set_progress(tx, each.work.job_id, *each.progress)


def _note_times(tx: Tx, outcome: Outcome) -> None:
    """Count how long an attempt waited and ran."""
    run = tx.now - outcome.started_at
    ready_for = tx.lease_now - outcome.work.delivery.ready_at
    minutes.ran(tx, outcome.work.type, ready_for - run, run)


def _complete(tx: Tx, ended: Sequence[tuple[Completed, JobRow, Held]]) -> None:
    settle.complete(tx, [held for _, _, held in ended])
    results = [(job.id, each.result) for each, job, _ in ended]
    if any(result is not None for _, result in results) or any(j.attempt > 1 for _, j, _ in ended):
        tx.execute(
            """
            update job set result = d.value ->> 1, error = null, state = null
              from each($1) as d where job.id = d.value ->> 0
            """,
            (msgspec.json.encode(results).decode(),),
        )
    leaves: list[JobRow] = []
    parents: list[JobRow] = []
    for _, job, _ in ended:
        job.own_run, job.message_id = OwnRun.WELL, None
    _take_effect(tx, ended)
    for each, job, _ in ended:
        if each.spawn:
            insert(tx, job.queue_id, each.spawn, job)
        if each.spawn or job.has_descendants or gains(tx, job) is not None:
            parents.append(job)
            logs.say(tx, job, Level.INFO, "own run completed, waiting for the jobs below")
        else:
            leaves.append(job)
            took = max(0, tx.now - each.started_at) / SECOND
            logs.say(tx, job, Level.INFO, f"completed in {took:.3f} s")
    transition(tx, leaves, Status.COMPLETED)
    transition(tx, parents, Status.RUNNING)
    for job in parents:
        examine(tx, job)


def _take_effect(tx: Tx, ended: Sequence[tuple[Completed, JobRow, Held]]) -> None:
    """Run the effects; those of one function that can be done together (`db.contract`) are."""
    joined: dict[Any, list[tuple[Any, Any]]] = {}
    for each, job, _ in ended:
        for effect in each.effects:
            many = getattr(getattr(effect, "func", None), "together", None)
            if many is None:
                _apply(tx, job, effect)
            else:
                joined.setdefault(many, []).append(((job, *effect.args), effect.keywords))  # type: ignore[attr-defined]
    for many, calls in joined.items():
        many(tx, calls)


def _apply(tx: Tx, job: JobRow, effect: Effect) -> None:
    """Run one. Raises `BadInput` for one with async or yield, which would do nothing."""
    plain: Callable[[Tx, JobRow], object] = effect
    refuse_unrun(effect, plain(tx, job))


def _fail(
    tx: Tx, failed: Failed, job: JobRow, held: Held, max_receive: int, random: Random
) -> None:
    final = failed.permanent or held.receives >= max_receive
    _note_attempt(tx, failed, "failed", failed.error)
    tx.execute("update job set error = $2 where id = $1", (job.id, failed.error))
    if final:
        settle.bury(tx, [(held, failed.error)])
        end_own_run_badly(tx, job, failed.error)
        return
    wait = failed.after if failed.after is not None else backoff(held.receives, random)
    settle.release(tx, [settle.Release(held, wait, failed.error, hold=failed.hold)])
    _wait_again(tx, job)
    logs.say(
        tx,
        job,
        Level.WARN,
        f"attempt {job.attempt} failed: {failed.error}; next in {wait / SECOND:.1f} s",
    )


def end_own_run_badly(tx: Tx, job: JobRow, error: str) -> None:
    """The job's own run failed for good; its error is written already, its message is dead."""
    job.own_run = OwnRun.FAILED
    logs.say(tx, job, Level.ERROR, f"failed: {error}")
    if job.has_descendants:
        transition(tx, [job], Status.RUNNING)
        examine(tx, job)
    elif not try_again(tx, job):
        transition(tx, [job], Status.FAILED)


def _defer(tx: Tx, deferred: Deferred, job: JobRow, held: Held) -> None:
    for effect in deferred.effects:
        _apply(tx, job, effect)
    if deferred.after_pre:
        settle.complete(tx, [held])
        job.message_id, job.held = None, Hold.FOR_PRE
    else:
        settle.release(tx, [settle.Release(held, deferred.delay, charge=False, lane=deferred.lane)])
    lane = None  # one that needs a place is known by its lane, also when it is opened again
    if deferred.lane is not None and not wants_place(job, job.parent_id):
        lane = msgspec.json.encode(deferred.lane).decode()
    tx.execute(
        "update job set state = $2, lane = coalesce($3, lane) where id = $1",
        (job.id, deferred.state, lane),
    )
    when = "when its pre jobs end" if deferred.after_pre else f"in {deferred.delay / SECOND:.1f} s"
    logs.say(tx, job, Level.DEBUG, f"goes on {when}")
    _wait_again(tx, job)
    if deferred.after_pre:
        examine(tx, job)  # there may be no pre job to wait for


def _give_back(tx: Tx, back: GivenBack, job: JobRow, held: Held) -> None:
    settle.release(tx, [settle.Release(held, back.wait, charge=False, alone=back.alone)])
    job.attempt = max(0, job.attempt - 1)
    if back.reason or job.status is Status.RUNNING:
        logs.say(tx, job, Level.INFO, f"given back: {back.reason or 'not begun'}")
    if job.status is Status.RUNNING:
        _wait_again(tx, job)


def _wait_again(tx: Tx, job: JobRow) -> None:
    """A run was let go: the job is pending again, unless it has descendants to wait for."""
    parent = job.has_descendants or gains(tx, job) is not None
    transition(tx, [job], Status.RUNNING if parent else Status.PENDING)


def _note_attempt(tx: Tx, outcome: Outcome, word: str, error: str | None) -> None:
    work = outcome.work
    note_attempt(tx, work.job_id, work.delivery.token, work.attempt, work.round,
                 outcome.started_at, word, error)  # fmt: skip


def note_attempt(
    tx: Tx, job_id: int, token: Token, attempt: int, round_: int, started_at: int | None,
    outcome: str, error: str | None,
) -> None:  # fmt: skip
    """Keep what became of an attempt that did not end well."""
    tx.execute(
        """
        insert into job_attempt(job_id, lease_no, attempt, round, started_at, ended_at, outcome,
                                error)
        values($1, $2, $3, $4, $5, $6, $7, $8)
            on conflict(job_id, round, lease_no)
            do update set outcome = excluded.outcome, error = excluded.error
        """,
        (job_id, token.lease_no, attempt, round_, started_at, tx.now, outcome, error),
    )


def commit(tx: Tx, work: Work, effects: Sequence[Effect], log: Sequence[Entry]) -> bool:
    """Commit what a long run has done so far; False, and nothing, where its lease was lost."""
    if not settle.held(tx, [work.delivery.token]) or stopping(tx, [work.job_id]):
        return False
    (job,) = load(tx, [work.job_id]).values()
    for effect in effects:
        _apply(tx, job, effect)
    logs.write(tx, log)
    return True


def keep_state(tx: Tx, job: JobRow, *, state: str | None) -> None:
    """The effect by which a job goes on from here after a crash."""
    tx.execute("update job set state = $2 where id = $1", (job.id, state))


def progress(tx: Tx, reports: Sequence[tuple[Work, int | None, int | None, str | None]]) -> None:
    """Write how far runs have come; reports of lost leases are left out."""
    good = settle.held(tx, (work.delivery.token for work, *_ in reports))
    for work, current, total, text in reports:
        if settle.stands(good, work.delivery.token):
            _set_progress(tx, work.job_id, current, total, text)
            feed.changed(tx, work.root_id, work.job_id)


def _set_progress(
    tx: Tx, job_id: int, current: int | None, total: int | None, text: str | None
) -> None:
    tx.execute(
        """
        update job set progress_current = $2, progress_total = $3, progress_text = $4,
               rev = rev + 1 where id = $1
        """,
        (job_id, current, total, text),
    )


# -- after the dead


def lose(
    tx: Tx, deliveries: Sequence[Held], why: str, max_receive: int, *, charge: bool, alone: bool
) -> None:
    """Take back deliveries whose worker is gone.

    Charged ones that are spent become dead letters and their jobs fail; the others wait again, to
    be run `alone` where they may have killed their worker.
    """
    jobs = load(tx, [each.job_id for each in deliveries])
    for held in deliveries:
        job = jobs.get(held.job_id)
        if job is None:
            settle.complete(tx, [held])
            continue
        token = Token(held.id, held.lease_no)
        if charge or alone:
            note_attempt(tx, job.id, token, held.receives, job.round, job.started_at, "lost", why)
        if charge and held.receives >= max_receive:
            settle.bury(tx, [(held, why)])
            tx.execute("update job set error = $2 where id = $1", (job.id, why))
            end_own_run_badly(tx, job, why)
            continue
        settle.release(
            tx, [settle.Release(held, error=why if charge else None, charge=charge, alone=alone)]
        )
        if charge or alone or job.status is Status.RUNNING:
            logs.say(tx, job, Level.WARN, f"{why}; it will be run again")
        if job.status is Status.RUNNING:
            _wait_again(tx, job)
