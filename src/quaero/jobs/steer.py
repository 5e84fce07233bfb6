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
from quaero.jobs.create import accept_children, create, insert
from quaero.jobs.logs import Level
from quaero.jobs.messages import send_messages
from quaero.jobs.model import FailureAction, Hold, JobRow, JobSpec, Phase, Status, Stopping
from quaero.jobs.places import wants_place
from quaero.jobs.reopen import open_above, reopen
from quaero.jobs.rows import deepest_first, load, load_one, select, store
from quaero.jobs.transition import (
    STOP_AT_ONCE,
    release,
    removed,
    stop,
    stop_more,
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


def fail(tx: Tx, job_id: int, reason: str, how: str = "failed by hand") -> None:
    """End a job as failed, fenced like a cancel; it is not tried again by itself.

    Its log says how that came, and the reason. Raises `NotFound`, or `Conflict` where it has ended
    or is being stopped.
    """
    job = load_one(tx, job_id)
    if not job.status.open:
        raise Conflict(f"job {job_id} is {job.status.word} already")
    if job.stopping:
        raise Conflict(f"job {job_id} is being stopped already")
    tx.execute("update job set error = $2, tries = 0 where id = $1", (job_id, reason))
    logs.say(tx, job, Level.ERROR, f"{how}: {reason}")
    stop(tx, job, Stopping.FAILING)


def cancel_more(tx: Tx) -> bool:
    """End more of what is stopping; True while there is something left."""
    jobs = select(tx, "stopping > 0 and status < 2 order by id limit 10", ())
    share = max(1, STOP_AT_ONCE // max(1, len(jobs)))
    touched = sum(stop_more(tx, job, share) for job in jobs)
    return touched > 0


# -- running again


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


def rerun(tx: Tx, job_id: int, payload: str | None = None) -> int:
    """A new job with the same payload, or another one, that starts now; returns its id.

    A child is run again as a new child of the same parent, which is reopened if it has ended.
    Raises `NotFound`, `Conflict` where the parent cannot go on (it was cancelled, or a pre job of
    it did not end well and is to be retried itself), or `DiskFull` at the top when room runs out.
    """
    spec = replace(_spec_of(tx, job_id, payload), rerun_of=job_id)
    job = load_one(tx, job_id)
    if job.parent_id is None:
        return create(tx, job.queue_id, [spec])[0]
    open_above(tx, job)
    parent = load_one(tx, job.parent_id)
    accept_children(parent)
    if parent.pre_failed:
        raise Conflict(f"a pre job of job {parent.id} did not end well; retry that one")
    return insert(tx, job.queue_id, [spec], parent)[0]


def copy(tx: Tx, job_id: int, payload: str | None = None) -> int:
    """An independent job like this one, held until `start`; returns its id.

    Raises `NotFound`, or `DiskFull` when room runs out.
    """
    job = load_one(tx, job_id)
    spec = replace(_spec_of(tx, job_id, payload), held=True, phase=Phase.CORE)
    if wants_place(job, job.parent_id):
        spec = replace(spec, lane=None)
    return create(tx, job.queue_id, [spec])[0]


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

    Logs, attempts and messages go along. What is not all gone by one call is not opened again from
    then on, and does not begin. Raises `Conflict` while the job is running; cancel it first. A
    pending one may be deleted as it is.
    """
    return _delete(tx, job_id, whole=True)


def delete_below(tx: Tx, job_id: int) -> int:
    """`delete` for all that lies below a job; the job itself stays."""
    return _delete(tx, job_id, whole=False)


def _delete(tx: Tx, job_id: int, *, whole: bool) -> int:
    found = load(tx, [job_id])
    if job_id not in found:
        return 0
    job = found[job_id]
    if job.status is Status.RUNNING or job.n_running:
        raise Conflict(f"job {job_id} or something below it is running; cancel it first")
    doomed = _lowest(tx, job, SLICE)
    if not whole:
        doomed = [each for each in doomed if each.id != job_id]
    ids = [each.id for each in doomed]
    settle.discard(tx, [each.message_id for each in doomed if each.message_id is not None])
    wanted = msgspec.json.encode(ids).decode()
    tx.execute("delete from job where id in ints($1)", (wanted,))
    tx.execute("delete from job_attempt where job_id in ints($1)", (wanted,))
    tx.execute("delete from idempotency where job_id in ints($1)", (wanted,))
    logs.delete(tx, ids)
    removed(tx, doomed)
    _forget_needs(tx, doomed)
    if doomed and job_id not in ids:
        doom(tx, job_id)
    return len(doomed)


def doom(tx: Tx, job_id: int) -> None:
    """Have a job not be opened again, nor begin: what is below it is being deleted."""
    job = load_one(tx, job_id)
    if job.status.open and not job.stopping:
        stop(tx, job, Stopping.CANCELLED)
    tx.execute("update job set stopping = 1 where id = $1", (job_id,))


def _forget_needs(tx: Tx, doomed: Sequence[JobRow]) -> None:
    """Whoever needed a deleted job that had not ended cannot start any more."""
    if ended := [job for job in doomed if job.needed]:
        for job in ended:
            job.status = job.status if not job.status.open else Status.CANCELLED
        while ended:
            ended = [job for job in release(tx, ended) if job.needed]
    ids = msgspec.json.encode([job.id for job in doomed]).decode()
    tx.execute("delete from need where job_id in ints($1)", (ids,))
    tx.execute("delete from need where needs_id in ints($1)", (ids,))


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


def purge(tx: Tx, queue_id: int, up_to: int) -> int:
    """Remove up to a thousand messages that nobody holds, and cancel their jobs.

    What was sent after the message `up_to` stays. Returns how many; 0 when nothing is left.
    """
    ids = unheld(tx, queue_id, SLICE, up_to)
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
