"""The references a page makes to other documents, as it writes them.

Strings and nothing more: they are resolved and judged only when the crawl wants them. References
into the page itself are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from html import unescape

from selectolax.lexbor import LexborHTMLParser

MAX_LINKS = 10_000

_ALL = "a[href], area[href], frame[src], iframe[src]"
# What occurs in the source of a page with any but the first; few pages have them.
_RARE = ("<area", "frame ", "<AREA", "FRAME ")
# WHATWG HTML 4.2.5.3: a time, then an address, before which `url=` may stand, in quotes or not.
_REFRESH = re.compile(
    r"""\s*+(?:\d[\d.]*+|\.[\d.]*+)(?:\s*+[;,]\s*+|\s++)(?:url\s*+=\s*+)?+"""
    r"""(?:"([^"]*)|'([^']*)|([^"'].*))""",
    re.IGNORECASE | re.DOTALL,
)
_FOLLOWED_RELATIONS = frozenset({"next", "prev"})
_EMBEDDED_ONLY = ("about:", "data:", "blob:", "javascript:")
_IN_TEXT = re.compile(
    r"""<(?:a|area)\s[^<>]{0,2000}?\bhref\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>"']+))""",
    re.IGNORECASE,
)
_IN_MARKDOWN = re.compile(
    r"\]\(\s*<?([^\s()<>]+(?:\([^\s()]*\)[^\s()<>]*)*)>?|(https?://[^\s<>\"'`\])}]+)"
)


def of_tree(tree: LexborHTMLParser, source: str) -> list[tuple[str, bool]]:
    """Return (reference, nofollow) in document order, each reference once, at most `MAX_LINKS`.

    `source` is what the tree was built from. A reference that occurs both with and without
    `nofollow` may be followed.
    """
    found: dict[str, bool] = {}
    judged = "nofollow" in source
    for reference in _of_head(tree):
        found[reference] = False
    for node in tree.css(_ALL if any(mark in source for mark in _RARE) else "a[href]"):
        said = node.attrs
        embeds = node.tag not in {"a", "area"}
        # `a[href]` finds the links of SVG 1.1 as well, which are written `xlink:href`
        written = said.get("src") if embeds else said.get("href", said.get("xlink:href"))
        reference = (written or "").strip()
        nofollow = judged and not embeds and _forbids(said.get("rel"))
        if embeds and reference.lower().startswith(_EMBEDDED_ONLY):
            continue
        if not reference or reference[0] == "#":
            continue
        if reference in found:
            found[reference] = found[reference] and nofollow
        elif len(found) < MAX_LINKS:
            found[reference] = nofollow
        else:
            break
    return list(found.items())


def _forbids(relations: str | None) -> bool:
    return "nofollow" in (relations or "").lower().split()


def of_source(source: str) -> list[tuple[str, bool]]:
    """Return what `of_tree` would, roughly, from markup that no tree is built of."""
    return _unique(unescape(m[1] or m[2] or m[3] or "") for m in _IN_TEXT.finditer(source))


def of_plain_text(text: str) -> list[tuple[str, bool]]:
    """Return the Markdown links and bare addresses in a text."""
    found = _IN_MARKDOWN.finditer(text)
    return _unique(m[1] or m[2].rstrip(".,;:!?") for m in found)


def _unique(references: Iterable[str]) -> list[tuple[str, bool]]:
    found: dict[str, bool] = {}
    for reference in references:
        text = reference.strip()
        if text and text[0] != "#":
            found[text] = False
            if len(found) == MAX_LINKS:
                break
    return list(found.items())


def _of_head(tree: LexborHTMLParser) -> Iterator[str]:
    """Go through what the head says of the next and previous page, or of another in its place."""
    for node in tree.head.css("link[rel], meta[http-equiv]") if tree.head is not None else ():
        said = node.attributes
        reference = ""
        if node.tag == "link":
            if _FOLLOWED_RELATIONS & set((said.get("rel") or "").lower().split()):
                reference = said.get("href") or ""
        elif (said.get("http-equiv") or "").lower() == "refresh":
            target = _REFRESH.match(said.get("content") or "")
            reference = target[1] or target[2] or target[3] or "" if target else ""
        if reference.strip()[:1] not in {"", "#"}:
            yield reference.strip()
