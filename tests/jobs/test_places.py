"""Children of which only so many are under way at once, each with all that is below it."""

import asyncio
from functools import partial
from random import Random
from typing import Any

import pytest

from quaero.clock import SECOND
from quaero.errors import Conflict
from quaero.jobs import actions, deadlines, steer
from quaero.jobs.create import insert
from quaero.jobs.model import FailureAction, JobSpec, Phase, Status
from quaero.jobs.places import lane_of_children
from quaero.jobs.run import Completed, Deferred, Failed, GivenBack, Outcome, Work
from quaero.queue.message import Lane

from ..opening import Opened  # noqa: TID252
from ..soak import EXAMPLES  # noqa: TID252
from .worker import Jobs

PENDING, RUNNING, COMPLETED, FAILED, CANCELLED = Status


@pytest.fixture
def jobs(opened: Opened) -> Jobs:
    return Jobs(opened)


def items_of(jobs: Jobs, count: int, most: int = 1) -> tuple[int, list[int]]:
    """A job with as many children, of which `most` are under way at once."""
    id_ = jobs.root()
    jobs.claim()
    lane = lane_of_children(id_, most)
    jobs.well(id_, spawn=[JobSpec("item", lane=lane) for _ in range(count)])
    return id_, jobs.children(id_)


def begin(jobs: Jobs, item: int, pages: int = 2) -> list[int]:
    """Have a child end its own run with jobs below it, and claim these."""
    assert jobs.claim() == [item]
    jobs.well(item, spawn=[JobSpec("page") for _ in range(pages)])
    return jobs.claim()


def retry(jobs: Jobs, id_: int) -> int:
    return asyncio.run(actions.retry(jobs.opened.db, id_))


def test_the_next_child_begins_when_all_below_the_one_before_has_ended(jobs: Jobs) -> None:
    root, (a, b) = items_of(jobs, 2)
    first, second = begin(jobs, a)
    jobs.well(first)
    assert jobs.claim() == []
    jobs.well(second)
    assert jobs.claim() == [b]
    jobs.well(b)
    assert jobs.statuses(root, a, b) == [COMPLETED] * 3


def test_as_many_are_under_way_as_may_be(jobs: Jobs) -> None:
    _, (a, b, c, d) = items_of(jobs, 4, most=2)
    assert jobs.claim() == [a, b]
    jobs.well(a)
    assert jobs.claim() == [c]
    jobs.well(b, c)
    assert jobs.claim() == [d]


def test_one_that_waits_for_another_try_keeps_its_place(jobs: Jobs) -> None:
    _, (a, b) = items_of(jobs, 2)
    jobs.claim()
    jobs.badly(a, permanent=False, after=10 * SECOND)
    assert jobs.claim() == []
    jobs.opened.clock.pass_time(11)
    assert jobs.claim() == [a]
    jobs.badly(a)
    assert jobs.claim() == [b], "one that failed is done"


def test_one_that_is_cancelled_or_deleted_leaves_its_place_to_the_next(jobs: Jobs) -> None:
    root, (a, b, c, d) = items_of(jobs, 4)
    begin(jobs, a)
    jobs.do(steer.cancel, b)
    assert jobs.claim() == []
    jobs.do(steer.delete, c)
    jobs.do(steer.cancel, a)
    assert jobs.claim() == [d]
    jobs.do(steer.cancel, root)
    assert jobs.statuses(root, d) == [CANCELLED] * 2


def test_a_retry_of_what_is_below_begins_one_after_the_other(jobs: Jobs) -> None:
    root, (a, b, c) = items_of(jobs, 3)
    pages = []
    for item in (a, b, c):
        pages.append(begin(jobs, item))
        jobs.badly(*pages[-1])
    assert jobs.look(root).status is FAILED
    assert retry(jobs, root) == 6
    for item, those in zip((a, b, c), pages, strict=True):
        assert jobs.claim() == those
        jobs.well(*those)
        assert jobs.look(item).status is COMPLETED
    assert jobs.look(root).status is COMPLETED


def test_so_does_a_retry_of_what_failed_itself_and_had_jobs_before_it(jobs: Jobs) -> None:
    root, items = items_of(jobs, 2)
    pre: dict[int, int] = {}
    for item in items:
        assert jobs.claim() == [item]
        jobs.settle(Deferred(jobs.works[item], 0, after_pre=True, effects=[before]))
        (pre[item],) = jobs.claim()
        jobs.badly(pre[item])
    retry(jobs, root)
    for item in items:
        assert jobs.claim() == [pre[item]]
        jobs.well(pre[item])
        assert jobs.claim() == [item]
        jobs.well(item)
    assert jobs.statuses(root, *items) == [COMPLETED] * 3


def before(tx, job) -> None:  # type: ignore[no-untyped-def]
    insert(tx, job.queue_id, [JobSpec("pre", phase=Phase.PRE)], job)


def test_a_page_that_is_run_again_waits_for_the_place_of_its_item(jobs: Jobs) -> None:
    root, (a, b) = items_of(jobs, 2)
    (page,) = begin(jobs, a, 1)
    jobs.well(page)
    assert jobs.claim() == [b]
    again = jobs.do(steer.rerun, page)
    assert jobs.claim() == []
    jobs.well(b)
    assert jobs.claim() == [again]
    jobs.well(again)
    assert jobs.look(root).status is COMPLETED


def test_a_copy_at_the_top_needs_no_place(jobs: Jobs) -> None:
    _, (a, b) = items_of(jobs, 2)
    assert jobs.claim() == [a]
    copied = jobs.do(steer.copy, b)
    jobs.do(steer.start, copied)
    assert jobs.claim() == [copied]


def test_places_within_places(jobs: Jobs) -> None:
    _, (a, b) = items_of(jobs, 2)
    inner = {}
    for item in (a, b):
        assert jobs.claim() == [item]
        lane = lane_of_children(item, 1)
        jobs.well(item, spawn=[JobSpec("inner", lane=lane), JobSpec("inner", lane=lane)])
        inner[item] = jobs.children(item)
        for each in inner[item]:
            assert jobs.claim() == [each]
            jobs.badly(each)
    retry(jobs, jobs.look(a).parent_id or 0)
    for each in (*inner[a], *inner[b]):
        assert jobs.claim() == [each]
        jobs.well(each)


# -- by chance


class Life:
    """Random work, failures, kills and steering over a tree with places at two depths."""

    def __init__(self, opened: Opened, seed: int) -> None:
        self.random = Random(seed)
        self.jobs = Jobs(opened)
        self.root = self.jobs.root()

    def children(self, work: Work, depth: int) -> list[JobSpec]:
        count = self.random.randint(1, 3) if depth < 4 else 0
        lane = lane_of_children(work.job_id, self.most(work.job_id)) if depth in (0, 2) else None
        return [JobSpec("t", lane=lane) for _ in range(count + (depth == 0))]

    def most(self, id_: int) -> int:
        return 1 + id_ % 2

    def outcome(self, work: Work, *, calmly: bool) -> Outcome:
        job = self.jobs.look(work.job_id)
        ways = ["well", "well", "well", "badly", "again", "back", "pre"]
        match "well" if calmly or job.depth == 0 else self.random.choice(ways):
            case "badly":
                return Failed(work, 0, error="no", permanent=True)
            case "again":
                return Failed(work, 0, error="not now", after=SECOND)
            case "back":
                return GivenBack(work, 0, reason="so")
            case "pre" if not self.jobs.children(work.job_id):
                return Deferred(work, 0, after_pre=True, effects=[before])
        made = self.jobs.children(work.job_id) or job.phase is Phase.PRE
        return Completed(work, 0, spawn=[] if made else self.children(work, job.depth))

    def act(self) -> None:
        jobs = self.jobs
        ids = [id_ for (id_,) in jobs.opened.sql("select id from job where parent_id is not null")]
        if not ids:
            self.work(1)
            return
        someone = self.random.choice(ids)
        match self.random.choices(
            ["work", "retry", "one", "cancel", "fail", "rerun", "time", "delete"],
            [20, 2, 2, 0.6, 1, 1, 5, 0.3],
        )[0]:
            case "work":
                self.work(self.random.randint(1, 4))
            case "retry":
                self.allowed(lambda: retry(jobs, self.root))
            case "one":
                self.allowed(lambda: retry(jobs, someone))
            case "cancel":
                jobs.do(steer.cancel, someone)
            case "fail":
                self.allowed(lambda: jobs.do(steer.fail, someone, "stuck"))
            case "rerun" if len(ids) < 40:
                self.allowed(lambda: jobs.do(steer.rerun, someone))
            case "delete":
                self.allowed(lambda: jobs.do(steer.delete, someone))
            case "time":
                jobs.opened.clock.pass_time(2)

    def allowed(self, do) -> None:  # type: ignore[no-untyped-def]
        try:
            do()
        except Conflict:
            return

    def work(self, limit: int, *, calmly: bool = False) -> int:
        ids = self.jobs.claim(limit)
        self.jobs.start(*ids)
        self.jobs.settle(*(self.outcome(self.jobs.works[id_], calmly=calmly) for id_ in ids))
        return len(ids)

    def judge(self) -> None:
        """No more than may be have anything that could run."""
        rows = self.jobs.opened.sql(
            """
            with recursive live(item, parent_id, lane) as (
                select j.id, j.parent_id, j.lane from job j join message m on m.id = j.message_id
                 where m.state <> 3
                union
                select p.id, p.parent_id, p.lane from live l join job p on p.id = l.parent_id)
            select parent_id, count(*) from live where lane ->> 0 = 'step ' || parent_id group by 1
            """
        )
        assert all(count <= self.most(parent) for parent, count in rows), rows

    def live(self) -> None:
        for _ in range(60):
            self.act()
            self.judge()
        for _ in range(200):
            self.jobs.opened.clock.pass_time(2)
            if not self.work(50, calmly=True):
                break
            self.judge()
        assert self.jobs.opened.sql("select id from job where status < 2") == []


def fail_with_a_step(jobs: Jobs, item: int, pages: int = 1, **step: Any) -> tuple[int, list[int]]:
    """Have a child fail by a step below it that is tried twice; the step and its pages."""
    assert jobs.claim() == [item]
    spec = JobSpec("step", vital=True, tries=1, try_wait=SECOND, **step)
    jobs.well(item, spawn=[spec])
    (made,) = jobs.claim()
    jobs.well(made, spawn=[JobSpec("page", vital=True) for _ in range(pages)])
    below = jobs.claim()
    jobs.badly(*below)
    jobs.opened.clock.pass_time(2)
    assert jobs.claim() == [made]
    jobs.well(made)
    assert jobs.look(item).status is FAILED
    return made, below


def test_what_is_tried_again_below_a_child_that_waits_has_no_message(jobs: Jobs) -> None:
    root, (a, b) = items_of(jobs, 2)
    _, under_way = fail_with_a_step(jobs, a)
    step, (page,) = fail_with_a_step(jobs, b)
    retry(jobs, root)
    assert jobs.claim() == under_way
    jobs.do(steer.cancel, page)
    jobs.opened.clock.pass_time(5)
    assert jobs.claim() == []
    jobs.well(*under_way)
    assert jobs.claim() == [step]


def test_a_step_that_was_stopped_while_it_waited_has_one_message(jobs: Jobs) -> None:
    stopping = {"max_child_failures": 1, "failure_action": FailureAction.STOP_ALL}
    root, (a, b) = items_of(jobs, 2)
    steps = {}
    for item in (a, b):
        assert jobs.claim() == [item]
        spec = JobSpec("step", vital=True, tries=1, try_wait=SECOND, **stopping)
        jobs.well(item, spawn=[spec])
        (step,) = jobs.claim()
        jobs.well(step, spawn=[JobSpec("page", vital=True) for _ in range(3)])
        steps[item] = step, jobs.claim()
        jobs.badly(*steps[item][1])
        jobs.opened.clock.pass_time(2)
        assert jobs.claim() == [step]
        jobs.badly(step)
    retry(jobs, root)
    jobs.claim()
    step, pages = steps[b]
    for page in pages[:2]:
        jobs.do(steer.fail, page, "by hand")
    jobs.opened.clock.pass_time(5)
    assert jobs.claim() == []
    jobs.do(steer.cancel, a)
    assert jobs.claim() == [step]
    assert jobs.claim() == []


def test_the_time_of_a_child_that_goes_on_begins_with_its_place(jobs: Jobs) -> None:
    root, items = items_of(jobs, 3)
    for item in items:
        assert jobs.claim() == [item]
        limit = partial(deadlines.limit_time, limit=90 * 60 * SECOND)
        jobs.well(
            item,
            spawn=[JobSpec("page", vital=True)],
            effects=[lambda tx, job, limit=limit: limit(tx, job.id)],
        )
        jobs.badly(*jobs.claim())
    retry(jobs, root)
    for _ in items:
        (page,) = jobs.claim()
        for _ in range(4):  # an hour of work
            jobs.opened.clock.pass_time(900)
            jobs.do(deadlines.expire)
        jobs.well(page)
    assert jobs.statuses(root, *items) == [COMPLETED] * 4


def test_a_child_that_went_on_in_another_lane_needs_its_place_again(jobs: Jobs) -> None:
    root, items = items_of(jobs, 4)
    for item in items:
        assert jobs.claim() == [item]
        jobs.settle(Deferred(jobs.works[item], 0, lane=Lane("maker", 8)))
        assert jobs.claim() == [item]
        jobs.badly(item)
    retry(jobs, root)
    assert jobs.claim() == items[:1]


def test_no_more_are_under_way_than_may_be_whatever_happens() -> None:
    for seed in range(EXAMPLES // 15):
        with Opened() as opened:
            try:
                Life(opened, seed).live()
            except BaseException as error:
                error.add_note(f"in the life of seed {seed}")
                raise
