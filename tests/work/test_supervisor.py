"""The supervisor: what it starts again, what it gives up, and that it always ends."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from quaero.work.lifeline import start_tied

from ..processes import kill_session, of_session  # noqa: TID252

SECONDS = 20
PARENT = """
import logging, signal, sys
from quaero.work.supervisor import Supervisor, own_command
logging.basicConfig()
signal.signal(signal.SIGINT, signal.default_int_handler)  # who runs tests may ignore it
patience, *programs = sys.argv[1:]
commands = [[sys.executable, "-c", text] for text in programs]
print("begun", flush=True)
sys.exit(Supervisor(commands, float(patience), stopping=lambda: print("stopping", flush=True)).run())
"""
READY = """
import os, pathlib, signal, sys, time
from quaero.work.lifeline import watch_lifeline
tell_ready = watch_lifeline(%s).tell_ready
def say(word): os.write(1, word.encode() + b"\\n")  # whole lines, whoever else writes
"""
WELL = READY % 5 + "tell_ready(); say('ready'); time.sleep(100)"
HANGS = (
    READY % 0.2
    + "signal.signal(signal.SIGTERM, lambda *_: time.sleep(100)); tell_ready()\n"
    + "say('ready'); time.sleep(100)"
)
WITH_A_CHILD = (
    "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(99)'])\n"
    + HANGS
)


class Supervised:
    """A supervisor over these programs; its words are read line by line."""

    def __init__(self, *programs: str, patience: float = 10) -> None:
        command = [sys.executable, "-c", PARENT, str(patience), *programs]
        self.process, self.lifeline = start_tied(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
        )

    def until(self, word: str) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.strip() == word.encode():
                return
        raise AssertionError(f"it ended without saying {word!r}")

    def end(self) -> tuple[int, str]:
        _, said = self.process.communicate(timeout=SECONDS)
        return self.process.returncode, said.decode()


Begin = Callable[..., Supervised]


@pytest.fixture
def begin() -> Iterator[Begin]:
    running: list[Supervised] = []

    def begin(*programs: str, patience: float = 10) -> Supervised:
        running.append(Supervised(*programs, patience=patience))
        return running[-1]

    yield begin
    for each in running:
        kill_session(each.process.pid)
        each.process.communicate()
        each.lifeline.close()


def gone(session: int) -> bool:
    deadline = time.monotonic() + SECONDS
    while of_session(session):
        assert time.monotonic() < deadline, of_session(session)
        time.sleep(0.01)
    return True


@pytest.mark.parametrize(("code", "becomes"), [(0, 1), (1, 1), (5, 5), (70, 70)])
def test_what_ends_before_it_was_ready_ends_all_with_its_code(
    begin: Begin, code: int, becomes: int
) -> None:
    all_ = begin(WELL, f"raise SystemExit({code})")
    ended, said = all_.end()
    assert ended == becomes
    assert f"could not start (exit code {code})" in said
    assert gone(all_.process.pid)


def test_what_ends_after_it_was_ready_is_started_again(begin: Begin, tmp_path: Path) -> None:
    count = tmp_path / "count"
    dies = (
        READY % 5
        + f"p = pathlib.Path({str(count)!r}); n = p.stat().st_size if p.exists() else 0\n"
        + "p.write_bytes(b'x' * (n + 1)); tell_ready()\n"
        + "if n < 2: sys.exit(5)\n"
        + "say('third'); time.sleep(100)"
    )
    all_ = begin(dies)
    all_.until("third")
    all_.process.send_signal(signal.SIGTERM)
    assert all_.end()[0] == 0
    assert count.stat().st_size == 3


def test_what_is_killed_at_its_start_is_started_again(begin: Begin, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    killed = (
        "import os, pathlib, signal\n"
        f"p = pathlib.Path({str(mark)!r})\n"
        "if not p.exists(): p.touch(); os.kill(os.getpid(), signal.SIGKILL)\n" + WELL
    )
    all_ = begin(killed)
    all_.until("ready")
    all_.process.send_signal(signal.SIGTERM)
    assert all_.end()[0] == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("moment", ["begun", "ready"])
def test_one_signal_ends_all_at_any_moment(
    begin: Begin, number: signal.Signals, moment: str
) -> None:
    all_ = begin(WELL, WELL)
    all_.until(moment)
    all_.process.send_signal(number)
    assert all_.end()[0] in ({0} if moment == "ready" else {0, -number})
    assert gone(all_.process.pid)


def test_a_signal_during_a_pause_ends_all_at_once(begin: Begin) -> None:
    dies = READY % 5 + "tell_ready(); say('up'); sys.exit(1)"
    all_ = begin(dies)
    for _ in range(3):
        all_.until("up")
    began = time.monotonic()
    all_.process.send_signal(signal.SIGTERM)
    assert all_.end()[0] in {0, 1}
    assert time.monotonic() - began < 5


def test_what_hangs_is_killed_with_what_it_started_when_patience_ends(begin: Begin) -> None:
    all_ = begin(WITH_A_CHILD, WELL, patience=0.3)
    all_.until("ready")
    all_.until("ready")
    all_.process.send_signal(signal.SIGTERM)
    ended, said = all_.end()
    assert (ended, "did not end in time and is killed" in said) == (1, True)
    assert gone(all_.process.pid)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_all_at_once(begin: Begin, number: signal.Signals) -> None:
    all_ = begin(WITH_A_CHILD, patience=100)
    all_.until("ready")
    all_.process.send_signal(number)
    all_.until("stopping")
    all_.process.send_signal(number)
    assert all_.end()[0] == 128 + number
    assert gone(all_.process.pid)


def test_a_hanging_child_ends_when_its_parent_is_killed(begin: Begin) -> None:
    all_ = begin(HANGS)
    all_.until("ready")
    all_.process.kill()
    assert gone(all_.process.pid)


def test_the_parent_ends_with_its_own_parent(begin: Begin) -> None:
    all_ = begin(WELL)
    all_.until("ready")
    all_.lifeline.close()
    assert all_.end()[0] == 0
    assert gone(all_.process.pid)


def test_a_command_that_is_not_there_is_tried_again(begin: Begin) -> None:
    parent = PARENT.replace('[sys.executable, "-c", text]', '["/nowhere/at/all"]')
    child, lifeline = start_tied(
        [sys.executable, "-u", "-c", parent, "5", "x"], stderr=subprocess.PIPE
    )
    assert child.stderr is not None
    assert b"cannot be started now" in child.stderr.readline()
    child.send_signal(signal.SIGTERM)
    assert child.wait(SECONDS) == 0
    child.stderr.close()
    assert isinstance(lifeline, socket.socket)
    lifeline.close()
