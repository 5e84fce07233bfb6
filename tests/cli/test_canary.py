"""A secret is looked for everywhere after a full session, and found nowhere but sealed.

The program runs as people run it: a server with its worker, which is killed while it crawls; pages
that redirect, set cookies, ask for a login and break; a socket, lists, logs, exports, a backup.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from quaero.testing.site import Hit, Page, SiteServer, redirect

from .conftest import call

SECRET = "CANARY-6f1d0cA9b8E7"
FORM = "<title>Log in</title><form action=/login><input name=u><input type=password name=p></form>"
LONGEST = 90.0
PAGES: dict[str, Any] = {
    "/": "<title>Home</title><p>Some words. "
    + "".join(
        f'<a href="/{n}">page</a> ' for n in ("in", "set", "500", "404", "slow", "drop", "echo")
    ),
    "/in": redirect("/moved"),
    "/moved": "<title>Moved</title><p>These words are new.",
    "/set": Page(
        body="<title>Set</title><p>Words.",
        headers={"Set-Cookie": f"sid={SECRET}-fresh; Path=/; HttpOnly; Max-Age=9999"},
    ),
    "/500": Page(status=500),
    "/slow": Page(body="<title>Slow</title><p>Words.", delay=2.0),
    "/drop": Page(drop=True),
    "/form": redirect("/login"),
    "/login": FORM,
}


def echo(hit: Hit) -> Page | None:
    """A site that repeats what it was sent, in a page and in a redirect."""
    sent = f"{hit.headers.get('Cookie')} {hit.headers.get('X-Token')}"
    if hit.path == "/echo":
        return Page(body=f"<title>{sent}</title><p>You are here with {sent}.")
    return redirect(f"/login?with={sent}") if hit.path == "/away" else None


class Program:
    """A running `quaero serve`, and all that it ever said."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url
        self.said: list[str] = []

    def ask(self, path: str, body: Any = None, method: str | None = None) -> Any:
        """An answer of the API; its text is kept."""
        data = None if body is None else json.dumps(body).encode()
        head = {"Content-Type": "application/json"}
        asked = urllib.request.Request(self.url + path, data, head, method=method)
        try:
            with urllib.request.urlopen(asked, timeout=30) as answer:
                text, told = answer.read().decode(), str(answer.headers)
        except urllib.error.HTTPError as error:
            text, told = error.read().decode(), str(error.headers)
        self.said += [text, told]
        return json.loads(text) if text[:1] in ("{", "[") else text

    def wait(self, job_id: int) -> dict[str, Any]:
        deadline = time.monotonic() + LONGEST
        while not (job := self.ask(f"/api/jobs/{job_id}"))["completed_at"]:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return job

    def command(self, *words: str) -> None:
        """Run another command on the same data; what it prints is kept."""
        done = call("--data-dir", self.folder / "data", *words)
        assert done.code == 0, done.err
        self.said += [done.out, done.err]


def base(folder: Path) -> list[str]:
    return [sys.executable, "-m", "quaero", "--data-dir", str(folder / "data")]


@contextmanager
def serving(folder: Path) -> Iterator[Program]:
    config = folder / "quaero.toml"
    config.write_text(
        '[logs]\nlevel = "debug"\n[queue]\npoll_interval = "100ms"\nmax_receive = 1\n'
        f'[auth]\nkey_file = "{folder / "keys"}"\n'
    )
    os.environ["QUAERO_CONFIG"] = str(config)
    with (folder / "output").open("w") as output:
        command = [*base(folder), "serve", "--port", "0"]
        process = subprocess.Popen(
            command, stdout=output, stderr=output, start_new_session=True,
            env=os.environ | {"PYTHONFAULTHANDLER": "1"},
        )  # fmt: skip
        try:
            yield Program(folder, _address(folder / "output", process))
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
            del os.environ["QUAERO_CONFIG"]


def _address(output: Path, process: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + LONGEST
    while time.monotonic() < deadline and process.poll() is None:
        found = [word for word in output.read_text().split() if word.startswith("http://")]
        if found:
            return found[0].rstrip("/")
        time.sleep(0.05)
    raise AssertionError(output.read_text())


def listen(program: Program) -> threading.Thread:
    """Keep everything that the live socket tells, until the server ends."""

    def hear() -> None:
        with connect(program.url.replace("http", "ws") + "/ws", origin=program.url) as socket:
            topics = ["queue", "jobs", "workers", "system", *(f"logs:{n}?tree" for n in (1, 2, 3))]
            socket.send(json.dumps({"subscribe": topics}))
            with suppress(ConnectionClosed):
                for message in socket:
                    program.said.append(str(message))

    thread = threading.Thread(target=hear, daemon=True)
    thread.start()
    return thread


def kill_worker(program: Program, how: signal.Signals) -> None:
    """End the process that runs jobs, while it does."""
    deadline = time.monotonic() + LONGEST
    while time.monotonic() < deadline:
        workers = [each for each in program.ask("/api/queue")["workers"] if each["running"]]
        if workers:
            os.kill(workers[0]["pid"], how)
            return
        time.sleep(0.01)
    raise AssertionError("nothing ran")


def session(program: Program, site: SiteServer) -> threading.Thread:
    """Do all that people do; returns the thread that hears the socket until the server ends."""
    cookies = [{"name": "sid", "value": SECRET, "http_only": True}]
    body = {"base_url": site.url, "cookies": cookies, "tokens": {"X-Token": f"t-{SECRET}"}}
    assert program.ask("/api/auth", body)["id"] == 1
    for wrong in (
        {"base_url": SECRET}, {"cookies": SECRET}, {SECRET: 1}, {"cookies": [{SECRET: 1}]},
        {"tokens": {"a b": SECRET}}, {"cookies": [{"name": SECRET, "value": 1}]},
    ):  # fmt: skip
        assert program.ask("/api/auth", body | wrong)["status"] == 422
    bad = {"base_url": site.url, "text": f"a b={SECRET}"}
    assert program.ask("/api/auth/import", bad)["status"] == 422
    hearing = listen(program)
    crawl = {"seeds": [site.url], "credential": 1, "scope": "any", "concurrency": 2}
    first = program.ask("/api/jobs", {"type": "crawler", "payload": crawl})["id"]
    kill_worker(program, signal.SIGABRT)
    for path in ("/form", "/away"):
        broken = crawl | {"seeds": [site.url + path]}
        failed = program.ask("/api/jobs", {"type": "crawler", "payload": broken})["id"]
        assert program.wait(failed)["status"] == "failed"
    assert program.wait(first)["counts"]["completed"] >= 3
    for path in ("/echo", "/"):
        assert program.ask("/api/auth/1/test", {"url": site.url + path})["ok"] is True
    for path in (
        "/api/auth", "/api/auth/1", "/api/jobs?parent=any&limit=200", f"/api/jobs/{first}",
        f"/api/jobs/{first}/logs?tree=true&limit=10000", f"/api/jobs/{failed}/logs?tree=true",
        f"/api/jobs/{first}/tree", f"/api/jobs/{first}/results", "/api/documents", "/api/config",
        "/api/documents/1", "/api/logs?limit=200", "/api/health", "/api/queue", "/api/status",
        "/api/queue/dead", "/metrics", "/openapi.json", "/api/search?q=words",
    ):  # fmt: skip
        program.ask(path)
    program.command("documents", "export", str(program.folder / "export"))
    program.command("db", "backup", str(program.folder / "backup.db"))
    program.command("jobs", "logs", str(first))
    program.command("auth", "list", "--json")
    program.command("auth", "rotate")
    assert hearing.is_alive()
    return hearing


@pytest.mark.timeout(300)
def test_a_secret_is_found_nowhere_after_a_full_session(tmp_path: Path) -> None:
    with SiteServer(PAGES, gate=echo) as site, serving(tmp_path) as program:
        hearing = session(program, site)
    hearing.join(30)
    sent = {hit.headers.get("X-Token") for hit in site.hits}
    assert sent == {f"t-{SECRET}"}
    assert any(SECRET + "-fresh" in hit.headers.get("Cookie", "") for hit in site.hits)
    files = [each for each in tmp_path.rglob("*") if each.is_file()]
    names = {each.name for each in files}
    assert {"quaero.db", "backup.db", "output", "keys"} <= names
    assert any("export" in each.parts for each in files)
    assert "Aborted" in (tmp_path / "output").read_text(), "the crash has said what it says"
    found = [str(each) for each in files if SECRET.encode() in each.read_bytes()]
    assert found == []
    assert len(program.said) > 60
    assert not [each for each in program.said if SECRET in each]
