"""Reads the expressions of workflows; what they mean is told in `expression`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from quaero.errors import BadExpression
from quaero.workflows.expression import (
    COMPARISONS,
    FUNCTIONS,
    Call,
    Literal,
    Member,
    Name,
    Node,
    Several,
    Sign,
    is_too_large,
)

LONGEST = 2_000
DEEPEST = 40
HIGHEST = 200
"""How many parts may lie in one another: `a + b + c` is a sum in a sum."""

_TOKEN = re.compile(
    r"""\s*(?:(?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
        |(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
        |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
        |(?P<sign>==|!=|<=|>=|[<>+\-*/%().,\[\]]))""",
    re.VERBOSE,
)
_ESCAPES = {"n": "\n", "t": "\t", "\\": "\\", '"': '"', "'": "'"}
_WORDS = {"true": True, "false": False, "null": None}


def parse(text: str) -> Node:
    """Read an expression. Raises `BadExpression`, saying where it cannot be read."""
    if len(text) > LONGEST:
        raise BadExpression(f"the expression has {len(text)} characters; {LONGEST} is the most")
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
        if _is_higher(node, HIGHEST):
            raise BadExpression(
                f"{self.text[:80]!r}… has more than {HIGHEST} signs or dots in a row"
            )
        return node

    def _here(self) -> str:
        return self.tokens[self.at][1] if self.at < len(self.tokens) else ""

    def _error(self, why: str) -> BadExpression:
        place = self.tokens[self.at][2] if self.at < len(self.tokens) else len(self.text)
        return BadExpression(f"{self.text!r} cannot be read at character {place + 1}: {why}")

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
        if sign := self._takes(*COMPARISONS, "in"):
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
            return Literal(self._number(word))
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

    def _number(self, word: str) -> float:
        number = float(word) if any(c in word for c in ".eE") else int(word)
        if is_too_large(number):
            self.at -= 1
            raise self._error("the number is too large")
        return number

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


def _is_higher(node: Node, most: int) -> bool:
    """Whether more parts than so many lie in one another."""
    level, height = [node], 0
    while level and height <= most:
        level = [part for each in level for part in each.parts()]
        height += 1
    return height > most


def _tokens(text: str) -> Iterator[tuple[str, str, int, int]]:
    """Kind, text, start and length of each token; strings without quotes and escapes."""
    place = 0
    end = len(text.rstrip())
    while place < end:
        found = _TOKEN.match(text, place)
        if found is None or found.lastgroup is None:
            start = place + len(text[place:]) - len(text[place:].lstrip())
            raise BadExpression(
                f"{text!r} cannot be read at character {start + 1}: {text[start]!r} has no meaning"
            )
        kind, word = found.lastgroup, found[found.lastgroup]
        start, place = found.start(kind), found.end()
        if kind == "string":
            word = re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[0]), word[1:-1])
        yield kind, word, start, place - start
