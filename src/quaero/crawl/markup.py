"""The serialised tree as a stream of tags and texts.

lexbor writes a tree back as markup of one exact form: every element but the childless ones is
closed, attributes are `name="value"`, and `<` and `>` appear in texts and values only as character
references. So one regular expression splits it without loss, and a walk over the pieces sees what
a walk over the tree would, without making an object of each node and without recursion.
"""

from __future__ import annotations

import re
from functools import lru_cache
from html import unescape
from typing import NamedTuple

from quaero.crawl.chrome import is_chrome
from quaero.crawl.code_language import language_of
from quaero.crawl.name_sets import names
from quaero.crawl.xhtml import CHILDLESS

# Their content is written as it is, so it is taken into the tag's piece.
_RAW = ("script", "style", "iframe", "noembed", "noframes", "noscript", "xmp", "plaintext")
_SPLIT = re.compile(
    r"<((?:[^>!sinpx]|s[^>ct]|i[^>f]|n[^>o]|p[^>l])[^>]*|!--.*?--|"
    + "|".join(rf"{name}(?=[ >]).*?</{name}" for name in _RAW)
    + r"|[^>]*)>",
    re.DOTALL,
)
_ATTRIBUTE = re.compile(r' (=?[^\s=]*)="([^"]*)"')
_LONGEST_CACHED = 200

_NAMING_LANGUAGE = names("pre code div figure table section listing")

_ADMONITIONS = names(
    "admonition theme-admonition markdown-alert notecard admonitionblock"
    " confluence-information-macro ak-editor-panel starlight-aside callout"
)
_ADMONITION_NAMES = names("note tip warning caution important NOTE TIP WARNING CAUTION IMPORTANT")
_TITLES = names(
    "admonition-title markdown-alert-title starlight-aside__title callout-title"
    " admonition-heading title topic-title sidebar-title"
    " custom-block-title hint-container-title"
)
_TOCS = names("toc table-of-contents toctree localtoc contents page-toc toc-macro")
# Parts that Doxygen and javadoc name by a class.
_PARTS = {
    "headertitle": "heading", "memproto": "signature", "fragment": "fragment",
    "summary-table": "table", "col-first": "column", "col-second": "column", "col-last": "column",
    "col-constructor-name": "column", "col-summary-item-name": "column",
}  # fmt: skip
# What Confluence and Jira of the cloud name by an attribute.
_ATLASSIAN = {
    "data-ds--code--code-block": "pre", "data-task-local-id": "item", "data-emoji-text": "emoji",
}  # fmt: skip
_SPANS = {
    "math": "formula", "arithmatex": "formula", "classifier": "classifier",
    "lang": "code language", "language": "code language",
}  # fmt: skip
_CODE_TABLES = frozenset({"js-file-line-container", "hljs-ln"})

_KINDS = {
    "a": "link", "b": "strong", "strong": "strong", "em": "emphasis", "i": "emphasis",
    "cite": "emphasis", "dfn": "emphasis", "var": "emphasis", "del": "deleted", "s": "deleted",
    "strike": "deleted", "code": "code", "kbd": "code", "samp": "code", "tt": "code",
    "q": "quotation", "sup": "superscript", "sub": "subscript", "rt": "ruby",
    "img": "image", "br": "break", "hr": "rule", "input": "input", "math": "math",
    "pre": "pre", "listing": "pre", "xmp": "raw", "plaintext": "raw",
    "ul": "list", "ol": "list", "menu": "list", "dir": "list", "dl": "list",
    "li": "item", "dt": "term", "dd": "definition", "blockquote": "quote",
    "table": "table", "tr": "row", "td": "cell", "th": "cell", "caption": "title",
    "thead": "head", "summary": "title", "legend": "title", "footer": "footer", "button": "button",
    "label": "label",
}  # fmt: skip
_KINDS |= {f"h{level}": "heading" for level in range(1, 7)}
_BLOCKS = names(
    "address article aside body center details dialog div fieldset figcaption figure form frameset"
    " header hgroup html main marquee option optgroup p search section tbody tfoot"
    " colgroup"
)


class Element(NamedTuple):
    """What one start tag says: `kind` is how Markdown treats it, None that it adds nothing."""

    name: str
    kind: str | None
    attributes: dict[str, str]
    classes: frozenset[str]
    language: str
    is_chrome: bool
    is_chrome_in_code: bool
    is_childless: bool


def split(markup: str) -> list[str]:
    """Split serialised markup: texts at even places, tags (without brackets) at odd ones.

    Texts and values keep their character references.
    """
    return _SPLIT.split(markup)


def element(tag: str) -> Element:
    """Read a start tag as `split` gives it; a tag that recurs is read once."""
    return _remembered(tag) if len(tag) <= _LONGEST_CACHED else _read(tag)


def _read(tag: str) -> Element:
    name, _, rest = tag.partition(" ")
    raw = name.startswith(_RAW) and "</" in tag
    if raw or name.startswith("!--"):
        return _raw_element(tag)
    attributes = (
        {key: _value(value) for key, value in _ATTRIBUTE.findall(" " + rest)} if rest else {}
    )
    classes = frozenset(attributes.get("class", "").split())
    drops = is_chrome(name, attributes, classes)
    return Element(
        name,
        _kind(name, attributes, classes),
        attributes,
        classes,
        language_of(name, attributes) if attributes and name in _NAMING_LANGUAGE else "",
        drops,
        drops and is_chrome(name, attributes, classes, in_code=True),
        name in CHILDLESS,
    )


_remembered = lru_cache(maxsize=1024)(_read)


def _value(value: str) -> str:
    return unescape(value) if "&" in value else value


def _raw_element(tag: str) -> Element:
    kind = "raw" if tag.startswith(("xmp", "plaintext")) else None
    return Element(tag.split(">", 1)[0], kind, {}, frozenset(), "", False, False, True)


def _kind(name: str, attributes: dict[str, str], classes: frozenset[str]) -> str | None:
    """Return what the element is to Markdown, by its name and, where that says more, its class."""
    if classes:
        by_class = _kind_by_class(name, attributes, classes)
        if by_class is not None:
            return by_class
    if name in _KINDS:
        return _KINDS[name]
    if name in {"div", "span"} and attributes:
        if attributes.get("data-node-type") in {"actionList", "decisionList"}:
            return "list"
        named = next((kind for known, kind in _ATLASSIAN.items() if known in attributes), None)
        if named is not None:
            return named
    return "block" if name in _BLOCKS else None


def _kind_by_class(name: str, attributes: dict[str, str], classes: frozenset[str]) -> str | None:
    if name == "span":
        return next((kind for known, kind in _SPANS.items() if known in classes), None)
    if name in {"div", "aside", "section"}:
        if classes & _ADMONITIONS or (name != "section" and len(classes & _ADMONITION_NAMES) == 1):
            return "admonition"
        if classes & {"math", "arithmatex"}:
            return "formula"
        if not classes.isdisjoint({"syntaxhighlighter", "mermaid"}):
            return "pre"
        if not classes.isdisjoint(_PARTS):
            return next(kind for known, kind in _PARTS.items() if known in classes)
        if name == "div" and "footer" in classes:
            return "footer"
    if name == "dt" and "sig" in classes:
        return "signature"
    if name in {"div", "p"} and (
        classes & _TITLES or any(known.startswith("admonitionHeading") for known in classes)
    ):
        return "title"
    if name == "table" and classes & _CODE_TABLES:
        return "pre"
    if classes & _TOCS or attributes.get("id") in _TOCS:
        return "toc" if name in {"div", "ul", "ol", "section", "aside", "dl"} else None
    return None
