"""The expressions of workflows: conditions, lists to go over, and what stands in `{{ }}`.

    steps.collect.result.saved > 0 and not parameters.quick
    default(parameters.tag, "docs") in ["docs", "wiki"]

Values are those of JSON. There are paths (`a.b[0]["c d"]`), numbers, strings, lists, `true`,
`false`, `null`, `and or not`, `== != < <= > >= in`, `+ - * / %`, and the functions named below;
there is no way to anything else. What an expression costs is bounded by its length and by what it
looks at. It says itself which values it reads, so that a mistake is found when it is written.
"""

from __future__ import annotations

import math
import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from quaero.errors import BadExpression

_LONGEST_VALUE = 1_000_000
_LARGEST_INTEGER = 2**63 - 1

COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le,
    ">": operator.gt, ">=": operator.ge,
}  # fmt: skip

_ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv,
    "%": operator.mod,
}  # fmt: skip

Path = tuple[str, ...]
Scope = Mapping[str, Any]


class Node(ABC):
    """A part of an expression."""

    __slots__ = ()

    @abstractmethod
    def value(self, scope: Scope) -> Any:
        """What it comes to. Raises `BadExpression`."""

    def parts(self) -> Sequence[Node]:
        """What it is made of."""
        return ()

    def paths(self) -> Iterator[Path]:
        """The paths that are read, as far as they are plain names; each from its root."""
        for part in self.parts():
            yield from part.paths()


@dataclass(frozen=True, slots=True)
class Literal(Node):
    """A value that stands there."""

    held: Any

    def value(self, scope: Scope) -> Any:  # noqa: ARG002 - it is the same everywhere
        """The value."""
        return self.held


@dataclass(frozen=True, slots=True)
class Name(Node):
    """One of the values that the expression is given."""

    name: str

    def value(self, scope: Scope) -> Any:
        """The value of that name."""
        if self.name not in scope:
            known = ", ".join(sorted(scope))
            raise _missing(f"there is no {self.name!r} here; there are {known}")
        return scope[self.name]

    def paths(self) -> Iterator[Path]:
        """The name itself."""
        yield (self.name,)


@dataclass(frozen=True, slots=True)
class Member(Node):
    """A member of an object, or an element of a list."""

    of: Node
    key: Node
    text: str

    def value(self, scope: Scope) -> Any:
        """The member."""
        held, key = self.of.value(scope), self.key.value(scope)
        if isinstance(held, Mapping) and isinstance(key, str):
            if key in held:
                return held[key]
        elif isinstance(held, Sequence) and not isinstance(held, str) and _is_int(key):
            if -len(held) <= key < len(held):
                return held[key]
        else:
            raise _missing(f"{self.text}: there is no {key!r} in {_kind(held)}")
        raise _missing(f"{self.text} does not exist")

    def parts(self) -> Sequence[Node]:
        """What is looked into, and by which key."""
        return self.of, self.key

    def paths(self) -> Iterator[Path]:
        """The path longer by a key, where that is a plain one."""
        plain = isinstance(self.key, Literal) and isinstance(self.key.held, str)
        for path in self.of.paths():
            is_own = _plain_path(self.of) == path
            yield (*path, self.key.held) if plain and is_own else path  # type: ignore[attr-defined]
        yield from self.key.paths()


@dataclass(frozen=True, slots=True)
class Several(Node):
    """A list."""

    items: tuple[Node, ...]

    def value(self, scope: Scope) -> Any:
        """The list of the values."""
        return [item.value(scope) for item in self.items]

    def parts(self) -> Sequence[Node]:
        """The items."""
        return self.items


@dataclass(frozen=True, slots=True)
class Sign(Node):
    """One or two values with a sign: `not -`, `and or`, comparisons, arithmetic."""

    sign: str
    items: tuple[Node, ...]

    def parts(self) -> Sequence[Node]:
        """The sides."""
        return self.items

    def value(self, scope: Scope) -> Any:
        """The result; `and` and `or` look no further than they must."""
        first = self.items[0].value(scope)
        match self.sign:
            case "not":
                return not truth(first)
            case "and":
                return truth(first) and truth(self.items[1].value(scope))
            case "or":
                return truth(first) or truth(self.items[1].value(scope))
            case "negative":
                return -_number(first, "-")
        return _two(self.sign, first, self.items[1].value(scope))


@dataclass(frozen=True, slots=True)
class Call(Node):
    """A function of values."""

    name: str
    items: tuple[Node, ...]

    def parts(self) -> Sequence[Node]:
        """What it is given."""
        return self.items

    def value(self, scope: Scope) -> Any:
        """What it returns; `default` and `exists` may be given what is not there."""
        if self.name in ("default", "exists"):
            try:
                held = self.items[0].value(scope)
            except BadExpression as error:
                if not error.missing:
                    raise
                held = None
            if self.name == "exists":
                return held is not None
            return self.items[1].value(scope) if held is None else held
        return FUNCTIONS[self.name][1](*(item.value(scope) for item in self.items))


def _missing(message: str) -> BadExpression:
    return BadExpression(message, missing=True)


def _plain_path(node: Node) -> Path | None:
    if isinstance(node, Name):
        return (node.name,)
    if isinstance(node, Member) and isinstance(node.key, Literal):
        before = _plain_path(node.of)
        if before is not None and isinstance(node.key.held, str):
            return (*before, node.key.held)
    return None


# -- values


def truth(value: Any) -> bool:
    """Whether a value counts as true: not null, false, 0, nor empty."""
    return bool(value)


def _two(sign: str, left: Any, right: Any) -> Any:
    if sign in ("==", "!="):
        return _is_same(left, right) is (sign == "==")
    if sign in ("in", "not in"):
        return _is_in(left, right) is (sign == "in")
    if sign in COMPARISONS:
        return COMPARISONS[sign](*_comparable(left, right, sign))
    if sign == "+" and isinstance(left, str) and isinstance(right, str):
        return _bounded(left + right)
    if sign == "+" and isinstance(left, list) and isinstance(right, list):
        return _bounded(left + right)
    return _calculated(sign, _number(left, sign), _number(right, sign))


def _is_same(left: Any, right: Any) -> bool:
    """Whether two values are equal; a truth value is no number."""
    return bool(left == right) and isinstance(left, bool) is isinstance(right, bool)


def _calculated(sign: str, left: float, right: float) -> float:
    if sign in "/%" and right == 0:
        raise BadExpression(f"{left} {sign} 0 cannot be calculated")
    try:
        made: float = _ARITHMETIC[sign](left, right)
    except OverflowError:
        made = math.inf
    if is_too_large(made):
        raise BadExpression(f"{left} {sign} {right} is too large a number")
    return made


def is_too_large(number: float) -> bool:
    """Whether a number is more than is calculated with."""
    if isinstance(number, float):
        return not math.isfinite(number)
    return abs(number) > _LARGEST_INTEGER


def _is_in(item: Any, held: Any) -> bool:
    if isinstance(held, str) and isinstance(item, str):
        return item in held
    if isinstance(held, Mapping):
        return isinstance(item, str) and item in held
    if isinstance(held, str):
        raise BadExpression(f"only a text can be in {_kind(held)}, not {_kind(item)}")
    if isinstance(held, Sequence):
        return any(_is_same(item, each) for each in held)
    raise BadExpression(f"nothing can be in {_kind(held)}")


def _comparable(left: Any, right: Any, sign: str) -> tuple[Any, Any]:
    if isinstance(left, str) and isinstance(right, str):
        return left, right
    if _is_number(left) and _is_number(right):
        return left, right
    raise BadExpression(f"{_kind(left)} {sign} {_kind(right)} cannot be compared")


def _number(value: Any, sign: str) -> float:
    if not _is_number(value):
        raise BadExpression(f"{sign} wants numbers, not {_kind(value)}")
    number: float = value
    return number


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _bounded(value: Any) -> Any:
    if len(value) > _LONGEST_VALUE:
        raise BadExpression(f"{_kind(value)} of {len(value)} is longer than {_LONGEST_VALUE}")
    return value


def _kind(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return f"the truth value {str(value).lower()}"
        case int() | float():
            return f"the number {value}"
        case str():
            return f"the text {value[:40]!r}"
        case Mapping():
            return "an object"
        case _:
            return "a list"


# -- functions


def _len(value: Any) -> int:
    if isinstance(value, str | Sequence | Mapping):
        return len(value)
    raise BadExpression(f"len wants a text, a list or an object, not {_kind(value)}")


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise BadExpression(f"{name} wants a text, not {_kind(value)}")
    return value


def _join(items: Any, between: Any) -> str:
    if not isinstance(items, list):
        raise BadExpression(f"join wants a list, not {_kind(items)}")
    texts = [item if isinstance(item, str) else as_text(item) for item in items]
    made: str = _bounded(_text(between, "join").join(texts))
    return made


def _round(value: Any) -> int:
    made = round(_number(value, "round"))
    if is_too_large(made):
        raise BadExpression(f"round({value}) is too large a number")
    return made


def as_text(value: Any) -> str:
    """A value as it stands in a text: JSON's way, texts as they are."""
    if isinstance(value, str):
        return value

    return msgspec.json.encode(value).decode()


FUNCTIONS: dict[str, tuple[int, Callable[..., Any]]] = {
    "default": (2, lambda held, _other: held),
    "exists": (1, lambda held: held is not None),
    "len": (1, _len),
    "lower": (1, lambda value: _text(value, "lower").lower()),
    "upper": (1, lambda value: _text(value, "upper").upper()),
    "join": (2, _join),
    "text": (1, as_text),
    "round": (1, _round),
}
"""The functions, each with how many values it takes."""
