"""What pages say stays true, and what people hold in them stays theirs."""

from __future__ import annotations

import re
import urllib.request
from datetime import UTC, datetime, timedelta
from itertools import count, product

import pytest
from playwright.sync_api import Page, expect

from .asking import ENDS_MS, GONE, REFUSED, Script, expect_status, request, row, wait_for_end

NAMES = (f"true-{number}" for number in count())


@pytest.fixture
def name() -> str:
    """A word that only what this test makes has in its name."""
    return next(NAMES)


def store(server, name: str, script, title: str = "") -> None:
    """Store a workflow of one step, which does what the script says."""
    step = {"name": "only", "action": "scripted", "config": {"script": str(script.path)}}
    request(f"{server.url}/api/definitions", {"id": name, "name": title or name, "steps": [step]})


def move(page: Page, path: str) -> None:
    """Go to another page as its link does, without a new load of the program."""
    page.evaluate(
        """path => {
            const link = document.createElement("a");
            link.href = path;
            document.body.append(link);
            link.click();
            link.remove();
        }""",
        path,
    )


def resize(page: Page, width: int) -> None:
    """Give the window another width; what it shows comes to be no wider."""
    page.set_viewport_size({"width": width, "height": 900})
    page.wait_for_function(
        "width => innerWidth === width && document.documentElement.scrollWidth <= width", arg=width
    )


@pytest.mark.parametrize("late", [None, 41])
def test_a_flat_list_follows_jobs_that_are_below_others(
    new_page, server, script, name, late
) -> None:
    store(server, name, script)
    request(f"{server.url}/api/definitions/{name}/execute", {})
    page = new_page("/queue?parent=any&type=scripted&status=running", late=late)
    step = page.locator("tr.job-row").filter(has_text="only")
    expect(step).to_have_count(1, timeout=ENDS_MS)
    script.say(end=True)
    expect(step).to_have_count(0, timeout=ENDS_MS)
    expect(page.get_by_text("No job matches")).to_be_visible()


def test_a_flat_list_loses_what_was_tried_again(new_page, server, script, name) -> None:
    store(server, name, script)
    script.say(fail="ran dry")
    run = request(f"{server.url}/api/definitions/{name}/execute", {})["id"]
    wait_for_end(server, run)
    words = "parent=any&type=scripted&status=failed"
    step = request(f"{server.url}/api/jobs?{words}")["items"][0]
    page = new_page(f"/queue?{words}")
    expect(row(page, step["id"])).to_be_visible()
    script.path.write_text('{"end": true}\n', encoding="utf-8")
    request(f"{server.url}/api/jobs/{step['id']}/retry", {})
    expect(row(page, step["id"])).to_have_count(0, timeout=ENDS_MS)


def test_an_open_row_loses_children_that_no_longer_match(
    new_page, server, script, tmp_path, name
) -> None:
    other = Script(tmp_path / "other")
    steps = [
        {"name": step, "action": "scripted", "config": {"script": str(each.path)}}
        for step, each in (("alpha", script), ("omega", other))
    ]
    request(f"{server.url}/api/definitions", {"id": name, "name": name, "steps": steps})
    run = request(f"{server.url}/api/definitions/{name}/execute", {})["id"]
    page = new_page("/queue?status=running")
    row(page, run).locator(".chevron").click()
    page.mouse.move(0, 0)
    below = page.locator('tr.job-row[aria-level="2"]')
    expect(below.filter(has_text="alpha")).to_be_visible()
    script.say(end=True)
    expect(below.filter(has_text="alpha")).to_have_count(0, timeout=ENDS_MS)
    expect(below.filter(has_text="omega")).to_be_visible(timeout=ENDS_MS)
    other.say(end=True)


@pytest.mark.parametrize("view", ["", "&view=tree"])
def test_a_child_that_is_deleted_leaves_the_page_of_its_parent(
    new_page, server, script, name, view
) -> None:
    store(server, name, script)
    script.say(end=True)
    run = request(f"{server.url}/api/definitions/{name}/execute", {})["id"]
    wait_for_end(server, run)
    [step] = request(f"{server.url}/api/jobs/{run}/children")["items"]
    page = new_page(f"/jobs/{run}?tab=children{view}")
    link = page.locator(f'main a[href="/jobs/{step["id"]}"]').first
    expect(link).to_be_visible()
    urllib.request.urlopen(
        urllib.request.Request(f"{server.url}/api/jobs/{step['id']}", method="DELETE"), timeout=30
    ).close()
    expect(link).to_have_count(0, timeout=ENDS_MS)


def test_the_focus_stays_on_a_dead_letter_while_others_come_and_goes_on_when_it_goes(
    new_page, server, script, name
) -> None:
    script.say(fail="ran dry")
    script.start(server, name=f"{name} first")
    page = new_page("/queue/dead")
    letter = page.locator("tr").filter(has_text=f"{name} first")
    letter.get_by_role("button", name="Requeue").focus()
    script.start(server, name=f"{name} second")
    expect(page.locator("tr").filter(has_text=f"{name} second")).to_be_visible(timeout=ENDS_MS)
    expect(letter.get_by_role("button", name="Requeue")).to_be_focused()
    script.path.write_text('{"end": true}\n', encoding="utf-8")
    page.keyboard.press("Enter")
    expect(letter).to_have_count(0, timeout=ENDS_MS)
    expect(page.locator("table.letters tbody input:focus")).to_have_count(1)


def test_the_focus_stays_on_a_line_of_the_dashboard_while_it_counts(
    new_page, server, script, name
) -> None:
    script.say(fail=f"{name} ran dry")
    script.start(server)
    page = new_page("/")
    line = page.locator("[x-ref=failures] li").filter(has_text=name)
    line.get_by_role("button", name="Retry").focus()
    script.start(server)
    retry = line.get_by_role("button", name=f"Retry all 2: {name} ran dry")
    expect(retry).to_be_focused(timeout=ENDS_MS)


def test_pages_opened_while_the_server_is_away_are_loaded_when_it_is_back(
    new_page, server, script, name
) -> None:
    store(server, name, script)
    ways = {
        "/documents": "No documents yet",
        f"/workflows/{name}": "Overview",
        "/api/docs": "openapi.json",
        "/queue/workers": "alive",
    }
    pages = {path: new_page("/queue", *GONE) for path in ways}
    server.stop()
    for path, page in pages.items():
        expect(page.locator(".connection")).to_contain_text("Reconnecting")
        move(page, path)
        expect(page.get_by_text("this page tries again by itself").first).to_be_visible()
        expect(page.get_by_text("There is no such")).to_be_hidden()
    server.start()
    for path, page in pages.items():
        expect(page.get_by_text(ways[path]).first).to_be_visible(timeout=ENDS_MS)
        expect(page.get_by_text("this page tries again by itself").first).to_be_hidden()


def test_an_act_that_had_no_answer_is_not_said_to_be_tried_again(new_page, server, script) -> None:
    job_id = script.start(server)
    page = new_page("/queue", *GONE)
    expect_status(page, job_id, "running")
    page.route("**/api/jobs/*/cancel", lambda route: route.abort())
    row(page, job_id).get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("look whether it was done")).to_be_visible()


def test_a_wrong_clock_of_the_browser_makes_no_duration_wrong(
    new_page, server, script, name
) -> None:
    store(server, name, script)
    run = request(f"{server.url}/api/definitions/{name}/execute", {})["id"]
    page = new_page("/queue")
    page.add_init_script(
        "(() => { const real = Date.now; Date.now = () => real() - 7_200_000; })()"
    )
    page.goto(f"/jobs/{run}")
    step = page.locator('tr[data-step="only"] [data-label="Duration"]')
    expect(step).to_contain_text("s", timeout=ENDS_MS)
    expect(step).not_to_contain_text("h")


def test_the_link_of_a_run_keeps_the_focus_while_its_age_grows(
    new_page, server, tmp_path, name
) -> None:
    source = {"name": name, "kind": "folder", "base_url": str(tmp_path)}
    made = request(f"{server.url}/api/sources", source)
    request(f"{server.url}/api/sources/{made['id']}/collect", {})
    page = new_page("/sources")
    card = page.get_by_role("article", name=name)
    expect(card).to_contain_text("s ago in", timeout=ENDS_MS)
    link = card.get_by_role("link", name="Job ")
    link.focus()
    said = card.locator(".source-facts").nth(1).inner_text()
    expect(card.locator(".source-facts").nth(1)).not_to_have_text(said)
    expect(link).to_be_focused()


def test_names_have_room_at_every_width_and_no_page_is_wider(new_page, server, script, name):
    widths = [1440, 1241, 1221, 1101, 1024, 861, 768, 320]
    job_id = script.start(server, name=f"{name} {'x' * 200}")
    store(server, name, script, f"{name} {'x' * 90}")
    page = new_page("/queue", width=widths[0])
    shown = row(page, job_id).locator(".job-name")
    expect(shown).to_be_visible()
    for width in widths:
        resize(page, width)
        box = shown.bounding_box()
        assert box is not None
        assert box["width"] >= 130, width
    for path in ("/queue", "/workflows", f"/workflows/{name}", "/workflows/_new", "/schedules"):
        page.goto(path)
        expect(page.locator("h1").first).to_be_visible()
        for width in widths:
            resize(page, width)


def test_a_lost_connection_is_told_without_a_wider_page(new_page) -> None:
    widths = [1240, 1221, 1101, 861, 360, 320]
    page = new_page("/schedules", width=widths[0])
    word = page.locator(".connection.is-live .connection-word")
    expect(word).to_have_text("Live")
    for width, said in product(widths, ("Connecting", "Reconnecting (60 s)")):
        word.evaluate("(word, said) => { word.textContent = said; }", said)
        resize(page, width)
        for tool in page.locator(".top-tools > button").all():
            box = tool.bounding_box()
            assert box is not None
            assert box["width"] >= 24
            assert box["x"] + box["width"] <= width


def test_marks_stand_on_the_words_that_were_found_though_emoji_are_before_them(
    new_page, server, tmp_path, name
) -> None:
    (tmp_path / "note.md").write_text("# A note\n\n🚢 🚀 the lighthouse 🔥 and the lighthouse.")
    source = {"name": name, "kind": "folder", "base_url": str(tmp_path)}
    made = request(f"{server.url}/api/sources", source)
    job = request(f"{server.url}/api/sources/{made['id']}/collect", {})["job"]
    wait_for_end(server, job["id"])
    page = new_page("/documents?q=lighthouse")
    expect(page.locator(".document-snippet mark")).to_have_text(["lighthouse", "lighthouse"])


def test_a_type_that_is_only_below_others_is_found_by_the_search(
    new_page, server, script, name
) -> None:
    script.say(end=True)
    store(server, name, script)
    run = request(f"{server.url}/api/definitions/{name}/execute", {})["id"]
    wait_for_end(server, run)
    page = new_page("/queue")
    page.get_by_label("Search jobs").fill("type:workflow_step")
    page.keyboard.press("Enter")
    expect(page.locator("tr.job-row").first).to_contain_text("workflow_step")
    expect(page).to_have_url(re.compile("parent=any"))


def test_a_menu_is_gone_through_by_keys(new_page, server, script) -> None:
    script.say(end=True)
    job_id = script.start(server)
    page = new_page("/queue")
    expect_status(page, job_id, "completed")
    more = row(page, job_id).get_by_role("button", name="More for job")
    more.press("Enter")
    entries = page.get_by_role("menuitem")
    for key, at in (("End", -1), ("ArrowDown", 0), ("ArrowUp", -1), ("Home", 0)):
        page.keyboard.press(key)
        expect(entries.nth(at)).to_be_focused()
    page.keyboard.press("Escape")
    expect(more).to_be_focused()


def test_a_paused_queue_is_told_on_the_dashboard_and_in_every_tab(new_page, server) -> None:
    pages = [new_page(path) for path in ("/", "/queue")]
    answer, button = pages[0].locator(".answer"), pages[1].locator(".page-actions")
    request(f"{server.url}/api/queue/pause", {})
    try:
        expect(answer).to_contain_text("The queue is paused")
        expect(button).to_contain_text("Resume queue")
    finally:
        request(f"{server.url}/api/queue/resume", {})
    expect(answer).not_to_contain_text("paused")
    expect(button).to_contain_text("Pause queue")


def test_an_address_that_cannot_be_read_says_so_and_leads_on(new_page) -> None:
    page = new_page("/queue?status=bogus", REFUSED)
    expect(page.get_by_text("The filter cannot be read")).to_be_visible()
    expect(page.get_by_role("button", name="Try again")).to_be_hidden()
    page.get_by_role("link", name="Remove the filters").first.click()
    expect(page.get_by_text("The filter cannot be read")).to_be_hidden()
    page = new_page("/jobs/99999999999999999999", REFUSED)
    expect(page.locator("main")).to_contain_text("There is no such page")


def test_what_runs_gets_longer_in_the_steps_and_the_tree_while_nothing_happens(
    new_page, server, script, name
) -> None:
    store(server, name, script)
    run = request(f"{server.url}/api/definitions/{name}/execute", {})["id"]
    page = new_page(f"/jobs/{run}")
    page.route_web_socket("**/ws", lambda socket: None)  # which says nothing
    step = page.locator('tr[data-step="only"] [data-label="Duration"]')
    tree = page.locator(".tree-row .tree-time").last
    for address, figure in ((f"/jobs/{run}", step), (f"/jobs/{run}?tab=children&view=tree", tree)):
        page.goto(address)
        expect(figure).to_contain_text("s", timeout=ENDS_MS)
        said = figure.inner_text()
        expect(figure).not_to_have_text(said)


def test_the_box_above_a_list_says_whether_all_of_it_is_selected(
    new_page, server, script, name
) -> None:
    script.say(end=True)
    jobs = [script.start(server, name=name) for _ in range(3)]
    page = new_page(f"/queue?text={name}")
    every = page.get_by_label("Select all on this page")
    for job_id in jobs:
        expect(every).not_to_be_checked()
        row(page, job_id).get_by_role("checkbox").check()
    expect(every).to_be_checked()
    row(page, jobs[0]).get_by_role("checkbox").uncheck()
    expect(every).to_be_checked(indeterminate=True)


def test_a_list_of_more_than_one_answer_stays_as_long_as_it_is_loaded_anew(
    new_page, server, script, name
) -> None:
    script.say(fail="aground")
    total = request(f"{server.url}/api/queue/dead")["total"] + 212
    for _ in range(212):
        script.start(server, name=name)
    page = new_page("/queue/dead")
    rows = page.locator("table.letters tbody tr")
    expect(page.locator(".answer")).to_have_text(f"{total} messages given up.", timeout=ENDS_MS)
    for shown in (100, 150, 200, total):
        page.get_by_role("button", name="Show more").click()
        expect(rows).to_have_count(shown)
    rows.last.get_by_role("checkbox").check()
    rows.first.get_by_role("button", name="Delete message").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete", exact=True).click()
    expect(rows).to_have_count(total - 1)
    expect(page.get_by_text("1 selected.")).to_be_visible()


def test_numbers_and_times_read_as_they_are_spoken(new_page, server, script, name) -> None:
    store(server, name, script)
    request(f"{server.url}/api/definitions/{name}/execute", {})
    due = (datetime.now(UTC) + timedelta(minutes=59, seconds=50)).isoformat()
    later = script.start(server, name=name, run_at=due)
    page = new_page("/workflows")
    expect(page.get_by_label(f"1 run of {name}, 0 failed")).to_be_visible()
    page.goto(f"/queue?text={name}")
    expect(row(page, later).locator(".job-details")).to_contain_text("due in 1h")
