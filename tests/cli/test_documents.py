"""`quaero search` and `quaero documents`: people and programs are told the same."""

import io
import json
import re
import shlex
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

from quaero.cli.output import moment, safe, size, table
from quaero.db.sqlite.database import SqliteDatabase
from quaero.documents.model import NewDocument
from quaero.documents.store import mark_gone, save

from .conftest import Cli, call


@pytest.fixture
def documents(on: Cli) -> dict[str, dict[str, Any]]:
    """All documents by the path of their address."""
    listed = on("documents", "list", "--json").json
    return {"/" + each["url"].split("/", 3)[3]: each for each in listed}


def repeated(done: Any) -> list[str]:
    """The arguments of the command that was suggested for more."""
    (command,) = re.findall(r"more: python -m quaero (.*)", done.err)
    return shlex.split(command)


# -- search


def test_a_search_shows_rank_title_address_and_words_around(looking: Cli) -> None:
    done = looking("search", "neap", "tides")
    (hit,) = looking("search", "neap", "tides", "--json").json["hits"]
    first, second, third = done.out.splitlines()
    assert first.split() == [str(hit["document"]["id"]), "Tides"]
    assert second.strip() == hit["document"]["url"]
    assert third.strip() == "[Neap] [tides] follow the half moon."
    assert done.err == "1 document\n"


QUERIES = [
    (["tides"], {"/", "/tides"}),
    (["tides", "-neap"], {"/"}),
    (["-neap", "tides"], {"/"}),
    (["half moon"], {"/tides"}),
    (["tides -neap"], {"/"}),
    (["dangerous OR neap"], {"/nasty", "/tides"}),
    (["moon neap tid*"], {"/tides"}),
    (['"half moon"'], {"/tides"}),
    (["moon half follow"], {"/tides"}),
    (["moon harbourless follow"], {"/tides"}),
    (["title:tides"], {"/tides"}),
    (["tid*"], {"/", "/tides"}),
    (["dangerous", "OR", "neap"], {"/nasty", "/tides"}),
    (["site:nowhere.test", "tides"], set()),
    (["--", "-neap", "tides"], {"/"}),
    (['"""((('], set()),
]


@pytest.mark.parametrize(("words", "expected"), QUERIES)
def test_the_query_is_made_of_the_words_as_the_shell_gives_them(
    looking: Cli, words: list[str], expected: set[str]
) -> None:
    done = looking("search", "--json", *words)
    found = {"/" + each["document"]["url"].split("/", 3)[3] for each in done.json["hits"]}
    assert (done.code, found) == (0, expected)


def test_a_phrase_of_the_shell_that_nothing_has_is_looked_for_as_words(looking: Cli) -> None:
    words = looking("search", "moon half follow")
    assert words.err == "1 document, none with the phrase\n"
    assert looking("search", '"moon half follow"').err == "nothing found\n"
    assert looking("search", "half moon").err == "1 document\n"


def test_a_search_goes_on_where_it_ended(looking: Cli) -> None:
    first = looking("search", "tides", "--limit", 1)
    second = call(*repeated(first))
    both = looking("search", "tides", "--json").json["hits"]
    shown = [done.out.splitlines()[1].strip() for done in (first, second)]
    assert shown == [each["document"]["url"] for each in both]
    assert "more:" not in second.err
    cursor = looking("search", "tides", "--limit", 1, "--json").json["cursor"]
    assert looking("search", "tides", "--cursor", cursor, "--json").json["hits"][0]["rank"] == 2


def test_what_spells_words_is_shown_and_what_turns_them_is_not() -> None:
    spelled = "می\u200cخواهم അവന്\u200d Donau\u00addampf"
    assert safe(spelled) == spelled
    assert safe("a\u202eb\u200ec\x1b") == r"a\x202eb\x200ec\x1b"


def test_nothing_found_is_no_error(looking: Cli) -> None:
    done = looking("search", "xyzzy")
    assert (done.code, done.out, done.err) == (0, "", "nothing found\n")


# -- list and show


def test_the_list_has_what_its_json_has(looking: Cli) -> None:
    header, *lines = looking("documents", "list").out.splitlines()
    listed = looking("documents", "list", "--json").json
    assert header.split() == ["id", "words", "fetched", "title", "address"]
    assert len(lines) == len(listed) == 3
    for line, each in zip(lines, listed, strict=True):
        assert line.split()[:2] == [str(each["id"]), str(each["words"])]
        assert line.endswith(each["url"])
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", each["fetched_at"])


def test_the_list_can_be_narrowed(on: Cli, documents: dict[str, Any]) -> None:
    host = documents["/"]["site"]
    assert len(on("documents", "list", "--site", host, "--json").json) == 3
    assert on("documents", "list", "--site", "other.test").err == "no documents\n"
    assert on("documents", "list", "--crawl", 1, "--json").json == []
    crawls = [job["id"] for job in on("jobs", "list", "--json").json]
    assert len(on("documents", "list", "--crawl", crawls[0], "--json").json) == 3
    assert on("documents", "list", "--gone", "--json").json == []


def test_the_list_goes_on_where_it_ended(looking: Cli) -> None:
    ids = [each["id"] for each in looking("documents", "list", "--json").json]
    first = looking("documents", "list", "--limit", 1)
    seen = [int(first.out.splitlines()[1].split()[0])]
    rest = looking("documents", "list", "--before", seen[0], "--json").json
    following = call(*repeated(first))
    assert seen + [each["id"] for each in rest] == ids
    assert int(following.out.splitlines()[1].split()[0]) == ids[1]


def test_a_document_is_shown_as_markdown(on: Cli, documents: dict[str, Any]) -> None:
    each = documents["/tides"]
    done = on("documents", "show", each["id"])
    assert done.out == "Neap tides follow the half moon.\n\n" or done.out.strip() == (
        "Neap tides follow the half moon."
    )
    assert done.err == f"Tides\n{each['url']}\n\n"
    whole = on("documents", "show", each["id"], "--json").json
    assert whole["text"].strip() == done.out.strip()
    assert (whole["title"], whole["version"], whole["etag"]) == ("Tides", 2, None)


def test_what_a_document_refers_to_is_shown_from_both_ends(on: Cli, tmp_path: Path) -> None:
    records = [
        {"url": "https://a.test/browse/SEA-1", "title": "Buoy", "text": "Adrift.",
         "metadata": {"issue": {"key": "SEA-1"}}},
        {"url": "https://a.test/p", "title": "Log", "text": "See https://a.test/browse/SEA-1"},
    ]  # fmt: skip
    file = tmp_path / "two.jsonl"
    file.write_text("\n".join(map(json.dumps, records)))
    on("documents", "import", file)
    ids = {each["title"]: each["id"] for each in on("documents", "list", "--json").json}
    shown = on("documents", "show", ids["Log"]).err
    assert f"refers to issue SEA-1 (document {ids['Buoy']}: Buoy)" in shown
    shown = on("documents", "show", ids["Buoy"]).err
    assert f"referred to by document {ids['Log']}: Log" in shown
    whole = on("documents", "show", ids["Log"], "--json").json
    assert [each["key"] for each in whole["references"]] == ["SEA-1"]
    assert whole["referrers"] == []


def test_earlier_texts_are_listed_and_shown(on: Cli, documents: dict[str, Any]) -> None:
    id_ = documents["/tides"]["id"]
    (version,) = on("documents", "versions", id_, "--json").json
    lines = on("documents", "versions", id_).out.splitlines()
    assert version["number"] == 1
    assert lines[1].split()[0] == "1"
    assert version["since"] < version["until"]
    assert "Spring tides" in on("documents", "show", id_, "--version", 1).out
    assert "Neap tides" in on("documents", "show", id_, "--version", 2).out
    assert on("documents", "show", id_, "--version", 9).code == 3
    assert "has not changed" in on("documents", "versions", documents["/"]["id"]).err


def test_what_has_changed_between_texts_is_shown(on: Cli, documents: dict[str, Any]) -> None:
    id_ = documents["/tides"]["id"]
    shown = on("documents", "changes", id_)
    lines = shown.out.splitlines()
    assert [line.partition(": ")[0] for line in lines[:2]] == ["--- version 1", "+++ version 2"]
    assert lines[2].startswith("@@ -")
    assert any(line.startswith("-") and "Spring tides" in line for line in lines)
    assert any(line.startswith("+") and "Neap tides" in line for line in lines)
    found = on("documents", "changes", id_, "--from", 1, "--to", 2, "--json").json
    assert (found["from_version"], found["to_version"], found["exact"]) == (1, 2, True)
    kinds = [line["kind"] for hunk in found["hunks"] for line in hunk["lines"]]
    assert (kinds.count("removed"), kinds.count("added")) == (found["removed"], found["added"])
    assert on("documents", "changes", id_, "--from", 2).code == 2
    assert on("documents", "changes", documents["/"]["id"]).code == 3


def test_tags_are_given_found_and_taken_away(on: Cli, documents: dict[str, Any]) -> None:
    id_ = documents["/"]["id"]
    assert on("documents", "tag", id_, "Howto", "sea  side").out == (
        f"2 tags given; document {id_} has: howto, sea side\n"
    )
    assert [each["id"] for each in on("documents", "list", "--tag", "HOWTO", "--json").json] == [
        id_
    ]
    assert len(on("search", "tag:howto", "tides", "--json").json["hits"]) == 1
    assert "1 tag taken away" in on("documents", "tag", id_, "howto", "--remove").out
    assert on("documents", "list", "--tag", "howto", "--json").json == []


# -- stats


def test_stats_count_what_there_is(on: Cli, documents: dict[str, Any]) -> None:
    on("documents", "tag", documents["/tides"]["id"], "sea")
    site = documents["/"]["site"]
    told = on("documents", "stats", "--json").json
    words = sum(each["words"] for each in documents.values())
    assert (told["all"]["documents"], told["all"]["words"], told["all"]["gone"]) == (3, words, 0)
    assert told["by_type"]["web"] == told["by_site"][site] == told["all"]
    assert told["by_tag"]["sea"]["documents"] == 1
    done = on("documents", "stats")
    assert done.err == (
        f"3 documents, 0 of them gone, with {words} words in {size(told['all']['bytes'])} of text\n"
    )
    header, *rows = (line.split() for line in done.out.splitlines())
    assert header == ["by", "name", "documents", "gone", "words", "text"]
    assert [row[:4] for row in rows] == [
        ["type", "web", "3", "0"], ["site", site, "3", "0"], ["tag", "sea", "1", "0"],
    ]  # fmt: skip


# -- delete


class Terminal(io.StringIO):
    """A user who types."""

    def isatty(self) -> bool:
        return True


def left(on: Cli) -> set[int]:
    return {each["id"] for each in on("documents", "list", "--json").json}


def test_documents_named_by_id_are_deleted_at_once(on: Cli, documents: dict[str, Any]) -> None:
    ids = {path: each["id"] for path, each in documents.items()}
    assert on("documents", "delete", ids["/"], ids["/nasty"]).out == "2 documents deleted\n"
    assert left(on) == {ids["/tides"]}
    assert on("search", "harbours", "--json").json["total"] == 0
    assert on("documents", "stats", "--json").json["all"]["documents"] == 1
    done = on("documents", "delete", ids["/tides"], 999)
    assert (done.code, left(on)) == (3, {ids["/tides"]})
    assert "no document 999" in done.err


@pytest.mark.parametrize("option", ["--site", "--tag", "--crawl", "--gone"])
def test_documents_named_by_what_they_share_are_deleted_when_it_is_confirmed(
    on: Cli,
    data: Path,
    documents: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    option: str,
) -> None:
    id_ = documents["/"]["id"]
    on("documents", "tag", id_, "old")
    with SqliteDatabase.open(data / "quaero.db") as db:
        db.write_sync(mark_gone, 0, [documents["/tides"]["url"]])
    crawl = on("jobs", "list", "--json").json[0]["id"]
    site = documents["/"]["site"]
    values = {"--site": [site], "--tag": ["old"], "--crawl": [crawl], "--gone": []}
    number = {"--site": 3, "--tag": 1, "--crawl": 3, "--gone": 1}[option]
    wanted = ["documents", "delete", option, *values[option]]
    before = left(on)
    asked = f"Delete {number} document{'' if number == 1 else 's'} with all earlier texts?"

    done = on(*wanted)
    assert (done.code, left(on)) == (2, before)
    assert "--yes" in done.err

    monkeypatch.setattr(sys, "stdin", Terminal("n\n"))
    done = on(*wanted)
    assert (done.code, left(on)) == (130, before)
    assert asked in done.err

    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    assert f"{number} document{'' if number == 1 else 's'} deleted" in on(*wanted).out
    assert len(left(on)) == 3 - number
    assert on(*wanted).out == "0 documents deleted\n", "nothing is asked"
    assert on(*wanted, "--yes").out == "0 documents deleted\n"


def test_what_comes_while_it_is_asked_is_not_deleted(
    on: Cli, data: Path, documents: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    site = documents["/"]["site"]
    late = NewDocument(
        url=f"{documents['/']['url']}late",
        title="Late",
        text="late",
        words=1,
        content_hash=b"l" * 16,
    )

    class Slow(Terminal):
        def readline(self, *size: int) -> str:
            with SqliteDatabase.open(data / "quaero.db") as db:
                db.write_sync(save, [late])
            return super().readline(*size)

    monkeypatch.setattr(sys, "stdin", Slow("y\n"))
    assert "3 documents deleted" in on("documents", "delete", "--site", site).out
    assert len(left(on)) == 1


def test_nothing_is_deleted_where_nothing_or_both_are_named(looking: Cli) -> None:
    for arguments in ([], [1, "--tag", "x"], ["--yes"]):
        done = looking("documents", "delete", *arguments)
        assert done.code == 2
        assert "either their ids, or --site" in done.err


def test_what_is_done_to_documents_is_told_to_a_script(
    on: Cli, documents: dict[str, Any], tmp_path: Path
) -> None:
    id_ = documents["/tides"]["id"]
    tagged = on("documents", "tag", id_, "sea", "--json").json
    assert (tagged["changed"], tagged["document"]["tags"]) == (1, ["sea"])
    listed = on("documents", "list", "--tag", "sea", "--json").json
    assert listed == [tagged["document"]]
    target = tmp_path / "sea.jsonl"
    exported = on("documents", "export", target, "--tag", "sea", "--json").json
    assert (exported["target"], exported["documents"]) == (str(target), 1)
    assert exported["bytes"] > 0
    assert on("documents", "delete", id_, "--json").json == {"deleted": 1}
    crawl = on("jobs", "list", "--json").json[0]["id"]
    deleted = on("documents", "delete", "--crawl", crawl, "--yes", "--json").json
    assert deleted == {"deleted": len(documents) - 1}


# -- export and import


KINDS = ["pages", "pages.jsonl", "pages.zip"]


@pytest.mark.parametrize("name", KINDS)
def test_what_is_exported_can_be_imported(looking: Cli, tmp_path: Path, name: str) -> None:
    target, other = tmp_path / name, tmp_path / "other"
    assert looking("documents", "export", target).out.startswith("3 documents written to ")
    fresh = call("--data-dir", other, "documents", "import", target)
    assert fresh.out == "3 new, 0 changed, 0 unchanged, 0 as new here already, 0 refused\n"
    there = call("--data-dir", other, "documents", "list", "--json").json
    here = looking("documents", "list", "--json").json
    kept = ("url", "title", "words", "fetched_at", "first_seen")
    assert sorted([each[key] for key in kept] for each in there) == sorted(
        [each[key] for key in kept] for each in here
    )
    again = call("--data-dir", other, "documents", "import", target, "--json")
    assert again.json["kept"] == 3


def test_an_export_can_be_narrowed(on: Cli, documents: dict[str, Any], tmp_path: Path) -> None:
    on("documents", "tag", documents["/"]["id"], "start")
    crawl = on("jobs", "list", "--json").json[0]["id"]
    for option, value, number in (
        ("--tag", "start", 1), ("--site", "other.test", 0), ("--crawl", crawl, 3),
    ):  # fmt: skip
        file = tmp_path / f"{number}.jsonl"
        on("documents", "export", file, option, value)
        assert len(file.read_text().splitlines()) == number
    (line,) = (tmp_path / "1.jsonl").read_text().splitlines()
    assert json.loads(line)["tags"] == ["start"]


def test_an_archive_holds_readable_files(looking: Cli, tmp_path: Path) -> None:
    looking("documents", "export", tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        names = archive.namelist()
        assert len(names) == 3
        assert all(name.endswith(".md") and not name.startswith(("/", "..")) for name in names)


def test_what_cannot_be_read_is_refused_by_name_and_the_rest_goes_on(
    looking: Cli, tmp_path: Path
) -> None:
    file = tmp_path / "mixed.jsonl"
    looking("documents", "export", file)
    file.write_text(file.read_text() + '{"url": 5}\nnot json\n')
    done = call("--data-dir", tmp_path / "other", "documents", "import", file)
    assert done.code == 0
    assert done.out.endswith("2 refused\n")
    assert [line.split(":")[1].strip() for line in done.err.splitlines()] == ["line 4", "line 5"]


def test_sizes_are_short() -> None:
    sizes = {0: "0.0 kB", 440: "0.4 kB", 9_949: "9.9 kB", 9_960: "10 kB", 999_600: "1.0 MB",
             3_500_000: "3.5 MB", 120 * 10**9: "120 GB", 5 * 10**15: "5000 TB"}  # fmt: skip
    assert {number: size(number) for number in sizes} == sizes


def test_times_are_in_the_users_own_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert re.fullmatch(r"2025-10-0[89] \d\d:\d\d:\d\d", moment(1_760_000_000_000_000))


def test_a_time_in_the_last_hours_of_all_can_be_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert moment(253_402_300_799_000_000) == "9999-12-31 23:59:59"
    finally:
        monkeypatch.undo()
        time.tzset()


def test_columns_stand_below_one_another_whatever_is_in_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = [("潮汐表", 1), ("cafe\u0301", 22), ("tides", 3)]
    table(("title", "words"), rows, right="words")
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["title   words", "潮汐表      1", "cafe\u0301       22", "tides       3"]
