"""A source that goes takes with it what was asked for, however much that is; its name travels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from quaero.documents.export import export_lines
from quaero.documents.importing import import_path
from quaero.documents.model import NewDocument
from quaero.documents.store import save
from quaero.jobs.model import Status
from quaero.sources import records, removal
from quaero.sources.names import ids_of, names_of
from quaero.testing.site import SiteServer

from ..crawl.crawler import links  # noqa: TID252
from ..opening import Opened  # noqa: TID252
from .collecting import program

PAGES: dict[str, Any] = {"/": links(*(f"/{n}" for n in range(5)))} | {
    f"/{n}": links("/") for n in range(5)
}


def left(tx: Any) -> tuple[int, int]:
    """How many documents and pages with links there are."""
    (documents,) = tx.execute("select count(*) from document")
    (pages,) = tx.execute("select count(*) from page_links")
    return documents[0], pages[0]


@pytest.mark.parametrize("documents", [False, True])
async def test_what_is_much_is_taken_away_by_a_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, documents: bool
) -> None:
    monkeypatch.setattr(removal, "AT_ONCE", 2)
    monkeypatch.setattr(removal, "LINKS_AT_ONCE", 2)
    async with SiteServer(PAGES) as site, program(tmp_path) as made:
        source = await made.add("wiki", site.url, settings={"respect_robots": False})
        await made.collect(source)
        assert await made.made.db.read(left) == (6, 6)
        job_id = await made.made.db.write(
            removal.remove, made.made.queue_id, source, cancel=False, documents=documents
        )
        done = await made.run(job_id)
        assert await made.made.db.read(left) == ((0, 0) if documents else (6, 0))
    assert done.summary.status is Status.COMPLETED
    assert done.result == {"documents": 4 if documents else 0, "links": 4}


async def test_what_is_little_goes_at_once(tmp_path: Path) -> None:
    async with SiteServer(PAGES) as site, program(tmp_path) as made:
        source = await made.add("wiki", site.url, settings={"respect_robots": False})
        await made.collect(source)
        assert await made.made.db.write(
            removal.remove, made.made.queue_id, source, cancel=False, documents=True
        ) is None  # fmt: skip
        assert await made.made.db.read(left) == (0, 0)


def test_documents_come_to_the_source_of_the_same_name(tmp_path: Path) -> None:
    def add(opened: Opened, *names: str) -> dict[str, int]:
        return {
            name: opened.write(records.create, {"name": name, "base_url": f"https://{name}.org/"})
            for name in names
        }

    with Opened() as one, Opened() as other:
        here, there = add(one, "wiki", "docs", "gone"), add(other, "docs", "wiki")
        one.write(save, [
            NewDocument(url=f"https://{name}.org/", title=name, text=name, content_hash=name,
                        source_id=id_)
            for name, id_ in here.items()
        ])  # fmt: skip
        export_lines(one.db, tmp_path / "all.jsonl", None, names_of)
        done = import_path(other.db, tmp_path / "all.jsonl", ids_of)
        found = other.read(lambda tx: tx.execute("select title, source_id from document"))
    assert (done.created, done.unknown) == (3, {"gone": 1})
    assert dict(found) == {**there, "gone": 0}
