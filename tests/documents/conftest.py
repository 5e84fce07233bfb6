from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from quaero.db import SqliteDatabase
from quaero.documents.model import NewDocument, content_hash
from quaero.testing.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def db(tmp_path: Path, clock: FakeClock) -> Iterator[SqliteDatabase]:
    with SqliteDatabase.open(tmp_path / "q.db", clock=clock) as database:
        yield database


@pytest.fixture
def page() -> Callable[..., NewDocument]:
    """Makes a document at `https://docs.example.org/NAME`, or at `url`, titled like its name."""

    def make(name: str, text: str = "some text", /, **given: Any) -> NewDocument:
        title = given.pop("title", name.replace("/", " ").replace("-", " "))
        given.setdefault("url", f"https://docs.example.org/{name}")
        given.setdefault("content_hash", content_hash(title, text))
        given.setdefault("words", len(text.split()))
        return NewDocument(title=title, text=text, **given)

    return make
