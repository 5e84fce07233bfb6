"""Whether the config of a step is a payload of its job type, told before anything is stored.

What a template comes to is not known until the step starts. So a value with one in it is taken on
trust, and so is what a model says of several fields together where one of these has one; names
of fields, missing fields and all other values are looked at.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError

from quaero.forms import said
from quaero.workflows.template import OPEN

Place = tuple[str | int, ...]
Found = Iterator[tuple[Place, str]]

NESTED = "workflow"
NOT_STEPS = {"workflow_step": "it is made by a run; name the job type that the step is to run"}
_OF_NESTED = ("definition", "parameters")


def step_faults(action: str, config: Mapping[str, Any], actions: Mapping[str, Any]) -> Found:
    """What is wrong with the action of a step and its config, each with its place in the step.

    `actions` are the known job types, each with a `payload` model; one without, which a process may
    know by name only, takes any config.
    """
    if action not in actions:
        known = ", ".join(sorted(each for each in actions if not _no_step(each, actions)))
        yield ("action",), f"there is no job type {action!r}; there are {known}"
    elif why := _no_step(action, actions):
        yield ("action",), f"{action!r} is no step: {why}"
    else:
        for place, text in _config_faults(action, config, actions[action]):
            yield ("config", *place), text


def _no_step(action: str, actions: Mapping[str, Any]) -> str | None:
    """Why jobs of a known type cannot be steps; None where they can."""
    return NOT_STEPS.get(action) or getattr(actions[action], "not_alone", None)


def _config_faults(action: str, config: Mapping[str, Any], job_type: Any) -> Found:
    if action == NESTED:
        yield from _nested_faults(config)
        return
    model = getattr(job_type, "payload", None)
    if model is None:
        return
    unsure = set(_templates(config))
    try:
        model.model_validate(config)
    except ValidationError as error:
        yield from _told(error, config, model, unsure)


def _nested_faults(config: Mapping[str, Any]) -> Found:
    """Of a step that runs a definition: it is named as it is, so that circles can be found."""
    for key in config:
        if key not in _OF_NESTED:
            yield (key,), _unknown(key, _OF_NESTED)
    called = config.get("definition")
    if called is None:
        yield ("definition",), "it is missing; name the definition that is to run"
    elif not isinstance(called, str):
        yield ("definition",), f"it is the id of a definition, not {_short(called)}"
    elif OPEN in called:
        yield ("definition",), "it cannot be a template: circles are looked for before a run begins"
    parameters = config.get("parameters", {})
    if not isinstance(parameters, Mapping) and not (
        isinstance(parameters, str) and OPEN in parameters
    ):
        yield ("parameters",), f"they are an object of names and values, not {_short(parameters)}"


def _told(
    error: ValidationError, config: Mapping[str, Any], model: type[BaseModel], unsure: set[Place]
) -> Found:
    found: dict[Place, str] = {}
    for each in error.errors(include_url=False):
        place = _within(config, each["loc"])
        kind = each["type"]
        if kind == "missing":
            if place in unsure:
                continue
            place, text = (*place, each["loc"][-1]), "it is missing; add it"
        elif kind == "extra_forbidden":
            known = sorted(model.model_fields) if len(place) == 1 else ()
            text = _unknown(str(place[-1]), known)
        elif any(_touches(place, one) for one in unsure):
            continue
        else:
            wrong = said(each)
            text = wrong if kind == "value_error" else f"{wrong} (it is {_short(each['input'])})"
        found[place] = f"{found[place]}; or {text}" if place in found else text
    yield from found.items()


def _within(config: Any, loc: Collection[str | int]) -> Place:
    """The part of a place that is in the config: pydantic adds names of alternatives to it."""
    place: Place = ()
    for part in loc:
        of_list = isinstance(config, list) and isinstance(part, int) and part < len(config)
        if of_list or (isinstance(config, Mapping) and part in config):
            config = config[part]
            place = (*place, part)
    return place


def _touches(place: Place, template: Place) -> bool:
    """Whether one of two places is the other, or in it."""
    least = min(len(place), len(template))
    return place[:least] == template[:least]


def _templates(value: Any, place: Place = ()) -> Iterator[Place]:
    """The places of the texts with templates in them."""
    if isinstance(value, str):
        if OPEN in value:
            yield place
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from _templates(each, (*place, key))
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from _templates(each, (*place, number))


def _unknown(name: str, known: Collection[str]) -> str:
    near = get_close_matches(name, known, 1)
    hint = f"; is {near[0]!r} meant?" if near else ""
    there = f"; there are {', '.join(known)}" if known else "; is it misspelt?"
    return f"there is no such field{hint or there}"


def _short(value: Any) -> str:
    text = re.sub(r"\s+", " ", repr(value))
    return text if len(text) <= 80 else f"{text[:77]}…"
