"""`quaero definitions` and `quaero schedules`: writing, checking, running, steering."""

import json
import os
import shutil
import tempfile
import tomllib
from pathlib import Path
from typing import Any

import pytest

from quaero.cli.output import value_of

from .conftest import Cli, call, finish, start

TEXT = """\
id = "tidy"  # for ever

[parameters.days]
type = "integer"
default = 30

[schedule]
cron = "30 2 * * 1-5"

[[steps]]
name = "old"
action = "cleanup"

[steps.config]
age_threshold_days = "{{ parameters.days }}"

[[steps]]
name = "more"
action = "cleanup"
depends_on = ["old"]
condition = "parameters.days > 99"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "tidy.toml"
    made.write_text(TEXT, encoding="utf-8")
    return made


@pytest.fixture
def stored(tmp_path: Path, file: Path) -> Cli:
    """The command line over a data directory with one definition."""
    folder = tmp_path / "data"
    assert call("--data-dir", folder, "definitions", "save", file).code == 0
    return lambda *arguments: call("--data-dir", folder, *arguments)


def test_a_definition_is_saved_shown_and_exported(stored: Cli) -> None:
    (item,) = stored("definitions", "list", "--json").json["definitions"]
    assert (item["id"], item["origin"], item["last_run"]) == ("tidy", "own", None)
    assert item["schedule"]["cron"] == "30 2 * * 1-5"
    assert "At 02:30 on Monday through Friday (UTC)" in stored("definitions", "list").out
    shown = stored("definitions", "show", "tidy")
    assert "more: cleanup after old" in shown.out
    assert "days (integer), else 30" in shown.out
    value = tomllib.loads(TEXT)
    assert stored("definitions", "show", "tidy", "--json").json["definition"] == value
    assert stored("definitions", "export", "tidy").out == TEXT
    assert json.loads(stored("definitions", "export", "tidy", "--format", "json").out) == value


def test_what_is_wrong_is_told_with_its_line_and_nothing_is_made(
    tmp_path: Path, file: Path
) -> None:
    file.write_text(TEXT.replace('["old"]', '["odl"]'), encoding="utf-8")
    wrong = call("--data-dir", tmp_path / "none", "definitions", "validate", file)
    assert wrong.code == 2
    assert "line 20: steps[1].depends_on[0]: there is no step 'odl'" in wrong.out
    told = call("--data-dir", tmp_path / "none", "definitions", "validate", file, "--json")
    assert (told.code, told.json["faults"][0]["pointer"]) == (2, "/steps/1/depends_on/0")
    assert not (tmp_path / "none").exists()
    file.write_text(TEXT, encoding="utf-8")
    assert call("--data-dir", tmp_path / "none", "definitions", "validate", file).code == 0


def test_a_definition_is_replaced_only_when_asked(stored: Cli, file: Path) -> None:
    file.write_text(TEXT.replace("30 2", "45 2"), encoding="utf-8")
    refused = stored("definitions", "save", file)
    assert (refused.code, "--replace" in refused.err) == (4, True)
    assert stored("definitions", "save", file, "--replace").code == 0
    assert "45 2" in stored("definitions", "export", "tidy").out
    assert stored("definitions", "delete", "tidy").code == 0
    assert stored("definitions", "show", "tidy").code == 3


def test_a_disabled_definition_does_not_run(stored: Cli) -> None:
    assert stored("definitions", "disable", "tidy").code == 0
    assert "enabled = false" in stored("definitions", "export", "tidy").out
    assert stored("definitions", "run", "tidy").code == 4
    assert stored("definitions", "enable", "tidy").code == 0
    assert "enabled = true" in stored("definitions", "export", "tidy").out


def test_a_run_is_followed_to_its_end(stored: Cli) -> None:
    done = stored("definitions", "run", "tidy", "--parameter", "days=60", "--follow", "--json")
    assert done.code == 0, done.err
    assert done.json["steps"] == [
        {"name": "old", "status": "completed"},
        {"name": "more", "status": "skipped"},
    ]
    assert "old: completed" in done.err
    (run,) = stored("definitions", "runs", "tidy", "--json").json
    assert (run["job"]["status"], run["cause"]) == ("completed", "manual")


def test_a_run_that_fails_says_so_and_how_to_go_on(stored: Cli, file: Path) -> None:
    file.write_text(TEXT.replace("parameters.days > 99", "steps.old.result.x"), encoding="utf-8")
    stored("definitions", "save", file, "--replace")
    failed = stored("definitions", "run", "tidy", "--follow")
    assert (failed.code, "more: failed" in failed.err) == (1, True)
    assert "jobs retry 1" in failed.err


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["run", "tidy", "-p", "days=many"], 2, "'many' is no integer"),
        (["run", "tidy", "-p", "days"], 2, "NAME=VALUE"),
        (["run", "other"], 3, "no definition 'other'"),
        (["export", "tidy", "--format", "xml"], 2, "toml and json"),
        (["validate", "x.yaml"], 2, ".toml or .json"),
    ],
)
def test_what_cannot_be_is_refused(stored: Cli, arguments: list[str], code: int, says: str) -> None:
    refused = stored("definitions", *arguments)
    assert (refused.code, says in refused.err) == (code, True)


def test_a_schedule_is_paused_resumed_and_triggered(stored: Cli) -> None:
    (table,) = stored("schedules", "list", "--json").json
    assert (table["definition_id"], len(table["next"])) == ("tidy", 5)
    assert stored("schedules", "pause", "tidy").code == 0
    assert "paused" in stored("schedules", "list").out
    assert stored("schedules", "resume", "tidy").code == 0
    assert stored("schedules", "list", "--json").json == [table]
    assert "run 1 has begun" in stored("schedules", "trigger", "tidy").out
    assert stored("schedules", "trigger", "other").code == 3


def test_what_is_done_to_a_definition_is_told_to_a_script(
    stored: Cli, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told(*arguments: Any) -> Any:
        return stored("definitions", *arguments, "--json").json

    assert told("save", file, "--replace") == told("show", "tidy")
    for verb, enabled in (("disable", False), ("enable", True)):
        found = told(verb, "tidy")
        assert (found["enabled"], found) == (enabled, told("show", "tidy"))
    monkeypatch.setenv("VISUAL", "true")
    assert told("edit", "tidy") == {"changed": False, "definition": told("show", "tidy")}
    monkeypatch.setenv("VISUAL", "sed -i 's/30 2/45 2/'")
    assert told("edit", "tidy") == {"changed": True, "definition": told("show", "tidy")}
    assert told("delete", "tidy") == {"id": "tidy", "deleted": True}


def test_an_editor_draws_beside_what_a_script_reads(tmp_path: Path, file: Path) -> None:
    folder = tmp_path / "data"
    assert call("--data-dir", folder, "definitions", "save", file).code == 0
    words = ("--data-dir", folder, "definitions", "edit", "tidy", "--json")
    done = finish(start(*words, env=os.environ | {"VISUAL": "sh -c 'echo drawn' --"}))
    assert (done.err, done.json["changed"]) == ("drawn\n", False)


def test_what_is_done_to_a_schedule_is_told_to_a_script(stored: Cli) -> None:
    (table,) = stored("schedules", "list", "--json").json
    paused = stored("schedules", "pause", "tidy", "--json").json
    assert (paused["paused"], paused["next_at"], paused.keys()) == (True, None, table.keys())
    assert stored("schedules", "resume", "tidy", "--json").json == table
    assert stored("schedules", "trigger", "tidy", "--json").json == {"job_id": 1}


def test_a_definition_is_changed_in_an_editor(stored: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISUAL", "sed -i 's/30 2/45 2/'")
    assert stored("definitions", "edit", "tidy").code == 0
    assert stored("definitions", "export", "tidy").out == TEXT.replace("30 2", "45 2")
    monkeypatch.setenv("VISUAL", "true")
    assert "as it was" in stored("definitions", "edit", "tidy").out
    monkeypatch.setenv("VISUAL", "sed -i 's/45 2/soon/'")
    refused = stored("definitions", "edit", "tidy")
    assert (refused.code, "line 8: schedule.cron" in refused.err) == (2, True)
    kept = Path(refused.err.split("your text is in ")[1].partition(";")[0])
    assert 'cron = "soon' in kept.read_text(encoding="utf-8")
    shutil.rmtree(kept.parent)
    monkeypatch.setenv("VISUAL", "false")
    assert stored("definitions", "edit", "tidy").code == 2
    monkeypatch.setenv("VISUAL", "/there/is/none")
    assert "cannot be started" in stored("definitions", "edit", "tidy").err


def test_an_editor_that_is_no_command_is_refused(
    stored: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VISUAL", 'vi "')
    refused = stored("definitions", "edit", "tidy")
    assert refused.code == 2
    assert "cannot be started: No closing quotation" in refused.err


def test_an_editor_may_leave_a_copy_and_line_ends_stay_as_they_are(
    tmp_path: Path, stored: Cli, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    file.write_bytes(TEXT.replace("\n", "\r\n").encode())
    assert stored("definitions", "save", file, "--replace").code == 0
    monkeypatch.setenv("VISUAL", "true")
    assert "as it was" in stored("definitions", "edit", "tidy").out
    monkeypatch.setenv("VISUAL", "sed -i~ 's/30 2/45 2/'")
    assert "changed" in stored("definitions", "edit", "tidy").out
    shown = stored("definitions", "show", "tidy", "--json").json["definition"]
    assert shown["schedule"]["cron"] == "45 2 * * 1-5"
    assert list(tmp_path.glob("quaero-*")) == []


def test_a_run_that_ends_well_with_warnings_says_so(stored: Cli, file: Path) -> None:
    file.write_text(
        'id = "each"\n[[steps]]\nname = "all"\naction = "collect"\non_error = "continue"\n'
        'config = { source = "gone" }\n'
        '[[steps]]\nname = "more"\naction = "cleanup"\ndepends_on = ["all"]\n',
        encoding="utf-8",
    )
    stored("definitions", "save", file)
    run = stored("definitions", "run", "each", "--follow")
    assert (run.code, "run 1 completed, 2 warnings\n" in run.err) == (0, True), run.err


def test_a_text_that_looks_like_a_number_is_a_text_where_one_is_wanted(
    stored: Cli, file: Path
) -> None:
    text = TEXT.replace("[schedule]", '[parameters.tag]\ndefault = "docs"\n\n[schedule]')
    file.write_text(text, encoding="utf-8")
    stored("definitions", "save", file, "--replace")
    begun = stored("definitions", "run", "tidy", "-p", "tag=2026", "-p", "days=5", "--json")
    assert begun.code == 0, begun.err
    run = stored("jobs", "show", str(begun.json["job_id"]), "--json").json
    assert run["payload"]["parameters"] == {"tag": "2026", "days": 5}


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("5", 5), ("true", True), ('"5"', "5"), ('["a", 1]', ["a", 1]), ("plain words", "plain words"),
        ("", ""), ("NaN", "NaN"), ("-Infinity", "-Infinity"), ("[" * 5_000, "[" * 5_000),
    ],
    ids=lambda value: str(value)[:20],
)  # fmt: skip
def test_a_value_that_is_no_json_is_text(typed: str, value: object) -> None:
    assert value_of(typed) == value
