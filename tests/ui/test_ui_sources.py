"""Sources on their page: made, tried, checked, collected, watched; and broken ones understood."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest
from playwright.sync_api import Page as Tab
from playwright.sync_api import expect

from quaero.testing.site import SiteServer

from .asking import REFUSED, request
from .test_ui import SERIOUS

ENDS_MS = 30_000


@pytest.fixture
def site() -> Iterator[SiteServer]:
    links = "".join(f'<a href="/{word}">{word}</a> ' for word in ("harbour", "tide", "draft-1"))
    pages = {
        "/": f"<html><title>Pilot book</title><body><main><p>{links}</p></main></body></html>",
        "/harbour": "<html><title>Harbour</title><body><main><p>How to enter it.</p></main></body></html>",
        "/tide": "<html><title>Tide</title><body><main><p>High water.</p></main></body></html>",
    }  # fmt: skip
    answers = Event()
    answers.set()
    with SiteServer(pages, gate=lambda _: answers.wait(ENDS_MS / 1000) and None) as made:
        made.answers = answers
        yield made
        answers.set()


def fill_in(page: Tab, name: str, address: str) -> None:
    page.get_by_role("button", name="New source").first.click()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Address", exact=True).fill(address)


def card(page: Tab, name: str):
    return page.get_by_role("article", name=name, exact=True)


def test_a_source_is_made_tried_checked_collected_and_its_documents_are_found(
    new_page, server, site: SiteServer
) -> None:
    page = new_page("/sources")
    fill_in(page, "pilot", site.url)
    page.get_by_label("Exclude").fill("/draft*")
    page.get_by_label("Tags").fill("sea")
    page.get_by_label("Try some addresses").fill("/tide\n/draft-1\nhttps://example.org/")
    decisions = page.locator(".decision")
    expect(decisions).to_have_count(3)
    expect(decisions.nth(0)).to_contain_text("let in")
    expect(decisions.nth(1)).to_contain_text("excluded by /draft*")
    expect(decisions.nth(2)).to_contain_text("outside of the scope")
    page.get_by_role("button", name="Create").click()
    made = card(page, "pilot")
    expect(made).to_contain_text("Never collected")
    made.get_by_role("button", name="Check").click()
    expect(made.get_by_role("region", name="Checks")).to_contain_text("All is well")
    site.answers.clear()
    made.get_by_role("button", name="Collect now").click()
    expect(made.locator(".source-head .status")).to_have_text("Collecting")
    site.answers.set()
    expect(made).to_contain_text("Healthy", timeout=ENDS_MS)
    made.get_by_role("button", name="More for pilot").click()
    page.get_by_role("menuitem", name="Runs").click()
    expect(page.get_by_text("source:pilot")).to_be_visible()
    expect(page.locator("tr.job-row.level-1")).to_have_count(2)  # it was checked first
    page.go_back()
    made.get_by_role("link", name="3 documents").click()
    expect(page).to_have_url(f"{server.url}/documents?q=source:pilot")
    expect(page.locator(".document-rows li")).to_have_count(3)
    expect(page.get_by_label("Narrow")).to_contain_text("pilot")
    expect(page.get_by_label("Narrow")).to_contain_text("sea")


def test_a_bad_pattern_stands_on_its_field_and_nothing_is_kept(new_page, site: SiteServer) -> None:
    page = new_page("/sources", REFUSED)
    fill_in(page, "bad-pattern", site.url)
    page.get_by_label("Include").fill("re:(unclosed")
    page.get_by_role("button", name="Create").click()
    field = page.locator('[data-field="include"].has-error')
    expect(field).to_contain_text("is not a regular expression")
    page.keyboard.press("Escape")
    expect(card(page, "bad-pattern")).to_have_count(0)
    expect(page).to_have_url(re.compile(r"/sources$"))


def test_a_source_that_cannot_be_reached_says_so_on_its_card(new_page, server) -> None:
    with SiteServer({}) as gone:
        url = gone.url
    request(f"{server.url}/api/sources", {"name": "unreachable", "base_url": url})
    page = new_page("/sources")
    made = card(page, "unreachable")
    made.get_by_role("button", name="Collect now").click()
    expect(made).to_contain_text("Failing", timeout=ENDS_MS)
    expect(made.locator(".source-trouble")).to_contain_text("check the address and the network")
    made.get_by_role("button", name="Check").click()
    checks = made.get_by_role("region", name="Checks")
    expect(checks).to_contain_text("1 of", timeout=ENDS_MS)
    expect(checks.locator(".check.is-failed")).to_contain_text("Reachable")


def test_a_source_that_lets_nothing_in_names_the_pattern(new_page, server, site) -> None:
    given = {"name": "shut", "base_url": site.url, "settings": {"exclude": ["*"]}}
    request(f"{server.url}/api/sources", given)
    page = new_page("/sources?health=never")
    made = card(page, "shut")
    made.get_by_role("button", name="Check").click()
    expect(made.locator(".check.is-failed")).to_contain_text("excluded by the pattern '*'")
    page.get_by_role("navigation", name="Health").get_by_role("link", name="All").click()
    expect(page).to_have_url(f"{server.url}/sources")


def test_a_login_page_is_told_apart_from_other_failures(new_page, server) -> None:
    form = "<html><title>Log in</title><body><form action=/in><input type=password></form></body>"
    with SiteServer({"/": form}) as closed:
        request(f"{server.url}/api/sources", {"name": "closed", "base_url": closed.url})
        page = new_page("/sources")
        card(page, "closed").get_by_role("button", name="Collect now").click()
        expect(card(page, "closed")).to_contain_text("Needs a login", timeout=ENDS_MS)
        expect(card(page, "closed")).to_contain_text("give the source a login")


def test_a_source_is_edited_disabled_and_deleted_with_a_choice(new_page, server, site) -> None:
    made = request(f"{server.url}/api/sources", {"name": "old-name", "base_url": site.url})
    page = new_page(f"/sources?edit={made['id']}")
    page.get_by_label("Name", exact=True).fill("new-name")
    page.get_by_role("button", name="Save").click()
    expect(card(page, "new-name")).to_be_visible()
    card(page, "new-name").get_by_role("button", name="More for").click()
    page.get_by_role("menuitem", name="Disable").click()
    expect(card(page, "new-name")).to_contain_text("Disabled")
    expect(card(page, "new-name").get_by_role("button", name="Collect now")).to_be_disabled()
    card(page, "new-name").get_by_role("button", name="More for").click()
    page.get_by_role("menuitem", name="Delete").click()
    page.get_by_label("Delete 0 documents").check()
    page.get_by_role("button", name="Delete the source").click()
    expect(card(page, "new-name")).to_have_count(0)


def test_a_folder_is_collected_and_its_fields_are_its_own(new_page, tmp_path: Path) -> None:
    (tmp_path / "note.md").write_text("# A note\n\nAbout anchors.")
    page = new_page("/sources")
    page.get_by_role("button", name="New source").first.click()
    page.get_by_label("Kind").select_option("folder")
    page.get_by_label("Name", exact=True).fill("notes")
    page.get_by_label("Address", exact=True).fill(str(tmp_path))
    expect(page.get_by_label("Max pages")).to_have_count(0)
    page.get_by_label("Try some addresses").fill("/note.md\n/image.png")
    expect(page.locator(".decision").nth(1)).to_contain_text("only Markdown, text and HTML")
    page.get_by_role("button", name="Create").click()
    card(page, "notes").get_by_role("button", name="Collect now").click()
    expect(card(page, "notes")).to_contain_text("1 document", timeout=ENDS_MS)


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_cards_and_editor_are_accessible_and_fit_a_phone(
    new_page, server, site, axe: str, width: int, theme: str
) -> None:
    name = f"axe-{width}-{theme}"
    given = {"name": name, "base_url": site.url, "settings": {"exclude": ["*"]}, "tags": ["sea"]}
    made = request(f"{server.url}/api/sources", given)
    page = new_page("/sources", width=width, color_scheme=theme)
    page.keyboard.press("j")
    card(page, name).get_by_role("button", name="Check").click()
    expect(card(page, name).locator(".check.is-failed")).to_be_visible()
    assert serious(page, axe) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.goto(f"/sources?edit={made['id']}")
    page.get_by_label("Try some addresses").fill("/tide\n/")
    expect(page.locator(".decision")).to_have_count(2)
    assert serious(page, axe) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def serious(page: Tab, axe: str) -> list[str]:
    page.evaluate(axe)
    found = page.evaluate("axe.run()")
    return [
        f"{each['id']}: {each['nodes'][0]['html'][:200]}"
        for each in found["violations"]
        if each["impact"] in SERIOUS
    ]


def test_a_login_is_pasted_chosen_checked_and_used_for_every_page(
    new_page, server, site: SiteServer
) -> None:
    page = new_page("/sources")
    page.get_by_role("button", name="New login").click()
    dialog = page.get_by_role("dialog", name="New login")
    dialog.get_by_label("Address of the site").fill(site.url)
    dialog.get_by_label("Cookies or headers").fill("Cookie: sid=CANARY-77")
    dialog.get_by_role("button", name="Store").click()
    expect(page.locator(".logins-table")).to_contain_text(site.url)
    fill_in(page, "private", site.url)
    page.get_by_label("Login", exact=True).select_option(label=f"{site.url}/")
    page.get_by_role("button", name="Create").click()
    made = card(page, "private")
    made.get_by_role("button", name="Check").click()
    expect(made.get_by_role("region", name="Checks")).to_contain_text("the site takes it")
    made.get_by_role("button", name="Collect now").click()
    expect(made).to_contain_text("Warnings", timeout=ENDS_MS)
    assert {hit.headers.get("Cookie") for hit in site.hits} == {"sid=CANARY-77"}
    jobs = request(f"{server.url}/api/jobs?text=private")["items"]
    told = [request(f"{server.url}/api/jobs/{each['id']}") for each in jobs]
    assert told
    assert "CANARY" not in str(told)
