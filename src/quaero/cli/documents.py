"""`quaero documents`: what was collected."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quaero.cli.options import LARGEST_ID, Json, database, file_name, suggest

if TYPE_CHECKING:
    from quaero.db.sqlite.database import SqliteDatabase
    from quaero.documents.model import Filter
    from quaero.documents.notes import Note
    from quaero.documents.referring import References

app = typer.Typer(
    help="Look at what was collected; export and import it.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Id = Annotated[
    int, typer.Argument(help="The id of the document.", min=1, max=LARGEST_ID, metavar="ID")
]
Site = Annotated[str | None, typer.Option(help="Only of this host.", metavar="HOST")]
Tag = Annotated[str | None, typer.Option(help="Only with this tag.", metavar="TAG")]
Crawl = Annotated[
    int | None,
    typer.Option(help="Only what this crawl saw last.", min=1, max=LARGEST_ID, metavar="ID"),
]


@app.command("list")
def list_documents(
    *,
    site: Site = None,
    tag: Tag = None,
    crawl: Crawl = None,
    gone: Annotated[bool, typer.Option("--gone", help="Only what its site no longer has.")] = False,
    before: Annotated[
        int | None,
        typer.Option(
            help="From the document before this id on.", min=1, max=LARGEST_ID, metavar="ID"
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option(help="Documents to show at most.", min=1, max=1000, metavar="N")
    ] = 20,
    as_json: Json = False,
) -> None:
    """List documents, the newest first.

    Example: quaero documents list --site docs.example.org
    """
    from dataclasses import replace

    from quaero.cli.output import moment, print_json, safe, say, shorten, table
    from quaero.documents.read import listing

    wanted = replace(_filter(site, tag, crawl), gone=True if gone else None)
    with database() as db:
        found = db.read_sync(listing, wanted, before=before, limit=limit)
    if as_json:
        print_json(found)
        return
    if not found:
        say("no documents")
        return
    rows = [
        (d.id, d.words, moment(d.fetched_at), shorten(safe(d.title), 40),
         shorten(safe(d.url), 70) + (" (gone)" if d.gone_at else ""))
        for d in found
    ]  # fmt: skip
    table(("id", "words", "fetched", "title", "address"), rows, right="id words")
    if len(found) == limit:
        again = _filter_options(site, tag, crawl) + (["--gone"] if gone else [])
        again += [] if limit == 20 else ["--limit", str(limit)]
        say(f"more: {suggest('documents', 'list', *again, '--before', str(found[-1].id))}")


def _filter(site: str | None, tag: str | None, crawl: int | None) -> Filter:
    from quaero.documents.model import Filter
    from quaero.errors import BadInput

    for option, value in (("--site", site), ("--tag", tag)):
        if value is not None and not value.strip():
            raise BadInput(f"{option} is empty; name one, or leave the option out for all")
    return Filter(site=None if site is None else site.lower(), tag=tag, root_id=crawl)


def _filter_options(site: str | None, tag: str | None, crawl: int | None) -> list[str]:
    """The options of a list, for the command that shows more of it."""
    given = {"--site": site, "--tag": tag, "--crawl": crawl}
    return [part for name, value in given.items() if value for part in (name, str(value))]


@app.command()
def show(
    document_id: Id,
    *,
    version: Annotated[
        int | None,
        typer.Option(help="An earlier text, by its number.", min=1, max=LARGEST_ID, metavar="N"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show a document's Markdown, then what it refers to and what refers to it.

    Example: quaero documents show 12
    """
    from quaero.cli.output import print_json, safe, say
    from quaero.documents import referring, versions
    from quaero.documents.read import get

    with database() as db:
        document = db.read_sync(get, document_id)
        text = document.text
        if version is not None and version != document.summary.version:
            text = db.read_sync(versions.text, document_id, version)
        found = db.read_sync(referring.look, document_id)
    if as_json:
        from quaero.cli.output import plain

        flat = plain(document)
        ends = plain(found)
        refers = {"references": ends["items"], "referrers": ends["referrers"]}
        notes = {note.kind.name.lower(): _plain_note(note) for note in document.notes}
        flat.pop("notes")
        nothing = {"summary": None, "keywords": None}
        print_json({**flat.pop("summary"), **flat, **nothing, **notes, "text": text, **refers})
        return
    say(f"{safe(document.summary.title)}\n{safe(document.summary.url)}\n")
    for note in document.notes:
        _say_note(note)
    typer.echo(safe(text, lines=True))
    for line in _reference_lines(found):
        say(safe(line))


def _reference_lines(found: References) -> list[str]:
    """What a document refers to and what refers to it, a line each, with the ids to show next."""
    lines = []
    for each in found.items:
        known = ", ".join(f"document {named.id}: {named.title}" for named in each.documents)
        lines.append(f"refers to {each.kind.replace('_', ' ')} {each.key}"
                     + (f" ({known})" if known else ""))  # fmt: skip
    lines += [f"referred to by document {named.id}: {named.title}" for named in found.referrers]
    return [*lines, "and by more"] if found.more else lines


def _plain_note(note: Note) -> dict[str, Any]:
    from quaero.clock import rfc3339
    from quaero.documents.notes import Kind

    made = note.words if note.kind is Kind.KEYWORDS else note.text
    name = "words" if note.kind is Kind.KEYWORDS else "text"
    return {name: made, "maker": note.maker, "made_at": rfc3339(note.made_at),
            "current": note.current}  # fmt: skip


def _say_note(note: Note) -> None:
    """A summary or keywords, with what made them."""
    from quaero.cli.output import moment, safe, say
    from quaero.documents.notes import Kind

    by = f"by {safe(note.maker)}, {moment(note.made_at)}"
    old = "" if note.current else "; the document has changed since"
    if note.kind is Kind.KEYWORDS:
        say(f"Keywords ({by}{old}): {safe(', '.join(note.words))}\n")
    else:
        say(f"Summary ({by}{old}):\n{safe(note.text, lines=True)}\n")


@app.command()
def versions(document_id: Id, *, as_json: Json = False) -> None:
    """List the earlier texts of a document, the newest first.

    Example: quaero documents versions 12
    """
    from quaero.cli.output import moment, print_json, safe, say, shorten, table
    from quaero.documents import versions as earlier
    from quaero.documents.read import get

    with database() as db:
        db.read_sync(get, document_id)
        found = db.read_sync(earlier.listing, document_id)
    if as_json:
        print_json(found)
        return
    if not found:
        say("there are no earlier texts: the document has not changed")
        return
    rows = [(v.number, v.words, moment(v.since), moment(v.until), shorten(safe(v.title), 40))
            for v in found]  # fmt: skip
    table(("version", "words", "since", "until", "title"), rows, right="version words")
    number = str(found[0].number)
    say(f"read one: {suggest('documents', 'show', str(document_id), '--version', number)}")
    say(f"what has changed since: {suggest('documents', 'changes', str(document_id))}")


@app.command()
def changes(
    document_id: Id,
    *,
    from_: Annotated[
        int | None,
        typer.Option(
            "--from", help="The old text, by its number.", min=1, max=LARGEST_ID, metavar="N"
        ),
    ] = None,
    to: Annotated[
        int | None,
        typer.Option(help="The new text, by its number.", min=1, max=LARGEST_ID, metavar="N"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what has changed from one text of a document to another, line by line.

    Without numbers: since the newest of its earlier texts.

    Example: quaero documents changes 12
    """
    from quaero.cli.output import plain, print_json, safe, say
    from quaero.documents.changes import SIGNS, compare
    from quaero.documents.versions import pair

    with database() as db:
        old, new = db.read_sync(pair, document_id, from_, to)
    found = compare(old.text, new.text)
    if as_json:
        numbers = {"from_version": old.number, "to_version": new.number}
        titles = {"from_title": old.title, "to_title": new.title}
        print_json({**numbers, **titles, **plain(found)})
        return
    for sign, each in (("---", old), ("+++", new)):
        typer.echo(safe(f"{sign} version {each.number}: {each.title}"))
    for hunk in found.hunks:
        typer.echo(f"@@ -{hunk.old} +{hunk.new} @@")
        for line in hunk.lines:
            text = "".join(part.text for part in line.parts)
            typer.echo(safe(f"{SIGNS[line.kind]}{text}"))
    if not found.exact:
        say("the lines between were not compared: too many of them occur again and again")


@app.command()
def tag(
    document_id: Id,
    tags: Annotated[list[str], typer.Argument(help="Words to find it by.", metavar="TAG...")],
    *,
    remove: Annotated[bool, typer.Option("--remove", help="Take them away.")] = False,
    as_json: Json = False,
) -> None:
    """Give a document tags, or take them from it.

    Example: quaero documents tag 12 howto reviewed
    """
    from quaero.cli.output import count, print_done, safe
    from quaero.documents import tags as tagging
    from quaero.documents.read import get
    from quaero.errors import BadInput

    if not all(each.strip() for each in tags):
        raise BadInput("a tag cannot be empty; name it")
    with database() as db:
        db.read_sync(get, document_id)
        number = db.write_sync(tagging.untag if remove else tagging.tag, [document_id], tags)
        now = db.read_sync(get, document_id).summary
    done = f"{count(number, 'tag')} {'taken away' if remove else 'given'}"
    has = f"document {document_id} has: {safe(', '.join(now.tags)) or 'none'}"
    print_done(f"{done}; {has}", {"changed": number, "document": now}, as_json=as_json)


@app.command()
def stats(*, as_json: Json = False) -> None:
    """Count what was collected: in all, and by kind, host and tag.

    Example: quaero documents stats
    """
    from quaero.cli.output import count, print_json, say, shorten, size, table
    from quaero.documents import counts

    with database() as db:
        found = db.read_sync(counts.stats)
    if as_json:
        print_json(found)
        return
    say(f"{count(found.all.documents, 'document')}, {found.all.gone} of them gone, with "
        f"{count(found.all.words, 'word')} in {size(found.all.bytes)} of text")  # fmt: skip
    groups = (("type", found.by_type), ("site", found.by_site), ("tag", found.by_tag))
    rows = [
        (kind, shorten(key, 60), each.documents, each.gone, each.words, size(each.bytes))
        for kind, by_key in groups
        for key, each in by_key.items()
    ]
    if rows:
        table(("by", "name", "documents", "gone", "words", "text"), rows,
              right="documents gone words text")  # fmt: skip


@app.command()
def delete(
    document_ids: Annotated[
        list[int] | None,
        typer.Argument(help="Their ids.", min=1, max=LARGEST_ID, metavar="[ID]..."),
    ] = None,
    *,
    site: Site = None,
    tag: Tag = None,
    crawl: Crawl = None,
    gone: Annotated[bool, typer.Option("--gone", help="Only what its site no longer has.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Delete documents with their earlier texts: by their ids, or all that the options name.

    What is named by its id goes at once; before what the options name goes, you are asked.

    Example: quaero documents delete --site old.example.org --yes
    """
    from dataclasses import replace

    from quaero.cli.output import count, print_done
    from quaero.documents.read import newest, number
    from quaero.errors import BadInput

    narrowed = gone or any(each is not None for each in (site, tag, crawl))
    if bool(document_ids) is narrowed:
        raise BadInput("say which documents: either their ids, or --site, --tag, --crawl or --gone")
    if narrowed and not yes and not sys.stdin.isatty():
        raise BadInput("nobody can be asked here; say --yes to delete")
    wanted = replace(_filter(site, tag, crawl), gone=True if gone else None)
    with database() as db:
        up_to = db.read_sync(newest)
        if narrowed and not yes and (found := db.read_sync(number, wanted)):
            what = count(found, "document")
            typer.confirm(f"Delete {what} with all earlier texts?", abort=True, err=True)
        deleted = _delete_all(db, wanted, up_to) if narrowed else _delete(db, document_ids or [])
    print_done(f"{count(deleted, 'document')} deleted", {"deleted": deleted}, as_json=as_json)


def _delete(db: SqliteDatabase, ids: list[int]) -> int:
    """Delete the documents with these ids, in slices. Raises `NotFound` before anything goes."""
    from quaero.documents import store
    from quaero.documents.read import summaries
    from quaero.errors import NotFound

    there = {each.id for each in db.read_sync(summaries, ids)}
    if missing := [str(id_) for id_ in ids if id_ not in there]:
        raise NotFound(f"there is no document {', '.join(missing)}; nothing was deleted")
    slices = (ids[start : start + store.SLICE] for start in range(0, len(ids), store.SLICE))
    return sum(db.write_sync(store.delete, each) for each in slices)


def _delete_all(db: SqliteDatabase, wanted: Filter, up_to: int) -> int:
    """Delete what a filter names, in slices; nothing that came later than `up_to`."""
    from quaero.documents.store import delete_some

    deleted = 0
    while number := db.write_sync(delete_some, wanted, up_to=up_to):
        deleted += number
    return deleted


@app.command()
def export(
    target: Annotated[
        Path,
        typer.Argument(
            help="A folder, or a file ending in .jsonl or .zip.",
            metavar="TARGET",
            parser=file_name,
        ),
    ],
    *,
    site: Site = None,
    tag: Tag = None,
    crawl: Crawl = None,
    as_json: Json = False,
) -> None:
    """Write documents as Markdown files with front matter, as JSON lines, or as one archive.

    Example: quaero documents export ./pages --site docs.example.org
    """
    from quaero.cli.output import count, plain, print_done, size
    from quaero.documents.export import export_archive, export_folder, export_lines
    from quaero.errors import BadInput
    from quaero.sources.names import names_of

    kinds = {".jsonl": export_lines, ".zip": export_archive}
    write = kinds.get(target.suffix.lower(), export_folder)
    if write is export_folder and target.exists() and not target.is_dir():
        raise BadInput(f"{target} is a file; name a folder, or a file ending in .jsonl or .zip")
    if write is not export_folder and target.is_dir():
        raise BadInput(f"{target} is a folder; name a file, or a folder without {target.suffix}")
    wanted = _filter(site, tag, crawl)
    with database() as db:
        found = write(db, target, wanted, names_of)
    done = f"{count(found.documents, 'document')} written to {target}, {size(found.bytes)} of text"
    print_done(done, {"target": str(target), **plain(found)}, as_json=as_json)


@app.command("import")
def import_documents(
    source: Annotated[
        Path,
        typer.Argument(help="What `documents export` wrote.", metavar="SOURCE", parser=file_name),
    ],
    *,
    as_json: Json = False,
) -> None:
    """Read documents from what `documents export` wrote; newer ones here stay as they are.

    A document goes to the source that has the same name here as where it was exported.

    Example: quaero documents import ./pages.zip
    """
    from quaero.cli.output import count, print_json, safe, say
    from quaero.documents.importing import import_path
    from quaero.errors import BadInput
    from quaero.sources.names import ids_of

    if not source.exists():
        raise BadInput(f"there is no file or folder {source}")
    with database(must_exist=False) as db:
        done = import_path(db, source, ids_of)
    if as_json:
        print_json(done)
    else:
        typer.echo(f"{done.created} new, {done.changed} changed, {done.unchanged} unchanged, "
                   f"{done.kept} as new here already, {done.refusals} refused")  # fmt: skip
    for name, many in done.unknown.items():
        say(f"there is no source {safe(name)} here: {count(many, 'document')} of it "
            "now belong to no source")  # fmt: skip
    for name, reason in done.refused:
        say(f"refused: {safe(name)}: {safe(reason)}")
    if done.refusals and not (done.created or done.changed or done.unchanged or done.kept):
        raise BadInput(f"nothing in {source} could be read as a document")
