"""The command tree, and what happens around every command: options, errors, exit codes.

Exit codes: 0 done, 1 failed, 2 wrong input, 3 not found, 4 conflict, 5 storage, 130 interrupted.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer
from typer.exceptions import TyperException

from quaero.cli import crawl, database, documents, jobs, queue, worker
from quaero.cli import settings as config
from quaero.cli.options import CONFIG, DATA_DIR, GlobalOptions, remember
from quaero.errors import BadInput, QuaeroError

INTERRUPTED = 130
_GLOBALS = {"--config": "config", "--data-dir": "data_dir"}

app = typer.Typer(
    name="quaero",
    help="Collect the pages you may read into one local, searchable knowledge base.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=True,
)
app.command("crawl")(crawl.crawl)
app.command("demo")(crawl.demo)
app.command("work")(worker.work)
app.command("search")(documents.search)
app.command("cleanup")(jobs.cleanup)
app.add_typer(documents.app, name="documents")
app.add_typer(jobs.app, name="jobs")
app.add_typer(queue.app, name="queue")
app.add_typer(database.app, name="db")
app.add_typer(config.app, name="config")


def _version(*, value: bool) -> None:
    if value:
        from quaero import __version__

        typer.echo(f"quaero {__version__}")
        raise typer.Exit


@app.callback()  # its options are declared for --help; `take_globals` reads them
def options(
    *,
    config_file: Annotated[str | None, typer.Option("--config", help=CONFIG)] = None,
    data_dir: Annotated[str | None, typer.Option("--data-dir", help=DATA_DIR)] = None,
    version: Annotated[  # noqa: ARG001 - acts by itself
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Global options may stand before and after the command."""
    if config_file or data_dir:
        remember(GlobalOptions(config_file, data_dir))


def run(arguments: Sequence[str]) -> int:
    """Run one command line; returns the exit code."""
    try:
        rest, found = take_globals(arguments)
        remember(found)
        result = typer.main.get_command(app).main(rest, prog_name="quaero", standalone_mode=False)
    except TyperException as error:
        show = getattr(error, "show", None)
        show() if show is not None else typer.echo(f"error: {error}", err=True)
        return error.exit_code
    except (typer.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except QuaeroError as error:
        typer.echo(f"error: {error}", err=True)
        return error.exit_code
    except BrokenPipeError:
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return result if isinstance(result, int) else 0


def take_globals(arguments: Sequence[str]) -> tuple[list[str], GlobalOptions]:
    """Split the global options from the rest, wherever they stand before a `--`."""
    rest: list[str] = []
    found: dict[str, str] = {}
    left = iter(arguments)
    for argument in left:
        if argument == "--":
            rest += ["--", *left]
            break
        name, mark, value = argument.partition("=")
        if name not in _GLOBALS:
            rest.append(argument)
            continue
        if not mark:
            value = next(left, "")
        if not value:
            raise BadInput(f"the option {name} needs a value")
        found[_GLOBALS[name]] = value
    return rest, GlobalOptions(found.get("config"), found.get("data_dir"))
