"""`quaero sources`: kept, looked at, tried, checked, collected, edited, deleted."""

from __future__ import annotations

import signal
from pathlib import Path

from quaero.testing.site import Page, SiteServer

from .conftest import Cli, finish, start

PAGES = {
    "/": '<title>Start</title><a href="/tides">t</a><a href="/draft">d</a>',
    "/tides": "<title>Tides</title><p>Spring tides.</p>",
    "/draft": "<title>Draft</title><p>Not yet.</p>",
}


def test_a_source_is_kept_checked_collected_found_and_deleted(cli: Cli) -> None:
    with SiteServer(PAGES) as site:
        added = cli("sources", "add", "pilot", site.url, "--exclude", "/draft", "--tag", "Sea")
        assert added.code == 0
        assert "quaero" in added.out
        tried = cli("sources", "test", "pilot", "/tides", "/draft", "--json").json["items"]
        assert [each["admitted"] for each in tried] == [True, False]
        assert tried[1]["pattern"] == "/draft"
        checked = cli("sources", "validate", "pilot")
        assert checked.code == 0
        assert "ok       reachable" in checked.out
        collected = cli("sources", "collect", "pilot")
        assert collected.code == 0
        assert "  documents: 2 new, 0 changed, 0 unchanged\n" in collected.err
        assert "  1 link refused by exclude, such as" in collected.err
        narrowed = cli(
            "sources", "collect", "pilot", "--include", "/x", "--exclude", "/y", "--json"
        )
        assert "excluded: /draft, /y" in narrowed.err
        assert narrowed.json["job"]["payload"]["include"] == ["/x"]
    listed = cli("sources", "list", "--json").json[0]
    assert (listed["name"], listed["health"], listed["documents"]) == ("pilot", "healthy", 2)
    assert listed["tags"] == ["sea"]
    found = cli("search", "source:pilot spring", "--json").json
    assert found["total"] == 1
    changes = ("--set", "max_pages=7", "--name", "book", "--address", "docs.example.org")
    assert cli("sources", "edit", "pilot", *changes).code == 0
    shown = cli("sources", "show", "book", "--json").json
    assert (shown["settings"]["max_pages"], shown["settings"]["exclude"]) == (7, ["/draft"])
    assert cli("sources", "show", "book").out.startswith("book (web, source 1): healthy")
    assert cli("sources", "delete", "book", "--documents", "delete").code == 0
    assert cli("documents", "list", "--json").json == []


def test_the_check_of_a_source_is_no_page_of_its_crawl(cli: Cli) -> None:
    with SiteServer(PAGES) as site:
        assert cli("sources", "add", "pilot", site.url, "--set", "max_pages=1").code == 0
        first = cli("sources", "collect", "pilot", "--json").json["job"]
        assert first["counts"]["completed"] == 2, "the check and one page"
        more = cli("crawl", "--continue", first["id"], "--max-pages", 0)
    assert "  3 pages: 3 new, 0 changed, 0 unchanged\n" in more.err, more.err


def test_what_is_done_to_a_source_is_told_to_a_script(cli: Cli) -> None:
    added = cli("sources", "add", "pilot", "https://x.example/", "--json").json
    assert (added["id"], added) == (1, cli("sources", "show", "pilot", "--json").json)
    edited = cli("sources", "edit", "pilot", "--name", "book", "--json").json
    assert (edited["name"], edited) == ("book", cli("sources", "show", "book", "--json").json)
    deleted = cli("sources", "delete", "book", "--documents", "delete", "--json").json
    assert deleted == {"id": 1, "name": "book", "deleted": True, "documents": 0}


def test_a_folder_is_named_by_its_path_from_here(cli: Cli, tmp_path: Path) -> None:
    notes = Path.cwd() / "notes"
    notes.mkdir()
    (notes / "a.md").write_text("# Anchors")
    assert cli("sources", "add", "notes", "./notes").code == 0
    collected = cli("sources", "collect", "notes")
    assert collected.code == 0
    assert "completed" in collected.err
    assert "  documents: 1 new, 0 changed, 0 unchanged\n" in collected.err
    (notes / "a.md").rename(notes / "b.md")
    printed = cli("sources", "collect", "notes", "--json").json
    assert (printed["crawl"]["created"], printed["crawl"]["gone"]) == (1, 1)
    shown = cli("jobs", "show", printed["job"]["id"], "--json").json
    assert {**printed["job"], "crawl": shown["crawl"]} == shown, "a job looks the same everywhere"
    assert cli("sources", "show", "notes", "--json").json["base_url"] == str(notes)
    assert cli("search", "source:notes anchors", "--json").json["total"] == 1


def test_what_is_wrong_with_a_source_is_told_before_anything_is_fetched(cli: Cli) -> None:
    with SiteServer(PAGES) as site:
        assert cli("sources", "add", "shut", site.url, "--exclude", "*").code == 0
        checked = cli("sources", "validate", "shut")
        collected = cli("sources", "collect", "shut")
    assert (checked.code, collected.code) == (1, 1)
    assert "PROBLEM  seeds" in checked.out
    assert "change the exclude patterns" in checked.out
    assert "excluded by the pattern '*'" in collected.err
    assert "/tides" not in site.paths()


def test_bad_input_names_the_value_and_keeps_nothing(cli: Cli) -> None:
    cases = [
        (("add", "Bad Name", "https://x.example/"), "name"),
        (("add", "a", "ftp://x.example/"), "ftp"),
        (("add", "a", "https://x.example/", "--include", "re:("), "re:("),
        (("add", "a", "https://x.example/", "--set", "max_pages=-1"), "max_pages"),
        (("add", "a", "https://x.example/", "--set", "nonsense=1"), "nonsense"),
        (("add", "a", "https://x.example/", "--set", "max_pages"), "name=value"),
        (("add", "a", "/tmp", "--set", "delay=1"), "delay"),
        (("add", "a", "https://x.example/", "--kind", "wiki"), "kind"),
    ]
    for words, said in cases:
        done = cli("sources", *words)
        assert done.code == 2, words
        assert said in done.err, words
    assert cli("sources", "list").code in (0, 3)
    assert cli("sources", "add", "a", "https://x.example/").code == 0
    assert cli("sources", "add", "a", "https://y.example/").code == 4
    assert cli("sources", "show", "b").code == 3
    assert cli("sources", "edit", "a").code == 2
    assert cli("sources", "delete", "a", "--documents", "burn").code == 2
    assert cli("sources", "edit", "a", "--disable").code == 0
    assert cli("sources", "collect", "a").code == 4
    assert cli("sources", "edit", "a", "--enable", "--login", "0").code == 0
    assert cli("sources", "delete", "a", "--documents", "keep", "--cancel").code == 0


def test_a_check_that_is_interrupted_says_so_by_its_exit_code(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with SiteServer({"/robots.txt": Page(body="", delay=20)}) as site:
        assert cli("--data-dir", folder, "sources", "add", "slow", site.url).code == 0
        assert cli("--data-dir", folder, "queue", "pause").code == 0
        process = start("--data-dir", folder, "sources", "validate", "slow")
        assert process.stderr is not None
        said = process.stderr.readline()
        process.send_signal(signal.SIGINT)
        done = finish(process)
    assert said.startswith("waiting: the queue is paused")
    assert done.code == 130
    assert "waits and loses nothing" in done.err
    assert f"--data-dir {folder} jobs cancel" in done.err
