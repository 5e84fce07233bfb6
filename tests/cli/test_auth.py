"""`quaero auth`: logins from files and standard input, shown without their secrets."""

from __future__ import annotations

import asyncio
import io
import re
from pathlib import Path

import pytest

from quaero.db.sqlite.database import SqliteDatabase
from quaero.sources.pairing import Pairing
from quaero.testing.site import Page, SiteServer

from .conftest import Cli

SECRET = "s3cret-canary"
WIKI = "https://wiki.example.org/"
COOKIES = (
    f"# Netscape HTTP Cookie File\n#HttpOnly_wiki.example.org\tFALSE\t/\tTRUE\t0\tsid\t{SECRET}\n"
    f"other.example\tFALSE\t/\tFALSE\t0\tsid\t{SECRET}\n"
)
HAR = """{"log": {"entries": [
  {"request": {"url": "https://cdn.example/x", "cookies": [{"name": "c", "value": "1"}]}},
  {"request": {"url": "https://wiki.example.org/", "headers": [
      {"name": "User-Agent", "value": "Browser/7"},
      {"name": "Authorization", "value": "Bearer s3cret-canary"},
      {"name": "Cookie", "value": "sid=s3cret-canary; theme=dark"}]},
   "response": {"headers": [
      {"name": "Set-Cookie", "value": "sid=s3cret-canary-2; Path=/; Secure; HttpOnly"}]}}
]}}"""


@pytest.fixture
def auth(cli: Cli, tmp_path: Path) -> Cli:
    return lambda *words: cli("--data-dir", tmp_path / "data", "auth", *words)


def test_cookies_are_imported_listed_and_deleted_without_being_shown(auth, tmp_path) -> None:
    (tmp_path / "cookies.txt").write_text(COOKIES)
    done = auth("import", WIKI, tmp_path / "cookies.txt")
    assert (done.code, done.out) == (0, f"login 1 for {WIKI} stored: 1 cookie and 0 tokens\n")
    assert "1 cookie for other sites left out" in done.err
    listed = auth("list")
    assert re.search(rf"1  {WIKI}\s+1\s+0  not said  not tested", listed.out)
    again = auth("import", WIKI, tmp_path / "cookies.txt", "--json")
    assert (again.json["created"], again.json["foreign"]) == (False, 1)
    assert again.json["login"]["kind"] == "cookies"
    assert auth("delete", 1).code == 0
    assert auth("delete", 1).code == 3
    assert auth("list", "--json").json == []
    assert SECRET not in done.out + done.err + listed.out + again.out


def test_a_har_gives_cookies_tokens_and_the_user_agent(auth, tmp_path) -> None:
    (tmp_path / "site.har").write_text(HAR)
    found = auth("import", WIKI, tmp_path / "site.har", "--json").json
    login = found["login"]
    assert (login["cookies"], login["headers"], login["user_agent"]) == (2, 1, "Browser/7")
    assert found["foreign"] == 1


def test_header_lines_come_from_standard_input_and_not_from_arguments(auth, monkeypatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"Cookie: a={SECRET}; b=2\nX-Api-Key: {SECRET}\n"))
    done = auth("add", WIKI, "--user-agent", "Browser/7")
    assert done.out == f"login 1 for {WIKI} stored: 2 cookies and 1 token\n"
    assert SECRET not in done.out + done.err
    refused = auth("add", WIKI, f"Cookie: {SECRET}")
    assert refused.code == 2


WRONG = [
    ("https://wiki.example.org/", "nonsense", "not a list of cookies"),
    ("https://wiki.example.org/", "", "no cookie or token for example.org"),
    ("wiki", f"Cookie: a={SECRET}", "write one such as https://"),
    ("ftp://wiki.example.org/", f"Cookie: a={SECRET}", "write one such as https://"),
    ("https://wiki.example.org/", f"Host: {SECRET}", "cannot be sent in a header of this name"),
]


@pytest.mark.parametrize(("url", "text", "said"), WRONG)
def test_a_login_that_cannot_be_stored_is_refused_before_anything_is_made(
    auth, monkeypatch, tmp_path, url, text, said
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    done = auth("add", url)
    assert done.code == 2
    assert said in done.err
    assert SECRET not in done.err


@pytest.mark.parametrize("errors", ["strict", "surrogateescape"])
def test_standard_input_that_is_no_text_is_refused(auth, monkeypatch, errors) -> None:
    bytes_ = io.BytesIO(b"Cookie: a=\xff")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(bytes_, "utf-8", errors))
    refused = auth("add", WIKI)
    assert refused.code == 2
    assert "standard input is no text in UTF-8" in refused.err


def test_a_login_is_tested_and_the_exit_code_says_whether_it_is_accepted(auth, monkeypatch) -> None:
    pages = {"/": "<title>Home</title><p>Yours.", "/not-yours": Page(status=403)}
    with SiteServer(pages) as site:
        monkeypatch.setattr("sys.stdin", io.StringIO(f"Cookie: a={SECRET}"))
        assert auth("add", site.url).code == 0
        good, bad = auth("test", 1), auth("test", 1, site.url + "/not-yours")
        assert (good.code, bad.code) == (0, 1)
        assert good.out.startswith("accepted: ")
        assert bad.out.startswith("refused: ")
        assert "refused" in auth("list").out
        assert {hit.headers["Cookie"] for hit in site.hits} == {f"a={SECRET}"}
    gone = auth("test", 1)
    assert (gone.code, gone.out.startswith("not known: no connection")) == (1, True)
    assert auth("test", 1, "--json").json["ok"] is None
    assert "not known" in auth("list").out


def test_keys_are_exchanged_and_a_lost_key_is_named(auth, monkeypatch, tmp_path) -> None:
    keys = tmp_path / "home" / ".config" / "quaero" / "keys"
    monkeypatch.setattr("sys.stdin", io.StringIO(f"Cookie: a={SECRET}"))
    auth("add", WIKI)
    before = keys.read_text()
    done = auth("rotate")
    assert (done.code, done.out) == (0, "1 login sealed with a new key\n")
    assert (
        done.err == "the logins in copies of the database made before this do not open any more\n"
    )
    assert keys.read_text() != before
    keys.unlink()
    lost = auth("rotate")
    assert (lost.code, str(keys) in lost.err) == (2, True)


def test_what_is_done_to_logins_is_told_to_a_script(auth, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"Cookie: a={SECRET}"))
    auth("add", WIKI)
    assert auth("rotate", "--json").json == {"sealed": 1}
    assert auth("delete", 1, "--json").json == {"id": 1, "deleted": True}
    code = auth("pair", "--json").json["code"]
    with SqliteDatabase.open(tmp_path / "data" / "quaero.db") as db:
        assert asyncio.run(Pairing(db).exchange("moz-extension://a", code))
    assert auth("revoke", 1, "--json").json == {"id": 1, "revoked": True}
    assert auth("extensions", "--json").json == []


def test_a_code_for_an_extension_is_shown(auth) -> None:
    done = auth("pair")
    assert re.fullmatch("[A-Z2-9]{4}-[A-Z2-9]{4}\n", done.out)
    assert "works once" in done.err
    assert auth("extensions", "--json").json == []
    assert auth("extensions").code == 0
    assert auth("revoke", 1).code == 3


def test_a_key_file_in_the_data_directory_is_refused(auth, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("QUAERO_AUTH_KEY_FILE", str(tmp_path / "data" / "keys"))
    monkeypatch.setattr("sys.stdin", io.StringIO(f"Cookie: a={SECRET}"))
    done = auth("add", WIKI)
    assert (done.code, "auth.key_file" in done.err) == (2, True)
    assert not (tmp_path / "data" / "keys").exists()
