"""`quaero jobs cancel`, `retry`, `rerun` and the like: what changes jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from quaero.cli.handing import by_a_worker
from quaero.cli.jobs import Id
from quaero.cli.options import database, load_settings, suggest, with_database

if TYPE_CHECKING:
    from quaero.db.contract import Database
    from quaero.db.sqlite.database import SqliteDatabase
    from quaero.jobs.model import Status
    from quaero.work.registry import Registry

Payload = Annotated[str | None, typer.Option(help="Another payload, as JSON.", metavar="JSON")]
HIGHEST_PRIORITY = 1_000_000


def cancel(job_id: Id) -> None:
    """Cancel a job and all below it.

    Example: quaero jobs cancel 12
    """
    from quaero.jobs import actions

    async def work(db: Database) -> Status:
        return await actions.cancel(db, job_id)

    before = with_database(work)
    if before.open:
        typer.echo(f"job {job_id} was {before.word} and is cancelled")
    else:
        typer.echo(f"job {job_id} is {before.word} already")


def fail(
    job_id: Id,
    reason: Annotated[str, typer.Option(help="Why; shown with the job.", metavar="TEXT")],
) -> None:
    """End a stuck job as failed.

    Example: quaero jobs fail 12 --reason "the site has moved"
    """
    from quaero.jobs import actions

    async def work(db: Database) -> None:
        await actions.fail(db, job_id, reason)

    with_database(work)
    typer.echo(f"job {job_id} is ended as failed")


def retry(job_id: Id) -> None:
    """Run the failed jobs of a tree again; the others stay as they are.

    Example: quaero jobs retry 12
    """
    from quaero.cli.output import count
    from quaero.jobs import actions

    async def work(db: SqliteDatabase) -> tuple[int, str]:
        from quaero.jobs.read import get

        await db.read(get, job_id)
        return await actions.retry(db, job_id), by_a_worker(db)

    number, what_next = with_database(work)
    if not number:
        typer.echo(f"nothing of job {job_id} has failed")
        return
    typer.echo(f"{count(number, 'job')} will run again; {what_next}")


def rerun(job_id: Id, payload: Payload = None) -> None:
    """Run a job anew, with the same payload or another one.

    Example: quaero jobs rerun 12
    """
    from quaero.workflows import runs

    with database() as db:
        text = _checked(db, job_id, payload)
        new = db.write_sync(runs.rerun, job_id, text)
        typer.echo(f"job {new} will run what job {job_id} ran; {by_a_worker(db)}")


def copy(job_id: Id, payload: Payload = None) -> None:
    """Copy a job; the copy is held until `jobs start`.

    Example: quaero jobs copy 12
    """
    from quaero.jobs import steer

    with database() as db:
        registry, type_ = _types(db, job_id)
        registry.refuse_copy(job_id, type_)
        text = _checked(db, job_id, payload)
        new = db.write_sync(steer.copy, job_id, text)
    typer.echo(
        f"job {new} is a copy of {job_id}; start it with {suggest('jobs', 'start', str(new))}"
    )


def start(job_id: Id, payload: Payload = None) -> None:
    """Let a held copy go.

    Example: quaero jobs start 13
    """
    from quaero.jobs import steer

    with database() as db:
        text = _checked(db, job_id, payload)
        db.write_sync(steer.start, job_id, text)
        typer.echo(f"job {job_id} is ready to run; {by_a_worker(db)}")


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
) -> None:
    """Change a job's name, description or priority.

    Example: quaero jobs update 12 --priority 5
    """
    from quaero.errors import BadInput
    from quaero.jobs import steer

    if name is None and description is None and priority is None:
        raise BadInput("say what to change: --name, --description or --priority")
    with database() as db:
        db.write_sync(steer.update, job_id, name=name, description=description, priority=priority)
    typer.echo(f"job {job_id} is changed")


def delete(job_id: Id) -> None:
    """Delete an ended job with all below it, its logs and messages.

    Example: quaero jobs delete 12
    """
    from quaero.cli.output import count
    from quaero.errors import NotFound
    from quaero.upkeep import bulk

    number = with_database(lambda db: bulk.delete(db, job_id))
    if not number:
        raise NotFound(f"there is no job {job_id}")
    typer.echo(f"{count(number, 'job')} deleted")


COMMANDS = (cancel, fail, retry, rerun, copy, start, update, delete)
