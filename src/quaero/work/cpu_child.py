"""The program of a CPU helper: reads tasks from one pipe and writes their results to another.

It is started by `quaero.work.cpu` as `python -m quaero.work.cpu_child`, and ends when its parent
closes the pipe or dies. A message is four bytes of length, big-endian, and MessagePack:

    task    [name, arguments]       name is "module:function"
    result  [true, value]
    error   [false, [class, message, fields, trace]]

Memory is limited for the whole process, CPU time for each task. A helper that runs out of memory
ends itself with `OUT_OF_MEMORY`, because what is left of it cannot be trusted; one that runs out
of CPU time is ended by the kernel.
"""

from __future__ import annotations

import importlib
import math
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable
from operator import attrgetter
from typing import Any, BinaryIO

import msgspec

from quaero.collector import collect_rarely

OUT_OF_MEMORY = 86
"""The exit code of a helper that met its memory limit."""

_PR_SET_PDEATHSIG = 1
_TRACE_LINES = 12


def main(arguments: list[str]) -> None:
    """Serve tasks until the parent closes its pipe.

    `arguments` are the two pipes' descriptors, the parent's process id, the memory limit in
    bytes, the CPU limit of a task in seconds, and modules to import first.
    """
    tasks_fd, results_fd, parent, memory, cpu_seconds, *modules = arguments
    _end_with(int(parent))
    collect_rarely()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_AS, int(memory))
    with open(int(tasks_fd), "rb") as tasks, open(int(results_fd), "wb") as results:
        try:
            for module in modules:
                importlib.import_module(module)
            _serve(tasks, results, float(cpu_seconds))
        except BrokenPipeError:
            os._exit(0)  # the parent is gone; there is nobody to tell
        except MemoryError:
            os._exit(OUT_OF_MEMORY)


def _serve(tasks: BinaryIO, results: BinaryIO, cpu_seconds: float) -> None:
    functions: dict[str, Callable[..., Any]] = {}
    while header := tasks.read(4):
        name, arguments = msgspec.msgpack.decode(tasks.read(int.from_bytes(header)))
        _limit(resource.RLIMIT_CPU, math.ceil(time.process_time() + cpu_seconds))
        try:
            if name not in functions:
                functions[name] = _function(name)
            reply = msgspec.msgpack.encode((True, functions[name](*arguments)))
        except MemoryError:
            raise
        except BaseException as error:  # noqa: BLE001 - its caller is told
            reply = msgspec.msgpack.encode((False, _described(error)))
        results.write(len(reply).to_bytes(4))
        results.write(reply)
        results.flush()


def _function(name: str) -> Callable[..., Any]:
    module, _, function = name.partition(":")
    found: Callable[..., Any] = attrgetter(function)(importlib.import_module(module))
    return found


def _described(error: BaseException) -> tuple[str, str, dict[str, Any], str]:
    """Return class, message, plain fields and the end of the trace of what a task raised."""
    kind = type(error)
    name = kind.__qualname__
    if kind.__module__ != "builtins":
        name = f"{kind.__module__}.{name}"
    fields = {
        field: _plain(value) if isinstance(value, str) else value
        for field, value in vars(error).items()
        if isinstance(value, str | float | None) or _is_number(value)
    }
    trace = "".join(traceback.format_exception(error)).splitlines()[-_TRACE_LINES:]
    return name, _plain(str(error)), fields, _plain("\n".join(trace))


def _is_number(value: object) -> bool:
    """Whether this is an integer, or a truth value, that MessagePack holds."""
    return isinstance(value, int) and -(2**63) <= value < 2**63


def _plain(text: str) -> str:
    return text.encode(errors="replace").decode()


def _limit(kind: int, value: int) -> None:
    """Set the soft limit `kind` to `value`, or as near below it as the hard limit lets us."""
    hard = resource.getrlimit(kind)[1]
    soft = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (soft, hard))


def _end_with(parent: int) -> None:
    """Have Linux kill this process when its parent dies, even while a task is running."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)  # it died before the signal was asked for


if __name__ == "__main__":
    main(sys.argv[1:])
