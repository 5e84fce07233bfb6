"""Definitions and schedules over HTTP: writing, checking, beginning, pausing."""

from __future__ import annotations

import asyncio
import json
import threading
import tomllib
from pathlib import Path
from typing import Any

import httpx
import pytest

from quaero.api.pictures import schedules_picture
from quaero.jobs import actions
from quaero.testing.jobs import working
from quaero.upkeep.cleanup import Cleanup
from quaero.work.context import JobContext
from quaero.work.registry import JobType, Registry
from quaero.workflows import folder, items, shipped, text
from quaero.workflows.executors import WorkflowExecutors

from ..opening import Opened  # noqa: TID252

TEXT = """\
# Tidies up.
id = "tidy"  # stays

[parameters.days]
type = "integer"
default = 30

[schedule]
cron = "30 2 * * 1-5"
timezone = "Europe/Berlin"

[[steps]]
name = "old"
action = "cleanup"

[steps.config]
age_threshold_days = "{{ parameters.days }}"

[[steps]]
name = "again"
action = "cleanup"
depends_on = ["old"]
"""
TOML = {"content-type": "application/toml"}
AS_JSON = {"content-type": "application/json"}


async def put(web: httpx.AsyncClient, text: str = TEXT, **headers: str) -> httpx.Response:
    return await web.post("/api/definitions", content=text, headers=TOML | headers)


async def test_a_definition_is_stored_as_it_was_written(web: httpx.AsyncClient) -> None:
    made = await put(web)
    assert (made.status_code, made.headers["etag"]) == (201, '"1"')
    found = (await web.get(made.headers["location"])).json()
    assert found == made.json()
    assert (found["text"], found["value"]) == (TEXT, tomllib.loads(TEXT))
    assert found["actions"] == {"old": "cleanup", "again": "cleanup"}
    assert (found["origin"], found["problem"], found["runs"]) == ("own", None, [])
    assert found["schedule"]["words"] == "At 02:30 on Monday through Friday (Europe/Berlin)"
    (item,) = (await web.get("/api/definitions")).json()["items"]
    assert item == {key: value for key, value in found.items() if key not in ("text", "value")}


async def test_the_list_is_read_page_by_page(web: httpx.AsyncClient) -> None:
    names = [f"flow-{number}" for number in range(5)]
    for name in names:
        await put(web, TEXT.replace('"tidy"', f'"{name}"'))
    for path, key in (("/api/definitions", "id"), ("/api/schedules", "definition_id")):
        found, cursor = [], None
        while True:
            words = {"limit": 2} | ({"cursor": cursor} if cursor else {})
            page = (await web.get(path, params=words)).json()
            found += [each[key] for each in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert found == names
    other = (await web.get("/api/definitions", params={"limit": 2})).json()["next_cursor"]
    assert (await web.get("/api/schedules", params={"cursor": other})).status_code == 400


FAULTS = [
    ('depends_on = ["old"]', 'depends_on = ["odl"]', 22, "/steps/1/depends_on/0", "odl"),
    ('action = "cleanup"', 'action = "clean"', 14, "/steps/0/action", "no job type 'clean'"),
    ('cron = "30 2 * * 1-5"', 'cron = "30 2 * *"', 9, "/schedule/cron", "five fields"),
    ("parameters.days }", "parameters.day }", 17, "/steps/0/config/age_threshold_days", "'day'"),
    ("default = 30", 'default = "30"', 4, "/parameters/days", "is no integer"),
    ("[schedule]", "[schedul]", 8, "/schedul", "misspelt"),
    ("default = 30", "default =", 6, "", ""),
]


@pytest.mark.parametrize(("before", "after", "line", "pointer", "says"), FAULTS)
async def test_what_is_wrong_is_told_by_line_and_field(
    web: httpx.AsyncClient, before: str, after: str, line: int, pointer: str, says: str
) -> None:
    text = TEXT.replace(before, after, 1)
    told = await web.post("/api/definitions/validate", content=text, headers=TOML)
    verdict = told.json()
    assert (told.status_code, verdict["valid"]) == (200, False)
    (fault,) = verdict["faults"]
    assert (fault["line"], fault["pointer"]) == (line, pointer)
    assert says in fault["detail"]
    refused = await put(web, text)
    assert (refused.status_code, refused.json()["type"]) == (422, "/api/docs#bad-definition")
    assert refused.json()["errors"] == verdict["faults"]
    assert (await web.get("/api/definitions")).json()["items"] == []


@pytest.mark.parametrize("path", ["/validate", "/upload", "/upload?replace=true"])
async def test_no_text_is_read_where_it_would_hold_up_other_requests(
    web: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    read, threads = text._parse, set()

    def reading(*given: Any) -> Any:
        threads.add(threading.get_ident())
        return read(*given)

    monkeypatch.setattr(text, "_parse", reading)
    told = await web.post(f"/api/definitions{path}", content=TEXT, headers=TOML)
    assert told.status_code in (200, 201)
    assert (await web.get("/api/definitions")).status_code == 200
    assert threads
    assert threading.get_ident() not in threads


async def test_a_text_that_is_too_long_is_not_read_at_all(
    web: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text.tomllib, "loads", None)
    long = TEXT + "#" * text.MOST_BYTES
    told = await web.post("/api/definitions/validate", content=long, headers=TOML)
    assert "more than 1000000 bytes" in told.text


async def test_a_value_is_written_into_the_text_that_was_there(web: httpx.AsyncClient) -> None:
    value = tomllib.loads(TEXT)
    value["steps"][1]["timeout"] = "5m"
    wish = {"value": value, "format": "toml", "text": TEXT}
    told = (await web.post("/api/definitions/write", json=wish)).json()
    expected = TEXT.replace('["old"]\n', '["old"]\ntimeout = "5m"\n')
    assert (told["text"], told["valid"], told["value"]) == (expected, True, value)
    wish["format"] = "json"
    told = (await web.post("/api/definitions/write", json=wish)).json()
    assert (json.loads(told["text"]), told["valid"]) == (value, True)
    wish |= {"format": "toml", "value": {"id": "x", "steps": [None]}}
    assert (await web.post("/api/definitions/write", json=wish)).status_code == 400


async def test_a_change_is_made_to_what_was_seen_only(web: httpx.AsyncClient) -> None:
    await put(web)
    path, changed = "/api/definitions/tidy", TEXT.replace("default = 30", "default = 7")
    assert (await web.put(path, content=changed, headers=TOML)).status_code == 428
    done = await web.put(path, content=changed, headers=TOML | {"if-match": '"1"'})
    assert (done.status_code, done.headers["etag"]) == (200, '"2"')
    late = await web.put(path, content=TEXT, headers=TOML | {"if-match": '"1"'})
    assert late.status_code == 412
    renamed = changed.replace('"tidy"', '"other"')
    wrong = await web.put(path, content=renamed, headers=TOML | {"if-match": "*"})
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/id")
    assert (await web.get(path)).json()["text"] == changed
    assert (await put(web)).status_code == 409


async def test_the_switch_changes_one_key_of_the_text(web: httpx.AsyncClient) -> None:
    await put(web)
    headers = {"if-match": '"1"'}
    off = await web.patch("/api/definitions/tidy", json={"enabled": False}, headers=headers)
    assert off.json()["text"] == TEXT.replace("# stays\n", "# stays\nenabled = false\n")
    assert (off.json()["enabled"], off.json()["schedule"]["next_at"]) == (False, None)
    begun = await web.post("/api/definitions/tidy/execute", json={})
    assert (begun.status_code, begun.json()["type"]) == (409, "/api/docs#conflict")


async def test_a_definition_of_a_file_is_changed_in_its_file(
    web: httpx.AsyncClient, opened: Opened, app: Any
) -> None:
    path: Path = app.state.parts.settings.definitions_dir
    path.mkdir()
    (path / "tidy.toml").write_text(TEXT, encoding="utf-8")
    (path / "bad.json").write_text('{"id": "bad"}', encoding="utf-8")
    known = app.state.parts.registry.known()
    await folder.Folder(opened.db, path, known).sync()
    listed = (await web.get("/api/definitions")).json()
    assert [(each["path"], each["definition_id"]) for each in listed["files"]] == [
        ("bad.json", None)
    ]
    assert "steps" in listed["files"][0]["problem"]
    assert (listed["items"][0]["origin"], listed["items"][0]["path"]) == ("file", "tidy.toml")

    changed = TEXT.replace("default = 30", "default = 7")
    headers = TOML | {"if-match": '"1"'}
    done = await web.put("/api/definitions/tidy", content=changed, headers=headers)
    assert (done.json()["text"], done.headers["etag"]) == (changed, '"2"')
    assert (path / "tidy.toml").read_text(encoding="utf-8") == changed

    by_hand = changed.replace("default = 7", "default = 8")
    (path / "tidy.toml").write_text(by_hand, encoding="utf-8")
    late = await web.put("/api/definitions/tidy", content=TEXT, headers=TOML | {"if-match": '"2"'})
    assert (late.status_code, "changed meanwhile" in late.json()["detail"]) == (409, True)
    assert (path / "tidy.toml").read_text(encoding="utf-8") == by_hand
    assert (await web.delete("/api/definitions/tidy")).status_code == 409
    other = await web.put(
        "/api/definitions/tidy",
        json={**tomllib.loads(TEXT)},
        headers={"if-match": "*"},
    )
    assert (other.status_code, "tidy.toml" in other.json()["detail"]) == (400, True)


async def test_a_file_is_uploaded_anew_only_when_asked(web: httpx.AsyncClient) -> None:
    first = await web.post("/api/definitions/upload", content=TEXT, headers=TOML)
    assert first.status_code == 201
    again = {"content": json.dumps(tomllib.loads(TEXT)), "headers": AS_JSON}
    assert (await web.post("/api/definitions/upload", **again)).status_code == 409
    done = await web.post("/api/definitions/upload?replace=true", **again)
    assert (done.status_code, done.json()["format"], done.json()["rev"]) == (200, "json", 2)
    kept = await web.get("/api/definitions/tidy/export")
    assert kept.headers["content-disposition"] == 'attachment; filename="tidy.json"'
    other = await web.get("/api/definitions/tidy/export", params={"format": "toml"})
    assert tomllib.loads(other.text) == kept.json() == tomllib.loads(TEXT)


async def test_what_was_seen_of_a_deleted_definition_changes_no_new_one_of_its_id(
    web: httpx.AsyncClient,
) -> None:
    tags = []
    for _ in range(2):
        tags.append(
            (await web.post("/api/definitions", content=TEXT, headers=TOML)).headers["etag"]
        )
        await web.patch("/api/definitions/tidy", json={"enabled": False}, headers={"if-match": "*"})
        await web.delete("/api/definitions/tidy")
    newer = await web.post("/api/definitions", content=TEXT, headers=TOML)
    for seen in ('"2"', *tags):
        late = await web.put(
            "/api/definitions/tidy", content=TEXT, headers=TOML | {"if-match": seen}
        )
        assert late.status_code == 412
        gone = await web.delete("/api/definitions/tidy", headers={"if-match": seen})
        assert gone.status_code == 412
    assert (await web.get("/api/definitions/tidy")).headers["etag"] == newer.headers["etag"]


async def test_a_body_of_another_kind_is_refused(web: httpx.AsyncClient) -> None:
    for kind, body, status in [
        ("application/merge-patch+json", "{}", 415),
        ("text/plain", TEXT, 415),
        ("application/toml", b"\xff", 400),
        ("application/json", b'{"id": "\xff"}', 400),
    ]:
        for path in ("", "/validate", "/upload"):
            told = await web.post(
                f"/api/definitions{path}", content=body, headers={"content-type": kind}
            )
            assert told.status_code == status


async def test_a_definition_that_cannot_be_called_is_told_with_its_line(
    web: httpx.AsyncClient,
) -> None:
    step = '[[steps]]\nname = "a"\naction = "workflow"\n[steps.config]\ndefinition = "{}"\n'
    for called, says in (("x", "run one another: x → x"), ("nobody", "no definition 'nobody'")):
        text = f'id = "x"\n{step.format(called)}'
        told = await web.post("/api/definitions/validate", content=text, headers=TOML)
        (fault,) = told.json()["faults"]
        assert (fault["line"], fault["field"]) == (6, "steps[0].config.definition")
        assert says in fault["detail"]


async def test_json_that_cannot_be_read_is_told_with_its_line(web: httpx.AsyncClient) -> None:
    body = {"content": '{"id": "x",\n"steps": }', "headers": AS_JSON}
    told = await web.post("/api/definitions/validate", **body)
    assert told.status_code == 200
    (fault,) = told.json()["faults"]
    assert (fault["line"], "Expecting value" in fault["detail"]) == (2, True)
    for path in ("", "/upload"):
        refused = await web.post(f"/api/definitions{path}", **body)
        assert (refused.status_code, refused.json()["errors"][0]["line"]) == (422, 2)


async def test_a_run_begins_with_parameters_that_fit(
    web: httpx.AsyncClient, opened: Opened
) -> None:
    await put(web)
    path = "/api/definitions/tidy/execute"
    for parameters in ({"days": "many"}, {"weeks": 3}):
        wrong = await web.post(path, json={"parameters": parameters})
        (name,) = parameters
        assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (
            422,
            f"/parameters/{name}",
        )
    wish = {"json": {"parameters": {"days": 3}}, "headers": {"idempotency-key": "k"}}
    begun = await web.post(path, **wish)
    assert (begun.status_code, begun.json()["type"]) == (202, "workflow")
    assert (await web.get(begun.headers["location"])).json()["id"] == begun.json()["id"]
    replayed = await web.post(path, **wish)
    assert replayed.headers["idempotent-replayed"] == "true"
    assert replayed.json()["id"] == begun.json()["id"]
    (run,) = (await web.get("/api/definitions/tidy/runs")).json()["items"]
    assert (run["job"]["id"], run["cause"], run["due_at"]) == (begun.json()["id"], "manual", None)
    (past,) = (await web.get("/api/definitions/tidy")).json()["runs"]
    assert (past["id"], past["status"]) == (begun.json()["id"], "pending")
    assert opened.sql("select count(*) from run")[0][0] == 1


async def test_the_runs_are_read_page_by_page(web: httpx.AsyncClient) -> None:
    await put(web)
    ids = [
        (await web.post("/api/definitions/tidy/execute", json={})).json()["id"] for _ in range(3)
    ]
    first = (await web.get("/api/definitions/tidy/runs?limit=2")).json()
    rest = (
        await web.get(
            "/api/definitions/tidy/runs", params={"limit": 2, "cursor": first["next_cursor"]}
        )
    ).json()
    found = [each["job"]["id"] for each in first["items"] + rest["items"]]
    assert (found, rest["next_cursor"]) == (ids[::-1], None)


async def test_a_schedule_is_paused_resumed_and_triggered(web: httpx.AsyncClient) -> None:
    await put(web)
    path = "/api/schedules/tidy"
    table = (await web.get(path)).json()
    assert len(table["next"]) == 5
    assert table["next"][0] == table["next_at"]
    paused = (await web.post(f"{path}/pause")).json()
    assert (paused["paused"], paused["next_at"]) == (True, None)
    run = await web.post(f"{path}/trigger")
    assert (run.status_code, run.json()["type"]) == (202, "workflow")
    resumed = (await web.post(f"{path}/resume")).json()
    assert resumed == table
    assert (await web.post("/api/schedules/other/trigger")).status_code == 404


async def test_a_step_that_waits_says_what_for(web: httpx.AsyncClient, opened: Opened) -> None:
    more = (
        'condition = "parameters.days > 99"\n\n[[pre_jobs]]\nname = "first"\naction = "cleanup"\n'
    )
    await put(web, TEXT + more)
    run = (await web.post("/api/definitions/tidy/execute", json={})).json()
    path = f"/api/jobs/{run['id']}/steps"
    told = (await web.get(path)).json()
    waiting = {"first": [], "old": ["first"], "again": ["first", "old"]}
    assert {each["name"]: each["waiting_for"] for each in told["items"]} == waiting
    assert (told["definition_id"], [each["job"] for each in told["items"]]) == ("tidy", [None] * 3)

    begun, go_on = asyncio.Event(), asyncio.Event()

    async def tidy(_job: JobContext, _payload: Cleanup) -> None:
        begun.set()
        await go_on.wait()

    registry = Registry([JobType("cleanup", Cleanup, tidy)])
    for job_type in WorkflowExecutors(opened.db, registry, items.rows).job_types():
        registry.add(job_type)
    async with working(opened.db, list(registry)) as bench:
        await begun.wait()
        steps = (await web.get(path)).json()["items"]
        assert {each["name"]: each["waiting_for"] for each in steps} == waiting
        last = (await web.get(f"/api/jobs/{steps[2]['job']['id']}")).json()
        assert [(each["name"], each["met"]) for each in last["needs"]] == [("old", False)]
        assert (await web.get(f"/api/jobs/{last['id']}/steps")).status_code == 400
        go_on.set()
        await bench.ended(run["id"])
    steps = (await web.get(path)).json()["items"]
    assert [(each["phase"], each["outcome"], each["job"]["status"]) for each in steps] == [
        ("pre", "begun", "completed"),
        ("core", "begun", "completed"),
        ("core", "skipped", "completed"),
    ]
    assert not any(each["waiting_for"] for each in steps)


async def test_a_definition_is_deleted_unless_it_comes_with_quaero(
    web: httpx.AsyncClient, opened: Opened, app: Any
) -> None:
    await put(web)
    late = await web.delete("/api/definitions/tidy", headers={"if-match": '"7"'})
    assert late.status_code == 412
    gone = await web.delete("/api/definitions/tidy", headers={"if-match": '"1"'})
    assert gone.status_code == 204
    assert (await web.get("/api/schedules/tidy")).status_code == 404
    await opened.db.write(shipped.store, app.state.parts.registry.known())
    refused = await web.delete("/api/definitions/nightly-upkeep")
    assert (refused.status_code, "disable it" in refused.json()["detail"]) == (409, True)


async def test_a_run_that_is_run_again_is_one_more_of_its_definition(
    web: httpx.AsyncClient, opened: Opened
) -> None:
    await put(web)
    first = (await web.post("/api/definitions/tidy/execute", json={})).json()["id"]
    await actions.cancel(opened.db, first)
    payload = (await web.get(f"/api/jobs/{first}")).json()["payload"]
    wish = {"payload": {**payload, "parameters": {"days": 7}}}
    again = (await web.post(f"/api/jobs/{first}/rerun", json=wish)).json()
    assert (again["rerun_of"], again["payload"]["parameters"]) == (first, {"days": 7})
    found = (await web.get("/api/definitions/tidy/runs")).json()["items"]
    assert [each["job"]["id"] for each in found] == [again["id"], first]


async def test_the_socket_is_told_of_schedules_and_of_files_that_are_wrong(
    web: httpx.AsyncClient, opened: Opened, app: Any
) -> None:
    before = await opened.db.read(schedules_picture)
    await put(web)
    after = await opened.db.read(schedules_picture)
    assert before == {
        "schedules": [],
        "definitions": {"count": 0, "changed_at": None},
        "files": [],
    }
    assert [each["definition_id"] for each in after["schedules"]] == ["tidy"]
    assert after["definitions"]["count"] == 1
    path: Path = app.state.parts.settings.definitions_dir
    path.mkdir()
    (path / "bad.toml").write_text("id =", encoding="utf-8")
    await folder.Folder(opened.db, path, app.state.parts.registry.known()).sync()
    (file,) = (await opened.db.read(schedules_picture))["files"]
    assert file["path"] == "bad.toml"
