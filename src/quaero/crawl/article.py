"""The text of a page that says it is an article: of a newspaper, a magazine, a blog.

Around the text of such a page stands what leads on: other stories, most read ones, comments, forms
for newsletters, words about the author. Little of it is marked as furniture, and much of it lies
within the container that the page declares. So the part is looked for that has the paragraphs as
its children, as readers of articles have done since Arc90's Readability; what stands beside the way
there, or is named like something to go on to, is left out. Pages of documentation do not say that
they are articles, and are not looked at here.
"""

from __future__ import annotations

import re
from itertools import pairwise

from selectolax.lexbor import LexborNode

from quaero.crawl.tree_parts import children, link_length

_MARKS = ("og:type", "Article", "BlogPosting")
_SAYS_SO = re.compile(
    r"""<meta\s[^<>]{0,200}og:type["']?\s[^<>]{0,100}content\s*=\s*["']?(?:article|news|blog)"""
    r"""|<meta\s[^<>]{0,100}content\s*=\s*["']?(?:article|news|blog)["']?\s[^<>]{0,100}og:type"""
    r"""|"@type"\s{0,9}:\s{0,9}\[?\s{0,9}"(?:[A-Za-z]{0,20}NewsArticle|(?:Live)?BlogPosting|Article)\""""
    r"""|itemtype\s{0,9}=\s{0,9}["']?https?://schema\.org/(?:NewsArticle|BlogPosting)""",
    re.IGNORECASE,
)

_MARKED = "p, blockquote, pre"
_LOOSE = "div, section, article, main, span, td, dd"
_PARTS = "div, section, aside, ul, ol, footer, nav, form, header, table, figure"
_LISTS = frozenset({"ul", "ol", "table"})
_TEXTUAL = frozenset({"h1", "h2", "h3", "h4", "p", "pre", "blockquote", "dl", "figure"})
_COMMENTS = (
    "#comments, #commentsContainer, #disqus_thread, #respond, .comments-area, .comments-container,"
    " .comment-list, .commentlist, .post-comments, .comments-section"
)

_MOST_MARKUP = 1024 * 1024  # characters: no article is longer, and parts are read once a level
_LONG = 40  # characters that are not link text: a paragraph, and no caption or button
_BODY = 200  # characters directly in a part: it holds its paragraphs without marks
_SHARES = (1.0, 0.5, 0.3)  # of a paragraph's length, for its parent and those above
_CLOSE = 0.2  # of the largest cluster: another part of the same text
_LEAD = 600  # characters before the text that may be its first words
_SMALL = 0.25  # of the text: a part with more of it is left out by no name

_NAMED = re.compile(
    r"(?:^|[\s_-])(?:"
    r"related|recommend(?:ed|ations?|s)?|recirc\w*|trending|popular|promos?|sponsored|outbrain"
    r"|taboola|newsletters?|signup|sign-up|subscri(?:be|ption)|comments?|commenting|disqus|respond"
    r"|replies|shar(?:e|ing)|social|follow|sidebar|side-bar|rail|aside|bylines?|authors?|bio|tags"
    r"|tag-list|breadcrumbs?|pagination|paging|copyright|masthead|ads?|advert\w*|banner|most-read"
    r"|most-(?:popular|viewed)|more-(?:from|on|news|stories)|read-?(?:more|next|also)|also-like"
    r"|next-?(?:up|prev\w*|click)?|prev-next|you-may|in-other-news|gallery|slideshow|print-\w+"
    r"|meta|timestamp|dateline|footer|footnav|widgets?|teasers?|login|register|paywall|disclaimer"
    r"|captions?|credit|playlist|videos?"
    r")(?=$|[\s_-])",
    re.IGNORECASE,
)
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")

Clusters = dict[int, tuple[LexborNode, float]]
"""Parts and how much text their paragraphs hold together, by the part's identity."""


def is_article(source: str) -> bool:
    """Say whether the page calls itself an article (Open Graph, schema.org)."""
    if len(source) > _MOST_MARKUP or not any(mark in source for mark in _MARKS):
        return False
    return _SAYS_SO.search(source) is not None


def text_of_article(node: LexborNode) -> LexborNode:
    """Return the part `node`, which is changed: all that is not the article's text is gone."""
    for part in node.css(_COMMENTS):
        if part.css_first("h1") is None:
            part.decompose()
    clusters = _clusters(node)
    if not clusters:
        return node
    best, most = max(clusters.values(), key=lambda each: each[1])
    way = _way(node, best)
    _clear(way, most)
    _prune(node, way)
    return node


def _clusters(node: LexborNode) -> Clusters:
    """The parts that have paragraphs, each paragraph counted for its parent most."""
    found: Clusters = {}

    def add(part: LexborNode | None, length: float) -> None:
        for share in _SHARES:
            if part is None:
                return
            found[part.mem_id] = (part, found.get(part.mem_id, (part, 0.0))[1] + share * length)
            part = part.parent

    for part in node.css(_MARKED):
        length = _own_length(part)
        if length >= _LONG:
            add(part.parent, length)
    for part in node.css("li"):
        length = _direct_length(part)
        if length >= _LONG and part.parent is not None:
            add(part.parent.parent, length / 2)
    for part in node.css(_LOOSE):
        length = _direct_length(part)
        if length >= _BODY:
            add(part, length)
        elif length >= _LONG:
            add(part.parent, length)
    return found


def _way(node: LexborNode, best: LexborNode) -> list[LexborNode]:
    """The parts from `node` down to `best`, both of them included."""
    way = [best]
    while way[-1].mem_id != node.mem_id and way[-1].parent is not None:
        way.append(way[-1].parent)
    return way[::-1]


def _clear(way: list[LexborNode], most: float) -> None:
    """Leave out what stands beside the way to the text and does not belong to it."""
    for trunk, inner in pairwise(way):
        before = True
        for beside in list(children(trunk)):
            if beside.mem_id == inner.mem_id:
                before = False
            elif not _belongs(beside, most, before=before):
                beside.decompose()


def _belongs(node: LexborNode, most: float, *, before: bool) -> bool:
    """Say whether a part beside the text is of it: its title, its first words, more of it."""
    if node.tag in _TEXTUAL or (before and node.css_first("h1") is not None):
        return True
    if _is_named(node) or _is_links(node):
        return False
    if before and len(node.text(strip=True)) <= _LEAD:
        return True
    return max((length for _, length in _clusters(node).values()), default=0.0) >= _CLOSE * most


def _prune(node: LexborNode, way: list[LexborNode]) -> None:
    """Leave out small parts within the text that are named so or are links; not its own lists."""
    above = {part.mem_id for part in way}
    title = node.css_first("h1")
    kept = above | ({part.mem_id for part in _way(node, title)} if title is not None else set())
    most = _SMALL * _own_length(node)
    gone: set[int] = set()
    for part in node.css(_PARTS):
        if part.mem_id in gone or part.mem_id in kept:
            continue
        is_own_list = part.tag in _LISTS and part.parent is not None and part.parent.mem_id in above
        leads_on = _is_named(part) or (not is_own_list and _is_links(part))
        if leads_on and _own_length(part) <= most:
            gone.update(inner.mem_id for inner in part.css(_PARTS))
            part.decompose()


def _own_length(node: LexborNode) -> int:
    """Count the characters of text that is no link's."""
    return len(node.text(strip=True)) - link_length(node)


def _direct_length(node: LexborNode) -> int:
    return len(node.text(deep=False, strip=True))


def _is_named(node: LexborNode) -> bool:
    """Say whether the part is named like something to go on to; what is embedded is content."""
    said = node.attributes
    name = f"{said.get('class') or ''} {said.get('id') or ''}"
    return (
        len(name) > 1 and "embed" not in name and _NAMED.search(_CAMEL.sub("-", name)) is not None
    )


def _is_links(node: LexborNode) -> bool:
    """Say whether a part is links, and hardly a word else."""
    links = link_length(node)
    length = len(node.text(strip=True))
    return links > 0 and length - links < links / 2 and len(node.css("a")) >= 2
