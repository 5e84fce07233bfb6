"""The loops of the program, so that health can show which of them still turns.

Whatever runs again and again (the sweeper, the journal, the live hub, …) has a `Loop` and calls
`turn` at each round. Nothing is watched here: readers compare how long ago that was with `period`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import NamedTuple


class Turned(NamedTuple):
    """One loop as told: `ago` is seconds since its last turn, None where it never turned."""

    name: str
    period: float
    turns: int
    ago: float | None
    error: str | None


@dataclass(slots=True)
class Loop:
    """One loop; `period` is the longest pause, in seconds, that is usual between two turns."""

    name: str
    period: float
    turns: int = 0
    last: float | None = None
    error: str | None = None

    def turn(self) -> None:
        """A round went well."""
        self.turns += 1
        self.last = time.monotonic()
        self.error = None

    def failed(self, error: Exception) -> None:
        """A round failed, and the loop goes on."""
        self.turn()
        self.error = f"{type(error).__name__}: {error}"

    def told(self) -> Turned:
        """How it stands now."""
        ago = None if self.last is None else time.monotonic() - self.last
        return Turned(self.name, self.period, self.turns, ago, self.error)
