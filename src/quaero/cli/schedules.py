"""`quaero schedules`: when workflows are due."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quaero.cli.handing import by_a_worker
from quaero.cli.options import Json, database, load_settings, suggest

if TYPE_CHECKING:
    from quaero.db.contract import ReadTx, Tx
    from quaero.workflows.schedules import Timetable

app = typer.Typer(
    help="See and steer when workflows are due.", no_args_is_help=True, rich_markup_mode=None
)

Id = Annotated[str, typer.Argument(help="The id of the definition.", metavar="ID")]
MOST = 100_000
NEXT = 5


@app.command("list")
def list_schedules(*, as_json: Json = False) -> None:
    """List the schedules with their last and next runs, and why a time was left out.

    Example: quaero schedules list
    """
    from quaero.cli.output import moment, print_json, safe, say, table

    with database() as db:
        found, now = db.read_sync(_all)
    if as_json:
        print_json([_plain(each, now) for each in found])
        return
    if not found:
        say("no schedules")
        return
    rows = [
        (
            each.definition_id,
            _state(each),
            each.words,
            moment(each.last_at),
            moment(each.next_at),
            safe(each.last_note or "-"),
        )
        for each in found
    ]
    table(("id", "state", "schedule", "last", "next", "note"), rows)


def _state(table: Timetable) -> str:
    if not table.enabled:
        return "disabled"
    return "paused" if table.paused else "waits" if table.blocked else "active"


def _all(tx: ReadTx) -> tuple[list[Timetable], int]:
    from quaero.workflows import schedules

    return schedules.listing(tx, "", MOST), tx.now


def _now(tx: ReadTx) -> int:
    return tx.now


def _plain(table: Timetable, now: int) -> dict[str, Any]:
    from quaero.cli.output import plain
    from quaero.clock import rfc3339

    coming = [rfc3339(at) for at in islice(table.times(now), NEXT)]
    return {**plain(table), "words": table.words, "next": coming}


@app.command()
def pause(definition_id: Id, *, as_json: Json = False) -> None:
    """Let a schedule begin nothing until it is resumed.

    Example: quaero schedules pause nightly-upkeep
    """
    from quaero.cli.output import print_done
    from quaero.workflows import schedules

    with database() as db:
        table = db.write_sync(schedules.pause, definition_id)
        done = f"{definition_id} is paused; {suggest('schedules', 'resume', definition_id)}"
        print_done(done, _plain(table, db.read_sync(_now)), as_json=as_json)


@app.command()
def resume(definition_id: Id, *, as_json: Json = False) -> None:
    """Let a schedule go on with its next due time.

    Example: quaero schedules resume nightly-upkeep
    """
    from quaero.cli.output import moment, print_done
    from quaero.workflows import schedules

    with database() as db:
        table = db.write_sync(schedules.resume, definition_id)
        now = db.read_sync(_now)
    done = f"{definition_id} is due next at {moment(table.next_at)}"
    if not table.enabled:
        done = f"{definition_id} goes on once it is enabled; its definition says it is not"
    print_done(done, _plain(table, now), as_json=as_json)


@app.command()
def trigger(definition_id: Id, *, as_json: Json = False) -> None:
    """Begin a run now; the next due times stay as they are.

    Example: quaero schedules trigger nightly-upkeep
    """
    from quaero.app import registry_without_worker
    from quaero.cli.output import print_done

    settings = load_settings()
    with database() as db:
        known = registry_without_worker(settings, db).known()
        job_id = db.write_sync(_trigger, settings.queue.name, definition_id, known)
        done = f"run {job_id} has begun; {by_a_worker(db)}"
        print_done(done, {"job_id": job_id}, as_json=as_json)


def _trigger(tx: Tx, queue: str, definition_id: str, known: Any) -> int:
    from quaero.queue.queue import open_queue
    from quaero.workflows import runs, schedules

    schedules.get(tx, definition_id)
    return runs.begin(tx, open_queue(tx, queue), definition_id, known)
