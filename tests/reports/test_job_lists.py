"""Lists of jobs: every filter and order is right, and costs the same in a large table."""

from collections.abc import Callable
from functools import lru_cache
from itertools import product
from typing import Any, get_args

import pytest

from quaero.db.contract import Tx
from quaero.errors import BadInput
from quaero.jobs.model import Status
from quaero.queue.queue import open_queue
from quaero.reports import jobs
from quaero.reports.outline import outline
from quaero.reports.walks import walks
from quaero.reports.wanted import JobFilter, OrderWord, moment, written

from ..opening import Opened  # noqa: TID252

MANY = 40_000
STEPS_A_ROW = 100
PARENT = 5
FILTERS: list[dict[str, Any]] = [
    {},
    {"status": ["failed"]},
    {"status": ["running", "failed", "completed"]},
    {"type": "rare"},
    {"type": "rare", "status": ["completed"]},
    {"source_type": "jira"},
    {"entity_type": "issue", "status": ["failed", "completed"]},
    {"source": "7"},
    {"source": "harbour", "status": ["failed", "completed", "pending"]},
    {"source": "unknown"},
    {"text": "JOB 777"},
    {"text": "broken"},
    {"created_after": written(30_000_000), "created_before": written(31_000_000)},
    {"completed_after": written(30_000_000), "completed_before": written(31_000_000)},
    {"completed_after": written(39_000_000), "status": ["failed", "pending"]},
    {"parent": "any"},
    {"parent": "any", "status": ["failed"], "completed_before": written(9_000_000)},
    {"parent": "any", "status": ["failed", "cancelled"]},
    {"parent": "any", "status": ["running"]},
    {"parent": "any", "status": ["pending"], "text": "777"},
    {"parent": str(PARENT)},
    {"parent": str(PARENT), "status": ["failed"]},
    {"parent": str(PARENT), "status": ["running", "pending"]},
    {"parent": str(PARENT), "type": "rare"},
]
ORDERS: tuple[OrderWord, ...] = get_args(OrderWord)


def fill(tx: Tx, many: int) -> None:
    """Jobs by plain SQL: one in three below the job `PARENT`, times that are not in order of id."""
    tx.execute(
        """
        insert into source(id, name, kind, base_url, settings, tags, created_at, updated_at)
        values(7, 'harbour', 'jira', 'https://harbour.example.org/', '{}', '[]', 0, 0)
        """
    )
    tx.execute(
        """
        with recursive n(i) as (values(1) union all select i + 1 from n where i < $1)
        insert into job(id, parent_id, root_id, depth, type, phase, name, status, priority, error,
                        payload, created_at, started_at, completed_at, queue_id, own_run)
        select i, case when i % 3 = 0 then $2 end, case when i % 3 = 0 then $2 else i end,
               i % 3 = 0, case when i % 1000 = 7 then 'rare' else 'page' end, 1, 'Job ' || i, s, 0,
               case s when 3 then 'it is Broken' end,
               case when i % 900 = 1 then '{"source_type":"jira","entity_type":"issue","source":7}'
                    else '{"source_type":"web","entity_type":"page"}' end,
               i * 1000,
               case when s > 0 and i % 50 <> 9 then i * 1000 + (i * 7919) % 100000 end,
               case when s > 1 then i * 1000 + 200000 + (i * 104729) % 1000000 end, 1, s > 1
          from (select i, case when i % 200 = 3 then 3 when i % 300 = 5 then 1
                               when i % 500 = 9 then 4 when i % 400 = 11 then 0 else 2 end s
                  from n)
        """,
        (many, PARENT),
    )
    tx.execute(
        """
        insert into job_count(top, type, status, n)
        select parent_id is null, type, status, count(*) from job group by 1, 2, 3
        """
    )


@pytest.fixture(scope="module")
def large() -> Any:
    with Opened() as opened:
        opened.write(open_queue, "quaero_jobs")
        opened.write(fill, MANY)
        yield opened


def offered(filters: list[dict[str, Any]]) -> list[tuple[dict[str, Any], OrderWord]]:
    return [
        (words, order)
        for words, order in product(filters, ORDERS)
        if "parent" not in words or order.endswith("created")
    ]


@lru_cache(maxsize=1)
def all_jobs(opened: Opened) -> list[dict[str, Any]]:
    """Every job of the database, which no test changes."""
    names = ("id", "parent_id", "type", "name", "status", "error", "payload", "created_at",
             "started_at", "completed_at")  # fmt: skip
    rows = opened.sql(f"select {', '.join(names)} from job")
    return [dict(zip(names, row, strict=True)) for row in rows]


def expected(opened: Opened, words: dict[str, Any], order: str) -> list[int]:
    """The ids by looking at every job; those without the time that is asked for come last."""
    down = order.startswith("-")
    time: Callable[[dict[str, Any]], int | None] = {
        "created": lambda job: 0,
        "started": lambda job: job["started_at"],
        "finished": lambda job: job["completed_at"],
        "duration": lambda job: (
            job["completed_at"] - job["started_at"]
            if job["completed_at"] and job["started_at"]
            else None
        ),
    }[order.removeprefix("-")]

    def key(job: dict[str, Any]) -> tuple[bool, int, int]:
        found = time(job)
        return (found is None) != down, found or 0, job["id"]

    found = [job for job in all_jobs(opened) if fits(job, words)]
    return [job["id"] for job in sorted(found, key=key, reverse=down)]


def fits(job: dict[str, Any], words: dict[str, Any]) -> bool:
    parent = words.get("parent", "root")
    text = words.get("text", "").lower()
    ended = job["completed_at"]
    return (
        (parent == "any" or job["parent_id"] == (None if parent == "root" else int(parent)))
        and ("status" not in words or Status(job["status"]).word in words["status"])
        and words.get("type", job["type"]) == job["type"]
        and f'"source_type":"{words.get("source_type", "")}' in job["payload"]
        and f'"entity_type":"{words.get("entity_type", "")}' in job["payload"]
        and ("source" not in words or is_of(job, words["source"]))
        and (text in job["name"].lower() or text in (job["error"] or "").lower())
        and ("created_after" not in words or job["created_at"] >= moment(words["created_after"]))
        and ("created_before" not in words or job["created_at"] < moment(words["created_before"]))
        and (ended or not {"completed_after", "completed_before"} & words.keys())
        and ("completed_after" not in words or ended >= moment(words["completed_after"]))
        and ("completed_before" not in words or ended < moment(words["completed_before"]))
    )


def is_of(job: dict[str, Any], source: str) -> bool:
    return source in {"7", "harbour"} and '"source":7}' in job["payload"]


def walk(opened: Opened, wanted: JobFilter, order: OrderWord, limit: int) -> list[int]:
    """All pages, one after another."""
    found: list[int] = []
    place = None
    while True:
        page = opened.read(jobs.page, wanted, order, place, limit)
        found += [job.id for job in page.items]
        assert len(page.items) <= limit
        place = page.next
        if place is None:
            return found


@pytest.mark.parametrize(("words", "order"), offered(FILTERS))
def test_pages_are_the_matching_jobs_in_their_order(
    large: Opened, words: dict[str, Any], order: OrderWord
) -> None:
    assert walk(large, JobFilter(**words), order, 4_000) == expected(large, words, order)


@pytest.mark.parametrize("order", ORDERS)
def test_small_pages_lead_from_those_with_a_time_to_those_without(
    large: Opened, order: OrderWord
) -> None:
    words = {"status": ["cancelled", "pending"]}
    found = walk(large, JobFilter(**words), order, 7)
    assert found == expected(large, words, order)
    assert len(found) == large.read(jobs.total, JobFilter(**words)).count


@pytest.mark.parametrize(("words", "order"), offered(FILTERS))
def test_a_page_costs_the_same_in_a_large_table(
    large: Opened, words: dict[str, Any], order: OrderWord
) -> None:
    """Steps of the database's machine for the first page and for one in the middle."""
    wanted = JobFilter(**words)
    middle = (MANY * 500, MANY // 2)
    for place in (None, middle):
        steps = count_steps(large, lambda tx, at=place: jobs.page(tx, wanted, order, at, 50))
        assert steps < STEPS_A_ROW * (jobs.SCANNED + 51)
    rare = any(way.looked_at for way in large.read(walks, wanted, order))
    if not rare:
        assert steps < STEPS_A_ROW * 51 * 3


@pytest.mark.parametrize("words", FILTERS)
def test_a_count_costs_a_bounded_number_of_steps(large: Opened, words: dict[str, Any]) -> None:
    steps = count_steps(large, lambda tx: jobs.total(tx, JobFilter(**words)))
    assert steps < STEPS_A_ROW * (jobs.COUNT_SCANNED + jobs.COUNTED)


def count_steps(opened: Opened, fn: Any) -> int:
    """How many instructions the database's machine ran for a function."""
    steps = 0

    def add() -> bool:
        nonlocal steps
        steps += 10
        return False

    def counted(tx: Any) -> None:
        connection = tx._connection
        connection.set_progress_handler(add, 10)
        try:
            fn(tx)
        finally:
            connection.set_progress_handler(None)

    opened.read(counted)
    return steps


@pytest.mark.parametrize("words", FILTERS)
def test_counts_are_exact_or_say_that_they_are_not(large: Opened, words: dict[str, Any]) -> None:
    total = large.read(jobs.total, JobFilter(**words))
    real = len(expected(large, words, "created"))
    assert total.count == real or (total.capped and total.count < real)


def test_a_page_that_found_little_says_so_and_where_to_go_on(large: Opened) -> None:
    page = large.read(jobs.page, JobFilter(text="Job 7"), "-created", None, 50)
    assert page.searched
    assert page.next is not None
    assert page.next[1] < MANY - jobs.SCANNED


def test_an_order_without_an_index_is_not_offered(large: Opened) -> None:
    with pytest.raises(BadInput, match="top-level jobs only"):
        large.read(jobs.page, JobFilter(parent="any"), "duration")


def test_a_tree_is_read_in_pages_as_it_is_drawn(large: Opened) -> None:
    found: list[int] = []
    place: tuple[int, ...] = ()
    large.write(lambda tx: tx.execute("update job set n_completed = 9 where id = $1", (PARENT,)))
    for _ in range(10):
        page = large.read(outline, PARENT, place, 70)
        found += [job.id for job in page.items]
        assert page.next is not None
        place = page.next
    assert found == [PARENT, *range(3, 3 * 700, 3)]


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T01:00:00.5+01:00", 500_000),
        ("2026-11-22t06:30:00.123456789z", 1_795_329_000_123_456),
        ("0001-01-01T00:00:00Z", -62_135_596_800_000_000),
        ("1990-12-31T23:59:60Z", 662_687_999_999_999),
    ],
)
def test_times_are_read_as_rfc_3339_writes_them(text: str, micros: int) -> None:
    assert moment(text) == micros
    assert moment(written(micros)) == micros


@pytest.mark.parametrize("text", ["", "now", "5", "2026-11-22", "2026-13-01T00:00:00Z", 5, None])
def test_other_times_are_refused(text: Any) -> None:
    with pytest.raises(ValueError, match="time"):
        moment(text)
