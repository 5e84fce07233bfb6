"""Runs of workflows as SPEC 9 tells them: the reference that real runs are held to.

How jobs in trees behave is told by `tests.jobs.model`. Here stands what a run makes of its
definition: which steps there are, whether one has anything to do, its jobs and what they are given.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from quaero.clock import SECOND
from quaero.jobs.model import FailureAction, JobSpec, Need, Phase, Status

from ..jobs.model import Job  # noqa: TID252

GROUPS = {"pre_jobs": Phase.PRE, "steps": Phase.CORE, "post_jobs": Phase.POST}
Outcomes = Callable[[str], dict[str, Any]]


@dataclass
class Step:
    """A step: as it is written, and what its expressions mean."""

    group: str
    written: dict[str, Any]
    reads: list[str]
    holds: Callable[[Outcomes], bool] = lambda _: True
    items: Callable[[Outcomes], list[Any]] | None = None

    @property
    def name(self) -> str:
        return str(self.written["name"])


@dataclass
class Run:
    """One run: its steps' jobs by name, which steps were skipped, and results by job."""

    steps: list[Step]
    job: Job
    jobs: dict[str, Job] = field(default_factory=dict)
    skipped: set[str] = field(default_factory=set)
    results: dict[int, Any] = field(default_factory=dict)

    def step_of(self, job: Job) -> Step | None:
        """The step whose job this is; None for the run and for the jobs of steps."""
        return next((step for step in self.steps if self.jobs.get(step.name) is job), None)

    def specs(self) -> list[JobSpec]:
        """All steps as jobs, each after those that it depends on."""
        placed: list[Step] = []
        for group in GROUPS:
            left = [step for step in self.steps if step.group == group]
            while left:
                known = {step.name for step in placed}
                step = next(s for s in left if known.issuperset(s.written.get("depends_on", [])))
                left.remove(step)
                placed.append(step)
        place = {step.name: number for number, step in enumerate(placed)}
        forgiven = {s.name for s in placed if s.written.get("on_error") == "continue"}
        return [_as_job(step, place, forgiven) for step in placed]

    def outcome(self, name: str) -> dict[str, Any]:
        """What later steps read of a step."""
        job = self.jobs[name]
        results = [self._result(each) for each in job.children]
        return {
            "status": job.status.word,
            "skipped": name in self.skipped and job.status is Status.COMPLETED,
            "total": len(results),
            "completed": sum(each.status is Status.COMPLETED for each in job.children),
            "failed": sum(each.status is Status.FAILED for each in job.children),
            "result": results[0] if results else None,
            "results": results,
        }

    def _result(self, job: Job) -> Any:
        return self.results[job.id] if job.status is Status.COMPLETED else None

    def payloads(self, step: Step) -> list[dict[str, Any]]:
        """What the jobs of a step are given, were it to begin now."""
        seen = {name: list(self.outcome(name).values()) for name in step.reads}
        if step.items is None:
            return [{"step": step.name, "index": None, "item": None, "seen": seen}]
        return [
            {"step": step.name, "index": index, "item": item, "seen": seen}
            for index, item in enumerate(step.items(self.outcome))
        ]


def _as_job(step: Step, place: dict[str, int], forgiven: set[str]) -> JobSpec:
    written = step.written
    retried = written.get("on_error") == "retry"
    return JobSpec(
        "workflow_step",
        phase=GROUPS[step.group],
        name=step.name,
        needs=tuple(Need(place[name], name in forgiven) for name in written.get("depends_on", [])),
        vital=step.name not in forgiven,
        tries=written["retries"] if retried else 0,
        try_wait=written["backoff"] * SECOND if retried else 0,
        max_child_failures=written.get("max_child_failures", 0),
        failure_action=FailureAction[written.get("failure_action", "continue").upper()],
    )


# -- random definitions


def some_steps(random: Random) -> list[Step]:
    """A graph with steps of all phases; what stands later in the text may come first in time."""
    made: list[Step] = []
    for group, most in (("pre_jobs", 2), ("steps", 6), ("post_jobs", 2)):
        fewest = 1 if group == "steps" else 0
        here: list[Step] = []
        before = [step.name for step in made]
        for number in range(random.randint(fewest, most)):
            here.append(_some_step(random, group, f"{group[:2]}{number}", here, before))
        random.shuffle(here)
        made += here
    return made


def _some_step(
    random: Random, group: str, name: str, here: Sequence[Step], before: Sequence[str]
) -> Step:
    needs = random.sample(here, min(len(here), random.choice([0, 1, 1, 2, 3])))
    needed = [step.name for step in needs]
    known = sorted({*before, *needed, *_above(needs, here)})
    reads = random.sample(known, min(len(known), 2))
    seen = {each: [f"{{{{ steps.{each}.{part} }}}}" for part in PARTS] for each in reads}
    config = {"step": name, "index": None, "item": None, "seen": seen}
    written: dict[str, Any] = {"name": name, "action": "act", "config": config}
    step = Step(group, written, reads)
    if needed:
        written["depends_on"] = needed
    _add_error_rule(random, step)
    if random.random() < 0.25:
        written["condition"], step.holds = _some_condition(random, known)
    if random.random() < 0.4:
        config |= {"index": "{{ index }}", "item": "{{ item }}"}
        written["for_each"], step.items = _some_items(random, known)
        if random.random() < 0.5:
            written["max_parallel"] = random.randint(1, 2)
        if random.random() < 0.4:
            written["max_child_failures"] = 1
            written["failure_action"] = random.choice(["continue", "mark_warning", "stop_all"])
    if random.random() < 0.15:
        written["timeout"] = random.choice([30, 3_000])
    return step


PARTS = ("status", "skipped", "total", "completed", "failed", "result", "results")


def _above(needs: Sequence[Step], here: Sequence[Step]) -> set[str]:
    by_name = {step.name: step for step in here}
    names = {name for step in needs for name in step.written.get("depends_on", [])}
    return names | _above([by_name[name] for name in names], here) if names else names


def _add_error_rule(random: Random, step: Step) -> None:
    rules = ["fail", "fail", "retry"] if step.group == "pre_jobs" else ["fail", "retry", "continue"]
    step.written["on_error"] = random.choice(rules)
    if step.written["on_error"] == "retry":
        step.written |= {"retries": random.randint(1, 2), "backoff": random.choice([2, 20])}


def _some_condition(random: Random, known: Sequence[str]) -> tuple[str, Callable[[Outcomes], bool]]:
    if not known:
        return random.choice([("parameters.n > 3", lambda _: False), ("1 < 2", lambda _: True)])
    name = random.choice(known)
    return random.choice(
        [
            (f"steps.{name}.completed > 1", lambda of: of(name)["completed"] > 1),
            (f"steps.{name}.status == 'completed'", lambda of: of(name)["status"] == "completed"),
            (f"not steps.{name}.skipped", lambda of: not of(name)["skipped"]),
            (f"steps.{name}.failed == 0", lambda of: of(name)["failed"] == 0),
        ]
    )


def _some_items(
    random: Random, known: Sequence[str]
) -> tuple[Any, Callable[[Outcomes], list[Any]]]:
    if known and random.random() < 0.4:
        name = random.choice(known)
        return f"steps.{name}.results", lambda of: of(name)["results"]
    if random.random() < 0.3:
        return "parameters.items", lambda _: ["p", "q", "r"]
    items = [random.choice(["x", 7, None, {"k": [1]}]) for _ in range(random.randint(0, 5))]
    return items, lambda _: items
