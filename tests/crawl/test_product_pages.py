"""What pages of Jira and Confluence say, in the markup of their servers and of their cloud."""

import pytest

from quaero.crawl.extract import Page, extract

URL = "https://acme.example.org"


def read(html: str, path: str) -> Page:
    return extract(html.encode(), URL + path, "text/html; charset=utf-8")


def jira(content: str, user: str | None = "ann", title: str = "A page - Jira") -> str:
    said = "" if user is None else f'<meta name="ajs-remote-user" content="{user}">'
    return f'<html><head><title>{title}</title>{said}</head><body id="jira">{content}</body></html>'


def wiki(content: str, user: str | None = "ann", title: str = "A page - Confluence") -> str:
    page = jira(content, user, title)
    return page.replace('id="jira"', 'id="com-atlassian-confluence"')


CLOUD_ISSUE = """<html lang="en"><head><title>[CL-7] Slow pump - Jira</title></head><body><div id="jira-frontend">
<nav>Your work</nav><div data-testid="issue.views.issue-details.issue-layout">
<a data-testid="issue.views.issue-base.foundation.breadcrumbs.current-issue.item" href="/browse/CL-7">
<span>CL-7</span></a>
<h1 data-testid="issue.views.issue-base.foundation.summary.heading">Slow pump</h1>
<div data-testid="issue.views.field.rich-text.description"><div class="ak-renderer-document">
<p>It <strong>hums</strong>.</p></div></div>
<div data-testid="issue.views.issue-base.foundation.status.status-field-wrapper">
<button><span>To Do</span></button></div>
<div data-testid="issue.views.field.user.assignee"><span>Bob Baker</span></div>
<div data-testid="issue.views.field.user.reporter"><span>Ann Archer</span></div>
<small data-testid="created-date.ui.read.meta-date">May 1, 2026 at 10:03 AM</small>
<div data-testid="issue-comment-base.ui.comment.ak-comment.10">
<span data-testid="issue-comment-author">Eve</span><time datetime="2026-05-02T10:00:00Z">May 2</time>
<div class="ak-renderer-document"><p>Since Monday.</p></div></div>
</div></div></body></html>"""


def test_an_issue_of_the_cloud() -> None:
    page = read(CLOUD_ISSUE, "/browse/CL-7")
    assert page.entity == "issue"
    assert page.fields["issue"] == {
        "key": "CL-7", "project": "CL", "status": "To Do", "assignee": "Bob Baker",
        "reporter": "Ann Archer", "created": "2026-05-01T10:03:00", "comments": 1,
    }  # fmt: skip
    assert page.markdown == (
        "# [CL-7] Slow pump\n\n| Field | Value |\n| --- | --- |\n| Status | To Do |\n"
        "| Assignee | Bob Baker |\n| Reporter | Ann Archer |\n| Created | 2026-05-01T10:03:00 |\n\n"
        "## Description\n\nIt **hums**.\n\n## Comments\n\n### Eve, 2026-05-02T10:00:00Z\n\n"
        "Since Monday.\n"
    )


def test_a_page_of_the_cloud() -> None:
    page = read(
        '<html><head><title>Plan - Team - Confluence</title></head><body><main><h1 id="title-text">'
        'Plan</h1><div data-testid="breadcrumbs"><a href="/wiki/spaces/TEAM/pages/1/Home">Home</a>'
        '</div><div class="ak-renderer-document"><p>One.</p><h2>Two</h2></div></main></body></html>',
        "/wiki/spaces/TEAM/pages/42/Plan",
    )
    assert (page.entity, page.title, page.markdown) == (
        "page",
        "Plan",
        "# Plan\n\nOne.\n\n## Two\n",
    )
    assert page.fields["page"] == {
        "id": "42", "space": "TEAM", "kind": "page", "ancestors": ["Home"], "title": "Plan",
        "comments": 0,
    }  # fmt: skip


def test_a_space_is_known_by_its_address_and_what_its_home_says() -> None:
    metas = (
        '<meta name="ajs-space-key" content="TEAM"><meta name="ajs-space-name" content="Team X">'
    )
    html = wiki('<div id="main-content" class="wiki-content"><p>Welcome.</p></div>')
    page = read(html.replace("</head>", f"{metas}</head>"), "/display/TEAM")
    assert page.entity == "space"
    assert page.fields["space"] == {"key": "TEAM", "name": "Team X"}
    assert "Welcome." in page.markdown


def test_links_subtasks_and_long_fields_of_an_issue_are_in_its_text() -> None:
    page = read(
        jira(
            '<div id="issue-content"><a id="key-val">A1-2</a><h1 id="summary-val">S</h1>'
            '<div id="environment-val"><p>Linux</p></div>'
            '<div id="linkingmodule"><dl class="links-list"><dt title="blocks">blocks</dt>'
            '<dd><a class="issue-link" href="/browse/A1-3">A1-3</a></dd></dl></div>'
            '<table id="issuetable"><tr><td class="stsummary"><a href="/browse/A1-4">Sub</a></td>'
            "</tr></table></div>"
        ),
        "/browse/A1-2",
    )
    assert page.markdown == (
        "# [A1-2] S\n\n## Environment\n\nLinux\n\n## Linked issues\n\nblocks\n\n"
        f"- [A1-3]({URL}/browse/A1-3)\n\n## Sub-tasks\n\n- [Sub]({URL}/browse/A1-4)\n"
    )


@pytest.mark.parametrize(
    "html",
    [
        jira("<h1>You can't view this issue</h1><p>It may have been deleted.</p>"),
        jira("<h1>Issue does not exist</h1>"),
        jira('<div class="aui-message">You do not have the permission to see the specified issue.'),
        jira('<div class="issue-error">Nope</div>'),
        jira("<h1>Oops, you&#39;ve found a dead link.</h1>", title="Page not found - Jira"),
        wiki("<h1>Page Not Found</h1><p>It may have been removed.</p>"),
        wiki("<h2>You cannot view this page</h2>"),
        wiki("<h1>Not Permitted</h1>"),
        wiki("<h1>You don’t have access to this space</h1>"),
        wiki('<div id="not-permitted">x</div>'),
    ],
)
def test_a_page_that_denies_what_was_asked_for_is_known(html: str) -> None:
    assert read(html, "/browse/ACME-1").denied


@pytest.mark.parametrize(
    ("html", "path"),
    [
        (jira('<div id="issue-content"><a id="key-val">A1-1</a><h1 id="summary-val">Page not found '
              "for users who cannot view it</h1></div>"), "/browse/A1-1"),
        (wiki('<h1 id="title-text">Access denied</h1><div id="main-content">What it means.</div>'),
         "/display/A/Access+denied"),
        (jira("<h1>Projects</h1><p>All of them.</p>"), "/projects"),
        ("<h1>Page Not Found</h1>", "/x"),
    ],
)  # fmt: skip
def test_a_page_with_content_denies_nothing_whatever_it_is_called(html: str, path: str) -> None:
    assert not read(html, path).denied


@pytest.mark.parametrize(("user", "signed_in"), [("ann", True), ("", False), (None, None)])
def test_a_page_tells_whether_it_greets_anybody(
    user: str | None, *, signed_in: bool | None
) -> None:
    assert read(jira("<h1>Projects</h1>", user), "/projects").signed_in is signed_in
    assert read(wiki("<h1>Spaces</h1>", user), "/spaces").signed_in is signed_in


def test_a_page_of_anything_else_is_not_touched() -> None:
    html = (
        '<title>T</title><main><h1 id="title-text">T</h1><div class="wiki-content">x</div></main>'
    )
    page = read(html, "/browse/ACME-1")
    assert (page.entity, page.fields, page.signed_in) == (None, {}, None)


@pytest.mark.parametrize("content", ["", "<div id='issue-content'>" * 300, "<h1>\x00</h1>"])
def test_a_damaged_page_is_a_page_all_the_same(content: str) -> None:
    for path in ("/browse/A1-1", "/projects/A1", "/display/A/B", "/wiki/spaces/A/pages/1"):
        assert read(jira(content), path).markdown is not None
        assert read(wiki(content), path).markdown is not None
