"""A folder as a source: what is read, what is not, what has changed, and what is gone."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from quaero.jobs import steer
from quaero.jobs.model import Status
from quaero.sources import folder, folder_walk
from quaero.sources.folder_reading import LARGEST, read_files
from quaero.sources.folder_walk import File, PathRules, Unseen, Walk

from .collecting import checks, program

OLD = 1_600_000_000


def write(base: Path, files: dict[str, str | bytes]) -> None:
    """Make files that were changed long ago."""
    for name, content in files.items():
        path = base / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        os.utime(path, (OLD, OLD))


def walked(base: Path, after: str = "", **rules: Any) -> list[File | Unseen]:
    walk = Walk(str(base), PathRules(**rules), after)
    try:
        found: list[File | Unseen] = []
        while met := walk.take(3):
            found += met
        return found
    finally:
        walk.close()


# -- walking


def test_files_are_met_in_the_order_of_their_addresses(tmp_path: Path) -> None:
    names = [
        "a.md",
        "a/z.md",
        "a b.md",
        "a-b/c.md",
        "ä.md",
        "Z.md",
        "a/a/a.txt",
        "b.html",
        "a.d/x.md",
    ]
    write(tmp_path, dict.fromkeys(names, "x"))
    urls = [each.url for each in walked(tmp_path) if isinstance(each, File)]
    assert urls == sorted(urls)
    assert len(urls) == len(names)
    for place, url in enumerate(urls):
        assert [each.url for each in walked(tmp_path, url) if isinstance(each, File)] == urls[
            place + 1 :
        ]


def test_a_walk_that_is_closed_while_it_goes_on_leaves_nothing_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {"a/b/c.md": "x", "a/b/d.md": "y"})
    walk = Walk(str(tmp_path), PathRules())
    inside, go_on, listed = threading.Event(), threading.Event(), folder_walk._sorted

    def slowly(handle: int) -> Any:
        inside.set()
        assert go_on.wait(10)
        return listed(handle)

    monkeypatch.setattr(folder_walk, "_sorted", slowly)
    threads = [threading.Thread(target=work) for work in (lambda: walk.take(1), walk.close)]
    threads[0].start()
    assert inside.wait(10)
    threads[1].start()
    threads[1].join(0.2)  # it may wait, and must not leave open what is opened after it
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert [
        name for name in map(name_of, os.listdir("/proc/self/fd")) if str(tmp_path) in name
    ] == []
    assert walk.take(9) == []


def name_of(file: str) -> str:
    """The name of an open file; empty once it was closed."""
    try:
        return os.readlink(f"/proc/self/fd/{file}")
    except OSError:
        return ""


def test_no_link_leads_out_of_the_folder_and_no_device_is_opened(tmp_path: Path) -> None:
    base, outside = tmp_path / "base", tmp_path / "outside"
    write(
        base, {"in.md": "x", "sub/deep.md": "y", ".hidden.md": "h", ".git/x.md": "g", "x.png": "p"}
    )
    write(outside, {"secret.md": "s"})
    (base / "out.md").symlink_to(outside / "secret.md")
    (base / "inner.md").symlink_to(base / "sub" / "deep.md")
    (base / "folder").symlink_to(outside)
    (base / "loop").symlink_to(base)
    (base / "dead.md").symlink_to(base / "nothing.md")
    os.mkfifo(base / "pipe.md")
    found = {each.path: each.refusal for each in walked(base) if isinstance(each, File)}
    assert found == {
        b"in.md": None, b"inner.md": None, b"out.md": "outside", b"sub/deep.md": None,
    }  # fmt: skip


def test_a_folder_whose_files_cannot_be_looked_at_stops_no_walk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Closed:
        """An entry of a folder whose names can be read, and no more."""

        def __init__(self, entry: Any) -> None:
            self.name, self.is_dir, self.is_file = entry.name, entry.is_dir, entry.is_file
            self.is_symlink = entry.is_symlink

        def stat(self, **_: Any) -> os.stat_result:
            raise PermissionError(13, "Permission denied")

    def listed(handle: int) -> Any:
        return ((key, Closed(e) if e.name == "b.md" else e) for key, e in really_listed(handle))

    def stat(path: Any, *args: Any, **how: Any) -> os.stat_result:
        if bytes(path).endswith(b"/c.md"):
            raise PermissionError(13, "Permission denied")
        return really_stat(path, *args, **how)

    write(tmp_path, {"a.md": "x", "sub/b.md": "y", "sub/c.md": "z", "z.md": "z"})
    (tmp_path / "link.md").symlink_to(tmp_path / "sub" / "c.md")
    really_listed, really_stat = folder_walk._sorted, os.stat
    monkeypatch.setattr(folder_walk, "_sorted", listed)
    with monkeypatch.context() as closed:
        closed.setattr(os, "stat", stat)
        found = {each.path: each.refusal for each in walked(tmp_path) if isinstance(each, File)}
    assert found == {
        b"a.md": None, b"link.md": "unreadable", b"sub/b.md": "unreadable", b"sub/c.md": None,
        b"z.md": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("include", "exclude", "read"),
    [
        ([], [], {b"a.md", b"guide/b.md", b"guide/draft.txt"}),
        (["guide/*"], [], {b"guide/b.md", b"guide/draft.txt"}),
        (["/guide/*"], ["*draft*"], {b"guide/b.md"}),
        (["*.md"], [], {b"a.md", b"guide/b.md"}),
        ([], [r"re:\.md$"], {b"guide/draft.txt"}),
        (["a.md"], [], {b"a.md"}),
    ],
)
def test_patterns_are_compared_with_the_path_below_the_folder(
    tmp_path: Path, include: list[str], exclude: list[str], read: set[bytes]
) -> None:
    write(tmp_path, {"a.md": "", "guide/b.md": "", "guide/draft.txt": ""})
    found = walked(tmp_path, include=include, exclude=exclude)
    assert {each.path for each in found if isinstance(each, File) and each.refusal is None} == read


# -- collecting


async def test_title_text_front_matter_and_tags_of_files_become_documents(tmp_path: Path) -> None:
    base = tmp_path / "notes"
    front = "---\ntitle: The Title\ntags: [harbour, tide]\nauthor: Ann\ndate: 2026-01-02\n---\n# Heading\n\nText.\n"
    write(base, {
        "front.md": front,
        "heading.markdown": "Intro\n\n# First heading\n\nBody",
        "plain.txt": "no heading",
        "page.html": "<html><head><title>A page</title></head><body><main><h1>A page</h1><p>Words here.</p></main></body></html>",
        "latin.txt": "caf\xe9 na\xefve".encode("latin-1"),
        "sixteen.md": "\ufeff# Sixteen".encode("utf-16-le"),
        "b\u00fc cher/\u00e4.md": "# Umlaut",
        os.fsdecode(b"odd-\xff.md"): "# Odd name",
    })  # fmt: skip
    async with program(tmp_path / "data") as made:
        source = await made.add("notes", str(base), "folder", tags=["mine"])
        job = await made.collect(source)
        found = {each.summary.title: each for each in await made.documents(source)}
    assert job.summary.status is Status.COMPLETED
    assert job.result["created"] == 8
    titled = found["The Title"]
    assert titled.summary.tags == ("harbour", "mine", "tide")
    assert (titled.summary.author, titled.summary.published) == ("Ann", "2026-01-02")
    assert titled.text == "# Heading\n\nText.\n"
    assert titled.metadata["front_matter"]["title"] == "The Title"
    assert titled.summary.url == f"file://{base}/front.md"
    assert found["latin.txt"].text == "caf\xe9 na\xefve\n"
    assert {"First heading", "plain.txt", "A page", "Sixteen", "Umlaut", "Odd name"} <= set(found)
    assert found["Umlaut"].summary.url.endswith("/b%C3%BC%20cher/%C3%A4.md")
    assert found["A page"].summary.source_type == "folder"


async def test_files_of_xhtml_are_read_as_xml(tmp_path: Path) -> None:
    base = tmp_path / "book"
    chapter = (
        "<html><head><script src='a.js'/><title/></head><body><h1><a id='x'/>One</h1></body></html>"
    )
    write(base, {
        "one.xhtml": chapter,
        "two.html": "\ufeff\n<?xml version='1.0'?>" + chapter.replace("One", "Two"),
    })  # fmt: skip
    async with program(tmp_path / "data") as made:
        await made.collect(source := await made.add("book", str(base), "folder"))
        texts = {each.text for each in await made.documents(source)}
    assert texts == {"# One\n", "# Two\n"}


async def test_only_what_changed_is_read_and_what_was_removed_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = tmp_path / "notes"
    monkeypatch.setattr(folder, "BATCH", 2)
    monkeypatch.setattr(folder, "LOOKED_AT", 1)
    write(base, {f"{n}.md": f"# {n}" for n in range(6)} | {"x/y.md": "# y", "x/z.md": "# z"})
    async with program(tmp_path / "data") as made:
        source = await made.add("notes", str(base), "folder")
        first = await made.collect(source)
        (base / "0.md").write_text("# 0 changed")
        os.utime(base / "1.md", (OLD + 9, OLD + 9))  # another time, the same text
        (base / "2.md").unlink()
        (base / "x" / "z.md").unlink()
        second = await made.collect(source)
        present = await made.present(source)
        write(base, {"2.md": "# 2"})
        third = await made.collect(source)
        state = await made.state(source)
    counts = ("created", "changed", "unchanged", "gone")
    assert [first.result[name] for name in counts] == [8, 0, 0, 0]
    assert [second.result[name] for name in counts] == [0, 1, 5, 2]
    assert present == {"0.md", "1.md", "3.md", "4.md", "5.md", "y.md"}
    assert [third.result[name] for name in counts] == [0, 0, 7, 0]
    assert (state.documents, state.gone) == (7, 1)


async def test_a_file_changed_just_now_is_read_again_whatever_its_time_says(tmp_path: Path) -> None:
    base = tmp_path / "notes"
    base.mkdir()
    (base / "a.md").write_text("# one")
    async with program(tmp_path / "data") as made:
        source = await made.add("notes", str(base), "folder")
        await made.collect(source)
        seen = (base / "a.md").stat()
        (base / "a.md").write_text("# two")
        os.utime(base / "a.md", ns=(seen.st_atime_ns, seen.st_mtime_ns))
        again = await made.collect(source)
    assert again.result["changed"] == 1


async def test_patterns_of_one_run_make_nothing_gone_and_narrow_those_of_the_source(
    tmp_path: Path,
) -> None:
    base = tmp_path / "notes"
    write(base, {"a/1.md": "# 1", "a/2.md": "# 2", "b/3.md": "# 3", "c/4.md": "# 4"})
    async with program(tmp_path / "data") as made:
        source = await made.add(
            "notes", str(base), "folder", settings={"include": ["a/*", "b/*"], "exclude": ["*2*"]}
        )
        await made.collect(source)
        assert await made.present(source) == {"1.md", "3.md"}
        job = await made.collect(source, include=["a/*", "c/*"], exclude=["/b/*"])
        assert await made.present(source) == {"1.md", "3.md"}
    assert job.payload["within"] == ["a/*", "b/*"]
    assert job.payload["exclude"] == ["*2*", "/b/*"]
    assert job.result["refused"] == {"include": 1, "exclude": 2}


async def test_what_is_too_large_or_no_text_is_refused_by_name_and_the_rest_is_read(
    tmp_path: Path,
) -> None:
    base = tmp_path / "notes"
    write(base, {"big.md": b"x" * (LARGEST + 1), "binary.txt": b"\0\1\2" * 9, "good.md": "# Good"})
    (base / "out.md").symlink_to("/etc/hostname")
    async with program(tmp_path / "data") as made:
        source = await made.add("notes", str(base), "folder")
        job = await made.collect(source)
        present = await made.present(source)
    assert present == {"good.md"}
    assert job.result["refused"] == {"binary": 1, "outside": 1, "size": 1}


async def test_a_folder_that_cannot_be_looked_into_loses_no_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = tmp_path / "notes"
    monkeypatch.setattr(folder, "BATCH", 1)
    write(base, {"a.md": "# a", "sub/b.md": "# b", "sub/deep/c.md": "# c", "z.md": "# z"})
    async with program(tmp_path / "data") as made:
        source = await made.add("notes", str(base), "folder")
        await made.collect(source)
        await made.made.db.write(
            lambda tx: tx.execute(
                """update source set settings = '{"max_depth": 1}' where id = $1""", (source,)
            )
        )
        again = await made.collect(source)
        present = await made.present(source)
    assert present == {"a.md", "b.md", "c.md", "z.md"}
    assert again.result["refused"] == {"depth": 1}


async def test_a_limit_of_files_holds_and_leaves_the_rest_as_it_is(tmp_path: Path) -> None:
    base = tmp_path / "notes"
    write(base, {f"{n}.md": f"# {n}" for n in range(5)})
    async with program(tmp_path / "data") as made:
        source = await made.add("notes", str(base), "folder")
        await made.collect(source)
        job = await made.collect(source, max_files=2)
        present = await made.present(source)
    assert (job.result["files"], job.result["limited"]) == (2, True)
    assert len(present) == 5


@pytest.mark.parametrize("missing", [True, False], ids=["no folder", "empty folder"])
async def test_a_folder_that_is_not_there_or_empty_makes_nothing_gone(
    tmp_path: Path, missing: bool
) -> None:
    base = tmp_path / "notes"
    write(base, {"a.md": "# a"})
    async with program(tmp_path / "data") as made:
        source = await made.add("notes", str(base), "folder")
        await made.collect(source)
        (base / "a.md").unlink()
        if missing:
            base.rmdir()
        job = await made.collect(source)
        found = checks(await made.pre(job.summary.id))
        state = await made.state(source)
    assert job.summary.status is Status.FAILED
    assert found["folder"] is not missing
    assert found["files"] is (None if missing else False)
    assert (state.health, state.documents) == ("failing", 1)


async def test_a_run_goes_on_where_a_crash_left_it_and_counts_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = tmp_path / "notes"
    monkeypatch.setattr(folder, "BATCH", 2)
    write(base, {f"{n}.md": f"# {n}" for n in range(6)})
    write_batch, calls = folder._write, 0

    def fails_once(*args: Any, **kwargs: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise RuntimeError("a crash in the middle of the second batch")
        write_batch(*args, **kwargs)

    monkeypatch.setattr(folder, "_write", fails_once)
    async with program(tmp_path / "data") as made:
        source = await made.add("notes", str(base), "folder")
        job = await made.collect(source)
        versions = {each.summary.version for each in await made.documents(source)}
    assert job.summary.status is Status.COMPLETED
    assert job.summary.attempt == 2
    assert (job.result["files"], job.result["created"], job.result["unchanged"]) == (6, 6, 0)
    assert versions == {1}


async def test_a_cancelled_run_keeps_what_it_has_and_marks_nothing_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = tmp_path / "notes"
    write(base, {f"{n}.md": f"# {n}" for n in range(6)})
    async with program(tmp_path / "data") as made:
        source = await made.add("notes", str(base), "folder")
        await made.collect(source)
        for n in range(5):
            (base / f"{n}.md").unlink()
        job_id = await made.begin(source)
        await made.made.db.write(steer.cancel, job_id)
        job = await made.run(job_id)
        present = await made.present(source)
    assert job.summary.status is Status.CANCELLED
    assert len(present) == 6


def test_front_matter_that_is_nested_without_end_costs_its_own_file_only(tmp_path: Path) -> None:
    (tmp_path / "deep.md").write_text(f"---\nx: {'[' * 90_000}\n---\ntext")
    (tmp_path / "good.md").write_text("# Good\n")
    files = [(name, f"file:///{name.decode()}") for name in (b"deep.md", b"good.md")]
    deep, good = read_files(str(tmp_path), files)
    assert (deep["refusal"], good["title"]) == ("unreadable", "Good")
