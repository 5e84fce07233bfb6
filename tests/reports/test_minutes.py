"""Roll-ups: they count exactly what ended, and tell times within the error they state."""

import pytest

from quaero.clock import DAY, HOUR, MINUTE, SECOND
from quaero.jobs import JobSpec, minutes
from quaero.jobs.create import create
from quaero.jobs.run import Completed, Failed, claim, settle_all
from quaero.jobs.steer import cancel
from quaero.queue.claim import Claim
from quaero.queue.queue import open_queue
from quaero.queue.stats import sample_depth
from quaero.reports import minutes as reports


def run_all(opened, queue_id, outcome=Completed, seconds=0.0, **options):
    works = opened.write(claim, queue_id, Claim(100, 300 * SECOND))
    started = opened.wall
    opened.clock.pass_time(seconds)
    outcomes = [outcome(work, started, **options) for work in works]
    opened.write(settle_all, outcomes, 3, None)
    return len(works)


@pytest.mark.parametrize("micros", [1_000, 1_001, 1_189, 5_000, 999_999, 60 * SECOND, DAY, 7 * DAY])
def test_the_middle_of_a_bucket_is_within_the_stated_error(micros) -> None:
    told = minutes.middle(minutes.bucket(micros)) * SECOND
    assert abs(told / micros - 1) < 0.0911


@pytest.mark.parametrize("micros", [0, 1, 500, 999])
def test_below_a_millisecond_the_error_is_half_of_one(micros) -> None:
    assert abs(minutes.middle(minutes.bucket(micros)) * SECOND - micros) <= 500


def test_buckets_are_numbered_in_order_and_bounded() -> None:
    times = [2**n for n in range(63)]
    numbers = [minutes.bucket(each) for each in times]
    assert numbers == sorted(numbers)
    assert max(numbers) == minutes.BUCKETS - 1
    for number in range(1, minutes.BUCKETS - 1):
        assert minutes.upper(number - 1) < minutes.middle(number) < minutes.upper(number)


@pytest.mark.parametrize(
    ("histogram", "percent", "number"),
    [({3: 1}, 50, 3), ({3: 1, 9: 1}, 50, 3), ({3: 1, 9: 1}, 95, 9), ({1: 99, 8: 1}, 99, 1),
     ({1: 98, 8: 2}, 99, 8), ({5: 10}, 0, 5)],
)  # fmt: skip
def test_a_percentile_is_that_of_the_nearest_rank(histogram, percent, number) -> None:
    assert reports.percentile(histogram, percent) == minutes.middle(number)


def test_what_ended_is_counted_in_its_minute_with_its_times(opened) -> None:
    queue_id = opened.write(open_queue, "q")
    opened.write(create, queue_id, [JobSpec("a"), JobSpec("a"), JobSpec("b")])
    opened.clock.pass_time(4.0)
    assert run_all(opened, queue_id, seconds=2.0) == 3
    day = opened.read(reports.last_day)
    assert (day.completed, day.failed, day.cancelled) == (3, 0, 0)
    assert sum(day.runs.values()) == sum(day.waits.values()) == 3
    assert reports.percentile(day.runs, 50) == pytest.approx(2.0, rel=0.091)
    assert reports.percentile(day.waits, 99) == pytest.approx(4.0, rel=0.091)
    assert day.mean_run == pytest.approx(2.0)
    of_b = opened.read(reports.last_day, "b")
    assert (of_b.completed, sum(of_b.runs.values())) == (1, 1)


def test_failed_and_cancelled_jobs_are_counted_and_a_retried_attempt_is_no_end(opened) -> None:
    queue_id = opened.write(open_queue, "q")
    ids = opened.write(create, queue_id, [JobSpec("a"), JobSpec("a")])
    opened.write(cancel, ids[0])
    import random

    (work,) = opened.write(claim, queue_id, Claim(10, 300 * SECOND))
    opened.write(settle_all, [Failed(work, opened.wall, error="no")], 3, random.Random(1))
    day = opened.read(reports.last_day)
    assert (day.completed, day.failed, day.cancelled) == (0, 0, 1)
    assert sum(day.runs.values()) == 1
    opened.clock.pass_time(3_600)
    (work,) = opened.write(claim, queue_id, Claim(10, 300 * SECOND))
    failed = Failed(work, opened.wall, error="no", permanent=True)
    opened.write(settle_all, [failed], 3, random.Random(1))
    assert opened.read(reports.last_day).failed == 1


def test_a_parent_counts_once_when_it_ends(opened) -> None:
    queue_id = opened.write(open_queue, "q")
    opened.write(create, queue_id, [JobSpec("root")])
    (work,) = opened.write(claim, queue_id, Claim(10, 300 * SECOND))
    done = Completed(work, opened.wall, spawn=[JobSpec("leaf"), JobSpec("leaf")])
    opened.write(settle_all, [done], 3, None)
    assert opened.read(reports.last_day).completed == 0
    run_all(opened, queue_id)
    assert opened.read(reports.last_day).completed == 3
    assert opened.read(reports.last_day, "root").completed == 1


def test_a_minute_without_a_process_is_a_gap_and_a_quiet_one_is_zero(opened) -> None:
    queue_id = opened.write(open_queue, "q")
    opened.write(create, queue_id, [JobSpec("a")])
    start = opened.wall
    opened.write(sample_depth, queue_id)
    run_all(opened, queue_id)
    opened.clock.pass_time(120)
    opened.write(sample_depth, queue_id)
    points = opened.read(reports.series, queue_id, start, opened.wall + MINUTE)
    assert points.step == 60
    assert points.completed[:3] == [1, None, 0]
    assert points.depth[:3] == [1, None, 0]
    assert points.run[50][1:3] == [None, None]
    assert points.at[1] - points.at[0] == 60


def test_the_depth_of_a_minute_is_the_greatest_seen(opened) -> None:
    queue_id = opened.write(open_queue, "q")
    opened.write(create, queue_id, [JobSpec("a"), JobSpec("a")])
    opened.write(sample_depth, queue_id)
    run_all(opened, queue_id)
    opened.write(sample_depth, queue_id)
    points = opened.read(reports.series, queue_id, opened.wall, opened.wall + 1)
    assert points.depth == [2]


def test_a_long_range_has_longer_steps_and_loses_nothing(opened) -> None:
    queue_id = opened.write(open_queue, "q")
    for _ in range(3):
        opened.write(create, queue_id, [JobSpec("a")])
        run_all(opened, queue_id)
        opened.clock.pass_time(DAY / SECOND)
    points = opened.read(reports.series, queue_id, opened.wall - 10 * DAY, opened.wall)
    assert len(points.at) <= reports.MOST_POINTS + 1
    assert sum(n or 0 for n in points.completed) == 3


def test_old_minutes_are_pruned(opened) -> None:
    queue_id = opened.write(open_queue, "q")
    opened.write(create, queue_id, [JobSpec("a")])
    run_all(opened, queue_id)
    opened.write(sample_depth, queue_id)
    assert opened.write(minutes.prune, opened.wall - MINUTE) == 0
    assert opened.write(minutes.prune, opened.wall + MINUTE) > 0
    assert opened.sql("select count(*) from job_minute") == [(0,)]
    assert opened.sql("select count(*) from queue_minute") == [(0,)]
    assert opened.sql("select count(*) > 0 from job_hour") == [(1,)]
    assert opened.write(minutes.prune, opened.wall + HOUR) > 0
    assert opened.sql("select count(*) from job_hour") == [(0,)]


@pytest.mark.parametrize(
    ("since", "until"),
    [(0, 1), (0, 60), (1, 59), (1, 61), (59, 61), (60, 120), (61, 119), (0, 300), (7, 293),
     (120, 120), (119, 121), (30, 90)],
)  # fmt: skip
def test_a_range_is_summed_by_hours_and_minutes_exactly(opened, since, until) -> None:
    start = -(-opened.wall // HOUR) * HOUR
    queue_id = opened.write(open_queue, "q")
    opened.clock.pass_time((start - opened.wall) / SECOND)
    ended = []
    for minutes_on in (0, 1, 58, 1, 1, 58, 1, 1, 60, 29):
        opened.clock.pass_time(minutes_on * 60)
        opened.write(create, queue_id, [JobSpec("a"), JobSpec("b")])
        run_all(opened, queue_id)
        ended.append((opened.wall - start) // MINUTE)
    found = opened.read(
        reports.totals, start + since * MINUTE, start + until * MINUTE, "a"
    ).completed
    assert found == sum(since <= minute < until for minute in ended)


def test_the_rate_of_each_minute_ends_with_the_present_one(opened) -> None:
    queue_id = opened.write(open_queue, "q")
    opened.write(create, queue_id, [JobSpec("a"), JobSpec("a")])
    run_all(opened, queue_id)
    opened.clock.pass_time(60)
    rates = opened.read(reports.per_minute, 5)
    assert rates == [0, 0, 0, 2, 0]
