"""`quaero config`: what is set, and where it was set."""

from __future__ import annotations

import typer

from quaero.cli.options import Json, load_settings

app = typer.Typer(help="Look at the configuration.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def show(*, as_json: Json = False) -> None:
    """Show every setting with its value and where it comes from.

    Example: quaero config show
    """
    from quaero.cli.output import print_json, say, table
    from quaero.settings import config_file, origins, texts

    settings = load_settings()
    values, where = texts(settings), origins(settings)
    if as_json:
        print_json(
            {
                "file": str(config_file(settings) or ""),
                "settings": {
                    name: {"value": value, "source": where[name].source, "where": where[name].where}
                    for name, value in values.items()
                },
            }
        )
        return
    say(f"configuration file: {config_file(settings) or 'none'}")
    rows = [
        (name, value, f"{where[name].source.value} {where[name].where}".rstrip())
        for name, value in values.items()
    ]
    table(("setting", "value", "from"), rows)


@app.command()
def check(*, as_json: Json = False) -> None:
    """Check the configuration; says what is wrong and exits with 2, or says that all is well.

    The job types that it names are loaded, and a local model is looked for.

    Example: quaero --config ./quaero.toml config check
    """
    from quaero import app as program
    from quaero.cli.output import print_json
    from quaero.errors import BadConfig
    from quaero.settings import config_file

    try:
        settings = load_settings()
        program.check(settings)
    except BadConfig as error:
        if not as_json:
            raise
        print_json({"valid": False, "file": None, "faults": [str(error)]})
        raise typer.Exit(2) from None
    file = config_file(settings)
    if as_json:
        print_json({"valid": True, "file": file and str(file), "faults": []})
    else:
        typer.echo(f"the configuration is good ({file or 'no file'})")
