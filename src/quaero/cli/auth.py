"""`quaero auth`: the stored logins, their key, and extensions that hand logins over.

Secrets come from files, standard input or a hidden prompt, never from the command line itself,
which other users of a machine can see.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from quaero.cli.options import LARGEST_ID, Json, database, file_name, load_settings, suggest

if TYPE_CHECKING:
    from quaero.db.sqlite.database import SqliteDatabase
    from quaero.sources.credentials import CredentialSummary
    from quaero.sources.logins import Logins

R = TypeVar("R")
_VERDICTS = {True: "accepted", False: "refused", None: "not known"}
LARGEST_FILE = 100 * 1024 * 1024

app = typer.Typer(
    help="Look after logins: the cookies and tokens of sites.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

LoginId = Annotated[
    int, typer.Argument(help="The id of the login.", min=1, max=LARGEST_ID, metavar="ID")
]
BaseUrl = Annotated[
    str, typer.Argument(help="Where the site begins, as https://wiki.example.org/.", metavar="URL")
]


@app.command()
def add(
    url: BaseUrl,
    *,
    user_agent: Annotated[
        str | None,
        typer.Option(help="The name of your browser, where the site looks at it.", metavar="TEXT"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Store a login from header lines: "Cookie: a=1; b=2", "Authorization: Bearer …".

    They are read from standard input, or asked for without showing them.

    Example: quaero auth add https://wiki.example.org/
    """
    from quaero.cli.streams import typed_in

    text = _typed() if sys.stdin.isatty() else typed_in(LARGEST_FILE)
    _store(url, text, "headers", user_agent, as_json=as_json)


def _typed() -> str:
    """Header lines that the user types or pastes without seeing them, ended by an empty one."""
    lines = []
    label = 'A line such as "Cookie: a=1; b=2" (not shown)'
    while line := typer.prompt(label, default="", show_default=False, hide_input=True, err=True):
        lines.append(line)
        label = "Another, or nothing"
    return "\n".join(lines)


@app.command("import")
def import_login(
    url: BaseUrl,
    file: Annotated[
        Path,
        typer.Argument(
            help="cookies.txt of a browser, or a HAR file.", metavar="FILE", parser=file_name
        ),
    ],
    *,
    user_agent: Annotated[
        str | None,
        typer.Option(help="The name of your browser, where the site looks at it.", metavar="TEXT"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Store the login for a site from a file; what is in it for other sites is left out.

    Example: quaero auth import https://wiki.example.org/ cookies.txt
    """
    _store(url, _content(file), "auto", user_agent, as_json=as_json)


def _content(file: Path) -> str:
    from quaero.errors import BadInput

    try:
        if file.stat().st_size > LARGEST_FILE:
            raise BadInput(f"{file}: larger than {LARGEST_FILE // 1024**2} MiB")
        return file.read_text("utf-8-sig")
    except OSError as error:
        raise BadInput(f"{file}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise BadInput(f"{file}: not a text file in UTF-8") from None


def _store(url: str, text: str, kind: Any, user_agent: str | None, *, as_json: bool) -> None:
    from dataclasses import replace

    from quaero.cli.output import count, print_json, say
    from quaero.clock import SystemClock
    from quaero.sources.credentials import get
    from quaero.sources.imports import read_text

    found = read_text(text, url, SystemClock().wall(), kind=kind)
    capture = found.capture
    if user_agent is not None:
        capture = replace(capture, user_agent=user_agent)

    async def work(db: SqliteDatabase, logins: Logins) -> tuple[CredentialSummary, bool]:
        id_, created = await logins.add(capture)
        return await db.read(get, id_), created

    login, created = _with_logins(work, must_exist=False)
    if as_json:
        print_json({"login": login, "created": created, "foreign": found.foreign})
        return
    verb = "stored" if created else "replaced"
    parts = [count(n, what) for n, what in ((login.cookies, "cookie"), (login.headers, "token"))]
    typer.echo(f"login {login.id} for {login.base_url} {verb}: {' and '.join(parts)}")
    if found.foreign:
        say(f"{count(found.foreign, 'cookie')} for other sites left out")
    _warn(login)
    say(f"see if it is accepted: {suggest('auth', 'test', str(login.id))}")


def _warn(login: CredentialSummary) -> None:
    from quaero.cli.output import say
    from quaero.clock import SystemClock
    from quaero.crawl.expiry import expiry_warning

    warning = expiry_warning(login.expires_at, SystemClock().wall())
    if warning is not None:
        say(f"the login {login.id} for {login.base_url} {warning}")


@app.command("list")
def list_logins(*, as_json: Json = False) -> None:
    """List the logins, without their secrets.

    Example: quaero auth list
    """
    from quaero.cli.output import moment, print_json, say, table
    from quaero.sources.credentials import listing

    with database() as db:
        logins = db.read_sync(listing)
    if as_json:
        print_json(logins)
        return
    if not logins:
        say(f"no logins; store one: {suggest('auth', 'add', 'https://…')}")
        return
    rows = [
        (each.id, each.base_url, each.cookies, each.headers,
         moment(each.expires_at) if each.expires_at else "not said",
         _VERDICTS[each.test_ok] if each.tested_at else "not tested")
        for each in logins
    ]  # fmt: skip
    header = ("id", "site", "cookies", "tokens", "expires", "test")
    table(header, rows, right="id cookies tokens")
    for login in logins:
        _warn(login)


@app.command("test")
def try_login(
    login_id: LoginId,
    url: Annotated[
        str | None,
        typer.Argument(help="A page of the site that only you can read.", metavar="[URL]"),
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """Fetch a page with the login; exits with 1 where it is not seen to be accepted.

    Example: quaero auth test 3
    """
    from quaero.cli.output import print_json, safe

    async def work(db: SqliteDatabase, logins: Logins) -> Any:  # noqa: ARG001
        return await logins.probe(login_id, url)

    found = _with_logins(work)
    if as_json:
        print_json(found)
    else:
        typer.echo(f"{_VERDICTS[found.ok]}: {safe(found.detail)}")
    raise typer.Exit(0 if found.ok else 1)


@app.command()
def delete(login_id: LoginId, *, as_json: Json = False) -> None:
    """Delete a login with its secrets.

    Example: quaero auth delete 3
    """
    from quaero.cli.output import print_done
    from quaero.sources import credentials

    with database() as db:
        db.write_sync(credentials.delete, login_id)
    print_done(f"login {login_id} is deleted", {"id": login_id, "deleted": True}, as_json=as_json)


@app.command()
def rotate(*, as_json: Json = False) -> None:
    """Seal all logins with a new key, and drop the old one.

    Example: quaero auth rotate
    """
    from quaero.cli.output import count, print_done, say

    async def work(db: SqliteDatabase, logins: Logins) -> int:  # noqa: ARG001
        return await logins.rotate()

    sealed = _with_logins(work)
    print_done(
        f"{count(sealed, 'login')} sealed with a new key", {"sealed": sealed}, as_json=as_json
    )
    say("the logins in copies of the database made before this do not open any more")


@app.command()
def pair(*, as_json: Json = False) -> None:
    """Show a code by which a browser extension can be paired within five minutes.

    Example: quaero auth pair
    """
    from quaero.cli.output import moment, print_json, say
    from quaero.clock import rfc3339
    from quaero.sources.pairing import Pairing

    async def work(db: SqliteDatabase, logins: Logins) -> tuple[str, int]:  # noqa: ARG001
        return await Pairing(db).offer()

    code, expires_at = _with_logins(work, must_exist=False)
    if as_json:
        print_json({"code": code, "expires_at": rfc3339(expires_at)})
        return
    typer.echo(code)
    say(f"type it in the extension before {moment(expires_at)}; it works once")
    say(f"the server has to run for that: {suggest('serve')}")


@app.command()
def extensions(*, as_json: Json = False) -> None:
    """List the extensions that may hand over logins.

    Example: quaero auth extensions
    """
    from quaero.cli.output import moment, print_json, say, table
    from quaero.sources import pairing

    with database() as db:
        found = db.read_sync(pairing.extensions)
    if as_json:
        print_json(found)
    elif found:
        rows = [(e.id, e.origin, moment(e.paired_at), moment(e.used_at)) for e in found]
        table(("id", "origin", "paired", "last used"), rows, right="id")
    else:
        say(f"no extension is paired; `{suggest('auth', 'pair')}` shows a code")


@app.command()
def revoke(
    extension_id: Annotated[
        int, typer.Argument(help="The id of the extension.", min=1, max=LARGEST_ID, metavar="ID")
    ],
    *,
    as_json: Json = False,
) -> None:
    """Let a paired extension in no more.

    Example: quaero auth revoke 1
    """
    from quaero.cli.output import print_done
    from quaero.sources import pairing

    with database() as db:
        db.write_sync(pairing.revoke, extension_id)
    done = f"extension {extension_id} is not let in any more"
    print_done(done, {"id": extension_id, "revoked": True}, as_json=as_json)


def _with_logins(
    work: Callable[[SqliteDatabase, Logins], Awaitable[R]], *, must_exist: bool = True
) -> R:
    """Run a coroutine over the database and its logins."""
    import asyncio

    async def run(db: SqliteDatabase) -> R:
        from quaero.app import login_keeper

        async with login_keeper(load_settings(), db) as logins:
            return await work(db, logins)

    with database(must_exist=must_exist) as db:
        return asyncio.run(run(db))
