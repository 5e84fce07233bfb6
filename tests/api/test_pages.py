"""How the pages and the files of their bundle are served."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from unittest import mock

import httpx
import pytest
from fastapi import FastAPI

from quaero.api import pages

from .conftest import client_of

BUNDLE = {
    "index.html": "<!doctype html><script src=/static/app-AB12.js></script>",
    "app-AB12.js": "export {}",
    "app-AB12.css": "body {}",
    "icon-AB12.svg": "<svg xmlns='http://www.w3.org/2000/svg'/>",
    "app-AB12.js.LEGAL.txt": "MIT",
    "inputs.sha256": "0" * 64,
}


@pytest.fixture
def app(make_app: Callable[..., FastAPI], tmp_path: Path) -> FastAPI:
    """The application, with a bundle of a few bytes."""
    folder = tmp_path / "static"
    folder.mkdir()
    (tmp_path / "secret.txt").write_text("not for browsers")
    for name, text in BUNDLE.items():
        (folder / name).write_text(text)
    with (
        mock.patch.object(pages.pages, "__defaults__", (folder,)),
        mock.patch.object(pages.missing_page, "__defaults__", (folder,)),
    ):
        return make_app()


@pytest.fixture
async def web(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app) as client:
        yield client


@pytest.mark.parametrize("path", [re.sub(r"\{\w+:int\}", "7", path) for path in pages.PAGES])
async def test_every_address_of_the_ui_is_the_one_page(web, path):
    answer = await web.get(path)
    assert answer.status_code == 200
    assert answer.text == BUNDLE["index.html"]
    assert answer.headers["content-type"] == "text/html; charset=utf-8"


async def test_an_address_of_no_page_is_one_for_people_and_a_problem_for_programs(web):
    for path in ("/nowhere", "/jobs/x", "/favicon.ico"):
        answer = await web.get(path, headers={"Accept": "text/html,*/*;q=0.8"})
        assert answer.status_code == 404
        assert answer.text == BUNDLE["index.html"]
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert "default-src 'self'" in answer.headers["content-security-policy"]
        for accept in ("*/*", "application/json"):
            answer = await web.get(path, headers={"Accept": accept})
            assert answer.status_code == 404
            assert answer.json()["detail"] == f"there is nothing at {path}"
    for method, path in (("GET", "/api/nowhere"), ("POST", "/nowhere")):
        answer = await web.request(method, path, headers={"Accept": "text/html"})
        assert answer.json()["status"] == 404


async def test_a_page_is_asked_for_again_and_answered_with_304_while_it_is_the_same(web):
    first = await web.get("/queue")
    assert first.headers["cache-control"] == "no-cache"
    tag = first.headers["etag"]
    for asked in (tag, f'W/{tag}, "other"', "*"):
        again = await web.get("/jobs/1", headers={"If-None-Match": asked})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == tag
    other = await web.get("/queue", headers={"If-None-Match": '"other"'})
    assert other.status_code == 200


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("app-AB12.js", "text/javascript; charset=utf-8"),
        ("app-AB12.css", "text/css; charset=utf-8"),
        ("icon-AB12.svg", "image/svg+xml"),
        ("app-AB12.js.LEGAL.txt", "text/plain; charset=utf-8"),
    ],
)
async def test_a_file_of_the_bundle_may_be_kept_for_ever(web, name, kind):
    answer = await web.get(f"/static/{name}")
    assert answer.text == BUNDLE[name]
    assert answer.headers["content-type"] == kind
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize("path", ["/queue", "/static/app-AB12.js"])
async def test_head_says_what_get_would(web, path):
    whole, head = await web.get(path), await web.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert dict(head.headers) == dict(whole.headers)


@pytest.mark.parametrize(
    "name",
    [
        "app-XY99.js",
        "inputs.sha256",
        "index.html",
        "",
        "../secret.txt",
        "..%2fsecret.txt",
        "%2e%2e/secret.txt",
        "%2e%2e%2fsecret.txt",
        "..%5csecret.txt",
        "%00app-AB12.js",
        "sub/app-AB12.js",
        "/etc/passwd",
    ],
)
async def test_only_files_of_the_bundle_are_there(web, name):
    answer = await web.get(httpx.URL("http://localhost:8080", raw_path=f"/static/{name}".encode()))
    assert answer.status_code == 404
    assert "not for browsers" not in answer.text
    assert "immutable" not in answer.headers.get("cache-control", "")


@pytest.mark.parametrize("path", ["/", "/queue", "/static/app-AB12.js", "/static/none.js"])
async def test_scripts_and_styles_come_from_here_only(web, path):
    headers = (await web.get(path)).headers
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "'unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/queue", "/static/app-AB12.js"])
async def test_a_page_cannot_be_posted_to(web, path):
    answer = await web.post(path, json={})
    assert answer.status_code == 405
    assert {each.strip() for each in answer.headers["allow"].split(",")} == {"GET", "HEAD"}


async def test_without_a_bundle_a_page_says_how_to_make_one(make_app, tmp_path):
    with mock.patch.object(pages.pages, "__defaults__", (tmp_path / "none",)):
        app = make_app()
    async with client_of(app) as web:
        answer = await web.get("/queue")
        assert answer.status_code == 503
        assert "python3 dev.py run serve" in answer.text
        assert (await web.get("/api/ready")).status_code == 200
