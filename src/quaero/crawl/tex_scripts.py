"""Formulas that a page holds in scripts, as older kramdown and Python-Markdown write them.

`<script type="math/tex">` is TeX for MathJax 2 to set in its place (its tex2jax preprocessor leaves
the same behind). Before a tree is built such scripts become the elements of other generators, so
that no reader takes them for programs.
"""

from __future__ import annotations

import re
from html import escape, unescape

# Every script, as what looks like one within another is none.
_SCRIPT = re.compile(
    r"<script(?=[\s>])([^<>]{0,2000})>(.*?)(?:</script\s*>|\Z)", re.DOTALL | re.IGNORECASE
)
_TYPE = re.compile(r"""\stype\s*=\s*["']?math/tex\b([^"'>]*)""", re.IGNORECASE)
_SECTION = re.compile(r"%?[ \t]*(?:<!\[CDATA\[|\]\]>)")


def with_formulas(source: str) -> str:
    """Return the markup with formulas in place of the scripts that hold them."""
    return _SCRIPT.sub(_as_element, source) if "math/tex" in source else source


def _as_element(match: re.Match[str]) -> str:
    kind = _TYPE.search(match[1])
    if kind is None:
        return match[0]
    tex = escape(unescape(_SECTION.sub("", match[2])).strip(), quote=False)
    if "display" in kind[1].lower():
        return rf'<div class="math">\[{tex}\]</div>'
    return rf'<span class="math">\({tex}\)</span>'
