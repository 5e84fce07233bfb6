"""A part of a page, as lexbor serialises it, to GitHub Flavored Markdown.

What is written: ATX headings, fenced code with its language and its lines exactly, lists with `-`
and `1.`, tables, `>` for quotations and admonitions (their title bold), definition lists as list
items of a bold term and its definitions, links and images with absolute addresses. A link to a
place in the same page is reduced to its text, because its target does not exist in the Markdown.
Blocks are separated by one blank line, no line ends in spaces, the text ends in one newline.

The walk is a loop over tags and texts with explicit stacks, so depth costs no recursion; lists and
quotations nested deeper than `_MAX_NESTING` are written at that depth.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from quaero.crawl import markdown_inline as inline
from quaero.crawl.addresses import Addresses
from quaero.crawl.markdown_blocks import (
    Block,
    BlockKind,
    Item,
    code_block,
    join,
    list_block,
    quote_block,
)
from quaero.crawl.markdown_tables import Cell, Row, is_layout, to_table
from quaero.crawl.markup import Element, element, split

_MAX_NESTING = 12
_PERMALINKS = frozenset("¶ # § 🔗 ↩ ↩︎ ↑ ⤴ ⏎ ∞ ^ [top] Permalink Anchor".split())
_LINE_ELEMENTS = frozenset("/div /p /tr /li".split())
_NOT_RAISED = frozenset("st nd rd th e er tm ™ ® ©".split())
_CONTROLS = bytes([*range(9), 11, 12, *range(14, 32), 127])
_C1 = re.compile(rb"\xc2[\x80-\x9f\xad]")
_MARKED_LABELS = {"information": "Info", "note": "Note", "tip": "Tip", "warning": "Warning"}


class Markdown(NamedTuple):
    """The text, and its headings in order as (level, text without marks)."""

    text: str
    headings: list[tuple[int, str]]


def to_markdown(markup: str, addresses: Addresses) -> Markdown:
    """Convert serialised markup; addresses in it are resolved by `addresses`."""
    writer = _Writer(split(without_controls(markup)), addresses)
    writer.walk()
    text = join(writer.finish())
    return Markdown(f"{text}\n" if text else "", writer.headings)


def without_controls(text: str) -> str:
    """Remove control characters but tab and line ends, soft hyphens and zero-width spaces."""
    data = text.encode("utf-8", "replace").translate(None, _CONTROLS)
    if not data.isascii():
        data = data.replace(b"\xe2\x80\x8b", b"").replace(b"\xef\xbb\xbf", b"")
        data = _C1.sub(b"", data)
    return data.decode("utf-8")


@dataclass(slots=True)
class _Frame:
    """What an open element collects: blocks, or a list's items, or a table's rows."""

    kind: Literal["page", "item", "list", "quote", "table", "cell", "heading"]
    blocks: list[Block] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    raw: list[str] = field(default_factory=list)
    has_definition: bool = False


_Closer = Callable[[], None]
# What a handler returns: what to do at the element's end, or False if the end is behind already.
_Opened = _Closer | Literal[False] | None


class _Writer:
    """The state of one conversion."""

    def __init__(self, pieces: list[str], addresses: Addresses) -> None:
        self.pieces = pieces
        self.at = 1
        self.addresses = addresses
        self.headings: list[tuple[int, str]] = []
        self.frames = [_Frame("page")]
        self.nesting = 0
        self.line: list[str] = []  # the open paragraph
        self.marks: list[tuple[str, str]] = []  # inline elements open around it
        self.languages: list[str] = []
        self.handlers: dict[str, Callable[[Element], _Opened]] = {
            "block": self.block, "heading": self.heading, "title": self.title,
            "link": self.link, "strong": self.strong, "emphasis": self.emphasis,
            "deleted": self.deleted, "code": self.code, "quotation": self.quotation,
            "superscript": self.raised, "subscript": self.raised, "ruby": self.ruby,
            "image": self.image, "break": self.line_break, "rule": self.rule,
            "input": self.check_box, "math": self.math, "formula": self.formula,
            "pre": self.pre, "raw": self.raw, "signature": self.signature, "list": self.list,
            "item": self.item, "term": self.term, "definition": self.definition,
            "quote": self.quote, "admonition": self.admonition, "table": self.table,
            "row": self.row, "cell": self.cell, "caption": self.block, "toc": self.contents,
            "footer": self.footer, "button": self.button,
        }  # fmt: skip

    # --- the walk -----------------------------------------------------------------------------

    def walk(self) -> None:
        """Go through all tags once, collecting text between them into the open paragraph."""
        pieces, line, handlers = self.pieces, self.line, self.handlers
        opened: list[_Closer | None] = []
        self._text(pieces[0])
        while self.at < len(pieces):
            tag = pieces[self.at]
            if tag.startswith("/"):
                close = opened.pop() if opened else None
                if close is not None:
                    close()
            else:
                found = element(tag)
                if found.is_chrome:
                    if not found.is_childless:
                        self.at = self._end_of(found.name)
                elif found.kind is None:
                    if not found.is_childless:
                        opened.append(None)
                else:
                    ending = handlers[found.kind](found)
                    if ending is not False:
                        opened.append(ending)
            text = pieces[self.at + 1]
            if text and (line or not text.isspace()):
                line.append(text)
            self.at += 2

    def finish(self) -> list[Block]:
        """Close the last paragraph and return the page's blocks."""
        self.flush()
        return self.frames[0].blocks

    def flush(self) -> None:
        """End the open paragraph; marks open around it go on in the next one."""
        if not self.line:
            return
        raw = "".join(self.line) + "".join(end for _, end in reversed(self.marks))
        self.line[:] = [start for start, _ in self.marks]
        frame = self.frames[-1]
        if frame.kind == "heading":
            frame.raw.append(raw)
            return
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

    def _text(self, text: str) -> None:
        if text and not text.isspace():
            self.line.append(text)

    def _end_of(self, name: str) -> int:
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

    def _push(self, kind: Literal["item", "list", "quote", "table", "cell", "heading"]) -> _Frame:
        self.flush()
        frame = _Frame(kind)
        self.frames.append(frame)
        return frame

    def _pop(self) -> _Frame:
        self.flush()
        return self.frames.pop()

    def _nests(self) -> bool:
        return self.nesting < _MAX_NESTING

    # --- inline -------------------------------------------------------------------------------

    def _mark(self, start: str, end: str) -> _Opened:
        self.line.append(start)
        self.marks.append((start, end))

        def close() -> None:
            self.line.append(end)
            self.marks.pop()
            if not self.marks and "".join(self.line).strip() == start + end:
                self.line.clear()

        return close

    def strong(self, _: Element) -> _Opened:
        if self.frames[-1].kind == "heading":
            return None
        return self._mark(inline.STRONG, inline.STRONG_END)

    def emphasis(self, _: Element) -> _Opened:
        return self._mark(inline.EMPHASIS, inline.EMPHASIS_END)

    def deleted(self, _: Element) -> _Opened:
        return self._mark(inline.DELETED, inline.DELETED_END)

    def quotation(self, _: Element) -> _Opened:
        self.line.append("“")
        return lambda: self.line.append("”")

    def ruby(self, _: Element) -> _Opened:
        self.line.append("(")
        return lambda: self.line.append(")")

    def link(self, found: Element) -> _Opened:
        href = found.attributes.get("href")
        if href is None:
            return None
        if href.startswith("#"):
            return self._fragment_link(found)
        address = self.addresses.of(href)
        if address is None:
            return None
        return self._mark(
            inline.LINK, f"{inline.LINK_ADDRESS}{_destination(address)}{inline.LINK_END}"
        )

    def _fragment_link(self, found: Element) -> _Opened:
        text = self.pieces[self.at + 1].strip()
        if text in _PERMALINKS and self.pieces[self.at + 2 : self.at + 3] == ["/a"]:
            self.at += 2
            return False
        if "footnote-reference" in found.classes and text.isalnum():
            self.line.append("[")
            return lambda: self.line.append("]")
        return None

    def code(self, found: Element) -> _Opened:
        """Write the element as code, as a link if all of it is one."""
        end = self._end_of(found.name)
        texts: list[str] = []
        hrefs: list[str] = []
        outside = False
        depth = 0
        place = self.at
        while place < end:
            text = self.pieces[place + 1]
            outside = outside or (not depth and bool(text.strip()))
            texts.append(text)
            place += 2
            tag = self.pieces[place]
            if tag == "/a":
                depth -= 1
            elif tag == "br":
                texts.append(" ")
            elif tag == "a" or tag.startswith("a "):
                depth += 1
                hrefs.append(element(tag).attributes.get("href", ""))
        self.at = end
        self._write_code("".join(texts), hrefs[0] if len(hrefs) == 1 and not outside else "")
        return False

    def _write_code(self, text: str, href: str) -> None:
        address = self.addresses.of(href) if href and not href.startswith("#") else None
        span = f"{inline.CODE}{text}{inline.CODE_END}" if text.strip() else text
        if address is not None and not any(start == inline.LINK for start, _ in self.marks):
            destination = _destination(address)
            span = f"{inline.LINK}{span}{inline.LINK_ADDRESS}{destination}{inline.LINK_END}"
        if span.strip() or self.line:
            self.line.append(span)

    def raised(self, found: Element) -> _Opened:
        """Write a super- or subscript as `^2` or `_2` where it is a short plain word."""
        sign = "^" if found.kind == "superscript" else "_"
        start = len(self.line)

        def close() -> None:
            text = "".join(self.line[start:])
            before = "".join(self.line[:start])[-1:]
            if text.isalnum() and text.lower() not in _NOT_RAISED and before.strip(" \n"):
                self.line[start:] = [sign, text]
            elif re.fullmatch(r"[\w+−-][\w +−*/=().,-]*", text.strip()) and before.strip(" \n"):
                if text.strip().lower() not in _NOT_RAISED:
                    self.line[start:] = [f"{sign}({text.strip()})"]

        return close

    def image(self, found: Element) -> _Opened:
        said = found.attributes
        alternative = said.get("alt", "")
        source = next(
            (said[name] for name in ("src", "data-src", "data-original") if _is_file(said.get(name))),
            "",
        )
        small = said.get("width") in {"0", "1"} or said.get("height") in {"0", "1"}
        address = self.addresses.of(source) if source and not small else None
        if address is None or "emoji" in found.classes or "emoticon" in found.classes:
            self._text(_reference(alternative))
        elif said.get("role") not in {"presentation", "none"}:
            label = _reference(alternative)
            self.line.append(
                f"{inline.IMAGE}{label}{inline.IMAGE_ADDRESS}{_destination(address)}{inline.IMAGE_END}"
            )
        return False

    def line_break(self, _: Element) -> _Opened:
        """Write a line break; two in a row end the paragraph."""
        for text in reversed(self.line):
            if text == inline.BREAK:
                self.flush()
                return False
            if not text.isspace():
                self.line.append(inline.BREAK)
                break
        return False

    def check_box(self, found: Element) -> _Opened:
        items = next((f.items for f in reversed(self.frames) if f.kind in {"list", "table"}), None)
        frame = self.frames[-1]
        if found.attributes.get("type") == "checkbox" and frame.kind == "item" and items is not None:
            frame.raw = ["[x] " if "checked" in found.attributes else "[ ] "]
        return False

    def math(self, found: Element) -> _Opened:
        """Write MathML as the TeX it names, else as its text."""
        end = self._end_of("math")
        tex = found.attributes.get("alttext", "")
        for place in range(self.at, end, 2):
            if "x-tex" in self.pieces[place]:
                tex = tex or inline.unescape(self.pieces[place + 1])
        tex = " ".join(tex.split())
        if tex.startswith("{\\displaystyle") and tex.endswith("}"):
            tex = tex[len("{\\displaystyle") : -1].strip()
        if tex:
            self.line.append(_literal(f"${tex}$"))
        else:
            self.line.append("".join(self.pieces[self.at + 1 : end : 2]))
        self.at = end
        return False

    def formula(self, found: Element) -> _Opened:
        """Write TeX in the page's own delimiters between dollar signs."""
        end = self._end_of(found.name)
        if any("mjx" in tag or tag.startswith(("math", "img")) for tag in self.pieces[self.at : end : 2]):
            return self.block(found) if found.name == "div" else None
        text = inline.unescape("".join(self.pieces[self.at + 1 : end : 2])).strip()
        tex = re.sub(r"^\\[(\[]|\\[)\]]$", "", text).strip()
        self.at = end
        if found.name == "div":
            self.flush()
            self.add(Block(BlockKind.QUOTE, f"$$\n{_without_blank_lines(tex)}\n$$") if tex else None)
        elif tex:
            self.line.append(_literal(f"${tex}$") if text != tex else _reference(tex))
        return False

    # --- blocks -------------------------------------------------------------------------------

    def block(self, found: Element) -> _Opened:
        self.flush()
        if not found.language:
            return self.flush
        self.languages.append(found.language)

        def close() -> None:
            self.flush()
            self.languages.pop()

        return close

    def heading(self, found: Element) -> _Opened:
        level = int(found.name[1])
        if self.frames[-1].kind == "quote" and "title" in " ".join(found.classes):
            return self.title(found)
        self._push("heading")

        def close() -> None:
            frame = self._pop()
            raw = " ".join(frame.raw)
            text = inline.render(raw).replace("\\\n", " ")
            text = re.sub(r" (#+)$", r" \\\1", text)
            if text:
                self.headings.append((level, inline.plain(raw)))
                self.add(Block(BlockKind.HEADING, f"{'#' * level} {text}"))

        return close

    def title(self, _: Element) -> _Opened:
        """Write the title of an admonition, of `<details>` or of a field set in bold."""
        self.flush()
        close_mark = self.strong(_)

        def close() -> None:
            if callable(close_mark):
                close_mark()
            self.flush()

        return close

    def rule(self, _: Element) -> _Opened:
        self.flush()
        self.add(Block(BlockKind.RULE, "---"))
        return False

    def pre(self, found: Element) -> _Opened:
        """Write the element as a code block."""
        self.flush()
        language = found.language
        end = self._end_of(found.name)
        out: list[str] = []
        while self.at < end:
            out.append(self.pieces[self.at + 1])
            self.at += 2
            tag = self.pieces[self.at]
            if tag.startswith("/"):
                if tag in _LINE_ELEMENTS and out and not _ends_line(out):
                    out.append("\n")
                continue
            inner = element(tag)
            if inner.name == "br":
                out.append("\n")
            elif inner.is_chrome_in_code and not inner.is_childless:
                self.at = self._end_of(inner.name)
            elif not language and inner.name == "code":
                language = inner.language
        self.at = end
        language = language or (self.languages[-1] if self.languages else "")
        self.add(code_block(inline.unescape("".join(out)), language))
        return False

    def raw(self, found: Element) -> _Opened:
        """Write `<xmp>` and `<plaintext>`, whose content is not markup."""
        self.flush()
        content = self.pieces[self.at].partition(">")[2].rpartition("</")[0]
        self.add(code_block(content, found.language))
        return False

    def signature(self, found: Element) -> _Opened:
        """Write a signature of an API reference as code, a term of the list it stands in."""
        closer = self.term(found)
        if callable(closer):
            closer_mark = self.marks.pop() if self.marks else None
            self.line.clear()
            self.line.extend(start for start, _ in self.marks)
            end = self._end_of(found.name)
            texts = []
            while self.at < end:
                texts.append(self.pieces[self.at + 1])
                self.at += 2
                tag = self.pieces[self.at]
                if not tag.startswith("/"):
                    inner = element(tag)
                    if inner.is_chrome and not inner.is_childless:
                        self.at = self._end_of(inner.name)
                        texts.append(self.pieces[self.at + 1] if False else "")
            self.at = end
            self._write_code("".join(texts), "")
            if closer_mark is not None:
                self.marks.append(closer_mark)
            closer()
        return False
