from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quaero.crawl.patterns import Patterns
from quaero.errors import BadPattern

PAGE = "https://docs.example.org/api/v2/list.html?page=2"


@pytest.mark.parametrize(
    ("pattern", "url"),
    [
        ("docs.example.org/api/*", PAGE),
        ("docs.example.org/**", PAGE),
        ("DOCS.Example.ORG/*", PAGE),
        ("*", PAGE),
        ("**", PAGE),
        ("*list*", PAGE),
        ("*.example.org/*", PAGE),
        ("*/api/*", PAGE),
        ("*page=2", PAGE),
        ("/api/*", PAGE),
        ("/api/v?/*", PAGE),
        ("/*/v2/list.html?page=2", PAGE),
        ("/api/v2/list.html*", PAGE),
        ("https://docs.example.org/*", PAGE),
        ("HTTPS://docs.example.org/*", PAGE),
        ("https://*", PAGE),
        ("localhost:8080/*", "http://localhost:8080/a"),
        ("/", "http://example.org/"),
        ("example.org/", "http://example.org/"),
        ("example.or?/", "http://example.org/"),
        ("/wiki/Köln", "https://example.org/wiki/K%C3%B6ln"),
        ("/a b", "https://example.org/a%20b"),
        ("*.köln.example/*", "https://www.xn--kln-sna.example/"),
        ("*Special:*", "https://example.org/wiki/Special:Random"),
        ("*.PDF", "https://example.org/a/B.PDF"),
        ("https://*/Wiki*", "https://example.org/en/Wiki"),
        ("EXAMPLE.org*Talk:*", "https://example.org/wiki/Talk:Main"),
        ("*.Example.ORG/Wiki/*", "https://docs.example.org/Wiki/Main"),
        ("*Köln*", "https://example.org/wiki/K%C3%B6ln"),
        ("/a.b(c)[d]+$", "https://example.org/a.b(c)[d]+$"),
        ("re:/api/", PAGE),
        ("re:^https://docs\\.", PAGE),
        ("re:page=\\d+$", PAGE),
        ("re:(?i)LIST", PAGE),
        ("re:a|b", PAGE),
    ],
)
def test_a_pattern_matches(pattern: str, url: str) -> None:
    assert Patterns([pattern]).match(url)


@pytest.mark.parametrize(
    ("pattern", "url"),
    [
        ("docs.example.org/api", PAGE),
        ("docs.example.org/api/", PAGE),
        ("example.org/*", PAGE),
        ("http://docs.example.org/*", PAGE),
        ("/API/*", PAGE),
        ("*/API/*", PAGE),
        ("/v2/*", PAGE),
        ("/api/v2/list.html", PAGE),
        ("/api/v??/*", PAGE),
        ("/api/v2/listxhtml*", PAGE),
        ("/a", "https://example.org/a/b"),
        ("/x", "https://example.org/a/x"),
        ("a*/b", "https://example.org/a/b"),
        ("re:^docs", PAGE),
        ("re:API", PAGE),
        ("re:\\.php$", PAGE),
    ],
)
def test_a_pattern_does_not_match(pattern: str, url: str) -> None:
    assert not Patterns([pattern]).match(url)


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("", "empty"),
        ("re:", "empty"),
        ("logout", "Write '*logout*'"),
        ("example.org", "'example.org/*' for all of a host"),
        ("https://example.org", "matches no address"),
        ("re:(", "missing )"),
        ("re:*", "no argument for repetition"),
        ("re:[z-a]", "invalid character class range"),
        ("re:a{5000}", "invalid repetition size"),
        ("re:((((a{100}){100}){100}){100})", "not a regular expression"),
        ("re:(?=a)b", "look-around and back-references are not supported"),
        ("re:(?!a)b", "look-around and back-references are not supported"),
        ("re:(?<=a)b", "look-around and back-references are not supported"),
        ("re:(?<!a)b", "look-around and back-references are not supported"),
        ("re:(a)\\1", "look-around and back-references are not supported"),
        ("re:(?P<x>a)(?P=x)", "look-around and back-references are not supported"),
        ("re:a\\Z", "invalid escape sequence"),
        ("re:\\pL{900}", "pattern too large"),
        ("re:a)|(b", "not a regular expression"),
        ("re:\ud800", "not valid text"),
        ("/\ud800", "not valid text"),
    ],
)
def test_a_bad_pattern_is_refused_with_a_way_out(pattern: str, says: str) -> None:
    with pytest.raises(BadPattern) as caught:
        Patterns(["/good/*", pattern])
    message = str(caught.value)
    assert says in message
    assert "(b'" not in message.replace(pattern, "")
    if pattern not in {"", "re:"}:
        assert repr(pattern) in message


def test_any_of_a_list_is_enough() -> None:
    patterns = Patterns(["/a/*", "re:(?i)B$", "*c*"])
    assert patterns.texts == ("/a/*", "re:(?i)B$", "*c*")
    assert [
        patterns.match(f"https://x.example/{path}") for path in ("a/1", "b", "c", "d", "A/1")
    ] == [
        True,
        True,
        True,
        False,
        False,
    ]


def test_an_empty_list_matches_nothing() -> None:
    assert not Patterns([])
    assert not Patterns([]).match(PAGE)
    assert Patterns(["*"])


def test_a_list_that_is_too_large_is_refused() -> None:
    with pytest.raises(BadPattern, match="together too large"):
        Patterns([f"re:{n}[^a-z]{{900}}" for n in range(200)])


def test_hostile_patterns_take_linear_time() -> None:
    patterns = Patterns(["re:(a+)+$", "re:(a|aa)*b", "*a" * 50 + "!", "re:(.*)(.*)(.*)(.*)x=1"])
    url = "https://example.org/" + "a" * 8000 + "c"
    before = time.process_time()
    assert not patterns.match(url)
    assert time.process_time() - before < 2.0


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_text_is_a_pattern_or_a_bad_pattern(text: str, path: str) -> None:
    for pattern in (text, f"/{text}", f"re:{text}"):
        try:
            patterns = Patterns([pattern])
        except BadPattern:
            continue
        patterns.match("https://example.org/" + path.encode(errors="replace").decode())


@given(st.text(alphabet="ab*?/", min_size=1, max_size=8), st.text(alphabet="ab/", max_size=8))
def test_a_glob_means_what_its_definition_says(glob: str, path: str) -> None:
    def fits(glob: str, text: str) -> bool:
        if not glob:
            return not text
        if glob[0] == "*":
            return any(fits(glob[1:], text[start:]) for start in range(len(text) + 1))
        return bool(text) and glob[0] in {"?", text[0]} and fits(glob[1:], text[1:])

    assert Patterns([f"/{glob}"]).match(f"https://example.org/{path}") == fits(glob, path)
