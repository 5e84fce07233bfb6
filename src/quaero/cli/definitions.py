"""`quaero definitions`: workflows as they are written, and their runs; `authoring` changes them."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quaero.cli.options import Json, database, file_name, load_settings, suggest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from quaero.db.contract import ReadTx
    from quaero.db.sqlite.database import SqliteDatabase
    from quaero.workflows.overview import Overview
    from quaero.workflows.text import Format

app = typer.Typer(
    help="Write, check and run workflows.", no_args_is_help=True, rich_markup_mode=None
)

Id = Annotated[str, typer.Argument(help="The id of the definition.", metavar="ID")]
File = Annotated[
    Path,
    typer.Argument(
        help="A .toml or .json file; - reads TOML from standard input.",
        metavar="FILE",
        parser=file_name,
    ),
]
MOST = 100_000
STDIN = Path("-")


@app.command("list")
def list_definitions(*, as_json: Json = False) -> None:
    """List the definitions with their schedules and last runs, and files that are not understood.

    Example: quaero definitions list
    """
    from quaero.cli.output import moment, print_json, safe, say, shorten, table

    with database() as db:
        found, files = db.read_sync(_all)
    troubled = [each for each in files if each.problem is not None]
    if as_json:
        print_json({"definitions": [_plain(each) for each in found], "files": troubled})
        return
    rows = [
        (
            each.stored.id,
            "enabled" if each.stored.enabled else "disabled",
            each.stored.path or each.stored.origin,
            shorten(each.timetable.words, 48) if each.timetable else "-",
            _last(each),
            moment(each.timetable.next_at if each.timetable else None),
        )
        for each in found
    ]
    if rows:
        table(("id", "state", "kept in", "schedule", "last run", "next run"), rows)
    else:
        say("no definitions; `" + suggest("definitions", "save", "FILE") + "` stores one")
    for each in troubled:
        say(f"{safe(each.path)} is not in force: {safe(each.problem)}")


def _all(tx: ReadTx) -> tuple[list[Overview], list[Any]]:
    from quaero.workflows import folder, overview

    return overview.listing(tx, "", MOST), folder.files(tx)


def _last(each: Overview) -> str:
    from quaero.cli.output import moment

    if not each.runs:
        return "-"
    run = each.runs[0]
    return f"{run.status.word} {moment(run.began_at)}"


def _plain(each: Overview) -> dict[str, Any]:
    """A definition without its text, its newest run, and its schedule."""
    from quaero.cli.output import plain

    stored: dict[str, Any] = plain(each.stored)
    stored.pop("text")
    last = plain(each.runs[0]) if each.runs else None
    return {**stored, "schedule": plain(each.timetable), "last_run": last, "problem": each.problem}


@app.command()
def show(definition_id: Id, *, as_json: Json = False) -> None:
    """Show a definition: its steps, parameters, schedule and last runs.

    Example: quaero definitions show nightly-upkeep
    """
    from quaero.cli.output import print_json, safe
    from quaero.workflows import overview

    with database() as db:
        found = db.read_sync(overview.one, definition_id)
    if as_json:
        print_json(_with_value(found))
        return
    for name, text in _lines(found, _value(found)):
        typer.echo(f"{name:<12} {safe(text)}")


def record(db: SqliteDatabase, definition_id: str) -> dict[str, Any]:
    """A definition, as `definitions show --json` prints it."""
    from quaero.workflows import overview

    return _with_value(db.read_sync(overview.one, definition_id))


def _with_value(found: Overview) -> dict[str, Any]:
    return {**_plain(found), "definition": _value(found)}


def _value(found: Overview) -> Mapping[str, Any]:
    """What the text of a definition says."""
    from quaero.workflows.text import value_of

    return value_of(found.stored.text, found.stored.format) or {}


def _lines(found: Overview, value: Mapping[str, Any]) -> list[tuple[str, str]]:
    from quaero.cli.output import moment

    stored, table = found.stored, found.timetable
    lines = [
        ("definition", stored.id),
        ("name", stored.name),
        ("description", str(value.get("description") or "-")),
        ("state", "enabled" if stored.enabled else "disabled"),
        ("kept in", stored.path or stored.origin),
        ("schedule", table.words if table else "-"),
    ]
    if table is not None:
        lines.append(("next run", "paused" if table.paused else moment(table.next_at)))
    if table is not None and table.last_note:
        lines.append(("note", table.last_note))
    if found.problem:
        lines.append(("problem", found.problem))
    for name, parameter in (value.get("parameters") or {}).items():
        lines.append(
            ("parameter", f"{name} ({parameter.get('type', 'string')}){_given(parameter)}")
        )
    for group, word in (("pre_jobs", "before"), ("steps", "step"), ("post_jobs", "after")):
        for step in value.get(group) or []:
            needs = ", ".join(step.get("depends_on") or [])
            lines.append((word, f"{step['name']}: {step['action']}{needs and f' after {needs}'}"))
    past = found.runs[:5]
    lines += [(f"run {r.job_id}", f"{r.status.word}, {r.cause} {moment(r.began_at)}") for r in past]
    return lines


def _given(parameter: Mapping[str, Any]) -> str:
    if parameter.get("required"):
        return ", required"
    return "" if parameter.get("default") is None else f", else {parameter['default']!r}"


@app.command()
def validate(file: File, *, as_json: Json = False) -> None:
    """Say what is wrong with a file, by line and field; nothing is stored. Exit code 2 if anything.

    Example: quaero definitions validate nightly.toml
    """
    from quaero.cli.output import print_json, safe, say
    from quaero.workflows.definitions import faults_of

    text, format_ = read_text(file)
    with _database_or_empty() as db:
        faults = db.read_sync(faults_of, text, format_, known_types(db))[1]
    if as_json:
        fields = [
            {"line": each.line, "field": each.field, "pointer": each.pointer, "detail": each.text}
            for each in faults
        ]
        print_json({"valid": not faults, "faults": fields})
    for each in faults if not as_json else []:
        typer.echo(safe(f"{file}: {each}"))
    if faults:
        raise typer.Exit(2)
    if not as_json:
        say(f"{file} can be run")


@contextmanager
def _database_or_empty() -> Iterator[SqliteDatabase]:
    """The database, or one that is gone afterwards where there is none yet."""
    import tempfile

    from quaero.db.sqlite.database import SqliteDatabase

    if load_settings().database_file.exists():
        with database() as db:
            yield db
        return
    with tempfile.TemporaryDirectory() as folder, SqliteDatabase.open(Path(folder) / "q.db") as db:
        yield db


def known_types(db: SqliteDatabase) -> Mapping[str, Any]:
    """The job types that a definition may name."""
    from quaero.app import registry_without_worker

    return registry_without_worker(load_settings(), db).known()


def read_text(file: Path) -> tuple[str, Format]:
    """The text of a file and its format. Raises `BadInput` where it cannot be read, or is none."""
    from quaero.cli.streams import typed_in
    from quaero.errors import BadInput
    from quaero.workflows.folder import ENDINGS

    if file == STDIN:
        return typed_in(), "toml"
    if file.suffix not in ENDINGS:
        raise BadInput(f"{file} is named as no definition; name it .toml or .json")
    try:
        return file.read_bytes().decode(), ENDINGS[file.suffix]  # with its ends of lines
    except UnicodeDecodeError as error:
        raise BadInput(f"{file} is no text in UTF-8") from error
    except OSError as error:
        raise BadInput(f"{file} cannot be read: {error.strerror or error}") from error


@app.command()
def export(
    definition_id: Id,
    *,
    form: Annotated[
        str | None,
        typer.Option("--format", help="Else as it is stored.", metavar="toml|json"),
    ] = None,
) -> None:
    """Print the text of a definition.

    Example: quaero definitions export nightly-upkeep --format json
    """
    from quaero.errors import BadInput
    from quaero.workflows import definitions
    from quaero.workflows.writing import converted

    if form not in (None, "toml", "json"):
        raise BadInput(f"{form!r} is no format; known are toml and json")
    with database() as db:
        stored = db.read_sync(definitions.get, definition_id)
    wanted: Any = form or stored.format
    typer.echo(converted(stored.text, stored.format, wanted), nl=False)


@app.command()
def runs(
    definition_id: Id,
    *,
    limit: Annotated[
        int, typer.Option(help="Runs to show at most.", min=1, max=1000, metavar="N")
    ] = 20,
    as_json: Json = False,
) -> None:
    """List the runs of a definition, newest first.

    Example: quaero definitions runs nightly-upkeep
    """
    from quaero.cli.jobs import done_of, state
    from quaero.cli.output import moment, print_json, say, table
    from quaero.workflows import definitions
    from quaero.workflows.runs import listing

    with database() as db:
        db.read_sync(definitions.get, definition_id)
        found = db.read_sync(listing, definition_id, None, limit)
    if as_json:
        print_json(found)
        return
    if not found:
        say("no runs")
        return
    rows = [
        (r.job.id, state(r.job), done_of(r.job), r.cause, moment(r.began_at), moment(r.due_at))
        for r in found
    ]
    table(("id", "status", "done", "cause", "began", "due"), rows, right="id")


@app.command()
def run(
    definition_id: Id,
    *,
    parameter: Annotated[
        list[str] | None,
        typer.Option(
            "--parameter", "-p", help="A parameter's value; repeatable.", metavar="NAME=VALUE"
        ),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Watch the run to its end.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Begin a run. With --follow the exit code is 1 where it does not end well.

    A value is JSON where it is that and no text is wanted, else a text.

    Example: quaero definitions run tidy -p days=3 --follow
    """
    from quaero.cli.following import run_definition

    code = run_definition(definition_id, _texts(parameter or []), follow=follow, as_json=as_json)
    raise typer.Exit(code)


def _texts(given: list[str]) -> dict[str, str]:
    """Parameters as they were given. Raises `BadInput`."""
    from quaero.errors import BadInput

    found: dict[str, str] = {}
    for each in given:
        name, mark, text = each.partition("=")
        if not mark or not name:
            raise BadInput(f"{each!r} is no parameter; write NAME=VALUE")
        found[name] = text
    return found
