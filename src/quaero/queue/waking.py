"""Whether the machine has slept lately: then leases have run out that nobody could renew.

The lease clock goes on while a machine sleeps, and `perf_counter` does not, so a sleep shows as a
step of the one against the other. Every process wakes with leases that look lost; for a short time
each renews its own and takes none from the others, who may not have come to it yet.
"""

from __future__ import annotations

from time import perf_counter

from quaero.clock import SECOND

SLEPT_SECONDS = 1.0
WAKING_SECONDS = 5.0


class Waking:
    """One consumer's view of it; to be asked more often than machines are put to sleep."""

    def __init__(self, lease_now: int) -> None:
        self._ahead = lease_now / SECOND - perf_counter()
        self._woke = -WAKING_SECONDS

    def lately(self, lease_now: int) -> bool:
        """Whether the machine woke within the last `WAKING_SECONDS`."""
        now = perf_counter()
        ahead = lease_now / SECOND - now
        if ahead - self._ahead > SLEPT_SECONDS:
            self._woke = now
        self._ahead = ahead
        return now - self._woke < WAKING_SECONDS
