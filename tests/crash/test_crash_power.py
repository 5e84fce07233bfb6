"""Power cuts: what was acknowledged is there in every state that a disk may be left in.

A workload of transactions runs on a disk that remembers every write (`power.py`), with checkpoints
and with logs begun anew, with readers in the way at times. It is replayed to states in which writes
that were not synced are lost or torn.
"""

import contextlib
import itertools
import random
import shutil
import tempfile
from pathlib import Path

import apsw
import pytest

from quaero.db import SqliteDatabase
from quaero.db.sqlite import wal
from quaero.db.sqlite.room import Room
from quaero.db.sqlite.upkeep import damage
from quaero.errors import QuaeroError

from ..soak import campaigns  # noqa: TID252
from .power import FILES, Recorder, content, lay, states

ROWS = 60
_names = itertools.count()


@pytest.fixture
def folder(monkeypatch):
    """Memory is disk enough, for what a disk forgets is played."""
    memory = Path("/dev/shm")
    made = Path(tempfile.mkdtemp(prefix="quaero-power-", dir=memory if memory.is_dir() else None))
    monkeypatch.setattr(wal, "WAL_FILL", 64 * 1024)
    monkeypatch.setattr(wal, "PASSIVE_PAGES", 12)
    monkeypatch.setattr(wal, "RESTART_PAGES", 40)
    monkeypatch.setattr(wal, "SHARE", 0)  # what is in vain is tried again at once
    yield made
    shutil.rmtree(made)


@pytest.fixture
def recorder():
    made = Recorder(f"recorder-{next(_names)}")
    yield made
    made.unregister()


def opened(path, vfs=None):
    return SqliteDatabase.open(path, vfs=vfs, reader_threads=1, room=Room(path, reserve=0))


def prepare(tx):
    tx.execute("create table ledger(n integer primary key)")
    tx.execute("create table account(id integer primary key, n integer, filler blob)")
    for id_ in range(ROWS):
        tx.execute("insert into account values($1, 0, $2)", (id_, bytes(900)))


def change(tx, n, ids, size):
    tx.execute("insert into ledger values($1)", (n,))
    for id_ in ids:
        tx.execute(
            "update account set n = $2, filler = randomblob($3) where id = $1", (id_, n, size)
        )


def workload(path, recorder, rng, count, synchronous="full"):
    """Commit `count` transactions; returns what the accounts were after each, the first one 0."""
    accounts = [dict.fromkeys(range(ROWS), 0)]
    with opened(path, recorder.name) as db:
        db.write_sync(prepare)
        db.exclusively(lambda c: c.wal_checkpoint("main", apsw.SQLITE_CHECKPOINT_PASSIVE))
        db.exclusively(lambda c: c.pragma("synchronous", synchronous))
        with db._writer._lock:
            before = content(path)
            recorder.on = True
        with contextlib.ExitStack() as reading:
            for n in range(1, count + 1):
                if rng.random() < 0.05:
                    reading.close()
                    reading.enter_context(reader(path, recorder.name))
                ids = rng.sample(range(ROWS), rng.randint(1, 12))
                db.write_sync(change, n, ids, rng.randint(1, 1200))
                recorder.note("ack", at=n)
                accounts.append(accounts[-1] | dict.fromkeys(ids, n))
                if rng.random() < 0.1:
                    reading.close()
        recorder.on = False
    return before, accounts


@contextlib.contextmanager
def reader(path, vfs):
    """A reader that keeps an old snapshot, so that the log cannot be begun anew."""
    held = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY, vfs=vfs)
    held.execute("begin")
    held.execute("select count(*) from ledger").fetchall()
    try:
        yield
    finally:
        held.close()


def faults_of(files, path, acknowledged, accounts):
    """What is wrong with a state, in words."""
    lay(files, path)
    try:
        with opened(path) as db:
            if found := db.exclusively(damage):
                return f"damaged: {found[0]}"
            ledger = [n for (n,) in db.read_sync(lambda tx: tx.execute("select n from ledger"))]
            kept = dict(db.read_sync(lambda tx: tx.execute("select id, n from account")))
            if ledger != list(range(1, len(ledger) + 1)):
                return f"a ledger with holes: {ledger}"
            if len(ledger) < acknowledged:
                return f"lost: {acknowledged} were acknowledged, {len(ledger)} are there"
            if kept != accounts[len(ledger)]:
                return f"half a transaction after {len(ledger)}"
            db.write_sync(change, len(ledger) + 1, range(ROWS), 500)
            if found := db.exclusively(damage):
                return f"damaged by the next commit: {found[0]}"
    except QuaeroError as error:
        return repr(error)
    return None


@pytest.mark.parametrize("seed", campaigns())
def test_no_power_cut_loses_an_acknowledged_commit_or_keeps_half_of_one(folder, recorder, seed):
    rng = random.Random(seed)
    before, accounts = workload(folder / "q.db", recorder, rng, count=400)
    log_starts = [n for n in recorder.notes if n.file == "wal" and n.what == "write" and n.at == 0]
    into_file = [n for n in recorder.notes if n.file == "db" and n.what == "write"]
    assert len(log_starts) > 10, "the log has to be begun anew"
    assert len(into_file) > 100, "checkpoints have to happen"
    for n, (files, acknowledged) in enumerate(states(before, recorder.notes, 200, rng)):
        state = folder / "state" / "q.db"
        state.parent.mkdir()
        assert faults_of(files, state, acknowledged, accounts) is None, f"state {n}"
        shutil.rmtree(state.parent)


def test_the_replay_finds_what_a_lesser_setting_loses(folder, recorder):
    """With synchronous=normal acknowledged commits are lost: a test that cannot fail is none."""
    rng = random.Random(7)
    before, accounts = workload(folder / "q.db", recorder, rng, count=60, synchronous="normal")
    found = set()
    for n, (files, acknowledged) in enumerate(states(before, recorder.notes, 20, rng)):
        state = folder / f"state{n}" / "q.db"
        state.parent.mkdir()
        found.add(str(faults_of(files, state, acknowledged, accounts)).partition(":")[0])
    assert "lost" in found
    assert not any("damaged" in each for each in found)


@pytest.mark.parametrize("seed", campaigns())
def test_a_power_cut_while_the_database_is_made_leaves_one_to_go_on_with(folder, recorder, seed):
    rng = random.Random(seed)
    recorder.on = True
    with opened(folder / "q.db", recorder.name) as db:
        db.write_sync(prepare)
        recorder.note("ack", at=1)
    nothing = dict.fromkeys(FILES, b"")
    for n, (files, acknowledged) in enumerate(states(nothing, recorder.notes, 60, rng)):
        state = folder / "state" / "q.db"
        state.parent.mkdir()
        lay(files, state)
        with opened(state) as db:
            assert db.exclusively(damage) == [], f"state {n}"
            tables = db.read_sync(lambda tx: tx.execute("select name from sqlite_schema"))
            assert ("ledger",) in tables or not acknowledged, f"state {n}"
        shutil.rmtree(state.parent)
