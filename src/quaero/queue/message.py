"""The words of the queue: states, what is sent, what is delivered, and a lease's token."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import msgspec


class State(IntEnum):
    """Where a message is. Names are also the columns of its queue's counts."""

    READY = 0
    DELAYED = 1
    LEASED = 2
    DEAD = 3
    SCHEDULED = 4
    PARKED = 5
    SUSPECT = 6


class LaneState(IntEnum):
    """Whether a lane may start a message now."""

    EMPTY = 0
    OPEN = 1
    FULL = 2
    COOLING = 3


class Lane(NamedTuple):
    """The lane a message belongs to.

    `max_running` messages at a time, and at least `min_interval` microseconds between two starts.
    """

    key: str
    max_running: int = 1
    min_interval: int = 0


UPKEEP = Lane("upkeep")
"""The lane of what makes room: it is taken on and run when there is room for nothing else."""

COMMANDS = Lane("commands", max_running=3)
"""The lane of what somebody asks of the queue itself: it is run while the queue is paused, and as
what makes room is. Nothing else is."""

WITHOUT_ROOM = (UPKEEP, COMMANDS)
"""What is taken on and run when there is no room."""


class NewMessage(msgspec.Struct, frozen=True, gc=False):
    """A message to send.

    `payload` is JSON text, or None where the job record holds it. `delay` is in microseconds on the
    lease clock; `at` a wall time, in microseconds, before which it does not become ready. While an
    unsettled message of the queue has the same `dedup` key, the new one is not sent.
    """

    type: str
    payload: str | None = None
    job_id: int = 0
    priority: int = 0
    delay: int = 0
    at: int | None = None
    lane: Lane | None = None
    dedup: str | None = None


class Token(NamedTuple):
    """The right to settle one delivery; void once the lease number has moved on."""

    id: int
    lease_no: int


class Delivery(msgspec.Struct, frozen=True, gc=False):
    """A received message, leased to the receiver.

    `ready_at` is when it became ready, on the lease clock. `paced` says that its lane keeps an
    interval, counted from the real start.
    """

    id: int
    lease_no: int
    type: str
    payload: str | None
    job_id: int
    priority: int
    receives: int
    lane_id: int
    ready_at: int
    paced: bool = False

    @property
    def token(self) -> Token:
        """What settles this delivery."""
        return tuple.__new__(Token, (self.id, self.lease_no))  # a third of the class's own call


class Held(msgspec.Struct, frozen=True, gc=False):
    """A leased message as the database has it, when its token was found good."""

    id: int
    lease_no: int
    queue_id: int
    lane_id: int
    priority: int
    receives: int
    job_id: int
