"""The date in a cookie's `Expires`, read as browsers read it (RFC 6265 5.1.1).

Sites write this date in every way there is; browsers look for a time, a day, a month and a year
among its words and take it for GMT, whatever else it says. So do we: a site that deletes a cookie,
or ends a login, means what the browser makes of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime

from quaero.clock import SECOND

_DELIMITERS = re.compile(r"[\t\x20-\x2f\x3b-\x40\x5b-\x60\x7b-\x7e]+")
_TIME = re.compile(r"(\d{1,2}):(\d{1,2}):(\d{1,2})(?!\d)", re.ASCII)
_DAY = re.compile(r"(\d{1,2})(?!\d)", re.ASCII)
_YEAR = re.compile(r"(\d{2,4})(?!\d)", re.ASCII)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def cookie_date(text: str) -> int | None:
    """The moment that `text` names, in microseconds UTC; None if it names none since 1601."""
    found: dict[str, tuple[int, ...]] = {}
    for word in _DELIMITERS.split(text):
        for part, read in _READERS.items():
            if part not in found and (value := read(word)) is not None:
                found[part] = value
                break
    if len(found) < len(_READERS):
        return None
    (year,), (month,), (day,) = found["year"], found["month"], found["day"]
    hour, minute, second = found["time"]
    year += 1900 if 70 <= year <= 99 else 2000 if year <= 69 else 0
    if year < 1601:
        return None
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    return int(moment.timestamp()) * SECOND


def _numbers(pattern: re.Pattern[str]) -> Callable[[str], tuple[int, ...] | None]:
    def read(word: str) -> tuple[int, ...] | None:
        found = pattern.match(word)
        return tuple(map(int, found.groups())) if found else None

    return read


def _month(word: str) -> tuple[int, ...] | None:
    name = word[:3].lower()
    return (_MONTHS.index(name) + 1,) if name in _MONTHS else None


# In the order in which the standard tries them on each word.
_READERS: dict[str, Callable[[str], tuple[int, ...] | None]] = {
    "time": _numbers(_TIME),
    "day": _numbers(_DAY),
    "month": _month,
    "year": _numbers(_YEAR),
}
