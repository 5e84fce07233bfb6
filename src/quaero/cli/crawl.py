"""`quaero crawl` and `quaero demo`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quaero.cli.options import LARGEST_ID, Json, file_name, load_settings

if TYPE_CHECKING:
    from quaero.crawl.login import Login
    from quaero.settings import Settings

_PATTERN = "whose address matches: a glob such as '/docs/*', or re:EXPRESSION; repeatable."


def crawl(
    urls: Annotated[
        list[str] | None, typer.Argument(help="Where to begin.", metavar="[URL]...")
    ] = None,
    *,
    max_pages: Annotated[
        int | None, typer.Option(help="Pages at most (100); 0 is no limit.", min=0, metavar="N")
    ] = None,
    max_depth: Annotated[
        int | None,
        typer.Option(
            help="Links away from the start at most (3; 1000 of Jira, Confluence).", min=0,
            metavar="N",
        ),
    ] = None,
    max_variants: Annotated[
        int | None,
        typer.Option(
            help="Pages at most whose addresses differ in the query only (100), besides what a "
            "sitemap names; 0 is no limit.",
            min=0, metavar="N",
        ),
    ] = None,
    max_host_pages: Annotated[
        int | None,
        typer.Option(help="Pages of one host at most; 0 is no limit, as it is unless given.",
                     min=0, metavar="N"),
    ] = None,
    scope: Annotated[
        str | None,
        typer.Option(
            help="How far links are followed: the same host (the default), domain, path, or any.",
            metavar="host|domain|path|any",
        ),
    ] = None,
    include: Annotated[
        list[str] | None, typer.Option(help=f"Only pages {_PATTERN}", metavar="PATTERN")
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option(help=f"No pages {_PATTERN}", metavar="PATTERN")
    ] = None,
    source_type: Annotated[
        str | None,
        typer.Option(
            help="What is crawled: with jira or confluence only its own pages are followed.",
            metavar="web|jira|confluence",
        ),
    ] = None,
    concurrency: Annotated[
        int | None,
        typer.Option(help="Requests to one host at once (4).", min=1, max=100, metavar="N"),
    ] = None,
    delay: Annotated[
        str | None,
        typer.Option(
            help="Least time between two requests to a host, such as 500ms or 2s.", metavar="TIME"
        ),
    ] = None,
    ignore_robots: Annotated[
        bool, typer.Option("--ignore-robots", help="Do not obey robots.txt.")
    ] = False,
    no_follow: Annotated[
        bool, typer.Option("--no-follow", help="Only the given pages, none of their links.")
    ] = False,
    sitemap: Annotated[
        bool,
        typer.Option(
            "--sitemap", help="Begin also at the pages that the sitemaps in robots.txt name."
        ),
    ] = False,
    metadata_only: Annotated[
        bool, typer.Option("--metadata-only", help="Keep titles and the like, but no text.")
    ] = False,
    refresh: Annotated[
        str | None,
        typer.Option(
            help="Pages collected before: changed asks for those that have changed (the default), "
            "always fetches all, missing fetches none.",
            metavar="changed|always|missing",
        ),
    ] = None,
    cookie_file: Annotated[
        Path | None,
        typer.Option(
            help="A login: cookies.txt of a browser; sent to its sites only.",
            metavar="FILE",
            parser=file_name,
        ),
    ] = None,
    header: Annotated[
        list[str] | None,
        typer.Option(
            help='A login: "Name: value", sent to the sites of the given URLs only; repeatable.',
            metavar="HEADER",
        ),
    ] = None,
    new: Annotated[
        bool, typer.Option("--new", help="Begin anew where the last crawl is unfinished.")
    ] = False,
    go_on: Annotated[
        int | None,
        typer.Option(
            "--continue", help="Go on with this crawl past its limit.", metavar="ID", min=1,
            max=LARGEST_ID,
        ),
    ] = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Collect a site. Ctrl-C pauses; the same command goes on.

    Example: quaero crawl https://docs.example.org/ --max-pages 500
    """
    from quaero.cli.crawling import Wish, check, crawl_site

    asked: dict[str, Any] = {
        "max_pages": max_pages, "max_depth": max_depth, "max_variants": max_variants,
        "max_host_pages": max_host_pages, "scope": scope, "include": include,
        "exclude": exclude, "source_type": source_type,
        "concurrency": concurrency, "delay": _seconds(delay),
        "refresh": refresh, "respect_robots": False if ignore_robots else None,
        "follow_links": False if no_follow else None,
        "sitemap": True if sitemap else None,
        "detail_level": "metadata" if metadata_only else None,
    }  # fmt: skip
    given = {name: value for name, value in asked.items() if value is not None}
    settings = _settings(concurrency)
    wish = Wish(
        tuple(urls or ()), given, _login(urls or [], cookie_file, header), new, go_on, as_json
    )
    check(settings, wish)

    from quaero import app
    from quaero.cli.logs import log_to_stderr

    log_to_stderr(settings, unless_set="error")
    raise typer.Exit(app.run(crawl_site(settings, wish)))


def _settings(concurrency: int | None) -> Settings:
    """The settings, with slots enough for as many requests at once as were asked for."""
    settings = load_settings()
    if concurrency is None or concurrency <= settings.queue.concurrency:
        return settings
    return load_settings({"queue.concurrency": concurrency})


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    from quaero.errors import BadInput
    from quaero.settings.units import parse_duration

    try:
        return parse_duration(text)
    except ValueError as error:
        raise BadInput(f"--delay: {error}") from error


def _login(urls: list[str], cookie_file: Path | None, header: list[str] | None) -> Login | None:
    if cookie_file is None and not header:
        return None
    from quaero.cli.crawling import address
    from quaero.crawl.cookie_file import parse_headers, read_cookie_file
    from quaero.crawl.frontier import identity_of
    from quaero.crawl.login import Login
    from quaero.crawl.urls import host_key

    cookies = read_cookie_file(cookie_file) if cookie_file else []
    hosts = sorted({host_key(address(url)) for url in urls})
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
