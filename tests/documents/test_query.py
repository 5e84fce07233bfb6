from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quaero.documents.prepare import moment
from quaero.documents.query import (
    MAX_CHARS,
    MAX_TERMS,
    After,
    Before,
    Clause,
    Field,
    Query,
    Sign,
    Term,
    Text,
    parse,
)

SIGNS = {Sign.SHOULD: "", Sign.MUST: "+", Sign.NOT: "-"}


def shown(query: Query) -> str:
    """A query as the cases below write it: `+` must, `-` not, `/` or, `(…)` words in a row."""
    clauses = [
        SIGNS[clause.sign] + "/".join(shown_term(term) for term in clause.terms)
        for clause in query.clauses
    ]
    return " ".join(
        [*clauses, *(["EXACT"] if query.exact else []), *(["CUT"] if query.cut else [])]
    )


def shown_term(term: Term) -> str:
    if isinstance(term, Text):
        words = " ".join(term.words)
        words = f"({words})" if len(term.words) > 1 else words
        return f"{'title=' if term.title else ''}{words}{'*' if term.prefix else ''}"
    if isinstance(term, Field):
        return f"{term.name}={term.value}"
    return f"{'<' if isinstance(term, Before) else '>='}{term.moment // 1_000_000}"


CASES = [
    # words
    ("", ""),
    ("   \t\n ", ""),
    ("word", "word"),
    ("two words", "two words"),
    ("  spaced   out  ", "spaced out"),
    ("Über", "Über"),
    ("cafe\u0301", "café"),
    ("don't", "(don t)"),
    ("well-known", "(well known)"),
    ("snake_case", "(snake case)"),
    ("a.b.c", "(a b c)"),
    ("C++", "C"),
    ("C#", "C"),
    (".NET", "NET"),
    ("user@example.org", "(user example org)"),
    ("https://example.org/x?y=1", "(https example org x y 1)"),
    ("中文文档", "中文文档"),
    ("!!!", ""),
    ('- + * : " ( )', ""),
    ("a\0b", "ab"),
    ("x \ud800 y", "x y"),
    ("NOT this", "NOT this"),
    ("NEAR(a b)", "(NEAR a) b"),
    ("(a)", "a"),
    ("{title}", "title"),
    ("a^2", "(a 2)"),
    # phrases
    ('"a phrase"', "+(a phrase)"),
    ('"one"', "+one"),
    ('""', ""),
    ('" "', ""),
    ('"!!!"', ""),
    ('"a" "b"', "+a +b"),
    ('"a""b"', "+a +b"),
    ('"not closed', "not closed"),
    ('say "hello', "say hello"),
    ('5" disk', "5 disk"),
    ('foo"bar baz"', "(foo bar) baz"),
    ('"a -b OR c"', "+(a b OR c)"),
    # must and not
    ("+must", "+must"),
    ("-not", "-not"),
    ("word -not +must", "word -not +must"),
    ('+"a phrase"', "+(a phrase)"),
    ('-"a phrase"', "-(a phrase)"),
    ("a - b", "a b"),
    ("a -", "a"),
    ("--verbose", "verbose"),
    ("++x", "x"),
    ("+-x", "x"),
    ("-+x", "x"),
    ("-5", "-5"),
    ("a-b", "(a b)"),
    ("-!!!", ""),
    # or, and
    ("a OR b", "a/b"),
    ("a OR b OR c", "a/b/c"),
    ("a OR b c", "a/b c"),
    ("a b OR c", "a b/c"),
    ("a or b", "a or b"),
    ("OR", "OR"),
    ("OR a", "OR a"),
    ("a OR", "a OR"),
    ("a OR OR b", "a OR/b"),
    ("a OR !!!", "a OR"),
    ("+a OR b", "+a/b"),
    ("a OR +b", "+a/b"),
    ('"a b" OR c', "+(a b)/c"),
    ("-a OR b", "-a OR b"),
    ("a OR -b", "a OR -b"),
    ("a AND b", "a b"),
    ("AND", "AND"),
    ("a AND", "a AND"),
    ("a AND -b", "a -b"),
    ("+OR", "+OR"),
    ('"OR"', "+OR"),
    # beginnings
    ("pre*", "pre*"),
    ("+pre*", "+pre*"),
    ("-pre*", "-pre*"),
    ("a*", "a"),
    ("*", ""),
    ("**", ""),
    ("*post", "post"),
    ("in*side", "(in side)"),
    ("well-kn*", "(well kn)*"),
    ("C++*", "C"),
    ('"pre*"', "+pre"),
    # title
    ("title:word", "+title=word"),
    ("TITLE:word", "+title=word"),
    ('title:"two words"', "+title=(two words)"),
    ("-title:word", "-title=word"),
    ("title:pre*", "+title=pre*"),
    ("title:a OR title:b", "+title=a/title=b"),
    ("title:", "title"),
    ("title: word", "title word"),
    ("title:!!!", ""),
    ('title:"not closed', "+title=not closed"),
    # fields
    ("source:wiki", "+source=wiki"),
    ('source:"my wiki"', "+source=my wiki"),
    ("type:jira", "+type=jira"),
    ("tag:new", "+tag=new"),
    ("-tag:old", "-tag=old"),
    ('-tag:"very old"', "-tag=very old"),
    ("site:docs.example.org", "+site=docs.example.org"),
    ("site:127.0.0.1:8080/a", "+site=127.0.0.1:8080/a"),
    ("tag:a OR tag:b", "+tag=a/tag=b"),
    ("word OR tag:b", "+word/tag=b"),
    ('tag:""', "tag"),
    ('tag:" "', "tag"),
    ("tag:#1", "+tag=#1"),
    ("author:ann", "(author ann)"),
    ('author:"ann b"', "(author ann b)"),
    ("-author:ann", "-(author ann)"),
    # dates
    ("before:2024", "+<1704067200"),
    ("before:2024-05", "+<1714521600"),
    ("after:2024-05-01", "+>=1714521600"),
    ("after:2024-05-01T12:00:00Z", "+>=1714564800"),
    ("after:2024-05-01T12:00:00+02:00", "+>=1714557600"),
    ('before:"2024-05-01 12:00"', "+<1714564800"),
    ("-before:2024", "-<1704067200"),
    ("before:yesterday", "(before yesterday)"),
    ("before:2024-13", "(before 2024 13)"),
    ("after:2024-02-30", "(after 2024 02 30)"),
    ("-after:never", "-(after never)"),
    # case
    ("Word case:match", "Word EXACT"),
    ("CASE:MATCH", "EXACT"),
    ("case:ignore", "(case ignore)"),
    ("-case:match", "-(case match)"),
    ("case:match OR a", "OR a EXACT"),
    # all of it
    (
        '+kafka "exactly once" title:stream -tag:old site:example.org a OR b pre* after:2024',
        "+kafka +(exactly once) +title=stream -tag=old +site=example.org a/b pre* +>=1704067200",
    ),
]


@pytest.mark.parametrize(("text", "meaning"), CASES)
def test_a_query_means(text: str, meaning: str) -> None:
    assert shown(parse(text)) == meaning


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 80


def test_terms_beyond_the_limit_do_not_count_and_it_is_told() -> None:
    query = parse(" ".join(f"w{n}" for n in range(MAX_TERMS + 1)))
    assert query.cut
    assert len(query.clauses) == MAX_TERMS
    assert not parse(" ".join(f"w{n}" for n in range(MAX_TERMS))).cut


def test_text_beyond_the_limit_does_not_count_and_it_is_told() -> None:
    query = parse("a" * MAX_CHARS + " b")
    assert query.cut
    assert query.clauses == (Clause(Sign.SHOULD, (Text("a" * MAX_CHARS),)),)


@pytest.mark.parametrize(
    ("iso", "seconds"),
    [
        ("1970-01-01", 0),
        ("1969-12-31", -86_400),
        ("2024-05-01T12:00:00.5Z", 1714564800.5),
        ("0001-01-01T00:00:00+23:59", None),
        ("9999-12-31T23:59:59-23:59", None),
        ("no date", None),
        ("", None),
    ],
)
def test_a_date_is_a_moment(iso: str, seconds: float | None) -> None:
    found = moment(iso)
    assert found == (seconds * 1_000_000 if seconds is not None else found)
    assert seconds is None or found is not None


PIECES = st.sampled_from(
    ['"', "-", "+", "*", ":", "OR", "AND", " ", "(", ")", "title:", "tag:", "before:", "after:",
     "2024", "case:match", "site:", "a", "word", "ß", "中", "\0", "\ud800", "NEAR", "^", "{", "\\"]
)  # fmt: skip
ANYTHING = st.one_of(st.text(), st.lists(PIECES).map("".join))


@settings(max_examples=300, deadline=None)
@given(ANYTHING)
def test_any_text_is_a_query(text: str) -> None:
    query = parse(text)
    for clause in query.clauses:
        assert clause.terms
        assert all(term.words for term in clause.terms if isinstance(term, Text))
        assert all(
            abs(term.moment) < 2**62 for term in clause.terms if isinstance(term, Before | After)
        )


@pytest.mark.parametrize(
    "piece",
    ['"', "-", "+", "*", ":", "a ", "a:", '"a ', '" ', "OR ", "a OR ", "-a ", "title:", 'tag:"',
     "a" * 50 + ":", "\u0301", "中", "before:2024 ", '"a" ', "((", "ab* "],
)  # fmt: skip
def test_a_query_is_read_within_ten_milliseconds(piece: str) -> None:
    text = piece * (200_000 // len(piece))
    best = min(timed(text) for _ in range(5))
    assert best < 0.01


def timed(text: str) -> float:
    start = time.thread_time()
    parse(text)
    return time.thread_time() - start
