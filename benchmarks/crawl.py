"""A crawl of a real documentation tree on loopback, against Scrapy with JOBDIR.

Both obey robots.txt, convert each page with the same function, and store Markdown with a full-text
index in SQLite. CPU is that of all processes of the contestant, memory the largest sum over them.
What this conversion leaves to win shows a bare loop: it fetches, converts, stores and indexes with
the same libraries in one process, and knows no robots, rules, jobs, logs, hashes or kept bodies.
The site is a Debian package's HTML, served by a process of its own that is not counted. That server
keeps the log by which it is told what a contestant that was killed twice missed and what it fetched
again.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import resource
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

PACKAGE = "postgresql-doc-15"
CONCURRENCY = 4


def fetch_site(folder: Path) -> Path:
    """The package's HTML; needs `apt-get` and `dpkg`."""
    kept = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "quaero-bench" / PACKAGE
    if not kept.exists():
        subprocess.run(["apt-get", "download", PACKAGE], cwd=folder, check=True)
        (archive,) = folder.glob("*.deb")
        subprocess.run(["dpkg", "-x", archive.name, "unpacked"], cwd=folder, check=True)
        shutil.copytree(folder / "unpacked/usr/share/doc", kept)
    (index,) = (p for p in kept.rglob("index.html") if len(list(p.parent.glob("*.html"))) > 500)
    return index.parent


class Server:
    """The folder served by another process; `url` is its address."""

    def __init__(self, site: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, "serve", str(site)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
        )  # fmt: skip
        self.url = self._answer()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def ask(self, question: str) -> Any:
        """`count` of the requests since `forget`, or their `paths`."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{question}\n")
        return json.loads(self._answer())

    def stop(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()


@dataclass(frozen=True)
class Contestant:
    """A crawler: its command that begins or resumes, and where it stores pages."""

    name: str
    place: Path
    command: list[str]
    database: str
    table: str

    def fresh(self) -> Self:
        """The same with nothing stored yet."""
        shutil.rmtree(self.place, ignore_errors=True)
        self.place.mkdir()
        return self

    def pages(self) -> int:
        """How many pages are stored."""
        db = sqlite3.connect(self.place / self.database)
        ((count,),) = db.execute(f"select count(*) from {self.table}").fetchall()
        db.close()
        return int(count)


def contestants(folder: Path, url: str) -> tuple[Contestant, Contestant, Contestant]:
    """Quaero as its command line runs it, Scrapy, and what is left of a crawl without a crawler."""
    ours, theirs, bare = folder / "quaero", folder / "scrapy", folder / "bare"
    start = f"{url}index.html"
    options = ["--max-pages", "0", "--max-depth", "1000"]
    command = [sys.executable, "-m", "quaero", "--data-dir", str(ours), "crawl", start, *options]
    other = [sys.executable, __file__, "scrapy", start, str(theirs)]
    least = [sys.executable, __file__, "bare", start, str(bare)]
    return (
        Contestant("quaero", ours, command, "quaero.db", "document"),
        Contestant("Scrapy with JOBDIR", theirs, other, "pages.db", "page"),
        Contestant("bare loop", bare, least, "pages.db", "page"),
    )


def started(command: list[str]) -> subprocess.Popen[bytes]:
    """The process of a command, which keeps compiled modules as an installed program does."""
    environ = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return subprocess.Popen(
        command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def measured(command: list[str]) -> tuple[float, float, float]:
    """Wall seconds, CPU seconds of all its processes, and its most memory in MB."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    child = started(command)
    most, stop = [0.0], threading.Event()

    def watch() -> None:
        while not stop.wait(0.1):
            most[0] = max(most[0], _memory(child.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    child.wait()
    stop.set()
    watcher.join()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - began, cpu, most[0]


def _memory(pid: int) -> float:
    """The memory of a process and its children, shared pages divided, in MB."""
    total = 0.0
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total = int(line.split()[1]) / 1024
        for task in Path(f"/proc/{pid}/task").iterdir():
            total += sum(_memory(int(c)) for c in (task / "children").read_text().split())
    except OSError:
        return total
    return total


def run(folder: Path) -> list[str]:
    """The tables: a crawl, and one that is killed twice."""
    server = Server(fetch_site(folder))
    try:
        ours, theirs, bare = contestants(folder, server.url)
        return [*undisturbed(ours, theirs, bare), *interrupted(ours, theirs, server)]
    finally:
        server.stop()


def undisturbed(
    ours: Contestant, theirs: Contestant, bare: Contestant, rounds: int = 3
) -> list[str]:
    """All in turns, after one run each that is not counted; the round with the median ratio."""
    rows = []
    for turn in range(rounds + 1):
        row = []
        for each in (ours, theirs, bare):
            seconds = measured(each.fresh().command)
            row.append((each.pages(), *seconds))
        print(json.dumps(row), flush=True)
        rows += [row] if turn else []
    rates = [[pages / cpu for pages, _, cpu, _ in row] for row in rows]
    middle = sorted(range(rounds), key=lambda n: rates[n][0] / rates[n][1])[rounds // 2]
    lines = [
        f"### A crawl of {PACKAGE} on loopback", "",
        "| | pages | wall s | pages per CPU second | most memory |", "|---|---:|---:|---:|---:|",
    ]  # fmt: skip
    for each, (pages, wall, _, memory), rate in zip(
        (ours, theirs, bare), rows[middle], rates[middle], strict=True
    ):
        lines.append(f"| {each.name} | {pages} | {wall:.1f} | {rate:.0f} | {memory:.0f} MB |")
    rate_of_ours, rate_of_theirs, rate_of_bare = rates[middle]
    smaller = rows[middle][0][3] / rows[middle][1][3]
    return [
        *lines,
        f"| quaero against Scrapy | | | {rate_of_ours / rate_of_theirs:.1f}x | {smaller:.2f} |",
        f"| bare loop against Scrapy | | | {rate_of_bare / rate_of_theirs:.1f}x | |",
        "",
    ]


def interrupted(ours: Contestant, theirs: Contestant, server: Server) -> list[str]:
    """`kill -9` at about one and two thirds, each time the same command again.

    Missing is what an undisturbed run of the same contestant asks the site for and the killed one
    never does; repeated are requests for what was asked for before.
    """
    lines = [
        "### That crawl with `kill -9` at one third and at two thirds, and the same command again",
        "", "| | pages stored | missing | fetched again | most that may be |",
        "|---|---:|---:|---:|---:|",
    ]  # fmt: skip
    for each in (ours, theirs):
        server.ask("forget")
        started(each.fresh().command).wait()
        wanted = set(server.ask("paths"))
        each.fresh()
        server.ask("forget")
        under_way = 0
        for third in (1, 2):
            _kill_at(each.command, server, third * len(wanted) // 3)
            under_way += CONCURRENCY
        started(each.command).wait()
        asked = [path for path in server.ask("paths") if path != "/robots.txt"]
        missing = len(wanted - {"/robots.txt"} - set(asked))
        again = len(asked) - len(set(asked))
        lines.append(f"| {each.name} | {each.pages()} | {missing} | {again} | {under_way} |")
        print(lines[-1], flush=True)
    return [*lines, ""]


def _kill_at(command: list[str], server: Server, requests: int) -> None:
    """Run a command until the site has had so many requests, then kill it."""
    child = started(command)
    while child.poll() is None and server.ask("count") < requests:
        time.sleep(0.02)
    child.kill()
    child.wait()


# -- the other processes


def _serve(site: Path) -> None:
    from quaero.testing.site import SiteServer, pages_of

    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with SiteServer(pages_of(site)) as server:
            print(f"{server.url.rstrip('/')}/", flush=True)
            while question := await loop.run_in_executor(None, sys.stdin.readline):
                if question == "forget\n":
                    server.hits.clear()
                is_count = question == "count\n"
                print(json.dumps(len(server.hits) if is_count else server.paths()), flush=True)

    asyncio.run(main())


def _scrapy(url: str, place: Path) -> None:
    import scrapy
    from scrapy.crawler import CrawlerProcess
    from scrapy.linkextractors import LinkExtractor

    from quaero.crawl.extract import extract

    db = sqlite3.connect(place / "pages.db")
    db.execute("pragma journal_mode = wal")
    db.execute("create table if not exists page(url text primary key, title text, text text)")
    db.execute("create virtual table if not exists page_text using fts5(title, text)")

    class Store:
        def process_item(self, item):
            db.execute("insert or replace into page values(:url, :title, :text)", item)
            db.execute("insert into page_text values(:title, :text)", item)
            db.commit()
            return item

    class Docs(scrapy.Spider):
        name = "docs"
        start_urls = (url,)
        links = LinkExtractor(allow=[re.escape(url.rpartition("/")[0] + "/")])

        def parse(self, response):
            kind = response.headers.get("Content-Type", b"").decode()
            if not kind.startswith("text/html"):
                return
            page = extract(response.body, response.url, kind)
            yield {"url": response.url, "title": page.title, "text": page.markdown}
            for link in self.links.extract_links(response):
                yield response.follow(link)

    process = CrawlerProcess(
        {
            "JOBDIR": str(place / "job"),
            "LOG_LEVEL": "ERROR",
            "ROBOTSTXT_OBEY": True,
            "CONCURRENT_REQUESTS_PER_DOMAIN": CONCURRENCY,
            "DOWNLOAD_DELAY": 0,
            "ITEM_PIPELINES": {Store: 1},
            "TELNETCONSOLE_ENABLED": False,
        }
    )
    process.crawl(Docs)
    process.start()


def _bare(start: str, place: Path) -> None:
    import aiohttp

    from quaero.app import run
    from quaero.crawl.addresses import Addresses
    from quaero.crawl.extract import extract

    db = sqlite3.connect(place / "pages.db", isolation_level=None)
    db.executescript(
        """
        pragma journal_mode = wal;
        pragma synchronous = full;
        create table page(url text primary key, title text, text text);
        create virtual table page_text using fts5(title, text);
        """
    )
    below = start.rpartition("/")[0] + "/"
    seen, row = {start}, [start]

    def store(pages) -> None:
        db.execute("begin")
        db.executemany("insert into page values(?, ?, ?)", pages)
        db.executemany("insert into page_text values(?2, ?3)", pages)
        db.execute("commit")

    async def fetch(session: aiohttp.ClientSession, url: str):
        async with session.get(url) as answer:
            return url, answer.status, answer.headers["Content-Type"], await answer.read()

    def read(url: str, kind: str, body: bytes):
        page, addresses = extract(body, url, kind), Addresses(url)
        for href, _ in page.links:
            link = (addresses.of(href.partition("#")[0]) or "") if href[0] != "#" else ""
            if link.startswith(below) and link not in seen:
                seen.add(link)
                row.append(link)
        return url, page.title, page.markdown

    async def main() -> None:
        async with aiohttp.ClientSession() as session:
            while row:
                urls = [row.pop() for _ in range(min(CONCURRENCY, len(row)))]
                answers = await asyncio.gather(*(fetch(session, url) for url in urls))
                store(
                    [
                        read(url, kind, body)
                        for url, status, kind, body in answers
                        if status == 200 and kind.startswith("text/html")
                    ]
                )

    run(main())
    db.close()


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        _serve(Path(sys.argv[2]))
    elif sys.argv[1] == "bare":
        _bare(sys.argv[2], Path(sys.argv[3]))
    else:
        _scrapy(sys.argv[2], Path(sys.argv[3]))
