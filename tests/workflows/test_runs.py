"""Runs of workflows on a real pool: what starts when, what is passed on, how a run ends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import BaseModel

from quaero.errors import Permanent, RetryLater, StaleLease
from quaero.jobs import actions, deadlines, read, steer
from quaero.jobs.model import Status
from quaero.testing.jobs import Bench, working
from quaero.work.context import JobContext
from quaero.work.registry import JobType, Registry, Result
from quaero.workflows import executors, results, runs
from quaero.workflows.definition import Definition
from quaero.workflows.executors import Workflow, WorkflowExecutors, WorkflowStep

from ..opening import Opened  # noqa: TID252

PENDING, RUNNING, COMPLETED, FAILED, CANCELLED = Status


class Say(BaseModel):
    """What the job type `say` is told."""

    text: Any = None
    fails: int = 0
    waits: bool = False


class Stage:
    """Runs workflows whose steps only say things, and notes what was said."""

    def __init__(self, opened: Opened) -> None:
        self.opened = opened
        self.said: list[Any] = []
        self.failures: dict[str, int] = {}
        self.ids = list(range(1, 8))
        self.asked_after: list[int] = []
        self.trouble: list[Exception] = []
        self.go_on = asyncio.Event()

    @asynccontextmanager
    async def working(self) -> AsyncIterator["Stage"]:
        registry = Registry([JobType("say", Say, self.say)])
        flows = WorkflowExecutors(self.opened.db, registry, self.rows)
        for job_type in flows.job_types():
            registry.add(job_type)
        async with working(self.opened.db, list(registry)) as self.bench:
            yield self

    bench: Bench

    async def say(self, job: JobContext, payload: Say) -> Result:
        key = str(payload.text)
        if payload.waits:
            await self.go_on.wait()
        if self.failures.get(key, 0) < payload.fails:
            self.failures[key] = self.failures.get(key, 0) + 1
            raise Permanent(f"{key} does not want to")
        self.said.append(payload.text)
        return Result({"said": payload.text, "length": len(key)})

    def rows(self, _tx: Any, query: Any, after: int, limit: int) -> Any:
        assert query.documents is not None
        self.asked_after.append(after)
        if self.trouble and after:
            self.ids = [n for n in self.ids if n > 2]
            raise self.trouble.pop()
        found = [{"id": n} for n in self.ids if n > after][: min(limit, 3)]
        last = found[-1]["id"] if found else None
        return found, last if last is not None and last < self.ids[-1] else None

    async def run(self, *steps: dict[str, Any], **more: Any) -> read.Job:
        """Run a workflow to its end, while time passes."""
        passing = asyncio.create_task(self.pass_time())
        try:
            return await self.bench.run("workflow", payload(*steps, **more))
        finally:
            passing.cancel()

    async def pass_time(self) -> None:
        while True:
            self.opened.clock.pass_time(0.05)
            await asyncio.sleep(0.005)

    async def steps(self, run: read.Job) -> dict[str, read.Summary]:
        wanted = read.Filter(parent_id=run.summary.id, limit=1_000)
        return {each.name: each for each in await self.bench.db.read(read.listing, wanted)}

    async def states(self, run: read.Job) -> dict[str, Status]:
        return {name: each.status for name, each in (await self.steps(run)).items()}


def payload(*steps: dict[str, Any], **more: Any) -> Workflow:
    given = {key: more.pop(key) for key in ("parameters", "definitions") if key in more}
    declared = more.pop("declare", {})
    definition = {"id": "flow", "steps": list(steps), "parameters": declared, **more}
    return Workflow.model_validate({"definition": definition, **given})


def say(name: str, *needs: str, text: Any = None, **more: Any) -> dict[str, Any]:
    config = {"text": name if text is None else text}
    config |= {key: more.pop(key) for key in ("fails", "waits") if key in more}
    return {"name": name, "action": "say", "config": config, "depends_on": list(needs), **more}


@pytest.fixture
async def stage(opened: Opened) -> AsyncIterator[Stage]:
    async with Stage(opened).working() as made:
        yield made


async def test_steps_follow_one_another_as_they_depend(stage: Stage) -> None:
    run = await stage.run(say("c", "b"), say("b", "a"), say("a"))
    assert stage.said == ["a", "b", "c"]
    assert run.summary.status is COMPLETED
    assert set((await stage.states(run)).values()) == {COMPLETED}


async def test_results_are_passed_on(stage: Stage) -> None:
    length = say("b", "a", text="{{ steps.a.result.length * 2 }}")
    whole = say("c", "b", text=["{{ steps.b.result.said }}", "{{ steps.a.status }} {{ run.id }}"])
    run = await stage.run(say("a", text="four"), length, whole)
    assert stage.said == ["four", 8, [8, f"completed {run.summary.id}"]]


async def test_parameters_reach_the_steps(stage: Stage) -> None:
    declare = {"who": {"default": "Ann"}, "n": {"type": "integer", "required": True}}
    step = say("a", text="{{ parameters.who }} {{ parameters.n + 1 }}")
    await stage.run(step, declare=declare, parameters={"n": 4})
    assert stage.said == ["Ann 5"]


async def test_a_run_without_what_it_requires_fails_at_once(stage: Stage) -> None:
    run = await stage.run(say("a"), declare={"n": {"required": True}})
    assert run.summary.status is FAILED
    assert "the parameter 'n' is missing" in str(run.summary.error)
    assert stage.said == []


async def test_a_condition_that_does_not_hold_skips_the_step_and_no_other(stage: Stage) -> None:
    b = say("b", "a", condition="steps.a.result.length > 100")
    c = say("c", "b", text="{{ steps.b.skipped }} {{ steps.b.result }}")
    run = await stage.run(say("a"), b, c)
    assert stage.said == ["a", "true null"]
    assert (await stage.states(run))["b"] is COMPLETED


async def test_a_failed_step_fails_the_run_and_what_depends_on_it_never_starts(
    stage: Stage,
) -> None:
    run = await stage.run(say("a", fails=9), say("b", "a"), say("other"))
    assert stage.said == ["other"]
    assert run.summary.status is FAILED
    assert run.summary.error == "a failed"
    assert await stage.states(run) == {"a": FAILED, "b": CANCELLED, "other": COMPLETED}


async def test_a_step_may_fail_and_the_run_go_on(stage: Stage) -> None:
    after = say("b", "a", text="{{ steps.a.status }}: {{ steps.a.error }}")
    run = await stage.run(say("a", fails=9, on_error="continue"), after)
    assert stage.said == ["failed: the only core job failed: a does not want to"]
    assert (run.summary.status, run.summary.warnings) == (COMPLETED, 2)


async def test_a_step_is_tried_again_as_often_as_it_says(stage: Stage) -> None:
    again = {"on_error": "retry", "retries": 2, "backoff": "1ms"}
    run = await stage.run(say("a", fails=2, **again), say("b", "a"))
    assert stage.said == ["a", "b"]
    assert run.summary.status is COMPLETED
    assert (await stage.steps(run))["a"].round == 3


async def test_a_step_that_never_gets_better_fails_after_its_tries(stage: Stage) -> None:
    again = {"on_error": "retry", "retries": 1, "backoff": "1ms"}
    run = await stage.run(say("a", fails=9, **again), say("b", "a"))
    assert run.summary.status is FAILED
    assert stage.failures == {"a": 2}


async def test_a_step_has_a_job_for_each_item(stage: Stage) -> None:
    each = say("a", text="{{ index }}{{ item }}", for_each=["x", "y", "z"])
    after = say("b", "a", text="{{ join(steps.a.results, ' ') }} {{ steps.a.total }}")
    await stage.run(each, after)
    assert sorted(stage.said[:3]) == ["0x", "1y", "2z"]
    results = [f'{{"said":"{text}","length":2}}' for text in ("0x", "1y", "2z")]
    assert stage.said[3] == f"{' '.join(results)} 3"


@pytest.mark.parametrize("read", ["results", "result"])
async def test_results_that_are_too_large_to_read_fail_the_step_that_reads_them(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, read: str
) -> None:
    monkeypatch.setattr(results, "MOST_BYTES", 100)
    each = say("a", text="{{ item }}", for_each=["x" * 60, "y" * 60])
    run = await stage.run(each, say("b", "a", text=f"{{{{ steps.a.{read} }}}}"))
    assert (run.summary.status is FAILED) == (read == "results")
    if read == "results":
        error = str((await stage.steps(run))["b"].error)
        assert "bytes, more than the 100 one can read" in error
        assert "have its jobs return less" in error


async def test_the_items_of_a_list_may_be_results(stage: Stage) -> None:
    await stage.run(
        say("a"), say("b", "a", for_each=["{{ steps.a.result.said }}", "x"], text="{{ item }}")
    )
    assert stage.said == ["a", "a", "x"]


async def test_items_come_from_results_parameters_and_queries(stage: Stage) -> None:
    first = say("a", text=["p", "q"])
    second = say("b", "a", for_each="steps.a.result.said", text="{{ item }}")
    third = say("c", "b", for_each={"documents": {"query": "x"}}, text="{{ item.id }}")
    await stage.run(first, second, third)
    assert sorted(stage.said[1:3]) == ["p", "q"]
    assert sorted(stage.said[3:]) == list(range(1, 8))


async def test_a_query_gives_no_more_items_than_its_limit(stage: Stage) -> None:
    query = {"documents": {"tag": "x", "limit": 5}}
    await stage.run(say("a", for_each=query, text="{{ item.id }}"))
    assert sorted(stage.said) == [1, 2, 3, 4, 5]


async def test_a_query_goes_on_from_its_place_whatever_has_become_of_what_it_finds(
    stage: Stage,
) -> None:
    stage.trouble = [RetryLater("the process is gone")]
    run = await stage.run(say("a", for_each={"documents": {"tag": "x"}}, text="{{ item.id }}"))
    assert stage.asked_after == [0, 3, 3, 6]
    assert sorted(stage.said) == [1, 2, 3, 4, 5, 6, 7], "1 and 2 were found no more"
    assert run.summary.status is COMPLETED


async def test_a_step_that_is_made_anew_goes_over_its_query_anew(stage: Stage) -> None:
    run = await stage.run(say("a", for_each={"documents": {"query": "x"}}, text="{{ item.id }}"))
    (step,) = (await stage.steps(run)).values()
    again = await stage.bench.db.write(steer.rerun, step.id)
    done = await stage.bench.ended(again)
    assert done.result == {"outcome": "begun", "jobs": 7}
    assert sorted(stage.said) == sorted(stage.ids * 2)


async def test_another_try_goes_over_no_query_again(stage: Stage) -> None:
    stage.ids = [5, 6, 7]
    again = {"on_error": "retry", "retries": 1, "backoff": "10s"}
    query = {"documents": {"tag": "x"}}
    step = say("a", for_each=query, text="{{ item.id }}", fails=1, **again)
    id_ = await stage.bench.create("workflow", payload(step))
    while len(stage.failures) < 3:
        await asyncio.sleep(0.001)
    stage.ids = [1, 2, 5, 6, 7]
    passing = asyncio.create_task(stage.pass_time())
    run = await stage.bench.ended(id_)
    passing.cancel()
    assert run.summary.status is COMPLETED
    assert sorted(stage.said) == [5, 6, 7]
    assert stage.asked_after == [0]


async def test_an_empty_list_is_a_step_that_is_done(stage: Stage) -> None:
    run = await stage.run(say("a", for_each=[]), say("b", "a", text="{{ steps.a.total }}"))
    assert stage.said == [0]
    assert run.summary.status is COMPLETED


async def test_no_more_items_run_at_once_than_wanted(stage: Stage) -> None:
    most = 0

    async def watch() -> None:
        nonlocal most
        while True:
            ((running,),) = await stage.bench.db.read(
                lambda tx: tx.execute("select coalesce(max(running), 0) from lane")
            )
            most = max(most, running)
            await asyncio.sleep(0)

    watching = asyncio.create_task(watch())
    await stage.run(say("a", for_each=list(range(20)), text="{{ item }}", max_parallel=2))
    watching.cancel()
    assert sorted(stage.said) == list(range(20))
    assert most <= 2


async def test_an_item_is_under_way_until_all_below_it_has_ended(stage: Stage) -> None:
    steps = [say("a", text="a {{ parameters.n }}"), say("b", "a", text="b {{ parameters.n }}")]
    inner = {"id": "inner", "steps": steps, "parameters": {"n": {"type": "integer"}}}
    nested = {"name": "each", "action": "workflow", "for_each": [1, 2, 3], "max_parallel": 1,
              "config": {"definition": "inner", "parameters": {"n": "{{ item }}"}}}  # fmt: skip
    run = await stage.run(nested, definitions={"inner": inner})
    assert stage.said == ["a 1", "b 1", "a 2", "b 2", "a 3", "b 3"]
    assert run.summary.status is COMPLETED


async def test_pre_and_post_jobs_surround_the_steps(stage: Stage) -> None:
    await stage.run(say("core"), pre_jobs=[say("pre")], post_jobs=[say("x"), say("y", "x")])
    assert stage.said == ["pre", "core", "x", "y"]


async def test_pre_jobs_may_depend_on_one_another(stage: Stage) -> None:
    await stage.run(say("core"), pre_jobs=[say("second", "first"), say("first")])
    assert stage.said == ["first", "second", "core"]


async def test_a_failed_pre_job_fails_the_run(stage: Stage) -> None:
    run = await stage.run(say("core"), pre_jobs=[say("pre", fails=9)], post_jobs=[say("post")])
    assert stage.said == []
    assert run.summary.status is FAILED


async def test_post_jobs_run_although_a_step_failed(stage: Stage) -> None:
    post = say("post", text="{{ steps.core.status }}")
    run = await stage.run(say("core", fails=9), post_jobs=[post])
    assert stage.said == ["failed"]
    assert run.summary.status is FAILED


async def test_a_failed_run_is_resumed_from_the_failed_step(stage: Stage) -> None:
    run = await stage.run(say("a"), say("b", "a", fails=1), say("c", "b"))
    assert run.summary.status is FAILED
    await actions.retry(stage.bench.db, run.summary.id)
    run = await stage.bench.ended(run.summary.id)
    assert stage.said == ["a", "b", "c"]
    assert run.summary.status is COMPLETED


async def test_only_the_failed_items_are_run_again(stage: Stage) -> None:
    step = say("a", for_each=["x", "y"], text="{{ item }}")
    step["config"]["fails"] = "{{ index }}"
    again = {"on_error": "retry", "retries": 1, "backoff": "1ms"}
    run = await stage.run({**step, **again, "max_child_failures": 1, "failure_action": "continue"})
    assert run.summary.status is COMPLETED
    assert stage.said == ["x"], "one of two failed: a warning, not a failed step"
    await actions.retry(stage.bench.db, run.summary.id)
    await stage.bench.ended(run.summary.id)
    assert stage.said == ["x", "y"]


async def test_another_try_makes_no_item_twice_where_the_job_of_one_was_deleted(
    stage: Stage,
) -> None:
    step = say("a", for_each=["x", "y"], text="{{ item }}", on_error="retry", retries=1)
    step["config"] |= {"fails": "{{ 9 - 8 * index }}", "waits": "{{ index == 1 }}"}
    running = asyncio.create_task(stage.run(step))
    sql = "select id from job where type = 'say' and status = 3"
    while not (found := await stage.bench.db.read(lambda tx: tx.execute(sql))):
        await asyncio.sleep(0.001)
    await actions.delete(stage.bench.db, found[0][0])
    stage.go_on.set()
    run = await running
    assert run.summary.status is COMPLETED
    assert stage.said == ["y"]


async def test_what_a_job_came_to_that_was_run_again_is_what_later_steps_read(
    stage: Stage,
) -> None:
    items = {**say("a", for_each=["x", "y"], text="{{ item }}"), "max_child_failures": 1}
    items["config"]["fails"] = "{{ 9 - 9 * index }}"
    told = "{{ steps.a.result.said }} {{ len(steps.a.results) }} {{ steps.a.results[1].said }}"
    run = await stage.run(items, say("b", "a", text=told))
    steps = await stage.steps(run)
    assert await stage.states(run) == {"a": COMPLETED, "b": FAILED}
    failed, _ = await stage.bench.db.read(read.listing, read.Filter(parent_id=steps["a"].id))
    for text, fails in (("z", 9), ("w", 0)):
        changed = stage.bench.registry.get("say").encode({"text": text, "fails": fails})
        failed_id = await stage.bench.db.write(runs.rerun, failed.id, changed)
        await stage.bench.ended(failed_id)
        failed = (await stage.bench.db.read(read.get, failed_id)).summary
    await actions.retry(stage.bench.db, steps["b"].id)
    await stage.bench.ended(run.summary.id)
    assert stage.said == ["y", "w", "w 2 y"]


async def test_a_cancelled_run_starts_nothing_more(stage: Stage) -> None:
    id_ = await stage.bench.create("workflow", payload(say("a", waits=True), say("b", "a")))
    while not await stage.bench.db.read(
        lambda tx: tx.execute("select 1 from job where type = 'say' and status = 1")
    ):
        await asyncio.sleep(0.001)
    await actions.cancel(stage.bench.db, id_)
    run = await stage.bench.ended(id_)
    stage.go_on.set()
    assert set((await stage.states(run)).values()) == {CANCELLED}
    assert stage.said == []


@pytest.mark.parametrize(
    ("waiting", "said"), [("pre", []), ("core", ["pre"]), ("post", ["pre", "core"])]
)
async def test_a_run_can_be_cancelled_in_each_phase(
    stage: Stage, waiting: str, said: list[str]
) -> None:
    steps = {name: say(name, waits=name == waiting) for name in ("pre", "core", "post")}
    whole = payload(steps["core"], pre_jobs=[steps["pre"]], post_jobs=[steps["post"]])
    id_ = await stage.bench.create("workflow", whole)
    sql = "select 1 from job where type = 'say' and name = $1 and status = 1"
    while not await stage.bench.db.read(lambda tx: tx.execute(sql, (waiting,))):
        await asyncio.sleep(0.001)
    await actions.cancel(stage.bench.db, id_)
    run = await stage.bench.ended(id_)
    stage.go_on.set()
    assert run.summary.status is CANCELLED
    states = await stage.states(run)
    assert states == {name: COMPLETED if name in said else CANCELLED for name in steps}
    assert stage.said == said
    assert not await stage.bench.db.read(lambda tx: tx.execute("select 1 from message"))


async def test_a_workflow_can_be_a_step_of_another(stage: Stage) -> None:
    inner = {
        "id": "inner",
        "steps": [say("x", text="{{ parameters.who }}")],
        "parameters": {"who": {"default": "nobody"}},
    }
    config = {"definition": "inner", "parameters": {"who": "{{ steps.a.result.said }}"}}
    nested = {"name": "n", "action": "workflow", "config": config, "depends_on": ["a"]}
    run = await stage.run(say("a"), nested, say("z", "n"), definitions={"inner": inner})
    assert stage.said == ["a", "a", "z"]
    assert run.summary.status is COMPLETED


WRONG_STEPS = [
    (say("a", text="{{ parameters.none }}"), "does not exist"),
    ({"name": "a", "action": "nothing"}, "there is no job type 'nothing'"),
    ({"name": "a", "action": "say", "config": {"fails": "x"}}, "fails: "),
    (say("a", for_each="run.id"), "is no list"),
    ({"name": "a", "action": "workflow", "config": {"definition": "x"}}, "no definition 'x'"),
    (
        say("a", for_each={"documents": {"tag": "{{ run.id }}"}}),
        "for_each.documents.tag: Input should be a valid string (it is 1)",
    ),
]


@pytest.mark.parametrize(("step", "says"), WRONG_STEPS)
async def test_a_step_that_cannot_be_made_says_why_and_is_not_tried_thrice(
    stage: Stage, step: dict[str, Any], says: str
) -> None:
    run = await stage.run(step)
    (failed,) = (await stage.steps(run)).values()
    assert says in str(failed.error)
    assert failed.attempt == 1
    assert run.summary.status is FAILED


UNFIT = [
    ([say("a", "none")], "steps[0].depends_on[0]: there is no step 'none' in steps"),
    ([say("a", "b"), say("b", "a")], "steps wait for one another: a → b → a"),
    ([say("a"), say("a")], "steps[1].name: two steps are named 'a'; rename one"),
]


@pytest.mark.parametrize(("steps", "says"), UNFIT)
async def test_a_definition_that_was_never_checked_is_told_by_its_run(
    stage: Stage, steps: list[dict[str, Any]], says: str
) -> None:
    run = await stage.run(*steps)
    assert says in str(run.summary.error)
    assert run.summary.attempt == 1
    assert stage.said == []


async def test_a_list_that_is_too_long_is_told_before_a_job_is_made(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executors, "MOST_ITEMS", 600)
    run = await stage.run(say("a", for_each="parameters.all"), declare={
        "all": {"type": "list", "default": [0] * 601}
    })  # fmt: skip
    (step,) = (await stage.steps(run)).values()
    assert step.error == "'a' has 601 items to go over; 600 is the most"
    assert step.counts.total == 0


async def test_a_run_over_its_time_fails_with_everything_in_it(stage: Stage) -> None:
    wanted = payload(say("a", waits=True), timeout="1h")
    id_ = await stage.bench.create("workflow", wanted)
    while await stage.bench.db.read(deadlines.next_deadline) is None:
        await asyncio.sleep(0.001)
    stage.opened.clock.pass_time(3_601)
    assert await stage.bench.db.write(deadlines.expire) == 1
    run = await stage.bench.ended(id_)
    assert (run.summary.status, run.summary.error) == (FAILED, "not done by its deadline")


async def test_a_step_that_lost_its_lease_opens_nothing_again(stage: Stage) -> None:
    run = await stage.run(say("a", fails=9))
    step = (await stage.steps(run))["a"]
    registry = Registry([JobType("say", Say, stage.say)])
    flows = WorkflowExecutors(stage.opened.db, registry, stage.rows)

    async def lost(*_: Any) -> None:
        raise StaleLease("lost")

    gone: Any = SimpleNamespace(job_id=step.id, parent_id=run.summary.id, state=None)
    unwritten: Any = None
    with pytest.raises(StaleLease):
        await flows.step(JobContext(gone, unwritten, lost), WorkflowStep(step="a"))
    assert (await stage.states(run)) == {"a": FAILED}
    assert (await stage.bench.db.read(read.get, run.summary.id)).summary.status is FAILED


async def test_ten_thousand_items_are_made_in_bounded_portions(stage: Stage) -> None:
    stage.bench.pool.stop()
    items = list(range(10_000))
    async with Stage(stage.opened).working() as other:
        run = await other.run(say("a", for_each="parameters.items", text=1),
                              declare={"items": {"type": "list"}}, parameters={"items": items})  # fmt: skip
        assert run.summary.counts.completed == 10_001
        assert len(other.said) == 10_000


def test_a_definition_is_kept_by_its_run_as_it_was() -> None:
    wanted = payload(say("a", on_error="retry", retries=3, backoff="5m"), timeout="2h")
    again = Workflow.model_validate_json(wanted.model_dump_json())
    assert again == wanted
    assert isinstance(again.definition, Definition)
    assert again.definition.steps[0].backoff == 300.0
