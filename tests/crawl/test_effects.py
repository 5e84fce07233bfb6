"""Pages that complete in one transaction count and lead on exactly as if they came one by one."""

from __future__ import annotations

from typing import Any

import pytest

from quaero.crawl import frontier
from quaero.crawl.cookies import ScopedCredentials
from quaero.crawl.effects import PageDone, finish_page
from quaero.crawl.frontier import CrawlReport, Found, Politeness
from quaero.crawl.payloads import Crawl
from quaero.crawl.policy import NetworkPolicy
from quaero.crawl.session import ActiveCrawl
from quaero.db.contract import Tx
from quaero.documents.model import NewDocument, content_hash
from quaero.errors import Conflict
from quaero.jobs import logs, steer, transition
from quaero.jobs.create import create
from quaero.jobs.model import JobSpec
from quaero.jobs.rows import load_one
from quaero.queue.queue import open_queue

from ..opening import Opened  # noqa: TID252

SEED = "http://docs.example.org/"


def begun(opened: Opened, max_pages: int = 0, **options: Any) -> ActiveCrawl:
    """A crawl with its record and nothing found yet."""
    settings = Crawl(seeds=[SEED], max_pages=max_pages, **options)
    scope = settings.to_scope()

    def begin(tx: Tx) -> int:
        (root_id,) = create(tx, open_queue(tx, "jobs"), [JobSpec("crawler")])
        frontier.begin(tx, root_id, frontier.identity_of(scope.seeds), max_pages)
        return root_id

    return ActiveCrawl(
        opened.db.write_sync(begin), settings, scope, b"", NetworkPolicy((), ()),
        ScopedCredentials(scope.seeds, (), None), Politeness(4, 0),
    )  # fmt: skip


def finished(opened: Opened, *pages: PageDone) -> None:
    """The pages complete in one transaction."""

    def finish(tx: Tx) -> None:
        calls = [((load_one(tx, done.crawl.root_id),), {"done": done}) for done in pages]
        finish_page.together(tx, calls)  # type: ignore[attr-defined]

    opened.db.write_sync(finish)


def report(opened: Opened, crawl: ActiveCrawl) -> CrawlReport:
    found = opened.db.read_sync(frontier.report, crawl.root_id)
    assert found is not None
    return found


def names(opened: Opened, crawl: ActiveCrawl) -> list[str]:
    rows = opened.db.read_sync(
        lambda tx: tx.execute(
            "select name from job where parent_id = $1 order by id", (crawl.root_id,)
        )
    )
    return [name for (name,) in rows]


def document(crawl: ActiveCrawl, text: str = "one") -> NewDocument:
    return NewDocument(
        source_id=0, url=SEED, title="Page", text=text, content_hash=content_hash("Page", text),
        root_id=crawl.root_id,
    )  # fmt: skip


def test_a_link_that_several_pages_have_becomes_one_job_in_the_order_found(opened: Opened) -> None:
    crawl = begun(opened)
    first = [Found(SEED + name, 1, SEED + "1") for name in ("c", "a")]
    second = [Found(SEED + name, 2, SEED + "2") for name in ("a", "b", "c")]
    finished(opened, PageDone(crawl=crawl, found=first), PageDone(crawl=crawl, found=second))
    finished(opened, PageDone(crawl=crawl, found=second))
    assert names(opened, crawl) == [SEED + "c", SEED + "a", SEED + "b"]
    assert report(opened, crawl).admitted == 3


def test_the_page_limit_holds_over_pages_that_complete_together(opened: Opened) -> None:
    crawl = begun(opened, max_pages=2)
    pages = [
        PageDone(crawl=crawl, found=[Found(f"{SEED}{name}{n}", 1, SEED) for n in range(2)])
        for name in "ab"
    ]
    finished(opened, *pages)
    assert names(opened, crawl) == [SEED + "a0", SEED + "a1"]
    assert (report(opened, crawl).admitted, report(opened, crawl).waiting) == (2, 2)


def test_refused_links_are_counted_over_all_pages_with_the_first_samples(opened: Opened) -> None:
    crawl = begun(opened)
    pages = [
        PageDone(
            crawl=crawl, refused={"scope": 3}, samples={"scope": [f"http://{n}{m}/" for m in "xyz"]}
        )
        for n in range(3)
    ]
    finished(opened, *pages[:2])
    finished(opened, pages[2], PageDone(crawl=crawl, refused={"depth": 1}))
    refused = report(opened, crawl).refused
    assert refused["scope"] == (9, ["http://0x/", "http://0y/", "http://0z/", "http://1x/",
                                    "http://1y/"])  # fmt: skip
    assert refused["depth"] == (1, [])


def test_links_beyond_so_many_of_a_kind_are_refused_each_once(opened: Opened) -> None:
    crawl = begun(opened, max_variants=2, max_host_pages=4)

    def found(*paths: str) -> PageDone:
        return PageDone(crawl=crawl, found=[Found(SEED + path, 1, SEED) for path in paths])

    finished(opened, found("day?n=1", "a", "day?n=1", "day?n=2"), found("day?n=3", "day?n=2"))
    assert names(opened, crawl) == [SEED + "day?n=1", SEED + "a", SEED + "day?n=2"]
    assert report(opened, crawl).refused == {"trap": (1, [SEED + "day?n=3"])}
    finished(opened, found("day?n=3", "day?n=4", "b?n=1", "c", "day"))
    assert names(opened, crawl)[3:] == [SEED + "b?n=1"]
    beyond = [SEED + path for path in ("day?n=3", "day?n=4", "c", "day")]
    assert report(opened, crawl).refused == {"trap": (4, beyond)}
    said = opened.db.read_sync(logs.read, logs.Query(crawl.root_id, ascending=True))
    assert [SEED + "day?n=3" in (each.fields or "") for each in said if "refused" in each.message] == [
        True, False,
    ]  # fmt: skip


def test_of_links_without_a_limit_none_is_counted(opened: Opened) -> None:
    crawl = begun(opened, max_variants=0)
    links = [Found(f"{SEED}day?n={n}", 1, SEED) for n in range(300)]
    finished(opened, PageDone(crawl=crawl, found=links))
    assert len(names(opened, crawl)) == 300
    assert opened.db.read_sync(lambda tx: tx.execute("select count(*) from crawl_many")) == [(0,)]


def test_two_crawls_that_save_one_page_at_once_count_it_as_they_would_in_turn(
    opened: Opened,
) -> None:
    one, same, other = begun(opened), begun(opened), begun(opened)
    finished(
        opened,
        PageDone(crawl=one, document=document(one)),
        PageDone(crawl=same, document=document(same)),
        PageDone(crawl=other, document=document(other, "two")),
    )
    assert report(opened, one).created == 1
    assert (report(opened, same).created, report(opened, same).unchanged) == (0, 1)
    assert (report(opened, other).created, report(opened, other).changed) == (0, 1)


def test_a_crawl_goes_on_in_portions_in_the_order_found_up_to_its_limit(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frontier, "GO_ON_AT_ONCE", 3)
    crawl = begun(opened, max_pages=2)
    urls = [f"{SEED}{number}" for number in range(10)]
    finished(opened, PageDone(crawl=crawl, found=[Found(url, 1, SEED) for url in urls]))
    made = [opened.write(frontier.go_on, crawl.root_id, 9, crawl.politeness)]
    while made[-1]:
        made.append(opened.write(frontier.go_on_more, crawl.root_id, crawl.politeness))
    assert made == [3, 3, 1, 0]
    assert names(opened, crawl) == urls[:9]
    assert (report(opened, crawl).admitted, report(opened, crawl).waiting) == (9, 1)


def test_a_crawl_that_is_being_cancelled_does_not_go_on(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    crawl = begun(opened, max_pages=1)
    finished(opened, PageDone(crawl=crawl, found=[Found(f"{SEED}{n}", 1, SEED) for n in range(3)]))
    monkeypatch.setattr(transition, "STOP_AT_ONCE", 0)
    opened.write(steer.cancel, crawl.root_id)
    with pytest.raises(Conflict, match="being cancelled"):
        opened.write(frontier.go_on, crawl.root_id, 9, crawl.politeness)
    assert report(opened, crawl).admitted == 1
