"""Crawls of sites on this machine, run as the program runs them, and what came of them."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from quaero.app import Worker, worker
from quaero.crawl import frontier
from quaero.crawl.cookies import Cookie
from quaero.crawl.frontier import CrawlReport
from quaero.crawl.login import Login
from quaero.crawl.payloads import Crawl
from quaero.db.contract import ReadTx
from quaero.documents.model import Document, Filter
from quaero.documents.read import documents, ids_after
from quaero.jobs.create import create
from quaero.jobs.logs import Level, LogLine, Query, read
from quaero.jobs.model import JobSpec, Status
from quaero.jobs.read import Summary, get
from quaero.settings import Settings
from quaero.settings.model import CrawlSettings, QueueSettings, WorkSettings
from quaero.testing.jobs import ended as job_ended
from quaero.testing.site import Hit

LONGEST = 30.0
SESSION = "session"
JITTER = 0.05
"""Seconds by which one process, client and site, may see a request later than it was written."""


def gaps(hits: Sequence[Hit]) -> list[float]:
    """Seconds from one start to the next."""
    starts = sorted(hit.started for hit in hits)
    return [later - sooner for sooner, later in pairwise(starts)]


@dataclass(frozen=True)
class PageJob:
    """One page of a crawl as its job was left."""

    url: str
    status: Status
    error: str | None
    result: Any
    depth: int
    found_on: str | None


@dataclass(frozen=True)
class Ran:
    """A crawl that was run, as the database has it."""

    root: Summary
    report: CrawlReport
    pages: list[PageJob]
    log: list[LogLine]
    documents: list[Document] = field(repr=False)

    @property
    def urls(self) -> list[str]:
        return [document.summary.url for document in self.documents]

    @property
    def refused(self) -> dict[str, int]:
        return {reason: number for reason, (number, _) in self.report.refused.items()}

    def outcomes(self) -> Counter[str]:
        """How many pages ended how."""
        return Counter(
            page.result["outcome"] if page.result else page.status.word for page in self.pages
        )

    def page(self, url: str) -> PageJob:
        (found,) = [page for page in self.pages if page.url == url]
        return found

    def said(self, text: str) -> list[LogLine]:
        return [line for line in self.log if text in line.message]


def settings(folder: Path, *, slots: int = 8, **crawl: Any) -> Settings:
    """Settings of a program that keeps its data in a folder."""
    return Settings(
        data_dir=folder,
        queue=QueueSettings(concurrency=slots),
        crawl=CrawlSettings(**crawl),
        work=WorkSettings(grace="500ms"),
    )


def login(cookies: Sequence[Cookie] = (), headers: Mapping[str, str] | None = None) -> Login:
    return Login(SESSION, cookies, headers or {})


async def begin(made: Worker, seeds: Sequence[str], **options: Any) -> int:
    """Begin a crawl as the command line does; returns its id."""
    crawl = Crawl(seeds=list(seeds), **options)
    spec = JobSpec("crawler", crawl.model_dump_json(), name=crawl.seeds[0])

    def make(tx: Any) -> int:
        (root_id,) = create(tx, made.queue_id, [spec])
        frontier.begin(tx, root_id, frontier.identity_of(crawl.seeds), crawl.max_pages)
        return root_id

    return await made.db.write(make)


async def ended(made: Worker, root_id: int, longest: float = LONGEST) -> None:
    """Work until the crawl has ended."""
    async with asyncio.timeout(longest):
        working = asyncio.create_task(made.pool.run())
        ending = asyncio.create_task(job_ended(made.db, root_id))
        try:
            done, _ = await asyncio.wait((working, ending), return_when=asyncio.FIRST_COMPLETED)
            for each in done:
                each.result()
        finally:
            ending.cancel()
            made.pool.stop()
            await working


async def crawl(
    folder: Path,
    *seeds: str,
    with_login: Login | None = None,
    slots: int = 8,
    config: Mapping[str, Any] | None = None,
    **options: Any,
) -> Ran:
    """Crawl to the end in this process."""
    async with worker(settings(folder, slots=slots, **(config or {})), login=with_login) as made:
        root_id = await begin(made, seeds, **options)
        await ended(made, root_id)
        return await made.db.read(look, root_id)


def look(tx: ReadTx, root_id: int) -> Ran:
    """What came of a crawl."""
    rows = tx.execute("select id from job where parent_id = $1 order by id", (root_id,))
    jobs = [get(tx, id_) for (id_,) in rows]
    report = frontier.report(tx, root_id)
    assert report is not None
    return Ran(
        get(tx, root_id).summary,
        report,
        [
            PageJob(
                job.payload["url"], job.summary.status, job.summary.error, job.result,
                job.payload["depth"], job.payload["found_on"],
            )
            for job in jobs
        ],
        read(tx, Query(root_id, tree=True, at_least=Level.DEBUG, ascending=True, limit=10_000)),
        documents(tx, ids_after(tx, Filter(), 0)),
    )  # fmt: skip


def links(*targets: str, title: str = "A page", text: str = "") -> str:
    """A page with these links."""
    anchors = "".join(f'<p><a href="{target}">link</a></p>' for target in targets)
    return f"<html><head><title>{title}</title></head><body><p>{text or title}</p>{anchors}</body>"
