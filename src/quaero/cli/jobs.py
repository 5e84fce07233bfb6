"""`quaero jobs` and `quaero cleanup`: look at jobs and steer them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quaero.cli.options import Json, database, load_settings, suggest, with_database

if TYPE_CHECKING:
    from quaero.db.contract import Database, ReadTx
    from quaero.jobs.model import Status
    from quaero.jobs.read import Summary

app = typer.Typer(help="Look at jobs and steer them.", no_args_is_help=True, rich_markup_mode=None)

Id = Annotated[int, typer.Argument(help="The id of the job.", min=1)]
Payload = Annotated[str | None, typer.Option(help="Another payload, as JSON.")]
FOLLOW_SECONDS = 0.3


@app.command("list")
def list_jobs(
    *,
    status: Annotated[list[str] | None, typer.Option(help="Only this status; repeatable.")] = None,
    type: Annotated[str | None, typer.Option("--type", help="Only this job type.")] = None,  # noqa: A002
    parent: Annotated[int | None, typer.Option(help="The children of this job.", min=1)] = None,
    before: Annotated[int | None, typer.Option(help="From the job before this id on.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 20,
    as_json: Json = False,
) -> None:
    """List top-level jobs, newest first, or the children of one.

    Example: quaero jobs list --status failed --status running
    """
    from quaero.cli.output import moment, print_json, safe, say, shorten, table
    from quaero.jobs.read import Filter, listing

    wanted = Filter(parent, frozenset(_statuses(status)), type, before, limit)
    with database() as db:
        found = db.read_sync(listing, wanted)
    if as_json:
        print_json(found)
        return
    if not found:
        say("no jobs")
        return
    rows = [
        (j.id, j.type, state(j), done_of(j), moment(j.created_at), shorten(safe(j.name), 60))
        for j in found
    ]
    table(("id", "type", "status", "done", "created", "name"), rows, right="i")
    if len(found) == limit:
        after = ["--parent", str(parent)] if parent else []
        say(f"more: {suggest('jobs', 'list', *after, '--before', str(found[-1].id))}")


def _statuses(words: list[str] | None) -> list[Status]:
    from quaero.errors import BadInput
    from quaero.jobs.model import Status

    known = {status.word: status for status in Status}
    for word in words or []:
        if word not in known:
            raise BadInput(f"{word!r} is no status; known are {', '.join(known)}")
    return [known[word] for word in words or []]


def state(job: Summary) -> str:
    """A job's status in words, with what it waits for."""
    if job.held:
        return "held"
    if job.stopping:
        return "stopping"
    if job.waiting:
        return f"waiting for {job.counts.pending + job.counts.running}"
    if job.warnings:
        return f"{job.status.word}, {job.warnings} warnings"
    return job.status.word


def done_of(job: Summary) -> str:
    """How far a job is: its descendants, or what its executor reports."""
    if job.counts.total:
        return f"{job.counts.done}/{job.counts.total}"
    if job.progress_current is not None:
        return f"{job.progress_current}/{job.progress_total or '?'}"
    return "-"


@app.command()
def show(job_id: Id, *, as_json: Json = False) -> None:
    """Show all that is known of a job.

    Example: quaero jobs show 12
    """
    from quaero.cli.output import print_json
    from quaero.crawl.frontier import report
    from quaero.jobs.read import get

    with database() as db:
        job = db.read_sync(get, job_id)
        crawl = db.read_sync(report, job_id)
    if as_json:
        print_json({**_flat(job), "crawl": crawl})
        return
    for name, value in _lines(job, crawl):
        typer.echo(f"{name:<12} {value}")


def _flat(job: Any) -> dict[str, Any]:
    from quaero.cli.output import plain

    whole: dict[str, Any] = plain(job)
    return {**whole.pop("summary"), **whole}


def _lines(job: Any, crawl: Any) -> list[tuple[str, str]]:
    import json

    from quaero.cli.output import moment, safe, span

    s = job.summary
    c = s.counts
    ran = (s.completed_at or s.started_at or 0) - (s.started_at or 0)
    lines = [
        ("job", f"{s.id}  {s.type}"),
        ("name", safe(s.name)),
        ("status", state(s)),
        ("priority", str(s.priority)),
        ("attempt", f"{s.attempt}, round {s.round}"),
        ("created", moment(s.created_at)),
        ("started", moment(s.started_at)),
        ("ended", f"{moment(s.completed_at)} ({span(ran)})" if s.completed_at else "-"),
        ("payload", safe(json.dumps(job.payload, ensure_ascii=False))),
        ("result", safe(json.dumps(job.result, ensure_ascii=False))),
    ]
    if s.parent_id:
        lines.insert(1, ("parent", str(s.parent_id)))
    if s.error:
        lines.append(("error", safe(s.error)))
    if c.total:
        text = f"{c.pending} pending, {c.running} running, {c.completed} completed, "
        lines.append(("below", text + f"{c.failed} failed, {c.cancelled} cancelled"))
    if crawl is not None:
        text = f"{crawl.created} new, {crawl.changed} changed, {crawl.unchanged} unchanged"
        lines.append(("pages", f"{text}, {crawl.gone} gone"))
        for reason, (n, samples) in crawl.refused.items():
            lines.append(("refused", f"{n} by {reason}, such as {safe(samples[0])}"))
    for each in job.attempts:
        when = moment(each.ended_at)
        text = safe(each.error or "")
        lines.append((f"attempt {each.attempt}", f"{when} {each.outcome}: {text}"))
    return lines


@app.command()
def tree(job_id: Id, *, as_json: Json = False) -> None:
    """Show a job and those below it, each with its counts.

    Example: quaero jobs tree 12
    """
    from quaero.cli.output import print_json, safe

    with database() as db:
        found = db.read_sync(_tree, job_id)
    if as_json:
        print_json(found)
        return
    for job in found:
        indent = "  " * (job.depth - found[0].depth)
        line = f"{indent}{job.id} {job.phase.name.lower()} {job.type} [{state(job)}] "
        typer.echo(line + f"{done_of(job)} {safe(job.name)}")


def _tree(tx: ReadTx, job_id: int) -> list[Summary]:
    from quaero.jobs.read import Filter, get, listing

    found = [get(tx, job_id).summary]
    after = None
    while page := listing(tx, Filter(parent_id=job_id, before=after, limit=1_000)):
        for child in page:
            found += _tree(tx, child.id) if child.counts.total else [child]
        after = page[-1].id
    return found


@app.command()
def logs(
    job_id: Id,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as entries come.")] = False,
    tree: Annotated[bool, typer.Option(help="Of the jobs below, too.")] = True,
    level: Annotated[str, typer.Option(help="debug, info, warn or error, and graver.")] = "debug",
    levels: Annotated[str | None, typer.Option(help="Exactly these, such as warn,info.")] = None,
    text: Annotated[str, typer.Option(help="Only entries that contain this.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 1_000,
    as_json: Json = False,
) -> None:
    """Show the log of a job and of those below it, the newest entries, oldest first.

    Example: quaero jobs logs 12 --follow --level warn
    """
    from dataclasses import replace

    from quaero.jobs.logs import Query, read
    from quaero.jobs.read import get

    exact = frozenset(_level(word) for word in levels.split(",")) if levels else None
    query = Query(job_id, tree, _level(level), exact, text, limit=limit)
    with database() as db:
        job = db.read_sync(get, job_id).summary
        query = replace(query, tree=tree and job.parent_id is None)
        entries = db.read_sync(read, query)[::-1]
        _print_entries(entries, as_json=as_json)
        last = entries[-1].id if entries else 0
        while follow:
            ended = not db.read_sync(get, job_id).summary.status.open
            entries = db.read_sync(read, replace(query, ascending=True, after=last))
            _print_entries(entries, as_json=as_json)
            if ended and not entries:
                return
            last = entries[-1].id if entries else last
            time.sleep(FOLLOW_SECONDS)


def _level(word: str) -> Any:
    from quaero.errors import BadInput
    from quaero.jobs.logs import Level

    try:
        return Level[word.strip().upper()]
    except KeyError:
        raise BadInput(f"{word!r} is no level; known are debug, info, warn, error") from None


def _print_entries(entries: list[Any], *, as_json: bool) -> None:
    from quaero.cli.output import moment, print_json_line, safe

    for entry in entries:
        if as_json:
            print_json_line(entry)
            continue
        word = entry.level.name.lower()
        fields = f" {safe(entry.fields)}" if entry.fields else ""
        typer.echo(f"{moment(entry.at)} {word:<5} {entry.job_id} {safe(entry.message)}{fields}")


# -- steering


@app.command()
def cancel(job_id: Id) -> None:
    """Cancel a job and all below it.

    Example: quaero jobs cancel 12
    """
    from quaero.jobs import actions

    async def work(db: Database) -> Status:
        return await actions.cancel(db, job_id)

    before = with_database(work)
    typer.echo(f"job {job_id} was {before.word}" + (" and is cancelled" if before.open else ""))


@app.command()
def fail(job_id: Id, reason: Annotated[str, typer.Option(help="Why; shown with the job.")]) -> None:
    """End a stuck job as failed.

    Example: quaero jobs fail 12 --reason "the site has moved"
    """
    from quaero.jobs import actions

    async def work(db: Database) -> None:
        await actions.fail(db, job_id, reason)

    with_database(work)
    typer.echo(f"job {job_id} failed: {reason}")


@app.command()
def retry(job_id: Id) -> None:
    """Run the failed jobs of a tree again; the others stay as they are.

    Example: quaero jobs retry 12
    """
    from quaero.jobs import actions

    async def work(db: Database) -> int:
        from quaero.jobs.read import get

        await db.read(get, job_id)
        return await actions.retry(db, job_id)

    count = with_database(work)
    typer.echo(f"{count} jobs run again" if count else f"nothing of job {job_id} has failed")


@app.command()
def rerun(job_id: Id, payload: Payload = None) -> None:
    """Run a job anew, with the same payload or another one.

    Example: quaero jobs rerun 12
    """
    from quaero.jobs import steer

    with database() as db:
        text = _checked(db, job_id, payload)
        new = db.write_sync(steer.rerun, job_id, text)
    typer.echo(f"job {new} runs what job {job_id} ran")


@app.command()
def copy(job_id: Id, payload: Payload = None) -> None:
    """Copy a job; the copy is held until `jobs start`.

    Example: quaero jobs copy 12
    """
    from quaero.jobs import steer

    with database() as db:
        text = _checked(db, job_id, payload)
        new = db.write_sync(steer.copy, job_id, text)
    typer.echo(
        f"job {new} is a copy of {job_id}; start it with {suggest('jobs', 'start', str(new))}"
    )


@app.command()
def start(job_id: Id, payload: Payload = None) -> None:
    """Let a held copy go.

    Example: quaero jobs start 13
    """
    from quaero.jobs import steer

    with database() as db:
        text = _checked(db, job_id, payload)
        db.write_sync(steer.start, job_id, text)
    typer.echo(f"job {job_id} is started")


def _checked(db: Any, job_id: int, payload: str | None) -> str | None:
    """The payload, if one is given, as text that fits the job's type."""
    if payload is None:
        return None
    from quaero.app import registry_without_worker
    from quaero.jobs.read import get

    job = db.read_sync(get, job_id).summary
    return registry_without_worker(load_settings(), db).get(job.type).encode(payload)


@app.command()
def update(
    job_id: Id,
    name: Annotated[str | None, typer.Option(help="Another name.")] = None,
    description: Annotated[str | None, typer.Option(help="Another description.")] = None,
    priority: Annotated[int | None, typer.Option(help="Higher goes first.")] = None,
) -> None:
    """Change a job's name, description or priority.

    Example: quaero jobs update 12 --priority 5
    """
    from quaero.jobs import steer

    with database() as db:
        db.write_sync(steer.update, job_id, name=name, description=description, priority=priority)
    typer.echo(f"job {job_id} is changed")


@app.command()
def delete(job_id: Id) -> None:
    """Delete an ended job with all below it, its logs and messages.

    Example: quaero jobs delete 12
    """
    from quaero.errors import NotFound
    from quaero.jobs import actions
    from quaero.upkeep.cleanup import delete_tree

    async def work(db: Database) -> int:
        from quaero.jobs.read import get

        job = (await db.read(get, job_id)).summary
        if job.parent_id is None and not job.status.open:
            return await delete_tree(db, job_id)
        return await actions.delete(db, job_id)

    count = with_database(work)
    if not count:
        raise NotFound(f"there is no job {job_id}")
    typer.echo(f"{count} jobs deleted")


def cleanup(
    *,
    age: Annotated[float, typer.Option(help="Delete what ended more days ago.", min=0)] = 30.0,
    status: Annotated[str, typer.Option(help="completed, failed, cancelled or all.")] = "all",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    as_json: Json = False,
) -> None:
    """Delete old, ended jobs with their logs; running and pending ones are never touched.

    Example: quaero cleanup --age 90 --dry-run
    """
    from quaero import app as program
    from quaero.cli.output import print_json, say

    payload = {"age_threshold_days": age, "status_filter": status, "dry_run": dry_run}
    settings = load_settings()

    async def work() -> Any:
        from quaero.cli.running import run_job

        async with program.worker(settings) as made:
            return await run_job(made, "cleanup", payload)

    if age < 1:
        say(f"warning: --age {age:g} is less than one day")
    result: Any = program.run(work())
    if as_json:
        print_json(result)
    elif dry_run:
        typer.echo(f"would delete {result['trees']} job trees")
    else:
        text = f"deleted {result['trees']} job trees with {result['jobs']} jobs, "
        typer.echo(text + f"{result['log_entries']} old log entries")
