"""`quaero db`: check, migrate and back up the database."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from quaero.cli.options import Json, database, file_name, load_settings

app = typer.Typer(help="Look after the database.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def check(*, as_json: Json = False) -> None:
    """Check the file and every kept count; exits with 5 where something is wrong.

    Example: quaero db check
    """
    from quaero.cli.output import print_json
    from quaero.db.sqlite.longread import long_read
    from quaero.db.sqlite.upkeep import damage
    from quaero.errors import CorruptDatabase
    from quaero.jobs.check import checks

    with database() as db:
        found = long_read(db.path, damage)
        for look in checks() if not found else ():
            found += db.read_long(look)
        if as_json:
            print_json({"path": str(db.path), "sound": not found, "faults": found})
        elif not found:
            typer.echo(f"{db.path} is sound: the file, and every count by a recount")
        if found:
            raise CorruptDatabase(f"{db.path}: " + "; ".join(found))


@app.command()
def migrate(*, as_json: Json = False) -> None:
    """Bring the database to this program's schema; other commands do so by themselves.

    Example: quaero db migrate
    """
    from quaero.cli.output import print_done
    from quaero.db.migrations import newest

    with database(must_exist=False) as db:
        done = f"{db.path} has schema {newest()}, the one of this program"
        print_done(done, {"path": str(db.path), "schema": newest()}, as_json=as_json)


@app.command()
def backup(
    target: Annotated[
        Path,
        typer.Argument(
            help="The file to write; it must not exist.", metavar="FILE", parser=file_name
        ),
    ],
    *,
    as_json: Json = False,
) -> None:
    """Write a copy of the database while everything goes on.

    Example: quaero db backup ./quaero-backup.db
    """
    from quaero.cli.output import print_json, say
    from quaero.db.sqlite.upkeep import backup_to

    path = load_settings().database_file
    with database():
        size = backup_to(path, target)
    say(f"{target}: {size / 1e6:.1f} MB, checked")
    if as_json:
        print_json({"path": str(target), "bytes": size})


@app.command()
def restore(
    source: Annotated[
        Path, typer.Argument(help="A file that a backup wrote.", metavar="FILE", parser=file_name)
    ],
    *,
    as_json: Json = False,
) -> None:
    """Put a backup in the place of the database, which nobody may be using.

    What was there is kept beside it, under a name that is told.

    Example: quaero db restore ./quaero-backup.db
    """
    from datetime import UTC, datetime

    from quaero.cli.output import print_json, say
    from quaero.db.sqlite.upkeep import restore_from

    path = load_settings().database_file
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    there = path.exists() and path.stat().st_size > 0
    aside = path.with_name(f"{path.name}.before-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}")
    size = restore_from(source, path, aside)
    say(f"{path}: {size / 1e6:.1f} MB restored from {source}")
    if there:
        say(f"{aside}: what was there before")
    if as_json:
        print_json({"path": str(path), "bytes": size, "before": str(aside) if there else None})
