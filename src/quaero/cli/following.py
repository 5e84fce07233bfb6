"""Beginning a run of a workflow from the command line, and watching it to its end.

Where no worker stays on the data directory, this process works until the run has ended. Ctrl-C
ends only the watching, or gives back what runs here; the run goes on with the next worker.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quaero.cli.crawling import end_at_once, on_signals, others_stay
from quaero.cli.options import database, global_arguments, load_settings, suggest
from quaero.cli.output import print_json, safe, say
from quaero.cli.output import value_of as typed
from quaero.cli.waiting import Waiting, for_room

if TYPE_CHECKING:
    from quaero.app import Worker
    from quaero.db.contract import ReadTx
    from quaero.jobs.read import Summary
    from quaero.settings import Settings
    from quaero.workflows.graph import GraphStep

LOOK_SECONDS = 0.2
LOOKS_AT_OTHERS = 5
INTERRUPTED = 130


def run_definition(
    definition_id: str, given: Mapping[str, str], *, follow: bool, as_json: bool
) -> int:
    """Begin a run, and watch it if that is wanted; returns the exit code.

    `given` are parameters as they were typed.
    """
    from quaero import app
    from quaero.cli.logs import log_to_stderr
    from quaero.workflows import definitions
    from quaero.workflows.text import value_of

    settings = load_settings()
    with database() as db:
        stored = db.read_sync(definitions.get, definition_id)
    parameters = _values(given, (value_of(stored.text, stored.format) or {}).get("parameters", {}))
    log_to_stderr(settings, unless_set="error")
    return app.run(_run(settings, definition_id, parameters, follow=follow, as_json=as_json))


def _values(given: Mapping[str, str], declared: Mapping[str, Any]) -> dict[str, Any]:
    """What was typed, as JSON where it is that; a text that looks like a number stays one."""
    found: dict[str, Any] = {}
    for name, text in given.items():
        value = typed(text)
        is_text = declared.get(name, {}).get("type", "string") == "string"
        found[name] = text if is_text and not isinstance(value, str | None) else value
    return found


async def _run(
    settings: Settings,
    definition_id: str,
    parameters: Mapping[str, Any],
    *,
    follow: bool,
    as_json: bool,
) -> int:
    from quaero.app import worker
    from quaero.work.supervisor import own_command
    from quaero.workflows import runs

    isolate = tuple(own_command(*global_arguments(), "work", "--inner"))
    async with worker(settings, isolate=isolate, passing=True) as made:
        known = made.registry.known()
        job_id = await made.db.write(
            runs.begin, made.queue_id, definition_id, known, parameters=parameters
        )
        handed = await others_stay(made)
        if not follow:
            return _begun(job_id, handed=handed, as_json=as_json)
        say(f"run {job_id} of {definition_id}")
        if handed:
            say("a worker that runs here works on it; Ctrl-C ends only the watching")
        return await _follow(made, job_id, handed=handed, as_json=as_json)


def _begun(job_id: int, *, handed: bool, as_json: bool) -> int:
    if as_json:
        print_json({"job_id": job_id})
    else:
        say(f"run {job_id} has begun; watch it with `{suggest('jobs', 'tree', str(job_id))}`")
        if not handed:
            say(f"no worker runs here now: `{suggest('work')}` starts one")
    return 0


async def _follow(made: Worker, job_id: int, *, handed: bool, as_json: bool) -> int:
    """Say what becomes of each step until the run has ended."""
    interrupted = asyncio.Event()
    on_signals(interrupted.set)
    working = None if handed else asyncio.create_task(made.pool.run())
    told: dict[str, str] = {}
    waiting = Waiting()
    looks = 0
    try:
        while not interrupted.is_set():
            run, _ = await _seen(made, job_id, told, waiting)
            if not run.status.open:
                break
            looks += 1
            if working is None and looks % LOOKS_AT_OTHERS == 0 and not await others_stay(made):
                say("the worker has gone; going on here")
                working = asyncio.create_task(made.pool.run())
            if working is not None and working.done():
                working.result()
            await asyncio.sleep(LOOK_SECONDS)
    finally:
        if working is not None:
            made.pool.stop()
            on_signals(end_at_once)
            await working
        on_signals(None)
    run, steps = await _seen(made, job_id, told, waiting)  # what still ran may have ended it
    if not run.status.open:
        return _conclude(run, steps, as_json=as_json)
    say(_left(job_id, handed=working is None))
    return INTERRUPTED


async def _seen(
    made: Worker, job_id: int, told: dict[str, str], waiting: Waiting
) -> tuple[Summary, list[GraphStep]]:
    """The run and its steps as they are now, of which what is new is said."""
    run, steps, room = await made.db.read(_look, job_id, made.db.path)
    waiting.tell(room)
    for step in steps:
        _tell(step, told)
    return run, steps


def _left(job_id: int, *, handed: bool) -> str:
    """What becomes of a run that nobody watches any more."""
    if handed:
        return f"run {job_id} goes on; `{suggest('jobs', 'show', str(job_id))}` shows it"
    return (
        f"run {job_id} waits and loses nothing: `{suggest('work')}` goes on with it, "
        f"`{suggest('jobs', 'cancel', str(job_id))}` ends it"
    )


def _look(tx: ReadTx, job_id: int, database: Path) -> tuple[Summary, list[GraphStep], str]:
    """A run, its steps, and what keeps all of it from going on."""
    from quaero.jobs.read import get
    from quaero.workflows.graph import graph

    run = get(tx, job_id).summary
    return run, graph(tx, job_id).steps, for_room(tx, database, run)


def _tell(step: GraphStep, told: dict[str, str]) -> None:
    """Say once what state a step has come to."""
    from quaero.cli.jobs import state as in_words

    state = _state(step)
    if state == "completed" and step.job is not None:
        state = in_words(step.job)
    if state != told.get(step.name, "pending"):
        error = step.job.error if step.job is not None and step.job.error else ""
        say(f"{step.name}: {state}{error and f', {safe(error)}'}")
    told[step.name] = state


def _state(step: GraphStep) -> str:
    if step.job is None:
        return "pending"
    if step.outcome == "skipped" and step.job.status.word == "completed":
        return "skipped"
    return step.job.status.word


def _conclude(run: Summary, steps: list[GraphStep], *, as_json: bool) -> int:
    from quaero.cli.jobs import state as in_words
    from quaero.jobs.model import Status

    well = run.status is Status.COMPLETED
    if as_json:
        states = [{"name": each.name, "status": _state(each)} for each in steps]
        print_json({"job_id": run.id, "status": run.status, "error": run.error, "steps": states})
        return 0 if well else 1
    why = f": {safe(run.error)}" if run.error else ""
    say(f"run {run.id} {in_words(run)}{why}")
    if not well:
        say(f"go on from what failed: {suggest('jobs', 'retry', str(run.id))}")
    return 0 if well else 1
