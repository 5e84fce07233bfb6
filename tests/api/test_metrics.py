"""Metrics: exact, monotonic, with labels that stay few."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from quaero.api import metrics
from quaero.api.live.hub import Hub
from quaero.clock import SECOND
from quaero.db.processes import Reporter
from quaero.jobs import JobSpec, minutes
from quaero.jobs.create import create
from quaero.jobs.run import Completed, claim, settle_all
from quaero.queue.claim import Claim
from quaero.queue.queue import open_queue
from quaero.summarize.audit import Call, note

from .listening import plain_views


async def made(opened):
    await opened.db.write(open_queue, "quaero_jobs")
    return metrics.Metrics(opened.db, 1, Hub(opened.db, 1, plain_views()), opened.wall)


async def figures(of):
    families = text_string_to_metric_families((await of.text()).decode())
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


async def run(opened, *types):
    await opened.db.write(create, 1, [JobSpec(each) for each in types])
    works = await opened.db.write(claim, 1, Claim(1_000, 300 * SECOND))
    started = opened.wall
    opened.clock.pass_time(2.0)
    await opened.db.write(settle_all, [Completed(work, started) for work in works], 3, None)


async def test_jobs_are_counted_by_type_and_outcome_and_never_fewer(opened) -> None:
    of = await made(opened)
    seen = []
    for _ in range(5):
        await run(opened, "a", "a", "b")
        opened.clock.pass_time(60)
        seen.append(await figures(of))
    counts = [each["quaero_jobs_total", ("outcome", "completed"), ("type", "a")] for each in seen]
    assert counts == [2, 4, 6, 8, 10]
    last = seen[-1]
    assert last["quaero_job_run_seconds_count", ("type", "b")] == 5
    assert last["quaero_job_run_seconds_sum", ("type", "b")] == 10
    assert last["quaero_job_run_seconds_bucket", ("le", "1.024"), ("type", "b")] == 0
    assert last["quaero_job_run_seconds_bucket", ("le", "4.096"), ("type", "b")] == 5
    assert last["quaero_job_run_seconds_bucket", ("le", "+Inf"), ("type", "b")] == 5


async def test_what_ended_before_the_start_is_not_counted(opened) -> None:
    await opened.db.write(lambda tx: minutes.ran(tx, "old", 1, 1))
    opened.clock.pass_time(120)
    seen = await figures(await made(opened))
    assert not [key for key in seen if ("type", "old") in key]


async def test_types_beyond_the_first_fifty_are_one(opened) -> None:
    of = await made(opened)

    def many(tx):
        for n in range(60):
            minutes.ran(tx, f"type {n}", 1, 1)

    await opened.db.write(many)
    seen = await figures(of)
    types = {dict(key[1:])["type"] for key in seen if key[0] == "quaero_job_run_seconds_count"}
    assert len(types) == metrics.MOST_TYPES + 1
    assert seen["quaero_job_run_seconds_count", ("type", metrics.OTHER)] == 10


async def test_the_queue_is_shown_by_state(opened) -> None:
    of = await made(opened)
    await opened.db.write(create, 1, [JobSpec("a")] * 3)
    seen = await figures(of)
    assert seen["quaero_queue_depth", ("state", "ready")] == 3
    assert seen["quaero_top_jobs", ("status", "pending")] == 3
    assert seen[("quaero_live_clients",)] == 0


@pytest.mark.parametrize("role", ["worker", "web", "alone", "passing"])
async def test_a_living_process_is_counted_whatever_its_role(opened, role) -> None:
    of = await made(opened)
    reporter = Reporter(opened.db, role, list)
    await opened.db.write(reporter.write)
    seen = await figures(of)
    assert seen["quaero_processes", ("role", role)] == 1
    assert seen["quaero_resident_bytes", ("role", role)] > 0


def test_buckets_of_a_histogram_never_fall() -> None:
    told = metrics._cumulated([1] * minutes.BUCKETS)
    values = [value for _, value in told]
    assert values == sorted(values)
    assert values[-1] == minutes.BUCKETS
    assert len(told) == 16


async def test_calls_of_models_are_counted_by_what_they_were_for(opened) -> None:
    of = await made(opened)
    for error in (None, "busy", None):
        call = Call(model="m", operation="summary", job_id=1, document_id=2, tokens_in=10,
                    tokens_out=3, duration=1_500_000, error=error)  # fmt: skip
        await opened.db.write(note, call)
    seen = await figures(of)
    asked = ("operation", "summary")
    assert seen["quaero_model_calls_total", asked, ("outcome", "ok")] == 2
    assert seen["quaero_model_calls_total", asked, ("outcome", "error")] == 1
    assert seen["quaero_model_seconds_total", asked, ("outcome", "ok")] == 3
    assert seen["quaero_model_tokens_total", ("direction", "in"), asked] == 30
