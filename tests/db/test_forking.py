"""What a fork of a process that has a database open may do, and what it cannot harm."""

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("forking_program.py")


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    path = tmp_path_factory.mktemp("fork") / "q.db"
    done = subprocess.run(
        [sys.executable, PROGRAM, path], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_copy_of_an_open_database_is_refused_and_closing_it_harms_nobody(said):
    assert said[0] == "refused"


def test_a_fork_opens_the_database_anew_while_its_parent_writes(said):
    assert said[1] == "sent"


def test_the_parent_goes_on_as_if_nothing_had_been_forked(said):
    assert said[2:4] == ["kept", "ok"]


def test_a_fork_does_not_keep_a_holder_alive_that_has_died(said):
    assert said[4] == "dead"
