"""The text of a body of bytes, whatever it says of itself.

The order is the one of the HTML standard (WHATWG HTML 13.2.3, Encoding Standard 4.2): byte order
mark, `charset` of the content type, `<meta>` or XML declaration within the first 4 kB, then UTF-8
if the bytes are valid, else a later `<meta>`, else what `guess` takes it for. Decoding never fails:
what cannot be decoded becomes U+FFFD. Only the encodings of the Encoding Standard are accepted as
labels. `prescan` finds the declarations in markup.
"""

from __future__ import annotations

import codecs
import re
from functools import cache

from quaero.crawl.guess import guessed_encoding
from quaero.crawl.prescan import declared_encoding

_PRESCAN = 4096
_LATE = 256 * 1024  # where no other sign is left, a declaration is looked for as far as here

_HEADER = re.compile(r"""charset\s*=\s*["']?\s*([\w.:+-]+)""", re.IGNORECASE)

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

# Python codec: labels of the Encoding Standard that mean it.
_LABELS = {
    "utf-8": "utf-8 utf8 unicode-1-1-utf-8 unicode11utf8 unicode20utf8 x-unicode20utf8",
    "utf-16-le": "utf-16le utf-16 ucs-2 csunicode iso-10646-ucs-2 unicode unicodefeff",
    "utf-16-be": "utf-16be unicodefffe",
    "cp1252": (
        "windows-1252 cp1252 x-cp1252 latin1 iso-8859-1 iso8859-1 iso88591 iso_8859-1 "
        "iso_8859-1:1987 l1 ascii us-ascii ansi_x3.4-1968 cp819 ibm819 csisolatin1 iso-ir-100 "
        "x-user-defined"
    ),
    "cp1250": "windows-1250 cp1250 x-cp1250",
    "cp1251": "windows-1251 cp1251 x-cp1251",
    "cp1253": "windows-1253 cp1253 x-cp1253",
    "cp1254": (
        "windows-1254 cp1254 x-cp1254 latin5 iso-8859-9 iso8859-9 iso88599 iso_8859-9 l5 "
        "iso_8859-9:1989 csisolatin5 iso-ir-148"
    ),
    "cp1255": "windows-1255 cp1255 x-cp1255",
    "cp1256": "windows-1256 cp1256 x-cp1256",
    "cp1257": "windows-1257 cp1257 x-cp1257",
    "cp1258": "windows-1258 cp1258 x-cp1258",
    "cp874": "windows-874 dos-874 tis-620 iso-8859-11 iso8859-11 iso885911",
    "cp866": "ibm866 866 cp866 csibm866",
    "iso8859-2": (
        "latin2 iso-8859-2 iso8859-2 iso88592 iso_8859-2 l2 csisolatin2 iso-ir-101 iso_8859-2:1987"
    ),
    "iso8859-3": (
        "latin3 iso-8859-3 iso8859-3 iso88593 iso_8859-3 l3 csisolatin3 iso-ir-109 iso_8859-3:1988"
    ),
    "iso8859-4": (
        "latin4 iso-8859-4 iso8859-4 iso88594 iso_8859-4 l4 csisolatin4 iso-ir-110 iso_8859-4:1988"
    ),
    "iso8859-5": (
        "cyrillic iso-8859-5 iso8859-5 iso88595 iso_8859-5 csisolatincyrillic iso-ir-144 "
        "iso_8859-5:1988"
    ),
    "iso8859-6": (
        "arabic iso-8859-6 iso8859-6 iso88596 iso_8859-6 asmo-708 ecma-114 iso-ir-127 "
        "iso_8859-6:1987 csisolatinarabic csiso88596e csiso88596i iso-8859-6-e iso-8859-6-i"
    ),
    "iso8859-7": (
        "greek greek8 iso-8859-7 iso8859-7 iso88597 iso_8859-7 ecma-118 elot_928 "
        "iso_8859-7:1987 csisolatingreek iso-ir-126 sun_eu_greek"
    ),
    "iso8859-8": (
        "hebrew visual logical iso-8859-8 iso8859-8 iso88598 iso_8859-8 iso-8859-8-i "
        "iso_8859-8:1988 csisolatinhebrew csiso88598e csiso88598i iso-8859-8-e iso-ir-138"
    ),
    "iso8859-10": "latin6 iso-8859-10 iso8859-10 iso885910 l6 csisolatin6 iso-ir-157",
    "iso8859-13": "iso-8859-13 iso8859-13 iso885913",
    "iso8859-14": "iso-8859-14 iso8859-14 iso885914",
    "iso8859-15": "latin9 iso-8859-15 iso8859-15 iso885915 iso_8859-15 l9 csisolatin9",
    "iso8859-16": "iso-8859-16",
    "koi8-r": "koi8-r koi koi8 koi8_r cskoi8r",
    "koi8-u": "koi8-u koi8-ru",
    "mac-roman": "macintosh mac x-mac-roman csmacintosh",
    "mac-cyrillic": "x-mac-cyrillic x-mac-ukrainian",
    "gb18030": (
        "gb18030 gbk gb2312 gb_2312 gb_2312-80 chinese x-gbk csgb2312 csiso58gb231280 iso-ir-58"
    ),
    "big5hkscs": "big5 big5-hkscs cn-big5 x-x-big5 csbig5",
    "cp932": "shift_jis shift-jis sjis x-sjis ms932 ms_kanji windows-31j csshiftjis",
    "euc_jp": "euc-jp x-euc-jp cseucpkdfmtjapanese",
    "iso2022_jp": "iso-2022-jp csiso2022jp",
    "cp949": (
        "euc-kr korean ks_c_5601-1987 ks_c_5601-1989 ksc5601 ksc_5601 windows-949 cseuckr "
        "csksc56011987 iso-ir-149"
    ),
}
_CODECS = {label: codec for codec, labels in _LABELS.items() for label in labels.split()}
_KNOWN = frozenset(_LABELS)

# Where the Encoding Standard reads single bytes otherwise than Python's codec.
_AMENDED = {"koi8-u": {0xAE: "ў", 0xBE: "Ў"}, "cp1255": {0xCA: "\u05ba"}}
_OF_MORE_BYTES = frozenset(
    {"utf-8", "utf-16-le", "utf-16-be", "gb18030", "big5hkscs"}
    | {"cp932", "euc_jp", "iso2022_jp", "cp949"}
)

# Ideographs and signs for which GB 18030 had places of private use until 2022.
_GB_PRIVATE = str.maketrans(
    "\ue5e5\ue78d\ue78e\ue78f\ue790\ue791\ue792\ue793\ue794\ue795\ue796\ue7c7"
    "\ue81e\ue826\ue82b\ue82c\ue832\ue843\ue854\ue864",
    "\u3000︐︒︑︓︔︕︖︗︘︙ḿ龴龵龶龷龸龹龺龻",
)
_HAS_GB_PRIVATE = re.compile("[\ue5e5\ue78d-\ue796\ue7c7\ue81e-\ue864]")

# EUC-JP in runs: the rows that vendors added, which Python's codec lacks, and everything else.
_EUC_RUNS = re.compile(
    rb"((?:[\xad\xf9-\xfc][\xa1-\xfe])+)"
    rb"|(?:[\x00-\x8d]|\x8e[\xa1-\xdf]|\x8f[\xa1-\xfe]{2}|[\xa1-\xac\xae-\xf8\xfd\xfe][\xa1-\xfe])+"
    rb"|.",
    re.DOTALL,
)


def decode(body: bytes, content_type: str | None) -> str:
    """Return `body` as text, without its byte order mark; never raises.

    `content_type` is the value of the `Content-Type` header, if there was one.
    """
    return read(body, content_type)[0]


def read(body: bytes, content_type: str | None) -> tuple[str, str]:
    """Return the text as `decode` does, and the Python codec of its encoding."""
    for mark, codec in _BOMS:
        if body.startswith(mark):
            return body[len(mark) :].decode(codec, "replace"), codec
    declared = _from_header(content_type) or declared_encoding(body[:_PRESCAN], _codec)
    if declared is None:
        try:
            return body.decode("utf-8"), "utf-8"
        except UnicodeDecodeError:
            declared = declared_encoding(body[:_LATE], _codec) or guessed_encoding(body, _KNOWN)
    return _decode_as(body, declared), declared


def _codec(label: str) -> str | None:
    return _CODECS.get(label.strip().lower())


def _from_header(content_type: str | None) -> str | None:
    found = _HEADER.search(content_type or "")
    return _codec(found[1]) if found else None


def _decode_as(body: bytes, codec: str) -> str:
    if codec not in _OF_MORE_BYTES:
        return codecs.charmap_decode(body, "replace", _characters(codec))[0]
    if codec == "euc_jp":
        return _decode_euc_jp(body)
    text = body.decode(codec, "replace")
    if codec == "gb18030" and _HAS_GB_PRIVATE.search(text):
        return text.translate(_GB_PRIVATE)
    return text


@cache
def _characters(codec: str) -> str:
    """What each of the 256 bytes means; those that Windows leaves free stay control characters."""
    amended = _AMENDED.get(codec, {})
    return "".join(amended.get(byte) or _character(codec, byte) for byte in range(256))


def _character(codec: str, byte: int) -> str:
    try:
        return bytes([byte]).decode(codec)
    except UnicodeDecodeError:
        return chr(byte) if byte < 0xA0 else "\ufffd"


def _decode_euc_jp(body: bytes) -> str:
    try:
        return body.decode("euc_jp")
    except UnicodeDecodeError:
        return "".join(
            _as_shift_jis(run[1]) if run[1] else run[0].decode("euc_jp", "replace")
            for run in _EUC_RUNS.finditer(body)
        )


def _as_shift_jis(pairs: bytes) -> str:
    """The text of two-byte characters that only the Shift JIS of Windows has (①, Ⅳ, ㈱, 髙)."""
    shifted = bytearray()
    for lead, trail in zip(pairs[::2], pairs[1::2], strict=True):
        row, cell = lead - 0xA1, trail - 0xA1  # both from 0 to 93
        shifted.append(row // 2 + (0x81 if row < 62 else 0xC1))
        place = cell + 94 * (row % 2)
        shifted.append(place + (0x40 if place < 63 else 0x41))
    return shifted.decode("cp932", "replace")
