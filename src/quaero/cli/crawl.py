"""`quaero crawl` and `quaero demo`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quaero.cli.options import Json, load_settings

if TYPE_CHECKING:
    from quaero.crawl.session import Login

Patterns = Annotated[list[str] | None, typer.Option(help="A glob, or re:EXPRESSION; repeatable.")]


def crawl(
    urls: Annotated[list[str] | None, typer.Argument(help="Where to begin.")] = None,
    *,
    max_pages: Annotated[
        int | None, typer.Option(help="Pages at most; 0 is no limit.", min=0)
    ] = None,
    max_depth: Annotated[int | None, typer.Option(help="Links from a seed at most.", min=0)] = None,
    scope: Annotated[str | None, typer.Option(help="host, domain, path or any.")] = None,
    include: Patterns = None,
    exclude: Patterns = None,
    concurrency: Annotated[
        int | None, typer.Option(help="Pages of one host at once.", min=1, max=64)
    ] = None,
    delay: Annotated[
        str | None, typer.Option(help="Least time between two requests to a host, such as 500ms.")
    ] = None,
    ignore_robots: Annotated[bool, typer.Option(help="Do not ask robots.txt.")] = False,
    no_follow: Annotated[bool, typer.Option(help="Only the given pages.")] = False,
    metadata_only: Annotated[bool, typer.Option(help="Keep no text, only what it is.")] = False,
    refresh: Annotated[
        str | None, typer.Option(help="Known pages: changed (ask), always, missing (skip).")
    ] = None,
    cookie_file: Annotated[
        Path | None, typer.Option(help="cookies.txt of a browser; sent to its sites only.")
    ] = None,
    header: Annotated[
        list[str] | None, typer.Option(help='"Name: value", sent to the seeds\' sites only.')
    ] = None,
    new: Annotated[bool, typer.Option(help="Begin anew, also where one is unfinished.")] = False,
    go_on: Annotated[
        int | None, typer.Option("--continue", help="Go on with this crawl past its limit.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Collect a site. Ctrl-C pauses; the same command goes on.

    Example: quaero crawl https://docs.example.org/ --max-pages 500
    """
    from quaero import app
    from quaero.cli.crawling import Wish, crawl_site
    from quaero.cli.logs import log_to_stderr

    asked: dict[str, Any] = {
        "max_pages": max_pages, "max_depth": max_depth, "scope": scope, "include": include,
        "exclude": exclude, "concurrency": concurrency, "delay": _seconds(delay),
        "refresh": refresh, "respect_robots": False if ignore_robots else None,
        "follow_links": False if no_follow else None,
        "detail_level": "metadata" if metadata_only else None,
    }  # fmt: skip
    settings = load_settings()
    log_to_stderr("error" if settings.logs.level == "info" else settings.logs.level)
    login = _login(urls or [], cookie_file, header)
    given = {name: value for name, value in asked.items() if value is not None}
    wish = Wish(tuple(urls or ()), given, login, new, go_on, as_json)
    raise typer.Exit(app.run(crawl_site(settings, wish)))


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    from quaero.errors import BadInput
    from quaero.settings.units import parse_duration

    try:
        return parse_duration(text)
    except ValueError as error:
        raise BadInput(f"--delay {text!r}: {error}") from error


def _login(urls: list[str], cookie_file: Path | None, header: list[str] | None) -> Login | None:
    if cookie_file is None and not header:
        return None
    from quaero.crawl.cookie_file import parse_headers, read_cookie_file
    from quaero.crawl.frontier import identity_of
    from quaero.crawl.session import Login
    from quaero.crawl.urls import canonical, host_key

    cookies = read_cookie_file(cookie_file) if cookie_file else []
    hosts = sorted({host_key(canonical(url)) for url in urls})
    return Login(identity_of(hosts), cookies, parse_headers(header or []))


def demo(
    *,
    kill: Annotated[
        bool, typer.Option("--kill", help="Kill the crawl half-way, and go on.")
    ] = False,
) -> None:
    """Crawl a small bundled site on this machine, and show what came of it.

    Example: quaero demo --kill
    """
    from quaero.cli.demo import run_demo

    raise typer.Exit(run_demo(kill=kill))
