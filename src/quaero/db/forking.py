"""Forks of a process that has a database open, such as a server that forks its workers.

Locks of files belong to processes in one way (SQLite's) or to both copies at once (`flock`), and
threads are not copied at all. So whatever holds such things says so here. A fork waits until it has
come to rest; the parent goes on with it as before; the copy lets go of it, changing nothing, and
opens its own. `subprocess` and `multiprocessing`'s spawn copy nothing and do not wait.
"""

from __future__ import annotations

import os
import threading
from functools import cache
from typing import Protocol
from weakref import WeakSet

PATIENCE = 10.0
"""For how many seconds a fork waits for what is under way."""


class Forkable(Protocol):
    """Something that a fork must not copy by chance."""

    def before_fork(self) -> None:
        """Come to rest, so that nothing is copied half done."""

    def after_fork(self) -> None:
        """Go on, in the process that forked."""

    def in_fork(self) -> None:
        """Let go, in the copy."""


class _Watch:
    """What is told of forks; one fork after the other."""

    def __init__(self) -> None:
        self.things: WeakSet[Forkable] = WeakSet()
        self._lock = threading.Lock()
        self._told: list[Forkable] = []

    def before(self) -> None:
        self._lock.acquire()
        self._told = list(self.things)
        for each in self._told:
            each.before_fork()

    def after(self) -> None:
        told, self._told = self._told, []
        self._lock.release()
        for each in reversed(told):
            each.after_fork()

    def inside(self) -> None:
        told, self._told = self._told, []
        self._lock.release()
        self.things.clear()
        for each in reversed(told):
            each.in_fork()


def mind_forks(thing: Forkable) -> None:
    """Tell `thing` of every fork of this process, for as long as it is there."""
    _watch().things.add(thing)


@cache
def _watch() -> _Watch:
    """The one of this process: the system has no way to stop telling of forks."""
    watch = _Watch()
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=watch.before, after_in_parent=watch.after, after_in_child=watch.inside
        )
    return watch
