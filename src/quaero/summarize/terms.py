"""The terms of a text: its words in one form each, without those that say little.

Scripts written without blanks have no words that could be told apart here; pairs of their signs
stand in, as is usual where no dictionary is at hand.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from quaero.documents.letters import UNSPACED
from quaero.summarize.languages import base, stop_words

MARKS = "".join(
    chr(at) for at in range(0x300, 0x1E00) if unicodedata.category(chr(at)).startswith("M")
)
"""Signs that are written on or beside a letter and belong to its word: vowels of Hindi or Tamil,
accents that stand by themselves; for a class."""
_INSIDE = rf"\w{MARKS}\u200c\u200d"
WORD = re.compile(rf"[^\W_](?:[{_INSIDE}'’.+#-]*[\w{MARKS}+#])?")
_SIGNS = re.compile(f"[{UNSPACED}]+")
_LONGEST_WORD = 40


def terms(text: str, language: str) -> list[str]:
    """The terms of a text in order, as often as they stand there."""
    return [form for word in words(text) if (form := term(word, language))]


def words(text: str) -> Iterator[str]:
    """The words of a text as they are written; of unspaced scripts pairs of signs."""
    for found in WORD.finditer(text):
        word = found[0]
        if word.isascii() or not _SIGNS.search(word):
            yield word
            continue
        for run in _SIGNS.findall(word):
            yield from (run[at : at + 2] for at in range(max(1, len(run) - 1)))


def term(word: str, language: str) -> str:
    """The form under which a word is counted; "" for stop words, numbers and single letters."""
    lower = word.lower().replace("’", "'").removesuffix("'s")
    if len(lower) > _LONGEST_WORD or (len(lower) < 2 and lower.isascii()):
        return ""
    if lower in stop_words(language) or lower.replace(".", "").replace("-", "").isdigit():
        return ""
    return _singular(lower) if base(language) == "en" else lower


def _singular(word: str) -> str:
    if len(word) < 4 or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies"):
        return word[:-3] + "y" if len(word) > 4 else word
    if word.endswith(("sses", "shes", "ches", "xes", "zes")):
        return word[:-2]
    return word[:-1]
