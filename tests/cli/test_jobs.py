"""`quaero jobs`, `quaero queue`, `quaero cleanup`: looking and steering."""

import json
import re
import shlex
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from quaero.cli.jobs import done_of
from quaero.db import SqliteDatabase
from quaero.jobs.create import create
from quaero.jobs.model import JobSpec
from quaero.jobs.read import Counts
from quaero.testing.site import Page, SiteServer

from .conftest import Cli, call, finish, start


def table(text: str) -> list[list[str]]:
    """The rows of a printed table, cells divided by two blanks."""
    return [re.split(r"\s{2,}", line.strip()) for line in text.splitlines()[1:]]


@pytest.fixture
def crawls(on: Cli) -> list[dict[str, Any]]:
    """The two crawls that were collected, the newest first."""
    return list(on("jobs", "list", "--json").json)


@pytest.fixture
def failed(on: Cli, crawls: list[dict[str, Any]]) -> dict[str, Any]:
    """The page of the first crawl that failed."""
    (job,) = on("jobs", "list", "--parent", crawls[-1]["id"], "--status", "failed", "--json").json
    return dict(job)


# -- looking


def test_the_list_has_what_its_json_has(on: Cli, crawls: list[dict[str, Any]]) -> None:
    rows = table(on("jobs", "list").out)
    assert [row[0] for row in rows] == [str(job["id"]) for job in crawls]
    for row, job in zip(rows, crawls, strict=True):
        assert row[1:4] == [job["type"], "completed, 1 warning", "4/4"]
        assert row[5] == job["name"]
        assert (job["status"], job["counts"]["failed"]) == ("completed", 1)


FILTERS = [
    (["--status", "completed"], 2),
    (["--status", "failed"], 0),
    (["--status", "failed", "--status", "completed"], 2),
    (["--type", "crawler"], 2),
    (["--type", "cleanup"], 0),
    (["--parent", "1"], 4),
    (["--parent", "1", "--status", "completed"], 3),
    (["--limit", "1"], 1),
]


@pytest.mark.parametrize(("options", "number"), FILTERS)
def test_the_list_can_be_narrowed(looking: Cli, options: list[str], number: int) -> None:
    assert len(looking("jobs", "list", *options, "--json").json) == number
    assert len(table(looking("jobs", "list", *options).out)) == number


def test_the_list_goes_on_where_it_ended(on: Cli, crawls: list[dict[str, Any]]) -> None:
    first = on("jobs", "list", "--limit", 1, "--type", "crawler")
    (more,) = re.findall(r"more: python -m quaero (.*)", first.err)
    assert table(call(*shlex.split(more)).out)[0][0] == str(crawls[1]["id"])
    children = [job["id"] for job in on("jobs", "list", "--parent", 1, "--json").json]
    rest = on("jobs", "list", "--parent", 1, "--after", children[1], "--json").json
    assert [job["id"] for job in rest] == children[2:]


def test_a_job_is_shown_with_all_that_is_known(on: Cli, failed: dict[str, Any]) -> None:
    lines = dict(
        re.split(r"\s{2,}", line, maxsplit=1) for line in on("jobs", "show", 1).out.splitlines()
    )
    whole = on("jobs", "show", 1, "--json").json
    assert lines["job"] == "1  crawler"
    assert json.loads(lines["payload"]) == whole["payload"]
    assert json.loads(lines["result"]) == whole["result"] == {"seeds": 1}
    assert lines["below"] == "0 pending, 0 running, 3 completed, 1 failed, 0 cancelled"
    assert lines["refused"].startswith("1 by asset, such as http://")
    assert whole["crawl"]["refused"]["asset"][0] == 1
    page = on("jobs", "show", failed["id"], "--json").json
    assert (page["parent_id"], page["status"], page["type"]) == (1, "failed", "crawler_url")
    shown = on("jobs", "show", failed["id"]).out
    assert page["error"] in shown
    assert "attempt 1" in shown
    assert [each["outcome"] for each in page["attempts"]] == ["failed"]


def test_a_tree_is_shown_with_its_counts(looking: Cli) -> None:
    lines = looking("jobs", "tree", 1).out.splitlines()
    found = looking("jobs", "tree", 1, "--json").json
    assert lines[0].startswith("1 crawler [completed, 1 warning] 4/4 http://")
    assert all(line.startswith("  ") for line in lines[1:])
    assert [int(line.split()[0]) for line in lines] == [job["id"] for job in found]


def test_logs_are_read_from_a_level_up_or_exactly(on: Cli, failed: dict[str, Any]) -> None:
    everything = [json.loads(line) for line in on("jobs", "logs", 1, "--json").out.splitlines()]
    human = on("jobs", "logs", 1).out.splitlines()
    assert len(everything) == len(human)
    for line, entry in zip(human, everything, strict=True):
        assert f" {entry['level']:<5} {entry['job_id']} {entry['message']}" in line

    def levels(*options: Any) -> list[str]:
        out = on("jobs", "logs", 1, "--json", *options).out
        return [json.loads(line)["level"] for line in out.splitlines()]

    assert set(levels("--level", "error")) == {"error"}
    assert set(levels("--levels", "debug,error")) == {"debug", "error"}
    assert levels("--limit", 2) == [entry["level"] for entry in everything[-2:]]
    assert len(levels("--no-tree")) == len([e for e in everything if e["job_id"] == 1])
    assert len(levels("--tree", "--text", "LINKS REFUSED")) == 1
    own = on("jobs", "logs", failed["id"], "--json").out.splitlines()
    assert {json.loads(line)["job_id"] for line in own} == {failed["id"]}


def test_following_a_job_that_has_ended_ends(looking: Cli) -> None:
    assert looking("jobs", "logs", 1, "--follow").out == looking("jobs", "logs", 1).out
    assert looking("jobs", "logs", 1, "-f", "--level", "error").code == 0


def test_following_a_running_job_shows_what_comes(tmp_path: Path) -> None:
    pages = {"/": '<a href="/slow">x</a>', "/slow": Page(body="done", delay=0.8)}
    with SiteServer(pages) as site:
        crawl = start("--data-dir", tmp_path, "crawl", site.url)
        while not site.hits:
            assert crawl.poll() is None
        followed = call("--data-dir", tmp_path, "jobs", "logs", 1, "-f", "--json")
        assert finish(crawl).code == 0
    messages = [json.loads(line)["message"] for line in followed.out.splitlines()]
    assert messages[0] == "created"
    assert messages[-1] == "completed"
    ids = [json.loads(line)["id"] for line in followed.out.splitlines()]
    assert ids == sorted(set(ids))


# -- steering


def test_a_copy_is_held_until_it_is_started(on: Cli) -> None:
    done = on("jobs", "copy", 1)
    (new,) = re.findall(r"job (\d+) is a copy of 1", done.out)
    assert f"jobs start {new}" in done.out
    assert table(on("jobs", "list", "--limit", 1).out)[0][2] == "held"
    edited = json.dumps({"seeds": ["http://127.0.0.1:1/"], "max_pages": 5})
    assert "runs what is ready" in on("jobs", "start", new, "--payload", edited).out
    job = on("jobs", "show", new, "--json").json
    assert (job["held"], job["payload"]["max_pages"]) == (False, 5)
    assert on("jobs", "start", new).code == 4, "it is not held any more"
    other = on("jobs", "copy", 1, "--payload", edited).out.split()[1]
    assert on("jobs", "show", other, "--json").json["payload"]["max_pages"] == 5


def test_a_page_of_a_crawl_is_not_copied(on: Cli) -> None:
    page = on("jobs", "list", "--parent", 1, "--limit", 1, "--json").json[0]["id"]
    refused = on("jobs", "copy", page)
    assert (refused.code, "part of a crawler" in refused.err) == (4, True)


def test_a_job_runs_again_with_the_same_or_another_payload(on: Cli) -> None:
    again = on("jobs", "rerun", 1).out.split()[1]
    other = json.dumps({"seeds": ["http://127.0.0.1:1/"]})
    third = on("jobs", "rerun", 1, "--payload", other).out.split()[1]
    first, second = (on("jobs", "show", id_, "--json").json for id_ in (again, third))
    assert (first["rerun_of"], first["status"]) == (1, "pending")
    assert first["payload"] == on("jobs", "show", 1, "--json").json["payload"]
    assert second["payload"]["seeds"] == ["http://127.0.0.1:1/"]


def test_failed_pages_run_again(on: Cli, failed: dict[str, Any]) -> None:
    assert on("jobs", "retry", 1).out.startswith("1 job will run again; `")
    assert on("jobs", "show", failed["id"], "--json").json["status"] == "pending"
    assert on("jobs", "show", 1, "--json").json["status"] == "running"
    assert on("jobs", "retry", 1).out == "nothing of job 1 has failed\n"


def test_a_job_is_cancelled_failed_and_deleted(on: Cli) -> None:
    one, two = (on("jobs", "rerun", 1).out.split()[1] for _ in range(2))
    assert on("jobs", "cancel", one).out == f"job {one} was pending and is cancelled\n"
    assert on("jobs", "cancel", one).out == f"job {one} is cancelled already\n"
    assert on("jobs", "fail", two, "--reason", "the site has moved").code == 0
    job = on("jobs", "show", two, "--json").json
    assert (job["status"], job["error"]) == ("failed", "the site has moved")
    assert on("jobs", "delete", one).out == "1 job deleted\n"
    assert on("jobs", "delete", 1).out == "5 jobs deleted\n"
    assert on("jobs", "show", 1).code == 3
    assert on("db", "check").code == 0


def test_what_steers_a_job_answers_a_script_with_that_job(on: Cli) -> None:
    def done(*arguments: Any) -> Any:
        told = on("jobs", *arguments, "--json")
        assert (told.code, told.err) == (0, "")
        return told.json

    def shown(job_id: int) -> Any:
        return on("jobs", "show", job_id, "--json").json

    again = done("rerun", 1)
    assert (again["rerun_of"], again) == (1, shown(again["id"]))
    held = done("copy", 1)
    assert (held["held"], held) == (True, shown(held["id"]))
    started = done("start", held["id"])
    assert (started["held"], started) == (False, shown(held["id"]))
    named = done("update", held["id"], "--priority", 5)
    assert (named["priority"], named) == (5, shown(held["id"]))
    failed = done("fail", held["id"], "--reason", "moved")
    assert (failed["error"], failed) == ("moved", shown(held["id"]))
    for _ in range(2):
        cancelled = done("cancel", again["id"])
        assert (cancelled["status"], cancelled) == ("cancelled", shown(again["id"]))
    assert done("retry", 1) == {"retried": 1, "job": shown(1)}
    assert done("retry", 1) == {"retried": 0, "job": shown(1)}
    assert done("delete", again["id"]) == {"deleted": 1}


def test_a_log_is_deleted_by_job_or_by_tree(on: Cli, failed: dict[str, Any]) -> None:
    def lines(*arguments: Any) -> int:
        return len(on("jobs", "logs", *arguments).out.splitlines())

    every, own, pages = lines(1), lines(1, "--no-tree"), lines(failed["id"])
    done = on("jobs", "delete-logs", failed["id"])
    assert done.out == f"{pages} log entries deleted\n"
    assert (lines(failed["id"]), lines(1)) == (0, every - pages)
    assert on("jobs", "delete-logs", 1, "--no-tree", "--json").json == {"deleted": own}
    assert on("jobs", "delete-logs", 1, "--tree", "--json").json == {"deleted": every - pages - own}
    assert lines(1) == 0
    assert on("jobs", "show", 1).code == 0, "the job stays"
    assert on("db", "check").code == 0


@pytest.mark.parametrize(("command", "of_top"), [("logs", 3), ("delete-logs", 1)])
def test_the_log_of_a_tree_is_that_of_its_root(
    on: Cli, data: Path, command: str, of_top: int
) -> None:
    with SqliteDatabase.open(data / "quaero.db") as db:
        (top,) = db.write_sync(create, 1, [JobSpec("t")])
        (middle,) = db.write_sync(create, 1, [JobSpec("t")], top)
        (low,) = db.write_sync(create, 1, [JobSpec("t")], middle)
    done = on("jobs", command, middle, "--tree")
    assert (done.code, done.out) == (2, "")
    assert f"job {middle} is not top-level" in done.err
    for job_id, number in ((low, 1), (middle, 1), (top, of_top)):
        told = on("jobs", command, job_id).out
        assert told.startswith(f"{number} log ") or told.count("created") == number


def test_a_job_that_never_began_took_no_time(on: Cli) -> None:
    job = on("jobs", "rerun", 1).out.split()[1]
    assert on("jobs", "cancel", job).code == 0
    (ended,) = [x for x in on("jobs", "show", job).out.splitlines() if x.startswith("ended")]
    assert re.fullmatch(r"ended +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", ended)


def test_a_running_tree_is_not_deleted(on: Cli) -> None:
    on("jobs", "retry", 1)
    done = on("jobs", "delete", 1)
    assert (done.code, "cancel it first" in done.err) == (4, True)


def test_name_description_and_priority_can_be_changed(on: Cli) -> None:
    options = ["--name", "nightly", "--description", "of the docs", "--priority", "7"]
    assert on("jobs", "update", 1, *options).out == "job 1 is changed\n"
    job = on("jobs", "show", 1, "--json").json
    assert (job["name"], job["description"], job["priority"]) == ("nightly", "of the docs", 7)


MISSING = [
    ["jobs", "show", "99"], ["jobs", "tree", "99"], ["jobs", "logs", "99"],
    ["jobs", "delete-logs", "99"],
    ["jobs", "cancel", "99"], ["jobs", "fail", "99", "--reason", "x"], ["jobs", "retry", "99"],
    ["jobs", "rerun", "99"], ["jobs", "copy", "99"], ["jobs", "start", "99"],
    ["jobs", "update", "99", "--priority", "1"], ["jobs", "delete", "99"],
    ["jobs", "list", "--parent", "99"], ["documents", "show", "99"],
    ["documents", "versions", "99"], ["documents", "changes", "99"], ["documents", "tag", "99", "x"], ["queue", "requeue", "99"],
    ["crawl", "--continue", "99"],
]  # fmt: skip


@pytest.mark.parametrize("arguments", MISSING, ids=" ".join)
def test_what_is_not_there_is_named_with_exit_code_3(looking: Cli, arguments: list[str]) -> None:
    done = looking(*arguments)
    assert done.code == 3
    assert re.fullmatch(r"error: [^\n]*99[^\n]*\n", done.err)


# -- the queue


def test_the_queue_is_told_in_numbers(on: Cli) -> None:
    on("jobs", "rerun", 1)
    lines = dict(line.split() for line in on("queue", "stats").out.splitlines()[1:4])
    numbers = on("queue", "stats", "--json").json["queue"]
    assert {"ready": numbers["ready"], "delayed": numbers["delayed"]} == {"ready": 1, "delayed": 0}
    assert lines["ready"] == "1"
    assert (numbers["dead"], numbers["paused"]) == (2, False)


def test_dead_letters_are_listed_with_their_errors_and_requeued(
    on: Cli, failed: dict[str, Any]
) -> None:
    rows = table(on("queue", "dead").out)
    letters = on("queue", "dead", "--json").json
    assert [row[0] for row in rows] == [str(letter["id"]) for letter in letters]
    assert "404 (Not Found)" in rows[0][5]
    assert letters[0]["job_id"] == failed["id"]
    assert "404 (Not Found)" in letters[0]["errors"][0]["error"]
    assert letters[0]["created_at"].endswith("Z")
    first = on("queue", "dead", "--limit", 1, "--json").json
    assert on("queue", "dead", "--after", first[0]["id"], "--json").json == letters[1:]
    assert on("queue", "requeue", letters[0]["id"]).out.startswith("1 message ready again")
    assert on("jobs", "show", failed["id"], "--json").json["status"] == "pending"
    assert on("queue", "requeue", "--all").out.startswith("1 message ready again")
    assert on("queue", "dead").err == "no dead letters\n"


def test_the_queue_is_paused_and_goes_on(on: Cli) -> None:
    assert "queue resume" in on("queue", "pause").out
    assert "(paused)" in on("queue", "stats").out
    assert on("cleanup").code == 4, "nothing would ever run it"
    assert on("queue", "resume").out == "quaero_jobs goes on\n"
    assert on("queue", "stats", "--json").json["queue"]["paused"] is False


def test_what_is_done_to_the_queue_is_told_to_a_script(on: Cli) -> None:
    assert on("queue", "requeue", "--all", "--json").json == {"requeued": 2}
    for verb, paused in (("pause", True), ("resume", False)):
        told = on("queue", verb, "--json").json
        assert told["queue"]["paused"] is paused
        assert told.keys() == on("queue", "stats", "--json").json.keys()
    assert on("queue", "purge", "--yes", "--json").json == {"removed": 2}


def test_a_purge_cancels_what_waits(on: Cli) -> None:
    new = on("jobs", "rerun", 1).out.split()[1]
    assert on("queue", "purge", "--yes").out == "3 messages removed\n"
    assert on("jobs", "show", new, "--json").json["status"] == "cancelled"
    numbers = on("queue", "stats", "--json").json["queue"]
    assert (numbers["ready"], numbers["dead"]) == (0, 0)


# -- cleanup


def test_cleanup_says_what_it_would_do_and_does_it(on: Cli) -> None:
    assert on("cleanup").out == (
        "deleted 0 job trees with 0 jobs, 0 log entries, 0 entries of the feed, "
        "0 dead letters, 0 records of model calls, 0 bodies of pages, "
        "and 0 earlier texts of documents\n"
    )
    done = on("cleanup", "--age", "0", "--status", "failed", "--dry-run", "--json")
    assert (done.json["trees"], done.json["dry_run"]) == (0, True)
    assert "less than one day" in done.err
    preview = on("cleanup", "--age", 0, "--dry-run").out
    assert re.match(
        r"would delete 4 job trees with 12 jobs \([\d.]+ kB\), \d+ log entries", preview
    )
    done = on("cleanup", "--age", 0, "--status", "completed", "--json")
    assert (done.json["trees"], done.json["jobs"]) == (5, 13)
    assert [job["type"] for job in on("jobs", "list", "--json").json] == ["cleanup"]
    assert len(on("documents", "list", "--json").json) == 3, "what was collected stays"


def test_cleanup_begins_no_crawl_that_waits(on: Cli, data: Path) -> None:
    with SiteServer({"/": "x"}) as site:
        new = on("jobs", "rerun", 1, "--payload", json.dumps({"seeds": [site.url]})).out.split()[1]
        assert on("cleanup", "--age", "0").code == 0
        assert site.hits == []
    assert on("jobs", "show", new, "--json").json["status"] == "pending"


@pytest.mark.parametrize(
    ("current", "total", "says"), [(None, None, "-"), (12, None, "12"), (3, 12, "3/12")]
)
def test_how_far_a_job_is_names_no_total_that_nobody_told(
    current: int | None, total: int | None, says: str
) -> None:
    job: Any = SimpleNamespace(
        counts=Counts(0, 0, 0, 0, 0), progress_current=current, progress_total=total
    )
    assert done_of(job) == says
