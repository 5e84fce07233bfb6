"""A Jira page as content and metadata: an issue, or a project.

Server and Data Center name their elements by id (`#key-val`), Cloud by `data-testid`. What a site
added itself, custom fields and whole panels, is read where it stands like the other fields. Times
and names are as the page gives them to this reader.
"""

from __future__ import annotations

import re
from typing import Any

from selectolax.lexbor import LexborHTMLParser, LexborNode

from quaero.crawl.addresses import Addresses
from quaero.crawl.metadata import one_line
from quaero.crawl.products.markup_parts import (
    MOST_COMMENTS,
    MOST_VALUES,
    Comment,
    comments,
    date_of,
    fields,
    heading,
    html_of,
    links,
    section,
    text_of,
    texts_of,
    with_tasks,
)
from quaero.crawl.products.product_page import ProductPage

_KEY = re.compile(r"[A-Z][A-Z0-9_]+-\d+")
_PROJECT = re.compile(r"/(?:browse|projects)/([A-Z][A-Z0-9_]+)(?:/summary)?/?$")
_COMMENT_ID = re.compile(r"comment-\d+")
_BASE = "issue.views.issue-base"
_ISSUE = f'#issue-content, .issue-view, [data-testid="{_BASE}.foundation.summary.heading"]'

_ONE = {
    "type": ("#type-val", '[data-testid*="issue-type"] [alt]', '[data-testid*="issue-field-type"]'),
    "status": ("#status-val", f'[data-testid^="{_BASE}.foundation.status"] button',
               '[data-testid^="issue-field-status"]'),
    "resolution": ("#resolution-val", '[data-testid^="issue-field-resolution"]'),
    "priority": ("#priority-val", '[data-testid^="issue-field-priority"]'),
    "assignee": ("#assignee-val", '[data-testid^="issue.views.field.user.assignee"]'),
    "reporter": ("#reporter-val", '[data-testid^="issue.views.field.user.reporter"]'),
}  # fmt: skip
_MANY = {
    "labels": (".labels-wrap .labels a", "#labels-val .labels a", ".labels a",
               '[data-testid^="issue.views.field.select.common.select-inline-edit.labels"] a'),
    "components": ("#components-field a", "#components-val a", "#components-val",
                   '[data-testid*="components"] a'),
    "affects_versions": ("#versions-field a", "#versions-val a", "#versions-val"),
    "fix_versions": ("#fixVersions-field a", "#fixfor-val a", "#fixfor-val",
                     '[data-testid*="fixVersions"] a'),
}  # fmt: skip
_DATES = {
    "created": ("#created-val", '[data-testid="created-date.ui.read.meta-date"]'),
    "updated": ("#updated-val", '[data-testid="updated-date.ui.read.meta-date"]'),
    "resolved": ("#resolutiondate-val", '[data-testid="resolved-date.ui.read.meta-date"]'),
    "due": ("#due-date",),
}
_LABELS = {
    "type": "Type", "status": "Status", "resolution": "Resolution", "priority": "Priority",
    "assignee": "Assignee", "reporter": "Reporter", "labels": "Labels", "components": "Components",
    "affects_versions": "Affects versions", "fix_versions": "Fix versions", "created": "Created",
    "updated": "Updated", "resolved": "Resolved", "due": "Due",
}  # fmt: skip
_NOTHING = {"none", "unassigned", "unresolved", "anonymous"}


def read_issue(
    tree: LexborHTMLParser, metas: dict[str, str], addresses: Addresses
) -> ProductPage | None:
    """The issue that a page shows; None where it shows none."""
    root = tree.css_first(_ISSUE)
    key = _key(tree, metas)
    if root is None or not key:
        return None
    summary = text_of(
        tree, "#summary-val", f'[data-testid="{_BASE}.foundation.summary.heading"]', "h1"
    )
    issue: dict[str, Any] = {"key": key, "project": key.rpartition("-")[0]}
    issue |= _values(tree)
    attached, files = links(
        tree.css("#attachmentmodule a.attachment-title, #attachmentmodule .attachment-title a"),
        addresses,
    )
    said = _comments(tree)
    issue |= {"attachments": files, "comments": len(said)}
    issue = {name: value for name, value in issue.items() if value not in ("", None, [])}
    markup = [
        heading(1, f"[{key}] {summary}"),
        fields([*((label, issue.get(name)) for name, label in _LABELS.items()), *_custom(tree)]),
        section("Description", _description(tree)),
        section("Environment", html_of(tree, "#environment-val")),
        section("Linked issues", _linked(tree, addresses)),
        section("Sub-tasks", links(tree.css("#issuetable .stsummary a"), addresses)[0]),
        section("Attachments", attached),
        comments(said),
    ]
    return ProductPage(
        entity="issue", title=f"[{key}] {summary}", markup="".join(markup),
        metadata={"issue": issue}, author=issue.get("reporter"),
        published=issue.get("created"), modified=issue.get("updated"),
    )  # fmt: skip


def read_project(tree: LexborHTMLParser, url: str) -> ProductPage | None:
    """The project that a page is about, by its address; its content is found as any page's."""
    found = _PROJECT.search(url.partition("?")[0])
    if found is None:
        return None
    project = {
        "key": found[1],
        "name": text_of(tree, ".project-title", "#project-name-val", "#pd-name", "h1"),
        "lead": text_of(tree, "#pd-lead", ".project-lead"),
    }
    said = {name: value for name, value in project.items() if value}
    return ProductPage(entity="project", metadata={"project": said})


def _key(tree: LexborHTMLParser, metas: dict[str, str]) -> str:
    current = f'[data-testid="{_BASE}.foundation.breadcrumbs.current-issue.item"]'
    texts = (text_of(tree, "#key-val", current), metas.get("issue-key", ""), text_of(tree, "title"))
    return next((found[0] for text in texts if (found := _KEY.search(text))), "")


def _values(tree: LexborHTMLParser) -> dict[str, Any]:
    found: dict[str, Any] = {"project_name": text_of(tree, "#project-name-val")}
    for name, selectors in _ONE.items():
        text = text_of(tree, *selectors)
        found[name] = "" if text.lower() in _NOTHING and name != "status" else text
    for name, selectors in _MANY.items():
        found[name] = [text for text in texts_of(tree, *selectors) if text.lower() not in _NOTHING]
    for name, selectors in _DATES.items():
        found[name] = date_of(tree, *selectors)
    return found


def _custom(tree: LexborHTMLParser) -> list[tuple[str, str]]:
    """The fields that a site added, as name and value."""
    rows = []
    for item in tree.css("#customfieldmodule li.item, #customfield-tabs li.item")[:MOST_VALUES]:
        name = text_of(item, ".name").rstrip(": ")
        value = text_of(item, ".value")
        if name and value:
            rows.append((name, value))
    return rows


def _description(tree: LexborHTMLParser) -> str:
    found = html_of(
        tree, "#description-val .user-content-block", "#descriptionmodule .user-content-block",
        "#description-val", '[data-testid="issue.views.field.rich-text.description"]',
    )  # fmt: skip
    return with_tasks(found)


def _linked(tree: LexborHTMLParser, addresses: Addresses) -> str:
    parts = []
    for group in tree.css("#linkingmodule .links-list")[:MOST_VALUES]:
        relation = text_of(group, "dt")
        listed, _ = links(group.css("dd a.issue-link, dd .link-content a"), addresses)
        parts.append(f"<p>{relation}</p>{listed}" if listed else "")
    return "".join(parts)


def _comments(tree: LexborHTMLParser) -> list[Comment]:
    nodes = tree.css(
        '#activitymodule [id^="comment-"], #issue_actions_container .activity-comment,'
        ' [data-testid^="issue-comment-base.ui.comment.ak-comment"]'
    )
    seen: dict[str, Comment] = {}
    for place, node in enumerate(nodes[:MOST_COMMENTS]):
        said = _comment(node)
        id_ = node.attributes.get("id") or f"comment-{place}"
        if said is not None and _COMMENT_ID.fullmatch(id_):
            seen.setdefault(id_, said)
    return list(seen.values())


def _comment(node: LexborNode) -> Comment | None:
    body = html_of(node, ".verbose .action-body", ".action-body", ".ak-renderer-document")
    if not body:
        return None
    author = text_of(
        node, ".verbose .action-details .user-hover", ".user-hover", ".user-name",
        '[data-testid$="author"]', ".author",
    )  # fmt: skip
    stamp = node.css_first("time, .date, [data-testid$=timestamp]")
    date = date_of(node, "time", ".date", "[data-testid$=timestamp]")
    return Comment(author, date or (one_line(stamp.text()) if stamp else ""), with_tasks(body))
