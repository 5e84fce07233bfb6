"""A few words of a text around what was looked for.

A snippet is one line of plain text and the places in it that match. It has no control characters
and none that turn the direction of writing, so a terminal can print it; HTML is made by escaping
its `pieces`. Cutting it reads no more than the first `MAX_TEXT` characters.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from quaero.documents import letters
from quaero.documents.fulltext import ADDRESS, is_unspaced
from quaero.documents.query import WORD, Text

LENGTH = 240
MAX_TEXT = 200_000
_LEAD = 60
_ROOM = 3 * LENGTH
_MAX_FOUND = 200

# C0, DEL, C1, zero-width space, bidirectional controls, line and paragraph separators, BOM; not
# the two that join and part letters, without which some scripts are spelled wrong.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]+"
)
_TARGET = r"[^()\s]*(?:\([^()\s]*\)[^()\s]*)*"
_LINK = re.compile(rf"!?\[([^\[\]]*)\]\({_TARGET}(?:\s\"[^\"]*\")?\)")
_LINK_TAIL = re.compile(rf"\]\({_TARGET}\)?")
_MARKS = "#>|*+-:`"
_BETWEEN = rf"(?:{ADDRESS}|[\W_])"
"""What may stand between two words in a row: as in the index, also the address of a link."""
_BLANK = re.compile(r"\s+")
_ON_SIGNS = ("Mn", "Mc")
_JOINER = "\u200d"


@dataclass(frozen=True, slots=True)
class Snippet:
    """One line of text; `marks` are the (start, end) of what matched, in order, apart."""

    text: str
    marks: tuple[tuple[int, int], ...] = ()

    @property
    def pieces(self) -> list[tuple[str, bool]]:
        """The text in pieces, and whether each is marked."""
        found, place = [], 0
        for start, end in self.marks:
            found += [(self.text[place:start], False), (self.text[start:end], True)]
            place = end
        found.append((self.text[place:], False))
        return [piece for piece in found if piece[0]]


class Finder:
    """Finds what a query looks for in texts; `exact` as written, else as the index does."""

    def __init__(self, terms: Sequence[Text], *, exact: bool) -> None:
        self._exact = exact
        wanted = [term for term in terms if term.words]
        if exact:
            self._any = self._ascii = _either({_pattern(term.words, term) for term in wanted})
            return
        words = [(_folded_words(term.text), term) for term in wanted]
        self._ascii = _either({_pattern(each, term) for each, term in words if each})
        self._any = _either({way for each, term in words if each for way in _ways(each, term)})

    def marks(self, text: str) -> list[tuple[int, int]]:
        """The first places of `text` that match, each with the marks on its last letter."""
        if text.isascii():
            searched, either = text if self._exact else text.lower(), self._ascii
        else:
            searched, either = text if self._exact else fold(text), self._any
        found = islice(either.finditer(searched), _MAX_FOUND)
        return [(match.start(), _with_marks(text, match.end())) for match in found]

    def found(self, text: str) -> bool:
        """Tell whether anything in `text` matches."""
        text = _composed(text)
        return self._any.search(text if self._exact else fold(text)) is not None

    def snippet(self, text: str) -> Snippet:
        """The line of a Markdown text that shows the most of what matches, else its beginning."""
        head = _composed(text[:MAX_TEXT])
        start = _best(self.marks(head), head if self._exact else fold(head))
        rest = _sign_end(head, start + _ROOM)
        line = plain(head[_word_start(head, max(0, start - _LEAD)) : rest])
        found = self.marks(line)
        first = found[0][0] if found else 0
        begin = min(first, _word_start(line, max(0, first - _LEAD)))
        end = _word_end(line, begin + LENGTH)
        shown, before = line[begin:end], "…" if begin or start > _LEAD else ""
        after = "…" if end < len(line) or rest < len(head) or len(text) > MAX_TEXT else ""
        shift = len(before) - begin
        marks = tuple((a + shift, b + shift) for a, b in found if b <= end)
        return Snippet(f"{before}{shown}{after}", marks)


def _composed(text: str) -> str:
    """The text with each letter and its marks as one sign where there is one, as in a query."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def fold(text: str) -> str:
    """The text in small letters without diacritics, sign by sign: places stay the same."""
    return text.lower() if text.isascii() else "".join(map(_fold_sign, text))


@lru_cache(maxsize=8192)
def _fold_sign(sign: str) -> str:
    if is_unspaced(sign):
        return letters.plain_sign(sign)  # a Korean syllable would come apart
    base = letters.plain_sign(unicodedata.normalize("NFD", letters.plain_sign(sign))[0])
    small = base.lower()
    return small if len(small) == 1 else base


def plain(markdown: str) -> str:
    """A piece of Markdown as one line, without the marks of links, headings, lists and tables."""
    if "](" in markdown:
        markdown = _LINK_TAIL.sub("", _LINK.sub(r"\1", markdown))
    words = [word for word in markdown.split() if word.strip(_MARKS)]
    return safe(" ".join(words).replace("**", "").replace("`", ""))


def safe(text: str) -> str:
    """The text without what could steer a terminal or turn the direction of writing."""
    return text if text.isprintable() else _UNSAFE.sub(" ", text)


def _folded_words(text: str) -> list[str]:
    return WORD.findall(fold(letters.plain(text)))


def _either(patterns: Collection[str]) -> re.Pattern[str]:
    longest_first = sorted(patterns, key=lambda each: (-len(each), each))
    return re.compile("|".join(f"(?:{each})" for each in longest_first) or r"(?!)")


def _ways(words: Sequence[str], term: Text) -> list[str]:
    """The patterns of plain words, however a text that has more than ASCII spells them."""
    spelled = [
        [spelling if word == plainly else word for word in words]
        for plainly in words
        for spelling in letters.spellings(plainly)
    ]
    return [_pattern(each, term) for each in (words, *spelled)]


def _pattern(words: Sequence[str], term: Text) -> str:
    """The regular expression for words in a row, between boundaries of words.

    It begins with the word itself and looks back afterwards, so that `re` can jump to it; not so
    where points may stand between the letters.
    """
    if is_unspaced(words[0]):
        return rf"{_BETWEEN}*".join(re.escape(word) for word in words)
    pointed = any(letters.is_pointed(word) for word in words)
    first, *others = (_pointed(word) if pointed else re.escape(word) for word in words)
    begin = rf"(?<![^\W_]){first}" if pointed else rf"{first}(?<![^\W_]{first})"
    end = r"[^\W_]*" if term.prefix else r"(?![^\W_])"
    return begin + "".join(rf"{_BETWEEN}{{1,20}}{each}" for each in others) + end


def _pointed(word: str) -> str:
    """A word, and each of its letters with as many points as a text may give it."""
    return "".join(rf"{re.escape(sign)}[{letters.POINTS}]*" for sign in word)


def _with_marks(text: str, end: int) -> int:
    """Where the marks end that belong to the sign before a place, as vowels do in India."""
    while end < len(text) and unicodedata.category(text[end]) in _ON_SIGNS:
        end += 1
    return end


def _cuts_sign(text: str, place: int) -> bool:
    """Whether a place is within what readers see as one: before a mark, or beside a joiner."""
    if not 0 < place < len(text):
        return False
    return unicodedata.category(text[place]) in _ON_SIGNS or _JOINER in text[place - 1 : place + 1]


def _sign_end(text: str, place: int) -> int:
    """The nearest place at or before one that cuts no sign."""
    place = min(place, len(text))
    while _cuts_sign(text, place):
        place -= 1
    return place


def _best(found: Sequence[tuple[int, int]], text: str) -> int:
    """Where to begin so that the most different matches fit in a snippet, then the most."""
    best, begin = (0, 0), 0
    first = 0
    inside: dict[str, int] = {}
    for last, (start, end) in enumerate(found):
        word = text[start:end]
        inside[word] = inside.get(word, 0) + 1
        while found[first][0] < start - (LENGTH - _LEAD):
            left = text[slice(*found[first])]
            inside[left] -= 1
            if not inside[left]:
                del inside[left]
            first += 1
        worth = (len(inside), last - first)
        if worth > best:
            best, begin = worth, found[first][0]
    return begin


def _word_start(text: str, place: int) -> int:
    """Where the first word from a place on begins; its first sign where none begins soon."""
    if place == 0 or text[place - 1].isspace():
        return place
    blank = _BLANK.search(text, place, place + _LEAD // 2)
    if blank:
        return blank.end()
    while _cuts_sign(text, place):
        place += 1
    return place


def _word_end(line: str, place: int) -> int:
    if place >= len(line):
        return len(line)
    blank = line.rfind(" ", 0, place)
    return blank if blank > place - _LEAD else _sign_end(line, place)
