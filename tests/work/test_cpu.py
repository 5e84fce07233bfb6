from __future__ import annotations

import asyncio
import os
import resource
import select
import signal
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
import uvloop

from quaero.app import PRELOAD
from quaero.errors import BadUrl, HelperDied, HttpStatus, Permanent, Refused, RetryLater, TaskFailed
from quaero.work.cpu import CpuHelpers

Run = Callable[[Awaitable[Any]], Any]

TASKS = """
    import os, signal, time
    from quaero.errors import HttpStatus, Permanent, Refused, RetryLater

    class OddError(Exception):
        pass

    def refuse(): raise Refused("not here", "robots")
    def later(): raise RetryLater("busy", 2.5, hold=True)
    def status(code): raise HttpStatus("gone", code)
    def huge_status(): raise HttpStatus("gone", 2 ** 64)
    def permanent(): raise Permanent("never")
    def odd(): raise OddError("\\ud800 odd")
    def forever():
        while True: pass
    def crash(number): os.kill(os.getpid(), number)
    def eat():
        pieces = []
        while True: pieces.append(bytes(10_000_000))
    def lie(reply):
        for descriptor in range(3, 100):
            try: os.write(descriptor, reply)
            except OSError: pass
        signal.pause()
    def tell_and_wait(path):
        with open(path, "w") as fifo: fifo.write(str(os.getpid()))
        signal.pause()
    def burn(seconds):
        end = time.process_time() + seconds
        while time.process_time() < end: pass
    def noisy(): print("to standard output"); return 1
"""


@pytest.fixture(params=[asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    return cast("Run", request.param)


@pytest.fixture(autouse=True)
def tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tasks_of_this_test.py").write_text(textwrap.dedent(TASKS))
    inherited = os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(tmp_path), inherited])))


@asynccontextmanager
async def helpers(count: int = 1, **settings: Any) -> AsyncIterator[CpuHelpers]:
    made = CpuHelpers(count, **settings)
    try:
        yield made
    finally:
        await made.close()


def gone(pid: int, seconds: float = 20.0) -> bool:
    """Wait until a process has ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], seconds)[0])
    finally:
        os.close(descriptor)


def test_a_result_is_what_the_function_returned(run: Run) -> None:
    async def scenario() -> None:
        async with helpers() as cpu:
            assert await cpu.run("operator:add", 1, 2) == 3
            assert await cpu.run("builtins:bytes", [1, 2, 255]) == b"\x01\x02\xff"
            assert await cpu.run("builtins:dict", {"a": [None, True, 1.5, "ü", b"\0"]}) == {
                "a": [None, True, 1.5, "ü", b"\0"]
            }
            assert await cpu.run("os:path.basename", "/a/b") == "b"

    run(scenario())


def test_large_arguments_and_results_pass_whole(run: Run) -> None:
    async def scenario() -> None:
        async with helpers() as cpu:
            for size in (0, 1, 65_535, 65_536, 30_000_000):
                data = os.urandom(min(size, 1000)) * (size // 1000 + 1)
                assert await cpu.run("builtins:bytes", data) == data

    run(scenario())


def test_arguments_beyond_all_measure_are_refused(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        async with helpers() as cpu:
            with pytest.raises(Permanent, match="builtins:len"):
                await cpu.run("builtins:len", b"x" * 2000)

    monkeypatch.setattr("quaero.work.cpu.MAX_MESSAGE", 1000)
    run(scenario())


def test_a_helper_is_another_process_and_is_kept(run: Run) -> None:
    async def scenario() -> None:
        async with helpers() as cpu:
            first = await cpu.run("os:getpid")
            assert first != os.getpid()
            assert await cpu.run("os:getpid") == first

    run(scenario())


def test_nothing_is_started_before_it_is_needed_and_start_starts_all(run: Run) -> None:
    async def scenario() -> None:
        async with helpers(3) as cpu:
            assert children() == set()
            await cpu.start()
            assert len(children()) == 3
            await cpu.start()
            assert len(children()) == 3
        assert children() == set()

    def children() -> set[str]:
        listed = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
        return {pid for pid in listed if "cpu_child" in Path(f"/proc/{pid}/cmdline").read_text()}

    run(scenario())


def test_calls_run_side_by_side_and_get_their_own_results(run: Run) -> None:
    async def scenario() -> None:
        async with helpers(2) as cpu:
            sums = [cpu.run("operator:add", n, n) for n in range(40)]
            fails = [cpu.run("builtins:int", f"no {n}") for n in range(5)]
            results = await asyncio.gather(*sums, *fails, return_exceptions=True)
        assert results[:40] == [n + n for n in range(40)]
        assert ["no" in str(error) for error in results[40:]] == [True] * 5

    run(scenario())


def test_an_error_arrives_with_its_name_message_and_trace(run: Run) -> None:
    async def scenario() -> None:
        async with helpers() as cpu:
            with pytest.raises(TaskFailed, match="invalid literal") as caught:
                await cpu.run("builtins:int", "x")
            assert caught.value.name == "ValueError"
            assert "invalid literal" in caught.value.reason
            assert "Traceback" in caught.value.__notes__[0]
            with pytest.raises(TaskFailed) as caught:
                await cpu.run("tasks_of_this_test:odd")
            assert (caught.value.name, caught.value.reason) == (
                "tasks_of_this_test.OddError",
                "? odd",
            )

    run(scenario())


@pytest.mark.parametrize(
    ("task", "args", "name"),
    [
        ("no_such_module:f", (), "ModuleNotFoundError"),
        ("os:no_such_function", (), "AttributeError"),
        ("sys:exit", (3,), "SystemExit"),
        ("builtins:object", (), "TypeError"),
        ("builtins:pow", (2, 64), "OverflowError"),
        ("operator:add", (1,), "TypeError"),
    ],
)
def test_what_cannot_be_done_fails_that_call_and_not_the_helper(
    run: Run, task: str, args: tuple[Any, ...], name: str
) -> None:
    async def scenario() -> None:
        async with helpers() as cpu:
            before = await cpu.run("os:getpid")
            with pytest.raises(TaskFailed) as caught:
                await cpu.run(task, *args)
            assert caught.value.name == name
            assert await cpu.run("os:getpid") == before

    run(scenario())


def test_quaeros_own_errors_are_rebuilt(run: Run) -> None:
    async def scenario() -> None:
        async with helpers() as cpu:
            with pytest.raises(Refused, match="not here") as refused:
                await cpu.run("tasks_of_this_test:refuse")
            assert refused.value.reason == "robots"
            with pytest.raises(RetryLater, match="busy") as later:
                await cpu.run("tasks_of_this_test:later")
            assert (later.value.after, later.value.hold) == (2.5, True)
            with pytest.raises(HttpStatus, match="gone") as status:
                await cpu.run("tasks_of_this_test:status", 410)
            assert status.value.code == 410
            with pytest.raises(TaskFailed, match="HttpStatus: gone"):
                await cpu.run("tasks_of_this_test:huge_status")
            with pytest.raises(Permanent, match="never"):
                await cpu.run("tasks_of_this_test:permanent")
            with pytest.raises(BadUrl, match="neither http nor https"):
                await cpu.run("quaero.crawl.urls:canonical", "ftp://example.org/")

    run(scenario())


@pytest.mark.parametrize(
    ("task", "args", "says"),
    [
        ("os:_exit", (3,), "ended with exit code 3"),
        ("os:_exit", (0,), "ended with exit code 0"),
        ("os:abort", (), "was ended by SIGABRT"),
        ("tasks_of_this_test:crash", (signal.SIGSEGV,), "was ended by SIGSEGV"),
        ("tasks_of_this_test:crash", (signal.SIGKILL,), "was ended by SIGKILL"),
        ("tasks_of_this_test:eat", (), "needed more than its 256 MiB of memory"),
        ("builtins:bytes", (1 << 40,), "needed more than its 256 MiB of memory"),
        ("tasks_of_this_test:forever", (), "used more than its 0.2 s of CPU time"),
        ("tasks_of_this_test:lie", (b"\0\0\0\1\xc1",), "sent damaged data"),
        ("tasks_of_this_test:lie", (b"\0\0\0\1\x05",), "sent damaged data"),
        ("tasks_of_this_test:lie", (b"\0\0\0\3\x92\xc2\xc0",), "sent damaged data"),
        ("tasks_of_this_test:lie", (b"\xff\xff\xff\xff",), "sent damaged data"),
    ],
)
def test_a_death_fails_one_call_and_the_helper_is_replaced(
    run: Run, task: str, args: tuple[Any, ...], says: str
) -> None:
    async def scenario() -> None:
        async with helpers(memory=256 * 1024**2, cpu_seconds=0.2) as cpu:
            dead = await cpu.run("os:getpid")
            with pytest.raises(HelperDied, match=says):
                await cpu.run(task, *args)
            assert await cpu.run("operator:add", 1, 1) == 2
            assert await cpu.run("os:getpid") != dead
            assert gone(dead)

    run(scenario())


def test_the_cpu_limit_is_for_each_task(run: Run) -> None:
    async def scenario() -> None:
        async with helpers(cpu_seconds=1.0) as cpu:
            pid = await cpu.run("os:getpid")
            for _ in range(4):  # a busy machine counts in whole ticks, and too many of them
                await cpu.run("tasks_of_this_test:burn", 0.55)
            assert await cpu.run("os:getpid") == pid

    run(scenario())


def test_limits_and_signals_are_set(run: Run) -> None:
    async def scenario() -> None:
        async with helpers(memory=300 * 1024**2) as cpu:
            assert (await cpu.run("resource:getrlimit", resource.RLIMIT_AS))[0] == 300 * 1024**2
            assert (await cpu.run("resource:getrlimit", resource.RLIMIT_CORE))[0] == 0
            assert await cpu.run("signal:getsignal", signal.SIGINT) == signal.SIG_IGN
            assert await cpu.run("os:getpgrp") != os.getpgrp()

    run(scenario())


def test_a_task_over_its_time_is_ended(run: Run) -> None:
    async def scenario() -> None:
        async with helpers(task_timeout=5.0) as cpu:
            pid = await cpu.run("os:getpid")
            cpu._task_timeout = 0.2
            with pytest.raises(HelperDied, match=r"time:sleep took longer than 0.2 s"):
                await cpu.run("time:sleep", 600)
            assert gone(pid)
            cpu._task_timeout = 5.0
            assert await cpu.run("operator:add", 1, 1) == 2

    run(scenario())


def test_a_helper_that_died_idle_is_replaced_unnoticed(run: Run) -> None:
    async def scenario() -> None:
        async with helpers() as cpu:
            pid = await cpu.run("os:getpid")
            os.kill(pid, signal.SIGKILL)
            assert gone(pid)
            assert await cpu.run("os:getpid") != pid

    run(scenario())


def test_a_cancelled_call_never_leaves_its_result_to_another(run: Run) -> None:
    async def scenario() -> None:
        async with helpers() as cpu:
            await cpu.start()
            for turns in range(12):
                call = asyncio.create_task(cpu.run("operator:add", "of the", " cancelled"))
                for _ in range(turns):
                    await asyncio.sleep(0)
                call.cancel()
                assert await cpu.run("operator:add", turns, 1) == turns + 1
                assert (await asyncio.gather(call, return_exceptions=True))[0] is not None

    run(scenario())


def test_a_cancelled_call_ends_what_it_was_doing(run: Run, tmp_path: Path) -> None:
    async def scenario() -> None:
        fifo = tmp_path / "fifo"
        os.mkfifo(fifo)
        async with helpers() as cpu:
            call = asyncio.create_task(cpu.run("tasks_of_this_test:tell_and_wait", str(fifo)))
            pid = int(await asyncio.to_thread(fifo.read_text))
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            assert gone(pid)

    run(scenario())


def test_a_call_cancelled_while_it_waits_takes_no_helper_with_it(run: Run) -> None:
    async def scenario() -> None:
        async with helpers() as cpu:
            pid = await cpu.run("os:getpid")
            first = asyncio.create_task(cpu.run("os:getpid"))
            waiting = asyncio.create_task(cpu.run("time:sleep", 600))
            await asyncio.sleep(0)
            waiting.cancel()
            assert await first == pid
            assert await cpu.run("os:getpid") == pid

    run(scenario())


def test_closing_ends_helpers_and_calls(run: Run, tmp_path: Path) -> None:
    async def scenario() -> None:
        fifo = tmp_path / "fifo"
        os.mkfifo(fifo)
        cpu = CpuHelpers(1)
        call = asyncio.create_task(cpu.run("tasks_of_this_test:tell_and_wait", str(fifo)))
        waiting = asyncio.create_task(cpu.run("os:getpid"))
        pid = int(await asyncio.to_thread(fifo.read_text))
        await cpu.close()
        assert gone(pid)
        for failed in (call, waiting, cpu.run("os:getpid")):
            with pytest.raises(HelperDied, match=r"ended with all helpers|are closed"):
                await failed
        await cpu.close()

    run(scenario())


def test_descriptors_are_given_back(run: Run) -> None:
    async def scenario() -> None:
        async with helpers() as cpu:
            await cpu.run("os:getpid")
            before = len(os.listdir("/proc/self/fd"))
            for _ in range(3):
                with pytest.raises(HelperDied):
                    await cpu.run("os:_exit", 1)
                await cpu.run("os:getpid")
            assert len(os.listdir("/proc/self/fd")) == before

    run(scenario())


def test_what_a_task_prints_goes_nowhere(run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    async def scenario() -> None:
        async with helpers() as cpu:
            assert await cpu.run("tasks_of_this_test:noisy") == 1

    run(scenario())
    assert capfd.readouterr().out == ""


def test_modules_are_imported_beforehand(run: Run) -> None:
    async def scenario() -> None:
        async with helpers(preload=["colorsys"]) as cpu:
            assert await cpu.run("sys:modules.__contains__", "colorsys")
        async with helpers() as cpu:
            assert not await cpu.run("sys:modules.__contains__", "colorsys")

    run(scenario())


def test_a_helper_for_pages_loads_neither_database_nor_network(run: Run) -> None:
    async def scenario() -> None:
        async with helpers(preload=PRELOAD) as cpu:
            assert await cpu.run("sys:modules.__contains__", "quaero.crawl.digest")
            for module in ("quaero.db", "apsw", "asyncio", "ssl", "aiohttp", "pydantic"):
                assert not await cpu.run("sys:modules.__contains__", module), module

    run(scenario())


def test_the_current_directory_is_no_place_to_import_from(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        async with helpers() as cpu:
            with pytest.raises(TaskFailed, match="colorsys_of_a_stranger"):
                await cpu.run("colorsys_of_a_stranger:f")

    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "colorsys_of_a_stranger.py").write_text("def f(): return 1")
    (tmp_path / "here" / "msgspec.py").write_text("raise SystemExit(9)")
    monkeypatch.chdir(tmp_path / "here")
    run(scenario())


@pytest.mark.parametrize("task", ["tasks_of_this_test:forever", "signal:pause"])
def test_helpers_end_with_their_parent_even_when_it_is_killed(task: str) -> None:
    program = f"""
        import asyncio
        from quaero.work.cpu import CpuHelpers
        async def main():
            cpu = CpuHelpers(2)
            await cpu.start()
            pid = await cpu.run("os:getpid")
            call = asyncio.create_task(cpu.run("{task}"))
            await asyncio.sleep(0)  # the call takes that helper
            print(pid, await cpu.run("os:getpid"), flush=True)
            await call
        asyncio.run(main())
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pids = [int(word) for word in parent.stdout.readline().split()]
        parent.kill()
    assert len(set(pids)) == 2
    assert all(gone(pid) for pid in pids)
