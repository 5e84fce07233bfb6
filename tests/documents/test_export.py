from __future__ import annotations

import errno
import json
import os
import zipfile
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from quaero.clock import SECOND
from quaero.db import SqliteDatabase
from quaero.db.contract import ReadTx
from quaero.documents import counts, export, frontmatter, notes, read, store
from quaero.documents.export import export_archive, export_folder, export_lines
from quaero.documents.importing import Imported, import_path
from quaero.documents.model import DetailLevel, Document, Filter, NewDocument
from quaero.documents.names import file_name
from quaero.documents.notes import Kind, NewNote
from quaero.documents.references import Reference
from quaero.documents.referring import of_documents
from quaero.documents.search import search
from quaero.errors import BadInput
from quaero.testing.clock import FakeClock

Page = Callable[..., NewDocument]
WAYS: dict[str, tuple[Callable[..., Any], str]] = {
    "folder": (export_folder, "out"),
    "lines": (export_lines, "out.jsonl"),
    "archive": (export_archive, "out.zip"),
}

STRANGE = "\n\n# Second\r\n\r\n---\nkey: value\n---\n  end  "


@pytest.fixture
def other(tmp_path: Path, clock: FakeClock) -> Iterator[SqliteDatabase]:
    """Another, empty database."""
    with SqliteDatabase.open(tmp_path / "other.db", clock=clock) as database:
        yield database


def without_ids(document: Document) -> Document:
    summary = replace(document.summary, id=0, version=1, job_id=None, root_id=None)
    return replace(document, summary=summary)


def everything_with_ids(db: SqliteDatabase) -> list[Document]:
    return db.read_sync(read.documents, db.read_sync(read.ids_after, Filter(), 0))


def everything(db: SqliteDatabase) -> list[Document]:
    documents = [without_ids(each) for each in everything_with_ids(db)]
    return sorted(documents, key=lambda each: (each.summary.source_id, each.summary.url))


def called(tx: ReadTx, ids: Sequence[int]) -> dict[int, str]:
    """The one source of the database that is exported."""
    return {3: "tracker"}


def numbered(tx: ReadTx, names: Collection[str]) -> dict[str, int]:
    """The same source in the database that is imported into."""
    return {"tracker": 7}


def of_source(document: Document, ids: dict[int, int]) -> Document:
    source_id = document.summary.source_id
    return replace(
        document, summary=replace(document.summary, source_id=ids.get(source_id, source_id))
    )


def referred(db: SqliteDatabase) -> list[Reference]:
    ids = db.read_sync(read.ids_after, Filter(), 0)
    return [each for found in db.read_sync(of_documents, ids).values() for each in found]


def fill(db: SqliteDatabase, page: Page, clock: FakeClock) -> None:
    gone = page("gone", "this is gone", tags=("old",))
    db.write_sync(store.save, [page("a", "first"), gone])
    clock.pass_time(100)
    db.write_sync(store.mark_gone, 0, [gone.url])
    clock.pass_time(1.5)
    db.write_sync(
        store.save,
        [
            page("a", STRANGE, title='"T": #1 \\ é\x85\u2028'),
            page("A", "other case", tags=("x", "yes", "1.0", "- y")),
            page("", "root", etag='W/"1"', last_modified="Mon", published="2020-01-01"),
            page("x?q=1&r=../..", "query", source_id=3, source_type="jira",
                 metadata={"fields": {"Status": "Zu, tun: [x]"}, "n": [1, 2.5, None, True]}),
            page("poor", "", detail_level=DetailLevel.METADATA, description="a: b - c"),
            page("ACME-1", "as ACME-2", source_type="jira", entity_type="issue",
                 metadata={"issue": {"key": "ACME-1"}}),
            page("wörter", "words in 中文", url="https://docs.example.org/w%C3%B6rter"),
        ],
    )  # fmt: skip


# -- there and back


@pytest.mark.parametrize("way", WAYS)
def test_what_was_exported_comes_back_as_it_was(
    db: SqliteDatabase,
    other: SqliteDatabase,
    page: Page,
    clock: FakeClock,
    tmp_path: Path,
    way: str,
) -> None:
    fill(db, page, clock)
    write, name = WAYS[way]
    exported = write(db, tmp_path / name, None, called)
    assert exported.documents == 8
    assert exported.bytes > 500
    clock.pass_time(1000)
    assert import_path(other, tmp_path / name, numbered) == Imported(created=8)
    assert everything(other) == [of_source(each, {3: 7}) for each in everything(db)]
    here, there = db.read_sync(counts.stats), other.read_sync(counts.stats)
    assert there == replace(here, by_source={0: here.by_source[0], 7: here.by_source[3]})
    assert referred(other) == referred(db) == [("issue", "ACME-2", None)]
    for query in ("second", "gone", "words", "tag:x", "before:2021", "中文"):
        hits = [
            {hit.document.url for hit in each.read_sync(search, query).hits} for each in (db, other)
        ]
        assert hits[0] == hits[1]


@pytest.mark.parametrize("way", WAYS)
def test_importing_again_changes_nothing(
    db: SqliteDatabase, page: Page, clock: FakeClock, tmp_path: Path, way: str
) -> None:
    fill(db, page, clock)
    before = everything(db)
    write, name = WAYS[way]
    write(db, tmp_path / name, None, called)
    assert import_path(db, tmp_path / name, lambda *_: {"tracker": 3}) == Imported(kept=8)
    assert everything(db) == before


def test_documents_of_a_source_that_is_not_here_belong_to_none_and_it_is_told(
    db: SqliteDatabase, other: SqliteDatabase, page: Page, tmp_path: Path
) -> None:
    db.write_sync(store.save, [page("a"), page("b", source_id=3), page("c", source_id=4)])
    export_folder(db, tmp_path / "out", None, called)
    assert (tmp_path / "out/source-tracker/docs.example.org/b.md").exists()
    assert (tmp_path / "out/source-4/docs.example.org/c.md").exists()
    outcome = import_path(other, tmp_path / "out")
    assert outcome == Imported(created=3, unknown={"tracker": 1})
    assert {each.summary.source_id for each in everything(other)} == {0}


def test_an_import_replaces_what_is_older_and_keeps_what_is_newer(
    db: SqliteDatabase, other: SqliteDatabase, page: Page, clock: FakeClock, tmp_path: Path
) -> None:
    other.write_sync(store.save, [page("a", "old a"), page("c", "same")])
    clock.pass_time(10)
    db.write_sync(store.save, [page("a", "new a"), page("b", "old b"), page("c", "same")])
    export_lines(db, tmp_path / "out.jsonl")
    clock.pass_time(10)
    other.write_sync(store.save, [page("b", "new b")])
    outcome = import_path(other, tmp_path / "out.jsonl")
    assert outcome == Imported(changed=1, unchanged=1, kept=1)
    assert [each.text for each in everything(other)] == ["new a", "new b", "same"]
    a = everything(other)[0].summary
    assert (a.changed_at - a.first_seen, a.fetched_at) == (10 * SECOND, a.changed_at)


def test_an_import_leaves_a_note_that_was_made_later_of_the_same_text(
    db: SqliteDatabase, other: SqliteDatabase, page: Page, clock: FakeClock, tmp_path: Path
) -> None:
    def note(database: SqliteDatabase, name: str, text: str) -> None:
        (one,) = [each for each in everything_with_ids(database) if each.summary.title == name]
        new = NewNote(one.summary.id, Kind.SUMMARY, text, text, "r", one.content_hash)
        database.write_sync(notes.save, [new])

    other.write_sync(store.save, [page("a"), page("b"), page("c", "old c")])
    note(other, "b", "earliest")
    clock.pass_time(10)
    db.write_sync(store.save, [page("a"), page("b"), page("c", "new c")])
    for name in "abc":
        note(db, name, "earlier")
    export_lines(db, tmp_path / "out.jsonl")
    clock.pass_time(10)
    note(other, "a", "later")
    note(other, "c", "later, of an old text")
    assert import_path(other, tmp_path / "out.jsonl") == Imported(unchanged=2, changed=1)
    kept = [each.note(Kind.SUMMARY) for each in everything(other)]
    assert [each and each.text for each in kept] == ["later", "earlier", "earlier"]


def test_an_export_takes_what_a_filter_names(
    db: SqliteDatabase, page: Page, tmp_path: Path
) -> None:
    db.write_sync(store.save, [page("a", tags=("x",)), page("b"), page("c", source_id=2)])
    assert export_folder(db, tmp_path / "x", Filter(tag="X")).documents == 1
    assert export_lines(db, tmp_path / "y", Filter(source_id=2)).documents == 1
    assert export_archive(db, tmp_path / "z", Filter(gone=True)).documents == 0
    assert [path.name for path in (tmp_path / "x").rglob("*.md")] == ["a.md"]


def test_an_export_reads_in_pages(
    db: SqliteDatabase, page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "PAGE", 4)
    monkeypatch.setattr(export, "PAGE_BYTES", 20)
    db.write_sync(store.save, [page(f"p{n}", "12345678" * (n % 5)) for n in range(23)])
    assert export_lines(db, tmp_path / "out").documents == 23
    lines = (tmp_path / "out").read_text().splitlines()
    assert sorted(json.loads(line)["title"] for line in lines) == sorted(f"p{n}" for n in range(23))


def test_an_interrupted_export_leaves_the_old_file(
    db: SqliteDatabase, page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    db.write_sync(store.save, [page("a")])
    target = tmp_path / "out.jsonl"
    target.write_text("old")

    def fail(*_: object) -> None:
        raise RuntimeError("power")

    monkeypatch.setattr(export, "record_of", fail)
    for write in (export_lines, export_archive):
        with pytest.raises(RuntimeError):
            write(db, target)
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir() if "part" in path.name] == []


@pytest.mark.parametrize("write", [export_folder, export_lines, export_archive])
def test_an_export_that_finds_no_room_names_the_file(
    write: Any, db: SqliteDatabase, page: Page, clock: FakeClock, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    fill(db, page, clock)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(BadInput, match=r"/out.* cannot be written: No space left .*another place"):
        write(db, tmp_path / "out.zip")
    assert not list(tmp_path.rglob("*.part"))


def test_a_link_that_leads_out_of_the_folder_is_not_followed(
    db: SqliteDatabase, page: Page, tmp_path: Path
) -> None:
    db.write_sync(store.save, [page("a/b")])
    outside, out = tmp_path / "outside", tmp_path / "out"
    outside.mkdir()
    (out).mkdir()
    (out / "docs.example.org").symlink_to(outside)
    with pytest.raises(BadInput):
        export_folder(db, out)
    assert list(outside.iterdir()) == []


def test_a_link_in_place_of_a_file_is_replaced_not_written_through(
    db: SqliteDatabase, page: Page, tmp_path: Path
) -> None:
    db.write_sync(store.save, [page("a")])
    precious = tmp_path / "precious"
    precious.write_text("mine")
    (tmp_path / "out" / "docs.example.org").mkdir(parents=True)
    (tmp_path / "out" / "docs.example.org" / "a.md").symlink_to(precious)
    export_folder(db, tmp_path / "out")
    assert precious.read_text() == "mine"


# -- importing what others wrote


def test_what_cannot_be_read_is_refused_by_name_and_the_rest_goes_on(
    db: SqliteDatabase, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "bad.md").write_bytes(b"---\nurl: https://x.example/\n---\n\xff")
    (folder / "good.md").write_text(
        "---\nurl: https://x.example/good\ntitle: Good: one\n---\n\ntext"
    )
    (folder / "none.md").write_text("# no front matter")
    (folder / "type.md").write_text("---\nurl: https://x.example/\ntags: 7\n---\n")
    (folder / "url.md").write_text('---\nurl: "not an address"\n---\n')
    (folder / "readme.txt").write_text("not looked at")
    outcome = import_path(db, folder)
    assert (outcome.created, outcome.refusals) == (1, 4)
    assert [name for name, _ in outcome.refused] == ["bad.md", "none.md", "type.md", "url.md"]
    assert "tags" in dict(outcome.refused)["type.md"]
    (document,) = everything(db)
    assert (document.summary.title, document.text) == ("Good: one", "text")


def test_lines_that_are_no_records_are_refused(db: SqliteDatabase, tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    lines = ['{"url": "https://x.example/"}', "", "no json", "[]", '{"title": "x"}', "\x80"]
    path.write_bytes("\n".join(lines).encode("latin-1"))
    outcome = import_path(db, path)
    assert (outcome.created, outcome.refusals) == (1, 4)
    assert [name for name, _ in outcome.refused] == ["line 3", "line 4", "line 5", "line 6"]


def test_types_of_records_are_found_however_they_are_written(
    db: SqliteDatabase, tmp_path: Path
) -> None:
    lines = tmp_path / "documents.jsonl"
    types = [("Jira\0", " Issue"), ("", "")]
    records = [
        {"url": f"https://a.example/{n}", "source_type": source, "entity_type": entity}
        for n, (source, entity) in enumerate(types)
    ]
    lines.write_text("\n".join(map(json.dumps, records)), "utf-8")
    assert import_path(db, lines).created == 2
    assert [db.read_sync(search, f"type:{each}").total for each in ("issue", "page")] == [1, 1]
    assert set(db.read_sync(counts.stats).by_type) == {"jira", "web"}


def test_an_archive_is_read_in_place_whatever_its_names(db: SqliteDatabase, tmp_path: Path) -> None:
    path = tmp_path / "in.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../evil.md", "---\nurl: https://x.example/evil\n---\n\ntext")
        archive.writestr("/etc/passwd", "no")
    before = sorted(tmp_path.parent.rglob("*.md"))
    assert import_path(db, path) == Imported(created=1)
    assert sorted(tmp_path.parent.rglob("*.md")) == before


@pytest.mark.parametrize("name", ["missing", "damaged.zip"])
def test_what_is_not_there_or_damaged_is_bad_input(
    db: SqliteDatabase, tmp_path: Path, name: str
) -> None:
    (tmp_path / "damaged.zip").write_bytes(b"PK\x03\x04nothing")
    with pytest.raises(BadInput, match=name):
        import_path(db, tmp_path / name)


def _archive(path: Path, kind: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A good archive of one document, `a.md`, as bytes."""
    with zipfile.ZipFile(path, "w", kind) as made:
        made.writestr("a.md", "---\nurl: https://x.example/a\n---\n\n" + "text " * 9_000)
    return path.read_bytes()


@pytest.mark.parametrize("kind", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_damaged_entry_of_an_archive_is_refused_by_name(
    db: SqliteDatabase, tmp_path: Path, kind: int
) -> None:
    whole = _archive(tmp_path / "in.zip", kind)
    with zipfile.ZipFile(tmp_path / "in.zip") as archive:
        end = archive.start_dir
    (tmp_path / "in.zip").write_bytes(whole[:50] + b"\xff" * (end - 50) + whole[end:])
    outcome = import_path(db, tmp_path / "in.zip")
    assert [name for name, _ in outcome.refused] == ["a.md"]


DAMAGES = {
    "no entry where one begins": lambda entries: b"PK\0\0" + entries[4:],
    "a name that is no UTF-8": lambda entries: (
        entries[:9] + b"\x08" + entries[10:].replace(b"a.md", b"\xff.md")
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_an_archive_with_a_damaged_list_of_entries_is_bad_input(
    db: SqliteDatabase, tmp_path: Path, damage: str
) -> None:
    path = tmp_path / "in.zip"
    whole = _archive(path)
    start = whole.index(b"PK\1\2")
    path.write_bytes(whole[:start] + DAMAGES[damage](whole[start:]))
    with pytest.raises(BadInput, match="damaged ZIP archive"):
        import_path(db, path)


def test_an_archive_that_unpacks_to_far_more_than_it_is_ends_early(
    db: SqliteDatabase, tmp_path: Path
) -> None:
    path = tmp_path / "in.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(9):
            head = f"---\nurl: https://x.example/{number}\n---\n\n"
            archive.writestr(f"{number}.md", head + "a " * 1_500_000)
    outcome = import_path(db, path)
    assert outcome.created < 5
    assert "100 times as large" in outcome.refused[0][1]


@pytest.mark.parametrize("name", ["in.jsonl", "in"])
def test_what_is_nested_without_end_is_refused_and_the_rest_goes_on(
    db: SqliteDatabase, tmp_path: Path, name: str
) -> None:
    deep = '{"a":' * 90_000 + "1" + "}" * 90_000
    if name == "in":
        (tmp_path / name).mkdir()
        head = "---\nurl: https://x.example/1\nmetadata: "
        (tmp_path / name / "1.md").write_text(f"{head}{deep}\n---\n")
        (tmp_path / name / "2.md").write_text("---\nurl: https://x.example/2\n---\n")
    else:
        lines = f'{{"url": "https://x.example/1", "metadata": {deep}}}\n'
        (tmp_path / name).write_text(lines + '{"url": "https://x.example/2"}\n')
    outcome = import_path(db, tmp_path / name)
    assert (outcome.created, outcome.refusals) == (1, 1)
    assert outcome.refused[0][1] == "is nested too deep"


def test_a_link_to_itself_is_refused_and_the_rest_goes_on(
    db: SqliteDatabase, tmp_path: Path
) -> None:
    (tmp_path / "a.md").symlink_to("a.md")
    (tmp_path / "b.md").symlink_to("/etc/passwd")
    (tmp_path / "c.md").write_text("---\nurl: https://x.example/c\n---\n")
    outcome = import_path(db, tmp_path)
    assert outcome.created == 1
    assert "b.md" in dict(outcome.refused)


ADDRESSES = [
    ("javascript://x/%0aalert(1)", "no address"), ("data://text/html,x", "no address"),
    ("https://[x/", "no address"), ("https://ann:secret@x.example/", "user name or password"),
    ("https://x.example/" + "a" * 8_192, "more than 8192 characters"),
]  # fmt: skip


@pytest.mark.parametrize(("url", "says"), ADDRESSES)
def test_an_address_that_no_crawl_would_store_is_refused(
    db: SqliteDatabase, tmp_path: Path, url: str, says: str
) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(msgspec.json.encode({"url": url}))
    ((_, reason),) = import_path(db, path).refused
    assert says in reason
    assert "secret" not in reason


def test_of_two_records_of_one_page_the_newer_one_counts_in_whatever_order(
    db: SqliteDatabase, tmp_path: Path
) -> None:
    years = (2020, 2024, 2022)
    records = [
        {
            "url": "https://x.example/a",
            "text": f"of {year}",
            "fetched_at": f"{year}-01-01T00:00:00Z",
        }
        for year in years
    ]
    path = tmp_path / "in.jsonl"
    path.write_text("\n".join(map(json.dumps, records)))
    outcome = import_path(db, path)
    assert [each.text for each in everything(db)] == ["of 2024"]
    assert (outcome.created, outcome.kept) == (1, 2)


@pytest.mark.parametrize(
    "time", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "1969-07-20T20:17:40Z"]
)
def test_a_time_at_the_end_of_the_calendar_makes_no_document_that_cannot_be_shown(
    db: SqliteDatabase, tmp_path: Path, time: str
) -> None:
    names = ("first_seen", "fetched_at", "changed_at", "gone_at", "published", "modified")
    record = {"url": "https://x.example/a", "text": "a", **dict.fromkeys(names, time)}
    path = tmp_path / "in.jsonl"
    path.write_text(json.dumps(record))
    assert import_path(db, path).created == 1
    assert export_lines(db, tmp_path / "out.jsonl").documents == 1


def test_an_archive_takes_documents_of_all_times(db: SqliteDatabase, tmp_path: Path) -> None:
    records = [
        {"url": f"https://x.example/{year}", "text": "a", "changed_at": f"{year}-06-01T00:00:00Z"}
        for year in ("0001", 1970, 2026, 2107, 2108, 9999)
    ]
    path = tmp_path / "in.jsonl"
    path.write_text("\n".join(map(json.dumps, records)))
    import_path(db, path)
    assert export_archive(db, tmp_path / "out.zip").documents == len(records)
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        years = [entry.date_time[0] for entry in archive.infolist()]
    assert years == [1980, 1980, 2026, 2107, 2107, 2107]


@pytest.mark.parametrize("words", [-1, 10**30])
def test_a_number_of_words_that_no_text_has_is_refused_and_no_count_suffers(
    db: SqliteDatabase, tmp_path: Path, words: int
) -> None:
    path = tmp_path / "in.jsonl"
    record = {"url": "https://x.example/a", "text": "a b", "words": words}
    path.write_text(json.dumps(record))
    outcome = import_path(db, path)
    assert outcome.refused == (("line 1", f"no text has {words} words"),)
    assert db.read_sync(counts.of_all) == counts.Count()


def test_an_edited_text_is_a_change_without_validators(
    db: SqliteDatabase, other: SqliteDatabase, page: Page, tmp_path: Path
) -> None:
    db.write_sync(store.save, [page("a", "a text", etag='"1"')])
    export_folder(db, tmp_path / "out")
    (path,) = (tmp_path / "out").rglob("*.md")
    path.write_text(path.read_text() + " and more")
    import_path(other, tmp_path / "out")
    (document,) = everything(other)
    assert (document.text, document.etag, document.summary.words) == ("a text and more", None, 4)


# -- front matter


@pytest.mark.parametrize(
    ("content", "fields", "text"),
    [
        ("text", {}, "text"),
        ("---\nno end", {}, "---\nno end"),
        ("---\n---\n", {}, ""),
        ("---\na: 1\n---\n\ntext\n", {"a": 1}, "text\n"),
        ("---\na: plain text # kept\n---\ntext", {"a": "plain text # kept"}, "text"),
        ("---\na: 'it''s'\n---\n", {"a": "it's"}, ""),
        ('---\ntags:\n  - one\n  - "two"\nb: x\n---\n', {"tags": ["one", "two"], "b": "x"}, ""),
        ("---\na:\nb: [1, 2]\n---\n", {"a": None, "b": [1, 2]}, ""),
        ("---\r\na: x\r\n---\r\n\r\ntext\r\n", {"a": "x"}, "text\r\n"),
        ("\ufeff---\na: x\n---\n", {"a": "x"}, ""),
        ("---\nnonsense\na: x\n---\n", {"a": "x"}, ""),
    ],
)
def test_front_matter_written_by_hand_is_read(
    content: str, fields: dict[str, Any], text: str
) -> None:
    assert frontmatter.read(content) == (fields, text)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
KEYS = st.from_regex(r"[a-z_]{1,10}", fullmatch=True)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(KEYS, VALUES), st.text())
@example({}, "\n---\n")
@example({"a": "---"}, "---\nb: 1\n---\n")
def test_front_matter_comes_back_as_it_was(fields: dict[str, Any], text: str) -> None:
    written = frontmatter.write(fields, text)
    kept = {name: value for name, value in fields.items() if value is not None}
    assert frontmatter.read(written) == (kept, text)


# -- names


@pytest.mark.parametrize(
    ("source", "url", "name"),
    [
        ("", "https://docs.example.org/guide/intro", "docs.example.org/guide/intro.md"),
        ("", "https://docs.example.org/guide/a.html", "docs.example.org/guide/a.html.md"),
        ("", "https://docs.example.org/guide/", "docs.example.org/guide/index.md"),
        ("", "https://docs.example.org/", "docs.example.org/index.md"),
        ("wiki", "https://docs.example.org/a", "source-wiki/docs.example.org/a.md"),
        ("", "https://docs.example.org/index", "docs.example.org/index-*.md"),
        ("", "http://docs.example.org/a", "docs.example.org/a-*.md"),
        ("", "https://docs.example.org/Intro", "docs.example.org/intro-*.md"),
        ("", "https://docs.example.org/a?b=c/d", "docs.example.org/a_b_c_d-*.md"),
        ("", "https://docs.example.org/?b", "docs.example.org/index_b-*.md"),
        ("", "https://docs.example.org/%C3%9Cber%20uns", "docs.example.org/über_uns-*.md"),
        ("", "https://docs.example.org/..%2F..%2Fetc", "docs.example.org/etc-*.md"),
        ("", "https://docs.example.org/a/%2e%2e/b", "docs.example.org/a/_/b-*.md"),
        ("", "https://docs.example.org/con/nul.txt", "docs.example.org/_con/_nul.txt-*.md"),
        ("", "https://docs.example.org/.git/config", "docs.example.org/git/config-*.md"),
        ("", "https://docs.example.org/a.md/b", "docs.example.org/a.md_/b-*.md"),
        ("", "https://docs.example.org/a//b", "docs.example.org/a/_/b-*.md"),
        ("", "https://docs.example.org/a-0123456789ab", "docs.example.org/a-0123456789ab-*.md"),
        ("", "http://127.0.0.1:8080/a", "127.0.0.1_8080/a-*.md"),
        ("w" * 70, "https://docs.example.org/a", "source-" + "w" * 53 + "/docs.example.org/a-*.md"),
        ("", "https://source-4/a", "source-4/a-*.md"),
        ("", "file:///home/me/notes.txt", "local/home/me/notes.txt-*.md"),
        ("", "https://docs.example.org/" + "a" * 300, "docs.example.org/" + "a" * 60 + "-*.md"),
    ],
)
def test_a_file_is_named_after_its_address(source: str, url: str, name: str) -> None:
    begin, star, end = name.partition("*")
    found = file_name(source, url)
    assert found.startswith(begin)
    assert found.endswith(end)
    assert len(found) == len(begin) + len(end) + (12 if star else 0)


SEGMENTS = st.lists(
    st.sampled_from(
        ["a", "A", "b.md", "B.MD", "index", "", "..", ".", "con", "nul.md", "x.", "é", "e\u0301",
         "%C3%89", "%2F", "%2e%2e", "a\\b", "a:b", "c" * 100, "-", "~", "a-0123456789ab", "?a", "#"]
    ),
    max_size=6,
).map("/".join)  # fmt: skip
URLS = st.builds(
    "{}://{}/{}".format,
    st.sampled_from(["http", "https", "file"]),
    st.sampled_from(["a", "A", "source-1", "a:80", "", "con", "a.md", "docs.example.org"]),
    SEGMENTS | st.text(),
)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["", "1", "wiki", "w" * 60, "w" * 61]), URLS),
        min_size=2,
        max_size=30,
        unique=True,
    )
)
def test_names_are_safe_and_never_shared(addresses: list[tuple[str, str]]) -> None:
    names = [file_name(*address) for address in addresses]
    folded = [name.casefold() for name in names]
    assert len(set(folded)) == len(folded)
    files, folders = set(folded), set()
    for name in folded:
        parts = name.split("/")
        folders |= {"/".join(parts[:n]) for n in range(1, len(parts))}
        assert len(name) <= 200
        for part in parts:
            assert part.strip("._ ") or part == "_"
            assert part not in (".", "..")
            assert not part.startswith(".")
            assert not part.endswith((".", " "))
            assert not set(part) & set('\\/:*?"<>|\0')
            assert part.isprintable()
            assert len(part.encode()) <= 200
            assert part.partition(".")[0] not in ("con", "nul", "aux", "prn", "com1", "lpt1")
    assert not files & folders


def test_names_lie_in_the_folder(tmp_path: Path) -> None:
    root = os.path.realpath(tmp_path)
    for url in ("https://../../etc/passwd", "https:////etc/passwd", "https://a/../../../b", "/etc"):
        assert os.path.realpath(tmp_path / file_name(0, url)).startswith(root + os.sep)
