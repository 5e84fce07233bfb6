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

from quaero.db.contract import Tx
from quaero.jobs import feed, logs, minutes
from quaero.jobs.logs import Level
from quaero.jobs.model import (
    COLUMNS,
    FailureAction,
    JobRow,
    OwnRun,
    Phase,
    Status,
    Stopping,
    row,
)
from quaero.jobs.rows import select, stopping, store
from quaero.queue import settle
from quaero.queue.message import Lane, NewMessage
from quaero.queue.send import send

STOP_AT_ONCE = 1_000
_Lane = tuple[str, int, int]
_ANCESTORS = "jobs.ancestors"
_COUNTS = "jobs.counts"
_DELTA = (
    "n_pending", "n_running", "n_completed", "n_failed", "n_cancelled",
    "pre_open", "pre_failed", "core_open", "core_total", "core_failed", "post_open",
    "wait_core", "wait_post",
)  # fmt: skip

_DESCENDANTS = _DELTA[:5]

Delta = Counter[str]


def transition(tx: Tx, jobs: Sequence[JobRow], to: Status) -> None:
    """Bring jobs to a status, with whatever else was changed in their rows, and tell ancestors."""
    for job in jobs:
        _count(tx, job, job.status, to)
        job.status = to
        if to.open:
            job.completed_at = None
        else:
            job.completed_at = tx.now
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
    if job.parent_id is not None and job.own_run == OwnRun.OPEN and job.message_id is None:
        _gain(tx, job)["wait_post" if job.phase == Phase.POST else "wait_core"] -= 1


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
    kept: Counter[tuple[int, str, int]] | None = tx.scratch.get(_COUNTS)
    if kept is None:
        kept = tx.scratch[_COUNTS] = Counter()
        tx.at_end(_COUNTS, _apply_counts, rank=4)
    top = int(job.parent_id is None)
    if source is not None:
        kept[top, job.type, source] -= 1
    if target is not None:
        kept[top, job.type, target] += 1
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


def _apply_counts(tx: Tx) -> None:
    kept: Counter[tuple[int, str, int]] = tx.scratch.pop(_COUNTS)
    rows = [(*key, n) for key, n in sorted(kept.items()) if n]
    if rows:
        tx.execute(
            """
            insert into job_count(top, type, status, n)
            select value ->> 0, value ->> 1, value ->> 2, value ->> 3 from each($1) where true
                on conflict(top, type, status) do update set n = n + excluded.n
            """,
            (msgspec.json.encode(rows).decode(),),
        )


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
    if not parent.status.open:
        return
    if gain["n_failed"] > 0 and _over_limit(parent):
        _limit_crossed(tx, parent)
    if not parent.stopping and (parent.own_run == OwnRun.FAILED or parent.pre_failed):
        _fail_early(tx, parent)
        return
    if parent.stopping == Stopping.NO:
        if parent.wait_core and not parent.pre_open:
            begin(tx, parent, Phase.CORE)
        if parent.wait_post and parent.core_ended:
            begin(tx, parent, Phase.POST)
    if parent.own_run != OwnRun.OPEN and not parent.n_open:
        _end(tx, parent)


def _fail_early(tx: Tx, parent: JobRow) -> None:
    """Stop a parent that can only fail; in a tree that is being stopped it goes with that."""
    if stopping(tx, [parent.id]):
        stop(tx, parent, Stopping.WITH_ANCESTOR)
        return
    if parent.pre_failed:
        _set_error(tx, parent, "a pre job did not end well")
    stop(tx, parent, Stopping.FAILING)


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


def begin(tx: Tx, parent: JobRow, phase: Phase) -> None:
    """Send the messages of the children that waited for a phase."""
    waiting = select(
        tx,
        """
        parent_id = $1 and status < 2 and parent_id is not null and phase = $2
        and message_id is null and own_run = 0 order by id
        """,
        (parent.id, phase),
    )
    send_messages(tx, waiting)
    store(tx, waiting)
    column = "wait_post" if phase is Phase.POST else "wait_core"
    tx.execute(f"update job set {column} = {column} - $2 where id = $1", (parent.id, len(waiting)))
    if waiting:
        name = phase.name.lower()
        logs.say(tx, parent, Level.INFO, f"{name} phase begins: {len(waiting)} jobs")


def send_messages(tx: Tx, jobs: Sequence[JobRow]) -> None:
    """Give jobs of one queue their messages; the caller stores the rows."""
    by_queue: dict[int, list[JobRow]] = {}
    for job in jobs:
        by_queue.setdefault(job.queue_id, []).append(job)
    for queue_id, of_queue in by_queue.items():
        ids = send(tx, queue_id, [_message(job) for job in of_queue])
        for job, id_ in zip(of_queue, ids, strict=True):
            job.message_id = id_


def _message(job: JobRow) -> NewMessage:
    lane = None if job.lane is None else msgspec.json.decode(job.lane, type=_Lane)
    return NewMessage(
        job.type, job_id=job.id, priority=job.priority, at=job.run_at,
        lane=None if lane is None else Lane(*lane),
    )  # fmt: skip


def _end(tx: Tx, parent: JobRow) -> None:
    status, error = _verdict(parent)
    if error is not None:
        _set_error(tx, parent, error)
    parent.warnings = parent.n_failed if status is Status.COMPLETED else parent.warnings
    transition(tx, [parent], status)
    many = f"{parent.warnings} {'job' if parent.warnings == 1 else 'jobs'}"
    note = f", {many} below failed" if parent.warnings else ""
    level = {Status.COMPLETED: Level.INFO, Status.FAILED: Level.ERROR}.get(status, Level.WARN)
    logs.say(tx, parent, level, f"{status.word}{note}")


def _verdict(parent: JobRow) -> tuple[Status, str | None]:
    """How a parent ends whose own run and descendants all have ended."""
    if parent.stopping in (Stopping.CANCELLED, Stopping.WITH_ANCESTOR):
        return Status.CANCELLED, None
    if parent.stopping == Stopping.FAILING or parent.own_run == OwnRun.FAILED:
        return Status.FAILED, None
    if parent.core_total and parent.core_failed == parent.core_total:
        return Status.FAILED, f"all {parent.core_total} core jobs failed"
    return Status.COMPLETED, None


def _set_error(tx: Tx, job: JobRow, error: str) -> None:
    tx.execute("update job set error = coalesce(error, $2) where id = $1", (job.id, error))


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
        job.own_run = OwnRun.STOPPED
        job.message_id = None
