"""Documents of a hostile site: found, read, and harmless."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from quaero.testing.site import SiteServer

from .asking import ENDS_MS, REFUSED, crawl, hurry, request, wait_for_end

PAGE = """<!doctype html><html lang="en"><head><title>Harbour &lt;b&gt;{word}&lt;/b&gt;</title></head>
<body><main><h1>Harbour <i onclick="alert(1)">{word}</i></h1>
<p>The {word} is marked by a lantern &lt;script&gt;alert(2)&lt;/script&gt; and a bell. \u202egnp.</p>
<p><a href="javascript:alert(3)">a trap</a>, <a href="https://example.org/chart">the chart</a>,
<a href="data:text/html,x">another trap</a></p>
<p><img src="https://example.org/x.png" onerror="alert(4)" alt="a picture"></p>
<iframe src="https://example.org/"></iframe><style>body {{ display: none }}</style>
<h2>How to enter</h2><p>Slowly, and never at low water, keeping the tower abeam.</p>
</main></body></html>"""

ISSUE = """<!doctype html><html lang="en"><head><title>[SEA-1] Buoy adrift - Jira</title></head>
<body id="jira"><div id="issue-content" class="issue-view"><a id="key-val">SEA-1</a>
<h1 id="summary-val">Buoy adrift</h1><div id="descriptionmodule"><div class="user-content-block">
<p>Seen off the mole.</p>{more}</div></div></div></body></html>""".replace(
    "{more}", "<p>It has been adrift since the storm.</p>" * 20
)

GULL = """<!doctype html><html lang="en"><head><title>gull-{number}</title></head><body><main>
<h1>gull-{number}</h1><p>A gull sits on post {number} and looks at the water.</p></main></body></html>"""
RTL = """<!doctype html><html lang="ar" dir="rtl"><head><title>طيور البحر</title></head><body><main>
<h1>طيور البحر</h1><p>هذا نص قصير.</p><p lang="en" dir="ltr">The seagull.</p>
<pre><code>ls -la</code></pre></main></body></html>"""
SIDE = """paragraph => {
    const words = document.createRange();
    words.selectNodeContents(paragraph);
    const [box, text] = [paragraph, words].map((each) => each.getBoundingClientRect());
    return box.right - text.right < text.left - box.left ? "right" : "left";
}"""


@pytest.fixture(scope="module")
def crawled(server) -> Iterator[int]:
    """The id of a crawl that has ended."""
    links = "".join(f'<a href="/{word}">{word}</a> ' for word in ("breakwater", "sandbank"))
    pages = {f"/{word}": PAGE.format(word=word) for word in ("breakwater", "sandbank")}
    pages["/browse/SEA-1"] = ISSUE
    links += '<a href="/browse/SEA-1">SEA-1</a> <a href="/browse/SEA-2">SEA-2</a>'
    pages["/"] = f"<html><title>Start</title><body><main><p>{links}</p></main></body></html>"
    with SiteServer(pages) as site:
        job_id = crawl(server, site.url)
        wait_for_end(server, job_id)
        yield job_id


def test_a_page_is_found_as_it_is_typed_and_read_without_harm(new_page, server, crawled) -> None:
    page = new_page("/documents")
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    page.on("request", lambda asked: asked.url.startswith(server.url) or pytest.fail(asked.url))
    found = page.locator(".document-rows li")
    expect(found).to_have_count(4)
    page.get_by_label("Search documents").fill("lantern breakwater")
    expect(found).to_have_count(1)
    expect(found.locator("mark").first).to_be_visible()
    expect(page).to_have_url(f"{server.url}/documents?q=lantern+breakwater")
    found.get_by_role("link").click()
    reader = page.locator(".reader-text")
    expect(reader).to_contain_text("<script>alert(2)</script>")
    expect(reader).to_contain_text(r"\u202egnp")
    assert reader.locator("script, img, iframe, style, [onclick], [style]").count() == 0
    expect(page.locator(".reader-title")).to_contain_text("<b>")


def test_a_job_leads_to_what_it_has_collected_and_to_nothing_else(
    new_page, server, crawled
) -> None:
    page = new_page(f"/jobs/{crawled}")
    page.locator("dd").get_by_role("link", name="4", exact=True).click()
    expect(page).to_have_url(f"{server.url}/documents?root={crawled}")
    expect(page.locator(".answer")).to_have_text(f"4 collected by job {crawled}.")
    found = page.locator(".document-rows li")
    expect(found).to_have_count(4)
    found.first.get_by_role("link").click()
    expect(page).to_have_url(re.compile(rf"root={crawled}$"))
    page.goto("/documents?root=999999")
    expect(page.get_by_text("Job 999999 has collected none")).to_be_visible()
    page.get_by_role("link", name="Show the documents of all jobs").click()
    expect(page).to_have_url(f"{server.url}/documents")
    expect(found).to_have_count(4)


def test_links_of_a_document_lead_out_safely_or_nowhere(new_page, server, crawled) -> None:
    page = new_page("/documents?q=sandbank")
    page.locator(".document-rows a").first.click()
    reader = page.locator(".reader-text")
    chart = reader.get_by_role("link", name="the chart")
    expect(chart).to_have_attribute("href", "https://example.org/chart")
    expect(chart).to_have_attribute("rel", "noopener noreferrer")
    expect(reader).to_contain_text("a trap")
    addresses = reader.locator("a").evaluate_all("all => all.map(each => each.protocol)")
    assert set(addresses) <= {"http:", "https:"}


@pytest.mark.parametrize("width", [1440, 390])
def test_a_document_is_shown_from_its_title_on(new_page, crawled, width: int) -> None:
    found = new_page("/documents?q=type:issue", width=width, height=400)
    address = found.locator(".document-rows a").get_attribute("href")
    page = new_page(address, width=width, height=400)
    title = page.locator(".reader-title")

    def is_on_top() -> bool:
        page.evaluate("() => new Promise(requestAnimationFrame)")
        return title.evaluate("""title => {
            const { left, top } = title.getBoundingClientRect();
            return title.contains(document.elementFromPoint(left + 5, top + 5));
        }""")

    expect(title).to_have_text("[SEA-1] Buoy adrift")
    expect(page.locator(".reader-text")).to_contain_text("Seen off the mole.")
    assert is_on_top()
    start = page.get_by_role("list", name="Referred to by").get_by_role("link", name="Start")
    start.scroll_into_view_if_needed()
    page.evaluate("() => scrollTo(0, document.documentElement.scrollHeight)")
    assert not is_on_top()
    start.click()
    expect(title).to_have_text("Start")
    assert is_on_top()


def test_the_reader_leads_from_a_document_to_what_it_refers_to_and_back(
    new_page, server, crawled
) -> None:
    page = new_page("/documents?q=type:issue")
    page.locator(".document-rows a").first.click()
    expect(page.locator(".reader-title")).to_have_text("[SEA-1] Buoy adrift")
    page.get_by_role("list", name="Referred to by").get_by_role("link", name="Start").click()
    expect(page.locator(".reader-title")).to_have_text("Start")
    refers = page.get_by_role("list", name="Refers to")
    expect(refers.locator("li")).to_have_count(2)
    expect(refers.get_by_role("link", name="SEA-2")).to_have_attribute("target", "_blank")
    refers.get_by_role("link", name="Buoy adrift").click()
    expect(page.locator(".reader-title")).to_have_text("[SEA-1] Buoy adrift")


def test_a_search_without_result_says_what_to_do(new_page, crawled) -> None:
    page = new_page("/documents?q=zeppelin", REFUSED)
    expect(page.get_by_text("Nothing found")).to_be_visible()
    page.goto("/documents/999999")
    expect(page.get_by_text("There is no such document")).to_be_visible()


def test_tags_are_given_and_taken_in_the_reader_and_by_selection(new_page, server, crawled) -> None:
    page = new_page("/documents?q=sandbank")
    first = page.locator(".document-rows li").first
    first.locator("a").click()
    page.get_by_label("Add a tag").fill("Sea, low tide")
    page.get_by_label("Add a tag").press("Enter")
    tags = page.get_by_role("group", name="Tags")
    expect(tags.get_by_role("button", name="low tide", exact=True)).to_be_visible()
    page.get_by_label("Take the tag sea away").click()
    expect(tags.get_by_role("button", name="sea", exact=True)).to_have_count(0)
    expect(first.locator(".document-tag")).to_have_text(["low tide"])
    page.goto("/documents")
    page.locator(".document-rows input").first.check()
    many = page.locator(".document-rows li").count()
    page.get_by_label("Select all on this page").check()
    expect(page.get_by_text(f"{many} selected.")).to_be_visible()
    page.get_by_role("button", name="Tag", exact=True).click()
    page.get_by_role("dialog").get_by_role("textbox").fill("tidal")
    page.get_by_role("button", name=f"Tag {many} documents").click()
    expect(page.locator(".document-rows li").filter(has_text="tidal")).to_have_count(
        many, timeout=ENDS_MS
    )


def test_a_summary_is_made_from_the_reader_and_says_what_made_it(new_page, crawled) -> None:
    page = new_page("/documents?q=breakwater")
    page.locator(".document-rows a").first.click()
    summary = page.get_by_label("Summary", exact=True)
    summary.get_by_role("button", name="Summarise").click()
    expect(summary).to_contain_text("Summary by its own sentences (extractive)")
    expect(summary).to_contain_text("<script>alert(2)</script>")
    expect(summary.get_by_role("button", name="Summarise again")).to_be_enabled()
    summary.get_by_label("Keywords by").get_by_role("button").first.click()
    expect(page.locator(".document-rows li").first).to_be_visible()


def test_all_documents_that_match_are_deleted_unless_it_is_taken_back(
    new_page, server, crawled
) -> None:
    page = new_page("/documents?q=lantern")
    rows = page.locator(".document-rows li")
    expect(rows).to_have_count(2)
    many = 2
    for undo in (True, False):
        hurry(page, 10 if undo else 4)
        rows.first.get_by_role("checkbox").check()
        page.get_by_label("Select all on this page").check()
        page.get_by_role("button", name="Delete", exact=True).click()
        page.get_by_role("dialog").get_by_role("button", name=f"Delete {many} documents").click()
        expect(page.locator(".document-rows li.is-going")).to_have_count(many)
        if undo:
            page.get_by_role("button", name="Undo").click()
            expect(page.get_by_text("Taken back: nothing was deleted.")).to_be_visible()
            expect(page.locator(".document-rows li.is-going")).to_have_count(0)
    expect(page.get_by_text("Nothing found")).to_be_visible(timeout=ENDS_MS)


def test_what_a_version_changed_is_seen_line_by_line(new_page, server, tmp_path) -> None:
    texts = ("# Lamp\n\nIt is lit at dusk.\n", "# Lamp\n\nIt is lit in fog \u202etoo.\n")
    texts += (texts[1] + "\nThe keeper sleeps by day.\n",)
    source = {"name": "lamp-notes", "kind": "folder", "base_url": str(tmp_path)}
    made = request(f"{server.url}/api/sources", source)
    for number, text in enumerate(texts):
        (tmp_path / "lamp.md").write_text(text + "\n" * number, encoding="utf-8")
        run = request(f"{server.url}/api/sources/{made['id']}/collect", {})["job"]["id"]
        wait_for_end(server, run)
    page = new_page(f"/documents?root={run}")
    page.get_by_role("link", name="Lamp").click()
    page.get_by_role("link", name="Versions").click()
    versions = page.get_by_role("region", name="Versions")
    expect(versions.locator("tbody tr")).to_have_count(3)
    versions.get_by_role("link", name="What version 2 changed").click()
    expect(versions.get_by_text("1 line removed, 1 line added")).to_be_visible()
    expect(versions.locator("del.change")).to_have_text("−It is lit at dusk.")
    expect(versions.locator("ins.change")).to_have_text(r"+It is lit in fog \u202etoo.")
    expect(versions.locator("ins.change mark").first).to_have_text("in")
    versions.get_by_role("link", name="What has changed since version 1").click()
    expect(versions.get_by_role("heading")).to_have_text("From version 1 to version 3")
    expect(versions.locator("ins.change")).to_have_count(3)
    page.go_back()
    expect(versions.get_by_role("heading")).to_have_text("From version 1 to version 2")
    versions.get_by_role("link", name="Text of version 1").click()
    expect(versions.locator("pre.raw")).to_contain_text("It is lit at dusk.")
    page.get_by_role("link", name="Markdown").click()
    expect(page).to_have_url(re.compile(r"/documents/\d+\?root=\d+&view=markdown$"))


def test_documents_that_come_while_the_list_is_open_are_told(new_page, server, tmp_path) -> None:
    source = {"name": "arrivals", "kind": "folder", "base_url": str(tmp_path)}
    made = request(f"{server.url}/api/sources", source)

    def arrive(name: str) -> int:
        (tmp_path / f"{name}.md").write_text(f"# The {name} to arrive\n\nText.", encoding="utf-8")
        return request(f"{server.url}/api/sources/{made['id']}/collect", {})["job"]["id"]

    first = arrive("first")
    wait_for_end(server, first)
    page = new_page("/documents")
    expect(page.get_by_role("link", name="The first to arrive")).to_be_visible()
    told = page.get_by_role("button", name="New documents")
    expect(told).to_be_hidden()
    second = arrive("second")
    wait_for_end(server, second)
    expect(told).to_be_visible()
    expect(page.get_by_role("link", name="The second to arrive")).to_have_count(0)
    told.click()
    expect(page.get_by_role("link", name="The second to arrive")).to_be_visible()
    expect(told).to_be_hidden()
    third = 2 * second - first  # a run makes as many jobs as the one before
    empty = new_page(f"/documents?root={third}")
    expect(empty.get_by_role("heading", name="No documents yet")).to_be_visible()
    assert arrive("third") == third
    expect(empty.get_by_role("link", name="The third to arrive")).to_be_visible()


@pytest.fixture(scope="module")
def gulls(server) -> Iterator[int]:
    """The id of a crawl that has collected more documents than a page of the list shows."""
    pages = {f"/gull-{number}": GULL.format(number=number) for number in range(60)}
    pages["/rtl"] = RTL
    links = "".join(f'<a href="{path}">{path}</a> ' for path in pages)
    pages["/"] = f"<html><title>Birds</title><body><main><p>{links}</p></main></body></html>"
    with SiteServer(pages) as site:
        job_id = crawl(server, site.url)
        wait_for_end(server, job_id)
        yield job_id


def test_all_that_match_one_search_are_not_all_that_match_the_next(new_page, gulls) -> None:
    page = new_page("/documents?q=gull")
    page.locator(".document-rows input").first.check()
    page.get_by_label("Select all on this page").check()
    page.get_by_role("button", name="that match").click()
    expect(page.get_by_text("that match are selected.")).to_be_visible()
    page.get_by_label("Search documents").fill("")
    expect(page.locator(".answer")).not_to_contain_text("found")
    expect(page.locator(".selection-bar strong")).to_have_text(re.compile(r"^\d+ selected\.$"))


def test_a_tag_of_two_words_narrows_and_widens_again(new_page, server, gulls) -> None:
    (found,) = request(f"{server.url}/api/search?q=title:gull-7")["items"]
    path = f"/documents/{found['document']['id']}"
    request(f"{server.url}/api{path}/tags", {"tags": ["high water"]}, "PUT")
    page = new_page(f"{path}?q=gull")
    tag = page.get_by_role("group", name="Tags").get_by_role(
        "button", name="high water", exact=True
    )
    tag.click()
    expect(page.get_by_label("Search documents")).to_have_value('gull tag:"high water"')
    expect(page.locator(".document-rows li")).to_have_count(1)
    tag.click()
    expect(page.get_by_label("Search documents")).to_have_value("gull")


def test_text_from_right_to_left_is_shown_so_and_code_in_it_is_not(new_page, server, gulls) -> None:
    (found,) = request(f"{server.url}/api/search?q=seagull")["items"]
    page = new_page(f"/documents/{found['document']['id']}")
    text = page.locator(".reader-text")
    expect(text.locator("p").first).to_be_visible()
    expect(text).to_have_css("direction", "rtl")
    expect(text.locator("pre")).to_have_css("direction", "ltr")
    assert [text.locator("p").nth(number).evaluate(SIDE) for number in (0, 1)] == ["right", "left"]
