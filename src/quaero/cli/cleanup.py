"""`quaero cleanup`: delete what has had its time."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from quaero.cli.options import Json, load_settings

LONGEST_AGE = 36_500
_STATUSES = ("completed", "failed", "cancelled", "all")


def cleanup(
    *,
    age: Annotated[
        float, typer.Option(help="Delete what ended so many days ago.", min=0, metavar="DAYS")
    ] = 30.0,
    status: Annotated[
        str, typer.Option(help="Only what ended so.", metavar="completed|failed|cancelled|all")
    ] = "all",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    as_json: Json = False,
) -> None:
    """Delete old, ended jobs with their logs; running and pending ones are never touched.

    Log entries, dead letters, earlier texts of documents, bodies of pages and records of model
    calls go as the settings logs.retention, upkeep.dead_letters, documents.versions,
    crawl.keep_bodies and summarize.audit_retention say; bodies also with their documents; entries
    of the feed, which pages that were away catch up with, after a day.

    Example: quaero cleanup --age 90 --dry-run
    """
    from quaero import app as program
    from quaero.cli.output import count, print_json, say
    from quaero.errors import BadInput

    if status not in _STATUSES:
        raise BadInput(f"--status {status!r}: it is one of {', '.join(_STATUSES)}")
    if not age <= LONGEST_AGE:
        raise BadInput(f"--age {age:g}: at most {LONGEST_AGE} days")

    payload = {"age_threshold_days": age, "status_filter": status, "dry_run": dry_run}
    settings = load_settings()

    async def work() -> Any:
        from quaero.cli.running import run_job
        from quaero.queue.message import UPKEEP

        async with program.worker(settings, lane=UPKEEP.key) as made:
            return await run_job(made, "cleanup", payload, UPKEEP)

    if age < 1:
        say(f"warning: --age {age:g} is less than one day")
    result: Any = program.run(work())
    if as_json:
        print_json(result)
    elif dry_run:
        typer.echo(_preview(result))
    else:
        trees, jobs = count(result["trees"], "job tree"), count(result["jobs"], "job")
        entries = count(result["log_entries"], "log entry", "log entries")
        texts = count(result["versions"], "earlier text of documents", "earlier texts of documents")
        letters = count(result["dead_letters"], "dead letter")
        events = count(result["events"], "entry of the feed", "entries of the feed")
        calls = count(result["model_calls"], "record of a model call", "records of model calls")
        bodies = count(result["bodies"], "body of a page", "bodies of pages")
        typer.echo(
            f"deleted {trees} with {jobs}, {entries}, {events}, {letters}, {calls}, {bodies}, "
            f"and {texts}"
        )


def _preview(found: dict[str, Any]) -> str:
    """What would go, in rows and bytes."""
    from quaero.cli.output import count, size

    sizes = found["bytes"]
    jobs, entries = count(found["jobs"], "job"), count(found["log_entries"], "log entry",
                                                       "log entries")  # fmt: skip
    rest = [
        (count(found["events"], "entry of the feed", "entries of the feed"), sizes["events"]),
        (count(found["dead_letters"], "dead letter"), sizes["dead_letters"]),
        (count(found["versions"], "earlier text", "earlier texts"), sizes["versions"]),
        (count(found["bodies"], "body of a page", "bodies of pages"), sizes["bodies"]),
        (count(found["model_calls"], "record of a model call", "records of model calls"),
         sizes["model_calls"]),
    ]  # fmt: skip
    told = ", ".join(f"{what} ({size(many)})" for what, many in rest)
    return (
        f"would delete {count(found['trees'], 'job tree')} with {jobs} ({size(sizes['jobs'])}), "
        f"{entries} ({size(sizes['log_entries'])}), {told}; {size(sizes['all'])} in all"
    )
