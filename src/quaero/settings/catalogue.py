"""A list of every setting: what it is called in each place, what it may be, what it means.

Derived from the models, so that errors, `config show` and the reference say what the program does.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Le
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from quaero.settings.kinds import Written, quoted
from quaero.settings.model import Settings

PREFIX = "QUAERO_"

_YES_NO = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting.

    `key` is its name in the configuration file, its section before the dot; `variable` that in
    the environment and `option` that on the command line. `allowed` completes "it must be …".
    """

    key: str
    variable: str
    option: str
    kind: Any
    allowed: str
    meaning: str
    written: Written

    def read(self, text: str) -> object:
        """What a text in the environment or on the command line stands for.

        Lists are separated by commas, or written as in the configuration file. A text that stands
        for nothing is returned as it is, and fails the check that follows.
        """
        if self.kind is int and re.fullmatch(r"-?[0-9]{1,18}", text):
            return int(text)
        if self.kind is bool:
            return _YES_NO.get(text.lower(), text)
        if get_origin(self.kind) is tuple:
            listed = _list_in_toml(text)
            if listed is None:
                listed = [each.strip() for each in text.split(",") if each.strip()]
            return listed
        return text


def _list_in_toml(text: str) -> list[Any] | None:
    """A list as the configuration file has it, None where the text is none."""
    try:
        found = tomllib.loads(f"list = {text}")["list"]
    except (tomllib.TOMLDecodeError, RecursionError):
        return None
    return found if isinstance(found, list) else None


@functools.cache
def catalogue() -> Mapping[str, Setting]:
    """All settings by key, in the order of the reference."""
    found: dict[str, Setting] = {}
    for name, field in Settings.model_fields.items():
        if name not in sections():
            found[name] = _setting("", name, field)
            continue
        for inner, each in _model(field).model_fields.items():
            setting = _setting(name, inner, each)
            found[setting.key] = setting
    return found


@functools.cache
def sections() -> frozenset[str]:
    """The names of the tables of the configuration file."""
    return frozenset(
        name
        for name, field in Settings.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    )


def value_of(settings: Settings, key: str) -> Any:
    """The value of one setting."""
    section, _, name = key.rpartition(".")
    table: BaseModel = getattr(settings, section) if section else settings
    return next(
        getattr(table, attribute)
        for attribute, field in type(table).model_fields.items()
        if name in (field.alias, attribute)
    )


def _model(field: FieldInfo) -> type[BaseModel]:
    model = field.annotation
    assert isinstance(model, type)
    assert issubclass(model, BaseModel)
    return model


def _setting(section: str, attribute: str, field: FieldInfo) -> Setting:
    name = field.alias or attribute
    written = next((each for each in field.metadata if isinstance(each, Written)), None)
    return Setting(
        key=f"{section}.{name}" if section else name,
        variable=PREFIX + (f"{section}_{attribute}" if section else attribute).upper(),
        option="--" + name.replace("_", "-"),
        kind=int if field.annotation is int and written is None else field.annotation,
        allowed=_allowed(field, written),
        meaning=field.description or "",
        written=written or Written("a value"),
    )


def _allowed(field: FieldInfo, written: Written | None) -> str:
    if field.annotation is bool:
        return "true or false"
    if get_origin(field.annotation) is Literal:
        return "one of " + ", ".join(quoted(each) for each in get_args(field.annotation))
    words = written.words if written else "a whole number"
    text = written.text if written else quoted
    low = next((each.ge for each in field.metadata if isinstance(each, Ge)), None)
    high = next((each.le for each in field.metadata if isinstance(each, Le)), None)
    if low is None or high is None:
        return words
    return f"{words} from {text(low)} to {text(high)}".replace('"', "")
