"""What commands print: data to standard output, talk to standard error.

Text from outside is shown without control characters, so that no page or log line can steer the
terminal.
"""

from __future__ import annotations

import dataclasses
import enum
import json
import sys
import unicodedata
from collections.abc import Sequence
from typing import Any

from quaero.clock import SECOND

_BIDI = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f")


def safe(text: object, *, lines: bool = False) -> str:
    """Text without control characters; line ends stay with `lines`."""
    return "".join(
        c if _harmless(c) or (lines and c in "\n\t") else f"\\x{ord(c):02x}" for c in str(text)
    )


def _harmless(c: str) -> bool:
    return c.isprintable() or (unicodedata.category(c) not in ("Cc", "Cf", "Zl", "Zp", "Cs", "Co")
                               and c not in _BIDI)  # fmt: skip


def print_json(value: object) -> None:
    """One JSON document on standard output."""
    json.dump(plain(value), sys.stdout, ensure_ascii=False, indent=2)
    sys.stdout.write("\n")


def print_json_line(value: object) -> None:
    """One line of NDJSON."""
    json.dump(plain(value), sys.stdout, ensure_ascii=False)
    sys.stdout.write("\n")


def plain(value: Any) -> Any:
    """A value as JSON has it; enums by name, times (names ending in `_at`, `at`) as RFC 3339."""
    if isinstance(value, enum.Enum):
        return value.name.lower()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = (field.name for field in dataclasses.fields(value))
        return {name: _field(name, getattr(value, name)) for name in names}
    if isinstance(value, dict):
        return {str(plain(key)): _field(str(key), each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(each) for each in value]
    return value


def _field(name: str, value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool) and _is_moment(name):
        from quaero.clock import rfc3339

        return rfc3339(value)
    return plain(value)


def _is_moment(name: str) -> bool:
    return name.endswith("_at") or name in ("at", "first_seen")


def table(header: Sequence[str], rows: Sequence[Sequence[object]], *, right: str = "") -> None:
    """A plain table: the columns whose first letter is in `right` are aligned to the right."""
    texts = [[safe(cell) for cell in row] for row in rows]
    widths = [
        max(len(name), *(len(row[n]) for row in texts), 0) if texts else len(name)
        for n, name in enumerate(header)
    ]
    for row in [list(header), *texts]:
        cells = [
            cell.rjust(width) if name[0] in right else cell.ljust(width)
            for cell, width, name in zip(row, widths, header, strict=True)
        ]
        sys.stdout.write("  ".join(cells).rstrip() + "\n")


def say(text: str = "") -> None:
    """Talk: to standard error, so that data can be piped."""
    sys.stderr.write(text + "\n")


def moment(micros: int | None) -> str:
    """A wall time in the user's own zone."""
    from datetime import UTC, datetime

    if micros is None:
        return "-"
    return datetime.fromtimestamp(micros / SECOND, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def span(micros: int | None) -> str:
    """A duration: `0.4s`, `12s`, `3m 05s`, `2h 10m`."""
    if micros is None:
        return "-"
    seconds = micros / SECOND
    if seconds < 10:
        return f"{seconds:.1f}s"
    if seconds < 60:
        return f"{seconds:.0f}s"
    if seconds < 3600:
        return f"{seconds // 60:.0f}m {seconds % 60:02.0f}s"
    return f"{seconds // 3600:.0f}h {seconds % 3600 // 60:02.0f}m"


def shorten(text: str, width: int) -> str:
    """Text of at most `width` characters."""
    return text if len(text) <= width else text[: width - 1] + "…"
