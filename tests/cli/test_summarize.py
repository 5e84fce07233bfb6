"""`quaero summarize`: summaries of what was collected, from the command line."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

import pytest

from .conftest import Cli, finish, start

ANY = "2"
"""A document; which one it is depends on which page came first."""


def tides(on: Cli) -> str:
    """The id of the page of the tides."""
    (hit,) = on("search", "neap tides", "--json").json["hits"]
    return str(hit["document"]["id"] if "document" in hit else hit["id"])


def test_what_wants_a_summary_is_counted_made_and_shown(on: Cli) -> None:
    before = on("summarize", "scan", "--json").json
    assert before["to_summarize"] == before["documents"] == 3
    assert "3 of 3 documents would be summarised by extractive" in on("summarize", "scan").out
    made = on("summarize", "run", "--batch-size", "2", "--json")
    assert made.code == 0
    assert (made.json["done"], made.json["skipped"], made.json["maker"]) == (3, 0, "extractive")
    again = on("summarize", "run")
    assert again.out == "0 documents summarised by extractive, 0 skipped\n"
    shown = on("documents", "show", tides(on))
    assert "Summary (by extractive, " in shown.err
    assert "Neap tides follow the half moon." in shown.err
    assert "Keywords (by extractive, " in shown.err
    document = on("documents", "show", tides(on), "--json").json
    assert document["summary"]["text"] == "Neap tides follow the half moon."
    assert document["summary"]["maker"] == document["keywords"]["maker"] == "extractive"
    assert document["keywords"]["words"]


@pytest.mark.parametrize(
    ("chosen", "number"),
    [
        ((ANY,), 1),
        (("--query", "tides moon"), 1),
        (("--tag", "nothing"), 0),
        (("--site", "nowhere.example.org"), 0),
        (("--source", "0"), 3),
        (("--source", "empty"), 0),
        (("--crawl", "1", "--extractive"), 0),
    ],
)
def test_documents_are_chosen_by_ids_or_options(
    on: Cli, chosen: tuple[str, ...], number: int
) -> None:
    on("sources", "add", "empty", "https://empty.example.org/")
    assert on("summarize", "scan", *chosen, "--json").json["documents"] == number
    made = on("summarize", "run", *chosen, "--keywords", "--again", "--json")
    assert made.json["done"] == number


def test_a_source_that_is_not_there_is_refused_naming_those_that_are(looking: Cli) -> None:
    refused = looking("summarize", "scan", "--source", "nobody")
    assert refused.code == 3
    assert "there is no source 'nobody'" in refused.err


def test_ids_and_options_together_are_refused(looking: Cli) -> None:
    refused = looking("summarize", "run", ANY, "--tag", "x")
    assert refused.code == 2
    assert "either their ids, or the options" in refused.err


def test_a_model_that_is_not_named_is_refused_before_anything_is_written(
    on: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUAERO_SUMMARIZE_MODEL", "server")
    refused = on("summarize", "run")
    assert (refused.code, "model.base_url is not set" in refused.err) == (2, True)
    assert on("summarize", "run", "--extractive").code == 0


def test_calls_of_models_are_listed_with_their_errors(
    on: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "no model was asked yet" in on("summarize", "calls").err
    monkeypatch.setenv("QUAERO_SUMMARIZE_MODEL", "server")
    monkeypatch.setenv("QUAERO_MODEL_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("QUAERO_MODEL_NAME", "nobody")
    monkeypatch.setenv("QUAERO_QUEUE_MAX_RECEIVE", "1")
    failed = on("summarize", "run", ANY)
    assert failed.code == 1
    assert "no connection to 127.0.0.1" in failed.err
    (call,) = on("summarize", "calls", "--limit", "5", "--json").json
    assert (call["model"], call["operation"], call["document_id"]) == ("nobody", "summary", 2)
    assert "nobody" in on("summarize", "calls").out
    assert "more:" not in on("summarize", "calls").err
    more = on("summarize", "calls", "--limit", "1").err
    assert f"summarize calls --limit 1 --before {call['id']}" in more
    assert on("summarize", "calls", "--before", call["id"], "--json").json == []


def test_ctrl_c_says_what_becomes_of_the_job_and_how_to_go_on(
    on: Cli, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("QUAERO_SUMMARIZE_MODEL", "server")
        monkeypatch.setenv("QUAERO_MODEL_NAME", "silent")
        monkeypatch.setenv("QUAERO_WORK_GRACE", "0s")
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
        monkeypatch.setenv("QUAERO_MODEL_BASE_URL", address)
        process = start("--data-dir", data, "summarize", "run")
        asked, _ = silent.accept()
        process.send_signal(signal.SIGINT)
        done = finish(process)
        asked.close()
    (job,) = on("jobs", "list", "--status", "pending", "--status", "running", "--json").json
    assert done.code == 130
    assert f"job {job['id']} waits and loses nothing" in done.err
    assert "work` goes on with it" in done.err
    assert f"--data-dir {data} jobs cancel {job['id']}` ends it" in done.err
    assert on("jobs", "cancel", job["id"]).code == 0
