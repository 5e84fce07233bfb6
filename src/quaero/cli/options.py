"""What all commands share: the global options, and how they get settings and a database."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

if TYPE_CHECKING:
    from quaero.db.sqlite.database import SqliteDatabase
    from quaero.settings import Settings

CONFIG = "The configuration file; else ./quaero.toml, else the user's own."
DATA_DIR = "The folder of the database; else QUAERO_DATA_DIR, else the user's own."

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class GlobalOptions:
    """`--config` and `--data-dir` as given."""

    config: str | None = None
    data_dir: str | None = None


_given = GlobalOptions()


def remember(found: GlobalOptions) -> None:
    """Keep the global options of this command line."""
    global _given
    _given = found


def given() -> GlobalOptions:
    """The global options of this command line."""
    return _given


def global_arguments() -> list[str]:
    """The global options again, for a child of this program."""
    config = ["--config", _given.config] if _given.config else []
    return [*config, *(["--data-dir", _given.data_dir] if _given.data_dir else [])]


def load_settings(overrides: Mapping[str, Any] | None = None) -> Settings:
    """The settings for this command line. Raises `BadConfig`."""
    from quaero.settings import load

    options = dict(overrides or {})
    if _given.data_dir is not None:
        options["data_dir"] = _given.data_dir
    config = Path(_given.config) if _given.config is not None else None
    return load(config, options, os.environ, Path.cwd())


@contextmanager
def database(*, must_exist: bool = True) -> Iterator[SqliteDatabase]:
    """The database of this command line, opened.

    Commands that only look do not make one: `NotFound` says that nothing was collected yet.
    """
    from quaero.app import open_database
    from quaero.errors import NotFound

    settings = load_settings()
    if must_exist and not settings.database_file.exists():
        raise NotFound(
            f"there is no database at {settings.database_file} yet; "
            "begin with `quaero crawl https://…`"
        )
    with open_database(settings) as db:
        yield db


def with_database(work: Callable[[SqliteDatabase], Awaitable[R]]) -> R:
    """Run a coroutine over the database."""
    with database() as db:
        return asyncio.run(_awaited(work, db))


async def _awaited(work: Callable[[SqliteDatabase], Awaitable[R]], db: SqliteDatabase) -> R:
    return await work(db)


def program() -> str:
    """How the user called this program, for commands we suggest."""
    import shutil

    called = Path(sys.argv[0])
    if called.name != "quaero":
        return "python -m quaero"
    found = shutil.which("quaero")
    if found and Path(found).resolve() == called.resolve():
        return "quaero"
    here = Path.cwd()
    return str(called.relative_to(here)) if called.is_relative_to(here) else str(called)


def suggest(*arguments: str) -> str:
    """A command the user can run next, with the global options of this one."""
    import shlex

    return shlex.join([program(), *global_arguments(), *arguments])
