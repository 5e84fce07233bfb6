from __future__ import annotations

from typing import Any

import pytest

from quaero.crawl.scope import CrawlScope, ScopeName, looks_like_trap, select_links
from quaero.errors import BadInput, BadPattern, BadUrl

SEED = "https://docs.example.org/guide/index.html"


@pytest.mark.parametrize(
    ("scope", "seed", "url", "inside"),
    [
        ("host", SEED, "https://docs.example.org/other", True),
        ("host", SEED, "http://docs.example.org/other", True),
        ("host", SEED, "https://docs.example.org:8443/", False),
        ("host", SEED, "https://example.org/", False),
        ("host", SEED, "https://docs.example.org.evil.example/", False),
        ("host", SEED, "https://xdocs.example.org/", False),
        ("host", "http://127.0.0.1:9/", "http://127.0.0.1:9/a", True),
        ("host", "http://127.0.0.1:9/", "http://127.0.0.1:99/a", False),
        ("domain", SEED, "https://example.org/", True),
        ("domain", SEED, "http://a.b.example.org:81/", True),
        ("domain", SEED, "https://example.com/", False),
        ("domain", SEED, "https://notexample.org/", False),
        ("domain", "https://alice.github.io/", "https://bob.github.io/", False),
        ("domain", "https://a.example.co.uk/", "https://other.co.uk/", False),
        ("domain", "http://10.0.0.1/", "http://10.0.0.1:8080/", True),
        ("domain", "http://10.0.0.1/", "http://10.0.0.2/", False),
        ("domain", "http://localhost:1/", "http://localhost:2/", True),
        ("path", SEED, "https://docs.example.org/guide/a/b", True),
        ("path", SEED, "http://docs.example.org/guide/", True),
        ("path", SEED, "https://docs.example.org/guidebook", False),
        ("path", SEED, "https://docs.example.org/guide", False),
        ("path", SEED, "https://docs.example.org/", False),
        ("path", SEED, "https://other.example.org/guide/a", False),
        ("path", "https://x.example/docs", "https://x.example/a", True),
        ("path", "https://x.example/docs/", "https://x.example/a", False),
        ("path", "https://x.example/docs/?p=/a/b", "https://x.example/docs/z", True),
        ("any", SEED, "https://elsewhere.example/", True),
    ],
)
def test_the_scope_is_what_the_seed_stands_for(
    scope: ScopeName, seed: str, url: str, inside: bool
) -> None:
    assert CrawlScope((seed,), scope).refusal(url, 1) == (None if inside else "scope")


@pytest.mark.parametrize(
    ("url", "depth", "reason"),
    [
        ("https://docs.example.org/guide/browse/A1-1", 1, None),
        ("https://docs.example.org/guide/browse/A1-1", 2, None),
        ("https://docs.example.org/guide/browse/A1-1", 3, "depth"),
        ("ftp://docs.example.org/guide/private/a", 9, "scheme"),
        ("https://other.example.org/private/", 9, "scope"),
        ("https://docs.example.org/private/a", 9, "exclude"),
        ("https://docs.example.org/blog/a", 9, "include"),
        ("https://docs.example.org/guide/a", 9, "source"),
        ("https://docs.example.org/guide/issues/?jql=x", 9, "view"),
        ("https://docs.example.org/guide/rest/api/a/a/a", 9, "trap"),
        ("https://docs.example.org/guide/rest/api/a/b/a", 9, "depth"),
    ],
)
def test_the_first_reason_of_the_order_is_given(url: str, depth: int, reason: str | None) -> None:
    scope = CrawlScope(
        (SEED,),
        include=("/guide/*", "*/private/*"),
        exclude=("*/private/*",),
        max_depth=2,
        source_type="jira",
    )
    assert scope.refusal(url, depth) == reason


def test_a_seed_is_refused_by_exclude_only() -> None:
    deep = "https://example.org/" + "a/" * 30
    scope = CrawlScope(
        (deep, "https://example.org/b"), include=("/c/*",), exclude=("/b",), max_depth=0
    )
    assert scope.refusal(deep, 7) is None
    assert scope.refusal("https://example.org/b", 0) == "exclude"
    assert scope.refusal("https://example.org/d", 0) == "include"


def test_seeds_are_stored_canonically_and_once() -> None:
    scope = CrawlScope(("HTTP://Example.org:80", "http://example.org/#a", "http://example.org/b"))
    assert scope.seeds == ("http://example.org/", "http://example.org/b")
    assert scope.is_seed("http://example.org/")
    assert not scope.is_seed("http://example.org/c")


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"seeds": ()}, BadInput, "at least one"),
        ({"seeds": ("nowhere",)}, BadUrl, "'nowhere'"),
        ({"scope": "planet"}, BadInput, "'planet' is none of host, domain, path and any"),
        ({"max_depth": -1}, BadInput, "-1"),
        ({"include": ("re:(",)}, BadPattern, "re:("),
        ({"exclude": ("logout",)}, BadPattern, "logout"),
    ],
)
def test_an_unusable_scope_is_refused(
    change: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error) as caught:
        CrawlScope(**{"seeds": (SEED,), **change})
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("path", "trap"),
    [
        ("", False),
        ("a/b/c", False),
        ("a/b/a/b", False),
        ("a/b/a/b/a", True),
        ("a/a/a", True),
        ("2024/01/01", False),
        ("a//b//c//d", False),
        ("/".join(str(n) for n in range(20)), False),
        ("/".join(str(n) for n in range(21)), True),
        ("x" * 1981, False),
        ("x" * 1982, True),
        ("?a=/x/x/x/x", False),
    ],
)
def test_a_trap_is_known_by_its_form(path: str, trap: bool) -> None:
    assert looks_like_trap(f"http://example.org/{path}") == trap


def follow(*hrefs: str) -> list[tuple[str, bool]]:
    return [(href, False) for href in hrefs]


def test_links_are_admitted_in_document_order_and_once() -> None:
    scope = CrawlScope((SEED,))
    choice = select_links(
        follow(
            "b.html", "/a", "b.html#x", "  b.html\n", "HTTPS://DOCS.example.org/a", "c?utm_id=1"
        ),
        SEED,
        scope,
        1,
    )
    assert choice.admitted == [
        "https://docs.example.org/guide/b.html",
        "https://docs.example.org/a",
        "https://docs.example.org/guide/c",
    ]
    assert choice.refused == {}
    assert choice.samples == {}


def test_links_to_the_page_itself_are_passed_over() -> None:
    scope = CrawlScope((SEED,))
    links = follow("", "#top", "index.html", SEED + "#a")
    assert select_links(links, SEED, scope, 1).admitted == []
    assert select_links(links, SEED, scope, 1).refused == {}


def test_with_a_base_element_the_page_and_not_the_base_is_passed_over() -> None:
    choice = select_links(
        follow("/", "guide/index.html"),
        "https://docs.example.org/",
        CrawlScope((SEED,)),
        1,
        page=SEED,
    )
    assert choice.admitted == ["https://docs.example.org/"]


@pytest.mark.parametrize(
    ("href", "reason"),
    [
        ("mailto:a@example.org", "scheme"),
        ("MAILTO:a@example.org", "scheme"),
        ("javascript:void(0)", "scheme"),
        (" javascript:void(0)", "scheme"),
        ("tel:+49", "scheme"),
        ("data:text/html,x", "scheme"),
        ("ftp://docs.example.org/", "scheme"),
        ("http://", "invalid"),
        ("https://docs.example.org:99999/", "invalid"),
        ("/a\0b", "invalid"),
        ("https://u:p@docs.example.org/", "invalid"),
        ("/logo.PNG", "asset"),
        ("/fonts/a.woff2?v=1", "asset"),
        ("/release-1.2.tar.gz", "asset"),
        ("style.css", "asset"),
        ("/app.min.js", "asset"),
        ("https://elsewhere.example/film.mp4", "asset"),
        ("https://elsewhere.example/", "scope"),
        ("/private/", "exclude"),
        ("/x/x/x/", "trap"),
    ],
)
def test_a_refused_link_is_counted_with_a_sample(href: str, reason: str) -> None:
    choice = select_links(follow(href), SEED, CrawlScope((SEED,), exclude=("/private/*",)), 1)
    assert choice.admitted == []
    assert choice.refused == {reason: 1}
    assert len(choice.samples[reason]) == 1
    assert "u:p" not in choice.samples[reason][0]


@pytest.mark.parametrize(
    "href",
    [
        "/manual.pdf", "/report.docx", "/data.json", "/feed.xml", "/png", "/a.html?img=x.png",
        "/wiki/Node.js", "/wiki/File:Logo.svg", "/team/repo/blob/main/app.js", "/.zip/", "/v1.2",
    ],
)  # fmt: skip
def test_what_may_be_a_page_is_no_asset(href: str) -> None:
    assert select_links(follow(href), SEED, CrawlScope((SEED,)), 1).refused == {}


def test_a_host_is_not_taken_for_an_extension() -> None:
    choice = select_links(follow("https://get.zip/"), SEED, CrawlScope((SEED,), "any"), 1)
    assert choice.admitted == ["https://get.zip/"]


def test_a_link_is_nofollow_only_if_it_always_is() -> None:
    choice = select_links(
        [("/a", True), ("/b", True), ("/a", False), ("/b#x", True), ("/c", False), ("/c#y", True)],
        SEED,
        CrawlScope((SEED,)),
        1,
    )
    assert choice.admitted == ["https://docs.example.org/a", "https://docs.example.org/c"]
    assert choice.refused == {"nofollow": 1}
    assert choice.samples == {"nofollow": ["https://docs.example.org/b"]}


def test_samples_are_few_and_short() -> None:
    links = follow(*(f"https://elsewhere.example/{n}/{'x' * 500}" for n in range(9)))
    choice = select_links(links, SEED, CrawlScope((SEED,)), 1)
    assert choice.refused == {"scope": 9}
    assert len(choice.samples["scope"]) == 5
    assert max(map(len, choice.samples["scope"])) <= 201


def test_the_depth_is_that_of_the_pages_linked_to() -> None:
    scope = CrawlScope((SEED,), max_depth=1)
    assert select_links(follow("/a"), SEED, scope, 1).refused == {}
    assert select_links(follow("/a"), SEED, scope, 2).refused == {"depth": 1}


def test_a_seed_is_admitted_even_where_it_looks_like_an_asset() -> None:
    scope = CrawlScope((SEED, "https://docs.example.org/app.js"))
    assert select_links(follow("/app.js"), SEED, scope, 5).refused == {}
