"""Creating jobs: the record and its message in one transaction, many at once.

A job that may run has a message from the start. A child of a phase that has not begun has none
until the transaction that begins the phase.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from quaero.db.contract import Row, Tx
from quaero.errors import BadInput, Conflict, DiskFull
from quaero.jobs import logs
from quaero.jobs.logs import Level
from quaero.jobs.messages import without_place
from quaero.jobs.model import MAX_DEPTH, Hold, JobRow, JobSpec, Need, Phase
from quaero.jobs.places import wants_place
from quaero.jobs.rows import load, load_one
from quaero.jobs.transition import entered, examine, gains
from quaero.queue.message import WITHOUT_ROOM, NewMessage
from quaero.queue.send import send


def create(tx: Tx, queue_id: int, specs: Sequence[JobSpec], parent_id: int | None = None) -> range:
    """Create jobs, at the top or as children; returns their ids in order.

    Raises `NotFound` for the parent, `Conflict` where it has ended or is being cancelled,
    `BadInput` below eight levels, and `DiskFull` for work at the top when room runs out.
    """
    if not specs:
        return range(0)
    if parent_id is None and not tx.roomy and any(spec.lane not in WITHOUT_ROOM for spec in specs):
        raise DiskFull(
            "there is too little room where the database lies to begin new work; free some, or "
            "delete old jobs with `quaero cleanup`. What is under way goes on."
        )
    parent = None if parent_id is None else load_one(tx, parent_id)
    if parent is not None:
        accept_children(parent)
    return insert(tx, queue_id, specs, parent)


def accept_children(parent: JobRow) -> None:
    """Raise where a parent cannot have another child."""
    if not parent.status.open:
        raise Conflict(f"job {parent.id} is {parent.status.word}; it takes no more children")
    if parent.stopping:
        raise Conflict(f"job {parent.id} is being cancelled; it takes no more children")


def insert(tx: Tx, queue_id: int, specs: Sequence[JobSpec], parent: JobRow | None) -> range:
    """Create jobs under a parent that is known to be open.

    Raises `BadInput` below eight levels, for a child that is held, as its parent would wait, and
    for needs of a job at the top or of what does not come before.
    """
    if parent is not None and parent.depth + 1 > MAX_DEPTH:
        raise BadInput(f"job {parent.id} lies {parent.depth} deep; {MAX_DEPTH} is the most")
    if parent is not None and any(spec.held for spec in specs):
        raise BadInput(f"a child of job {parent.id} cannot be held; hold a job at the top")
    needed = _needed(specs, parent)
    ids = tx.ids("job", len(specs))
    blocked = frozenset(id_ for id_, spec in zip(ids, specs, strict=True) if spec.needs)
    waiting = _waiting(tx, specs, ids, parent) - blocked
    holds = _holds(tx, specs, ids, parent, waiting | blocked)
    messages = _send(tx, queue_id, specs, ids, waiting | blocked | holds.keys())
    waiting |= {id_ for id_, hold in holds.items() if hold is Hold.FOR_PLACE}
    tx.execute(
        """
        insert into job(id, parent_id, root_id, depth, type, phase, name, description, status,
                        priority, payload, rerun_of, held, created_at, run_at, message_id, queue_id,
                        max_child_failures, failure_action, lane, timeout, unmet, needed, vital,
                        tries, tries_given, try_wait)
        select value ->> 0, $2, coalesce($3, value ->> 0), $4, value ->> 1, value ->> 2,
               value ->> 3, value ->> 4, 0, value ->> 5, value ->> 6, value ->> 7, value ->> 8,
               $5, value ->> 9, value ->> 10, $6, value ->> 11, value ->> 12, value ->> 13,
               value ->> 14, value ->> 15, value ->> 16, value ->> 17, value ->> 18, value ->> 18,
               value ->> 19
          from each($1)
        """,
        (
            msgspec.json.encode(
                [
                    _values(
                        id_,
                        spec,
                        messages.get(id_),
                        holds.get(id_, Hold.NO),
                        needed=place in needed,
                    )
                    for place, (id_, spec) in enumerate(zip(ids, specs, strict=True))
                ]
            ).decode(),
            parent.id if parent else None,
            parent.root_id if parent else None,
            parent.depth + 1 if parent else 0,
            tx.now,
            queue_id,
        ),
    )
    if blocked:
        _note_needs(tx, specs, ids)
    jobs = load(tx, ids)
    entered(tx, [jobs[id_] for id_ in ids], waiting=waiting)
    for id_ in ids:
        logs.say(tx, jobs[id_], Level.INFO, "created")
    if parent is not None:
        examine(tx, parent)
    return ids


def _needed(specs: Sequence[JobSpec], parent: JobRow | None) -> set[int]:
    """The places of jobs that others need."""
    needed = set()
    for place, spec in enumerate(specs):
        for need in spec.needs:
            if parent is None or not 0 <= need.place < place:
                raise BadInput(
                    f"job {spec.name or spec.type!r} needs the one at place {need.place}: only "
                    f"children of one parent, created together, can need those before them"
                )
            needed.add(need.place)
    return needed


def _note_needs(tx: Tx, specs: Sequence[JobSpec], ids: range) -> None:
    edges = [
        (id_, ids[place], int(Need(place, any_end=False) not in spec.needs))
        for id_, spec in zip(ids, specs, strict=True)
        for place in {need.place for need in spec.needs}
    ]
    tx.execute(
        """
        insert into need(job_id, needs_id, any_end)
        select value ->> 0, value ->> 1, value ->> 2 from each($1)
        """,
        (msgspec.json.encode(edges).decode(),),
    )


def _waiting(tx: Tx, specs: Sequence[JobSpec], ids: range, parent: JobRow | None) -> frozenset[int]:
    """The children whose phase has not begun."""
    if parent is None:
        return frozenset()
    gained = gains(tx, parent)
    pre_open = parent.pre_open + (gained["pre_open"] if gained else 0)
    gated = pre_open or parent.pre_failed or any(s.phase is Phase.PRE for s in specs)
    return frozenset(
        id_
        for id_, spec in zip(ids, specs, strict=True)
        if spec.phase is Phase.POST or (spec.phase is Phase.CORE and gated)
    )


def _holds(
    tx: Tx, specs: Sequence[JobSpec], ids: range, parent: JobRow | None, waiting: frozenset[int]
) -> dict[int, Hold]:
    """Why jobs are held: by hand, or because they need a place, or something above them does."""
    above = parent is not None and parent.depth > 0 and bool(without_place(tx, [parent.id]))
    holds: dict[int, Hold] = {}
    for id_, spec in zip(ids, specs, strict=True):
        if spec.held:
            holds[id_] = Hold.BY_HAND
        elif parent is not None and not spec.needs and wants_place(spec, parent.id):
            holds[id_] = Hold.FOR_PLACE
        elif above and id_ not in waiting:
            holds[id_] = Hold.WITH_ANCESTOR
    return holds


def _send(
    tx: Tx, queue_id: int, specs: Sequence[JobSpec], ids: range, blocked: frozenset[int]
) -> dict[int, int]:
    """The messages of the jobs that may run, by job id."""
    ready = [(id_, spec) for id_, spec in zip(ids, specs, strict=True) if id_ not in blocked]
    sent = send(
        tx,
        queue_id,
        [
            NewMessage(s.type, job_id=id_, priority=s.priority, at=s.run_at, lane=s.lane)
            for id_, s in ready
        ],
    )
    return {id_: message for (id_, _), message in zip(ready, sent, strict=True)}


def _values(
    id_: int, spec: JobSpec, message_id: int | None, hold: Hold, *, needed: bool
) -> Row:  # fmt: skip
    lane = None if spec.lane is None else msgspec.json.encode(spec.lane).decode()
    return (
        id_, spec.type, spec.phase, spec.name or spec.type, spec.description, spec.priority,
        spec.payload, spec.rerun_of, hold, spec.run_at, message_id,
        spec.max_child_failures, spec.failure_action, lane, spec.timeout,
        len({need.place for need in spec.needs}), int(needed), int(spec.vital), spec.tries,
        spec.try_wait,
    )  # fmt: skip
