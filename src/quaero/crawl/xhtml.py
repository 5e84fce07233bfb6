"""XHTML as markup that a parser of HTML takes for the same.

In XML an element without content may end in its start tag, whatever it is called. A parser of HTML
takes such a tag for a start only, and all that follows for what is in it: behind `<script/>` or
`<title/>` nothing would be left of a page.
"""

from __future__ import annotations

import re
from html import escape

from quaero.crawl.name_sets import names

CHILDLESS = names(
    "area base basefont bgsound br col embed frame hr img input keygen link meta param source track"
    " wbr"
)
"""The elements that have no end tag in HTML."""

_ATTRIBUTE = r"""\s++[^\s=/<>"']++\s*+=\s*+(?:"[^"]*+"|'[^']*+')"""
_PART = re.compile(
    rf"<!--.*?(?:-->|\Z)|<!\[CDATA\[(.*?)(?:\]\]>|\Z)|<([A-Za-z][\w.:-]*+)((?:{_ATTRIBUTE})*+)\s*+/>",
    re.DOTALL,
)


def as_html(source: str) -> str:
    """Return the markup with an end tag for each element that has none, CDATA sections as text."""
    return _PART.sub(_as_html, source)


def _as_html(match: re.Match[str]) -> str:
    section, name, attributes = match.groups()
    if section is not None:
        return escape(section, quote=False)
    if name is None or name.lower() in CHILDLESS:
        return match[0]
    return f"<{name}{attributes}></{name}>"
