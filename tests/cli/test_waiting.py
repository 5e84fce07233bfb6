"""What the command line says of work that waits for room."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from quaero.cli.waiting import Waiting, for_room
from quaero.db import SqliteDatabase
from quaero.jobs.create import create
from quaero.jobs.model import JobSpec
from quaero.jobs.read import get
from quaero.queue import Queue


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[int], None]:
    usage = shutil.disk_usage(tmp_path)

    def leave(free: int) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=free))

    return leave


def test_what_has_not_begun_waits_for_room_and_what_runs_does_not(
    tmp_path: Path, free: Callable[[int], None]
) -> None:
    with SqliteDatabase.open(tmp_path / "q.db") as db:
        queue = Queue.open(db, "main")
        (job_id,) = db.write_sync(create, queue.id, [JobSpec("t")])

        def reason() -> str:
            return db.read_sync(lambda tx: for_room(tx, db.path, get(tx, job_id).summary))

        free(1_000)
        assert reason().startswith("nothing new begins before 67,108,864 bytes are free")
        assert reason().endswith(" cleanup` makes room")
        free(1 << 40)
        assert reason() == ""
        free(1_000)
        db.write_sync(lambda tx: tx.execute("update job set status = 1 where id = $1", (job_id,)))
        assert reason() == ""


def test_what_is_waited_for_is_said_after_a_second_and_once_for_as_long_as_it_lasts(
    capsys: pytest.CaptureFixture[str],
) -> None:
    now = 0.0
    waiting = Waiting(lambda: now)
    said = []
    for now, reason in [
        (0.0, "room"), (0.9, "room"), (1.0, "room"), (2.0, "room"), (2.1, ""), (2.2, "room"),
        (3.3, ""), (3.4, "room"), (4.5, "room"), (4.6, "room"),
    ]:  # fmt: skip
        waiting.tell(reason)
        said.append(capsys.readouterr().err)
    assert [at for at, text in enumerate(said) if text] == [2, 8]
    assert said[2] == "waiting: room\n"
