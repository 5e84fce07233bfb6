"""`quaero search` and `quaero documents`: what was collected."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quaero.cli.options import Json, database, suggest

if TYPE_CHECKING:
    from quaero.documents.model import Document

app = typer.Typer(
    help="Look at what was collected, and export it.", no_args_is_help=True, rich_markup_mode=None
)

Id = Annotated[int, typer.Argument(help="The id of the document.", min=1)]


def search(
    words: Annotated[list[str], typer.Argument(help="What to look for.")],
    *,
    limit: Annotated[int, typer.Option(min=1, max=100)] = 10,
    cursor: Annotated[str | None, typer.Option(help="Where the last page ended.")] = None,
    as_json: Json = False,
) -> None:
    """Search what was collected: words, "phrases", -not, OR, prefix*, title:, site:, tag:, ...

    Example: quaero search "retry policy" -draft site:docs.example.org
    """
    from quaero.cli.output import print_json, safe, say
    from quaero.documents.search import search as find

    query = " ".join(_quoted(word) for word in words)
    with database() as db:
        found = db.read_sync(find, query, limit=limit, cursor=cursor)
    if as_json:
        print_json(found)
        return
    for hit in found.hits:
        typer.echo(f"{hit.id:>6}  {safe(hit.title)}")
        typer.echo(f"        {safe(hit.url)}")
        typer.echo(f"        {_marked(hit.snippet)}")
    say(f"{found.total}{'' if found.exact else '+'} documents" if found.total else "nothing found")
    if found.cursor:
        say(f"more: {suggest('search', query, '--cursor', found.cursor)}")


def _quoted(word: str) -> str:
    """A phrase that the shell took the quotes of gets them back."""
    return f'"{word}"' if " " in word and '"' not in word and ":" not in word else word


def _marked(snippet: object) -> str:
    import sys

    from quaero.cli.output import safe

    on, off = ("\x1b[1m", "\x1b[0m") if sys.stdout.isatty() else ("[", "]")
    parts = []
    for text, marked in snippet.parts():  # type: ignore[attr-defined]
        clean = safe(" ".join(text.split()) if text.strip() else " ")
        lead = " " if text[:1].isspace() and text.strip() else ""
        trail = " " if text[-1:].isspace() and text.strip() else ""
        parts.append(f"{on}{clean}{off}" if marked else f"{lead}{clean}{trail}")
    return "".join(parts)


@app.command("list")
def list_documents(
    *,
    site: Annotated[str | None, typer.Option(help="Only of this host.")] = None,
    tag: Annotated[str | None, typer.Option(help="Only with this tag.")] = None,
    crawl: Annotated[int | None, typer.Option(help="Only of this crawl.")] = None,
    gone: Annotated[bool, typer.Option("--gone", help="Only what its site no longer has.")] = False,
    after: Annotated[int | None, typer.Option(help="From the document after this id on.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 20,
    as_json: Json = False,
) -> None:
    """List documents.

    Example: quaero documents list --site docs.example.org
    """
    from quaero.cli.output import moment, print_json, safe, say, shorten, table
    from quaero.documents.model import Filter
    from quaero.documents.read import listing

    wanted = Filter(site=site, tag=tag, root_id=crawl, gone=True if gone else None)
    with database() as db:
        found = db.read_sync(listing, wanted, after=after, limit=limit)
    if as_json:
        print_json(found)
        return
    if not found:
        say("no documents")
        return
    rows = [
        (d.id, d.words, moment(d.fetched_at), shorten(safe(d.title), 40), shorten(safe(d.url), 70))
        for d in found
    ]
    table(("id", "words", "fetched", "title", "address"), rows, right="iw")
    if len(found) == limit:
        say(f"more: {suggest('documents', 'list', '--after', str(found[-1].id))}")


@app.command()
def show(document_id: Id, *, as_json: Json = False) -> None:
    """Show a document's Markdown.

    Example: quaero documents show 12
    """
    from quaero.cli.output import print_json, safe

    document = _get(document_id)
    if as_json:
        print_json(document)
        return
    typer.echo(safe(document.text, lines=True))


def _get(document_id: int) -> Document:
    from quaero.documents.read import get

    with database() as db:
        return db.read_sync(get, document_id)


@app.command()
def export(
    target: Annotated[Path, typer.Argument(help="A folder, or a file ending in .jsonl or .zip.")],
    *,
    site: Annotated[str | None, typer.Option(help="Only of this host.")] = None,
    tag: Annotated[str | None, typer.Option(help="Only with this tag.")] = None,
    crawl: Annotated[int | None, typer.Option(help="Only of this crawl.")] = None,
) -> None:
    """Write documents as Markdown files with front matter, as JSON lines, or as one archive.

    Example: quaero documents export ./pages --site docs.example.org
    """
    from quaero.documents.export import export_to
    from quaero.documents.model import Filter

    with database() as db:
        count = export_to(db, target, Filter(site=site, tag=tag, root_id=crawl))
    typer.echo(f"{count} documents written to {target}")


@app.command("import")
def import_documents(
    source: Annotated[Path, typer.Argument(help="What `documents export` wrote.")],
) -> None:
    """Read documents from what `documents export` wrote.

    Example: quaero documents import ./pages.zip
    """
    from quaero.documents.importing import import_from

    with database(must_exist=False) as db:
        count = import_from(db, source)
    typer.echo(f"{count} documents read from {source}")
