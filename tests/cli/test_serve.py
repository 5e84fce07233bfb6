"""`quaero serve`: one process tree with workers and the HTTP interface."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest

from quaero.api import bundle
from quaero.db import SqliteDatabase
from quaero.jobs.create import create
from quaero.jobs.model import JobSpec
from quaero.jobs.read import get
from quaero.queue.queue import open_queue
from quaero.testing.site import Page, SiteServer

from ..processes import Program, kill_session, of_session  # noqa: TID252
from .conftest import Cli, finish, start

PATIENCE = 30


def wait_for(condition: Any) -> Any:
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


class Serving:
    """A running `quaero serve`, asked over its socket."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder = folder
        talk = folder.with_name("talk.txt")
        with talk.open("wb") as file:
            self.program = Program(
                "--data-dir", folder, "serve", "--port", "0", *arguments, stderr=file
            )
        self.process = self.program.process
        found = wait_for(
            lambda: re.search(r"http://[^/]+/(?:\?token=(\S+))? with", talk.read_text())
        )
        self.url, self.token = re.split(r"[ ?]", found[0])[0], found[1]

    def get(self, path: str, **headers: str) -> tuple[int, Any]:
        request = urllib.request.Request(self.url + path.lstrip("/"), headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def children(self) -> list[int]:
        listed = Path(f"/proc/{self.process.pid}/task").iterdir()
        return [int(n) for each in listed for n in (each / "children").read_text().split()]

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Any]:
    running: list[Serving] = []

    def begin(*arguments: str) -> Serving:
        running.append(Serving(tmp_path / "data", *arguments))
        return running[-1]

    yield begin
    for each in running:
        each.program.close()


def status_of(cli: Cli, folder: Path) -> str:
    return str(cli("--data-dir", folder, "jobs", "list", "--json").json[0]["status"])


def test_one_command_answers_and_works_and_ends_well(serve: Any, cli: Cli) -> None:
    serving = serve("--host", "127.0.0.1", "--concurrency", "2")
    assert serving.get("/api/ready") == (200, {"ready": True})
    done = cli("--data-dir", serving.folder, "cleanup", "--json")
    assert done.code == 0, done.err
    assert status_of(cli, serving.folder) == "completed"
    assert serving.end() == 0


def test_what_dies_is_started_again_and_the_rest_goes_on(serve: Any) -> None:
    serving = serve()
    serving.get("/api/ready")
    before = wait_for(lambda: serving.children() if len(serving.children()) == 2 else None)
    for child in before:
        os.kill(child, signal.SIGKILL)
    wait_for(lambda: len(serving.children()) == 2 and not set(before) & set(serving.children()))

    def ready() -> bool:
        return bool(serving.get("/api/ready")[0] == 200)

    assert wait_for(ready)
    assert serving.end() == 0


def test_the_children_end_with_their_parent(serve: Any) -> None:
    serving = serve()
    serving.get("/api/ready")
    children = wait_for(lambda: serving.children() if len(serving.children()) == 2 else None)
    serving.process.kill()
    serving.process.wait()
    wait_for(lambda: not any(alive(child) for child in children))


def test_one_that_was_killed_can_be_started_again_at_once(serve: Any) -> None:
    serving = serve()
    port = serving.url.rstrip("/").rpartition(":")[2]
    for _ in range(3):  # each is killed while its children begin
        wait_for(lambda of=serving: len(of.children()) == 2)
        serving.process.kill()
        serving.process.wait()
        serving = serve("--port", port)
    serving.get("/api/ready")
    with socket.create_connection(("127.0.0.1", int(port))) as unfinished:
        unfinished.sendall(
            b"POST /api/jobs HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: application/json\r\nContent-Length: 9\r\n\r\n"
        )
        serving.get("/api/ready")
        serving.process.kill()
        serving.process.wait()
        serving = serve("--port", port)
        assert serving.get("/api/ready") == (200, {"ready": True})
    assert serving.end() == 0


def alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


def test_a_token_is_made_shown_and_asked_for(serve: Any) -> None:
    serving = serve("--token")
    assert serving.get("/api/ready")[0] == 401
    assert serving.get("/api/ready", Authorization=f"Bearer {serving.token}")[0] == 200
    assert (serving.folder / "token").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_others_are_let_in_only_with_a_token(cli: Cli, tmp_path: Path, host: str) -> None:
    done = cli("--data-dir", tmp_path / "d", "serve", "--host", host, "--no-token")
    assert done.code == 2
    assert "--token" in done.err
    assert not (tmp_path / "d").exists()


def test_a_port_that_is_taken_is_named(cli: Cli, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = cli("--data-dir", tmp_path / "d", "serve", "--port", port)
    assert done.code == 2
    assert re.fullmatch(rf"error: cannot listen on localhost:{port}: [^\n]+ --port\n", done.err)
    assert not (tmp_path / "d").exists()


def test_without_pages_it_does_not_start_and_says_how_to_get_them(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle, "STATIC", tmp_path / "none")
    done = cli("--data-dir", tmp_path / "d", "serve", "--port", "0")
    assert done.code == 2
    assert re.fullmatch(r"error: the pages are not built[^\n]+dev\.py run serve[^\n]+\n", done.err)
    assert not (tmp_path / "d").exists()


def test_a_host_that_nobody_has_is_named(cli: Cli, tmp_path: Path) -> None:
    done = cli("--data-dir", tmp_path / "d", "serve", "--host", "nowhere.invalid")
    assert done.code == 2
    assert "nowhere.invalid" in done.err


def test_what_hinders_a_process_is_said_once_and_ends_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUAERO_WORK_JOB_TYPES", "nowhere.module")
    program = Program("--data-dir", tmp_path / "data", "serve", "--port", "0", stderr=PIPE)
    said = program.process.communicate(timeout=PATIENCE)[1].decode()
    assert program.wait() == 2
    assert of_session(program.pid) == []
    assert said.count("'nowhere.module' cannot be loaded") >= 1
    assert "could not start" in said
    assert "Traceback" not in said
    program.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_all_processes_end_when_it_is_told_to(serve: Any, number: int) -> None:
    serving = serve()
    serving.get("/api/ready")
    serving.program.signal(number)
    assert serving.program.wait() == 0
    assert of_session(serving.program.pid) == []


def test_all_processes_end_with_whoever_started_them(serve: Any) -> None:
    serving = serve()
    serving.get("/api/ready")
    serving.program.abandon()
    assert serving.program.wait() == 0
    assert of_session(serving.program.pid) == []


# -- a crawl that is handed over


def star(count: int, delay: float) -> dict[str, Any]:
    """A page with links to so many slow ones."""
    links = "".join(f'<a href="/{n}">{n}</a>' for n in range(count))
    slow = {
        f"/{n}": Page(body=f"<title>{n}</title><p>Page {n}.</p>", delay=delay) for n in range(count)
    }
    return {"/": f"<title>All</title><p>Links.</p>{links}", **slow}


def worker_stands(serving: Serving) -> bool:
    return any(each["role"] == "worker" for each in serving.get("/api/health")[1]["processes"])


def test_health_shows_the_loops_of_schedules_and_of_the_definitions_folder(serve: Any) -> None:
    serving = serve()
    wait_for(lambda: worker_stands(serving))
    (worker,) = [
        each for each in serving.get("/api/health")[1]["processes"] if each["role"] == "worker"
    ]
    assert {"definitions", "schedules"} <= {loop["name"] for loop in worker["loops"]}


def test_a_crawl_is_handed_to_a_server_that_runs_and_watched_to_its_end(serve: Any) -> None:
    serving = serve()
    wait_for(lambda: worker_stands(serving))
    with SiteServer(star(5, 0.0)) as site:
        done = finish(start("--data-dir", serving.folder, "crawl", site.url))
    assert done.code == 0, done.err
    assert "already works on it" in done.err
    assert "6 pages: 6 new" in done.err
    assert f"{serving.url}jobs/1" in done.err
    assert len(site.paths()) == len(set(site.paths()))
    assert serving.end() == 0


def test_a_crawl_whose_server_is_killed_is_taken_back_and_loses_nothing(serve: Any) -> None:
    serving = serve()
    wait_for(lambda: worker_stands(serving))
    with SiteServer(star(12, 0.2)) as site:
        crawl = start("--data-dir", serving.folder, "crawl", site.url)
        wait_for(lambda: len(site.paths()) > 4)
        kill_session(serving.process.pid)
        done = finish(crawl, 60)
    assert done.code == 0, done.err
    assert "the worker has gone; going on here" in done.err
    assert "13 pages" in done.err
    assert {f"/{n}" for n in range(12)} <= set(site.paths())


def test_a_run_whose_server_is_killed_is_taken_back_too(
    serve: Any, cli: Cli, tmp_path: Path
) -> None:
    serving = serve()
    wait_for(lambda: worker_stands(serving))
    file = tmp_path / "tidy.toml"
    file.write_text('id = "tidy"\n[[steps]]\nname = "old"\naction = "cleanup"\n')
    assert cli("--data-dir", serving.folder, "definitions", "save", file).code == 0
    assert cli("--data-dir", serving.folder, "queue", "pause").code == 0
    run = start("--data-dir", serving.folder, "definitions", "run", "tidy", "--follow")
    assert run.stderr is not None
    assert run.stderr.readline() == "run 1 of tidy\n"
    assert "Ctrl-C ends only the watching" in run.stderr.readline()
    kill_session(serving.process.pid)
    assert cli("--data-dir", serving.folder, "queue", "resume").code == 0
    done = finish(run)
    assert (done.code, "the worker has gone; going on here" in done.err) == (0, True)


@pytest.mark.parametrize("command", [["serve", "--port", "0"], ["work"]])
def test_a_log_that_nobody_reads_holds_up_nothing(tmp_path: Path, command: list[str]) -> None:
    hears, tells = os.pipe()
    program = Program("--data-dir", tmp_path, *command, stderr=tells)
    try:
        with os.fdopen(hears, "rb") as heard:
            assert heard.readline().endswith(b"Ctrl-C stops\n")
            os.set_blocking(tells, False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    os.write(tells, b"." * 4096)
            os.set_blocking(tells, True)
            for pid in set(of_session(program.pid)) - {program.pid}:
                os.kill(pid, signal.SIGKILL)
            with SqliteDatabase.open(tmp_path / "quaero.db") as db:
                queue_id = db.write_sync(open_queue, "quaero_jobs")
                (job_id,) = db.write_sync(create, queue_id, [JobSpec("cleanup")])
                wait_for(lambda: not db.read_sync(get, job_id).summary.status.open)
            program.signal(signal.SIGTERM)
            assert program.wait() == 0
    finally:
        program.close()
        os.close(tells)
