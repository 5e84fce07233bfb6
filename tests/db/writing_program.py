"""A process that writes: `steadily WHO SECONDS` counts its commits; `once` signals `work` when told.

It says `ready`, and begins with the first line it reads.
"""

import asyncio
import sys
import time
from pathlib import Path

from quaero.db import SqliteDatabase


def put(tx, who):
    tx.execute("insert into item values($1)", (who,))


async def steadily(path: Path, who: int, seconds: float) -> None:
    with SqliteDatabase.open(path) as db:
        print("ready", flush=True)
        sys.stdin.readline()
        before = db.commits
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            await asyncio.gather(*(db.write(put, who) for _ in range(5)))
        print(db.commits - before)


def once(path: Path) -> None:
    with SqliteDatabase.open(path) as db:
        print("ready", flush=True)
        for _ in sys.stdin:
            db.write_sync(lambda tx: tx.signal("work"))
            print(time.time_ns(), flush=True)


if __name__ == "__main__":
    if sys.argv[2] == "once":
        once(Path(sys.argv[1]))
    else:
        asyncio.run(steadily(Path(sys.argv[1]), *(float(each) for each in sys.argv[3:])))
