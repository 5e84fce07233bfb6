"""What pages change in the database when their runs complete.

All pages that complete in one transaction are written together: their documents by one save, their
links by one look for what is new, their counts by one statement for each crawl. The order within is
that of all locks: addresses seen, documents, lanes and jobs, the crawl's own row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from quaero.crawl import frontier
from quaero.crawl.frontier import Found, Traps
from quaero.crawl.redirects import Way
from quaero.crawl.session import ActiveCrawl
from quaero.db.contract import ReadTx, Tx, together
from quaero.documents import store
from quaero.documents.model import NewDocument, Outcome
from quaero.documents.store import Seen
from quaero.documents.tags import add_tags
from quaero.jobs.model import JobRow
from quaero.jobs.rows import load_one


@dataclass(frozen=True, slots=True, kw_only=True)
class PageDone:
    """What one page leaves.

    The links to admit and those refused by reason, with samples; its document, with its own links
    packed by its address, which go with the validators; or that it is as it was: `unchanged`, with
    what the server said as `seen`; the addresses from which it has `moved` for good.
    """

    crawl: ActiveCrawl
    found: Sequence[Found] = ()
    refused: Mapping[str, int] = field(default_factory=dict)
    samples: Mapping[str, Sequence[str]] = field(default_factory=dict)
    links: tuple[str, bytes] | None = None
    document: NewDocument | None = None
    seen: Seen | None = None
    unchanged: bool = False
    moved: Sequence[str] = ()


def _finish_pages(tx: Tx, calls: Sequence[tuple[Any, Any]]) -> list[None]:
    pages = [(args[0], kwargs["done"]) for args, kwargs in calls]
    by_root: dict[int, list[PageDone]] = {}
    for _, done in pages:
        by_root.setdefault(done.crawl.root_id, []).append(done)
    fresh = {root_id: _enter(tx, root_id, each) for root_id, each in by_root.items()}
    totals = _save(tx, pages)
    for root_id, each in by_root.items():
        if fresh[root_id]:
            crawl = each[0].crawl
            traps = Traps.of(crawl.settings)
            root = load_one(tx, root_id)
            frontier.admit_links(tx, root, fresh[root_id], crawl.politeness, traps)
        _refuse(tx, root_id, each)
        frontier.add_totals(tx, root_id, totals.get(root_id, {}))
    return [None] * len(calls)


@together(_finish_pages)
def finish_page(tx: Tx, job: JobRow, *, done: PageDone) -> None:
    """Write what a page leaves."""
    _finish_pages(tx, [((job,), {"done": done})])


def _enter(tx: Tx, root_id: int, pages: Iterable[PageDone]) -> list[Found]:
    return frontier.enter(tx, root_id, [link for done in pages for link in done.found])


def _refuse(tx: Tx, root_id: int, pages: Iterable[PageDone]) -> None:
    refused: Counter[str] = Counter()
    samples: dict[str, list[str]] = {}
    for done in pages:
        refused.update(done.refused)
        for reason, links in done.samples.items():
            samples.setdefault(reason, []).extend(links)
    frontier.refuse(tx, root_id, refused, samples)


def _save(tx: Tx, pages: Sequence[tuple[JobRow, PageDone]]) -> dict[int, Counter[str]]:
    """Save documents and note what is unchanged; returns what to count for each crawl.

    Where a full document stays as it is, its links stay with its validators.
    """
    totals: dict[int, Counter[str]] = {}
    full: set[tuple[int, str]] = set()
    left = []
    for _, done in pages:
        if done.document is not None:
            left.append((done.crawl.root_id, done.document))
        if done.unchanged:
            totals.setdefault(done.crawl.root_id, Counter())["unchanged"] += 1
    _touch(tx, [done for _, done in pages if done.seen is not None])
    while left:
        now, left = _one_of_each(left)
        for (root_id, _), saved in zip(now, store.save(tx, [new for _, new in now]), strict=True):
            kept = saved.outcome is Outcome.KEPT_FULL
            if kept:
                full.add((saved.source_id, saved.url))
            what = str(Outcome.UNCHANGED if kept else saved.outcome)
            totals.setdefault(root_id, Counter())[what] += 1
    for _, done in pages:
        source = done.crawl.settings.source
        if done.links is not None and (source, done.links[0]) not in full:
            frontier.keep_links(tx, source, *done.links)
        if done.moved:
            gone = store.mark_gone(tx, source, done.moved)
            totals.setdefault(done.crawl.root_id, Counter())["gone"] += len(gone)
    return totals


def _touch(tx: Tx, pages: Sequence[PageDone]) -> None:
    """Note pages as seen, and give them the tags that their source has by now."""
    by_tags: dict[tuple[str, ...], list[Seen]] = {}
    for done in pages:
        if done.seen is not None:
            by_tags.setdefault(tuple(done.crawl.settings.tags), []).append(done.seen)
    for names, seen in by_tags.items():
        ids = store.touch(tx, seen)
        add_tags(tx, ((id_, name) for id_ in ids for name in names))


_Documents = list[tuple[int, NewDocument]]


def _one_of_each(documents: _Documents) -> tuple[_Documents, _Documents]:
    """The first of each address, and the others: two crawls may save one page at a time."""
    first: dict[tuple[int, str], tuple[int, NewDocument]] = {}
    others = [
        each
        for each in documents
        if first.setdefault((each[1].source_id, each[1].url), each) is not each
    ]
    return list(first.values()), others


def admit_seeds(crawl: ActiveCrawl, seeds: list[Found], tx: Tx, job: JobRow) -> None:
    """Begin a crawl with its seeds."""
    identity = frontier.identity_of(crawl.scope.seeds, crawl.settings.source)
    frontier.begin(tx, job.id, identity, crawl.settings.max_pages)
    frontier.admit_new(tx, job, frontier.enter(tx, job.id, seeds), crawl.politeness)


def note_gone(tx: Tx, _job: JobRow, *, crawl: ActiveCrawl, urls: Sequence[str]) -> None:
    """The site says that a page is no more, and so are those that lead to it."""
    if gone := store.mark_gone(tx, crawl.settings.source, list(dict.fromkeys(urls))):
        frontier.add_totals(tx, crawl.root_id, {"gone": len(gone)})


def note_moved(tx: Tx, _job: JobRow, *, crawl: ActiveCrawl, urls: Sequence[str], to: str) -> None:
    """The site says that a page is now at `to`, which another job fetches.

    Until that is stored, what was stored before is all there is of it, and stays.
    """
    if urls and store.validators(tx, crawl.settings.source, [to]):
        gone = store.mark_gone(tx, crawl.settings.source, urls)
        frontier.add_totals(tx, crawl.root_id, {"gone": len(gone)})


def hangs_on(tx: ReadTx, crawl: ActiveCrawl, way: Way, target: str) -> bool:
    """Whether only the answer at `target` tells what becomes of stored pages that lead to it.

    The job that fetches it may have found it gone already, or not come to it yet. What is stored
    and was not seen by this crawl may still be found gone; but a page that leads there for good has
    moved, whatever becomes of that.
    """
    stored = store.validators(tx, crawl.settings.source, [*way.trail, target])
    there = stored.pop(target, None)
    if there is not None and there.root_id == crawl.root_id:
        return False
    return bool(stored if there is None else stored.keys() - way.moved)
