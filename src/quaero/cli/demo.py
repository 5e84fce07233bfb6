"""`quaero demo`: the bundled site, crawled, searched and shown; with `--kill`, killed half-way."""

from __future__ import annotations

import asyncio
import getpass
import os
import shutil
import signal
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from quaero.cli.options import GlobalOptions, given, load_settings, remember, suggest
from quaero.cli.output import safe, say

if TYPE_CHECKING:
    from quaero.settings import Settings
    from quaero.testing.site import SiteServer

QUESTION = "tide table"
SHOWN_LINES = 12
LOOK_SECONDS = 0.02


def run_demo(*, kill: bool) -> int:
    """Run the demonstration; returns the exit code."""
    folder = given().data_dir or str(Path(tempfile.gettempdir()) / f"quaero-demo-{_user()}")
    if given().data_dir is None:
        shutil.rmtree(folder, ignore_errors=True)
    remember(GlobalOptions(given().config, folder))
    import uvloop

    return uvloop.run(_demo(load_settings(), kill=kill))


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


async def _demo(settings: Settings, *, kill: bool) -> int:
    from quaero import sample_site
    from quaero.cli.crawling import Wish, crawl_site

    async with await sample_site.serve() as site:
        say(f"a sample site is served at {site.url}")
        if kill and not await _killed_half_way(site):
            return 1
        done = {hit.path for hit in site.hits if hit.ended}
        before = len(site.hits)
        wish = Wish((site.url,), {"max_pages": 0} if not kill else {}, None, False, None, False)
        code = await crawl_site(settings, wish)
        if kill:
            _compare(settings, site, before, done)
    if code == 0:
        await _look(settings)
    return code


async def _killed_half_way(site: SiteServer) -> bool:
    """Crawl in a process of its own and kill that without warning when half is done."""
    from quaero.cli.options import global_arguments
    from quaero.work.supervisor import worker_command

    command = worker_command(*global_arguments(), "crawl", site.url, "--max-pages", "0")
    child = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    half = len(site.pages) // 2
    while len(site.hits) < half and child.returncode is None:
        await asyncio.sleep(LOOK_SECONDS)
    if child.returncode is not None:
        say("the crawl ended before it could be killed")
        return False
    child.send_signal(signal.SIGKILL)
    await child.wait()
    say(f"the crawl was killed (SIGKILL) after {len(site.hits)} requests; now it is resumed")
    return True


def _compare(settings: Settings, site: SiteServer, before: int, done: set[str]) -> None:
    from quaero.app import open_database

    with open_database(settings) as db:
        rows = db.read_sync(
            lambda tx: tx.execute("select name, status from job where type = 'crawler_url'")
        )
    asked = Counter(hit.path for hit in site.hits[:before])
    again = {hit.path for hit in site.hits[before:]}
    repeated = sorted((again & set(asked)) - {"/robots.txt"})
    lost = [name for name, status in rows if status < 2]
    say(f"pages known {len(rows)}, lost {len(lost)}, fetched again {len(repeated)}: "
        "those that were in flight, or had answered that they are busy")  # fmt: skip
    for path in repeated:
        say(f"  again: {path}{' (its answer had come)' if path in done else ''}")


async def _look(settings: Settings) -> None:
    """Show a search and a page."""
    from quaero.app import open_database
    from quaero.documents.read import get
    from quaero.documents.search import search

    with open_database(settings) as db:
        found = await db.read(search, QUESTION)
        if not found.hits:
            return
        best = found.hits[0]
        document = await db.read(get, best.id)
    say(f"\n{suggest('search', QUESTION)}")
    sys.stdout.write(f"  {safe(best.title)}  {best.url}\n")
    say(f"\n{suggest('documents', 'show', str(best.id))}")
    for line in document.text.splitlines()[:SHOWN_LINES]:
        sys.stdout.write(f"  {safe(line)}\n")
    say("\ntry these:")
    for arguments in (("search", QUESTION), ("documents", "show", str(best.id)),
                      ("jobs", "list"), ("queue", "stats"), ("db", "check")):  # fmt: skip
        say(f"  {suggest(*arguments)}")
