"""Documents are read again from their bodies, each once, and never made older than they are."""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
import sys
import zlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from quaero.app import open_database, worker
from quaero.documents import notes, referring, search, store, versions
from quaero.documents.model import Body, DetailLevel, Document, NewDocument, Outcome, content_hash
from quaero.documents.notes import Kind, NewNote
from quaero.documents.read import get as document_of
from quaero.documents.references import Reference
from quaero.documents.store import Seen
from quaero.errors import BadPayload, NotFound
from quaero.jobs import actions
from quaero.jobs.create import create
from quaero.jobs.logs import Level, Query, read
from quaero.jobs.model import JobSpec, Status
from quaero.jobs.read import Job, get
from quaero.queue.queue import open_queue
from quaero.settings import Settings
from quaero.settings.model import WorkSettings
from quaero.testing.confluence_site import ConfluenceSite
from quaero.testing.jira_site import JiraSite
from quaero.testing.jobs import Bench
from quaero.upkeep import transform
from quaero.upkeep.kinds import TRANSFORM
from quaero.upkeep.transform import Transforming

from ..crawl.crawler import SESSION, crawl, login  # noqa: TID252
from ..processes import kill_session  # noqa: TID252

ORIGINAL = "https://docs.example.org/"
ISSUE = "https://jira.example.org/browse/SEA-12"


def settings(folder: Path) -> Settings:
    return Settings(data_dir=folder, work=WorkSettings(grace="500ms"))


@asynccontextmanager
async def working_in(folder: Path) -> AsyncIterator[Bench]:
    """A worker as the program has it."""
    async with worker(settings(folder)) as made, asyncio.timeout(60):
        working = asyncio.create_task(made.pool.run())
        try:
            yield Bench(made.db, made.queue_id, made.registry, made.pool)
        finally:
            made.pool.stop()
            await working


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with working_in(tmp_path) as bench:
        yield bench


def body(html: str, content_type: str = "text/html", **given: Any) -> Body:
    data = html.encode()
    digest = hashlib.blake2b(data, digest_size=16).digest()
    return Body(hash=digest, packed=zlib.compress(data), content_type=content_type, **given)


def html(number: int) -> str:
    return (
        f"<html lang=en><head><title>Page {number}</title><meta name=author content=Ann>"
        f"<meta name=description content='About {number}'></head><body><main><h1>Page {number}</h1>"
        f"<p>Number <b>{number}</b> says more than before, see <a href={ISSUE}>SEA-12</a>.</p></main>"
    )


def page(number: int, source: str | None = None, /, **given: Any) -> NewDocument:
    """A document as an earlier program made it of a body: with other Markdown than today's."""
    title, text = f"Old {number}", f"old words of {number}"
    made: dict[str, Any] = {
        "url": f"{ORIGINAL}{number}", "title": title, "text": text, "words": 4,
        "content_hash": content_hash(title, text), "body": body(source or html(number)), **given,
    }  # fmt: skip
    return NewDocument(**made)


async def stored(bench: Bench, *pages: NewDocument) -> list[int]:
    return [each.id for each in await bench.db.write(store.save, pages)]


async def one(bench: Bench, id_: int) -> Document:
    return await bench.db.read(document_of, id_)


async def texts(bench: Bench) -> dict[int, str]:
    rows = await bench.db.read(lambda tx: tx.execute("select document_id, text from document_text"))
    return {id_: text.partition(" ")[0] for id_, text in rows}


async def warnings(bench: Bench, job: Job) -> list[str]:
    lines = await bench.db.read(read, Query(job.summary.id, at_least=Level.WARN, ascending=True))
    return [line.message for line in lines]


def counted(changed: int = 0, unchanged: int = 0, without_body: int = 0, failed: int = 0) -> Any:
    return {"changed": changed, "unchanged": unchanged, "without_body": without_body,
            "failed": failed}  # fmt: skip


async def everything(bench: Bench) -> list[Any]:
    """All that is stored of documents."""
    tables = ("document", "document_text", "document_tag", "document_version", "document_note",
              "document_reference", "document_name", "document_count", "document_body", "body",
              "document_fts_data")  # fmt: skip
    return [
        await bench.db.read(lambda tx, t=table: tx.execute(f"select * from {t}"))
        for table in tables
    ]


# -- what is saved


async def test_a_document_says_what_its_body_says_today_and_keeps_what_was_fetched(
    bench: Bench,
) -> None:
    (id_,) = await stored(
        bench,
        page(1, tags=("kept",), etag='"1"', last_modified="then", job_id=7, root_id=6,
             body=body(html(1), canonical=f"{ORIGINAL}one", entity_type="chapter")),
    )  # fmt: skip
    before = await one(bench, id_)
    note = NewNote(id_, Kind.SUMMARY, "old", "extractive", "r", before.content_hash)
    await bench.db.write(notes.save, [note])
    job = await bench.run("transform")
    assert job.result == counted(changed=1), job.summary.error
    after, known, was = await one(bench, id_), (await one(bench, id_)).summary, before.summary
    assert after.text == f"# Page 1\n\nNumber **1** says more than before, see [SEA-12]({ISSUE}).\n"
    assert (known.title, known.author, known.description) == ("Page 1", "Ann", "About 1")
    assert (known.language, known.words, known.version) == ("en", 10, 2)
    assert known.entity_type == "chapter"
    assert after.metadata["canonical"] == f"{ORIGINAL}one"
    assert after.metadata["headings"] == [[1, "Page 1"]]
    assert (known.fetched_at, known.first_seen, known.tags) == (
        was.fetched_at,
        was.first_seen,
        ("kept",),
    )
    assert (after.etag, after.last_modified, known.job_id, known.root_id) == ('"1"', "then", 7, 6)
    assert known.changed_at > was.changed_at
    assert known.detail_level is DetailLevel.FULL
    assert await bench.db.read(versions.text, id_, 1) == "old words of 1"
    assert not after.notes[0].current, "the summary is of the earlier text"
    found = await bench.db.read(search.search, "says more")
    assert [hit.document.id for hit in found.hits] == [id_]
    assert (await bench.db.read(search.search, "old")).total == 0
    refer = await bench.db.read(referring.of_documents, [id_])
    assert refer[id_] == [Reference("issue", "SEA-12", ISSUE)]
    assert (job.summary.progress_current, job.summary.progress_total) == (1, 1)


async def test_what_is_read_as_it_was_costs_no_write(bench: Bench) -> None:
    await stored(bench, *(page(n) for n in range(30)))
    assert (await bench.run("transform")).result == counted(changed=30)
    before = await everything(bench)
    assert (await bench.run("transform")).result == counted(unchanged=30)
    assert await everything(bench) == before


async def test_a_crawled_page_is_unchanged(bench: Bench) -> None:
    """What a fetch stores and what a body gives are made by the same code."""
    source = html(1).replace("</head>", "<meta property=og:type content=article></head>")
    await stored(bench, page(1, source))
    await bench.run("transform")
    first = await one(bench, 1)
    said = NewDocument(
        url=first.summary.url, title=first.summary.title, text=first.text, words=first.summary.words,
        content_hash=first.content_hash, metadata=first.metadata, author="Ann", language="en",
        description="About 1", body=body(source),
    )  # fmt: skip
    (saved,) = await bench.db.write(store.save, [said])
    assert saved.outcome is Outcome.UNCHANGED
    assert (await bench.run("transform")).result == counted(unchanged=1)


async def test_better_metadata_alone_is_saved_and_makes_no_version(bench: Bench) -> None:
    await stored(bench, page(1))
    await bench.run("transform")
    good = await one(bench, 1)
    worse = "update document set author = 'Nobody', words = 1, entity_type = 'x' where id = 1"
    await bench.db.write(lambda tx: tx.execute(worse))
    await bench.db.write(lambda tx: tx.execute("update document_text set metadata = '{}'"))
    await bench.db.write(lambda tx: tx.execute("delete from document_reference"))
    assert (await bench.run("transform")).result == counted(changed=1)
    assert await one(bench, 1) == good
    assert await bench.db.read(referring.of_documents, [1])


async def test_bodies_are_read_under_the_type_and_address_that_they_came_with(bench: Bench) -> None:
    latin = "<title>Größe</title><p>größer".encode("latin-1")
    packed = Body(
        hash=b"l" * 16, packed=zlib.compress(latin), content_type="text/html; charset=latin1"
    )
    plain = body("# Title\n\n<b>as it is</b>", "text/plain")
    await stored(bench, page(1, body=packed), page(2, body=plain))
    await bench.run("transform")
    assert (await one(bench, 1)).summary.title == "Größe"
    assert (await one(bench, 2)).text.strip() == "# Title\n\n<b>as it is</b>"


@pytest.mark.parametrize("make", [JiraSite, ConfluenceSite])
async def test_all_of_a_crawl_is_read_again_as_it_was_read(
    tmp_path: Path, make: type[JiraSite | ConfluenceSite]
) -> None:
    site = make()
    async with site.server:
        ran = await crawl(
            tmp_path, site.home, with_login=login([site.gate.captured("one")]), private=SESSION,
            max_pages=0, source_type="jira" if make is JiraSite else "confluence", entity_type="thing",
        )  # fmt: skip
    assert len(ran.documents) > 10
    async with working_in(tmp_path) as bench:
        job = await bench.run("transform")
    assert job.result == counted(unchanged=len(ran.documents))


# -- what is not


async def test_documents_without_a_body_stay_and_are_counted(bench: Bench) -> None:
    await stored(bench, page(1, body=None), page(2))
    assert (await bench.run("transform")).result == counted(changed=1, without_body=1)
    assert await texts(bench) == {1: "old", 2: "#"}


UNREADABLE = [
    ("damaged", {"packed": b"no zlib"}, "damaged"),
    ("of another type", {"content_type": "image/png"}, "image/png"),
    ("not to be indexed", {"robots": ("noindex",)}, "not to be indexed"),
    ("a login page", {"packed": zlib.compress(
        b"<title>Log in</title><form><input name=u><input type=password name=p></form>")},
     "log in"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "why"), [each[1:] for each in UNREADABLE],
                         ids=[each[0] for each in UNREADABLE])  # fmt: skip
async def test_what_cannot_be_read_any_more_fails_alone(
    bench: Bench, given: dict[str, Any], why: str
) -> None:
    bad = {"hash": b"b" * 16, "packed": zlib.compress(b"<p>x"), "content_type": "text/html"} | given
    await stored(bench, page(1), page(2, body=Body(**bad)), page(3))
    job = await bench.run("transform")
    assert job.summary.status is Status.COMPLETED
    assert job.result == counted(changed=2, failed=1)
    assert await texts(bench) == {1: "#", 2: "old", 3: "#"}
    (said,) = await warnings(bench, job)
    assert said.startswith("document 2 stays as it is")
    if why != "damaged":
        assert why in said


async def test_pages_that_are_gone_are_left_alone(bench: Bench) -> None:
    await stored(bench, page(1), page(2))
    await bench.db.write(store.mark_gone, 0, [f"{ORIGINAL}1"])
    assert (await bench.run("transform")).result == counted(changed=1)
    assert await texts(bench) == {1: "old", 2: "#"}
    job = await bench.run("transform", {"document_ids": [1, 2]})
    assert job.result == counted(unchanged=1, failed=1)
    assert (await one(bench, 1)).summary.gone_at is not None


async def test_a_dry_run_counts_and_writes_nothing(bench: Bench) -> None:
    bad = Body(hash=b"b" * 16, packed=b"no zlib", content_type="text/html")
    await stored(bench, page(1), page(2, body=None), page(3, body=bad), page(4))
    before = await everything(bench)
    job = await bench.run("transform", {"dry_run": True})
    assert job.result == counted(changed=2, without_body=1, failed=1)
    assert await everything(bench) == before


# -- which


CHOICES: list[tuple[dict[str, Any], list[int]]] = [
    ({}, [1, 2, 3, 4]),
    ({"document_ids": [4, 2, 2]}, [2, 4]),
    ({"source": 7}, [3, 4]),
    ({"source": "handbook"}, [3, 4]),
    ({"tag": "Sea"}, [2, 4]),
    ({"query": "old -1"}, [2, 3, 4]),
    ({"query": "tag:sea", "source": "handbook"}, [4]),
    ({"site": "docs.example.org", "tag": "sea"}, [2, 4]),
    ({"root_id": 9}, [1]),
]


@pytest.mark.parametrize(("payload", "expected"), CHOICES)
async def test_the_words_of_the_summarizer_choose(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, payload: dict[str, Any], expected: list[int]
) -> None:
    monkeypatch.setattr(transform, "AT_ONCE", 1)
    await bench.db.write(
        lambda tx: tx.execute(
            "insert into source(id, name, kind, base_url, settings, tags, created_at, updated_at)"
            " values (7, 'handbook', 'web', 'https://x.org/', '{}', '[]', 0, 0)"
        )
    )
    await stored(
        bench, page(1, root_id=9), page(2, tags=("sea",)), page(3, source_id=7),
        page(4, source_id=7, tags=("sea",)),
    )  # fmt: skip
    job = await bench.run("transform", payload)
    assert job.result == counted(changed=len(expected)), job.summary.error
    assert [id_ for id_, word in sorted((await texts(bench)).items()) if word == "#"] == expected
    assert job.summary.progress_total == len(expected)


BAD: list[tuple[dict[str, Any], str]] = [
    ({"document_ids": []}, "document_ids"),
    ({"document_ids": [0]}, "document_ids"),
    ({"document_ids": [1], "tag": "sea"}, "document_ids stands alone"),
    ({"tag": " "}, "tag"),
    ({"documents": [1]}, "documents"),
    ({"dry_run": "perhaps"}, "dry_run"),
]


@pytest.mark.parametrize(("payload", "said"), BAD)
def test_what_it_is_told_is_checked(payload: dict[str, Any], said: str) -> None:
    with pytest.raises(BadPayload, match=said):
        TRANSFORM.encode(payload)


async def test_a_source_that_is_not_there_fails_the_job_by_its_name(bench: Bench) -> None:
    job = await bench.run("transform", {"source": "nowhere"})
    assert job.summary.status is Status.FAILED
    assert "there is no source 'nowhere'" in str(job.summary.error)


async def test_an_id_without_a_document_is_a_failure_that_is_named(bench: Bench) -> None:
    await stored(bench, page(1))
    job = await bench.run("transform", {"document_ids": [1, 99]})
    assert job.result == counted(changed=1, failed=1)
    assert await warnings(bench, job) == [
        "document 99 stays as it is: there is no such document, or its page is gone"
    ]


# -- beside others


def meanwhile(monkeypatch: pytest.MonkeyPatch, act: Any) -> None:
    """Have something happen once, between the reading of the first documents and their save."""
    batch = Transforming._batch
    left = [act]

    async def slowly(self: Transforming, *args: Any) -> Any:
        made = await batch(self, *args)
        while left:
            await left.pop()()
        return made

    monkeypatch.setattr(Transforming, "_batch", slowly)


async def test_a_page_that_is_crawled_meanwhile_is_not_made_older(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stored(bench, page(1), page(2))

    async def crawled() -> None:
        await stored(bench, page(2, html(77), etag='"new"'))

    meanwhile(monkeypatch, crawled)
    job = await bench.run("transform")
    assert job.result == counted(changed=2)
    document = await one(bench, 2)
    assert (document.summary.title, document.etag) == ("Page 77", '"new"')
    assert (await one(bench, 1)).summary.title == "Page 1"


async def test_what_a_page_was_found_to_be_meanwhile_stays(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stored(bench, page(1, etag='"1"'))

    async def seen() -> None:
        await bench.db.write(store.touch, [Seen(f"{ORIGINAL}1", etag='"2"')])

    meanwhile(monkeypatch, seen)
    assert (await bench.run("transform")).result == counted(changed=1)
    assert (await one(bench, 1)).etag == '"2"'


async def test_a_page_that_lost_its_body_meanwhile_stays_as_it_is(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stored(bench, page(1))
    text = "newer"
    newer = page(1, body=None, text=text, content_hash=content_hash("Old 1", text))

    async def crawled() -> None:
        await stored(bench, newer)

    meanwhile(monkeypatch, crawled)
    assert (await bench.run("transform")).result == counted(without_body=1)
    assert (await one(bench, 1)).text == "newer"


async def test_a_document_that_is_deleted_meanwhile_does_not_come_back(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stored(bench, page(1), page(2))

    async def deleted() -> None:
        await bench.db.write(store.delete, [2])

    meanwhile(monkeypatch, deleted)
    assert (await bench.run("transform")).result == counted(changed=1, unchanged=1)
    with pytest.raises(NotFound):
        await one(bench, 2)
    assert (await one(bench, 1)).summary.title == "Page 1"


async def test_a_cancel_takes_effect_between_two_slices(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transform, "AT_ONCE", 2)
    batch, asked, never = Transforming._batch, asyncio.Event(), asyncio.Event()

    async def until_cancelled(self: Transforming, wanted: Any, ids: Sequence[int]) -> Any:
        if 3 in ids:
            asked.set()
            await never.wait()
        return await batch(self, wanted, ids)

    monkeypatch.setattr(Transforming, "_batch", until_cancelled)
    await stored(bench, *(page(n) for n in range(1, 6)))
    id_ = await bench.create("transform")
    await asked.wait()
    await actions.cancel(bench.db, id_)
    assert (await bench.ended(id_)).summary.status is Status.CANCELLED
    assert await texts(bench) == {1: "#", 2: "#", 3: "old", 4: "old", 5: "old"}


async def test_an_attempt_that_breaks_off_is_gone_on_with_where_it_was(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transform, "AT_ONCE", 2)
    batch, begun = Transforming._batch, list[Sequence[int]]()

    async def once_broken(self: Transforming, wanted: Any, ids: Sequence[int]) -> Any:
        begun.append(ids)
        if len(begun) == 3:
            raise OSError("the disk went away")
        return await batch(self, wanted, ids)

    monkeypatch.setattr(Transforming, "_batch", once_broken)
    await stored(bench, *(page(n, body=None) if n == 2 else page(n) for n in range(1, 8)))
    job = await bench.run("transform")
    assert job.summary.status is Status.COMPLETED
    assert job.result == counted(changed=6, without_body=1)
    assert begun == [[1, 2], [3, 4], [5, 6], [5, 6], [7]]


DOCUMENTS = 300
NOTED = "begin insert into ledger values (new.id); end"
LEDGER = (
    "create table ledger(document_id)",
    f"create trigger ledger_change after update of content_hash on document {NOTED}",
)


async def test_after_a_kill_every_document_has_been_read_again_once(tmp_path: Path) -> None:
    def prepare(tx: Any) -> int:
        for statement in LEDGER:
            tx.execute(statement)
        store.save(tx, [page(n) for n in range(DOCUMENTS)])
        (job_id,) = create(tx, open_queue(tx, "quaero_jobs"), [JobSpec("transform", "{}")])
        return job_id

    def work() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "quaero", "work"],
            env={**os.environ, "QUAERO_DATA_DIR": str(tmp_path)}, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    place = "select coalesce(state ->> 'place', -1), status from job"
    async with asyncio.timeout(100):
        with open_database(settings(tmp_path)) as db:
            job_id = await db.write(prepare)
            for least in (0, DOCUMENTS // 2, 2 * DOCUMENTS):
                process = work()
                try:
                    while True:
                        ((come_to, status),) = await db.read(lambda tx: tx.execute(place))
                        if come_to > least or status > Status.RUNNING:
                            break
                        await asyncio.sleep(0.005)
                finally:
                    kill_session(process.pid)
                    process.wait()
            job = await db.read(get, job_id)
            assert job.result == counted(changed=DOCUMENTS), job.summary.error
            rows = await db.read(
                lambda tx: tx.execute("select document_id from ledger order by document_id")
            )
            assert [id_ for (id_,) in rows] == list(range(1, DOCUMENTS + 1))
