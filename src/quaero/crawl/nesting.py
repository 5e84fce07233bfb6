"""Whether markup can be made into a tree in bounded time and memory.

The tree construction of HTML is quadratic in three ways that a hostile or broken page can use:
elements nested very deeply (each start tag walks the open ones), formatting elements left open
(each new block gets copies of them: 1,500 pairs of `<b><p>` make a million nodes) and tags with
very many attributes (each is compared with those before: 100,000 take 15 s). This module estimates
them from the tags alone, in linear passes, before anything is built. Markup that is too short or
has too few tags to cost much is not looked at. Of very many tags, with hardly a word each, the tree
and what is written of it would take more memory than a helper has.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from quaero.crawl.name_sets import names

MAX_DEPTH = 400
MAX_ATTRIBUTES = 1000
_FEW_TAGS = 1500
_SOME_TAGS = 4000
_MANY_TAGS = 15_000
_MOST_ELEMENTS = 1_000_000  # of about a kilobyte each
_FEW_OPEN = 700
_MAX_COPIES = 500_000

_RAW = "script|style|textarea|title|xmp|iframe|noembed|noframes|noscript"
# A comment, or an element of raw text, that is not closed goes on to the end (WHATWG HTML 13.2.5).
_TAG = re.compile(
    rf"<!--(?:-?>|.*?(?:--!?>|\Z))|<({_RAW})(?=[\s/>])(.*?)(?:</\1(?=[\s/>])|\Z)|<(/?[a-z][^\s/>]*)",
    re.DOTALL | re.IGNORECASE,
)
_UNSEEN = re.compile(
    r"<!--(?:-?>|.*?(?:--!?>|\Z))|<(script|style)(?=[\s/>]).*?(?:</\1(?=[\s/>])|\Z)",
    re.DOTALL | re.IGNORECASE,
)
_ATTRIBUTE = r"""[\s/]*+[^\s/>][^\s/>=]*+(?:\s*+=\s*+(?:"[^"]*+"|'[^']*+'|(?!["'])[^\s>]*+))?+"""
# All of the markup before the first tag that has too many.
_FEW_ATTRIBUTES = re.compile(
    rf"(?:[^<]++|<(?![a-z])|<[a-z][^\s/>]*+(?:{_ATTRIBUTE}){{0,{MAX_ATTRIBUTES}}}+(?!{_ATTRIBUTE}))*+",
    re.IGNORECASE,
)
_ANY_TAG = re.compile(r"<(/?[a-z][^\s/>]*)", re.IGNORECASE)
_NOTHING_RAW = names("svg math select")  # within these `<title>` and the like hold markup
_FORMATTING = names("b big code em font i s small strike strong tt u")
_FORMATTING_START = re.compile(rf"<(?:{'|'.join(sorted(_FORMATTING))})[\s/>]", re.IGNORECASE)
_CELLS = names("td th tr")
# Elements without children, or whose end the parser supplies, do not nest in themselves.
_SHALLOW = names(
    "area base basefont bgsound br col embed frame hr img input keygen link meta param source track"
    " wbr path rect circle line polygon polyline ellipse use stop p li dt dd tr td th thead tbody"
    " tfoot option optgroup colgroup caption rt rp body html head a nobr button h1 h2 h3 h4 h5 h6"
)


def is_treacherous(markup: str) -> bool:
    """Say whether building a tree of `markup` could cost far more than its length."""
    if _has_many_attributes(markup):
        return True
    tags = markup.count("<")
    if tags <= _FEW_TAGS:
        return False
    if tags > _MOST_ELEMENTS and tags - markup.count("</") > _MOST_ELEMENTS:
        return True
    if tags <= _SOME_TAGS and tags - 2 * markup.count("</") <= _FEW_OPEN:
        return False
    if tags <= _MANY_TAGS:
        formatting = len(_FORMATTING_START.findall(markup))
        if formatting * (tags - formatting) <= 2 * _MAX_COPIES:
            return False
    return _exceeds(markup)


def _has_many_attributes(markup: str) -> bool:
    """Whether a tag has them; what looks so in a script or a comment is none.

    Within `<svg>` and the like a script may hold tags, so where there are any all is looked at.
    """
    if len(markup) <= 2 * MAX_ATTRIBUTES or _has_few(markup):
        return False
    lowered = markup.lower()
    if any(f"<{name}" in lowered for name in _NOTHING_RAW):
        return True
    return not _has_few(_UNSEEN.sub("<!---->", markup))


def _has_few(markup: str) -> bool:
    before = _FEW_ATTRIBUTES.match(markup)
    return before is not None and before.end() == len(markup)


def _exceeds(markup: str) -> bool:
    """Follow the open elements through the tags, as the parser would in the main."""
    opened: list[str] = []
    formatting = copies = 0
    outside: list[int] = []  # formatting left open outside of each open table
    for name in _tags(markup, opened):
        copies += formatting
        if name[0] == "/":
            ended = name[1:]
            if ended in _FORMATTING:
                formatting = max(0, formatting - 1)
            elif ended == "table" and outside:
                formatting = outside.pop()
            _close(opened, ended)
        elif name in _CELLS and outside:
            formatting = 0  # what the last cell left open ends with it
            while opened[-1] != "table":
                opened.pop()
        elif name in _SHALLOW:
            continue
        else:
            opened.append(name)
            if name in _FORMATTING:
                formatting += 1
            elif name == "table":
                outside.append(formatting)
            if len(opened) > MAX_DEPTH:
                return True
    return copies > _MAX_COPIES


def _tags(markup: str, opened: Sequence[str]) -> Iterator[str]:
    """The tags in lower case, those in comments and raw text left out."""
    for raw, within, written in _TAG.findall(markup):
        if written:
            yield written.lower()
        elif raw and not _NOTHING_RAW.isdisjoint(opened):
            yield from (tag.lower() for tag in _ANY_TAG.findall(within))


def _close(opened: list[str], name: str) -> None:
    """Close the innermost element of that name, but none outside of the open table."""
    for place in range(len(opened) - 1, -1, -1):
        if opened[place] == name:
            del opened[place:]
            return
        if opened[place] == "table":
            return
