"""`quaero summarize`: summaries and keywords of what was collected."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quaero.cli.options import LARGEST_ID, Json, database, load_settings, suggest

if TYPE_CHECKING:
    from collections.abc import Callable

    from quaero.jobs.read import Job
    from quaero.summarize.report import Outcome

app = typer.Typer(
    help="Summarise what was collected, and look at what models were asked.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

PLAIN_SECONDS = 10.0

Ids = Annotated[
    list[int] | None,
    typer.Argument(help="Only these documents.", min=1, max=LARGEST_ID, metavar="[ID]..."),
]
Site = Annotated[str | None, typer.Option(help="Only of this host.", metavar="HOST")]
Tag = Annotated[str | None, typer.Option(help="Only with this tag.", metavar="TAG")]
Source = Annotated[
    str | None,
    typer.Option(help="Only of this source, by name or id; 0: of none.", metavar="SOURCE"),
]
Query = Annotated[
    str | None, typer.Option(help="Only what a search for this finds.", metavar="WORDS")
]
Crawl = Annotated[
    int | None,
    typer.Option(help="Only what this crawl saw last.", min=1, max=LARGEST_ID, metavar="ID"),
]
Extractive = Annotated[
    bool, typer.Option("--extractive", help="By the texts' own sentences, without any model.")
]


@app.command()
def scan(
    document_ids: Ids = None,
    *,
    site: Site = None,
    tag: Tag = None,
    source: Source = None,
    query: Query = None,
    crawl: Crawl = None,
    extractive: Extractive = False,
    as_json: Json = False,
) -> None:
    """Say how many documents want a summary; change nothing.

    Example: quaero summarize scan --site docs.example.org
    """
    from quaero.cli.output import count, print_json, size
    from quaero.cli.running import refuse_failure

    chosen = _chosen(document_ids, site, tag, source, query, crawl)
    job, _ = _run({"action": "scan", **_maker(extractive), **chosen})
    refuse_failure(job)
    found = job.result
    if as_json:
        print_json(found)
        return
    typer.echo(
        f"{found['to_summarize']} of {count(found['documents'], 'document')} would be summarised "
        f"by {found['maker']}, {size(found['bytes'])} of text; "
        f"{found['to_extract_keywords']} have no keywords by it"
    )


@app.command("run")
def run_summaries(
    document_ids: Ids = None,
    *,
    site: Site = None,
    tag: Tag = None,
    source: Source = None,
    query: Query = None,
    crawl: Crawl = None,
    keywords: Annotated[
        bool, typer.Option("--keywords", help="Only find keywords, make no summaries.")
    ] = False,
    extractive: Extractive = False,
    again: Annotated[
        bool, typer.Option("--again", help="Also what is done and has not changed.")
    ] = False,
    batch_size: Annotated[
        int | None,
        typer.Option(help="Documents that one job does.", min=1, max=1000, metavar="N"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Summarise documents that have no summary of their present text.

    Example: quaero summarize run --tag handbook
    """
    from quaero.cli.output import count, print_json, safe, say
    from quaero.cli.running import refuse_failure
    from quaero.errors import QuaeroError

    action = "extract_keywords" if keywords else "summarize"
    payload = {
        "action": action, "again": again, "batch_size": batch_size, **_maker(extractive),
        **_chosen(document_ids, site, tag, source, query, crawl),
    }  # fmt: skip
    job, came = _run(payload)
    for error in came.errors:
        say(f"failed: {safe(error)}")
    refuse_failure(job)
    made = {"job": job.summary.id, "maker": job.result["maker"], "done": came.done,
            "skipped": came.skipped, "left_out": came.left_out,
            "failed_batches": came.failed}  # fmt: skip
    if as_json:
        print_json(made)
    else:
        what = "got keywords" if keywords else "summarised"
        left_out = f", {came.left_out} left out: no sentence in them" if came.left_out else ""
        typer.echo(f"{count(came.done, 'document')} {what} by {made['maker']}, "
                   f"{came.skipped} skipped{left_out}")  # fmt: skip
    if came.failed:
        batches = count(came.failed, "batch", "batches")
        look = suggest("jobs", "logs", str(job.summary.id), "--tree")
        raise QuaeroError(f"{batches} of job {job.summary.id} failed; see `{look}`")


@app.command()
def calls(
    *,
    before: Annotated[
        int | None,
        typer.Option(help="From the call before this id on.", min=1, max=LARGEST_ID, metavar="ID"),
    ] = None,
    limit: Annotated[
        int, typer.Option(help="Calls to show at most.", min=1, max=1000, metavar="N")
    ] = 20,
    as_json: Json = False,
) -> None:
    """List what models were asked, the newest first, with tokens, time and errors.

    Example: quaero summarize calls --limit 50
    """
    from quaero.cli.output import moment, print_json, safe, say, shorten, span, table
    from quaero.summarize.audit import listing

    with database() as db:
        found = db.read_sync(listing, before=before, limit=limit)
    if as_json:
        print_json(found)
        return
    if not found:
        say("no model was asked yet")
        return
    rows = [
        (c.id, moment(c.at), shorten(safe(c.model), 30), c.operation, c.document_id or "-",
         c.tokens_in, c.tokens_out, span(c.duration), shorten(safe(c.error or "ok"), 60))
        for c in found
    ]  # fmt: skip
    table(("id", "at", "model", "for", "document", "in", "out", "took", "outcome"), rows,
          right="id document in out took")  # fmt: skip
    if len(found) == limit:
        again = [] if limit == 20 else ["--limit", str(limit)]
        say(f"more: {suggest('summarize', 'calls', *again, '--before', str(found[-1].id))}")


def _maker(extractive: bool) -> dict[str, Any]:  # noqa: FBT001
    return {"model": "extractive"} if extractive else {}


def _chosen(
    ids: list[int] | None, site: str | None, tag: str | None, source: str | None,
    query: str | None, crawl: int | None,
) -> dict[str, Any]:  # fmt: skip
    """The part of a payload that names documents. Raises `BadInput`."""
    from quaero.errors import BadInput

    named = {"site": site, "tag": tag, "source": source, "query": query, "root_id": crawl}
    given = {name: value for name, value in named.items() if value is not None}
    if ids and given:
        raise BadInput("say which documents: either their ids, or the options that choose them")
    return {"document_ids": ids} if ids else given


def _run(payload: dict[str, Any]) -> tuple[Job, Outcome]:
    """Run a job of ours to its end in this process, and say how it goes."""
    from quaero import app as program
    from quaero.cli.running import follow_job
    from quaero.errors import NotFound
    from quaero.sources import records
    from quaero.summarize.makers import check
    from quaero.summarize.report import outcome

    settings = load_settings()
    if payload.get("model") != "extractive":
        check(settings)
    if not settings.database_file.exists():
        raise NotFound(f"there is no database at {settings.database_file} yet; nothing to do")

    async def work() -> tuple[Job, Outcome]:
        async with program.worker(settings, passing=True) as made:
            if (source := payload.get("source")) is not None:
                found = 0 if source == "0" else (await made.db.read(records.find, source)).id
                payload["source"] = found
            job = await follow_job(made, "summarizer", payload, watch=_progress())
            return job, await made.db.read(outcome, job.summary.id)

    return program.run(work())


def _progress() -> Callable[[Job], None]:
    """Shows how a job goes: a line that changes on a terminal, now and then a line elsewhere."""
    import os

    from quaero.cli.output import safe, say
    from quaero.cli.progress import is_lively

    lively = is_lively(sys.stderr.isatty(), os.environ)
    last = time.monotonic()

    def show(job: Job) -> None:
        nonlocal last
        seen, counts = job.summary, job.summary.counts
        ended = counts.completed + counts.failed + counts.cancelled
        total = ended + counts.pending + counts.running
        text = f"{ended} of {total} batches" if total else safe(seen.progress_text or "begins")
        if lively:
            sys.stderr.write("\r\x1b[K" + (f"{text} …" if seen.status.open else ""))
            sys.stderr.flush()
        elif time.monotonic() - last >= PLAIN_SECONDS:
            last = time.monotonic()
            say(text)

    return show
