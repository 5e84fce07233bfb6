"""A clock that stands still until a test moves it."""

from __future__ import annotations

from quaero.clock import SECOND


class FakeClock:
    """Wall and boot time under a test's control; starts at a fixed moment."""

    def __init__(self, wall: int = 1_760_000_000 * SECOND, boot: int = 1_000 * SECOND) -> None:
        self._wall = wall
        self._boot = boot
        self._boot_id = "boot-1"

    def wall(self) -> int:
        """Microseconds since 1970-01-01 UTC."""
        return self._wall

    def boot(self) -> int:
        """Microseconds since the machine started."""
        return self._boot

    def boot_id(self) -> str:
        """The name of this boot."""
        return self._boot_id

    def pass_time(self, seconds: float) -> None:
        """Let both clocks go on."""
        self._wall += int(seconds * SECOND)
        self._boot += int(seconds * SECOND)

    def step_wall(self, seconds: float) -> None:
        """Set the wall clock forward or back; boot time does not notice."""
        self._wall += int(seconds * SECOND)

    def reboot(self) -> None:
        """Start the machine anew: another boot id, boot time near zero."""
        self._boot = 5 * SECOND
        self._boot_id = f"{self._boot_id}+"
