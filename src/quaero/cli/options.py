"""What all commands share: the global options, and how they get settings and a database."""

from __future__ import annotations

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

LARGEST_ID = 2**63 - 1
"""The greatest number that the database can hold."""

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class GlobalOptions:
    """`--config` and `--data-dir` as given."""

    config: str | None = None
    data_dir: str | None = None


_given = GlobalOptions()


def file_name(text: str) -> Path:
    """A file or folder that was named; an empty name would be taken for the current folder."""
    if not text:
        raise typer.BadParameter("the name is empty; name a file or folder")
    return Path(text)


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
    from quaero.errors import BadConfig
    from quaero.settings import load

    options = dict(overrides or {})
    if _given.data_dir is not None:
        options["data_dir"] = _given.data_dir
    config = Path(_given.config) if _given.config is not None else None
    settings = load(config, options, os.environ, _here())
    if os.path.lexists(settings.data_dir) and not settings.data_dir.is_dir():
        what = "is a file" if settings.data_dir.exists() else "is a link that leads nowhere"
        raise BadConfig(f"the data directory {settings.data_dir} {what}; name a folder")
    return settings


def _here() -> Path:
    """The folder that the user is in. Raises `BadConfig` where it was removed meanwhile."""
    from quaero.errors import BadConfig

    try:
        return Path.cwd()
    except FileNotFoundError as error:
        raise BadConfig("the folder you are in is no more; go to another one (cd)") from error


@contextmanager
def database(*, must_exist: bool = True) -> Iterator[SqliteDatabase]:
    """The database of this command line, opened.

    Commands that only look do not make one: `NotFound` says that nothing was collected yet. It is
    opened without `app`, which knows everything that runs jobs and takes its time to load.
    """
    from quaero.db.sqlite.database import SqliteDatabase
    from quaero.errors import NotFound

    settings = load_settings()
    if must_exist and not settings.database_file.exists():
        raise NotFound(
            f"there is no database at {settings.database_file} yet; "
            f"begin with `{suggest('crawl', 'https://…')}`"
        )
    with SqliteDatabase.open(settings.database_file) as db:
        yield db


def with_database(work: Callable[[SqliteDatabase], Awaitable[R]], *, must_exist: bool = True) -> R:
    """Run a coroutine over the database."""
    import asyncio

    with database(must_exist=must_exist) as db:
        return asyncio.run(_awaited(work, db))


async def _awaited(work: Callable[[SqliteDatabase], Awaitable[R]], db: SqliteDatabase) -> R:
    return await work(db)


def program() -> str:
    """How the user called this program, for commands we suggest."""
    import shlex
    import shutil

    called = Path(sys.argv[0])
    if called.name != "quaero":
        return "python -m quaero"
    found = shutil.which("quaero")
    if found and Path(found).resolve() == called.resolve():
        return "quaero"
    here = Path.cwd()
    shown = called.relative_to(here) if called.is_relative_to(here) else called
    return shlex.quote(str(shown))


def suggest(*arguments: str) -> str:
    """A command the user can run next, with the global options of this one.

    Capital words in it stand for what the user has to say.
    """
    import shlex

    words = [word if word == "https://…" else shlex.quote(word) for word in arguments]
    return " ".join([program(), *map(shlex.quote, global_arguments()), *words])
