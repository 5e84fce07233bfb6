"""`quaero queue`: the queue's numbers, its dead letters, pause and purge."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quaero.cli.handing import by_a_worker
from quaero.cli.options import LARGEST_ID, Json, database, load_settings, suggest, with_database

if TYPE_CHECKING:
    from quaero.db.contract import Database
    from quaero.db.sqlite.database import SqliteDatabase
    from quaero.queue.queue import Queue

app = typer.Typer(help="Look after the queue.", no_args_is_help=True, rich_markup_mode=None)


def _queue(db: Any) -> Queue:
    from quaero.queue.queue import Queue

    settings = load_settings().queue
    return Queue.open(
        db,
        settings.name,
        visibility_timeout=settings.visibility_timeout,
        max_receive=settings.max_receive,
    )


@app.command()
def stats(*, as_json: Json = False) -> None:
    """Show how many messages wait, run and failed, and the busiest lanes.

    Example: quaero queue stats
    """
    from quaero.cli.output import print_json, safe, span, table

    with database() as db:
        found = _numbers(db, _queue(db))
    if as_json:
        print_json(found)
        return
    numbers, lanes = found["queue"], found["lanes"]
    typer.echo(f"queue      {safe(numbers.name)}{' (paused)' if numbers.paused else ''}")
    for word in ("ready", "delayed", "scheduled", "in_flight", "parked", "suspect", "dead"):
        typer.echo(f"{word.replace('_', ' '):<10} {getattr(numbers, word):>8}")
    typer.echo(f"oldest     {span(numbers.oldest_ready):>8}")
    if lanes:
        rows = [(lane.key, lane.state, lane.ready, lane.running, lane.max_running,
                 span(lane.min_interval)) for lane in lanes]  # fmt: skip
        table(("lane", "state", "ready", "running", "most", "interval"), rows,
              right="ready running most interval")  # fmt: skip


def _numbers(db: SqliteDatabase, queue: Queue) -> dict[str, Any]:
    """The queue's numbers, and the busiest lanes."""
    from quaero.queue.stats import lane_stats

    lanes = db.read_sync(lane_stats, queue.id, 10)
    return {"queue": db.read_sync(queue.stats), "lanes": lanes}


@app.command()
def dead(
    *,
    limit: Annotated[
        int, typer.Option(help="Letters to show at most.", min=1, max=1000, metavar="N")
    ] = 20,
    after: Annotated[
        int,
        typer.Option(help="From the letter after this id on.", min=0, max=LARGEST_ID, metavar="ID"),
    ] = 0,
    as_json: Json = False,
) -> None:
    """List dead letters with their errors.

    Example: quaero queue dead
    """
    from quaero.cli.output import moment, print_json, safe, say, shorten, table
    from quaero.clock import rfc3339

    with database() as db:
        letters = db.read_sync(_queue(db).dead, limit, after)
    if as_json:
        print_json([
            {"id": d.id, "type": d.type, "job_id": d.job_id, "receives": d.receives,
             "created_at": rfc3339(d.created_at),
             "errors": [{"lease_no": n, "at": rfc3339(at), "error": e} for n, at, e in d.errors]}
            for d in letters
        ])  # fmt: skip
        return
    if not letters:
        say("no dead letters")
        return
    rows = [
        (d.id, d.job_id or "-", d.type, d.receives, moment(d.created_at),
         shorten(safe(d.errors[-1][2] if d.errors else "-"), 70))
        for d in letters
    ]  # fmt: skip
    table(("id", "job", "type", "starts", "created", "last error"), rows, right="id job starts")
    if len(letters) == limit:
        again = [] if limit == 20 else ["--limit", str(limit)]
        say(f"more: {suggest('queue', 'dead', *again, '--after', str(letters[-1].id))}")
    say(f"another try: {suggest('queue', 'requeue', str(letters[0].id))}")


@app.command()
def requeue(
    ids: Annotated[
        list[int] | None,
        typer.Argument(help="Ids of dead letters.", min=1, max=LARGEST_ID, metavar="[ID]..."),
    ] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="All dead letters.")] = False,
    as_json: Json = False,
) -> None:
    """Give dead letters another try; their jobs are reopened.

    Example: quaero queue requeue 17
    """
    from quaero.cli.output import count as plural
    from quaero.cli.output import print_done
    from quaero.errors import BadInput
    from quaero.jobs import steer

    if bool(ids) is every:
        raise BadInput("name the ids of dead letters, or --all")
    with database() as db:
        queue = _queue(db)
        if ids:
            count = db.write_sync(steer.requeue, ids)
        else:
            count, last = 0, 0
            while letters := db.read_sync(queue.dead, 500, last):
                count += db.write_sync(steer.requeue, [letter.id for letter in letters])
                last = letters[-1].id
        done = f"{plural(count, 'message')} ready again; {by_a_worker(db)}"
        print_done(done, {"requeued": count}, as_json=as_json)


@app.command()
def pause(*, as_json: Json = False) -> None:
    """Start nothing more until `queue resume`; what runs goes on.

    Example: quaero queue pause
    """
    from quaero.cli.output import print_done, safe

    with database() as db:
        queue = _queue(db)
        db.write_sync(queue.pause)
        done = f"{safe(queue.name)} is paused; `{suggest('queue', 'resume')}` lets it go on"
        print_done(done, _numbers(db, queue), as_json=as_json)


@app.command()
def resume(*, as_json: Json = False) -> None:
    """Go on after `queue pause`.

    Example: quaero queue resume
    """
    from quaero.cli.output import print_done, safe

    with database() as db:
        queue = _queue(db)
        db.write_sync(queue.resume)
        print_done(f"{safe(queue.name)} goes on", _numbers(db, queue), as_json=as_json)


@app.command()
def purge(
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Remove every message that no worker holds, dead ones too, and cancel their jobs.

    Example: quaero queue purge --yes
    """
    from quaero.cli.output import count, print_done
    from quaero.errors import BadInput
    from quaero.jobs import actions

    with database() as db:
        queue = _queue(db)
        numbers = db.read_sync(queue.stats)
        length = numbers.length + numbers.dead - numbers.in_flight
    if not yes and not sys.stdin.isatty():
        raise BadInput("nobody can be asked here; say --yes to purge")
    if not yes:
        what = f"{count(length, 'message')} of {queue.name}"
        typer.confirm(f"Remove {what} and cancel their jobs?", abort=True, err=True)

    async def work(db: Database) -> int:
        return await actions.purge(db, queue.id)

    number = with_database(work)
    print_done(f"{count(number, 'message')} removed", {"removed": number}, as_json=as_json)
