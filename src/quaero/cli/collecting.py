"""Collecting and checking a source from the command line: the job, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer

from quaero.cli.options import global_arguments, suggest
from quaero.cli.output import count, plain, print_json, safe, say
from quaero.cli.summary import tell_refusals

if TYPE_CHECKING:
    from quaero.crawl.frontier import CrawlReport
    from quaero.jobs.read import Job
    from quaero.settings import Settings
    from quaero.sources.records import Source

PAUSED = 130
MARKS = {True: "ok     ", False: "PROBLEM", None: "-      "}


async def collect_source(
    settings: Settings, word: str, wish: Mapping[str, Any], *, as_json: bool
) -> int:
    """Run a source to its end, or until it is paused; returns the exit code."""
    from quaero.app import worker
    from quaero.cli.crawling import others_stay, work_on
    from quaero.crawl.frontier import report
    from quaero.jobs.read import get
    from quaero.sources import records, runs
    from quaero.work.supervisor import own_command

    isolate = tuple(own_command(*global_arguments(), "work", "--inner"))
    async with worker(settings, isolate=isolate, passing=True) as made:
        source = await made.db.read(records.find, word)
        begun = await made.db.write(runs.collect, made.queue_id, source.id, wish)
        verb = "begins" if begun.started else "is under way already"
        say(f"job {begun.job_id}, which collects {source.name}, {verb}")
        if wish:
            _tell_patterns(await made.db.read(runs.patterns_of, begun.job_id))
        handed = await others_stay(made)
        if handed:
            say("a worker that runs here already works on it; Ctrl-C ends only the watching")
        finished = await work_on(made, begun.job_id, handed=handed)
        job = await made.db.read(get, begun.job_id)
        found = await made.db.read(report, begun.job_id)
    if as_json:
        whole = plain(job)
        shown = {**whole.pop("summary"), **whole}
        print_json({"job": shown, "crawl": found, "finished": finished})
    else:
        _tell(source, job, found, finished=finished)
    if not finished:
        return PAUSED
    return 0 if job.summary.status.word == "completed" else 1


def _tell_patterns(found: Mapping[str, Any]) -> None:
    for name, words in (("source_include", "the source includes"),
                        ("run_include", "this run includes"), ("exclude", "excluded")):  # fmt: skip
        if found[name]:
            say(f"  {words}: {safe(', '.join(found[name]))}")
    say(f"  {found['rule']}")


def _tell(source: Source, job: Job, found: CrawlReport | None, *, finished: bool) -> None:
    summary = job.summary
    if not finished:
        say(f"job {summary.id} is paused or goes on elsewhere; nothing is lost")
        say(f"  go on:   {suggest('sources', 'collect', source.name)}")
        say(f"  give up: {suggest('jobs', 'cancel', str(summary.id))}")
        return
    say(f"job {summary.id} {summary.status.word}")
    if summary.error:
        say(f"  {safe(summary.error)}")
    if summary.warnings:
        say(f"  {count(summary.warnings, 'page')} failed")
    if found is not None:
        _tell_documents(found, "file" if source.kind == "folder" else "link")
    say("next:")
    say(f"  find its documents:   {suggest('search', f'source:{source.name}')}")
    say(f"  see what came of it:  {suggest('jobs', 'show', str(summary.id))}")


def _tell_documents(found: CrawlReport, what: str) -> None:
    """Say what became of the documents, and what was refused; `what` is a link or a file."""
    gone = f", {found.gone} gone" if found.gone else ""
    say(f"  documents: {found.created} new, {found.changed} changed, "
        f"{found.unchanged} unchanged{gone}")  # fmt: skip
    tell_refusals(found, what)


async def check_source(settings: Settings, word: str, *, as_json: bool) -> int:
    """Run the checks of a source; returns 0 where all is well, 130 after Ctrl-C."""
    from quaero.app import worker
    from quaero.cli.crawling import others_stay, work_on
    from quaero.cli.running import left
    from quaero.jobs.create import create
    from quaero.jobs.read import get
    from quaero.sources import records, runs

    async with worker(settings, passing=True) as made:
        source = await made.db.read(records.find, word)
        (job_id,) = await made.db.write(create, made.queue_id, [runs.validation_of(source)])
        finished = await work_on(made, job_id, handed=await others_stay(made))
        job = await made.db.read(get, job_id)
    checks = [] if job.result is None else job.result["checks"]
    if as_json:
        print_json({"ok": bool(job.result and job.result["ok"]), "checks": checks})
    else:
        for each in checks:
            typer.echo(f"{MARKS[each['ok']]}  {each['name']:<10} {safe(each['detail'])}")
            if each["ok"] is False and each["todo"]:
                typer.echo(f"{'':>20}→ {safe(each['todo'])}")
        if not checks:
            say(f"the check could not be done: {safe(job.summary.error or left(job))}")
    if not finished and job.summary.status.open:
        return PAUSED
    return 0 if job.result and job.result["ok"] else 1
