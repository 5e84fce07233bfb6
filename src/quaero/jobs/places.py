"""Places: how many children of one parent are under way at once, each with all that is below it.

A child whose lane is named after its parent takes a place before it begins, and gives it back when
it has ended with everything below. While it waits for one nothing in its tree has a message: what
could start otherwise is held with it. The transaction that ends a child begins the next, oldest
first.
"""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from quaero.db.contract import ReadTx, Tx
from quaero.jobs.messages import message_of, send_messages
from quaero.jobs.model import Hold, JobRow, JobSpec, OwnRun, Phase
from quaero.jobs.rows import select, store
from quaero.queue.message import Lane

_WITH_THOSE_BELOW = """
    with recursive below(id) as (
        select id from job where id in ints($1)
        union all
        select j.id from below b join job j on j.parent_id = b.id
         where j.parent_id is not null and j.status < 2 and j.held <> 3)
    select id from below
"""  # open ones, but what waits for a place of its own, with all that is below that


def lane_of_children(parent_id: int, most: int) -> Lane:
    """The lane of children of which `most` are under way at once."""
    return Lane(f"step {parent_id}", most)


def wants_place(job: JobRow | JobSpec, parent_id: int | None) -> bool:
    """Whether a child of this parent begins only when there is a place for it."""
    if parent_id is None or job.lane is None or job.phase != Phase.CORE:
        return False
    lane = message_of(job).lane if isinstance(job, JobRow) else job.lane
    return lane is not None and lane.key == lane_of_children(parent_id, 1).key


def give_places(tx: Tx, parent: JobRow) -> bool:
    """Begin as many children as there are places for; False where none waits for one."""
    first = _without_place(tx, parent, 1)
    if not first:
        return False
    lane = message_of(first[0]).lane
    room = 0 if lane is None else lane.max_running - (parent.core_open - parent.wait_core)
    children = _without_place(tx, parent, room) if room > 0 else []
    for child in children:
        after_pre = child.own_run == OwnRun.OPEN and child.pre_open
        child.held = Hold.FOR_PRE if after_pre else Hold.NO
    send_messages(tx, [each for each in children if each.own_run == OwnRun.OPEN and not each.held])
    store(tx, children)
    tx.execute(
        "update job set wait_core = wait_core - $2 where id = $1", (parent.id, len(children))
    )
    opened = [child.id for child in children if child.n_open]
    _send_below(tx, opened)
    _renew_times(tx, [child.id for child in children if child.own_run != OwnRun.OPEN])
    return True


def _without_place(tx: ReadTx, parent: JobRow, limit: int) -> list[JobRow]:
    return select(
        tx,
        """
        parent_id = $1 and status < 2 and parent_id is not null and held = 3 and stopping = 0
        order by id limit $2
        """,
        (parent.id, limit),
    )


def _renew_times(tx: Tx, ids: Collection[int]) -> None:
    """Let the time of jobs that go on begin now that they have their places, and below them."""
    if ids:
        tx.execute(
            f"""
            update job set deadline = $2 + time_limit
             where id in ({_WITH_THOSE_BELOW}) and time_limit is not null and deadline is not null
            """,
            (msgspec.json.encode(sorted(ids)).decode(), tx.lease_now),
        )


def _send_below(tx: Tx, ids: Collection[int]) -> None:
    """Send what was held below jobs that have got their places."""
    if not ids:
        return
    jobs = select(
        tx,
        f"held = 4 and own_run = 0 and id in ({_WITH_THOSE_BELOW}) order by id",
        (msgspec.json.encode(sorted(ids)).decode(),),
    )
    for job in jobs:
        job.held = Hold.NO
    send_messages(tx, jobs)
    store(tx, jobs)
