"""Figures over time, from the roll-ups of `jobs.minutes`: never from the jobs themselves.

Times are read from buckets, so a percentile is wrong by 9.1 % at most (half a millisecond below
1 ms). What is asked for is a range of minutes; long ranges are read in steps of several.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from quaero.clock import DAY, MINUTE, SECOND
from quaero.db.contract import ReadTx
from quaero.jobs.minutes import Measure, Sum, middle
from quaero.jobs.model import Status

MOST_POINTS = 1_500
Histogram = dict[int, int]


@dataclass(frozen=True, slots=True)
class Totals:
    """What ended in a range of time; seconds, None where nothing ran."""

    completed: int
    failed: int
    cancelled: int
    runs: Histogram
    waits: Histogram
    run_sum: float
    wait_sum: float

    @property
    def mean_run(self) -> float | None:
        """The mean time of a run, exact."""
        count = sum(self.runs.values())
        return self.run_sum / count if count else None


@dataclass(frozen=True, slots=True)
class Series:
    """Points in order, `step` seconds apart; `at` is the Unix time at which each begins.

    A point at which no process of the program ran is None in every row: a gap, not a zero. Times
    are seconds; percentiles are None as well where nothing ran.
    """

    step: int
    at: list[int]
    completed: list[int | None]
    failed: list[int | None]
    cancelled: list[int | None]
    wait: dict[int, list[float | None]]
    run: dict[int, list[float | None]]
    depth: list[int | None]


def percentile(histogram: Mapping[int, int], percent: float) -> float | None:
    """The time, in seconds, that so many per cent of the times do not exceed (nearest rank)."""
    total = sum(histogram.values())
    if not total:
        return None
    rank, seen = max(1, -(-total * percent // 100)), 0
    for number, count in sorted(histogram.items()):
        seen += count
        if seen >= rank:
            return middle(number)
    raise AssertionError("the ranks of a histogram end with its last bucket")


def totals(tx: ReadTx, since: int, until: int, type_: str | None = None) -> Totals:
    """What ended between two wall times, whole minutes; of one type, or of all.

    Whole hours are read as such, and minutes only before the first and after the last of them.
    """
    first, end = since // MINUTE, -(-until // MINUTE)
    from_hour, to_hour = -(-first // 60), end // 60
    if from_hour >= to_hour:
        from_hour = to_hour = -(-end // 60)
    rows = tx.execute(
        """
        select measure, bucket, sum(n) from (
            select measure, bucket, n from job_hour
             where hour >= $3 and hour < $4 and ($5 is null or type = $5)
             union all
            select measure, bucket, n from job_minute
             where minute >= $1 and minute < min($2, $3 * 60) and ($5 is null or type = $5)
             union all
            select measure, bucket, n from job_minute
             where minute >= $4 * 60 and minute < $2 and ($5 is null or type = $5))
         group by measure, bucket
        """,
        (first, end, from_hour, to_hour, type_),
    )
    return _totals({(measure, number): n for measure, number, n in rows})


def last_day(tx: ReadTx, type_: str | None = None) -> Totals:
    """What ended in the last 24 hours."""
    return totals(tx, tx.now - DAY, tx.now + MINUTE, type_)


def series(
    tx: ReadTx,
    queue_id: int,
    since: int,
    until: int,
    type_: str | None = None,
    percents: tuple[int, ...] = (50, 95, 99),
) -> Series:
    """The points of a range of wall time; at most 1,500, so a long range has longer steps."""
    first, end = since // MINUTE, max(since // MINUTE + 1, -(-until // MINUTE))
    step = max(1, -(-(end - first) // MOST_POINTS))
    first -= first % step
    found: dict[int, dict[tuple[int, int], int]] = defaultdict(dict)
    for point, measure, number, n in tx.execute(
        """
        select minute / $4, measure, bucket, sum(n) from job_minute
         where minute >= $1 and minute < $2 and ($3 is null or type = $3) group by 1, 2, 3
        """,
        (first, end, type_, step),
    ):
        found[point][measure, number] = n
    depths: dict[int, int] = dict(
        tx.execute(
            """
            select minute / $4, max(depth) from queue_minute
             where minute >= $1 and minute < $2 and queue_id = $3 group by 1
            """,
            (first, end, queue_id, step),
        )
    )
    points = range(first // step, -(-end // step))
    each = [_totals(found.get(p, {})) if p in found or p in depths else None for p in points]
    return Series(
        step * 60,
        [point * step * 60 for point in points],
        [None if t is None else t.completed for t in each],
        [None if t is None else t.failed for t in each],
        [None if t is None else t.cancelled for t in each],
        {p: [None if t is None else percentile(t.waits, p) for t in each] for p in percents},
        {p: [None if t is None else percentile(t.runs, p) for t in each] for p in percents},
        [depths.get(point) for point in points],
    )


def per_minute(tx: ReadTx, minutes: int = 60) -> list[int]:
    """How many jobs ended in each of the last minutes, the present one last."""
    now = tx.now // MINUTE
    rows: dict[int, int] = dict(
        tx.execute(
            """
            select minute, sum(n) from job_minute
             where minute > $1 and measure = 0 group by minute
            """,
            (now - minutes,),
        )
    )
    return [rows.get(minute, 0) for minute in range(now - minutes + 1, now + 1)]


def _totals(found: Mapping[tuple[int, int], int]) -> Totals:
    def ended(status: Status) -> int:
        return found.get((Measure.ENDED, status), 0)

    def histogram(measure: Measure) -> Histogram:
        return {number: n for (kind, number), n in found.items() if kind == measure}

    return Totals(
        ended(Status.COMPLETED),
        ended(Status.FAILED),
        ended(Status.CANCELLED),
        histogram(Measure.RUN),
        histogram(Measure.WAIT),
        found.get((Measure.SUM, Sum.RUN), 0) / SECOND,
        found.get((Measure.SUM, Sum.WAIT), 0) / SECOND,
    )
