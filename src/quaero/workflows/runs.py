"""Beginning runs of definitions, and the runs there were."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from quaero.db.contract import ReadTx, Tx
from quaero.errors import Conflict
from quaero.jobs import steer
from quaero.jobs.create import create
from quaero.jobs.model import JobSpec
from quaero.jobs.read import Summary, summaries
from quaero.workflows import definitions
from quaero.workflows.executors import RUN, Workflow, lane_of_run

Cause = Literal["manual", "schedule", "start"]


@dataclass(frozen=True, slots=True)
class Run:
    """One run: its job, what began it, and the time at which it was due, if one did."""

    job: Summary
    cause: Cause
    began_at: int
    due_at: int | None


def begin(
    tx: Tx,
    queue_id: int,
    definition_id: str,
    actions: Mapping[str, Any],
    *,
    parameters: Mapping[str, Any] | None = None,
    cause: Cause = "manual",
    due_at: int | None = None,
    priority: int = 0,
) -> int:
    """Begin a run of a definition as it is now; returns its job's id.

    Raises `NotFound`; `Conflict` where it is not enabled; `BadInput` for parameters that do not
    fit, or where job types it needs are no longer known.
    """
    stored = definitions.get(tx, definition_id)
    if not stored.enabled:
        raise Conflict(f"the definition {definition_id!r} is not enabled; set enabled = true")
    definition = stored.definition(actions)
    wanted = Workflow(
        definition=definition,
        parameters=definition.parameters_with(parameters or {}),
        definitions=definitions.with_called(tx, definition, actions),
        trigger=cause,
        due_at=due_at,
    )
    payload = wanted.model_dump_json(exclude_defaults=True)
    lane = lane_of_run(definition, actions)
    spec = JobSpec(RUN, payload, name=definition.title, priority=priority, lane=lane)
    (job_id,) = create(tx, queue_id, [spec])
    tx.execute(
        """
        insert into run(job_id, definition_id, began_at, cause, due_at) values($1, $2, $3, $4, $5)
        """,
        (job_id, definition_id, tx.now, cause, due_at),
    )
    return job_id


def rerun(tx: Tx, job_id: int, payload: str | None = None) -> int:
    """Run a job anew as `steer.rerun` does; a run is one more of its definition. Returns its id."""
    new_id = steer.rerun(tx, job_id, payload)
    tx.execute(
        """
        insert into run(job_id, definition_id, began_at, cause, due_at)
        select $2, definition_id, $3, 'manual', null from run where job_id = $1
        """,
        (job_id, new_id, tx.now),
    )
    return new_id


def under_way(tx: ReadTx, definition_id: str) -> int | None:
    """The newest run of a definition that has not ended; past ones are not looked through."""
    ((job_id,),) = tx.execute(
        """
        select max(run.job_id) from job cross join run on run.job_id = job.id
         where job.parent_id is null and job.type = 'workflow' and job.status in (0, 1)
           and run.definition_id = $1
        """,
        (definition_id,),
    )
    return None if job_id is None else int(job_id)


def listing(
    tx: ReadTx, definition_id: str, before: int | None = None, limit: int = 50
) -> list[Run]:
    """The runs of a definition, newest first, those before a job's id. Deleted ones are gone."""
    rows = tx.execute(
        """
        select run.job_id, run.cause, run.began_at, run.due_at
          from run join job on job.id = run.job_id
         where run.definition_id = $1 and run.job_id < $2 order by run.job_id desc limit $3
        """,
        (definition_id, 2**62 if before is None else before, limit),
    )
    jobs = {each.id: each for each in summaries(tx, [row[0] for row in rows])}
    return [Run(jobs[job_id], cause, began, due) for job_id, cause, began, due in rows]
