"""The register of the processes that hold leases."""

import os
from pathlib import Path

import pytest

from quaero.db import SqliteDatabase
from quaero.queue import Delivery, Queue, holders
from quaero.queue.consumer import Consumer
from quaero.queue.handler import consuming
from quaero.queue.holders import Holders

from ..opening import Opened  # noqa: TID252


def name_of(file: int) -> str:
    """The name of an open file; empty once it was closed."""
    try:
        return os.readlink(f"/proc/self/fd/{file}")
    except OSError:
        return ""


async def test_a_process_that_is_just_joining_is_never_taken_for_dead(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    register, others = (Holders(opened.db.path, opened.clock) for _ in range(2))
    found = []
    lock = holders.fcntl.flock

    def looked_at_meanwhile(file: int, how: int) -> None:
        if "q.db-holders" in name_of(file) and how == holders.fcntl.LOCK_EX:
            found.append(opened.db.read_sync(others.dead))
        lock(file, how)

    monkeypatch.setattr(holders.fcntl, "flock", looked_at_meanwhile)
    holder = await register.join(opened.db, 1)
    assert found == [[]]
    assert [each.alive for each in await opened.db.read(others.known)] == [True]
    holder.close()


async def test_who_never_came_is_dead_though_the_clock_was_set_back(opened: Opened) -> None:
    register = Holders(opened.db.path, opened.clock)
    holder = await register.join(opened.db, 1)
    holder.close()
    opened.clock.step_wall(-3_600)
    assert [each.alive for each in await opened.db.read(register.known)] == [False]
    assert [each.id for each in await opened.db.read(register.dead)] == [holder.id]


async def test_what_a_dead_process_had_started_is_known_until_its_end_is_committed(
    opened: Opened,
) -> None:
    register = Holders(opened.db.path, opened.clock)
    holder = await register.join(opened.db, 1)
    holder.note(0, 7)
    holder.abandon()

    def bury_and_fail(tx: object) -> None:
        (dead,) = register.dead(tx)
        register.bury(tx, dead.id)
        raise LookupError("the commit is lost")

    with pytest.raises(LookupError):
        await opened.db.write(bury_and_fail)
    (dead,) = await opened.db.read(register.dead)
    assert dead.started == {7}
    await opened.db.write(register.bury, dead.id)
    assert await opened.db.read(register.dead) == []
    assert list((opened.folder / "q.db-holders").iterdir()) == []


async def test_a_consumer_that_broke_down_holds_no_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("it broke down")

    async def handle(_: Delivery) -> None: ...

    with SqliteDatabase.open(tmp_path / "q.db") as db:
        queue = Queue(1, "mail")
        monkeypatch.setattr(Consumer, "run", broken)
        with pytest.raises(RuntimeError, match="broke down"):
            async with consuming(db, queue, handle):
                pass
        names = [name_of(int(fd)) for fd in os.listdir("/proc/self/fd")]
        assert [name for name in names if name.startswith(f"{db.path}-holders")] == []


async def test_a_dead_process_is_known_though_its_machine_has_another_name_by_now(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    register = Holders(opened.db.path, opened.clock)
    holder = await register.join(opened.db, 1)
    holder.note(0, 7)
    monkeypatch.setattr(holders.socket, "gethostname", lambda: "renamed")
    assert await opened.db.read(register.dead) == []
    assert [each.alive for each in await opened.db.read(register.known)] == [True]
    holder.abandon()
    (dead,) = await opened.db.read(register.dead)
    assert dead.started == {7}
    assert [each.alive for each in await opened.db.read(register.known)] == [False]
