"""Processes of the program for tests: none of them outlives the tests, however these end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from quaero.work.lifeline import start_tied

PATIENCE = 30


class Program:
    """`quaero` with these arguments, in a session of its own."""

    def __init__(self, *arguments: str | Path, **options: Any) -> None:
        command = [sys.executable, "-m", "quaero", *map(str, arguments)]
        self.process, self._lifeline = start_tied(command, start_new_session=True, **options)

    @property
    def pid(self) -> int:
        return self.process.pid

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        return self.process.wait(PATIENCE)

    def abandon(self) -> None:
        """Let it believe that we have ended."""
        self._lifeline.close()

    def close(self) -> None:
        """End it and all that it started."""
        kill_session(self.pid)
        self.process.wait(PATIENCE)
        self._lifeline.close()


def of_session(session: int) -> list[int]:
    """The processes of a session that have not ended."""
    return [pid for pid, state, found in _processes() if found == session and state not in "ZX"]


def kill_session(session: int) -> None:
    """Kill every process of a session, in whatever group it is."""
    while found := of_session(session):
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _processes() -> Sequence[tuple[int, str, int]]:
    if not Path("/proc/self/stat").exists():
        text = subprocess.run(
            ["ps", "-Ao", "pid=,state=,sess="], capture_output=True, text=True, check=True
        ).stdout
        rows = (line.split() for line in text.splitlines())
        return [(int(pid), state[:1], int(session)) for pid, state, session in rows]
    found = []
    for each in Path("/proc").iterdir():
        if each.name.isdigit():
            with contextlib.suppress(OSError):
                state, _, _, session = (each / "stat").read_text().rpartition(")")[2].split()[:4]
                found.append((int(each.name), state, int(session)))
    return found
