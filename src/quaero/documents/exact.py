"""`case:match`: reading again, as written, what the index found in any case.

The index knows no case, so the best `CHECKED` documents are read. Words that `OR` joins with a
field, and the field, were decided by the database already.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from quaero.db.contract import ReadTx
from quaero.documents.query import Clause, Query, Sign, Text
from quaero.documents.snippet import Finder

CHECKED = 1_000


def matching(tx: ReadTx, query: Query, ids: Sequence[int], *, relaxed: bool) -> list[int]:
    """Those of the documents, in their order, that hold a query's words as they are written."""
    clauses = [
        (clause.sign, _finders(clause))
        for clause in query.clauses
        if all(isinstance(term, Text) for term in clause.terms)
    ]
    rows = tx.execute(
        """
        select d.id, d.title, t.text from document d join document_text t on t.document_id = d.id
         where d.id in ints($1)
        """,
        (msgspec.json.encode(ids).decode(),),
    )
    kept = {id_ for id_, title, text in rows if _holds(clauses, title, text, relaxed=relaxed)}
    return [id_ for id_ in ids if id_ in kept]


def _finders(clause: Clause) -> list[tuple[Finder, bool]]:
    """What finds each term, and whether it looks at the title only."""
    return [
        (Finder([term], exact=True), term.title) for term in clause.terms if isinstance(term, Text)
    ]


def _holds(
    clauses: Sequence[tuple[Sign, list[tuple[Finder, bool]]]],
    title: str,
    text: str,
    *,
    relaxed: bool,
) -> bool:
    found = [
        (sign, any(f.found(title) or (not only and f.found(text)) for f, only in finders))
        for sign, finders in clauses
    ]
    if any(there is (sign is Sign.NOT) for sign, there in found if sign is not Sign.SHOULD):
        return False
    optional = [there for sign, there in found if sign is Sign.SHOULD]
    if relaxed:
        return any(there for sign, there in found if sign is not Sign.NOT)
    return all(optional)
