"""The text of a body of bytes, whatever it says of itself.

The order is the one of the HTML standard (WHATWG HTML 13.2.3, Encoding Standard 4.2): byte order
mark, `charset` of the content type, `<meta>` or XML declaration within the first 4 kB, then UTF-8
if the bytes are valid, else windows-1252. Decoding never fails: what cannot be decoded becomes
U+FFFD. Only the encodings of the Encoding Standard are accepted as labels.
"""

from __future__ import annotations

import codecs
import re

_PRESCAN = 4096

_COMMENT = re.compile(rb"<!--.*?(?:-->|\Z)", re.DOTALL)
_META = re.compile(
    rb"""<meta[\s/][^>]*?charset\s*=\s*["']?\s*([\w.:+-]+)|<\?xml[^>]*?encoding\s*=\s*["']([\w.:+-]+)""",
    re.IGNORECASE,
)
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
    "iso8859-2": "latin2 iso-8859-2 iso8859-2 iso88592 iso_8859-2 l2 csisolatin2 iso-ir-101",
    "iso8859-3": "latin3 iso-8859-3 iso8859-3 iso88593 iso_8859-3 l3 csisolatin3 iso-ir-109",
    "iso8859-4": "latin4 iso-8859-4 iso8859-4 iso88594 iso_8859-4 l4 csisolatin4 iso-ir-110",
    "iso8859-5": "cyrillic iso-8859-5 iso8859-5 iso88595 iso_8859-5 csisolatincyrillic iso-ir-144",
    "iso8859-6": "arabic iso-8859-6 iso8859-6 iso88596 iso_8859-6 asmo-708 ecma-114 iso-ir-127",
    "iso8859-7": "greek greek8 iso-8859-7 iso8859-7 iso88597 iso_8859-7 ecma-118 elot_928",
    "iso8859-8": "hebrew visual logical iso-8859-8 iso8859-8 iso88598 iso_8859-8 iso-8859-8-i",
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

# What windows-1252 makes of the bytes 80 to 9F; the five it leaves free stay control characters.
_WINDOWS_1252 = {
    byte: bytes([byte]).decode("cp1252")
    for byte in range(0x80, 0xA0)
    if byte not in {0x81, 0x8D, 0x8F, 0x90, 0x9D}
}


def decode(body: bytes, content_type: str | None) -> str:
    """Return `body` as text, without its byte order mark; never raises.

    `content_type` is the value of the `Content-Type` header, if there was one.
    """
    for mark, codec in _BOMS:
        if body.startswith(mark):
            return body[len(mark) :].decode(codec, "replace")
    declared = _from_header(content_type) or _from_markup(body)
    if declared is not None:
        return _decode_as(body, declared)
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return _decode_as(body, "cp1252")


def _from_header(content_type: str | None) -> str | None:
    found = _HEADER.search(content_type or "")
    return _CODECS.get(found[1].lower()) if found else None


def _from_markup(body: bytes) -> str | None:
    found = _META.search(_COMMENT.sub(b"", body[:_PRESCAN]))
    if found is None:
        return None
    codec = _CODECS.get((found[1] or found[2]).decode("ascii", "replace").lower())
    # A declaration that could be read as ASCII cannot be UTF-16 (WHATWG HTML 13.2.3.2).
    return "utf-8" if codec and codec.startswith("utf-16") else codec


def _decode_as(body: bytes, codec: str) -> str:
    if codec == "cp1252":
        return body.decode("latin-1").translate(_WINDOWS_1252)
    return body.decode(codec, "replace")
