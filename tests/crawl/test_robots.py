from __future__ import annotations

import time
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quaero.crawl.robots import Robots


def allowed(body: str | bytes, path: str, agent: str = "quaero") -> bool:
    raw = body.encode() if isinstance(body, str) else body
    return Robots.parse(raw).allowed(f"https://example.org{path}", agent)


def rules(*lines: str) -> str:
    return "User-agent: *\n" + "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("body", "path", "expected"),
    [
        # RFC 9309, 2.2.2: no rule, no match, an empty rule
        ("", "/a", True),
        (rules(), "/a", True),
        (rules("Disallow:"), "/a", True),
        (rules("Disallow: ", "Allow: "), "/a", True),
        (rules("Disallow: /"), "/", False),
        (rules("Disallow: /"), "/a?b", False),
        (rules("Disallow: /b"), "/a", True),
        (rules("Disallow: a"), "/a", True),
        # prefixes, case, slashes
        (rules("Disallow: /fish"), "/fish", False),
        (rules("Disallow: /fish"), "/fish.html", False),
        (rules("Disallow: /fish"), "/fish/salmon", False),
        (rules("Disallow: /fish"), "/fishheads?x", False),
        (rules("Disallow: /fish"), "/Fish", True),
        (rules("Disallow: /fish"), "/catfish", True),
        (rules("Disallow: /fish"), "/?id=fish", True),
        (rules("Disallow: /fish/"), "/fish", True),
        (rules("Disallow: /fish/"), "/fish/?x", False),
        (rules("Disallow: /fish/"), "/fish.html", True),
        # the longest match wins, allow wins a tie, in any order
        (rules("Allow: /p", "Disallow: /"), "/page", True),
        (rules("Disallow: /", "Allow: /p"), "/page", True),
        (rules("Allow: /folder", "Disallow: /folder"), "/folder/page", True),
        (rules("Disallow: /folder", "Allow: /folder"), "/folder/page", True),
        (rules("Disallow: /x/page.html", "Allow: /x/"), "/x/page.html", False),
        (rules("Allow: /x/page.html", "Disallow: /x/"), "/x/", False),
        (rules("Allow: /page", "Disallow: /*.htm"), "/page.htm", False),
        (rules("Allow: /page", "Disallow: /*.ph"), "/page.php5", True),
        (rules("Allow: /$", "Disallow: /"), "/", True),
        (rules("Allow: /$", "Disallow: /"), "/page.htm", False),
        (rules("Allow: /a/*/c", "Disallow: /a/b/c/d"), "/a/b/c/d", False),
        (rules("Allow: /a/*/c/d", "Disallow: /a/b/c"), "/a/b/c/d", True),
        (rules("Disallow: /*a", "Disallow: /*aa", "Allow: /*bb"), "/aabb", True),
        # wildcards (2.2.3)
        (rules("Disallow: *"), "/a", False),
        (rules("Disallow: /fish*"), "/fishheads", False),
        (rules("Disallow: /fish*"), "/catfish", True),
        (rules("Disallow: /*.php"), "/a/b.php", False),
        (rules("Disallow: /*.php"), "/b.php?x", False),
        (rules("Disallow: /*.php"), "/?b.php/", False),
        (rules("Disallow: /*.php"), "/b.PHP", True),
        (rules("Disallow: *.php"), "/b.php", False),
        (rules("Disallow: /fish*.php"), "/fishheads/catfish.php?x", False),
        (rules("Disallow: /a*b*c"), "/axbxc", False),
        (rules("Disallow: /a*b*c"), "/acb", True),
        (rules("Disallow: /a***b"), "/ab", False),
        (rules("Disallow: /*/*/*"), "/a/b", True),
        (rules("Disallow: /*/*/*"), "/a/b/", False),
        # the end
        (rules("Disallow: /*.php$"), "/a.php", False),
        (rules("Disallow: /*.php$"), "/a.php?x", True),
        (rules("Disallow: /*.php$"), "/a.php5", True),
        (rules("Disallow: /*.php$"), "/a.php.php", False),
        (rules("Disallow: /a$"), "/a", False),
        (rules("Disallow: /a$"), "/a/", True),
        (rules("Disallow: /a*$"), "/abc", False),
        (rules("Disallow: /a*a$"), "/a", True),
        (rules("Disallow: /a$b"), "/a$b", False),
        (rules("Disallow: /a$b"), "/a", True),
        (rules("Disallow: /a$$"), "/a$", False),
        # escapes (2.2.2)
        (rules("Disallow: /ツ"), "/%E3%83%84", False),
        (rules("Disallow: /%e3%83%84"), "/%E3%83%84", False),
        (rules("Disallow: /%62%61%7A"), "/baz", False),
        (rules("Disallow: /~joe"), "/~joe/", False),
        (rules("Disallow: /%7Ejoe"), "/~joe/", False),
        (rules("Disallow: /a%2Fb"), "/a/b", True),
        (rules("Disallow: /a%2fb"), "/a%2Fb", False),
        (rules("Disallow: /a b"), "/a%20b", False),
        (rules("Disallow: /a%2Ab"), "/a*b", False),
        (rules("Disallow: /a%2Ab"), "/axb", True),
        (rules("Disallow: /a%24"), "/a$b", False),
        (rules("Disallow: /?q=http://x.example/?y&z"), "/?q=http://x.example/?y&z", False),
        (rules("Disallow: /|{}"), "/|{}", False),
        (b"User-agent: *\nDisallow: /\xe9", "/%E9", False),
        # the file itself (2.2.2)
        (rules("Disallow: /"), "/robots.txt", True),
        (rules("Disallow: /"), "/robots.txt?x", True),
        (rules("Disallow: /"), "/robots.txt.bak", False),
        (rules("Disallow: /"), "/a/robots.txt", False),
        # index.html stands for its directory
        (rules("Allow: /a/index.html", "Disallow: /"), "/a/", True),
        (rules("Allow: /a/index.html", "Disallow: /"), "/a/index.html", True),
        (rules("Allow: /a/index.html", "Disallow: /"), "/a/index.htm", False),
        (rules("Allow: /a/index.html", "Disallow: /"), "/a/b", False),
        (rules("Disallow: /a/index.html"), "/a/", True),
    ],
)
def test_a_path_is_allowed_as_the_standard_says(
    body: str | bytes, path: str, expected: bool
) -> None:
    assert allowed(body, path) == expected


@pytest.mark.parametrize(
    "body",
    [
        "User-agent: *\nDisallow: /x",
        "User-agent: *\r\nDisallow: /x\r\n",
        "User-agent: *\rDisallow: /x\r",
        "User-agent: *\n\n\nDisallow: /x\n",
        "USER-AGENT: *\nDISALLOW: /x",
        "  user-agent \t:*  \n\tdisallow\t:\t/x  ",
        "User-agent: *#all\nDisallow: /x # this",
        "User-agent: * # all\nDisallow: /x#y",
        "\ufeffUser-agent: *\nDisallow: /x",
        b"\xef\xbb" + b"User-agent: *\nDisallow: /x",
        b"\xefUser-agent: *\nDisallow: /x",
        "User-agent: *\nDisallow: /x".encode("utf-16"),
        b"\xfe\xff" + "User-agent: *\nDisallow: /x".encode("utf-16-be"),
        "User-agent *\nDisallow /x",
        "User agent: *\nDisallow: /x",
        "Useragent: *\nDisallow: /x",
        "User-agent: *\nDissallow: /x",
        "User-agent: *\nDissalow: /x",
        "User-agent: *\nDisalow: /x",
        "User-agent: *\nDiasllow: /x",
        "User-agent: *\nDisallaw: /x",
        "<html>\nUser-agent: *\n<p>\nDisallow: /x\n</p>",
        "User-agent: *\nNoindex: /y\nHost: example.org\nDisallow: /x",
        "User-agent: *\nSitemap: https://example.org/s.xml\nDisallow: /x",
        "User-agent: * everybody\nDisallow: /x",
        "User-agent: quaero\nDisallow: /x",
        "User-agent: QUAERO\nDisallow: /x",
        "User-agent: Quaero/1.0\nDisallow: /x",
        "User-agent: Quaero Images\nDisallow: /x",
        "User-agent: other\nUser-agent: quaero\nDisallow: /x",
        "User-agent: quaero\nUser-agent: other\nDisallow: /x",
        "User-agent: quaero\nCrawl-delay: 1\nUser-agent: other\nDisallow: /x",
        "User-agent: quaero\nSitemap: s\nUser-agent: other\nDisallow: /x",
        "User-agent: quaero\nAllow: /y\nUser-agent: *\nDisallow: /\nUser-agent:quaero\nDisallow:/x",
        "User-agent: *\nDisallow: /\nUser-agent: quaero\nDisallow: /x",
        "Disallow: /\nUser-agent: *\nDisallow: /x",
        "User-agent: q\nDisallow: /\nUser-agent: *\nDisallow: /x",
        "User-agent: *\nDisallow: /x\nUser-agent: quaeroextra\nDisallow: /",
    ],
)
def test_a_file_of_any_make_is_understood(body: str | bytes) -> None:
    assert not allowed(body, "/x/1")
    assert allowed(body, "/y")


@pytest.mark.parametrize(
    "body",
    [
        "foo: *\nbar: /x",
        "User-agent: *\nDisallow : : /x",
        "User-agent: *\nDisallow /x y",
        "User-agent: *\nDis allow: /x",
        "User-agent: *\nDisalllow: /x",
        "User-agent: *\n# Disallow: /x",
        "User-agent: *\n: /x",
        "User-agent: *foo\nDisallow: /x",
        "User-agent:\nDisallow: /x",
        "User-agent: *\nDisallow: /\nUser-agent: quaero\n",
        "User-agent: *\nDisallow: /\nUser-agent: quaero\nDisallow:",
        "User-agent: quaero\nUser-agent: *\nAllow: /\nUser-agent: x\nDisallow: /x",
        "\n\ufeffUser-agent: *\nDisallow: /x",
        b"\xef\x11\xbfUser-agent: *\nDisallow: /x",
        b"\x00\x01\x02\xff" * 100,
    ],
)
def test_what_says_nothing_to_us_forbids_nothing(body: str | bytes) -> None:
    assert allowed(body, "/x/1")


def test_the_agent_may_be_a_whole_header() -> None:
    body = "User-agent: quaero\nDisallow: /x\nUser-agent: *\nDisallow: /y"
    agent = "Quaero/0.1 (+https://example.org/bot)"
    assert not allowed(body, "/x", agent)
    assert allowed(body, "/y", agent)
    assert allowed(body, "/x", "Mozilla/5.0")
    assert not allowed(body, "/y", "")


def test_each_agent_has_its_own_group() -> None:
    body = (
        "User-agent: foobot\nDisallow: /\nAllow: /x/\n"
        "User-agent: barbot\nDisallow: /\nAllow: /y/\n\n\nAllow: /w/\n"
        "User-agent: bazbot\n\nUser-agent: foobot\nAllow: /z/\nDisallow: /\n"
    )
    seen = {
        agent: "".join(name for name in "wxyz" if allowed(body, f"/{name}/", agent))
        for agent in ("foobot", "barbot", "bazbot", "quxbot")
    }
    assert seen == {"foobot": "xz", "barbot": "wy", "bazbot": "z", "quxbot": "wxyz"}


def test_only_the_first_bytes_are_read_and_no_half_line() -> None:
    body = b"User-agent: *\nDisallow: /private\nDisallow: /more\n"
    cut_in_line = Robots.parse(body, limit=26)
    assert cut_in_line.allowed("https://example.org/a", "quaero")
    assert not Robots.parse(body, limit=33).allowed("https://example.org/private", "quaero")
    assert Robots.parse(body, limit=33).allowed("https://example.org/more", "quaero")
    padded = b"#" * (600 * 1024) + b"\n" + body
    assert Robots.parse(padded).allowed("https://example.org/private", "quaero")


def test_a_rule_near_the_end_of_500_kib_is_read() -> None:
    body = b"User-agent: *\n" + b"Disallow: /a\n" * 38_000 + b"Disallow: /last\n"
    assert 480 * 1024 < len(body) < 500 * 1024
    assert not Robots.parse(body).allowed("https://example.org/last", "quaero")


def test_an_endless_line_is_cut() -> None:
    long = "/x/" + "a" * 20_000
    assert allowed(rules(f"Disallow: {long}"), "/x/a")
    assert not allowed(rules(f"Disallow: {long}"), "/x/" + "a" * 17_000)


@pytest.mark.parametrize(
    ("body", "agent", "delay"),
    [
        ("", "quaero", None),
        (rules("Disallow: /x"), "quaero", None),
        (rules("Crawl-delay: 5"), "quaero", 5.0),
        (rules("crawl-delay: 0.5"), "quaero", 0.5),
        (rules("Crawl-delay: .25 # short"), "quaero", 0.25),
        (rules("Crawl-delay: 10s"), "quaero", 10.0),
        (rules("Crawl-delay: 0"), "quaero", 0.0),
        (rules("Crawl-delay: -1"), "quaero", None),
        (rules("Crawl-delay: inf"), "quaero", None),
        (rules("Crawl-delay: soon"), "quaero", None),
        (rules("Crawl-delay: 2", "Crawl-delay: 7", "Crawl-delay: 3"), "quaero", 7.0),
        ("Crawl-delay: 5\nUser-agent: *\nDisallow:", "quaero", None),
        ("User-agent: *\nCrawl-delay: 5\nUser-agent: quaero\nDisallow:", "quaero", None),
        ("User-agent: *\nCrawl-delay: 5\nUser-agent: quaero\nDisallow:", "other", 5.0),
        ("User-agent: *\nCrawl-delay: 5\nDisallow:\nUser-agent: quaero\nDisallow:", "quaero", None),
        ("User-agent: quaero\nCrawl-delay: 2\nDisallow:\nUser-agent: *\nCrawl-delay: 9", "x", 9.0),
    ],
)
def test_the_crawl_delay_is_that_of_the_group(body: str, agent: str, delay: float | None) -> None:
    assert Robots.parse(body.encode()).crawl_delay(agent) == delay


def test_sitemaps_belong_to_no_group_and_are_as_written() -> None:
    body = b"Sitemap: https://example.org/a.xml\nUser-agent: x\nSITEMAP:/b.xml#c\nSite-map: c.xml\n"
    assert Robots.parse(body).sitemaps == ("https://example.org/a.xml", "/b.xml", "c.xml")


@pytest.mark.parametrize(
    ("status", "expected", "temporary"),
    [
        (200, False, False),
        (206, False, False),
        (301, True, False),
        (400, True, False),
        (401, True, False),
        (403, True, False),
        (404, True, False),
        (410, True, False),
        (429, False, True),
        (500, False, True),
        (503, False, True),
        (599, False, True),
        (None, False, True),
    ],
)
def test_the_answer_decides_where_there_is_no_file(
    status: int | None, expected: bool, temporary: bool
) -> None:
    robots = Robots.from_status(status, b"User-agent: *\nDisallow: /x\n")
    assert robots.allowed("https://example.org/x", "quaero") == expected
    assert robots.temporary == temporary


def test_the_kept_body_means_the_same_again() -> None:
    for robots in (Robots.parse(b"User-agent: *\nDisallow: /x\n"), Robots.from_status(503)):
        again = Robots.parse(robots.body)
        assert not again.allowed("https://example.org/x", "quaero")


def test_many_agents_with_many_rules_take_no_more_than_their_lines() -> None:
    names = ["User-agent: " + "".join(each) for each in product("abcdefgh", repeat=4)]
    rules = [f"Disallow: /{n}\nCrawl-delay: {n % 7}" for n in range(4_000)]
    before = time.process_time()
    robots = Robots.parse("\n".join([*names, *rules]).encode())
    assert not robots.allowed("https://example.org/3999", "aaaa")
    assert robots.allowed("https://example.org/3999", "quaero")
    assert robots.crawl_delay("aaaa") == 6
    assert time.process_time() - before < 1.0


def test_stars_without_end_take_linear_time() -> None:
    robots = Robots.parse(
        rules("Disallow: /" + "*a" * 4000 + "b", "Disallow: " + "*" * 9000).encode()
    )
    before = time.process_time()
    assert not robots.allowed("https://example.org/" + "a" * 8000, "quaero")
    assert time.process_time() - before < 1.0


@given(st.text(alphabet="ab*$/", max_size=8), st.text(alphabet="ab$/", max_size=8))
def test_a_rule_means_what_its_definition_says(pattern: str, path: str) -> None:
    def matches(pattern: str, path: str) -> bool:
        if not pattern:
            return True
        if pattern == "$":
            return not path
        if pattern[0] == "*":
            return any(matches(pattern[1:], path[start:]) for start in range(len(path) + 1))
        return bool(path) and pattern[0] == path[0] and matches(pattern[1:], path[1:])

    expected = not matches(f"/{pattern}", f"/{path}")
    assert allowed(rules(f"Disallow: /{pattern}"), f"/{path}") == expected


@given(st.binary(max_size=200))
def test_no_file_is_an_error(body: bytes) -> None:
    robots = Robots.parse(b"User-agent: *\n" + body)
    robots.allowed("https://example.org/a", "quaero")
    robots.crawl_delay("quaero")
