r"""The forms that texts have to have, and what is said of a text that has another.

A pattern is no sentence: whoever leaves a name empty is to read what a name is, and not
`String should match pattern '^[^\x00…'`. Models take their patterns from here, and whoever tells
what was wrong with a value asks `said`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

ONE_LINE = r"^[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*$"
TEXT = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"
FILLED = r"\S"
LINE = r"^[^\x00-\x1f]*$"
WITHOUT_NUL = r"^[^\x00]*$"
TAG = r"^[^\x00-\x1f,]+$"
ABSOLUTE = r"^/"
VISIBLE = r"^[\x21-\x7e]+$"
SOURCE_NAME = r"^[a-z][a-z0-9_-]{0,59}$"
DEFINITION_ID = r"^[a-z0-9][a-z0-9_-]{0,63}$"
WORD = r"^[a-z][a-z0-9_]{0,39}$"
ACTION = r"^[a-z][a-z0-9_]{0,59}$"
ENTITY_TYPE = r"^[a-z][a-z0-9_-]{0,39}$"
PARENT = r"^(root|any|[1-9][0-9]{0,17})$"

_SMALL = "lower-case letters, digits"
SENTENCES: Mapping[str, str] = MappingProxyType({
    ONE_LINE: "it must be one line of text, without control characters and not only blanks",
    TEXT: "it must be text without control characters but tabs and ends of lines",
    FILLED: "it must not be empty or only blanks",
    LINE: "it must be one line of text without control characters",
    WITHOUT_NUL: "it must be text without NUL characters",
    TAG: "it must be one line of text without commas",
    ABSOLUTE: "it must begin with /",
    VISIBLE: "it must be of visible ASCII characters, without blanks",
    SOURCE_NAME: f"begin with a letter; use {_SMALL}, - and _, at most 60",
    DEFINITION_ID: f"begin with a letter or digit; use {_SMALL}, - and _, at most 64",
    WORD: f"begin with a letter; use {_SMALL} and _, at most 40",
    ACTION: f"begin with a letter; use {_SMALL} and _, at most 60",
    ENTITY_TYPE: f"begin with a letter; use {_SMALL}, - and _, at most 40",
    PARENT: "it must be root, any, or the id of a job",
})  # fmt: skip

_OURS = {
    "Extra inputs are not permitted": "it is not known here; is it misspelt?",
    "Field required": "it is missing; add it",
}


def said(error: Mapping[str, Any]) -> str:
    """What an error of pydantic's list says of a value."""
    context = error.get("ctx", {})
    if error["type"] == "string_pattern_mismatch" and context.get("pattern") in SENTENCES:
        return SENTENCES[context["pattern"]]
    if error["type"] == "value_error" and "error" in context:
        return str(context["error"])
    return _OURS.get(error["msg"], str(error["msg"]))
