"""`quaero demo`: the bundled site, crawled, searched and shown; with `--kill`, killed half-way."""

from __future__ import annotations

import asyncio
import getpass
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from quaero.cli.options import GlobalOptions, given, load_settings, remember, suggest
from quaero.cli.output import count, safe, say

if TYPE_CHECKING:
    from quaero.settings import Settings
    from quaero.site_server import SiteServer

QUESTION = "tide table"
SHOWN_LINES = 12
LOOK_SECONDS = 0.02
KILL_SECONDS = 30.0


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
    import uvloop

    folder = given().data_dir or _own_folder()
    remember(GlobalOptions(given().config, folder))
    return uvloop.run(_demo(load_settings(), kill=kill))


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
        killed = await _kill_half_way(site) if kill else None
        if kill and killed is None:
            say("the crawl ended before it could be killed; try again")
            return 1
        options = {} if kill else {"max_pages": 0}
        code = await crawl_site(settings, Wish((site.url,), options, None, False, None, False))
        if killed is not None:
            _compare(site, killed)
    if code == 0:
        await _look(settings)
    return code


async def _kill_half_way(site: SiteServer) -> _Killed | None:
    """Crawl in a process of its own and kill that without warning when half is done."""
    from quaero.cli.options import global_arguments
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
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


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
