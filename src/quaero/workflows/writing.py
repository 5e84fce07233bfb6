"""Definitions written by the program: from one format into the other, and into a text that a person
wrote, whose comments and order stay where what they stand at stays.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, time
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT, Array, Table

from quaero.errors import BadInput
from quaero.workflows.text import MARK, Format, toml_lines, value_of


def write(value: Mapping[str, Any], format_: Format, before: str = "") -> str:
    """A definition's value as text, by changing `before` where that is of the format.

    Raises `BadInput` for a value that TOML has no way to write.
    """
    if format_ == "json":
        return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    ends = "\r\n" if "\r\n" in before else "\n"
    try:
        held = tomlkit.parse(before.removeprefix(MARK).replace("\r\n", "\n"))
    except TOMLKitError:
        held = tomlkit.document()
    try:
        wanted = _without_null(value)
        _bring(held, wanted)
        made = _aired(tomlkit.dumps(held))
        made = made if value_of(made, "toml") == wanted else tomlkit.dumps(wanted)
        return made.replace("\n", ends)
    except (TOMLKitError, ValueError, TypeError) as error:
        raise BadInput(f"this cannot be written as TOML: {error}; use JSON") from error


def converted(text: str, format_: Format, to: Format) -> str:
    """A text in the format that is wanted. Raises `BadInput` where it cannot be read."""
    if format_ == to:
        return text
    value = value_of(text, format_)
    if value is None:
        raise BadInput(f"the text is no {format_.upper()}")
    return write(value, to)


def with_key(text: str, format_: Format, key: str, value: Any) -> str:
    """A text with another value of one key at its top, and all else as it was."""
    held = value_of(text, format_)
    if held is None:
        raise BadInput(f"the text is no {format_.upper()}")
    return write({**held, key: value}, format_, text)


def _without_null(value: Any) -> Any:
    """A value without the keys that are null: TOML has none. Raises `ValueError` for one in a list.

    What is null is left out of a definition as well.
    """
    if isinstance(value, Mapping):
        return {key: _without_null(each) for key, each in value.items() if each is not None}
    if isinstance(value, list):
        if None in value:
            raise ValueError("null stands in a list")
        return [_without_null(each) for each in value]
    return value


def _bring(held: Any, value: Mapping[str, Any]) -> None:
    """Change a table so that it says what `value` does."""
    for key in [key for key in held if key not in value]:
        del held[key]
    for key, wanted in value.items():
        there = held.get(key)
        if there is None or not _bring_within(there, wanted):
            held[key] = _item(wanted)


def _bring_within(there: Any, wanted: Any) -> bool:
    """Change what is there in place; False where it has to be replaced."""
    if isinstance(there, Mapping) and isinstance(wanted, Mapping):
        _bring(there, wanted)
        return True
    if isinstance(there, AoT) and isinstance(wanted, list) and _are_tables(wanted):
        _bring_tables(there, wanted)
        return True
    plain = there.unwrap() if hasattr(there, "unwrap") else there
    if isinstance(plain, date | time):  # a text, as it was read
        plain = plain.isoformat()
    return type(plain) is type(wanted) and bool(plain == wanted)


def _bring_tables(there: AoT, wanted: list[Any]) -> None:
    """Change an array of tables; tables stay with their names where they have some."""
    if [_name(each) for each in there] != [_name(each) for each in wanted]:
        kept = {_name(each): each for each in there.body}
        there.body.clear()
        for each in wanted:
            table = kept.pop(_name(each), None)
            there.append(_item(each) if table is None else table)
    for table, value in zip(there.body, wanted, strict=True):
        _bring(table, value)


def _name(table: Any) -> Any:
    return table.get("name")


def _are_tables(value: list[Any]) -> bool:
    return bool(value) and all(isinstance(each, Mapping) for each in value)


def _item(value: Any) -> Any:
    """A new item of TOML: long texts over several lines, lists of objects as tables."""
    if isinstance(value, str) and "\n" in value and "\r" not in value:
        return tomlkit.string(value, multiline=True)
    if isinstance(value, Mapping):
        table: Table = tomlkit.table()
        for key, each in value.items():
            table.append(key, _item(each))
        return table
    if isinstance(value, list) and _are_tables(value):
        tables = tomlkit.aot()
        for each in value:
            tables.append(_item(each))
        return tables
    if isinstance(value, list):
        array: Array = tomlkit.array()
        for each in value:
            array.append(each)
        return array
    return tomlkit.item(value)


def _aired(text: str) -> str:
    """A blank line before each table, where none is, nor a comment of the table's own."""
    headers = set(toml_lines(text).values())
    made: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        header = number in headers and line.lstrip().startswith("[")
        if header and made and made[-1].strip() and not made[-1].lstrip().startswith("#"):
            made.append("")
        made.append(line)
    return "\n".join(made).strip("\n") + "\n"
