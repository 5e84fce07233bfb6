"""A crawl of a real documentation tree on loopback, against Scrapy with JOBDIR.

Both obey robots.txt, convert each page with the same function, and store Markdown with a full-text
index in SQLite. CPU is that of all processes of the contestant, memory the largest sum over them.
The site is a Debian package's HTML, served by a process of its own that is not counted.
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
from pathlib import Path

PACKAGE = "postgresql-doc-15"


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


def serve(site: Path) -> tuple[subprocess.Popen[str], str]:
    """A server of the folder in another process, and its address."""
    server = subprocess.Popen(
        [sys.executable, __file__, "serve", str(site)], stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    return server, server.stdout.readline().strip()


def measured(command: list[str], environ: dict[str, str]) -> tuple[float, float, float]:
    """Wall seconds, CPU seconds of all its processes, and its most memory in MB."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    child = subprocess.Popen(command, env=os.environ | environ, stdout=subprocess.DEVNULL)
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
    """The table."""
    site = fetch_site(folder)
    server, url = serve(site)
    try:
        rows = []
        for _ in range(3):
            place = folder / "quaero"
            command = [sys.executable, "-m", "quaero", "--data-dir", str(place), "crawl",
                       f"{url}index.html", "--max-pages", "0", "--max-depth", "1000"]  # fmt: skip
            ours = measured(command, {})
            pages = _count(place / "quaero.db", "document")
            shutil.rmtree(place)
            place.mkdir()
            command = [sys.executable, __file__, "scrapy", f"{url}index.html", str(place)]
            theirs = measured(command, {})
            their_pages = _count(place / "pages.db", "page")
            shutil.rmtree(place)
            rows.append((pages, ours, their_pages, theirs))
            print(json.dumps(rows[-1]))
    finally:
        server.kill()
        server.wait()
    rows.sort(key=lambda row: (row[0] / row[1][1]) / (row[2] / row[3][1]))
    pages, ours, their_pages, theirs = rows[len(rows) // 2]
    rate, their_rate = pages / ours[1], their_pages / theirs[1]
    other = f"| {their_pages} | {theirs[0]:.1f} | {their_rate:.0f} | {theirs[2]:.0f} MB |"
    return [
        f"### A crawl of {PACKAGE} on loopback", "",
        "| | pages | wall s | pages per CPU second | most memory |", "|---|---:|---:|---:|---:|",
        f"| quaero | {pages} | {ours[0]:.1f} | {rate:.0f} | {ours[2]:.0f} MB |",
        f"| Scrapy with JOBDIR {other}",
        f"| ours is | | | {rate / their_rate:.1f}x | {ours[2] / theirs[2]:.2f} of it |", "",
    ]  # fmt: skip


def _count(path: Path, table: str) -> int:
    db = sqlite3.connect(path)
    ((count,),) = db.execute(f"select count(*) from {table}").fetchall()
    db.close()
    return int(count)


# -- the other processes


def _serve(site: Path) -> None:
    from quaero.testing.site import SiteServer, pages_of

    async def main() -> None:
        async with SiteServer(pages_of(site)) as server:
            print(f"{server.url.rstrip('/')}/", flush=True)
            await asyncio.Event().wait()

    asyncio.run(main())


def _scrapy(url: str, place: Path) -> None:
    import scrapy
    from scrapy.crawler import CrawlerProcess
    from scrapy.linkextractors import LinkExtractor

    from quaero.crawl.extract import extract

    db = sqlite3.connect(place / "pages.db")
    db.execute("pragma journal_mode = wal")
    db.execute("create table page(url text primary key, title text, text text)")
    db.execute("create virtual table page_text using fts5(title, text)")

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
            "CONCURRENT_REQUESTS_PER_DOMAIN": 4,
            "DOWNLOAD_DELAY": 0,
            "ITEM_PIPELINES": {Store: 1},
            "TELNETCONSOLE_ENABLED": False,
        }
    )
    process.crawl(Docs)
    process.start()


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        _serve(Path(sys.argv[2]))
    else:
        _scrapy(sys.argv[2], Path(sys.argv[3]))
