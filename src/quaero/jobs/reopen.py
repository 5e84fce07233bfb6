"""Opening jobs again that have ended: retry of what failed, with everything above it.

Counts stay exact, and what ended well is not repeated. A reopened job waits for its phase and for
what it needs, like a new one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from quaero.db.contract import ReadTx, Tx
from quaero.errors import Conflict
from quaero.jobs import deadlines, logs
from quaero.jobs.logs import Level
from quaero.jobs.messages import send_messages
from quaero.jobs.model import Hold, JobRow, OwnRun, Phase, Status, Stopping
from quaero.jobs.places import wants_place
from quaero.jobs.rows import load, load_one, store
from quaero.jobs.transition import examine, gains, recount_needs, transition
from quaero.queue import settle


def retryable(tx: ReadTx, job_id: int) -> list[int]:
    """The failed jobs of a tree, and those that were ended because others failed.

    What somebody cancelled stays cancelled, and what was below it. Those that need others come
    last, so that slices of the list may be reopened one after the other.
    """
    found: list[tuple[int, int]] = []
    below = [job_id]
    while below:
        ids = msgspec.json.encode(below).decode()
        found += [
            (needs, id_)
            for needs, id_ in tx.execute(
                """
                select exists (select 1 from need where job_id = job.id), id
                  from job where id in ints($1)
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
    return [id_ for _, id_ in sorted(found)]


def portions(tx: ReadTx, job_id: int, size: int) -> list[list[int]]:
    """What `retryable` finds, to be opened in one transaction each, of up to `size` jobs.

    The first may be larger: it holds all that hangs together, so that nothing ends or starts for
    want of what comes later. That is whatever waits for others, is waited for or has others below
    it, which would open it without running it again, and of the other jobs the first below each
    parent.
    """
    rows = tx.execute(
        """
        select id, parent_id, phase = 1 and needed = 0
               and not exists(select 1 from need where need.job_id = job.id)
          from job where id in ints($1) order by id
        """,
        (msgspec.json.encode(retryable(tx, job_id)).decode(),),
    )
    together: list[int] = []
    others: list[int] = []
    met: set[int | None] = set()
    above = {parent_id for _, parent_id, _ in rows}
    for id_, parent_id, free in rows:
        (others if free and parent_id in met and id_ not in above else together).append(id_)
        if free:
            met.add(parent_id)
    missing = max(0, size - len(together))
    first, rest = together + others[:missing], others[missing:]
    more = [rest[start : start + size] for start in range(0, len(rest), size)]
    return [first, *more] if first else []


def reopen(tx: Tx, ids: Sequence[int]) -> int:
    """Set ended jobs to pending and their ended ancestors to running; returns how many.

    One transaction; counts stay exact. Jobs that are open again already are passed over. Ancestors
    whose own run did not end well run again too. Raises `Conflict` where an ancestor was cancelled
    by somebody or is being stopped, or where one of all these is being deleted.
    """
    jobs = [job for job in load(tx, ids).values() if not job.status.open]
    for job in jobs:
        refuse_doomed(job)
    jobs = _with_ancestors(tx, jobs)
    jobs.sort(key=lambda job: (job.depth, job.id))
    needy = _with_needs(tx, jobs)
    seekers = [job for job in jobs if job.id not in needy and wants_place(job, job.parent_id)]
    gated = {job.id for job in jobs if job.id in needy or _must_wait(tx, job)}
    gated |= {job.id for job in seekers}
    settle.discard(tx, [job.message_id for job in jobs if job.message_id is not None])
    for job in jobs:
        job.round += 1
        job.attempt = 0
        job.own_run, job.stopping, job.message_id = OwnRun.OPEN, Stopping.NO, None
        job.started_at, job.warnings = None, 0
        logs.say(tx, job, Level.INFO, f"retried, round {job.round}")
    for job in seekers:
        job.held = Hold.FOR_PLACE
    store(tx, seekers)  # what is below them asks for it
    ready = [job for job in jobs if job.id not in gated and not job.held]
    send_messages(tx, ready)
    _clear_outcome(tx, [job.id for job in jobs])
    leaves = [job for job in jobs if not job.has_descendants]
    transition(tx, leaves, Status.PENDING)
    transition(tx, [job for job in jobs if job.has_descendants], Status.RUNNING)
    for job in jobs:
        if job.id in gated and job.id not in needy and job.held != Hold.FOR_PRE:
            _count_as_waiting(tx, job)
    recount_needs(tx, [*(job for job in jobs if job.id in needy), *_needing(tx, jobs)])
    for job in jobs:
        examine(tx, job)
    return len(jobs)


def _with_ancestors(tx: Tx, jobs: Sequence[JobRow]) -> list[JobRow]:
    """Reopen what has ended above jobs; returns them with those above that run again themselves.

    Left out are jobs that need one which has ended and is not reopened, and what is below such:
    they could never start.
    """
    known = {job.id: job for job in jobs} | _ended_above(tx, jobs)
    hopeless: set[int] = set()
    while True:
        kept = [job for job in jobs if hopeless.isdisjoint(_line(known, job))]
        opened = {id_ for job in kept for id_ in _line(known, job)}
        more = _hopeless(tx, known, opened, {job.id for job in kept})
        if not more:
            break
        hopeless |= more
    return [*kept, *_reopen_ancestors(tx, kept, {job.id for job in kept})]


def _ended_above(tx: ReadTx, jobs: Sequence[JobRow]) -> dict[int, JobRow]:
    """The ancestors of jobs that have ended; above one that is open all are open."""
    found: dict[int, JobRow] = {}
    above = {job.parent_id for job in jobs if job.parent_id is not None}
    while above:
        ended = {id_: row for id_, row in load(tx, above).items() if not row.status.open}
        found |= ended
        above = {row.parent_id for row in ended.values() if row.parent_id is not None}
        above -= found.keys()
    return found


def _line(known: Mapping[int, JobRow], job: JobRow) -> Iterator[int]:
    """A job and its ancestors, as far up as they are known."""
    id_: int | None = job.id
    while id_ is not None and id_ in known:
        yield id_
        id_ = known[id_].parent_id


def _hopeless(
    tx: ReadTx, known: Mapping[int, JobRow], opened: set[int], named: set[int]
) -> set[int]:
    """Those to run again that need a job which has ended otherwise than wanted and is not opened.

    To run again are the `named` ones, and of the others that are `opened` those whose own run did
    not end well.
    """
    again = [id_ for id_ in opened if id_ in named or known[id_].own_run != OwnRun.WELL]
    rows = tx.execute(
        """
        select d.job_id, d.needs_id from need d join job n on n.id = d.needs_id
         where d.job_id in ints($1) and d.any_end = 0 and n.status > 2
        """,
        (msgspec.json.encode(sorted(again)).decode(),),
    )
    return {job_id for job_id, needs_id in rows if needs_id not in opened}


def _with_needs(tx: Tx, jobs: Sequence[JobRow]) -> set[int]:
    """The jobs among these that need others: until these are counted, they wait.

    What was needed may have been deleted since, and is needed no more.
    """
    rows = tx.execute(
        """
        update job set unmet = exists (select 1 from need where job_id = job.id)
         where id in ints($1) returning id, unmet
        """,
        (msgspec.json.encode([job.id for job in jobs]).decode(),),
    )
    unmet: dict[int, int] = dict(rows)
    for job in jobs:
        job.unmet = unmet[job.id]
    return {id_ for id_, needs in rows if needs}


def _needing(tx: ReadTx, jobs: Sequence[JobRow]) -> list[JobRow]:
    """Those not begun that need one of these, which were reopened; themselves not among these."""
    needed = [job.id for job in jobs if job.needed]
    if not needed:
        return []
    rows = tx.execute(
        "select distinct job_id from need where needs_id in ints($1)",
        (msgspec.json.encode(needed).decode(),),
    )
    among = {job.id for job in jobs}
    found = load(tx, [id_ for (id_,) in rows if id_ not in among]).values()
    return [
        job
        for job in found
        if job.status.open and job.own_run == OwnRun.OPEN and job.message_id is None
    ]


def _reopen_ancestors(tx: Tx, jobs: Sequence[JobRow], among: set[int]) -> list[JobRow]:
    """Reopen the ended ancestors of jobs that are not among those which are reopened anyway.

    Returns those whose own run failed, or was stopped by another failure: they are to run again.
    What needs one of the others, and has not begun, waits for it once more.
    """
    again: list[JobRow] = []
    opened: list[JobRow] = []
    above = {job.parent_id for job in jobs if job.parent_id is not None} - among
    while above:
        parents = list(load(tx, above).values())
        ended = [parent for parent in parents if not parent.status.open]
        for parent in parents:
            if parent.status.open and parent.stopping:
                raise Conflict(f"job {parent.id} above is being stopped; try again when it ended")
            refuse_doomed(parent)
            if parent.stopping == Stopping.CANCELLED:
                raise Conflict(f"job {parent.id} was cancelled; rerun that one")
        again += [parent for parent in ended if parent.own_run != OwnRun.WELL]
        ended = [parent for parent in ended if parent.own_run == OwnRun.WELL]
        for parent in ended:
            parent.round += 1
            parent.stopping, parent.warnings = Stopping.NO, 0
            _seek_place(tx, parent)
            logs.say(tx, parent, Level.INFO, f"reopened, round {parent.round}")
        _time_again(tx, ended)
        transition(tx, ended, Status.RUNNING)
        opened += ended
        among = among | above
        above = {parent.parent_id for parent in parents if parent.parent_id is not None} - among
    recount_needs(tx, _needing(tx, opened))
    return again


def refuse_doomed(job: JobRow) -> None:
    """Raise `Conflict` where a job that has ended lacks a part of what was below it."""
    if job.stopping == Stopping.CANCELLED and job.status in (Status.COMPLETED, Status.FAILED):
        raise Conflict(f"job {job.id} is being deleted; delete it again if that was interrupted")


def _time_again(tx: Tx, jobs: Sequence[JobRow]) -> None:
    """What goes on without running again itself has its time and tries once more, and no error."""
    tx.execute(
        "update job set error = null, tries = tries_given where id in ints($1)",
        (msgspec.json.encode([job.id for job in jobs]).decode(),),
    )
    deadlines.renew(tx, jobs)


def _clear_outcome(tx: Tx, ids: Sequence[int]) -> None:
    tx.execute(
        """
        update job set error = null, result = null, state = null, deadline = null,
               tries = tries_given,
               progress_current = null, progress_total = null, progress_text = null
         where id in ints($1)
        """,
        (msgspec.json.encode(ids).decode(),),
    )


def _must_wait(tx: Tx, job: JobRow) -> bool:
    """Whether the phase of a reopened job has not begun."""
    if job.parent_id is None:
        return False
    if job.phase == Phase.POST:
        return True
    parent = load_one(tx, job.parent_id)
    gained = gains(tx, parent)
    pre_open = parent.pre_open + (0 if gained is None else gained["pre_open"])
    return job.phase == Phase.CORE and bool(pre_open or parent.pre_failed)


def _seek_place(tx: Tx, job: JobRow) -> None:
    """Have a job that goes on without running again wait for a place, where it needs one."""
    if wants_place(job, job.parent_id):
        job.held = Hold.FOR_PLACE
        _count_as_waiting(tx, job)


def _count_as_waiting(tx: Tx, job: JobRow) -> None:
    column = "wait_post" if job.phase == Phase.POST else "wait_core"
    tx.execute(f"update job set {column} = {column} + 1 where id = $1", (job.parent_id,))


def reopen_parent(tx: Tx, job_id: int) -> JobRow:
    """Let an ended job take children again; its own run is not repeated. Returns it, open.

    Raises `NotFound`, or `Conflict` where it was cancelled.
    """
    job = load_one(tx, job_id)
    if job.status.open:
        return job
    refuse_doomed(job)
    if job.status is Status.CANCELLED or job.own_run != OwnRun.WELL:
        raise Conflict(f"job {job_id} is {job.status.word} and cannot go on; rerun it")
    open_above(tx, job)
    job.round += 1
    job.stopping, job.warnings = Stopping.NO, 0
    _seek_place(tx, job)
    _time_again(tx, [job])
    transition(tx, [job], Status.RUNNING)
    recount_needs(tx, _needing(tx, [job]))
    logs.say(tx, job, Level.INFO, f"reopened, round {job.round}")
    examine(tx, job)
    return job


def open_above(tx: Tx, job: JobRow) -> None:
    """Open whatever has ended above a job. Raises `Conflict` where that cannot go on."""
    again = _reopen_ancestors(tx, [job], {job.id})
    if again and reopen(tx, [each.id for each in again]) < len(again):
        raise Conflict(f"what is above job {job.id} needs a job that did not end well; retry that")
