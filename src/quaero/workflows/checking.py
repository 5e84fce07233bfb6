"""What is wrong with a definition that could be read: its names, its graph, and what steps read.

All of it is told at once, each fault with its place and the way out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from graphlib import CycleError
from typing import Any

from quaero.workflows.definition import Definition, Problem, Step, in_order
from quaero.workflows.step_config import step_faults
from quaero.workflows.template import unreadable

_ALWAYS = {"parameters", "steps", "run", "sources"}
_OF_ITEMS = {"item", "index"}
_OF_STEP = {"status", "result", "results", "error", "skipped", "total", "completed", "failed"}


def structure(definition: Definition) -> list[Problem]:
    """What keeps the steps of a definition from being made jobs: names and what they wait for."""
    found = list(_names(definition))
    for group, steps in definition.groups().items():
        found += _graph(group, steps)
    return found


def problems(definition: Definition, actions: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with a definition that could be read; `actions` are the known job types."""
    found = [*structure(definition), *_unasked(definition)]
    for group, steps in definition.groups().items():
        before = _known_before(definition, group)
        for number, step in enumerate(steps):
            place = (group, number)
            faults = step_faults(step.action, step.config, actions)
            found += [Problem((*place, *at), text) for at, text in faults]
            if group == "pre_jobs" and step.on_error == "continue":
                text = "a pre job that fails fails the run; use fail or retry, or make it a step"
                found.append(Problem((*place, "on_error"), text))
            found += _reading(definition, step, place, before | _upstream(steps, step))
    return found


def _names(definition: Definition) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for group, steps in definition.groups().items():
        for number, step in enumerate(steps):
            if step.name in seen:
                text = f"two steps are named {step.name!r}; rename one"
                yield Problem((group, number, "name"), text)
            seen[step.name] = group


def _unasked(definition: Definition) -> Iterator[Problem]:
    """The parameters that a run which begins by itself could not be given."""
    if definition.schedule is not None:
        when = "that begin by the schedule"
    elif definition.auto_start:
        when = "that begin with the program"
    else:
        return
    for name, parameter in definition.parameters.items():
        if parameter.required:
            text = f"runs {when} are given no parameters; give {name!r} a default instead"
            yield Problem(("parameters", name, "required"), text)


def _graph(group: str, steps: Sequence[Step]) -> Iterator[Problem]:
    names = {step.name for step in steps}
    whole = True
    for number, step in enumerate(steps):
        for each, needed in enumerate(step.depends_on):
            place = (group, number, "depends_on", each)
            if needed == step.name:
                whole = False
                yield Problem(place, f"{step.name!r} cannot depend on itself")
            elif needed not in names:
                whole = False
                known = ", ".join(sorted(names - {step.name}))
                others = f"others are {known}" if known else "there is no other"
                yield Problem(place, f"there is no step {needed!r} in {group}; {others}")
    if not whole or len(names) < len(steps):
        return
    try:
        in_order(steps)
    except CycleError as error:
        circle = " → ".join(error.args[1])
        number = next(n for n, step in enumerate(steps) if step.name == error.args[1][0])
        yield Problem((group, number, "depends_on"), f"steps wait for one another: {circle}")


def _known_before(definition: Definition, group: str) -> set[str]:
    """The steps of the phases before: all of them have ended when a step of `group` starts."""
    names: set[str] = set()
    for each, steps in definition.groups().items():
        if each == group:
            break
        names |= {step.name for step in steps}
    return names


def _upstream(steps: Sequence[Step], step: Step) -> set[str]:
    """The steps that have ended when this one starts."""
    by_name = {each.name: each for each in steps}
    found: set[str] = set()
    look = list(step.depends_on)
    while look:
        name = look.pop()
        if name in by_name and name not in found:
            found.add(name)
            look += by_name[name].depends_on
    return found


def _reading(
    definition: Definition, step: Step, place: tuple[str | int, ...], ended: set[str]
) -> Iterator[Problem]:
    for field, value in step.templates():
        for at, text in unreadable(value):
            yield Problem((*place, field, *at), text)
    for where, node in step.reads():
        names = _ALWAYS if where[0] in ("condition", "for_each") else _ALWAYS | _OF_ITEMS
        if step.for_each is None:
            names = _ALWAYS
        for path in node.paths():
            if why := _refusal(definition, path, names, ended):
                yield Problem((*place, *where), why)


def _refusal(
    definition: Definition, path: Sequence[str], names: Iterable[str], ended: set[str]
) -> str | None:
    """Why a path cannot be read here; None if it can."""
    root, *rest = path
    if root not in names:
        if root in _OF_ITEMS:
            return f"{root!r} is there in the config of a step with for_each only"
        return f"there is no {root!r} here; there are {', '.join(sorted(names))}"
    if root == "parameters" and rest and rest[0] not in definition.parameters:
        known = ", ".join(definition.parameters) or "none"
        return f"there is no parameter {rest[0]!r}; there are {known}"
    if root == "steps":
        if not rest:
            return "which step is read has to stand there, as in steps.collect.result"
        if rest[0] not in ended:
            return (
                f"the step {rest[0]!r} need not have ended here; add it to depends_on"
                if any(rest[0] == s.name for steps in definition.groups().values() for s in steps)
                else f"there is no step {rest[0]!r}"
            )
        if len(rest) > 1 and rest[1] not in _OF_STEP:
            return f"a step has no {rest[1]!r}; it has {', '.join(sorted(_OF_STEP))}"
    return None
