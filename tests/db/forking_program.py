"""Open the database at the path given, fork while threads write and read, and say what came of it.

Run by `test_forking.py`, in a process of its own: forking one with threads warns on later Pythons.
"""

import asyncio
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path

from quaero.db import SqliteDatabase
from quaero.errors import Conflict
from quaero.queue import Queue
from quaero.queue.holders import Holders

FORKS = 5


def in_child(work: Callable[[], str]) -> str:
    """What `work` says in a fork of this process, which is ended where it hangs."""
    out, into = os.pipe()
    if os.fork() == 0:
        signal.alarm(20)
        try:
            os.write(into, work().encode())
        finally:
            os._exit(0)
    os.close(into)
    with os.fdopen(out) as answer:
        said = answer.read()
    os.wait()
    return said


def main(path: Path) -> None:
    db = SqliteDatabase.open(path)
    queue = Queue.open(db, "mail")

    def use_the_copy() -> str:
        for use in (
            lambda: db.write_sync(queue.send),
            lambda: db.read_sync(queue.stats),
            lambda: db.subscribe("x", print),
            lambda: db.exclusively(print),
        ):
            try:
                use()
            except Conflict as error:
                if str(path) not in str(error):
                    return str(error)
            else:
                return "used"
        db.close()
        return "refused"

    def open_anew() -> str:
        with SqliteDatabase.open(path) as again:
            again.write_sync(queue.send)
            return "sent" if again.read_sync(queue.stats).ready else "lost"

    stop = threading.Event()
    sent: list[int] = []

    def write() -> None:
        while not stop.is_set():
            sent.append(db.write_sync(queue.send))

    def read() -> None:
        while not stop.is_set():
            db.read_sync(queue.stats)

    busy = [threading.Thread(target=each) for each in (write, write, read)]
    for thread in busy:
        thread.start()
    print(*{in_child(use_the_copy) for _ in range(FORKS)})
    print(*{in_child(open_anew) for _ in range(FORKS)})
    stop.set()
    for thread in busy:
        thread.join()
    print("kept" if db.read_sync(queue.stats).ready == len(sent) + FORKS else "miscounted")
    print(db.exclusively(lambda c: c.pragma("integrity_check")))

    async def joined() -> None:
        register = Holders(db.path)
        holder = await register.join(db, 1)
        stay, go = os.pipe()
        there, is_there = os.pipe()
        if (child := os.fork()) == 0:
            os.write(is_there, b".")
            os.read(stay, 1)  # outlives the holder
            os._exit(0)
        os.read(there, 1)
        holder.abandon()
        print("dead" if [each.id for each in db.read_sync(register.dead)] else "held by its fork")
        os.write(go, b".")
        os.waitpid(child, 0)

    asyncio.run(joined())
    db.close()


if __name__ == "__main__":
    warnings.simplefilter("ignore", DeprecationWarning)
    main(Path(sys.argv[1]))
