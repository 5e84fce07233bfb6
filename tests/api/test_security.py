"""What stands before every request."""

from __future__ import annotations

import httpx
import pytest
from starlette.responses import PlainTextResponse

from quaero.api import security
from quaero.api.token import read_token
from quaero.errors import BadConfig

from .conftest import client_of

TOKEN = "t" * 43


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8080", 200),
        ("127.0.0.1:8080", 200),
        ("[::1]:8080", 200),
        ("LOCALHOST", 200),
        ("kb.example.org", 200),
        ("evil.example", 421),
        ("localhost.evil.example:8080", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost:8080@evil.example", 421),
        ("", 421),
    ],
)
async def test_only_names_of_this_server_are_answered(make_app, host, status):
    async with client_of(make_app(server__hosts=["kb.example.org"])) as web:
        answer = await web.get("/api/ready", headers={"host": host})
    assert answer.status_code == status


async def test_an_address_of_ipv6_is_named_in_brackets(make_app):
    async with client_of(make_app(server__host="fd00::1")) as web:
        answer = await web.get("/api/ready", headers={"host": "[fd00::1]:8080"})
    assert answer.status_code == 200


FOREIGN = [
    ({"origin": "http://evil.example"}, 403),
    ({"origin": "null"}, 403),
    ({"origin": "http://localhost:9999"}, 403),
    ({"origin": "http://localhost:8080.evil.example"}, 403),
    ({"origin": "http://evil.example@localhost:8080"}, 403),
    ({"origin": "file://"}, 403),
    ({"origin": "http://localhost:8080"}, 200),
    ({"sec-fetch-site": "cross-site"}, 403),
    ({"sec-fetch-site": "same-site"}, 403),
    ({"sec-fetch-site": "same-origin"}, 200),
    ({"sec-fetch-site": "none"}, 200),
    ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}, 403),
    ({}, 200),
]


@pytest.mark.parametrize(("headers", "status"), FOREIGN)
async def test_a_page_of_another_origin_reads_nothing(web, headers, status):
    assert (await web.get("/api/ready", headers=headers)).status_code == status


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(("headers", "status"), FOREIGN)
async def test_a_page_of_another_origin_changes_nothing(web, method, headers, status):
    answer = await web.request(method, "/api/ready", headers=headers)
    wanted = 403 if status == 403 or headers.get("sec-fetch-site") == "none" else 405
    assert answer.status_code == wanted


async def test_a_link_from_another_site_may_lead_to_a_page(web):
    headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert (await web.get("/jobs/1", headers=headers)).status_code != 403


async def test_a_token_is_asked_for_where_there_is_one(make_app):
    async with client_of(make_app(token=TOKEN)) as web:
        assert (await web.get("/api/ready")).status_code == 401
        assert (await web.get("/", headers={"accept": "text/html"})).status_code == 401
        wrong = {"authorization": f"Bearer {TOKEN[:-1]}x"}
        assert (await web.get("/api/ready", headers=wrong)).status_code == 401
        right = {"authorization": f"Bearer {TOKEN}"}
        assert (await web.get("/api/ready", headers=right)).status_code == 200


async def test_a_token_in_the_address_becomes_a_cookie_and_leaves_the_address(make_app):
    async with client_of(make_app(token=TOKEN)) as web:
        answer = await web.get("/queue", params={"status": "failed", "token": TOKEN})
        assert (answer.status_code, answer.headers["location"]) == (303, "/queue?status=failed")
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert (await web.get("/api/ready")).status_code == 200
        again = await web.get("/queue", params={"token": TOKEN})
        assert (again.status_code, again.headers["location"]) == (303, "/queue")


@pytest.mark.parametrize(
    "others", ["a[b]=1; ", 'seen={"a":1}; ', "list=a b;", "no-value; ", "_id(1)=x; "]
)
async def test_a_token_is_found_among_cookies_that_others_have_set(make_app, others):
    async with client_of(make_app(token=TOKEN)) as web:
        name = security.cookie_of(web.base_url.netloc.decode())
        headers = {"cookie": f"{others}{name}={TOKEN}"}
        assert (await web.get("/api/ready", headers=headers)).status_code == 200
        headers = {"cookie": f"{others}{name}={TOKEN[:-1]}x"}
        assert (await web.get("/api/ready", headers=headers)).status_code == 401


async def test_servers_on_two_ports_of_a_host_keep_their_tokens_apart(make_app):
    """A browser sends the cookies of all ports of a host to each of them."""
    other = "o" * 43
    kept = httpx.Cookies()
    for port, token in ((8001, TOKEN), (8002, other)):
        async with client_of(make_app(token=token)) as web:
            answer = await web.get(f"http://localhost:{port}/", params={"token": token})
            assert answer.status_code == 303
            kept.update(answer.cookies)
    sent = "; ".join(f"{name}={value}" for name, value in kept.items())
    for port, token in ((8001, TOKEN), (8002, other)):
        async with client_of(make_app(token=token)) as web:
            address = f"http://localhost:{port}/api/ready"
            assert (await web.get(address, headers={"cookie": sent})).status_code == 200


async def test_an_entrance_leads_nowhere_else(make_app):
    async with client_of(make_app(token=TOKEN)) as web:
        answer = await web.get(f"http://localhost:8080//evil.example/?token={TOKEN}")
        assert answer.headers["location"] == "/evil.example/"


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"content-type": "application/json"}, b"{}", 405),
        ({"content-type": "Application/JSON; charset=utf-8"}, b"{}", 405),
        ({"content-type": "text/plain"}, b"{}", 415),
        ({"content-type": "application/x-www-form-urlencoded"}, b"a=1", 415),
        ({}, b"{}", 415),
        ({}, b"", 405),
    ],
)
async def test_a_body_says_what_it_is(web, headers, body, status):
    answer = await web.post("/api/ready", headers=headers, content=body)
    assert answer.status_code == status


async def reader(scope, receive, send):
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        more = message.get("more_body", False)
    await PlainTextResponse("read")(scope, receive, send)


def guarded(app=reader) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=security.Security(app))
    headers = {"content-type": "application/json"}
    return httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers)


async def test_a_body_that_is_too_large_is_refused_whether_it_says_so_or_not():
    async def chunks():
        for _ in range(6):
            yield bytes(1024 * 1024)

    async with guarded() as web:
        assert (await web.post("/", content=bytes(6 * 1024 * 1024))).status_code == 413
        assert (await web.post("/", content=chunks())).status_code == 413
        assert (await web.post("/", content=bytes(1024 * 1024))).status_code == 200


@pytest.mark.parametrize("end", ["", '"', "\\"])
async def test_a_body_of_quotes_takes_no_longer_to_look_at_than_its_length(web, end):
    body = "[" * 101 + '"' + '\\"' * 1_000_000 + end
    headers = {"content-type": "application/json"}
    answer = await web.post("/api/jobs", content=body, headers=headers)
    assert answer.status_code == 400
    assert "nested more than 100 deep" in answer.json()["detail"]


async def test_a_body_that_trickles_is_given_up(monkeypatch):
    monkeypatch.setattr(security, "BODY_SECONDS", 0.05)
    sent = []
    scope = {
        "type": "http", "method": "POST", "path": "/", "query_string": b"",
        "headers": [(b"host", b"localhost"), (b"content-length", b"10"),
                    (b"content-type", b"application/json")],
    }  # fmt: skip

    async def never():
        import asyncio

        await asyncio.Event().wait()

    async def send(message):
        sent.append(message)

    await security.Security(reader)(scope, never, send)
    assert sent[0]["status"] == 408


async def test_every_answer_carries_the_rules_for_browsers(make_app):
    app = make_app()

    @app.get("/api/broken")
    async def broken() -> None:
        raise RuntimeError("a detail of ours")

    async with client_of(app) as web:
        for path, status in [("/api/ready", 200), ("/nothing", 404), ("/api/broken", 500)]:
            answer = await web.get(path)
            assert answer.status_code == status
            assert "'unsafe" not in answer.headers["content-security-policy"]
            assert "default-src 'self'" in answer.headers["content-security-policy"]
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["referrer-policy"] == "no-referrer"
        assert "a detail" not in (await web.get("/api/broken")).text


async def test_a_server_that_ends_says_when_to_come_back(app, web):
    app.state.parts.draining.set()
    answer = await web.get("/api/ready")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


@pytest.mark.parametrize("headers", [{"host": "evil.example"}, {"origin": "http://evil.example"}])
async def test_sockets_are_guarded_as_requests_are(headers):
    async def app(scope, receive, send):
        raise AssertionError

    sent = []

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        sent.append(message)

    named = {"host": "localhost"} | headers
    raw = [(name.encode(), value.encode()) for name, value in named.items()]
    scope = {"type": "websocket", "path": "/ws", "query_string": b"", "headers": raw}
    await security.Security(app)(scope, receive, send)
    assert sent[0]["type"] == "websocket.http.response.start"
    assert sent[0]["status"] in {403, 421}


# -- the token's file


def test_the_token_is_made_once_for_its_owner_only(tmp_path):
    token = read_token(tmp_path / "data" / "token")
    assert len(token) >= 43
    assert read_token(tmp_path / "data" / "token") == token
    assert (tmp_path / "data" / "token").stat().st_mode & 0o777 == 0o600


def test_a_token_that_others_may_read_is_refused(tmp_path):
    read_token(tmp_path / "token")
    (tmp_path / "token").chmod(0o640)
    with pytest.raises(BadConfig, match="chmod 600"):
        read_token(tmp_path / "token")


def test_an_empty_file_is_no_token(tmp_path):
    (tmp_path / "token").touch(0o600)
    with pytest.raises(BadConfig, match="holds no token"):
        read_token(tmp_path / "token")


def request_of(path: str, *headers: tuple[bytes, bytes], type_: str = "http") -> dict:
    return {
        "type": type_, "method": "GET", "path": path, "query_string": b"", "headers": list(headers)
    }  # fmt: skip


async def asked(app, scope) -> tuple[int, dict[str, str], list[dict]]:
    """Status and headers of the answer to a request as a server passes it on."""
    sent: list[dict] = []

    async def receive():
        return {"type": f"{scope['type']}.connect"}

    async def send(message):
        sent.append(message)

    await app(scope, receive, send)
    headers = {name.decode(): value.decode() for name, value in sent[0].get("headers", [])}
    return sent[0].get("status", 0), headers, sent


OWN = (b"host", b"localhost:8080")


@pytest.mark.parametrize(
    ("path", "host", "status"),
    [
        ("http://localhost:8080/api/ready", b"localhost:8080", 200),
        ("http://localhost:8080/api/ready", b"evil.example", 200),
        ("http://evil.example/api/ready", b"localhost:8080", 421),
        ("http://evil.example", b"localhost:8080", 421),
        ("http://localhost:8080", b"evil.example", 200),
        ("http://[::1/api/ready", b"localhost:8080", 421),
        ("http://localhost\u2100/api/ready", b"localhost:8080", 421),
        ("/api/ready", "localhost:²".encode("latin-1"), 421),
    ],
)
async def test_a_target_with_a_host_is_that_of_the_host_it_names(app, path, host, status):
    found, _, _ = await asked(app, request_of(path, (b"host", host)))
    assert found == status


async def test_two_words_on_where_a_request_comes_from_are_no_word_of_ours(app):
    words = [(b"sec-fetch-site", b"same-origin"), (b"sec-fetch-site", b"cross-site")]
    assert (await asked(app, request_of("/api/ready", OWN, *words)))[0] == 403


async def test_a_head_that_is_too_large_is_refused(app):
    large = (b"x-large", b"x" * security.LARGEST_HEAD)
    status, headers, _ = await asked(app, request_of("/api/ready", OWN, large))
    assert (status, headers["connection"]) == (431, "close")


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/ws", [(b"origin", b"http://evil.example")], 403),
        ("/elsewhere", [], 404),
    ],
)
async def test_a_refused_socket_gets_an_answer_like_any_other(app, path, headers, status):
    found, said, sent = await asked(app, request_of(path, OWN, *headers, type_="websocket"))
    assert found == status
    assert said["x-content-type-options"] == "nosniff"
    assert said["content-type"] == "application/problem+json"
    assert [each["type"] for each in sent] == [
        "websocket.http.response.start", "websocket.http.response.body"
    ]  # fmt: skip
