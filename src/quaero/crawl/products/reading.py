"""Recognising pages of Jira and Confluence among all others.

Asked once a page, by a few marks in its source, before anything is looked for in the tree: other
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

_JIRA = ('id="jira"', 'content="JIRA"', 'content="Jira"', "issue.views.issue-base")
_CONFLUENCE = ("com-atlassian-confluence", "confluence-request-time", "ak-renderer-document")
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
    if any(mark in source for mark in _JIRA):
        said = metas(tree)
        found = read_issue(tree, said, addresses) or (
            None if _is_denial(tree) else read_project(tree, url)
        )
    elif any(mark in source for mark in _CONFLUENCE):
        said = metas(tree)
        found = read_confluence(tree, said, url, addresses)
    else:
        return None
    signed_in = bool(said["remote-user"]) if "remote-user" in said else None
    if found is None:
        return ProductPage(denied=_is_denial(tree), signed_in=signed_in)
    return replace(found, signed_in=signed_in)


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
