"""`quaero work`: run jobs until told to stop."""

from __future__ import annotations

from typing import Annotated

import typer

from quaero.cli.options import global_arguments, load_settings


def work(
    *,
    concurrency: Annotated[
        int | None,
        typer.Option(help="Jobs to run at once; else the setting queue.concurrency.", metavar="N"),
    ] = None,
    alone: Annotated[int | None, typer.Option(hidden=True)] = None,
    inner: Annotated[bool, typer.Option(hidden=True)] = False,
) -> None:
    """Run jobs until Ctrl-C or SIGTERM. Several may work on one database.

    Example: quaero work --concurrency 10
    """
    overrides = {} if concurrency is None else {"queue.concurrency": concurrency}
    settings = load_settings(overrides)
    own = [*global_arguments(), "work", "--inner"]
    if concurrency is not None:
        own += ["--concurrency", str(concurrency)]
    if alone is None and not inner:
        from quaero.cli.logs import log_unhurried
        from quaero.cli.output import count, safe, say
        from quaero.db.sqlite.database import SqliteDatabase
        from quaero.work.supervisor import END_SECONDS, Supervisor, own_command

        SqliteDatabase.open(settings.database_file).close()  # what is wrong with it is said here
        slots = count(settings.queue.concurrency, "job")
        say(f"working on {safe(settings.queue.name)} in {settings.database_file}, up to {slots} "
            "at once; Ctrl-C stops")  # fmt: skip
        patience = settings.work.grace + END_SECONDS
        log_unhurried(settings, unless_set="warn")
        raise typer.Exit(Supervisor([own_command(*own)], patience).run())
    _run(settings, alone, own)


def _run(settings: object, alone: int | None, own: list[str]) -> None:
    from quaero import app
    from quaero.cli.logs import log_unhurried
    from quaero.settings import Settings
    from quaero.work.supervisor import own_command

    assert isinstance(settings, Settings)
    log_unhurried(settings, unless_set=None if alone is None else "warn")
    isolate = () if alone is not None else tuple(own_command(*own))
    app.run_worker(app.work(settings, isolate=isolate, alone_for=alone))
