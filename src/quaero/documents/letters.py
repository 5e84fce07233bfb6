"""Letters that readers take for one another: what search makes of them.

`plain` writes a text with the letters that people type: `Straße` as `Strasse`, `ёлка` as `елка`,
wide, narrow and presentation forms as the letters they stand for (Unicode TR 15, compatibility),
Arabic and Hebrew without the points that are mostly left out, soft hyphens not at all. Case and
Latin diacritics are left to the index. `plain_sign` does the same for one sign where that is one
again, and `spellings` tells how else a plain word may be written where it is two.
"""

from __future__ import annotations

import re
import unicodedata

_TWO = {"ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ﬁ": "fi", "ﬂ": "fl"}
_ONE = {
    "ø": "o", "Ø": "O", "đ": "d", "Đ": "D", "ł": "l", "Ł": "L", "ı": "i",
    "ё": "е", "Ё": "Е",
    # alef with hamza or madda, wasla; yeh and kaf as Persian writes them, alef maksura
    "\u0622": "\u0627", "\u0623": "\u0627", "\u0625": "\u0627", "\u0671": "\u0627",
    "\u06cc": "\u064a", "\u0649": "\u064a", "\u06a9": "\u0643",
}  # fmt: skip
POINTS = "\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670"
"""Points of vowels and of reading, and the stroke that draws Arabic words out; for a class."""
UNSPACED = "\u0e00-\u0eff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
"""Signs of scripts that are written without spaces between words; for a class."""
_FORMS = "\ufb00-\ufb06\ufb50-\ufdfb\ufe70-\ufefc\uff01-\uffdc"
_FORMS_ALONE = re.compile(f"[{_FORMS}]+")
_OTHERS = re.compile(f"[{''.join((*_TWO, *_ONE))}{POINTS}\u00ad]")
_LETTERS = {**_TWO, **_ONE}
_POINTED = re.compile("[\u05d0-\u05ea\u0620-\u06d3]")


def plain(text: str) -> str:
    """The text with the letters that people type; a word stays a word."""
    if text.isascii():
        return text
    text = _FORMS_ALONE.sub(lambda found: unicodedata.normalize("NFKC", found[0]), text)
    return _OTHERS.sub(lambda found: _LETTERS.get(found[0], ""), text)


def plain_sign(sign: str) -> str:
    """The one sign that a sign is typed as; itself where there is none."""
    if sign in _ONE:
        return _ONE[sign]
    if _FORMS_ALONE.match(sign):
        sought = unicodedata.normalize("NFKC", sign)
        return _ONE.get(sought, sought) if len(sought) == 1 else sign
    return sign


def spellings(word: str) -> list[str]:
    """The ways, besides itself, in which a plain word in small letters may be written."""
    return [word.replace(two, one) for one, two in _TWO.items() if two.islower() and two in word]


def is_pointed(word: str) -> bool:
    """Whether a word is of a script whose points are mostly left out."""
    return _POINTED.search(word) is not None
