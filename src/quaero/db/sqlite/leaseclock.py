"""The lease clock of a database: leases, delays and intervals are measured on it.

It is the machine's boot-time clock plus an offset kept in the database, so that all processes of a
machine agree, and a step of the wall clock neither hides work nor gives it away. Under another
boot id the offset is chosen anew so that the clock never goes back, and what was leased before
the restart is free at once. What it remembers of the time before is up to a minute old.
"""

from __future__ import annotations

from quaero.clock import MINUTE, Clock
from quaero.db.contract import Tx

SEEN_EVERY = MINUTE


class LeaseClock:
    """Reads the lease clock of one open database."""

    def __init__(self, clock: Clock, offset: int) -> None:
        self._clock = clock
        self._offset = offset
        self._noted = 0

    def now(self) -> int:
        """Microseconds; comparable between the processes of one machine and over restarts."""
        return self._clock.boot() + self._offset

    def note(self, tx: Tx) -> None:
        """Keep the time in the database, about once a minute, for the next boot to start from."""
        if tx.lease_now - self._noted >= SEEN_EVERY:
            self._noted = tx.lease_now
            tx.execute("update lease_clock set seen = $1 where seen < $1", (tx.lease_now,))


def join_clock(tx: Tx, clock: Clock) -> LeaseClock:
    """The lease clock that the processes of this boot share; set anew by the first of a boot."""
    boot_id = clock.boot_id()
    rows = tx.execute("select boot_id, clock_offset, seen from lease_clock")
    if rows and rows[0][0] == boot_id:
        return LeaseClock(clock, rows[0][1])
    seen = rows[0][2] if rows else 0
    offset = max(clock.wall(), seen) - clock.boot()
    tx.execute("delete from lease_clock")
    tx.execute(
        "insert into lease_clock(boot_id, clock_offset, seen) values($1, $2, $3)",
        (boot_id, offset, clock.boot() + offset),
    )
    tx.execute("update message set lease_until = 0 where state = 2")
    return LeaseClock(clock, offset)
