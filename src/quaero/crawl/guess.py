"""A guess at the encoding of text that does not say it.

The HTML standard (WHATWG HTML 13.2.3.2) leaves that to frequency analysis, and where that is not
sure enough to a default, windows-1252. UTF-8 in which little is broken, by a cut in the middle of a
character, say, is still taken for UTF-8.
"""

from __future__ import annotations

import re

_LOOKED_AT = 16 * 1024  # bytes, from a little before the first that is not ASCII on
_BEFORE = 256
_SURE = 0.05
"""Of 270 western pages with 20 to 1,000 characters one is then taken for another."""
_WHOLE_FOR_ONE_BROKEN = 10

_ASCII = bytes(range(128))
_DECLARATIONS = re.compile(rb"charset|coding", re.IGNORECASE)  # none of them counted
_OTHER_CHARACTERS = re.compile("[^\x00-\x7f\ufffd]")
_NAMED_ELSEWHERE = {
    "shift_jis_2004": "cp932",
    "euc_jis_2004": "euc_jp",
    "euc_kr": "cp949",
    "tis-620": "cp874",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
}
_DEFAULT = "cp1252"


def guessed_encoding(body: bytes, known: frozenset[str]) -> str:
    """The Python codec, one of `known`, that `body`, which is not valid UTF-8, is written in."""
    begin = max(0, len(body) - len(body.lstrip(_ASCII)) - _BEFORE)
    sample = body[begin : begin + _LOOKED_AT]
    if _is_nearly_utf8(sample):
        return "utf-8"
    from chardet import EncodingEra, detect  # seldom needed, and large

    found = detect(
        _DECLARATIONS.sub(b"", sample),
        encoding_era=EncodingEra.MODERN_WEB | EncodingEra.LEGACY_ISO,
        prefer_superset=False,
        compat_names=False,
        no_match_encoding=_DEFAULT,
    )
    name = found["encoding"]
    codec = _NAMED_ELSEWHERE.get(name, name) if name else None
    return codec if codec in known and found["confidence"] >= _SURE else _DEFAULT


def _is_nearly_utf8(sample: bytes) -> bool:
    text = sample.decode("utf-8", "replace")
    whole = len(_OTHER_CHARACTERS.findall(text))
    return whole >= _WHOLE_FOR_ONE_BROKEN * text.count("\ufffd")
