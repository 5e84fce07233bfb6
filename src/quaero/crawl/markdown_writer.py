"""The walk from a serialised tree to blocks of Markdown.

The walk is one loop over tags and texts. A handler for the kind of an element says what its start
does and gives back what its end does; texts gather into the open paragraph, finished blocks into
the innermost frame. Depth costs stack entries, never recursion.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from quaero.crawl import markdown_inline as inline
from quaero.crawl.addresses import Addresses
from quaero.crawl.markdown_blocks import Block, BlockKind, Item
from quaero.crawl.markdown_tables import Row
from quaero.crawl.markup import Element, element

FrameKind = Literal["page", "item", "list", "quote", "table", "cell", "heading"]
Closer = Callable[[], None]
# What a handler returns: what to do at the element's end, None for nothing, False if the handler
# has already gone past the end (or there is none).
Opened = Closer | Literal[False] | None

_LINE_ENDS = frozenset({"/div", "/p", "/tr", "/li"})
# Elements within code that only colour it.
_PLAIN_KINDS = frozenset({None, "emphasis", "strong", "code", "link"})
_PLAIN_ENDS = frozenset(
    {"/span", "/em", "/i", "/b", "/strong", "/code", "/var", "/a", "/cite", "/kbd", "/font", "/u"}
)
# What follows these is the white space between rows of a table that holds lines of code.
_BETWEEN_CELLS = frozenset({"tr", "/tr", "/td", "/th", "tbody", "/tbody", "thead", "/thead"})
# Outside of `<pre>` also what follows these.
_BETWEEN_LINES = _BETWEEN_CELLS | {"/div"}


@dataclass(slots=True)
class Frame:
    """What an open element collects: blocks, or a list's items, or a table's rows."""

    kind: FrameKind
    blocks: list[Block] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    raw: list[str] = field(default_factory=list)  # a heading's paragraphs, not rendered
    box: str = ""  # an item's check box
    awaits_definition: bool = False  # the last item of a list is terms only
    is_layout: bool = False  # a table that only arranges
    is_contents: bool = False  # a definition list that DocBook makes of chapter titles


class Writer:
    """The state of one conversion; handlers of elements are functions over it."""

    def __init__(self, pieces: Sequence[str], addresses: Addresses) -> None:
        self.pieces = pieces
        self.at = 1  # the tag being read
        self.addresses = addresses
        self.headings: list[tuple[int, str]] = []
        self.frames = [Frame("page")]
        self.nesting = 0  # lists and quotations open
        self.line: list[str] = []  # the open paragraph
        self.marks: list[tuple[str, str]] = []  # inline elements open around it
        self.languages: list[str] = []  # declared by elements around
        self.known: dict[str, Element] = {}
        self.plain = set(_PLAIN_ENDS)  # tags within code that only colour it

    def walk(self, handlers: Mapping[str, Callable[[Writer, Element], Opened]]) -> list[Block]:
        """Go through all tags once and return the page's blocks."""
        pieces, line, end = self.pieces, self.line, len(self.pieces)
        opened: list[Closer | None] = []
        known = self.known
        self.write(pieces[0])
        while self.at < end:
            tag = pieces[self.at]
            if tag[:1] == "/":
                close = opened.pop() if opened else None
                if close is not None:
                    close()
            else:
                found = known.get(tag) or self.read(tag)
                if found.is_chrome:
                    self.skip(found)
                elif found.kind is not None:
                    ending = handlers[found.kind](self, found)
                    if ending is not False:
                        opened.append(ending)
                elif not found.is_childless:
                    opened.append(None)
            text = pieces[self.at + 1]
            if text and (line or not text.isspace()):
                line.append(text)
            self.at += 2
        self.flush()
        return self.frames[0].blocks

    def write(self, text: str) -> None:
        """Append a text to the open paragraph, which no blank begins."""
        if text and (self.line or not text.isspace()):
            self.line.append(text)

    def read(self, tag: str) -> Element:
        """Read a start tag, each different one once."""
        found = self.known.get(tag)
        if found is None:
            found = self.known[tag] = element(tag)
        return found

    def skip(self, found: Element) -> Literal[False]:
        """Go to the element's end without reading what is in it."""
        if not found.is_childless:
            self.at = self.end_of(found.name)
        return False

    def flush(self) -> None:
        """End the open paragraph; marks open around it go on in the next one."""
        if not self.line:
            return
        raw = "".join(self.line)
        self.line.clear()
        if self.marks:
            raw += "".join(end for _, end in reversed(self.marks))
            self.line.extend(start for start, _ in self.marks)
        frame = self.frames[-1]
        if frame.kind == "heading":
            raw = inline.without_bold(raw)
            frame.raw.append(raw)
        text = inline.render(raw)
        if text:
            self.add(Block(BlockKind.PARAGRAPH, text))

    def add(self, block: Block | None) -> None:
        """Append a finished block to what is open, within a list to its last item."""
        if block is None:
            return
        frame = self.frames[-1]
        if frame.kind == "list":
            if not frame.items:
                frame.items.append(Item())
            frame.items[-1].blocks.append(block)
        else:
            frame.blocks.append(block)

    def push(self, kind: FrameKind) -> Frame:
        """Open a frame; what follows goes into it."""
        self.flush()
        frame = Frame(kind)
        self.frames.append(frame)
        return frame

    def pop(self) -> Frame:
        """Close the innermost frame and return it."""
        self.flush()
        return self.frames.pop()

    def end_of(self, name: str) -> int:
        """Return the place of the end tag that belongs to the start tag here."""
        pieces, end, start = self.pieces, "/" + name, name + " "
        depth = 0
        for place in range(self.at, len(pieces), 2):
            tag = pieces[place]
            if tag == end:
                depth -= 1
                if depth == 0:
                    return place
            elif tag == name or tag.startswith(start):
                depth += 1
        return len(pieces) - 2

    def take_code(self, found: Element) -> tuple[str, str]:
        """Go to the element's end; return its text with its lines, and the language it names."""
        pieces, start = self.pieces, self.at
        end = self.end_of(found.name)
        tags = set(pieces[start + 2 : end : 2])
        if all(map(self._is_plain, tags - self.plain)):
            self.at = end
            return inline.unescape("".join(pieces[start + 1 : end : 2])), found.language
        return self._take_lines(end, found.language)

    def _is_plain(self, tag: str) -> bool:
        """Say whether the tag changes nothing about the code it is in, and remember that."""
        if tag.startswith("/"):
            return False
        found = self.read(tag)
        if found.kind not in _PLAIN_KINDS or found.is_chrome_in_code or found.language:
            return False
        self.plain.add(tag)
        return True

    def _take_lines(self, end: int, language: str) -> tuple[str, str]:
        pieces = self.pieces
        between = _BETWEEN_CELLS if pieces[self.at].startswith("pre") else _BETWEEN_LINES
        texts = [pieces[self.at + 1]]
        self.at += 2
        while self.at < end:
            tag = pieces[self.at]
            if tag.startswith("/"):
                if tag in _LINE_ENDS and not "".join(texts[-2:]).endswith("\n"):
                    texts.append("\n")
            else:
                inner = self.read(tag)
                if inner.is_chrome_in_code:
                    self.skip(inner)
                    tag = pieces[self.at]
                elif inner.name == "br":
                    texts.append("\n")
                elif inner.name == "code":
                    language = language or inner.language
            if tag not in between:
                texts.append(pieces[self.at + 1])
            self.at += 2
        self.at = end
        return inline.unescape("".join(texts)), language
