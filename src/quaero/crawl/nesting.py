"""Whether markup can be made into a tree in bounded time and memory.

The tree construction of HTML is quadratic in two ways that a hostile or broken page can use:
elements nested very deeply (each start tag walks the open ones) and formatting elements left open
(each new block gets copies of them). This module estimates both from the tags alone, in one linear
pass, before anything is built. Markup with few tags is not looked at: it cannot cost much.
"""

from __future__ import annotations

import re

MAX_DEPTH = 400
_FEW_TAGS = 1500
_MAX_COPIES = 500_000

_TAG = re.compile(
    r"<(?:(/?[a-zA-Z][^\s/>]*)|!--.*?-->)"
    r"(?:(?<=script)\b.*?</script|(?<=style)\b.*?</style|(?<=textarea)\b.*?</textarea)?",
    re.DOTALL | re.IGNORECASE,
)
_CHILDLESS = frozenset(
    "area base basefont bgsound br col embed frame hr img input keygen link meta param source track"
    " wbr path rect circle line polygon polyline ellipse use stop".split()
)
_END_OPTIONAL = frozenset(
    "p li dt dd tr td th thead tbody tfoot option optgroup colgroup caption rt rp body html head"
    " a nobr button h1 h2 h3 h4 h5 h6".split()
)
_FORMATTING = frozenset("b big code em font i s small strike strong tt u".split())


def is_treacherous(markup: str) -> bool:
    """Say whether building a tree of `markup` could cost far more than its length."""
    return markup.count("<") > _FEW_TAGS and _exceeds(markup)


def _exceeds(markup: str) -> bool:
    opened: list[str] = []
    formatting = copies = 0
    outside: list[int] = []  # formatting left open outside of each open table
    for match in _TAG.finditer(markup):
        name = match[3]
        if name is None:
            continue
        name = name.lower()
        copies += formatting
        if match[2]:
            if name in _FORMATTING:
                formatting = max(0, formatting - 1)
            elif name == "table" and outside:
                formatting = outside.pop()
            _close(opened, name)
        elif name in {"td", "th"} and outside:
            formatting = 0
        elif name not in _CHILDLESS and name not in _END_OPTIONAL:
            opened.append(name)
            if name in _FORMATTING:
                formatting += 1
            elif name == "table":
                outside.append(formatting)
        if len(opened) > MAX_DEPTH or copies > _MAX_COPIES:
            return True
    return False


def _close(opened: list[str], name: str) -> None:
    for place in range(len(opened) - 1, -1, -1):
        if opened[place] == name:
            del opened[place:]
            return
