"""`/metrics`: the program's figures in the text format of Prometheus.

Figures of jobs are counted from the roll-ups of minutes, by whichever worker they ran on, from the
start of this process on; histograms have the bounds of every eighth bucket, a factor of four apart.
Labels are bounded: job types beyond the first 50 are summed up as `other`, and nothing is ever
labelled with an id or an address.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from fastapi import APIRouter, Request, Response
from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from quaero.api.describing import errors
from quaero.api.live.hub import Hub
from quaero.clock import MINUTE, SECOND
from quaero.db.contract import ReadTx
from quaero.db.processes import ProcessState, states
from quaero.db.sqlite.database import SqliteDatabase
from quaero.jobs import feed
from quaero.jobs.minutes import BUCKETS, Measure, Sum, upper
from quaero.jobs.model import Status
from quaero.jobs.read import counts_by_status
from quaero.queue.stats import QueueStats, stats
from quaero.summarize.audit import Total, totals

CONTENT_TYPE = CONTENT_TYPE_LATEST
MOST_TYPES = 50
OTHER = "other"
EVERY_NTH = 8
LATE_MINUTES = 2  # a transaction that began so long ago may still be committed
Cell = tuple[str, int, int]

router = APIRouter(tags=["system"])


@router.get("/metrics", response_class=Response, responses=errors())
async def metrics(request: Request) -> Response:
    """The program's figures, for Prometheus."""
    figures: Metrics = request.app.state.metrics
    return Response(await figures.text(), media_type=CONTENT_TYPE)


class Metrics:
    """The figures of one web process; `text` reads and writes them."""

    def __init__(self, db: SqliteDatabase, queue_id: int, hub: Hub, started_at: int) -> None:
        self._db = db
        self._queue_id = queue_id
        self._hub = hub
        self._from = started_at // MINUTE
        self._before: Counter[Cell] = Counter()
        self._types: dict[str, str] = {}
        self._one_at_a_time = asyncio.Lock()

    async def text(self) -> bytes:
        """All figures as they are now."""
        async with self._one_at_a_time:
            families = await self._db.read(self._read)
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Given([*families, *self._live()]))
        return generate_latest(registry)

    def _read(self, tx: ReadTx) -> list[Metric]:
        return [
            *self._jobs(tx),
            *_queue(stats(tx, self._queue_id)),
            _top(tx),
            *_processes(states(tx)),
            *_model_calls(totals(tx)),
            GaugeMetricFamily("quaero_feed_head", "Newest entry of the feed.", feed.last(tx)),
        ]

    # -- jobs

    def _jobs(self, tx: ReadTx) -> Iterator[Metric]:
        cells = self._count(tx)
        types = sorted({type_ for type_, _, _ in cells})
        ended = CounterMetricFamily("quaero_jobs", "Jobs that ended.", labels=("type", "outcome"))
        run = HistogramMetricFamily(
            "quaero_job_run_seconds", "How long attempts ran.", labels=("type",)
        )
        wait = HistogramMetricFamily(
            "quaero_job_wait_seconds", "How long attempts waited.", labels=("type",)
        )
        for type_ in types:
            for status in (Status.COMPLETED, Status.FAILED, Status.CANCELLED):
                ended.add_metric((type_, status.word), cells[type_, Measure.ENDED, status])
            for family, measure, of in (
                (run, Measure.RUN, Sum.RUN),
                (wait, Measure.WAIT, Sum.WAIT),
            ):
                counts = [cells[type_, measure, number] for number in range(BUCKETS)]
                total = cells[type_, Measure.SUM, of] / SECOND
                family.add_metric((type_,), _cumulated(counts), total)
        yield from (ended, run, wait)

    def _count(self, tx: ReadTx) -> Counter[Cell]:
        """What was counted since the start; minutes that are over for good are kept as a sum."""
        settled = max(self._from, tx.now // MINUTE - LATE_MINUTES)
        cells = Counter(self._before)
        for minute, type_, measure, number, n in tx.execute(
            "select minute, type, measure, bucket, n from job_minute where minute >= $1",
            (self._from,),
        ):
            cell = (self._label(type_), measure, number)
            cells[cell] += n
            if minute < settled:
                self._before[cell] += n
        self._from = settled
        return cells

    def _label(self, type_: str) -> str:
        """A job type as a label: itself, or one word for all beyond the first fifty."""
        if type_ not in self._types and len(self._types) < MOST_TYPES:
            self._types[type_] = type_
        return self._types.get(type_, OTHER)

    def _live(self) -> Iterator[Metric]:
        hub = self._hub
        yield GaugeMetricFamily("quaero_live_clients", "Open sockets.", hub.clients)
        yield GaugeMetricFamily("quaero_feed_lag", "Changes the hub has yet to tell.", hub.behind)
        told = {
            "looks": ("Looks at the feed.", hub.tally.looks),
            "messages": ("Messages put out to clients.", hub.tally.messages),
            "resets": ("Times a client was told to load anew.", hub.tally.resets),
            "cut": ("Clients that did not read and were cut.", hub.tally.cut),
        }
        for name, (meaning, value) in told.items():
            yield CounterMetricFamily(f"quaero_live_{name}", meaning, value)


class _Given(Collector):
    """Metrics that were made already."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        """The metrics."""
        return self._families


def _cumulated(counts: list[int]) -> list[tuple[str, float]]:
    """The counts of buckets as Prometheus has them: up to each bound, all below it."""
    ends = range(0, BUCKETS - 1, EVERY_NTH)
    below = [(f"{upper(end):.6g}", float(sum(counts[: end + 1]))) for end in ends]
    return [*below, ("+Inf", float(sum(counts)))]


def _queue(seen: QueueStats) -> Iterator[Metric]:
    depth = GaugeMetricFamily("quaero_queue_depth", "Messages by state.", labels=("state",))
    for state in ("ready", "delayed", "in_flight", "dead", "scheduled", "parked", "suspect"):
        depth.add_metric((state,), getattr(seen, state))
    yield depth
    yield GaugeMetricFamily("quaero_queue_paused", "1 while the queue is paused.", seen.paused)
    yield GaugeMetricFamily(
        "quaero_queue_oldest_ready_seconds", "Age of the oldest ready message.",
        (seen.oldest_ready or 0) / SECOND,
    )  # fmt: skip


def _top(tx: ReadTx) -> Metric:
    top = GaugeMetricFamily("quaero_top_jobs", "Top-level jobs by status.", labels=("status",))
    for status, n in counts_by_status(tx, top=True).items():
        top.add_metric((status.word,), n)
    return top


def _model_calls(found: list[Total]) -> Iterator[Metric]:
    """Calls of models since the beginning, by what they were for and how they ended."""
    labels = ("operation", "outcome")
    calls = CounterMetricFamily("quaero_model_calls", "Calls of models.", labels=labels)
    time = CounterMetricFamily("quaero_model_seconds", "Time models took.", labels=labels)
    tokens = CounterMetricFamily(
        "quaero_model_tokens", "Tokens of models.", labels=("operation", "direction")
    )
    taken: Counter[tuple[str, str]] = Counter()
    for each in found:
        calls.add_metric((each.operation, each.outcome), each.calls)
        time.add_metric((each.operation, each.outcome), each.duration / SECOND)
        taken[each.operation, "in"] += each.tokens_in
        taken[each.operation, "out"] += each.tokens_out
    for key, n in taken.items():
        tokens.add_metric(key, n)
    yield from (calls, time, tokens)


def _processes(processes: list[ProcessState]) -> Iterator[Metric]:
    """Figures of the living processes, summed by role."""
    count: Counter[str] = Counter()
    memory: Counter[str] = Counter()
    commits: dict[str, float] = {}
    for each in processes:
        if each.alive:
            count[each.role] += 1
            memory[each.role] += each.report.rss
            seconds = each.report.commit_seconds or 0.0
            commits[each.role] = max(seconds, commits.get(each.role, 0.0))
    families: dict[str, tuple[str, Mapping[str, float]]] = {
        "quaero_processes": ("Living processes.", count),
        "quaero_resident_bytes": ("Memory of living processes.", memory),
        "quaero_commit_seconds": ("Slowest median of recent commits.", commits),
    }
    for name, (meaning, values) in families.items():
        family = GaugeMetricFamily(name, meaning, labels=("role",))
        for role in ("worker", "web", "alone", "passing"):
            family.add_metric((role,), values.get(role, 0))
        yield family
