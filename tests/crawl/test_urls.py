from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quaero.crawl.urls import MAX_BYTES, canonical, host_key, site, url_hash, without_credentials
from quaero.errors import BadUrl

PIECES = (
    *("%", "%37", "%7", "e", "2", "..", ".", "/", "?", "&", "=", "#", ":", "\\", "é", "%2e", " "),
    *(";sid=", ";jsessionid=1", "utm_a", "sid", "gclid=1", "0123456789abcdef"),
)
BASE = "https://docs.example.org/guide/intro/index.html?old=1#top"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        # scheme, host, port
        ("http://example.org", "http://example.org/"),
        ("HTTP://EXAMPLE.org/A", "http://example.org/A"),
        ("http://example.org:80/", "http://example.org/"),
        ("https://example.org:443/", "https://example.org/"),
        ("https://example.org:80/", "https://example.org:80/"),
        ("http://example.org:08080/", "http://example.org:8080/"),
        ("http://example.org:/", "http://example.org/"),
        ("https:example.org/a", "https://example.org/a"),
        ("https:\\\\example.org\\a", "https://example.org/a"),
        ("http://example.org./a", "http://example.org/a"),
        ("http://example.org.:8080/a", "http://example.org:8080/a"),
        ("http://example.org../a", "http://example.org/a"),
        ("http://Bücher.example/", "http://xn--bcher-kva.example/"),
        ("http://ex%41mple.org/", "http://example.org/"),
        ("http://127.1/", "http://127.0.0.1/"),
        ("http://0x7f.0.0.1/", "http://127.0.0.1/"),
        ("http://2130706433/", "http://127.0.0.1/"),
        ("http://0177.0.0.1./", "http://127.0.0.1/"),
        ("http://[::1]:80/", "http://[::1]/"),
        ("http://[0:0:0:0:0:0:0:1]:8080/", "http://[::1]:8080/"),
        ("http://localhost:3000", "http://localhost:3000/"),
        # blanks around
        (" \n http://example.org/a\t ", "http://example.org/a"),
        ("http://example.org/a b", "http://example.org/a%20b"),
        # fragment and query
        ("http://example.org/a#b", "http://example.org/a"),
        ("http://example.org/#/route?x=1", "http://example.org/"),
        ("http://example.org/a?", "http://example.org/a"),
        ("http://example.org/a?#x", "http://example.org/a"),
        ("http://example.org?x=1", "http://example.org/?x=1"),
        ("http://example.org/?b=2&a=1&b=1", "http://example.org/?b=2&a=1&b=1"),
        ("http://example.org/?a=1?b=2", "http://example.org/?a=1?b=2"),
        ("http://example.org/?q=a+b%20c", "http://example.org/?q=a+b%20c"),
        # dot segments
        ("http://example.org/a/./b/../c", "http://example.org/a/c"),
        ("http://example.org/../../a", "http://example.org/a"),
        ("http://example.org/a/%2e%2E/b", "http://example.org/b"),
        ("http://example.org/a/..", "http://example.org/"),
        ("http://example.org//a//b/", "http://example.org//a//b/"),
        # escapes
        ("http://example.org/%7euser/%41", "http://example.org/~user/A"),
        ("http://example.org/a%2fb%c3%a9", "http://example.org/a%2Fb%C3%A9"),
        ("http://example.org/é?ü=ä", "http://example.org/%C3%A9?%C3%BC=%C3%A4"),
        ("http://example.org/100%", "http://example.org/100%"),
        ("http://example.org/%zz", "http://example.org/%zz"),
        ("http://example.org/%%37e", "http://example.org/%%37e"),
        ("http://example.org/%a%37", "http://example.org/%a%37"),
        ("http://example.org/%2541", "http://example.org/%2541"),
        # tracking parameters
        ("http://example.org/a?utm_source=x", "http://example.org/a"),
        ("http://example.org/a?UTM_Source=x&b=1", "http://example.org/a?b=1"),
        ("http://example.org/a?b=1&utm_medium=x&c=2", "http://example.org/a?b=1&c=2"),
        ("http://example.org/a?b=1&gclid=x&fbclid=y", "http://example.org/a?b=1"),
        ("http://example.org/a?msclkid=1&b=2&mc_cid=3&mc_eid=4", "http://example.org/a?b=2"),
        ("http://example.org/a?_ga=1.2&_gl=3&x", "http://example.org/a?x"),
        ("http://example.org/a?utm%5Fsource=x&b", "http://example.org/a?b"),
        ("http://example.org/a?gclid&b=1", "http://example.org/a?b=1"),
        ("http://example.org/a?xgclid=1&my_utm_x=2", "http://example.org/a?xgclid=1&my_utm_x=2"),
        ("http://example.org/a?q=utm_source=x", "http://example.org/a?q=utm_source=x"),
        # session ids
        ("http://example.org/a;jsessionid=1A2B", "http://example.org/a"),
        ("http://example.org/a;JSESSIONID=1A2B?b=1", "http://example.org/a?b=1"),
        ("http://example.org/a;v=1;jsessionid=1/b", "http://example.org/a;v=1/b"),
        ("http://example.org/a/..;jsessionid=1/b", "http://example.org/b"),
        ("http://example.org/a?PHPSESSID=abc&b=1", "http://example.org/a?b=1"),
        ("http://example.org/a?jsessionid=abc", "http://example.org/a"),
        ("http://example.org/a?sid=0123456789abcdef0123456789ABCDEF", "http://example.org/a"),
        ("http://example.org/a?sid=12/11/08", "http://example.org/a?sid=12/11/08"),
        ("http://example.org/a?sid=42", "http://example.org/a?sid=42"),
        ("http://example.org/a;v=1", "http://example.org/a;v=1"),
    ],
)
def test_an_address_has_one_spelling(url: str, expected: str) -> None:
    assert canonical(url) == expected
    assert canonical(expected) == expected


@pytest.mark.parametrize(
    ("href", "expected"),
    [
        ("", "https://docs.example.org/guide/intro/index.html?old=1"),
        ("#part", "https://docs.example.org/guide/intro/index.html?old=1"),
        ("?x=1", "https://docs.example.org/guide/intro/index.html?x=1"),
        ("next.html", "https://docs.example.org/guide/intro/next.html"),
        ("./next.html", "https://docs.example.org/guide/intro/next.html"),
        ("../api/", "https://docs.example.org/guide/api/"),
        ("../../../../a", "https://docs.example.org/a"),
        ("/a", "https://docs.example.org/a"),
        ("//cdn.example.org/a", "https://cdn.example.org/a"),
        ("\\a", "https://docs.example.org/a"),
        ("http://other.example/", "http://other.example/"),
        ("https:next.html", "https://docs.example.org/guide/intro/next.html"),
        ("./Talk:Page", "https://docs.example.org/guide/intro/Talk:Page"),
        ("  next.html\n", "https://docs.example.org/guide/intro/next.html"),
        ("/a/\n\t\tb\r\n?c=\td", "https://docs.example.org/a/b?c=d"),
        ("htt\nps://other.example/", "https://other.example/"),
    ],
)
def test_a_link_is_resolved_against_its_page(href: str, expected: str) -> None:
    assert canonical(href, BASE) == expected


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "has no scheme"),
        ("example.org/a", "Write 'https://example.org/a'"),
        ("http://", "not valid"),
        ("http:///", "not valid"),
        ("http://./", "not valid"),
        ("http://a b/", "not valid"),
        ("http://example.org:99999/", "not valid"),
        ("http://1.2.3.4.5/", "not valid"),
        ("http://[::1/", "not valid"),
        ("http://exa|mple.org/", "not valid"),
        ("http://\ud800/", "not valid"),
        ("ftp://example.org/", "neither http nor https"),
        ("file:///etc/passwd", "neither http nor https"),
        ("javascript:alert(1)", "neither http nor https"),
        ("mailto:a@example.org", "neither http nor https"),
        ("ws://example.org/", "neither http nor https"),
        ("http://user@example.org/", "user name or password"),
        ("http://user:secret@example.org/", "user name or password"),
        ("http://:secret@example.org/", "user name or password"),
        ("http://example.org/a\rb", "control character"),
        ("http://example.org/a\nb", "control character"),
        ("http://example.org/a\0b", "control character"),
        ("http://example.org/a\tb", "control character"),
        ("http://exam\x7fple.org/", "control character"),
        ("http://example.org/" + "a" * MAX_BYTES, "longer than 8192 bytes"),
    ],
)
def test_an_unusable_address_is_refused_with_a_way_out(url: str, says: str) -> None:
    with pytest.raises(BadUrl) as caught:
        canonical(url)
    assert says in str(caught.value)
    assert "secret" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_the_length_counts_in_its_escaped_form() -> None:
    fits = "http://example.org/" + "é" * 1000
    assert len(canonical(fits)) == 19 + 6000
    with pytest.raises(BadUrl):
        canonical("http://example.org/" + "é" * 2000)


@pytest.mark.parametrize("href", ["/a\0b", "/a\x7f", "java\nscript:alert(1)", "http://u\n:p@host/"])
def test_a_link_is_refused_whatever_is_wrapped_in_it(href: str) -> None:
    with pytest.raises(BadUrl):
        canonical(href, BASE)


def test_a_bad_base_is_named() -> None:
    with pytest.raises(BadUrl, match="base address 'nowhere'"):
        canonical("a", "nowhere")


@given(st.text(max_size=60), st.sampled_from(["", "/", "/?", "/a?", "/;", "//x@"]))
def test_the_canonical_form_is_its_own(tail: str, join: str) -> None:
    try:
        url = canonical(f"http://example.org{join}{tail}")
    except BadUrl:
        return
    assert canonical(url) == url
    assert url.isascii()
    assert "#" not in url
    assert "@" not in host_key(url)


@given(
    st.lists(
        st.sampled_from(PIECES),
        max_size=12,
    ).map("".join)
)
def test_nothing_new_appears_when_noise_is_dropped(tail: str) -> None:
    url = canonical(f"http://example.org/{tail}")
    assert canonical(url) == url
    assert "/../" not in url.partition("?")[0]


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("http://example.org/a/b?c", "example.org"),
        ("https://example.org/", "example.org"),
        ("https://example.org:8443/a", "example.org:8443"),
        ("http://[::1]:8080/a", "[::1]:8080"),
        ("http://127.0.0.1/", "127.0.0.1"),
    ],
)
def test_the_host_key_is_host_and_port_without_scheme(url: str, key: str) -> None:
    assert host_key(url) == key


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("example.org", "example.org"),
        ("a.b.example.org", "example.org"),
        ("a.example.co.uk", "example.co.uk"),
        ("example.org:8080", "example.org"),
        ("alice.github.io", "alice.github.io"),
        ("x.alice.github.io", "alice.github.io"),
        ("co.uk", "co.uk"),
        ("localhost", "localhost"),
        ("localhost:3000", "localhost"),
        ("wiki.corp", "wiki.corp"),
        ("jira.wiki.corp", "wiki.corp"),
        ("127.0.0.1", "127.0.0.1"),
        ("10.0.0.1:8080", "10.0.0.1"),
        ("[::1]", "[::1]"),
        ("[2001:db8::1]:8080", "[2001:db8::1]"),
    ],
)
def test_a_site_is_the_registrable_domain(host: str, expected: str) -> None:
    assert site(host) == expected


def test_a_hash_is_sixteen_stable_bytes() -> None:
    assert url_hash("http://example.org/").hex() == "3fd807b80b084d5d4cc99bc20279f6d8"
    assert url_hash("http://example.org/") != url_hash("http://example.org/a")


def test_credentials_are_left_out_of_what_is_shown() -> None:
    assert without_credentials("http://u:p@h/a@b") == "http://…@h/a@b"
    assert without_credentials("//u:p@h") == "//…@h"
    assert without_credentials("mail@example.org") == "mail@example.org"
