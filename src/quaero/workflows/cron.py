"""Times at which schedules are due: five fields of cron in a time zone.

The rules for changes of the clock are those of Debian's cron. An hour that does not exist: jobs at
a fixed time in it are due right after it; an hour that comes twice: they are due once, the first
time. Jobs whose minute or hour field begins with `*` follow the clock as it goes.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from quaero.clock import SECOND
from quaero.errors import BadInput

FIELDS = ("minute", "hour", "day of month", "month", "day of week")
_ALLOWED = (
    "0 to 59",
    "0 to 23",
    "1 to 31 as far as the month goes, L for its last",
    "1 to 12, jan to dec",
    "0 to 7, sun to sat, friL for the last Friday, fri#2 for the second",
)
_NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_SOME_TIME = 1_767_225_600 * SECOND


def times(cron: str, timezone: str, after: int) -> Iterator[int]:
    """The due times after `after`, both in microseconds UTC; none where they never come."""
    start = datetime.fromtimestamp(after / SECOND, UTC).astimezone(ZoneInfo(timezone))
    for moment in CronSim(cron, start):
        at = int(moment.timestamp()) * SECOND
        if at > after:
            yield at


def next_time(cron: str, timezone: str, after: int) -> int | None:
    """The first due time after `after`; None where there is none."""
    return next(times(cron, timezone, after), None)


def in_words(cron: str, timezone: str) -> str:
    """When that is, as people say it: `At 02:30 on Monday through Friday (Europe/Berlin)`."""
    said: str = CronSim(cron, datetime.fromtimestamp(0, UTC)).explain()
    return f"{said} ({timezone})"


def check_cron(cron: str) -> None:
    """Raise `BadInput` for what is no cron expression of five fields, or never comes."""
    shown = repr(cron if len(cron) <= 100 else f"{cron[:100]}…")
    if (meant := _NICKNAMES.get(cron.strip().lower())) is not None:
        raise BadInput(f"{shown} is not written in five fields: write `{meant}`")
    if len(cron.split()) != len(FIELDS):
        raise BadInput(f"{shown} is not {', '.join(FIELDS)}: five fields, as in `30 2 * * 1-5`")
    try:
        found = next_time(cron, "UTC", _SOME_TIME)
    except CronSimError as error:
        raise BadInput(f"{shown} is no cron expression: {_why(cron, error)}") from error
    if found is None:
        raise BadInput(f"{shown} never comes")


def _why(cron: str, error: CronSimError) -> str:
    """What is wrong with which field; cronsim's own words are like `Bad day-of-month`."""
    name = str(error).removeprefix("Bad ").replace("-", " ")
    if name not in FIELDS:
        return str(error)
    place = FIELDS.index(name)
    return (
        f"the {name} {cron.split()[place][:40]!r} is not possible; allowed are {_ALLOWED[place]}, "
        "and of these lists (1,15), ranges with the lower first (8-17) and steps (*/5)"
    )
