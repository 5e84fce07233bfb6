"""The steps of a run as a graph: what each does, how it stands, and what it waits for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from quaero.db.contract import ReadTx
from quaero.errors import BadInput, NotFound
from quaero.jobs.model import Phase
from quaero.jobs.needs import needs_of
from quaero.jobs.read import SUMMARY, Summary, summary

_GROUPS = (("pre_jobs", Phase.PRE), ("steps", Phase.CORE), ("post_jobs", Phase.POST))


@dataclass(frozen=True, slots=True)
class GraphStep:
    """A step: as it was written, and its job, None where the run has not made it yet.

    `needs` are steps of its phase, `waiting_for` those whose end it still waits for, of an earlier
    phase too. `outcome` is what its own run came to: `begun`, or `skipped` by its condition.
    """

    name: str
    phase: Phase
    action: str
    description: str
    condition: str | None
    on_error: str
    each: bool
    needs: list[str]
    waiting_for: list[str]
    outcome: str | None
    job: Summary | None


@dataclass(frozen=True, slots=True)
class Graph:
    """A run's steps in the order of the definition, which it keeps as it was when it began."""

    definition_id: str
    steps: list[GraphStep]


def graph(tx: ReadTx, run_id: int) -> Graph:
    """The steps of a run. Raises `NotFound`; `BadInput` for a job that is no run."""
    rows = tx.execute("select type, payload from job where id = $1", (run_id,))
    if not rows:
        raise NotFound(f"there is no job {run_id}")
    type_, payload = rows[0]
    definition = msgspec.json.decode(payload).get("definition") if type_ == "workflow" else None
    if not isinstance(definition, dict):
        raise BadInput(f"job {run_id} is no run of a workflow; it has no steps")
    jobs, outcomes = _jobs(tx, run_id)
    unmet = _unmet(tx, jobs)
    steps = []
    before: list[str] = []
    for group, phase in _GROUPS:
        written = definition.get(group) or []
        waits = [name for name in before if name not in jobs or jobs[name].status.open]
        steps += [_step(each, phase, jobs, outcomes, unmet, waits) for each in written]
        before += [str(each["name"]) for each in written]
    return Graph(str(definition.get("id", "")), steps)


def _step(
    written: Mapping[str, Any],
    phase: Phase,
    jobs: Mapping[str, Summary],
    outcomes: Mapping[str, str],
    unmet: Mapping[str, list[str]],
    waits: list[str],
) -> GraphStep:
    name = str(written["name"])
    job = jobs.get(name)
    needs = [str(each) for each in written.get("depends_on") or []]
    waiting = [] if job is not None and job.started_at is not None else [*waits]
    return GraphStep(
        name=name,
        phase=phase,
        action=str(written["action"]),
        description=str(written.get("description") or ""),
        condition=written.get("condition"),
        on_error=str(written.get("on_error") or "fail"),
        each=written.get("for_each") is not None,
        needs=needs,
        waiting_for=[*waiting, *(needs if job is None else unmet.get(name, []))],
        outcome=outcomes.get(name),
        job=job,
    )


def _jobs(tx: ReadTx, run_id: int) -> tuple[dict[str, Summary], dict[str, str]]:
    """The steps' jobs by name, and what the own runs of those that had one came to."""
    rows = tx.execute(
        f"""
        select {SUMMARY}, result ->> 'outcome' from job
         where parent_id = $1 and parent_id is not null and type = 'workflow_step'
           and rerun_of is null order by id
        """,
        (run_id,),
    )
    jobs = {row[6]: summary(row[:-1]) for row in rows}
    return jobs, {row[6]: row[-1] for row in rows if row[-1] is not None}


def _unmet(tx: ReadTx, jobs: Mapping[str, Summary]) -> dict[str, list[str]]:
    """Of each step that is yet to run, the steps it still waits for."""
    names = {job.id: name for name, job in jobs.items() if job.status.open}
    found: dict[str, list[str]] = {}
    for need in needs_of(tx, sorted(names)):
        if not need.met:
            found.setdefault(names[need.job_id], []).append(need.name)
    return found
