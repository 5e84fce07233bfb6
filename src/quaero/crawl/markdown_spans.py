"""How inline elements are written: emphasis, links, code, images, formulas.

Each function handles the start of one kind of element in a `Writer` and returns what its end does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from quaero.crawl import markdown_inline as inline
from quaero.crawl.markdown_blocks import Block, BlockKind, code_block
from quaero.crawl.markdown_writer import Opened, Writer
from quaero.crawl.markup import Element
from quaero.crawl.name_sets import names

_PERMALINKS = names("¶ # § 🔗 ↩ ↩︎ ↑ ⤴ ⏎ ∞ [top] Permalink Anchor")
_COPY = frozenset({"copy", "copy code", "copied", "copied!", "copy to clipboard"})
_STEPS = names("prev previous next up home contents index top")
_FOOTNOTES = names("footnote footnote-reference footnote-ref fnref")
_NOT_RAISED = names("st nd rd th e er tm sm r c")
_RAISED = re.compile(r"[\w+−-][\w +−*/=().,-]*")
_TEX_DELIMITERS = re.compile(r"^\\[(\[]|\\[)\]]$")
_EQUATION_NUMBER = re.compile(r"\([\w.-]{1,40}\)(?=\s*\\(?:\[|begin\{))")
_IMAGE_SOURCES = ("src", "data-src", "data-original", "data-lazy-src")
_SIGNS = names("emoji emoticon")
_STEM = re.compile(r"(?:^|/)([\w-]{1,40})\.\w{3,4}(?:$|[?#])")
_UNBALANCED = re.compile(r"[()<>\s]")


def _mark(writer: Writer, start: str, end: str) -> Opened:
    writer.line.append(start)
    writer.marks.append((start, end))

    def close() -> None:
        writer.line.append(end)
        writer.marks.pop()

    return close


def strong(writer: Writer, _: Element) -> Opened:
    """Write bold text."""
    return _mark(writer, inline.STRONG, inline.STRONG_END)


def emphasis(writer: Writer, _: Element) -> Opened:
    """Write emphasised text."""
    return _mark(writer, inline.EMPHASIS, inline.EMPHASIS_END)


def deleted(writer: Writer, _: Element) -> Opened:
    """Write struck-out text."""
    return _mark(writer, inline.DELETED, inline.DELETED_END)


def quotation(writer: Writer, _: Element) -> Opened:
    """Write `<q>` in the quotation marks a browser shows."""
    writer.line.append("“")
    return lambda: writer.line.append("”")


def ruby(writer: Writer, _: Element) -> Opened:
    """Write a reading aid in parentheses behind its text."""
    writer.line.append("(")
    return lambda: writer.line.append(")")


def link(writer: Writer, found: Element) -> Opened:
    """Write a link with its absolute address; one into the page itself as its text."""
    href = found.attributes.get("href")
    if href is None:
        return None
    if ("#" in href and _is_permalink(writer)) or _is_step(writer):
        return writer.skip(found)
    if href.startswith("#"):
        return _fragment_link(writer, found)
    address = writer.addresses.of(href)
    if address is None:
        return None
    end = f"{inline.LINK_ADDRESS}{_destination(address)}{inline.LINK_END}"
    return _mark(writer, inline.LINK, end)


def _is_permalink(writer: Writer) -> bool:
    text, tag = writer.pieces[writer.at + 1 : writer.at + 3]
    return tag == "/a" and text.strip() in _PERMALINKS


def _is_step(writer: Writer) -> bool:
    """Say whether the link is an arrow to the next page or the like, as older generators draw."""
    pieces, at = writer.pieces, writer.at
    if not pieces[at + 2].startswith("img ") or pieces[at + 4] != "/a":
        return False
    return writer.read(pieces[at + 2]).attributes.get("alt", "").lower() in _STEPS


def _fragment_link(writer: Writer, found: Element) -> Opened:
    """Write a link into the page as its text, the reference to a footnote in brackets."""
    named = found.attributes.get("role") == "doc-noteref" or not found.classes.isdisjoint(
        _FOOTNOTES
    )
    if not named and not _is_raised_number(writer):
        return None
    start = len(writer.line)

    def close() -> None:
        text = "".join(writer.line[start:]).strip("^ ")
        if text.isalnum():
            writer.line[start:] = [f"[{text}]"]

    return close


def _is_raised_number(writer: Writer) -> bool:
    """Say whether the link is a raised number: what refers to a footnote, and no power."""
    pieces, at = writer.pieces, writer.at
    tag, text = pieces[at + 2 : at + 4]
    if tag == "/a" and at > 1:
        tag, text = pieces[at - 2], pieces[at - 1] + pieces[at + 1]
    return _name(tag) == "sup" and text.strip().isdigit()


def code(writer: Writer, found: Element) -> Opened:
    """Write a code span, as a link if one link is all that is in it.

    Lines of code that begin a paragraph are a block; line ends in the markup are no blank lines.
    """
    start, pieces = writer.at, writer.pieces
    if pieces[start + 2] == "/" + found.name:
        writer.at = start + 2
        text = pieces[start + 1]
        writer.write(f"{inline.CODE}{text}{inline.CODE_END}" if text.strip() else text)
        return False
    text, language = writer.take_code(found)
    if "br" in pieces[start : writer.at : 2] and _begins_block(writer):
        lines = (line for line in text.replace("\xa0", " ").split("\n") if line.strip())
        writer.add(code_block("\n".join(lines), language))
        return False
    href = _only_link(pieces, start, writer.at) if "/a" in pieces[start : writer.at : 2] else ""
    write_code(writer, text, href)
    return False


def _begins_block(writer: Writer) -> bool:
    """Say whether nothing is open here but what may hold a block of code."""
    return not writer.line and writer.frames[-1].kind in {"page", "item", "quote"}


def _only_link(pieces: Sequence[str], start: int, end: int) -> str:
    """Return the reference of the link that spans all text from `start` to `end`, or ""."""
    tags = [place for place in range(start + 2, end, 2) if _is_link(pieces[place])]
    if len(tags) != 2:
        return ""
    first, last = tags
    around = (*pieces[start + 1 : first : 2], *pieces[last + 1 : end : 2])
    return "" if "".join(around).strip() else _href(pieces[first])


def _is_link(tag: str) -> bool:
    return tag in {"a", "/a"} or tag.startswith("a ")


def _href(tag: str) -> str:
    found = re.search(r' href="([^"]*)"', tag)
    return inline.unescape(found[1]) if found else ""


def write_code(writer: Writer, text: str, href: str = "") -> None:
    """Append a code span, linked to `href` unless that is in the page or a link is open."""
    if not text.strip():
        writer.write(text)
        return
    span = f"{inline.CODE}{escaped(text)}{inline.CODE_END}"
    address = writer.addresses.of(href) if href and not href.startswith("#") else None
    if address is not None and not any(start == inline.LINK for start, _ in writer.marks):
        destination = _destination(address)
        span = f"{inline.LINK}{span}{inline.LINK_ADDRESS}{destination}{inline.LINK_END}"
    writer.line.append(span)


def raised(writer: Writer, found: Element) -> Opened:
    """Write a super- or subscript that follows a word as `^2` or `_2`, `^(n+1)` if it is longer."""
    sign, not_raised = ("^", _NOT_RAISED) if found.kind == "superscript" else ("_", frozenset())
    start = len(writer.line)

    def close() -> None:
        text = "".join(writer.line[start:]).strip()
        before = writer.line[start - 1][-1] if 0 < start <= len(writer.line) else ""
        if not before.strip(" \n") or text.lower() in not_raised or not _RAISED.fullmatch(text):
            return
        writer.line[start:] = [sign + (text if text.isalnum() else f"({text})")]

    return close


def image(writer: Writer, found: Element) -> Opened:
    """Write an image by reference, its alternative text if it is an emoji or inline data."""
    said = found.attributes
    sources = (said.get(name, "") for name in _IMAGE_SOURCES)
    source = next((text for text in sources if text and not text.startswith("data:")), "")
    is_sign = not found.classes.isdisjoint(_SIGNS)
    label = escaped(" ".join((_sign(said) if is_sign else said.get("alt", "")).split()))
    dots = {said.get("width"), said.get("height")} & {"0", "1"}
    address = writer.addresses.of(source) if source and not dots else None
    if address is None or is_sign:
        if label:
            writer.line.append(label)
    elif said.get("role") not in {"presentation", "none"}:
        target = f"{inline.IMAGE_ADDRESS}{_destination(address)}{inline.IMAGE_END}"
        writer.line.append(f"{inline.IMAGE}{label}{target}")
    return False


def _sign(said: Mapping[str, str]) -> str:
    """What an emoji says: its sign, else its name, which Jira has in the file's name alone."""
    named = said.get("data-emoji-fallback") or said.get("alt")
    if named or "emoticon" not in said["class"].split():
        return named or ""
    name = _STEM.search(said.get("src", ""))
    return f"({name[1]})" if name else ""


def emoji(writer: Writer, found: Element) -> Opened:
    """Write an emoji that Confluence or Jira of the cloud draws as its sign."""
    writer.line.append(escaped(found.attributes["data-emoji-text"]))
    return writer.skip(found)


def line_break(writer: Writer, _: Element) -> Opened:
    """Write a line break; two in a row end the paragraph."""
    for text in reversed(writer.line):
        if text == inline.BREAK:
            writer.flush()
            break
        if not text.isspace():
            writer.line.append(inline.BREAK)
            break
    return False


def check_box(writer: Writer, found: Element) -> Opened:
    """Write a task's check box at the start of its list item; other inputs are not content."""
    frame = writer.frames[-1]
    if found.attributes.get("type") == "checkbox" and frame.kind == "item" and not frame.blocks:
        frame.box = "[x] " if "checked" in found.attributes else "[ ] "
    return False


def label(writer: Writer, _: Element) -> Opened:
    """Write a label that follows another one, of the next tab most often, as a paragraph."""
    pieces, place = writer.pieces, writer.at - 2
    while place > 0 and not pieces[place + 1].strip() and _name(pieces[place]) == "input":
        place -= 2
    if place > 0 and not pieces[place + 1].strip() and pieces[place] == "/label":
        writer.flush()
    return None


def _name(tag: str) -> str:
    return tag.partition(" ")[0]


def classifier(writer: Writer, _: Element) -> Opened:
    """Write what kind a term is of behind a colon, which docutils leaves to the style sheet."""
    before = inline.plain("".join(text[-40:] for text in writer.line[-4:]))
    if before and not before.endswith(":"):
        writer.line.append(" : ")
    return None


def code_language(writer: Writer, found: Element) -> Opened:
    """Leave out the language that is shown above code: its fence says it."""
    pieces, place = writer.pieces, writer.end_of("span")
    in_button = False
    while place + 2 < len(pieces) and (in_button or not pieces[place + 1].strip()):
        place += 2
        name = _name(pieces[place])
        if in_button:
            in_button = name != "/button"
        elif name == "pre":
            return writer.skip(found)
        elif name == "button":
            in_button = True
        elif not name.startswith("/"):
            return None
    return None


def button(writer: Writer, found: Element) -> Opened:
    """Write a button's label as a paragraph: it may be what opens an accordion or a tab.

    One that copies the code beside it is left out.
    """
    if writer.frames[-1].kind == "heading":
        return None
    texts = writer.pieces[writer.at + 1 : writer.end_of("button") : 2]
    if "".join(texts).strip().lower() in _COPY:
        return writer.skip(found)
    writer.flush()
    return writer.flush


def math(writer: Writer, found: Element) -> Opened:
    """Write MathML as the TeX it carries, else as its text."""
    end = writer.end_of("math")
    places = range(writer.at + 2, end, 2)
    sources = (writer.pieces[place + 1] for place in places if "x-tex" in writer.pieces[place])
    tex = found.attributes.get("alttext") or inline.unescape(next(sources, ""))
    tex = tex.strip()
    if tex.startswith("{\\displaystyle") and tex.endswith("}"):
        tex = tex[len("{\\displaystyle") : -1].strip()
    texts = "".join(writer.pieces[place + 1] for place in range(writer.at, end, 2))
    writer.write(_dollars(tex) if tex else texts)
    writer.at = end
    return False


def formula(writer: Writer, found: Element) -> Opened:
    r"""Write TeX that the page holds in `\(…\)` or `\[…\]` between dollar signs.

    The number of an equation, which Sphinx puts before it, is a paragraph above.
    """
    is_block = found.name != "span"
    tags = writer.pieces[writer.at + 2 : writer.end_of(found.name) : 2]
    if any(tag.startswith(("math", "img", "svg", "mjx", "table")) for tag in tags):
        writer.flush() if is_block else None
        return writer.flush if is_block else None
    text = writer.take_code(found)[0].strip()
    number = _EQUATION_NUMBER.match(text) if is_block else None
    tex = _TEX_DELIMITERS.sub("", text[number.end() :].strip() if number else text).strip()
    if not is_block:
        writer.write(_dollars(tex) if tex != text else escaped(text))
    elif tex:
        writer.flush()
        if number is not None:
            writer.add(Block(BlockKind.PARAGRAPH, number[0]))
        lines = "\n".join(line.rstrip() for line in tex.split("\n") if line.strip())
        writer.add(Block(BlockKind.CODE, f"$$\n{lines}\n$$"))
    return False


def _dollars(tex: str) -> str:
    return f"{inline.LITERAL}${escaped(tex)}${inline.LITERAL_END}" if tex else ""


def escaped(text: str) -> str:
    """Write text as the tree is serialised, the form in which a paragraph is collected."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _destination(address: str) -> str:
    """Write an address so that it ends where it should (CommonMark 6.3), in serialised form."""
    if _UNBALANCED.search(address) and not _is_balanced(address):
        address = address.replace("(", "%28").replace(")", "%29")
    return address.replace("<", "%3C").replace(">", "%3E").replace(" ", "%20").replace("&", "&amp;")


def _is_balanced(address: str) -> bool:
    depth = 0
    for character in address:
        depth += (character == "(") - (character == ")")
        if depth < 0:
            return False
    return depth == 0


SPANS: dict[str, Callable[[Writer, Element], Opened]] = {
    "strong": strong,
    "emphasis": emphasis,
    "deleted": deleted,
    "quotation": quotation,
    "ruby": ruby,
    "link": link,
    "code": code,
    "superscript": raised,
    "subscript": raised,
    "image": image,
    "emoji": emoji,
    "break": line_break,
    "input": check_box,
    "code language": code_language,
    "button": button,
    "label": label,
    "classifier": classifier,
    "math": math,
    "formula": formula,
}
