"""Markdown taken apart into sentences, each with where it stands.

Code, tables, pictures and runs of links are no prose and are left out; headings are kept beside.
Sentences end where they are read to end: not after abbreviations, initials, ordinals or versions.
Everything is one pass over the lines, so the time grows with the text alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from quaero.documents.letters import UNSPACED

LONGEST_SENTENCE = 1_000
"""Characters; what is longer without an end is cut at a blank and goes on as the next."""
MOST_SENTENCES = 4_000

ENDS = "。！？｡।॥۔؟።။។"
"""What ends a sentence beside the signs of European scripts: Chinese, Hindi, Urdu, Arabic,
Amharic, Burmese, Khmer."""

_SHORT = """
    al approx art bzw ca cf ch chap co corp dept dr ed eds eq est etc evtl ex fig figs ggf gen
    gov hr hrsg inc jr kap lt ltd m max mgr min misc mme mr mrs ms msgr mt mlle nr no op p par
    pp prof ref refs rev s sec sect sen sr st str tab tel u usw v vgl vol vols vs z zzgl sog
    inkl exkl abs env aprox pág sra sres ud uds núm ecc dott sig sigg avv tzn tzv np itd dz ул
    им гг см рис табл стр др пр тыс млн jan feb mar apr jun jul aug sep sept oct nov dec mon tue
    wed thu fri sat sun
"""
_ABBREVIATIONS = frozenset(_SHORT.split())
_DOTTED = re.compile(r"(?:[^\W\d_]{1,3}\.)+[^\W\d_]{1,3}\Z")  # e.g, i.e, z.B, U.S, p.ej
_MONTH = re.compile(
    r"\s+(?:jan|feb|mär|apr|mai|maj|juni|juli|aug|sep|okt|oct|nov|dez|dec)", re.IGNORECASE
)  # after an ordinal: 3. Oktober
_END = re.compile(rf"(?:(?<![.!?…])[.!?…]+[\"'»”’)\]]*(?=\s|\Z))|[{ENDS}]+[」』”）\"'»”’)]*")
_LAST_TOKEN = re.compile(r"[^\s(\[\"'«“‘]+\Z")
_OPENS = re.compile(r"\s*[\"'«“‘(\[]*(\S)")

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_HEADING = re.compile(r" {0,3}#{1,6}(?=\s|\Z)")
_UNDERLINE = re.compile(r" {0,3}(=+|-{2,})\s*\Z")
_RULE = re.compile(r" {0,3}([-*_])(?:\s*\1){2,}\s*\Z")
_ITEM = re.compile(r"\s*(?:[-*+•]|\d{1,9}[.)])\s+(?:\[[ xX]\]\s+)?")
_QUOTE = re.compile(r" {0,3}(?:>\s?)+")
_TABLE = re.compile(r"\s*\|.*\||[^|]+(?:\|[^|]+){2,}\Z")
_CODE_INDENT = re.compile(r"(?: {4}|\t)")

_TARGET = r"\((?:[^()\n]|\([^()\n]{0,200}\)){0,2000}\)"
_IMAGE = re.compile(r"!\[[^\]\n]{0,500}\](?:" + _TARGET + r"|\[[^\]\n]{0,200}\])")
_LINK = re.compile(r"\[([^\[\]\n]{0,1000})\]" + _TARGET)
_REFERENCE = re.compile(r"\[([^\[\]\n]{1,500})\]\[[^\[\]\n]{0,200}\]")
_DEFINITION = re.compile(r" {0,3}\[[^\]\n]{1,200}\]:\s")
_AUTOLINK = re.compile(r"(?<!\\)<(?:https?|mailto):[^>\s]{0,2000}>")
_TAG = re.compile(r"(?<!\\)</?[A-Za-z][^<>\n]{0,200}>|<!--.{0,300}?-->")
_MARKS = re.compile(
    r"(?<!\\)(?:`+|\*{1,3}(?=\S)|(?<=\S)\*{1,3}|(?<!\w)_{1,3}(?=\w)|(?<=\S)_{1,3}(?!\w)|~~)"
)
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")
_NOTE = re.compile(r"\[\^?\d{1,3}\]")
_BLANKS = re.compile(r"\s+")
_SIGN = re.compile(f"[{UNSPACED}]")
_SIGNS_A_WORD = 3
"""Signs of scripts without blanks that say no less than a word."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence as plain text.

    `block` is the number of its paragraph, `place` its number within it; `section` is the number of
    headings before it. `item` says that it stands in a list.
    """

    text: str
    block: int
    place: int
    section: int
    item: bool = False


@dataclass(slots=True)
class Prose:
    """The sentences of a text in order, and its headings; `cut` ones were too many to look at."""

    sentences: list[Sentence] = field(default_factory=list)
    headings: list[str] = field(default_factory=list)
    cut: bool = False


def prose(markdown: str) -> Prose:
    """Take a Markdown text apart."""
    found = Prose()
    block = 0
    for text, kind in _blocks(markdown):
        if kind == "heading":
            if text:
                found.headings.append(text)
            continue
        for place, sentence in enumerate(split(text)):
            if len(found.sentences) >= MOST_SENTENCES:
                found.cut = True
                return found
            found.sentences.append(
                Sentence(sentence, block, place, len(found.headings), kind == "item")
            )
        block += 1
    return found


def split(text: str) -> list[str]:
    """The sentences of a paragraph of plain text."""
    found: list[str] = []
    start = 0
    for end in _END.finditer(text):
        if end[0][0] == "." and len(end[0].rstrip("\"'»”’)]")) == 1 and _goes_on(text, start, end):
            continue
        if end[0][0] in ".…" and _next_is_small(text, end.end()):
            continue
        found += _bounded(text[start : end.end()].strip())
        start = end.end()
    return [each for each in [*found, *_bounded(text[start:].strip())] if each]


def _goes_on(text: str, start: int, end: re.Match[str]) -> bool:
    """Whether a full stop belongs to its word: an abbreviation, an initial, an ordinal."""
    token = _LAST_TOKEN.search(text, max(start, end.start() - 40), end.start())
    if token is None:
        return False
    word = token[0]
    if word.lower() in _ABBREVIATIONS or _DOTTED.match(word):
        return end.end() < len(text)
    if len(word) == 1 and word.isupper() and word != "I":
        return True
    if not word.isdigit() or len(word) > 2:
        return False
    return text[start : token.start()].isspace() or bool(_MONTH.match(text, end.end()))


def _next_is_small(text: str, at: int) -> bool:
    opens = _OPENS.match(text, at)
    return opens is not None and opens[1].islower()


def _bounded(sentence: str) -> list[str]:
    pieces, start = [], 0
    while len(sentence) - start > LONGEST_SENTENCE:
        cut = sentence.rfind(" ", start + LONGEST_SENTENCE // 2, start + LONGEST_SENTENCE)
        cut = cut if cut > 0 else start + LONGEST_SENTENCE
        pieces.append(sentence[start:cut].strip())
        start = cut
    return [*pieces, sentence[start:].strip()]


# -- blocks


def _blocks(markdown: str) -> Iterator[tuple[str, str]]:
    """Paragraphs, items and headings as plain text, each with its kind."""
    lines: list[str] = []
    kind = "text"
    fence = ""
    blank = True
    for raw in markdown.splitlines():
        line = _QUOTE.sub("", raw, count=1) if raw.lstrip().startswith(">") else raw
        opened = _FENCE.match(line)
        if fence:
            if opened and opened[1].startswith(fence) and not line.strip().strip(fence[0]):
                fence = ""
            continue
        item = _ITEM.match(line)
        if opened or not line.strip() or _TABLE.match(line) or _DEFINITION.match(line):
            fence = opened[1] if opened else ""
            yield from _block(lines, kind)
            lines, blank = [], True
            continue
        if lines and kind == "text" and len(lines) <= 2 and _UNDERLINE.match(line):
            yield from _block(lines, "heading")
            lines, blank = [], True
        elif _RULE.match(line):
            yield from _block(lines, kind)
            lines = []
        elif (heading := _HEADING.match(line)) is not None:
            yield from _block(lines, kind)
            yield from _block([line[heading.end() :].strip().rstrip("#")], "heading")
            lines, blank = [], True
        elif blank and kind != "item" and not item and _CODE_INDENT.match(line):
            continue
        else:
            if item or (blank and kind == "item" and not _CODE_INDENT.match(line)):
                yield from _block(lines, kind)
                lines, kind = [], "item" if item else "text"
            lines.append(line[item.end() :] if item else line)
            blank = False
    yield from _block(lines, kind)


def _block(lines: list[str], kind: str) -> Iterator[tuple[str, str]]:
    if not lines:
        return
    raw = " ".join(line.strip() for line in lines)
    text = plain(raw)
    if kind == "heading" or (text and not _is_navigation(raw, text, kind)):
        yield text, kind


def _is_navigation(raw: str, text: str, kind: str) -> bool:
    """Whether a block is made of links rather than of sentences."""
    linked = sum(len(each) for each in _LINK.findall(raw))
    if kind == "item" and len(text.split()) + len(_SIGN.findall(text)) // _SIGNS_A_WORD < 4:
        return True
    return linked > 0.7 * len(text) and not re.search(rf"[.!?{ENDS}]\s*\Z", text)


def plain(markdown: str) -> str:
    """One line of Markdown without its signs: words of links stay, pictures and tags go."""
    text = markdown
    if "[" in text:
        text = _IMAGE.sub(" ", text)
        text = _LINK.sub(r"\1", text)
        text = _REFERENCE.sub(r"\1", text)
        text = _NOTE.sub("", text)
    if "<" in text:
        text = _AUTOLINK.sub(" ", text)
        text = _TAG.sub(" ", text)
    text = _MARKS.sub("", text)
    if "\\" in text:
        text = _ESCAPE.sub(r"\1", text)
    return _BLANKS.sub(" ", text).strip()
