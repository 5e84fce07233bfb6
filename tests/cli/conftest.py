"""The command line in this process, and a knowledge base that was collected with it."""

import io
import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from quaero.cli.options import GlobalOptions, remember
from quaero.cli.program import run
from quaero.testing.site import Page, SiteServer

NASTY = "\x1b[31mred\x1b[0m \x9b2J \u202egnp.exe bell\x07"
"""A title that would steer a terminal."""

PAGES: dict[str, Any] = {
    "/": "<title>Harbour guide</title><p>All about harbours and tides.</p>"
    + "".join(f'<p><a href="{to}">x</a></p>' for to in ("/tides", "/nasty", "/missing", "/a.zip")),
    "/tides": Page(
        body="<title>Tides</title><p>Spring tides follow the full moon.</p>", etag='"1"'
    ),
    "/nasty": f"<title>{NASTY}</title><p>Dangerous words {NASTY}</p>",
}


@dataclass(frozen=True)
class Done:
    """What a command line printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Cli = Callable[..., Done]


@pytest.fixture(autouse=True)
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing of the user's: an empty folder to be in, no variables, the logging as it was."""
    for name in [name for name in os.environ if name.startswith(("QUAERO_", "XDG_"))]:
        monkeypatch.delenv(name)
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    remember(GlobalOptions())


def call(*arguments: str | Path | int) -> Done:
    """Run one command line in this process."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = run([str(each) for each in arguments])
    return Done(code, out.getvalue(), err.getvalue())


@pytest.fixture
def cli() -> Cli:
    return call


@pytest.fixture(scope="session")
def _collected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made once: crawl 1 of `PAGES`, with a changed page, a failed one and a refused link."""
    folder = tmp_path_factory.mktemp("collected")
    with pytest.MonkeyPatch.context() as patch, SiteServer(PAGES) as site:
        patch.setenv("HOME", str(folder))
        for _ in range(2):
            assert call("--data-dir", folder, "crawl", site.url).code == 0
            site.pages["/tides"] = "<title>Tides</title><p>Neap tides follow the half moon.</p>"
    return folder


@pytest.fixture
def data(_collected: Path, tmp_path: Path) -> Path:
    """A data directory of one's own, with what was collected."""
    unneeded = shutil.ignore_patterns("*-reserve")
    return shutil.copytree(_collected, tmp_path / "data", ignore=unneeded)


@pytest.fixture
def looking(_collected: Path) -> Cli:
    """The command line over what was collected, for what changes nothing."""
    return lambda *arguments: call("--data-dir", _collected, *arguments)


@pytest.fixture
def on(data: Path) -> Cli:
    """The command line over that data directory."""
    return lambda *arguments: call("--data-dir", data, *arguments)


def start(*arguments: str | Path, **options: Any) -> subprocess.Popen[str]:
    """Start the program in a process of its own."""
    command = [sys.executable, "-m", "quaero", *map(str, arguments)]
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, text=True, **(pipes | options))


def finish(process: subprocess.Popen[str], seconds: float = 90) -> Done:
    """Wait for its end."""
    out, err = process.communicate(timeout=seconds)
    return Done(process.returncode, out or "", err or "")
