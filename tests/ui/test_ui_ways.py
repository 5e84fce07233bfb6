"""The ways through the pages: back to where one was, by keys alone, on paper, in few colours."""

from __future__ import annotations

import re
from itertools import count

import pytest
from playwright.sync_api import Page, TimeoutError, expect

from .asking import (
    ENDS_MS,
    FRAMES,
    GONE,
    REFUSED,
    create,
    expect_status,
    late,
    request,
    row,
    wait_for_end,
)

NAMES = (f"ways-{number}" for number in count())


@pytest.fixture
def name() -> str:
    """A word that only what this test makes has in its name."""
    return next(NAMES)


def held(page: Page) -> str:
    """What has the focus, as it is called."""
    return page.evaluate(
        "() => document.activeElement.ariaLabel || document.activeElement.textContent.trim()"
    )


@pytest.mark.parametrize("late", [None, 41])
def test_back_comes_to_the_rows_and_the_place_that_were_left(new_page, server, name, late) -> None:
    for number in range(60):
        create(server, "cleanup", {"dry_run": True}, name=f"{name} {number}")
    page = new_page(f"/queue?text={name}", late=late)
    page.get_by_role("button", name="Show more").click()
    expect(page.locator("tr.job-row")).to_have_count(60)
    link = page.get_by_role("link", name=f"{name} 5", exact=True)
    link.scroll_into_view_if_needed()
    place = page.evaluate("scrollY")
    assert place > 1000
    link.click()
    expect(page.get_by_role("heading", name=f"{name} 5")).to_be_visible()
    page.go_back()
    expect(page.locator("tr.job-row")).to_have_count(60)
    page.wait_for_function("place => Math.abs(scrollY - place) < 2", arg=place)
    page.reload()
    page.wait_for_function("place => Math.abs(scrollY - place) < 2", arg=place)


@pytest.mark.parametrize(("path", "label"), [("/queue", "jobs"), ("/documents", "documents")])
def test_back_undoes_a_search_while_its_field_has_the_focus(new_page, path, label) -> None:
    page = new_page(f"{path}?{'text' if label == 'jobs' else 'q'}=before")
    field = page.get_by_label(f"Search {label}")
    expect(field).to_have_value("before")
    page.evaluate("history.pushState({}, '', location.href)")
    field.press("End")
    field.press_sequentially("hand and more ")
    page.wait_for_url("**beforehand**more**")
    expect(field).to_have_value("beforehand and more ")
    page.go_back()
    expect(field).to_have_value("before")


def test_the_slash_leads_to_a_search_from_every_page(new_page) -> None:
    page = new_page("/queue")
    ways = {
        "/queue": "Search jobs",
        "/system/log": "Search the log",
        "/sources": "Search documents",
    }
    for path, field in ways.items():
        page.goto(path)
        page.wait_for_selector("html[data-ready]")
        page.keyboard.press("/")
        expect(page.get_by_label(field)).to_be_focused()
        page.keyboard.type("j/k")
        expect(page.get_by_label(field)).to_have_value("j/k")


def test_lists_are_gone_through_by_j_and_k(new_page, server, script, name) -> None:
    script.say(fail="ran dry")
    first, second = (script.start(server, name=f"{name} {number}") for number in (1, 2))
    for job_id in (first, second):
        wait_for_end(server, job_id)
    page = new_page("/queue/dead")
    expect(page.locator("table.letters tbody tr")).to_have_count(2)
    links = page.locator("table.letters a.job-name")
    for key, at in (("j", 0), ("j", 1), ("j", 1), ("k", 0)):
        page.keyboard.press(key)
        expect(links.nth(at)).to_be_focused()


def test_the_focus_goes_round_in_the_log_beside_the_list_and_back_to_its_row(
    new_page, server, name
) -> None:
    job_id = create(server, "cleanup", {"dry_run": True}, name=name)
    page = new_page(f"/queue?text={name}")
    expect_status(page, job_id, "completed")
    page.keyboard.press("j")
    page.keyboard.press("l")
    drawer = page.get_by_role("dialog", name="Log")
    expect(drawer.locator(".log-line").first).to_be_visible()
    page.keyboard.press("Shift+Tab")
    last = held(page)
    page.keyboard.press("Tab")
    expect(drawer.get_by_role("link", name=f"job {job_id}")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    assert held(page) == last
    page.keyboard.press("Escape")
    expect(row(page, job_id)).to_be_focused()


def test_the_focus_stays_in_its_row_while_its_job_goes_on(new_page, server, script, name) -> None:
    job_id = script.start(server, name=name)
    page = new_page(f"/queue?status=running&text={name}")
    expect_status(page, job_id, "running")
    row(page, job_id).get_by_role("button", name="More for job").focus()
    page.keyboard.press("Shift+Tab")
    expect(row(page, job_id).get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Enter")
    expect(row(page, job_id)).to_have_class(re.compile("is-leaving"), timeout=ENDS_MS)
    expect(row(page, job_id)).to_be_focused()


def test_the_row_that_has_the_focus_stays_though_a_list_that_is_loaded_anew_lacks_it(
    new_page, server, name
) -> None:
    ids = [create(server, "cleanup", {"dry_run": True}, name=name) for _ in range(3)]
    page = new_page()
    sockets = []

    def pass_on(socket):
        socket.connect_to_server()
        sockets.append(socket)

    page.route_web_socket(re.compile("/ws"), pass_on)
    page.goto(f"/queue?text={name}")
    for id_ in ids:
        expect_status(page, id_, "completed")
    row(page, ids[1]).get_by_role("button", name="More for job").focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    lacking = {"items": [], "next_cursor": None, "total": 0}
    page.route("**/api/jobs?*", lambda route: route.fulfill(json=lacking))
    sockets[-1].send('[{"type": "reset", "topic": "jobs", "reason": "a gap"}]')
    expect(page.locator("tr.job-row")).to_have_count(1)
    expect(row(page, ids[1])).to_have_class(re.compile("is-leaving"))
    expect(row(page, ids[1]).get_by_role("button", name="More for job")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    page.get_by_role("combobox", name="Search jobs").focus()
    expect(page.locator("tr.job-row")).to_have_count(0)


def test_on_the_page_of_a_job_the_focus_stays_on_its_actions(new_page, server, script) -> None:
    page = new_page(f"/jobs/{script.start(server)}")
    page.get_by_role("button", name="Cancel").press("Enter")
    expect(page.locator(".job-line .status")).to_have_text("cancelled", timeout=ENDS_MS)
    expect(page.get_by_role("button", name="More actions")).to_be_focused()


def test_who_resumes_a_paused_view_is_not_told_of_a_lost_connection(new_page) -> None:
    page = new_page("/queue")
    word = page.locator(".connection-word")
    expect(word).to_have_text("Live")
    said = page.evaluate_handle(
        """() => {
            const said = [];
            const word = document.querySelector(".connection-word");
            new MutationObserver(() => said.push(word.textContent)).observe(
                word, { childList: true, characterData: true, subtree: true });
            return said;
        }"""
    )
    page.keyboard.press(".")
    expect(word).to_have_text("Paused")
    page.keyboard.press(".")
    expect(word).to_have_text("Live")
    assert said.json_value() == ["Paused", "Connecting", "Live"]


def test_a_document_is_printed_alone_in_black_on_white(new_page, server, tmp_path, name) -> None:
    table = "| Name | Value | Meaning |\n|-|-|-|\n| anchor | 0.635 | " + "long words " * 60 + "|\n"
    (tmp_path / "note.md").write_text(f"# The printed one\n\n{table}", encoding="utf-8")
    source = {"name": name, "kind": "folder", "base_url": str(tmp_path)}
    made = request(f"{server.url}/api/sources", source)
    job = request(f"{server.url}/api/sources/{made['id']}/collect", {})["job"]
    wait_for_end(server, job["id"])
    page = new_page(f"/documents?root={job['id']}", color_scheme="dark")
    page.get_by_role("link", name="The printed one").click()
    cell = page.locator(".reader-text td").nth(1)
    expect(cell).to_have_text("0.635")
    assert cell.evaluate("cell => cell.getClientRects()[0].height") == page.locator(
        ".reader-text td"
    ).nth(2).evaluate("cell => cell.getClientRects()[0].height")
    expect(page).to_have_title("The printed one · Quaero")
    page.emulate_media(media="print")
    for gone in (".top-bar", ".documents-list", ".reader-tools"):
        expect(page.locator(gone)).to_be_hidden()
    expect(page.locator(".reader-text")).to_be_visible()
    expect(page.locator("body")).to_have_css("color", "rgb(0, 0, 0)")


def test_what_only_a_shape_tells_is_there_in_few_colours(new_page, server, name) -> None:
    step = {"name": "only", "action": "cleanup", "config": {"dry_run": True}}
    request(f"{server.url}/api/definitions", {"id": name, "name": name, "steps": [step]})
    page = new_page("/workflows", forced_colors="active")
    switch = page.locator("tr", has_text=name).locator(".flow-switch i")
    ground = page.locator("body").evaluate("body => getComputedStyle(body).backgroundColor")
    expect(switch).not_to_have_css("background-color", ground)
    mark = page.locator(".brand-mark")
    expect(mark).not_to_have_css("background-color", re.compile(r"^rgba\(.*, 0\)$"))


def test_a_long_name_of_a_source_makes_no_page_wider(new_page, server, tmp_path, name) -> None:
    source = {"name": f"{name}-{'x' * 45}", "kind": "folder", "base_url": str(tmp_path)}
    request(f"{server.url}/api/sources", source)
    page = new_page("/sources", width=360)
    expect(page.get_by_role("article", name=name)).to_be_visible()
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360


def test_a_line_of_a_log_has_an_address_that_leads_to_it(new_page, server, script, name) -> None:
    script.say(log="sounding {n}", times=700)
    script.say(end=True)
    job_id = script.start(server, name=name)
    wait_for_end(server, job_id)
    found = request(f"{server.url}/api/jobs/{job_id}/logs?text=sounding%2077&limit=1&order=asc")
    line = found["items"][0]
    assert line["message"] == "sounding 77"
    page = new_page(f"/jobs/{job_id}?tab=logs#L{line['id']}")
    current = page.locator(".log-line.is-current")
    expect(current).to_contain_text("sounding 77")
    expect(current).to_be_in_viewport()
    beside = page.locator(f'.log-line[data-id="{line["id"] + 2}"]')
    beside.locator(".log-at").click()
    expect(page).to_have_url(f"{server.url}/jobs/{job_id}?tab=logs#L{line['id'] + 2}")
    expect(current).to_contain_text("sounding 79")


def test_a_name_that_cannot_be_seen_is_written_out(new_page, server) -> None:
    job_id = create(server, "cleanup", {"dry_run": True}, name="\u200b\u2800")
    page = new_page("/queue")
    expect(row(page, job_id).get_by_role("link", name=r"\u200b\u2800")).to_be_visible()


def test_who_hears_the_page_is_told_how_a_job_and_the_queue_are(new_page, server, script) -> None:
    page = new_page(f"/jobs/{script.start(server)}")
    expect(page.locator("#announcer")).to_have_text("running", timeout=ENDS_MS)
    page = new_page("/queue")
    expect(page.locator("#announcer")).to_have_text(re.compile("1 tree running"))


def test_a_key_for_what_cannot_be_done_to_a_job_says_so(new_page, server, script) -> None:
    script.say(end=True)
    job_id = script.start(server)
    wait_for_end(server, job_id)
    page = new_page(f"/jobs/{job_id}")
    expect(page.locator(".job-line .status")).to_have_text("completed")
    page.keyboard.press("c")
    expect(page.locator(".note")).to_contain_text("cancel is not possible")


def test_the_whole_tree_is_gone_through_by_keys(new_page, server, name) -> None:
    steps = [{"name": each, "action": "cleanup", "config": {"dry_run": True}} for each in "ab"]
    request(f"{server.url}/api/definitions", {"id": name, "name": name, "steps": steps})
    run = request(f"{server.url}/api/definitions/{name}/execute", {})["id"]
    wait_for_end(server, run)
    page = new_page(f"/jobs/{run}?tab=children")
    expect(page.locator("tr.job-row")).to_have_count(2)
    page.get_by_role("link", name="Whole tree").click()
    links = page.locator(".tree-row a")
    expect(links).to_have_count(5)
    for at in (0, 1, 2):
        page.keyboard.press("j")
        expect(links.nth(at)).to_be_focused()


def test_lists_are_loaded_anew_while_no_socket_can_be_had(new_page, server, name) -> None:
    page = new_page("/queue", *GONE)
    page.route_web_socket(re.compile("/ws"), lambda socket: socket.close())
    page.reload()
    expect(page.locator(".connection")).to_contain_text("Reconnecting")
    job_id = create(server, "cleanup", {"dry_run": True}, name=name)
    expect(row(page, job_id)).to_be_visible(timeout=ENDS_MS)
    expect_status(page, job_id, "completed")


def test_a_dialog_closes_by_a_click_beside_it_and_not_on_its_margin(new_page) -> None:
    page = new_page("/queue")
    page.get_by_role("button", name="New job").first.click()
    dialog = page.get_by_role("dialog", name="New job")
    field = dialog.locator("textarea").first
    field.fill("https://docs.example.org/")
    box = dialog.bounding_box()
    page.mouse.click(box["x"] + 5, box["y"] + 5)
    expect(dialog).to_be_visible()
    field.hover()
    page.mouse.down()
    page.mouse.move(5, 5)
    page.mouse.up()
    expect(field).to_have_value("https://docs.example.org/")
    page.mouse.click(5, 5)
    expect(dialog).to_have_count(0)


def test_back_closes_a_dialog(new_page) -> None:
    page = new_page("/sources")
    page.get_by_role("button", name="New source").first.click()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page).to_have_url(re.compile("/sources$"))


def test_keys_in_a_menu_are_for_the_menu(new_page, server, script) -> None:
    page = new_page(f"/jobs/{script.start(server)}")
    expect(page.locator(".job-line .status")).to_have_text("running", timeout=ENDS_MS)
    page.get_by_role("button", name="More actions").click()
    expect(page.get_by_role("menuitem").first).to_be_focused()
    with pytest.raises(TimeoutError), page.expect_request("**/cancel", timeout=300):
        page.keyboard.press("c")


def test_who_is_asked_already_is_not_asked_again(new_page) -> None:
    page = new_page("/queue")
    expect(page.get_by_role("button", name="Pause queue")).to_be_visible()
    with late(page, "/api/job-types") as asked, asked():
        page.keyboard.press("n")
        page.keyboard.press("n")
    expect(page.get_by_role("dialog")).to_have_count(1)


def test_a_double_click_retries_a_job_and_does_not_cancel_it(
    new_page, server, script, name
) -> None:
    script.say(fail="ran dry")
    job_id = script.start(server, name=name)
    page = new_page(f"/queue?text={name}")
    expect_status(page, job_id, "failed")
    box = row(page, job_id).get_by_role("button", name="Retry", exact=True).bounding_box()
    at = {"x": box["x"] + 8, "y": box["y"] + 8}
    request(f"{server.url}/api/queue/pause", {})
    try:
        page.mouse.click(**at)
        expect(row(page, job_id).get_by_role("button", name="Cancel")).to_be_visible()
        page.mouse.down(click_count=2)
        with pytest.raises(TimeoutError), page.expect_request("**/cancel", timeout=300):
            page.mouse.up(click_count=2)
    finally:
        request(f"{server.url}/api/queue/resume", {})


def test_an_answer_after_its_page_was_left_changes_nothing(new_page, server) -> None:
    source = {"name": "left", "kind": "web", "base_url": server.url}
    request(f"{server.url}/api/sources", source)
    page = new_page("/sources")
    with late(page, "/collect") as asked:
        with asked():
            page.get_by_role("button", name="Collect now: left").click()
        page.get_by_role("link", name="Schedules").first.click()
        expect(page.get_by_role("heading", name="Schedules")).to_be_visible()
    expect(page.get_by_text("Collecting left")).to_be_visible()
    page.evaluate(FRAMES)
    expect(page.locator(".note.is-error")).to_have_count(0)


def test_keys_in_the_log_beside_the_list_leave_the_list_alone(new_page, server, name) -> None:
    job_id = create(server, "cleanup", {"dry_run": True}, name=name)
    page = new_page(f"/queue?text={name}&logs={job_id}")
    drawer = page.get_by_role("dialog", name="Log")
    expect(drawer.locator(".log-line").first).to_be_visible()
    expect(row(page, job_id)).to_be_visible()
    expect(drawer).to_be_focused()
    page.keyboard.press("j")
    page.keyboard.press("n")
    expect(drawer).to_be_focused()
    expect(page.get_by_role("dialog", name="New job")).to_have_count(0)


def test_what_nobody_chose_in_a_form_is_not_sent_and_what_is_no_number_is(new_page) -> None:
    maybe = [{"type": "null"}]
    properties = {
        "how": {"anyOf": [{"enum": ["fast", "slow"]}, *maybe], "default": None},
        "again": {"anyOf": [{"type": "boolean"}, *maybe], "default": None},
        "many": {"type": "integer", "default": 3},
    }
    kind = {"name": "sail", "title": "Sail", "schema": {"properties": properties}}
    page = new_page("/queue", REFUSED)
    page.route("**/api/job-types", lambda route: route.fulfill(json={"items": [kind]}))
    page.get_by_role("button", name="New job").first.click()
    dialog = page.get_by_role("dialog", name="New job")

    def sent() -> dict[str, object]:
        with page.expect_request(lambda request: request.method == "POST") as posted:
            dialog.get_by_role("button", name="Create").click()
        return posted.value.post_data_json["payload"]

    assert sent() == {}
    expect(dialog.get_by_role("alert").last).not_to_be_empty()
    dialog.get_by_label("How").select_option("slow")
    dialog.get_by_label("Again").select_option("false")
    dialog.get_by_label("Many").fill("")
    dialog.get_by_label("Many").press_sequentially("1e")
    assert sent() == {"how": "slow", "again": False, "many": ""}
