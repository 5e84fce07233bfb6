"""A document as one Markdown file: YAML front matter, then the text as it is.

What is written is a mapping whose values are JSON, which is YAML as well (YAML 1.2, 1.3), so any
reader of front matter understands it and numbers, texts and lists come back as they were. What is
read may have been edited by hand: plain values, and lists of `- item` lines, are understood too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

_FENCE = "---\n"
_KEY = re.compile(r"([A-Za-z_][A-Za-z0-9_-]*):(?:\s+(.*))?$")
_ITEM = re.compile(r"\s*-\s+(.*)$")
# Not printable in YAML 1.2 (5.1), or taken for a line break by readers of 1.1.
_ESCAPED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def write(fields: Mapping[str, Any], text: str) -> str:
    """The file's content; fields without a value are left out."""
    lines = [f"{name}: {_json(value)}\n" for name, value in fields.items() if value is not None]
    return f"{_FENCE}{''.join(lines)}{_FENCE}\n{text}"


def read(content: str) -> tuple[dict[str, Any], str]:
    """Fields and text; no fields where there is no front matter."""
    content = content.removeprefix("\ufeff")
    head = content.replace("\r\n", "\n", 1)
    if not head.startswith(_FENCE):
        return {}, content
    end = re.search(r"^---\r?$\n?", content[4:], re.MULTILINE)
    if end is None:
        return {}, content
    text = content[4 + end.end() :]
    fields = dict(_fields(content[4 : 4 + end.start()].splitlines()))
    return fields, re.sub(r"\A\r?\n", "", text, count=1)


def _fields(lines: list[str]) -> Iterator[tuple[str, Any]]:
    place = 0
    while place < len(lines):
        match = _KEY.match(lines[place])
        place += 1
        if match is None:
            continue
        items = []
        while not match[2] and place < len(lines) and (item := _ITEM.match(lines[place])):
            items.append(_value(item[1]))
            place += 1
        yield match[1], items or _value(match[2] or "")


def _value(written: str) -> Any:
    """A value as JSON, or as the plain text it is."""
    written = written.strip()
    try:
        return msgspec.json.decode(written)
    except msgspec.DecodeError:
        if len(written) > 1 and written[0] == written[-1] == "'":
            return written[1:-1].replace("''", "'")
        return written or None


def _json(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return _ESCAPED.sub(lambda sign: f"\\u{ord(sign[0]):04x}", text)
