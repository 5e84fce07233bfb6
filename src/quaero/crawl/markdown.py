"""A part of a page, as lexbor serialises it, to GitHub Flavored Markdown.

What is written: ATX headings, fenced code with its language and its lines exactly, lists with `-`
and `1.`, tables, `>` for quotations and admonitions (their title bold), definition lists as list
items of a bold term and its definitions, links and images with absolute addresses. A link to a
place in the same page is reduced to its text, because its target does not exist in the Markdown.
Blocks are separated by one blank line, no line ends in spaces, the text ends in one newline.

`markup` splits the tree's text, `markdown_writer` walks it, `markdown_spans` and
`markdown_structures` say how each element is written, `markdown_inline`, `markdown_blocks` and
`markdown_tables` write it. What is left out is decided by `chrome`.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from quaero.crawl.addresses import Addresses
from quaero.crawl.markdown_blocks import Block, BlockKind, join
from quaero.crawl.markdown_spans import SPANS
from quaero.crawl.markdown_structures import STRUCTURES
from quaero.crawl.markdown_writer import Writer
from quaero.crawl.markup import split

_CONTROLS = bytes([*range(9), 11, 12, *range(14, 32), 127])
_UPPER_CONTROLS = re.compile(rb"\xc2[\x80-\x9f\xad]")
_ZERO_WIDTH = (b"\xe2\x80\x8b", b"\xef\xbb\xbf")
_HANDLERS = SPANS | STRUCTURES


class Markdown(NamedTuple):
    """The text, and its headings in order as (level, text without marks)."""

    text: str
    headings: list[tuple[int, str]]


def to_markdown(markup: str, addresses: Addresses) -> Markdown:
    """Convert markup as lexbor serialises it; references in it are resolved by `addresses`."""
    writer = Writer(split(without_controls(markup)), addresses)
    text = join(_without_outer_rules(writer.walk(_HANDLERS)))
    return Markdown(f"{text}\n" if text else "", writer.headings)


def _without_outer_rules(blocks: list[Block]) -> list[Block]:
    """Leave out thematic breaks that nothing precedes or follows: what they part is left out."""
    start, end = 0, len(blocks)
    while start < end and blocks[start].kind is BlockKind.RULE:
        start += 1
    while start < end and blocks[end - 1].kind is BlockKind.RULE:
        end -= 1
    return blocks[start:end]


def without_controls(text: str) -> str:
    """Remove control characters but tab and line ends, soft hyphens and zero-width spaces."""
    data = text.encode("utf-8", "replace").translate(None, _CONTROLS)
    if not data.isascii():
        for invisible in _ZERO_WIDTH:
            data = data.replace(invisible, b"")
        data = _UPPER_CONTROLS.sub(b"", data)
    return data.decode("utf-8")
