"""Where on a page its content is.

First what the page says of itself: the containers of known systems, `<main>`, `role=main`,
`<article>`. Each is looked for only if its mark occurs in the source at all. If nothing says so,
statistics on the tree: without side bars and bars of links to neighbouring pages, from the body
downwards into the one part that holds nearly all text that is not link text, leaving out link-dense
and banner-like parts beside it, but no section of the same text. When in doubt, more is kept:
`chrome` drops the furniture inside of what is chosen.
"""

from __future__ import annotations

from collections.abc import Iterator

from selectolax.lexbor import LexborHTMLParser, LexborNode

from quaero.crawl.article import is_article, text_of_article
from quaero.crawl.name_sets import names
from quaero.crawl.tree_parts import children, link_length

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
    ("page-content", "#page-content"),  # Apache
    ("apicontent", "#apicontent"),  # Node.js
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
_MANY = 5  # parts called the same are entries of one text
_UNSEEN = ["script", "style", "noscript", "template", "svg", "head"]
_PAGE_PARTS = "nav, body > header, body > footer, body > div > header, body > div > footer, aside"
# Side bars by name: left out if they are mostly links, however large they are beside the text.
_BARS = ".sidebar, #sidebar, #leftnav, #tocframe, #column2, .mainmenu, .submenu, .navigationbar"
# A link to the next, the previous or the upper page says so in its `rel` or by its key (HTML 4.01,
# 6.12 and 17.11.2); a part in which there is little but such links is a navigation bar.
_STEPS = (("accesskey=", "a[accesskey]"), ("rel=", "a[rel]"))
_STEP_NAMES = names("next prev previous up start top first last contents index home")
_STEP_KEYS = names("n p u h t")
_BAR_WORDS = 100  # characters of text in a bar that are not of its links
_NOT_IN_BARS = "h1, h2, h3, h4, pre, dl, ol"


def main_node(tree: LexborHTMLParser, source: str) -> LexborNode | None:
    """Return the element that holds the page's content; None for a page without a body.

    `source` is the text the tree was built from. The node may be a copy of one of the tree.
    """
    body = tree.body
    if body is None:
        return None
    of_article = is_article(source)
    for found in _declared(tree, source):
        if _is_believable(found, body):
            return text_of_article(found.clone()) if of_article else found
    if not of_article and any(mark in source for mark in _WHOLE_BODY):
        return body
    node = _by_statistics(body.clone(), source)
    return text_of_article(node) if of_article else node


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
    return len(node.text(strip=True)) - link_length(node) - unseen


def _by_statistics(body: LexborNode, source: str) -> LexborNode:
    """Drop link-dense parts beside the one that holds the text; keep the body else."""
    body.strip_tags(_UNSEEN)
    whole = len(body.text(strip=True))
    for part in body.css(_PAGE_PARTS):
        if not _holds_most(part, whole):
            part.decompose()
    for bar in _outermost(body.css(_BARS)):
        if _is_mostly_links(bar):
            bar.decompose()
    for bar in _step_bars(body, source):
        bar.decompose()
    if _prose_length(body) < len(body.text(strip=True)) / 3:
        return body  # a page of links: they are its content
    node = body
    for _ in range(_LEVELS):
        inner = _heaviest(node)
        if inner is None:
            break
        kept = _alike(inner)
        for beside in list(children(node)):
            if beside.mem_id not in kept and _is_furniture(beside):
                beside.decompose()
        node = inner
    return body


def _step_bars(body: LexborNode, source: str) -> list[LexborNode]:
    """Return the outermost parts that hold links to neighbouring pages and hardly a word else."""
    bars: dict[int, LexborNode] = {}
    judged: dict[int, bool] = {}
    for mark, selector in _STEPS:
        for link in filter(_is_step, body.css(selector) if mark in source else ()):
            bar = _bar_around(link, judged)
            if bar is not None:
                bars[bar.mem_id] = bar
    return list(bars.values())


def _is_step(link: LexborNode) -> bool:
    said = link.attributes
    names_it = not _STEP_NAMES.isdisjoint((said.get("rel") or "").lower().split())
    return names_it or (said.get("accesskey") or "").lower() in _STEP_KEYS


def _bar_around(link: LexborNode, judged: dict[int, bool]) -> LexborNode | None:
    """Return the largest part around the link that may be a bar, None if it stands in a text.

    Each part is judged once, so that many links cost no more than a few.
    """
    bar, above = None, link.parent
    while above is not None and above.tag != "body":
        if above.mem_id not in judged:
            judged[above.mem_id] = _may_be_bar(above)
        if not judged[above.mem_id]:
            break
        bar, above = above, above.parent
    return bar


def _may_be_bar(node: LexborNode) -> bool:
    if len(node.text_lexbor()) > _AMPLE or _prose_length(node) > _BAR_WORDS:
        return False
    return node.css_first(_NOT_IN_BARS) is None


def _holds_most(part: LexborNode, whole: int) -> bool:
    return _prose_length(part) > whole / 2


def _heaviest(node: LexborNode) -> LexborNode | None:
    """Return the child that holds nearly all of the node's prose, if one does."""
    total = _prose_length(node)
    for child in children(node):
        if _prose_length(child) > _HOLDS * total:
            return child
    return None


def _alike(node: LexborNode) -> set[int]:
    """Return the node and what stands beside it as it does: sections, or entries of a reference.

    They have its name and its class, and begin with headings as it does or are many.
    """
    name = node.attributes.get("class")
    others = children(node.parent) if name and node.parent is not None else ()
    alike = [
        each for each in others if each.tag == node.tag and each.attributes.get("class") == name
    ]
    if len(alike) < _MANY and not all(map(_begins_with_heading, alike)):
        return {node.mem_id}
    return {node.mem_id, *(each.mem_id for each in alike)}


def _begins_with_heading(node: LexborNode) -> bool:
    first = next((child for child in children(node) if child.tag not in {"a", "span"}), None)
    return first is not None and first.tag in {"h1", "h2", "h3", "h4"}


def _is_furniture(node: LexborNode) -> bool:
    """Say whether a part beside the content is navigation: links, and hardly any text else."""
    if node.tag in {"h1", "h2", "h3", "p", "pre", "table", "blockquote", "dl", "figure"}:
        return False
    return _is_mostly_links(node) and node.css_first("h1, pre") is None


def _is_mostly_links(node: LexborNode) -> bool:
    return len(node.css("a")) >= 3 and _prose_length(node) < link_length(node) / 2
