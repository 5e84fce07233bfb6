"""Roll-ups: how many jobs ended in each minute, how long they waited and how long they ran.

The same is kept by hour, so that a busy day is read in few rows. They are written in the
transaction that ends the jobs, so they are exact and survive what the jobs do not. Times go into
buckets that grow by the fourth root of two from 1 ms on: whoever takes the middle of a bucket
(`middle`) for a time in it is wrong by 9.1 % at most, or by half a millisecond below 1 ms. A time
is that of one attempt: its wait from when its message became ready until it started, its run until
it completed or failed; what was only put off or given back is not counted.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import IntEnum
from math import exp2, log2

import msgspec

from quaero.clock import HOUR, MINUTE
from quaero.db.contract import Tx
from quaero.jobs.model import Status

_KEY = "jobs.minutes"
_FIRST = 1_000  # microseconds; bucket 0 lies below
STEPS = 4  # buckets for each doubling
BUCKETS = 121  # the last one holds what took more than twelve days


class Measure(IntEnum):
    """What a row of a minute counts; the meaning of its bucket follows from that."""

    ENDED = 0
    SUM = 1
    RUN = 2
    WAIT = 3


class Sum(IntEnum):
    """Which times a sum is of."""

    RUN = 0
    WAIT = 1


def ended(tx: Tx, type_: str, status: Status) -> None:
    """Count a job that came to a terminal status."""
    _noted(tx).ended.append((type_, int(status)))


def ran(tx: Tx, type_: str, wait: int, run: int) -> None:
    """Count an attempt that completed or failed; times in microseconds."""
    _noted(tx).ran.append((type_, wait, run))


def bucket(micros: int) -> int:
    """The number of the bucket that a time lies in."""
    if micros < _FIRST:
        return 0
    return min(BUCKETS - 1, 1 + int(STEPS * log2(micros / _FIRST)))


def upper(number: int) -> float:
    """The bound, in seconds, below which the times of a bucket lie."""
    return 0.001 * exp2(number / STEPS)


def middle(number: int) -> float:
    """The time, in seconds, that stands for those of a bucket: its geometric middle."""
    return 0.0005 if number == 0 else 0.001 * exp2((number - 0.5) / STEPS)


def prune(tx: Tx, before: int, limit: int = 1_000) -> int:
    """Remove up to `limit` rows of minutes older than a wall time; returns how many.

    An hour goes once the last of its minutes may.
    """
    rows = tx.execute(
        """
        delete from job_minute where (minute, type, measure, bucket) in
            (select minute, type, measure, bucket from job_minute where minute < $1 limit $2)
        returning 1
        """,
        (before // MINUTE, limit),
    )
    rows += tx.execute(
        """
        delete from queue_minute where (minute, queue_id) in
            (select minute, queue_id from queue_minute where minute < $1 limit $2)
        returning 1
        """,
        (before // MINUTE, limit),
    )
    rows += tx.execute(
        """
        delete from job_hour where (hour, type, measure, bucket) in
            (select hour, type, measure, bucket from job_hour where hour < $1 limit $2)
        returning 1
        """,
        (before // HOUR, limit),
    )
    return len(rows)


@dataclass(slots=True)
class _Noted:
    """What one function of the database has to count."""

    ended: list[tuple[str, int]] = field(default_factory=list)
    ran: list[tuple[str, int, int]] = field(default_factory=list)


def _noted(tx: Tx) -> _Noted:
    noted: _Noted | None = tx.scratch.get(_KEY)
    if noted is None:
        noted = tx.scratch[_KEY] = _Noted()
        tx.at_end(_KEY, _write, rank=6)
    return noted


def _write(tx: Tx) -> None:
    noted: _Noted = tx.scratch.pop(_KEY)
    counts = {(type_, 0, status): n for (type_, status), n in Counter(noted.ended).items()}
    runs: dict[str, list[int]] = {}
    waits: dict[str, list[int]] = {}
    for type_, wait, run in noted.ran:
        waits.setdefault(type_, []).append(max(0, wait))
        runs.setdefault(type_, []).append(max(0, run))
    for times, measure, of in ((runs, 2, 0), (waits, 3, 1)):
        for type_, each in times.items():
            counts[type_, 1, of] = sum(each)
            for number, n in Counter(map(bucket, each)).items():
                counts[type_, measure, number] = n
    rows = msgspec.json.encode([(*key, n) for key, n in sorted(counts.items())]).decode()
    tx.execute(
        """
        insert into job_minute(minute, type, measure, bucket, n)
        select $2, value ->> 0, value ->> 1, value ->> 2, value ->> 3 from each($1) where true
            on conflict(minute, type, measure, bucket) do update set n = n + excluded.n
        """,
        (rows, tx.now // MINUTE),
    )
    tx.execute(
        """
        insert into job_hour(hour, type, measure, bucket, n)
        select $2, value ->> 0, value ->> 1, value ->> 2, value ->> 3 from each($1) where true
            on conflict(hour, type, measure, bucket) do update set n = n + excluded.n
        """,
        (rows, tx.now // HOUR),
    )
