"""What people do with the pages, in a real browser, against a real server and a real crawl."""

from __future__ import annotations

import json
import signal

import httpx
import pytest
from playwright.sync_api import Page, expect

from .asking import ENDS_MS, GONE, REFUSED, crawl, create, expect_status, hurry, row

PAGES = [
    "/",
    "/queue",
    "/queue/dead",
    "/queue/workers",
    "/workflows",
    "/workflows/_new",
    "/schedules",
    "/documents",
    "/sources",
    "/system",
    "/system/log",
    "/api/docs",
]
HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>\u202eexe."
SERIOUS = {"serious", "critical"}


def fill_in(page: Page, site: str) -> None:
    page.get_by_role("button", name="New job").click()
    page.get_by_label("Addresses to start from").fill(site)
    page.get_by_label("Max pages").fill("12")
    page.get_by_role("button", name="Create").click()


def test_a_crawl_is_started_in_two_fields_and_watched_to_its_end(new_page, site) -> None:
    page = new_page("/queue")
    fill_in(page, site)
    first = page.locator("tr.job-row").first
    expect(first.locator(".cell-status")).to_have_text("completed", timeout=30_000)
    expect(first.locator(".bar-words")).to_contain_text("12/12")


def test_children_open_under_their_parent_and_the_address_keeps_them_open(
    new_page, server, site
) -> None:
    job_id = crawl(server, site, max_pages=5)
    page = new_page("/queue")
    expect_status(page, job_id, "completed")
    row(page, job_id).get_by_label("Show children").click()
    expect(page.locator("tr.level-2.job-row")).to_have_count(5)
    page.reload()
    expect(page.locator("tr.level-2.job-row")).to_have_count(5)


def test_a_status_of_the_rail_filters_and_back_undoes_it(new_page, server, site) -> None:
    job_id = crawl(server, site, max_pages=1)
    page = new_page("/queue")
    expect(row(page, job_id)).to_be_visible()
    page.get_by_role("navigation", name="Status").get_by_role("link", name="Cancelled").click()
    expect(page).to_have_url(f"{server.url}/queue?status=cancelled")
    expect(page.get_by_text("No job matches")).to_be_visible()
    page.go_back()
    expect(row(page, job_id)).to_be_visible()


def test_errors_of_a_payload_stand_on_their_field(new_page) -> None:
    page = new_page("/queue", REFUSED)
    fill_in(page, "not an address")
    expect(page.locator('[data-field="seeds"].has-error')).to_be_visible()


def test_a_form_that_needs_nothing_is_sent_as_it_stands(new_page, server) -> None:
    page = new_page("/queue")
    every = httpx.get(f"{server.url}/api/job-types").json()
    free = [each["name"] for each in every if not each["schema"].get("required")]
    assert {"summarizer", "transform", "cleanup", "reindex"} <= set(free)
    for name in free:
        page.get_by_role("button", name="New job").click()
        page.get_by_role("dialog").get_by_role("combobox").first.select_option(name)
        with page.expect_response("**/api/jobs") as made:
            page.get_by_role("button", name="Create").click()
        assert made.value.status == 201, f"{name}: {made.value.text()}"
        expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_source_is_named_by_its_number_or_its_name(new_page) -> None:
    page = new_page("/queue", REFUSED)
    for typed, sent in (("7", 7), ("handbook", "handbook"), ("", None)):
        page.get_by_role("button", name="New job").click()
        page.get_by_role("dialog").get_by_role("combobox").first.select_option("transform")
        page.get_by_label("Source", exact=True).fill(typed)
        with page.expect_request("**/api/jobs") as asked:
            page.get_by_role("button", name="Create").click()
        assert json.loads(asked.value.post_data or "")["payload"].get("source") == sent
        page.reload()


def test_a_selection_is_deleted_after_a_question_that_names_its_number(
    new_page, server, site
) -> None:
    job_id = crawl(server, site, max_pages=1)
    page = new_page("/queue")
    expect_status(page, job_id, "completed")
    hurry(page, 1)
    row(page, job_id).get_by_role("checkbox").check()
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Delete 1 job").click()
    expect(row(page, job_id)).to_have_count(0, timeout=30_000)


def test_the_log_opens_beside_the_list_at_its_own_address(new_page, server, site) -> None:
    job_id = crawl(server, site, max_pages=3)
    page = new_page(f"/queue?logs={job_id}")
    lines = page.locator(".drawer .log-line")
    expect(lines.first).to_be_visible()
    page.locator(".drawer").get_by_role("button", name="Errors only").click()
    expect(page).to_have_url(f"{server.url}/queue?logs={job_id}&level=error")
    page.keyboard.press("Escape")
    expect(page).to_have_url(f"{server.url}/queue")


def test_a_hostile_name_is_text(new_page, server) -> None:
    job_id = create(server, "cleanup", {"dry_run": True}, name=HOSTILE)
    for path in ("/queue", f"/jobs/{job_id}"):
        page = new_page(path)
        page.on("dialog", lambda dialog: pytest.fail(dialog.message))
        expect(page.get_by_text("<img src=x onerror=alert(1)>").first).to_be_visible()
        assert page.locator("main img, main script").count() == 0
        assert "\\u202e" in page.locator("main").inner_text()


@pytest.mark.parametrize("path", PAGES)
def test_no_page_has_a_serious_fault_of_accessibility_or_is_wider_than_a_phone(
    new_page, axe, path
) -> None:
    page = new_page(path, color_scheme="light")
    page.wait_for_load_state("networkidle")
    page.evaluate(axe)
    assert serious_faults(page) == []
    page.emulate_media(color_scheme="dark")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert serious_faults(page) == []
    page.set_viewport_size({"width": 390, "height": 900})
    page.wait_for_function("() => document.documentElement.scrollWidth <= 390")  # charts follow


WRITTEN = """
const { fillText } = CanvasRenderingContext2D.prototype;
window.written = [];
CanvasRenderingContext2D.prototype.fillText = function (text, ...where) {
  window.written.push(text);
  fillText.call(this, text, ...where);
};
"""


def test_an_axis_that_counts_jobs_has_no_half_ones(new_page) -> None:
    page = new_page("/queue")
    columns = ["depth", "completed", "failed", "cancelled"]
    columns += [f"{what}_p{each}" for what in ("run", "wait") for each in (50, 95, 99)]
    minutes = {"minutes": [1_800_000_000, 1_800_000_060]} | {each: [0, 1] for each in columns}
    page.route("**/api/stats/minutes?*", lambda route: route.fulfill(json=minutes))
    page.add_init_script(WRITTEN)
    page.goto("/")
    page.wait_for_function("() => window.written.filter((each) => each === '1').length >= 2")
    assert not {"0.1", "0.2", "0.5"} & set(page.evaluate("window.written"))


def serious_faults(page: Page) -> list[tuple[str, list[str]]]:
    """What the accessibility checker finds, and where."""
    return [
        (each["id"], [node["html"][:200] for node in each["nodes"][:3]])
        for each in page.evaluate("axe.run()")["violations"]
        if each["impact"] in SERIOUS
    ]


def test_a_mistyped_address_says_so_on_a_page_that_leads_on(new_page) -> None:
    page = new_page("/nowhere", REFUSED)
    expect(page.get_by_role("heading", name="There is no such page")).to_be_visible()
    page.get_by_role("link", name="Go to the queue").click()
    expect(page.get_by_role("button", name="New job")).to_be_visible()


def test_keys_move_open_and_leave(new_page, server, site) -> None:
    job_id = crawl(server, site, max_pages=1)
    page = new_page("/queue")
    expect(row(page, job_id)).to_be_visible()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{server.url}/jobs/{job_id}")
    page.keyboard.press("g")
    page.keyboard.press("q")
    expect(page).to_have_url(f"{server.url}/queue")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()


def test_a_killed_server_is_found_again_and_the_list_is_exact(new_page, server, site) -> None:
    page = new_page("/queue", *GONE)
    server.stop(signal.SIGKILL)
    expect(page.locator(".connection")).to_contain_text("Reconnecting")
    server.start()
    job_id = crawl(server, site, max_pages=1)
    expect(page.locator(".connection")).to_have_text("Live", timeout=30_000)
    page.locator(f'.list-stage > .pill:visible, tr[data-id="{job_id}"]').first.wait_for()
    if page.locator(".list-stage > .pill").is_visible():
        page.locator(".list-stage > .pill").click()
    expect_status(page, job_id, "completed")


def test_the_figures_of_the_program_are_read_again_while_its_page_is_open(new_page) -> None:
    page = new_page("/system")
    uptime = page.locator("dt", has_text="uptime").locator("+ dd")
    before = uptime.inner_text()
    expect(uptime).not_to_have_text(before, timeout=ENDS_MS)
