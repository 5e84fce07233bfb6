"""Blocks of Markdown, and how they are set one below another.

Blocks keep their kind until they are joined, because what stands between and before them depends
on where they end up: in the page, in a list item, in a quotation, in a table's cell.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from quaero.crawl.markdown_inline import escape_start


class BlockKind(Enum):
    """What a block is, as far as joining blocks needs to know."""

    PARAGRAPH = "paragraph"
    HEADING = "heading"
    CODE = "code"
    BULLETS = "bullets"
    NUMBERS = "numbers"
    TABLE = "table"
    QUOTE = "quote"
    RULE = "rule"


class Block(NamedTuple):
    """A finished block; a paragraph's line starts are not escaped yet."""

    kind: BlockKind
    text: str


_LISTS = frozenset({BlockKind.BULLETS, BlockKind.NUMBERS})


@dataclass(slots=True)
class Item:
    """A list's item: its blocks, its number where the page gives one, its check box."""

    blocks: list[Block] = field(default_factory=list)
    number: int | None = None
    box: str = ""


def join(blocks: Iterable[Block]) -> str:
    """Set blocks one below another with a blank line between."""
    return "\n\n".join(_texts(blocks))


def _texts(blocks: Iterable[Block]) -> list[str]:
    """Return the blocks' texts, a list directly after one of its kind with the other marker."""
    texts: list[str] = []
    previous: BlockKind | None = None
    swapped = False
    for kind, written in blocks:
        text = escape_start(written) if kind is BlockKind.PARAGRAPH else written
        swapped = kind in _LISTS and kind is previous and not swapped
        texts.append(_with_other_marker(kind, text) if swapped else text)
        previous = kind
    return texts


def _with_other_marker(kind: BlockKind, text: str) -> str:
    lines = text.split("\n")
    for place, line in enumerate(lines):
        if kind is BlockKind.BULLETS and line.startswith("- "):
            lines[place] = "*" + line[1:]
        elif kind is BlockKind.NUMBERS and line[:1].isdigit():
            lines[place] = line.replace(". ", ") ", 1)
    return "\n".join(lines)


def list_block(items: Sequence[Item], *, ordered: bool, start: int) -> Block | None:
    """Return the items as a list, tight if none has more than one paragraph and lists below it."""
    for item in items:
        if item.blocks and item.blocks[0].kind is BlockKind.RULE:  # the marker would be part of it
            item.blocks.pop(0)
    tight = all(_is_simple(item.blocks) for item in items)
    lines = []
    number = start
    for item in items:
        number = number if item.number is None else item.number
        marker = f"{number}. " if ordered else "- "
        number += 1
        if item.blocks or item.box:
            lines.append(_item_text(item, marker, tight=tight))
    if not lines:
        return None
    kind = BlockKind.NUMBERS if ordered else BlockKind.BULLETS
    return Block(kind, ("\n" if tight else "\n\n").join(lines))


def _is_simple(blocks: Sequence[Block]) -> bool:
    if not blocks or blocks[0].kind is not BlockKind.PARAGRAPH:
        return len(blocks) <= 1 and all(block.kind in _LISTS for block in blocks)
    return len(blocks) == 1 or (len(blocks) == 2 and _may_follow_directly(blocks[1]))


def _may_follow_directly(block: Block) -> bool:
    """Say whether it is a list that a reader tells from the line above it, CommonMark 5.2."""
    kind, text = block
    return kind is BlockKind.BULLETS or (kind is BlockKind.NUMBERS and text.startswith("1. "))


def _item_text(item: Item, marker: str, *, tight: bool) -> str:
    text = item.box + ("\n" if tight else "\n\n").join(_texts(item.blocks))
    text = text.rstrip()
    if "\n" not in text:
        return marker + text
    indent = " " * len(marker)
    first, *others = text.split("\n")
    return "\n".join((marker + first, *(indent + line if line else "" for line in others)))


def quote_block(blocks: Sequence[Block]) -> Block | None:
    """Return the blocks as a quotation."""
    if not blocks:
        return None
    lines = join(blocks).split("\n")
    return Block(BlockKind.QUOTE, "\n".join(f"> {line}" if line else ">" for line in lines))


def code_block(text: str, language: str) -> Block | None:
    """Return preformatted text in a fence longer than any within, its inner lines unchanged.

    Blank lines around it and invisible spaces at the ends of lines are left out.
    """
    lines = [line.rstrip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    first = next((place for place, line in enumerate(lines) if line), len(lines))
    lines = lines[first:]
    while lines and not lines[-1]:
        lines.pop()
    if not lines:
        return None
    longest = max(len(line) - len(line.lstrip("`")) for line in (ln.lstrip() for ln in lines))
    fence = "`" * max(3, longest + 1)
    return Block(BlockKind.CODE, "\n".join((fence + language, *lines, fence)))
