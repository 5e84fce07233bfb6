"""`quaero db`, `quaero config`, `quaero work`."""

import json
import shutil
import signal
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from quaero.db.sqlite.database import SqliteDatabase
from quaero.documents import store
from quaero.documents.model import NewDocument, content_hash
from quaero.testing.site import SiteServer

from .conftest import Cli, call, finish, start


def test_a_sound_database_is_called_so(on: Cli, data: Path) -> None:
    assert on("db", "check").out.startswith(f"{data}/quaero.db is sound")
    assert on("db", "check", "--json").json == {
        "path": f"{data}/quaero.db", "sound": True, "faults": [],
    }  # fmt: skip


def test_a_wrong_count_is_found_with_exit_code_5(on: Cli, data: Path) -> None:
    with SqliteDatabase.open(data / "quaero.db") as db:
        db.write_sync(lambda tx: tx.execute("update job set n_failed = n_failed + 1 where id = 1"))
    done = on("db", "check", "--json")
    assert (done.code, done.json["sound"]) == (5, False)
    assert done.json["faults"]
    assert done.json["faults"][0] in done.err


def test_a_database_is_made_ready_before_it_is_needed(cli: Cli, tmp_path: Path) -> None:
    done = cli("--data-dir", tmp_path / "new", "db", "migrate")
    assert "has schema" in done.out
    assert cli("--data-dir", tmp_path / "new", "jobs", "list").err == "no jobs\n"


def test_a_backup_can_be_worked_with(on: Cli, data: Path, tmp_path: Path) -> None:
    assert on("db", "backup", tmp_path / "b.db").code == 0
    other = tmp_path / "other"
    other.mkdir()
    shutil.move(tmp_path / "b.db", other / "quaero.db")
    jobs = call("--data-dir", other, "jobs", "list", "--json").json
    assert jobs == on("jobs", "list", "--json").json


def test_the_configuration_is_shown_with_its_origins(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("quaero.toml").write_text('[queue]\nvisibility_timeout = "9m"\n')
    monkeypatch.setenv("QUAERO_CRAWL_DELAY", "2s")
    shown = cli("config", "show")
    settings = cli("config", "show", "--json").json["settings"]
    assert settings["queue.visibility_timeout"] == {
        "value": '"9m"', "source": "file", "where": f"{Path.cwd()}/quaero.toml:2",
    }  # fmt: skip
    assert settings["crawl.delay"]["where"] == "QUAERO_CRAWL_DELAY"
    assert settings["queue.max_receive"]["source"] == "default"
    rows = {line.split()[0]: line for line in shown.out.splitlines()[1:]}
    assert rows.keys() == settings.keys()
    for key, setting in settings.items():
        assert setting["value"] in rows[key]
        assert rows[key].rstrip().endswith(f"{setting['source']} {setting['where']}".strip())
    assert shown.err == f"configuration file: {Path.cwd()}/quaero.toml\n"


def test_a_good_configuration_is_called_so(cli: Cli) -> None:
    assert cli("config", "check").out == "the configuration is good (no file)\n"
    assert cli("config", "check", "--json").json == {"valid": True, "file": None, "faults": []}


def test_a_wrong_configuration_is_told_in_json_too(cli: Cli) -> None:
    Path("quaero.toml").write_text("[queue]\nconcurency = 5\n")
    refused = cli("config", "check", "--json")
    assert refused.code == 2
    told = json.loads(refused.out)
    assert (told["valid"], len(told["faults"])) == (False, 1)
    assert "queue.concurency" in told["faults"][0]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_runs_what_is_ready_until_it_is_told_to_stop(
    on: Cli, data: Path, number: signal.Signals
) -> None:
    with SiteServer({"/": "<title>new</title>x"}) as site:
        new = on("jobs", "rerun", 1, "--payload", json.dumps({"seeds": [site.url]})).out.split()[1]
        process = start("--data-dir", data, "work", "--concurrency", "2")
        deadline = time.monotonic() + 20
        while on("jobs", "show", new, "--json").json["status"] != "completed":
            assert time.monotonic() < deadline
        assert on("jobs", "rerun", new).out.endswith("; a worker that runs here takes it\n")
        process.send_signal(number)
        done = finish(process)
    assert "work` runs what is ready" in on("jobs", "rerun", new).out
    assert done.code == 0
    assert "up to 2 jobs at once; Ctrl-C stops" in done.err
    assert "/" in site.paths()


def segments(data: Path) -> int:
    """Of how many pieces the full-text index is made."""
    with SqliteDatabase.open(data / "quaero.db") as db:
        sql = "select count(distinct segid) from document_fts_idx"
        return db.read_sync(lambda tx: tx.execute(sql))[0][0]


def save_often(data: Path, url: str, texts: list[str]) -> None:
    with SqliteDatabase.open(data / "quaero.db") as db:
        for text in texts:
            new = NewDocument(
                url=url, title="t", text=text, content_hash=content_hash("t", text), words=1
            )
            db.write_sync(store.save, [new])


def test_an_idle_worker_merges_the_full_text_index(data: Path) -> None:
    save_often(data, "http://h.test/", [f"word{n}" for n in range(7)])
    before = segments(data)
    process = start("--data-dir", data, "work")
    deadline = time.monotonic() + 20
    while segments(data) >= before:
        assert time.monotonic() < deadline
    process.send_signal(signal.SIGTERM)
    assert finish(process).code == 0


def test_a_cleanup_leaves_as_many_earlier_texts_as_are_set_and_merges_the_index(
    on: Cli, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_often(data, "http://h.test/", [f"word{n}" for n in range(7)])
    (id_,) = (each["document"]["id"] for each in on("search", "word6", "--json").json["hits"])
    before = segments(data)
    assert "and 0 earlier texts" in on("cleanup").out
    assert segments(data) < before
    monkeypatch.setenv("QUAERO_DOCUMENTS_VERSIONS", "2")
    assert "and 4 earlier texts" in on("cleanup").out
    versions = on("documents", "versions", id_, "--json").json
    assert [each["number"] for each in versions] == [6, 5]


def test_bodies_of_pages_are_kept_until_they_are_not_wanted_any_more(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = ("--data-dir", tmp_path / "new")
    with SiteServer({"/": "<p>one</p><a href=/a>a</a>", "/a": "<p>two"}) as site:
        assert cli(*there, "crawl", site.url).code == 0
    assert "0 bodies of pages" in cli(*there, "cleanup").out
    monkeypatch.setenv("QUAERO_CRAWL_KEEP_BODIES", "0s")
    assert "2 bodies of pages" in cli(*there, "cleanup", "--dry-run").out
    assert "2 bodies of pages" in cli(*there, "cleanup").out
    assert "0 bodies of pages" in cli(*there, "cleanup", "--dry-run").out


def test_what_is_done_to_the_database_is_told_to_a_script(
    on: Cli, data: Path, tmp_path: Path
) -> None:
    path, copy = data / "quaero.db", tmp_path / "b.db"
    made = on("db", "migrate", "--json").json
    assert (made["path"], made["schema"] > 0) == (str(path), True)
    written = on("db", "backup", copy, "--json").json
    assert written == {"path": str(copy), "bytes": copy.stat().st_size}
    restored = on("db", "restore", copy, "--json").json
    assert (restored["path"], restored["bytes"]) == (str(path), written["bytes"])
    assert Path(restored["before"]).exists()
    other = tmp_path / "other"
    fresh = call("--data-dir", other, "db", "restore", copy, "--json").json
    assert (fresh["path"], fresh["before"]) == (f"{other}/quaero.db", None)


def test_a_backup_is_restored_and_what_was_there_is_kept(
    on: Cli, data: Path, tmp_path: Path
) -> None:
    before = on("jobs", "list", "--json").json
    assert on("db", "backup", tmp_path / "b.db").code == 0
    assert on("jobs", "delete", "1").code == 0
    done = on("db", "restore", tmp_path / "b.db")
    assert (done.code, "restored from" in done.err, "what was there before" in done.err) == (
        0, True, True,
    )  # fmt: skip
    assert on("jobs", "list", "--json").json == before
    assert len(list(data.glob("quaero.db.before-*"))) == 1


def test_a_job_that_was_cancelled_has_no_error_to_tell() -> None:
    from quaero.cli.running import refuse_failure
    from quaero.errors import QuaeroError
    from quaero.jobs.model import Status

    job: Any = SimpleNamespace(summary=SimpleNamespace(id=5, status=Status.CANCELLED, error=None))
    with pytest.raises(QuaeroError, match=r"^job 5 cancelled$"):
        refuse_failure(job)
