"""`quaero sources`: what is collected again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from quaero.cli.options import LARGEST_ID, Json, database, load_settings, suggest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quaero.db.contract import ReadTx
    from quaero.sources.health import State

app = typer.Typer(
    help="Sites and folders that are collected again and again.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Word = Annotated[str, typer.Argument(help="The name of the source, or its id.", metavar="SOURCE")]
Include = Annotated[
    list[str] | None,
    typer.Option("--include", help="Only what fits a pattern; may be repeated.", metavar="PATTERN"),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option("--exclude", help="Nothing that fits it; may be repeated.", metavar="PATTERN"),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set", help="A setting, such as max_pages=500; may be repeated.", metavar="NAME=VALUE"
    ),
]
Tags = Annotated[
    list[str] | None,
    typer.Option("--tag", help="A tag for every document; may be repeated.", metavar="TAG"),
]
Login = Annotated[
    int | None,
    typer.Option("--login", help="The id of a stored login.", min=1, max=LARGEST_ID, metavar="ID"),
]


@app.command()
def add(
    name: Annotated[
        str, typer.Argument(help="A letter, then lower-case letters, digits, - and _.")
    ],
    address: Annotated[str, typer.Argument(help="Its address, or the path of a folder.")],
    *,
    kind: Annotated[
        str | None,
        typer.Option(help="web, jira, confluence or folder; a path is a folder.", metavar="KIND"),
    ] = None,
    include: Include = None,
    exclude: Exclude = None,
    settings: Set = None,
    tag: Tags = None,
    login: Login = None,
    as_json: Json = False,
) -> None:
    """Keep a source. Nothing is collected yet.

    Example: quaero sources add handbook https://docs.example.org/ --exclude '/drafts/*'
    """
    from quaero.cli.output import print_done
    from quaero.sources import records

    given: dict[str, Any] = {"name": name, "tags": tag or [], "credential": login}
    given["kind"], given["base_url"] = _kind_and_address(kind, address)
    given["settings"] = _settings(include, exclude, settings)
    with database(must_exist=False) as db:
        state = db.read_sync(_state, str(db.write_sync(records.create, given)))
    done = (f"source {name} is kept; check it with `{suggest('sources', 'validate', name)}`, "
            f"collect it with `{suggest('sources', 'collect', name)}`")  # fmt: skip
    print_done(done, _as_json(state), as_json=as_json)


@app.command("list")
def list_sources(*, as_json: Json = False) -> None:
    """List the sources with how each is.

    Example: quaero sources list
    """
    from quaero.cli.output import moment, print_json, safe, say, shorten, table

    with database() as db:
        found = db.read_sync(_all)
    if as_json:
        print_json([_as_json(each) for each in found])
        return
    if not found:
        say(f"no sources yet; `{suggest('sources', 'add', 'NAME', 'ADDRESS')}` makes one")
        return
    rows = [
        (each.source.id, each.source.name, each.source.kind, _health(each), each.documents,
         moment(each.run.completed_at if each.run else None),
         shorten(safe(each.source.base_url), 60))
        for each in found
    ]  # fmt: skip
    header = ("id", "name", "kind", "health", "documents", "collected", "address")
    table(header, rows, right="id documents")


@app.command()
def show(source: Word, *, as_json: Json = False) -> None:
    """Show a source: its settings, and what came of its last run.

    Example: quaero sources show handbook
    """
    import json

    from quaero.cli.output import moment, print_json, safe

    with database() as db:
        state = db.read_sync(_state, source)
    if as_json:
        print_json(_as_json(state))
        return
    found = state.source
    typer.echo(f"{found.name} ({found.kind}, source {found.id}): {_health(state)}")
    typer.echo(f"address    {safe(found.base_url)}")
    typer.echo(f"documents  {state.documents}" + (f", {state.gone} gone" if state.gone else ""))
    if found.tags:
        typer.echo(f"tags       {safe(', '.join(found.tags))}")
    if found.credential is not None:
        typer.echo(f"login      {found.credential}")
    if state.run is not None:
        ended = moment(state.run.completed_at)
        typer.echo(f"last run   job {state.run.id}, {state.run.status.word}, ended {ended}")
    if state.detail:
        typer.echo(f"problem    {safe(state.detail)}")
    for name, value in found.settings.model_dump().items():
        typer.echo(f"  {name:<16} {safe(json.dumps(value))}")


@app.command()
def edit(
    source: Word,
    *,
    name: Annotated[str | None, typer.Option(help="Another name.", metavar="NAME")] = None,
    address: Annotated[
        str | None, typer.Option(help="Another address or path.", metavar="ADDRESS")
    ] = None,
    include: Include = None,
    exclude: Exclude = None,
    settings: Set = None,
    tag: Tags = None,
    login: Annotated[
        int | None,
        typer.Option(
            "--login",
            help="The id of a stored login; 0: none.",
            min=0,
            max=LARGEST_ID,
            metavar="ID",
        ),
    ] = None,
    enabled: Annotated[
        bool | None, typer.Option("--enable/--disable", help="Whether it may be collected.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Change a source. What is named replaces what was there; '' clears a list.

    Example: quaero sources edit handbook --set max_pages=5000
    """
    from quaero.cli.output import print_done
    from quaero.errors import BadInput
    from quaero.sources import records

    changes: dict[str, Any] = {}
    if name is not None:
        changes["name"] = name
    if tag is not None:
        changes["tags"] = [each for each in tag if each]
    if login is not None:
        changes["credential"] = login or None
    if enabled is not None:
        changes["enabled"] = enabled
    if found := _settings(include, exclude, settings):
        changes["settings"] = found
    if not changes and address is None:
        raise BadInput("say what to change, see `quaero sources edit --help`")
    with database() as db:
        old = db.read_sync(records.find, source)
        if address is not None:
            changes["base_url"] = _kind_and_address(old.kind, address)[1]
        db.write_sync(records.update, old.id, changes)
        state = db.read_sync(_state, str(old.id))
    done = f"source {state.source.name} is changed; the next run takes it up"
    print_done(done, _as_json(state), as_json=as_json)


@app.command()
def delete(
    source: Word,
    *,
    documents: Annotated[
        str, typer.Option(help="What becomes of its documents: keep or delete.", metavar="WORD")
    ],
    cancel: Annotated[
        bool, typer.Option("--cancel", help="Cancel the run that is under way.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Delete a source; say whether its documents are kept or deleted.

    The source itself goes last, so what is interrupted can be said again.

    Example: quaero sources delete handbook --documents keep
    """
    from quaero.cli.output import count, print_done
    from quaero.documents import store
    from quaero.documents.model import Filter
    from quaero.errors import BadInput
    from quaero.sources import records, removal, runs

    if documents not in ("keep", "delete"):
        raise BadInput(f"--documents {documents!r}: say keep or delete")
    total = 0
    with database() as db:
        found = db.read_sync(records.find, source)
        db.write_sync(runs.make_idle, found.id, cancel=cancel)
        if documents == "delete":
            while some := db.write_sync(store.delete_some, Filter(source_id=found.id)):
                total += some
        while db.write_sync(removal.forget_links, found.id):
            pass
        db.write_sync(runs.remove, found.id, cancel=cancel)
    gone = f" with {count(total, 'document')}" if documents == "delete" else ", its documents stay"
    deleted = {"id": found.id, "name": found.name, "deleted": True, "documents": total}
    print_done(f"source {found.name} is deleted{gone}", deleted, as_json=as_json)


@app.command()
def collect(
    source: Word,
    *,
    include: Include = None,
    exclude: Exclude = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="A setting of this run, such as max_pages=50 or refresh=always.",
            metavar="NAME=VALUE",
        ),
    ] = None,
    as_json: Json = False,
) -> int:
    """Collect a source now, and show how it goes. Patterns narrow those of the source.

    Ctrl-C pauses; the same command goes on.

    Example: quaero sources collect handbook
    """
    from quaero.app import run
    from quaero.cli.collecting import collect_source

    wish = _settings(include, exclude, settings)
    return run(collect_source(load_settings(), source, wish, as_json=as_json))


@app.command()
def validate(source: Word, *, as_json: Json = False) -> int:
    """Check a source without collecting it: address, login, robots.txt, patterns.

    Example: quaero sources validate handbook
    """
    from quaero.app import run
    from quaero.cli.collecting import check_source

    return run(check_source(load_settings(), source, as_json=as_json))


@app.command("test")
def try_addresses(
    source: Word,
    addresses: Annotated[list[str], typer.Argument(help="Addresses to try.", metavar="ADDRESS...")],
    *,
    include: Include = None,
    exclude: Exclude = None,
    as_json: Json = False,
) -> None:
    """Say which addresses a source lets in, and what decides about each.

    Example: quaero sources test handbook /guide/ /drafts/idea
    """
    from quaero.cli.output import print_json, safe
    from quaero.sources import records, runs, trial

    with database() as db:
        found = db.read_sync(records.find, source)
    payload = runs.payload_of(found, _settings(include, exclude, None))
    decisions = trial.decide(payload, addresses)
    if as_json:
        print_json({"items": decisions, "patterns": runs.patterns(payload)})
        return
    for each in decisions:
        typer.echo(f"{'let in ' if each.admitted else 'refused'}  {safe(each.address)}")
        typer.echo(f"         {safe(each.rule)}")


# -- words


def _all(tx: ReadTx) -> list[State]:
    from quaero.sources import health, records
    from quaero.sources.names import MOST_NAMES

    return health.states(tx, records.listing(tx, 0, MOST_NAMES))


def _state(tx: ReadTx, word: str) -> State:
    from quaero.sources import health, records

    (state,) = health.states(tx, [records.find(tx, word)])
    return state


def _health(state: State) -> str:
    if state.active:
        return "collecting"
    return state.health.replace("_", " ") if state.source.enabled else "disabled"


def _as_json(state: State) -> dict[str, Any]:
    return {
        "id": state.source.id,
        **state.source.draft,
        "health": state.health,
        "detail": state.detail,
        "documents": state.documents,
        "gone": state.gone,
        "active": state.active,
        "run": state.run,
    }


def _kind_and_address(kind: str | None, address: str) -> tuple[str, str]:
    """The kind, and the address or path in full."""
    from pathlib import Path

    from quaero.cli.crawling import address as canonical
    from quaero.errors import BadInput

    if not address:
        raise BadInput("the address is empty; name a URL or a folder")
    path = Path(address).expanduser()
    if kind is None:
        kind = "folder" if path.is_dir() or address.startswith(("/", "./", "../", "~")) else "web"
    return kind, str(path.absolute()) if kind == "folder" else canonical(address)


def _settings(
    include: Sequence[str] | None, exclude: Sequence[str] | None, others: Sequence[str] | None
) -> dict[str, Any]:
    """The settings that were named; values are JSON, or text where they are none."""
    from quaero.cli.output import value_of
    from quaero.errors import BadInput

    found: dict[str, Any] = {}
    for name, patterns in (("include", include), ("exclude", exclude)):
        if patterns is not None:
            found[name] = [each for each in patterns if each]
    for text in others or ():
        name, mark, value = text.partition("=")
        if not mark or not name:
            raise BadInput(f"--set {text!r}: write it as name=value, such as max_pages=500")
        found[name] = value_of(value)
    return found
