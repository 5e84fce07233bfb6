"""How the socket shows things: the same pictures as the endpoints give, passed in by whoever wires.

Each is a plain value that can be written as JSON.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from quaero.db.contract import ReadTx
from quaero.jobs.logs import LogLine
from quaero.jobs.read import Summary


@dataclass(frozen=True, slots=True)
class Views:
    """Functions that make pictures.

    `job` of a job and the present wall time (µs); `line` of a log entry; `queue` of the queue, with
    its `stats` and `top`, the top-level jobs by status; `workers` of all workers; `health` of the
    program; `schedules` of those there are, with how many definitions, and which files are wrong.
    """

    job: Callable[[Summary, int], Any]
    line: Callable[[LogLine], dict[str, Any]]
    queue: Callable[[ReadTx], dict[str, Any]]
    workers: Callable[[ReadTx], list[Any]]
    health: Callable[[ReadTx], dict[str, Any]]
    schedules: Callable[[ReadTx], dict[str, Any]]
