"""A process that writes: `steadily SECONDS` counts its commits, `once` signals the topic `work`."""

import asyncio
import sys
import time
from pathlib import Path

from quaero.db import SqliteDatabase


def put(tx, who):
    tx.execute("insert into item values($1)", (who,))


async def steadily(path: Path, who: int, start: float, seconds: float) -> None:
    with SqliteDatabase.open(path) as db:
        await asyncio.sleep(max(0.0, start - time.time()))
        before = db.commits
        while time.time() < start + seconds:
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
