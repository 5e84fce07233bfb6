"""The stored definitions: what people wrote, and what of it is in force.

A definition is its text. It lies in the database; those of the definitions' folder follow their
files, and are changed by changing these. What cannot be run is never stored, so what is in force
can always begin. A run keeps its own copy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from quaero.db.contract import ReadTx, Tx
from quaero.errors import BadDefinition, BadInput, Conflict, NotFound
from quaero.workflows import calling, schedules
from quaero.workflows.calling import MOST_CALLED
from quaero.workflows.definition import Definition
from quaero.workflows.text import Checked, Fault, Format, check

Origin = Literal["own", "file", "ready"]
_COLUMNS = "id, origin, format, text, name, enabled, auto_start, created_at, changed_at, rev"


@dataclass(frozen=True, slots=True)
class Stored:
    """A definition as it is stored; times in microseconds UTC, `rev` grows with each change.

    One that is stored anew after it was deleted has a `rev` that the one before never had.
    """

    id: str
    origin: Origin
    format: Format
    text: str
    name: str
    enabled: bool
    auto_start: bool
    created_at: int
    changed_at: int
    rev: int
    path: str | None = None

    def definition(self, actions: Mapping[str, Any]) -> Definition:
        """What the text says. Raises `BadInput` where job types it names are no longer known."""
        return understood(check(self.text, self.format, actions), self.id)


def understood(checked: Checked, name: str) -> Definition:
    """The definition, or `BadDefinition` with everything that is wrong with it."""
    if checked.definition is None:
        raise refusal(name, checked.faults)
    return checked.definition


def refusal(name: str, faults: Sequence[Fault]) -> BadDefinition:
    """The error that tells of these faults."""
    told = "; ".join(str(fault) for fault in faults[:10])
    fields = [
        {"pointer": each.pointer, "detail": each.text, "field": each.field, "line": each.line}
        for each in faults
    ]
    return BadDefinition(f"the definition {name!r} cannot be run: {told}", fields)


def get(tx: ReadTx, definition_id: str) -> Stored:
    """One definition. Raises `NotFound`."""
    found = _select(tx, "where d.id = $1", (definition_id,))
    if not found:
        raise NotFound(f"there is no definition {definition_id!r}")
    return found[0]


def listing(tx: ReadTx, after: str = "", limit: int = 200) -> list[Stored]:
    """The definitions in the order of their ids, those after `after`."""
    return _select(tx, "where d.id > $1 order by d.id limit $2", (after, limit))


def _select(tx: ReadTx, rest: str, args: tuple[Any, ...]) -> list[Stored]:
    columns = ", ".join(f"d.{name}" for name in _COLUMNS.split(", "))
    rows = tx.execute(
        f"""
        select {columns}, (select path from definition_file where definition_id = d.id limit 1)
          from definition d {rest}
        """,
        args,
    )
    return [
        Stored(
            id=row[0], origin=row[1], format=row[2], text=row[3], name=row[4],
            enabled=bool(row[5]), auto_start=bool(row[6]), created_at=row[7], changed_at=row[8],
            rev=row[9], path=row[10],
        )
        for row in rows
    ]  # fmt: skip


def save(
    tx: Tx,
    definition: Definition,
    text: str,
    format_: Format,
    origin: Origin = "own",
    *,
    rev: int | None = None,
) -> Stored:
    """Store a definition, new or changed; its schedule is in force at once.

    With `rev` only if that is still the stored one (0: if there is none). Raises `Conflict` where
    it is not, and where another kind of definition has the id; `BadDefinition` where it cannot run
    the others that it names.
    """
    if faults := calling.faults(tx, definition, text, format_):
        raise refusal(definition.id, faults)
    rows = tx.execute(
        "select origin, rev from definition where id = $1 and not ($2 = 'file' and text = $3)",
        (definition.id, origin, text),
    )  # a file that says the same overwrites nothing
    _may_replace(definition.id, rows, origin, rev)
    tx.execute(
        """
        insert into definition(id, origin, format, text, name, enabled, auto_start, created_at,
                               changed_at, rev)
        values($1, $2, $3, $4, $5, $6, $7, $8, $8,
               1 + coalesce((select last from sequence where name = 'definition'), 0))
            on conflict(id) do update set
                origin = excluded.origin, format = excluded.format, text = excluded.text,
                name = excluded.name, enabled = excluded.enabled,
                auto_start = excluded.auto_start, changed_at = excluded.changed_at, rev = rev + 1
        """,
        (
            definition.id, origin, format_, text, definition.title, int(definition.enabled),
            int(definition.auto_start), tx.now,
        ),
    )  # fmt: skip
    _note_calls(tx, definition)
    schedules.put(
        tx, definition.id, definition.schedule,
        enabled=definition.enabled, paused=origin == "ready",
    )  # fmt: skip
    return get(tx, definition.id)


def _note_calls(tx: Tx, definition: Definition) -> None:
    tx.execute("delete from definition_call where definition_id = $1", (definition.id,))
    for called in sorted(definition.called()):
        tx.execute(
            "insert into definition_call(definition_id, called_id) values($1, $2)",
            (definition.id, called),
        )


def _may_replace(
    definition_id: str, rows: Iterable[tuple[Any, ...]], origin: Origin, rev: int | None
) -> None:
    there = {str(kind): int(number) for kind, number in rows}
    for kind, number in there.items():
        if kind not in (origin, "ready"):
            where = "a file of the definitions' folder" if kind == "file" else "the database"
            raise Conflict(f"the definition {definition_id!r} is kept in {where}; change it there")
        if rev is not None and rev != number:
            raise Conflict(f"the definition {definition_id!r} was changed meanwhile; load it anew")
    if not there and rev:
        raise Conflict(f"the definition {definition_id!r} was deleted meanwhile")


def delete(tx: Tx, definition_id: str, *, rev: int | None = None) -> None:
    """Delete a definition with its schedule; runs under way go on, and those past stay.

    Raises `NotFound`; `Conflict` while others run it, where its file is there, where it comes with
    the program, or if it changed.
    """
    stored = get(tx, definition_id)
    if stored.origin == "file":
        raise Conflict(f"{definition_id!r} is kept in the file {stored.path}; delete that")
    if stored.origin == "ready":
        raise Conflict(f"{definition_id!r} comes with Quaero; disable it in place of deleting it")
    if rev is not None and rev != stored.rev:
        raise Conflict(f"the definition {definition_id!r} was changed meanwhile; load it anew")
    forget(tx, definition_id)


def forget(tx: Tx, definition_id: str) -> None:
    """Take a definition out. Raises `Conflict` while others run it."""
    for (other,) in tx.execute(
        """
        select definition_id from definition_call where called_id = $1 and definition_id <> $1
         limit 1
        """,
        (definition_id,),
    ):
        raise Conflict(f"the definition {other!r} runs {definition_id!r}; change that first")
    tx.execute("delete from definition_call where definition_id = $1", (definition_id,))
    for (rev,) in tx.execute(
        "delete from definition where id = $1 returning rev", (definition_id,)
    ):
        _count_on(tx, rev)
    schedules.put(tx, definition_id, None)


def _count_on(tx: Tx, rev: int) -> None:
    """Let what is stored anew begin after this `rev`, so that none of its id had it before."""
    tx.execute(
        """
        insert into sequence(name, last) values('definition', $1)
            on conflict(name) do update set last = max(last, excluded.last)
        """,
        (rev,),
    )


def with_called(
    tx: ReadTx, definition: Definition, actions: Mapping[str, Any]
) -> dict[str, Definition]:
    """The definitions that one runs, and those they run, by id. Raises `BadInput`, `NotFound`."""
    found: dict[str, Definition] = {}
    look = sorted(definition.called())
    while look:
        name = look.pop()
        if name in found:
            continue
        if len(found) >= MOST_CALLED:
            raise BadInput(f"{definition.id!r} runs more than {MOST_CALLED} other definitions")
        found[name] = get(tx, name).definition(actions)
        look += sorted(found[name].called())
    return found


def faults_of(
    tx: ReadTx, text: str, format_: Format, actions: Mapping[str, Any]
) -> tuple[Definition | None, list[Fault]]:
    """A text as it would be stored: the definition, and all that is wrong with it."""
    checked = check(text, format_, actions)
    if checked.definition is None:
        return None, checked.faults
    return checked.definition, calling.faults(tx, checked.definition, text, format_)
