"""The command tree, and what happens around every command: options, errors, exit codes.

Exit codes: 0 done, 1 failed, 2 wrong input, 3 not found, 4 conflict, 5 storage, 130 interrupted.
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.exceptions import TyperException

from quaero.cli import (
    INTERRUPTED,
    auth,
    authoring,
    cleanup,
    crawl,
    database,
    definitions,
    documents,
    jobs,
    queue,
    schedules,
    search,
    serve,
    sources,
    steering,
    summarize,
    worker,
)
from quaero.cli import settings as config
from quaero.cli.options import CONFIG, DATA_DIR, GlobalOptions, remember
from quaero.errors import BadInput, QuaeroError

NO_READER = 0
_GLOBALS = {"--config": "config", "--data-dir": "data_dir"}
_EPILOG = (
    "Begin with `quaero demo`, or with `quaero crawl https://docs.example.org/`. "
    "Exit codes: 0 done, 1 failed, 2 wrong input, 3 not found, 4 conflict, 5 storage, "
    "130 interrupted."
)

app = typer.Typer(
    name="quaero",
    help="Collect the pages you may read into one local, searchable knowledge base.",
    epilog=_EPILOG,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=True,
)
app.command("crawl")(crawl.crawl)
app.command("demo")(crawl.demo)
app.command("serve")(serve.serve)
app.command("work")(worker.work)
app.command("search", context_settings={"ignore_unknown_options": True})(search.search)
app.command("cleanup")(cleanup.cleanup)
for command in steering.COMMANDS:
    jobs.app.command()(command)
for writing in authoring.COMMANDS:
    definitions.app.command()(writing)
app.add_typer(definitions.app, name="definitions")
app.add_typer(documents.app, name="documents")
app.add_typer(sources.app, name="sources")
app.add_typer(summarize.app, name="summarize")
app.add_typer(jobs.app, name="jobs")
app.add_typer(queue.app, name="queue")
app.add_typer(schedules.app, name="schedules")
app.add_typer(auth.app, name="auth")
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
    config_file: Annotated[
        str | None, typer.Option("--config", help=CONFIG, metavar="FILE")
    ] = None,
    data_dir: Annotated[
        str | None, typer.Option("--data-dir", help=DATA_DIR, metavar="DIR")
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Global options may stand before and after the command."""


@functools.cache
def tree() -> Any:
    """All commands, built once."""
    return typer.main.get_command(app)


def run(arguments: Sequence[str]) -> int:
    """Run one command line; returns the exit code."""
    _never_fail_to_print()
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        _stop_printing()
        return NO_READER
    return code


def _run(arguments: Sequence[str]) -> int:
    out, rest = sys.stdout, list(arguments)
    try:
        rest, found = take_globals(arguments)
        remember(found)
        result = tree().main(rest, prog_name="quaero", standalone_mode=False)
    except TyperException as error:
        return _wrong_usage(error, rest)
    except (typer.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except QuaeroError as error:
        _complain(str(error))
        return error.exit_code
    except UnicodeEncodeError as error:
        lone = error.object[error.start : error.end]
        if not any(lone in word for word in rest):
            raise
        _complain(f"{lone!r} is no text: the command line is not in UTF-8 there; write it in UTF-8")
        return BadInput.exit_code
    except SystemExit as end:
        if sys.stdout is not out:  # typer's way to end when nobody reads
            sys.stdout = out
            raise BrokenPipeError from end
        return end.code if isinstance(end.code, int) else 0
    except BrokenPipeError:
        raise
    except OSError as error:
        what = error.strerror or str(error)
        _complain(f"{error.filename}: {what}" if error.filename else what)
        return 1
    return result if isinstance(result, int) else 0


def _wrong_usage(error: TyperException, arguments: Sequence[str]) -> int:
    """One sentence with the way out, or the help that was asked for by saying nothing."""
    text = error.format_message().strip()
    if text.startswith("Usage:"):
        typer.echo(text, err=True)
    else:
        text = _wrong_value(error) or text[:1].lower() + text[1:].rstrip(".")
        _complain(f"{text}; see `{' '.join(_command(arguments))} --help`")
    return error.exit_code


def _wrong_value(error: TyperException) -> str:
    """What is wrong with a value of a command line, with the value; empty for other errors."""
    found = getattr(error.__cause__, "errors", None)
    parameter = getattr(error, "param", None)
    if found is None or parameter is None:
        return ""
    first = found(include_url=False)[0]
    limits = first.get("ctx", {})
    words = {
        "int_parsing": "it must be a whole number",
        "float_parsing": "it must be a number",
        "greater_than_equal": f"it must be at least {limits.get('ge')}",
        "less_than_equal": f"it must be at most {limits.get('le')}",
    }
    name = parameter.opts[0] if parameter.opts[0].startswith("-") else parameter.metavar
    return f"{name} {first['input']!r}: {words.get(first['type'], first['msg'])}"


def _command(arguments: Sequence[str]) -> list[str]:
    """The command that a command line names, as far as there is such a one."""
    command: Any = tree()
    path = ["quaero"]
    for word in arguments:
        command = getattr(command, "commands", {}).get(word)
        if command is None:
            break
        path.append(word)
    return path


def _complain(text: str) -> None:
    from quaero.cli.output import safe

    typer.echo(f"error: {safe(text, lines=True)}", err=True)


def _never_fail_to_print() -> None:
    """What a terminal's encoding lacks is written as an escape in place of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


def _stop_printing() -> None:
    """Nobody reads any more: let what is still buffered go nowhere."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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
