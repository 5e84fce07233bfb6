"""Recognising pages of Jira and Confluence among all others.

Asked once a page, by what its body and its head are called, before anything is looked for: other
pages cost no more than that.
"""

from __future__ import annotations

import re
from dataclasses import replace

from selectolax.lexbor import LexborHTMLParser

from quaero.crawl.addresses import Addresses
from quaero.crawl.metadata import one_line
from quaero.crawl.products.confluence_page import read_confluence
from quaero.crawl.products.jira_page import read_issue, read_project
from quaero.crawl.products.markup_parts import metas
from quaero.crawl.products.product_page import ProductPage

# By the id of the body, as Server and Data Center give it, or by a `<meta>` in the head.
_BODIES = {"jira": "jira", "com-atlassian-confluence": "confluence"}
_METAS = 'meta[name="confluence-request-time"], meta[name="application-name"]'
# Cloud says it in the body alone; looked for at the addresses of its pages only.
_CLOUD = (
    ("/browse/", "issue.views.issue-base", "jira"), ("/wiki/", "ak-renderer-document", "confluence")
)  # fmt: skip
_LONGEST_DENIAL = 3_000
_DENIED_PARTS = (
    "#issue-error, .issue-error, .issue-view-error, .permission-denied, #not-permitted, .noaccess,"
    " #page-not-found"
)
_DENIED = re.compile(
    r"(?:can.?t|cannot|not (?:permitted|allowed|authori[sz]ed) to) (?:view|see|access)"
    r"|n[o'’]t have (?:the )?(?:permission|access)|not permitted|no permission"
    r"|(?:issue|page|space|project) (?:does ?n[o'’]t exist|(?:could )?not (?:be )?found)"
    r"|page.level restrictions|access denied|permission denied",
    re.IGNORECASE,
)


def read_product(
    tree: LexborHTMLParser, source: str, url: str, addresses: Addresses
) -> ProductPage | None:
    """What a page of Jira or Confluence says; None for a page of anything else."""
    product = _product(tree, source, url)
    if product is None:
        return None
    said = metas(tree)
    if product == "confluence":
        found = read_confluence(tree, said, url, addresses)
    else:
        found = read_issue(tree, said, addresses)
        if found is None and not _is_denial(tree):
            found = read_project(tree, url)
    signed_in = bool(said["remote-user"]) if "remote-user" in said else None
    if found is None:
        return ProductPage(denied=_is_denial(tree), signed_in=signed_in)
    return replace(found, signed_in=signed_in)


def _product(tree: LexborHTMLParser, source: str, url: str) -> str | None:
    """Which product made a page, `jira` or `confluence`, if any."""
    body, head = tree.body, tree.head
    if body is None:
        return None
    known = _BODIES.get(body.attributes.get("id") or "")
    meta = head.css_first(_METAS) if known is None and head is not None else None
    if meta is not None:
        if meta.attributes.get("name") == "confluence-request-time":
            return "confluence"
        name = (meta.attributes.get("content") or "").lower()
        known = name if name in ("jira", "confluence") else None
    clouds = (kind for part, mark, kind in _CLOUD if part in url and mark in source)
    return known or next(clouds, None)


def _is_denial(tree: LexborHTMLParser) -> bool:
    """Whether a page, short and without content, says that there is nothing to be seen."""
    body = tree.body
    if body is None or tree.css_first("input[type=password i]") is not None:
        return False
    if tree.css_first(_DENIED_PARTS) is not None:
        return True
    if len(body.text_lexbor()) > _LONGEST_DENIAL:
        return False
    said = tree.css("title, h1, h2, .aui-message, .error-title, [role=alert]")
    return any(_DENIED.search(one_line(node.text())) for node in said)
