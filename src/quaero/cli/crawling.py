"""One crawl from the command line: begin or resume it, work, show how it goes, say what came of it.

The crawl is a job in the database from its first moment; this process only works on it. A kill
loses nothing, Ctrl-C gives back what runs, and the same command finds the unfinished crawl again.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from quaero.cli.options import global_arguments, suggest
from quaero.cli.output import print_json, safe, say, span
from quaero.errors import BadInput, Conflict

if TYPE_CHECKING:
    from quaero.app import Worker
    from quaero.crawl.frontier import CrawlReport
    from quaero.crawl.payloads import Crawl
    from quaero.crawl.session import Login
    from quaero.jobs.read import Summary
    from quaero.settings import Settings

LOOK_SECONDS = 0.1
PLAIN_LINE_SECONDS = 10.0
PAUSED = 130
_DEFAULTS = ("max_pages", "max_depth", "concurrency", "delay", "respect_robots")


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line asked for; `options` are those that were named."""

    urls: tuple[str, ...]
    options: Mapping[str, Any]
    login: Login | None
    new: bool
    go_on: int | None
    as_json: bool


async def crawl_site(settings: Settings, wish: Wish) -> int:
    """Run the crawl to its end, or until it is paused; returns the exit code."""
    from quaero.app import worker
    from quaero.work.supervisor import worker_command

    _check(wish)
    isolate = tuple(worker_command(*global_arguments(), "work", "--inner"))
    async with worker(settings, login=wish.login, isolate=isolate) as made:
        root_id = await _find_or_begin(made, settings, wish)
        finished = await _work(made, root_id)
        return await _conclude(made, root_id, wish, finished=finished)


def _check(wish: Wish) -> None:
    if wish.go_on is None and not wish.urls:
        raise BadInput("name the address to begin at, such as https://docs.example.org/")
    if wish.go_on is not None and wish.urls:
        raise BadInput("--continue goes on with a crawl; it takes no addresses")
    if wish.go_on is not None and wish.options.keys() - {"max_pages"}:
        raise BadInput("a crawl goes on as it was begun; only --max-pages may be given")


# -- which crawl


async def _find_or_begin(made: Worker, settings: Settings, wish: Wish) -> int:
    if wish.go_on is not None:
        return await _go_on(made, wish.go_on, wish.options.get("max_pages"))
    from quaero.crawl import frontier
    from quaero.jobs.read import get

    payload = _payload(settings, wish)
    identity = frontier.identity_of(payload.to_scope().seeds)
    unfinished = await made.db.read(_unfinished, identity)
    if unfinished is not None and not wish.new:
        stored = (await made.db.read(get, unfinished)).payload
        _refuse_other_options(unfinished, stored, wish)
        say(f"resuming crawl {unfinished}, which was not finished")
        return unfinished
    return await _begin(made, payload, identity)


def _payload(settings: Settings, wish: Wish) -> Crawl:
    """The crawl that is asked for. Raises `BadInput` naming what is wrong."""
    from pydantic import ValidationError

    from quaero.crawl.payloads import Crawl
    from quaero.crawl.urls import canonical

    options = {name: getattr(settings.crawl, name) for name in _DEFAULTS} | dict(wish.options)
    seeds = [canonical(_with_scheme(url)) for url in wish.urls]
    private = wish.login.session if wish.login else None
    try:
        return Crawl(seeds=seeds, private=private, **options)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        cause = first.get("ctx", {}).get("error")
        name = "--" + str(first["loc"][0]).replace("_", "-") if first["loc"] else ""
        value = "" if cause or not first["loc"] else f" {first['input']!r}"
        raise BadInput(f"{name}{value}: {cause or first['msg']}".lstrip(": ")) from error


def _with_scheme(url: str) -> str:
    """`docs.example.org` means `https://docs.example.org`."""
    if "://" in url or ":" in url.partition(".")[0]:
        return url
    return f"https://{url}"


def _unfinished(tx: Any, identity: str) -> int | None:
    """The newest crawl of these seeds, if it has not ended."""
    from quaero.crawl.frontier import newest

    found = newest(tx, identity)
    if found is None:
        return None
    rows = tx.execute("select id from job where id = $1 and status < 2", (found,))
    return found if rows else None


def _refuse_other_options(root_id: int, stored: Mapping[str, Any], wish: Wish) -> None:
    for name, value in wish.options.items():
        if stored.get(name) != value:
            raise Conflict(
                f"crawl {root_id} of this address is unfinished, with {name} = {stored.get(name)} "
                f"where you now say {value}; leave the option out to resume it, or begin anew "
                "with --new"
            )


async def _begin(made: Worker, payload: Crawl, identity: str) -> int:
    from quaero.crawl import frontier
    from quaero.jobs.create import create
    from quaero.jobs.model import JobSpec

    spec = JobSpec("crawler", payload.model_dump_json(), name=payload.seeds[0])

    def begin(tx: Any) -> int:
        (root_id,) = create(tx, made.queue_id, [spec])
        frontier.begin(tx, root_id, identity, payload.max_pages)
        return int(root_id)

    return await made.db.write(begin)


async def _go_on(made: Worker, root_id: int, max_pages: int | None) -> int:
    from quaero.clock import SECOND
    from quaero.crawl import frontier
    from quaero.crawl.payloads import Crawl
    from quaero.errors import NotFound
    from quaero.jobs.read import get

    job = await made.db.read(get, root_id)
    known = await made.db.read(frontier.report, root_id)
    if known is None:
        raise NotFound(f"job {root_id} is not a crawl")
    settings = Crawl.model_validate(job.payload)
    most = known.admitted + settings.max_pages if max_pages is None else max_pages
    if max_pages and most <= known.admitted:
        raise BadInput(
            f"--max-pages {max_pages}: crawl {root_id} has {known.admitted} pages already"
        )
    politeness = frontier.Politeness(settings.concurrency, int(settings.delay * SECOND))
    count = await made.db.write(frontier.go_on, root_id, most, politeness)
    say(f"crawl {root_id} goes on with {count} known links")
    return root_id


# -- working


async def _work(made: Worker, root_id: int) -> bool:
    """Work until the crawl has ended; False when it was paused."""
    from quaero.cli.progress import Display
    from quaero.crawl.frontier import report
    from quaero.jobs.read import get

    loop = asyncio.get_running_loop()
    paused = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, paused.set)
    working = asyncio.create_task(made.pool.run())
    display = Display()
    try:
        while True:
            job = (await made.db.read(get, root_id)).summary
            display.show(job, await made.db.read(report, root_id))
            if not job.status.open:
                return True
            if paused.is_set():
                return False
            if working.done():
                working.result()
            await _pause(paused)
    finally:
        display.close()
        made.pool.stop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
        await working


async def _pause(paused: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            await paused.wait()
    except TimeoutError:
        return


# -- the end


async def _conclude(made: Worker, root_id: int, wish: Wish, *, finished: bool) -> int:
    from quaero.crawl.frontier import report
    from quaero.jobs.model import Status
    from quaero.jobs.read import get

    job = (await made.db.read(get, root_id)).summary
    known = await made.db.read(report, root_id)
    first = await made.db.read(_first_document, root_id)
    if wish.as_json:
        print_json({"job": job, "crawl": known, "finished": finished})
    else:
        _tell(job, known, first, wish, finished=finished)
    if not finished:
        return PAUSED
    return 0 if job.status is Status.COMPLETED else 1


def _first_document(tx: Any, root_id: int) -> int | None:
    rows = tx.execute(
        "select id from document where root_id = $1 order by words desc limit 1", (root_id,)
    )
    return rows[0][0] if rows else None


def _tell(
    job: Summary, known: CrawlReport | None, document: int | None, wish: Wish, *, finished: bool
) -> None:
    took = span((job.completed_at or int(time.time() * 1e6)) - (job.started_at or job.created_at))
    if not finished:
        again = ["crawl", *wish.urls] if wish.urls else ["jobs", "show", str(job.id)]
        say(f"crawl {job.id} is paused; nothing is lost. Go on with: {suggest(*again)}")
        return
    say(f"crawl {job.id} {job.status.word} in {took}")
    if job.error:
        say(f"  {safe(job.error)}")
    if known is None:
        return
    text = f"  pages: {known.created} new, {known.changed} changed, {known.unchanged} unchanged"
    text += f", {known.gone} gone" if known.gone else ""
    say(text + f"; {job.counts.failed} failed of {known.admitted}")
    for reason, (count, samples) in known.refused.items():
        say(f"  refused by {reason}: {count}, such as {safe(samples[0]) if samples else '-'}")
    if known.waiting:
        say(f"  the limit of {known.max_pages} pages is reached, {known.waiting} known links wait")
        say(f"  go on: {suggest('crawl', '--continue', str(job.id))}")
    say("next:")
    if document is not None:
        say(f"  {suggest('documents', 'show', str(document))}")
        say(f"  {suggest('search', 'WORDS')}")
    if job.counts.failed:
        say(f"  {suggest('jobs', 'list', '--parent', str(job.id), '--status', 'failed')}")
    say(f"  {suggest('jobs', 'show', str(job.id))}")
