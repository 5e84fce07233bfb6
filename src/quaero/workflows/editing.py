"""Changing definitions as people do: what is wrong with a text is told before anything is written,
and what somebody else wrote meanwhile is never overwritten.

Own definitions lie in the database. One that is kept in a file is changed by replacing the file, if
its text is still the one that was seen.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from quaero.db.contract import Database, Tx
from quaero.errors import BadInput, Conflict
from quaero.workflows import calling, definitions, folder
from quaero.workflows.definition import Definition
from quaero.workflows.definitions import Stored
from quaero.workflows.text import Fault, Format, check
from quaero.workflows.writing import with_key


async def create(db: Database, text: str, format_: Format, actions: Mapping[str, Any]) -> Stored:
    """Store a new definition. Raises `BadDefinition`; `Conflict` where there is one of its id."""
    definition = await _read(text, format_, actions, "")
    return await db.write(_create, definition, text, format_)


def _create(tx: Tx, definition: Definition, text: str, format_: Format) -> Stored:
    if tx.execute("select 1 from definition where id = $1", (definition.id,)):
        raise Conflict(f"there is a definition {definition.id!r} already; change that one")
    return definitions.save(tx, definition, text, format_)


async def change(
    db: Database,
    path: Path,
    definition_id: str,
    text: str,
    format_: Format,
    actions: Mapping[str, Any],
    rev: int | None = None,
) -> Stored:
    """Give a definition another text, in the database or in its file in the folder at `path`.

    With `rev` only if that is still the stored one. Raises `NotFound`, `Conflict`, `BadDefinition`.
    """
    stored = await db.read(definitions.get, definition_id)
    definition = await _read(text, format_, actions, definition_id)
    if stored.origin != "file":
        return await db.write(definitions.save, definition, text, format_, rev=rev)
    if rev is not None and rev != stored.rev:
        raise Conflict(f"the definition {definition_id!r} was changed meanwhile; load it anew")
    name = str(stored.path)
    if format_ != folder.ENDINGS[Path(name).suffix]:
        raise BadInput(f"the definition is kept in {name}; write it as {stored.format.upper()}")
    if faults := await db.read(calling.faults, definition, text, format_):
        raise definitions.refusal(definition_id, faults)
    await asyncio.to_thread(folder.replace, path, name, text, stored.text)
    return await db.write(_take, name, text, definition)


def _take(tx: Tx, name: str, text: str, definition: Definition) -> Stored:
    folder.take(tx, name, text, definition)
    return definitions.get(tx, definition.id)


async def switch(
    db: Database,
    path: Path,
    definition_id: str,
    actions: Mapping[str, Any],
    *,
    enabled: bool,
    rev: int | None = None,
) -> Stored:
    """Enable a definition or disable it, by that one key of its text."""
    stored = await db.read(definitions.get, definition_id)
    if stored.enabled is enabled:
        return stored
    text = with_key(stored.text, stored.format, "enabled", enabled)
    seen = stored.rev if rev is None else rev
    return await change(db, path, definition_id, text, stored.format, actions, seen)


async def _read(
    text: str, format_: Format, actions: Mapping[str, Any], definition_id: str
) -> Definition:
    """What a text says, of the definition of that id where one is named."""
    checked = await asyncio.to_thread(check, text, format_, actions)
    definition = definitions.understood(checked, definition_id or "of this text")
    if definition_id and definition.id != definition_id:
        told = f"this is the definition {definition_id!r}; for another id, make a new one"
        raise definitions.refusal(definition_id, [Fault(None, "id", told, ("id",))])
    return definition
