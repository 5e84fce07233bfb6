"""Markdown as HTML that is safe to show on our own pages, whoever wrote it.

Only elements and attributes of a list come out; HTML in the text is shown as text. Links lead to
http, https or mailto, in a new tab, and tell the other side nothing. Images are not loaded: they
are links. Headings have ids, so that an outline can lead to them.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

LONGEST = 300_000
DEEPEST = 20
SCHEMES = frozenset({"http", "https", "mailto"})
TAGS = frozenset(
    {
        "", "a", "blockquote", "br", "code", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "img",
        "li", "ol", "p", "pre", "s", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
    }
)  # fmt: skip
ATTRIBUTES = frozenset({"href", "id", "start", "title", "class"})
_LINK = {"rel": "noopener noreferrer nofollow", "target": "_blank"}
_LANGUAGE = re.compile(r"[A-Za-z0-9_+#.-]{1,40}")
_ALIGNED = {
    "text-align:left": "has-text-left",
    "text-align:center": "has-text-centered",
    "text-align:right": "has-text-right",
}


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of a text, by the id of its element."""

    level: int
    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Rendered:
    """HTML and its outline; `cut` tells that the text was too long and its end is missing."""

    html: str
    outline: list[Heading]
    cut: bool


def render(text: str) -> Rendered:
    """A Markdown text as HTML."""
    parser = _parser()
    tokens = parser.parse(text[:LONGEST])
    outline = _name_headings(tokens)
    _restrict(tokens)
    html: str = parser.renderer.render(tokens, parser.options, {})
    return Rendered(html, outline, len(text) > LONGEST)


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": DEEPEST})
    parser.enable(["table", "strikethrough"])
    parser.validateLink = _allowed  # type: ignore[method-assign, assignment]
    parser.add_render_rule("image", _image)
    return parser


def _allowed(address: str) -> bool:
    try:
        return urlsplit(address.strip()).scheme.lower() in SCHEMES
    except ValueError:
        return False


def _name_headings(tokens: Sequence[Token]) -> list[Heading]:
    outline: list[Heading] = []
    for token, inline in pairwise(tokens):
        if token.type == "heading_open":
            name = f"section-{len(outline) + 1}"
            token.attrs = {"id": name}
            words = "".join(_words(inline.children or []))
            outline.append(Heading(int(token.tag[1]), name, words))
    return outline


def _words(tokens: Sequence[Token]) -> list[str]:
    """The text of inline tokens, that of images too, without marks."""
    return [
        " " if token.type in {"softbreak", "hardbreak"} else token.content
        for token in tokens
        if token.type in {"text", "code_inline", "image", "softbreak", "hardbreak"}
    ]


def _restrict(tokens: Sequence[Token]) -> None:
    """Leave only what is allowed; what is not becomes text."""
    for token in tokens:
        if token.tag not in TAGS:
            token.type, token.tag, token.nesting, token.attrs = "text", "", 0, {}
            continue
        token.attrs = {
            name: value for name, value in _attributes(token).items() if name in ATTRIBUTES
        }
        if token.type == "link_open":
            token.attrs |= _LINK
        if token.type == "fence" and not _LANGUAGE.fullmatch(token.info.strip()):
            token.info = ""
        _restrict(token.children or [])


def _attributes(token: Token) -> dict[str, Any]:
    """A token's attributes; alignment is a class, since our policy allows no styles."""
    attributes: dict[str, Any] = dict(token.attrs)
    aligned = _ALIGNED.get(str(attributes.pop("style", "")))
    if aligned:
        attributes["class"] = aligned
    if token.type == "image":
        attributes["href"] = attributes.pop("src", "")
    return attributes


def _image(
    renderer: RendererHTML,
    tokens: Sequence[Token],
    place: int,
    options: Any,
    env: MutableMapping[str, Any],
) -> str:
    """An image as a link to it."""
    token = tokens[place]
    shown = Token("text", "", 0, content=token.content or str(token.attrs.get("href", "")))
    link = Token("link_open", "a", 1, attrs={"href": token.attrs.get("href", ""), **_LINK})
    attributes = renderer.renderAttrs(link)
    return f"<a{attributes}>{renderer.text([shown], 0, options, env)}</a>"
