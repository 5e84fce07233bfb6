"""Answers that come late, after what they say has changed: what was heard since is what is shown."""

from __future__ import annotations

import re
from contextlib import contextmanager

import pytest
from playwright.sync_api import APIResponse, Page, Route, expect

from .asking import ENDS_MS, request

PATCH = {"Content-Type": "application/merge-patch+json"}
FRAMES = "() => new Promise((end) => requestAnimationFrame(() => requestAnimationFrame(end)))"


@contextmanager
def late(page: Page, address: str):
    """What the page asks for at this address is answered at once, and comes only in the end."""
    pattern = re.compile(f"{address}$")
    held: list[tuple[Route, APIResponse]] | None = []

    def hold(route: Route) -> None:
        answer = route.fetch()
        if held is None:
            route.fulfill(response=answer)
        else:
            held.append((route, answer))

    @contextmanager
    def asked():
        yield
        while not held:
            page.wait_for_timeout(20)

    page.route(pattern, hold)
    yield asked
    given, held = held, None
    assert given
    for route, answer in given:
        route.fulfill(response=answer)
    page.evaluate(FRAMES)


@pytest.fixture
def pause(server):
    """A function that pauses the queue; it goes on in the end."""
    yield lambda: request(f"{server.url}/api/queue/pause", {})
    request(f"{server.url}/api/queue/resume", {})


@pytest.mark.parametrize(
    ("path", "sign"),
    [("/queue", "Resume queue"), ("/", "The queue is paused")],
)
def test_a_pause_that_was_heard_of_is_not_undone_by_an_answer_from_before(
    new_page, server, script, pause, path, sign
) -> None:
    page = new_page(path)
    expect(page.locator(".tile").first).to_contain_text(re.compile(r"\d"))
    with late(page, "/api/queue") as asked:
        with asked():
            script.start(server, run_at="2100-01-01T00:00:00Z")
        pause()
        expect(page.get_by_text(sign)).to_be_visible()
    expect(page.get_by_text(sign)).to_be_visible()


def test_a_name_that_was_heard_of_is_not_undone_by_an_answer_from_before(
    new_page, server, script
) -> None:
    job_id = script.start(server, name="the old name")
    page = new_page(f"/jobs/{job_id}")
    expect(page.get_by_role("heading", name="the old name")).to_be_visible()
    with late(page, f"/api/jobs/{job_id}") as asked:
        with asked():
            script.say(end=True)
        wish = {"data": {"name": "the new name"}, "headers": {"If-Match": "*", **PATCH}}
        assert page.request.patch(f"/api/jobs/{job_id}", **wish).ok
        expect(page.get_by_role("heading", name="the new name")).to_be_visible()
    expect(page.get_by_role("heading", name="the new name")).to_be_visible()


def test_a_dead_letter_that_was_away_for_a_moment_is_listed_again(new_page, server, script) -> None:
    script.say(fail="no way out of the harbour")
    script.start(server, name="harbour")
    page = new_page("/queue/dead")
    row = page.locator("table.letters tbody tr").filter(has_text="harbour")
    expect(row).to_be_visible(timeout=ENDS_MS)
    between = {"items": [], "next_cursor": None, "total": 0}
    page.route("**/api/queue/dead?*", lambda route: route.fulfill(json=between), times=1)
    with page.expect_response("**/api/queue/dead?*"):
        row.get_by_role("button", name="Requeue message").click()
    page.evaluate(FRAMES)
    expect(row).to_be_visible(timeout=ENDS_MS)
