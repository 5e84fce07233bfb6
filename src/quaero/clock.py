"""The clocks of a process.

Two readings, both integer microseconds. *Wall time* is what people and schedules mean, and may be
stepped at any moment. *Boot time* only ever grows while the machine is up, suspended or not; the
lease clock is made from it. Everything that needs time takes a `Clock`, so that tests own it.
"""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Protocol

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
LAST_SECOND = 253_402_300_799
"""The end of the year 9999, in seconds since 1970: no later time can be written."""


class Clock(Protocol):
    """Where a component reads the time."""

    def wall(self) -> int:
        """Microseconds since 1970-01-01 UTC."""

    def boot(self) -> int:
        """Microseconds since this machine started; never goes back while it is up."""

    def boot_id(self) -> str:
        """A name for this run of the machine; another boot has another name."""


class SystemClock:
    """The clocks of the operating system."""

    def wall(self) -> int:
        """Microseconds since 1970-01-01 UTC."""
        return time.time_ns() // 1_000

    def boot(self) -> int:
        """Microseconds since start-up, time asleep included where the system can tell."""
        return _boot_ns() // 1_000

    def boot_id(self) -> str:
        """The kernel's name for this boot, or the moment of start where there is none."""
        return _boot_id()


_boot_ns: Callable[[], int] = (
    partial(time.clock_gettime_ns, time.CLOCK_BOOTTIME)
    if sys.platform == "linux"
    else time.monotonic_ns
)


@functools.cache
def _boot_id() -> str:
    named = Path("/proc/sys/kernel/random/boot_id")
    if named.exists():
        return named.read_text("ascii").strip()
    started = time.time_ns() - _boot_ns()
    return f"started-{started // (60 * 1_000_000_000)}"


def rfc3339(micros: int) -> str:
    """A wall time as people and JSON read it: `2026-11-22T06:30:00.000000Z`."""
    moment = datetime.fromtimestamp(micros // SECOND, UTC).replace(microsecond=micros % SECOND)
    return f"{moment.isoformat(timespec='microseconds').removesuffix('+00:00')}Z"
