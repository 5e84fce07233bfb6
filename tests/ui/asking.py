"""What a test asks of a server beside its page, and where a job stands on the page."""

from __future__ import annotations

import json
import re
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import APIResponse, Locator, Page, Route, expect

REFUSED = "Failed to load resource"
# What a browser says of a server that is gone: refused, or taken and closed before an answer.
GONE = ("net::ERR_", "Connection closed before receiving a handshake response")
ENDS_MS = 60_000
FRAMES = "() => new Promise((end) => requestAnimationFrame(() => requestAnimationFrame(end)))"


def request(url: str, body: dict[str, Any] | None = None, method: str | None = None) -> Any:
    """The answer of the API."""
    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(asked, timeout=30) as answer:
        return json.load(answer)


def create(server, type_: str, payload: dict[str, Any], **words: Any) -> int:
    """The id of a new job."""
    body = {"type": type_, "payload": payload, **words}
    return request(f"{server.url}/api/jobs", body)["id"]


def crawl(server, site: str, **payload: Any) -> int:
    """The id of a new crawl of this site."""
    return create(server, "crawler", {"seeds": [site], **payload})


def wait_for_end(server, job_id: int) -> None:
    """Read the log of a job, which waits for new lines, until the job has ended."""
    place = 0
    while not request(f"{server.url}/api/jobs/{job_id}")["completed_at"]:
        words = f"tree=false&order=asc&follow=true&after={place}"
        for line in request(f"{server.url}/api/jobs/{job_id}/logs?{words}")["items"]:
            place = line["id"]


def hurry(page: Page, seconds: int) -> None:
    """Let what the page deletes be deleted so soon, not after the time in which it can be undone."""

    def shorten(route: Route) -> None:
        route.continue_(post_data={**route.request.post_data_json, "delay": seconds})

    page.route("**/api/**/bulk", shorten)


class Script:
    """What a scripted job does; more can be said while it runs."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()

    def say(self, **wish: Any) -> None:
        """Add a line: `log=`, `times=`, `level=`, or `fail=`, or `end=True`."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(wish) + "\n")

    def start(self, server, **words: Any) -> int:
        """The id of a new job that does it."""
        return create(server, "scripted", {"script": str(self.path)}, **words)


def row(page: Page, job_id: int) -> Locator:
    """The row of a job."""
    return page.locator(f'tr[data-id="{job_id}"]')


def expect_status(page: Page, job_id: int, status: str) -> None:
    """Wait until the row of a job says this."""
    expect(row(page, job_id).locator(".cell-status")).to_have_text(status, timeout=ENDS_MS)


@contextmanager
def late(page: Page, address: str, times: int | None = None):
    """What the page asks for at this address is answered at once, and comes only in the end.

    With `times` only the first so many answers are late.
    """
    pattern = re.compile(f"{address}$")
    held: list[tuple[Route, APIResponse]] | None = []

    def hold(route: Route) -> None:
        answer = route.fetch(
            max_retries=3
        )  # the server closes a connection after some idle seconds
        if held is None:
            route.fulfill(response=answer)
        else:
            held.append((route, answer))

    @contextmanager
    def asked():
        yield
        until = time.monotonic() + ENDS_MS / 1000
        while not held:
            assert time.monotonic() < until, f"{address} was not asked for, or had no answer"
            page.wait_for_timeout(20)

    page.route(pattern, hold, times=times)
    yield asked
    given, held = held, None
    assert given
    for route, answer in given:
        route.fulfill(response=answer)
    page.evaluate(FRAMES)
