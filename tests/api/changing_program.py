"""A writer process: changes jobs at a given rate, in trees that grow, end, are stopped and deleted.

Usage: python changing_program.py DATABASE SEED SECONDS CHANGES_PER_SECOND [TREES]
"""

import random
import sys
import time
from pathlib import Path

from quaero.clock import SECOND
from quaero.db.sqlite.database import SqliteDatabase
from quaero.jobs import JobSpec, steer
from quaero.jobs.create import create
from quaero.jobs.logs import Entry, write
from quaero.jobs.run import Completed, Failed, claim, settle_all
from quaero.queue.claim import Claim
from quaero.queue.queue import open_queue

TREES = 20
MOST_STOPPED = 5


def main(path: Path, seed: int, seconds: float, rate: float, trees: int = TREES) -> int:
    rng = random.Random(seed)
    done, began = 0, time.monotonic()
    with SqliteDatabase.open(path) as db:
        queue_id = db.write_sync(open_queue, f"writer {seed}")
        forest = Forest(queue_id, rng, trees)
        while (spent := time.monotonic() - began) < seconds:
            if done > rate * spent:
                time.sleep(0.005)
            else:
                done += db.write_sync(forest.step)
    return done


class Forest:
    """The trees of one writer: those that live, and those that were stopped and will be deleted."""

    def __init__(self, queue_id: int, rng: random.Random, trees: int) -> None:
        self.queue_id = queue_id
        self.rng = rng
        self.trees = trees
        self.living: list[int] = []
        self.stopped: list[int] = []

    def step(self, tx) -> int:
        """One transaction of many changes; returns how many."""
        rng = self.rng
        works = claim(tx, self.queue_id, Claim(rng.randint(5, 40), 300 * SECOND))
        settle_all(tx, [self.outcome(tx, work) for work in works], 3, rng)
        changes = 2 * len(works)
        if len(self.living) < self.trees or not works:
            self.living += create(tx, self.queue_id, [JobSpec("root", name=str(rng.random()))])
            changes += 1
        if len(self.living) > self.trees:
            victim = self.living.pop(rng.randrange(self.trees))
            steer.cancel(tx, victim)
            self.stopped.append(victim)
            changes += 1
        elif self.stopped and (len(self.stopped) > MOST_STOPPED or rng.random() < 0.3):
            changes += steer.delete(tx, self.stopped.pop())
        return changes

    def outcome(self, tx, work):
        write(tx, [Entry(work.job_id, work.root_id, 1, tx.now, 1, "changed")])
        if work.type == "root":
            specs = [JobSpec("leaf") for _ in range(self.rng.randint(1, 60))]
            return Completed(work, tx.now, spawn=specs)
        if self.rng.random() < 0.1:
            return Failed(work, tx.now, error="no", permanent=True)
        return Completed(work, tx.now)


if __name__ == "__main__":
    database, seed, seconds, rate, *trees = sys.argv[1:]
    print(main(Path(database), int(seed), float(seconds), float(rate), *map(int, trees)))
