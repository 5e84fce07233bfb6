"""Functions that did nothing when they were called: those with async, and those with yield."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import CoroutineType, GeneratorType
from typing import Any

from quaero.errors import BadInput


def refuse_unrun(fn: Callable[..., Any], result: Any) -> None:
    """Raise `BadInput` for a function that has not run: calling it made a coroutine or generator.

    A generator over what was read is a result; one of the function's own body is not.
    """
    if isinstance(result, CoroutineType):
        result.close()
    elif not isinstance(result, GeneratorType) or result.gi_code is not _code_of(fn):
        return
    raise BadInput(
        f"{name_of(fn)} did nothing: a function of the database is plain code, without async, "
        "await and yield"
    )


def _code_of(fn: Callable[..., Any]) -> Any:
    while isinstance(fn, partial):
        fn = fn.func
    return getattr(getattr(fn, "__func__", fn), "__code__", None)


def name_of(fn: Callable[..., Any]) -> str:
    """What a log calls a function."""
    while isinstance(fn, partial):
        fn = fn.func
    return getattr(fn, "__qualname__", repr(fn))
