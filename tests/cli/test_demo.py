"""`quaero demo` and `quaero demo --kill`."""

import re
from pathlib import Path

import pytest

from quaero import sample_site
from quaero.cli import demo

from .conftest import call, finish, start


def commands(text: str) -> list[list[str]]:
    """The commands that the text suggests, as arguments."""
    found = re.findall(r"(?:\$ |: +|^  )python -m quaero (.*)$", text, re.MULTILINE)
    return [line.replace("'", "").split() for line in found if "WORDS" not in line]


def test_the_demo_crawls_searches_shows_and_says_how_to_go_on(tmp_path: Path) -> None:
    done = finish(start("--data-dir", tmp_path, "demo"))
    assert done.code == 0
    lines = done.err.splitlines()
    assert re.match(r"a small sample site is served at http://127\.0\.0\.1:\d+$", lines[0])
    assert re.match(r"watch it at http://localhost:\d+/queue$", lines[1])
    assert re.match(r"crawl 1 begins: http://127\.0\.0\.1:\d+/ \(no page limit", lines[2])
    assert re.search(r"4[12] pages: 40 new, 0 changed, 0 unchanged, .*\b1 failed", done.err)
    assert "guide/legacy.html answered 404" in done.err
    assert "2 links refused by robots" in done.err
    assert "Your first tide table" in done.out, "a hit"
    assert "```python" in done.out, "the Markdown of a page"
    assert "\x1b" not in done.out + done.err
    suggested = commands(done.err)
    assert len(suggested) >= 9
    for arguments in suggested:
        if "retry" not in arguments:  # which would let the site be asked again
            assert call(*arguments).code == 0, arguments


def test_a_kill_in_the_middle_loses_nothing_and_says_what_was_repeated(tmp_path: Path) -> None:
    done = finish(start("demo", "--kill", "--data-dir", tmp_path))
    assert done.code == 0
    pages = len([path for path in sample_site.pages() if not path.startswith(sample_site.REFUSED)])
    assert re.search(r"the crawl was killed \(SIGKILL\) after \d+ requests", done.err)
    assert "resuming crawl 1, which was not finished" in done.err
    assert f"  lost: nothing, of {pages} pages\n" in done.err
    (repeated,) = re.findall(r"fetched again: (\d+), which were in flight", done.err)
    listed = done.err.partition("fetched again")[2].partition("\n\n")[0].splitlines()[1:]
    assert len(listed) == int(repeated) <= 6
    assert call("--data-dir", tmp_path, "db", "check").code == 0


def test_the_demo_has_a_folder_of_its_own_that_is_emptied_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo.tempfile, "gettempdir", lambda: str(tmp_path))
    folder = Path(demo._own_folder())
    (folder / "old").write_text("x")
    assert (folder.parent, folder.stat().st_mode & 0o777) == (tmp_path, 0o700)
    assert Path(demo._own_folder()) == folder
    assert list(folder.iterdir()) == []


def test_a_folder_that_somebody_else_put_there_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo.tempfile, "gettempdir", lambda: str(tmp_path))
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    own = Path(demo._own_folder())
    own.rmdir()
    own.symlink_to(theirs)
    assert Path(demo._own_folder()) not in (own, theirs)
    assert list(theirs.iterdir()) == []
