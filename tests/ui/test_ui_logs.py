"""The log of a job while it runs, and lines that are long or mean harm."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, Route, WebSocketRoute, expect

from .asking import FRAMES, REFUSED, request, wait_for_end

HOSTILE = "<script>alert(1)</script>\u202egnp.exe\u2066\x1b[31mred\x07 \rback"
SHOWN = r"<script>alert(1)</script>\u202egnp.exe\u2066\x1b[31mred\x07 \rback"
MEGABYTE = 1_000_000
SHORTENED = 3_000
SAID = {
    "id": 1,
    "at": "2026-01-01T00:00:00Z",
    "level": "info",
    "logger": "quaero",
    "message": "take this",
}
HIDE = (
    "addEventListener('DOMContentLoaded', () => (document.documentElement.style.display = 'none'))"
)
PROGRAM = {"items": [SAID], "next_before": None}


def lines(page: Page) -> Locator:
    return page.locator(".log-line")


def place(page: Page) -> int:
    return page.locator(".log-lines").evaluate("each => each.scrollTop")


def test_lines_appear_while_the_job_runs(new_page, server, script) -> None:
    script.say(log="first {n}", times=2)
    page = new_page(f"/jobs/{script.start(server)}?tab=logs")
    expect(lines(page).filter(has_text="first 1")).to_be_visible()
    script.say(log="second {n}", times=3, level="warn")
    expect(lines(page).filter(has_text="second 2")).to_be_visible()
    script.say(end=True)
    expect(page.get_by_role("button", name="warn 3")).to_be_visible()


def test_lines_that_are_deleted_go_from_the_page(new_page, server, script) -> None:
    script.say(log="first {n}", times=1_100)
    id_ = script.start(server)
    page = new_page(f"/jobs/{id_}?tab=logs")
    expect(lines(page).filter(has_text="first 1099")).to_be_visible()
    page.get_by_role("button", name="Show older lines").click()
    expect(lines(page).filter(has_text="first 599")).to_be_visible()
    request(f"{server.url}/api/jobs/{id_}/logs", method="DELETE")
    expect(page.get_by_text("Nothing has been logged yet.")).to_be_visible()
    expect(lines(page)).to_have_count(0)
    expect(page.get_by_role("tab", name="Logs")).to_have_text("Logs")
    script.say(log="second")
    expect(lines(page)).to_have_count(1)
    script.say(end=True)


SELECT = """line => getSelection().selectAllChildren(line.querySelector("bdi"))"""


@pytest.mark.parametrize("wrapped", [False, True])
def test_what_is_selected_stays_so_as_lines_come(new_page, server, script, wrapped) -> None:
    script.say(log="take this")
    page = new_page(f"/jobs/{script.start(server)}?tab=logs")
    if wrapped:
        page.get_by_role("button", name="Wrap").click()
    line = lines(page).filter(has_text="take this")
    expect(line).to_be_visible()
    line.evaluate(SELECT)
    script.say(log="and more {n}", times=3)
    expect(lines(page).filter(has_text="and more 2")).to_be_visible()
    assert page.evaluate("getSelection().toString()") == "take this"


def test_who_scrolls_up_is_left_alone_and_told_how_much_came(new_page, server, script) -> None:
    script.say(log="old {n}", times=200)
    page = new_page(f"/jobs/{script.start(server)}?tab=logs")
    expect(lines(page).filter(has_text="old 199")).to_be_visible()
    follow = page.get_by_role("button", name="Follow")
    expect(follow).to_have_attribute("aria-pressed", "true")
    page.locator(".log-lines").hover()
    page.mouse.wheel(0, -1000)
    expect(follow).to_have_attribute("aria-pressed", "false")
    script.say(log="new {n}", times=12)
    pill = page.get_by_role("button", name="↓ 12 new lines")
    expect(pill).to_be_visible()
    expect(lines(page).filter(has_text="new 11")).to_have_count(0)
    pill.click()
    expect(lines(page).filter(has_text="new 11")).to_be_visible()
    expect(follow).to_have_attribute("aria-pressed", "true")
    script.say(log="last")
    expect(lines(page).filter(has_text="last")).to_be_visible()


def test_who_follows_sees_the_last_line_whatever_size_the_page_gets(
    new_page, server, script
) -> None:
    script.say(log="old {n}", times=200)
    page = new_page(f"/jobs/{script.start(server)}?tab=logs")
    last = lines(page).filter(has_text="old 199")
    expect(last).to_be_in_viewport()
    page.locator(".log-view").evaluate("each => { each.style.display = 'none' }")
    page.locator(".log-lines").evaluate("each => { each.scrollTop = 0 }")
    page.locator(".log-view").evaluate("each => { each.style.display = '' }")
    expect(last).to_be_in_viewport()
    for height in (600, 1_100):
        page.set_viewport_size({"width": 1_440, "height": height})
        expect(last).to_be_in_viewport()
    expect(page.get_by_role("button", name="Follow")).to_have_attribute("aria-pressed", "true")


def test_matches_are_counted_and_gone_through_with_enter(new_page, server, script) -> None:
    script.say(log="calm {n}", times=40)
    script.say(log="reef {n}", times=60)
    page = new_page(f"/jobs/{script.start(server)}?tab=logs")
    expect(lines(page).filter(has_text="reef 59")).to_be_visible()
    search, found = page.get_by_label("Search the log"), page.locator(".log-found")
    search.fill("reef")
    expect(found).to_have_text("60")
    for keys, at in (("Enter", 0), ("Enter", 1), ("Shift+Enter", 0), ("Shift+Enter", 59)):
        search.press(keys)
        expect(found).to_have_text(f"{at + 1}/60")
        expect(page.locator(".log-line.is-current")).to_contain_text(f"reef {at}")
        expect(page.locator(".log-line.is-current")).to_be_in_viewport()
    search.fill("")
    expect(found).to_be_empty()


def test_errors_only_and_words_narrow_what_is_there_and_what_comes(
    new_page, server, script
) -> None:
    script.say(log="calm {n}", times=20)
    script.say(log="reef ahead", level="error")
    page = new_page(f"/jobs/{script.start(server)}?tab=logs")
    expect(lines(page).filter(has_text="reef ahead")).to_be_visible()
    page.get_by_role("button", name="Errors only").click()
    expect(lines(page)).to_have_count(1)
    script.say(log="still calm")
    script.say(log="rock ahead", level="error")
    expect(lines(page)).to_have_count(2)
    page.get_by_label("Search the log").fill("rock")
    expect(lines(page)).to_have_count(1)
    expect(page).to_have_url(f"{page.url.partition('?')[0]}?tab=logs&level=error&find=rock")
    page.reload()
    expect(lines(page)).to_have_count(1)


@pytest.mark.parametrize("live", [False, True])
def test_a_line_of_a_megabyte_is_cut_and_opens_whole(new_page, server, script, live) -> None:
    script.say(log="before")
    job_id = script.start(server)
    long = "y" * MEGABYTE
    if not live:
        script.say(log=long)
        script.say(log="after")
    page = new_page(f"/jobs/{job_id}?tab=logs")
    expect(lines(page).filter(has_text="before")).to_be_visible()
    if live:
        script.say(log=long)
        script.say(log="after")
    expect(lines(page).filter(has_text="after")).to_be_visible()
    line = lines(page).filter(has_text="yyyy")
    assert len(line.inner_text()) < SHORTENED
    line.get_by_role("button", name="Show all").click()
    whole = page.get_by_role("dialog").locator("pre").first
    expect(whole).to_be_visible()
    page.wait_for_function(
        "many => document.querySelector('dialog pre').textContent.length === many", arg=MEGABYTE
    )


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_hostile_line_is_text_with_its_marks_written_out(
    new_page, server, script, wrapped
) -> None:
    script.say(log=HOSTILE)
    script.say(log="\u05e9\u05dc\u05d5\u05dd 123")
    page = new_page(f"/jobs/{script.start(server)}?tab=logs")
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    if wrapped:
        page.get_by_role("button", name="Wrap").click()
    line = lines(page).filter(has_text="gnp.exe")
    expect(line.locator("bdi")).to_have_text(SHOWN)
    assert line.locator("script").count() == 0
    isolated = lines(page).filter(has_text="123").locator("bdi")
    expect(isolated).to_have_css("unicode-bidi", "isolate")
    line.get_by_role("button", name="Show the whole line").click()
    expect(page.get_by_role("dialog").locator("pre").first).to_contain_text(r"\u202egnp.exe")


def test_what_is_downloaded_is_what_the_filter_says(new_page, server, script) -> None:
    page = new_page(f"/jobs/{script.start(server)}?tab=logs")
    link = page.get_by_role("link", name="Download as text")
    expect(lines(page).first).to_be_visible()
    page.get_by_role("button", name="Errors only").click()
    expect(link).to_have_attribute("href", re.compile("level=error"))
    page.get_by_role("button", name="debug").click()
    expect(link).not_to_have_attribute("href", re.compile("level="))


def test_a_log_that_is_narrowed_from_the_start_counts_each_line_once(
    new_page, server, script
) -> None:
    script.say(log="one of many {n}", times=20, level="warn")
    job_id = script.start(server)
    whole = new_page(f"/jobs/{job_id}?tab=logs")
    expect(whole.get_by_role("button", name="warn 20")).to_be_visible()
    page = new_page(f"/jobs/{job_id}?tab=logs&level=error")
    expect(page.get_by_text("No line matches.")).to_be_visible()
    script.say(log="and one that matches", level="error")
    expect(lines(page)).to_have_count(1)
    expect(page.get_by_role("button", name="warn 20")).to_be_visible()


def test_a_log_that_could_not_be_had_at_first_comes_by_itself(new_page, server, script) -> None:
    script.say(log="here after all")
    page = new_page(f"/jobs/{script.start(server)}", REFUSED)
    busy = {"status": 503, "json": {"title": "Busy", "detail": "Too much at once."}}
    page.route("**/logs?*", lambda route: route.fulfill(**busy), times=1)
    page.get_by_role("tab", name="Logs").click()
    expect(page.get_by_text("Too much at once.")).to_be_visible()
    expect(lines(page).filter(has_text="here after all")).to_be_visible()


def test_what_is_typed_in_a_log_is_no_word_of_the_next_page(new_page, server, script) -> None:
    page = new_page(f"/jobs/{script.start(server)}?tab=logs")
    expect(lines(page).first).to_be_visible()
    page.clock.install()
    page.get_by_label("Search the log").fill("harbour")
    page.get_by_role("link", name="Schedules").first.click()
    page.wait_for_url("**/schedules")
    page.clock.run_for(1000)
    assert page.url.endswith("/schedules")


def test_the_lines_of_the_program_stay_selected_as_they_are_loaded_anew(new_page) -> None:
    page = new_page("/system/log", REFUSED)
    page.route("**/api/logs?*", lambda route: route.fulfill(json=PROGRAM))
    line = lines(page).filter(has_text="take this")
    expect(line).to_be_visible()
    line.evaluate(SELECT)
    for _ in range(2):
        with page.expect_response("**/api/logs?*"):
            pass
    page.evaluate(FRAMES)
    assert page.evaluate("getSelection().toString()") == "take this"


def test_a_slow_answer_to_the_log_of_the_program_is_waited_for(new_page) -> None:
    page = new_page("/system")
    page.clock.install()
    page.goto("/system")
    page.wait_for_selector("html[data-ready]")
    asked: list[Route] = []
    page.route("**/api/logs?*", lambda route: asked.append(route))  # noqa: PLW0108 - not a builtin
    with page.expect_request("**/api/logs?*"):
        page.get_by_role("tab", name="Log").click()
    page.clock.run_for(10_000)  # five times what passes between two answers
    page.evaluate("1")
    assert len(asked) == 1
    asked[0].fulfill(json=PROGRAM)
    expect(lines(page).filter(has_text="take this")).to_be_visible()
    with page.expect_request("**/api/logs?*"):
        page.clock.run_for(4_000)
    page.unroute_all(behavior="ignoreErrors")


@pytest.fixture
def long_log(server, script) -> int:
    """A job that has logged more lines than a page keeps."""
    script.say(log="sounding {n}", times=6_000)
    script.say(end=True)
    job_id = script.start(server)
    wait_for_end(server, job_id)
    return job_id


def test_what_is_read_far_up_stays_as_all_is_loaded_anew(new_page, server, long_log) -> None:
    job_id = long_log
    found = request(f"{server.url}/api/jobs/{job_id}/logs?text=sounding%2077&limit=1&order=asc")
    sockets: list[WebSocketRoute] = []
    page = new_page("/queue")

    def pass_on(socket: WebSocketRoute) -> None:
        socket.connect_to_server()
        sockets.append(socket)

    page.route_web_socket(re.compile("/ws$"), pass_on)
    page.goto(f"/jobs/{job_id}?tab=logs#L{found['items'][0]['id']}")
    current = page.locator(".log-line.is-current")
    expect(current).to_be_in_viewport()
    pattern = re.compile(rf"/jobs/{job_id}/logs\?order=desc&limit=500$")
    with page.expect_response(pattern):
        sockets[-1].send('{"type":"reset","reason":"a gap"}')
    page.evaluate(FRAMES)
    expect(current).to_contain_text("sounding 77")
    expect(current).to_be_in_viewport()
    expect(page.get_by_role("button", name="Follow")).to_have_attribute("aria-pressed", "false")
    page.get_by_role("button", name="To the newest lines").click()
    expect(lines(page).filter(has_text="sounding 5999")).to_be_in_viewport()
    expect(page.get_by_role("button", name="Follow")).to_have_attribute("aria-pressed", "true")


def test_the_line_of_an_address_is_in_view_though_its_page_shows_late(
    new_page, server, long_log
) -> None:
    found = request(f"{server.url}/api/jobs/{long_log}/logs?text=sounding%2077&limit=1&order=asc")
    page = new_page("/queue")
    page.add_init_script(HIDE)
    with page.expect_response(re.compile(r"/logs\?order=asc")):
        page.goto(f"/jobs/{long_log}?tab=logs#L{found['items'][0]['id']}")
    current = page.locator(".log-line.is-current")
    expect(lines(page).filter(has_text="sounding 0").first).to_be_attached()  # what is around it
    page.evaluate("document.documentElement.style.display = ''")
    expect(current).to_be_in_viewport()


def test_older_lines_come_however_many_there_are(new_page, long_log) -> None:
    page = new_page(f"/jobs/{long_log}?tab=logs")
    expect(lines(page).filter(has_text="sounding 5999")).to_be_in_viewport()
    older = page.get_by_role("button", name="Show older lines")
    while older.is_visible():
        with page.expect_response(re.compile(r"/logs\?order=desc&limit=500&after=")):
            older.evaluate("each => each.click()")
        page.evaluate(FRAMES)
    page.locator(".log-lines").evaluate("each => { each.scrollTop = 0 }")
    expect(lines(page).filter(has_text=re.compile("sounding 0$"))).to_be_in_viewport()
