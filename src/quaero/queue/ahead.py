"""How much to claim ahead of free slots: about 50 ms of work, judged by how long it took lately."""

from __future__ import annotations

AHEAD_SECONDS = 0.05
MOST = 2_000
WEIGHT = 0.1  # of the newest piece in the mean


class Ahead:
    """The mean time that pieces of work take, and what follows from it."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._mean = AHEAD_SECONDS

    def took(self, seconds: float) -> None:
        """A piece of work took so long."""
        self._mean += WEIGHT * (seconds - self._mean)

    def too_much(self) -> None:
        """What was claimed waited too long: claim nothing ahead until work proves to be short."""
        self._mean = max(self._mean, AHEAD_SECONDS)

    def pieces(self) -> int:
        """How many more than there are slots."""
        if self._mean >= AHEAD_SECONDS:
            return 0
        return min(MOST, int(self._slots * AHEAD_SECONDS / self._mean))
