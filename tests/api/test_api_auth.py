"""Logins over HTTP: stored and listed without their secrets, and extensions that hand them over."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from quaero.clock import DAY, MINUTE, SECOND
from quaero.crawl.cookies import Cookie
from quaero.errors import DiskFull
from quaero.testing.site import Page, SiteServer, redirect

from ..opening import Opened  # noqa: TID252
from .conftest import client_of

SECRET = "s3cret-canary"
WIKI = "https://wiki.example.org/"
EXTENSION = "chrome-extension://abcdefghijklmnopabcdefghijklmnop"
FORM = "<title>Log in</title><form action=/login><input name=u><input type=password name=p></form>"


def login(base_url: str = WIKI, **more: Any) -> dict[str, Any]:
    cookie = {"name": "sid", "value": SECRET, "secure": True, "http_only": True}
    return {"base_url": base_url, "cookies": [cookie], **more}


def as_captured(now: int) -> dict[str, Any]:
    """A login in the words of a browser's extension interface."""
    return {
        "baseUrl": WIKI + "start?token=" + SECRET,
        "cookies": [
            {
                "name": "sid", "value": SECRET, "domain": ".example.org", "hostOnly": False,
                "path": "/", "secure": True, "httpOnly": True, "sameSite": "lax",
                "session": False, "expirationDate": now / SECOND + 7200.5, "storeId": "0",
            }
        ],
        "tokens": {"Authorization": f"Bearer {SECRET}"},
        "userAgent": "Mozilla/5.0 (X11; Linux x86_64)",
        "timestamp": "2026-11-22T06:30:00Z",
    }  # fmt: skip


async def test_what_an_extension_captures_is_stored_and_listed_without_secrets(
    web: httpx.AsyncClient, opened: Opened
) -> None:
    made = await web.post("/api/auth", json=as_captured(opened.wall))
    assert made.status_code == 201
    shown = made.json()
    assert made.headers["Location"] == f"/api/auth/{shown['id']}"
    assert (shown["base_url"], shown["site"], shown["kind"]) == (
        WIKI + "start", "example.org", "both"
    )  # fmt: skip
    assert (shown["cookies"], shown["tokens"], shown["state"]) == (1, 1, "expiring")
    assert shown["user_agent"] == "Mozilla/5.0 (X11; Linux x86_64)"
    assert shown["captured_at"] <= shown["updated_at"]
    assert "2 hours" in shown["warning"]
    listed = await web.get("/api/auth")
    assert listed.json() == {"items": [shown], "next_cursor": None}
    assert SECRET not in made.text + listed.text + str(made.headers)


async def test_a_second_login_of_a_site_takes_the_place_of_the_first(web) -> None:
    first = await web.post("/api/auth", json=login())
    again = await web.post("/api/auth", json=login(tokens=[{"value": "Bearer x"}]))
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["id"] == first.json()["id"]
    assert again.json()["kind"] == "both"
    assert first.headers["ETag"] != again.headers["ETag"]


@pytest.mark.parametrize(
    ("base_url", "same"),
    [
        ("https://corp.example.org/jira/browse/X-1?tab=2", True),
        ("https://corp.example.org/jira", True),
        ("https://corp.example.org/jira2/", False),
        ("https://corp.example.org/wiki/", False),
        ("https://corp.example.org/", False),
        ("https://corp.example.org:8443/jira/", False),
        ("http://corp.example.org/jira/", False),
        ("https://other.example.org/jira/", False),
    ],
)
async def test_what_is_below_the_address_of_a_login_takes_its_place(
    web, base_url: str, *, same: bool
) -> None:
    first = (await web.post("/api/auth", json=login("https://corp.example.org/jira/"))).json()
    token = {"base_url": base_url, "tokens": [{"value": "Bearer x"}]}
    again = (await web.post("/api/auth", json=token)).json()
    assert (again["id"] == first["id"]) is same
    assert (again["kind"], again["base_url"]) == ("token", first["base_url"] if same else base_url)
    assert (await web.get(f"/api/auth/{again['id']}")).json()["base_url"] == again["base_url"]


async def test_the_list_goes_on_where_a_page_ended(web) -> None:
    for n in range(3):
        await web.post("/api/auth", json=login(f"https://a{n}.example/"))
    first = (await web.get("/api/auth?limit=2")).json()
    rest = (await web.get(f"/api/auth?limit=2&cursor={first['next_cursor']}")).json()
    assert [each["site"] for each in first["items"] + rest["items"]] == [
        "a0.example", "a1.example", "a2.example"
    ]  # fmt: skip
    assert rest["next_cursor"] is None


async def test_a_login_is_changed_only_as_it_was_seen(web) -> None:
    made = await web.post("/api/auth", json=login(tokens=[{"value": "Bearer x"}]))
    path = made.headers["Location"]
    assert (await web.patch(path, json={"tokens": []})).status_code == 428
    stale = await web.patch(path, json={"tokens": []}, headers={"If-Match": '"99"'})
    assert stale.status_code == 412
    tag = {"If-Match": made.headers["ETag"]}
    done = await web.patch(path, json={"tokens": [], "user_agent": "B/1"}, headers=tag)
    assert (done.json()["kind"], done.json()["user_agent"]) == ("cookies", "B/1")
    assert (await web.patch(path, json={"cookies": []}, headers=tag)).status_code == 412
    empty = await web.patch(path, json={"cookies": []}, headers={"If-Match": "*"})
    assert empty.status_code == 422
    assert "neither a cookie nor a token" in empty.json()["detail"]
    assert (await web.delete(path)).status_code == 204
    for ask in (web.get(path), web.delete(path), web.post(path + "/test", json={})):
        assert (await ask).status_code == 404


def cookie(**more: Any) -> dict[str, Any]:
    return {"cookies": [{"name": "sid", "value": SECRET, **more}]}


WRONG = [
    ({"base_url": f"ftp://{SECRET}.example/"}, "/base_url"),
    ({"base_url": f"https://user:{SECRET}@wiki.example.org/"}, "/base_url"),
    ({"base_url": SECRET}, "/base_url"),
    ({"base_url": 7}, "/base_url"),
    ({"cookies": SECRET}, "/cookies"),
    ({"cookies": [SECRET]}, "/cookies/0"),
    ({"cookies": []}, ""),
    (cookie(domain="evil.example"), "/cookies/0/domain"),
    (cookie(domain=f"{SECRET}.example"), "/cookies/0/domain"),
    (cookie(domain=".org"), "/cookies/0/domain"),
    (cookie(domain="org", host_only=False), "/cookies/0/domain"),
    (cookie(domain="wiki.example.org.evil.example"), "/cookies/0/domain"),
    (cookie(domain="127.0.0.1"), "/cookies/0/domain"),
    (cookie(domain="a b"), "/cookies/0/domain"),
    (cookie(name=f"a;{SECRET}"), "/cookies/0/name"),
    (cookie(name=""), "/cookies/0/name"),
    (cookie(value=f"{SECRET}\r\nX: y"), "/cookies/0/value"),
    (cookie(value=f"{SECRET};b=2"), "/cookies/0/value"),
    (cookie(value=SECRET * 400), "/cookies/0/value"),
    (cookie(value={SECRET: 1}), "/cookies/0/value"),
    (cookie(path=SECRET), "/cookies/0/path"),
    (cookie(path=f"/a;{SECRET}"), "/cookies/0/path"),
    (cookie(expires=SECRET), "/cookies/0/expires"),
    (cookie(expires=-5), "/cookies/0/expires"),
    (cookie(expires=1), "/cookies"),
    (cookie(secure=SECRET), "/cookies/0/secure"),
    (cookie(**{SECRET: 1}), "/cookies/0"),
    ({SECRET: 1}, ""),
    ({"cookies": [{"name": f"c{n}", "value": SECRET} for n in range(301)]}, "/cookies"),
    ({"tokens": [{"value": f"{SECRET}\nX: y"}]}, "/tokens/0/value"),
    ({"tokens": [{"name": f"{SECRET} x", "value": "v"}]}, "/tokens/0/name"),
    ({"tokens": [{"name": "Host", "value": SECRET}]}, "/tokens/0/name"),
    ({"tokens": [{"name": "Cookie", "value": SECRET}]}, "/tokens/0"),
    ({"tokens": [{"name": "a", "value": SECRET}, {"name": "A", "value": "v"}]}, "/tokens"),
    ({"tokens": {"Authorization": [SECRET]}}, "/tokens/0/value"),
    ({"user_agent": f"{SECRET}\nx"}, "/user_agent"),
    ({"captured_at": SECRET}, "/captured_at"),
]  # fmt: skip


@pytest.mark.parametrize(("part", "pointer"), WRONG, ids=range(len(WRONG)))
async def test_what_is_wrong_is_named_by_its_place_and_never_repeated(web, part, pointer) -> None:
    refused = await web.post("/api/auth", json=login() | part)
    assert refused.status_code == 422
    assert [each["pointer"] for each in refused.json()["errors"]] == [pointer]
    assert SECRET not in refused.text
    assert (await web.get("/api/auth")).json()["items"] == []


@pytest.mark.parametrize("body", [b'{"base_url": "s3cret-canary', b"s3cret-canary", b"[1"])
async def test_what_is_not_json_is_not_repeated(web, body) -> None:
    head = {"Content-Type": "application/json"}
    for path in ("/api/auth", "/api/auth/import", "/api/auth/extensions"):
        refused = await web.post(path, content=body, headers=head)
        assert refused.status_code == 400
        assert SECRET not in refused.text


TEXTS = [
    (f"Cookie: sid={SECRET}; b=2", 2, 0, 0),
    (f"sid={SECRET}", 1, 0, 0),
    (f"Authorization: Bearer {SECRET}\nUser-Agent: B/1", 0, 1, 0),
    (
        ("# Netscape HTTP Cookie File\n"
        f"#HttpOnly_wiki.example.org\tFALSE\t/\tTRUE\t0\tsid\t{SECRET}\n"
        f".example.org\tTRUE\t/\tTRUE\t0\ta\t{SECRET}\n"
        f"other.example\tFALSE\t/\tTRUE\t0\tx\t{SECRET}\n"),
        2, 0, 1,
    ),
]  # fmt: skip


@pytest.mark.parametrize(("text", "cookies", "tokens", "foreign"), TEXTS, ids=range(len(TEXTS)))
async def test_a_login_is_imported_from_a_text(web, text, cookies, tokens, foreign) -> None:
    done = await web.post("/api/auth/import", json={"base_url": WIKI, "text": text})
    assert done.status_code == 201
    found = done.json()
    assert (found["login"]["cookies"], found["login"]["tokens"]) == (cookies, tokens)
    assert (found["created"], found["foreign"]) == (True, foreign)
    assert SECRET not in done.text


BAD_TEXTS = [
    SECRET, f"Cookie: {SECRET}", f"a b={SECRET}", f"Host: {SECRET}", '{"log": "s3cret-canary"}',
    f"# a\nwiki.example.org\tMAYBE\t/\tTRUE\t0\tsid\t{SECRET}",
    f"# a\nother.example\tFALSE\t/\tTRUE\t0\tsid\t{SECRET}",
    '{"log": {"entries": [{"request": {"url": "https://wiki.example.org/s3cret-canary"}}]}}',
]  # fmt: skip


@pytest.mark.parametrize("text", BAD_TEXTS)
async def test_a_text_without_a_login_is_refused_without_repeating_it(web, text) -> None:
    refused = await web.post("/api/auth/import", json={"base_url": WIKI, "text": text})
    assert refused.status_code in (400, 422)
    assert SECRET not in refused.text


async def test_without_the_key_the_error_names_the_file(web, key_file) -> None:
    await web.post("/api/auth", json=login())
    key_file.chmod(0o644)
    refused = await web.post("/api/auth/1/test", json={})
    assert refused.status_code == 503
    assert f"chmod 600 {key_file}" in refused.json()["detail"]
    assert (await web.get("/api/auth")).json()["items"][0]["id"] == 1


async def test_expiry_is_shown_and_warned_of(web, opened) -> None:
    for name, days in (("a", 30), ("b", 0.5)):
        ends = (opened.wall + int(days * DAY)) / SECOND
        body = login(f"https://{name}.example/") | cookie(expires=ends)
        assert (await web.post("/api/auth", json=body)).status_code == 201
    states = [each["state"] for each in (await web.get("/api/auth")).json()["items"]]
    assert states == ["good", "expiring"]
    opened.clock.pass_time(DAY / SECOND)
    expired = (await web.get("/api/auth/2")).json()
    assert expired["state"] == "expired"
    assert "log in again" in expired["warning"]
    problems = (await web.get("/api/health")).json()["problems"]
    assert any("https://b.example/ has expired" in each for each in problems)
    assert not any("https://a.example/" in each for each in problems)


async def test_a_login_is_tested_with_a_page_of_its_site(web, opened) -> None:
    pages = {
        "/": "<title>Home</title><p>Welcome back, these are your pages.",
        "/in": redirect("/login"),
        "/login": FORM,
        "/out": redirect("http://127.0.0.2:9/"),
        "/403": Page(status=403),
        "/500": Page(status=500),
    }
    async with SiteServer(pages) as site:
        body = {"base_url": site.url, "cookies": [{"name": "sid", "value": SECRET}]}
        made = (await web.post("/api/auth", json=body | {"user_agent": "Browser/9"})).json()
        path = f"/api/auth/{made['id']}"
        found = {}
        for page in ("/", "/404", "/500", "/in", "/login", "/out", "/403"):
            told = await web.post(path + "/test", json={"url": site.url + page})
            found[page] = told.json()["ok"]
        refused = dict.fromkeys(["/in", "/login", "/out", "/403"], False)
        assert found == {"/": True, "/404": None, "/500": None} | refused
        assert (await web.get(path)).json()["state"] == "refused"
        foreign = await web.post(path + "/test", json={"url": "http://127.0.0.1:1/"})
        assert foreign.status_code == 400
        accepted = await web.post(path + "/test")
        assert accepted.json()["detail"].endswith("answers 200 with “Home”")
        assert {hit.headers["Cookie"] for hit in site.hits} == {f"sid={SECRET}"}
        assert {hit.headers["User-Agent"] for hit in site.hits} == {"Browser/9"}
    gone = await web.post(path + "/test")
    assert (gone.json()["ok"], "no connection" in gone.json()["detail"]) == (None, True)
    shown = (await web.get(path)).json()
    assert (shown["state"], shown["warning"], shown["test_ok"]) == ("good", None, None)
    assert shown["tested_at"] == gone.json()["tested_at"]


# -- extensions


async def paired(web: httpx.AsyncClient, origin: str = EXTENSION) -> str:
    code = (await web.post("/api/auth/code")).json()["code"]
    done = await web.post("/api/auth/extensions", json={"code": code}, headers={"Origin": origin})
    assert done.status_code == 201
    assert done.headers["Access-Control-Allow-Origin"] == origin
    return done.json()["token"]


def by(token: str, origin: str = EXTENSION) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", "Origin": origin, "Sec-Fetch-Site": "cross-site"}


async def test_an_extension_is_paired_by_a_code_and_hands_over_logins(web, opened) -> None:
    token = await paired(web)
    done = await web.post("/api/auth", json=login(), headers=by(token))
    assert done.status_code == 201
    assert done.headers["Access-Control-Allow-Origin"] == EXTENSION
    (known,) = (await web.get("/api/auth/extensions")).json()["items"]
    assert known["origin"] == EXTENSION
    assert known["used_at"] is not None
    kept = opened.folder / "q.db-wal"
    assert token.encode() not in kept.read_bytes() + (opened.folder / "q.db").read_bytes()


async def test_an_extension_is_told_that_there_is_no_room(web, opened, monkeypatch) -> None:
    token = await paired(web)

    async def full(*_: Any) -> None:
        raise DiskFull("there is no room")

    monkeypatch.setattr(opened.db, "write", full)
    refused = await web.post("/api/auth", json=login(), headers=by(token))
    assert (refused.status_code, refused.json()["detail"]) == (507, "there is no room")


OTHERS = [
    "chrome-extension://ponmlkjihgfedcbaponmlkjihgfedcba", "moz-extension://a-b", EXTENSION.upper(),
    EXTENSION + "x", EXTENSION + "/", "null", "http://evil.example", "http://localhost:9999",
]  # fmt: skip


@pytest.mark.parametrize("origin", OTHERS)
async def test_a_token_is_good_for_its_exact_origin_only(web, origin) -> None:
    token = await paired(web)
    refused = await web.post("/api/auth", json=login(), headers=by(token, origin))
    assert refused.status_code == 403
    assert "Access-Control-Allow-Origin" not in refused.headers
    asked = await web.options("/api/auth", headers=preflight(origin))
    assert asked.status_code == 403


def preflight(origin: str = EXTENSION, **more: str) -> dict[str, str]:
    wish = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    return wish | {name.replace("_", "-"): value for name, value in more.items()}


async def test_a_preflight_is_answered_for_exactly_what_is_allowed(web) -> None:
    assert (await web.options("/api/auth", headers=preflight())).status_code == 403
    assert (await web.options("/api/auth/extensions", headers=preflight())).status_code == 403
    await web.post("/api/auth/code")
    assert (await web.options("/api/auth/extensions", headers=preflight())).status_code == 204
    await paired(web)
    yes = await web.options("/api/auth", headers=preflight())
    assert yes.status_code == 204
    assert yes.headers["Access-Control-Allow-Origin"] == EXTENSION
    assert yes.headers["Access-Control-Allow-Methods"] == "POST"
    assert yes.headers["Vary"] == "Origin"
    assert "Access-Control-Allow-Credentials" not in yes.headers
    for path, more in (
        ("/api/auth", {"Access_Control_Request_Method": "DELETE"}),
        ("/api/auth", {"Access_Control_Request_Headers": "x-other"}),
        ("/api/auth/1", {}), ("/api/jobs", {}), ("/api/auth/import", {}), ("/api/auth/code", {}),
    ):  # fmt: skip
        assert (await web.options(path, headers=preflight(**more))).status_code == 403


ELSEWHERE = [
    ("GET", "/api/auth"), ("HEAD", "/api/auth"), ("GET", "/api/auth/1"), ("PATCH", "/api/auth/1"),
    ("DELETE", "/api/auth/1"), ("POST", "/api/auth/1/test"), ("POST", "/api/auth/import"),
    ("POST", "/api/auth/code"), ("GET", "/api/auth/extensions"), ("GET", "/api/jobs"),
    ("POST", "/api/jobs"), ("GET", "/"), ("GET", "/api/documents"), ("POST", "/api/auth/"),
    ("PUT", "/api/auth"), ("GET", "/metrics"), ("GET", "/openapi.json"), ("POST", "//api/auth"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), ELSEWHERE)
async def test_a_paired_extension_may_do_nothing_else(web, method, path) -> None:
    token = await paired(web)
    refused = await web.request(method, f"http://localhost:8080{path}", headers=by(token))
    assert refused.status_code == 403
    assert "Access-Control-Allow-Origin" not in refused.headers


async def test_a_revoked_extension_is_refused(web) -> None:
    token = await paired(web)
    (known,) = (await web.get("/api/auth/extensions")).json()["items"]
    assert (await web.delete(f"/api/auth/extensions/{known['id']}")).status_code == 204
    assert (await web.delete(f"/api/auth/extensions/{known['id']}")).status_code == 404
    assert (await web.post("/api/auth", json=login(), headers=by(token))).status_code == 403


async def test_pairing_again_ends_the_token_before(web) -> None:
    old, new = await paired(web), await paired(web)
    assert (await web.post("/api/auth", json=login(), headers=by(old))).status_code == 403
    assert (await web.post("/api/auth", json=login(), headers=by(new))).status_code == 201


async def exchange(web: httpx.AsyncClient, code: str, origin: str = EXTENSION) -> int:
    head = {"Origin": origin} if origin else {}
    return (await web.post("/api/auth/extensions", json={"code": code}, headers=head)).status_code


async def test_a_code_works_once_for_five_minutes_and_five_tries(web, opened) -> None:
    async def fresh() -> str:
        return (await web.post("/api/auth/code")).json()["code"]

    code = await fresh()
    assert re.fullmatch("[A-Z2-9]{4}-[A-Z2-9]{4}", code)
    assert code.replace("-", "").encode() not in (opened.folder / "q.db-wal").read_bytes()
    assert await exchange(web, code.lower().replace("-", " ")) == 201
    assert await exchange(web, code) == 403
    first, second = await fresh(), await fresh()
    assert await exchange(web, first) == 403
    assert await exchange(web, second) == 201
    late = await fresh()
    opened.clock.pass_time(5 * MINUTE / SECOND)
    assert await exchange(web, late) == 403
    tried = await fresh()
    for _ in range(5):
        assert await exchange(web, "AAAA-AAAA") == 403
    assert await exchange(web, tried) == 403


async def test_only_an_extension_can_be_paired(web) -> None:
    code = (await web.post("/api/auth/code")).json()["code"]
    assert await exchange(web, code, "") == 403
    assert await exchange(web, code, "http://localhost:8080") == 403
    assert await exchange(web, code, "http://evil.example") == 403
    assert await exchange(web, code) == 201


async def test_where_a_token_is_asked_for_an_extension_shows_its_own(make_app) -> None:
    mine = {"Authorization": "Bearer " + "t" * 43}
    async with client_of(make_app(token="t" * 43)) as web:
        code = (await web.post("/api/auth/code", headers=mine)).json()["code"]
        done = await web.post(
            "/api/auth/extensions", json={"code": code}, headers={"Origin": EXTENSION}
        )
        token = done.json()["token"]
        assert (await web.post("/api/auth", json=login(), headers=by(token))).status_code == 201
        without = {"Authorization": f"Bearer {token}"}
        assert (await web.post("/api/auth", json=login(), headers=without)).status_code == 401
        assert (await web.get("/api/auth", headers=without)).status_code == 401
        stolen = mine | {"Origin": EXTENSION}
        assert (await web.post("/api/auth", json=login(), headers=stolen)).status_code == 403


def test_a_cookie_shows_its_value_to_nobody() -> None:
    assert SECRET not in repr(Cookie(name="a", value=SECRET, domain="b"))


async def test_times_at_the_end_of_the_calendar_are_taken_and_shown(web: httpx.AsyncClient) -> None:
    end = "9999-12-31T23:59:59.999999Z"
    cookie = {"name": "sid", "value": SECRET}
    made = await web.post(
        "/api/auth", json={"base_url": WIKI, "cookies": [cookie | {"expires": end}]}
    )
    assert (made.status_code, made.json()["expires_at"]) == (201, end)
    for beyond in ("9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00"):
        body = {"base_url": WIKI, "cookies": [cookie | {"expires": beyond}]}
        assert (await web.post("/api/auth", json=body)).status_code == 422
    assert (await web.get("/api/auth")).json()["items"][0]["expires_at"] == end


@pytest.mark.parametrize("given", [1_700_000_000, 1_700_000_000.0, 1_700_000_000_000])
async def test_the_time_of_a_capture_may_be_a_number_as_browsers_have_it(
    web: httpx.AsyncClient, given: float
) -> None:
    made = await web.post("/api/auth", json=login() | {"timestamp": given})
    assert made.json()["captured_at"] == "2023-11-14T22:13:20.000000Z"
