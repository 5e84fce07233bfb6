"""Jobs that need others: when they start, when they never do, and what a retry makes of them."""

import asyncio
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quaero.clock import SECOND
from quaero.errors import BadInput, Conflict
from quaero.jobs import actions, deadlines, reopen, steer
from quaero.jobs.create import insert
from quaero.jobs.model import JobSpec, Need, Phase, Status
from quaero.jobs.run import Deferred

from ..opening import Opened  # noqa: TID252
from ..soak import FACTOR  # noqa: TID252
from .worker import Jobs

PENDING, RUNNING, COMPLETED, FAILED, CANCELLED = Status


@pytest.fixture
def jobs(opened: Opened) -> Jobs:
    return Jobs(opened)


def run_of(jobs: Jobs, *specs: JobSpec, **root: Any) -> tuple[int, ...]:
    """A root that waits for these children."""
    id_ = jobs.root(**root)
    jobs.claim()
    jobs.well(id_, spawn=list(specs))
    return (id_, *jobs.children(id_))


def retry(jobs: Jobs, id_: int) -> int:
    return asyncio.run(actions.retry(jobs.opened.db, id_))


def reopen_and_spawn(tx: Any, id_: int) -> None:
    """As a crawl does that goes on."""
    job = reopen.reopen_parent(tx, id_)
    insert(tx, job.queue_id, [JobSpec("item")], job)


def chain(*, any_end: bool = False, **each: Any) -> list[JobSpec]:
    """a, b that needs a, c that needs b."""
    a = JobSpec("t", name="a", **each)
    b = JobSpec("t", name="b", needs=(Need(0, any_end),), **each)
    return [a, b, JobSpec("t", name="c", needs=(Need(1, any_end),), **each)]


def test_a_job_starts_in_the_transaction_that_ends_what_it_needs(jobs: Jobs) -> None:
    _, a, b, c = run_of(jobs, *chain())
    assert jobs.claim() == [a]
    jobs.well(a)
    assert jobs.claim() == [b], "the message is there as soon as the other has ended"
    jobs.well(b)
    assert jobs.claim() == [c]


def test_retrying_only_what_needs_a_failed_job_is_refused(jobs: Jobs) -> None:
    root, a, b, c = run_of(jobs, *chain())
    jobs.claim()
    jobs.badly(a)
    for id_ in (b, c):
        with pytest.raises(Conflict, match=f"of job {id_} needs others that have not"):
            retry(jobs, id_)
    assert retry(jobs, root) == 3
    assert retry(jobs, root) == 0, "it is open already"


def test_a_job_starts_when_the_last_of_those_it_needs_has_ended(jobs: Jobs) -> None:
    both = JobSpec("t", needs=(Need(0), Need(1)))
    _, a, b, c = run_of(jobs, JobSpec("t"), JobSpec("t"), both)
    assert jobs.claim() == [a, b]
    jobs.well(b)
    assert jobs.claim() == []
    jobs.well(a)
    assert jobs.claim() == [c]


def test_what_a_job_needs_has_ended_only_with_everything_below_it(jobs: Jobs) -> None:
    _, a, b = run_of(jobs, *chain()[:2])
    jobs.claim()
    jobs.well(a, spawn=[JobSpec("below")])
    (below,) = jobs.claim()
    assert below not in (a, b)
    jobs.well(below)
    assert jobs.claim() == [b]


def test_what_needs_a_failed_job_never_starts_and_its_parent_still_ends(jobs: Jobs) -> None:
    root, a, b, c = run_of(jobs, *chain(vital=True))
    jobs.claim()
    jobs.badly(a)
    assert jobs.statuses(root, a, b, c) == [FAILED, FAILED, CANCELLED, CANCELLED]
    assert jobs.look(root).error == "a failed"
    assert f"not started: it needs job {a}, failed" in jobs.said(b)


def test_a_job_may_need_the_end_of_another_however_it_ends(jobs: Jobs) -> None:
    root, a, b, c = run_of(jobs, *chain(any_end=True))
    jobs.claim()
    jobs.badly(a)
    assert jobs.claim() == [b]
    jobs.well(b)
    jobs.well(*jobs.claim())
    assert jobs.statuses(root, a, b, c) == [COMPLETED, FAILED, COMPLETED, COMPLETED]
    assert jobs.look(root).warnings == 1


def test_a_failed_child_that_is_not_vital_is_a_warning(jobs: Jobs) -> None:
    specs = [JobSpec("t", name="needed", vital=True), JobSpec("t")]
    root, needed, other = run_of(jobs, *specs)
    jobs.claim()
    jobs.badly(other)
    jobs.well(needed)
    assert jobs.look(root).status is COMPLETED
    assert jobs.look(root).warnings == 1


def test_a_vital_child_that_was_cancelled_fails_the_parent(jobs: Jobs) -> None:
    root, a, b = run_of(jobs, JobSpec("t", name="a", vital=True), JobSpec("t"))
    jobs.do(steer.cancel, a)
    jobs.well(*jobs.claim())
    assert jobs.statuses(root, a, b) == [FAILED, CANCELLED, COMPLETED]
    assert jobs.look(root).error == "a cancelled"


def test_a_retry_runs_the_failed_one_and_then_what_needed_it(jobs: Jobs) -> None:
    root, a, b, c = run_of(jobs, *chain(vital=True))
    jobs.claim()
    jobs.badly(a)
    assert retry(jobs, root) == 3
    assert jobs.claim() == [a], "the others wait again"
    jobs.well(a)
    assert jobs.claim() == [b]
    jobs.well(b)
    jobs.well(*jobs.claim())
    assert jobs.statuses(root, a, b, c) == [COMPLETED] * 4


def test_a_retry_does_not_repeat_what_ended_well(jobs: Jobs) -> None:
    root, a, b, c = run_of(jobs, *chain(vital=True))
    jobs.claim()
    jobs.well(a)
    jobs.claim()
    jobs.badly(b)
    assert retry(jobs, root) == 2
    assert jobs.claim() == [b]
    jobs.well(b)
    jobs.well(*jobs.claim())
    assert jobs.statuses(root, a, b, c) == [COMPLETED] * 4
    assert jobs.look(a).round == 1


def test_what_somebody_cancelled_is_not_retried_nor_what_needs_it(jobs: Jobs) -> None:
    root, a, b, c, d = run_of(jobs, *chain(), JobSpec("t"))
    jobs.do(steer.cancel, a)
    assert jobs.statuses(a, b, c) == [CANCELLED] * 3
    jobs.claim()
    jobs.badly(d)
    assert retry(jobs, root) == 1
    jobs.well(*jobs.claim())
    assert jobs.statuses(root, a, b, c, d) == [
        COMPLETED,
        CANCELLED,
        CANCELLED,
        CANCELLED,
        COMPLETED,
    ]


def test_one_that_waits_is_told_when_what_it_needs_runs_again(jobs: Jobs) -> None:
    both = JobSpec("t", needs=(Need(0, any_end=True), Need(1)))
    root, a, b, c = run_of(jobs, JobSpec("t"), JobSpec("t"), both)
    jobs.claim()
    jobs.badly(a)
    assert retry(jobs, root) == 1
    jobs.well(b)
    assert jobs.claim() == [a], "c waits for both once more"
    jobs.well(a)
    assert jobs.claim() == [c]


def test_what_needs_a_deleted_job_never_starts(jobs: Jobs) -> None:
    root, a, b, c = run_of(jobs, *chain())
    assert jobs.do(steer.delete, a) == 1
    assert jobs.statuses(root, b, c) == [COMPLETED, CANCELLED, CANCELLED]


def test_a_cancelled_tree_ends_with_all_that_waited(jobs: Jobs) -> None:
    root, *children = run_of(jobs, *chain())
    jobs.do(steer.cancel, root)
    assert jobs.statuses(root, *children) == [CANCELLED] * 4


def test_needs_and_phases_hold_together(jobs: Jobs) -> None:
    pre = JobSpec("t", phase=Phase.PRE)
    post = [JobSpec("t", phase=Phase.POST), JobSpec("t", phase=Phase.POST, needs=(Need(3),))]
    core = [JobSpec("t"), JobSpec("t", needs=(Need(1),))]
    _, p, a, b, x, y = run_of(jobs, pre, *core, *post)
    for expected in (p, a, b, x, y):
        assert jobs.claim() == [expected]
        jobs.well(expected)


def test_a_failed_pre_job_ends_those_with_needs_too(jobs: Jobs) -> None:
    root, p, *rest = run_of(jobs, JobSpec("t", phase=Phase.PRE), *[
        JobSpec("t"), JobSpec("t", needs=(Need(1),))
    ])  # fmt: skip
    jobs.claim()
    jobs.badly(p)
    assert jobs.statuses(root, p, *rest) == [FAILED, FAILED, CANCELLED, CANCELLED]


def test_pre_jobs_can_need_one_another(jobs: Jobs) -> None:
    pre = [replace(spec, phase=Phase.PRE) for spec in chain()]
    root, a, b, c, core = run_of(jobs, *pre, JobSpec("t"))
    for expected in (a, b, c, core):
        assert jobs.claim() == [expected]
        jobs.well(expected)
    assert jobs.look(root).status is COMPLETED


def test_one_that_cannot_start_any_more_ends_with_all_below_it(jobs: Jobs) -> None:
    root, a, b = run_of(jobs, *chain()[:2])
    (below,) = jobs.create(JobSpec("below"), parent=b)
    jobs.do(steer.cancel, a)
    assert jobs.statuses(root, a, b, below) == [COMPLETED, CANCELLED, CANCELLED, CANCELLED]


def test_what_needed_a_deleted_job_starts_when_it_is_retried(jobs: Jobs) -> None:
    root, a, b, c = run_of(jobs, *chain(), JobSpec("t"))[:4]
    jobs.do(steer.delete, a)
    assert jobs.statuses(root, b, c) == [RUNNING, CANCELLED, CANCELLED]
    retry(jobs, root)
    others = jobs.claim()
    assert b in others
    jobs.well(*others)
    assert jobs.claim() == [c]


def test_core_jobs_wait_for_a_pre_job_that_is_opened_again_for_one_below_it(jobs: Jobs) -> None:
    root, pre, core = run_of(jobs, JobSpec("t", phase=Phase.PRE), JobSpec("t"))
    jobs.claim()
    jobs.well(pre, spawn=[JobSpec("item"), JobSpec("item")])
    bad, good = jobs.claim()
    jobs.badly(bad)
    jobs.well(good)
    assert jobs.statuses(pre, core) == [COMPLETED, PENDING]
    jobs.do(steer.fail, root, "too late")
    retry(jobs, root)
    assert jobs.statuses(root, pre, core, bad) == [RUNNING, RUNNING, PENDING, PENDING]
    assert jobs.claim() == [bad]
    jobs.well(bad)
    assert jobs.claim() == [core]


@pytest.mark.parametrize("size", [1, 2, 100])
def test_a_retry_in_portions_opens_first_what_hangs_together(jobs: Jobs, size: int) -> None:
    pre = [JobSpec("t", phase=Phase.PRE), JobSpec("t", phase=Phase.PRE, needs=(Need(0),))]
    root, a, b, core = run_of(jobs, *pre, JobSpec("t"))
    jobs.claim()
    jobs.well(a, spawn=[JobSpec("item"), JobSpec("item"), JobSpec("item")])
    items = jobs.claim()
    jobs.badly(*items)
    assert jobs.statuses(root, a, b, core) == [FAILED, FAILED, CANCELLED, CANCELLED]
    for portion in jobs.opened.read(reopen.portions, root, size):
        jobs.do(reopen.reopen, portion)
    assert jobs.statuses(root, a, b, core) == [RUNNING, RUNNING, PENDING, PENDING]
    assert jobs.claim() == items
    jobs.well(*items)
    for expected in (b, core):
        assert jobs.claim() == [expected]
        jobs.well(expected)
    assert jobs.look(root).status is COMPLETED


def test_a_job_waits_anew_for_one_it_needs_that_is_opened_for_one_below_it(jobs: Jobs) -> None:
    pre, a = JobSpec("t", phase=Phase.PRE), JobSpec("t", phase=Phase.PRE)
    root, late, a, b = run_of(jobs, pre, a, JobSpec("t", needs=(Need(1),)))
    assert jobs.claim() == [late, a]
    jobs.well(a, spawn=[JobSpec("item"), JobSpec("item")])
    bad, good = jobs.claim()
    jobs.badly(bad)
    jobs.well(good)
    assert jobs.statuses(a, b) == [COMPLETED, PENDING]
    jobs.do(reopen.reopen, [bad])
    jobs.well(late)
    assert jobs.statuses(a, b) == [RUNNING, PENDING]
    assert jobs.claim() == [bad], "what it needs has not ended"
    jobs.well(bad)
    assert jobs.claim() == [b]
    jobs.well(b)
    assert jobs.look(root).status is COMPLETED


def test_a_job_waits_anew_for_one_it_needs_that_takes_children_again(jobs: Jobs) -> None:
    pre = JobSpec("t", phase=Phase.PRE)
    _, late, a, b = run_of(jobs, pre, pre, JobSpec("t", needs=(Need(1),)))
    jobs.claim()
    jobs.well(a)
    jobs.do(reopen_and_spawn, a)
    jobs.well(late)
    (more,) = jobs.claim()
    assert jobs.statuses(a, b) == [RUNNING, PENDING]
    jobs.well(more)
    assert jobs.claim() == [b]


@pytest.mark.parametrize("size", [1, 2, 100])
def test_what_a_retry_runs_again_does_not_hang_on_the_size_of_its_portions(
    jobs: Jobs, size: int
) -> None:
    root, a, b = run_of(jobs, JobSpec("t"), JobSpec("t"))
    jobs.claim()
    jobs.well(a, spawn=[JobSpec("item"), JobSpec("item")])
    jobs.well(b, spawn=[JobSpec("item"), JobSpec("item")])
    items = jobs.claim()
    jobs.do(steer.fail, root, "too late")
    portions = jobs.opened.read(reopen.portions, root, size)
    for portion in portions:
        jobs.do(reopen.reopen, portion)
    assert (len(portions) > 1) is (size < 6)
    assert sorted(jobs.claim()) == [a, b, *items]


@pytest.mark.parametrize("needs", [(Need(0),), (Need(2),), (Need(-1),)])
def test_only_what_was_created_before_can_be_needed(jobs: Jobs, needs: tuple[Need, ...]) -> None:
    root = jobs.root()
    with pytest.raises(BadInput, match="needs the one at place"):
        jobs.create(JobSpec("t", name="x", needs=needs), JobSpec("t"), parent=root)
    with pytest.raises(BadInput, match="children of one parent"):
        jobs.create(JobSpec("t"), JobSpec("t", needs=(Need(0),)))
    assert jobs.children(root) == []


# -- tries


def test_a_job_with_tries_left_is_run_again_as_a_whole(jobs: Jobs) -> None:
    root, a, b = run_of(
        jobs, JobSpec("t", name="a", vital=True, tries=2, try_wait=SECOND), *chain()[1:2]
    )
    jobs.claim()
    jobs.badly(a)
    assert jobs.claim() == []
    assert jobs.statuses(root, a, b) == [RUNNING, PENDING, PENDING]
    jobs.opened.clock.pass_time(1)
    assert jobs.claim() == [a]
    jobs.badly(a)
    jobs.opened.clock.pass_time(1)
    assert jobs.claim() == [], "the second wait is twice as long"
    jobs.opened.clock.pass_time(1)
    assert jobs.claim() == [a]
    jobs.badly(a)
    assert jobs.statuses(root, a, b) == [FAILED, FAILED, CANCELLED]
    assert jobs.dead() != []


def test_tries_count_what_is_below(jobs: Jobs) -> None:
    root, a = run_of(jobs, JobSpec("t", tries=1))
    jobs.claim()
    jobs.well(a, spawn=[JobSpec("below")])
    (below,) = jobs.claim()
    jobs.badly(below)
    assert jobs.statuses(root, a, below) == [RUNNING, RUNNING, FAILED]
    assert jobs.claim() == [a], "its own run comes again"
    assert retry(jobs, a) == 1
    jobs.well(a)
    assert jobs.claim() == [below]
    jobs.well(below)
    assert jobs.statuses(root, a, below) == [COMPLETED] * 3


def test_a_job_that_is_opened_again_has_all_its_tries_anew(jobs: Jobs) -> None:
    root, a = run_of(jobs, JobSpec("t", vital=True, tries=2, try_wait=SECOND))
    for _ in range(2):
        for wait in (0, 1, 2):
            jobs.opened.clock.pass_time(wait)
            assert jobs.claim() == [a]
            jobs.badly(a)
            assert jobs.claim() == [], "the waits begin anew as well"
        assert jobs.statuses(root, a) == [FAILED, FAILED]
        assert retry(jobs, root) == 1


def test_a_job_above_what_is_opened_again_has_all_its_tries_anew(jobs: Jobs) -> None:
    root, a = run_of(jobs, JobSpec("t", tries=1))
    jobs.claim()
    jobs.well(a, spawn=[JobSpec("below")])
    (below,) = jobs.claim()
    for _ in range(2):
        jobs.badly(below)
        assert jobs.claim() == [a], "its own run comes again"
        jobs.well(a)
        assert jobs.statuses(root, a, below) == [FAILED] * 3
        assert retry(jobs, root) == 1
        assert jobs.claim() == [below]


def test_a_cancelled_job_is_not_tried_again(jobs: Jobs) -> None:
    root, a = run_of(jobs, JobSpec("t", tries=3))
    jobs.do(steer.cancel, a)
    assert jobs.statuses(root, a) == [COMPLETED, CANCELLED]
    assert jobs.claim() == []


def test_a_retry_in_many_slices_opens_everything(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steer, "SLICE", 2)
    root, a, *others = run_of(jobs, *chain(), JobSpec("t"))
    jobs.claim()
    jobs.well(a, spawn=[JobSpec("below")])
    jobs.badly(others[-1])
    jobs.badly(*jobs.claim())
    assert jobs.statuses(root, a, *others) == [COMPLETED, FAILED, CANCELLED, CANCELLED, FAILED]
    assert retry(jobs, root) == 4
    while claimed := jobs.claim():
        jobs.well(*claimed)
    assert jobs.statuses(root, a, *others) == [COMPLETED] * 5


def test_a_job_whose_pre_job_failed_is_not_tried_again(jobs: Jobs) -> None:
    root, a = run_of(jobs, JobSpec("t", tries=3))
    jobs.claim()
    work = jobs.works[a]
    pre = JobSpec("pre", phase=Phase.PRE)
    effects = [lambda tx, row: insert(tx, row.queue_id, [pre], row)]
    jobs.settle(Deferred(work, jobs.opened.wall, effects=effects, after_pre=True))
    jobs.badly(*jobs.claim())
    assert jobs.statuses(root, a) == [FAILED, FAILED]
    assert "a pre job did not end well: no" in str(jobs.look(a).error)


# -- deadlines


def test_a_job_that_is_not_done_by_its_deadline_fails_with_all_below(jobs: Jobs) -> None:
    root, a = run_of(jobs, JobSpec("t"))
    jobs.do(deadlines.limit_time, root, SECOND)
    assert jobs.do(deadlines.expire) == 0
    jobs.opened.clock.pass_time(1)
    assert jobs.do(deadlines.expire) == 1
    assert jobs.statuses(root, a) == [FAILED, CANCELLED]
    assert jobs.look(root).error == "not done by its deadline"
    assert jobs.do(deadlines.expire) == 0


@pytest.mark.parametrize("step", [3_600, -3_600])
def test_a_step_of_the_wall_clock_leaves_a_job_its_time(jobs: Jobs, step: int) -> None:
    root, _ = run_of(jobs, JobSpec("t"))
    jobs.do(deadlines.limit_time, root, 10 * SECOND)
    jobs.opened.clock.step_wall(step)
    assert jobs.do(deadlines.expire) == 0
    jobs.opened.clock.pass_time(10)
    assert jobs.do(deadlines.expire) == 1


def test_a_reopened_tree_has_its_whole_time_again(jobs: Jobs) -> None:
    root, a = run_of(jobs, JobSpec("t"))
    jobs.do(deadlines.limit_time, root, 10 * SECOND)
    jobs.badly(*jobs.claim())
    jobs.opened.clock.pass_time(100)
    retry(jobs, root)
    assert jobs.do(deadlines.expire) == 0
    assert jobs.opened.read(deadlines.next_deadline) == jobs.opened.lease_now + 10 * SECOND
    jobs.opened.clock.pass_time(10)
    assert jobs.do(deadlines.expire) == 1
    assert jobs.statuses(root, a) == [FAILED, CANCELLED]


def test_one_that_ends_with_the_job_above_is_not_failed_by_its_own_deadline(jobs: Jobs) -> None:
    root, a = run_of(jobs, JobSpec("t"))
    jobs.claim()
    jobs.well(a, spawn=[JobSpec("below")])
    for id_ in (root, a):
        jobs.do(deadlines.limit_time, id_, SECOND)
    jobs.opened.clock.pass_time(1)
    assert jobs.do(deadlines.expire) == 2
    assert jobs.statuses(root, a) == [FAILED, CANCELLED]


def test_a_deadline_says_nothing_of_a_job_that_has_ended(jobs: Jobs) -> None:
    root, _ = run_of(jobs, JobSpec("t"))
    jobs.do(deadlines.limit_time, root, SECOND)
    jobs.well(*jobs.claim())
    jobs.opened.clock.pass_time(2)
    assert jobs.do(deadlines.expire) == 0
    assert jobs.look(root).status is COMPLETED


def test_deadlines_of_a_job_and_of_what_is_below_it_may_pass_at_once(jobs: Jobs) -> None:
    root, a = run_of(jobs, JobSpec("t"))
    jobs.do(deadlines.limit_time, root, SECOND)
    jobs.do(deadlines.limit_time, a, SECOND + 1)
    jobs.opened.clock.pass_time(2)
    assert jobs.do(deadlines.expire) == 2
    assert jobs.statuses(root, a) == [FAILED, CANCELLED]
    assert jobs.do(deadlines.next_deadline) is None


def test_a_deadline_that_passes_during_a_cancel_changes_nothing(jobs: Jobs) -> None:
    root, *_ = run_of(jobs, JobSpec("t"))
    jobs.create(JobSpec("t", tries=3), parent=root)
    jobs.create(*[JobSpec("t")] * 1_500, parent=root)
    jobs.do(deadlines.limit_time, root, SECOND)
    jobs.do(steer.cancel, root)
    jobs.opened.clock.pass_time(2)
    jobs.do(deadlines.expire)
    assert jobs.do(deadlines.next_deadline) is None
    while jobs.do(steer.cancel_more):
        pass
    assert jobs.look(root).status is CANCELLED
    assert jobs.claim() == []


def test_what_somebody_fails_is_not_tried_again(jobs: Jobs) -> None:
    root, a = run_of(jobs, JobSpec("t", tries=3))
    jobs.do(steer.fail, a, "stuck")
    assert jobs.statuses(root, a) == [FAILED, FAILED]
    assert jobs.claim() == []


def test_what_is_being_cancelled_cannot_be_failed(jobs: Jobs) -> None:
    root, *_ = run_of(jobs, JobSpec("t"))
    jobs.create(*[JobSpec("t")] * 1_500, parent=root)
    jobs.do(steer.cancel, root)
    with pytest.raises(Conflict, match="being stopped"):
        jobs.do(steer.fail, root, "stuck")
    while jobs.do(steer.cancel_more):
        pass
    assert jobs.look(root).status is CANCELLED


def test_a_job_that_is_opened_again_has_its_time_again(jobs: Jobs) -> None:
    root, a = run_of(jobs, JobSpec("t"))
    for id_ in (root, a):
        jobs.do(deadlines.limit_time, id_, 10 * SECOND)
    jobs.badly(*jobs.claim())
    assert jobs.statuses(root, a) == [FAILED, FAILED]
    jobs.opened.clock.pass_time(3_600)
    jobs.do(reopen.reopen, [a])
    assert jobs.do(deadlines.expire) == 0
    assert jobs.do(deadlines.next_deadline) == jobs.opened.lease_now + 10 * SECOND, (
        "that of the root"
    )
    jobs.opened.clock.pass_time(11)
    assert jobs.do(deadlines.expire) == 1
    assert jobs.statuses(root, a) == [FAILED, CANCELLED]


# -- graphs

GRAPHS = st.lists(
    st.tuples(st.sets(st.integers(0, 30), max_size=3), st.booleans(), st.booleans(), st.booleans()),
    min_size=1,
    max_size=12,
)


def specs_of(graph: list[tuple[set[int], bool, bool, bool]]) -> list[JobSpec]:
    made: list[JobSpec] = []
    for place, (needs, vital, *_) in enumerate(graph):
        edges = tuple(Need(n % place, not graph[n % place][1]) for n in sorted(needs) if place)
        made.append(JobSpec("t", name=f"n{place}", needs=edges, vital=vital))
    return made


def ends(graph: list[tuple[set[int], bool, bool, bool]], column: int) -> list[Status]:
    """How each ends where `column` says which ones fail: a plain walk through the graph."""
    found: list[Status] = []
    for place, each in enumerate(graph):
        needed = {n % place for n in each[0]} if place else set()
        met = all(found[n] is COMPLETED or not graph[n][1] for n in needed)
        found.append(CANCELLED if not met else FAILED if each[column] else COMPLETED)
    return found


@settings(max_examples=int(100 * FACTOR))
@given(graph=GRAPHS, seed=st.integers(0, 2**32))
def test_every_graph_ends_as_a_plain_walk_says_and_again_after_a_retry(graph, seed) -> None:
    random = Random(seed)
    with Opened() as opened:
        jobs = Jobs(opened)
        root, *ids = run_of(jobs, *specs_of(graph))
        for column in (2, 3):
            expected = ends(graph, column)
            if column == 3:
                before = jobs.statuses(*ids)
                if not retry(jobs, root):
                    break
                expected = again(graph, before)
            work(jobs, ids, [each[column] for each in graph], random)
            assert jobs.statuses(*ids) == expected
            flawed = any(s > COMPLETED and graph[n][1] for n, s in enumerate(expected))
            assert jobs.look(root).status is (
                FAILED if flawed or all(s is FAILED for s in expected) else COMPLETED
            )


def again(graph: list[tuple[set[int], bool, bool, bool]], before: list[Status]) -> list[Status]:
    """How each ends after a retry: those that ended well stay as they are."""
    found: list[Status] = []
    for place, each in enumerate(graph):
        needed = {n % place for n in each[0]} if place else set()
        met = all(found[n] is COMPLETED or not graph[n][1] for n in needed)
        end = CANCELLED if not met else FAILED if each[3] else COMPLETED
        found.append(COMPLETED if before[place] is COMPLETED else end)
    return found


def work(jobs: Jobs, ids: list[int], fails: list[bool], random: Random) -> None:
    """Run whatever may run, in any order, until nothing is left."""
    held: list[int] = []
    while True:
        held += jobs.claim()
        if not held:
            return
        id_ = held.pop(random.randrange(len(held)))
        if fails[ids.index(id_)]:
            jobs.badly(id_)
        else:
            jobs.well(id_)
