"""Beginning the children of a parent that waited for their phase, for others, or for a place."""

from __future__ import annotations

from quaero.db.contract import Tx
from quaero.jobs import logs
from quaero.jobs.logs import Level
from quaero.jobs.messages import send_messages
from quaero.jobs.model import JobRow, Phase
from quaero.jobs.places import give_places
from quaero.jobs.rows import select, store


def begin_core(tx: Tx, parent: JobRow, *, look: bool) -> None:
    """Begin the core children that may; of those that need a place as many as there are.

    `look` says that some may wait that need no place, though others do.
    """
    if look:
        begin(tx, parent, Phase.CORE)
    if parent.wait_core and not give_places(tx, parent):
        begin(tx, parent, Phase.CORE)


def begin(tx: Tx, parent: JobRow, phase: Phase) -> None:
    """Send the messages of the children that waited for a phase."""
    waiting = select(
        tx,
        """
        parent_id = $1 and status < 2 and parent_id is not null and phase = $2
        and message_id is null and own_run = 0 and held = 0 and unmet = 0 order by id
        """,
        (parent.id, phase),
    )
    send_messages(tx, waiting)
    store(tx, waiting)
    column = "wait_post" if phase is Phase.POST else "wait_core"
    tx.execute(f"update job set {column} = {column} - $2 where id = $1", (parent.id, len(waiting)))
    if phase is Phase.CORE:
        parent.wait_core -= len(waiting)
    if waiting:
        name = phase.name.lower()
        logs.say(tx, parent, Level.INFO, f"{len(waiting)} {name} jobs may start")
