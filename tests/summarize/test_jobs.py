"""Summaries as jobs: what is done, what is skipped, and what is kept where."""

from __future__ import annotations

from quaero.documents.notes import Kind

from .conftest import TIDES, Desk, page  # noqa: TID252


async def test_a_document_gets_a_summary_of_its_own_sentences_and_keywords(desk: Desk) -> None:
    (id_,) = await desk.store(page(1))
    job = await desk.summarize([id_])
    assert job.result == {"action": "summarize", "maker": "extractive", "done": 1, "skipped": 0}
    document = await desk.document(id_)
    summary, keywords = document.note(Kind.SUMMARY), document.note(Kind.KEYWORDS)
    assert summary is not None
    assert keywords is not None
    text = " ".join(TIDES.split())
    assert all(f"{each.strip('.')}." in text for each in summary.text.split(". "))
    assert (summary.maker, summary.current) == ("extractive", True)
    assert any("tides" in word.lower() for word in keywords.words)
