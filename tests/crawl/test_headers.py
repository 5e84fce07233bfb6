"""Header values of all kinds are read as their standards say."""

import time

import pytest

from quaero.crawl.headers import canonical_link, media_type

BASE = "https://docs.example.org/guide/page"


@pytest.mark.parametrize(
    ("value", "target"),
    [
        ('</main>; rel="canonical"', "https://docs.example.org/main"),
        ("<main>;rel=canonical", "https://docs.example.org/guide/main"),
        ("<a>; rel=prev, <b> ; REL = Canonical", "https://docs.example.org/guide/b"),
        ('<a>; rel="next canonical"; title="x"', "https://docs.example.org/guide/a"),
        ('<a>; title="; rel=x, <b>"; rel=canonical', "https://docs.example.org/guide/a"),
        ("<https://other.example/a,b;c>; rel=canonical", "https://other.example/a,b;c"),
        # other relations, of other pages, to what is no page
        ('<a>; title="x, <b>; rel=canonical"; rel=next', None),
        ('<a>; rel="not-canonical"', None),
        ("<a>; rel=canonicals", None),
        ("<a>; rel=next; rel=canonical", None),
        ('<a>; rel=canonical; anchor="/other"', None),
        ("<mailto:a@example.org>; rel=canonical", None),
        ("<javascript:x>; rel=canonical", None),
        ("<http://[>; rel=canonical", None),
        ("/main; rel=canonical", None),
        ("", None),
    ],
)
def test_the_canonical_link_is_found_by_its_relation(value, target):
    assert canonical_link([value], BASE) == target


@pytest.mark.parametrize("value", ["<" * 60_000, "<a>" + ";x" * 30_000, "<a>;" + ' ="' * 20_000])
def test_a_hostile_link_header_takes_linear_time(value):
    before = time.process_time()
    assert canonical_link([value], BASE) is None
    assert time.process_time() - before < 2.0


@pytest.mark.parametrize(
    ("content_type", "named"),
    [
        ("text/html", "text/html"),
        (" Text/HTML ; charset=utf-8", "text/html"),
        ("text/html;charset=a,b", "text/html"),
        ("text/plain, text/html; charset=utf-8", "text/html"),
        ("application/pdf", "application/pdf"),
        (None, ""),
        ("", ""),
        ("; charset=utf-8", ""),
        ("html", ""),
        ("*/*", ""),
        ("unknown/unknown", ""),
        ("application/unknown", ""),
    ],
)
def test_a_type_is_what_its_header_names_and_none_where_the_server_does_not_know(
    content_type, named
):
    assert media_type(content_type) == named
