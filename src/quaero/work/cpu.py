"""CPU helpers: processes for work that is heavy on the CPU or risky to do.

Parsing and converting what strangers wrote can take long, take all memory, or crash. Done in a
helper it neither blocks the event loop nor endangers this process: each helper has one task in
hand, a limit of memory and of CPU time, and a time by which it must answer. A helper that dies
fails the one call it was working on; the next call gets a new one.

Helpers are spawned, never forked, and speak MessagePack over two one-way pipes, so that a helper
taken over by hostile input can send back data, and nothing that would run here. They end with
their parent, however it ends. POSIX only.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import msgspec

from quaero import errors
from quaero.errors import HelperDied, Permanent, QuaeroError, TaskFailed
from quaero.work.cpu_child import OUT_OF_MEMORY

MAX_MESSAGE = 256 * 1024 * 1024
"""The most bytes of a task's arguments, or of its result."""

_READ_AHEAD = 1024 * 1024
_READY = "os:getpid"
_GRACE = 2.0  # seconds that a helper which closed its pipe has to exit by itself


class _Failure(msgspec.Struct, array_like=True):
    """What a helper says of an error."""

    kind: str
    message: str
    fields: dict[str, Any]
    trace: str


class CpuHelpers:
    """Up to `count` helper processes, started when they are first needed.

    `memory` limits the address space of each in bytes, `cpu_seconds` the CPU time and
    `task_timeout` the wall time of each task in seconds; `preload` names modules that a helper
    imports when it starts. An instance belongs to one event loop, asyncio's or uvloop's, and on
    Linux its helpers end with the thread of that loop.
    """

    def __init__(
        self,
        count: int = 1,
        *,
        memory: int = 1024**3,
        cpu_seconds: float = 60.0,
        task_timeout: float = 120.0,
        preload: Sequence[str] = (),
    ) -> None:
        self._memory = memory
        self._cpu_seconds = cpu_seconds
        self._task_timeout = task_timeout
        self._preload = tuple(preload)
        self._count = count
        self._slots = asyncio.Semaphore(count)
        self._idle: list[_Helper] = []
        self._busy: set[_Helper] = set()
        self._closed = False

    async def start(self) -> None:
        """Start all helpers and wait until each has imported what is to be preloaded."""
        await asyncio.gather(*(self.run(_READY) for _ in range(self._count)))

    async def run(self, task: str, *args: Any) -> Any:
        """Call the function `task`, written `module:function`, in a helper; return its result.

        Arguments and result are plain data: None, bool, int of 64 bits, float, str, bytes, and
        lists, tuples and dicts of these. A tuple arrives as a list.

        Raises what the function raised if that is an error of `quaero.errors`, else TaskFailed;
        HelperDied if the helper ended or was ended for taking too long; Permanent if the arguments
        are larger than `MAX_MESSAGE`. A call that is cancelled ends its helper. There is no second
        attempt.
        """
        request = msgspec.msgpack.encode((task, args))
        if len(request) > MAX_MESSAGE:
            raise Permanent(f"The arguments of {task} are larger than {MAX_MESSAGE} bytes.")
        async with self._slots:
            helper = self._take()
            try:
                succeeded, value = await self._answer(helper, task, request)
            except BaseException:
                await helper.end()
                raise
            else:
                self._idle.append(helper)
            finally:
                self._busy.discard(helper)
        if not succeeded:
            raise _rebuilt(value)
        return value

    async def close(self) -> None:
        """End all helpers; calls under way fail with HelperDied, and so do later ones."""
        self._closed = True
        helpers = [*self._idle, *self._busy]
        self._idle.clear()
        await asyncio.gather(*(helper.end() for helper in helpers))

    def _take(self) -> _Helper:
        """Return a living helper that has nothing in hand, now counted as busy."""
        if self._closed:
            raise HelperDied("The helper processes are closed.")
        while self._idle:
            helper = self._idle.pop()
            if helper.alive():
                break
            helper.kill()
        else:
            helper = _Helper(self._memory, self._cpu_seconds, self._preload)
        self._busy.add(helper)
        return helper

    async def _answer(self, helper: _Helper, task: str, request: bytes) -> tuple[bool, Any]:
        try:
            async with asyncio.timeout(self._task_timeout):
                return _reply(await helper.ask(request))
        except TimeoutError:
            limit = f"{self._task_timeout:g} s"
            raise HelperDied(f"{task} took longer than {limit} and was ended.") from None
        except EOFError:
            code = await helper.end(_GRACE)
            cause = "was ended with all helpers" if self._closed else self._cause(code)
            raise HelperDied(f"The helper process working on {task} {cause}.") from None
        except (msgspec.DecodeError, RecursionError):
            raise HelperDied(f"The helper process working on {task} sent damaged data.") from None

    def _cause(self, code: int) -> str:
        if code == OUT_OF_MEMORY:
            return f"needed more than its {self._memory / 1024**2:g} MiB of memory"
        if code == -signal.SIGXCPU:
            return f"used more than its {self._cpu_seconds:g} s of CPU time"
        if code < 0:
            return f"was ended by {signal.Signals(-code).name}"
        return f"ended with exit code {code}"


class _Helper:
    """One process and the two pipes to it; clean as long as every question was answered."""

    def __init__(self, memory: int, cpu_seconds: float, preload: Sequence[str]) -> None:
        tasks, tasks_end = os.pipe()
        results_end, results = os.pipe()
        self._tasks_pipe = open(tasks_end, "wb", 0)  # noqa: SIM115
        self._results_pipe = open(results_end, "rb", 0)  # noqa: SIM115
        self._tasks: asyncio.WriteTransport | None = None
        self._results: asyncio.ReadTransport | None = None
        self._reader = asyncio.StreamReader(limit=_READ_AHEAD)
        program = [sys.executable, "-P", "-m", "quaero.work.cpu_child"]
        settings = [tasks, results, os.getpid(), memory, cpu_seconds, *preload]
        try:
            # A process group of its own: Ctrl-C at a terminal is the parent's to decide.
            self._process = subprocess.Popen(
                [*program, *(str(setting) for setting in settings)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(tasks, results),
                process_group=0,
            )
        except OSError as error:
            self._close()
            raise HelperDied(f"A helper process could not be started: {error}.") from error
        finally:
            os.close(tasks)
            os.close(results)

    def alive(self) -> bool:
        return self._process.poll() is None

    async def ask(self, request: bytes) -> bytes:
        """Send one task and return the reply; raises EOFError if the helper closes its pipe."""
        tasks = self._tasks or await self._connect()
        tasks.write(len(request).to_bytes(4) + request)
        length = int.from_bytes(await self._reader.readexactly(4))
        if length > MAX_MESSAGE:
            raise msgspec.DecodeError(f"a reply of {length} bytes")
        return await self._reader.readexactly(length)

    async def _connect(self) -> asyncio.WriteTransport:
        loop = asyncio.get_running_loop()
        self._results, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(self._reader), self._results_pipe
        )
        self._tasks, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, self._tasks_pipe)
        return self._tasks

    def kill(self) -> None:
        """End the process, if it has not ended, without waiting for it; close the pipes."""
        self._process.kill()
        self._close()

    async def end(self, grace: float = 0.0) -> int:
        """Return the exit code of the process, which is killed after `grace` seconds."""
        if not grace:
            self._process.kill()
        self._close()
        return await asyncio.shield(asyncio.to_thread(_reaped, self._process, grace))

    def _close(self) -> None:
        if self._tasks is None:
            self._tasks_pipe.close()
        elif not self._tasks.is_closing():
            self._tasks.abort()  # not close(), which would first send what the pipe has not taken
        if self._results is None:
            self._results_pipe.close()
        else:
            self._results.close()


def _reaped(process: subprocess.Popen[bytes], grace: float) -> int:
    try:
        return process.wait(grace or None)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _reply(data: bytes) -> tuple[bool, Any]:
    """Decode a reply and check its form; raises msgspec.DecodeError."""
    succeeded, value = msgspec.msgpack.decode(data, type=tuple[bool, Any])
    return succeeded, value if succeeded else msgspec.convert(value, _Failure)


def _rebuilt(failure: _Failure) -> QuaeroError:
    """Return the error of Quaero's own that a task raised, or TaskFailed for any other."""
    module, _, name = failure.kind.rpartition(".")
    kind = getattr(errors, name, None) if module == errors.__name__ else None
    error: QuaeroError = TaskFailed(failure.kind, failure.message)
    if isinstance(kind, type) and issubclass(kind, QuaeroError):
        with contextlib.suppress(TypeError):  # fields that are not those of the class
            error = kind(failure.message, **failure.fields)
    error.add_note(failure.trace)
    return error
