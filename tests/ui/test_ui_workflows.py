"""A workflow written, broken, mended, run, watched, resumed and scheduled on its pages."""

from __future__ import annotations

import re
import tomllib
from itertools import count

import pytest
from playwright.sync_api import Page, Route, expect

from .asking import ENDS_MS, REFUSED, Script, request
from .test_ui import serious_faults

NAMES = (f"tide-{number}" for number in count())
TEXT = """\
# Two tides.
id = "{id}"
name = "The tide of {id}"

[parameters.moon]
default = "full"
description = "How the moon is."

[[steps]]
name = "flood"
action = "scripted"
config = {{ script = "{first}" }}

[[steps]]
name = "ebb"
action = "scripted"
depends_on = ["flood"]
config = {{ script = "{second}" }}
"""

SCHEDULED = """\
id = "{id}"
name = "By the clock"
schedule = {{ cron = "0 2 * * *" }}
steps = [{{ name = "tidy", action = "cleanup", config = {{ dry_run = true }} }}]
"""


@pytest.fixture
def scripts(tmp_path):
    made = Script(tmp_path / "first"), Script(tmp_path / "second")
    yield made
    for each in made:
        each.say(end=True)


@pytest.fixture
def text(scripts) -> str:
    first, second = scripts
    return TEXT.format(id=next(NAMES), first=first.path, second=second.path)


def id_of(text: str) -> str:
    return text.split('"')[1]


def store(server, text: str) -> str:
    """Store a definition, as JSON; returns its id."""
    request(f"{server.url}/api/definitions", tomllib.loads(text))
    return id_of(text)


def node(page: Page, name: str):
    return page.locator(f'.graph-node[data-step="{name}"]')


def test_a_workflow_is_written_broken_mended_and_saved(new_page, server, text) -> None:
    page = new_page("/workflows")
    page.get_by_role("link", name="New workflow").click()
    area = page.get_by_label("The definition as text")
    area.fill(text.replace('depends_on = ["flood"]', 'depends_on = ["flod"]'))
    line = text.splitlines().index('depends_on = ["flood"]') + 1
    fault = page.locator(".faults li")
    expect(fault).to_contain_text(f"line {line} · steps[1].depends_on[0]")
    expect(fault).to_contain_text("there is no step 'flod'")
    expect(page.locator(f'.code-gutter [data-line="{line}"]')).to_have_class("is-wrong")
    step = page.locator('.flow-step[data-pointer="/steps/1"]')
    expect(step).to_contain_text("wrong")
    step.locator("summary").click()
    field = step.locator('[data-pointer="/steps/1/depends_on"]')
    expect(field).to_contain_text("there is no step 'flod'")

    field.get_by_role("button", name="flod").click()
    step.get_by_role("button", name="flood").click()
    expect(page.locator(".editor-state")).to_have_text("It can be run.")
    expect(area).to_have_value(text)
    page.get_by_label("Name", exact=True).first.fill("High water")
    expect(area).to_have_value(text.replace(f"The tide of {id_of(text)}", "High water"))
    page.get_by_role("button", name="Create", exact=True).click()
    page.wait_for_url(f"**/workflows/{id_of(text)}")
    expect(page.get_by_role("heading", level=1)).to_have_text("High water")
    stored = request(f"{server.url}/api/definitions/{id_of(text)}")
    assert stored["text"].startswith("# Two tides.\n")


def test_the_form_waits_while_it_is_not_what_the_text_says(new_page, text) -> None:
    page = new_page("/workflows/_new")
    area, name = page.get_by_label("The definition as text"), page.get_by_label("Name", exact=True)
    waiting, going = page.locator(".editor-form[inert]"), page.locator(".editor-form:not([inert])")
    state = page.locator(".editor-state")
    expect(state).to_have_text("It can be run.")
    held: list[Route] = []
    page.route("**/api/definitions/validate", lambda route: held.append(route))  # noqa: PLW0108
    with page.expect_request("**/api/definitions/validate"):
        area.fill(text)
    expect(waiting).to_be_visible()
    held[0].continue_()
    expect(going).to_be_visible()
    expect(name.first).to_have_value(f"The tide of {id_of(text)}")
    page.unroute("**/api/definitions/validate")
    area.fill(text + "[[steps")
    expect(state).to_have_text("1 thing is wrong.")
    expect(waiting).to_be_visible()
    area.fill(text)
    expect(state).to_have_text("It can be run.")
    name.first.fill("High water")
    expect(area).to_have_value(text.replace(f"The tide of {id_of(text)}", "High water"))


def test_a_run_is_watched_live_and_resumed_where_it_failed(new_page, server, text, scripts) -> None:
    first, second = scripts
    page = new_page(f"/workflows/{store(server, text)}")
    page.get_by_role("button", name="Run", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Moon")).to_have_value("full")
    dialog.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_url("**/jobs/*")
    expect(node(page, "flood")).to_contain_text("waiting", timeout=ENDS_MS)
    expect(node(page, "ebb")).to_contain_text("waits for flood")
    second.say(fail="no water under the keel")
    first.say(end=True)
    expect(node(page, "flood")).to_contain_text("completed", timeout=ENDS_MS)
    expect(node(page, "ebb")).to_contain_text("failed", timeout=ENDS_MS)
    expect(page.locator(".page-head .status")).to_have_text("failed", timeout=ENDS_MS)
    second.path.write_text('{"end": true}\n', encoding="utf-8")
    page.get_by_role("button", name="Resume").click()
    expect(node(page, "ebb")).to_contain_text("completed", timeout=ENDS_MS)
    expect(page.locator(".page-head .status")).to_have_text("completed", timeout=ENDS_MS)

    page.get_by_role("button", name="More actions").click()
    page.get_by_role("menuitem", name="Run again with other parameters").click()
    page.get_by_role("dialog").get_by_label("Moon").fill("new")
    before = page.url
    page.get_by_role("dialog").get_by_role("button", name="Run", exact=True).click()
    page.wait_for_url(lambda url: url != before)
    job = request(f"{server.url}/api/jobs/{page.url.rpartition('/')[2]}")
    assert job["payload"]["parameters"] == {"moon": "new"}
    page.goto(f"/workflows/{id_of(text)}?tab=runs")
    expect(page.locator("table.runs tbody tr")).to_have_count(2, timeout=ENDS_MS)


@pytest.mark.parametrize("tab", ["", "?tab=runs", "?tab=edit", "run"])
def test_a_workflow_and_its_run_are_at_hand_for_everybody(
    new_page, server, text, scripts, axe, tab
) -> None:
    definition_id = store(server, text.replace("The tide of", "<img src=x onerror=alert(1)>"))
    path = f"/workflows/{definition_id}{tab}"
    if tab == "run":
        run = request(f"{server.url}/api/definitions/{definition_id}/execute", {})
        path = f"/jobs/{run['id']}"
    page = new_page(path)
    page.wait_for_load_state("networkidle")
    shown = {"?tab=runs": "text=It has not run yet", "?tab=edit": ".flow-step"}
    page.wait_for_selector(shown.get(tab, ".graph-node"))
    if tab == "?tab=edit":
        page.locator(".flow-step summary").first.click()
    page.evaluate(axe)
    assert serious_faults(page) == []
    page.keyboard.press("t")
    assert serious_faults(page) == []
    assert page.locator("main img, main script").count() == 0
    page.set_viewport_size({"width": 390, "height": 900})
    page.wait_for_function("() => document.documentElement.scrollWidth <= 390")


def test_a_workflow_is_scheduled_and_its_next_runs_are_seen(new_page, server, text) -> None:
    page = new_page(f"/workflows/{store(server, text)}?tab=edit")
    page.get_by_role("button", name="Add a schedule").click()
    page.get_by_label("Due (cron)").fill("30 2 * * 1-5")
    page.get_by_label("Time zone").fill("Europe/Berlin")
    expect(page.get_by_label("The definition as text")).to_have_value(
        re.compile(r'"30 2 \* \* 1-5"')
    )
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("At 02:30 on Monday through Friday").first).to_be_visible()
    page.goto("/schedules")
    row = page.locator(f'tr[data-id="{id_of(text)}"]')
    times = row.locator("ol li")
    expect(times).to_have_count(5)
    for number in range(5):
        expect(times.nth(number)).to_be_visible()
    row.get_by_role("button", name="Pause").click()
    expect(row).to_contain_text("paused")
    assert request(f"{server.url}/api/schedules/{id_of(text)}")["paused"]
    row.get_by_role("button", name="Resume").click()
    expect(times).to_have_count(5)
    row.get_by_role("button", name="now").click()
    expect(page.get_by_text("Begun now").first).to_be_visible()
    (run,) = request(f"{server.url}/api/definitions/{id_of(text)}/runs")["items"]
    assert run["cause"] == "manual"


def test_text_that_is_not_saved_is_not_lost_without_a_question(new_page, server, text) -> None:
    page = new_page(f"/workflows/{store(server, text)}?tab=edit")
    area = page.get_by_label("The definition as text")
    expect(page.get_by_text("It can be run.")).to_be_visible()
    area.fill(area.input_value().replace("tide of", "mine of"))
    question = page.get_by_role("dialog", name="Leave without saving?")

    page.get_by_role("link", name="Schedules").first.click()
    question.get_by_role("button", name="Not now").click()
    expect(area).to_have_value(re.compile("mine of"))
    page.get_by_role("tab", name="Runs").click()
    expect(question).to_have_count(0)
    page.get_by_role("tab", name="Edit").click()
    expect(area).to_have_value(re.compile("mine of"))

    asked = []
    page.once("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    page.evaluate("location.reload()")
    expect(area).to_have_value(re.compile("mine of"))
    assert asked == ["beforeunload"]

    page.get_by_role("link", name="Schedules").first.click()
    question.get_by_role("button", name="Leave").click()
    page.wait_for_url("**/schedules")
    page.go_back()
    expect(page.get_by_text("It can be run.")).to_be_visible()
    assert "mine of" not in area.input_value()
    page.go_forward()
    page.wait_for_url("**/schedules")


def test_switching_runs_off_beside_a_changed_text_hinders_no_saving(new_page, server, text) -> None:
    page = new_page(f"/workflows/{store(server, text)}?tab=edit")
    area = page.get_by_label("The definition as text")
    expect(page.get_by_text("It can be run.")).to_be_visible()
    area.fill(area.input_value().replace("tide of", "mine of"))
    page.get_by_role("button", name="More actions").click()
    page.get_by_role("menuitem", name="Disable").click()
    expect(page.get_by_text("Disabled: no run begins")).to_be_visible()
    expect(area).to_have_value(re.compile('"enabled": false'))
    page.get_by_role("button", name="Save").click()
    page.wait_for_url(f"**/workflows/{id_of(text)}")
    stored = request(f"{server.url}/api/definitions/{id_of(text)}")
    assert not stored["enabled"]
    assert stored["name"].startswith("The mine of")


def test_who_saves_over_another_text_has_seen_it(new_page, server, text, axe) -> None:
    path = f"{server.url}/api/definitions/{store(server, text)}"
    page = new_page(f"/workflows/{id_of(text)}?tab=edit", REFUSED)
    area = page.get_by_label("The definition as text")
    expect(page.get_by_text("It can be run.")).to_be_visible()
    area.fill(area.input_value().replace("tide of", "mine of"))
    other = new_page(f"/workflows/{id_of(text)}")
    other.get_by_role("button", name="More actions").click()
    other.get_by_role("menuitem", name="Disable").click()
    expect(other.get_by_text("Disabled: no run begins")).to_be_visible()
    save = page.get_by_role("button", name="Save", exact=True)
    save.click()
    question = page.get_by_role("dialog", name="It was changed meanwhile")
    expect(question.get_by_label("What is stored now")).to_contain_text('"enabled": false')
    page.evaluate(axe)
    assert not serious_faults(page)
    question.get_by_role("button", name="Not now").click()
    expect(area).to_have_value(re.compile("mine of"))
    assert request(path)["name"].startswith("The tide of")
    save.click()
    question.get_by_role("button", name="Save over it").click()
    page.wait_for_url(f"**/workflows/{id_of(text)}")
    assert request(path)["name"].startswith("The mine of")
    assert request(path)["enabled"]


def test_json_that_cannot_be_read_is_told_with_its_line(new_page, server, text) -> None:
    page = new_page(f"/workflows/{store(server, text)}?tab=edit")
    area = page.get_by_label("The definition as text")
    expect(page.get_by_text("It can be run.")).to_be_visible()
    area.fill(area.input_value().replace('"steps"', "steps"))
    expect(page.get_by_text("1 thing is wrong.")).to_be_visible()
    expect(page.get_by_text("Expecting property name")).to_be_visible()


def test_back_asks_as_well_and_saved_text_does_not(new_page, server, text) -> None:
    id_ = store(server, text)
    page = new_page("/workflows")
    page.locator(f'tr[data-id="{id_}"] a').first.click()
    page.get_by_role("tab", name="Edit").click()
    area = page.get_by_label("The definition as text")
    expect(page.get_by_text("It can be run.")).to_be_visible()
    area.fill(area.input_value().replace("tide of", "mine of"))
    question = page.get_by_role("dialog", name="Leave without saving?")
    page.go_back()
    expect(question).to_have_count(0)
    page.go_back()
    question.get_by_role("button", name="Not now").click()
    assert page.url.endswith(f"/workflows/{id_}")
    page.get_by_role("tab", name="Edit").click()
    expect(area).to_have_value(re.compile("mine of"))
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved: The mine")).to_be_visible()
    page.get_by_role("link", name="Schedules").first.click()
    page.wait_for_url("**/schedules")


def test_the_list_switches_runs_off_and_tells_of_a_file_that_is_wrong(
    new_page, server, text
) -> None:
    store(server, text)
    folder = server.data / "definitions"
    folder.mkdir(exist_ok=True)
    (folder / "wrong.toml").write_text('id = "wrong"\n', encoding="utf-8")
    page = new_page("/workflows")
    row = page.locator(f'tr[data-id="{id_of(text)}"]')
    row.get_by_role("switch").uncheck()
    expect(page.get_by_text("Disabled: The tide")).to_be_visible()
    assert not request(f"{server.url}/api/definitions/{id_of(text)}")["enabled"]
    expect(row.get_by_role("button", name="Run")).to_be_disabled()
    expect(page.get_by_text("is not in force").first).to_be_visible(timeout=ENDS_MS)


def test_what_a_cleanup_would_delete_is_seen_in_rows_and_bytes_before(
    new_page, server, axe
) -> None:
    page = new_page("/system")
    page.get_by_role("button", name="Clean up").click()
    dialog = page.get_by_role("dialog", name="Clean up")
    delete = dialog.get_by_role("button", name="Delete")
    expect(delete).to_be_disabled()
    dialog.get_by_label("Ended more than").fill("36500")
    dialog.get_by_role("button", name="Preview").click()
    expect(dialog.get_by_text("0 job trees would go")).to_be_visible(timeout=ENDS_MS)
    kinds = ("Jobs", "Log entries", "Dead letters", "Earlier texts", "Bodies", "Records of model")
    for kind in kinds:
        expect(dialog.get_by_role("row", name=re.compile(f"^{kind}.* 0 "))).to_be_visible()
    page.evaluate(axe)
    assert serious_faults(page) == []
    dialog.get_by_label("Ended more than").fill("36000")
    expect(delete).to_be_disabled()
    dialog.get_by_role("button", name="Preview").click()
    expect(delete).to_be_enabled(timeout=ENDS_MS)
    delete.click()
    page.wait_for_url(re.compile(r"/jobs/[0-9]+$"))
    job = request(f"{server.url}/api/jobs/{page.url.rpartition('/')[2]}")
    assert job["payload"]["age_threshold_days"] == 36000
    assert not job["payload"]["dry_run"]


def test_what_the_form_says_is_saved_only_when_it_is_in_the_text(new_page, server, text) -> None:
    page = new_page(f"/workflows/{store(server, text)}?tab=edit", "net::ERR_")
    expect(page.get_by_text("It can be run.")).to_be_visible()
    page.route("**/api/definitions/write", lambda route: route.abort())
    page.get_by_label("Name", exact=True).first.fill("High water")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert").filter(has_text="Nothing was saved")).to_be_visible()
    page.get_by_role("link", name="Schedules").first.click()
    page.get_by_role("dialog").get_by_role("button", name="Not now").click()

    held: list[Route] = []
    page.unroute("**/api/definitions/write")
    page.route("**/api/definitions/write", lambda route: held.append(route))  # noqa: PLW0108
    with page.expect_request("**/api/definitions/write"):
        page.get_by_label("Name", exact=True).first.fill("Low water")
    page.get_by_role("button", name="Save").click()
    held[0].continue_()
    expect(page.get_by_text("Saved: Low water")).to_be_visible()
    assert request(f"{server.url}/api/definitions/{id_of(text)}")["name"] == "Low water"


def test_the_focus_stays_on_the_field_whose_change_brings_others(new_page, text) -> None:
    page = new_page("/workflows/_new")
    area = page.get_by_label("The definition as text")
    expect(page.locator(".editor-state")).to_have_text("It can be run.")
    area.fill(text)
    expect(page.get_by_role("button", name="Remove the parameter moon")).to_be_visible()
    kind = page.get_by_label("Kind").first
    kind.focus()
    page.keyboard.press("ArrowDown")
    expect(area).to_have_value(re.compile('type = "integer"'))
    expect(kind).to_be_focused()
    page.get_by_role("button", name="Add a parameter").click()
    name = page.locator('[data-pointer="/parameters/parameter_1"]').get_by_label("Name")
    name.fill("moon")
    name.press("Tab")
    expect(page.get_by_text("There is a parameter moon already.")).to_be_visible()
    expect(area).to_have_value(re.compile("How the moon is."))


def test_a_list_that_is_loaded_anew_leaves_the_focus_where_it_is(new_page, server) -> None:
    id_ = store(server, SCHEDULED.format(id=next(NAMES)))
    page = new_page("/schedules")
    row = page.locator("tr").filter(has_text=id_)
    row.get_by_role("link").first.focus()
    assert page.request.post(f"/api/schedules/{id_}/pause", max_retries=3).ok
    expect(row.get_by_text("paused")).to_be_visible()
    expect(row.get_by_role("link").first).to_be_focused()


def test_runs_that_cannot_be_had_are_told_of(new_page, server, text) -> None:
    id_ = store(server, text)
    page = new_page(f"/workflows/{id_}", REFUSED)
    answer = {"items": [], "next_cursor": "1"}
    page.route(f"**/api/definitions/{id_}/runs?limit=50", lambda route: route.fulfill(json=answer))
    broken = {"status": 503, "json": {"title": "Busy", "detail": "Too much at once."}}
    page.route(f"**/api/definitions/{id_}/runs?*cursor=*", lambda route: route.fulfill(**broken))
    page.get_by_role("tab", name="Runs").click()
    page.get_by_role("button", name="Show more").click()
    expect(page.get_by_role("alert").filter(has_text="Too much at once.")).to_be_visible()


def test_the_next_page_comes_though_the_list_is_loaded_anew_before_it(
    new_page, server, text
) -> None:
    id_ = store(server, re.sub(r"\[parameters.moon\]\n.*\n.*\n", "", text))
    page = new_page(f"/workflows/{id_}", REFUSED)
    answer = {"items": [], "next_cursor": "1"}
    page.route(f"**/api/definitions/{id_}/runs?limit=50", lambda route: route.fulfill(json=answer))
    asked = []
    broken = {"status": 503, "json": {"title": "Busy", "detail": "Too much at once."}}

    def next_page(route) -> None:
        asked.append(route)
        if len(asked) > 1:
            route.fulfill(**broken)

    page.route(f"**/api/definitions/{id_}/runs?*cursor=*", next_page)
    page.get_by_role("tab", name="Runs").click()
    with page.expect_request("**/runs?*cursor=*"):
        page.get_by_role("button", name="Show more").click()
    request(f"{server.url}/api/definitions/{id_}/execute", {})
    expect(page.get_by_role("alert").filter(has_text="Too much at once.")).to_be_visible()


def test_a_double_click_begins_one_run(new_page, server, text) -> None:
    plain = re.sub(r"\[parameters.moon\]\n.*\n.*\n", "", text)
    id_ = store(server, plain)
    page = new_page("/workflows")
    page.locator(f'tr[data-id="{id_}"]').get_by_role("button", name="Run").dblclick()
    page.wait_for_url(re.compile(r"/jobs/[0-9]+$"))
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()
    assert len(request(f"{server.url}/api/definitions/{id_}/runs")["items"]) == 1
    assert request(f"{server.url}/api/jobs/{page.url.rpartition('/')[2]}")["status"] != "cancelled"
