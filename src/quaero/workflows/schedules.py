"""Schedules: the next due time of each definition is stored, and taken in the transaction that
begins the run, so that any number of processes begin exactly one.

Times are wall times in microseconds UTC. A time is missed when it is looked at more than `GRACE`
later: then nothing was running. A restart that takes less loses no run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice, takewhile
from typing import Any

from quaero.clock import DAY, HOUR, MINUTE
from quaero.db.contract import ReadTx, Tx
from quaero.errors import DiskFull, NotFound, QuaeroError
from quaero.workflows import cron
from quaero.workflows.definition import Schedule

TOPIC = "schedules"
GRACE = MINUTE
AT_ONCE = 20
MOST_MISSED = 1_000
RUNS_AT_ONCE = 50
_COLUMNS = """definition_id, cron, timezone, missed, overlap, paused, blocked, next_at, last_at,
              last_run_id, last_note, left_out, exists (
                  select 1 from definition d where d.id = definition_id and d.enabled = 1)"""

Begin = Callable[[Tx, str, int], int]
"""Begins a run of a definition that was due at a time; returns its job's id."""
UnderWay = Callable[[ReadTx, str], int | None]
"""The run of a definition that has not ended, if there is one."""


@dataclass(frozen=True, slots=True)
class Timetable:
    """A schedule as it stands.

    `blocked`: a run is due and waits for the one before. `last_note` says what became of the last
    due time where that was no run; `left_out` counts the times that were skipped. While the
    definition is not `enabled` nothing is due.
    """

    definition_id: str
    cron: str
    timezone: str
    missed: str
    overlap: str
    paused: bool
    blocked: bool
    next_at: int | None
    last_at: int | None
    last_run_id: int | None
    last_note: str | None
    left_out: int
    enabled: bool

    @property
    def words(self) -> str:
        """When it is due, as people say it."""
        return cron.in_words(self.cron, self.timezone)

    def times(self, after: int) -> Iterator[int]:
        """The due times after a time."""
        return cron.times(self.cron, self.timezone, after)


def put(
    tx: Tx,
    definition_id: str,
    schedule: Schedule | None,
    *,
    enabled: bool = True,
    paused: bool = False,
) -> None:
    """Have a definition's schedule be this one, from now on; None if it has none.

    One that is not changed goes on as it was; `paused` says how a new one begins. That of a
    definition which is not enabled is never due, and stays paused if it was.
    """
    if schedule is None:
        tx.execute("delete from schedule where definition_id = $1", (definition_id,))
        tx.signal(TOPIC)
        return
    tx.execute(
        """
        insert into schedule(definition_id, cron, timezone, missed, overlap, paused, next_at)
        values($1, $2, $3, $4, $5, $6, case when $6 = 0 and $8 = 1 then $7 end)
            on conflict(definition_id) do update set
                cron = excluded.cron, timezone = excluded.timezone, missed = excluded.missed,
                overlap = excluded.overlap,
                blocked = case when $8 = 1 and (cron, timezone) = ($2, $3) then blocked else 0 end,
                next_at = case when paused = 1 or $8 = 0 then null
                               when (cron, timezone) = ($2, $3) then coalesce(next_at, $7)
                               else $7 end
        """,
        (
            definition_id, schedule.cron, schedule.timezone, schedule.missed, schedule.overlap,
            int(paused), cron.next_time(schedule.cron, schedule.timezone, tx.now), int(enabled),
        ),
    )  # fmt: skip
    tx.signal(TOPIC)


def get(tx: ReadTx, definition_id: str) -> Timetable:
    """The schedule of a definition. Raises `NotFound`."""
    found = find(tx, definition_id)
    if found is None:
        raise NotFound(f"the definition {definition_id!r} has no schedule, or is not there")
    return found


def find(tx: ReadTx, definition_id: str) -> Timetable | None:
    """The schedule of a definition, if it has one."""
    found = _select(tx, "where definition_id = $1", (definition_id,))
    return found[0] if found else None


def listing(tx: ReadTx, after: str = "", limit: int = 200) -> list[Timetable]:
    """The schedules in the order of their definitions' ids, those after `after`."""
    return _select(tx, "where definition_id > $1 order by definition_id limit $2", (after, limit))


def _select(tx: ReadTx, rest: str, args: tuple[Any, ...]) -> list[Timetable]:
    rows = tx.execute(f"select {_COLUMNS} from schedule {rest}", args)
    return [
        Timetable(
            definition_id=row[0], cron=row[1], timezone=row[2], missed=row[3], overlap=row[4],
            paused=bool(row[5]), blocked=bool(row[6]), next_at=row[7], last_at=row[8],
            last_run_id=row[9], last_note=row[10], left_out=row[11],
            enabled=bool(row[12]),
        )
        for row in rows
    ]  # fmt: skip


def pause(tx: Tx, definition_id: str) -> Timetable:
    """Let a schedule begin nothing until it is resumed. Raises `NotFound`."""
    get(tx, definition_id)
    tx.execute(
        "update schedule set paused = 1, blocked = 0, next_at = null where definition_id = $1",
        (definition_id,),
    )
    tx.signal(TOPIC)
    return get(tx, definition_id)


def resume(tx: Tx, definition_id: str) -> Timetable:
    """Let a schedule go on with its next time; what was due while it was paused is past.

    That of a definition which is not enabled goes on when that is. Raises `NotFound`.
    """
    table = get(tx, definition_id)
    if table.paused:
        tx.execute(
            "update schedule set paused = 0, next_at = $2 where definition_id = $1",
            (definition_id, next(table.times(tx.now), None) if table.enabled else None),
        )
        tx.signal(TOPIC)
    return get(tx, definition_id)


# -- when times come


def next_look(tx: ReadTx) -> tuple[int | None, bool]:
    """When the next schedule is due, and whether one waits for a run to end."""
    rows = tx.execute(
        """
        select next_at from schedule where next_at is not null and blocked = 0
         order by next_at limit 1
        """
    )
    blocked = tx.execute("select 1 from schedule where blocked = 1 limit 1")
    return (rows[0][0] if rows else None), bool(blocked)


def follow_clock(tx: Tx) -> int:
    """Find the next times anew that a clock has left which was ahead, and was set back.

    Returns how many there were.
    """
    ahead = _ahead(tx)
    for table, next_at in ahead:
        tx.execute(
            """
            update schedule set next_at = $2, blocked = 0,
                   last_at = case when last_at > $3 then $3 else last_at end
             where definition_id = $1
            """,
            (table.definition_id, next_at, tx.now),
        )
    return len(ahead)


def is_ahead(tx: ReadTx) -> bool:
    """Whether a clock that was ahead has left next times, or runs at times that are yet to come."""
    return bool(_ahead(tx))


def _ahead(tx: ReadTx) -> list[tuple[Timetable, int | None]]:
    """The schedules that a clock was ahead for, each with its next time by the clock of now."""
    found = []
    for table in _select(tx, "where next_at > $1 or (next_at is not null and last_at > $1)",
                         (tx.now,)):  # fmt: skip
        last = table.last_at or 0
        began_late = last > tx.now + MINUTE
        first = next(table.times(tx.now if began_late else max(tx.now, last)), None)
        if began_late or (first is not None and (table.next_at or 0) > first):
            found.append((table, first))
    return found


def fire(tx: Tx, begin: Begin, under_way: UnderWay) -> int:
    """Begin what is due, up to twenty schedules; returns how many were looked at."""
    tables = _select(
        tx,
        "where next_at is not null and blocked = 0 and next_at <= $1 order by next_at limit $2",
        (tx.now, AT_ONCE),
    )
    for table in tables:
        _fire_one(tx, table, begin, under_way)
    return len(tables)


def fire_blocked(tx: Tx, begin: Begin, under_way: UnderWay) -> int:
    """Begin the runs that waited for others which have ended, or for room; returns how many."""
    tables = _select(tx, "where blocked = 1 order by definition_id", ())
    free = [
        table
        for table in tables
        if table.overlap != "wait" or under_way(tx, table.definition_id) is None
    ]
    for table in free:
        _fire_one(tx, table, begin, under_way)
    return len(free)


def _fire_one(tx: Tx, table: Timetable, begin: Begin, under_way: UnderWay) -> None:
    """Take the due times of one schedule, as many as belong together."""
    first = table.next_at
    if first is None:
        return
    due = [first]
    following = _pass(due, islice(table.times(first), MOST_MISSED), tx.now)
    if following is None and table.missed != "all":  # more were missed than anybody counts
        in_time = table.missed == "skip" and not table.blocked
        since = tx.now - GRACE - 1 if in_time else _latest(table, tx.now) - 1
        following = _pass(due, table.times(max(due[-1], since)), tx.now)
    due = _wanted(tx, table, due)
    if len(due) > RUNS_AT_ONCE:
        due, following = due[:RUNS_AT_ONCE], due[RUNS_AT_ONCE]
    for at in due:
        if not _begin(tx, table, at, begin, under_way):
            tx.execute(
                "update schedule set blocked = 1, next_at = $2 where definition_id = $1",
                (table.definition_id, at),
            )
            return
    if following is None:
        following = next(table.times(due[-1] if due else tx.now), None)
    tx.execute(
        "update schedule set blocked = 0, next_at = $2 where definition_id = $1",
        (table.definition_id, following),
    )


def _latest(table: Timetable, now: int) -> int:
    """The last due time that has come; `now` where that is more than a month ago."""
    for span in (HOUR, DAY, 32 * DAY):
        passed = list(takewhile(lambda at: at <= now, table.times(now - span)))
        if passed:
            return passed[-1]
    return now


def _pass(due: list[int], times: Iterator[int], now: int) -> int | None:
    """Put the times that have come with those that are due; returns the first that has not."""
    for at in times:
        if at > now:
            return at
        due.append(at)
    return None


def _wanted(tx: Tx, table: Timetable, due: list[int]) -> list[int]:
    """The due times at which a run is to begin, by what is to become of those missed.

    Times that passed while a run waited for another are made up for by one run, the last of them,
    however those missed are; with `missed = "all"` by one for each.
    """
    if table.missed == "all":
        return due
    if table.blocked:
        other = "the run before was under way" if table.overlap == "wait" else "there was no room"
        dropped, why = len(due) - 1, f"passed while {other}"
    else:
        missed = sum(tx.now - at > GRACE for at in due)
        once = len(due) if len(due) > MOST_MISSED else missed
        dropped, why = (missed if table.missed == "skip" else once - 1), "were missed"
    if dropped <= 0:
        return due
    _note(tx, table, f"{dropped} due times {why}", at=due[dropped - 1], left_out=dropped)
    return due[dropped:]


def _begin(tx: Tx, table: Timetable, at: int, begin: Begin, under_way: UnderWay) -> bool:
    """Begin the run of one due time, or leave it out; False if it has to wait, for room too."""
    if table.overlap != "allow":
        other = under_way(tx, table.definition_id)
        if other is not None and table.overlap == "wait":
            return False
        if other is not None:
            _note(tx, table, f"left out: run {other} was under way", at=at, left_out=1)
            return True
    if tx.execute(
        "select 1 from run where definition_id = $1 and due_at = $2", (table.definition_id, at)
    ):
        _note(tx, table, "left out: it had begun already, before the clock was set back", at=at)
        return True
    try:
        run_id = begin(tx, table.definition_id, at)
    except DiskFull:
        return False
    except QuaeroError as error:
        _note(tx, table, f"could not begin: {error}", at=at, left_out=1)
        return True
    tx.execute(
        """
        update schedule set last_at = $2, last_run_id = $3, last_note = null
         where definition_id = $1
        """,
        (table.definition_id, at, run_id),
    )
    return True


def _note(tx: Tx, table: Timetable, note: str, *, at: int | None = None, left_out: int = 0) -> None:
    tx.execute(
        """
        update schedule set last_note = $2, last_at = coalesce($3, last_at),
               left_out = left_out + $4 where definition_id = $1
        """,
        (table.definition_id, note, at, left_out),
    )
