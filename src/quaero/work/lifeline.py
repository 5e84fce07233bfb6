"""Processes that end with the one that started them, however that one ends.

A child holds one end of a pair of sockets, its parent the other. When the parent's end closes the
child is told to end as by SIGTERM, and is ended if it has not done so in time. Over the same pair
a child says once that it is ready.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Sequence
from typing import Any

LIFELINE = "_QUAERO_LIFELINE"
"""The variable that names the child's end by its descriptor."""

ORPHANED = 71  # the exit code of what did not end in time after its parent
_READY = b"r"


def start_tied(
    command: Sequence[str], *, passed: Sequence[int] = (), **options: Any
) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Start a command that ends when the returned socket is closed, at the latest with us.

    The child inherits the files `passed`; `options` are those of `subprocess.Popen`. Raises
    `OSError` where it cannot be started.
    """
    ours, theirs = socket.socketpair()
    with theirs:
        environ = options.pop("env", os.environ) | {LIFELINE: str(theirs.fileno())}
        try:
            child = subprocess.Popen(
                command, pass_fds=[theirs.fileno(), *passed], env=environ, **options
            )
        except BaseException:
            ours.close()
            raise
    return child, ours


def said_ready(lifeline: socket.socket) -> bool:
    """Whether the child at the other end has said that it is ready."""
    try:
        return lifeline.recv(1, socket.MSG_DONTWAIT) == _READY
    except OSError:
        return False


class Parent:
    """Who has started this process, as it knows it: nobody, where there is no `end` of a pair.

    `gone` is set when that one has ended.
    """

    def __init__(self, end: int | None) -> None:
        self._end = end
        self.gone = threading.Event()

    def tell_ready(self) -> None:
        """Say that this process is ready."""
        if self._end is not None:
            with contextlib.suppress(OSError):  # the parent does not ask, or has gone
                os.write(self._end, _READY)

    def _end_with_it(self, end: int, patience: float) -> None:
        with contextlib.suppress(OSError):
            os.read(end, 1)
        self.gone.set()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(patience)
        os._exit(ORPHANED)

    def watch(self, patience: float) -> None:
        """End this process when its parent has gone; see `watch_lifeline`."""
        if self._end is not None:
            args = (self._end, patience)
            threading.Thread(
                target=self._end_with_it, args=args, name="quaero-lifeline", daemon=True
            ).start()


def watch_lifeline(patience: float) -> Parent:
    """End this process when its parent has gone: by SIGTERM, `patience` seconds later for good.

    Does nothing without a parent.
    """
    named = os.environ.pop(LIFELINE, None)
    parent = Parent(None if named is None else int(named))
    parent.watch(patience)
    return parent
