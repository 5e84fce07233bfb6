"""`quaero definitions save`, `edit`, `delete` and the like: what changes definitions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quaero.cli.definitions import File, Id, known_types, read_text, record
from quaero.cli.options import Json, database, load_settings, suggest, with_database

if TYPE_CHECKING:
    from quaero.db.contract import ReadTx
    from quaero.db.sqlite.database import SqliteDatabase
    from quaero.workflows.definitions import Stored

STDERR = 2


def save(
    file: File,
    *,
    replace: Annotated[
        bool, typer.Option("--replace", help="In place of the one with its id, if there is one.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Store the definition of a file; its schedule is in force at once.

    Example: quaero definitions save nightly.toml --replace
    """
    from quaero.cli.output import print_done
    from quaero.errors import Conflict
    from quaero.workflows import editing
    from quaero.workflows.text import value_of

    text, format_ = read_text(file)
    wanted = str((value_of(text, format_) or {}).get("id", ""))
    path = load_settings().definitions_dir

    async def work(db: SqliteDatabase) -> dict[str, Any]:
        known, there = known_types(db), await db.read(_find, wanted)
        if there is None:
            stored = await editing.create(db, text, format_, known)
        elif replace:
            stored = await editing.change(db, path, wanted, text, format_, known, there.rev)
        else:
            raise Conflict(f"there is a definition {wanted!r} already; say --replace to change it")
        return record(db, stored.id)

    found = with_database(work, must_exist=False)
    next_ = suggest("definitions", "run", found["id"])
    print_done(f"{found['id']} is stored; run it with {next_}", found, as_json=as_json)


def _find(tx: ReadTx, definition_id: str) -> Stored | None:
    from quaero.errors import NotFound
    from quaero.workflows import definitions

    try:
        return definitions.get(tx, definition_id)
    except NotFound:
        return None


def edit(definition_id: Id, *, as_json: Json = False) -> None:
    """Change the text of a definition in your editor: VISUAL, else EDITOR, else vi.

    What is wrong with it is told, and nothing is stored; your text is kept and its file named.

    Example: quaero definitions edit nightly-upkeep
    """
    import shutil
    import tempfile

    from quaero.cli.output import print_done, say
    from quaero.errors import QuaeroError
    from quaero.workflows import definitions

    with database() as db:
        stored = db.read_sync(definitions.get, definition_id)
    file = Path(tempfile.mkdtemp(prefix="quaero-")) / f"{definition_id}.{stored.format}"
    file.write_text(stored.text, encoding="utf-8")
    _edit(file, STDERR if as_json else None)
    try:
        text = read_text(file)[0]
        if text != stored.text:
            _change(stored, text)
    except QuaeroError:
        say(f"your text is in {file}; put it right, then `definitions save FILE --replace`")
        raise
    shutil.rmtree(file.parent)  # with what the editor left there
    with database() as db:
        found = {"changed": text != stored.text, "definition": record(db, definition_id)}
    done = f"{definition_id} is {'changed' if found['changed'] else 'as it was'}"
    print_done(done, found, as_json=as_json)


def _edit(file: Path, screen: int | None) -> None:
    """Have the user's editor change a file; it draws on `screen`, else on standard output.

    Raises `BadInput` where there is none, or it fails.
    """
    import os
    import shlex
    import subprocess

    from quaero.errors import BadInput

    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    try:
        done = subprocess.run([*shlex.split(editor), str(file)], stdout=screen, check=False)
    except (OSError, ValueError) as error:  # a quotation mark that nothing closes
        why = getattr(error, "strerror", None) or error
        raise BadInput(f"the editor {editor!r} cannot be started: {why}") from error
    if done.returncode:
        raise BadInput(f"the editor {editor!r} ended with {done.returncode}; nothing was changed")


def _change(stored: Stored, text: str) -> None:
    from quaero.workflows import editing

    path = load_settings().definitions_dir

    async def work(db: SqliteDatabase) -> Stored:
        known = known_types(db)
        return await editing.change(db, path, stored.id, text, stored.format, known, stored.rev)

    with_database(work)


def delete(definition_id: Id, *, as_json: Json = False) -> None:
    """Delete a definition with its schedule; its runs stay.

    Example: quaero definitions delete old-one
    """
    from quaero.cli.output import print_done
    from quaero.workflows import definitions

    with database() as db:
        db.write_sync(definitions.delete, definition_id)
    print_done(
        f"{definition_id} is deleted", {"id": definition_id, "deleted": True}, as_json=as_json
    )


def enable(definition_id: Id, *, as_json: Json = False) -> None:
    """Let runs of a definition begin.

    Example: quaero definitions enable nightly-upkeep
    """
    _switch(definition_id, enabled=True, as_json=as_json)


def disable(definition_id: Id, *, as_json: Json = False) -> None:
    """Let no run of a definition begin, by its schedule or else.

    Example: quaero definitions disable nightly-upkeep
    """
    _switch(definition_id, enabled=False, as_json=as_json)


def _switch(definition_id: str, *, enabled: bool, as_json: bool) -> None:
    from quaero.cli.output import print_done
    from quaero.workflows import editing

    path = load_settings().definitions_dir

    async def work(db: SqliteDatabase) -> dict[str, Any]:
        known = known_types(db)
        await editing.switch(db, path, definition_id, known, enabled=enabled)
        return record(db, definition_id)

    found = with_database(work)
    done = f"{definition_id} is {'enabled' if found['enabled'] else 'disabled'}"
    print_done(done, found, as_json=as_json)


COMMANDS = (save, edit, delete, enable, disable)
