"""Summaries as jobs: what is done, what is skipped, and what is kept where."""

from __future__ import annotations

import asyncio
import json
import zipfile
from pathlib import Path

import pytest

from quaero.crawl.fetch import Fetcher
from quaero.db import SqliteDatabase
from quaero.documents import notes, read, store
from quaero.documents.export import export_archive, export_lines
from quaero.documents.importing import import_path
from quaero.documents.notes import Kind
from quaero.errors import BadConfig, BadPayload
from quaero.jobs.model import Status
from quaero.jobs.steer import start
from quaero.summarize import audit
from quaero.summarize.audit import Call
from quaero.summarize.kinds import SUMMARIZER
from quaero.summarize.makers import Makers
from quaero.summarize.payloads import Chosen
from quaero.summarize.selection import next_ids

from ..opening import Opened  # noqa: TID252
from .conftest import TIDES, Desk, desk_of, page, settings


def several(number: int) -> list:
    return [
        page(n, f"{TIDES}\n\nNumber {n} of its kind stands at the quay.") for n in range(number)
    ]


async def test_a_document_gets_a_summary_of_its_own_sentences_and_keywords(desk: Desk) -> None:
    (id_,) = await desk.store(page(1))
    job = await desk.summarize([id_])
    assert job.result == {"action": "summarize", "maker": "extractive", "done": 1, "skipped": 0,
                          "left_out": 0}  # fmt: skip
    document = await desk.document(id_)
    summary, keywords = document.note(Kind.SUMMARY), document.note(Kind.KEYWORDS)
    assert summary is not None
    assert keywords is not None
    text = " ".join(TIDES.split())
    assert all(f"{each.strip('.')}." in text for each in summary.text.split(". "))
    assert (summary.maker, summary.current) == ("extractive", True)
    assert any("tides" in word.lower() for word in keywords.words)


async def test_a_scan_says_what_would_be_done_and_does_nothing(desk: Desk) -> None:
    ids = await desk.store(*several(5), page(9, ""))
    await desk.summarize(ids[:2])
    before = (await desk.summarize(action="scan")).result
    assert (before["documents"], before["to_summarize"]) == (6, 3)
    assert before["bytes"] > 0
    assert len(await desk.db.read(notes.of, ids)) == 2
    done = await desk.summarize(batch_size=2)
    assert done.result["queued"] == 3
    after = (await desk.summarize(action="scan")).result
    assert after["to_summarize"] == after["to_extract_keywords"] == 0


async def test_what_is_done_and_unchanged_is_skipped_and_what_changed_is_done_again(
    desk: Desk,
) -> None:
    ids = await desk.store(*several(3))
    await desk.summarize()
    first = (await desk.document(ids[0])).note(Kind.SUMMARY)
    changed = page(1, "# Locks\n\nLocks lift ships from one water to another, step by step.")
    await desk.store(changed)
    stale = (await desk.document(ids[1])).note(Kind.SUMMARY)
    assert stale is not None
    assert not stale.current
    job = await desk.summarize()
    assert (job.result["documents"], job.result["queued"]) == (3, 1)
    fresh = (await desk.document(ids[1])).note(Kind.SUMMARY)
    assert fresh is not None
    assert "Locks lift ships" in fresh.text
    assert (await desk.document(ids[0])).note(Kind.SUMMARY) == first
    assert (await desk.summarize(ids)).result["skipped"] == 3
    assert (await desk.summarize(ids, again=True)).result["done"] == 3


async def test_keywords_can_be_found_alone(desk: Desk) -> None:
    (id_,) = await desk.store(page(1))
    await desk.summarize([id_], action="extract_keywords")
    document = await desk.document(id_)
    assert document.note(Kind.SUMMARY) is None
    assert document.note(Kind.KEYWORDS) is not None


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({"tag": "Reviewed"}, [0, 2]),
        ({"site": "DOCS.example.org"}, [0, 1, 2]),
        ({"site": "elsewhere.example.org"}, []),
        ({"source": 0, "tag": "reviewed"}, [0, 2]),
        ({"source": 7}, []),
        ({"query": "quay locks"}, [1]),
        ({"query": "title:tides -locks"}, [0, 2]),
        ({"query": "case:match LOCKS"}, []),
        ({"query": "tag:reviewed", "site": "docs.example.org"}, [0, 2]),
        ({"root_id": 4}, [1]),
    ],
)
def test_documents_are_chosen_by_all_that_is_named(
    opened: Opened, chosen: dict, expected: list[int]
) -> None:
    pages = several(3)
    pages[0] = page(0, TIDES + "\n\nAt the quay.", tags=("reviewed",))
    pages[1] = page(1, TIDES + "\n\nBeside the locks at the quay.", root_id=4)
    pages[2] = page(2, TIDES + "\n\nFar from it at the quay.", tags=("reviewed",))
    ids = [each.id for each in opened.write(store.save, pages)]
    found, place = opened.read(next_ids, Chosen(**chosen), 0, ids[-1])
    assert found == [ids[each] for each in expected]
    if place is not None:
        assert opened.read(next_ids, Chosen(**chosen), place, ids[-1]) == ([], None)
    assert opened.read(next_ids, Chosen(**chosen), ids[0], ids[1])[0] == [
        ids[each] for each in expected if each == 1
    ]


async def test_documents_that_come_during_a_job_are_left_to_the_next(desk: Desk) -> None:
    ids = await desk.store(*several(2))
    late = await desk.store(page(77, TIDES + "\n\nLater than all."))
    state = {"place": 0, "up_to": ids[-1], "documents": 0, "batches": 0, "queued": 0}
    job_id = await desk.create("summarizer", {}, held=True)
    await desk.db.write(
        lambda tx: tx.execute(
            "update job set state = $2 where id = $1", (job_id, json.dumps(state))
        )
    )
    await desk.db.write(start, job_id)
    await desk.ended(job_id)
    assert sorted(await desk.db.read(notes.of, [*ids, *late])) == ids


async def test_a_summary_that_is_there_under_another_address_comes_with_keywords(
    desk: Desk,
) -> None:
    first, second = await desk.store(page(1, title="Tides"), page(2, title="Tides"))
    await desk.summarize([first])
    await desk.summarize([second])
    there, here = await desk.document(first), await desk.document(second)
    for kind in Kind:
        one, other = there.note(kind), here.note(kind)
        assert one is not None
        assert other is not None
        assert (other.text, other.maker) == (one.text, "extractive")
    assert (await desk.summarize(action="scan")).result["to_extract_keywords"] == 0


async def test_a_text_that_was_summarised_under_another_address_is_not_made_again(
    desk: Desk,
) -> None:
    one, two = await desk.store(page(1, title="Same"), page(2, title="Same"))
    await desk.summarize([one])
    await desk.db.write(
        lambda tx: tx.execute("update document_note set text = 'kept' where kind = 0")
    )
    await desk.summarize([two])
    note = (await desk.document(two)).note(Kind.SUMMARY)
    assert note is not None
    assert note.text == "kept"


@pytest.mark.parametrize(
    "text", ["```\ncode only\n```\n", "| a | b |\n|---|---|\n| 1 | 2 |", " \n\n "]
)
async def test_documents_without_sentences_are_left_out_and_fail_nothing(
    desk: Desk, text: str
) -> None:
    ids = await desk.store(page(1, text), page(2))
    job = await desk.summarize(ids)
    assert job.summary.status is Status.COMPLETED
    assert (job.result["done"], job.result["skipped"], job.result["left_out"]) == (1, 0, 1)
    assert job.summary.progress_current == job.summary.progress_total == 2
    assert (await desk.document(ids[0])).note(Kind.SUMMARY) is None
    assert (await desk.document(ids[1])).note(Kind.SUMMARY) is not None
    whole = await desk.summarize()
    assert whole.summary.status is Status.COMPLETED


async def test_notes_go_with_their_documents(desk: Desk) -> None:
    (id_,) = await desk.store(page(1))
    await desk.summarize([id_])
    await desk.db.write(store.delete, [id_])
    rows = await desk.db.read(lambda tx: tx.execute("select count(*) from document_note"))
    assert rows == [(0,)]
    assert (await desk.summarize([id_])).result["skipped"] == 1


async def test_notes_are_exported_with_the_document_and_come_back(
    desk: Desk, tmp_path: Path
) -> None:
    (id_,) = await desk.store(page(1))
    await desk.summarize([id_])
    before = (await desk.document(id_)).notes
    export_lines(desk.db, tmp_path / "all.jsonl")
    export_archive(desk.db, tmp_path / "all.zip")
    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        content = archive.read(archive.namelist()[0]).decode()
    assert 'summary_by: "extractive"' in content
    assert "keywords: [" in content
    for name in ("all.jsonl", "all.zip"):
        with SqliteDatabase.open(tmp_path / f"{name}.db") as other:
            done = await asyncio.to_thread(import_path, other, tmp_path / name)
            assert done.created == 1
            (document,) = await other.read(read.documents, [1])
            assert document.notes == before


async def test_many_documents_are_summarised_together(desk: Desk) -> None:
    ids = await desk.store(*several(4), page(9, "```\ncode\n```"))
    job = await desk.run("corpus_summary", {"site": "docs.example.org", "sentences": 3})
    assert job.summary.status is Status.COMPLETED
    result = job.result
    assert (result["documents"], result["left_out"], result["maker"]) == (4, 1, "extractive")
    assert 0 < result["summary"].count(".") <= 3
    assert "tides" in " ".join(result["keywords"]).lower()
    assert len(await desk.db.read(notes.of, ids)) == 4
    fewer = await desk.run("corpus_summary", {"query": "quay", "max_documents": 2})
    assert (fewer.result["documents"], fewer.result["more"]) == (2, True)
    none = await desk.run("corpus_summary", {"tag": "nothing"})
    assert "no document with text" in (none.summary.error or "")


async def test_old_records_of_calls_go_with_a_cleanup(tmp_path: Path) -> None:
    async with desk_of(settings(tmp_path, summarize__audit_retention="1h")) as desk:
        call = Call(model="m", operation="summary", job_id=1, document_id=1, tokens_in=1,
                    tokens_out=2, duration=3)  # fmt: skip
        await desk.db.write(audit.note, call)
        await desk.db.write(audit.note, call)
        await desk.db.write(
            lambda tx: tx.execute("update model_call set at = at - 7200000000 where id = 1")
        )
        job = await desk.run("cleanup", {})
        assert job.result["model_calls"] == 1
        assert len(await desk.db.read(audit.listing)) == 1
        (total,) = await desk.db.read(audit.totals)
        assert total.calls == 2


@pytest.mark.parametrize(
    "payload",
    [
        {"document_ids": [1], "tag": "x"}, {"document_ids": []}, {"document_ids": [0]},
        {"action": "guess"}, {"model": "gpt"}, {"batch_size": 0}, {"query": " "}, {"nothing": 1},
    ],
)  # fmt: skip
def test_a_payload_that_means_nothing_is_refused(payload: dict) -> None:
    with pytest.raises(BadPayload):
        SUMMARIZER.encode(payload)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"summarize__model": "server"}, "model.base_url is not set"),
        ({"summarize__model": "server", "model__base_url": "http://x/v1"}, "model.name is not set"),
        ({"summarize__model": "local"}, "model.path is not set"),
        ({"summarize__model": "local", "model__path": "/no/such.gguf"}, "there is no file"),
        (
            {"summarize__model": "local", "model__path": "/x", "model__max_tokens": "9000"},
            "leaves no room",
        ),
    ],
)
async def test_a_model_that_is_not_fully_named_is_refused_with_the_way_out(
    tmp_path: Path, given: dict, said: str
) -> None:
    async with Fetcher() as fetcher:
        with pytest.raises(BadConfig, match=said):
            await Makers(settings(tmp_path, **given), fetcher).get("default").model.ask([], 10)


async def test_a_job_without_the_model_that_it_needs_fails_at_once(tmp_path: Path) -> None:
    async with desk_of(settings(tmp_path, summarize__model="local")) as desk:
        job = await desk.summarize(await desk.store(page(1)))
        assert "model.path is not set" in (job.summary.error or "")
        assert len(job.attempts) == 1
