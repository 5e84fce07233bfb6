"""From a query's tree to what the database is asked: an index expression and conditions.

Words go to the full-text index, everything else becomes conditions on `document d`. Where a clause
mixes both, or words only exclude, the index is asked inside a condition.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from quaero.db.contract import ReadTx
from quaero.documents import fulltext
from quaero.documents.model import normal_tag
from quaero.documents.query import After, Before, Clause, Field, Query, Sign, Term, Text

_IN_INDEX = "d.id in (select rowid from document_fts where document_fts match ?)"
_NEVER = "1 = 0"


@dataclass(slots=True)
class Plan:
    """What to ask. `match` is None where no words lead; `relaxed` where there is no fallback.

    `conditions` have `?` for their arguments, in order.
    """

    match: str | None = None
    relaxed: str | None = None
    conditions: list[str] = field(default_factory=list)
    args: list[Any] = field(default_factory=list)

    def fallback(self) -> Plan:
        """The plan that asks for less."""
        return replace(self, match=self.relaxed, relaxed=None)

    def where(self, first: int) -> str:
        """The conditions, with their arguments numbered from `first`."""
        pieces = " and ".join(["d.gone_at is null", *self.conditions]).split("?")
        numbered = [f"${first + place}{piece}" for place, piece in enumerate(pieces[1:])]
        return "".join([pieces[0], *numbered])


def plan(tx: ReadTx, query: Query, sources: Mapping[str, int]) -> Plan:
    """How to answer a query; `sources` are the ids of sources by name."""
    made = Plan()
    words = [clause for clause in query.clauses if _only_words(clause)]
    leading = [clause for clause in words if clause.sign is not Sign.NOT]
    without = [_expression(c) for c in words if c.sign is Sign.NOT and not query.exact]
    if leading:
        must = [_expression(c) for c in leading if c.sign is Sign.MUST]
        should = [_expression(c) for c in leading if c.sign is Sign.SHOULD]
        made.match = fulltext.all_of([*must, *should], without)
        if should and len(leading) > 1:
            made.relaxed = fulltext.all_of([*must, fulltext.any_of([*must, *should])], without)
    elif without:
        made.conditions.append(f"not {_IN_INDEX}")
        made.args.append(fulltext.any_of(without))
    for clause in query.clauses:
        if clause not in words:
            _add_condition(tx, made, clause, sources)
    return made


def _only_words(clause: Clause) -> bool:
    return all(isinstance(term, Text) for term in clause.terms)


def _expression(clause: Clause) -> str:
    return fulltext.any_of([_words(term) for term in clause.terms if isinstance(term, Text)])


def _words(term: Text) -> str:
    return fulltext.phrase(term.text, title=term.title, prefix=term.prefix)


def _add_condition(tx: ReadTx, made: Plan, clause: Clause, sources: Mapping[str, int]) -> None:
    found = [_condition(tx, term, sources) for term in clause.terms]
    either = " or ".join(condition for condition, _ in found)
    made.conditions.append(f"{'not ' if clause.sign is Sign.NOT else ''}({either})")
    made.args += [value for _, values in found for value in values]


def _condition(tx: ReadTx, term: Term, sources: Mapping[str, int]) -> tuple[str, Sequence[Any]]:
    if isinstance(term, Text):
        return _IN_INDEX, (_words(term),)
    if isinstance(term, Before):
        return "d.dated < ?", (term.moment,)
    if isinstance(term, After):
        return "d.dated >= ?", (term.moment,)
    if term.name == "tag":
        return (
            "d.id in (select document_id from document_tag where tag = ?)",
            (normal_tag(term.value),),
        )
    if term.name == "type":
        return _type(tx, term.value.lower())
    if term.name == "source":
        return _source(term.value, sources)
    return _site(tx, term)


def _type(tx: ReadTx, value: str) -> tuple[str, Sequence[Any]]:
    """What a page is about where any page is, else the kind of its source."""
    about = "d.entity_type = ?"
    if value == "page":
        return about, (value,)
    rows = tx.execute(
        "select 1 from document where entity_type = $1 and entity_type <> 'page' limit 1", (value,)
    )
    return (f"{about} and d.entity_type <> 'page'" if rows else "d.source_type = ?"), (value,)


def _source(value: str, sources: Mapping[str, int]) -> tuple[str, Sequence[Any]]:
    """By name in any case, or by number."""
    by_name = {name.casefold(): id_ for name, id_ in sources.items()}
    found = by_name.get(value.casefold())
    if found is None and value.isdecimal() and len(value) < 19:
        found = int(value)
    return (_NEVER, ()) if found is None else ("d.source_id = ?", (found,))


def _site(tx: ReadTx, term: Field) -> tuple[str, Sequence[Any]]:
    """A host and those below it; what follows the host begins the path."""
    address = term.value.partition("://")[2] or term.value
    host, _, path = address.partition("/")
    rows = tx.execute(
        """
        select key from document_count where kind = 'site'
           and (key = $1 or substr(key, -length($1) - 1) = '.' || $1)
        """,
        (host.lower(),),
    )
    sites = msgspec.json.encode([row[0] for row in rows]).decode()
    condition = "d.site in (select value from json_each(?))"
    if not path:
        return condition, (sites,)
    below = "substr(d.url, instr(d.url, '://') + 3 + length(d.site), length(?)) = ?"
    return f"({condition} and {below})", (sites, f"/{path}", f"/{path}")
