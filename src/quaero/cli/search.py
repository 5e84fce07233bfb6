"""`quaero search`: what of all that was collected fits some words."""

from __future__ import annotations

import re
import sys
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from quaero.cli.options import Json, database, suggest

if TYPE_CHECKING:
    from quaero.documents.snippet import Snippet

_QUERY = re.compile(r"""[":]|(?:^|\s)[+-]\S|\*(?:\s|$)|\sOR\s""")
"""What in a text of several words shows that it is a query, and no phrase."""


def search(
    words: Annotated[list[str], typer.Argument(help="What to look for.", metavar="WORDS...")],
    *,
    limit: Annotated[
        int, typer.Option(help="Documents to show at most.", min=1, max=100, metavar="N")
    ] = 10,
    cursor: Annotated[
        str | None, typer.Option(help="Where the last page ended.", metavar="TEXT")
    ] = None,
    as_json: Json = False,
) -> None:
    """Search what was collected: words, "phrases", -not, OR, prefix*, title:, site:, tag:, ...

    Example: quaero search "retry policy" -draft site:docs.example.org
    """
    from quaero.cli.output import count, print_json, safe, say
    from quaero.documents.search import search as find
    from quaero.errors import BadInput
    from quaero.sources.names import names

    if unknown := [word for word in words if word.startswith("--") and word.strip("-")]:
        raise BadInput(
            f"there is no option {unknown[0]}, see `quaero search --help`; "
            f"to look for the word, write '\"{unknown[0]}\"'"
        )
    with database() as db:
        ask = partial(find, limit=limit, sources=db.read_sync(names))
        phrases = " ".join(_quoted(word) for word in words)
        plain = phrases != " ".join(words) and not db.read_sync(ask, phrases).total
        query = " ".join(words) if plain else phrases
        found = db.read_sync(ask, query, cursor=cursor)
    if as_json:
        print_json(found)
        return
    for hit in found.hits:
        typer.echo(f"{hit.document.id:>6}  {safe(hit.title)}")
        typer.echo(f"        {safe(hit.document.url)}")
        if hit.snippet.text:
            typer.echo(f"        {_marked(hit.snippet)}")
    if not found.total:
        say("nothing found")
        return
    say(f"{'more than ' if found.more else ''}{count(found.total, 'document')}"
        + (", none with all the words" if found.relaxed
           else ", none with the phrase" if plain else ""))  # fmt: skip
    if found.cut:
        say("the query is too long; only its beginning was looked for")
    if found.cursor:
        say(f"more: {suggest('search', '--cursor', found.cursor, '--', *words)}")


def _quoted(word: str) -> str:
    """A phrase that the shell took the quotes of gets them back; a query in quotes is none."""
    return f'"{word}"' if " " in word and not _QUERY.search(word) else word


def _marked(snippet: Snippet) -> str:
    """A snippet with what was found in bold, or in brackets where that cannot be shown."""
    import os

    from quaero.cli.output import safe

    bold = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    on, off = ("\x1b[1m", "\x1b[0m") if bold else ("[", "]")
    return "".join(
        f"{on}{safe(text)}{off}" if marked else safe(text) for text, marked in snippet.pieces
    )
