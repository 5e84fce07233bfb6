"""The encoding that markup declares of itself, found before anything is decoded.

This is the prescan of the HTML standard (WHATWG HTML 13.2.3.2): the first `<meta>` that names a
known encoding, `content` only beside `http-equiv=content-type`, else the XML declaration. Comments
and the attributes of other tags are passed over. How far to look is left to the caller.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_MARK = re.compile(rb"<(?:!--|(meta(?=[\s/]))|/?[a-z][^\s>]*|[!/?])", re.IGNORECASE)
_VALUE = rb"""\s*+=\s*+(?:"([^"]*)"|'([^']*)'|(?!["'])([^\s>]*+))"""
_ONE = rb"[\s/]*+([^\s/>][^\s/>=]*+)(?:" + _VALUE + rb"|(?!\s*=))"
_ATTRIBUTE = re.compile(_ONE)
_ATTRIBUTES = re.compile(rb"(?:" + _ONE + rb")*+[\s/]*+>")
_IN_CONTENT = re.compile(
    r"""charset\s*=\s*(?:"([^"]*)"|'([^']*)'|(?!["'])([^\s;]+))""", re.IGNORECASE
)
_XML = re.compile(rb"""\s*<\?xml[^>]*?encoding\s*=\s*["']([^"'>]+)["']""")
_XML_IN_UTF16 = {b"<\0?\0x\0": "utf-16-le", b"\0<\0?\0x": "utf-16-be"}


def declared_encoding(body: bytes, codec_of: Callable[[str], str | None]) -> str | None:
    """The codec of the encoding that `body` declares, if it declares one that is known.

    `codec_of` finds the codec of a label. A declaration that could be read as ASCII cannot be in
    UTF-16, so UTF-8 is meant by it.
    """
    if (unmarked := _XML_IN_UTF16.get(body[:6])) is not None:
        return unmarked
    codec = _of_meta(body, codec_of) if b"charset" in body.lower() else None
    if codec is None and (found := _XML.match(body)) is not None:
        codec = codec_of(found[1].decode("latin-1"))
    return "utf-8" if codec is not None and codec.startswith("utf-16") else codec


def _of_meta(body: bytes, codec_of: Callable[[str], str | None]) -> str | None:
    at = 0
    while (mark := _MARK.search(body, at)) is not None:
        kind = mark[0]
        if kind == b"<!--":
            at = body.find(b"-->", mark.end() - 2) + 3
            if at < 3:
                return None
        elif kind in (b"<!", b"</", b"<?"):
            at = mark.end()
        elif (tag := _ATTRIBUTES.match(body, mark.end())) is None:
            return None
        else:
            at = tag.end()
            if mark[1] is not None and (codec := _meant(_attributes(tag[0]), codec_of)) is not None:
                return codec
    return None


def _attributes(tag: bytes) -> dict[str, str]:
    """What the tag of a `<meta>` says, the first of each name, its names in lower case."""
    said: dict[str, str] = {}
    for name, *values in _ATTRIBUTE.findall(tag):
        value = b"".join(values).decode("latin-1")
        said.setdefault(name.decode("latin-1").lower(), value)
    return said


def _meant(said: dict[str, str], codec_of: Callable[[str], str | None]) -> str | None:
    if "charset" in said:
        return codec_of(said["charset"])
    if said.get("http-equiv", "").lower() != "content-type":
        return None
    named = _IN_CONTENT.search(said.get("content", ""))
    return codec_of(named[1] or named[2] or named[3] or "") if named is not None else None
