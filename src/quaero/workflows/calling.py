"""Whether a definition can run the others that its steps name: they are there, none of them leads
back to it, and each knows the parameters that it is given.

This is looked at when a definition is stored. One that is changed afterwards may ask for other
parameters; then the step that runs it says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import ValidationError

from quaero.db.contract import ReadTx
from quaero.workflows.definition import Definition, Problem, Step
from quaero.workflows.template import OPEN
from quaero.workflows.text import Fault, Format, located, value_of

MOST_CALLED = 200


def faults(tx: ReadTx, definition: Definition, text: str, format_: Format) -> list[Fault]:
    """What stands in the way of a definition's steps that run others, by line and field."""
    found = circle(tx, definition)
    wrong = _parameters(tx, definition) if found is None else [found]
    return [located(each, text, format_) for each in wrong]


def circle(tx: ReadTx, definition: Definition) -> Problem | None:
    """How a definition would run itself, by others, or what it cannot run; None if all is well."""
    calls = dict(definition.calls())
    look: list[tuple[str, tuple[str, ...]]] = [
        (called, (definition.id, called)) for called in sorted(calls)
    ]
    seen: set[str] = set()
    while look:
        name, way = look.pop()
        if name == definition.id:
            return Problem(calls[way[1]], f"definitions run one another: {' → '.join(way)}")
        if name in seen or len(seen) > MOST_CALLED:
            continue
        seen.add(name)
        if not tx.execute("select 1 from definition where id = $1", (name,)):
            return Problem(calls[way[1]], f"there is no definition {name!r} to run")
        rows = tx.execute("select called_id from definition_call where definition_id = $1", (name,))
        look += [(each, (*way, each)) for (each,) in rows]
    return None


def _parameters(tx: ReadTx, definition: Definition) -> Iterator[Problem]:
    known: dict[str, Definition | None] = {}
    for name, (group, number, *_) in definition.calls():
        if name not in known:
            known[name] = _read(tx, name)
        called = known[name]
        step = definition.groups()[str(group)][int(number)]
        if called is not None:
            for field, why in _refusals(step, called):
                yield Problem((group, number, "config", "parameters", *field), why)


def _read(tx: ReadTx, name: str) -> Definition | None:
    """A stored definition; None for one that this program does not understand any more."""
    rows = tx.execute("select text, format from definition where id = $1", (name,))
    try:
        return Definition.model_validate(value_of(*rows[0]))
    except ValidationError:
        return None


def _refusals(step: Step, called: Definition) -> Iterator[tuple[tuple[str, ...], str]]:
    """The parameters that do not fit; a template is taken on trust."""
    given = step.config.get("parameters", {})
    if not isinstance(given, Mapping):
        return
    for name, value in given.items():
        if name not in called.parameters:
            known = ", ".join(called.parameters) or "none"
            yield (name,), f"{called.id!r} has no parameter {name!r}; there are {known}"
        elif value is None or _has_template(value):
            continue
        elif why := called.parameters[name].refusal(value):
            yield (name,), why
    for name, parameter in called.parameters.items():
        if parameter.required and given.get(name) is None:
            yield (), f"{called.id!r} requires the parameter {name!r}; add it"


def _has_template(value: object) -> bool:
    if isinstance(value, Mapping):
        return any(map(_has_template, value.values()))
    if isinstance(value, list):
        return any(map(_has_template, value))
    return isinstance(value, str) and OPEN in value
