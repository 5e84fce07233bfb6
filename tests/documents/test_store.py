from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quaero.clock import SECOND
from quaero.db import SqliteDatabase
from quaero.documents import counts, fulltext, model, read, store, tags, versions
from quaero.documents.counts import Count
from quaero.documents.model import DetailLevel, Filter, NewDocument, Outcome, content_hash
from quaero.documents.search import search
from quaero.documents.store import Seen
from quaero.errors import NotFound
from quaero.testing.clock import FakeClock
from quaero.upkeep import merging

Page = Callable[..., NewDocument]


def save(db: SqliteDatabase, *documents: NewDocument) -> list[Any]:
    return db.write_sync(store.save, documents)


def found(db: SqliteDatabase, query: str) -> list[str]:
    results = db.read_sync(search, query)
    assert not results.relaxed
    return sorted(hit.document.url.rpartition("/")[2] for hit in results.hits)


def all_of(db: SqliteDatabase) -> Count:
    return db.read_sync(counts.stats).all


# -- saving


def test_a_saved_document_is_read_back_with_everything(
    db: SqliteDatabase, page: Page, clock: FakeClock
) -> None:
    new = page(
        "guide/intro",
        "# Intro\n\nÜber **alles**\n",
        title="Intro",
        source_id=7,
        source_type="confluence",
        words=3,
        description="What it is",
        language="de",
        author="Ann",
        published="2024-05-01",
        modified="2024-06-01T10:00:00Z",
        etag='"a"',
        last_modified="Sat, 01 Jun 2024 10:00:00 GMT",
        metadata={"headings": [[1, "Intro"]], "open_graph": {"title": "x"}},
        tags=("Docs", " two  words "),
        job_id=12,
        root_id=3,
    )
    (saved,) = save(db, new)
    assert saved == model.Saved(saved.id, 7, new.url, Outcome.CREATED, 1)
    document = db.read_sync(read.get, saved.id)
    assert document == db.read_sync(read.find, 7, new.url)
    summary = document.summary
    assert (document.text, document.metadata) == (new.text, new.metadata)
    assert (document.etag, document.last_modified) == (new.etag, new.last_modified)
    assert summary.site == "docs.example.org"
    assert summary.tags == ("docs", "two words")
    assert summary.bytes == len(new.text.encode())
    assert summary.first_seen == summary.fetched_at == summary.changed_at == clock.wall()
    assert (summary.job_id, summary.root_id, summary.gone_at) == (12, 3, None)
    for name in ("title", "description", "language", "author", "published", "modified", "words"):
        assert getattr(summary, name) == getattr(new, name)


def test_what_became_of_each_is_told_in_the_order_given(db: SqliteDatabase, page: Page) -> None:
    save(db, page("a", "1"), page("b", "1"), page("c", "1"))
    metadata = replace(page("c", ""), detail_level=DetailLevel.METADATA)
    saved = save(db, page("d", "1"), page("b", "2"), metadata, page("a", "1"))
    assert [(each.url[-1], each.outcome, each.version) for each in saved] == [
        ("d", Outcome.CREATED, 1),
        ("b", Outcome.CHANGED, 2),
        ("c", Outcome.KEPT_FULL, 1),
        ("a", Outcome.UNCHANGED, 1),
    ]


def test_one_address_in_two_sources_is_two_documents(db: SqliteDatabase, page: Page) -> None:
    one, two = save(db, page("a", source_id=1), page("a", source_id=2))
    assert one.id != two.id
    assert all_of(db).documents == 2


def test_the_last_of_the_same_address_in_one_call_counts(db: SqliteDatabase, page: Page) -> None:
    one, two = save(db, page("a", "first"), page("a", "second"))
    assert one == two
    assert db.read_sync(read.get, one.id).text == "second"


def test_saving_nothing_changes_nothing(db: SqliteDatabase) -> None:
    assert save(db) == []
    assert all_of(db) == Count()


def test_an_unchanged_page_keeps_its_text_and_takes_the_new_validators(
    db: SqliteDatabase, page: Page, clock: FakeClock
) -> None:
    (first,) = save(db, page("a", "text", etag='"1"', root_id=1, metadata={"status": "open"}))
    clock.pass_time(60)
    again = page("a", "text", etag='"2"', root_id=2, author="Ann", metadata={"status": "done"})
    (second,) = save(db, again)
    document = db.read_sync(read.get, first.id)
    assert second.outcome is Outcome.UNCHANGED
    assert document.etag == '"2"'
    assert document.metadata == {"status": "done"}
    assert document.summary.author == "Ann"
    assert document.summary.root_id == 2
    assert document.summary.fetched_at == document.summary.changed_at + 60 * SECOND
    assert db.read_sync(versions.listing, first.id) == []


def test_an_unchanged_page_writes_neither_text_nor_index(db: SqliteDatabase, page: Page) -> None:
    documents = [page(f"p{n}", f"text {n}", metadata={"n": n}) for n in range(50)]
    save(db, *documents)
    size = db.exclusively(lambda c: c.execute("select count(*) from document_fts_data").get)
    before = db.exclusively(lambda c: c.total_changes())
    save(db, *documents)
    assert db.exclusively(lambda c: c.total_changes()) - before == 50
    assert db.exclusively(lambda c: c.execute("select count(*) from document_fts_data").get) == size


def test_full_is_never_downgraded(db: SqliteDatabase, page: Page) -> None:
    (full,) = save(db, page("a", "the whole text", etag='"1"'))
    poor = page("a", "", title="other", detail_level=DetailLevel.METADATA, etag='"2"', tags=("x",))
    (kept,) = save(db, poor)
    document = db.read_sync(read.get, full.id)
    assert kept.outcome is Outcome.KEPT_FULL
    assert (document.text, document.summary.title) == ("the whole text", "a")
    assert document.summary.detail_level is DetailLevel.FULL
    assert document.etag == '"1"', "newer validators would hide that the text is older"
    assert document.summary.tags == ("x",)


def test_metadata_becomes_full(db: SqliteDatabase, page: Page) -> None:
    (poor,) = save(db, page("a", "", detail_level=DetailLevel.METADATA))
    (full,) = save(db, page("a", "the whole text"))
    assert (full.id, full.outcome, full.version) == (poor.id, Outcome.CHANGED, 1)
    assert db.read_sync(versions.listing, full.id) == []
    assert found(db, "whole") == ["a"]


def test_what_no_database_keeps_is_replaced(db: SqliteDatabase, page: Page) -> None:
    bad = page("a", "x\0y \ud800 z", title="t\0\udfff", etag="\udce9", metadata={"k": "\ud800"})
    (saved,) = save(db, bad)
    document = db.read_sync(read.get, saved.id)
    assert (document.text, document.summary.title) == ("xy \ufffd z", "t\ufffd")
    assert document.metadata == {"k": "\ufffd"}


@pytest.mark.parametrize(
    ("url", "site"),
    [
        ("https://docs.example.org/a", "docs.example.org"),
        ("http://127.0.0.1:8080/a", "127.0.0.1:8080"),
        ("http://[::1]:81/", "[::1]:81"),
        ("https://me:secret@example.org/", "example.org"),
        ("file:///home/me/notes.md", ""),
        ("http://[broken/", ""),
    ],
)
def test_the_site_is_the_host_of_the_address(
    db: SqliteDatabase, page: Page, url: str, site: str
) -> None:
    (saved,) = save(db, page("a", url=url))
    assert db.read_sync(read.get, saved.id).summary.site == site


def test_a_failed_write_leaves_no_count_and_no_index_entry(db: SqliteDatabase, page: Page) -> None:
    def fail(tx: Any) -> None:
        store.save(tx, [page("a", "word")])
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        db.write_sync(fail)
    assert all_of(db) == Count()
    assert found(db, "word") == []


def test_a_content_hash_is_of_title_and_text_whatever_they_hold() -> None:
    texts = [("T", "x"), ("T", "y"), ("U", "x"), ("T", "x\ud800é"), ("", "")]
    hashes = {content_hash(*each) for each in texts}
    assert len(hashes) == len(texts)
    assert {len(each) for each in hashes} == {32}


# -- touch, gone, validators


def test_validators_are_found_by_address_before_a_fetch(db: SqliteDatabase, page: Page) -> None:
    a = page("a", etag='"a"', source_id=1)
    b = page("b", last_modified="Mon", source_id=1, root_id=7)
    save(db, a, b, page("c", etag='"c"', source_id=2))
    known = db.read_sync(store.validators, 1, [a.url, b.url, "https://docs.example.org/c"])
    assert known == {
        a.url: ('"a"', None, a.content_hash, None),
        b.url: (None, "Mon", b.content_hash, 7),
    }


def test_a_304_touches_a_document(db: SqliteDatabase, page: Page, clock: FakeClock) -> None:
    (saved,) = save(db, page("a", etag='"1"', last_modified="Mon", root_id=1))
    clock.pass_time(5)
    seen = [Seen(saved.url, etag='"2"', job_id=9, root_id=8), Seen("https://unknown.example/")]
    assert db.write_sync(store.touch, seen) == [saved.id]
    document = db.read_sync(read.get, saved.id)
    assert (document.etag, document.last_modified) == ('"2"', "Mon")
    assert (document.summary.job_id, document.summary.root_id) == (9, 8)
    assert document.summary.fetched_at == clock.wall()
    assert document.summary.changed_at == clock.wall() - 5 * SECOND


def test_a_gone_document_is_kept_and_no_longer_found(db: SqliteDatabase, page: Page) -> None:
    (saved,) = save(db, page("a", "word", tags=("t",)))
    assert db.write_sync(store.mark_gone, 0, [saved.url, "https://unknown.example/"]) == [saved.id]
    assert db.write_sync(store.mark_gone, 0, [saved.url]) == []
    assert found(db, "word") == []
    assert db.read_sync(read.get, saved.id).summary.gone_at is not None
    assert all_of(db) == Count(1, 1, 1, 4)
    assert db.read_sync(counts.stats).by_tag == {"t": Count(1, 1, 1, 4)}


@pytest.mark.parametrize("how", ["touched", "unchanged", "changed", "kept_full"])
def test_a_gone_document_comes_back(db: SqliteDatabase, page: Page, how: str) -> None:
    (saved,) = save(db, page("a", "word", tags=("t",)))
    db.write_sync(store.mark_gone, 0, [saved.url])
    if how == "touched":
        db.write_sync(store.touch, [Seen(saved.url)])
    elif how == "kept_full":
        save(db, page("a", "", detail_level=DetailLevel.METADATA))
    else:
        save(db, page("a", "word" if how == "unchanged" else "word two"))
    assert found(db, "word") == ["a"]
    assert all_of(db).gone == 0
    assert db.read_sync(counts.stats).by_tag["t"].gone == 0


# -- versions


def test_a_changed_text_leaves_its_earlier_versions(
    db: SqliteDatabase, page: Page, clock: FakeClock
) -> None:
    start = clock.wall()
    for number in range(1, 4):
        (saved,) = save(db, page("a", f"text {number} ü", title=f"title {number}"))
        clock.pass_time(1)
    assert saved.version == 3
    kept = db.read_sync(versions.listing, saved.id)
    assert [(v.number, v.title, v.since, v.until) for v in kept] == [
        (2, "title 2", start + SECOND, start + 2 * SECOND),
        (1, "title 1", start, start + SECOND),
    ]
    assert db.read_sync(versions.text, saved.id, 1) == "text 1 ü"
    with pytest.raises(NotFound):
        db.read_sync(versions.text, saved.id, 3)


def test_pruning_keeps_the_newest_versions(db: SqliteDatabase, page: Page) -> None:
    for number in range(6):
        saved = save(db, page("a", f"a{number}"), page("b", f"b{number}"), page("c", "same"))
    after: int | None = 0
    gone = []
    while after is not None:
        number, after = db.write_sync(versions.prune, 2, after, 1)
        gone.append(number)
    assert gone in ([3, 3], [3, 3, 0])
    left = [[v.number for v in db.read_sync(versions.listing, each.id)] for each in saved]
    assert left == [[5, 4], [5, 4], []]
    assert db.write_sync(versions.prune, 0) == (4, None)
    assert db.read_sync(versions.listing, saved[0].id) == []


# -- tags


def test_tags_are_added_and_taken_in_one_form(db: SqliteDatabase, page: Page) -> None:
    one, two = save(db, page("a", tags=("New",)), page("b"))
    assert db.write_sync(tags.tag, [one.id, two.id, 999], ["NEW", "  Other   Tag", ""]) == 3
    assert db.read_sync(read.get, one.id).summary.tags == ("new", "other tag")
    assert db.write_sync(tags.untag, [one.id, two.id], ["new", "absent"]) == 2
    assert db.read_sync(read.get, two.id).summary.tags == ("other tag",)
    assert {k: c.documents for k, c in db.read_sync(counts.stats).by_tag.items()} == {
        "other tag": 2
    }


def test_a_tag_is_the_same_one_however_its_letters_are_put_together(
    db: SqliteDatabase, page: Page
) -> None:
    (saved,) = save(db, page("a", tags=("Cafe\u0301",)))
    assert db.write_sync(tags.tag, [saved.id], ["caf\u00e9", "caf\u00e9\0"]) == 0
    assert db.read_sync(search, "tag:cafe\u0301").total == 1
    assert db.read_sync(read.number, model.Filter(tag="caf\u00e9")) == 1
    assert db.write_sync(tags.untag, [saved.id], ["cafe\u0301"]) == 1


def test_a_tag_that_was_kept_as_it_was_written_can_be_taken(
    db: SqliteDatabase, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    (saved,) = save(db, page("a"))
    with monkeypatch.context() as before:
        before.setattr(tags, "normal_tag", str)
        db.write_sync(tags.tag, [saved.id], ["cafe\u0301"])
    assert db.write_sync(tags.untag, [saved.id], ["cafe\u0301"]) == 1


def test_tags_survive_a_recrawl(db: SqliteDatabase, page: Page) -> None:
    (saved,) = save(db, page("a", tags=("crawled",)))
    db.write_sync(tags.tag, [saved.id], ["mine"])
    save(db, page("a", "changed", tags=("crawled", "again")))
    assert db.read_sync(read.get, saved.id).summary.tags == ("again", "crawled", "mine")


# -- lists


def test_a_list_is_paged_newest_first(db: SqliteDatabase, page: Page) -> None:
    ids = [each.id for each in save(db, *[page(f"p{n:02}") for n in range(25)])]
    seen: list[int] = []
    before = None
    while rows := db.read_sync(read.listing, Filter(), before=before, limit=10):
        seen += [row.id for row in rows]
        before = seen[-1]
    assert seen == ids[::-1]


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (Filter(), "abcd"),
        (Filter(source_id=1), "ab"),
        (Filter(site="b.example"), "bd"),
        (Filter(source_type="jira"), "cd"),
        (Filter(tag="X"), "ad"),
        (Filter(root_id=5), "bc"),
        (Filter(gone=True), "d"),
        (Filter(gone=False), "abc"),
        (Filter(source_id=0, site="b.example", source_type="jira", tag="x", gone=True), "d"),
        (Filter(tag="x", source_id=1), "a"),
        (Filter(tag="none"), ""),
    ],
)
def test_lists_are_filtered(db: SqliteDatabase, page: Page, wanted: Filter, names: str) -> None:
    d = page("d", url="https://b.example/d", source_type="jira", tags=("x",))
    save(
        db,
        page("a", url="https://a.example/a", source_id=1, tags=("x", "y")),
        page("b", url="https://b.example/b", source_id=1, root_id=5),
        page("c", url="https://c.example/c", source_type="jira", root_id=5),
        d,
    )
    db.write_sync(store.mark_gone, 0, [d.url])
    listed = [each.title for each in db.read_sync(read.listing, wanted)]
    assert "".join(sorted(listed)) == names
    ids = db.read_sync(read.ids_after, wanted, 0)
    assert ids == sorted(ids)
    assert len(ids) == len(names)


def test_an_unknown_document_is_not_found(db: SqliteDatabase) -> None:
    with pytest.raises(NotFound):
        db.read_sync(read.get, 1)
    assert db.read_sync(read.find, 0, "https://x.example/") is None


# -- deleting and counts


def test_deleting_takes_everything_with_it(db: SqliteDatabase, page: Page) -> None:
    save(db, page("a", "word"), page("b", "word"))
    one, two = save(db, page("a", "word two", tags=("t",)), page("b", "word two"))
    assert db.write_sync(store.delete, [one.id, 999]) == 1
    assert found(db, "word") == ["b"]
    with pytest.raises(NotFound):
        db.read_sync(read.get, one.id)
    assert db.write_sync(store.delete_some, Filter(), 1) == 1
    assert db.write_sync(store.delete_some, Filter()) == 0
    for table in (
        "document",
        "document_text",
        "document_tag",
        "document_version",
        "document_count",
        "document_reference",
        "document_name",
    ):
        assert db.read_sync(lambda tx, t: tx.execute(f"select count(*) from {t}"), table) == [(0,)]
    (again,) = save(db, page("a", "word"))
    assert again.id > two.id, "ids are never given twice"


def test_created_and_deleted_in_one_transaction_leaves_nothing(
    db: SqliteDatabase, page: Page
) -> None:
    def both(tx: Any) -> None:
        (saved,) = store.save(tx, [page("a", "word")])
        store.save(tx, [page("a", "word two")])
        store.delete(tx, [saved.id])

    db.write_sync(both)
    assert found(db, "word") == []
    assert all_of(db) == Count()


NAMES = st.sampled_from(["a", "b", "c", "d"])
STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("save"), st.lists(st.tuples(NAMES, st.integers(0, 2), st.integers(0, 1)))
        ),
        st.tuples(st.just("gone"), st.lists(NAMES)),
        st.tuples(st.just("touch"), st.lists(NAMES)),
        st.tuples(st.just("tag"), st.lists(NAMES)),
        st.tuples(st.just("untag"), st.lists(NAMES)),
        st.tuples(st.just("delete"), st.lists(NAMES)),
    ),
    max_size=8,
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS)
def test_counts_and_index_agree_with_the_documents(
    db: SqliteDatabase, page: Page, steps: list[tuple[str, Any]]
) -> None:
    def url(name: str) -> str:
        return f"https://docs.example.org/{name}"

    def ids(tx: Any, names: list[str]) -> list[int]:
        documents = [read.find(tx, 0, url(name)) for name in names]
        return [each.summary.id for each in documents if each is not None]

    def step(tx: Any, kind: str, what: Any) -> None:
        if kind == "save":
            store.save(
                tx,
                [
                    page(n, f"word w{k} " * (k + 1), detail_level=DetailLevel(level))
                    for n, k, level in what
                ],
            )
        elif kind == "gone":
            store.mark_gone(tx, 0, [url(name) for name in what])
        elif kind == "touch":
            store.touch(tx, [Seen(url(name)) for name in what])
        elif kind == "delete":
            store.delete(tx, ids(tx, what))
        else:
            {"tag": tags.tag, "untag": tags.untag}[kind](tx, ids(tx, what), ["t"])

    for kind, what in steps:
        db.write_sync(step, kind, what)
    rows = db.read_sync(read.listing, Filter(), limit=100)
    present = [row for row in rows if row.gone_at is None]
    recount = Count(
        len(rows),
        len(rows) - len(present),
        sum(row.words for row in rows),
        sum(row.bytes for row in rows),
    )
    stats = db.read_sync(counts.stats)
    assert stats.all == recount
    assert stats.by_site == ({"docs.example.org": recount} if rows else {})
    assert stats.by_type == ({"web": recount} if rows else {})
    tagged = [row for row in rows if row.tags]
    expected = Counter(documents=len(tagged), words=sum(row.words for row in tagged))
    count = stats.by_tag.get("t", Count())
    assert (count.documents, count.words) == (expected["documents"], expected["words"])
    for word in ("word", "w0", "w1", "w2"):
        has = [row for row in present if word in db.read_sync(read.get, row.id).text.split()]
        assert found(db, word) == sorted(row.title for row in has)
    db.exclusively(
        lambda c: c.execute("insert into document_fts(document_fts) values ('integrity-check')")
    )


# -- the index


def test_merging_comes_to_an_end_and_changes_no_answer(db: SqliteDatabase, page: Page) -> None:
    for n in range(30):
        save(db, page(f"p{n}", f"common word{n}"))
    calls = 1
    while db.write_sync(fulltext.merge_some, 50):
        calls += 1
        assert calls < 50
    assert calls > 1
    merged = db.read_sync(fulltext.state)
    assert not db.write_sync(fulltext.merge_some, 50)
    assert db.read_sync(fulltext.state) == merged
    assert db.read_sync(search, "common").total == 30
    assert found(db, "word7") == ["p7"]


def test_merging_gives_the_room_of_deleted_documents_back(db: SqliteDatabase, page: Page) -> None:
    def size() -> int:
        return db.exclusively(
            lambda c: c.execute("select sum(length(block)) from document_fts_data").get
        )

    def merge() -> None:
        while db.write_sync(fulltext.merge_some):
            pass

    words = [" ".join(f"w{n * k % 7919}" for k in range(300)) for n in range(100)]
    saved = save(db, *[page(f"p{n}", text) for n, text in enumerate(words)])
    merge()
    before = size()
    db.write_sync(store.delete, [each.id for each in saved[:80]])
    assert size() >= before
    merge()
    assert size() < before / 2
    assert db.read_sync(search, "w0").total == 20


def test_the_index_can_be_built_anew_in_slices(db: SqliteDatabase, page: Page) -> None:
    save(db, *[page(f"p{n}", f"common word{n}") for n in range(25)])
    db.write_sync(fulltext.clear)
    assert db.read_sync(search, "common").total == 0
    after: int | None = 0
    counts = []
    while after is not None:
        after, count = db.write_sync(fulltext.rebuild_some, after, 10)
        counts.append(count)
        save(db, page("p24", "common meanwhile"))
    assert counts == [10, 10, 5]
    assert db.read_sync(search, "common").total == 25
    assert found(db, "meanwhile") == ["p24"]


def test_large_documents_are_indexed_anew_few_at_a_time(
    db: SqliteDatabase, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fulltext, "_BYTES_AT_ONCE", 1_000)
    sizes = [100, 100, 5_000, 400, 400, 400, 100]
    save(db, *[page(f"p{n}", f"common {'x' * (size - 7)}") for n, size in enumerate(sizes)])
    db.write_sync(fulltext.clear)
    after: int | None = 0
    counts = []
    while after is not None:
        after, count = db.write_sync(fulltext.rebuild_some, after, 5)
        counts.append(count)
    assert counts == [2, 1, 2, 2]
    assert db.read_sync(search, "common").total == 7


async def test_the_index_is_merged_in_idle_times_and_then_left_alone(
    db: SqliteDatabase, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merging, "LOOK_SECONDS", 0.001)
    for n in range(30):
        await db.write(store.save, [page(f"p{n}", f"common word{n}")])
    state, idle, asked = await db.read(fulltext.state), False, 0

    def is_idle() -> bool:
        nonlocal asked
        asked += 1
        return idle

    async def looks(number: int) -> None:
        seen = asked
        async with asyncio.timeout(20):
            while asked < seen + number:
                await asyncio.sleep(0.001)

    task = asyncio.create_task(merging.merge_when(is_idle, db))
    await looks(5)
    assert await db.read(fulltext.state) == state
    idle = True
    async with asyncio.timeout(20):
        while await db.write(fulltext.merge_some):
            await looks(1)
    await looks(5)
    commits = db.commits
    await looks(5)
    task.cancel()
    assert db.commits == commits
    assert (await db.read(search, "common")).total == 30
