"""A database with logins, whose keys lie beside its folder."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from quaero.sources.keys import KeyFile
from quaero.sources.logins import Logins
from quaero.sources.vault import Keys

from ..opening import Opened  # noqa: TID252


@pytest.fixture
def key_file() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="quaero-keys-"))
    yield folder / "keys"
    shutil.rmtree(folder)


@pytest.fixture
def make_logins(opened: Opened, key_file: Path) -> Callable[..., Logins]:
    """The logins of a process that has just started."""

    def make(path: Path = key_file) -> Logins:
        return Logins(opened.db, Keys(KeyFile(path, opened.folder)), opened.clock)

    return make
