"""The composition root: the only place that builds the parts and wires them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from quaero.clock import DAY, SECOND, SystemClock
from quaero.collector import collect_rarely, leave_alone_what_is_there
from quaero.crawl.kinds import CRAWLER, PAGE
from quaero.db.sqlite.database import SqliteDatabase
from quaero.errors import StorageError
from quaero.program_log import program_log
from quaero.queue.claim import suspects
from quaero.queue.queue import open_queue
from quaero.settings import Settings
from quaero.sources.collecting import COLLECT, collect_type
from quaero.sources.payloads import FOLDER, REMOVAL, VALIDATION
from quaero.sources.removal import removal_type
from quaero.sources.runs import crawl_validation
from quaero.summarize.kinds import CORPUS, SUMMARIZER
from quaero.upkeep.backup import backup_type
from quaero.upkeep.bulk import bulk_type
from quaero.upkeep.cleanup import Kept, cleanup_type
from quaero.upkeep.document_bulk import document_action_type
from quaero.upkeep.kinds import TRANSFORM
from quaero.upkeep.maintenance import maintenance_type
from quaero.upkeep.merging import merge_when
from quaero.upkeep.reindex import reindex_type
from quaero.work.cpu import CpuHelpers
from quaero.work.lifeline import Parent, watch_lifeline
from quaero.work.pool import Pool, PoolOptions
from quaero.work.registry import JobType, Registry
from quaero.work.supervisor import END_SECONDS
from quaero.work.watchdog import Watchdog
from quaero.workflows import items, shipped
from quaero.workflows.clockwork import Clockwork
from quaero.workflows.executors import RUN_TYPE, STEP_TYPE, WorkflowExecutors
from quaero.workflows.folder import Folder

if TYPE_CHECKING:
    from quaero.clock import Clock
    from quaero.crawl.login import Login
    from quaero.sources.logins import Logins
    from quaero.sources.probe import Prober

log = program_log(__name__)

R = TypeVar("R")
SWITCH_SECONDS = 0.0005
LEFT_SECONDS = 0.5
PRELOAD = ("quaero.crawl.digest",)
"""What most helpers are started for; other tasks bring their modules with them."""


def open_database(settings: Settings, *, upgrade: bool = True) -> SqliteDatabase:
    """The database that the settings name, made or upgraded where needed."""
    return SqliteDatabase.open(settings.database_file, upgrade=upgrade)


def check(settings: Settings) -> None:
    """Look for what the settings name: job types and a model. Raises `BadConfig`."""
    from quaero.summarize import makers

    check_job_types(settings)
    makers.check(settings)


def check_job_types(settings: Settings) -> None:
    """Load the job types that the settings name. Raises `BadConfig`."""
    registry = Registry()
    for place in settings.work.job_types:
        registry.add_module(place)


@dataclass(frozen=True, slots=True)
class Worker:
    """What runs jobs in this process, ready to run."""

    db: SqliteDatabase
    queue_id: int
    registry: Registry
    pool: Pool


@asynccontextmanager
async def worker(
    settings: Settings,
    *,
    login: Login | None = None,
    lane: str | None = None,
    isolate: tuple[str, ...] = (),
    alone_for: int | None = None,
    passing: bool = False,
) -> AsyncIterator[Worker]:
    """A worker of this process over an open database; with `lane` for the jobs of that one only.

    `isolate` is the command that starts a child for suspects; `alone_for` makes this process such a
    child, and is its parent's holder id. A `passing` one does not stay: see `PoolOptions`.
    """
    from quaero.crawl.executors import CrawlExecutors
    from quaero.crawl.fetch import Fetcher
    from quaero.crawl.session import Crawls
    from quaero.sources.folder import folder_type
    from quaero.sources.prober import SiteProber
    from quaero.sources.validation import Validator
    from quaero.summarize.corpus import Corpus
    from quaero.summarize.executors import Summaries
    from quaero.summarize.makers import Makers
    from quaero.summarize.making import Making
    from quaero.upkeep.transform import Transforming

    sys.setswitchinterval(SWITCH_SECONDS)
    clock = SystemClock()
    check_job_types(settings)  # what is wrong with them is said before a database is made
    db = open_database(settings)
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(db.close)
        fetcher = await stack.enter_async_context(
            Fetcher(clock=clock, user_agent=settings.crawl.user_agent)
        )
        helpers = CpuHelpers(1 if alone_for else settings.work.helpers, preload=PRELOAD)
        stack.push_async_callback(helpers.close)
        prober = SiteProber(fetcher, helpers, clock, settings.crawl.allow_networks)
        logins = open_logins(settings, db, prober, clock)
        stack.push_async_callback(logins.close)
        crawls = Crawls(db, fetcher, settings.crawl.allow_networks, login, logins.login)
        crawler = CrawlExecutors(
            db, crawls, fetcher, helpers, clock, crawl_validation,
            keep_bodies=settings.crawl.keep_bodies > 0,
        )  # fmt: skip
        registry = Registry(crawler.job_types())
        registry.add(Validator(db, crawls, fetcher, helpers, clock, logins).job_type())
        registry.add(folder_type(db, helpers, clock))
        registry.add(removal_type(db))
        registry.add(collect_type(db))
        makers = Makers(settings, fetcher)
        making = Making(db, helpers, settings)
        registry.add(Summaries(db, makers, making, settings).job_type())
        registry.add(Corpus(db, makers, making).job_type())
        registry.add(Transforming(db, helpers, fetcher.user_agent).job_type())
        for job_type in _upkeep(settings, db):
            registry.add(job_type)
        for job_type in WorkflowExecutors(db, registry, items.rows).job_types():
            registry.add(job_type)
        registry.add_installed()
        for place in settings.work.job_types:
            registry.add_module(place)
        queue_id = await db.write(open_queue, settings.queue.name)
        options = PoolOptions(
            concurrency=1 if alone_for else settings.queue.concurrency,
            visibility_timeout=settings.queue.visibility_timeout,
            max_receive=settings.queue.max_receive,
            poll_interval=settings.queue.poll_interval,
            grace=settings.work.grace,
            default_timeout=settings.work.default_timeout,
            lane=lane,
            alone=alone_for is not None,
            parent_holder=alone_for or 0,
            alone_command=isolate,
            passing=passing,
        )
        yield Worker(db, queue_id, registry, Pool(db, queue_id, registry, options, clock))


def open_logins(settings: Settings, db: SqliteDatabase, prober: Prober, clock: Clock) -> Logins:
    """The stored logins; their key is looked for when one is opened or stored."""
    from quaero.sources.keys import KeyFile
    from quaero.sources.logins import Logins
    from quaero.sources.vault import Keys

    keys = Keys(KeyFile(settings.auth.key_file, settings.data_dir))
    return Logins(db, keys, clock, prober)


@asynccontextmanager
async def login_keeper(settings: Settings, db: SqliteDatabase) -> AsyncIterator[Logins]:
    """The stored logins of a process that works on no jobs, with what it takes to test them."""
    from quaero.sources.probe import LateProber

    clock = SystemClock()
    prober = LateProber(partial(_site_prober, settings, clock))
    logins = open_logins(settings, db, prober, clock)
    try:
        yield logins
    finally:
        await logins.close()
        await prober.close()


@asynccontextmanager
async def _site_prober(settings: Settings, clock: Clock) -> AsyncIterator[Prober]:
    """A prober with a fetcher and a helper of its own."""
    await asyncio.to_thread(import_module, "quaero.sources.prober")  # takes a while
    from quaero.crawl.fetch import Fetcher
    from quaero.sources.prober import SiteProber

    async with Fetcher(clock=clock, user_agent=settings.crawl.user_agent) as fetcher:
        helpers = CpuHelpers(1, preload=PRELOAD)
        try:
            yield SiteProber(fetcher, helpers, clock, settings.crawl.allow_networks)
        finally:
            await helpers.close()


def registry_without_worker(settings: Settings, db: SqliteDatabase) -> Registry:
    """The job types, for checking payloads where nothing is run."""
    registry = Registry(
        (
            CRAWLER,
            PAGE,
            VALIDATION,
            FOLDER,
            REMOVAL,
            COLLECT,
            SUMMARIZER,
            CORPUS,
            TRANSFORM,
            RUN_TYPE,
            STEP_TYPE,
        )
    )
    for job_type in _upkeep(settings, db):
        registry.add(job_type)
    registry.add_installed()
    for place in settings.work.job_types:
        registry.add_module(place)
    return registry


def _upkeep(settings: Settings, db: SqliteDatabase) -> tuple[JobType[Any], ...]:
    return (
        _cleanup(settings, db),
        bulk_type(db),
        document_action_type(db),
        reindex_type(db),
        maintenance_type(db),
        backup_type(db, settings.backups_dir, SystemClock()),
    )


def _cleanup(settings: Settings, db: SqliteDatabase) -> JobType[Any]:
    a_day = DAY / SECOND
    return cleanup_type(
        db,
        Kept(
            logs=settings.logs.retention / a_day,
            minutes=settings.reports.retention / a_day,
            dead_letters=settings.upkeep.dead_letters / a_day,
            versions=settings.documents.versions,
            model_calls=settings.summarize.audit_retention / a_day,
            bodies=settings.crawl.keep_bodies / a_day,
        ),
    )


async def work(
    settings: Settings, *, isolate: tuple[str, ...] = (), alone_for: int | None = None
) -> None:
    """Run jobs until SIGTERM or SIGINT; in a child for suspects, until there are none."""
    parent = watch_lifeline(settings.work.grace + END_SECONDS)
    limit_memory(settings.work.memory)
    leave_no_core()
    async with worker(settings, isolate=isolate, alone_for=alone_for) as made:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, made.pool.stop)
        watchdog = Watchdog(made.pool.overdue)
        watchdog.start()
        beside = _beside(settings, made) if alone_for is None else [_end_when_done(made)]
        tasks = [asyncio.create_task(each) for each in beside]
        parent.tell_ready()
        try:
            await made.pool.run()
        finally:
            watchdog.stop()
            for task in tasks:
                task.cancel()


def _beside(settings: Settings, made: Worker) -> list[Coroutine[Any, Any, None]]:
    """What goes on beside the jobs in a process that stays."""
    work = [_merge_when_idle(made)]
    if settings.workflows.schedules:
        work.append(_begin_what_is_due(settings, made))
    return work


def _begin_what_is_due(settings: Settings, made: Worker) -> Coroutine[Any, Any, None]:
    """Follow the folder of definitions, begin runs by the clock, end what is over its time."""
    known = made.registry.known()
    folder = Folder(made.db, settings.definitions_dir, known)
    clockwork = Clockwork(made.db, made.queue_id, known, SystemClock())
    made.pool.loops += [folder.loop, clockwork.loop]
    made.pool.more |= folder.told
    return _turn(made, folder, clockwork, known)


async def _turn(
    made: Worker, folder: Folder, clockwork: Clockwork, known: Mapping[str, Any]
) -> None:
    try:
        await made.db.write(shipped.store, known)
    except StorageError as error:
        log.warning("the definitions that come with Quaero are not stored now: %s", error)
    await made.pool.told.wait()
    async with asyncio.TaskGroup() as group:
        group.create_task(folder.run())
        group.create_task(clockwork.run(folder.looked))


async def _merge_when_idle(made: Worker) -> None:
    """Merge the full-text index while this worker has nothing to do."""
    pool = made.pool
    await merge_when(lambda: pool.consumer is not None and pool.consumer.idle, made.db)


async def serve(settings: Settings, listening: socket.socket, parent: Parent) -> None:
    """Answer requests on a bound socket until SIGTERM or SIGINT."""
    from quaero.api.app import create_app
    from quaero.api.parts import WebParts
    from quaero.api.ring import LogRing
    from quaero.api.server import Server
    from quaero.api.token import read_token

    sys.setswitchinterval(SWITCH_SECONDS)
    leave_no_core()
    clock = SystemClock()
    began = clock.wall()
    token = read_token(settings.token_file) if settings.server.token else None
    async with contextlib.AsyncExitStack() as stack:
        db = stack.enter_context(open_database(settings))
        logins = await stack.enter_async_context(login_keeper(settings, db))
        parts = WebParts(
            db=db,
            settings=settings,
            registry=registry_without_worker(settings, db),
            queue_id=await db.write(open_queue, settings.queue.name),
            clock=clock,
            started_at=began,
            token=token,
            address=settings.server.address(listening.getsockname()[1]),
            logins=logins,
            log=LogRing(began),
        )
        await Server(create_app(parts), parts.draining, parent.gone).run(
            listening, parent.tell_ready
        )


async def _end_when_done(made: Worker) -> None:
    """Stop a child for suspects when the last one has ended."""
    while True:
        await asyncio.sleep(0.2)
        left = await made.db.read(suspects, made.queue_id)
        consumer = made.pool.consumer
        if not left and consumer is not None and consumer.idle:
            made.pool.stop()
            return


def limit_memory(most: int) -> None:
    """Let this process have at most so many bytes of data, where the system can keep to it."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (most, hard))


def leave_no_core() -> None:
    """Let a crash leave no image of this process, in which the logins it opened would stand."""
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))


def run(main: Coroutine[Any, Any, R]) -> R:
    """Run a coroutine on uvloop, in a process that is Quaero's own."""
    try:
        import uvloop

        collect_rarely()
        leave_alone_what_is_there()
        return uvloop.run(main)
    finally:
        main.close()  # an interrupt may come before it has begun


def run_worker(main: Coroutine[Any, Any, None]) -> None:
    """As `run`, where code of jobs shall neither end the process in order nor keep it from ending.

    What a task that a job has made raises to exit stops the loop; it is set going again. Once
    `main` has ended, tasks and threads that jobs have left behind get `LEFT_SECONDS` to end.
    """
    import uvloop

    collect_rarely()
    leave_alone_what_is_there()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        task = runner.get_loop().create_task(main)
        while not task.done():
            try:
                runner.run(_ended(task))
            except (SystemExit, KeyboardInterrupt):
                if task.done():
                    raise
                log.exception("a job's task wants this process to end; it goes on")
        last = threading.Timer(LEFT_SECONDS, os._exit, (0,))
        last.daemon = True
        last.start()


async def _ended(task: asyncio.Task[None]) -> None:
    await task
