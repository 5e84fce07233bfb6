"""A Confluence page as content and metadata: a page, a post, or a space.

Server and Data Center say much in `<meta name="ajs-…">`; Cloud renders documents in
`.ak-renderer-document`. Names and dates are as the page gives them to this reader.
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
    heading,
    html_of,
    links,
    section,
    text_of,
    texts_of,
    with_tasks,
)
from quaero.crawl.products.product_page import ProductPage

_SPACE = re.compile(r"/(?:display|spaces)/([^/?]+)(?:/overview)?/?$")
_CLOUD = re.compile(r"/spaces/([^/?]+)/(?:pages|blog)(?:/\d{4}/\d\d/\d\d)?/(\d+)")
_CONTENT = ("#main-content", ".wiki-content", ".ak-renderer-document")
_ANCESTORS = "#breadcrumbs li a, [data-testid=breadcrumbs] a, [data-test-id=breadcrumbs] a"
_NO_ANCESTOR = ("/collector/", "/spacedirectory", "/spaces/viewspace.action", "#")


def read_confluence(
    tree: LexborHTMLParser, metas: dict[str, str], url: str, addresses: Addresses
) -> ProductPage | None:
    """The page that is shown; None where none is."""
    content = html_of(tree, *_CONTENT)
    path = url.partition("?")[0]
    space = _SPACE.search(path)
    if not content and not (space and metas.get("space-key")):
        return None
    title = metas.get("page-title") or text_of(
        tree, "#title-text", "[data-testid=title-text]", "h1"
    )
    page = _values(tree, metas, path)
    attached, files = links(
        tree.css(".attachments a.filename, #attachments-section a.filename"), addresses
    )
    said = _comments(tree)
    page |= {"title": title, "attachments": files, "comments": len(said)}
    page = {name: value for name, value in page.items() if value not in ("", None, [])}
    about = {"page": page}
    if space is not None:
        key = page.get("space", space[1])
        about["space"] = {"key": key, "name": page.get("space_name", key)}
    markup = [heading(1, title), f"<div>{with_tasks(content)}</div>",
              section("Attachments", attached), comments(said)]  # fmt: skip
    return ProductPage(
        entity="page" if space is None else "space", title=title,
        markup="".join(markup) if content else None, metadata=about, author=page.get("author"),
        published=page.get("created"), modified=page.get("updated"),
    )  # fmt: skip


def _values(tree: LexborHTMLParser, metas: dict[str, str], path: str) -> dict[str, Any]:
    by_address = _CLOUD.search(path)
    version = metas.get("page-version", "")
    return {
        "id": metas.get("page-id") or (by_address[2] if by_address else ""),
        "space": metas.get("space-key") or (by_address[1] if by_address else ""),
        "space_name": metas.get("space-name", ""),
        "kind": "post" if metas.get("content-type") == "blogpost" or "/blog/" in path else "page",
        "version": int(version) if version.isdecimal() and len(version) < 10 else None,
        "author": text_of(tree, ".page-metadata .author", '[data-testid="owner-name"]'),
        "modified_by": text_of(tree, ".page-metadata .editor", ".page-metadata .modifier"),
        "created": date_of(tree, ".page-metadata .created-date", ".page-metadata .published-date"),
        "updated": date_of(
            tree, ".page-metadata .last-modified", '[data-testid="last-modified-date"]'
        ),
        "ancestors": _ancestors(tree, metas),
        "labels": texts_of(
            tree, "#labels-section a.aui-label-split-main", ".label-list a.aui-label-split-main",
            ".label-list a[rel=tag]", "[data-testid=label-item] a",
        ),
    }  # fmt: skip


def _ancestors(tree: LexborHTMLParser, metas: dict[str, str]) -> list[str]:
    """The titles above the page, the topmost first; the space itself is not one."""
    own = {metas.get("page-title", ""), metas.get("space-name", ""), ""}
    found = [
        one_line(node.text())
        for node in tree.css(_ANCESTORS)[:MOST_VALUES]
        if not any(part in (node.attributes.get("href") or "#") for part in _NO_ANCESTOR)
    ]
    return [title for title in dict.fromkeys(found) if title not in own]


def _comments(tree: LexborHTMLParser) -> list[Comment]:
    nodes = tree.css('#comments-section .comment[id^="comment-"], [data-testid=comment-container]')
    made = (_comment(node) for node in nodes[:MOST_COMMENTS])
    return [each for each in made if each is not None]


def _comment(node: LexborNode) -> Comment | None:
    body = html_of(node, ".comment-content", ".ak-renderer-document")
    if not body:
        return None
    stamp = node.css_first(".comment-date, time")
    date = date_of(node, "time", ".comment-date")
    shown = one_line(stamp.text()) if stamp is not None else ""
    return Comment(text_of(node, ".author"), date or shown, with_tasks(body))
