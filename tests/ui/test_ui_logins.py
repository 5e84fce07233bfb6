"""Logins on the page: pasted, tested, replaced, cleared, deleted; an extension is paired."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from quaero.testing.site import Page as Broken
from quaero.testing.site import SiteServer

from .asking import GONE, REFUSED, request

SECRET = "CANARY-9a7e"
SERIOUS = {"serious", "critical"}
FORM = "<title>Log in</title><form action=/login><input name=u><input type=password name=p></form>"
EXTENSION = "chrome-extension://abcdefghijklmnopabcdefghijklmnop"


@pytest.fixture
def site() -> Iterator[SiteServer]:
    with SiteServer({"/": "<title>Home</title><p>Only you can read this."}) as site:
        yield site


@pytest.fixture(autouse=True)
def no_logins(server) -> None:
    """Every test begins without logins and extensions."""
    for path in ("/api/auth", "/api/auth/extensions"):
        for each in request(server.url + path)["items"]:
            asked = urllib.request.Request(f"{server.url}{path}/{each['id']}", method="DELETE")
            urllib.request.urlopen(asked, timeout=30).close()


def store(page: Page, url: str, text: str = "", file: Path | None = None) -> None:
    page.get_by_role("button", name="New login").click()
    dialog = page.get_by_role("dialog", name="New login")
    dialog.get_by_label("Address of the site").fill(url)
    if text:
        dialog.get_by_label("Cookies or headers").fill(text)
    if file is not None:
        dialog.get_by_label("Or a file").set_input_files(file)
    dialog.get_by_role("button", name="Store").click()


def row(page: Page, url: str) -> Locator:
    return page.locator(".logins-table tbody tr").filter(has_text=url)


def choose(page: Page, url: str, what: str) -> None:
    row(page, url).get_by_role("button", name=re.compile("^More for")).click()
    page.get_by_role("menuitem", name=what).click()


def serious(page: Page, axe: str) -> list[str]:
    page.evaluate(axe)
    found = page.evaluate("axe.run()")["violations"]
    return [each["id"] for each in found if each["impact"] in SERIOUS]


def test_cookies_are_pasted_tested_and_a_broken_login_is_seen(new_page, site, axe) -> None:
    page = new_page("/sources", REFUSED)
    expect(page.get_by_text("No logins yet")).to_be_visible()
    store(page, site.url, f"Cookie: sid={SECRET}; theme=dark")
    line = row(page, site.url)
    expect(line).to_contain_text("••••")
    expect(line).to_contain_text("2 cookies")
    expect(line.locator(".status")).to_have_text("not tested")
    line.get_by_role("button", name="Test").click()
    expect(line).to_contain_text("accepted")
    expect(line.locator(".status")).to_have_text("good")
    expect(line).to_contain_text("answers 200 with “Home”")
    site.pages["/"] = Broken(status=500)
    line.get_by_role("button", name="Test").click()
    expect(line.locator(".status")).to_have_text("not known")
    site.pages["/"] = FORM
    line.get_by_role("button", name="Test").click()
    expect(line).to_contain_text("shows a login page")
    expect(line.locator(".status")).to_have_text("refused")
    expect(page.locator(".logins-card")).to_contain_text("1 login to look after")
    assert {hit.headers["Cookie"] for hit in site.hits} == {f"sid={SECRET}; theme=dark"}
    assert SECRET not in page.content()
    assert serious(page, axe) == []


def test_what_cannot_be_stored_is_said_in_the_dialog(new_page, axe) -> None:
    page = new_page("/sources", REFUSED)
    store(page, "https://wiki.example.org/", "nothing of use")
    dialog = page.get_by_role("dialog", name="New login")
    expect(dialog.get_by_role("alert")).to_contain_text("not a list of cookies")
    dialog.get_by_label("Address of the site").fill("ftp://x")
    dialog.get_by_role("button", name="Store").click()
    expect(dialog.get_by_label("Address of the site")).to_be_focused()
    assert serious(page, axe) == []
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="New login")).to_be_focused()


def test_a_har_is_shortened_before_it_is_sent(new_page, tmp_path) -> None:
    entry = {
        "request": {
            "url": "https://wiki.example.org/",
            "headers": [
                {"name": "Cookie", "value": f"sid={SECRET}"},
                {"name": "Authorization", "value": f"Bearer {SECRET}"},
                {"name": "X-Other", "value": "unneeded"},
            ],
        },
        "response": {"headers": [], "content": {"text": "unneeded " * 700_000}},
    }
    file = tmp_path / "wiki.har"
    file.write_text(json.dumps({"log": {"entries": [entry]}}))
    page = new_page("/sources")
    page.evaluate(
        """() => {
            const text = File.prototype.text;
            File.prototype.text = async function () {
                await new Promise((go) => setTimeout(go, 300)); // it is large, or far away
                return text.call(this);
            };
        }"""
    )
    sent: list[str] = []
    page.on("request", lambda asked: sent.append(asked.post_data or ""))
    store(page, "https://wiki.example.org/", file=file)
    expect(row(page, "wiki.example.org")).to_contain_text("1 cookie, 1 token")
    assert any(SECRET in each for each in sent)
    assert not any("unneeded" in each for each in sent)


def test_a_login_is_replaced_cleared_and_deleted(new_page, server) -> None:
    url = "https://wiki.example.org/"
    page = new_page("/sources")
    store(page, url, f"Cookie: sid={SECRET}\nAuthorization: Bearer {SECRET}")
    expect(row(page, url)).to_contain_text("1 cookie, 1 token")
    choose(page, url, "Clear the tokens")
    expect(row(page, url)).not_to_contain_text("token")
    choose(page, url, "Replace")
    dialog = page.get_by_role("dialog", name="Replace the login")
    expect(dialog.get_by_label("Address of the site")).to_have_value(url)
    expect(dialog.get_by_label("Cookies or headers")).to_have_value("")
    dialog.get_by_label("Cookies or headers").fill("Cookie: a=1; b=2; c=3")
    dialog.get_by_role("button", name="Store").click()
    expect(row(page, url)).to_contain_text("3 cookies")
    choose(page, url, "Delete")
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("No logins yet")).to_be_visible()
    assert request(f"{server.url}/api/auth")["items"] == []


def test_an_extension_is_paired_by_the_code_that_is_shown_and_revoked(
    new_page, server, axe
) -> None:
    page = new_page("/sources")
    page.get_by_role("button", name="Pair an extension").click()
    code = page.get_by_role("dialog").get_by_label("Code").inner_text()
    assert serious(page, axe) == []
    body = json.dumps({"code": code}).encode()
    head = {"Content-Type": "application/json", "Origin": EXTENSION}
    asked = urllib.request.Request(f"{server.url}/api/auth/extensions", body, head)
    with urllib.request.urlopen(asked, timeout=30) as answer:
        token = json.load(answer)["token"]
    page.get_by_role("button", name="Done").click()
    expect(page.get_by_text(EXTENSION)).to_be_visible()
    assert token not in page.content()
    page.get_by_role("button", name=f"Revoke {EXTENSION}").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(page.locator(".logins-extensions")).to_be_hidden()


def test_logins_that_could_not_be_had_at_first_come_by_themselves(new_page, server) -> None:
    page = new_page("/queue", REFUSED, *GONE)
    page.route("**/api/auth?*", lambda route: route.abort())
    page.get_by_role("link", name="Sources").first.click()
    told = page.get_by_role("alert").filter(has_text="tries again by itself")
    expect(told).to_be_visible()
    page.unroute("**/api/auth?*")
    server.stop()
    server.start()
    expect(told).to_be_hidden()
    expect(page.get_by_text("Cookies and tokens of sites")).to_be_visible()
