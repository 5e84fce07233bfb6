"""The definitions that come with the program, one file each in the folder `ready`.

They are stored when the program starts, with their schedules paused. One that somebody has changed
is theirs from then on, and is never overwritten; one that nobody has follows the program.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from quaero.db.contract import Tx
from quaero.errors import QuaeroError
from quaero.program_log import program_log
from quaero.workflows import definitions
from quaero.workflows.text import check

log = program_log(__name__)


def texts() -> dict[str, str]:
    """The texts of the shipped definitions, by the names of their files."""
    found = [each for each in files(__package__).joinpath("ready").iterdir() if each.is_file()]
    return {each.name: each.read_text(encoding="utf-8") for each in found}


def store(tx: Tx, actions: Mapping[str, Any]) -> list[str]:
    """Store those that are not there, or are as an earlier program had them; returns their ids."""
    stored = []
    for name, text in sorted(texts().items()):
        checked = check(text, "toml", actions)
        if checked.definition is None:
            log.warning("the shipped definition %s cannot be run here: %s", name, checked.faults)
            continue
        wanted = checked.definition
        rows = tx.execute("select origin, text from definition where id = $1", (wanted.id,))
        if rows and (rows[0][0] != "ready" or rows[0][1] == text):
            continue
        try:
            definitions.save(tx, wanted, text, "toml", "ready")
        except QuaeroError as error:
            log.warning("the shipped definition %s is not stored: %s", wanted.id, error)
            continue
        stored.append(wanted.id)
    return stored
