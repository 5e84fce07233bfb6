"""The places that settings are given in, each read into one layer.

A layer maps the key of a setting to what was given there and where exactly. Names that are no
setting become sentences in `problems`; values are checked later, all in the same way.
"""

from __future__ import annotations

import difflib
import enum
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from quaero.errors import BadConfig
from quaero.settings.catalogue import PREFIX, Setting, catalogue, sections
from quaero.settings.kinds import quoted

CONFIG_VARIABLE = "QUAERO_CONFIG"
NOT_SETTINGS = frozenset({CONFIG_VARIABLE, "QUAERO_SOAK_EXAMPLES"})
FOREIGN_PREFIX = "QUAERO_X_"
"""Variables that begin so belong to programs around Quaero, which never looks at them."""

ABSOLUTE = frozenset({"data_dir", "auth.key_file"})
"""Paths that are relative to where they were written."""

_LARGEST_FILE = 1024 * 1024


class Source(enum.StrEnum):
    """A place that a value can come from; the first here that has one wins."""

    COMMAND_LINE = "command line"
    ENVIRONMENT = "environment"
    FILE = "file"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value comes from: the place, and the option, the variable or `file:line`."""

    source: Source
    where: str = ""


@dataclass(frozen=True, slots=True)
class Given:
    """A value as it was given, not yet checked."""

    value: object
    origin: Origin


@dataclass(frozen=True, slots=True)
class Layer:
    """What one place says, by key, and what is wrong with the names in it."""

    given: dict[str, Given] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def nested(self) -> dict[str, Any]:
        """The values as the models take them: a dict for each section."""
        values: dict[str, Any] = {}
        for key, given in self.given.items():
            section, _, name = key.rpartition(".")
            table = values.setdefault(section, {}) if section else values
            table[name] = given.value
        return values


def read_command_line(overrides: Mapping[str, Any], cwd: Path) -> Layer:
    """The layer of options; their names are keys, and None means that an option was not given."""
    layer = Layer()
    for key, value in overrides.items():
        if value is None:
            continue
        setting = catalogue().get(key)
        if setting is None:
            layer.problems.append(_unknown(key, "command line", key, list(catalogue())))
            continue
        read = setting.read(value) if isinstance(value, str) else value
        origin = Origin(Source.COMMAND_LINE, setting.option)
        layer.given[key] = Given(_from(cwd, setting, read), origin)
    return layer


def read_environment(environ: Mapping[str, str], cwd: Path) -> Layer:
    """The layer of all variables that begin with `QUAERO_`."""
    layer = Layer()
    by_variable = {setting.variable: setting for setting in catalogue().values()}
    for variable, text in environ.items():
        if not variable.startswith(PREFIX) or variable in NOT_SETTINGS:
            continue
        if variable.startswith(FOREIGN_PREFIX):
            continue
        setting = by_variable.get(variable)
        if setting is None:
            layer.problems.append(_unknown(variable, "environment", variable, list(by_variable)))
            continue
        value = _from(cwd, setting, setting.read(text))
        layer.given[setting.key] = Given(value, Origin(Source.ENVIRONMENT, variable))
    return layer


def read_file(path: Path) -> Layer:
    """The layer of a configuration file; relative `ABSOLUTE` paths are seen from its folder.

    Raises BadConfig for a file that cannot be read or is not TOML.
    """
    text = _text(path)
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else error
        raise BadConfig(f"{path} is not valid TOML: {reason}.") from error
    layer = Layer()
    for key, value in _flat(document):
        where = _place(path, text, key)
        setting = catalogue().get(key)
        if setting is not None:
            read = _from(path.parent, setting, value)
            layer.given[key] = Given(read, Origin(Source.FILE, where))
        elif key in sections():
            layer.problems.append(
                f"{key} = {shown(value)} ({where}): it must be a table, [{key}], with settings."
            )
        else:
            name = key if "." in key or not isinstance(value, dict) else f"[{key}]"
            layer.problems.append(_unknown(name, where, key, [*catalogue(), *sections()]))
    return layer


def shown(value: object) -> str:
    """A value as it appears in an error: as in TOML, on one line, and not too long."""
    text = quoted(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _unknown(name: str, where: str, key: str, known: list[str]) -> str:
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.7)
    section = key.partition(".")[0]
    siblings = [each for each in known if each.startswith(f"{section}.")] if "." in key else []
    if near:
        hint = f"did you mean {near[0]}?"
    elif siblings:
        hint = f"allowed are {', '.join(siblings)}."
    else:
        hint = "`quaero config show` lists all settings."
    return f"{name if name.isprintable() else quoted(name)} ({where}) is not a setting: {hint}"


def _from(base: Path, setting: Setting, value: object) -> object:
    """The value; the path of `ABSOLUTE` settings is made so, seen from the folder `base`."""
    if setting.key not in ABSOLUTE or not value or not isinstance(value, str | Path):
        return value
    return str(base.absolute() / os.path.expanduser(value))  # noqa: PTH111


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_FILE + 1)
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadConfig(f"{path} is not UTF-8 text (byte {error.start}).") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise BadConfig(f"The configuration file {path} cannot be read: {reason}.") from error
    if len(content) > _LARGEST_FILE:
        raise BadConfig(f"{path} is larger than 1 MiB and cannot be a configuration file.")
    return text


def _flat(document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in document.items():
        if name in sections() and isinstance(value, dict):
            yield from ((f"{name}.{inner}", each) for inner, each in value.items())
        else:
            yield name, value


def _place(path: Path, text: str, key: str) -> str:
    line = _line(text, key)
    return f"{path}:{line}" if line else str(path)


def _line(text: str, key: str) -> int | None:
    """The line on which a key is set, where it is written in one of the ordinary ways."""
    section, _, name = key.rpartition(".")
    header = re.compile(r"\s*\[+\s*([^\]\s]+)\s*\]")
    at_top = re.compile(rf"\s*{re.escape(key)}\s*[=.]")
    in_table = re.compile(rf"\s*{re.escape(name)}\s*[=.]")
    inline = re.compile(rf"\s*{re.escape(section or key)}\s*=")
    table = ""
    around = None
    for number, line in enumerate(text.split("\n"), start=1):
        if opened := header.match(line):
            table = opened[1]
            if table == key or table.startswith(f"{key}."):
                return number
        elif (at_top if table == "" else in_table).match(line) and table in ("", section):
            return number
        elif table == "" and inline.match(line):
            around = number
    return around
