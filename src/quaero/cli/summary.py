"""What the command line says at the end of a crawl: what came of it, and what to do next."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from quaero.cli.options import suggest
from quaero.cli.output import count, print_json, safe, say, shorten, span
from quaero.cli.progress import pages_done

if TYPE_CHECKING:
    from quaero.cli.crawling import Wish
    from quaero.crawl.frontier import CrawlReport
    from quaero.db.contract import Database, ReadTx
    from quaero.jobs.read import Summary

PAUSED = 130
FAILURES_SHOWN = 3


@dataclass(frozen=True, slots=True)
class _Ending:
    """A crawl as it is left; `failures` are the first pages that failed.

    `pages` is where a web process shows it, None where there is none.
    """

    job: Summary
    crawl: CrawlReport | None
    document: int | None
    failures: list[Summary]
    warnings: list[str]
    pages: str | None


async def conclude(
    db: Database, root_id: int, wish: Wish, *, finished: bool, handed: bool = False
) -> int:
    """Tell what came of the crawl; returns the exit code."""
    from quaero.jobs.model import Status

    ending = await db.read(_ending, root_id)
    finished = finished or not ending.job.status.open  # by what still ran when it was paused
    if wish.as_json:
        print_json({"job": ending.job, "crawl": ending.crawl, "finished": finished})
    elif finished:
        _tell(ending, wish.began)
    elif handed:
        watch = suggest("jobs", "logs", str(root_id), "-f")
        say(f"crawl {root_id} goes on; watch it with `{watch}`")
    else:
        _tell_paused(ending, wish)
    if not finished:
        return PAUSED
    return 0 if ending.job.status is Status.COMPLETED else 1


def _ending(tx: ReadTx, root_id: int) -> _Ending:
    from quaero.crawl.frontier import report
    from quaero.jobs.logs import Level, Query, read
    from quaero.jobs.model import Status
    from quaero.jobs.read import Filter, get, listing
    from quaero.reports.workers import address

    job = get(tx, root_id).summary
    failures: list[Summary] = []
    if job.counts.failed:
        failed = frozenset([Status.FAILED])
        failures = listing(tx, Filter(root_id, failed, limit=FAILURES_SHOWN))
    own = read(tx, Query(root_id, levels=frozenset([Level.WARN]), ascending=True, limit=5))
    return _Ending(
        job,
        report(tx, root_id),
        _longest_document(tx, root_id),
        failures,
        [entry.message for entry in own],
        address(tx),
    )


def _longest_document(tx: ReadTx, root_id: int) -> int | None:
    """A page worth looking at, among the first hundred of the crawl."""
    rows: list[Any] = tx.execute(
        """
        select id from (select id, words from document where root_id = $1 order by id limit 100)
         order by words desc limit 1
        """,
        (root_id,),
    )
    return rows[0][0] if rows else None


def _tell_paused(ending: _Ending, wish: Wish) -> None:
    job = ending.job
    again = ["--continue", str(wish.go_on)] if wish.go_on else list(wish.urls)
    say(f"crawl {job.id} is paused at {pages_done(job, ending.crawl)}; nothing is lost")
    if not wish.lasting:
        say("  the site ends with this program; begin anew with the same command")
        return
    say(f"  go on:   {suggest('crawl', *again)}" + (" and the login" if wish.login else ""))
    say(f"  give up: {suggest('jobs', 'cancel', str(job.id))}")
    say(f"  `{suggest('work')}`, or another crawl on the same data, goes on with it as well")


def _tell(ending: _Ending, began: int) -> None:
    job, crawl = ending.job, ending.crawl
    say(f"crawl {job.id} {job.status.word}{_took(job, began)}")
    if job.error and not _told_by_pages(ending):
        say(f"  {safe(job.error)}")
    for text in ending.warnings:
        say(f"  warning: {safe(text)}")
    if crawl is not None:
        _tell_pages(job, crawl)
    for page in ending.failures:
        error = page.error or ""
        text = error if page.name in error else f"{page.name}: {error}"
        say(f"  failed: {safe(shorten(text, 300))}")
    if ending.failures and (more := job.counts.failed - len(ending.failures)) > 0:
        say(f"  and {more} more failed")
    if crawl is not None:
        tell_refusals(crawl)
    _tell_next(ending)


def _took(job: Summary, began: int) -> str:
    """How long it took; of a crawl that went on only since this command `began`."""
    ended, started = job.completed_at or int(time.time() * 1e6), job.started_at or job.created_at
    if started >= began or ended < began:
        return f" in {span(ended - started)}"
    return f", {span(ended - began)} after it went on"


def _told_by_pages(ending: _Ending) -> bool:
    """Whether the pages that failed say what the crawl's own error says."""
    counts = ending.job.counts
    alike = any(page.error == ending.job.error for page in ending.failures)
    return alike or 0 < counts.failed == counts.total


def _tell_pages(job: Summary, crawl: CrawlReport) -> None:
    parts = [f"{crawl.created} new", f"{crawl.changed} changed", f"{crawl.unchanged} unchanged"]
    parts += [f"{crawl.gone} gone"] if crawl.gone else []
    checks = max(0, job.counts.total - crawl.admitted)  # jobs below that are no pages
    others = job.counts.completed - checks - crawl.created - crawl.changed - crawl.unchanged
    parts += [f"{others} not kept (redirects and the like)"] if others > 0 else []
    parts += [f"{job.counts.failed} failed"] if job.counts.failed else []
    parts += [f"{job.counts.cancelled} cancelled"] if job.counts.cancelled else []
    say(f"  {count(crawl.admitted, 'page')}: {', '.join(parts)}")


def tell_refusals(crawl: CrawlReport, what: str = "link") -> None:
    """Say how many links, or files, were refused by each reason, and whether a limit was met."""
    for reason, (number, samples) in crawl.refused.items():
        such = f", such as {safe(samples[0])}" if samples else ""
        say(f"  {count(number, what)} refused by {safe(reason)}{such}")
    if crawl.waiting:
        say(f"  the limit of {count(crawl.max_pages, 'page')} is reached; "
            f"{count(crawl.waiting, 'known link')} not fetched yet")  # fmt: skip


def _tell_next(ending: _Ending) -> None:
    job, crawl = ending.job, ending.crawl
    steps: list[tuple[str, tuple[str, ...]]] = []
    if crawl is not None and crawl.waiting:
        steps.append(("go on past the limit", ("crawl", "--continue", str(job.id))))
    if ending.document is not None:
        steps.append(("read a page", ("documents", "show", str(ending.document))))
        steps.append(("search all pages", ("search", "WORDS")))
    if job.counts.failed:
        failed = ("jobs", "list", "--parent", str(job.id), "--status", "failed")
        steps.append(("see what failed", failed))
        steps.append(("try that again", ("jobs", "retry", str(job.id))))
    steps.append(("see the crawl", ("jobs", "show", str(job.id))))
    say("next:")
    for what, arguments in steps:
        say(f"  {what + ':':<22}{suggest(*arguments)}")
    if ending.pages is not None:
        say(f"  {'look at its page:':<22}{ending.pages}/jobs/{job.id}")
