"""Every promise of SPEC sections 2 and 4 about trees of jobs, by example."""

from functools import partial
from typing import Any

import pytest

from quaero.clock import DAY, SECOND
from quaero.db.contract import Tx
from quaero.errors import BadInput, Conflict, NotFound
from quaero.jobs import check, create, feed, logs, read, reopen, run, steer, transition
from quaero.jobs.logs import Entry, Level, Query
from quaero.jobs.model import MAX_DEPTH, FailureAction, JobRow, JobSpec, Phase, Status
from quaero.jobs.rows import load_one
from quaero.jobs.run import Completed, Deferred, Failed, GivenBack
from quaero.queue import Lane, Queue, settle
from quaero.queue.queue import newest

from ..opening import Opened  # noqa: TID252
from .worker import Jobs

PRE, CORE, POST = Phase.PRE, Phase.CORE, Phase.POST
PENDING, RUNNING, COMPLETED, FAILED, CANCELLED = Status


def keep(state: str) -> run.Effect:
    return partial(run.keep_state, state=state)


@pytest.fixture
def jobs(opened: Opened) -> Jobs:
    return Jobs(opened)


# -- creating


def test_a_job_is_created_with_its_message_in_one_transaction(jobs: Jobs) -> None:
    id_ = jobs.root(payload='{"a":[1]}', name="One", description="d", priority=4)
    job = jobs.get(id_)
    assert (job.summary.type, job.summary.name, job.description) == ("root", "One", "d")
    assert (job.payload, job.summary.priority, job.summary.status) == ({"a": [1]}, 4, PENDING)
    assert (job.summary.root_id, job.summary.parent_id, job.summary.round) == (id_, None, 1)
    assert job.summary.created_at == jobs.opened.wall
    assert jobs.sql("select job_id, type, priority from message") == [(id_, "root", 4)]
    assert jobs.claim() == [id_]


def test_creation_that_fails_leaves_neither_record_nor_message(jobs: Jobs) -> None:
    def fn(tx: Any) -> None:
        create.create(tx, jobs.queue_id, [JobSpec("t")] * 3)
        raise KeyError("undo")

    with pytest.raises(KeyError):
        jobs.do(fn)
    assert jobs.sql("select id from job") == jobs.sql("select id from message") == []
    assert jobs.sql("select * from event") == []


def test_a_thousand_jobs_are_created_at_once(jobs: Jobs) -> None:
    root = jobs.root()
    ids = jobs.create(*[JobSpec("t", name=f"n{n}") for n in range(1_000)], parent=root)
    assert jobs.look(root).counts.pending == 1_000
    assert jobs.children(root) == ids
    assert jobs.opened.read(read.counts_by_status, top=False)[PENDING] == 1_000
    assert jobs.opened.read(read.counts_by_status, top=True)[PENDING] == 1


def test_a_job_with_a_time_waits_for_it_on_the_wall_clock(jobs: Jobs) -> None:
    jobs.root(run_at=jobs.opened.wall + 3600 * SECOND)
    assert jobs.claim() == []
    jobs.opened.clock.step_wall(3600)
    assert len(jobs.claim()) == 1


def test_higher_priorities_run_first(jobs: Jobs) -> None:
    low, high = jobs.root(priority=1), jobs.root(priority=2)
    assert jobs.claim() == [high, low]


def test_a_tree_is_at_most_eight_levels_deep(jobs: Jobs) -> None:
    id_ = jobs.root()
    for _ in range(MAX_DEPTH):
        (id_,) = jobs.create(parent=id_)
    assert jobs.look(id_).depth == MAX_DEPTH
    with pytest.raises(BadInput, match="deep"):
        jobs.create(parent=id_)
    jobs.claim()
    with pytest.raises(BadInput, match="deep"):
        jobs.well(id_, spawn=[JobSpec("too deep")])
    assert jobs.look(id_).status is PENDING


def test_children_need_an_open_parent(jobs: Jobs) -> None:
    root = jobs.root()
    jobs.claim()
    jobs.well(root)
    with pytest.raises(Conflict, match="completed"):
        jobs.create(parent=root)
    with pytest.raises(NotFound, match="999"):
        jobs.create(parent=999)
    with pytest.raises(BadInput, match="held"):
        jobs.create(JobSpec("t", held=True), parent=jobs.root())


# -- running


def test_a_job_goes_from_pending_over_running_to_completed(jobs: Jobs) -> None:
    id_ = jobs.root()
    jobs.claim()
    assert jobs.look(id_).status is PENDING
    began = jobs.opened.wall
    jobs.start(id_)
    assert (jobs.look(id_).status, jobs.look(id_).started_at) == (RUNNING, began)
    jobs.opened.clock.pass_time(5)
    jobs.settle(Completed(jobs.works[id_], began, result='{"n":1}'))
    job = jobs.get(id_)
    assert (job.summary.status, job.result, job.summary.attempt) == (COMPLETED, {"n": 1}, 1)
    assert job.summary.completed_at == jobs.opened.wall
    assert jobs.said(id_) == ["created", "started, attempt 1", "completed in 5.000 s"]
    assert jobs.sql("select * from message") == []


def test_a_run_that_ends_before_its_start_was_written_has_both_times(jobs: Jobs) -> None:
    id_ = jobs.root()
    jobs.claim()
    began = jobs.opened.wall
    jobs.opened.clock.pass_time(1)
    jobs.settle(Completed(jobs.works[id_], began))
    shown = jobs.look(id_)
    assert (shown.started_at, shown.completed_at) == (began, jobs.opened.wall)


def test_effects_children_and_completion_commit_together(jobs: Jobs) -> None:
    jobs.opened.write(lambda tx: tx.execute("create table page(job_id)"))
    id_ = jobs.root()
    jobs.claim()

    def save(tx: Any, job: Any) -> None:
        tx.execute("insert into page values($1)", (job.id,))

    def spoil(tx: Any, job: Any) -> None:
        raise KeyError("an effect that fails")

    with pytest.raises(KeyError):
        jobs.well(id_, effects=[save, spoil], spawn=[JobSpec("t")])
    assert jobs.sql("select * from page") == []
    assert jobs.look(id_).status is PENDING
    assert jobs.children(id_) == []
    jobs.well(id_, effects=[save], spawn=[JobSpec("t")])
    assert jobs.sql("select * from page") == [(id_,)]
    assert len(jobs.children(id_)) == 1
    jobs.well(id_, effects=[save])
    assert jobs.sql("select * from page") == [(id_,)]


def test_an_effect_may_create_children_itself(jobs: Jobs) -> None:
    id_ = jobs.root()
    jobs.claim()

    def add(tx: Any, job: Any) -> None:
        create.insert(tx, job.queue_id, [JobSpec("t", phase=PRE)], job)
        create.insert(tx, job.queue_id, [JobSpec("t")], job)

    jobs.well(id_, effects=[add])
    pre, core = jobs.children(id_)
    assert jobs.look(id_).status is RUNNING
    assert jobs.claim() == [pre]
    jobs.well(pre)
    assert jobs.claim() == [core]


@pytest.mark.parametrize("late", ["expired", "completed", "cancelled", "requeued", "deleted"])
def test_a_worker_that_lost_its_lease_can_change_nothing(jobs: Jobs, late: str) -> None:
    """What it has logged is kept with its attempt, while there is a job that has said it."""
    id_ = jobs.root()
    jobs.claim()
    stale = jobs.works[id_]
    match late:
        case "expired":
            jobs.opened.clock.pass_time(300)
            jobs.do(self_heal, jobs.queue_id)
            jobs.claim()
        case "completed":
            jobs.well(id_)
        case "cancelled":
            jobs.do(steer.cancel, id_)
        case "requeued":
            jobs.badly(id_)
            jobs.do(steer.requeue, [letter.id for letter in jobs.dead()])
            jobs.claim()
        case "deleted":
            jobs.do(steer.cancel, id_)
            jobs.do(steer.delete, id_)
    tables = ("job", "message", "job_attempt", "event", "queue", "delivery_error")
    before = [jobs.sql(f"select * from {table}") for table in tables]
    entry = Entry(id_, id_, 1, 0, 1, "too late")
    outcomes = (
        Completed(stale, 0, [entry], result="1", spawn=[JobSpec("t")]),
        Failed(stale, 0, [entry], error="late", permanent=True),
        Failed(stale, 0, [entry], error="late"),
        Deferred(stale, 0, [entry]),
        GivenBack(stale, 0, [entry], reason="late"),
    )
    for outcome in outcomes:
        jobs.settle(outcome)
    jobs.do(run.started, [(stale, 0)])
    jobs.do(run.progress, [(stale, 1, 2, "late")])
    assert jobs.do(run.commit, stale, [keep('"late"')], [entry]) is False
    assert [jobs.sql(f"select * from {table}") for table in tables] == before
    said = jobs.sql("select job_id, attempt from job_log where message = 'too late'")
    assert said == [] if late == "deleted" else [(id_, 1)] * len(outcomes)


def self_heal(tx: Any, queue_id: int) -> None:
    run.lose(tx, settle.expired(tx, queue_id), "its lease ran out", 3, charge=True, alone=False)


def test_an_old_and_the_present_attempt_in_one_commit(jobs: Jobs) -> None:
    id_ = jobs.root()
    jobs.claim()
    old = jobs.works[id_]
    jobs.opened.clock.pass_time(300)
    jobs.do(self_heal, jobs.queue_id)
    jobs.claim()
    jobs.settle(Completed(old, 0, result='"old"'), Completed(jobs.works[id_], 0, result='"new"'))
    assert jobs.get(id_).result == "new"


# -- trees: phases and the parent's end


def test_a_parent_ends_in_the_transaction_that_ends_its_last_descendant(jobs: Jobs) -> None:
    root, a, b = jobs.tree(CORE, CORE)
    jobs.claim()
    jobs.well(a, spawn=[JobSpec("grandchild")])
    jobs.well(b)
    assert jobs.statuses(root, a, b) == [RUNNING, RUNNING, COMPLETED]
    assert jobs.look(root).waiting
    assert jobs.look(a).waiting
    jobs.claim()
    (grandchild,) = jobs.children(a)
    jobs.well(grandchild)
    assert jobs.statuses(root, a) == [COMPLETED, COMPLETED]
    assert not jobs.look(root).waiting
    assert jobs.look(root).counts == read.Counts(0, 0, 3, 0, 0)


def test_children_may_all_end_before_their_parents_own_run(jobs: Jobs) -> None:
    root = jobs.root()
    (child,) = jobs.create(parent=root)
    jobs.claim()
    jobs.well(child)
    assert jobs.statuses(root, child) == [PENDING, COMPLETED]
    jobs.well(root)
    assert jobs.look(root).status is COMPLETED


def test_phases_follow_one_another(jobs: Jobs) -> None:
    root, pre1, pre2, core1, core2, post = jobs.tree(PRE, PRE, CORE, CORE, POST)
    assert jobs.claim() == [pre1, pre2]
    jobs.well(pre1)
    assert jobs.claim() == []
    jobs.well(pre2)
    assert jobs.claim() == [core1, core2]
    jobs.well(core1)
    jobs.badly(core2)
    assert jobs.claim() == [post]
    jobs.well(post)
    assert jobs.look(root).status is COMPLETED
    assert jobs.look(root).warnings == 1
    said = jobs.said(root)
    assert "2 core jobs may start" in said
    assert "1 post jobs may start" in said


def test_a_waiting_job_has_no_message_and_gets_it_when_its_phase_begins(jobs: Jobs) -> None:
    _, pre, core, post = jobs.tree(PRE, CORE, POST)

    def waiting_for_a_worker() -> list[int]:
        return [job_id for (job_id,) in jobs.sql("select job_id from message order by id")]

    assert waiting_for_a_worker() == [pre]
    jobs.claim()
    jobs.well(pre)
    assert waiting_for_a_worker() == [core]
    jobs.claim()
    jobs.well(core)
    assert waiting_for_a_worker() == [post]


def test_post_jobs_wait_for_the_parents_own_run_and_whole_core_subtrees(jobs: Jobs) -> None:
    root = jobs.root()
    post, core = jobs.create(JobSpec("t", phase=POST), JobSpec("t"), parent=root)
    assert jobs.claim() == [root, core]
    jobs.well(core, spawn=[JobSpec("t")])
    jobs.well(root)
    (below,) = jobs.claim()
    assert jobs.children(core) == [below]
    jobs.well(below)
    assert jobs.claim() == [post]


def test_post_jobs_run_even_where_all_core_jobs_failed(jobs: Jobs) -> None:
    root, core, post = jobs.tree(CORE, POST)
    jobs.claim()
    jobs.badly(core)
    assert jobs.claim() == [post]
    assert jobs.look(root).status is RUNNING
    jobs.well(post)
    assert jobs.look(root).status is FAILED


def test_phases_hold_for_children_created_later_in_the_same_transaction(jobs: Jobs) -> None:
    root = jobs.root()

    def both(tx: Any) -> None:
        create.create(tx, jobs.queue_id, [JobSpec("t", phase=PRE)], root)
        create.create(tx, jobs.queue_id, [JobSpec("t")], root)

    jobs.do(both)
    pre, core = jobs.children(root)
    assert jobs.claim() == [root, pre]
    jobs.well(pre)
    assert jobs.claim() == [core]


@pytest.mark.parametrize("how", ["failed", "cancelled", "failed by hand"])
def test_a_pre_child_that_does_not_end_well_fails_the_job(jobs: Jobs, how: str) -> None:
    root, pre, other, core, post = jobs.tree(PRE, PRE, CORE, POST)
    jobs.claim()
    match how:
        case "failed":
            jobs.badly(pre)
        case "cancelled":
            jobs.do(steer.cancel, pre)
        case "failed by hand":
            jobs.do(steer.fail, pre, "no good")
    assert jobs.statuses(root, other, core, post) == [FAILED, CANCELLED, CANCELLED, CANCELLED]
    why = {"failed": ": no", "cancelled": "", "failed by hand": ": no good"}[how]
    assert jobs.look(root).error == f"a pre job did not end well{why}"
    assert jobs.claim() == []


def wait_for_pre(jobs: Jobs, root: int, *phases: Phase) -> list[int]:
    """The own run of a root gives way to pre jobs that it makes; returns its children."""
    specs = [JobSpec("child", phase=phase) for phase in (PRE, *phases)]

    def make(tx: Any, job: Any) -> None:
        create.insert(tx, job.queue_id, specs, job)

    assert jobs.claim() == [root]
    jobs.start(root)
    jobs.settle(
        Deferred(jobs.works[root], jobs.opened.wall, state='"kept"', effects=[make], after_pre=True)
    )
    return jobs.children(root)


def test_an_own_run_goes_on_in_the_transaction_that_ends_its_last_pre_job_well(
    jobs: Jobs,
) -> None:
    root = jobs.root()
    pre, other, core = wait_for_pre(jobs, root, PRE, CORE)
    assert (jobs.look(root).status, jobs.look(root).waiting, jobs.look(root).held) == (
        RUNNING, True, False,
    )  # fmt: skip
    assert jobs.claim() == [pre, other]
    jobs.well(pre)
    assert jobs.claim() == []
    jobs.opened.restart()
    jobs.well(other)
    assert jobs.claim() == [root, core]
    assert jobs.works[root].state == '"kept"'
    jobs.well(root, core)
    assert jobs.look(root).status is COMPLETED


def test_an_own_run_that_makes_no_pre_job_goes_on_at_once(jobs: Jobs) -> None:
    root = jobs.root()
    jobs.claim()
    jobs.settle(Deferred(jobs.works[root], jobs.opened.wall, after_pre=True))
    assert jobs.look(root).status is PENDING
    assert jobs.claim() == [root]
    jobs.well(root)
    assert jobs.look(root).status is COMPLETED


def test_attempts_before_the_pre_jobs_are_kept_and_count(jobs: Jobs) -> None:
    def make(tx: Tx, row: JobRow) -> None:
        create.insert(tx, row.queue_id, [JobSpec("before", phase=PRE)], row)

    root = jobs.root()
    assert jobs.claim() == [root]
    jobs.badly(root, error="first", permanent=False, after=0)
    assert jobs.claim() == [root]
    jobs.settle(Deferred(jobs.works[root], jobs.opened.wall, effects=[make], after_pre=True))
    jobs.well(*jobs.claim())
    for error in ("second", "third"):
        assert jobs.claim() == [root]
        jobs.badly(root, error=error, permanent=False, after=0)
    assert jobs.look(root).status is FAILED
    told = [(each.attempt, each.error) for each in jobs.get(root).attempts]
    assert told == [(1, "first"), (2, "second"), (3, "third")]


def test_an_own_run_whose_pre_job_failed_never_goes_on_until_both_are_retried(jobs: Jobs) -> None:
    root = jobs.root()
    (pre,) = wait_for_pre(jobs, root)
    jobs.claim()
    jobs.badly(pre, error="no such place")
    assert jobs.look(root).status is FAILED
    assert jobs.look(root).error == "a pre job did not end well: no such place"
    assert jobs.claim() == []
    failed = jobs.opened.read(reopen.retryable, root)
    assert failed == [root, pre]
    jobs.do(reopen.reopen, failed)
    assert jobs.claim() == [pre]
    jobs.well(pre)
    assert jobs.claim() == [root]
    jobs.well(root)
    assert jobs.statuses(root, pre) == [COMPLETED, COMPLETED]


@pytest.mark.parametrize("below", [False, True], ids=["the job", "its parent"])
def test_a_job_that_waits_for_its_pre_jobs_is_cancelled_with_them(jobs: Jobs, below: bool) -> None:
    top = jobs.root()
    waits = top
    if below:
        jobs.claim()
        jobs.well(top, spawn=[JobSpec("inner"), JobSpec("later", phase=POST)])
        waits, _ = jobs.children(top)
    (pre,) = wait_for_pre(jobs, waits)
    with pytest.raises(Conflict, match="not held"):
        jobs.do(steer.start, waits)
    jobs.do(steer.cancel, top)
    assert jobs.statuses(waits, pre) == [CANCELLED, CANCELLED]
    assert jobs.claim() == []


def test_a_pre_job_that_is_deleted_holds_up_nothing(jobs: Jobs) -> None:
    root = jobs.root()
    (pre,) = wait_for_pre(jobs, root)
    assert jobs.do(steer.delete, pre) == 1
    assert jobs.claim() == [root]


def test_a_parent_fails_where_all_of_its_core_children_failed(jobs: Jobs) -> None:
    root, *core = jobs.tree(CORE, CORE)
    jobs.claim()
    jobs.badly(core[0])
    assert jobs.look(root).status is RUNNING
    jobs.badly(core[1])
    assert jobs.look(root).status is FAILED
    said = jobs.look(core[0]).error
    assert said
    assert jobs.look(root).error == f"all 2 core jobs failed: {said}"


def test_why_an_only_child_failed_is_said_once_however_deep_it_is(jobs: Jobs) -> None:
    root, middle = jobs.tree(CORE)
    jobs.claim()
    jobs.well(middle, spawn=[JobSpec("leaf")])
    (leaf,) = jobs.claim()
    jobs.badly(leaf)
    said = jobs.look(leaf).error
    assert said
    assert [jobs.look(each).error for each in (middle, root)] == [
        f"the only core job failed: {said}"
    ] * 2


def test_a_parent_completes_with_warnings_where_some_children_failed(jobs: Jobs) -> None:
    root, *core = jobs.tree(CORE, CORE, CORE)
    jobs.claim()
    jobs.badly(*core[:2])
    jobs.well(core[2])
    assert (jobs.look(root).status, jobs.look(root).warnings) == (COMPLETED, 2)
    assert "completed, 2 jobs below failed" in jobs.said(root)


def test_a_failed_post_child_is_a_warning(jobs: Jobs) -> None:
    root, post = jobs.tree(POST)
    jobs.claim()
    jobs.badly(post)
    assert (jobs.look(root).status, jobs.look(root).warnings) == (COMPLETED, 1)


def test_a_parent_whose_own_run_failed_cancels_what_is_open_below(jobs: Jobs) -> None:
    root = jobs.root()
    done, running, waiting = jobs.create(*[JobSpec("t")] * 3, parent=root)
    jobs.claim(3)
    jobs.well(done)
    jobs.badly(root, error="broken")
    assert jobs.statuses(root, done, running, waiting) == [
        FAILED, COMPLETED, CANCELLED, CANCELLED,
    ]  # fmt: skip
    assert jobs.look(root).error == "broken"
    jobs.well(running)
    assert jobs.look(running).status is CANCELLED


def test_failure_climbs_as_far_as_it_reaches(jobs: Jobs) -> None:
    root, a, b = jobs.tree(CORE, CORE)
    jobs.claim()
    jobs.well(b)
    jobs.well(a, spawn=[JobSpec("t"), JobSpec("t")])
    jobs.badly(*jobs.claim())
    assert jobs.statuses(root, a) == [COMPLETED, FAILED]
    assert jobs.look(root).warnings == 3


def test_many_ends_in_one_commit_count_each_once(jobs: Jobs) -> None:
    root, *core = jobs.tree(*[CORE] * 200)
    jobs.claim()
    at = jobs.opened.wall
    jobs.settle(
        *(
            Failed(jobs.works[id_], at, error="no", permanent=True)
            if n % 4 == 0
            else Completed(jobs.works[id_], at)
            for n, id_ in enumerate(core)
        )
    )
    assert jobs.look(root).counts == read.Counts(0, 0, 150, 50, 0)
    assert (jobs.look(root).status, jobs.look(root).warnings) == (COMPLETED, 50)


# -- retries, deferring, giving back


def test_a_failed_attempt_is_retried_with_back_off_and_noted(jobs: Jobs) -> None:
    id_ = jobs.root()
    jobs.claim()
    jobs.start(id_)
    jobs.badly(id_, error="refused", permanent=False)
    shown = jobs.look(id_)
    assert (shown.status, shown.error, shown.attempt) == (PENDING, "refused", 1)
    assert any("attempt 1 failed: refused; next in" in text for text in jobs.said(id_))
    assert jobs.claim() == []
    jobs.opened.clock.pass_time(2)
    jobs.claim()
    assert jobs.works[id_].attempt == 2
    jobs.well(id_)
    job = jobs.get(id_)
    assert (job.summary.status, job.summary.error, job.summary.attempt) == (COMPLETED, None, 2)
    assert [(a.attempt, a.outcome, a.error) for a in job.attempts] == [(1, "failed", "refused")]


def test_after_max_receive_charged_starts_the_job_fails_with_its_trail(jobs: Jobs) -> None:
    id_ = jobs.root()
    for n in range(3):
        assert jobs.claim() == [id_]
        jobs.badly(id_, error=f"no {n}", permanent=False, after=0)
    assert jobs.look(id_).status is FAILED
    assert jobs.claim() == []
    (letter,) = jobs.dead()
    assert (letter.job_id, [error for _, _, error in letter.errors]) == (
        id_, ["no 0", "no 1", "no 2"],
    )  # fmt: skip
    assert [(a.attempt, a.error) for a in jobs.get(id_).attempts] == [
        (1, "no 0"), (2, "no 1"), (3, "no 2"),
    ]  # fmt: skip


def test_the_other_side_may_say_when_to_try_again_and_hold_its_lane(jobs: Jobs) -> None:
    lane = Lane("host", 5)
    first, second = jobs.create(JobSpec("t", lane=lane), JobSpec("t", lane=lane))
    assert jobs.claim(1) == [first]
    jobs.badly(first, permanent=False, after=60 * SECOND, hold=True)
    assert jobs.claim() == []
    jobs.opened.clock.pass_time(60)
    assert jobs.claim() == [first, second]


def test_a_deferred_run_goes_on_later_in_another_lane_uncharged(jobs: Jobs) -> None:
    jobs.opened.write(lambda tx: tx.execute("create table page(job_id)"))
    busy, id_ = jobs.create(JobSpec("t", lane=Lane("new")), JobSpec("t", lane=Lane("old")))
    jobs.claim()
    jobs.start(id_)
    saved = [lambda tx, job: tx.execute("insert into page values($1)", (job.id,))]
    jobs.settle(
        Deferred(jobs.works[id_], 0, delay=5 * SECOND, lane=Lane("new"), state='{"at":1}',
                 effects=saved)
    )  # fmt: skip
    assert jobs.look(id_).status is PENDING
    assert jobs.sql("select * from page") == [(id_,)]
    jobs.opened.clock.pass_time(5)
    assert jobs.claim() == []
    jobs.well(busy)
    assert jobs.claim() == [id_]
    assert (jobs.works[id_].attempt, jobs.works[id_].state) == (1, '{"at":1}')
    jobs.badly(id_)
    jobs.do(reopen.reopen, [id_])
    assert jobs.sql("select l.key from message m join lane l on l.id = m.lane_id") == [("new",)]


@pytest.mark.parametrize("started", [False, True])
def test_what_is_given_back_costs_no_attempt(jobs: Jobs, started: bool) -> None:
    id_ = jobs.root()
    for n in range(5):
        jobs.claim()
        assert (jobs.works[id_].attempt, jobs.works[id_].delivery.lease_no) == (1, n + 1)
        if started:
            jobs.start(id_)
        jobs.settle(GivenBack(jobs.works[id_], 0, reason="the worker stops" if started else ""))
        assert (jobs.look(id_).status, jobs.look(id_).attempt) == (PENDING, 0)
    assert jobs.get(id_).attempts == []
    assert ("given back: the worker stops" in jobs.said(id_)) == started


def test_a_parent_stays_running_while_its_own_run_is_retried(jobs: Jobs) -> None:
    root = jobs.root()
    jobs.create(parent=root)
    jobs.claim()
    jobs.start(root)
    jobs.badly(root, permanent=False, after=0)
    assert jobs.look(root).status is RUNNING
    assert jobs.claim() == [root]


# -- crashes


def test_what_a_dead_worker_had_started_is_run_alone_and_the_rest_at_once(jobs: Jobs) -> None:
    started, unstarted = jobs.root(), jobs.root()
    jobs.claim()
    jobs.start(started)

    def clear_up(tx: Any) -> None:
        held = settle.held(tx, [jobs.works[id_].delivery.token for id_ in (started, unstarted)])
        by_job = {each.job_id: each for each in held.values()}
        run.lose(tx, [by_job[unstarted]], "its worker died", 3, charge=False, alone=False)
        run.lose(tx, [by_job[started]], "its worker died", 3, charge=False, alone=True)

    jobs.do(clear_up)
    assert jobs.statuses(started, unstarted) == [PENDING, PENDING]
    assert jobs.said(started)[-1] == "its worker died; it will be run again"
    assert jobs.said(unstarted) == ["created"]
    assert jobs.claim() == [unstarted]
    assert jobs.claim(alone=True) == [started]
    assert jobs.works[started].attempt == 1


def test_only_the_guilty_payload_is_charged_and_dies_after_three_deaths(jobs: Jobs) -> None:
    guilty, neighbour = jobs.root(), jobs.root()
    jobs.claim()
    jobs.start(guilty, neighbour)

    def died(ids: list[int], **how: Any) -> None:
        def fn(tx: Any) -> None:
            held = settle.held(tx, [jobs.works[id_].delivery.token for id_ in ids])
            run.lose(tx, list(held.values()), "it ended its worker", 3, **how)

        jobs.do(fn)

    died([guilty, neighbour], charge=False, alone=True)
    for _ in range(3):
        assert jobs.claim() == []
        assert jobs.claim(1, alone=True) == [guilty]
        died([guilty], charge=True, alone=True)
    assert jobs.look(guilty).status is FAILED
    assert jobs.look(guilty).error == "it ended its worker"
    assert [a.outcome for a in jobs.get(guilty).attempts] == ["lost"] * 4
    assert jobs.claim(alone=True) == [neighbour]
    assert jobs.works[neighbour].attempt == 1


def test_lost_leases_are_charged_logged_and_end_as_a_dead_letter(jobs: Jobs) -> None:
    id_ = jobs.root()
    for _ in range(3):
        jobs.claim()
        jobs.start(id_)
        jobs.opened.clock.pass_time(300)
        jobs.do(self_heal, jobs.queue_id)
    assert jobs.look(id_).status is FAILED
    assert jobs.look(id_).error == "its lease ran out"
    assert jobs.said(id_).count("its lease ran out; it will be run again") == 2
    assert len(jobs.dead()) == 1


def test_a_checkpoint_survives_a_crash_and_is_fenced(jobs: Jobs) -> None:
    jobs.opened.write(lambda tx: tx.execute("create table page(job_id)"))
    id_ = jobs.root()
    jobs.claim()
    entry = Entry(id_, id_, 1, 0, Level.INFO, "half way")

    def effect(tx: Tx, job: JobRow) -> None:
        tx.execute("insert into page values($1)", (job.id,))

    assert jobs.do(run.commit, jobs.works[id_], [effect, keep('{"page":50}')], [entry])
    assert "half way" in jobs.said(id_)
    jobs.opened.reboot()
    jobs.do(self_heal, jobs.queue_id)
    jobs.claim()
    assert jobs.works[id_].state == '{"page":50}'
    assert jobs.sql("select * from page") == [(id_,)]
    jobs.do(steer.cancel, id_)
    assert not jobs.do(run.commit, jobs.works[id_], [effect], [])


def test_progress_is_shown_and_cleared_by_a_retry(jobs: Jobs) -> None:
    id_ = jobs.root()
    jobs.claim()
    jobs.do(run.progress, [(jobs.works[id_], 3, 10, "reading")])
    shown = jobs.look(id_)
    assert (shown.progress_current, shown.progress_total) == (3, 10)
    assert shown.progress_text == "reading"
    jobs.settle(Failed(jobs.works[id_], 0, error="no", permanent=True, progress=(9, 10, "x")))
    assert jobs.look(id_).progress_current == 9
    jobs.do(reopen.reopen, [id_])
    assert jobs.look(id_).progress_current is jobs.look(id_).progress_text is None


# -- error tolerance


def test_failures_below_the_limit_change_nothing(jobs: Jobs) -> None:
    root, *core = jobs.tree(
        *[CORE] * 4, max_child_failures=2, failure_action=FailureAction.STOP_ALL
    )
    jobs.claim()
    jobs.badly(*core[:2])
    jobs.well(*core[2:])
    assert (jobs.look(root).status, jobs.look(root).warnings) == (COMPLETED, 2)


def test_stop_all_cancels_the_rest_in_the_transaction_that_crosses_the_limit(jobs: Jobs) -> None:
    root, *core = jobs.tree(
        *[CORE] * 4, POST, max_child_failures=1, failure_action=FailureAction.STOP_ALL
    )
    jobs.claim()
    jobs.badly(core[0])
    assert jobs.look(root).status is RUNNING
    jobs.badly(core[1])
    assert jobs.statuses(root, *core) == [FAILED, FAILED, FAILED, CANCELLED, CANCELLED, CANCELLED]
    assert jobs.look(root).error == "2 jobs failed, more than max_child_failures = 1"
    jobs.well(core[2], result="1")
    assert jobs.get(core[2]).result is None


def test_mark_warning_warns_at_once_and_goes_on(jobs: Jobs) -> None:
    root, *core = jobs.tree(
        *[CORE] * 4, max_child_failures=1, failure_action=FailureAction.MARK_WARNING
    )
    jobs.claim()
    jobs.badly(*core[:2])
    assert (jobs.look(root).status, jobs.look(root).warnings) == (RUNNING, 2)
    jobs.badly(core[2])
    jobs.well(core[3])
    assert (jobs.look(root).status, jobs.look(root).warnings) == (COMPLETED, 3)
    assert sum("max_child_failures" in text for text in jobs.said(root)) == 1


def test_a_parent_that_goes_on_warns_of_nothing_that_is_retried(jobs: Jobs) -> None:
    root, *core = jobs.tree(
        *[CORE] * 4, max_child_failures=1, failure_action=FailureAction.MARK_WARNING
    )
    jobs.claim()
    jobs.badly(*core[:3])
    jobs.do(reopen.reopen, core[:3])
    assert (jobs.look(root).status, jobs.look(root).warnings) == (RUNNING, 0)
    jobs.claim()
    jobs.badly(*core[:2])
    assert jobs.look(root).warnings == 2
    jobs.well(*core[2:])
    assert (jobs.look(root).status, jobs.look(root).warnings) == (COMPLETED, 2)


def test_continue_ignores_the_limit(jobs: Jobs) -> None:
    root, *core = jobs.tree(*[CORE] * 3, max_child_failures=1)
    jobs.claim()
    jobs.badly(*core[:2])
    assert (jobs.look(root).status, jobs.look(root).warnings) == (RUNNING, 0)
    jobs.well(core[2])
    assert jobs.look(root).warnings == 2


def test_the_limit_counts_the_whole_tree(jobs: Jobs) -> None:
    root, a, b = jobs.tree(CORE, CORE, max_child_failures=2, failure_action=FailureAction.STOP_ALL)
    jobs.claim()
    jobs.well(a, spawn=[JobSpec("t")] * 3)
    below = jobs.claim()
    jobs.badly(*below[:2])
    assert jobs.look(root).status is RUNNING
    jobs.badly(below[2])
    assert jobs.statuses(root, a, b) == [FAILED, FAILED, CANCELLED]


# -- cancel and fail


def test_a_cancel_ends_what_is_pending_and_fences_what_runs(jobs: Jobs) -> None:
    root, running, pending, post = jobs.tree(CORE, CORE, POST)
    jobs.claim(1)
    jobs.start(running)
    assert jobs.do(steer.cancel, root) is RUNNING
    assert jobs.statuses(root, running, pending, post) == [CANCELLED] * 4
    assert jobs.claim() == []
    jobs.well(running, result="1", spawn=[JobSpec("t")])
    assert jobs.get(running).result is None
    assert jobs.children(running) == []
    assert "cancel asked for" in jobs.said(root)
    assert all(jobs.said(id_)[-1] == "cancelled" for id_ in (root, running, pending, post))
    assert jobs.sql("select * from message") == []


def test_cancelling_what_has_ended_changes_nothing(jobs: Jobs) -> None:
    id_ = jobs.root()
    jobs.claim()
    jobs.well(id_)
    said = jobs.said(id_)
    assert jobs.do(steer.cancel, id_) is COMPLETED
    assert (jobs.look(id_).status, jobs.said(id_)) == (COMPLETED, said)
    with pytest.raises(NotFound):
        jobs.do(steer.cancel, 999)


def test_a_cancelled_child_lets_its_parent_end(jobs: Jobs) -> None:
    root, a, b = jobs.tree(CORE, CORE)
    jobs.claim()
    jobs.well(a)
    jobs.do(steer.cancel, b)
    assert (jobs.look(root).status, jobs.look(root).warnings) == (COMPLETED, 0)
    assert jobs.look(root).counts.cancelled == 1


def test_cancel_tells_running_workers(jobs: Jobs) -> None:
    heard: list[int] = []
    end = jobs.opened.db.subscribe("cancel", lambda: heard.append(1))
    jobs.do(steer.cancel, jobs.root())
    end()
    assert heard


def test_a_large_cancel_works_at_once_and_ends_in_slices(jobs: Jobs) -> None:
    root = jobs.root()
    (middle,) = jobs.create(parent=root)
    ids = jobs.create(*[JobSpec("t")] * 2_500, parent=middle)
    jobs.claim(300)
    last = ids[-1]
    working = [id_ for id_ in ids if id_ in jobs.works]
    jobs.do(steer.cancel, root)
    assert jobs.look(root).stopping
    assert jobs.look(last).status is PENDING
    with pytest.raises(Conflict, match="being cancelled"):
        jobs.create(parent=root)
    assert jobs.claim(10) == []
    jobs.well(*working, spawn=[JobSpec("t")])
    assert jobs.do(run.commit, jobs.works[working[-1]], [keep("1")], ()) is False
    slices = 0
    while jobs.do(steer.cancel_more):
        slices += 1
    assert slices >= 2
    assert jobs.statuses(root, middle, last) == [CANCELLED] * 3
    assert jobs.look(root).counts == read.Counts(0, 0, 0, 0, 2_501)


def test_claims_and_settles_meet_a_cancelled_tree_without_waiting_for_its_slices(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transition, "STOP_AT_ONCE", 0)
    root = jobs.root()
    (parent,) = jobs.create(parent=root)
    child, other = jobs.create(JobSpec("t"), JobSpec("t"), parent=parent)
    assert jobs.claim() == [root, parent, child, other]
    jobs.do(steer.cancel, root)
    assert jobs.statuses(root, parent, child) == [PENDING, PENDING, PENDING]
    jobs.well(parent, child, spawn=[JobSpec("t")])
    monkeypatch.undo()
    while jobs.do(steer.cancel_more):
        pass
    assert jobs.statuses(root, parent, child, other) == [CANCELLED] * 4
    assert jobs.children(child) == []


def test_fail_ends_a_stuck_job_with_a_reason_fenced_like_a_cancel(jobs: Jobs) -> None:
    root, a, b = jobs.tree(CORE, CORE)
    jobs.claim()
    jobs.do(steer.fail, root, "stuck for hours")
    assert jobs.statuses(root, a, b) == [FAILED, CANCELLED, CANCELLED]
    assert jobs.look(root).error == "stuck for hours"
    assert "failed by hand: stuck for hours" in jobs.said(root)
    jobs.well(a)
    assert jobs.look(a).status is CANCELLED
    with pytest.raises(Conflict, match="failed already"):
        jobs.do(steer.fail, root, "again")


# -- reopening


def retry(jobs: Jobs, id_: int) -> int:
    ids = jobs.opened.read(reopen.retryable, id_)
    count: int = jobs.do(reopen.reopen, ids)
    return count


def test_retry_runs_failed_descendants_only_and_reopens_what_is_above(jobs: Jobs) -> None:
    root, good, bad, post = jobs.tree(CORE, CORE, POST)
    jobs.claim()
    jobs.well(good)
    jobs.badly(bad)
    jobs.claim()
    jobs.well(post)
    assert jobs.look(root).status is COMPLETED
    jobs.opened.clock.pass_time(1)
    assert retry(jobs, root) == 1
    assert jobs.statuses(root, good, bad, post) == [RUNNING, COMPLETED, PENDING, COMPLETED]
    assert [jobs.look(id_).round for id_ in (root, good, bad, post)] == [2, 1, 2, 1]
    assert (jobs.look(bad).error, jobs.look(bad).attempt) == (None, 0)
    assert (jobs.look(root).completed_at, jobs.look(root).warnings) == (None, 0)
    assert "reopened, round 2" in jobs.said(root)
    assert "retried, round 2" in jobs.said(bad)
    assert jobs.claim() == [bad]
    jobs.well(bad)
    assert (jobs.look(root).status, jobs.look(root).warnings) == (COMPLETED, 0)
    assert jobs.claim() == []
    assert jobs.dead() == []


def test_retry_of_a_stopped_tree_runs_what_failed_and_what_was_ended_with_it(jobs: Jobs) -> None:
    root, a, b, c = jobs.tree(
        CORE, CORE, CORE, max_child_failures=1, failure_action=FailureAction.STOP_ALL
    )
    jobs.claim()
    jobs.badly(a, b)
    assert jobs.statuses(root, a, b, c) == [FAILED, FAILED, FAILED, CANCELLED]
    assert retry(jobs, root) == 3
    assert jobs.claim() == [a, b, c]
    jobs.well(a, b, c)
    assert (jobs.look(root).status, jobs.look(root).error) == (COMPLETED, None)


def test_retry_after_a_failed_pre_job_keeps_the_order_of_phases(jobs: Jobs) -> None:
    root, pre, core, post = jobs.tree(PRE, CORE, POST)
    jobs.claim()
    jobs.badly(pre)
    assert jobs.statuses(root, core, post) == [FAILED, CANCELLED, CANCELLED]
    retry(jobs, root)
    for id_ in (pre, core, post):
        assert jobs.claim() == [id_]
        jobs.well(id_)
    assert jobs.look(root).status is COMPLETED


def test_a_pre_job_can_be_retried_while_the_parents_own_run_was_stopped_by_it(jobs: Jobs) -> None:
    root = jobs.root()
    (pre,) = jobs.create(JobSpec("t", phase=PRE), parent=root)
    jobs.claim()
    jobs.badly(pre)
    assert jobs.look(root).status is FAILED
    jobs.do(steer.requeue, [letter.id for letter in jobs.dead()])
    assert jobs.claim() == [root, pre]
    jobs.well(root, pre)
    assert jobs.statuses(root, pre) == [COMPLETED, COMPLETED]


def test_retry_leaves_alone_what_somebody_cancelled(jobs: Jobs) -> None:
    root, failed, cancelled = jobs.tree(CORE, CORE)
    jobs.claim()
    jobs.well(cancelled, spawn=[JobSpec("t")])
    jobs.do(steer.cancel, cancelled)
    jobs.badly(failed)
    assert jobs.look(root).status is COMPLETED
    assert jobs.opened.read(reopen.retryable, root) == [failed]
    retry(jobs, root)
    assert jobs.statuses(failed, cancelled) == [PENDING, CANCELLED]


def test_nothing_below_a_cancelled_job_is_reopened(jobs: Jobs) -> None:
    root, child = jobs.tree(CORE)
    jobs.claim()
    jobs.do(steer.cancel, root)
    before = jobs.sql("select * from job")
    with pytest.raises(Conflict, match=f"job {root} was cancelled"):
        jobs.do(reopen.reopen, [child])
    assert jobs.sql("select * from job") == before
    assert jobs.do(reopen.reopen, [root]) == 1
    assert jobs.statuses(root, child) == [RUNNING, CANCELLED]


def test_a_requeued_dead_letter_reopens_its_job_and_all_above_it(jobs: Jobs) -> None:
    root, a = jobs.tree(CORE)
    jobs.claim()
    jobs.well(a, spawn=[JobSpec("t")])
    (below,) = jobs.claim()
    jobs.badly(below)
    assert jobs.statuses(root, a, below) == [FAILED, FAILED, FAILED]
    (letter,) = jobs.dead()
    jobs.do(steer.requeue, [letter.id])
    assert jobs.statuses(root, a, below) == [RUNNING, RUNNING, PENDING]
    assert [jobs.look(id_).round for id_ in (root, a, below)] == [2, 2, 2]
    assert (jobs.look(root).error, jobs.look(a).error) == (None, None)
    assert jobs.dead() == []
    assert jobs.claim() == [below]
    assert jobs.works[below].attempt == 1
    jobs.well(below)
    assert jobs.statuses(root, a) == [COMPLETED, COMPLETED]


def test_requeueing_below_a_parent_whose_own_run_failed_runs_that_again_too(jobs: Jobs) -> None:
    root = jobs.root()
    (child,) = jobs.create(parent=root)
    jobs.claim()
    jobs.badly(child)
    jobs.badly(root)
    letter = next(letter for letter in jobs.dead() if letter.job_id == child)
    jobs.do(steer.requeue, [letter.id])
    assert jobs.statuses(root, child) == [RUNNING, PENDING]
    assert sorted(jobs.claim()) == [root, child]
    jobs.well(root, child)
    assert jobs.look(root).status is COMPLETED


def test_plain_dead_letters_are_requeued_along_with_those_of_jobs(jobs: Jobs) -> None:
    queue = Queue(jobs.queue_id, "quaero_jobs")
    jobs.opened.write(queue.send, "plain")
    (plain,) = jobs.opened.write(queue.receive)
    jobs.opened.write(queue.dead_letter, plain, "bad")
    id_ = jobs.root()
    jobs.claim()
    jobs.badly(id_)
    assert jobs.do(steer.requeue, [letter.id for letter in jobs.dead()]) == 2
    with pytest.raises(NotFound):
        jobs.do(steer.requeue, [999])


def test_each_round_keeps_its_attempts(jobs: Jobs) -> None:
    id_ = jobs.root()
    for error in ("first", "second"):
        jobs.claim()
        jobs.badly(id_, error=error)
        retry(jobs, id_)
    assert [(a.round, a.attempt, a.error) for a in jobs.get(id_).attempts] == [
        (1, 1, "first"), (2, 1, "second"),
    ]  # fmt: skip


def test_an_ended_parent_goes_on_without_repeating_its_own_run(jobs: Jobs) -> None:
    root, child = jobs.tree(CORE)
    jobs.claim()
    jobs.well(child)

    def go_on(tx: Any) -> list[int]:
        parent = reopen.reopen_parent(tx, root)
        return list(create.insert(tx, jobs.queue_id, [JobSpec("t")], parent))

    (new,) = jobs.do(go_on)
    assert jobs.statuses(root, new) == [RUNNING, PENDING]
    assert jobs.claim() == [new]
    jobs.well(new)
    assert (jobs.look(root).status, jobs.look(root).round) == (COMPLETED, 2)
    jobs.do(reopen.reopen_parent, root)
    assert jobs.look(root).status is COMPLETED


# -- rerun, copy, start


def test_a_rerun_starts_now_with_the_same_or_another_payload(jobs: Jobs) -> None:
    spec = JobSpec(
        "t", '{"a":1}', name="n", priority=3, lane=Lane("host"), max_child_failures=2,
        failure_action=FailureAction.STOP_ALL, run_at=jobs.opened.wall - 1, timeout=7 * SECOND,
    )  # fmt: skip
    (id_,) = jobs.create(spec)
    jobs.claim()
    jobs.well(id_)
    again = jobs.do(steer.rerun, id_)
    job = jobs.get(again)
    assert (job.payload, job.summary.rerun_of, job.summary.name) == ({"a": 1}, id_, "n")
    assert (job.summary.priority, job.max_child_failures, job.failure_action) == (3, 2, 2)
    edited = jobs.do(steer.rerun, id_, '{"a":2}')
    assert jobs.get(edited).payload == {"a": 2}
    assert jobs.claim() == [again]
    assert jobs.works[again].timeout == 7 * SECOND
    with pytest.raises(NotFound):
        jobs.do(steer.rerun, 999)


def test_a_child_is_rerun_under_its_parent_which_is_reopened(jobs: Jobs) -> None:
    root, child, post = jobs.tree(CORE, POST)
    jobs.claim()
    jobs.badly(child)
    jobs.claim()
    jobs.well(post)
    assert jobs.look(root).status is FAILED
    new = jobs.do(steer.rerun, child)
    assert (jobs.look(new).parent_id, jobs.look(new).rerun_of) == (root, child)
    assert jobs.statuses(root, child) == [RUNNING, FAILED]
    assert jobs.claim() == [new]
    jobs.well(new)
    assert (jobs.look(root).status, jobs.look(root).warnings) == (COMPLETED, 1)


def test_a_child_is_not_rerun_where_its_parent_cannot_go_on(jobs: Jobs) -> None:
    root, pre, core = jobs.tree(PRE, CORE)
    jobs.claim()
    jobs.badly(pre)
    for id_ in (pre, core):
        with pytest.raises(Conflict, match="retry that one"):
            jobs.do(steer.rerun, id_)
    other, child = jobs.tree(CORE)
    jobs.do(steer.cancel, other)
    with pytest.raises(Conflict, match="was cancelled"):
        jobs.do(steer.rerun, child)
    assert jobs.look(root).status is FAILED


def test_a_copy_waits_to_be_edited_and_started(jobs: Jobs) -> None:
    _, child = jobs.tree(PRE)
    copied = jobs.do(steer.copy, child, '{"b":1}')
    shown = jobs.look(copied)
    assert (shown.held, shown.parent_id, shown.phase) == (True, None, CORE)
    assert (shown.rerun_of, shown.status) == (None, PENDING)
    assert copied not in jobs.claim()
    jobs.do(steer.update, copied, name="mine")
    jobs.do(steer.start, copied, '{"b":2}')
    assert "started by hand" in jobs.said(copied)
    assert jobs.claim() == [copied]
    assert (jobs.works[copied].payload, jobs.works[copied].name) == ('{"b":2}', "mine")
    with pytest.raises(Conflict, match="not held"):
        jobs.do(steer.start, copied)


def test_a_copy_that_was_cancelled_cannot_be_started(jobs: Jobs) -> None:
    copied = jobs.do(steer.copy, jobs.root())
    jobs.do(steer.cancel, copied)
    with pytest.raises(Conflict, match="cancelled already"):
        jobs.do(steer.start, copied)


# -- update, delete, purge


def test_name_description_and_priority_can_be_changed(jobs: Jobs) -> None:
    first, second = jobs.root(), jobs.root()
    jobs.do(steer.update, second, name="new", description="why", priority=5)
    job = jobs.get(second)
    assert (job.summary.name, job.description, job.summary.priority) == ("new", "why", 5)
    assert jobs.claim() == [second, first]
    with pytest.raises(BadInput, match="empty"):
        jobs.do(steer.update, first, name="  ")
    with pytest.raises(NotFound):
        jobs.do(steer.update, 999, name="x")


def test_a_new_priority_also_holds_for_what_is_running_or_waits_for_its_phase(jobs: Jobs) -> None:
    running = jobs.root()
    jobs.claim()
    other, root = jobs.root(), jobs.root()
    pre, core = jobs.create(JobSpec("t", phase=PRE), JobSpec("t"), parent=root)
    jobs.do(steer.update, running, priority=5)
    jobs.do(steer.update, core, priority=9)
    jobs.badly(running, permanent=False, after=0)
    assert jobs.claim() == [running, other, root, pre]
    jobs.badly(running, permanent=False, after=0)
    jobs.well(pre)
    assert jobs.claim() == [core, running]


def test_delete_takes_the_tree_its_logs_attempts_and_messages(jobs: Jobs) -> None:
    root, a, b = jobs.tree(CORE, CORE)
    jobs.claim()
    jobs.badly(a)
    jobs.well(b)
    kept = jobs.root()
    assert jobs.do(steer.delete, root) == 3
    assert jobs.do(steer.delete, root) == 0
    assert jobs.sql("select id from job") == [(kept,)]
    assert jobs.sql("select distinct job_id from job_log") == [(kept,)]
    assert jobs.sql("select root_id from job_log_count") == [(kept,)]
    assert jobs.sql("select * from job_attempt") == jobs.sql("select * from delivery_error") == []
    assert jobs.dead() == []
    with pytest.raises(NotFound):
        jobs.get(root)


def test_delete_is_refused_while_anything_of_the_tree_runs(jobs: Jobs) -> None:
    root, _ = jobs.tree(CORE)
    with pytest.raises(Conflict, match="running; cancel it first"):
        jobs.do(steer.delete, root)
    parent = jobs.root()
    (below,) = jobs.create(parent=parent)
    jobs.claim()
    jobs.start(below)
    assert jobs.look(parent).status is PENDING
    with pytest.raises(Conflict, match="running; cancel it first"):
        jobs.do(steer.delete, parent)
    jobs.do(steer.cancel, parent)
    assert jobs.do(steer.delete, parent) == 2


@pytest.mark.parametrize("own", ["well", "badly"])
def test_a_tree_of_which_a_part_is_deleted_is_not_opened_again(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch, own: str
) -> None:
    monkeypatch.setattr(steer, "SLICE", 2)
    root = jobs.root()
    children = jobs.create(*[JobSpec("child")] * 3, parent=root)
    jobs.claim()
    jobs.badly(*children)
    getattr(jobs, own)(root)
    assert jobs.look(root).status is FAILED
    assert jobs.do(steer.delete, root) == 2
    for again in (
        partial(jobs.do, reopen.reopen, jobs.opened.read(reopen.retryable, root)),
        partial(jobs.do, reopen.reopen, [children[2]]),
        partial(jobs.do, reopen.reopen_parent, root),
        partial(jobs.do, steer.rerun, children[2]),
    ):
        with pytest.raises(Conflict, match=f"job {root} is being deleted; delete it again"):
            again()
    (other,) = jobs.do(create.create, jobs.queue_id, [JobSpec("t")])
    assert jobs.claim() == [other]
    assert [jobs.do(steer.delete, root) for _ in range(2)] == [2, 0]
    assert jobs.sql("select id from job") == [(other,)]


def test_a_pending_tree_of_which_a_part_is_deleted_does_not_begin(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steer, "SLICE", 2)
    root = jobs.root()
    jobs.create(*[JobSpec("child")] * 3, parent=root)
    assert jobs.do(steer.delete, root) == 2
    assert jobs.claim() == []
    assert jobs.look(root).status is CANCELLED
    assert [jobs.do(steer.delete, root) for _ in range(2)] == [2, 0]


def test_a_pending_job_can_be_deleted_as_it_is(jobs: Jobs) -> None:
    id_ = jobs.root()
    assert jobs.do(steer.delete, id_) == 1
    assert jobs.claim() == []


def test_deleting_a_subtree_keeps_the_counts_of_what_is_above_exact(jobs: Jobs) -> None:
    root, a, b, post = jobs.tree(CORE, CORE, POST)
    jobs.claim()
    jobs.well(a, spawn=[JobSpec("t"), JobSpec("t")])
    jobs.badly(*jobs.claim())
    assert jobs.look(root).counts == read.Counts(2, 0, 0, 3, 0)
    assert jobs.do(steer.delete, a) == 3
    assert jobs.look(root).counts == read.Counts(2, 0, 0, 0, 0)
    assert jobs.do(steer.delete, post) == 1
    jobs.well(b)
    assert (jobs.look(root).status, jobs.look(root).warnings) == (COMPLETED, 0)


def test_a_parent_warns_of_the_failed_children_that_are_still_there(jobs: Jobs) -> None:
    root, a, b, c = jobs.tree(CORE, CORE, CORE)
    jobs.claim()
    jobs.badly(a)
    jobs.badly(b)
    jobs.well(c)
    assert jobs.look(root).warnings == 2
    jobs.do(steer.delete, c)
    assert jobs.look(root).warnings == 2
    jobs.do(steer.delete, a)
    assert (jobs.look(root).status, jobs.look(root).warnings) == (COMPLETED, 1)
    jobs.do(steer.delete, b)
    assert (jobs.look(root).status, jobs.look(root).warnings) == (COMPLETED, 0)


def test_deleting_the_last_open_child_ends_its_parent(jobs: Jobs) -> None:
    root, a, b = jobs.tree(CORE, CORE)
    jobs.claim(1)
    jobs.well(a)
    jobs.do(steer.delete, b)
    assert jobs.look(root).status is COMPLETED


def test_large_trees_are_deleted_in_slices_with_exact_counts(jobs: Jobs) -> None:
    root = jobs.root()
    jobs.create(*[JobSpec("t")] * 2_100, parent=root)
    jobs.do(steer.cancel, root)
    while jobs.do(steer.cancel_more):
        pass
    slices = []
    while count := jobs.do(steer.delete, root):
        slices.append(count)
    assert slices == [1_000, 1_000, 101]
    assert jobs.sql("select count(*) from job_log") == [(0,)]


def test_purge_cancels_the_jobs_of_what_it_removes(jobs: Jobs) -> None:
    running = jobs.root()
    jobs.claim()
    jobs.start(running)
    parent = jobs.root()
    (child,) = jobs.create(parent=parent)
    later = jobs.root(run_at=jobs.opened.wall + DAY)
    failed = jobs.root()
    assert jobs.claim(3) == [parent, child, failed]
    jobs.badly(failed)
    jobs.settle(GivenBack(jobs.works[parent], 0), GivenBack(jobs.works[child], 0))
    up_to = jobs.opened.read(newest)
    after = jobs.root()
    while jobs.do(steer.purge, jobs.queue_id, up_to):
        pass
    assert jobs.statuses(after) == [PENDING], "it was sent later"
    assert jobs.claim() == [after]
    assert jobs.statuses(running, parent, child, later, failed) == [
        RUNNING, CANCELLED, CANCELLED, CANCELLED, FAILED,
    ]  # fmt: skip
    assert jobs.dead() == []
    assert [job_id for (job_id,) in jobs.sql("select job_id from message")] == [running, after]
    retry(jobs, failed)
    assert jobs.claim() == [failed]


# -- unknown types


def test_a_job_of_an_unknown_type_is_parked_visibly_until_a_worker_knows_it(jobs: Jobs) -> None:
    known, strange = jobs.create(JobSpec("known"), JobSpec("strange"))
    assert jobs.claim(types=("known",)) == [known]
    assert "parked: no worker knows the job type 'strange'" in jobs.said(strange)
    assert jobs.look(strange).status is PENDING
    assert jobs.claim(types=("known",)) == []
    assert jobs.claim(types=("known", "strange")) == [strange]
    assert jobs.works[strange].attempt == 1


def test_a_parked_job_can_be_cancelled(jobs: Jobs) -> None:
    (strange,) = jobs.create(JobSpec("strange"))
    jobs.claim(types=("known",))
    jobs.do(steer.cancel, strange)
    assert jobs.claim(types=("strange",)) == []


# -- reading


def test_lists_are_newest_first_and_children_oldest_first(jobs: Jobs) -> None:
    roots = [jobs.root(name=f"r{n}") for n in range(5)]
    children = jobs.create(JobSpec("a"), JobSpec("b"), JobSpec("a"), parent=roots[0])

    def listing(**wanted: Any) -> list[int]:
        return [each.id for each in jobs.opened.read(read.listing, read.Filter(**wanted))]

    assert listing() == roots[::-1]
    assert listing(limit=2) == [roots[4], roots[3]]
    assert listing(limit=2, before=roots[3]) == [roots[2], roots[1]]
    assert listing(parent_id=roots[0]) == children
    assert listing(parent_id=roots[0], before=children[0], limit=1) == [children[1]]
    assert listing(parent_id=roots[0], type="a") == [children[0], children[2]]
    jobs.do(steer.cancel, roots[1])
    assert listing(statuses=frozenset([CANCELLED])) == [roots[1]]
    assert listing(statuses=frozenset([CANCELLED, PENDING]), limit=10) == roots[::-1]
    assert [each.id for each in jobs.opened.read(read.summaries, [children[0], 999])] == [
        children[0]
    ]


# -- logs


def entry(id_: int, message: str, level: Level = Level.INFO, **fields: Any) -> Entry:
    return Entry(id_, fields.pop("root", id_), 1, fields.pop("at", 5), level, message)


def test_entries_are_read_by_level_text_order_and_cursor(jobs: Jobs) -> None:
    id_ = jobs.root()
    entries = [entry(id_, f"{level.name.lower()} {n}", level) for n in range(5) for level in Level]
    jobs.do(logs.write, entries)

    def lines(**query: Any) -> list[Any]:
        return list(jobs.opened.read(logs.read, Query(id_, **query)))

    newest = lines()
    assert len(newest) == 21
    assert [line.id for line in newest] == sorted((line.id for line in newest), reverse=True)
    assert {line.level for line in lines(at_least=Level.WARN)} == {Level.WARN, Level.ERROR}
    exactly = frozenset([Level.DEBUG, Level.ERROR])
    assert {line.level for line in lines(levels=exactly)} == exactly
    assert [line.message for line in lines(text="WARN 3")] == ["warn 3"]
    assert lines(text="%") == []
    ascending = lines(ascending=True, limit=7)
    assert ascending[0].message == "created"
    rest = lines(ascending=True, after=ascending[-1].id)
    assert [line.id for line in ascending + rest] == [line.id for line in newest[::-1]]
    older = lines(after=newest[3].id, limit=2)
    assert [line.id for line in older] == [line.id for line in newest[4:6]]


def test_entries_of_a_tree_name_their_job(jobs: Jobs) -> None:
    root, child = jobs.tree(CORE)
    jobs.do(logs.write, [entry(child, "found it", Level.WARN, root=root)])
    lines = jobs.opened.read(logs.read, Query(root, tree=True, at_least=Level.WARN))
    assert [(line.job_id, line.type, line.message) for line in lines] == [
        (child, "child", "found it")
    ]
    assert all(line.job_id == root for line in jobs.opened.read(logs.read, Query(root)))
    of_tree = jobs.opened.read(logs.counts, root, tree=True)
    alone = jobs.opened.read(logs.counts, root, tree=False)
    assert (of_tree[Level.WARN], alone[Level.WARN]) == (1, 0)
    assert of_tree[Level.INFO] == len(jobs.said(root)) + len(jobs.said(child)) - 1


def test_a_page_of_log_entries_is_bounded(jobs: Jobs) -> None:
    id_ = jobs.root()
    jobs.do(logs.write, [entry(id_, str(n)) for n in range(logs.LARGEST_PAGE + 5)])
    assert len(jobs.opened.read(logs.read, Query(id_))) == 1_000
    assert len(jobs.opened.read(logs.read, Query(id_, limit=10**9))) == logs.LARGEST_PAGE
    assert len(jobs.opened.read(logs.read, Query(id_, limit=0))) == 1


def test_entries_are_deleted_by_job_and_by_age_with_their_counts(jobs: Jobs) -> None:
    old, new = jobs.root(), jobs.root()
    jobs.opened.clock.pass_time(100)
    jobs.do(logs.write, [entry(new, "fresh", at=jobs.opened.wall)])
    assert jobs.do(logs.delete_older, jobs.opened.wall - SECOND) == 2
    assert jobs.said(old) == []
    assert jobs.said(new) == ["fresh"]
    assert jobs.do(logs.delete, [new]) == 1
    assert jobs.sql("select * from job_log_count") == []


def test_entries_of_a_run_are_written_with_its_end(jobs: Jobs) -> None:
    id_ = jobs.root()
    jobs.claim()
    line = Entry(id_, id_, 1, 7, Level.DEBUG, "mine", '{"url":"x"}')
    jobs.settle(Completed(jobs.works[id_], 0, [line]))
    lines = jobs.opened.read(logs.read, Query(id_, levels=frozenset([Level.DEBUG])))
    assert [(each.message, each.fields, each.at, each.attempt) for each in lines] == [
        ("mine", '{"url":"x"}', 7, 1)
    ]


# -- the feed


def test_the_feed_tells_of_every_change_without_gaps(jobs: Jobs) -> None:
    start = jobs.opened.read(feed.last)
    root, child = jobs.tree(CORE)
    jobs.do(steer.update, child, name="x")
    events = jobs.opened.read(feed.since, start)
    assert [event.seq for event in events] == list(
        range(start + 1, jobs.opened.read(feed.last) + 1)
    )
    assert {event.root_id for event in events} == {root}
    assert events[-1].ids == [child]
    assert events[0].at == jobs.opened.wall
    assert jobs.opened.read(feed.since, events[2].seq, 1) == events[3:4]
    assert jobs.opened.read(feed.since, events[-1].seq) == []


def test_one_entry_a_tree_and_transaction_with_bounded_ids(jobs: Jobs) -> None:
    root, *core = jobs.tree(*[CORE] * 300)
    before = jobs.opened.read(feed.last)
    jobs.claim()
    jobs.well(*core)
    (event,) = jobs.opened.read(feed.since, before)
    assert len(event.ids) == feed.IDS
    other = jobs.root()
    before = jobs.opened.read(feed.last)
    jobs.do(lambda tx: (steer.update(tx, root, name="a"), steer.update(tx, other, name="b")))
    assert len(jobs.opened.read(feed.since, before)) == 2


def test_an_entry_that_names_fewer_jobs_than_it_may_names_all_that_changed(jobs: Jobs) -> None:
    root, _, *core = jobs.tree(*[CORE] * 61)
    jobs.claim()
    jobs.badly(*core)
    before = jobs.opened.read(feed.last)
    jobs.do(reopen.reopen, core)
    (event,) = jobs.opened.read(feed.since, before)
    assert event.ids == [root, *core]


def test_a_rolled_back_change_leaves_no_gap(jobs: Jobs) -> None:
    jobs.root()
    before = jobs.opened.read(feed.last)
    with pytest.raises(NotFound):
        jobs.do(lambda tx: (create.create(tx, jobs.queue_id, [JobSpec("t")]), load_one(tx, 999)))
    jobs.root()
    assert jobs.opened.read(feed.last) == before + 1


def test_a_reader_whose_place_is_gone_is_told_to_load_anew(jobs: Jobs) -> None:
    for _ in range(4):
        jobs.root()
    jobs.opened.clock.pass_time(100)
    jobs.root()
    last = jobs.opened.read(feed.last)
    assert jobs.do(feed.prune, jobs.opened.wall - SECOND, 3) == 3
    assert jobs.opened.read(feed.since, 0) is None
    assert jobs.opened.read(feed.since, 2) is None
    assert len(jobs.opened.read(feed.since, 3)) == 2
    assert jobs.do(feed.prune, jobs.opened.wall + SECOND) == 2
    assert jobs.opened.read(feed.since, last) == []
    assert jobs.opened.read(feed.since, last - 1) is None
    assert jobs.opened.read(feed.since, last + 1) is None
    assert jobs.opened.read(feed.last) == last


def test_changes_wake_readers_of_the_feed(jobs: Jobs) -> None:
    heard: list[int] = []
    end = jobs.opened.db.subscribe(feed.TOPIC, lambda: heard.append(1))
    jobs.root()
    end()
    assert heard


# -- the check itself


@pytest.mark.parametrize(
    "damage",
    [
        "delete from message where job_id = 2",
        "update message set job_id = 1 where job_id = 2",
        "update job set status = 2 where id = 2",
        "update job set status = 2, own_run = 1, completed_at = 1 where id = 1",
        "update job set n_pending = n_pending + 1 where id = 1",
        "update job set pre_failed = 1 where id = 1",
        "update job set wait_post = 0 where id = 1",
        "update job set core_total = 5 where id = 1",
        "update job set stopping = 1 where id = 2",
        "update job set root_id = 3 where id = 2",
        "update job set depth = 2 where id = 2",
        "update job set parent_id = 77 where id = 2",
        "update job set completed_at = 5 where id = 2",
        "update job_count set n = n + 1 where status = 0 and top = 0",
        "delete from job_count where status = 0",
        "update job_log_count set n = n + 1",
        "insert into job_log_count values(99, 1, 4)",
        "delete from job_log where id = 1",
        "insert into job_attempt values(99, 1, 1, 1, 1, 1, 'failed', 'x')",
        "update queue set ready = ready + 1",
        "update lane set running = 1",
        "update lane set state = 2",
        "update lane set head = 9",
        "update message set state = 3 where job_id = 2",
        "update message set state = 1 where job_id = 2",
        "insert into delivery_error values(99, 1, 1, 'x')",
    ],
)
def test_the_check_finds_damage(jobs: Jobs, damage: str) -> None:
    root = jobs.root()
    jobs.claim()
    jobs.well(root, spawn=[JobSpec("t", lane=Lane("host")), JobSpec("t", phase=POST)])
    jobs.opened.write(lambda tx: tx.execute(damage))
    assert jobs.opened.read(check.faults) != []
