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
    if len(cron.split()) != len(FIELDS):
        raise BadInput(f"{cron!r} is not {', '.join(FIELDS)}: five fields, as in `30 2 * * 1-5`")
    try:
        found = next_time(cron, "UTC", _SOME_TIME)
    except CronSimError as error:
        raise BadInput(f"{cron!r} is no cron expression: {error}") from error
    if found is None:
        raise BadInput(f"{cron!r} never comes")
