"""A real `quaero serve` and the sample site, each a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from socket import socket

from quaero.work.lifeline import start_tied

from ..processes import kill_session  # noqa: TID252

START_SECONDS = 30
HERE = Path(__file__).parent
SETTINGS = """
[queue]
poll_interval = "100ms"
[work]
job_types = ["scripted_jobs"]
"""

_LIFELINES: dict[int, socket] = {}
"""Of each process the end of a pair of sockets; when it closes, or we end, so does the process."""


class Server:
    """`quaero serve` over one data directory; it can be killed and started again at its port.

    `settings` is the text of its configuration file.
    """

    def __init__(self, data: Path, settings: str = "") -> None:
        self.data = data
        self.port = 0
        self.config = data.with_suffix(".toml")
        keys = f'[auth]\nkey_file = "{data.name}.keys"\n'
        self.config.write_text(settings + keys, encoding="utf-8")
        self.process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        places = ["--data-dir", str(self.data), "--config", str(self.config)]
        command = ["-m", "quaero", *places, "serve", "--port", str(self.port)]
        self.process, line = started([sys.executable, *command], r"http://[^/\s]+:\d+/")
        self.port = int(line.rstrip("/").rpartition(":")[2])

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self.process is None:
            return
        if how == signal.SIGKILL:
            kill_session(self.process.pid)
        else:
            self.process.send_signal(how)
        self.process.wait(30)
        _close(self.process)
        self.process = None


@contextmanager
def sample_site() -> Iterator[str]:
    """The address of the sample site."""
    process, url = started([sys.executable, "-m", "quaero.sample_site"], r"http://\S+")
    try:
        yield url
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)
        _close(process)


@contextmanager
def working(server: Server) -> Iterator[None]:
    """A `quaero work` beside the server, over the same data directory."""
    places = ["--data-dir", str(server.data), "--config", str(server.config)]
    process, _ = started([sys.executable, "-m", "quaero", *places, "work"], "working on")
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)
        _close(process)


def started(command: list[str], pattern: str) -> tuple[subprocess.Popen[str], str]:
    """A process, once it has said what the pattern asks for."""
    path = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), str(HERE)]))
    process, lifeline = start_tied(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
        env={**os.environ, "NO_COLOR": "1", "PYTHONPATH": path},
    )
    _LIFELINES[process.pid] = lifeline
    said: Queue[str] = Queue()
    threading.Thread(
        target=_read, args=(process, pattern, said), name=f"read-{process.pid}", daemon=True
    ).start()
    found = said.get(timeout=START_SECONDS)
    if not found:
        raise RuntimeError(f"{command} ended with {process.wait()}")
    return process, found


def _close(process: subprocess.Popen[str]) -> None:
    """Close the pipe of a process that has ended, once its reader has read it to its end."""
    reader = next((t for t in threading.enumerate() if t.name == f"read-{process.pid}"), None)
    if reader is not None:
        reader.join(30)
    if process.stdout is not None:
        process.stdout.close()
    _LIFELINES.pop(process.pid).close()


def _read(process: subprocess.Popen[str], pattern: str, said: Queue[str]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.search(pattern, line):
            said.put(found[0])
    said.put("")
