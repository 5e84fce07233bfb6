"""The frontier of a crawl: which addresses it knows, which became jobs, which wait or were refused.

All of it lies in tables and changes with the completion of the page that found the links, so a
page is crawled once however often it is found, the page limit is exact over all processes, and a
crash forgets nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import msgspec

from quaero.clock import SECOND
from quaero.crawl.payloads import Crawl
from quaero.crawl.scope import shortened
from quaero.crawl.urls import host_key, url_hash
from quaero.db.contract import ReadTx, Tx
from quaero.errors import Conflict, NotFound
from quaero.jobs import logs
from quaero.jobs.create import accept_children, insert
from quaero.jobs.logs import Level
from quaero.jobs.model import JobRow, JobSpec
from quaero.jobs.reopen import reopen_parent
from quaero.jobs.rows import load_one
from quaero.queue import lanes
from quaero.queue.message import Lane

SAMPLES = 5
GO_ON_AT_ONCE = 1_000
FORGET_AT_ONCE = 1_000
_LEFT = (
    ("crawl_url", "hash"), ("crawl_many", "hash"), ("crawl_waiting", "id"),
    ("crawl_refusal", "reason"),
)  # fmt: skip
_TOTALS = ("created", "changed", "unchanged", "gone", "empty")


@dataclass(frozen=True, slots=True)
class Found:
    """An address that belongs to the crawl, with where it was found."""

    url: str
    depth: int
    found_on: str | None


@dataclass(frozen=True, slots=True)
class Traps:
    """How many addresses are followed that differ in their query only, or are of one host.

    0 is no limit.
    """

    variants: int
    host_pages: int

    @classmethod
    def of(cls, crawl: Crawl) -> Self:
        """What the settings of a crawl ask for."""
        return cls(crawl.max_variants, crawl.max_host_pages)


@dataclass(frozen=True, slots=True)
class Politeness:
    """How a crawl treats a host: requests at a time, microseconds between their starts.

    With `free` it keeps no pace that a robots.txt has asked for, of another crawl either.
    """

    concurrency: int
    interval: int
    free: bool = False

    @classmethod
    def of(cls, crawl: Crawl) -> Self:
        """What the settings of a crawl ask for."""
        return cls(crawl.concurrency, int(crawl.delay * SECOND), not crawl.respect_robots)

    def lane(self, url: str) -> Lane:
        """The lane of an address."""
        return Lane(host_key(url), self.concurrency, self.interval)

    def settle(self, tx: Tx, queue_id: int, urls: Iterable[str]) -> None:
        """Bring the lanes of addresses to the pace of this crawl."""
        for key in sorted({host_key(url) for url in urls}) if self.free else ():
            lanes.set_pace(tx, queue_id, key, 0)


def begin(tx: Tx, root_id: int, identity: str, max_pages: int) -> None:
    """Note that a crawl begins; a second time changes nothing."""
    tx.execute(
        """
        insert into crawl(root_id, identity, max_pages) values($1, $2, $3) on conflict do nothing
        """,
        (root_id, identity, max_pages),
    )


def enter(tx: Tx, root_id: int, found: Iterable[Found]) -> list[Found]:
    """Enter addresses; returns those that the crawl did not know, each once, in the order given."""
    by_hash: dict[str, Found] = {}
    for each in found:
        by_hash.setdefault(url_hash(each.url).hex(), each)
    if not by_hash:
        return []
    rows = tx.execute(
        """
        insert into crawl_url(root_id, hash) select $2, unhex(value) from each($1) where true
            on conflict do nothing returning hash
        """,
        (msgspec.json.encode(sorted(by_hash)).decode(), root_id),
    )
    fresh = {hash_.hex() for (hash_,) in rows}
    return [each for hash_, each in by_hash.items() if hash_ in fresh]


def admit_links(
    tx: Tx, root: JobRow, fresh: Sequence[Found], politeness: Politeness, traps: Traps
) -> None:
    """Do with links just entered as `admit_new`, but refuse those that are one too many of a kind.

    Each is to be given once, for it is counted.
    """
    kept, many = _counted(tx, root.id, fresh, _path_with_query, traps.variants)
    kept, more = _counted(tx, root.id, kept, host_key, traps.host_pages)
    admit_new(tx, root, kept, politeness)
    if many := many + more:
        samples = {"trap": [shortened(each.url) for each in many[:SAMPLES]]}
        refuse(tx, root.id, {"trap": len(many)}, samples)
        said = {"trap": len(many), "samples": samples}
        logs.say(tx, root, Level.DEBUG, "links refused", said)


def _path_with_query(url: str) -> str:
    path, mark, _ = url.partition("?")
    return path + mark if mark else ""


def _counted(
    tx: Tx, root_id: int, found: Sequence[Found], kind: Callable[[str], str], most: int
) -> tuple[list[Found], list[Found]]:
    """Count addresses by their kind, where they have one; the first `most` of each are kept."""
    kinds = [kind(each.url) if most else "" for each in found]
    gained = Counter(filter(None, kinds))
    if not gained:
        return list(found), []
    kind_of = {url_hash(each).hex(): each for each in gained}
    numbers = sorted((hash_, gained[each]) for hash_, each in kind_of.items())
    rows = tx.execute(
        """
        insert into crawl_many(root_id, hash, n)
        select $2, unhex(value ->> 0), value ->> 1 from each($1) where true
            on conflict(root_id, hash) do update set n = crawl_many.n + excluded.n
        returning hash, n
        """,
        (msgspec.json.encode(numbers).decode(), root_id),
    )
    room = {(each := kind_of[hash_.hex()]): most - n + gained[each] for hash_, n in rows}
    kept: list[Found] = []
    many: list[Found] = []
    for one, its in zip(found, kinds, strict=True):
        (kept if not its or room[its] > 0 else many).append(one)
        if its:
            room[its] -= 1
    return kept, many


def admit_new(tx: Tx, root: JobRow, fresh: Sequence[Found], politeness: Politeness) -> int:
    """Make jobs of addresses just entered, as far as the page limit goes; returns how many.

    What is beyond the limit waits, in the order found.
    """
    if not fresh:
        return 0
    room = _take_room(tx, root.id, len(fresh))
    _create(tx, root, fresh[:room], politeness)
    _hold_back(tx, root.id, fresh[room:])
    return room


def _take_room(tx: Tx, root_id: int, wanted: int) -> int:
    ((admitted, most),) = tx.execute(
        "select admitted, max_pages from crawl where root_id = $1", (root_id,)
    )
    room = wanted if not most else max(0, min(wanted, most - admitted))
    if room:
        tx.execute("update crawl set admitted = admitted + $2 where root_id = $1", (root_id, room))
    return room


def note_admitted(tx: Tx, root_id: int, number: int) -> None:
    """Count what was taken up by a run that needs no jobs for it."""
    tx.execute("update crawl set admitted = admitted + $2 where root_id = $1", (root_id, number))


def _create(tx: Tx, root: JobRow, pages: Sequence[Found], politeness: Politeness) -> None:
    specs = [
        JobSpec(
            "crawler_url",
            msgspec.json.encode(
                {"url": page.url, "depth": page.depth, "found_on": page.found_on}
            ).decode(),
            name=page.url,
            priority=root.priority,
            lane=politeness.lane(page.url),
        )
        for page in pages
    ]
    if specs:
        politeness.settle(tx, root.queue_id, [page.url for page in pages])
        insert(tx, root.queue_id, specs, root)


def _hold_back(tx: Tx, root_id: int, pages: Sequence[Found]) -> None:
    if not pages:
        return
    tx.execute(
        """
        insert into crawl_waiting(root_id, url, depth, found_on)
        select $2, value ->> 0, value ->> 1, value ->> 2 from each($1)
        """,
        (
            msgspec.json.encode([(p.url, p.depth, p.found_on) for p in pages]).decode(),
            root_id,
        ),
    )
    tx.execute("update crawl set waiting = waiting + $2 where root_id = $1", (root_id, len(pages)))


def go_on(tx: Tx, root_id: int, max_pages: int, politeness: Politeness) -> int:
    """Raise a crawl's page limit and make jobs of the first of what waited; returns how many.

    The others are made by `go_on_more`. A crawl that has ended is reopened; for one that has not
    it is enough that it may find more. Raises `NotFound`, or `Conflict` where it has ended and
    nothing waits, or where it was cancelled.
    """
    rows = tx.execute("select waiting from crawl where root_id = $1", (root_id,))
    if not rows:
        raise NotFound(f"job {root_id} is not a crawl")
    if not rows[0][0] and not load_one(tx, root_id).status.open:
        raise Conflict(f"crawl {root_id} has no known links left; crawl again to look for new ones")
    tx.execute("update crawl set max_pages = $2 where root_id = $1", (root_id, max_pages))
    return go_on_more(tx, root_id, politeness)


def go_on_more(tx: Tx, root_id: int, politeness: Politeness) -> int:
    """Make jobs of up to a thousand addresses that waited, in the order found; returns how many.

    0 where none waits any more, or the page limit is reached. Raises `Conflict` where the crawl was
    cancelled meanwhile.
    """
    ((waiting,),) = tx.execute("select waiting from crawl where root_id = $1", (root_id,))
    room = _take_room(tx, root_id, min(waiting, GO_ON_AT_ONCE))
    if not room:
        return 0
    root = reopen_parent(tx, root_id)
    accept_children(root)
    rows = tx.execute(
        """
        delete from crawl_waiting where id in
            (select id from crawl_waiting where root_id = $1 order by id limit $2)
        returning id, url, depth, found_on
        """,
        (root_id, room),
    )
    tx.execute("update crawl set waiting = waiting - $2 where root_id = $1", (root_id, len(rows)))
    pages = [Found(url, depth, found_on) for _, url, depth, found_on in sorted(rows)]
    _create(tx, root, pages, politeness)
    return len(pages)


def follow_redirect(tx: Tx, root_id: int, job_id: int, url: str) -> bool:
    """Whether a job that was redirected to an address is the one to fetch it.

    False where the crawl knows the address already. Asking again gives the same answer, so a crash
    between this and the fetch loses nothing.
    """
    hash_ = url_hash(url)
    tx.execute(
        "insert into crawl_url(root_id, hash, job_id) values($1, $2, $3) on conflict do nothing",
        (root_id, hash_, job_id),
    )
    ((owner,),) = tx.execute(
        "select job_id from crawl_url where root_id = $1 and hash = $2", (root_id, hash_)
    )
    return bool(owner == job_id)


def refuse(
    tx: Tx, root_id: int, refused: Mapping[str, int], samples: Mapping[str, Sequence[str]]
) -> None:
    """Count refused links by reason, and keep the first few of each as samples."""
    if not refused:
        return
    rows = tx.execute("select reason, samples from crawl_refusal where root_id = $1", (root_id,))
    known: dict[str, list[str]] = {reason: msgspec.json.decode(text) for reason, text in rows}
    counted = []
    for reason, number in sorted(refused.items()):
        kept = known.get(reason, [])
        for sample in samples.get(reason, ()):
            if len(kept) >= SAMPLES:
                break
            if sample not in kept:
                kept.append(sample)
        counted.append((reason, number, msgspec.json.encode(kept).decode()))
    tx.execute(
        """
        insert into crawl_refusal(root_id, reason, n, samples)
        select $2, value ->> 0, value ->> 1, value ->> 2 from each($1) where true
            on conflict(root_id, reason)
            do update set n = crawl_refusal.n + excluded.n, samples = excluded.samples
        """,
        (msgspec.json.encode(counted).decode(), root_id),
    )


def add_totals(tx: Tx, root_id: int, gained: Mapping[str, int]) -> None:
    """Count pages among the created, changed, unchanged, gone or empty ones."""
    if not gained:
        return
    if strange := gained.keys() - set(_TOTALS):
        raise ValueError(f"{sorted(strange)} are not counted; known are {', '.join(_TOTALS)}")
    names = sorted(gained)
    sets = ", ".join(f"{name} = {name} + ${n}" for n, name in enumerate(names, 2))
    tx.execute(
        f"update crawl set {sets} where root_id = $1", (root_id, *(gained[name] for name in names))
    )


@dataclass(frozen=True, slots=True)
class CrawlReport:
    """What is known of a crawl besides its jobs; `refused` is (count, samples) by reason."""

    root_id: int
    max_pages: int
    admitted: int
    waiting: int
    created: int
    changed: int
    unchanged: int
    gone: int
    empty: int
    refused: dict[str, tuple[int, list[str]]]


def report(tx: ReadTx, root_id: int) -> CrawlReport | None:
    """The report of a crawl; None before its first run, or where the job is no crawl."""
    rows = tx.execute(
        """
        select root_id, max_pages, admitted, waiting, created, changed, unchanged, gone, empty
          from crawl where root_id = $1
        """,
        (root_id,),
    )
    if not rows:
        return None
    refused = {
        reason: (n, msgspec.json.decode(samples))
        for reason, n, samples in tx.execute(
            "select reason, n, samples from crawl_refusal where root_id = $1 order by n desc",
            (root_id,),
        )
    }
    id_, most, admitted, waiting, created, changed, unchanged, gone, empty = rows[0]
    return CrawlReport(
        id_, most, admitted, waiting, created, changed, unchanged, gone, empty, refused
    )


def newest(tx: ReadTx, identity: str) -> int | None:
    """The newest crawl of these seeds."""
    rows = tx.execute(
        "select root_id from crawl where identity = $1 order by root_id desc limit 1", (identity,)
    )
    return int(rows[0][0]) if rows else None


def identity_of(seeds: Iterable[str], source: int = 0) -> str:
    """What makes two crawls the same undertaking: their seeds, and the source they are of."""
    of_source = [f"source {source}"] if source else []
    return url_hash("\n".join([*of_source, *sorted(seeds)])).hex()


def note_stop(tx: Tx, root_id: int, why: str) -> None:
    """Note in one word why a crawl was stopped, for those who look at it later."""
    tx.execute("update crawl set stopped_by = $2 where root_id = $1", (root_id, why))


def stopped_by(tx: ReadTx, root_id: int) -> str | None:
    """The word of `note_stop`."""
    rows = tx.execute("select stopped_by from crawl where root_id = $1", (root_id,))
    return rows[0][0] if rows else None


# -- forgetting


def forget(tx: Tx, root_id: int) -> int:
    """Remove up to a thousand rows that a crawl left; returns how many, 0 when all is gone."""
    for table, key in _LEFT:
        rows = tx.execute(
            f"""
            delete from {table} where root_id = $1 and {key} in
                (select {key} from {table} where root_id = $1 limit $2) returning 1
            """,
            (root_id, FORGET_AT_ONCE),
        )
        if rows:
            return len(rows)
    return len(tx.execute("delete from crawl where root_id = $1 returning 1", (root_id,)))


# -- links of pages, for recrawls


def keep_links(tx: Tx, source_id: int, url: str, links: bytes) -> None:
    """Keep the packed links of a page."""
    tx.execute(
        """
        insert into page_links(source_id, hash, links) values($1, $2, $3)
            on conflict(source_id, hash) do update set links = excluded.links
        """,
        (source_id, url_hash(url), links),
    )


def keeps_links(tx: ReadTx, source_id: int, url: str) -> bool:
    """Whether the links of a page are kept."""
    return bool(
        tx.execute(
            "select 1 from page_links where source_id = $1 and hash = $2",
            (source_id, url_hash(url)),
        )
    )


def kept_links(tx: ReadTx, source_id: int, url: str) -> bytes | None:
    """The packed links of a page as it was last fetched."""
    rows = tx.execute(
        "select links from page_links where source_id = $1 and hash = $2",
        (source_id, url_hash(url)),
    )
    return rows[0][0] if rows else None
