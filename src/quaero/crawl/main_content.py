"""Where on a page its content is.

First what the page says of itself: the containers of known systems, `<main>`, `role=main`,
`<article>`. Each is looked for only if its mark occurs in the source at all. If nothing says so,
statistics on the tree: from the body downwards into the one part that holds nearly all text that
is not link text, leaving out link-dense and banner-like parts beside it. When in doubt, more is
kept: `chrome` drops the furniture inside of what is chosen.
"""

from __future__ import annotations

from collections.abc import Iterator

from selectolax.lexbor import LexborHTMLParser, LexborNode

# (what must occur in the source, selector), the more specific first.
_CONTAINERS = (
    ("mw-content-text", "#mw-content-text"),  # MediaWiki
    ("wiki-content", "#main-content.wiki-content"),  # Confluence
    ("issue-content", "#issue-content"),  # Jira
    ("markdown-body", "article.markdown-body"),  # GitHub files
    ("main", "main, [role=main]"),
    ("md-content", ".md-content"),  # MkDocs Material
    ("rst-content", ".rst-content"),  # Read the Docs
    ('class="body"', "div.documentwrapper div.body"),  # Sphinx
    ("doc-content", "#doc-content"),  # Doxygen
    ("main-outlet", "#main-outlet"),  # Discourse
    ("manual-text", ".manual-text"),  # mandoc
    ("articleBody", "[itemprop=articleBody]"),
    ("<article", "article"),
    ("entry-content", ".entry-content"),
    ("post-content", ".post-content"),
)
# Marks of pages whose body is the content once their navigation bars are left out.
_WHOLE_BODY = ("navheader", "navfooter", "contentContainer", "bottomNav")

_SCARCE = 250  # characters: less than this is checked against the rest of the page
_AMPLE = 1500  # with all its white space: more is believed at once
_SHARE = 4  # a scarce container is not believed if the rest has this many times its text
_HOLDS = 0.8  # of the text that is not link text, to be worth going into
_LEVELS = 40
_UNSEEN = ["script", "style", "noscript", "template", "svg", "head"]
_PAGE_PARTS = "nav, body > header, body > footer, body > div > header, body > div > footer, aside"


def main_node(tree: LexborHTMLParser, source: str) -> LexborNode | None:
    """Return the element that holds the page's content; None for a page without a body.

    `source` is the text the tree was built from. The node may be a copy of one of the tree.
    """
    body = tree.body
    if body is None:
        return None
    for found in _declared(tree, source):
        if _is_believable(found, body):
            return found
    if any(mark in source for mark in _WHOLE_BODY):
        return body
    return _by_statistics(body.clone())


def _declared(tree: LexborHTMLParser, source: str) -> Iterator[LexborNode]:
    """Go through the containers that there is one of on the page."""
    for mark, selector in _CONTAINERS:
        if mark in source:
            outermost = _outermost(tree.css(selector))
            if len(outermost) == 1:
                yield outermost[0]


def _outermost(nodes: list[LexborNode]) -> list[LexborNode]:
    """Keep the nodes, given in document order, that lie in none of the others."""
    if len(nodes) < 2:
        return nodes
    kept: list[LexborNode] = []
    known: set[int] = set()
    for node in nodes:
        above = node.parent
        while above is not None and above.mem_id not in known:
            above = above.parent
        if above is None:
            kept.append(node)
            known.add(node.mem_id)
    return kept


def _is_believable(found: LexborNode, body: LexborNode) -> bool:
    """Say whether the container holds text, and not a scrap of a page full of it."""
    if len(found.text_lexbor()) >= _AMPLE:
        return True
    length = len(found.text(strip=True))
    if length >= _SCARCE:
        return True
    if length == 0:
        return found.css_first("img, table, iframe") is not None
    return _prose_length(body) <= _SHARE * _SCARCE or _prose_length(body) <= _SHARE * length


def _prose_length(node: LexborNode) -> int:
    """Count the characters of text that are neither link text nor unseen."""
    unseen = sum(len(part.text(strip=True)) for part in node.css("script, style, nav, noscript"))
    return len(node.text(strip=True)) - _link_length(node) - unseen


def _link_length(node: LexborNode) -> int:
    return sum(len(link.text(strip=True)) for link in node.css("a"))


def _by_statistics(body: LexborNode) -> LexborNode:
    """Drop link-dense parts beside the one that holds the text; keep the body else."""
    body.strip_tags(_UNSEEN)
    whole = len(body.text(strip=True))
    if _prose_length(body) < whole / 3:
        return body  # a page of links: they are its content
    for part in body.css(_PAGE_PARTS):
        if not _holds_most(part, whole):
            part.decompose()
    node = body
    for _ in range(_LEVELS):
        inner = _heaviest(node)
        if inner is None:
            break
        for beside in list(_children(node)):
            if beside.mem_id != inner.mem_id and _is_furniture(beside):
                beside.decompose()
        node = inner
    return body


def _holds_most(part: LexborNode, whole: int) -> bool:
    return _prose_length(part) > whole / 2


def _heaviest(node: LexborNode) -> LexborNode | None:
    """Return the child that holds nearly all of the node's prose, if one does."""
    total = _prose_length(node)
    for child in _children(node):
        if _prose_length(child) > _HOLDS * total:
            return child
    return None


def _children(node: LexborNode) -> Iterator[LexborNode]:
    child = node.first_child
    while child is not None:
        following = child.next
        if child.is_element_node:
            yield child
        child = following


def _is_furniture(node: LexborNode) -> bool:
    """Say whether a part beside the content is navigation: links, and hardly any text else."""
    if node.tag in {"h1", "h2", "h3", "p", "pre", "table", "blockquote", "dl", "figure"}:
        return False
    links = len(node.css("a"))
    return links >= 3 and _prose_length(node) < _link_length(node) / 2 and not _has_h1(node)


def _has_h1(node: LexborNode) -> bool:
    return node.css_first("h1") is not None
