"""How block elements are written: headings, code blocks, lists, quotations, tables.

Each function handles the start of one kind of element in a `Writer` and returns what its end does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from quaero.crawl import markdown_inline as inline
from quaero.crawl.markdown_blocks import (
    Block,
    BlockKind,
    Item,
    code_block,
    list_block,
    quote_block,
)
from quaero.crawl.markdown_spans import strong, write_code
from quaero.crawl.markdown_tables import Cell, Row, is_layout, sections, to_table
from quaero.crawl.markdown_writer import Frame, Opened, Writer
from quaero.crawl.markup import Element
from quaero.crawl.name_sets import names

_LATER_COLUMNS = names("col-second col-last")
# Lists that javadoc makes of the sections of a page.
_OF_SECTIONS = names("summary-list details-list member-list blockList blockListLast")
_MAX_NESTING = 12
_LONG_HEADING = 300
_CLOSING_HASHES = re.compile(r"(^| )(#+)$")
_HREF = re.compile(r'^a .*?\bhref="([^"]*)"')
# Confluence says the kind of a panel by an icon, that is by a class, in the cloud an attribute.
_MACRO = "confluence-information-macro-"
_MACRO_TITLES = {
    "information": "Info", "info": "Info", "note": "Note", "tip": "Tip", "success": "Success",
    "warning": "Warning", "error": "Error",
}  # fmt: skip


def block(writer: Writer, found: Element) -> Opened:
    """Begin and end a paragraph; a language named here holds for the code within."""
    if writer.line:
        writer.flush()
    if not found.language:
        return writer.flush
    writer.languages.append(found.language)

    def close() -> None:
        writer.flush()
        writer.languages.pop()

    return close


def heading(writer: Writer, found: Element) -> Opened:
    """Write a heading in one line; the title of an admonition in bold.

    Blocks that a heading cannot hold (its end tag is missing, most often) follow it.
    """
    if writer.frames[-1].kind == "quote" and any("title" in name for name in found.classes):
        return title(writer, found)
    level = int(found.name[1]) if found.name[0] == "h" else 1
    writer.push("heading")

    def close() -> None:
        frame = writer.pop()
        own = _heading_length(frame.blocks)
        text = " ".join(text for _, text in frame.blocks[:own]).replace("\\\n", " ")
        if text:
            plain = [text for text in map(inline.plain, frame.raw) if text]
            writer.headings.append((level, " ".join(plain[:own])))
            text = _CLOSING_HASHES.sub(r"\1\\\2", text)
            writer.add(Block(BlockKind.HEADING, f"{'#' * level} {text}"))
        for following in frame.blocks[own:]:
            writer.add(following)

    return close


def _heading_length(blocks: Sequence[Block]) -> int:
    """Return how many of the blocks within a heading are its text, the others following it."""
    only_text = all(inner.kind is BlockKind.PARAGRAPH for inner in blocks)
    if only_text and sum(len(inner.text) for inner in blocks) <= _LONG_HEADING:
        return len(blocks)
    return 1 if blocks and blocks[0].kind is BlockKind.PARAGRAPH else 0


def title(writer: Writer, found: Element) -> Opened:
    """Write the title of an admonition, a field set or `<details>` as a bold paragraph."""
    writer.flush()
    end_mark = strong(writer, found)

    def close() -> None:
        if callable(end_mark):
            end_mark()
        writer.flush()

    return close


def rule(writer: Writer, _: Element) -> Opened:
    """Write a thematic break."""
    writer.flush()
    writer.add(Block(BlockKind.RULE, "---"))
    return False


def pre(writer: Writer, found: Element) -> Opened:
    """Write preformatted text as fenced code."""
    writer.flush()
    text, language = writer.take_code(found)
    if "line" in found.attributes.get("class", "") and _is_gutter(text):
        return False
    around = writer.languages[-1] if writer.languages else ""
    writer.add(code_block(text.replace("\xa0", " "), language or around))
    return False


def _is_gutter(text: str) -> bool:
    """Say whether a text is the numbers of the lines that stand beside it."""
    numbers = text.split()
    first = _number(numbers[0], 0) if numbers else 0
    return first > 0 and numbers == [str(first + place) for place in range(len(numbers))]


def fragment(writer: Writer, found: Element) -> Opened:
    """Write code of which each line is a `div`, as Doxygen has it; other parts of that name not."""
    is_code = 'class="line"' in writer.pieces[writer.at + 2]
    return pre(writer, found) if is_code else block(writer, found)


def raw(writer: Writer, _: Element) -> Opened:
    """Write `<xmp>` and `<plaintext>`, whose content is not markup."""
    writer.flush()
    content = writer.pieces[writer.at].partition(">")[2].rpartition("</")[0]
    writer.add(code_block(content, ""))
    return False


def list_(writer: Writer, found: Element) -> Opened:
    """Write a list; a definition list is one of terms with what they mean."""
    if writer.nesting >= _MAX_NESTING:
        return block(writer, found)
    writer.nesting += 1
    is_contents = "toc" in found.classes or any(frame.is_contents for frame in writer.frames)
    writer.push("list").is_contents = found.name == "dl" and is_contents
    ordered = found.name == "ol"
    start = _number(found.attributes.get("start"), 1)

    def close() -> None:
        writer.nesting -= 1
        items = writer.pop().items
        if found.classes.isdisjoint(_OF_SECTIONS):
            writer.add(list_block(items, ordered=ordered, start=start))
            return
        for section in items:
            for inner in section.blocks:
                writer.add(inner)

    return close


def item(writer: Writer, found: Element) -> Opened:
    """Write a list item; outside of any list as a list of one."""
    if writer.nesting >= _MAX_NESTING and writer.frames[-1].kind != "list":
        return block(writer, found)
    number = found.attributes.get("value")
    alone = writer.frames[-1].kind != "list"
    writer.push("item")

    def close() -> None:
        frame = writer.pop()
        content = Item(frame.blocks, None if number is None else _number(number, 1), frame.box)
        if alone:
            writer.add(list_block([content], ordered=False, start=1))
        else:
            writer.frames[-1].items.append(content)

    return close


def term(writer: Writer, found: Element) -> Opened:
    """Write a term in bold, as the start of an item; terms in a row share one."""
    entries = writer.frames[-1]
    if entries.kind != "list":
        return title(writer, found)
    writer.push("item")
    end_mark = None if entries.is_contents else strong(writer, found)

    def close() -> None:
        if callable(end_mark):
            end_mark()
        _end_term(writer)

    return close


def signature(writer: Writer, found: Element) -> Opened:
    """Write the signature of an API reference as a term in code."""
    in_list = writer.frames[-1].kind == "list"
    if in_list:
        writer.push("item")
    writer.flush()
    text, _ = writer.take_code(found)
    write_code(writer, " ".join(text.split()))
    if in_list:
        _end_term(writer)
    writer.flush()
    return False


def _end_term(writer: Writer) -> None:
    frame = writer.pop()
    entries = writer.frames[-1]
    if entries.awaits_definition and entries.items:
        entries.items[-1].blocks.extend(frame.blocks)
    else:
        entries.items.append(Item(frame.blocks))
    entries.awaits_definition = not entries.is_contents


def definition(writer: Writer, found: Element) -> Opened:
    """Write a definition below its term."""
    if writer.frames[-1].kind != "list":
        return block(writer, found)
    writer.push("item")

    def close() -> None:
        frame = writer.pop()
        entries = writer.frames[-1]
        entries.awaits_definition = False
        if not entries.items:
            entries.items.append(Item())
        entries.items[-1].blocks.extend(frame.blocks)

    return close


def quote(writer: Writer, found: Element) -> Opened:
    """Write a quotation."""
    if writer.nesting >= _MAX_NESTING:
        return block(writer, found)
    writer.nesting += 1
    writer.push("quote")

    def close() -> None:
        writer.nesting -= 1
        writer.add(quote_block(writer.pop().blocks))

    return close


def admonition(writer: Writer, found: Element) -> Opened:
    """Write a note or warning as a quotation, its title bold."""
    end = quote(writer, found)
    kinds = [name.removeprefix(_MACRO) for name in found.classes if name.startswith(_MACRO)]
    kinds.append(found.attributes.get("data-panel-type", ""))
    label = next((_MACRO_TITLES[kind] for kind in kinds if kind in _MACRO_TITLES), "")
    if label:
        writer.flush()
        writer.add(Block(BlockKind.PARAGRAPH, f"**{label}**"))
    return end


def table(writer: Writer, found: Element) -> Opened:
    """Write a table, or its cells one after another if it only arranges them."""
    frame = writer.push("table")
    frame.is_layout = found.attributes.get("role") in {"presentation", "none"}

    def close() -> None:
        writer.pop()
        _end_table(writer, frame)

    return close


def _end_table(writer: Writer, frame: Frame) -> None:
    rows = [row for row in frame.rows if any(cell.blocks for cell in row.cells)]
    for caption in frame.blocks:
        writer.add(caption)
    for part in [rows] if frame.is_layout else sections(rows):
        if frame.is_layout or is_layout(part):
            for row in part:
                for content in row.cells:
                    for inner in content.blocks:
                        writer.add(inner)
        else:
            writer.add(Block(BlockKind.TABLE, to_table(part)))


def head_rows(writer: Writer, _: Element) -> Opened:
    """Note that the rows in `<thead>` are the table's head."""
    writer.flush()
    frame = writer.frames[-1]
    before = len(frame.rows)

    def close() -> None:
        writer.flush()
        for row in frame.rows[before:]:
            row.in_head = True

    return close


def row(writer: Writer, found: Element) -> Opened:
    """Begin a row of the open table."""
    if writer.frames[-1].kind != "table":
        return block(writer, found)
    writer.flush()
    writer.frames[-1].rows.append(Row())
    return writer.flush


def cell(writer: Writer, found: Element) -> Opened:
    """Collect a cell of the open row."""
    if writer.frames[-1].kind != "table" or not writer.frames[-1].rows:
        return block(writer, found)
    if "icon" in found.classes:  # of an admonition, as AsciiDoc writes them
        writer.frames[-1].is_layout = True
    writer.push("cell")

    def close() -> None:
        blocks = writer.pop().blocks
        columns = _number(found.attributes.get("colspan"), 1)
        rows = _number(found.attributes.get("rowspan"), 1)
        cells = writer.frames[-1].rows[-1].cells
        cells.append(Cell(blocks, found.name == "th", columns, rows))

    return close


def column(writer: Writer, found: Element) -> Opened:
    """Collect a cell of a table that javadoc makes of `div`s; its first column opens a row."""
    frame = writer.frames[-1]
    if frame.kind == "table" and found.classes.isdisjoint(_LATER_COLUMNS):
        writer.flush()
        frame.rows.append(Row(in_head="table-header" in found.classes))
    return cell(writer, found)


def contents(writer: Writer, found: Element) -> Opened:
    """Leave out a table of contents that leads nowhere but into the page itself."""
    inside = writer.pieces[writer.at : writer.end_of(found.name) : 2]
    hrefs = [match[1] for tag in inside if (match := _HREF.match(tag))]
    if hrefs and all(href.startswith("#") for href in hrefs) and not any(map(_holds_text, inside)):
        return writer.skip(found)
    return list_(writer, found) if found.name in {"ul", "ol", "dl"} else block(writer, found)


def _holds_text(tag: str) -> bool:
    return tag in {"p", "pre", "table", "h2"} or tag.startswith(("pre ", "table ", "h2 "))


def footer(writer: Writer, found: Element) -> Opened:
    """Leave out a footer, but keep the source below a quotation."""
    if any(frame.kind == "quote" for frame in writer.frames):
        return block(writer, found)
    return writer.skip(found)


def _number(text: str | None, default: int) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 9 else default


STRUCTURES: dict[str, Callable[[Writer, Element], Opened]] = {
    "block": block,
    "heading": heading,
    "title": title,
    "rule": rule,
    "pre": pre,
    "fragment": fragment,
    "raw": raw,
    "list": list_,
    "item": item,
    "term": term,
    "signature": signature,
    "definition": definition,
    "quote": quote,
    "admonition": admonition,
    "table": table,
    "head": head_rows,
    "row": row,
    "cell": cell,
    "column": column,
    "toc": contents,
    "footer": footer,
}
