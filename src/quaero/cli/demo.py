"""`quaero demo`: the bundled site, crawled, searched and shown; with `--kill`, killed half-way."""

from __future__ import annotations

import asyncio
import getpass
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import webbrowser
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quaero.cli.options import (
    GlobalOptions,
    given,
    global_arguments,
    load_settings,
    remember,
    suggest,
)
from quaero.cli.output import count, safe, say

if TYPE_CHECKING:
    from quaero.settings import Settings
    from quaero.site_server import SiteServer

QUESTION = "tide table"
SHOWN_LINES = 12
LOOK_SECONDS = 0.02
KILL_SECONDS = 30.0
WATCHED_DELAY = 0.25
_QUIETLY: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


@dataclass(frozen=True, slots=True)
class _Killed:
    """The crawl at its death: the paths that were asked for, and those that had an answer."""

    asked: frozenset[str]
    answered: frozenset[str]
    requests: int


def run_demo(*, kill: bool) -> int:
    """Run the demonstration; returns the exit code.

    Without `--data-dir` it has a folder of its own, emptied each time.
    """
    from quaero import app

    folder = given().data_dir or _own_folder()
    remember(GlobalOptions(given().config, folder))
    return app.run(_demo(load_settings(), kill=kill))


def _own_folder() -> str:
    folder = Path(tempfile.gettempdir()) / f"quaero-demo-{_user()}"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:  # not ours to empty
        return tempfile.mkdtemp(prefix="quaero-demo-")
    return str(folder)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


async def _demo(settings: Settings, *, kill: bool) -> int:
    from quaero import sample_site
    from quaero.cli.crawling import Wish, crawl_site

    async with await sample_site.serve() as site:
        say(f"a small sample site is served at {site.url}")
        if kill:
            killed = await _kill_half_way(site)
            if killed is None:
                say("the crawl ended before it could be killed; try again")
                return 1
            code = await crawl_site(settings, Wish((site.url,), {}, None, False, None, False))
            _compare(site, killed)
            if code == 0:
                await _look(settings)
            return code
        async with _served() as pages:
            return await _watched(settings, site, pages)


async def _watched(settings: Settings, site: SiteServer, pages: str) -> int:
    """Crawl while the pages are there to watch it; on a terminal slowly, and until Ctrl-C."""
    from quaero.cli.crawling import Wish, crawl_site

    watched = sys.stderr.isatty() and sys.stdin.isatty()
    say(f"watch it at {pages}/queue")
    options = {"max_pages": 0, **({"delay": WATCHED_DELAY, "concurrency": 1} if watched else {})}
    if watched and _has_browser():
        await asyncio.to_thread(webbrowser.open, f"{pages}/queue")
    wish = Wish((site.url,), options, None, False, None, False, lasting=False)
    code = await crawl_site(settings, wish)
    if code == 0:
        await _look(settings)
        if watched:
            say(f"\nthe pages stay at {pages}/queue until Ctrl-C")
            await asyncio.Event().wait()
    return code


@asynccontextmanager
async def _served() -> AsyncIterator[str]:
    """`quaero serve` beside the demo; gives the address of its pages."""
    from quaero.work.lifeline import start_tied
    from quaero.work.supervisor import own_command

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = own_command(*global_arguments(), "serve", "--port", str(port))
    child, lifeline = start_tied(command, **_QUIETLY)
    try:
        yield f"http://localhost:{port}"
    finally:
        child.terminate()
        await asyncio.to_thread(child.wait)
        lifeline.close()


def _has_browser() -> bool:
    """Whether a browser would open in a window of its own."""
    return sys.platform == "darwin" or any(
        os.environ.get(n) for n in ("DISPLAY", "WAYLAND_DISPLAY")
    )


async def _kill_half_way(site: SiteServer) -> _Killed | None:
    """Crawl in a process of its own and kill that without warning when half is done."""
    from quaero.work.supervisor import own_command

    command = own_command(*global_arguments(), "crawl", site.url, "--max-pages", "0")
    child = _quietly(command)
    try:
        async with asyncio.timeout(KILL_SECONDS):
            await _half_done(site, child)
    except TimeoutError:
        say("the crawl did not get half-way in time")
    ended = child.poll() is not None
    child.kill()
    await asyncio.to_thread(child.wait)
    if ended:
        return None
    answered = frozenset(hit.path for hit in site.hits if hit.ended)
    killed = _Killed(frozenset(site.paths()), answered, len(site.hits))
    say(f"the crawl was killed (SIGKILL) after {count(killed.requests, 'request')}; "
        "the same command now goes on")  # fmt: skip
    return killed


def _quietly(command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, **_QUIETLY)


async def _half_done(site: SiteServer, child: subprocess.Popen[bytes]) -> None:
    while len(site.hits) < len(site.pages) // 2 and child.poll() is None:  # noqa: ASYNC110
        await asyncio.sleep(LOOK_SECONDS)


def _compare(site: SiteServer, killed: _Killed) -> None:
    """Say what the death of the crawl lost, by the site's own log, and what was done twice."""
    from quaero.sample_site import REFUSED

    again = set(site.paths()[killed.requests :])
    wanted = {path for path in site.pages if not path.startswith((REFUSED, "/robots.txt"))}
    lost = sorted(wanted - killed.asked - again)
    repeated = sorted((again & killed.asked) - {"/robots.txt"})
    say("what the kill cost:")
    say(f"  lost: {', '.join(lost) or 'nothing'}, of {count(len(wanted), 'page')}")
    say(f"  fetched again: {len(repeated)}, which were in flight or had said to come back later")
    for path in repeated:
        say(f"    {path}{' (answered, but not yet stored)' if path in killed.answered else ''}")


async def _look(settings: Settings) -> None:
    """Show a search and a page."""
    from quaero.app import open_database
    from quaero.documents.read import get
    from quaero.documents.search import search

    with open_database(settings) as db:
        found = await db.read(search, QUESTION)
        if not found.hits:
            return
        best = found.hits[0].document
        document = await db.read(get, best.id)
    say(f"\n$ {suggest('search', QUESTION)}")
    _show(f"{safe(best.title)}  {safe(best.url)}\n  {safe(found.hits[0].snippet.text)}")
    say(f"\n$ {suggest('documents', 'show', str(best.id))}")
    for line in document.text.splitlines()[:SHOWN_LINES]:
        _show(safe(line))
    say("\nnow try:")
    for arguments in (("search", "spring", "tide"), ("documents", "list"), ("jobs", "list"),
                      ("queue", "stats"), ("db", "check")):  # fmt: skip
        say(f"  {suggest(*arguments)}")


def _show(text: str) -> None:
    sys.stdout.write(f"  {text}\n")
    sys.stdout.flush()
