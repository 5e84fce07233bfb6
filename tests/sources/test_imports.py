"""Logins from files: what belongs to the site is taken, each cookie for where it was seen."""

from __future__ import annotations

import base64
import json

import pytest

from quaero.clock import SECOND, rfc3339
from quaero.crawl.cookies import Cookie
from quaero.errors import BadInput, BadLogin
from quaero.sources.capture import Capture, base_of, checked, site_of
from quaero.sources.credentials import expires_at
from quaero.sources.imports import read_text
from quaero.sources.vault import Secret

NOW = 1_800_000_000 * SECOND
WIKI = "https://wiki.example.org/"


def har(*entries: tuple[str, dict[str, str], list[str]]) -> str:
    made = [
        {
            "request": {
                "url": url, "headers": [{"name": n, "value": v} for n, v in sent.items()]
            },
            "response": {"headers": [{"name": "set-cookie", "value": each} for each in answered]},
        }
        for url, sent, answered in entries
    ]  # fmt: skip
    return json.dumps({"log": {"version": "1.2", "entries": made}})


def test_a_har_gives_each_cookie_to_the_hosts_that_it_was_sent_to() -> None:
    text = har(
        ("https://sso.example.org/", {}, ["sid=1; Domain=example.org; Path=/; Secure"]),
        (WIKI, {"Cookie": "sid=1; old=1", "Authorization": "Bearer a"}, ["old=; Max-Age=0"]),
        (WIKI + "x", {"cookie": "sid=2", "authorization": "Bearer b", "user-agent": "B/1"}, []),
        ("https://api.example.org/", {"authorization": "Bearer other"}, []),
        ("https://evil.example/", {"Cookie": "sid=9"}, ["sid=8; Domain=example.org"]),
    )
    found = checked(read_text(text, WIKI, NOW).capture, NOW)
    assert {(each.name, each.domain, each.value) for each in found.cookies} == {
        ("sid", "sso.example.org", "1"), ("sid", "wiki.example.org", "2")
    }  # fmt: skip
    assert all(each.host_only and each.secure for each in found.cookies)
    assert found.headers == {"Authorization": "Bearer b"}
    assert found.user_agent == "B/1"


@pytest.mark.parametrize(
    "text",
    [har((WIKI, {"Cookie": "sid=1"}, [])), "Cookie: sid=1",
     "# Netscape HTTP Cookie File\nwiki.example.org\tFALSE\t/\tTRUE\t0\tsid\t1"],
)  # fmt: skip
def test_a_mark_of_unicode_before_a_text_does_no_harm(text: str) -> None:
    (cookie,) = read_text("\ufeff" + text, WIKI, NOW).capture.cookies
    assert (cookie.name, cookie.value) == ("sid", "1")


def netscape(*lines: str) -> str:
    return "\n".join(line.replace(" ", "\t") for line in lines)


OWN = "wiki.example.org FALSE / TRUE 0 sid 1"
ONE_COOKIE = {
    "lines for others that could not be taken": (
        netscape(
            OWN, ".github.io TRUE / TRUE 0 a 1", "a.net FALSE / TRUE 0  nameless",
            "b.net FALSE / TRUE never a 1", "c.net maybe x TRUE 0 a 1",
        ),
        4,
    ),
    "no line but of a cookie kept from scripts": (netscape(f"#HttpOnly_{OWN}"), 0),
    "an expiry that no time can be written for": (
        netscape("wiki.example.org FALSE / TRUE 1e30 sid 1"), 0
    ),
    "a cookie without a name beside it": (har((WIKI, {"Cookie": "plain; =x; sid=1"}, [])), 0),
    "a browser whose name cannot be sent": (
        har((WIKI, {"Cookie": "sid=1", "User-Agent": "Bröwser"}, [])), 0
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "foreign"), ONE_COOKIE.values(), ids=ONE_COOKIE)
def test_what_is_not_of_the_site_does_not_keep_its_cookie_from_being_taken(text, foreign) -> None:
    found = read_text(text, WIKI, NOW)
    (sid,) = checked(found.capture, NOW).cookies
    assert (sid.name, sid.value, sid.domain) == ("sid", "1", "wiki.example.org")
    assert found.foreign == foreign
    assert sid.expires is None or rfc3339(sid.expires).startswith("9999-12-31T23:59:59")


DEEP = "[" * 5_000 + "]" * 5_000
NO_LOGIN = [
    (f'{{"log": {{"entries": []}}, "x": {DEEP}}}', "nested too deep"),
    ('{"log": {"entries": [{"request": {"url": 5}}]}}', r"`log.entries\[0\].request.url`"),
    ('{"log": {"entries": [{"response": {"headers": null}}]}}', "response.headers"),
    ('{"cookies": []}', "no list `log.entries`"),
    ('{"log": {"entries": 5}}', "no list `log.entries`"),
    ('{"log": {"entr', "cut off"),
    ('[{"name": "sid", "value": "s3cret"}]', "Netscape format"),
    ("wiki.example.org\tFALSE\t/\tTRUE\nb.net\tFALSE", "line:1: 4 fields"),
]


@pytest.mark.parametrize(("text", "said"), NO_LOGIN, ids=range(len(NO_LOGIN)))
def test_a_text_that_is_no_login_is_told_what_it_is_not(text, said) -> None:
    with pytest.raises(BadInput, match=said) as told:
        read_text(text, WIKI, NOW)
    assert "s3cret" not in str(told.value)


MANY = "; ".join(f"c{n}=v" for n in range(100_000))
TOO_MUCH = [
    har((WIKI, {"Cookie": MANY}, [])),
    har(*((WIKI, {}, [f"c{n}=v", f"d{n}=v"]) for n in range(200))),
    f"Cookie: {MANY}",
    "\n".join(f"Cookie: c{n}=v" for n in range(301)),
    "\n".join(f"X-{n}: v" for n in range(100_000)),
]


@pytest.mark.parametrize("text", TOO_MUCH, ids=range(len(TOO_MUCH)))
def test_a_text_with_more_than_a_login_can_have_is_refused_before_it_is_read_on(text) -> None:
    with pytest.raises(BadLogin, match=r"(entry|line) \d+: more than (300 cookies|20 headers)"):
        read_text(text, WIKI, NOW)


def test_a_har_without_secrets_says_how_to_save_one_with_them() -> None:
    with pytest.raises(BadLogin, match="sensitive data"):
        read_text(har((WIKI, {"Accept": "*/*"}, [])), WIKI, NOW)


@pytest.mark.parametrize(
    ("url", "base", "site"),
    [
        ("https://Wiki.Example.org", "https://wiki.example.org/", "example.org"),
        ("https://a.b.example.co.uk/x/?q=1#f", "https://a.b.example.co.uk/x/", "example.co.uk"),
        ("https://me.github.io/", "https://me.github.io/", "me.github.io"),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000/", "127.0.0.1:8000"),
        ("http://localhost/", "http://localhost/", "localhost:80"),
        ("https://[::1]:8443/", "https://[::1]:8443/", "[::1]:8443"),
        ("http://wiki/", "http://wiki/", "wiki:80"),
    ],
)
def test_the_base_address_says_whose_a_login_is(url, base, site) -> None:
    assert (base_of(url), site_of(base_of(url))) == (base, site)


def cookie(name: str, expires: int | None = None, **more) -> Cookie:
    return Cookie(**{"name": name, "value": "v", "domain": "a.b", "expires": expires} | more)


def jwt(claims: dict | str) -> str:
    text = claims if isinstance(claims, str) else json.dumps(claims)
    middle = base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
    return f"Bearer e30.{middle}.x"


EXPIRIES = [
    (Secret((cookie("theme", 5), cookie("lang", 3))), 3),
    (Secret((cookie("theme", 3), cookie("JSESSIONID", 9))), 9),
    (Secret((cookie("theme", 3), cookie("JSESSIONID"))), None),
    (Secret((cookie("theme", 3), cookie("x", 8, http_only=True))), 8),
    (Secret((cookie("sid", 5),), {}, (cookie("sid", 50),)), 50),
    (Secret((), {"Authorization": jwt({"exp": 7})}), 7 * SECOND),
    (Secret((), {"Authorization": jwt({"exp": -7})}), None),
    (Secret((), {"Authorization": jwt({"exp": "soon"})}), None),
    (Secret((), {"Authorization": "Bearer a.!.c"}), None),
    (Secret((), {"Authorization": jwt(f'{{"x": {DEEP}}}')}), None),
    (Secret((), {"Authorization": "Bearer opaque"}), None),
    (Secret((cookie("sid", 5 * SECOND),), {"Authorization": jwt({"exp": 4})}), 4 * SECOND),
]


@pytest.mark.parametrize(("secret", "ends"), EXPIRIES, ids=range(len(EXPIRIES)))
def test_a_login_ends_with_the_first_of_what_keeps_it_logged_in(secret, ends) -> None:
    assert expires_at(secret) == ends


def test_of_two_cookies_for_one_place_the_last_counts() -> None:
    twice = (cookie("a", domain="wiki.example.org"), cookie("a", domain="wiki.example.org"))
    last = Cookie(name="a", value="last", domain="wiki.example.org")
    found = checked(Capture(base_url=WIKI, captured_at=1, cookies=(*twice, last)), NOW)
    assert [each.value for each in found.cookies] == ["last"]
