"""What workflows cost: a step beside its job, and going over ten thousand items.

The overhead of a step is what a run of steps takes longer than the same jobs without a workflow,
each step's share of it: steps that do not depend on one another against children of one parent, and
a chain of steps against children of which each needs the one before.
"""

from __future__ import annotations

import asyncio
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from harness import timed
from quaero.db import SqliteDatabase
from quaero.jobs import JobSpec
from quaero.jobs.model import Need, Status
from quaero.testing.jobs import Bench, working
from quaero.work.registry import JobType, Registry, Result
from quaero.workflows.executors import Workflow, WorkflowExecutors

STEPS, TIMES = 300, 3
ITEMS = 10_000


class Act(BaseModel):
    n: int = 0


async def _act(job, payload) -> None:
    return None


def _no_rows(tx: Any, query: Any, after: int, limit: int) -> Any:
    return [], None


def _types(db: SqliteDatabase, specs: list[JobSpec]) -> list[JobType[Any]]:
    async def root(job, payload) -> Result:
        job.spawn(*specs)
        return Result()

    registry = Registry([JobType("act", Act, _act), JobType("root", Act, root)])
    for each in WorkflowExecutors(db, registry, _no_rows).job_types():
        registry.add(each)
    return list(registry)


def _definition(steps: list[dict[str, Any]], **more: Any) -> Workflow:
    definition = {"id": "bench", "steps": steps, "parameters": {"items": {"type": "list"}}}
    return Workflow.model_validate({"definition": definition, **more})


async def _took(bench: Bench, type_: str, payload: Any = None) -> tuple[float, float]:
    """Milliseconds of wall time and of CPU for each job, or step with its job."""
    with timed() as took:
        id_ = await bench.create(type_, payload)
        while (status := await bench.db.read(_status, id_)) < Status.COMPLETED:
            await asyncio.sleep(0.01)
        seconds, cpu = took()
    assert status == Status.COMPLETED
    return seconds / STEPS * 1e3, cpu / STEPS * 1e3


def _status(tx: Any, id_: int) -> int:
    return tx.execute("select status from job where id = $1", (id_,))[0][0]


async def _overhead(folder: Path, *, chain: bool) -> list[tuple[float, float]]:
    """Milliseconds, wall and CPU, for each job without and with a step."""
    names = [f"s{n}" for n in range(STEPS)]
    specs = [
        JobSpec("act", name=name, needs=(Need(n - 1),) if chain and n else ())
        for n, name in enumerate(names)
    ]
    steps = [
        {"name": name, "action": "act", "depends_on": names[n - 1 : n] if chain else []}
        for n, name in enumerate(names)
    ]
    with SqliteDatabase.open(folder / f"{chain}.db") as db:
        async with working(db, _types(db, specs)) as bench:
            await _took(bench, "root")
            plain = [await _took(bench, "root") for _ in range(TIMES)]
            with_steps = [await _took(bench, "workflow", _definition(steps)) for _ in range(TIMES)]
    return [
        (statistics.median(wall for wall, _ in each), statistics.median(cpu for _, cpu in each))
        for each in (plain, with_steps)
    ]


async def _items(path: Path, many: int) -> tuple[float, float]:
    """Seconds until the first item runs, and until all have their jobs, from the run's start."""
    first: list[float] = []

    async def act(job, payload) -> None:
        first.append(time.perf_counter())

    with SqliteDatabase.open(path) as db:
        types = [each for each in _types(db, []) if each.name not in ("act", "root")]
        registry = Registry([JobType("act", Act, act)])
        flows = WorkflowExecutors(db, registry, _no_rows).job_types()
        for each in flows:
            registry.add(each)
        assert {each.name for each in types} == {each.name for each in flows}
        async with working(db, list(registry)) as bench:
            step = {"name": "each", "action": "act", "for_each": "parameters.items",
                    "config": {"n": "{{ item }}"}}  # fmt: skip
            wanted = _definition([step], parameters={"items": list(range(many))})
            began = time.perf_counter()
            run_id = await bench.create("workflow", wanted)
            while not await db.read(_all_made, many):
                await asyncio.sleep(0.005)
            made = time.perf_counter()
            await bench.ended(run_id)
    return first[0] - began, made - began


def _all_made(tx: Any, many: int) -> bool:
    rows = tx.execute("select n from job_count where type = 'act'")
    return sum(n for (n,) in rows) == many


def _in_a_process(folder: Path, many: int) -> tuple[float, float, float]:
    """The same in a process of its own, with the most MB that it took."""
    command = [sys.executable, __file__, str(folder / f"{many}.db"), str(many)]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    first, made, memory = map(float, text.split())
    return first, made, memory


def run(folder: Path) -> list[str]:
    """The tables."""
    lines = [
        "### A step of a workflow beside its job", "",
        f"| {STEPS} jobs | ms a job | ms a step with its job | overhead, ms | overhead, CPU ms |",
        "|---|---:|---:|---:|---:|",
    ]  # fmt: skip
    for name, chain in (("at once", False), ("one after another", True)):
        (job, cpu), (step, step_cpu) = asyncio.run(_overhead(folder, chain=chain))
        overhead = f"{step - job:.2f} | {step_cpu - cpu:.2f}"
        lines.append(f"| {name} | {job:.2f} | {step:.2f} | {overhead} |")
    lines += [
        "", "### for_each over many items", "",
        "| items | first one runs after, s | all have their jobs after, s | most MB |",
        "|---:|---:|---:|---:|",
    ]  # fmt: skip
    for many in (100, ITEMS):
        first, made, memory = _in_a_process(folder, many)
        lines.append(f"| {many:,} | {first:.2f} | {made:.2f} | {memory:.0f} |")
    return [*lines, ""]


if __name__ == "__main__":
    sys.setswitchinterval(0.0005)
    found = asyncio.run(_items(Path(sys.argv[1]), int(sys.argv[2])))
    print(*found, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
