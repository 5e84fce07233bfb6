"""What people do to jobs, one and many, to the queue, and to what it gave up."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import count
from urllib.error import HTTPError

import pytest
from playwright.sync_api import Page, Route, expect

from .asking import ENDS_MS, crawl, create, expect_status, hurry, request, row, wait_for_end
from .server import sample_site, working

MANY = 60
NAMES = (f"case-{number}-" for number in count())


@pytest.fixture
def name() -> str:
    """A word that only the jobs of this test have in their names."""
    return next(NAMES)


def agree(page: Page, button: str) -> None:
    page.get_by_role("dialog").get_by_role("button", name=button, exact=True).click()


def test_a_running_job_is_cancelled_from_its_row(new_page, server, script) -> None:
    job_id = script.start(server)
    page = new_page("/queue")
    expect_status(page, job_id, "running")
    row(page, job_id).focus()
    page.keyboard.press("c")
    expect_status(page, job_id, "cancelled")
    assert request(f"{server.url}/api/jobs/{job_id}")["status"] == "cancelled"


def test_a_failed_job_says_why_and_is_tried_again_from_its_page(new_page, server, script) -> None:
    script.say(fail="the tide was out")
    job_id = script.start(server)
    page = new_page(f"/jobs/{job_id}")
    expect(page.get_by_text("the tide was out").first).to_be_visible(timeout=ENDS_MS)
    script.path.write_text('{"end": true}\n', encoding="utf-8")
    page.get_by_role("button", name="Retry").click()
    expect(page.locator(".page-head .status, .job-head .status").first).to_have_text(
        "completed", timeout=ENDS_MS
    )


def test_all_that_match_are_deleted_though_only_a_page_is_shown(
    new_page, server, script, name
) -> None:
    script.say(end=True)
    kept = script.start(server, name="not one of them")
    for number in range(MANY):
        script.start(server, name=f"{name}{number}")
    page = new_page(f"/queue?status=completed&text={name}")
    expect(page.locator("tr.job-row")).to_have_count(50, timeout=ENDS_MS)
    settle(page, server, name)
    hurry(page, 1)
    page.get_by_label("Select all on this page").check()
    page.get_by_role("button", name=f"Select all {MANY} that match").click()
    expect(page.get_by_text(f"All {MANY} that match are selected.")).to_be_visible()
    page.get_by_role("button", name="Delete", exact=True).click()
    agree(page, f"Delete {MANY} jobs")
    expect(page.get_by_text("No job matches")).to_be_visible(timeout=ENDS_MS)
    left = request(f"{server.url}/api/jobs?text={name}&count=true")
    assert left["total"]["count"] == 0
    assert request(f"{server.url}/api/jobs/{kept}")["id"] == kept


def test_a_deletion_is_taken_back_before_it_begins(new_page, server, script, name) -> None:
    script.say(end=True)
    stays, goes = (script.start(server, name=f"{name}{word}") for word in ("stays", "goes"))
    page = new_page(f"/queue?text={name}")
    for job_id in (stays, goes):
        expect_status(page, job_id, "completed")
        hurry(page, 10 if job_id == stays else 4)
        row(page, job_id).get_by_role("button", name="More for job").click()
        page.get_by_role("menuitem", name="Delete").click()
        agree(page, "Delete")
        expect(row(page, job_id)).to_have_class(re.compile("is-going"))
    note = page.locator(".note").filter(has_text=f"{name}stays")
    note.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("Taken back: nothing was deleted.")).to_be_visible()
    expect(row(page, stays)).not_to_have_class(re.compile("is-going"))
    expect(row(page, goes)).to_have_count(0, timeout=ENDS_MS)
    assert request(f"{server.url}/api/jobs/{stays}")["status"] == "completed"


def test_a_deletion_happens_though_the_page_is_closed(new_page, server, script, name) -> None:
    script.say(end=True)
    job_id = script.start(server, name=name)
    page = new_page(f"/queue?text={name}")
    expect_status(page, job_id, "completed")
    row(page, job_id).get_by_role("button", name="More for job").click()
    page.get_by_role("menuitem", name="Delete").click()
    agree(page, "Delete")
    expect(page.get_by_role("button", name="Undo")).to_be_visible()
    page.close()
    other = new_page(f"/queue?text={name}")
    expect(other.get_by_text("No job matches")).to_be_visible(timeout=ENDS_MS)


def test_all_that_failed_alike_are_tried_again_from_the_dashboard(
    new_page, server, script, name
) -> None:
    script.say(fail=f"{name} ran dry")
    ids = [script.start(server) for _ in range(3)]
    page = new_page("/")
    line = page.locator(".brief-list li").filter(has_text=f"{name} ran dry")
    expect(line).to_contain_text("3×", timeout=ENDS_MS)
    script.path.write_text('{"end": true}\n', encoding="utf-8")
    line.get_by_role("button", name="Retry all 3").click()
    agree(page, "Retry 3 jobs")
    expect(line).to_have_count(0, timeout=ENDS_MS)
    for job_id in ids:
        wait_for_end(server, job_id)
        assert request(f"{server.url}/api/jobs/{job_id}")["status"] == "completed"


def test_the_figures_of_a_day_lead_to_the_jobs_that_ended_in_it(
    new_page, server, script, name
) -> None:
    script.say(fail="blown off course")
    job_id = script.start(server, name=name)
    page = new_page("/")
    tile = page.locator(".tile").filter(has_text="Failed")
    expect(tile).to_have_class(re.compile("is-failed"), timeout=ENDS_MS)
    tile.click()
    expect(page.get_by_role("link", name="Remove the filter completed_after:")).to_be_visible()
    expect(row(page, job_id)).to_be_visible(timeout=ENDS_MS)
    page.get_by_label("Search").first.fill("ended_before:2001-01-01T00:00:00Z")
    page.keyboard.press("Enter")
    expect(page.get_by_text("No job matches")).to_be_visible()


def settle(page: Page, server, name: str) -> None:
    """Load the page anew, once all jobs of the test have ended."""
    url = f"{server.url}/api/jobs?status=completed&text={name}&count=true"
    page.wait_for_function(
        "async ([url, many]) => (await (await fetch(url)).json()).total.count === many",
        arg=[url, MANY],
        timeout=ENDS_MS,
    )
    page.reload()
    expect(page.locator("tr.job-row")).to_have_count(50)


def test_new_jobs_wait_behind_a_pill_until_they_are_wanted(new_page, server, script, name) -> None:
    script.say(end=True)
    first = script.start(server, name=name)
    page = new_page(f"/queue?text={name}")
    expect_status(page, first, "completed")
    expect(page.locator(".connection")).to_have_text("Live")
    page.wait_for_load_state("networkidle")  # what it loads once it is live
    others = [script.start(server, name=name) for _ in range(3)]
    pill = page.get_by_role("button", name="↑ 3 new")
    expect(pill).to_be_visible()
    expect(page.locator("tr.job-row")).to_have_count(1)
    pill.click()
    for job_id in others:
        expect_status(page, job_id, "completed")
    expect(page.locator(".list-stage > .pill")).to_be_hidden()


def test_a_paused_queue_starts_nothing_until_it_is_resumed(new_page, server, script, name) -> None:
    page = new_page(f"/queue?text={name}")
    page.get_by_role("button", name="Pause queue").click()
    expect(page.get_by_text("The queue is paused")).to_be_visible()
    assert request(f"{server.url}/api/queue")["paused"]
    script.say(end=True)
    job_id = script.start(server, name=name)
    expect_status(page, job_id, "pending")
    page.get_by_role("button", name="Resume queue").click()
    expect_status(page, job_id, "completed")
    expect(page.get_by_text("The queue is paused")).to_be_hidden()


def test_ages_grow_while_nothing_happens(new_page, server, script, name) -> None:
    request(f"{server.url}/api/queue/pause", method="POST")
    try:
        script.say(end=True)
        script.start(server, name=name)
        soon = (datetime.now(UTC) + timedelta(seconds=25)).isoformat()
        later = script.start(server, name=name, run_at=soon)
        page = new_page(f"/queue?text={name}")
        oldest = page.locator(".tile", has_text="Oldest waiting").locator("dd span")
        due = row(page, later).locator(".job-details", has_text="due in")
        expect(oldest).to_have_text(re.compile(r"\d s$"))
        before, due_before = oldest.inner_text(), due.inner_text()
        expect(oldest).not_to_have_text(before)
        expect(due).not_to_have_text(due_before)
    finally:
        request(f"{server.url}/api/queue/resume", method="POST")


def test_a_job_that_waits_says_how_long_and_one_to_come_when(new_page, server, script) -> None:
    request(f"{server.url}/api/queue/pause", method="POST")
    try:
        script.say(end=True)
        page = new_page(f"/jobs/{script.start(server)}")
        waits = page.get_by_text(re.compile(r"waiting for [1-9]"))
        expect(waits).to_be_visible()
        soon = (datetime.now(UTC) + timedelta(hours=3)).isoformat()
        page.goto(f"/jobs/{script.start(server, run_at=soon)}")
        expect(page.get_by_text("due in 3h")).to_be_visible()
    finally:
        request(f"{server.url}/api/queue/resume", method="POST")


def test_what_a_job_was_doing_is_not_said_when_it_has_ended(new_page, server) -> None:
    job_id = create(server, "cleanup", {"dry_run": True})
    wait_for_end(server, job_id)
    assert request(f"{server.url}/api/jobs/{job_id}")["progress_text"]
    page = new_page("/queue?type=cleanup")
    expect_status(page, job_id, "completed")
    expect(row(page, job_id).locator(".bar-words")).to_have_text("")


def test_the_rail_counts_what_the_list_shows(new_page, server, script, name) -> None:
    script.say(end=True)
    wait_for_end(server, script.start(server, name=name))
    page = new_page("/queue")
    types = page.get_by_role("navigation", name="Type")
    status = page.get_by_role("navigation", name="Status")
    types.get_by_role("link", name="scripted").click()
    expect(page).to_have_url(f"{server.url}/queue?type=scripted&parent=any")
    many = types.get_by_role("link", name="scripted").locator(".count").inner_text()
    expect(status.get_by_role("link", name="All").locator(".count")).to_have_text(many)
    page.goto(f"/queue?text={name}")
    expect(status.get_by_role("link", name="All").locator(".count")).to_have_text("")


def test_an_order_by_start_shows_what_starts_later(new_page, server, script, name) -> None:
    script.say(end=True)
    wait_for_end(server, script.start(server, name=name))
    page = new_page(f"/queue?text={name}&order=-started")
    expect(page.locator("tr.job-row")).to_have_count(1)
    expect(page.locator(".connection")).to_have_text("Live")
    later = script.start(server, name=name)
    pill = page.locator(".list-stage > .pill")
    page.locator(f'.list-stage > .pill:visible, tr[data-id="{later}"]').first.wait_for()
    if pill.is_visible():
        pill.click()
    expect(page.locator("tr.job-row")).to_have_count(2)


@pytest.mark.parametrize("words", ["created_after=2100-01-01T00:00:00Z", "parent=999999999"])
def test_a_filter_that_lets_nothing_in_is_not_an_empty_queue(new_page, words) -> None:
    page = new_page(f"/queue?{words}")
    expect(page.get_by_text("No job matches")).to_be_visible()


def test_a_dead_letter_is_requeued_or_deleted(new_page, server, script, name) -> None:
    script.say(fail="no water under the keel")
    again, gone = (script.start(server, name=f"{name}{word}") for word in ("again", "gone"))
    page = new_page("/queue/dead")
    rows = page.locator("table.letters tbody tr")
    first, second = rows.filter(has_text=f"{name}again"), rows.filter(has_text=f"{name}gone")
    expect(first).to_contain_text("no water under the keel", timeout=ENDS_MS)
    expect(second).to_be_visible(timeout=ENDS_MS)
    script.path.write_text('{"end": true}\n', encoding="utf-8")
    first.get_by_role("button", name="Requeue message").click()
    expect(first).to_have_count(0)
    second.get_by_role("button", name="Delete message").click()
    agree(page, "Delete")
    expect(second).to_have_count(0)
    page.goto(f"/queue?text={name}")
    expect_status(page, again, "completed")
    expect_status(page, gone, "failed")


def test_all_dead_letters_are_deleted_only_after_typing_so(new_page, server, script, name) -> None:
    script.say(fail="aground")
    script.start(server, name=name)
    page = new_page("/queue/dead")
    expect(page.get_by_text(name)).to_be_visible(timeout=ENDS_MS)
    page.get_by_role("button", name="Delete all").click()
    button = page.get_by_role("dialog").locator("button.is-danger")
    expect(button).to_be_disabled()
    page.get_by_label("Type delete all to go on").fill("delete all")
    button.click()
    expect(page.get_by_text("No dead letters")).to_be_visible(timeout=ENDS_MS)


def test_a_job_deleted_elsewhere_says_so_on_its_page(new_page, server, script) -> None:
    script.say(end=True)
    job_id = script.start(server)
    page = new_page(f"/jobs/{job_id}")
    expect(page.get_by_role("button", name="Run again")).to_be_visible(timeout=ENDS_MS)
    with pytest.raises(HTTPError, match="404"):
        deleted(server, job_id)
    expect(page.get_by_text("This job was deleted")).to_be_visible()


def deleted(server, job_id: int) -> None:
    from urllib.request import Request, urlopen

    url = f"{server.url}/api/jobs/{job_id}"
    urlopen(Request(url, method="DELETE"), timeout=10).close()
    request(url)


def test_a_row_opens_into_the_children_that_match_the_filter_and_then_into_all(
    new_page, server, site
) -> None:
    root = crawl(server, site)
    wait_for_end(server, root)
    counts = request(f"{server.url}/api/jobs/{root}")["counts"]
    assert counts["failed"]
    assert counts["completed"]
    page = new_page("/queue?status=completed")
    row(page, root).get_by_role("button", name="Show children").click()
    children = page.locator('tr.job-row[aria-level="2"]')
    expect(page.get_by_text(f"{counts['completed']} of {counts['total']} match")).to_be_visible()
    expect(children).to_have_count(counts["completed"])
    page.get_by_role("button", name="Show all").click()
    expect(children).to_have_count(counts["total"])
    expect(page.get_by_text(f"of {counts['total']} match")).to_be_hidden()
    expect(row(page, root)).to_be_focused()
    page.reload()
    expect(children).to_have_count(counts["completed"])
    page.get_by_role("navigation", name="Status").get_by_role("link", name="All").click()
    expect(page).not_to_have_url(re.compile("status="))
    expect(children).to_have_count(counts["total"])


def test_a_row_that_was_closed_before_its_children_came_opens_again(new_page, server, site) -> None:
    root = crawl(server, site, max_pages=3)
    wait_for_end(server, root)
    page = new_page("/queue")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/children?*", hold)
    with page.expect_request("**/children?*"):
        row(page, root).get_by_role("button", name="Show children").click()
    row(page, root).get_by_role("button", name="Hide children").click()
    with page.expect_response("**/children?*"):
        held[0].continue_()
    page.unroute("**/children?*")
    row(page, root).get_by_role("button", name="Show children").click()
    expect(page.locator('tr.job-row[aria-level="2"]')).to_have_count(3)


def test_input_with_marks_that_cannot_be_seen_is_edited_and_run_again(new_page, server) -> None:
    job_id = create(server, "scripted", {"script": "no such\x85file\x7f"})
    wait_for_end(server, job_id)
    page = new_page(f"/jobs/{job_id}?tab=data")
    page.get_by_role("button", name="Edit and run again").click()
    dialog = page.get_by_role("dialog", name="New job")
    expect(dialog.get_by_label("Script")).to_have_value("no such\x85file\x7f")


def test_what_could_not_be_taken_back_at_once_can_be_tried_again(new_page, server, script) -> None:
    script.say(end=True)
    job_id = script.start(server)
    page = new_page("/queue", "net::ERR_")
    expect_status(page, job_id, "completed")
    page.route("**/cancel", lambda route: route.abort(), times=1)
    row(page, job_id).get_by_role("button", name="More for job").click()
    page.get_by_role("menuitem", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("button", name="Undo").click()
    told = page.get_by_role("alert").filter(has_text="It could not be taken back")
    told.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("Taken back: nothing was deleted.")).to_be_visible()
    expect(row(page, job_id)).not_to_have_class(re.compile("is-going"))


def test_the_dashboard_counts_documents_as_they_come(new_page, server) -> None:
    def stored() -> int:
        return request(f"{server.url}/api/documents/stats")["all"]["documents"]

    before = stored()
    page = new_page("/")
    figure = page.locator('.tile[href="/documents"] dd span')
    expect(figure).to_have_text(str(before))
    with sample_site() as fresh:
        wait_for_end(server, crawl(server, fresh))
    assert stored() > before
    expect(figure).to_have_text(str(stored()), timeout=ENDS_MS)


def test_a_process_that_ends_leaves_the_dashboard(new_page, server) -> None:
    page = new_page("/")
    slots = page.locator("[x-ref=slots] li")
    expect(slots).to_have_count(1)
    with working(server):
        expect(slots).to_have_count(2, timeout=ENDS_MS)
    expect(slots).to_have_count(1, timeout=ENDS_MS)
