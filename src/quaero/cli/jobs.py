"""`quaero jobs`: look at jobs; what changes them is in `steering`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quaero.cli.options import LARGEST_ID, Json, database, suggest

if TYPE_CHECKING:
    from quaero.db.contract import ReadTx
    from quaero.db.sqlite.database import SqliteDatabase
    from quaero.jobs.model import Status
    from quaero.jobs.read import Summary

app = typer.Typer(help="Look at jobs and steer them.", no_args_is_help=True, rich_markup_mode=None)

Id = Annotated[int, typer.Argument(help="The id of the job.", min=1, max=LARGEST_ID, metavar="ID")]
Tree = Annotated[
    bool | None,
    typer.Option(
        "--tree/--no-tree", help="Of the jobs below, too, or not; of a top-level job by default."
    ),
]
FOLLOW_SECONDS = 0.3


@app.command("list")
def list_jobs(
    *,
    status: Annotated[
        list[str] | None,
        typer.Option(
            help="Only pending, running, completed, failed or cancelled ones; repeatable.",
            metavar="STATUS",
        ),
    ] = None,
    type: Annotated[  # noqa: A002
        str | None,
        typer.Option("--type", help="Only of this type, such as crawler.", metavar="TYPE"),
    ] = None,
    parent: Annotated[
        int | None,
        typer.Option(
            help="The children of this job, oldest first.", min=1, max=LARGEST_ID, metavar="ID"
        ),
    ] = None,
    after: Annotated[
        int | None,
        typer.Option(
            help="Go on after the job with this id, where the last page ended.",
            min=1,
            max=LARGEST_ID,
            metavar="ID",
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option(help="Jobs to show at most.", min=1, max=1000, metavar="N")
    ] = 20,
    as_json: Json = False,
) -> None:
    """List top-level jobs, newest first, or the children of one.

    Example: quaero jobs list --status failed --status running
    """
    from quaero.cli.output import moment, print_json, safe, say, shorten, table
    from quaero.jobs.read import Filter, get, listing

    wanted = Filter(parent, frozenset(_statuses(status)), type, after, limit)
    with database() as db:
        if parent is not None:
            db.read_sync(get, parent)
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
    table(("id", "type", "status", "done", "created", "name"), rows, right="id")
    if len(found) == limit:
        again = [part for each in status or [] for part in ("--status", each)]
        again += ["--type", type] if type else []
        again += ["--parent", str(parent)] if parent else []
        again += [] if limit == 20 else ["--limit", str(limit)]
        say(f"more: {suggest('jobs', 'list', *again, '--after', str(found[-1].id))}")


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
    from quaero.cli.output import count

    if job.held:
        return "held"
    if job.stopping:
        return "stopping"
    if job.waiting:
        return f"waiting for {job.counts.pending + job.counts.running}"
    if job.warnings:
        return f"{job.status.word}, {count(job.warnings, 'warning')}"
    return job.status.word


def done_of(job: Summary) -> str:
    """How far a job is: its descendants, or what its executor reports."""
    if job.counts.total:
        return f"{job.counts.done}/{job.counts.total}"
    if job.progress_current is not None:
        total = f"/{job.progress_total}" if job.progress_total else ""
        return f"{job.progress_current}{total}"
    return "-"


@app.command()
def show(job_id: Id, *, as_json: Json = False) -> None:
    """Show all that is known of a job.

    Example: quaero jobs show 12
    """
    from quaero.cli.output import print_json

    with database() as db:
        job, crawl = db.read_sync(_whole, job_id)
    if as_json:
        print_json(_plain(job, crawl))
        return
    for name, value in _lines(job, crawl):
        typer.echo(f"{name:<12} {value}")


def record(db: SqliteDatabase, job_id: int) -> dict[str, Any]:
    """All that is known of a job, as `jobs show --json` prints it."""
    return _plain(*db.read_sync(_whole, job_id))


def _whole(tx: ReadTx, job_id: int) -> tuple[Any, Any]:
    """A job, and what came of its crawl if it is one."""
    from quaero.crawl.frontier import report
    from quaero.jobs.read import get

    return get(tx, job_id), report(tx, job_id)


def _plain(job: Any, crawl: Any) -> dict[str, Any]:
    from quaero.cli.output import plain

    whole: dict[str, Any] = plain(job)
    return {**whole.pop("summary"), **whole, "crawl": plain(crawl)}


def _lines(job: Any, crawl: Any) -> list[tuple[str, str]]:
    import json

    from quaero.cli.output import moment, safe, span

    s = job.summary
    c = s.counts
    ended = moment(s.completed_at)
    if s.completed_at and s.started_at:
        ended += f" ({span(s.completed_at - s.started_at)})"
    lines = [
        ("job", f"{s.id}  {s.type}"),
        ("name", safe(s.name)),
        ("status", state(s)),
        ("priority", str(s.priority)),
        ("attempt", f"{s.attempt}, round {s.round}"),
        ("created", moment(s.created_at)),
        ("started", moment(s.started_at)),
        ("ended", ended),
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
        phase = "" if job.phase.name == "CORE" else f"{job.phase.name.lower()} "
        done = "" if done_of(job) == "-" else f"{done_of(job)} "
        typer.echo(f"{indent}{job.id} {phase}{job.type} [{state(job)}] {done}{safe(job.name)}")


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
    tree: Tree = None,
    level: Annotated[
        str, typer.Option(help="This level and graver.", metavar="debug|info|warn|error")
    ] = "debug",
    levels: Annotated[
        str | None, typer.Option(help="Exactly these, such as warn,info.", metavar="LEVELS")
    ] = None,
    text: Annotated[str, typer.Option(help="Only entries that contain this.", metavar="TEXT")] = "",
    limit: Annotated[
        int, typer.Option(help="Entries to show at most.", min=1, max=10_000, metavar="N")
    ] = 1_000,
    as_json: Json = False,
) -> None:
    """Show the log of a job, the newest entries, oldest first; of a tree by its top-level job.

    Example: quaero jobs logs 12 --follow --level warn
    """
    from dataclasses import replace

    from quaero.jobs.logs import Query, read
    from quaero.jobs.read import get
    from quaero.reports.logs import of_tree

    exact = frozenset(_level(word) for word in levels.split(",")) if levels else None
    query = Query(job_id, at_least=_level(level), levels=exact, text=text, limit=limit)
    with database() as db:
        query = replace(query, tree=db.read_sync(of_tree, job_id, tree=tree))
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
