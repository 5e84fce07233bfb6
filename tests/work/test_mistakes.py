"""What a mistake in somebody's job type ends in: its job's failure, once, in words."""

import asyncio
import dataclasses
import datetime as dt
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, SecretStr, computed_field

from quaero.db import SqliteDatabase
from quaero.errors import BadConfig, BadInput, BadPayload, Permanent, RetryLater
from quaero.jobs import JobSpec, Status, logs, read
from quaero.jobs.check import faults
from quaero.jobs.read import Job
from quaero.queue import Lane
from quaero.testing.jobs import working
from quaero.work.pool import PoolOptions
from quaero.work.registry import JobType, Later, Registry, Result, executor

HOUR = dt.timedelta(hours=1)


class Empty(BaseModel):
    pass


class Told(BaseModel):
    at: dt.date


@dataclasses.dataclass
class Plain:
    n: int = 0


async def ended(tmp_path: Path, run: Any) -> Job:
    """The job that `run` ran, which had three tries."""
    with SqliteDatabase.open(tmp_path / "q.db") as db:
        async with working(db, [JobType("odd", Empty, run)]) as bench, asyncio.timeout(20):
            job = await bench.run("odd")
    return job


def effect(tx, job):
    tx.execute("select 1")


async def later(tx, job):
    effect(tx, job)


def in_pieces(tx, job, sql):
    yield tx.execute(sql)


MISTAKES = [
    (lambda _: 5, "what runs 'odd' returned 5, and no Result"),
    (lambda _: Result(object()), "the result cannot be written as JSON: there is no JSON for <obj"),
    (lambda _: Result(effects=[5]), r"effects \[5\] must be a sequence of functions"),
    (lambda _: Result(effects=effect), "effects <function effect .* must be a sequence"),
    (lambda _: Result(effects=[later]), "later did nothing: .* without async, await and yield"),
    (lambda _: Result(effects=[partial(in_pieces, sql="select 1")]), "in_pieces did nothing"),
    (lambda _: Later(effects=[later]), "later did nothing: .* without async, await and yield"),
    (lambda job: job.commit(later), "later did nothing: .* without async, await and yield"),
    (lambda _: Later(HOUR), r"delay datetime.timedelta\(.*\) must be a number of seconds"),
    (lambda _: Later(lane="ann"), "lane 'ann' must be a Lane"),
    (lambda _: Later(state={1, object()}), "the state cannot be written as JSON"),
    (lambda job: job.progress("half"), "progress: current 'half' must be a whole number"),
    (lambda job: job.progress(1, 2.5), "progress: total 2.5 must be a whole number"),
    (lambda job: job.progress(-1), "progress: current -1 must be at least 0"),
    (lambda job: job.spawn("odd"), "'odd' is no JobSpec; give each child by itself"),
    (lambda job: job.checkpoint(object()), "the state cannot be written as JSON"),
    (lambda job: job.checkpoint(1, effect), "effects <function effect .* must be a sequence"),
    (lambda job: job.commit(5), r"effects \(5,\) must be a sequence"),
]


@pytest.mark.parametrize(("mistake", "says"), MISTAKES)
async def test_a_mistake_fails_the_job_at_once_and_says_what_it_is(tmp_path, mistake, says):
    async def run(job: Any, _: Empty) -> Any:
        made = mistake(job)
        return await made if asyncio.iscoroutine(made) else made

    job = await ended(tmp_path, run)
    assert (job.summary.status, job.summary.attempt) == (Status.FAILED, 1)
    with pytest.raises(BadInput, match=says):
        raise BadInput(job.summary.error)


SIDE_BY_SIDE = [
    ([ValueError("one")], 3, "ValueError: one"),
    ([Permanent("no such page")], 1, "no such page"),
    ([BaseExceptionGroup("", [Permanent("no such page")])], 1, "no such page"),
    ([ValueError("one"), KeyError("two")], 3, "ValueError: one; KeyError: 'two'"),
    ([ValueError("one"), Permanent("two")], 1, "ValueError: one; Permanent: two"),
    ([OSError()] * 7, 3, "; ".join(["OSError"] * 5) + "; and 2 more"),
    ([RetryLater("soon", 0.01), ValueError("one")], 3, "RetryLater: soon; ValueError: one"),
]


@pytest.mark.parametrize(("errors", "attempts", "says"), SIDE_BY_SIDE)
async def test_errors_of_tasks_that_ran_side_by_side_are_those_of_the_job(
    tmp_path, errors, attempts, says
):
    async def run(_job: Any, _: Empty) -> Any:
        raise BaseExceptionGroup("unhandled errors in a TaskGroup", errors)

    job = await ended(tmp_path, run)
    assert (job.summary.attempt, job.summary.error) == (attempts, says)


async def test_a_plain_function_is_told_to_be_async(tmp_path):
    job = await ended(tmp_path, lambda *_: Result(1))
    assert (job.summary.status, job.summary.attempt) == (Status.FAILED, 1)
    assert job.summary.error == "what runs 'odd' is no async function; make it one"


async def test_models_lists_of_them_and_dataclasses_are_results(tmp_path):
    async def run(_: Any, __: Empty) -> Result:
        return Result([Told(at=dt.date(2026, 1, 2)), Plain(3)])

    assert (await ended(tmp_path, run)).result == [{"at": "2026-01-02"}, {"n": 3}]


async def test_a_commit_that_fails_loses_nothing_that_was_logged(tmp_path):
    def broken(tx, job):
        raise ZeroDivisionError

    async def run(job: Any, _: Empty) -> None:
        job.log.info("before")
        try:
            await job.commit(broken)
        except ZeroDivisionError:
            job.log.info("after")

    with SqliteDatabase.open(tmp_path / "q.db") as db:
        async with working(db, [JobType("odd", Empty, run)]) as bench, asyncio.timeout(20):
            job = await bench.run("odd")
        lines = db.read_sync(logs.read, logs.Query(job.summary.id))
        assert [each.message for each in lines if each.message in ("before", "after")] == [
            "after",
            "before",
        ]
        assert db.read_sync(faults) == []
        assert db.read_sync(read.get, job.summary.id).summary.status is Status.COMPLETED


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"type": 5}, "the type of a job 5 must be text"),
        ({"name": "\ud800"}, "the name of a job '.ud800' must be text"),
        (
            {"payload": {"a": 1}},
            r"the payload {'a': 1} of a job must be JSON text.*encode\(payload",
        ),
        ({"payload": None}, "the payload None of a job must be JSON text"),
        ({"phase": "post"}, "phase 'post' must be a Phase, such as Phase.POST"),
        ({"priority": "high"}, "priority 'high' must be a whole number"),
        ({"priority": 1.5}, "priority 1.5 must be a whole number"),
        ({"run_at": HOUR}, "run_at, a wall time in microseconds, datetime.timedelta"),
        ({"timeout": 0}, "timeout in microseconds 0 must be at least 1"),
        ({"lane": "ann"}, "lane 'ann' must be a Lane"),
        ({"lane": Lane("ann", 2**64)}, "max_running of lane 'ann'"),
    ],
)
def test_a_job_that_could_not_be_kept_is_refused_where_it_is_described(fields, says):
    with pytest.raises(BadInput, match=says):
        JobSpec(**{"type": "odd", **fields})


@pytest.mark.parametrize(
    ("name", "payload", "options", "says"),
    [
        ("", Empty, {}, "'' is no name of a job type"),
        ("a\nb", Empty, {}, "is no name of a job type; use printable text"),
        ("odd", Plain, {}, "the payload of job type 'odd' must be a pydantic model.*Plain"),
        ("odd", dict, {}, "the payload of job type 'odd' must be a pydantic model"),
        ("odd", Empty, {"timeout": 0}, "timeout 0 of 'odd' must be more than 0 s"),
        ("odd", Empty, {"timeout": "30s"}, "timeout '30s' must be a number of seconds"),
    ],
)
def test_a_job_type_that_could_not_be_run_is_refused_where_it_is_made(name, payload, options, says):
    with pytest.raises(BadInput, match=says):
        executor(name, payload, **options)(None)


@pytest.mark.parametrize(
    "options", [{"concurrency": 0}, {"max_receive": "3"}, {"poll_interval": 0}, {"grace": -1}]
)
def test_a_pool_that_could_not_work_is_refused(options):
    with pytest.raises(BadInput, match=next(iter(options))):
        PoolOptions(**options)


class Inner(BaseModel):
    number: int = Field(alias="theNumber")


class Aliased(BaseModel):
    model_config = ConfigDict(extra="forbid")

    page_count: int = Field(alias="pageCount")
    depth: int = Field(1, validation_alias=AliasChoices("d", "howDeep"))
    size: int = Field(1, serialization_alias="s")
    inner: Inner

    @computed_field  # type: ignore[prop-decorator]
    @property
    def twice(self) -> int:
        return 2 * self.page_count


@pytest.mark.parametrize(
    "given",
    [
        {"pageCount": 3, "howDeep": 2, "size": 4, "inner": {"theNumber": 5}},
        {"page_count": 3, "depth": 2, "size": 4, "inner": {"number": 5}},
        Aliased(pageCount=3, d=2, size=4, inner=Inner(theNumber=5)),
        '{"pageCount": 3, "d": 2, "size": 4, "inner": {"theNumber": 5}}',
    ],
)
def test_a_payload_with_aliases_and_computed_fields_is_run_as_it_was_given(given):
    aliased = JobType("aliased", Aliased)
    stored = aliased.encode(given)
    back = aliased.decode(stored)
    assert (back.page_count, back.depth, back.size, back.inner.number) == (3, 2, 4, 5)
    assert aliased.encode(stored) == stored


class Odd(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)

    number: float = 0.0
    data: bytes = b""
    text: str = ""
    password: SecretStr | None = None
    thing: object = None


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"number": float("nan")}, r"'odd' could not be read again from JSON: number: .*got None"),
        ({"data": b"\xff"}, "'odd' has no JSON: .*utf-8"),
        ({"text": "\ud800"}, "'odd' has no JSON: .*surrogates"),
        ({"thing": object()}, "'odd' has no JSON: .*unknown type"),
        ({"password": "hush"}, "'odd' has a secret, which is not stored"),
    ],
)
def test_a_payload_that_would_not_be_run_as_it_was_given_is_refused_before_it_is_stored(
    given, says
):
    with pytest.raises(BadPayload, match=says):
        JobType("odd", Odd).encode(given)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("assert not 1", "AssertionError"),
        ("{}['mail']", "KeyError: 'mail'"),
    ],
)
def test_a_module_of_job_types_that_cannot_be_loaded_is_named_with_the_error(
    tmp_path, monkeypatch, text, says
):
    (tmp_path / "ending_types.py").write_text(f"{text}\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(BadConfig, match=f"'ending_types' cannot be loaded: {says}$"):
        Registry().add_module("ending_types")


def test_who_offers_a_job_type_whose_name_is_taken_is_named(tmp_path, monkeypatch):
    (tmp_path / "mypack.py").write_text(
        "from pydantic import BaseModel\n"
        "from quaero.work.registry import JobType\n"
        "job_types = [JobType('cleanup', BaseModel)]\n"
    )
    made = tmp_path / "mypack-1.dist-info"
    made.mkdir()
    (made / "METADATA").write_text("Metadata-Version: 2.1\nName: mypack\nVersion: 1\n")
    (made / "entry_points.txt").write_text("[quaero.job_types]\nmine = mypack:job_types\n")
    monkeypatch.syspath_prepend(tmp_path)
    registry = Registry()
    registry.add_installed()
    says = "offers the job type 'cleanup', and there is one of that name already; rename one"
    with pytest.raises(BadConfig, match=f"^'mypack:job_types' {says}"):
        registry.add_installed()
    with pytest.raises(BadConfig, match=f"^'mypack' {says}"):
        registry.add_module("mypack")


@pytest.mark.parametrize("offered", ["{JobType('one', Odd)}", "iter([])", "'one'", "[Odd]", "None"])
def test_what_is_offered_in_place_of_job_types_is_refused_and_says_what_may_be(
    tmp_path, monkeypatch, offered
):
    (tmp_path / "offering.py").write_text(
        "from pydantic import BaseModel\n"
        "from quaero.work.registry import JobType\n"
        "class Odd(BaseModel): ...\n"
        f"job_types = {offered}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "offering", raising=False)
    with pytest.raises(
        BadConfig, match=r"offers .*, which is neither a JobType nor a list of them"
    ):
        Registry().add_module("offering")
