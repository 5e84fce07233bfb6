"""The state machine of jobs: the only code that writes `status`.

`transition` changes jobs at once and only remembers what their ancestors gain. At the end of the
function of the database, `_settle_ancestors` applies that once an ancestor, deepest first, begins
phases, ends parents and stops failing trees, all in the same transaction: the one that ends the
last descendant ends the parent. Nothing is found out by a query over children.

    pending ──▶ running ──▶ completed | failed | cancelled
       ▲           │                       │
       └── retry, release ◀── reopening ───┘
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from quaero.clock import DAY, SECOND
from quaero.db.contract import Tx
from quaero.jobs import feed, logs, minutes, totals
from quaero.jobs.begin import begin, begin_core
from quaero.jobs.logs import Level
from quaero.jobs.messages import send_again, send_for_try, send_messages
from quaero.jobs.model import (
    COLUMNS,
    FailureAction,
    Hold,
    JobRow,
    OwnRun,
    Phase,
    Status,
    Stopping,
    row,
)
from quaero.jobs.rows import load, select, stopping, store
from quaero.jobs.verdict import forget_warnings, verdict
from quaero.queue import settle

LONGEST_WAIT = 366 * DAY
STOP_AT_ONCE = 1_000
_ANCESTORS = "jobs.ancestors"
_DELTA = (
    "n_pending", "n_running", "n_completed", "n_failed", "n_cancelled",
    "pre_open", "pre_failed", "core_open", "core_total", "core_failed", "post_open",
    "wait_core", "wait_post",
)  # fmt: skip
_DESCENDANTS = _DELTA[:5]
_NEEDS_MET = "needs_met"  # of how many children; this is not kept

Delta = Counter[str]


def transition(tx: Tx, jobs: Sequence[JobRow], to: Status) -> None:
    """Bring jobs to a status, with whatever else was changed in their rows.

    Ancestors are told, and those that needed jobs which ended may start, or cannot any more.
    """
    _move(tx, jobs, to)
    ended = [job for job in jobs if job.needed and not job.status.open]
    while ended:
        ended = [job for job in release(tx, ended) if job.needed]


def _move(tx: Tx, jobs: Sequence[JobRow], to: Status) -> None:
    for job in jobs:
        _count(tx, job, job.status, to)
        job.status = to
        if to.open:
            job.completed_at = None
        else:
            job.completed_at = tx.now
            _wait_for_no_place(tx, job)
            minutes.ended(tx, job.type, to)
        feed.changed(tx, job.root_id, job.id)
    store(tx, jobs)


def entered(tx: Tx, jobs: Sequence[JobRow], *, waiting: frozenset[int]) -> None:
    """Count jobs that were just inserted; those in `waiting` have no message yet."""
    for job in jobs:
        _count(tx, job, None, job.status)
        if job.id in waiting and job.parent_id is not None:
            _gain(tx, job)["wait_post" if job.phase == Phase.POST else "wait_core"] += 1
        feed.changed(tx, job.root_id, job.id)


def removed(tx: Tx, jobs: Sequence[JobRow]) -> None:
    """Count jobs that were just deleted; where one has anything below it, that is gone as well."""
    gone = {job.id for job in jobs}
    for job in jobs:
        _count(tx, job, job.status, None)
        _no_longer_waits(tx, job)
        if job.parent_id is not None and job.parent_id not in gone:
            gain = _gain(tx, job)
            for name in _DESCENDANTS:
                gain[name] -= getattr(job, name)
        feed.changed(tx, job.root_id, job.id)


def _no_longer_waits(tx: Tx, job: JobRow) -> None:
    waits = job.own_run == OwnRun.OPEN and job.message_id is None and not (job.held or job.unmet)
    if job.parent_id is not None and (waits or job.held == Hold.FOR_PLACE):
        _gain(tx, job)["wait_post" if job.phase == Phase.POST else "wait_core"] -= 1


def _wait_for_no_place(tx: Tx, job: JobRow) -> None:
    """Let a job that ends without having begun wait neither for its place nor for one above."""
    if job.held == Hold.FOR_PLACE:
        _no_longer_waits(tx, job)
    if job.held in (Hold.FOR_PLACE, Hold.WITH_ANCESTOR):
        job.held = Hold.NO


def examine(tx: Tx, job: JobRow) -> None:
    """Have a job looked at as a parent at the function's end, though no child of it changed."""
    _pending(tx).setdefault(job.depth, {}).setdefault(job.id, Counter())


def gains(tx: Tx, job: JobRow) -> Delta | None:
    """What a job has gained in this function, which its row does not show yet."""
    pending: dict[int, dict[int, Delta]] = tx.scratch.get(_ANCESTORS, {})
    return pending.get(job.depth, {}).get(job.id)


def _count(tx: Tx, job: JobRow, source: Status | None, target: Status | None) -> None:
    if source is target:
        return
    totals.count(tx, job, source, target)
    if job.parent_id is not None:
        _count_for_parent(_gain(tx, job), Phase(job.phase), source, target)


def _count_for_parent(
    gain: Delta, phase: Phase, source: Status | None, target: Status | None
) -> None:
    for status, sign in ((source, -1), (target, 1)):
        if status is None:
            continue
        gain[_DELTA[status]] += sign
        if status.open:
            gain[f"{phase.name.lower()}_open"] += sign
        if phase is Phase.PRE and status in (Status.FAILED, Status.CANCELLED):
            gain["pre_failed"] += sign
        if phase is Phase.CORE:
            gain["core_total"] += sign
            gain["core_failed"] += sign * (status is Status.FAILED)


def _gain(tx: Tx, child: JobRow) -> Delta:
    """What the parent of `child` gains in this function."""
    at_depth = _pending(tx).setdefault(child.depth - 1, {})
    return at_depth.setdefault(child.parent_id or 0, Counter())


def _pending(tx: Tx) -> dict[int, dict[int, Delta]]:
    pending: dict[int, dict[int, Delta]] | None = tx.scratch.get(_ANCESTORS)
    if pending is None:
        pending = tx.scratch[_ANCESTORS] = {}
        tx.at_end(_ANCESTORS, _settle_ancestors)
    return pending


# -- ancestors


def _settle_ancestors(tx: Tx) -> None:
    pending = _pending(tx)
    while pending:
        depth = max(pending)
        gains = pending.pop(depth)
        parents = _apply_gains(tx, gains)
        for parent in parents:
            gain = gains[parent.id]
            if parent.parent_id is not None:
                above = _gain(tx, parent)
                for name in _DESCENDANTS:
                    above[name] += gain[name]
            feed.changed(tx, parent.root_id, parent.id)
        for parent in parents:
            _look_at(tx, parent, gains[parent.id])
    del tx.scratch[_ANCESTORS]


def _apply_gains(tx: Tx, gains: dict[int, Delta]) -> list[JobRow]:
    rows = [(id_, *(gain[name] for name in _DELTA)) for id_, gain in sorted(gains.items())]
    sets = ", ".join(f"{name} = {name} + (d.value ->> {n})" for n, name in enumerate(_DELTA, 1))
    found = tx.execute(
        f"""
        update job set {sets}, rev = rev + 1 from each($1) as d
         where job.id = d.value ->> 0 returning {COLUMNS}
        """,
        (msgspec.json.encode(rows).decode(),),
    )
    return [row(values) for values in found]


def _look_at(tx: Tx, parent: JobRow, gain: Delta) -> None:
    """Do what the new counts of a parent call for."""
    forget_warnings(tx, parent)
    if not parent.status.open:
        return
    if gain["n_failed"] > 0 and _over_limit(parent):
        _limit_crossed(tx, parent)
    if not parent.stopping and (parent.own_run == OwnRun.FAILED or parent.pre_failed):
        _fail_early(tx, parent)
        return
    if parent.stopping == Stopping.NO:
        if parent.held == Hold.FOR_PRE and not parent.pre_open:
            _go_on(tx, parent)
        if parent.wait_core and not parent.pre_open:
            begin_core(tx, parent, look=bool(gain["pre_open"] or gain[_NEEDS_MET]))
        if parent.wait_post and parent.core_ended:
            begin(tx, parent, Phase.POST)
    if parent.own_run != OwnRun.OPEN and not parent.n_open:
        _end(tx, parent)


def _go_on(tx: Tx, job: JobRow) -> None:
    """Send the message of a job whose own run waited for its pre children."""
    job.held = Hold.NO
    send_again(tx, job)
    store(tx, [job])
    logs.say(tx, job, Level.INFO, "the pre jobs have ended; the own run goes on")


def _fail_early(tx: Tx, parent: JobRow) -> None:
    """Stop a parent that can only fail; in a tree that is being stopped it goes with that."""
    if stopping(tx, [parent.id]):
        stop(tx, parent, Stopping.WITH_ANCESTOR)
        return
    if parent.pre_failed:
        _set_error(tx, parent, f"a pre job did not end well{_why_pre_failed(tx, parent)}")
    stop(tx, parent, Stopping.FAILING)


def _why_pre_failed(tx: Tx, parent: JobRow) -> str:
    """The error of the first pre job that failed, where it has one, behind a colon."""
    rows = tx.execute(
        """
        select error from job where parent_id = $1 and parent_id is not null and phase = 0
           and status = 3 and error is not null order by id limit 1
        """,
        (parent.id,),
    )
    return f": {rows[0][0]}" if rows else ""


def _over_limit(parent: JobRow) -> bool:
    return 0 < parent.max_child_failures < parent.n_failed


def _limit_crossed(tx: Tx, parent: JobRow) -> None:
    text = f"{parent.n_failed} jobs failed, more than max_child_failures = "
    text += str(parent.max_child_failures)
    if parent.failure_action == FailureAction.MARK_WARNING:
        if not parent.warnings:
            logs.say(tx, parent, Level.WARN, text)
        parent.warnings = parent.n_failed
        store(tx, [parent])
    elif parent.failure_action == FailureAction.STOP_ALL and not parent.stopping:
        _set_error(tx, parent, text)
        logs.say(tx, parent, Level.ERROR, f"stopped: {text}")
        stop(tx, parent, Stopping.FAILING)


def _end(tx: Tx, parent: JobRow) -> None:
    status, error = verdict(tx, parent)
    if error is not None:
        _set_error(tx, parent, error)
    if status is Status.FAILED and try_again(tx, parent):
        return
    parent.warnings = parent.n_failed if status is Status.COMPLETED else parent.warnings
    transition(tx, [parent], status)
    jobs = "job" if parent.warnings == 1 else "jobs"
    note = f", {parent.warnings} {jobs} below failed" if parent.warnings else ""
    level = {Status.COMPLETED: Level.INFO, Status.FAILED: Level.ERROR}.get(status, Level.WARN)
    logs.say(tx, parent, level, f"{status.word}{note}")


def try_again(tx: Tx, job: JobRow) -> bool:
    """Let a job that is about to fail run once more as a whole, if it has tries left.

    Not where a pre job of it did not end well: nothing could start before that one is retried.
    """
    if job.pre_failed:
        return False
    sql = "select tries, tries_given, try_wait, error from job where id = $1"
    ((tries, given, first_wait, error),) = tx.execute(sql, (job.id,))
    if not tries or (job.parent_id is not None and stopping(tx, [job.parent_id])):
        return False
    tx.execute(
        """
        update job set tries = tries - 1, error = null, state = null, result = null,
               deadline = null where id = $1
        """,
        (job.id,),
    )
    if job.message_id is not None:
        settle.discard(tx, [job.message_id])
    wait = min(first_wait * 2 ** (given - tries), LONGEST_WAIT)
    send_for_try(tx, job, wait)
    job.round += 1
    job.attempt = job.warnings = 0
    job.own_run, job.stopping = OwnRun.OPEN, Stopping.NO
    text = f"failed: {error}; the whole again in {wait / SECOND:.1f} s, {tries - 1} tries left"
    logs.say(tx, job, Level.WARN, text)
    transition(tx, [job], Status.RUNNING if job.has_descendants else Status.PENDING)
    return True


def _set_error(tx: Tx, job: JobRow, error: str) -> None:
    tx.execute("update job set error = coalesce(error, $2) where id = $1", (job.id, error))


# -- jobs that need others


def release(tx: Tx, ended: Sequence[JobRow]) -> list[JobRow]:
    """Let the jobs start that needed only these; returns those that cannot any more and ended.

    The former wait for their phase, where that has not begun. Of the latter, those with jobs below
    them end with these.
    """
    by_id = {job.id: job for job in ended}
    wanted = msgspec.json.encode(sorted(by_id)).decode()
    edges = tx.execute(
        "select job_id, needs_id, any_end from need where needs_id in ints($1)", (wanted,)
    )
    waiting = {
        id_: job
        for id_, job in load(tx, {edge[0] for edge in edges}).items()
        if job.status.open and job.own_run == OwnRun.OPEN and job.message_id is None
    }
    missed = {
        job_id: by_id[needs_id]
        for job_id, needs_id, any_end in edges
        if job_id in waiting and not any_end and by_id[needs_id].status is not Status.COMPLETED
    }
    recount_needs(tx, [job for id_, job in waiting.items() if id_ not in missed])
    for id_, needed in missed.items():
        _skip(tx, waiting[id_], needed)
    return [waiting[id_] for id_ in missed if not waiting[id_].status.open]


def recount_needs(tx: Tx, jobs: Sequence[JobRow]) -> None:
    """Bring what jobs without a message need up to date; those that need nothing more may start."""
    if not jobs:
        return
    wanted = msgspec.json.encode(sorted(job.id for job in jobs)).decode()
    rows = tx.execute(
        """
        update job set unmet = (select count(*) from need d join job n on n.id = d.needs_id
                                 where d.job_id = job.id
                                   and not (n.status = 2 or (d.any_end = 1 and n.status > 2)))
         where id in ints($1) returning id, unmet
        """,
        (wanted,),
    )
    unmet: dict[int, int] = dict(rows)
    pre: list[JobRow] = []
    again: list[JobRow] = []
    for job in jobs:
        before, job.unmet = job.unmet, unmet[job.id]
        change = int(job.unmet == 0) - int(before == 0)
        if change and job.held == Hold.WITH_ANCESTOR:
            job.held = Hold.NO  # it waits for what it needs once more
            again.append(job)
        elif change and job.phase == Phase.PRE and job.held != Hold.FOR_PRE:
            pre.append(job)  # its phase has begun; it was not to start before
        elif change and job.held != Hold.FOR_PRE:
            gain = _gain(tx, job)
            gain["wait_post" if job.phase == Phase.POST else "wait_core"] += change
            gain[_NEEDS_MET] += change > 0
    send_messages(tx, pre)
    store(tx, pre + again)


def _skip(tx: Tx, job: JobRow, needed: JobRow) -> None:
    """End a job that can never start; it is retried with what it needed."""
    logs.say(tx, job, Level.WARN, f"not started: it needs job {needed.id}, {needed.status.word}")
    if job.has_descendants or gains(tx, job) is not None:
        stop(tx, job, Stopping.WITH_ANCESTOR)
        return
    job.stopping = Stopping.WITH_ANCESTOR
    _drop_own_run(tx, job)
    _move(tx, [job], Status.CANCELLED)


# -- stopping a tree


def stop(tx: Tx, job: JobRow, why: Stopping) -> None:
    """End a job and all below it early: the flag at once, then descendants, deepest first.

    At most `STOP_AT_ONCE` jobs end in this function; `stop_more` goes on where it left off. From
    this commit on none of the others can start or commit.
    """
    job.stopping = why
    _fence(tx, job)
    store(tx, [job])
    examine(tx, job)
    feed.changed(tx, job.root_id, job.id)
    tx.signal("cancel")
    stop_more(tx, job, STOP_AT_ONCE)


def stop_more(tx: Tx, job: JobRow, limit: int) -> int:
    """End up to `limit` open descendants of a stopping job; returns how many it touched."""
    touched = 0
    children = select(
        tx,
        "parent_id = $1 and status < 2 and parent_id is not null order by id limit $2",
        (job.id, limit),
    )
    for child in children:
        if child.n_open and touched < limit:
            child.stopping = child.stopping or Stopping.WITH_ANCESTOR
            _fence(tx, child)
            store(tx, [child])
            examine(tx, child)
            touched += 1 + stop_more(tx, child, limit - touched)
    leaves = [child for child in children if not child.n_open][: max(0, limit - touched)]
    settle.discard(tx, [leaf.message_id for leaf in leaves if leaf.message_id is not None])
    for leaf in leaves:
        leaf.stopping = leaf.stopping or Stopping.WITH_ANCESTOR
        _drop_own_run(tx, leaf)
        logs.say(tx, leaf, Level.WARN, "cancelled")
    transition(tx, leaves, Status.CANCELLED)
    return touched + len(leaves)


def _fence(tx: Tx, job: JobRow) -> None:
    """Take the message of a job's open run away, so that whoever holds it can commit nothing."""
    if job.own_run == OwnRun.OPEN:
        if job.message_id is not None:
            settle.discard(tx, [job.message_id])
        _drop_own_run(tx, job)


def _drop_own_run(tx: Tx, job: JobRow) -> None:
    if job.own_run == OwnRun.OPEN:
        _no_longer_waits(tx, job)
        job.held = Hold.NO if job.held == Hold.FOR_PLACE else job.held
        job.own_run = OwnRun.STOPPED
        job.message_id = None
