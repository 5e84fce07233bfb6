"""What people do to jobs: cancel, fail, retry, requeue, rerun, copy, start, reprioritise, delete.

Each is a function of the database, or a few: what may touch many jobs works in slices, every slice
a whole transaction with exact counts, so that no worker waits long. `jobs.actions` strings the
slices together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from quaero.db.contract import ReadTx, Tx
from quaero.errors import BadInput, Conflict, NotFound
from quaero.jobs import feed, logs
from quaero.jobs.create import accept_children, insert
from quaero.jobs.logs import Level
from quaero.jobs.model import FailureAction, Hold, JobRow, JobSpec, OwnRun, Phase, Status, Stopping
from quaero.jobs.rows import deepest_first, load, load_one, select, store
from quaero.jobs.transition import (
    STOP_AT_ONCE,
    examine,
    removed,
    send_messages,
    stop,
    stop_more,
    transition,
)
from quaero.queue import settle
from quaero.queue.message import Lane
from quaero.queue.queue import unheld

SLICE = 1_000


def cancel(tx: Tx, job_id: int) -> Status:
    """End a job and all below it: nothing of it starts or commits after this transaction.

    Up to a thousand jobs end here, the rest by `cancel_more`. Cancelling what has ended already
    changes nothing. Returns the status the job had. Raises `NotFound`.
    """
    job = load_one(tx, job_id)
    before = job.status
    if before.open and not job.stopping:
        logs.say(tx, job, Level.WARN, "cancel asked for")
        stop(tx, job, Stopping.CANCELLED)
    return before


def fail(tx: Tx, job_id: int, reason: str) -> None:
    """End a job as failed, fenced like a cancel. Raises `NotFound`, or `Conflict` if it ended."""
    job = load_one(tx, job_id)
    if not job.status.open:
        raise Conflict(f"job {job_id} is {job.status.word} already")
    tx.execute("update job set error = $2 where id = $1", (job_id, reason))
    logs.say(tx, job, Level.ERROR, f"failed by hand: {reason}")
    stop(tx, job, Stopping.FAILING)


def cancel_more(tx: Tx) -> bool:
    """End more of what is stopping; True while there is something left."""
    jobs = select(tx, "stopping > 0 and status < 2 order by id limit 10", ())
    share = max(1, STOP_AT_ONCE // max(1, len(jobs)))
    touched = sum(stop_more(tx, job, share) for job in jobs)
    return touched > 0


# -- running again


def retryable(tx: ReadTx, job_id: int) -> list[int]:
    """The failed jobs of a tree, and those that were ended because others failed.

    What somebody cancelled stays cancelled, and what was below it.
    """
    found: list[int] = []
    below = [job_id]
    while below:
        ids = msgspec.json.encode(below).decode()
        found += [
            row[0]
            for row in tx.execute(
                """
                select id from job where id in ints($1)
                   and ((status = 3 and own_run in (2, 3)) or (status = 4 and stopping = 3))
                """,
                (ids,),
            )
        ]
        below = [
            row[0]
            for row in tx.execute(
                """
                select id from job where parent_id in ints($1) and parent_id is not null
                   and (status > 2 or n_failed > 0 or n_cancelled > 0)
                   and not (status = 4 and stopping = 1)
                """,
                (ids,),
            )
        ]
    return sorted(found)


def reopen(tx: Tx, ids: Sequence[int]) -> int:
    """Set ended jobs to pending and their ended ancestors to running; returns how many.

    One transaction; counts stay exact. Jobs that are open again already are passed over. Ancestors
    whose own run did not end well run again too. Raises `Conflict` where an ancestor was cancelled
    by somebody or is being stopped.
    """
    jobs = [job for job in load(tx, ids).values() if not job.status.open]
    jobs += _reopen_ancestors(tx, jobs)
    jobs.sort(key=lambda job: (job.depth, job.id))
    gated = [job for job in jobs if _must_wait(tx, job)]
    settle.discard(tx, [job.message_id for job in jobs if job.message_id is not None])
    for job in jobs:
        job.round += 1
        job.attempt = 0
        job.own_run, job.stopping, job.message_id = OwnRun.OPEN, Stopping.NO, None
        job.started_at, job.warnings = None, 0
        logs.say(tx, job, Level.INFO, f"retried, round {job.round}")
    ready = [job for job in jobs if job not in gated and not job.held]
    send_messages(tx, ready)
    _clear_outcome(tx, [job.id for job in jobs])
    leaves = [job for job in jobs if not job.has_descendants]
    transition(tx, leaves, Status.PENDING)
    transition(tx, [job for job in jobs if job.has_descendants], Status.RUNNING)
    for job in gated:
        _count_as_waiting(tx, job)
    for job in jobs:
        examine(tx, job)
    return len(jobs)


def _reopen_ancestors(tx: Tx, jobs: Sequence[JobRow]) -> list[JobRow]:
    """Reopen the ended ancestors of jobs.

    Returns those whose own run failed, or was stopped by another failure: they are to run again.
    """
    again: list[JobRow] = []
    among = {job.id for job in jobs}
    above = {job.parent_id for job in jobs if job.parent_id is not None} - among
    while above:
        parents = list(load(tx, above).values())
        ended = [parent for parent in parents if not parent.status.open]
        for parent in parents:
            if parent.status.open and parent.stopping:
                raise Conflict(f"job {parent.id} above is being stopped; try again when it ended")
            if parent.stopping == Stopping.CANCELLED:
                raise Conflict(f"job {parent.id} above was cancelled; rerun that one")
        again += [parent for parent in ended if parent.own_run != OwnRun.WELL]
        ended = [parent for parent in ended if parent.own_run == OwnRun.WELL]
        for parent in ended:
            parent.round += 1
            parent.stopping, parent.warnings = Stopping.NO, 0
            logs.say(tx, parent, Level.INFO, f"reopened, round {parent.round}")
        for parent in ended:
            tx.execute("update job set error = null where id = $1", (parent.id,))
        transition(tx, ended, Status.RUNNING)
        among |= above
        above = {parent.parent_id for parent in parents if parent.parent_id is not None} - among
    return again


def _clear_outcome(tx: Tx, ids: Sequence[int]) -> None:
    tx.execute(
        """
        update job set error = null, result = null, state = null, progress_current = null,
               progress_total = null, progress_text = null where id in ints($1)
        """,
        (msgspec.json.encode(ids).decode(),),
    )


def _must_wait(tx: Tx, job: JobRow) -> bool:
    """Whether the phase of a reopened job has not begun."""
    if job.parent_id is None:
        return False
    parent = load_one(tx, job.parent_id)
    if job.phase == Phase.POST:
        return True
    return job.phase == Phase.CORE and bool(parent.pre_open or parent.pre_failed)


def _count_as_waiting(tx: Tx, job: JobRow) -> None:
    column = "wait_post" if job.phase == Phase.POST else "wait_core"
    tx.execute(f"update job set {column} = {column} + 1 where id = $1", (job.parent_id,))


def requeue(tx: Tx, message_ids: Sequence[int]) -> int:
    """Give dead letters another try; jobs' letters reopen their jobs. Returns how many.

    Raises `NotFound` where none of the ids is a dead letter.
    """
    rows = tx.execute(
        "select id, job_id from message where id in ints($1) and state = 3",
        (msgspec.json.encode(message_ids).decode(),),
    )
    if message_ids and not rows:
        raise NotFound(f"no dead letter with id {', '.join(map(str, message_ids))}")
    plain = [id_ for id_, job_id in rows if not job_id]
    jobs = [job_id for _, job_id in rows if job_id]
    return len(settle.requeue(tx, plain)) + (reopen(tx, jobs) if jobs else 0)


def drop_dead(tx: Tx, message_ids: Sequence[int]) -> int:
    """Delete dead letters; their jobs stay failed. Returns how many there were."""
    rows = tx.execute(
        "select id, job_id from message where id in ints($1) and state = 3",
        (msgspec.json.encode(message_ids).decode(),),
    )
    jobs = list(load(tx, [job_id for _, job_id in rows if job_id]).values())
    for job in jobs:
        job.message_id = None
    store(tx, jobs)
    return len(settle.discard(tx, [id_ for id_, _ in rows]))


def reopen_parent(tx: Tx, job_id: int) -> JobRow:
    """Let an ended job take children again; its own run is not repeated. Returns it, open.

    Raises `NotFound`, or `Conflict` where it was cancelled.
    """
    job = load_one(tx, job_id)
    if job.status.open:
        return job
    if job.status is Status.CANCELLED or job.own_run != OwnRun.WELL:
        raise Conflict(f"job {job_id} is {job.status.word} and cannot go on; rerun it")
    _open_above(tx, job)
    job.round += 1
    job.stopping, job.warnings = Stopping.NO, 0
    tx.execute("update job set error = null where id = $1", (job_id,))
    transition(tx, [job], Status.RUNNING)
    logs.say(tx, job, Level.INFO, f"reopened, round {job.round}")
    examine(tx, job)
    return job


def _open_above(tx: Tx, job: JobRow) -> None:
    """Open whatever has ended above a job."""
    if again := _reopen_ancestors(tx, [job]):
        reopen(tx, [each.id for each in again])


def rerun(tx: Tx, job_id: int, payload: str | None = None) -> int:
    """A new job with the same payload, or another one, that starts now; returns its id.

    A child is run again as a new child of the same parent, which is reopened if it has ended.
    Raises `NotFound`, or `Conflict` where the parent cannot go on: it was cancelled, or a pre job
    of it did not end well and is to be retried itself.
    """
    spec = replace(_spec_of(tx, job_id, payload), rerun_of=job_id)
    job = load_one(tx, job_id)
    parent = None
    if job.parent_id is not None:
        _open_above(tx, job)
        parent = load_one(tx, job.parent_id)
        accept_children(parent)
        if parent.pre_failed:
            raise Conflict(f"a pre job of job {parent.id} did not end well; retry that one")
    (new,) = insert(tx, job.queue_id, [spec], parent)
    return new


def copy(tx: Tx, job_id: int, payload: str | None = None) -> int:
    """An independent job like this one, held until `start`; returns its id."""
    job = load_one(tx, job_id)
    spec = replace(_spec_of(tx, job_id, payload), held=True, phase=Phase.CORE)
    (new,) = insert(tx, job.queue_id, [spec], None)
    return new


def start(tx: Tx, job_id: int, payload: str | None = None) -> None:
    """Let a held job go, with another payload if one is given.

    Raises `NotFound`, or `Conflict` where it is not held or has ended.
    """
    job = load_one(tx, job_id)
    if not job.status.open:
        raise Conflict(f"job {job_id} is {job.status.word} already")
    if job.held != Hold.BY_HAND:
        raise Conflict(f"job {job_id} is not held: it was started already")
    if payload is not None:
        tx.execute("update job set payload = $2 where id = $1", (job_id, payload))
    job.held = Hold.NO
    send_messages(tx, [job])
    store(tx, [job])
    logs.say(tx, job, Level.INFO, "started by hand")
    feed.changed(tx, job.root_id, job.id)


def _spec_of(tx: ReadTx, job_id: int, payload: str | None) -> JobSpec:
    rows = tx.execute(
        """
        select type, payload, phase, name, description, priority, lane, max_child_failures,
               failure_action, timeout from job where id = $1
        """,
        (job_id,),
    )
    if not rows:
        raise NotFound(f"there is no job {job_id}")
    type_, own, phase, name, description, priority, lane, limit, action, timeout = rows[0]
    return JobSpec(
        type_,
        own if payload is None else payload,
        Phase(phase),
        name,
        description,
        priority,
        lane=None if lane is None else Lane(*msgspec.json.decode(lane)),
        max_child_failures=limit,
        failure_action=FailureAction(action),
        timeout=timeout,
    )


# -- records


def update(
    tx: Tx,
    job_id: int,
    *,
    name: str | None = None,
    description: str | None = None,
    priority: int | None = None,
) -> None:
    """Change what may be changed of a job; its waiting message follows the priority.

    An empty description is none. Raises `NotFound`, or `BadInput` for an empty name.
    """
    job = load_one(tx, job_id)
    if name is not None and not name.strip():
        raise BadInput("a job's name cannot be empty")
    tx.execute(
        """
        update job set name = coalesce($2, name),
               description = nullif(coalesce($3, description), ''),
               priority = coalesce($4, priority), rev = rev + 1 where id = $1
        """,
        (job_id, name, description, priority),
    )
    if priority is not None and job.message_id is not None:
        settle.reprioritise(tx, [job.message_id], priority)
    feed.changed(tx, job.root_id, job.id)


def delete(tx: Tx, job_id: int) -> int:
    """Delete up to a thousand jobs of a tree, lowest first; returns how many, 0 when all is gone.

    Logs, attempts and messages go along. Raises `Conflict` while the job is running; cancel it
    first. A pending one may be deleted as it is.
    """
    found = load(tx, [job_id])
    if job_id not in found:
        return 0
    job = found[job_id]
    if job.status is Status.RUNNING or job.n_running:
        raise Conflict(f"job {job_id} or something below it is running; cancel it first")
    doomed = _lowest(tx, job, SLICE)
    ids = [each.id for each in doomed]
    settle.discard(tx, [each.message_id for each in doomed if each.message_id is not None])
    wanted = msgspec.json.encode(ids).decode()
    tx.execute("delete from job where id in ints($1)", (wanted,))
    tx.execute("delete from job_attempt where job_id in ints($1)", (wanted,))
    tx.execute("delete from idempotency where job_id in ints($1)", (wanted,))
    logs.delete(tx, ids)
    removed(tx, doomed)
    return len(doomed)


def _lowest(tx: ReadTx, job: JobRow, limit: int) -> list[JobRow]:
    """Up to `limit` jobs of a tree, each after everything below it."""
    below: list[JobRow] = []
    children = select(
        tx, "parent_id = $1 and parent_id is not null order by id limit $2", (job.id, limit)
    )
    for child in children:
        if len(below) >= limit:
            return below
        below += _lowest(tx, child, limit - len(below)) if child.has_descendants else [child]
    if len(children) < limit and len(below) < limit:
        below.append(job)
    return below


def purge(tx: Tx, queue_id: int) -> int:
    """Remove up to a thousand messages that nobody holds, and cancel their jobs.

    Returns how many; 0 when nothing is left.
    """
    ids = unheld(tx, queue_id, SLICE)
    jobs = load(tx, [job_id for _, job_id in _jobs_of(tx, ids)])
    for job in deepest_first(jobs.values()):
        if job.status.open and not job.stopping:
            stop(tx, job, Stopping.CANCELLED)
        elif job.message_id is not None:
            job.message_id = None
            store(tx, [job])
    return len(ids) if settle.discard(tx, ids) or jobs else 0


def _jobs_of(tx: ReadTx, message_ids: Sequence[int]) -> list[tuple[int, int]]:
    rows = tx.execute(
        "select id, job_id from message where id in ints($1) and job_id <> 0",
        (msgspec.json.encode(message_ids).decode(),),
    )
    return [(id_, job_id) for id_, job_id in rows]
