"""Telling others that something was committed: in this process at once, in others by a datagram.

Each process that listens binds a socket in a folder beside the database; a commit that made work
ready sends the topics there. A datagram that is lost costs nothing but time, for every listener
also looks by itself once in a while. Sockets of dead processes are removed by the first sender
that is refused.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from quaero.program_log import program_log

log = program_log(__name__)

_DATAGRAM = 4096
_PATH_LIMIT = 100
_STAMP_NS = 100_000_000  # a folder that changed so lately may change again under the same stamp
_HAS_SOCKETS = hasattr(socket, "AF_UNIX")


class Waker:
    """Subscriptions of this process, and the way to the others."""

    def __init__(self, database: Path) -> None:
        self._folder = database.with_name(database.name + "-wake")
        self._folder_name = str(self._folder)
        self._subscribers: dict[str, list[Callable[[], object]]] = {}
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._own = ""
        self._peers: list[str] = []
        self._peers_stamp = -1
        self._out: socket.socket | None = None

    def subscribe(self, topic: str, callback: Callable[[], object]) -> Callable[[], None]:
        """Call `callback` after commits that signal `topic`; returns what ends that."""
        with self._lock:
            self._subscribers[topic] = [*self._subscribers.get(topic, []), callback]
            if self._socket is None and _HAS_SOCKETS:
                self._listen()

        def end() -> None:
            with self._lock:
                left = [each for each in self._subscribers[topic] if each is not callback]
                self._subscribers[topic] = left

        return end

    def announce(self, topics: set[str]) -> None:
        """Tell everybody, here and in other processes; never raises and never waits."""
        self._call(topics)
        for peer in self._others():
            self._send(peer, "\n".join(sorted(topics)).encode())

    def close(self) -> None:
        """Stop listening and remove the socket."""
        with self._lock:
            listening, self._socket = self._socket, None
        if listening is not None:
            with contextlib.suppress(OSError):
                (self._folder / self._own).unlink()
            with contextlib.suppress(OSError):
                listening.shutdown(socket.SHUT_RD)
            listening.close()
        if self._out is not None:
            self._out.close()
            self._out = None

    def in_fork(self) -> None:
        """Let go of the sockets, which are the parent's."""
        for each in (self._socket, self._out):
            if each is not None:
                each.close()
        self._socket = self._out = None

    def _call(self, topics: set[str]) -> None:
        for topic in topics:
            for callback in self._subscribers.get(topic, ()):
                try:
                    callback()
                except Exception:
                    log.exception("a subscriber of %s failed", topic)

    # -- between processes

    def _listen(self) -> None:
        name = f"{os.getpid()}-{secrets.token_hex(4)}"
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            with self._reachable(name) as address:
                listening.bind(address)
        except OSError as error:
            log.info("no wake-ups from other processes: %s", error)
            listening.close()
            return
        self._own, self._socket = name, listening
        threading.Thread(
            target=self._receive, args=(listening,), name="quaero-wake", daemon=True
        ).start()

    def _receive(self, listening: socket.socket) -> None:
        while self._socket is listening:
            try:
                data = listening.recv(_DATAGRAM)
            except OSError:
                return  # closed
            if data:
                self._call(set(data.decode().split("\n")))

    def _others(self) -> list[str]:
        """The other processes' sockets; listed again when the folder has changed."""
        if not _HAS_SOCKETS:
            return []
        try:
            stamp = os.stat(self._folder_name).st_mtime_ns  # noqa: PTH116 - on the path of a commit
            if stamp != self._peers_stamp:
                settled = abs(time.time_ns() - stamp) > _STAMP_NS
                names = (each.name for each in self._folder.iterdir())
                self._peers = [name for name in names if name != self._own]
                self._peers_stamp = stamp if settled else -1
        except OSError:
            return []
        return self._peers

    def _send(self, peer: str, data: bytes) -> None:
        try:
            if self._out is None:
                self._out = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                self._out.setblocking(False)
            with self._reachable(peer) as address:
                self._out.sendto(data, address)
        except BlockingIOError:
            pass  # its inbox is full, so it is going to look anyway
        except (ConnectionRefusedError, FileNotFoundError):
            with contextlib.suppress(OSError):
                (self._folder / peer).unlink()
            self._peers_stamp = -1
        except OSError as error:
            log.debug("could not wake %s: %s", peer, error)

    @contextlib.contextmanager
    def _reachable(self, name: str) -> Iterator[str]:
        """An address for a socket of the folder; a long path is reached through its folder."""
        path = str(self._folder / name)
        if len(path) < _PATH_LIMIT:
            yield path
            return
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            yield f"/proc/self/fd/{folder}/{name}"
        finally:
            os.close(folder)
