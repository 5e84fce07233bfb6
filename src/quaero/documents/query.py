"""The search language: from what somebody typed to a small tree.

    words           all of them, the most relevant first; where nothing has all, any of them
    "a phrase"      these words in this order
    +word           must be there, also where the others need not
    -word           must not be there; also before a phrase or a field
    one OR other    either
    pre*            words that begin so; at least two letters
    title:word      in the title; also with a phrase or a beginning
    source: type: tag: site:     where it comes from, what it is, its tags, its host
    before:2026-05-01            dated earlier: than a year, a month, a day or a moment, in UTC
    after:2026                   dated then or later
    case:match      words and phrases exactly as written

Any text is a query: what does not fit is taken literally, as words. Time is linear in the text,
of which the first `MAX_CHARS` and `MAX_TERMS` count. This module knows no database.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import zip_longest
from typing import TypeAlias

from quaero.documents.prepare import moment, storable

MAX_CHARS = 4_000
MAX_TERMS = 64

WORD = re.compile(r"[^\W_]+")

_TOKEN = re.compile(
    r"""
    (?P<sign> [+-] (?= [^\s+-] ) )?
    (?: (?P<field> [A-Za-z]+ ) : (?= \S ) )?
    (?: " (?P<phrase> [^"]* ) " | (?P<word> \S+ ) )
    """,
    re.VERBOSE,
)
_YEAR_OR_MONTH = re.compile(r"(\d{4})(?:-(\d{2}))?")
_BEGINNING = re.compile(r"[^\W_]{2}\*$")
_EXACT = "case:match"


class Sign(Enum):
    """What a clause asks of a document."""

    SHOULD = "should"
    MUST = "must"
    NOT = "not"


@dataclass(frozen=True, slots=True)
class Text:
    """Words in a row: in the title only, or anywhere; the last one may be a beginning."""

    text: str
    title: bool = False
    prefix: bool = False

    @property
    def words(self) -> list[str]:
        """The runs of letters and digits, as written."""
        return WORD.findall(self.text)


@dataclass(frozen=True, slots=True)
class Field:
    """A property: `name` is source, type, tag or site."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Before:
    """Dated before a moment, in microseconds."""

    moment: int


@dataclass(frozen=True, slots=True)
class After:
    """Dated at a moment or later, in microseconds."""

    moment: int


Term: TypeAlias = Text | Field | Before | After


@dataclass(frozen=True, slots=True)
class Clause:
    """One of the terms at least must, should or must not be true."""

    sign: Sign
    terms: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Query:
    """Clauses that are all to hold.

    `exact` is `case:match`; `cut` tells that the text was too long and its end does not count.
    """

    clauses: tuple[Clause, ...]
    exact: bool = False
    cut: bool = False

    def texts(self) -> list[Text]:
        """What is looked for in the text, without what must not be there."""
        return [
            term
            for clause in self.clauses
            if clause.sign is not Sign.NOT
            for term in clause.terms
            if isinstance(term, Text)
        ]


@dataclass(frozen=True, slots=True)
class _Item:
    """A term as typed; without a term it stands between two: `OR`, `AND`."""

    sign: Sign
    term: Term | None
    typed: str


def parse(text: str) -> Query:
    """The query that a text is; never fails."""
    items = list(_items(unicodedata.normalize("NFC", storable(text[:MAX_CHARS]))))
    exact = [item for item in items if item.typed == _EXACT]
    items = [item for item in items if item.typed != _EXACT]
    counted = _first_terms(items)
    cut = len(text) > MAX_CHARS or len(counted) < len(items)
    return Query(tuple(_clauses(counted)), exact=bool(exact), cut=cut)


def _items(text: str) -> Iterator[_Item]:
    for match in _TOKEN.finditer(text):
        mark, name, phrase, word = match.group("sign", "field", "phrase", "word")
        if word in ("OR", "AND") and not mark and not name:
            yield _Item(Sign.SHOULD, None, word)
        elif match[0].lower() == _EXACT:
            yield _Item(Sign.SHOULD, None, _EXACT)
        else:
            term, plain = _term((name or "").lower(), phrase, word)
            if term is None:
                term, plain = Text(match[0].removeprefix(mark or "")), True
            if not isinstance(term, Text) or term.words:
                yield _Item(_sign(mark, plain=plain), term, match[0])


def _term(name: str, phrase: str | None, word: str) -> tuple[Term | None, bool]:
    """The term that a field (or "") and its value are, and whether it is but a plain word.

    None where it makes no sense.
    """
    value = word if phrase is None else phrase
    if name in ("", "title"):
        prefix = phrase is None and _BEGINNING.search(word) is not None
        return Text(value, name == "title", prefix), phrase is None and not name
    if name in ("before", "after"):
        found = _moment(value)
        kind = Before if name == "before" else After
        return (None if found is None else kind(found)), False
    if name in ("source", "type", "tag", "site") and value.strip():
        return Field(name, value.strip()), False
    return None, True


def _sign(mark: str | None, *, plain: bool) -> Sign:
    if mark == "-":
        return Sign.NOT
    return Sign.SHOULD if plain and not mark else Sign.MUST


def _moment(value: str) -> int | None:
    """The beginning of a year, a month, a day or a moment."""
    short = _YEAR_OR_MONTH.fullmatch(value)
    return moment(f"{short[1]}-{short[2] or '01'}-01" if short else value)


def _first_terms(items: list[_Item]) -> list[_Item]:
    """The items up to the last term that counts."""
    left = MAX_TERMS
    for place, item in enumerate(items):
        left -= item.term is not None
        if left < 0:
            return items[:place]
    return items[: 2 * MAX_TERMS]


def _clauses(items: list[_Item]) -> list[Clause]:
    """Terms as clauses; those that `OR` stands between become one."""
    clauses: list[Clause] = []
    joining = False
    for item, following in zip_longest(items, items[1:]):
        sign, term = item.sign, item.term
        if term is None:
            if _stands_between(item, clauses, following):
                joining = item.typed == "OR"
                continue
            term = Text(item.typed)
        if joining:
            before = clauses.pop()
            sign = Sign.MUST if Sign.MUST in (before.sign, sign) else Sign.SHOULD
            clauses.append(Clause(sign, (*before.terms, term)))
        else:
            clauses.append(Clause(sign, (term,)))
        joining = False
    return clauses


def _stands_between(item: _Item, clauses: list[Clause], following: _Item | None) -> bool:
    """Tell whether `OR` or `AND` has terms on both sides, none of them excluded."""
    if not clauses or following is None or following.term is None:
        return False
    return item.typed == "AND" or Sign.NOT not in (clauses[-1].sign, following.sign)
