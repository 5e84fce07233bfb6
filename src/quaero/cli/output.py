"""What commands print: data to standard output, talk to standard error.

Text from outside is shown without control characters, so that no page or log line can steer the
terminal.
"""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import json
import re
import sys
import unicodedata
from collections.abc import Sequence
from typing import Any

from quaero.clock import SECOND

_BIDI = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f")
# Joiners and the soft hyphen belong to the spelling of words and steer nothing.
_SPELLING = frozenset("\u200c\u200d\u00ad")
# What JSON may hold as it is, and a terminal may obey or show wrongly.
_HARMFUL = re.compile(r"[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def safe(text: object, *, lines: bool = False) -> str:
    """Text without control characters; line ends stay with `lines`."""
    return "".join(
        c if _harmless(c) or (lines and c in "\n\t") else f"\\x{ord(c):02x}" for c in str(text)
    )


def _harmless(c: str) -> bool:
    if c.isprintable() or c in _SPELLING:
        return True
    return unicodedata.category(c) not in ("Cc", "Cf", "Zl", "Zp", "Cs", "Co") and c not in _BIDI


def print_json(value: object) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(_as_json(value, indent=2) + "\n")


def print_done(sentence: str, value: object, *, as_json: bool) -> None:
    """What a command has done: a sentence for people, or with `as_json` the value for a script."""
    if as_json:
        print_json(value)
    else:
        sys.stdout.write(f"{sentence}\n")


def print_json_line(value: object) -> None:
    """One line of NDJSON, out at once for whoever follows."""
    sys.stdout.write(_as_json(value) + "\n")
    sys.stdout.flush()


def _as_json(value: object, indent: int | None = None) -> str:
    """JSON text that standard output can encode, with whatever could steer a terminal escaped."""
    unicode = (sys.stdout.encoding or "").lower().replace("-", "").startswith("utf")
    text = json.dumps(plain(value), ensure_ascii=not unicode, indent=indent)
    return _HARMFUL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def plain(value: Any) -> Any:
    """A value as JSON has it; enums by name, times of records (`at`, `…_at`) as RFC 3339."""
    if isinstance(value, enum.Enum):
        return value.name.lower()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = (field.name for field in dataclasses.fields(value))
        return {name: _field(name, getattr(value, name)) for name in names}
    if isinstance(value, dict):
        return {str(plain(key)): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(each) for each in value]
    return value


def _field(name: str, value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool) and _is_moment(name):
        from quaero.clock import rfc3339

        return rfc3339(value)
    return plain(value)


def _is_moment(name: str) -> bool:
    return name.endswith("_at") or name in ("at", "first_seen", "since", "until")


def value_of(text: str) -> Any:
    """A value that was typed on the command line: as JSON where it is some, else as text."""
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return text


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def table(header: Sequence[str], rows: Sequence[Sequence[object]], *, right: str = "") -> None:
    """A plain table; the columns named in `right`, divided by blanks, are aligned to the right."""
    texts = [[safe(cell) for cell in row] for row in rows]
    numbers = right.split()
    widths = [max(_wide(name), *(_wide(row[n]) for row in texts), 0)
              for n, name in enumerate(header)]  # fmt: skip
    for row in [list(header), *texts]:
        cells = []
        for cell, width, name in zip(row, widths, header, strict=True):
            room = " " * (width - _wide(cell))
            cells.append(room + cell if name in numbers else cell + room)
        sys.stdout.write("  ".join(cells).rstrip() + "\n")


def _wide(text: str) -> int:
    """How many columns of a terminal a text takes: two for a sign of Chinese, none for an accent.

    See Unicode Standard Annex 11.
    """
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.category(c) in ("Mn", "Me", "Cf")
        else 1 + (unicodedata.east_asian_width(c) in "WF")
        for c in text
    )  # fmt: skip


def say(text: str = "") -> None:
    """Talk: to standard error, so that data can be piped."""
    sys.stderr.write(text + "\n")


def moment(micros: int | None) -> str:
    """A wall time in the user's own zone."""
    from datetime import UTC, datetime

    if micros is None:
        return "-"
    at = datetime.fromtimestamp(micros / SECOND, UTC)
    with contextlib.suppress(OverflowError):  # the last hours of all, as some cookies have them
        at = at.astimezone()
    return at.strftime("%Y-%m-%d %H:%M:%S")


def span(micros: int | None) -> str:
    """A duration: `0.4s`, `12s`, `3m 05s`, `2h 10m`."""
    if micros is None:
        return "-"
    seconds = round(micros / SECOND, 1)
    if seconds < 10:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02}s"
    return f"{whole // 3600}h {whole % 3600 // 60:02}m"


def size(amount: int) -> str:
    """An amount of bytes: `0.4 kB`, `12 kB`, `3.5 MB`, `120 GB`."""
    value, unit = amount / 1e3, "kB"
    for larger in ("MB", "GB", "TB"):
        if value < 999.5:
            break
        value, unit = value / 1e3, larger
    return f"{value:.1f} {unit}" if value < 9.95 else f"{value:.0f} {unit}"


def shorten(text: str, width: int) -> str:
    """Text of at most `width` characters."""
    return text if len(text) <= width else text[: width - 1] + "…"


def count(number: int, one: str, many: str = "") -> str:
    """A number with its noun: `1 page`, `2 pages`."""
    return f"{number} {one if number == 1 else many or one + 's'}"
