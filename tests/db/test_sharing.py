"""Several processes on one file: wake-ups at once, a fair share of the commits, never locked."""

import contextlib
import errno
import queue
import subprocess
import sys
import threading
import time
from pathlib import Path

import apsw
import pytest

from quaero.db import SqliteDatabase, wake
from quaero.db.sqlite import wal

PROGRAM = Path(__file__).with_name("writing_program.py")


def program(path, *arguments):
    return subprocess.Popen(
        [sys.executable, PROGRAM, str(path), *map(str, arguments)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@contextlib.contextmanager
def signaller(path):
    with program(path, "once") as process:
        assert process.stdout.readline() == "ready\n"

        def signal():
            process.stdin.write("now\n")
            process.stdin.flush()
            return int(process.stdout.readline())

        yield signal
        process.stdin.close()


@pytest.mark.parametrize("deep", [0, 200], ids=["short path", "path too long for a socket"])
def test_another_process_is_woken_within_fifty_milliseconds(tmp_path, deep):
    folder = tmp_path.joinpath(*["d" * 50] * (deep // 50))
    with SqliteDatabase.open(folder / "q.db") as db, signaller(db.path) as signal:
        heard = queue.Queue()
        db.subscribe("work", lambda: heard.put(time.time_ns()))
        lags = []
        for _ in range(20):
            sent = signal()
            lags.append(heard.get(timeout=5) - sent)
        assert sorted(lags)[10] < 50_000_000, f"nanoseconds: {lags}"
        assert heard.empty()


def test_a_commit_is_told_to_its_caller_though_nobody_else_can_be_woken(tmp_path, monkeypatch):
    def no_files_left(*_):
        raise OSError(errno.EMFILE, "too many open files")

    with SqliteDatabase.open(tmp_path / "q.db") as db, SqliteDatabase.open(db.path) as other:
        other.subscribe("work", lambda: None)
        with monkeypatch.context() as patch:
            patch.setattr(wake.socket, "socket", no_files_left)
            assert db.write_sync(lambda tx: tx.signal("work") or "committed") == "committed"


def test_without_a_place_for_sockets_a_process_still_wakes_itself(tmp_path):
    (tmp_path / "q.db-wake").write_text("in the way")
    heard = queue.Queue()
    with SqliteDatabase.open(tmp_path / "q.db") as db:
        db.subscribe("work", lambda: heard.put("woken"))
        db.write_sync(lambda tx: tx.signal("work"))
        assert heard.get(timeout=5) == "woken"


def test_the_socket_of_a_killed_process_is_cleared_away(tmp_path):
    with SqliteDatabase.open(tmp_path / "q.db") as db:
        folder = tmp_path / "q.db-wake"
        code = (
            "import os, sys; from pathlib import Path; from quaero.db import SqliteDatabase;"
            "db = SqliteDatabase.open(Path(sys.argv[1])); db.subscribe('work', print);"
            "os.kill(os.getpid(), 9)"
        )
        subprocess.run([sys.executable, "-c", code, str(db.path)], check=False)
        assert len(list(folder.iterdir())) == 1
        db.write_sync(lambda tx: tx.signal("work"))
        assert list(folder.iterdir()) == []


def test_two_processes_that_never_pause_each_get_a_quarter_of_the_commits(tmp_path):
    path = tmp_path / "q.db"
    with SqliteDatabase.open(path) as db:
        db.write_sync(lambda tx: tx.execute("create table item(who)"))
        processes = [program(path, "steadily", who, 2) for who in range(2)]
        assert [process.stdout.readline() for process in processes] == ["ready\n"] * 2
        for process in processes:
            process.stdin.write("go\n")
            process.stdin.flush()
        said = [process.communicate(timeout=60) for process in processes]
        assert [errors for _, errors in said] == ["", ""]
        commits = [int(out) for out, _ in said]
        assert min(commits) >= sum(commits) / 4, commits
        rows = db.read_sync(lambda tx: tx.execute("select count(*) from item group by who"))
        assert len(rows) == 2


def test_a_long_reader_elsewhere_holds_up_no_writer(tmp_path, monkeypatch):
    """The log cannot be rewound while it reads; it grows, and commits go on."""
    monkeypatch.setattr(wal, "PASSIVE_PAGES", 8)
    monkeypatch.setattr(wal, "RESTART_PAGES", 16)
    with SqliteDatabase.open(tmp_path / "q.db") as db:
        db.write_sync(lambda tx: tx.execute("create table item(n)"))
        reader = apsw.Connection(str(db.path), flags=apsw.SQLITE_OPEN_READONLY)
        reader.execute("begin")
        reader.execute("select count(*) from item").fetchall()
        began = time.monotonic()
        for n in range(30):
            db.write_sync(lambda tx, n=n: tx.execute("insert into item values($1)", (n,)))
        assert time.monotonic() - began < 10
        reader.close()


def test_a_lock_held_elsewhere_is_waited_for(tmp_path):
    with SqliteDatabase.open(tmp_path / "q.db") as db:
        db.write_sync(lambda tx: tx.execute("create table item(n)"))
        other = apsw.Connection(str(db.path))
        other.execute("begin immediate")
        threading.Timer(0.2, lambda: other.execute("commit")).start()
        began = time.monotonic()
        db.write_sync(lambda tx: tx.execute("insert into item values(1)"))
        assert 0.1 < time.monotonic() - began < 5
        other.close()
