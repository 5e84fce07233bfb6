"""`quaero serve`: everything in one process tree, and the pages to watch it."""

from __future__ import annotations

import errno
import ipaddress
import socket
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quaero.cli.options import global_arguments, load_settings

if TYPE_CHECKING:
    from quaero.settings import Settings
    from quaero.work.lifeline import Parent

INNER_SECONDS = 10.0  # what the inner process may take to answer what is under way, and to end
FREE_SECONDS = 2.0  # until the address is free that a killed server had; its children take a moment


def serve(
    *,
    host: Annotated[
        str | None,
        typer.Option(help="The name or address to listen on; else server.host.", metavar="HOST"),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(help="The port; else server.port. 0 takes a free one.", metavar="PORT"),
    ] = None,
    token: Annotated[
        bool | None,
        typer.Option(
            "--token/--no-token", help="Ask visitors for a token; needed beyond this machine."
        ),
    ] = None,
    concurrency: Annotated[
        int | None,
        typer.Option(help="Jobs to run at once; else queue.concurrency.", metavar="N"),
    ] = None,
    inner: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Run workers, the HTTP interface and the pages until Ctrl-C or SIGTERM.

    Example: quaero serve --port 8080
    """
    parent = None
    if inner is not None:
        from quaero.work.lifeline import watch_lifeline

        parent = watch_lifeline(INNER_SECONDS)  # before what takes long
    asked = {
        "server.host": host,
        "server.port": port,
        "server.token": token,
        "queue.concurrency": concurrency,
    }
    settings = load_settings({name: value for name, value in asked.items() if value is not None})
    if inner is not None and parent is not None:
        _serve(settings, inner, parent)
        return
    _refuse_without_pages()
    with _listen(settings) as listening:
        raise typer.Exit(_supervise(settings, listening, concurrency))


def _refuse_without_pages() -> None:
    from quaero.api import bundle
    from quaero.errors import BadConfig

    if not bundle.is_built():
        raise BadConfig(bundle.UNBUILT)


def _serve(settings: Settings, descriptor: int, parent: Parent) -> None:
    from quaero import app
    from quaero.cli.logs import log_unhurried

    log_unhurried(settings)
    with socket.socket(fileno=descriptor) as listening:
        app.run(app.serve(settings, listening, parent))


def _supervise(settings: Settings, listening: socket.socket, concurrency: int | None) -> int:
    from quaero.api.token import read_token
    from quaero.cli.logs import log_unhurried
    from quaero.cli.output import say
    from quaero.db.sqlite.database import SqliteDatabase
    from quaero.work.supervisor import END_SECONDS, Supervisor, own_command

    entrance = f"?token={read_token(settings.token_file)}" if settings.server.token else ""
    SqliteDatabase.open(settings.database_file).close()  # what is wrong with it is said here
    address = settings.server.address(listening.getsockname()[1])
    say(f"Quaero is at {address}/{entrance} with the data in {settings.data_dir}; Ctrl-C stops")
    slots = [] if concurrency is None else ["--concurrency", str(concurrency)]
    listening.set_inheritable(True)
    server = settings.server
    own = [*global_arguments(), "serve", "--inner", str(listening.fileno()), "--host", server.host,
           "--token" if server.token else "--no-token", *slots]  # fmt: skip
    commands = [own_command(*global_arguments(), "work", "--inner", *slots), own_command(*own)]
    passed = [(), (listening.fileno(),)]
    patience = settings.work.grace + END_SECONDS
    log_unhurried(settings, unless_set="warn")
    return Supervisor(commands, patience, passed, listening.close).run()


def _listen(settings: Settings) -> socket.socket:
    """The socket to serve on. Raises `BadConfig` where it cannot be had, or is not safe."""
    from quaero.errors import BadConfig

    host, port = settings.server.host, settings.server.port
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise BadConfig(f"server.host {host!r}: {error.strerror or error}") from error
    family, kind, protocol, _, address = min(found, key=lambda each: each[0] != socket.AF_INET)
    if not settings.server.token and not ipaddress.ip_address(address[0]).is_loopback:
        raise BadConfig(
            f"others could reach this server at {host}; add --token (server.token = true), "
            "and it asks visitors for one"
        )
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _bind(listening, address)
    except OSError as error:
        listening.close()
        raise BadConfig(
            f"cannot listen on {host}:{port}: {error.strerror or error}; choose another --port"
        ) from error
    return listening


def _bind(listening: socket.socket, address: Any) -> None:
    """Begin to listen, though not before an orphan of a server that was killed has let go."""
    give_up = time.monotonic() + FREE_SECONDS
    bound = False
    while True:
        try:
            if not bound:
                listening.bind(address)
                bound = True
            listening.listen(1024)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() > give_up:
                raise
            time.sleep(0.05)
        else:
            return
