"""Durations and sizes as people write them: `500ms`, `5m`, `512MB`.

A whole number and a unit, with nothing between; both directions are exact, and what is formatted
reads back as the same value.
"""

from __future__ import annotations

import re

_MILLISECONDS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}

_BYTES = {
    "B": 1,
    **{unit: 1000**n for n, unit in enumerate(("KB", "MB", "GB", "TB"), start=1)},
    **{unit: 1024**n for n, unit in enumerate(("KiB", "MiB", "GiB", "TiB"), start=1)},
}

_QUANTITY = re.compile(r"([0-9]{1,15})([A-Za-z]{1,3})")


def parse_duration(text: str) -> float:
    """The seconds in a text such as `500ms`, `1s`, `5m`, `2h` or `1d`; ValueError if it is none."""
    return _parse(text, _MILLISECONDS) / 1_000


def format_duration(seconds: float) -> str:
    """A duration as it is written, to the millisecond, in the largest unit that gives it whole."""
    return _format(round(seconds * 1_000), _MILLISECONDS) if seconds else "0s"


def parse_size(text: str) -> int:
    """The bytes in a text such as `512MB` or `4GiB`; ValueError if it is none.

    KB, MB, GB and TB are powers of 1000; KiB, MiB, GiB and TiB are powers of 1024.
    """
    return _parse(text, _BYTES)


def format_size(size: int) -> str:
    """A size as it is written, in the unit that gives it whole with the smallest number."""
    return _format(size, _BYTES)


def _parse(text: str, units: dict[str, int]) -> int:
    match = _QUANTITY.fullmatch(text)
    if match is None or match[2] not in units:
        raise ValueError(f"{text!r} is not a whole number followed by one of {', '.join(units)}")
    return int(match[1]) * units[match[2]]


def _format(amount: int, units: dict[str, int]) -> str:
    whole = {unit: amount // each for unit, each in units.items() if amount % each == 0}
    unit = min(whole, key=whole.__getitem__)
    return f"{whole[unit]}{unit}"
