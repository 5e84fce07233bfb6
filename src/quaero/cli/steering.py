"""`quaero jobs cancel`, `retry`, `rerun` and the like: what changes jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from quaero.cli.handing import by_a_worker
from quaero.cli.jobs import Id, Tree, record
from quaero.cli.options import Json, database, load_settings, suggest, with_database

if TYPE_CHECKING:
    from quaero.db.contract import Database
    from quaero.db.sqlite.database import SqliteDatabase
    from quaero.jobs.model import Status
    from quaero.work.registry import Registry

Payload = Annotated[str | None, typer.Option(help="Another payload, as JSON.", metavar="JSON")]
HIGHEST_PRIORITY = 1_000_000


def cancel(job_id: Id, *, as_json: Json = False) -> None:
    """Cancel a job and all below it.

    Example: quaero jobs cancel 12
    """
    from quaero.cli.output import print_done
    from quaero.jobs import actions

    async def work(db: SqliteDatabase) -> tuple[Status, dict[str, Any]]:
        return await actions.cancel(db, job_id), record(db, job_id)

    before, job = with_database(work)
    done = f"was {before.word} and is cancelled" if before.open else f"is {before.word} already"
    print_done(f"job {job_id} {done}", job, as_json=as_json)


def fail(
    job_id: Id,
    reason: Annotated[str, typer.Option(help="Why; shown with the job.", metavar="TEXT")],
    *,
    as_json: Json = False,
) -> None:
    """End a stuck job as failed.

    Example: quaero jobs fail 12 --reason "the site has moved"
    """
    from quaero.cli.output import print_done
    from quaero.jobs import actions

    async def work(db: SqliteDatabase) -> dict[str, Any]:
        await actions.fail(db, job_id, reason)
        return record(db, job_id)

    print_done(f"job {job_id} is ended as failed", with_database(work), as_json=as_json)


def retry(job_id: Id, *, as_json: Json = False) -> None:
    """Run the failed jobs of a tree again; the others stay as they are.

    Example: quaero jobs retry 12
    """
    from quaero.cli.output import count, print_done
    from quaero.jobs import actions

    async def work(db: SqliteDatabase) -> tuple[int, dict[str, Any], str]:
        from quaero.jobs.read import get

        await db.read(get, job_id)
        number = await actions.retry(db, job_id)
        return number, record(db, job_id), by_a_worker(db)

    number, job, what_next = with_database(work)
    done = f"{count(number, 'job')} will run again; {what_next}"
    if not number:
        done = f"nothing of job {job_id} has failed"
    print_done(done, {"retried": number, "job": job}, as_json=as_json)


def rerun(job_id: Id, payload: Payload = None, *, as_json: Json = False) -> None:
    """Run a job anew, with the same payload or another one.

    Example: quaero jobs rerun 12
    """
    from quaero.cli.output import print_done
    from quaero.workflows import runs

    with database() as db:
        text = _checked(db, job_id, payload)
        new = db.write_sync(runs.rerun, job_id, text)
        done = f"job {new} will run what job {job_id} ran; {by_a_worker(db)}"
        print_done(done, record(db, new), as_json=as_json)


def copy(job_id: Id, payload: Payload = None, *, as_json: Json = False) -> None:
    """Copy a job; the copy is held until `jobs start`.

    Example: quaero jobs copy 12
    """
    from quaero.cli.output import print_done
    from quaero.jobs import steer

    with database() as db:
        registry, type_ = _types(db, job_id)
        registry.refuse_copy(job_id, type_)
        text = _checked(db, job_id, payload)
        new = db.write_sync(steer.copy, job_id, text)
        next_ = suggest("jobs", "start", str(new))
        done = f"job {new} is a copy of {job_id}; start it with {next_}"
        print_done(done, record(db, new), as_json=as_json)


def start(job_id: Id, payload: Payload = None, *, as_json: Json = False) -> None:
    """Let a held copy go.

    Example: quaero jobs start 13
    """
    from quaero.cli.output import print_done
    from quaero.jobs import steer

    with database() as db:
        text = _checked(db, job_id, payload)
        db.write_sync(steer.start, job_id, text)
        done = f"job {job_id} is ready to run; {by_a_worker(db)}"
        print_done(done, record(db, job_id), as_json=as_json)


def _checked(db: SqliteDatabase, job_id: int, payload: str | None) -> str | None:
    """The payload, if one is given, as text that fits the job's type."""
    if payload is None:
        return None
    registry, type_ = _types(db, job_id)
    return registry.get(type_).encode(payload)


def _types(db: SqliteDatabase, job_id: int) -> tuple[Registry, str]:
    """The job types there are, and the name of a job's own."""
    from quaero.app import registry_without_worker
    from quaero.jobs.read import get

    job = db.read_sync(get, job_id).summary
    return registry_without_worker(load_settings(), db), job.type


def update(
    job_id: Id,
    name: Annotated[str | None, typer.Option(help="Another name.", metavar="TEXT")] = None,
    description: Annotated[
        str | None, typer.Option(help="Another description.", metavar="TEXT")
    ] = None,
    priority: Annotated[
        int | None,
        typer.Option(
            help="Higher goes first.", min=-HIGHEST_PRIORITY, max=HIGHEST_PRIORITY, metavar="N"
        ),
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """Change a job's name, description or priority.

    Example: quaero jobs update 12 --priority 5
    """
    from quaero.cli.output import print_done
    from quaero.errors import BadInput
    from quaero.jobs import steer

    if name is None and description is None and priority is None:
        raise BadInput("say what to change: --name, --description or --priority")
    with database() as db:
        db.write_sync(steer.update, job_id, name=name, description=description, priority=priority)
        print_done(f"job {job_id} is changed", record(db, job_id), as_json=as_json)


def delete(job_id: Id, *, as_json: Json = False) -> None:
    """Delete an ended job with all below it, its logs and messages.

    Example: quaero jobs delete 12
    """
    from quaero.cli.output import count, print_done
    from quaero.errors import NotFound
    from quaero.upkeep import bulk

    number = with_database(lambda db: bulk.delete(db, job_id))
    if not number:
        raise NotFound(f"there is no job {job_id}")
    print_done(f"{count(number, 'job')} deleted", {"deleted": number}, as_json=as_json)


def delete_logs(
    job_id: Id,
    *,
    tree: Tree = None,
    as_json: Json = False,
) -> None:
    """Delete the log of a job, or of a tree by its top-level job; the jobs stay.

    Example: quaero jobs delete-logs 12 --no-tree
    """
    from quaero.cli.output import count, print_done
    from quaero.jobs import actions
    from quaero.reports.logs import of_tree

    async def work(db: Database) -> int:
        whole = await db.read(of_tree, job_id, tree=tree)
        return await actions.delete_logs(db, job_id, tree=whole)

    number = with_database(work)
    entries = count(number, "log entry", "log entries")
    print_done(f"{entries} deleted", {"deleted": number}, as_json=as_json)


COMMANDS = (cancel, fail, retry, rerun, copy, start, update, delete, delete_logs)
