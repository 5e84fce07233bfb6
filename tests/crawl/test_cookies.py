"""Cookies and headers: what the command line takes, and where it is sent."""

from dataclasses import replace

import pytest

from quaero.clock import LAST_SECOND
from quaero.crawl.cookie_date import cookie_date
from quaero.crawl.cookie_file import parse_headers, read_cookie_file
from quaero.crawl.cookies import Cookie, ScopedCredentials, is_public_suffix, parse_set_cookie
from quaero.errors import BadInput

SECOND = 1_000_000
NOW = 1_800_000_000 * SECOND
LATEST = LAST_SECOND * SECOND
SECRET = "s3cret-value"


def cookie(name="sid", value="1", domain="example.org", **more):
    return Cookie(name=name, value=value, domain=domain, **more)


def sent(url, *cookies, seeds=("https://example.org/",), now=NOW):
    return ScopedCredentials(seeds, cookies).headers_for(url, now).get("Cookie")


# Where a cookie goes (RFC 6265 5.4)


@pytest.mark.parametrize(
    ("domain", "host_only", "url", "goes"),
    [
        ("example.org", True, "https://example.org/", True),
        ("example.org", True, "https://www.example.org/", False),
        ("example.org", True, "https://example.org:8443/", True),
        ("example.org", False, "https://example.org/", True),
        ("example.org", False, "https://www.example.org/", True),
        ("example.org", False, "https://a.b.example.org/", True),
        ("example.org", False, "https://badexample.org/", False),
        ("example.org", False, "https://example.org.evil.net/", False),
        ("www.example.org", False, "https://example.org/", False),
        ("www.example.org", False, "https://api.example.org/", False),
        ("example.org", False, "https://evil.net/?example.org", False),
        ("127.0.0.1", True, "https://127.0.0.1:8000/", True),
        ("0.0.1", False, "https://127.0.0.1/", False),
        ("localhost", True, "https://localhost:8000/", True),
    ],
)
def test_a_cookie_goes_to_its_domain_only(domain, host_only, url, goes):
    assert (sent(url, cookie(domain=domain, host_only=host_only)) is not None) is goes


@pytest.mark.parametrize(
    ("cookie_path", "path", "goes"),
    [
        ("/", "/", True),
        ("/", "/a/b", True),
        ("/a", "/a", True),
        ("/a", "/a/", True),
        ("/a", "/a/b", True),
        ("/a", "/ab", False),
        ("/a", "/", False),
        ("/a/", "/a/b", True),
        ("/a/", "/a", False),
        ("/a", "/a?x=/a", True),
    ],
)
def test_a_cookie_goes_below_its_path_only(cookie_path, path, goes):
    given = sent("https://example.org" + path, cookie(path=cookie_path))
    assert (given is not None) is goes


@pytest.mark.parametrize(
    ("url", "goes"),
    [
        ("https://example.org/", True),
        ("http://example.org/", False),
        ("http://example.org:443/", False),
    ],
)
def test_a_secure_cookie_goes_over_https_only(url, goes):
    assert (sent(url, cookie(secure=True)) is not None) is goes


def test_localhost_over_http_is_not_secure():
    at_home = cookie(domain="localhost", secure=True)
    assert sent("http://localhost/", at_home) is None


@pytest.mark.parametrize(
    ("expires", "goes"),
    [(None, True), (NOW + 1, True), (NOW, False), (NOW - SECOND, False)],
)
def test_an_expired_cookie_stays(expires, goes):
    assert (sent("https://example.org/", cookie(expires=expires)) is not None) is goes


def test_cookies_come_with_the_longest_path_first_and_else_in_their_order():
    cookies = [
        cookie("a", path="/"),
        cookie("b", path="/x/y"),
        cookie("c", path="/"),
        cookie("d", path="/x"),
        cookie("e", domain="example.org", host_only=False),
    ]
    assert sent("https://example.org/x/y", *cookies) == "b=1; d=1; a=1; c=1; e=1"


def test_a_cookie_does_not_show_its_value():
    assert SECRET not in repr(cookie(value=SECRET))


# What sites set


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a=b", cookie("a", "b")),
        (" a = b ; Secure; HttpOnly", cookie("a", "b", secure=True)),
        ("a=", cookie("a", "")),
        ("a=b=c", cookie("a", "b=c")),
        ('a="b c"', cookie("a", '"b c"')),
        ("a=b; Path=/x", cookie("a", "b", path="/x")),
        ("a=b; path=x", cookie("a", "b", path="/docs")),
        ("a=b; Max-Age=60", cookie("a", "b", expires=NOW + 60 * SECOND)),
        ("a=b; max-age=0", cookie("a", "b", expires=NOW)),
        ("a=b; Max-Age=-1", cookie("a", "b", expires=NOW)),
        ("a=b; Max-Age=999999999999", cookie("a", "b", expires=LATEST)),
        ("a=b; Expires=Fri, 31 Dec 9999 23:59:59 GMT", cookie("a", "b", expires=LATEST)),
        ("a=b; Max-Age=soon", cookie("a", "b")),
        ("a=b; Expires=Fri, 15 Jan 2027 08:01:00 GMT", cookie("a", "b", expires=NOW + 60 * SECOND)),
        ("a=b; Expires=Friday, 15-Jan-27 08:01:00", cookie("a", "b", expires=NOW + 60 * SECOND)),
        ("a=b; Expires=Fri Jan 15 08:01:00 2027", cookie("a", "b", expires=NOW + 60 * SECOND)),
        ("a=b; Expires=never", cookie("a", "b")),
        (
            "a=b; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=5",
            cookie("a", "b", expires=NOW + 5 * SECOND),
        ),
        ("a=b; Domain=.example.org", cookie("a", "b")),
        ("a=b; Domain=example.com", None),
        ("a=b; Domain=sub.example.org", None),
        ("a=b; Domain=ample.org", None),
        ("a=b; Domain=org", None),
        ("a", None),
        ("=b", None),
        ("", None),
        ("a b,c=d", cookie("a b,c", "d")),
        ("a\tb=c", None),
        ("a=b\x01", None),
        ("a=" + "x" * 5000, None),
    ],
)
def test_set_cookie_is_read_as_browsers_do(value, expected):
    if expected is not None and "path" not in value.lower():
        expected = replace(expected, path="/docs")
    assert parse_set_cookie(value, "example.org", "/docs/page", NOW) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Fri, 15 Jan 2027 08:00:00 GMT", NOW),
        ("Friday, 15-Jan-27 08:00:00 GMT", NOW),
        ("Fri Jan 15 08:00:00 2027", NOW),
        # the words in any order, with any marks between them, shortened or written out
        ("2027 january 15 8:0:0", NOW),
        ("08:00:00 15/JAN/2027", NOW),
        ("Freitag, 15. Jan. 27 08:00:00", NOW),
        ('"Fri, 15-Jan-27";"08:00:00";"GMT"', NOW),
        # browsers take every date for GMT
        ("Fri, 15 Jan 2027 08:00:00 +0100", NOW),
        ("Fri, 15 Jan 2027 08:00:00 GMT-0400 (EDT)", NOW),
        # two digits of the year
        ("Thu, 01-Jan-70 00:00:00 GMT", 0),
        ("Mon, 01-Jan-69 00:00:00 GMT", 3_124_224_000 * SECOND),
        # none at all
        ("Fri, 15 Jan 2027", None),
        ("Fri, 15 2027 08:00:00", None),
        ("Fri, 015-Jan-2027 08:00:00", None),
        ("Mon, 31 Feb 2027 08:00:00", None),
        ("Fri, 15 Jan 2027 24:00:00", None),
        ("Fri, 15 Jan 1600 08:00:00", None),
        ("0", None),
        ("", None),
    ],
)
def test_an_expiry_is_the_moment_that_browsers_read(text, expected):
    assert cookie_date(text) == expected


def test_what_a_host_sets_comes_back_to_this_host_only():
    login = ScopedCredentials(["https://www.example.org/"])
    login.remember("https://www.example.org/in", ["sid=new; Domain=example.org; Path=/"], NOW)
    assert login.headers_for("https://www.example.org/x", NOW) == {"Cookie": "sid=new"}
    assert login.headers_for("https://example.org/", NOW) == {}
    assert login.headers_for("https://other.example.org/", NOW) == {}


def test_what_a_site_sets_replaces_what_was_given_and_may_delete_it():
    login = ScopedCredentials(
        ["https://example.org/"],
        [cookie("sid", "old", host_only=False), cookie("keep", "1")],
    )
    at = "https://example.org/"
    login.remember(at, ["sid=new; Path=/; Max-Age=60", "extra=2"], NOW)
    assert login.headers_for(at, NOW) == {"Cookie": "keep=1; sid=new; extra=2"}
    login.remember(at, ["sid=gone; Path=/; Max-Age=0"], NOW)
    assert login.headers_for(at, NOW) == {"Cookie": "keep=1; extra=2"}


def test_a_secure_cookie_set_over_http_is_ignored():
    login = ScopedCredentials([])
    login.remember("http://example.org/", ["a=1; Secure", "b=2"], NOW)
    assert login.headers_for("https://example.org/", NOW) == {"Cookie": "b=2"}


def test_the_memory_for_cookies_is_bounded():
    login = ScopedCredentials([])
    login.remember("http://example.org/", [f"c{n}=1" for n in range(60)], NOW)
    kept = login.headers_for("http://example.org/", NOW)["Cookie"]
    assert kept.count("=") == 50
    assert "c59=" in kept
    for n in range(1000):
        login.remember(f"http://host{n}.example/", ["a=1"], NOW)
    assert login.headers_for("http://example.org/", NOW) == {}
    assert login.headers_for("http://host0.example/", NOW) == {"Cookie": "a=1"}


# Where a header goes


@pytest.mark.parametrize(
    ("seed", "url", "goes"),
    [
        ("https://docs.example.org/a", "https://docs.example.org/b", True),
        ("https://docs.example.org/a", "https://example.org/", True),
        ("https://docs.example.org/a", "https://api.example.org:8443/", True),
        ("https://docs.example.org/a", "http://docs.example.org/a", False),
        ("http://docs.example.org/a", "https://docs.example.org/a", True),
        ("http://docs.example.org/a", "http://docs.example.org/a", True),
        ("https://docs.example.org/a", "https://example.com/", False),
        ("https://docs.example.org/a", "https://badexample.org/", False),
        ("https://a.co.uk/", "https://b.co.uk/", False),
        ("https://me.github.io/", "https://you.github.io/", False),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000/x", True),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8001/", False),
        ("http://127.0.0.1/", "http://127.0.0.1:80/", True),
        ("http://localhost:8000/", "http://localhost:9000/", False),
        ("http://localhost:8000/", "http://127.0.0.1:8000/", False),
        ("http://wiki/", "http://wiki:8080/", False),
        ("http://[::1]:8000/", "http://[::1]:8000/x", True),
        ("http://[::1]:8000/", "http://[::1]:8001/x", False),
        ("http://a.localhost:1/", "http://b.localhost:1/", False),
    ],
)
def test_a_header_goes_to_the_site_of_a_seed_only(seed, url, goes):
    login = ScopedCredentials([seed], headers={"Authorization": SECRET})
    assert ("Authorization" in login.headers_for(url, NOW)) is goes


def test_of_several_seeds_each_has_the_headers():
    login = ScopedCredentials(["https://a.example/", "http://b.example/"], headers={"X-Key": "1"})
    assert login.headers_for("https://a.example/", NOW) == {"X-Key": "1"}
    assert login.headers_for("http://b.example/", NOW) == {"X-Key": "1"}
    assert login.headers_for("https://c.example/", NOW) == {}


def test_a_cookie_header_joins_the_cookies():
    login = ScopedCredentials(["https://example.org/"], [cookie()], {"cookie": "a=b"})
    assert login.headers_for("https://example.org/", NOW) == {"cookie": "a=b; sid=1"}
    login = ScopedCredentials(["https://other.example/"], [cookie()], {"cookie": "a=b"})
    assert login.headers_for("https://example.org/", NOW) == {"Cookie": "sid=1"}


# The command line


def test_headers_are_read_with_their_blanks_taken_off():
    given = ["Authorization:  Bearer a:b ", "X-Key:1"]
    assert parse_headers(given) == {"Authorization": "Bearer a:b", "X-Key": "1"}
    assert parse_headers([]) == {}


@pytest.mark.parametrize(
    "text",
    [
        SECRET,
        f": {SECRET}",
        f"{SECRET} x: y",
        f"X Y: {SECRET}",
        "Authorization:",
        f"X-A: {SECRET}\r\nX-B: 1",
        f"X-A: {SECRET}\nX-B: 1",
        f"X-A: {SECRET}\0",
        f"Host: {SECRET}",
        f"content-length: {SECRET}",
        f"Connection: {SECRET}",
        f"Transfer-Encoding: {SECRET}",
        f"TE: {SECRET}",
        f"Upgrade: {SECRET}",
        f"Accept-Encoding: {SECRET}",
        f"Proxy-Authorization: {SECRET}",
    ],
)
def test_a_header_that_cannot_be_sent_is_an_error_without_its_value(text):
    with pytest.raises(BadInput, match="--header") as caught:
        parse_headers([text])
    assert SECRET not in str(caught.value)


def test_a_header_given_twice_is_an_error():
    with pytest.raises(BadInput, match="x-key is given twice"):
        parse_headers(["X-Key: 1", "x-key: 2"])


FILE = """\
# Netscape HTTP Cookie File
# https://curl.se/docs/http-cookies.html

example.org\tFALSE\t/\tTRUE\t1900000000\tsid\tabc
#HttpOnly_.example.org\tTRUE\t/a\tFALSE\t0\ttoken\tx=y z
.Example.ORG\tTRUE\t/\tfalse\t1900000000.25\tfloat\t
example.org\tFALSE\t/\tFALSE\t-1\tno-value
localhost\tTRUE\t/\tFALSE\t0\tdev\t1
127.0.0.1\tTRUE\t/\tFALSE\t0\tip\t1
"""


@pytest.mark.parametrize(("mark", "line_end"), [("", "\n"), ("", "\r\n"), ("\ufeff", "\r\n")])
def test_a_cookie_file_of_curl_or_a_browser_is_read(tmp_path, mark, line_end):
    file = tmp_path / "cookies.txt"
    file.write_bytes((mark + FILE.replace("\n", line_end)).encode())
    assert read_cookie_file(file) == [
        cookie("sid", "abc", secure=True, expires=1_900_000_000 * SECOND),
        cookie("token", "x=y z", path="/a", host_only=False),
        cookie("float", "", host_only=False, expires=1_900_000_000_250_000),
        cookie("no-value", ""),
        cookie("dev", domain="localhost"),
        cookie("ip", domain="127.0.0.1"),
    ]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (f"example.org FALSE / TRUE 0 sid {SECRET}", "1 fields"),
        (f"example.org\tFALSE\t/\tTRUE\t0\tsid\t{SECRET}\tmore", "8 fields"),
        (f"\tFALSE\t/\tTRUE\t0\tsid\t{SECRET}", "domain"),
        (f"example.org\tmaybe\t/\tTRUE\t0\tsid\t{SECRET}", "second"),
        (f"example.org\tFALSE\tpath\tTRUE\t0\tsid\t{SECRET}", "third"),
        (f"example.org\tFALSE\t/\t1\t0\tsid\t{SECRET}", "fourth"),
        (f"example.org\tFALSE\t/\tTRUE\t{SECRET}\tsid\t{SECRET}", "fifth"),
        (f"example.org\tFALSE\t/\tTRUE\tinf\tsid\t{SECRET}", "fifth"),
        (f"example.org\tFALSE\t/\tTRUE\t0\ts;d{SECRET}\t{SECRET}", "sixth"),
        (f"example.org\tFALSE\t/\tTRUE\t0\tsid\t{SECRET};x", "value"),
        (f"example.org\tFALSE\t/\tTRUE\t0\tsid\t{SECRET}\x00", "value"),
        (f".co.uk\tTRUE\t/\tTRUE\t0\tsid\t{SECRET}", "all of co.uk"),
        (f".github.io\tTRUE\t/\tTRUE\t0\tsid\t{SECRET}", "all of github.io"),
    ],
)
def test_a_bad_line_is_named_without_its_value(tmp_path, line, what):
    file = tmp_path / "cookies.txt"
    file.write_text(f"# comment\n\n{line}\n")
    with pytest.raises(BadInput) as caught:
        read_cookie_file(file)
    assert str(caught.value).startswith(f"{file}:3: ")
    assert what in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "no cookie"),
        (b"# nothing but this\n", "no cookie"),
        (b'[{"name": "sid"}]', "JSON"),
        (b"\xff\xfe\x00", "UTF-8"),
        (bytes(5 * 1024 * 1024 + 1), "5 MiB"),
        (None, "No such file"),
    ],
)
def test_a_file_that_is_no_cookie_file_is_an_error(tmp_path, content, what):
    file = tmp_path / "cookies.txt"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(BadInput, match=what):
        read_cookie_file(file)


@pytest.mark.parametrize(
    ("domain", "shared"),
    [
        ("com", True),
        ("co.uk", True),
        ("github.io", True),
        ("example.org", False),
        ("www.example.org", False),
        ("me.github.io", False),
    ],
)
def test_public_suffixes_are_known(domain, shared):
    assert is_public_suffix(domain) is shared
