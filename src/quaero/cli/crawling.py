"""One crawl from the command line: begin or resume it, work, show how it goes, say what came of it.

The crawl is a job in the database from its first moment; this process only works on it. A kill
loses nothing, Ctrl-C gives back what runs, and the same command finds the unfinished crawl again.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from quaero.cli.options import global_arguments, suggest
from quaero.cli.output import count, safe, say, shorten
from quaero.errors import BadInput, Conflict
from quaero.forms import said

if TYPE_CHECKING:
    from quaero.app import Worker
    from quaero.crawl.frontier import Politeness
    from quaero.crawl.login import Login
    from quaero.crawl.payloads import Crawl
    from quaero.settings import Settings

LOOK_SECONDS = 0.1
LOOKS_AT_OTHERS = 10
# A host as people write it without a scheme: a name with a dot or a port, `localhost`, an address.
_BARE = re.compile(
    r"(localhost|[^\s/:?#@\[\]]+\.[^\s/:?#@\[\]]+|[^\s/:?#@\[\].]+(?=:\d)|\[[0-9a-f:.]+\])(?:[:/?#]|$)",
    re.IGNORECASE,
)
PAUSED = 130
_DEFAULTS = ("max_pages", "max_depth", "concurrency", "delay", "respect_robots")
# Options that are flags: what the command line calls them, and the value they stand for.
_FLAGS: dict[str, tuple[str, Any]] = {
    "respect_robots": ("--ignore-robots", False),
    "follow_links": ("--no-follow", False),
    "sitemap": ("--sitemap", True),
    "detail_level": ("--metadata-only", "metadata"),
}


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line asked for; `options` are those that were named.

    With `lasting` False the site is served by this program, so nothing can go on after it. `began`
    is when, in microseconds since 1970.
    """

    urls: tuple[str, ...]
    options: Mapping[str, Any]
    login: Login | None
    new: bool
    go_on: int | None
    as_json: bool
    lasting: bool = True
    began: int = field(default_factory=lambda: time.time_ns() // 1_000)


def check(settings: Settings, wish: Wish) -> None:
    """Refuse what cannot be done, before anything is opened. Raises `BadInput`."""
    if wish.go_on is None:
        if not wish.urls:
            raise BadInput("name the address to begin at, such as https://docs.example.org/")
        payload_of(settings, wish)
        return
    if wish.urls:
        raise BadInput("--continue goes on with a crawl; it takes no addresses")
    if wish.new:
        raise BadInput("--continue goes on with a crawl and --new begins one; say only one of them")
    if wish.options.keys() - {"max_pages", "concurrency"}:
        raise BadInput("a crawl goes on as it was begun; only --max-pages may be given")
    if not settings.database_file.exists():
        from quaero.errors import NotFound

        raise NotFound(f"there is no crawl {wish.go_on}: no database at {settings.database_file}")


async def crawl_site(settings: Settings, wish: Wish) -> int:
    """Run the crawl to its end, or until it is paused; returns the exit code."""
    from quaero.app import worker
    from quaero.cli.summary import conclude
    from quaero.work.supervisor import own_command

    wish = await _with_session(settings, wish)
    isolate = tuple(own_command(*global_arguments(), "work", "--inner"))
    async with worker(settings, login=wish.login, isolate=isolate, passing=True) as made:
        root_id = await _find_or_begin(made, settings, wish)
        handed = wish.login is None and await others_stay(made)
        if handed:
            say("a worker that runs here already works on it; Ctrl-C ends only the watching")
        finished = await work_on(made, root_id, handed=handed)
        return await conclude(made.db, root_id, wish, finished=finished, handed=handed)


# -- which crawl


async def _with_session(settings: Settings, wish: Wish) -> Wish:
    """The wish, its login known by the name under which a crawl that goes on has stored it."""
    if wish.go_on is None or wish.login is None:
        return wish
    from quaero.app import open_database
    from quaero.jobs.read import get

    with open_database(settings) as db:
        private = (await db.read(get, wish.go_on)).payload.get("private")
    return replace(wish, login=replace(wish.login, session=private or ""))


async def _find_or_begin(made: Worker, settings: Settings, wish: Wish) -> int:
    if wish.go_on is not None:
        return await _go_on(made, wish, wish.go_on)
    from quaero.crawl import frontier
    from quaero.crawl.payloads import Crawl
    from quaero.jobs.read import get

    payload = payload_of(settings, wish)
    identity = frontier.identity_of(payload.to_scope().seeds)
    unfinished = await made.db.read(_unfinished, identity)
    if unfinished is not None and not wish.new:
        await made.db.read(_refuse_other_queue, unfinished, made.queue_id)
        stored = (await made.db.read(get, unfinished)).payload
        _refuse_other_options(unfinished, stored, wish)
        _refuse_other_login(unfinished, stored, wish)
        politeness = frontier.Politeness.of(Crawl.model_validate(stored))
        return await _resume(made, unfinished, politeness)
    root_id = await _begin(made, payload, identity)
    seeds = ", ".join(payload.seeds[:3]) + (", …" if len(payload.seeds) > 3 else "")
    limit = f"at most {count(payload.max_pages, 'page')}" if payload.max_pages else "no page limit"
    depth = count(payload.max_depth, "link")
    say(f"crawl {root_id} begins: {safe(seeds)} ({limit}, {depth} deep)")
    return root_id


def payload_of(settings: Settings, wish: Wish) -> Crawl:
    """The crawl that is asked for. Raises `BadInput` naming what is wrong."""
    from pydantic import ValidationError

    from quaero.crawl.payloads import Crawl

    defaults = {name: getattr(settings.crawl, name) for name in _DEFAULTS}
    if wish.options.get("source_type", "web") != "web":
        del defaults["max_depth"]  # the payload has one of its own for products
    options = defaults | dict(wish.options)
    seeds = [address(url) for url in wish.urls]
    private = wish.login.session if wish.login else None
    try:
        return Crawl(seeds=seeds, private=private, **options)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        cause = first.get("ctx", {}).get("error")
        if isinstance(cause, BadInput) or not first["loc"]:
            raise BadInput(str(cause or first["msg"])) from error
        name = "--" + str(first["loc"][0]).replace("_", "-")
        text = said(first)[:1].lower() + said(first)[1:]
        raise BadInput(f"{name} {shorten(repr(first['input']), 80)}: {text}") from error


def address(url: str) -> str:
    """The canonical form of an address as people write it. Raises `BadUrl`.

    `docs.example.org` means `https://docs.example.org/`, but `localhost:8000` and `127.0.0.1:8000`
    mean http, which is what is spoken there.
    """
    from quaero.crawl.policy import literal_address
    from quaero.crawl.urls import canonical
    from quaero.errors import BadUrl

    url = url.strip()
    if not url:
        raise BadUrl("an address is empty; write one such as https://docs.example.org/")
    bare = _BARE.match(url)
    if bare is None:
        return canonical(url)
    local = bare[1].lower() == "localhost" or literal_address(bare[1]) is not None
    return canonical(f"{'http' if local else 'https'}://{url}")


def _unfinished(tx: Any, identity: str) -> int | None:
    """The newest crawl of these seeds, if it has not ended."""
    from quaero.crawl.frontier import newest

    found = newest(tx, identity)
    if found is None:
        return None
    rows = tx.execute("select id from job where id = $1 and status < 2", (found,))
    return found if rows else None


def _refuse_other_queue(tx: Any, root_id: int, queue_id: int) -> None:
    """A crawl goes on in the queue in which it was begun: nobody here works on another."""
    for (name,) in tx.execute(
        """
        select q.name from job j join queue q on q.id = j.queue_id
         where j.id = $1 and j.queue_id <> $2
        """,
        (root_id, queue_id),
    ):
        raise Conflict(
            f"crawl {root_id} was begun in the queue {name!r}, which is not the one of the setting "
            "queue.queue_name; go on with that setting, or begin anew with --new"
        )


def _refuse_other_options(root_id: int, stored: Mapping[str, Any], wish: Wish) -> None:
    for name, value in wish.options.items():
        if stored.get(name) != value:
            raise Conflict(
                f"crawl {root_id} of this address is unfinished and was begun "
                f"{_as_given(name, stored.get(name))}; leave the option out to resume it, or begin "
                "anew with --new"
            )


def _as_given(name: str, value: Any) -> str:
    """How the command line says an option."""
    if name in _FLAGS:
        flag, when = _FLAGS[name]
        return f"{'with' if value == when else 'without'} {flag}"
    from quaero.settings.units import format_duration

    option = "--" + name.replace("_", "-")
    if isinstance(value, list):
        return f"with {option} {', '.join(value)}" if value else f"without {option}"
    return f"with {option} {format_duration(value) if name == 'delay' else value}"


def _refuse_other_login(root_id: int, stored: Mapping[str, Any], wish: Wish) -> None:
    """A crawl of pages behind a login goes on with that login only, and the others without one."""
    if stored.get("private") and wish.login is None:
        raise Conflict(
            f"crawl {root_id} was begun with a login, which is not stored; give it again with "
            "--cookie-file or --header"
        )
    if wish.login is not None and not stored.get("private"):
        raise Conflict(
            f"crawl {root_id} is unfinished and was begun without a login; leave the login out to "
            "resume it, or begin anew with --new"
        )


def _refuse_deleted_source(tx: Any, root_id: int, source_id: int) -> None:
    """What goes on would bring documents of a source that nobody can name any more."""
    if source_id and not tx.execute("select 1 from source where id = $1", (source_id,)):
        raise Conflict(
            f"crawl {root_id} is one of source {source_id}, which was deleted; "
            "add the source again and collect it"
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


async def _go_on(made: Worker, wish: Wish, root_id: int) -> int:
    from quaero.crawl import frontier
    from quaero.crawl.payloads import Crawl
    from quaero.errors import NotFound
    from quaero.jobs.read import get

    job = await made.db.read(get, root_id)
    known = await made.db.read(frontier.report, root_id)
    if known is None:
        raise NotFound(
            f"job {root_id} is not a crawl; `{suggest('jobs', 'list', '--type', 'crawler')}` "
            "lists them"
        )
    await made.db.read(_refuse_other_queue, root_id, made.queue_id)
    _refuse_other_login(root_id, job.payload, wish)
    settings = Crawl.model_validate(job.payload)
    await made.db.read(_refuse_deleted_source, root_id, settings.source)
    politeness = frontier.Politeness.of(settings)
    max_pages = wish.options.get("max_pages")
    if job.summary.status.open and max_pages in (None, known.max_pages):
        return await _resume(made, root_id, politeness)
    most = known.admitted + settings.max_pages if max_pages is None else max_pages
    if max_pages and most <= known.admitted:
        raise BadInput(
            f"--max-pages {max_pages}: crawl {root_id} has {known.admitted} pages already"
        )
    pages = await made.db.write(frontier.go_on, root_id, most, politeness)
    if not pages:
        return await _resume(made, root_id, politeness)
    pages += await _admit_waiting(made, root_id, politeness)
    say(f"crawl {root_id} goes on with {count(pages, 'known link')}")
    return root_id


async def _resume(made: Worker, root_id: int, politeness: Politeness) -> int:
    """Go on with an unfinished crawl, up to the limit that it has."""
    say(f"resuming crawl {root_id}, which was not finished")
    await _admit_waiting(made, root_id, politeness)
    return root_id


async def _admit_waiting(made: Worker, root_id: int, politeness: Politeness) -> int:
    """Make jobs of what waits, as far as the limit goes; a kill may come at any point of it."""
    from quaero.crawl import frontier

    pages = 0
    while more := await made.db.write(frontier.go_on_more, root_id, politeness):
        pages += more
    return pages


# -- working


async def others_stay(made: Worker) -> bool:
    """Whether `quaero serve` or `quaero work` works on this queue, and will go on."""
    from quaero.queue.holders import Holders
    from quaero.reports.workers import standing

    return await made.db.read(standing, Holders(made.db.path), made.queue_id)


async def work_on(made: Worker, root_id: int, *, handed: bool) -> bool:
    """Work until the crawl has ended; False when it was paused.

    A crawl that was handed to another worker is watched, and taken back where that one has gone.
    """
    from quaero.cli.progress import Display, look

    paused = asyncio.Event()
    on_signals(paused.set)
    working = None if handed else asyncio.create_task(made.pool.run())
    display = Display()
    looks = 0
    try:
        while True:
            seen = await made.db.read(look, root_id, made.queue_id, made.db.path)
            display.show(seen, _current(made))
            if not seen.job.status.open:
                return True
            looks += 1
            if working is None and looks % LOOKS_AT_OTHERS == 0 and not await others_stay(made):
                say("the worker has gone; going on here")
                working = asyncio.create_task(made.pool.run())
            if working is not None and working.done():
                working.result()
            if paused.is_set():
                return False
            await _pause(paused)
    finally:
        display.close()
        if working is not None:
            made.pool.stop()
            on_signals(end_at_once)
            if paused.is_set() and not working.done() and _current(made):
                say("pausing: what runs may end first; Ctrl-C again ends at once")
            await working
        on_signals(None)


def on_signals(call: Callable[[], object] | None) -> None:
    """What Ctrl-C and SIGTERM do from now on; None: what they do to any program."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        if call is None:
            loop.remove_signal_handler(number)
        else:
            loop.add_signal_handler(number, call)


def end_at_once() -> None:
    """Die as by a kill, which loses nothing: tidying up is what takes the time."""
    os._exit(PAUSED)


def _current(made: Worker) -> str:
    """The address that this process fetches, the newest of them."""
    running = made.pool.consumer.running() if made.pool.consumer is not None else []
    return running[-1].work.name if running else ""


async def _pause(paused: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            await paused.wait()
    except TimeoutError:
        return
