"""Answers that come late, after what they say has changed: what was heard since is what is shown."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from .asking import ENDS_MS, FRAMES, Script, expect_status, late, request, row, wait_for_end

PAGES = "dqxwfhocs"
PATCH = {"Content-Type": "application/merge-patch+json"}


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
    expect(page.locator(".tile").filter(has_text="Completed")).to_contain_text(re.compile(r"\d24"))
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
        assert page.request.patch(f"/api/jobs/{job_id}", max_retries=3, **wish).ok
        expect(page.get_by_role("heading", name="the new name")).to_be_visible()
    expect(page.get_by_role("heading", name="the new name")).to_be_visible()


def test_a_dead_letter_that_was_away_for_a_moment_is_listed_again(new_page, server, script) -> None:
    script.say(fail="no way past the lock")
    script.start(server, name="harbour")
    page = new_page("/queue/dead")
    row = page.locator("table.letters tbody tr").filter(has_text="no way past the lock")
    expect(row).to_be_visible(timeout=ENDS_MS)
    between = {"items": [], "next_cursor": None, "total": 0}
    page.route("**/api/queue/dead?*", lambda route: route.fulfill(json=between), times=1)
    with page.expect_response("**/api/queue/dead?*"):
        row.get_by_role("button", name="Requeue message").click()
    page.evaluate(FRAMES)
    expect(row).to_be_visible(timeout=ENDS_MS)


def test_a_pause_whose_answer_comes_late_is_not_shown_as_a_resume(new_page, server, pause) -> None:
    page = new_page("/queue")
    with late(page, "/api/queue/pause") as asked:
        with asked():
            page.get_by_role("button", name="Pause queue").click()
        expect(page.get_by_text("nothing new is started")).to_be_visible()
    expect(page.get_by_role("button", name="Resume queue")).to_be_enabled()
    expect(page.get_by_text("nothing new is started")).to_be_visible()


def test_a_retry_that_ended_before_its_answer_came_is_not_pending_again(
    new_page, server, script
) -> None:
    script.say(fail="no way out of the harbour")
    job_id = script.start(server)
    page = new_page("/queue")
    expect_status(page, job_id, "failed")
    with late(page, f"/api/jobs/{job_id}/retry") as asked:
        with asked():
            row(page, job_id).get_by_role("button", name="Retry", exact=True).click()
        expect(row(page, job_id)).to_contain_text("round 2", timeout=ENDS_MS)
        expect_status(page, job_id, "failed")
    expect_status(page, job_id, "failed")


def test_a_job_that_was_deleted_is_not_listed_by_an_answer_from_before(
    new_page, server, script
) -> None:
    script.say(end=True)
    job_id = script.start(server)
    page = new_page("/queue")
    expect_status(page, job_id, "completed")
    with late(page, r"/api/jobs\?.*status=completed.*") as asked:
        with asked():
            page.get_by_role("navigation", name="Status").get_by_text("Completed").click()
        assert page.request.delete(f"/api/jobs/{job_id}", max_retries=3).ok
        expect(row(page, job_id)).to_have_count(0)
    assert row(page, job_id).count() == 0


def test_a_row_stays_though_an_older_list_comes_after_it(
    new_page, server, script, tmp_path
) -> None:
    name = tmp_path.name
    page = new_page(f"/queue?text={name}")
    expect(page.get_by_text("No job matches")).to_be_visible()
    expect(page.locator(".connection")).to_have_text("Live")
    with late(page, r"/api/jobs\?.*order=created.*", times=1) as asked:
        with asked():
            page.get_by_label("Order").select_option("created")
        script.say(end=True)
        job_id = script.start(server, name=name)
        expect_status(page, job_id, "completed")
    expect(row(page, job_id)).to_have_count(1)
    page.evaluate(FRAMES)
    expect(row(page, job_id)).to_have_count(1)


def test_a_line_that_comes_while_a_log_is_loaded_anew_is_shown(new_page, server, script) -> None:
    script.say(log="first")
    page = new_page(f"/jobs/{script.start(server)}?tab=logs")
    line = page.locator(".log-line")
    expect(line.filter(has_text="first")).to_be_visible()
    many = line.count()
    with late(page, r"/logs\?.*level=info.*") as asked:
        with asked():
            page.get_by_role("button", name=re.compile("^info")).click()
        script.say(log="second")
        expect(line.filter(has_text="second")).to_be_visible()
    expect(line.filter(has_text="second")).to_be_visible()
    expect(page.get_by_role("button", name=f"info {many + 1}")).to_be_visible()


@pytest.fixture
def two_documents(server, tmp_path) -> list[int]:
    """The ids of two documents that have no tag."""
    folder = tmp_path / "notes"
    folder.mkdir()
    for name in ("ebb", "flood"):
        (folder / f"{name}.md").write_text(f"# The {name}\n\nOf the tide.", encoding="utf-8")
    source = {"name": tmp_path.name[:60], "kind": "folder", "base_url": str(folder)}
    made = request(f"{server.url}/api/sources", source)
    run = request(f"{server.url}/api/sources/{made['id']}/collect", {})
    wait_for_end(server, run["job"]["id"])
    found = request(f"{server.url}/api/documents?limit=2")["items"]
    return [each["id"] for each in found]


def test_a_tag_stays_with_the_document_that_it_was_given_to(
    new_page, server, two_documents
) -> None:
    first, second = two_documents
    page = new_page(f"/documents/{first}")
    reader = page.get_by_role("article", name="Document")
    tags = reader.get_by_role("group", name="Tags")
    expect(tags).to_be_visible()
    before = reader.get_by_role("heading", level=2).first.inner_text()
    with late(page, f"/api/documents/{first}/tags") as asked:
        with asked():
            page.get_by_label("Add a tag").fill("low")
            page.get_by_label("Add a tag").press("Enter")
        page.locator(f'.document-rows li[data-id="{second}"] a').click()
        expect(reader.get_by_role("heading", level=2).first).not_to_have_text(before)
        page.get_by_label("Add a tag").fill("high")
    expect(page.get_by_label("Add a tag")).to_have_value("high")
    page.get_by_label("Add a tag").press("Enter")
    expect(tags.get_by_role("button", name="high", exact=True)).to_be_visible()
    kept = [request(f"{server.url}/api/documents/{each}")["tags"] for each in (first, second)]
    assert kept == [["low"], ["high"]]


def test_a_document_that_was_closed_before_it_came_stays_closed(
    new_page, server, two_documents
) -> None:
    page = new_page("/documents")
    link = page.locator(f'.document-rows li[data-id="{two_documents[0]}"] a')
    with late(page, f"/api/documents/{two_documents[0]}") as asked:
        with asked():
            link.click()
        page.keyboard.press("Escape")
        expect(page).to_have_title("Documents · Quaero")
    expect(page).to_have_title("Documents · Quaero")


def test_what_is_previewed_is_what_can_be_deleted(new_page) -> None:
    page = new_page("/system")
    page.get_by_role("button", name="Clean up").click()
    dialog = page.get_by_role("dialog", name="Clean up")
    dialog.get_by_label("Ended more than").fill("36500")
    with late(page, "/api/jobs") as asked:
        with asked():
            dialog.get_by_role("button", name="Preview").click()
        dialog.get_by_label("Ended more than").fill("0")
    expect(dialog.locator(".is-loading")).to_have_count(0)
    expect(dialog.get_by_role("button", name="Delete")).to_be_disabled()


def test_a_step_that_ended_while_the_tree_was_asked_for_is_shown_as_ended(
    new_page, server, script, tmp_path
) -> None:
    script.say(end=True)
    going = Script(tmp_path / "going")
    steps = [
        {"name": name, "action": "scripted", "config": {"script": str(each.path)}}
        for name, each in (("first", going), ("second", Script(tmp_path / "other")))
    ]
    request(f"{server.url}/api/definitions", {"id": "tides", "name": "Tides", "steps": steps})
    run = request(f"{server.url}/api/definitions/tides/execute", {})["id"]
    page = new_page(f"/jobs/{run}?tab=children")
    child = page.locator("tr.job-row").filter(has_text="first")
    expect(child).to_contain_text("waiting", timeout=ENDS_MS)
    with late(page, f"/api/jobs/{run}/tree.*") as asked:
        with asked():
            page.get_by_role("link", name="Whole tree").click()
        going.say(end=True)
        expect(child).to_contain_text("completed", timeout=ENDS_MS)
    step = page.locator(".tree-row").filter(has_text="first").first
    expect(step).to_contain_text("completed")
    request(f"{server.url}/api/jobs/{run}/cancel", {})


@pytest.mark.parametrize("seed", range(3))
def test_answers_that_come_after_their_page_was_left_do_no_harm(new_page, seed) -> None:
    page = new_page("/", late=seed)
    for rounds in range(2):
        for key in PAGES:
            page.keyboard.press("g")
            page.keyboard.press(key)
            page.wait_for_timeout(100 * rounds)
    expect(page.get_by_role("heading", level=1)).to_have_text("System")
    expect(page.get_by_text("Everything works.")).to_be_visible()
