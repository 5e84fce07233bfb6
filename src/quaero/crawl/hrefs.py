"""The references a page makes to other documents, as it writes them.

Strings and nothing more: they are resolved and judged only when the crawl wants them. References
into the page itself are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import unescape

from selectolax.lexbor import LexborHTMLParser

MAX_LINKS = 10_000

_SELECTOR = "a[href], area[href], frame[src], iframe[src], link[rel], meta[http-equiv]"
# What occurs in the source of a page with any but the first; few pages have them.
_RARE = ("<area", "frame", "next", "prev", "refresh", "<AREA", "FRAME", "NEXT", "PREV", "REFRESH")
_REFRESH = re.compile(r"^\s*[\d.]*\s*[;,]?\s*url\s*=\s*[\"']?([^\"']+)", re.IGNORECASE)
_FOLLOWED_RELATIONS = frozenset({"next", "prev"})
_EMBEDDED_ONLY = ("about:", "data:", "blob:", "javascript:")
_IN_TEXT = re.compile(
    r"""<(?:a|area)\s[^>]{0,2000}?\bhref\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>"']+))""", re.IGNORECASE
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
    for node in tree.css(_SELECTOR if any(mark in source for mark in _RARE) else "a[href]"):
        said = node.attrs
        if node.tag == "a":
            reference = (said["href"] or "").strip()
            nofollow = judged and _forbids(said.get("rel"))
        else:
            reference = _other(node.tag or "", node.attributes).strip()
            nofollow = judged and node.tag == "area" and _forbids(said.get("rel"))
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


def _other(name: str, said: dict[str, str | None]) -> str:
    if name == "link":
        relations = set((said.get("rel") or "").lower().split())
        return (said.get("href") or "") if relations & _FOLLOWED_RELATIONS else ""
    if name == "meta":
        refreshes = (said.get("http-equiv") or "").lower() == "refresh"
        target = _REFRESH.match(said.get("content") or "") if refreshes else None
        return target[1] if target else ""
    if name == "area":
        return said.get("href") or ""
    source = (said.get("src") or "").strip()
    return "" if source.lower().startswith(_EMBEDDED_ONLY) else source
