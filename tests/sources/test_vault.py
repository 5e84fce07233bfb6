"""Logins are sealed: only the key file opens them, and no moment of a rotation loses one."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import pytest

from quaero.crawl.cookies import Cookie
from quaero.db import SqliteDatabase
from quaero.errors import BadConfig, BadKey, BadLogin, Conflict, NotFound
from quaero.settings import Settings, load
from quaero.sources import credentials
from quaero.sources.capture import Capture
from quaero.sources.keys import KeyFile
from quaero.sources.logins import Change
from quaero.sources.vault import Keys, Record, Secret, seal, unseal, vault_of

SECRET = "s3cret-canary"
WIKI = "https://wiki.example.org/"


def capture(base_url: str = WIKI, value: str = SECRET, **more) -> Capture:
    cookies = (Cookie(name="sid", value=value, domain=""),)
    return Capture(**{"base_url": base_url, "captured_at": 1, "cookies": cookies, **more})


def values(login) -> list[str]:
    return [cookie.value for cookie in login.cookies]


def files(folder: Path) -> bytes:
    return b"".join(each.read_bytes() for each in folder.rglob("*") if each.is_file())


async def test_a_login_opens_again_and_its_secret_is_in_no_file(
    opened, make_logins, key_file
) -> None:
    id_, new = await make_logins().add(capture(headers={"Authorization": f"Bearer {SECRET}"}))
    assert (id_, new) == (1, True)
    found = await make_logins().login(id_)
    assert values(found) == [SECRET]
    assert found.headers == {"Authorization": f"Bearer {SECRET}"}
    assert SECRET not in repr(found)
    opened.restart()
    assert SECRET.encode() not in files(opened.folder) + files(key_file.parent)
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600


async def test_a_login_is_replaced_by_the_next_of_its_address(make_logins, opened) -> None:
    logins = make_logins()
    first, _ = await logins.add(capture(value="old"))
    assert await logins.add(capture(value="new")) == (first, False)
    other, _ = await logins.add(capture("https://jira.example.org/"))
    assert values(await logins.login(first)) == ["new"]
    assert [each.id for each in opened.read(credentials.listing)] == [first, other]
    assert opened.read(credentials.get, first).site == "example.org"


async def test_without_its_key_nothing_opens_and_the_error_names_the_file(
    make_logins, key_file, tmp_path
) -> None:
    id_, _ = await make_logins().add(capture())
    kept = key_file.read_text()
    key_file.unlink()
    with pytest.raises(BadKey, match=f"{key_file} is not there"):
        await make_logins().login(id_)
    with pytest.raises(BadKey, match="is not there"):
        await make_logins().add(capture("https://other.example/"))
    with pytest.raises(BadKey, match=f"{tmp_path / 'other'} is not there"):
        await make_logins(tmp_path / "other").login(id_)
    vault, name, _ = kept.splitlines()[1].split(" ")
    key_file.write_text(f"{vault} {name} {'A' * 43}=\n")
    key_file.chmod(0o600)
    with pytest.raises(BadKey, match="line 1 of the key file"):
        await make_logins().login(id_)
    key_file.write_text(kept)
    assert values(await make_logins().login(id_)) == [SECRET]


async def test_a_running_process_stores_nothing_that_nobody_could_open_later(
    make_logins, key_file, opened
) -> None:
    logins = make_logins()
    id_, _ = await logins.add(capture(value="old"))
    await logins.login(id_)
    kept = key_file.read_text()
    key_file.unlink()
    for url in (WIKI, "https://other.example/"):
        with pytest.raises(BadKey, match=f"{key_file} is not there"):
            await logins.add(capture(url))
    key_file.write_text(kept)
    key_file.chmod(0o644)
    with pytest.raises(BadKey, match="chmod 600"):
        await logins.add(capture())
    key_file.chmod(0o600)
    assert [each.id for each in opened.read(credentials.listing)] == [id_]
    assert values(await logins.login(id_)) == ["old"]


async def test_the_key_of_another_database_opens_nothing(make_logins, key_file, opened) -> None:
    id_, _ = await make_logins().add(capture())
    vault, _ = opened.read(vault_of)
    key_file.write_text(key_file.read_text().replace(vault, "0123456789abcdef"))
    with pytest.raises(BadKey, match="does not have it"):
        await make_logins().login(id_)


async def test_after_the_key_is_lost_logins_can_be_deleted_and_stored_anew(
    make_logins, key_file, opened
) -> None:
    id_, _ = await make_logins().add(capture())
    key_file.unlink()
    await opened.db.write(credentials.delete, id_)
    fresh, _ = await make_logins().add(capture(value="again"))
    assert fresh > id_
    assert values(await make_logins().login(fresh)) == ["again"]
    with pytest.raises(NotFound, match="there is no login 1"):
        await make_logins().login(id_)


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o620, 0o666])
async def test_a_key_file_that_others_may_touch_is_refused(make_logins, key_file, mode) -> None:
    id_, _ = await make_logins().add(capture())
    key_file.chmod(mode)
    with pytest.raises(BadKey, match=f"chmod 600 {key_file}"):
        await make_logins().login(id_)


async def test_a_key_file_in_the_data_directory_is_refused(make_logins, opened, tmp_path) -> None:
    link = tmp_path / "link"
    link.symlink_to(opened.folder)
    for path in (opened.folder / "keys", opened.folder / "deep" / "keys", link / "keys"):
        with pytest.raises(BadKey, match=r"auth\.key_file"):
            await make_logins(path).add(capture())
        assert not path.exists()


async def test_a_folder_is_no_key_file(make_logins, tmp_path) -> None:
    with pytest.raises(BadKey, match=f"key file {tmp_path}"):
        await make_logins(tmp_path).add(capture())


def test_a_seal_opens_with_its_key_and_its_record_only(key_file, tmp_path) -> None:
    file = KeyFile(key_file, tmp_path)
    key, other = file.first("v"), file.add("v")
    record = Record(7, WIKI)
    sealed = seal(key, record, Secret((), {"Authorization": SECRET}))
    assert unseal(key, record, sealed).headers == {"Authorization": SECRET}
    assert SECRET.encode() not in sealed
    assert seal(key, record, Secret()) != seal(key, record, Secret())
    broken = sealed[:-1] + bytes([sealed[-1] ^ 1])
    for wrong in (
        (other, record, sealed), (key, Record(8, WIKI), sealed), (key, record, broken),
        (key, Record(7, "https://evil.example/"), sealed), (key, record, b""),
    ):  # fmt: skip
        with pytest.raises(BadKey, match="does not open"):
            unseal(*wrong)


def test_keys_and_secrets_do_not_show_themselves(key_file, tmp_path) -> None:
    key = KeyFile(key_file, tmp_path).first("v")
    secret = Secret((Cookie(name="sid", value=SECRET, domain="a.b"),), {"Authorization": SECRET})
    assert repr(key.secret) not in repr(key)
    assert SECRET not in repr(secret) + str(secret) + repr(capture()) + repr(secret.cookies)


# -- rotation


async def test_a_rotation_seals_everything_anew_and_drops_the_old_key(
    make_logins, key_file, opened
) -> None:
    logins = make_logins()
    ids = [(await logins.add(capture(f"https://a{n}.example/", f"v{n}")))[0] for n in range(120)]
    before = key_file.read_text()
    other = KeyFile(key_file, opened.folder).first("another")
    assert await logins.rotate() == 120
    after = key_file.read_text()
    assert before.splitlines()[1] not in after
    assert other.id in after
    assert len(after.splitlines()) == 3
    assert [values(await make_logins().login(id_))[0] for id_ in ids] == [
        f"v{n}" for n in range(120)
    ]
    key_file.write_text(before)
    with pytest.raises(BadKey):
        await make_logins().login(ids[0])


STEPS = ["add", "seal_with", "seal_again 1", "seal_again 3", "keep_only"]


class Crash(Exception):
    pass


@pytest.mark.parametrize("step", STEPS)
async def test_a_rotation_that_ends_at_any_step_loses_nothing_and_is_finished_by_the_next(
    make_logins, key_file, opened, monkeypatch, step
) -> None:
    ids = [(await make_logins().add(capture(f"https://a{n}.example/")))[0] for n in range(5)]
    dying = make_logins()
    with monkeypatch.context() as patch:
        _die_after(step, patch)
        with pytest.raises(Crash):
            await dying.rotate()
    for id_ in ids:
        assert values(await make_logins().login(id_)) == [SECRET]
    stored, _ = await make_logins().add(capture("https://new.example/"))
    assert await make_logins().rotate() == 6
    for id_ in [*ids, stored]:
        assert values(await make_logins().login(id_)) == [SECRET]
    assert len(key_file.read_text().splitlines()) == 2


def _die_after(step: str, patch: pytest.MonkeyPatch) -> None:
    """End the program right after the n-th time that this was done, and was durable."""
    name, _, times = step.partition(" ")
    left = [int(times or 1)]

    def count() -> None:
        left[0] -= 1
        if not left[0]:
            raise Crash(step)

    async def write(self, fn, *args, **kwargs):
        found = await real_write(self, fn, *args, **kwargs)
        if fn.__name__ == name:
            count()
        return found

    def on_file(self, *args):
        found = real_on_file(self, *args)
        count()
        return found

    if name in ("add", "keep_only"):
        real_on_file = getattr(KeyFile, name)
        patch.setattr(KeyFile, name, on_file)
    else:
        real_write = SqliteDatabase.write
        patch.setattr(SqliteDatabase, "write", write)


async def test_a_process_that_was_running_stores_and_opens_with_the_new_key(
    make_logins, key_file
) -> None:
    running = make_logins()
    id_, _ = await running.add(capture())
    await running.login(id_)
    await make_logins().rotate()
    await running.add(capture(value="later"))
    await running.add(capture("https://other.example/"))
    assert values(await running.login(id_)) == ["later"]
    assert values(await make_logins().login(id_)) == ["later"]


async def test_two_rotations_at_once_are_refused(make_logins, opened, key_file) -> None:
    await make_logins().add(capture())
    with KeyFile(key_file, opened.folder).rotating():
        with pytest.raises(Conflict, match="another process"):
            await make_logins().rotate()
    assert await make_logins().rotate() == 1


async def test_a_rotation_without_the_old_key_changes_nothing(make_logins, key_file) -> None:
    await make_logins().add(capture())
    kept = key_file.read_text()
    key_file.unlink()
    with pytest.raises(BadKey):
        await make_logins().rotate()
    assert not key_file.exists()
    key_file.write_text(kept)
    key_file.chmod(0o600)
    assert await make_logins().rotate() == 1


# -- changes


async def test_a_login_is_changed_in_parts_and_never_emptied(make_logins, opened) -> None:
    logins = make_logins()
    id_, _ = await logins.add(capture(headers={"X-Api-Key": "k"}, user_agent="Browser/1"))

    changed = await logins.change(id_, Change(headers={}), lambda version: None)
    assert (changed.kind, changed.cookies, changed.headers) == ("cookies", 1, 0)
    assert values(await logins.login(id_)) == [SECRET]
    with pytest.raises(BadLogin, match="neither a cookie nor a token"):
        await logins.change(id_, Change(cookies=()), lambda version: None)
    cleared = await logins.change(id_, Change(user_agent=""), lambda version: None)
    assert cleared.user_agent is None

    def refuse(version: int) -> None:
        raise Conflict(f"version {version}")

    with pytest.raises(Conflict, match="version 3"):
        await logins.change(id_, Change(user_agent="x"), refuse)


# -- settings


def test_the_key_file_is_named_by_the_environment_and_lies_outside_the_data_by_default(
    tmp_path: Path,
) -> None:
    assert not Settings().auth.key_file.is_relative_to(Settings().data_dir)
    chosen = load(None, {}, {"QUAERO_AUTH_KEY_FILE": "mine"}, tmp_path)
    assert chosen.auth.key_file == tmp_path / "mine"
    (tmp_path / "quaero.toml").write_text('[auth]\nkeyfile = "x"\n')
    with pytest.raises(BadConfig, match=r"auth\.keyfile"):
        load(None, {}, {}, tmp_path)


def test_keys_are_read_when_they_are_needed(tmp_path: Path, key_file: Path) -> None:
    keys = Keys(KeyFile(key_file, tmp_path))
    key = keys.sealing("v", None)
    assert keys.get("v", key.id) == key
    assert KeyFile(key_file, tmp_path).first("v") == key


async def test_what_a_site_set_last_stays_though_what_it_set_before_is_stored_late(
    make_logins, opened, monkeypatch
) -> None:
    logins = make_logins()
    id_, _ = await logins.add(capture())
    login = await logins.login(id_)
    write, go_on, began = opened.db.write, asyncio.Event(), asyncio.Event()

    async def late(*args):
        if not began.is_set():
            began.set()
            await go_on.wait()
        return await write(*args)

    monkeypatch.setattr(opened.db, "write", late)
    flushes = []
    for value in ("older", "newer"):
        login.refreshed([Cookie(name="sid", value=value, domain="wiki.example.org")])
        flushes.append(asyncio.create_task(logins.flush()))
        await began.wait()
    await asyncio.wait(flushes[1:], timeout=0.05)  # the older is still being written
    go_on.set()
    await asyncio.gather(*flushes)
    await logins.close()
    assert [each.value for each in (await make_logins().login(id_)).learned] == ["newer"]
