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
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from quaero.errors import BadInput

LONGEST = 2_000
DEEPEST = 40
_LONGEST_VALUE = 1_000_000

_TOKEN = re.compile(
    r"""\s*(?:(?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
        |(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
        |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
        |(?P<sign>==|!=|<=|>=|[<>+\-*/%().,\[\]]))""",
    re.VERBOSE,
)
_ESCAPES = {"n": "\n", "t": "\t", "\\": "\\", '"': '"', "'": "'"}
_WORDS = {"true": True, "false": False, "null": None}
_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le,
    ">": operator.gt, ">=": operator.ge,
}  # fmt: skip

Path = tuple[str, ...]
Scope = Mapping[str, Any]


class Missing(BadInput):
    """A path leads to nothing."""


class Node(ABC):
    """A part of an expression."""

    __slots__ = ()

    @abstractmethod
    def value(self, scope: Scope) -> Any:
        """What it comes to. Raises `BadInput`, and `Missing` for a path that leads nowhere."""

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
            raise Missing(f"there is no {self.name!r} here; there are {known}")
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
            raise Missing(f"{self.text}: there is no {key!r} in {_kind(held)}")
        raise Missing(f"{self.text} does not exist")

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
            except Missing:
                held = None
            if self.name == "exists":
                return held is not None
            return self.items[1].value(scope) if held is None else held
        return FUNCTIONS[self.name][1](*(item.value(scope) for item in self.items))


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
        same = left == right and isinstance(left, bool) is isinstance(right, bool)
        return same is (sign == "==")
    if sign in ("in", "not in"):
        return _is_in(left, right) is (sign == "in")
    if sign in _COMPARISONS:
        return _COMPARISONS[sign](*_comparable(left, right, sign))
    if sign == "+" and isinstance(left, str) and isinstance(right, str):
        return _bounded(left + right)
    if sign == "+" and isinstance(left, list) and isinstance(right, list):
        return _bounded(left + right)
    return _calculated(sign, _number(left, sign), _number(right, sign))


def _calculated(sign: str, left: float, right: float) -> float:
    if sign in "/%" and right == 0:
        raise BadInput(f"{left} {sign} 0 cannot be calculated")
    match sign:
        case "+":
            made: float = left + right
        case "-":
            made = left - right
        case "*":
            made = left * right
        case "/":
            made = left / right
        case _:
            made = left % right
    if isinstance(made, float) and not math.isfinite(made):
        raise BadInput(f"{left} {sign} {right} is too large a number")
    if isinstance(made, int) and abs(made) > 10**18:
        raise BadInput(f"{left} {sign} {right} is too large a number")
    return made


def _is_in(item: Any, held: Any) -> bool:
    if isinstance(held, str) and isinstance(item, str):
        return item in held
    if isinstance(held, Mapping | Sequence) and not isinstance(held, str):
        return item in held
    raise BadInput(f"nothing can be in {_kind(held)}")


def _comparable(left: Any, right: Any, sign: str) -> tuple[Any, Any]:
    if isinstance(left, str) and isinstance(right, str):
        return left, right
    if _is_number(left) and _is_number(right):
        return left, right
    raise BadInput(f"{_kind(left)} {sign} {_kind(right)} cannot be compared")


def _number(value: Any, sign: str) -> float:
    if not _is_number(value):
        raise BadInput(f"{sign} wants numbers, not {_kind(value)}")
    number: float = value
    return number


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _bounded(value: Any) -> Any:
    if len(value) > _LONGEST_VALUE:
        raise BadInput(f"{_kind(value)} of {len(value)} is longer than {_LONGEST_VALUE}")
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
    raise BadInput(f"len wants a text, a list or an object, not {_kind(value)}")


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise BadInput(f"{name} wants a text, not {_kind(value)}")
    return value


def _join(items: Any, between: Any) -> str:
    if not isinstance(items, list):
        raise BadInput(f"join wants a list, not {_kind(items)}")
    texts = [item if isinstance(item, str) else as_text(item) for item in items]
    made: str = _bounded(_text(between, "join").join(texts))
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
    "round": (1, lambda value: round(_number(value, "round"))),
}
"""The functions, each with how many values it takes."""


# -- reading


def parse(text: str) -> Node:
    """Read an expression. Raises `BadInput`, saying where it cannot be read."""
    if len(text) > LONGEST:
        raise BadInput(f"the expression has {len(text)} characters; {LONGEST} is the most")
    return _Reader(text).whole()


class _Reader:
    """Recursive descent over the tokens."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = list(_tokens(text))
        self.at = 0
        self.depth = 0

    def whole(self) -> Node:
        node = self._or()
        if self.at < len(self.tokens):
            raise self._error(f"{self._here()!r} is not expected")
        return node

    def _here(self) -> str:
        return self.tokens[self.at][1] if self.at < len(self.tokens) else ""

    def _error(self, why: str) -> BadInput:
        place = self.tokens[self.at][2] if self.at < len(self.tokens) else len(self.text)
        return BadInput(f"{self.text!r} cannot be read at character {place + 1}: {why}")

    def _takes(self, *words: str) -> str | None:
        if self.at < len(self.tokens) and self.tokens[self.at][0] in ("sign", "name"):
            word = self.tokens[self.at][1]
            if word in words:
                self.at += 1
                return word
        return None

    def _wants(self, word: str) -> None:
        if self._takes(word) is None:
            raise self._error(f"{word!r} is {'expected' if self._here() else 'missing'}")

    def _or(self) -> Node:
        self.depth += 1
        if self.depth > DEEPEST:
            raise self._error(f"it is nested deeper than {DEEPEST}")
        node = self._and()
        while self._takes("or"):
            node = Sign("or", (node, self._and()))
        self.depth -= 1
        return node

    def _and(self) -> Node:
        node = self._not()
        while self._takes("and"):
            node = Sign("and", (node, self._not()))
        return node

    def _not(self) -> Node:
        times = 0
        while self._takes("not"):
            times += 1
        node = self._comparison()
        for _ in range(times):
            node = Sign("not", (node,))
        return node

    def _comparison(self) -> Node:
        node = self._sum()
        if sign := self._takes(*_COMPARISONS, "in"):
            return Sign(sign, (node, self._sum()))
        if self._takes("not"):
            self._wants("in")
            return Sign("not in", (node, self._sum()))
        return node

    def _sum(self) -> Node:
        node = self._product()
        while sign := self._takes("+", "-"):
            node = Sign(sign, (node, self._product()))
        return node

    def _product(self) -> Node:
        node = self._single()
        while sign := self._takes("*", "/", "%"):
            node = Sign(sign, (node, self._single()))
        return node

    def _single(self) -> Node:
        if self._takes("-"):
            return Sign("negative", (self._followed(),))
        return self._followed()

    def _followed(self) -> Node:
        start = self.at
        node = self._first()
        while True:
            if self._takes("."):
                kind, word, _ = self._next("a name")
                if kind != "name":
                    self.at -= 1
                    raise self._error("a name is expected after the dot")
                node = Member(node, Literal(word), self._said(start))
            elif self._takes("["):
                key = self._or()
                self._wants("]")
                node = Member(node, key, self._said(start))
            else:
                return node

    def _said(self, start: int) -> str:
        end = self.tokens[self.at - 1]
        return self.text[self.tokens[start][2] : end[2] + end[3]]

    def _next(self, wanted: str) -> tuple[str, str, int]:
        if self.at >= len(self.tokens):
            raise self._error(f"{wanted} is missing")
        kind, word, start, _ = self.tokens[self.at]
        self.at += 1
        return kind, word, start

    def _first(self) -> Node:
        kind, word, _ = self._next("a value")
        if kind == "number":
            return Literal(float(word) if any(c in word for c in ".eE") else int(word))
        if kind == "string":
            return Literal(word)
        if kind == "name":
            if word in _WORDS:
                return Literal(_WORDS[word])
            if word in ("and", "or", "not", "in"):
                self.at -= 1
                raise self._error(f"a value is expected before {word!r}")
            return self._call(word) if self._takes("(") else Name(word)
        if word == "(":
            node = self._or()
            self._wants(")")
            return node
        if word == "[":
            return Several(self._items("]"))
        self.at -= 1
        raise self._error(f"{word!r} is not expected")

    def _call(self, name: str) -> Node:
        if name not in FUNCTIONS:
            self.at -= 2
            known = ", ".join(sorted(FUNCTIONS))
            raise self._error(f"there is no function {name!r}; there are {known}")
        items = self._items(")")
        if len(items) != FUNCTIONS[name][0]:
            self.at -= 1
            raise self._error(f"{name} takes {FUNCTIONS[name][0]} values, not {len(items)}")
        return Call(name, items)

    def _items(self, end: str) -> tuple[Node, ...]:
        items: list[Node] = []
        while self._takes(end) is None:
            if items:
                self._wants(",")
            items.append(self._or())
        return tuple(items)


def _tokens(text: str) -> Iterator[tuple[str, str, int, int]]:
    """Kind, text, start and length of each token; strings without quotes and escapes."""
    place = 0
    end = len(text.rstrip())
    while place < end:
        found = _TOKEN.match(text, place)
        if found is None or found.lastgroup is None:
            start = place + len(text[place:]) - len(text[place:].lstrip())
            raise BadInput(
                f"{text!r} cannot be read at character {start + 1}: {text[start]!r} has no meaning"
            )
        kind, word = found.lastgroup, found[found.lastgroup]
        start, place = found.start(kind), found.end()
        if kind == "string":
            word = re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[0]), word[1:-1])
        yield kind, word, start, place - start
