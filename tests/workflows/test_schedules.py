"""Stored definitions and their schedules: what is due begins once, whoever looks."""

import asyncio
import os
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from quaero.clock import MINUTE, SECOND
from quaero.db import SqliteDatabase
from quaero.db.processes import Reporter
from quaero.errors import BadDefinition, BadInput, Conflict, DiskFull, NotFound
from quaero.jobs import deadlines, steer
from quaero.jobs.create import create
from quaero.jobs.model import JobSpec, Status
from quaero.queue.queue import open_queue
from quaero.testing.clock import FakeClock
from quaero.workflows import clockwork, cron, definitions, editing, folder, runs, schedules
from quaero.workflows.clockwork import Clockwork
from quaero.workflows.text import check

from ..opening import Opened  # noqa: TID252

ACTIONS = {"say": None, "workflow": None}
BERLIN = ZoneInfo("Europe/Berlin")


class Flows:
    """The definitions of one database, its clock, and a loop that is turned by hand."""

    def __init__(self, opened: Opened) -> None:
        self.opened = opened
        self.queue_id = opened.write(open_queue, "q")
        self.clockwork = Clockwork(opened.db, self.queue_id, ACTIONS, opened.clock)

    def save(self, name: str = "flow", schedule: str = "", more: str = "", **how: Any) -> Any:
        text = f'id = "{name}"\n{more}\n{schedule}\n[[steps]]\nname = "a"\naction = "say"\n'
        checked = check(text, "toml", ACTIONS)
        assert checked.definition is not None, checked.faults
        return self.opened.write(definitions.save, checked.definition, text, "toml", **how)

    def hourly(self, name: str = "flow", **how: str) -> Any:
        lines = [f'{key} = "{value}"' for key, value in {"cron": "0 * * * *", **how}.items()]
        return self.save(name, "[schedule]\n" + "\n".join(lines))

    def turn(self) -> float:
        return asyncio.run(self.clockwork.turn())

    def runs(self, name: str = "flow") -> list[runs.Run]:
        return self.opened.read(runs.listing, name)

    def due(self, name: str = "flow") -> list[datetime]:
        """The times of the runs there were, the oldest first."""
        return sorted(moment(run.due_at or 0) for run in self.runs(name))

    def table(self, name: str = "flow") -> schedules.Timetable:
        return self.opened.read(schedules.get, name)

    def at(self, *when: int) -> None:
        """Let time pass until then."""
        target = datetime(*when, tzinfo=UTC)  # type: ignore[misc,arg-type]
        self.opened.clock.pass_time((target - moment(self.opened.wall)).total_seconds())


def moment(at: int) -> datetime:
    return datetime.fromtimestamp(at / SECOND, UTC)


@pytest.fixture
def flows(opened: Opened) -> Flows:
    made = Flows(opened)
    made.at(2026, 3, 2, 10, 30)
    return made


def test_a_run_begins_when_it_is_due_and_once(flows: Flows) -> None:
    flows.hourly()
    assert moment(flows.table().next_at or 0) == datetime(2026, 3, 2, 11, tzinfo=UTC)
    assert flows.turn() == 20.0
    assert flows.runs() == []
    flows.at(2026, 3, 2, 11)
    flows.turn()
    flows.turn()
    (run,) = flows.runs()
    assert (run.cause, moment(run.due_at or 0)) == (
        "schedule",
        datetime(2026, 3, 2, 11, tzinfo=UTC),
    )
    assert (run.job.type, run.job.name) == ("workflow", "flow")
    assert moment(flows.table().next_at or 0) == datetime(2026, 3, 2, 12, tzinfo=UTC)
    assert flows.table().last_run_id == run.job.id


def end(flows: Flows, name: str = "flow") -> None:
    """End what is under way."""
    for run in flows.runs(name):
        if run.job.status.open:
            flows.opened.write(steer.cancel, run.job.id)


def test_a_run_that_is_due_while_another_is_under_way_is_left_out(flows: Flows) -> None:
    flows.hourly()
    flows.at(2026, 3, 2, 11)
    flows.turn()
    flows.at(2026, 3, 2, 12)
    flows.turn()
    assert len(flows.runs()) == 1
    assert (flows.table().left_out, flows.table().blocked) == (1, False)
    assert "was under way" in str(flows.table().last_note)


def test_or_it_waits_for_the_other_to_end(flows: Flows) -> None:
    flows.hourly(overlap="wait", missed="skip")
    flows.at(2026, 3, 2, 11)
    flows.turn()
    flows.at(2026, 3, 2, 12)
    assert flows.turn() == 1.0
    assert (len(flows.runs()), flows.table().blocked) == (1, True)
    flows.at(2026, 3, 2, 12, 20)
    end(flows)
    flows.turn()
    assert flows.due() == [datetime(2026, 3, 2, hour, tzinfo=UTC) for hour in (11, 12)]
    assert flows.table().blocked is False


WAITED = [("once", [11, 14], 2), ("skip", [11, 14], 2), ("all", [11, 12, 13, 14], 0)]


@pytest.mark.parametrize(("missed", "hours", "left_out"), WAITED)
def test_what_is_due_while_a_run_waits_is_made_up_for_by_one_run_or_by_all(
    flows: Flows, missed: str, hours: list[int], left_out: int
) -> None:
    flows.hourly(overlap="wait", missed=missed)
    for hour in (11, 12, 13, 14):
        flows.at(2026, 3, 2, hour)
        flows.turn()
    assert (len(flows.runs()), flows.table().blocked) == (1, True)
    flows.at(2026, 3, 2, 14, 30)
    for _ in hours:
        end(flows)
        flows.turn()
    assert flows.due() == [datetime(2026, 3, 2, hour, tzinfo=UTC) for hour in hours]
    table = flows.table()
    assert (table.blocked, table.left_out) == (False, left_out)
    assert moment(table.next_at or 0) == datetime(2026, 3, 2, 15, tzinfo=UTC)


def test_what_waited_for_room_begins_beside_another_or_is_left_out(
    flows: Flows, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, overlap in (("beside", "allow"), ("left", "skip")):
        flows.hourly(name, overlap=overlap)
    flows.at(2026, 3, 2, 11)
    flows.turn()
    end(flows, "left")
    with monkeypatch.context() as full:
        full.setattr(runs, "begin", refuse)
        flows.at(2026, 3, 2, 12)
        flows.turn()
    other = flows.opened.write(runs.begin, flows.queue_id, "left", ACTIONS)
    flows.turn()
    assert len(flows.due("beside")) == 2
    assert f"left out: run {other} was under way" in str(flows.table("left").last_note)
    assert not flows.table("left").blocked


def refuse(*_: Any, **__: Any) -> int:
    raise DiskFull("there is no room")


def test_or_it_begins_beside_it(flows: Flows) -> None:
    flows.hourly(overlap="allow")
    for hour in (11, 12):
        flows.at(2026, 3, 2, hour)
        flows.turn()
    assert len(flows.runs()) == 2


MISSED = [("once", [13], 2), ("all", [11, 12, 13], 0), ("skip", [], 3)]


@pytest.mark.parametrize(("missed", "hours", "left_out"), MISSED)
def test_times_at_which_nothing_ran_are_made_up_for_as_it_says(
    flows: Flows, missed: str, hours: list[int], left_out: int
) -> None:
    flows.hourly(missed=missed, overlap="allow")
    flows.at(2026, 3, 2, 13, 20)
    flows.turn()
    assert flows.due() == [datetime(2026, 3, 2, hour, tzinfo=UTC) for hour in hours]
    assert flows.table().left_out == left_out
    assert moment(flows.table().next_at or 0) == datetime(2026, 3, 2, 14, tzinfo=UTC)


@pytest.mark.parametrize("missed", ["once", "skip"])
def test_what_was_missed_for_longer_than_is_counted_is_made_up_for_by_its_last_time(
    flows: Flows, missed: str
) -> None:
    flows.hourly(missed=missed, overlap="allow")
    flows.at(2026, 6, 2, 13, 20)
    flows.turn()
    wanted = [] if missed == "skip" else [datetime(2026, 6, 2, 13, tzinfo=UTC)]
    assert flows.due() == wanted
    assert moment(flows.table().next_at or 0) == datetime(2026, 6, 2, 14, tzinfo=UTC)


@pytest.mark.parametrize("missed", ["once", "all", "skip"])
def test_a_time_is_missed_only_when_the_grace_has_passed(flows: Flows, missed: str) -> None:
    flows.hourly(missed=missed, overlap="allow")
    flows.at(2026, 3, 2, 11, schedules.GRACE // MINUTE)
    flows.turn()
    assert flows.due() == [datetime(2026, 3, 2, 11, tzinfo=UTC)]
    assert flows.table().left_out == 0


def test_a_time_for_which_it_has_passed_is_skipped(flows: Flows) -> None:
    flows.hourly(missed="skip")
    flows.at(2026, 3, 2, 11, schedules.GRACE // MINUTE)
    flows.opened.clock.step_wall(0.001)
    flows.turn()
    assert flows.due() == []
    assert flows.table().left_out == 1


def test_a_paused_schedule_begins_nothing_and_goes_on_with_the_next_time(flows: Flows) -> None:
    flows.hourly()
    assert flows.opened.write(schedules.pause, "flow").next_at is None
    flows.at(2026, 3, 2, 12, 30)
    flows.turn()
    assert flows.runs() == []
    table = flows.opened.write(schedules.resume, "flow")
    assert moment(table.next_at) == datetime(2026, 3, 2, 13, tzinfo=UTC)


def test_a_pause_outlasts_all_changes_of_its_definition(flows: Flows) -> None:
    hourly = '[schedule]\ncron = "0 * * * *"'
    flows.save(schedule=hourly)
    flows.opened.write(schedules.pause, "flow")
    for more in ("enabled = false", "enabled = true", 'name = "other"'):
        flows.save(more=more, schedule=hourly)
        assert (flows.table().paused, flows.table().next_at) == (True, None), more
    flows.hourly(cron="5 * * * *")
    assert (flows.table().paused, flows.table().next_at) == (True, None)


def test_a_schedule_that_is_disabled_is_never_due_and_goes_on_as_it_was(flows: Flows) -> None:
    hourly = '[schedule]\ncron = "0 * * * *"'
    flows.save(schedule=hourly)
    flows.save(more="enabled = false", schedule=hourly)
    assert (flows.table().enabled, flows.table().next_at) == (False, None)
    flows.opened.write(schedules.pause, "flow")
    assert flows.opened.write(schedules.resume, "flow").next_at is None
    flows.at(2026, 3, 2, 12, 30)
    flows.turn()
    assert flows.runs() == []
    flows.save(schedule=hourly)
    assert moment(flows.table().next_at or 0) == datetime(2026, 3, 2, 13, tzinfo=UTC)


def test_a_changed_schedule_is_in_force_at_once(flows: Flows) -> None:
    flows.hourly()
    flows.hourly(cron="45 10 * * *")
    flows.at(2026, 3, 2, 10, 45)
    flows.turn()
    assert flows.due() == [datetime(2026, 3, 2, 10, 45, tzinfo=UTC)]
    flows.save()
    with pytest.raises(NotFound):
        flows.table()


def test_a_definition_that_is_not_enabled_begins_nothing(flows: Flows) -> None:
    flows.save(more="enabled = false", schedule='[schedule]\ncron = "0 * * * *"')
    flows.at(2026, 3, 2, 12)
    flows.turn()
    assert flows.runs() == []
    with pytest.raises(Conflict, match="not enabled"):
        flows.opened.write(runs.begin, flows.queue_id, "flow", ACTIONS)


def test_what_cannot_begin_says_why_and_the_next_time_comes(flows: Flows) -> None:
    flows.save(schedule='[parameters.x]\ndefault = "a"\n[schedule]\ncron = "0 * * * *"')
    needs = "update definition set text = replace(text, 'default = \"a\"', 'required = true')"
    flows.opened.write(lambda tx: tx.execute(needs))  # as an earlier version let it be stored
    flows.at(2026, 3, 2, 11)
    flows.turn()
    assert "give 'x' a default" in str(flows.table().last_note)
    assert moment(flows.table().next_at or 0) == datetime(2026, 3, 2, 12, tzinfo=UTC)


def test_a_due_time_that_comes_twice_as_the_clock_was_set_back_begins_once(flows: Flows) -> None:
    flows.hourly()
    flows.hourly("other")
    flows.at(2026, 3, 2, 11)
    flows.turn()
    end(flows)
    flows.opened.clock.step_wall(-1_800)
    flows.hourly(cron="5 * * * *")
    flows.hourly()
    flows.hourly("other", cron="5 * * * *")
    flows.at(2026, 3, 2, 11, 10)
    flows.turn()
    assert flows.due() == [datetime(2026, 3, 2, 11, tzinfo=UTC)]
    assert "had begun already" in str(flows.table().last_note)
    assert len(flows.due("other")) == 1, "the other schedules go on"


def test_a_schedule_goes_on_when_a_clock_that_was_ahead_is_set_right(flows: Flows) -> None:
    flows.hourly()
    flows.opened.clock.step_wall(10 * 86_400)
    flows.at(2026, 3, 12, 11)
    flows.turn()
    end(flows)
    flows.opened.clock.step_wall(-10 * 86_400)
    flows.turn()
    assert moment(flows.table().next_at or 0) == datetime(2026, 3, 2, 12, tzinfo=UTC)
    flows.at(2026, 3, 2, 12)
    flows.turn()
    assert datetime(2026, 3, 2, 12, tzinfo=UTC) in flows.due()


def test_so_does_one_that_was_left_out_while_the_clock_was_ahead(flows: Flows) -> None:
    flows.hourly(missed="skip")
    flows.opened.clock.step_wall(10 * 86_400)
    flows.turn()
    assert flows.runs() == []
    assert moment(flows.table().last_at or 0) == datetime(2026, 3, 12, 10, tzinfo=UTC)
    flows.opened.clock.step_wall(-10 * 86_400)
    flows.at(2026, 3, 2, 11)
    flows.turn()
    flows.at(2026, 3, 2, 12)
    flows.turn()
    assert datetime(2026, 3, 2, 12, tzinfo=UTC) in flows.due()


@pytest.mark.parametrize("change", ["saved", "edited", "resumed", "enabled"])
def test_so_does_one_that_was_changed_while_the_clock_was_ahead(flows: Flows, change: str) -> None:
    if change != "saved":
        flows.hourly()
    if change == "resumed":
        flows.opened.write(schedules.pause, "flow")
    if change == "enabled":
        flows.save(more="enabled = false")
    flows.turn()
    flows.opened.clock.step_wall(10 * 86_400)
    if change == "resumed":
        flows.opened.write(schedules.resume, "flow")
    else:
        flows.hourly(cron="5 * * * *")
    ahead = moment(flows.table().next_at or 0)
    flows.turn()
    flows.opened.clock.step_wall(-10 * 86_400)
    flows.turn()
    assert moment(flows.table().next_at or 0) == ahead - timedelta(days=10)


@pytest.mark.parametrize("step", [3_600, -3_600])
def test_the_time_that_a_run_may_take_does_not_follow_the_wall_clock(
    flows: Flows, step: int
) -> None:
    flows.hourly()
    flows.at(2026, 3, 2, 11)
    flows.turn()
    (run,) = flows.runs()
    flows.opened.write(deadlines.limit_time, run.job.id, 5 * SECOND)
    flows.opened.clock.step_wall(step - 120)
    assert flows.turn() == 5.0
    flows.opened.clock.pass_time(5)
    flows.turn()
    assert flows.runs()[-1].job.status is Status.FAILED


def test_so_does_one_of_a_clock_that_was_set_right_while_nothing_ran(flows: Flows) -> None:
    flows.opened.clock.step_wall(10 * 86_400)
    flows.hourly()
    flows.opened.clock.step_wall(-10 * 86_400)
    flows.turn()
    assert moment(flows.table().next_at or 0) == datetime(2026, 3, 2, 11, tzinfo=UTC)


def test_runs_begin_with_the_program_though_the_clock_was_ahead_before(flows: Flows) -> None:
    flows.save(more="auto_start = true")
    flows.opened.clock.step_wall(10 * 86_400)
    assert len(asyncio.run(flows.clockwork.start())) == 1
    end(flows)
    flows.opened.clock.step_wall(-10 * 86_400)
    assert len(asyncio.run(flows.clockwork.start())) == 1


def test_runs_that_begin_with_the_program_begin_once(flows: Flows) -> None:
    flows.save(more="auto_start = true")
    assert len(asyncio.run(flows.clockwork.start())) == 1
    end(flows)
    assert asyncio.run(flows.clockwork.start()) == [], "another process starts a moment later"
    flows.at(2026, 3, 2, 10, 32)
    assert len(asyncio.run(flows.clockwork.start())) == 1
    assert asyncio.run(flows.clockwork.start()) == [], "one is under way"


def test_runs_that_could_not_begin_with_the_program_begin_later(
    flows: Flows, monkeypatch: pytest.MonkeyPatch
) -> None:
    flows.save(more="auto_start = true")
    full = iter([True])

    def begin(*args: Any, **how: Any) -> int:
        if next(full, False):
            raise DiskFull("there is no room")
        return begun(*args, **how)

    begun = runs.begin
    monkeypatch.setattr(runs, "begin", begin)
    monkeypatch.setattr(clockwork, "AFTER_ERROR", 0.001)

    async def main() -> None:
        started = asyncio.Event()

        async def start() -> list[int]:
            found = await really()
            started.set()
            return found

        really = flows.clockwork.start
        monkeypatch.setattr(flows.clockwork, "start", start)
        task = asyncio.create_task(flows.clockwork.run())
        await asyncio.wait_for(started.wait(), 30)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())
    assert len(flows.runs()) == 1


DST = [
    ("30 2 * * *", (2026, 3, 28), ["03-28 02:30", "03-29 03:00", "03-30 02:30"]),
    ("30 2 * * *", (2026, 10, 24), ["10-24 02:30", "10-25 02:30", "10-26 02:30"]),
    ("15 */12 * * *", (2026, 3, 28, 20), ["03-29 00:15", "03-29 12:15", "03-30 00:15"]),
    ("*/30 1-3 29 3 *", (2026, 3, 28), ["03-29 01:00", "03-29 01:30", "03-29 03:00", "03-29 03:30"]),
    ("30 * * * *", (2026, 10, 25, 1), ["10-25 01:30", "10-25 02:30", "10-25 02:30", "10-25 03:30"]),
]  # fmt: skip


@pytest.mark.parametrize(("expression", "start", "expected"), DST)
def test_changes_of_the_clock_follow_the_stated_rules(
    expression: str, start: tuple[int, ...], expected: list[str]
) -> None:
    after = datetime(*start, tzinfo=BERLIN)  # type: ignore[misc,arg-type]
    found = cron.times(expression, "Europe/Berlin", int(after.timestamp()) * SECOND)
    told = [moment(next(found)).astimezone(BERLIN).strftime("%m-%d %H:%M") for _ in expected]
    assert told == expected


def test_two_hundred_schedules_and_three_processes_begin_each_time_once(tmp_path: Path) -> None:
    """Over both changes of the clock, with steps of an hour in both directions."""
    clock = FakeClock(wall=int(datetime(2026, 3, 28, 12, tzinfo=UTC).timestamp()) * SECOND)
    processes = [SqliteDatabase.open(tmp_path / "q.db", clock=clock) for _ in range(3)]
    queue_id = processes[0].write_sync(open_queue, "q")
    crons = [f"{n % 60} {(n * 7) % 24} * * *" for n in range(200)]
    for n, expression in enumerate(crons):
        text = (
            f'id = "d{n}"\n[schedule]\ncron = "{expression}"\ntimezone = "Europe/Berlin"\n'
            'missed = "all"\noverlap = "allow"\n[[steps]]\nname = "a"\naction = "say"\n'
        )
        definition = check(text, "toml", ACTIONS).definition
        assert definition is not None
        processes[0].write_sync(definitions.save, definition, text, "toml")
    begun_at = clock.wall()
    loops = [Clockwork(db, queue_id, ACTIONS, clock) for db in processes]
    random = Random(1)
    furthest = begun_at
    while furthest < begun_at + 40 * 60 * MINUTE:
        clock.pass_time(random.randrange(60, 5_400))
        if random.random() < 0.1:
            clock.step_wall(random.choice([-3_600, 3_600]))
        furthest = max(furthest, clock.wall())
        threads = [threading.Thread(target=asyncio.run, args=(each.turn(),)) for each in loops]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    rows = processes[0].read_sync(lambda tx: tx.execute("select definition_id, due_at from run"))
    begun = Counter(rows)
    expected = set()
    for n, expression in enumerate(crons):
        for at in cron.times(expression, "Europe/Berlin", begun_at):
            if at > furthest:
                break
            expected.add((f"d{n}", at))
    assert set(begun) == expected
    assert set(begun.values()) == {1}
    for db in processes:
        db.close()


# -- what is stored


def test_a_change_of_what_somebody_else_changed_is_refused(flows: Flows) -> None:
    first = flows.save()
    assert flows.save(more='name = "x"', rev=first.rev).rev == 2
    with pytest.raises(Conflict, match="changed meanwhile"):
        flows.save(rev=first.rev)
    with pytest.raises(Conflict, match="deleted meanwhile"):
        flows.save("other", rev=3)
    with pytest.raises(Conflict, match="changed meanwhile"):
        flows.save(rev=0)
    with pytest.raises(Conflict, match="changed meanwhile"):
        flows.opened.write(definitions.delete, "flow", rev=1)
    flows.opened.write(definitions.delete, "flow", rev=2)
    assert flows.opened.read(definitions.listing) == []


def call(name: str, called: str) -> tuple[Any, str]:
    text = (
        f'id = "{name}"\n[[steps]]\nname = "a"\naction = "workflow"\n'
        f'config = {{ definition = "{called}" }}\n'
    )
    return check(text, "toml", ACTIONS).definition, text


def test_definitions_cannot_run_one_another_in_a_circle(flows: Flows) -> None:
    flows.save("c")
    for name, called in (("b", "c"), ("a", "b")):
        flows.opened.write(definitions.save, *call(name, called), "toml")
    with pytest.raises(BadInput, match="c → a → b → c"):
        flows.opened.write(definitions.save, *call("c", "a"), "toml")
    with pytest.raises(BadInput, match="no definition 'zzz'"):
        flows.opened.write(definitions.save, *call("c", "zzz"), "toml")
    with pytest.raises(Conflict, match="'b' runs 'c'"):
        flows.opened.write(definitions.delete, "c")
    id_ = flows.opened.write(runs.begin, flows.queue_id, "a", ACTIONS)
    payload = flows.opened.sql("select payload from job where id = $1", id_)[0][0]
    assert '"definitions":{"b":' in payload
    assert '"c":' in payload


def test_what_is_noted_of_a_run_goes_with_its_job(flows: Flows) -> None:
    flows.save()
    gone, kept = (flows.opened.write(runs.begin, flows.queue_id, "flow", ACTIONS) for _ in range(2))
    assert flows.opened.write(steer.delete, gone) == 1
    assert flows.opened.sql("select job_id from run") == [(kept,)]


CALLS = [
    ('{ tag = "x", pages = 3 }', {}),
    ('{ tag = "{{ parameters.t }}", pages = "{{ parameters.t }}" }', {}),
    ('"{{ parameters.t }}"', {}),
    ('{ tag = "x", page = 3 }', {".page": "no parameter 'page'; there are tag, pages"}),
    ('{ tag = 5, pages = "3" }', {".tag": "5 is no string", ".pages": "'3' is no integer"}),
    ("{ pages = 3 }", {"": "requires the parameter 'tag'"}),
]


@pytest.mark.parametrize(("given", "wrong"), CALLS)
def test_the_parameters_of_a_definition_that_is_run_are_looked_at_when_it_is_saved(
    flows: Flows, given: str, wrong: dict[str, str]
) -> None:
    flows.save("low", '[parameters.tag]\nrequired = true\n[parameters.pages]\ntype = "integer"')
    text = (
        'id = "high"\nparameters.t = {}\n[[steps]]\nname = "s"\naction = "workflow"\n'
        f'[steps.config]\ndefinition = "low"\nparameters = {given}\n'
    )
    definition, faults = flows.opened.read(definitions.faults_of, text, "toml", ACTIONS)
    told = {each.field.removeprefix("steps[0].config.parameters"): each for each in faults}
    assert told.keys() == wrong.keys()
    assert all(wrong[field] in fault.text for field, fault in told.items())
    assert {fault.line for fault in faults} <= {8}
    if not wrong:
        flows.opened.write(definitions.save, definition, text, "toml")
        return
    with pytest.raises(BadDefinition, match=next(iter(wrong.values()))):
        flows.opened.write(definitions.save, definition, text, "toml")


def test_whether_a_run_is_under_way_costs_the_same_beside_any_number_of_jobs(flows: Flows) -> None:
    flows.opened.write(create, flows.queue_id, [JobSpec("say")] * 60)
    flows.save()
    flows.save("other")
    begun = [
        flows.opened.write(runs.begin, flows.queue_id, name, ACTIONS)
        for name in ["flow"] * 60 + ["other"]
    ]
    assert flows.opened.read(runs.under_way, "flow") == begun[-2]
    for job_id in begun[:-1]:
        flows.opened.write(steer.cancel, job_id)
    looks: list[bool] = []

    def looked(tx: Any) -> int | None:
        tx._connection.set_progress_handler(lambda: bool(looks.append(True)), 10)
        try:
            return runs.under_way(tx, "flow")
        finally:
            tx._connection.set_progress_handler(None)

    assert flows.opened.read(looked) is None
    assert len(looks) < 10
    assert flows.opened.read(runs.under_way, "other") == begun[-1]


def test_however_many_times_were_missed_once_is_once(flows: Flows) -> None:
    flows.save("flow", '[schedule]\ncron = "* * * * *"\noverlap = "allow"')
    flows.at(2026, 3, 5, 10, 30)
    flows.turn()
    assert len(flows.runs()) == 1
    assert flows.table().next_at == flows.opened.wall + MINUTE


def test_however_many_times_were_missed_the_present_one_is_not_skipped(flows: Flows) -> None:
    flows.save("flow", '[schedule]\ncron = "* * * * *"\noverlap = "allow"\nmissed = "skip"')
    flows.at(2026, 3, 5, 10, 30, 20)
    flows.turn()
    assert flows.due() == [datetime(2026, 3, 5, 10, 30, tzinfo=UTC)]
    assert flows.table().next_at == flows.opened.wall + 40 * SECOND


# -- the folder


@pytest.fixture
def kept(flows: Flows, tmp_path: Path) -> folder.Folder:
    return folder.Folder(flows.opened.db, tmp_path / "definitions", ACTIONS)


def put(kept: folder.Folder, name: str, text: str) -> None:
    kept.path.mkdir(exist_ok=True)
    (kept.path / name).write_text(text)
    asyncio.run(kept.sync())


STEP = '[[steps]]\nname = "a"\naction = "say"\n'


def ids(flows: Flows) -> list[str]:
    return [each.id for each in flows.opened.read(definitions.listing)]


def test_definitions_follow_the_files_of_the_folder(flows: Flows, kept: folder.Folder) -> None:
    assert asyncio.run(kept.sync()) is True, "no folder is an empty one"
    assert asyncio.run(kept.sync()) is False
    put(kept, "one.toml", f'id = "one"\n{STEP}')
    put(kept, "two.json", '{"id": "two", "steps": [{"name": "a", "action": "say"}]}')
    put(kept, "notes.md", "no definition")
    assert ids(flows) == ["one", "two"]
    put(kept, "one.toml", f'id = "one"\nname = "New"\n{STEP}')
    stored = flows.opened.read(definitions.get, "one")
    assert (stored.name, stored.origin, stored.path, stored.rev) == ("New", "file", "one.toml", 2)
    put(kept, "one.toml", f'id = "renamed"\n{STEP}')
    assert ids(flows) == ["renamed", "two"]
    (kept.path / "two.json").unlink()
    asyncio.run(kept.sync())
    assert ids(flows) == ["renamed"]


def paused_hourly(flows: Flows, kept: folder.Folder) -> None:
    put(kept, "one.toml", f'id = "one"\n[schedule]\ncron = "0 * * * *"\n{STEP}')
    flows.opened.write(schedules.pause, "one")


def test_a_folder_that_is_not_there_for_a_while_takes_nothing_out(
    flows: Flows, kept: folder.Folder
) -> None:
    paused_hourly(flows, kept)
    aside = kept.path.rename(kept.path.with_name("aside"))
    for each in (kept, folder.Folder(flows.opened.db, kept.path, ACTIONS)):
        with pytest.raises(BadInput, match="is its disk mounted"):
            asyncio.run(each.sync())
    kept.path.mkdir()  # on which nothing is mounted
    for each in (kept, folder.Folder(flows.opened.db, kept.path, ACTIONS)):
        with pytest.raises(BadInput, match=r"not even one\.toml"):
            asyncio.run(each.sync())
    assert flows.table("one").paused
    kept.path.rmdir()
    aside.rename(kept.path)
    asyncio.run(kept.sync())
    assert flows.table("one").paused


def test_a_folder_that_goes_while_it_is_read_takes_nothing_out(
    flows: Flows, kept: folder.Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    paused_hourly(flows, kept)
    read = folder._read

    def gone(path: Path, names: list[str]) -> dict[str, Any]:
        path.rename(path.with_name("aside"))
        return read(path, names)

    monkeypatch.setattr(folder, "_read", gone)
    with pytest.raises(BadInput, match="is its disk mounted"):
        put(kept, "two.toml", f'id = "two"\n{STEP}')
    assert flows.table("one").paused


def test_an_emptied_folder_takes_its_definitions_out(flows: Flows, kept: folder.Folder) -> None:
    for _ in range(2):
        paused_hourly(flows, kept)
        (kept.path / "one.toml").unlink()
        asyncio.run(kept.sync())
        assert ids(flows) == []
    paused_hourly(flows, kept)
    (kept.path / "one.toml").rename(kept.path / "one.off")
    asyncio.run(folder.Folder(flows.opened.db, kept.path, ACTIONS).sync())
    assert ids(flows) == [], "another file says that the folder is there"


def test_of_two_processes_with_folders_of_their_own_the_first_follows_its(
    flows: Flows, kept: folder.Folder, tmp_path: Path
) -> None:
    db = flows.opened.db
    other = folder.Folder(db, tmp_path / "other", ACTIONS)
    first = Reporter(db, "worker", list, lambda: kept.told)
    flows.opened.write(first.write)
    flows.opened.write(Reporter(db, "worker", list, lambda: other.told).write)
    paused_hourly(flows, kept)
    other.path.mkdir()
    with pytest.raises(Conflict, match=r"follows the definitions in .*/definitions; give"):
        put(other, "two.toml", f'id = "two"\n{STEP}')
    assert (ids(flows), flows.table("one").paused) == (["one"], True)
    flows.opened.write(first.forget)
    asyncio.run(other.sync())
    assert ids(flows) == ["two"], "the first has ended"


async def test_what_keeps_a_folder_from_being_read_is_logged_once(
    flows: Flows, kept: folder.Folder, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    monkeypatch.setattr(folder, "LOOK_SECONDS", 0.001)
    kept.path.write_text("no folder")
    running = asyncio.create_task(kept.run())
    async with asyncio.timeout(60):
        while kept.loop.turns < 5:
            await asyncio.sleep(0)
    running.cancel()
    assert len(caplog.records) == 1
    assert "NotADirectoryError" in (kept.loop.error or "")


def test_a_file_that_an_editor_puts_in_place_anew_was_never_gone(
    flows: Flows, kept: folder.Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some editors move the old file away before they write the new one."""
    put(kept, "one.toml", f'id = "one"\n[schedule]\ncron = "0 * * * *"\n{STEP}')
    flows.opened.write(schedules.pause, "one")
    file, aside = kept.path / "one.toml", kept.path / "one.toml~"
    file.rename(aside)

    async def written(_: float) -> None:
        aside.rename(file)
        file.write_text(file.read_text() + "# changed\n")

    monkeypatch.setattr(folder.asyncio, "sleep", written)
    assert asyncio.run(kept.sync()) is True
    assert "# changed" in flows.opened.read(definitions.get, "one").text
    assert flows.table("one").paused


def test_a_file_that_is_broken_changes_nothing_and_is_told(
    flows: Flows, kept: folder.Folder
) -> None:
    put(kept, "one.toml", f'id = "one"\n{STEP}')
    put(kept, "one.toml", 'id = "one"\n[[steps]]\nname = "a"\naction = "sya"\n')
    assert ids(flows) == ["one"]
    assert "say" in flows.opened.read(definitions.get, "one").text
    (file,) = flows.opened.read(folder.files)
    assert (file.definition_id, "line 4: steps[0].action" in str(file.problem)) == ("one", True)
    put(kept, "one.toml", f'id = "one"\nname = "well"\n{STEP}')
    assert flows.opened.read(folder.files)[0].problem is None


def test_a_file_with_the_line_ends_of_windows_can_be_changed(
    flows: Flows, kept: folder.Folder
) -> None:
    kept.path.mkdir()
    text = f'\ufeffid = "one"\n{STEP}'.replace("\n", "\r\n")
    (kept.path / "one.toml").write_bytes(text.encode())
    asyncio.run(kept.sync())
    db = flows.opened.db
    asyncio.run(editing.switch(db, kept.path, "one", ACTIONS, enabled=False))
    assert not flows.opened.read(definitions.get, "one").enabled
    assert "enabled = false" in (kept.path / "one.toml").read_text(encoding="utf-8")


def test_a_file_is_not_read_again_while_its_definition_is_written(
    flows: Flows, kept: folder.Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(kept, "one.toml", f'id = "one"\n{STEP}')
    reads = []

    def watched(*args: Any) -> Any:
        reads.append(args)
        return check(*args)

    monkeypatch.setattr(folder, "check", watched)
    monkeypatch.setattr(editing, "check", watched)
    db = flows.opened.db
    asyncio.run(editing.switch(db, kept.path, "one", ACTIONS, enabled=False))
    assert len(reads) == 1
    asyncio.run(kept.sync())
    (file,) = flows.opened.read(folder.files)
    assert (file.problem, flows.opened.read(definitions.get, "one").rev) == (None, 2)


def test_a_file_that_is_renamed_keeps_its_definition(flows: Flows, kept: folder.Folder) -> None:
    put(kept, "one.toml", f'id = "one"\n[schedule]\ncron = "0 * * * *"\n{STEP}')
    flows.opened.write(schedules.pause, "one")
    for name in ("two.toml", "a.toml"):
        next(kept.path.iterdir()).rename(kept.path / name)
        asyncio.run(kept.sync())
        assert flows.opened.read(definitions.get, "one").path == name
        assert flows.table("one").paused, "its schedule goes on as it was"
        assert flows.opened.read(folder.files)[0].problem is None


def test_files_may_change_names_and_ids_with_one_another(flows: Flows, kept: folder.Folder) -> None:
    put(kept, "a.toml", f'id = "one"\n{STEP}')
    put(kept, "b.toml", f'id = "two"\n{STEP}')
    before = flows.opened.read(definitions.listing)
    (kept.path / "a.toml").rename(kept.path / "c.txt")
    (kept.path / "b.toml").rename(kept.path / "a.toml")
    (kept.path / "c.txt").rename(kept.path / "b.toml")
    asyncio.run(kept.sync())
    after = flows.opened.read(definitions.listing)
    assert [each.path for each in before] == ["a.toml", "b.toml"]
    assert [(each.id, each.path) for each in after] == [("one", "b.toml"), ("two", "a.toml")]
    assert {file.problem for file in flows.opened.read(folder.files)} == {None}


def test_an_id_that_a_file_gave_up_is_of_one_file_alone(flows: Flows, kept: folder.Folder) -> None:
    flows.save("own")
    put(kept, "b.toml", f'id = "one"\n{STEP}')
    (kept.path / "b.toml").write_text(f'id = "own"\n{STEP}')
    put(kept, "a.toml", f'id = "one"\n{STEP}')
    found = {
        file.path: (file.definition_id, file.problem) for file in flows.opened.read(folder.files)
    }
    assert found["a.toml"] == ("one", None)
    assert found["b.toml"][0] is None
    assert "is kept in the database" in str(found["b.toml"][1])


def test_files_may_run_one_another_in_any_order(flows: Flows, kept: folder.Folder) -> None:
    kept.path.mkdir()
    for name, called in (("a", "b"), ("b", "c"), ("c", "d")):
        step = f'name = "s"\naction = "workflow"\nconfig = {{ definition = "{called}" }}'
        (kept.path / f"{name}.toml").write_text(f'id = "{name}"\n[[steps]]\n{step}\n')
    asyncio.run(kept.sync())
    assert ids(flows) == []
    put(kept, "d.toml", f'id = "d"\n{STEP}')
    assert ids(flows) == ["a", "b", "c", "d"]
    assert {file.problem for file in flows.opened.read(folder.files)} == {None}


def test_of_two_files_with_one_id_the_other_follows_when_one_goes(
    flows: Flows, kept: folder.Folder
) -> None:
    put(kept, "a.toml", f'id = "two"\n{STEP}')
    put(kept, "b.toml", f'id = "two"\nname = "Second"\n{STEP}')
    (kept.path / "a.toml").unlink()
    asyncio.run(kept.sync())
    assert flows.opened.read(definitions.get, "two").name == "Second"


def test_a_file_never_overwrites_what_was_made_elsewhere(flows: Flows, kept: folder.Folder) -> None:
    flows.save("mine")
    put(kept, "mine.toml", f'id = "mine"\nname = "File"\n{STEP}')
    assert flows.opened.read(definitions.get, "mine").name == "mine"
    assert "kept in the database" in str(flows.opened.read(folder.files)[0].problem)
    put(kept, "a.toml", f'id = "two"\n{STEP}')
    put(kept, "b.toml", f'id = "two"\nname = "Second"\n{STEP}')
    assert flows.opened.read(definitions.get, "two").name == "two"
    with pytest.raises(Conflict, match="a file of the definitions' folder"):
        flows.save("two")
    with pytest.raises(Conflict, match=r"kept in the file a\.toml"):
        flows.opened.write(definitions.delete, "two")


def test_a_file_that_comes_back_as_it_was_is_in_force_again(
    flows: Flows, kept: folder.Folder
) -> None:
    put(kept, "a.toml", f'id = "one"\n{STEP}')
    call = '[[steps]]\nname = "s"\naction = "workflow"\nconfig = { definition = "one" }\n'
    put(kept, "b.toml", f'id = "two"\n{call}')
    (kept.path / "a.toml").unlink()
    asyncio.run(kept.sync())
    assert flows.opened.read(definitions.get, "one").origin == "own", "another runs it"
    put(kept, "a.toml", f'id = "one"\n{STEP}')
    assert flows.opened.read(definitions.get, "one").origin == "file"
    assert {file.problem for file in flows.opened.read(folder.files)} == {None}


def test_a_file_that_goes_while_the_folder_is_looked_at_takes_no_other_with_it(
    flows: Flows, kept: folder.Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(kept, "one.toml", f'id = "one"\n{STEP}')
    put(kept, "two.toml", f'id = "two"\n{STEP}')
    scandir = os.scandir

    @contextmanager
    def listed(path: Path) -> Iterator[Iterator[os.DirEntry[str]]]:
        with scandir(path) as entries:
            found = list(entries)
        (path / "two.toml").unlink(missing_ok=True)
        yield iter(found)

    monkeypatch.setattr(os, "scandir", listed)
    asyncio.run(kept.sync())
    assert ids(flows) == ["one"]


def test_a_file_that_cannot_be_opened_is_told_and_the_others_are_followed(
    flows: Flows, kept: folder.Folder
) -> None:
    kept.path.mkdir()
    (kept.path / "loop.toml").symlink_to("loop.toml")
    put(kept, "one.toml", f'id = "one"\n{STEP}')
    assert ids(flows) == ["one"]
    (problem,) = [each.problem for each in flows.opened.read(folder.files) if each.problem]
    assert problem.startswith("it cannot be read: ")
    (kept.path / "loop.toml").unlink()
    put(kept, "loop.toml", f'id = "two"\n{STEP}')
    assert ids(flows) == ["one", "two"]


async def test_the_folder_is_followed_whatever_goes_wrong(
    opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "LOOK_SECONDS", 0.001)
    kept = folder.Folder(opened.db, tmp_path, ACTIONS)
    failing = iter([RecursionError("too deep"), OSError("gone")])

    async def sync() -> bool:
        for error in failing:
            raise error
        followed.set()
        return True

    followed = asyncio.Event()
    monkeypatch.setattr(kept, "sync", sync)
    running = asyncio.create_task(kept.run())
    await asyncio.wait({running, waiting := asyncio.ensure_future(followed.wait())},
                       return_when=asyncio.FIRST_COMPLETED)  # fmt: skip
    assert waiting.done()
    running.cancel()


def test_a_file_is_written_anew_only_by_who_saw_its_text(kept: folder.Folder) -> None:
    put(kept, "one.toml", "old")
    folder.replace(kept.path, "one.toml", "new", seen="old")
    assert (kept.path / "one.toml").read_text() == "new"
    with pytest.raises(Conflict, match="changed meanwhile"):
        folder.replace(kept.path, "one.toml", "newer", seen="old")
    for name in ("../x.toml", "x.txt", "a/b.toml"):
        with pytest.raises(BadInput, match="no file of"):
            folder.replace(kept.path, name, "x", seen="x")


def test_a_file_that_is_written_anew_keeps_its_rights_and_what_leads_to_it(
    kept: folder.Folder, tmp_path: Path
) -> None:
    put(kept, "one.toml", "old")
    real = tmp_path / "elsewhere"
    (kept.path / "one.toml").rename(real)
    real.chmod(0o640)
    (kept.path / "one.toml").symlink_to(real)
    folder.replace(kept.path, "one.toml", "new", seen="old")
    assert (kept.path / "one.toml").is_symlink()
    assert (real.read_text(), real.stat().st_mode & 0o777) == ("new", 0o640)


def test_of_many_who_saw_the_same_text_of_a_file_one_writes_it(kept: folder.Folder) -> None:
    put(kept, "one.toml", "old")
    together = threading.Barrier(8)

    def write(text: str) -> str | None:
        together.wait()
        try:
            folder.replace(kept.path, "one.toml", text, seen="old")
        except Conflict:
            return None
        return text

    texts = [str(number) * 100_000 for number in range(8)]
    with ThreadPoolExecutor(8) as threads:
        (written,) = [text for text in threads.map(write, texts) if text is not None]
    assert (kept.path / "one.toml").read_text() == written
    assert [each.name for each in kept.path.iterdir()] == ["one.toml"]


def test_the_loop_is_woken_by_a_new_schedule(flows: Flows) -> None:
    async def main() -> None:
        flows.at(2026, 3, 2, 10, 59)
        task = asyncio.create_task(flows.clockwork.run())
        await asyncio.to_thread(flows.hourly)
        flows.opened.clock.pass_time(timedelta(minutes=1).total_seconds())
        await asyncio.to_thread(flows.save, "other", '[schedule]\ncron = "0 5 * * *"')
        while not flows.runs():
            await asyncio.sleep(0.005)
        task.cancel()

    asyncio.run(asyncio.wait_for(main(), 20))
